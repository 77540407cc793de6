#!/usr/bin/env bash
# All tests, stage by stage; the last line gives the totals as `N passed, N failed, N skipped`.
# usage: test.sh BUILD   (called by `make test`)
set -uo pipefail
build=$1
make=${MAKE:-make}
jobs=-j$(nproc)
passed=0 failed=0 skipped=0

# stage NAME COMMAND...: runs it, shows what it prints, adds its totals to ours. A stage that
# ends badly without a failed test (a build error, a crash) counts as one failure.
stage() {
	local name=$1 start=$SECONDS out rc line bad=0
	shift
	echo "== $name"
	out=$(mktemp)
	"$@" 2>&1 | tee "$out"
	rc=${PIPESTATUS[0]}
	while read -r line; do
		[[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]] || continue
		passed=$((passed + BASH_REMATCH[1]))
		failed=$((failed + BASH_REMATCH[2]))
		bad=$((bad + BASH_REMATCH[2]))
		skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
	done <"$out"
	if [ "$rc" -ne 0 ] && [ "$bad" -eq 0 ]; then
		failed=$((failed + 1))
		echo "== $name ended with exit code $rc"
	fi
	rm -f "$out"
	echo "== $name: $((SECONDS - start)) s"
}

# Sanitized builds have their own folders, so that the optimised one is what is measured and shown.
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=halt_on_error=1:exitcode=98

stage "build" "$make" "$jobs" BUILD="$build" all
stage "unit tests, address and undefined-behaviour sanitizers" "$make" "$jobs" BUILD="$build/asan" SAN=-fsanitize=address,undefined OPT="-O1 -g" test-unit
stage "unit tests, thread sanitizer" "$make" "$jobs" BUILD="$build/tsan" SAN=-fsanitize=thread OPT="-O1 -g" test-unit-threads
stage "conformance" "$make" "$jobs" BUILD="$build" conformance
stage "integration, embedded API server, address sanitizer" "$make" "$jobs" BUILD="$build/asan" SAN=-fsanitize=address,undefined OPT="-O1 -g" test-integration
stage "integration, embedded API server, thread sanitizer" "$make" "$jobs" BUILD="$build/tsan" SAN=-fsanitize=thread OPT="-O1 -g" test-integration
# The flux command for the tests with it: they are skipped, and say so, where it cannot be built.
test/cluster/tools.sh flux >/dev/null || true
stage "integration, real API server" "$make" "$jobs" BUILD="$build" test-cluster
stage "manifests, real API server" "$make" "$jobs" BUILD="$build" test-manifests
stage "format and cppcheck" test/ci/lint.sh --quick
stage "features" "$make" features

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
