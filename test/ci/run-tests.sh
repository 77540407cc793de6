#!/usr/bin/env bash
# Runs Check programs one after another and prints the totals as `N passed, N failed[, N skipped]`.
# A program that exits with 77 was skipped. usage: run-tests.sh PROGRAM...
set -uo pipefail
passed=0 failed=0 skipped=0 broken=()
for t in "$@"; do
	out=$(CK_VERBOSITY=normal "$t" 2>&1); rc=$?
	if [ "$rc" -eq 77 ]; then
		skipped=$((skipped + 1))
		printf '%s\n' "--- skipped: $t" "$out"
		continue
	fi
	# Check prints "100%: Checks: 12, Failures: 0, Errors: 0" once for each program.
	line=$(grep -E '^[0-9]+%: Checks: [0-9]+' <<<"$out" | tail -n 1)
	if [[ $line =~ Checks:\ ([0-9]+),\ Failures:\ ([0-9]+),\ Errors:\ ([0-9]+) ]]; then
		bad=$((BASH_REMATCH[2] + BASH_REMATCH[3]))
		passed=$((passed + BASH_REMATCH[1] - bad))
		failed=$((failed + bad))
		# A leak is found after Check has counted.
		[ "$rc" -eq 0 ] || [ "$bad" -gt 0 ] || failed=$((failed + 1))
	else
		failed=$((failed + 1)); rc=1
	fi
	if [ "$rc" -ne 0 ]; then
		broken+=("$t")
		printf '%s\n' "--- $t (exit $rc)" "$out"
	fi
done
[ ${#broken[@]} -eq 0 ] || printf 'failed: %s\n' "${broken[@]}"
if [ "$skipped" -gt 0 ]; then
	echo "$passed passed, $failed failed, $skipped skipped"
else
	echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
