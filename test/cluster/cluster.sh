#!/usr/bin/env bash
# Starts and stops a real Kubernetes API server for one test, in one folder.
#
# usage: cluster.sh start DIR [--pods] [--audit] [--owner PID] [--token USER:TOKEN ...]
#        cluster.sh stop DIR
#        cluster.sh kubeconfig DIR NAMESPACE SERVICEACCOUNT
#        cluster.sh requests DIR
#        cluster.sh down DIR PROGRAM [SIGNAL]
#        cluster.sh up DIR PROGRAM
#
# README.md beside this file says what each of them does and what DIR holds.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/process.sh"

ready_deadline_s=60
port_attempts=8
# A Unix socket's path has 108 bytes at most, its name included.
dir_length_max=90
# Controllers ask for a token once and keep it; no test runs longer than this.
token_duration=24h

usage() {
	sed -n 's/^# usage: /usage: /p; s/^#        cluster.sh/       cluster.sh/p' "${BASH_SOURCE[0]}" >&2
	exit 2
}

die() {
	echo "cluster.sh: $*" >&2
	exit 1
}

random_hex() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# Ports below the range that the kernel gives to clients, so that none of their connections is in the way.
free_port() {
	local port
	while :; do
		port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
		grep -qi ":$(printf %04x $port) [0-9A-F]*:0000 0A" /proc/net/tcp /proc/net/tcp6 2>/dev/null || break
	done
	echo $port
}

# write_kubeconfig FILE NAMESPACE TOKEN
write_kubeconfig() {
	(
		umask 077
		cat >"$1.new" <<-CONFIG
			apiVersion: v1
			kind: Config
			current-context: test
			clusters:
			- name: test
			  cluster:
			    server: https://127.0.0.1:$port
			    certificate-authority-data: $(base64 -w0 <"$dir/certs/apiserver.crt")
			users:
			- name: test
			  user:
			    token: $3
			contexts:
			- name: test
			  context: {cluster: test, user: test, namespace: $2}
		CONFIG
	)
	mv "$1.new" "$1"
}

# The groups that the API server itself gives to a service account's token.
groups_of() {
	local user=$1 namespace
	[[ $user == system:serviceaccount:*:* ]] || return 0
	namespace=${user#system:serviceaccount:}
	echo "system:serviceaccounts,system:serviceaccounts:${namespace%%:*}"
}

write_credentials() {
	local pair user
	admin_token=$(random_hex) manager_token=$(random_hex)
	(
		umask 077
		openssl ecparam -genkey -name prime256v1 -noout -out "$dir/sa.key"
		{
			echo "$admin_token,admin,admin,\"system:masters\""
			echo "$manager_token,system:kube-controller-manager,manager,\"system:masters\""
			for pair in "${tokens[@]}"; do
				user=${pair%:*}
				echo "${pair##*:},$user,$user,\"$(groups_of "$user")\""
			done
		} >"$dir/tokens.csv"
	)
	openssl ec -in "$dir/sa.key" -pubout -out "$dir/sa.pub" 2>/dev/null
}

# One line a request of the controllers: service accounts and the users of --token.
write_audit_policy() {
	local users=() pair
	for pair in "${tokens[@]}"; do users+=("${pair%:*}"); done
	jq -n '{apiVersion: "audit.k8s.io/v1", kind: "Policy", omitStages: ["RequestReceived", "ResponseStarted"], rules:
		([{level: "None", userGroups: ["system:serviceaccounts:kube-system"]},
		  {level: "Metadata", userGroups: ["system:serviceaccounts"]}]
		 + (if $ARGS.positional == [] then [] else [{level: "Metadata", users: $ARGS.positional}] end)
		 + [{level: "None"}])}' --args "${users[@]}" >"$dir/audit-policy.json"
}

start_etcd() {
	process_start etcd "$bin/etcd" --name test --data-dir "$dir/etcd" \
		--listen-client-urls "unix://$dir/etcd.sock" --advertise-client-urls http://127.0.0.1:2379 \
		--listen-peer-urls "unix://$dir/peer.sock" --initial-advertise-peer-urls http://127.0.0.1:2380 \
		--initial-cluster test=http://127.0.0.1:2380 --unsafe-no-fsync --log-level error
}

