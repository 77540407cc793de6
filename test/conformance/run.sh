#!/usr/bin/env bash
# Runs kustomize-controller's build on the conformance cases; the last line gives the totals as `N passed, N failed`.
# usage: run.sh BUILD
set -uo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
[[ $build = /* ]] || build=$PWD/$build
bin=$build/bin/kustomize-controller
shared=$top/../shared/conformance

if [ -f "$shared/run.py" ]; then
	out=$(python3 "$shared/run.py" kustomize --failed --cmd "$bin build {dir} {args}")
	grep '^FAIL' <<<"$out"
	[[ $(tail -n 1 <<<"$out") =~ pass\ +([0-9]+)\ +fail\ +([0-9]+) ]] || { printf '%s\n' "$out"; exit 1; }
	echo "kustomize: ${BASH_REMATCH[1]} passed, ${BASH_REMATCH[2]} failed of the shared corpus"
	echo "${BASH_REMATCH[1]} passed, ${BASH_REMATCH[2]} failed"
	[ "${BASH_REMATCH[2]}" -eq 0 ]
	exit
fi

passed=0 failed=0
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
