#!/usr/bin/env bash
# Builds the programs of a real Kubernetes control plane into a cache outside the tree.
# usage: build.sh [--pods]
# Prints the folder that holds them as its only line on standard output. Builds what is
# missing: kube-apiserver, etcd, kube-controller-manager, kubectl; with --pods also
# kube-scheduler and kwok. What KUBEBUILDER_ASSETS holds is taken from there.
# Exit status 3: there is no Go to build with.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/go.sh"

pods=0
for arg in "$@"; do
	case $arg in
	--pods) pods=1 ;;
	*) echo "usage: build.sh [--pods]" >&2 && exit 2 ;;
	esac
done

version=$(awk '$1 == "k8s.io/kubernetes" {print $2; exit}' "$here/go.mod")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/flux-in-c
root=$cache/kube-$version
if [ -n "${KUBEBUILDER_ASSETS-}" ]; then
	[ -x "$KUBEBUILDER_ASSETS/kube-apiserver" ] || {
		echo "test/cluster: KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS holds no kube-apiserver" >&2
		exit 1
	}
	root=$cache/assets-$(printf %s "$KUBEBUILDER_ASSETS" | sha256sum | cut -c 1-12)
fi
bin=$root/bin
mkdir -p "$bin"

# Tests that start at the same time build once.
exec 9>"$root/lock"
flock 9

# The go.mod and go.sum that a program was built from; it is built anew when they change.
stamp_of() { cat "$1/go.mod" "$1/go.sum" | sha256sum | cut -c 1-16; }

# build NAME MODULE PACKAGE
build() {
	local name=$1 module=$2 package=$3 stamp flags started=$SECONDS
	if [ -n "${KUBEBUILDER_ASSETS-}" ] && [ -x "$KUBEBUILDER_ASSETS/$name" ]; then
		ln -sfn "$KUBEBUILDER_ASSETS/$name" "$bin/$name"
		return 0
	fi
	stamp=$(stamp_of "$module")
	[ -x "$bin/$name" ] && [ "$(cat "$bin/.$name.stamp" 2>/dev/null)" = "$stamp" ] && return 0
	[ -n "${GO-}" ] || go_require "$here" || return
	echo "test/cluster: building $name (once)" >&2
	flags="-s -w -X k8s.io/component-base/version.gitVersion=$version"
	flags+=" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$(cut -d . -f 2 <<<"$version")"
	(
		cd "$module"
		CGO_ENABLED=0 GOFLAGS='' GOWORK=off "$GO" build -mod=readonly -buildvcs=false -trimpath \
			-ldflags "$flags" -o "$bin/.$name.new" "$package"
	) >&2 || return 1
	mv "$bin/.$name.new" "$bin/$name"
	echo "$stamp" >"$bin/.$name.stamp"
	echo "test/cluster: built $name in $((SECONDS - started)) s" >&2
}

# kwok plays a node's kubelet by stages, which come as files of its module.
stages() {
	local from file
	[ -s "$root/kwok-stages.yaml" ] && [ "$root/kwok-stages.yaml" -nt "$bin/kwok" ] && return 0
	[ -n "${GO-}" ] || go_require "$here" || return
	from=$(cd "$here/kwok" && GOFLAGS=-mod=readonly GOWORK=off "$GO" list -m -f '{{.Dir}}' sigs.k8s.io/kwok)/kustomize/stage
	for file in "$from"/node/fast/node-*.yaml "$from"/node/heartbeat-with-lease/node-*.yaml "$from"/pod/fast/pod-*.yaml; do
		echo '---'
		cat "$file"
	done >"$root/.kwok-stages.new"
	mv "$root/.kwok-stages.new" "$root/kwok-stages.yaml"
}

build kube-apiserver "$here" k8s.io/kubernetes/cmd/kube-apiserver
build etcd "$here" go.etcd.io/etcd/server/v3
build kubectl "$here" k8s.io/kubernetes/cmd/kubectl
if ! build kube-controller-manager "$here" k8s.io/kubernetes/cmd/kube-controller-manager; then
	[ -n "${KUBEBUILDER_ASSETS-}" ] && [ "$pods" -eq 0 ] || exit 3
	echo "test/cluster: going on without kube-controller-manager" >&2
fi
if [ "$pods" -eq 1 ]; then
	build kube-scheduler "$here" k8s.io/kubernetes/cmd/kube-scheduler
	build kwok "$here/kwok" sigs.k8s.io/kwok/cmd/kwok
	stages
fi
echo "$bin"
