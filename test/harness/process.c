#include "test/harness/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Bytes of a log that are searched for complaints. */
#define LOG_MAX (64 * 1024 * 1024)
/* The child's exit status when it could not become the program, as a shell has it. */
#define STATUS_NO_PROGRAM 127

static int open_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int status_of(int wait_status)
{
	return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

static size_t count_of(const char *const *list)
{
	size_t count = 0;
	while (list && list[count])
		count++;
	return count;
}

static bool is_overridden(const char *variable, const char *const *by)
{
	size_t len = strcspn(variable, "=") + 1;
	for (; by && *by; by++)
		if (strncmp(*by, variable, len) == 0)
			return true;
	return false;
}

/* Our environment with the command's variables: the list is owned, its texts are not. */
static char **make_environment(const struct fx_test_command *command)
{
	size_t have = count_of((const char *const *)environ), count = 0;
	char **list = calloc(have + count_of(command->env) + 1, sizeof(*list));
	for (size_t i = 0; list && i < have; i++)
		if (!is_overridden(environ[i], command->env))
			list[count++] = environ[i];
	for (const char *const *e = command->env; list && e && *e; e++)
		list[count++] = (char *)*e;
	return list;
}

/*
 * In the child: descriptors, then the program. Returns only when that fails. Other threads of the test may
 * have held any lock at the fork, the allocator's too: only what a signal handler may do is done here.
 */
static void become(const struct fx_test_command *command, char **environment, const int fds[3], pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		return;
	for (int i = 0; i < 3; i++)
		if (fds[i] >= 0)
			dup2(fds[i], i);
	execvpe(command->argv[0], (char *const *)command->argv, environment);
	static const char text[] = ": the program cannot be started\n";
	if (write(STDERR_FILENO, command->argv[0], strlen(command->argv[0])) > 0 &&
	        write(STDERR_FILENO, text, sizeof(text) - 1) > 0)
		return;
}

static int spawn(struct fx_test_process *out, const struct fx_test_command *command, const int fds[3],
        struct fx_error *err)
{
	pid_t parent = getpid();
	fx_autofree char **environment = make_environment(command);
	if (!environment)
		return fx_fail_nomem(err);
	pid_t pid = fork();
	if (pid < 0)
		return fx_fail_errno(err, "starting %s", command->argv[0]);
	if (pid == 0) {
		become(command, environment, fds, parent);
		_exit(STATUS_NO_PROGRAM);
	}
	int pidfd = open_pidfd(pid);
	if (pidfd < 0) {
		fx_fail_errno(err, "watching %s", command->argv[0]);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return -FX_E_IO;
	}
	*out = (struct fx_test_process){.pid = pid, .pidfd = pidfd};
	return 0;
}

int fx_test_process_start(struct fx_test_process *out, const struct fx_test_command *command,
        const char *log_path, struct fx_error *err)
{
	fx_auto(fd) int log = -1;
	fx_auto(fd) int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (log_path) {
		log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		if (log < 0)
			return fx_fail_errno(err, "opening %s", log_path);
	}
	return spawn(out, command, (int[3]){nothing, log, log}, err);
}

void fx_test_process_signal(struct fx_test_process *process, int signal_number)
{
	if (process->pid > 0)
		kill(process->pid, signal_number);
}

int fx_test_process_wait(
        struct fx_test_process *process, int timeout_ms, int *out_status, struct fx_error *err)
{
	struct pollfd ended = {.fd = process->pidfd, .events = POLLIN};
	int wait_status = 0, n;

	if (process->pid <= 0)
		return fx_fail(err, FX_E_INVALID, "waiting for a program that does not run");
	do
		n = poll(&ended, 1, timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return fx_fail(err, FX_E_TIMEOUT, "process %d still runs after %d ms", (int)process->pid,
		        timeout_ms);
	if (n < 0 || waitpid(process->pid, &wait_status, 0) < 0)
		return fx_fail_errno(err, "waiting for process %d", (int)process->pid);
	close(process->pidfd);
	*process = (struct fx_test_process)FX_TEST_PROCESS_INIT;
	if (out_status)
		*out_status = status_of(wait_status);
	return 0;
}

void fx_test_process_release(struct fx_test_process *process)
{
	if (process->pid <= 0)
		return;
	kill(process->pid, SIGKILL);
	waitpid(process->pid, NULL, 0);
	close(process->pidfd);
	*process = (struct fx_test_process)FX_TEST_PROCESS_INIT;
}

/* Files in memory instead of pipes: nobody has to read while the program runs, and a
 * grandchild that keeps one open holds up nobody. */
static int memory_file(const char *content, struct fx_error *err)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	size_t len = content ? strlen(content) : 0;

	if (fd < 0)
		return fx_fail_errno(err, "memfd_create");
	if (len && (write(fd, content, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) < 0)) {
		fx_fail_errno(err, "writing a program's input");
		close(fd);
		return -FX_E_IO;
	}
	return fd;
}

/* Appends what fd holds from offset on. */
static int read_from(int fd, off_t offset, struct fx_buf *out, struct fx_error *err)
{
	char block[65536];
	ssize_t n;

	while ((n = pread(fd, block, sizeof(block), offset)) > 0) {
		fx_buf_add(out, block, (size_t)n);
		offset += n;
	}
	if (n < 0)
		return fx_fail_errno(err, "reading a program's output");
	return fx_buf_failed(out) ? fx_fail_nomem(err) : 0;
}

static int fail_with_stderr(const char *name, int status, int fd, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf text = FX_BUF_INIT;
	off_t size = lseek(fd, 0, SEEK_END);

	if (read_from(fd, size > FX_TEST_STDERR_MAX ? size - FX_TEST_STDERR_MAX : 0, &text, NULL) < 0)
		return fx_fail(err, FX_E_INTERNAL, "%s ended with status %d", name, status);
	return fx_fail(err, FX_E_INTERNAL, "%s ended with status %d: %s", name, status, fx_buf_str(&text));
}

int fx_test_run(
        const struct fx_test_command *command, struct fx_buf *out, int *out_status, struct fx_error *err)
{
	fx_auto(test_process) struct fx_test_process process = FX_TEST_PROCESS_INIT;
	int timeout_ms = command->timeout_ms ? command->timeout_ms : FX_TEST_RUN_TIMEOUT_MS;
	int status = 0;

	fx_auto(fd) int in = memory_file(command->input, err);
	if (in < 0)
		return in;
	fx_auto(fd) int output = memory_file(NULL, err);
	if (output < 0)
		return output;
	fx_auto(fd) int errors = memory_file(NULL, err);
	if (errors < 0)
		return errors;
	int rc = spawn(&process, command, (int[3]){in, output, errors}, err);
	if (rc < 0)
		return rc;
	rc = fx_test_process_wait(&process, timeout_ms, &status, err);
	if (rc < 0)
		return fx_error_wrap(err, "%s", command->argv[0]);
	if (out && (rc = read_from(output, 0, out, err)) < 0)
		return rc;
	if (status != 0 && !out_status)
		return fail_with_stderr(command->argv[0], status, errors, err);
	if (out_status)
		*out_status = status;
	return 0;
}

int fx_test_complaints(const char *name, const char *log_path, struct fx_error *err)
{
	static const char *const marks[] = {"runtime error:", "Sanitizer:"};
	fx_auto(file) FILE *f = fopen(log_path, "re");
	fx_autofree char *line = NULL;
	size_t size = 0, read = 0;
	for (ssize_t n; f && read < LOG_MAX && (n = getline(&line, &size, f)) >= 0; read += (size_t)n)
		for (size_t i = 0; i < FX_COUNT(marks); i++)
			if (strstr(line, marks[i]))
				return fx_fail(err, FX_E_INTERNAL, "%s: %s", name, line);
	return 0;
}
