# Finds or installs a Go that can build the modules of this folder. Sourced, not run.
# shellcheck shell=bash

backports_list=/etc/apt/sources.list.d/flux-in-c-backports.list

# Debian names its compilers golang-1.26-go and puts them into /usr/lib/go-1.26/bin.
go_candidates() {
	{ type -P go || true; } 2>/dev/null
	ls -d /usr/local/go/bin/go /usr/lib/go-*/bin/go 2>/dev/null | sort -rV
}

# A Go from 1.21 on may switch to a newer toolchain by itself when it reads go.mod
# (GOTOOLCHAIN), so it is asked in the module's folder.
go_new_enough() {
	local have
	have=$(cd "$here" && "$1" env GOVERSION 2>/dev/null) || return 1
	[[ $have == go* ]] && [ "$(printf '%s\n' "$go_needed" "${have#go}" | sort -V | head -n 1)" = "$go_needed" ]
}

go_find() {
	local candidate
	while read -r candidate; do
		if go_new_enough "$candidate"; then
			GO=$candidate
			return 0
		fi
	done < <(go_candidates)
	return 1
}

# The newest golang-1.N-go that apt knows and that is new enough.
go_package() {
	local name version
	for name in $(apt-cache pkgnames golang-1. 2>/dev/null | grep -x 'golang-1\.[0-9]*-go' | sort -rV); do
		version=${name#golang-}
		version=${version%-go}
		[ "$(printf '%s\n' "${go_needed%.*}" "$version" | sort -V | head -n 1)" = "${go_needed%.*}" ] || return 1
		if apt-get install -s -qq "$name" >/dev/null 2>&1; then
			echo "$name"
			return 0
		fi
	done
	return 1
}

# Backports are looked for at the mirror that the machine uses already.
go_add_backports() {
	local mirror codename
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
	[ -n "$codename" ] || return 1
	mirror=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 2>/dev/null |
		awk -v c="$codename" '$1 == "Debian" && $2 == c {print $3; exit}')
	[ -n "$mirror" ] || return 1
	echo "deb $mirror $codename-backports main" >"$backports_list"
	apt-get update -qq >/dev/null 2>&1 && return 0
	rm -f "$backports_list"
	return 1
}

# Looks at Debian's own packages, then at backports, whose list goes again if it was of no use.
go_install() {
	local package
	[ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || return 1
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq >/dev/null 2>&1 || true
	if ! package=$(go_package); then
		go_add_backports || return 1
		if ! package=$(go_package); then
			rm -f "$backports_list"
			return 1
		fi
	fi
	echo "test/cluster: installing $package" >&2
	apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1
}

# A machine that has no Go is not asked again for each test program.
go_install_tried() {
	local note=${XDG_CACHE_HOME:-$HOME/.cache}/flux-in-c/no-go
	[ -z "$(find "$note" -mmin -60 2>/dev/null)" ] || return 1
	go_install && return 0
	mkdir -p "${note%/*}" && touch "$note"
	return 1
}

# go_require HERE: sets GO, or returns 3 with a message that names the ways out.
# HERE is a folder with a go.mod; its "go" line says which version is needed.
go_require() {
	here=$1
	go_needed=$(awk '$1 == "go" {print $2; exit}' "$here/go.mod")
	go_find && return 0
	go_install_tried && go_find && return 0
	cat >&2 <<-MESSAGE
		test/cluster: no Go $go_needed or newer is installed, and Debian has none here.
		Either install one (any place, in PATH or /usr/local/go), or set KUBEBUILDER_ASSETS
		to a folder that holds kube-apiserver, etcd and kubectl.
	MESSAGE
	return 3
}
