#!/usr/bin/env bash
# Runs the engines on the conformance cases; the last line gives the totals as `N passed, N failed`.
# usage: run.sh BUILD
set -uo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
[[ $build = /* ]] || build=$PWD/$build
bin=$build/bin/kustomize-controller
shared=$top/../shared/conformance

# corpus NAME OPEN COMMAND...: runs one shared corpus. OPEN cases of it are known to fail while its engine is
# being built: more than that is a regression, and the number here goes down with the work.
corpus() {
	local name=$1 open=$2 out failed_here
	shift 2
	out=$(python3 "$shared/run.py" "$name" --failed --cmd "$*")
	[[ $(tail -n 1 <<<"$out") =~ pass\ +([0-9]+)\ +fail\ +([0-9]+) ]] || { printf '%s\n' "$out"; failed=$((failed + 1)); return; }
	passed=$((passed + BASH_REMATCH[1]))
	failed_here=${BASH_REMATCH[2]}
	echo "$name: ${BASH_REMATCH[1]} as the real tool, $failed_here not ($open known)"
	[ "$failed_here" -le "$open" ] && return
	grep '^FAIL' <<<"$out"
	failed=$((failed + failed_here - open))
}

passed=0 failed=0
if [ -f "$shared/run.py" ]; then
	corpus kustomize 0 "$bin build {dir} {args}"
	for kind in envsubst sourceignore semver; do
		corpus "$kind" 0 "$build/bin/conformance-eval $kind"
	done
	corpus strvals 0 "$build/bin/conformance-eval strvals"
	corpus expr 0 "$build/bin/conformance-eval expr"
	corpus helm-charts 0 "$build/bin/helm-controller template {args}"
fi

for dir in "$top"/test/conformance/kustomize/*/; do
	target=in args=()
	[ -f "$dir/cmd" ] && target=$(<"$dir/cmd")
	[ -f "$dir/args" ] && read -ra args <"$dir/args"
	got=$(cd "$dir" && "$bin" build "$target" "${args[@]}" 2>&1; echo "rc $?")
	if [ -f "$dir/out.yaml" ]; then
		ok=false
		(cd "$dir" && "$bin" build "$target" "${args[@]}" 2>/dev/null | cmp -s - out.yaml) && [[ $got == *"rc 0" ]] && ok=true
	else
		ok=false
		[[ $got == *"rc 1" && ${#got} -gt 5 ]] && ok=true
	fi
	if $ok; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $(basename "$dir")"
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
