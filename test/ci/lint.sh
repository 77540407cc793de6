#!/usr/bin/env bash
# clang-tidy over the sources and cppcheck over the tree; fails on any finding.
set -uo pipefail
cd "$(dirname "$0")/../.."
rc=0
flags=(-std=gnu11 -D_GNU_SOURCE '-DFX_VERSION="0"' -I. -Ilibflux)
mapfile -t sources < <(git ls-files 'libflux/*.c' 'source-controller/*.c' 'kustomize-controller/*.c' 'helm-controller/*.c')
printf '%s\0' "${sources[@]}" | xargs -0 -P "$(nproc)" -n 8 sh -c 'clang-tidy --quiet "$@" -- '"$(printf "'%s' " "${flags[@]}")"'2>/dev/null' _ || rc=1
# Leaks are the address sanitizer's business: cppcheck does not know the cleanup attribute.
cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability --inline-suppr --suppress=missingIncludeSystem \
	--suppress=unknownMacro --suppress=memleak --suppress=memleakOnRealloc --suppress=varFuncNullUB --suppress=uninitvar \
	-D_GNU_SOURCE -D__cppcheck__ -I. -Ilibflux "${sources[@]}" || rc=1
exit $rc
