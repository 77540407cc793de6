#!/usr/bin/env bash
# Whether the sources are formatted, cppcheck, and clang-tidy; fails on any finding.
# usage: lint.sh [--quick]   (without clang-tidy, which takes ten minutes)
set -uo pipefail
cd "$(dirname "$0")/../.."
rc=0
flags=(-std=gnu11 -D_GNU_SOURCE '-DFX_VERSION="0"' -I. -Ilibflux)
mapfile -t sources < <(git ls-files 'libflux/*.c' 'source-controller/*.c' 'kustomize-controller/*.c' 'helm-controller/*.c')
# Versions differ in what they make of the same style: this one has the last word.
if clang-format --version | grep -q ' version 14\.'; then
	git ls-files -z '*.c' '*.h' | xargs -0 clang-format --dry-run -Werror || rc=1
else
	echo "lint: clang-format is not version 14, the format is not checked" >&2
fi
# Leaks of memory and files are the address sanitizer's and the tests' business: cppcheck does not know the
# cleanup attribute.
cppcheck -j "$(nproc)" --quiet --error-exitcode=1 --std=c11 --enable=warning,portability --inline-suppr \
	--library=test/ci/cppcheck.cfg --suppress=missingIncludeSystem --suppress=unknownMacro --suppress=memleak \
	--suppress=memleakOnRealloc --suppress=resourceLeak --suppress=varFuncNullUB --suppress=uninitvar \
	-D_GNU_SOURCE -D__cppcheck__ -I. -Ilibflux "${sources[@]}" || rc=1
[ "${1-}" = --quick ] && exit $rc
printf '%s\0' "${sources[@]}" | xargs -0 -P "$(nproc)" -n 8 sh -c 'clang-tidy --quiet "$@" -- '"$(printf "'%s' " "${flags[@]}")"'2>/dev/null' _ || rc=1
exit $rc
