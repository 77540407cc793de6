#!/usr/bin/env bash
# Runs the same kubectl commands against the embedded API server and a real one, and shows
# where their answers differ after what must differ (uids, times, versions, addresses) is made alike.
#
# usage: compare.sh [BUILD]      the real server is started by test/cluster/cluster.sh
#        KUBECONFIG_REAL=FILE compare.sh [BUILD]
#
# Exit status: 0 no difference, 1 some, 77 there is no real server to be had.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=${1:-build}
dir=$(mktemp -d)
embedded_pid=
trap '[ -z "$embedded_pid" ] || kill "$embedded_pid"; [ -n "${KUBECONFIG_REAL:-}" ] || test/cluster/cluster.sh stop "$dir/real" >/dev/null 2>&1; rm -rf "$dir"' EXIT

real=${KUBECONFIG_REAL:-}
if [ -z "$real" ]; then
	bin=$(test/cluster/build.sh) || exit 77
	test/cluster/cluster.sh start "$dir/real" >/dev/null || exit 77
	. "$dir/real/env"
	real=$KUBECONFIG
	PATH=$bin:$PATH
fi
"$build/bin/apiserver" --kubeconfig-out "$dir/embedded.kubeconfig" --port-file "$dir/port" &
embedded_pid=$!
until [ -e "$dir/port" ]; do kill -0 "$embedded_pid" || exit 1; read -rt 0.02 <> <(:) || :; done

# What differs on every run.
normalise() {
	sed -E \
		-e 's/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/UID/g' \
		-e 's/20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g' \
		-e 's/resourceVersion: "[0-9]+"/resourceVersion: RV/' \
		-e 's/"resourceVersion":"[0-9]+"/"resourceVersion":"RV"/g' \
		-e 's/10\.[0-9]+\.[0-9]+\.[0-9]+/IP/g' \
		-e 's/(Last|Age|LAST SEEN).*//' \
		-e 's/ [0-9]+m?s$/ AGE/' \
		-e 's/ [0-9]+s ( *)/ AGE \1/g' \
		-e 's/nodePort: [0-9]+/nodePort: N/' \
		-e 's/patch: Invalid value: ".*": /patch: Invalid value: PATCH: /' \
		-e 's/ReplicaSet "web-[0-9a-z]+"/ReplicaSet "web"/' \
		-e "s#$dir/[a-z]+#DIR#g" -e 's/ +/ /g'
}

run() {
	local name=$1 kubeconfig=$2 work=$dir/$1
	mkdir -p "$work/home"
	HOME=$work/home KUBECONFIG=$kubeconfig WORK=$work bash test/apiserver/compare-steps.sh 2>&1 | normalise >"$dir/$name.out"
}

run embedded "$dir/embedded.kubeconfig" & one=$!
run real "$real"
wait "$one"
diff -U4 --label real "$dir/real.out" --label embedded "$dir/embedded.out" && echo "no difference in $(grep -c '^## ' "$dir/real.out") steps"
