/*
 * Programs that a test runs: to their end with what they print, or in the background
 * until the test stops them. Each call blocks. Not thread safe for one process value;
 * different ones may be used at once.
 *
 * A background program is killed by the kernel when the thread that started it ends:
 * start it from the test's main thread.
 */
#ifndef FX_TEST_PROCESS_H
#define FX_TEST_PROCESS_H

#include "core/buf.h"
#include "core/error.h"

#include <sys/types.h>

/* Longest time that a program may take when the test names none: the first build of a
 * Kubernetes API server fits in it. */
#define FX_TEST_RUN_TIMEOUT_MS (20 * 60 * 1000)
/* Bytes of standard error that an error message quotes: the end, where the reason is. */
#define FX_TEST_STDERR_MAX 4000

struct fx_test_command {
	const char *const *argv; /* ended by NULL; argv[0] is looked for in PATH */
	const char *const *env;  /* NULL, or NAME=VALUE texts that are added, ended by NULL */
	const char *input;       /* standard input; NULL: empty */
	int timeout_ms;          /* 0: FX_TEST_RUN_TIMEOUT_MS */
};

/*
 * Runs a program to its end. Its standard output is appended to out (NULL: dropped).
 * With out_status (may be NULL) any exit status is a success and is stored there; without,
 * a status other than 0 is FX_E_INTERNAL with the end of standard error in the message.
 * FX_E_TIMEOUT when it was killed for taking too long, FX_E_IO when it could not be started.
 */
int fx_test_run(const struct fx_test_command *command, struct fx_buf *out, int *out_status,
        struct fx_error *err) fx_must_use;

struct fx_test_process {
	pid_t pid; /* 0: not running */
	int pidfd; /* owned; readable when the program has ended */
};

#define FX_TEST_PROCESS_INIT                                                                                 \
	{                                                                                                    \
		.pid = 0, .pidfd = -1                                                                        \
	}

/* Starts a program with standard output and error appended to the file log_path (NULL: the
 * test's own). input and timeout_ms of the command are not used. */
int fx_test_process_start(struct fx_test_process *out, const struct fx_test_command *command,
        const char *log_path, struct fx_error *err) fx_must_use;

/* Sends a signal; nothing when the program has ended. */
void fx_test_process_signal(struct fx_test_process *process, int signal_number);

/* Waits until the program has ended. out_status (may be NULL): its exit status, or 128 and
 * the signal's number. FX_E_TIMEOUT when it still runs after timeout_ms. */
int fx_test_process_wait(
        struct fx_test_process *process, int timeout_ms, int *out_status, struct fx_error *err) fx_must_use;

/* Kills the program if it runs and releases the value. Accepts one that was never started. */
void fx_test_process_release(struct fx_test_process *process);
static inline void fx_auto_test_process(struct fx_test_process *process)
{
	fx_test_process_release(process);
}

/* Looks for a sanitizer's report in a program's log: FX_E_INTERNAL with its first line. The
 * undefined-behaviour sanitizer does not end a program, and a killed one has no status to tell. A missing log
 * has none. */
int fx_test_complaints(const char *name, const char *log_path, struct fx_error *err) fx_must_use;

#endif
