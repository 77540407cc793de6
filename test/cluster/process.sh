# Background programs of a cluster: each has DIR/run/NAME.cmd, DIR/run/NAME.pid and DIR/NAME.log.
# Sourced by cluster.sh, which sets dir. A process is known by its id and its start time,
# so that an id which the kernel gave to somebody else is never signalled.
# shellcheck shell=bash

# Seconds until a process that was asked to end is ended.
process_term_s=5

# Prints the start time of process $1, in ticks since boot; nothing when it is gone or a zombie.
process_started() {
	local stat state
	{ stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
	read -r state _ <<<"${stat##*) }"
	[ "$state" = Z ] || [ "$state" = X ] || awk '{print $20}' <<<"${stat##*) }"
}

# Sets pid to that of program $1; returns 1 when it does not run.
process_alive() {
	local started
	pid=0
	{ read -r pid started <"$dir/run/$1.pid"; } 2>/dev/null || return 1
	[ -n "$started" ] && [ "$(process_started "$pid")" = "$started" ]
}

# process_start NAME COMMAND ARG...: in a session of its own, with no file of the caller's open.
process_start() {
	local name=$1
	shift
	printf '%q ' "$@" >"$dir/run/$name.cmd"
	process_restart "$name"
}

process_restart() {
	local name=$1 pid
	! process_alive "$name" || return 0
	(
		trap - EXIT INT TERM HUP
		cd "$dir" || exit
		for fd in /proc/self/fd/*; do
			fd=${fd##*/}
			[ "$fd" -le 2 ] || eval "exec $fd>&-" 2>/dev/null || true
		done
		eval "exec setsid $(<"run/$name.cmd")"
	) >>"$dir/$name.log" 2>&1 </dev/null &
	echo "$! $(process_started $!)" >"$dir/run/$name.pid"
	disown
}

# process_kill NAME SIGNAL: returns when the process is gone, whatever it thinks of the signal.
process_kill() {
	local name=$1 signal=$2 pid deadline
	process_alive "$name" || return 0
	[ "$pid" -ne $$ ] || return 0
	kill -s "$signal" -- "-$pid" 2>/dev/null || kill -s "$signal" "$pid" 2>/dev/null || true
	deadline=$((SECONDS + process_term_s))
	while process_alive "$name"; do
		[ $SECONDS -lt $deadline ] || { kill -s KILL -- "-$pid" 2>/dev/null || kill -s KILL "$pid" 2>/dev/null || true; }
		sleep 0.02
	done
	rm -f "$dir/run/$name.pid"
}
