#!/usr/bin/env bash
# Builds programs that tests and the benchmark compare with, from their published Go modules,
# into the cache that build.sh uses.
# usage: tools.sh [NAME...]
# NAME: kustomize, helm, flux, source-controller, kustomize-controller.
# Prints the folder that holds them as its only line on standard output; the controllers' CRDs
# are in ../crds beside it. The name crds fetches those alone, without building anything.
# Exit status 3: there is no Go to build with.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/go.sh"

# name, module, version, package below the module, variable that is set to the version (linker -X)
programs="
kustomize            sigs.k8s.io/kustomize/kustomize/v5          v5.8.1 .          sigs.k8s.io/kustomize/api/provenance.version=v5.8.1
helm                 helm.sh/helm/v4                             v4.2.4 cmd/helm   helm.sh/helm/v4/internal/version.version=v4.2.4
flux                 github.com/fluxcd/flux2/v2                  v2.9.5 cmd/flux   main.VERSION=2.9.5
source-controller    github.com/fluxcd/source-controller         v1.9.5 .          -
kustomize-controller github.com/fluxcd/kustomize-controller      v1.9.5 .          -
"

root=${XDG_CACHE_HOME:-$HOME/.cache}/flux-in-c/tools
bin=$root/bin
mkdir -p "$bin"
exec 9>"$root/lock"
flock 9

# Prints the folder of a downloaded module.
module_dir() {
	(cd "$root" && GOFLAGS='' GOWORK=off "$GO" mod download -json "$1@$2" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
}

# What a release process adds to the tree and the module lacks: the folder of the API
# module, which is published separately, and the files that flux embeds.
complete() {
	local module=$1 version=$2 copy=$3
	if grep -q "^replace $module/api => ./api" "$copy/go.mod" && [ ! -d "$copy/api" ]; then
		cp -r "$(module_dir "$module/api" "$version")" "$copy/api"
	fi
	# The version that source-controller asks for is not to be had at every module proxy.
	if grep -q 'github.com/fluxcd/pkg/artifact v0.18' "$copy/go.mod"; then
		(cd "$copy" && "$GO" mod edit -replace github.com/fluxcd/pkg/artifact=github.com/fluxcd/pkg/artifact@v0.18.0)
	fi
	if [ -d "$copy/cmd/flux" ]; then
		mkdir -p "$copy/cmd/flux/manifests"
		touch "$copy/cmd/flux/manifests/none.yaml"
	fi
}

# build NAME MODULE VERSION PACKAGE VARIABLE. Modules with replacements cannot be built by
# name and version, so a writable copy is.
build() {
	local name=$1 module=$2 version=$3 package=$4 variable=${5#-} copy from started=$SECONDS
	[ -x "$bin/$name" ] && [ "$(cat "$bin/.$name.version" 2>/dev/null)" = "$version" ] && return 0
	[ -n "${GO-}" ] || go_require "$here" || return
	echo "test/cluster: building $name $version (once)" >&2
	copy=$root/src/$name
	chmod -R u+w "$copy" 2>/dev/null || true
	rm -rf "$copy"
	mkdir -p "$root/src"
	from=$(module_dir "$module" "$version")
	[ -d "$from" ] || return 1
	cp -r "$from" "$copy"
	chmod -R u+w "$copy"
	complete "$module" "$version" "$copy"
	chmod -R u+w "$copy"
	(
		cd "$copy"
		CGO_ENABLED=0 GOFLAGS='' GOWORK=off "$GO" build -mod=mod -buildvcs=false -trimpath \
			-ldflags "-s -w ${variable:+-X $variable}" -o "$bin/.$name.new" "./$package"
	) >&2 || return 1
	mkdir -p "$root/crds"
	cp "$copy"/config/crd/bases/*.yaml "$root/crds/" 2>/dev/null || true
	mv "$bin/.$name.new" "$bin/$name"
	echo "$version" >"$bin/.$name.version"
	chmod -R u+w "$copy" && rm -rf "$copy"
	echo "test/cluster: built $name in $((SECONDS - started)) s" >&2
}

# The definitions of the kinds that both have, out of the modules of Flux's controllers.
fetch_crds() {
	local name module version from rest
	while read -r name module version rest; do
		case $name in *-controller) ;; *) continue ;; esac
		[ "$(cat "$root/crds/.$name.version" 2>/dev/null)" = "$version" ] && continue
		[ -n "${GO-}" ] || go_require "$here" || return
		from=$(module_dir "$module" "$version")
		[ -d "$from/config/crd/bases" ] || return 1
		mkdir -p "$root/crds"
		cp "$from"/config/crd/bases/*.yaml "$root/crds/"
		chmod u+w "$root"/crds/*.yaml
		echo "$version" >"$root/crds/.$name.version"
	done <<<"$programs"
}

for wanted in "$@"; do
	[ "$wanted" != crds ] || { fetch_crds && continue; exit 1; }
	line=$(awk -v n="$wanted" '$1 == n' <<<"$programs")
	[ -n "$line" ] || { echo "tools.sh: unknown program $wanted" >&2 && exit 2; }
	read -r name module version package variable <<<"$line"
	build "$name" "$module" "$version" "$package" "$variable"
done
echo "$bin"