start_apiserver() {
	local audit_flags=()
	[ "$audit" -eq 0 ] || audit_flags=(--audit-policy-file "$dir/audit-policy.json"
		--audit-log-path "$dir/audit.log" --audit-log-mode blocking)
	process_start apiserver "$bin/kube-apiserver" --etcd-servers "unix://$dir/etcd.sock" \
		--secure-port "$port" --bind-address 127.0.0.1 --cert-dir "$dir/certs" \
		--token-auth-file "$dir/tokens.csv" --authorization-mode RBAC \
		--service-account-issuer https://kubernetes.default.svc \
		--service-account-key-file "$dir/sa.pub" --service-account-signing-key-file "$dir/sa.key" \
		--service-cluster-ip-range 10.96.0.0/16 --profiling=false \
		--disable-admission-plugins ServiceAccount,TaintNodesByCondition "${audit_flags[@]}"
}

# Returns 1 when the API server ended, 2 when it is not ready in time.
wait_ready() {
	local deadline=$((SECONDS + ready_deadline_s))
	while process_alive apiserver; do
		[ "$(curl -s -m 5 --cacert "$dir/certs/apiserver.crt" "https://127.0.0.1:$port/readyz" 2>/dev/null)" != ok ] || return 0
		[ $SECONDS -lt $deadline ] || return 2
		sleep 0.05
	done
	return 1
}

# Somebody else may take the port between the look and the bind: then another one is tried.
start_ready_apiserver() {
	local attempt
	for ((attempt = 0; attempt < port_attempts; attempt++)); do
		port=$(free_port)
		start_apiserver
		wait_ready && return 0
		process_kill apiserver KILL
		grep -q 'address already in use' "$dir/apiserver.log" || return 1
	done
	return 1
}

# Their rate limits are raised: not they are to be measured or waited for.
start_controller_manager() {
	[ -x "$bin/kube-controller-manager" ] || return 0
	process_start controller-manager "$bin/kube-controller-manager" --kubeconfig "$dir/manager.kubeconfig" \
		--service-account-private-key-file "$dir/sa.key" --leader-elect=false --secure-port 0 \
		--controllers '*,-nodeipam,-nodelifecycle' --kube-api-qps 1000 --kube-api-burst 2000
}

start_pods() {
	"$bin/kubectl" --kubeconfig "$dir/admin.kubeconfig" create -f - >/dev/null <<-NODE
		apiVersion: v1
		kind: Node
		metadata:
		  name: node
		  labels: {kubernetes.io/hostname: node, kubernetes.io/os: linux, kubernetes.io/arch: amd64}
		status:
		  allocatable: {cpu: 1k, memory: 1Ti, pods: 10k, ephemeral-storage: 1Ti}
		  capacity: {cpu: 1k, memory: 1Ti, pods: 10k, ephemeral-storage: 1Ti}
	NODE
	process_start scheduler "$bin/kube-scheduler" --kubeconfig "$dir/manager.kubeconfig" \
		--leader-elect=false --secure-port 0 --kube-api-qps 1000 --kube-api-burst 2000
	process_start kwok "$bin/kwok" --kubeconfig "$dir/manager.kubeconfig" --manage-all-nodes \
		--config "$bin/../kwok-stages.yaml" --cidr 10.0.0.1/16 --node-ip 10.0.0.1 --server-address ''
}

write_env() {
	cat >"$dir/env" <<-ENV
		export KUBECONFIG='$dir/admin.kubeconfig'
		export KUBE_BIN='$bin'
		export API_URL='https://127.0.0.1:$port'
		export API_CA='$dir/certs/apiserver.crt'
		export ADMIN_TOKEN='$admin_token'
		export CLUSTER_DIR='$dir'
	ENV
}

start_all() {
	mkdir -p "$dir/run" "$dir/certs"
	chmod 700 "$dir"
	if [ -n "$owner" ]; then
		process_start owner-watch bash -c 'tail --pid="$1" -s 0.5 -f /dev/null; exec "$2" stop "$3"' \
			owner-watch "$owner" "$here/cluster.sh" "$dir"
	fi
	write_credentials
	[ "$audit" -eq 0 ] || write_audit_policy
	start_etcd
	start_ready_apiserver || return 1
	write_kubeconfig "$dir/admin.kubeconfig" default "$admin_token"
	write_kubeconfig "$dir/manager.kubeconfig" default "$manager_token"
	start_controller_manager
	[ "$pods" -eq 0 ] || start_pods || return 1
	write_env
	# Its watch may have stopped some of the programs before the others were started.
	[ -z "$owner" ] || [ -d "/proc/$owner" ] || return 1
}

# Ends everything at once: nothing of a test's cluster is kept, and a gentle end of
# the API server may last for ever when a watch is open or etcd is gone. The data goes too:
# it has 64 MB at least, and a test that was killed removes nothing.
stop_all() {
	local name
	for name in owner-watch kwok scheduler controller-manager apiserver etcd; do
		process_kill "$name" KILL
	done
	rm -rf "$dir/env" "$dir"/*.sock "$dir/etcd"
}

start_failed() {
	local log
	trap - EXIT
	echo "cluster.sh: the cluster in $dir did not start" >&2
	for log in etcd apiserver controller-manager scheduler kwok; do
		[ -s "$dir/$log.log" ] || continue
		echo "--- the end of $dir/$log.log" >&2
		tail -n 15 "$dir/$log.log" >&2
	done
	stop_all
	exit 1
}

start() {
	local build_flags=()
	pods=0 audit=0 owner='' tokens=()
	while [ $# -gt 0 ]; do
		case $1 in
		--pods) pods=1 build_flags=(--pods) ;;
		--audit) audit=1 ;;
		--owner) shift && owner=${1:?} ;;
		--token) shift && [[ ${1-} == *?:?* ]] || usage && tokens+=("$1") ;;
		*) usage ;;
		esac
		shift
	done
	[ ${#dir} -le $dir_length_max ] || die "$dir is longer than $dir_length_max bytes"
	[ ! -e "$dir/run" ] || die "$dir holds a cluster already (cluster.sh stop removes nothing but its processes)"
	bin=$("$here/build.sh" "${build_flags[@]}")
	trap start_failed EXIT
	trap 'exit 1' INT TERM HUP
	start_all || exit 1
	trap - EXIT
}

# Sets bin, port and the rest from the env file of a running cluster.
load_env() {
	[ -f "$dir/env" ] || die "no cluster runs in $dir"
	. "$dir/env"
	bin=$KUBE_BIN
	port=${API_URL##*:}
}

kubeconfig() {
	local file=$dir/$1-$2.kubeconfig token
	load_env
	token=$("$bin/kubectl" create token "$2" --namespace "$1" --duration $token_duration) || exit 1
	write_kubeconfig "$file" "$1" "$token"
	echo "$file"
}

requests() {
	[ -f "$dir/audit.log" ] || die "$dir was started without --audit"
	jq -r '[.user.username, .verb,
		(.objectRef | if . == null then null else .resource + (if .subresource then "/" + .subresource else "" end) end)
		// (.requestURI | split("?")[0])] | @tsv' "$dir/audit.log" | LC_ALL=C sort | uniq -c |
		sed -E 's/^ *([0-9]+) /\1\t/'
}

up() {
	load_env
	process_restart "$1"
	[ "$1" != apiserver ] || wait_ready || die "the API server is not ready again, see $dir/apiserver.log"
}

[ $# -ge 2 ] || usage
command=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd -P)
shift 2
case $command:$# in
start:*) start "$@" ;;
stop:0) stop_all ;;
kubeconfig:2) kubeconfig "$@" ;;
requests:0) requests ;;
down:1 | down:2) process_kill "$1" "${2-KILL}" ;;
up:1) up "$1" ;;
*) usage ;;
esac
