#!/usr/bin/env bash
# Shows on a real API server what the kinds of manifests/crds accept, refuse and make of objects.
#
# usage: run.sh
#
# examples/ holds objects as people write them, cases.jsonl what is done to them and what must come of it:
# patch (a merge patch before creation) or status (one of the status), then gives (what the answer holds,
# null for absent) or refused (text of the error). kinds.jsonl holds names, categories and columns.
#
# With FLUX_CRDS=DIR, a folder with the CRDs of Flux itself, the same is asked of those: both must answer
# alike, and objects stored under either set must go on under the other.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cluster=$root/test/cluster/cluster.sh
switch_deadline_s=60

passed=0 failed=0 skipped=0
tmp=$(mktemp -d "${TMPDIR:-/tmp}/crds.XXXXXX")
trap '"$cluster" stop "$tmp/cluster"; rm -rf "$tmp"' EXIT

note() { # ok|problem TEXT
	if [ "$1" = ok ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "failed: $2"
	fi
}

kubectl() { "$KUBE_BIN/kubectl" "$@"; }

create_examples() {
	kubectl create -f "$here/examples" >/dev/null
	jq -r '[.of, .name] | @tsv' "$here/kinds.jsonl" | while read -r name plural; do
		kubectl patch "$plural" "$name" --subresource=status --type=merge -p '{"status": {"conditions": [{
			"type": "Ready", "status": "True", "reason": "Succeeded", "message": "all is well",
			"lastTransitionTime": "2026-01-02T03:04:05Z"}]}}' >/dev/null
	done
}

kinds() { jq -r '.name' "$here/kinds.jsonl" | paste -sd,; }

stored() {
	kubectl get "$(kinds)" -o json |
		jq -S '.items | map(del(.metadata.managedFields, .metadata.resourceVersion)) | sort_by(.kind, .metadata.name)'
}

prepare_requests() {
	kubectl create --dry-run=client -o json -f "$here/examples" | jq -c -s -f "$here/requests.jq" \
		--slurpfile cases "$here/cases.jsonl" --slurpfile kinds "$here/kinds.jsonl" >"$tmp/requests"
}

# Asks everything over one connection, and notes what is not as expected. usage: ask NAME
ask() {
	local dir=$tmp/$1 case problem
	mkdir "$dir"
	jq -r --arg dir "$dir" --arg api "$API_URL" --arg ca "$API_CA" --arg token "$ADMIN_TOKEN" -s '
		to_entries[] | ($dir + "/" + ("0000\(.key)" | .[-5:])) as $file | .value
		| "url = \($api + .path | tojson)", "request = \(.method)", "cacert = \($ca | tojson)",
		  "header = \("Authorization: Bearer " + $token | tojson)", "header = \("Content-Type: " + .type | tojson)",
		  "header = \("Accept: " + (.accept // "application/json") | tojson)",
		  (if .body then "data-binary = \(.body | tojson | tojson)" else empty end),
		  "output = \($file | tojson)", "write-out = \"%{http_code}\\n\"", "silent", "next"' \
		"$tmp/requests" | sed '$d' | (umask 077 && cat >"$dir/curl")
	curl -K "$dir/curl" >"$dir/codes"
	cat "$dir"/[0-9]* | jq -c -s -f "$here/judge.jq" \
		--slurpfile requests "$tmp/requests" --slurpfile codes "$dir/codes" >"$dir/answers"
	while IFS=$'\t' read -r case problem; do
		note "${problem:-ok}" "$1: $case: $problem"
	done < <(jq -r '[.case, .problem // "ok"] | @tsv' "$dir/answers")
}

# The API server has taken a schema in when it publishes that schema.
published() {
	local version
	for version in source.toolkit.fluxcd.io/v1 kustomize.toolkit.fluxcd.io/v1; do
		kubectl get --raw "/openapi/v3/apis/$version" | jq -r '.components.schemas[]
			| select(.["x-kubernetes-group-version-kind"]) | select(.properties.spec) | .description'
	done | sort
}

# Puts the CRDs of DIR in the place of those that are there. usage: switch_to DIR
switch_to() {
	local file want deadline=$((SECONDS + switch_deadline_s))
	for file in "$root"/manifests/crds/*_*.yaml; do
		kubectl replace -f "$1/${file##*/}" >/dev/null
	done
	want=$(kubectl get crds -o json | jq -r '.items[].spec.versions[0].schema.openAPIV3Schema.description' | sort)
	until [ "$(published)" = "$want" ]; do
		[ $SECONDS -lt $deadline ] || { echo "run.sh: $1 is not in effect after $switch_deadline_s s" >&2 && exit 1; }
		sleep 0.1
	done
}

# Objects of one set are read the same under the other, and can be written again. usage: carries_over DIR TEXT
carries_over() {
	local before
	before=$(stored)
	switch_to "$1"
	if diff <(echo "$before") <(stored) >"$tmp/diff"; then note ok ''; else note problem "$2: $(cat "$tmp/diff")"; fi
	if kubectl get "$(kinds)" -o json | kubectl replace --dry-run=server -f - >/dev/null 2>"$tmp/error"; then
		note ok ''
	else
		note problem "$2: $(cat "$tmp/error")"
	fi
}

compare_answers() {
	local case
	while IFS= read -r case; do
		note problem "both sets differ: $case"
	done < <(diff <(jq -S . "$tmp/ours/answers") <(jq -S . "$tmp/flux/answers"))
	cmp -s "$tmp/ours/answers" "$tmp/flux/answers" && note ok ''
}

compare_with_flux() {
	carries_over "$FLUX_CRDS" 'from ours to those of Flux'
	ask flux
	compare_answers
	kubectl delete -f "$here/examples" >/dev/null
	create_examples
	carries_over "$root/manifests/crds" 'from those of Flux to ours'
}

rc=0
"$cluster" start "$tmp/cluster" --owner $$ || rc=$?
# There is nothing to build an API server with; cluster.sh has told the ways out.
[ $rc -ne 3 ] || { echo '0 passed, 0 failed, 1 skipped' && exit 0; }
[ $rc -eq 0 ] || exit $rc
. "$tmp/cluster/env"
kubectl apply --server-side -k "$root/manifests/crds" -o name | xargs "$KUBE_BIN/kubectl" wait --for=condition=Established --timeout=60s >/dev/null
prepare_requests
create_examples
ask ours
if [ -n "${FLUX_CRDS-}" ]; then
	compare_with_flux
else
	skipped=1
	echo 'skipped: the same with the CRDs of Flux (FLUX_CRDS is not set)'
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
