#!/usr/bin/env bash
# Shows on a real API server what `kubectl apply -k manifests/` installs: that it is accepted, that its pods
# are admitted under the strictest pod security standard, and what the roles allow and do not allow.
# usage: run.sh
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cluster=$root/test/cluster/cluster.sh
deadline_s=30

passed=0 failed=0
tmp=$(mktemp -d "${TMPDIR:-/tmp}/manifests.XXXXXX")
trap '"$cluster" stop "$tmp/cluster"; rm -rf "$tmp"' EXIT

kubectl() { "$KUBE_BIN/kubectl" "$@"; }

# usage: check TEXT COMMAND...
check() {
	local text=$1
	shift
	if "$@" >"$tmp/out" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "failed: $text"
		sed 's/^/  /' "$tmp/out"
	fi
}

# usage: within_deadline COMMAND...
within_deadline() {
	local deadline=$((SECONDS + deadline_s))
	until "$@"; do
		[ $SECONDS -lt $deadline ] || return 1
		sleep 0.2
	done
}

restrict_namespace() {
	kubectl create namespace flux-system --dry-run=client -o json |
		jq '.metadata.labels["pod-security.kubernetes.io/enforce"] = "restricted"' | kubectl create -f -
}

apply() { kubectl apply -k "$root/manifests"; }

nothing_changes() { ! apply | grep -v ' unchanged$'; }

has_pod() { [ -n "$(kubectl get pods -n flux-system -l "app=$1" -o name)" ]; }

# usage: may USER yes|no VERB RESOURCE [ARGUMENT...]
may() {
	local user=$1 want=$2 answer
	shift 2
	answer=$(kubectl auth can-i --as "$user" "$@" 2>/dev/null || true)
	[ "$answer" = "$want" ] || { echo "$answer" && return 1; }
}

# Lines of: user, yes or no, verb, resource, arguments.
check_rights() {
	local user want rest
	while read -r user want rest; do
		[ -n "$user" ] || continue
		# shellcheck disable=SC2086
		check "$user: $rest: $want" within_deadline may "$user" "$want" $rest
	done <<-RIGHTS
		$source yes list gitrepositories.source.toolkit.fluxcd.io --all-namespaces
		$source yes watch gitrepositories.source.toolkit.fluxcd.io --all-namespaces
		$source yes patch gitrepositories.source.toolkit.fluxcd.io -n default
		$source yes patch gitrepositories.source.toolkit.fluxcd.io --subresource=status -n default
		$source yes get secrets -n default
		$source yes create events -n default
		$source yes patch events -n default
		$source yes create leases.coordination.k8s.io -n flux-system
		$source yes update leases.coordination.k8s.io -n flux-system
		$source yes create serviceaccounts --subresource=token -n default
		$source no create secrets -n default
		$source no delete secrets -n default
		$source no create deployments.apps -n default
		$source no list pods --all-namespaces
		$source no create clusterrolebindings.rbac.authorization.k8s.io
		$source no impersonate serviceaccounts -n default
		$kustomize yes list kustomizations.kustomize.toolkit.fluxcd.io --all-namespaces
		$kustomize yes patch kustomizations.kustomize.toolkit.fluxcd.io --subresource=status -n default
		$kustomize yes watch gitrepositories.source.toolkit.fluxcd.io --all-namespaces
		$kustomize yes create clusterrolebindings.rbac.authorization.k8s.io
		$kustomize yes impersonate serviceaccounts -n default
		viewer yes list gitrepositories.source.toolkit.fluxcd.io -n default
		viewer yes get kustomizations.kustomize.toolkit.fluxcd.io -n default
		viewer no create kustomizations.kustomize.toolkit.fluxcd.io -n default
		viewer no get secrets -n default
		editor yes create kustomizations.kustomize.toolkit.fluxcd.io -n default
		editor yes patch gitrepositories.source.toolkit.fluxcd.io -n default
		editor yes deletecollection gitrepositories.source.toolkit.fluxcd.io -n default
		admin yes delete kustomizations.kustomize.toolkit.fluxcd.io -n default
	RIGHTS
}

