#!/usr/bin/env bash
# Counts the rows of test/features.tsv by reference and state, and fails when a row claims what the
# tree does not show: a test it names must exist, and done or partial must name one.
# usage: features.sh [ROOT]
#
# Columns: id, state (done, partial, todo, later), test, what. The test column is "-" or one or more of
# PATH[:CASE] separated by "; "; CASE is text that stands in the file, such as the name of a test case.
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"
table=test/features.tsv

bad=0
complain() {
	echo "$table: $1" >&2
	bad=$((bad + 1))
}

# usage: check_test ID PATH[:CASE]
check_test() {
	local path=${2%%:*} case=
	[ "$path" = "$2" ] || case=${2#*:}
	if [ ! -f "$path" ]; then
		complain "$1: no file $path"
	elif [ -n "$case" ] && ! grep -qF -- "$case" "$path"; then
		complain "$1: no '$case' in $path"
	fi
}

# The separator becomes one that read does not fold, so that an empty column stays a column.
while IFS=$'\x1f' read -r id state test what; do
	case $state in
	done | partial) [ -n "$test" ] && [ "$test" != - ] || complain "$id: $state without a test" ;;
	todo | later) ;;
	*) complain "$id: unknown state '$state'" ;;
	esac
	[ -n "$what" ] || complain "$id: four columns expected"
	[ "$test" = - ] && continue
	while IFS= read -r one; do
		[ -n "$one" ] && check_test "$id" "$one"
	done <<<"${test//; /$'\n'}"
done < <(tail -n +2 "$table" | tr '\t' '\037')

while IFS= read -r id; do
	complain "$id: more than one row"
done < <(tail -n +2 "$table" | cut -f1 | sort | uniq -d)

awk -F'\t' '
NR > 1 {
	ref = $1; sub(/-.*/, "", ref)
	if (!(ref in rows)) order[++refs] = ref
	rows[ref]++; count[ref, $2]++; rows["all"]++; count["all", $2]++
}
END {
	name["RT"] = "runtime"; name["SRC"] = "source-controller"; name["KC"] = "kustomize-controller"
	name["KUST"] = "kustomize engine"; name["HE"] = "helm engine"; name["HC"] = "helm-controller"; name["IB"] = "install and bootstrap"
	printf "%-22s %6s %6s %8s %6s %6s\n", "reference", "rows", "done", "partial", "todo", "later"
	order[++refs] = "all"
	for (i = 1; i <= refs; i++) {
		r = order[i]
		printf "%-22s %6d %6d %8d %6d %6d\n", (r in name) ? name[r] : r, rows[r],
			count[r, "done"], count[r, "partial"], count[r, "todo"], count[r, "later"]
	}
}' "$table"

if [ "$bad" -gt 0 ]; then
	echo "$table: $bad problems" >&2
	exit 1
fi
