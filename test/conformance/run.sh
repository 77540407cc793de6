#!/usr/bin/env bash
# Runs the engines on the conformance cases; the last line gives the totals as `N passed, N failed`.
# usage: run.sh BUILD
set -uo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
[[ $build = /* ]] || build=$PWD/$build
bin=$build/bin/kustomize-controller
shared=$top/../shared/conformance

# corpus NAME COMMAND...: runs one shared corpus.
corpus() {
	local name=$1 out
	shift
	out=$(python3 "$shared/run.py" "$name" --failed --cmd "$*")
	[[ $(tail -n 1 <<<"$out") =~ pass\ +([0-9]+)\ +fail\ +([0-9]+) ]] || { printf '%s\n' "$out"; failed=$((failed + 1)); return; }
	passed=$((passed + BASH_REMATCH[1]))
	failed=$((failed + BASH_REMATCH[2]))
	echo "$name: ${BASH_REMATCH[1]} as the real tool, ${BASH_REMATCH[2]} not"
	grep '^FAIL' <<<"$out" || true
}

passed=0 failed=0
if [ -f "$shared/run.py" ]; then
	corpus kustomize "$bin build {dir} {args}"
	for kind in envsubst sourceignore semver; do
		corpus "$kind" "$build/bin/conformance-eval $kind"
	done
	corpus strvals "$build/bin/conformance-eval strvals"
	corpus expr "$build/bin/conformance-eval expr"
	corpus helm-charts "$build/bin/helm-controller template {args}"
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

# What each row of the engine's reference does.
out=$("$top/test/conformance/builds.py" "$build")
[[ $(tail -n 1 <<<"$out") =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed ]] || { printf '%s\n' "$out"; failed=$((failed + 1)); }
passed=$((passed + ${BASH_REMATCH[1]:-0})) failed=$((failed + ${BASH_REMATCH[2]:-0}))
[ "${BASH_REMATCH[2]:-0}" -eq 0 ] || printf '%s\n' "$out"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
