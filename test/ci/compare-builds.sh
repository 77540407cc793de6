#!/usr/bin/env bash
# Builds every kustomization below a folder with the real kustomize and with ours, and shows where they differ.
# The real one is $KUSTOMIZE, else `kustomize` in PATH, else it is built from its Go module into BUILD/tools.
# usage: compare-builds.sh BUILD TREES
set -uo pipefail
build=$(cd "$1" && pwd) trees=$2
ours=$build/bin/kustomize-controller
real=${KUSTOMIZE:-$(command -v kustomize || true)}
if [ -z "$real" ]; then
	real=$build/tools/kustomize
	[ -x "$real" ] || GOBIN=$build/tools go install sigs.k8s.io/kustomize/kustomize/v5@v5.8.1 || exit 1
fi
want=$(mktemp) got=$(mktemp) real_err=$(mktemp) our_err=$(mktemp)
trap 'rm -f "$want" "$got" "$real_err" "$our_err"' EXIT
passed=0 failed=0 refused=0
while IFS= read -r file; do
	dir=$(dirname "$file")
	"$real" build "$dir" >"$want" 2>"$real_err"; real_rc=$?
	"$ours" build "$dir" >"$got" 2>"$our_err"; our_rc=$?
	# What fails must fail in both; texts of errors are for people to compare.
	if { [ $real_rc -eq 0 ] && [ $our_rc -eq 0 ] && cmp -s "$want" "$got"; } || { [ $real_rc -ne 0 ] && [ $our_rc -ne 0 ]; }; then
		passed=$((passed + 1))
		[ $real_rc -eq 0 ] || refused=$((refused + 1))
		continue
	fi
	failed=$((failed + 1))
	echo "DIFFERS $dir (exit $real_rc and $our_rc)"
	diff -u --label kustomize --label ours "$want" "$got" | head -n 20
	[ $our_rc -eq 0 ] || head -c 500 "$our_err"
	[ $real_rc -eq 0 ] || head -c 500 "$real_err"
done < <(find "$trees" \( -name kustomization.yaml -o -name kustomization.yml -o -name Kustomization \) -type f | sort)
echo "$((passed - refused)) built the same by both, $refused refused by both (mostly remote bases and charts)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
