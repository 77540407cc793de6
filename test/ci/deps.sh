#!/usr/bin/env bash
# Installs the Debian packages that are missing; says nothing and does nothing when all are there.
set -euo pipefail

packages=(
	build-essential pkg-config git ca-certificates curl jq openssl procps python3
	libgit2-dev libcurl4-openssl-dev libuv1-dev libjansson-dev libyaml-dev
	libarchive-dev libmicrohttpd-dev libpcre2-dev libssl-dev zlib1g-dev check
	clang clang-format clang-tidy cppcheck apache2 apache2-utils
)
# The sanitizer runtimes belong to the clang version of the release.
missing=()
for p in "${packages[@]}"; do
	dpkg-query -W -f='${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || { echo "make deps: missing packages: ${missing[*]}; run as root or install sudo" >&2; exit 1; }
	sudo=sudo
fi
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