# What overlays patch by index stands where they expect it, and there is something to append to.
# usage: overlay_fits
overlay_fits() {
	mkdir -p "$tmp/overlay"
	cat >"$tmp/overlay/kustomization.yaml" <<-OVERLAY
		apiVersion: kustomize.config.k8s.io/v1beta1
		kind: Kustomization
		resources: [../manifests]
		patches:
		- target: {kind: Deployment, name: source-controller}
		  patch: |
		    - {op: test, path: /spec/template/spec/containers/0/name, value: manager}
		    - {op: test, path: /spec/template/spec/containers/0/args/0, value: --events-addr=}
		    - {op: test, path: /spec/template/spec/containers/0/args/5, value: --storage-path=/data}
		    - op: replace
		      path: /spec/template/spec/containers/0/args/6
		      value: --storage-adv-addr=source-controller-shard1.\$(RUNTIME_NAMESPACE).svc.cluster.local.
		    - {op: test, path: /spec/template/spec/volumes/0/name, value: data}
		- target: {kind: Deployment}
		  patch: |
		    - {op: add, path: /spec/template/spec/containers/0/args/-, value: --concurrent=20}
		    - {op: add, path: /spec/template/spec/containers/0/env/-, value: {name: HTTPS_PROXY, value: "http://proxy:3128"}}
		- target: {kind: ClusterRole, name: crd-controller}
		  patch: |
		    - {op: test, path: /rules/0/apiGroups/0, value: source.toolkit.fluxcd.io}
		    - {op: test, path: /rules/11/resources/0, value: serviceaccounts/token}
		    - {op: remove, path: /rules/11}
	OVERLAY
	kubectl kustomize "$tmp/overlay" >"$tmp/overlay.yaml" &&
		kubectl apply --dry-run=server -f "$tmp/overlay.yaml" &&
		[ "$(grep -c -e '- --concurrent=20' "$tmp/overlay.yaml")" -eq 2 ]
}

# An overlay with some of our components. usage: apply_with NAME COMPONENT...
apply_with() {
	local dir=$tmp/$1
	shift
	mkdir -p "$dir"
	{
		printf '%s\n' 'apiVersion: kustomize.config.k8s.io/v1beta1' 'kind: Kustomization' \
			'resources: [../manifests]' 'components:'
		printf -- '- ../manifests/components/%s\n' "$@"
	} >"$dir/kustomization.yaml"
	kubectl apply -k "$dir"
}

# usage: has_argument DEPLOYMENT ARGUMENT
has_argument() {
	kubectl get deployment -n flux-system "$1" -o json |
		jq -e --arg want "$2" '.spec.template.spec.containers[0].args | index($want) != null'
}

check_components() {
	cp -r "$root/manifests" "$tmp/manifests"
	check 'overlays that patch by index' overlay_fits
	check 'component tenancy' apply_with tenants tenancy
	check 'tenancy: own rights only' has_argument kustomize-controller --default-service-account=default
	check 'component sharded' apply_with main sharded
	check 'component shard' apply_with shard1 shard
	for name in source-controller kustomize-controller; do
		check "sharded: $name keeps to its own" has_argument $name '--watch-label-selector=!sharding.fluxcd.io/key'
		check "shard: a restricted pod of $name" within_deadline has_pod $name-shard1
	done
	check 'shard: artifacts have its own address' has_argument source-controller-shard1 \
		'--storage-adv-addr=source-controller-shard1.$(RUNTIME_NAMESPACE).svc.cluster.local.'
}

rc=0
"$cluster" start "$tmp/cluster" --owner $$ || rc=$?
# There is nothing to build an API server with; cluster.sh has told the ways out.
[ $rc -ne 3 ] || { echo '0 passed, 0 failed, 1 skipped' && exit 0; }
[ $rc -eq 0 ] || exit $rc
. "$tmp/cluster/env"
source=system:serviceaccount:flux-system:source-controller
kustomize=system:serviceaccount:flux-system:kustomize-controller

check 'a namespace that admits only restricted pods' restrict_namespace
check 'everything is accepted' apply
check 'applied again, nothing changes' nothing_changes
for name in source-controller kustomize-controller; do
	check "a restricted pod of $name" within_deadline has_pod $name
done
for pair in viewer:view editor:edit admin:admin; do
	kubectl create rolebinding "${pair%:*}" -n default --user "${pair%:*}" --clusterrole "${pair#*:}" >/dev/null
done
check_rights
check_components
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
