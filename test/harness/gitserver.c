#include "test/harness/gitserver.h"

#include "core/buf.h"
#include "core/clock.h"
#include "test/harness/port.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define START_TIMEOUT_MS 10000
#define MODULES "/usr/lib/apache2/modules"
#define BACKEND "/usr/lib/git-core/git-http-backend"

static int write_file(const char *path, const char *text, struct fx_error *err)
{
	fx_cleanup(fx_auto_file) FILE *f = fopen(path, "we");
	if (!f || fputs(text, f) < 0 || fflush(f) != 0)
		return fx_fail_errno(err, "writing %s", path);
	return 0;
}

static char *read_file(const char *path)
{
	fx_cleanup(fx_auto_file) FILE *f = fopen(path, "re");
	fx_auto(buf) struct fx_buf buf = FX_BUF_INIT;
	char part[4096];
	for (size_t n; f && (n = fread(part, 1, sizeof(part), f)) > 0;)
		fx_buf_add(&buf, part, n);
	return f ? fx_buf_take(&buf, NULL) : NULL;
}

static int run(struct fx_buf *out, const char *input, struct fx_error *err, const char *const *argv)
{
	static const char *const env[] = {"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
	        "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
	        "GIT_AUTHOR_NAME=tester", "GIT_AUTHOR_EMAIL=tester@example.com", "GIT_COMMITTER_NAME=tester",
	        "GIT_COMMITTER_EMAIL=tester@example.com", NULL};
	struct fx_test_command command = {.argv = argv, .env = env, .input = input, .timeout_ms = 60000};
	return fx_test_run(&command, out, NULL, err);
}
#define RUN(out, input, err, ...) run(out, input, err, (const char *const[]){__VA_ARGS__, NULL})

/* A CA, a server certificate for 127.0.0.1 and a client certificate, in dir/tls. */
static int make_certificates(struct fx_test_git *git, struct fx_error *err)
{
	static const char script[] = "set -e; cd \"$1\"\n"
	                             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
	                             "-days 2 -subj /CN=test-ca "
	                             "-keyout ca.key -out ca.crt\n"
	                             "for n in server client; do\n"
	                             "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "
	                             "/CN=$n -keyout $n.key -out $n.csr\n"
	                             "printf 'subjectAltName=IP:127.0.0.1,DNS:localhost' > $n.ext\n"
	                             "openssl x509 -req -in $n.csr -CA ca.crt -CAkey ca.key -CAcreateserial "
	                             "-days 2 -extfile $n.ext -out $n.crt\n"
	                             "done\n";
	fx_autofree char *tls = NULL;
	if (asprintf(&tls, "%s/tls", git->dir) < 0)
		return fx_fail_nomem(err);
	mkdir(tls, 0755);
	int rc = RUN(NULL, NULL, err, "sh", "-c", script, "certificates", tls);
	static const char *const names[] = {"ca.crt", "client.crt", "client.key"};
	char **const texts[] = {&git->ca_pem, &git->cert_pem, &git->key_pem};
	for (size_t i = 0; i < FX_COUNT(names) && rc == 0; i++) {
		fx_autofree char *path = NULL;
		if (asprintf(&path, "%s/%s", tls, names[i]) < 0)
			return fx_fail_nomem(err);
		*texts[i] = read_file(path);
	}
	return rc;
}

static void add_tls(const struct fx_test_git *git, struct fx_buf *conf)
{
	fx_buf_addf(conf,
	        "LoadModule ssl_module " MODULES "/mod_ssl.so\nLoadModule http2_module " MODULES
	        "/mod_http2.so\n"
	        "Protocols h2 http/1.1\nSSLEngine on\nSSLCertificateFile %s/tls/server.crt\n"
	        "SSLCertificateKeyFile %s/tls/server.key\n",
	        git->dir, git->dir);
	if (git->options.client_certificates)
		fx_buf_addf(conf, "SSLCACertificateFile %s/tls/ca.crt\nSSLVerifyClient require\n", git->dir);
}

static int write_config(struct fx_test_git *git, struct fx_error *err)
{
	static const char *const modules[] = {"mpm_event", "authz_core", "authn_core", "authn_file",
	        "authz_user", "auth_basic", "alias", "env", "setenvif", "cgid"};
	fx_auto(buf) struct fx_buf conf = FX_BUF_INIT;
	for (size_t i = 0; i < FX_COUNT(modules); i++)
		fx_buf_addf(&conf, "LoadModule %s_module " MODULES "/mod_%s.so\n", modules[i], modules[i]);
	fx_buf_addf(&conf,
	        "ServerRoot %s\nServerName 127.0.0.1\nPidFile %s/apache.pid\nListen 127.0.0.1:%d\nErrorLog "
	        "%s/error.log\n"
	        "DefaultRuntimeDir %s\nMutex pthread\nScriptSock %s/cgid.sock\nDocumentRoot %s/repos\nUser "
	        "www-data\n"
	        "Group www-data\nStartServers 1\nMaxRequestWorkers 50\n",
	        git->dir, git->dir, git->port, git->dir, git->dir, git->dir, git->dir);
	if (git->options.tls)
		add_tls(git, &conf);
	fx_buf_addf(&conf,
	        "SetEnv GIT_PROJECT_ROOT %s/repos\nSetEnv GIT_HTTP_EXPORT_ALL 1\nSetEnv GIT_CONFIG_COUNT 1\n"
	        "SetEnv GIT_CONFIG_KEY_0 safe.directory\nSetEnv GIT_CONFIG_VALUE_0 *\n",
	        git->dir);
	if (!git->options.no_protocol_v2)
		fx_buf_add_str(&conf, "SetEnvIf Git-Protocol \".*\" GIT_PROTOCOL=$0\n");
	fx_buf_addf(&conf,
	        "ScriptAlias /private/ " BACKEND "/\nScriptAlias / " BACKEND
	        "/\n<Location />\nRequire all granted\n"
	        "</Location>\n<Location /private/>\nAuthType Basic\nAuthName git\nAuthUserFile %s/users\n"
	        "Require valid-user\n</Location>\n",
	        git->dir);
	fx_autofree char *path = NULL;
	if (fx_buf_failed(&conf) || asprintf(&path, "%s/apache.conf", git->dir) < 0)
		return fx_fail_nomem(err);
	return write_file(path, fx_buf_str(&conf), err);
}

static int write_users(const struct fx_test_git *git, struct fx_error *err)
{
	fx_autofree char *path = NULL;
	if (asprintf(&path, "%s/users", git->dir) < 0)
		return fx_fail_nomem(err);
	return RUN(NULL, NULL, err, "htpasswd", "-bc", path, git->options.user, git->options.password);
}

static bool accepts(int port)
{
	fx_auto(fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET,
	        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	        .sin_port = htons((uint16_t)port)};
	return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

int fx_test_git_up(struct fx_test_git *git, struct fx_error *err)
{
	fx_autofree char *conf = NULL, *log = NULL;
	if (asprintf(&conf, "%s/apache.conf", git->dir) < 0 || asprintf(&log, "%s/output.log", git->dir) < 0)
		return fx_fail_nomem(err);
	const char *const argv[] = {"/usr/sbin/apache2", "-f", conf, "-DFOREGROUND", NULL};
	struct fx_test_command command = {.argv = argv};
	int rc = fx_test_process_start(&git->apache, &command, log, err);
	if (rc < 0)
		return rc;
	int64_t deadline = fx_now_ms() + START_TIMEOUT_MS;
	struct pollfd ended = {.fd = git->apache.pidfd, .events = POLLIN};
	while (!accepts(git->port)) {
		/* Apache has no other sign of being ready than its port; its end is one of failure. */
		if (poll(&ended, 1, 5) == 0 && fx_now_ms() < deadline)
			continue;
		fx_autofree char *text = read_file(log);
		return fx_fail(err, FX_E_UNAVAILABLE, "Apache did not start: %s", text ? text : "");
	}
	return 0;
}

void fx_test_git_down(struct fx_test_git *git)
{
	fx_test_process_signal(&git->apache, SIGTERM);
	if (fx_test_process_wait(&git->apache, 5000, NULL, NULL) < 0)
		fx_test_process_signal(&git->apache, SIGKILL);
	fx_test_process_release(&git->apache);
	git->apache = (struct fx_test_process)FX_TEST_PROCESS_INIT;
}

static int prepare(struct fx_test_git *git, struct fx_error *err)
{
	const char *tmp = getenv("TMPDIR");
	if (asprintf(&git->dir, "%s/fx-git-XXXXXX", tmp ? tmp : "/tmp") < 0)
		return fx_fail_nomem(err);
	if (!mkdtemp(git->dir))
		return fx_fail_errno(err, "making %s", git->dir);
	/* Apache's children run as another user. */
	chmod(git->dir, 0755);
	fx_autofree char *repos = NULL;
	int rc = fx_test_free_port(&git->port, err);
	if (rc < 0)
		return rc;
	if (asprintf(&repos, "%s/repos", git->dir) < 0 ||
	        asprintf(&git->url, "http%s://127.0.0.1:%d", git->options.tls ? "s" : "", git->port) < 0)
		return fx_fail_nomem(err);
	if (mkdir(repos, 0755) < 0)
		return fx_fail_errno(err, "making %s", repos);
	rc = git->options.tls ? make_certificates(git, err) : 0;
	if (rc == 0)
		rc = write_users(git, err);
	return rc == 0 ? write_config(git, err) : rc;
}

int fx_test_git_start(
        struct fx_test_git *out, const struct fx_test_git_options *options, struct fx_error *err)
{
	struct fx_test_git git = {.apache = FX_TEST_PROCESS_INIT};
	if (options)
		git.options = *options;
	if (!git.options.user) {
		git.options.user = "fx";
		git.options.password = "secret";
	}
	int rc = prepare(&git, err);
	if (rc == 0)
		rc = fx_test_git_up(&git, err);
	if (rc < 0) {
		fx_test_git_stop(&git);
		return rc;
	}
	*out = git;
	return 0;
}

void fx_test_git_stop(struct fx_test_git *git)
{
	if (!git->dir)
		return;
	fx_test_git_down(git);
	if (!getenv("FX_TEST_KEEP") && RUN(NULL, NULL, NULL, "rm", "-rf", git->dir) < 0)
		fprintf(stderr, "cannot remove %s\n", git->dir);
	free(git->dir);
	free(git->url);
	free(git->ca_pem);
	free(git->cert_pem);
	free(git->key_pem);
	*git = (struct fx_test_git){.apache = FX_TEST_PROCESS_INIT};
}

static char *repository(const struct fx_test_git *git, const char *name)
{
	char *path = NULL;
	return asprintf(&path, "%s/repos/%s.git", git->dir, name) < 0 ? NULL : path;
}

int fx_test_git_run(struct fx_test_git *git, const char *name, const char *const *args, struct fx_buf *out,
        struct fx_error *err)
{
	fx_autofree char *path = repository(git, name);
	const char *argv[32] = {"git", "-C", path};
	for (size_t i = 0; args[i] && i + 4 < FX_COUNT(argv); i++)
		argv[i + 3] = args[i];
	return path ? run(out, NULL, err, argv) : fx_fail_nomem(err);
}

int fx_test_git_create(struct fx_test_git *git, const char *name, struct fx_error *err)
{
	fx_autofree char *path = repository(git, name);
	if (!path)
		return fx_fail_nomem(err);
	int rc = RUN(NULL, NULL, err, "git", "init", "-q", "--bare", "-b", "main", path);
	if (rc == 0)
		rc = RUN(NULL, NULL, err, "git", "-C", path, "config", "uploadpack.allowFilter", "true");
	return rc;
}

/* The commands of git fast-import for one commit. */
static void add_commit(struct fx_buf *in, const char *branch, const char *subject, bool has_parent,
        const struct fx_test_file *files)
{
	fx_buf_addf(in, "commit refs/heads/%s\ncommitter tester <tester@example.com> now\ndata %zu\n%s\n",
	        branch, strlen(subject), subject);
	if (has_parent)
		fx_buf_addf(in, "from refs/heads/%s^0\n", branch);
	for (; files->path; files++) {
		if (files->text)
			fx_buf_addf(in, "M 644 inline %s\ndata %zu\n%s\n", files->path, strlen(files->text),
			        files->text);
		else
			fx_buf_addf(in, "D %s\n", files->path);
	}
	fx_buf_add_str(in, "\ndone\n");
}

static int head_of(
        struct fx_test_git *git, const char *name, const char *branch, char *hash, struct fx_error *err)
{
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	fx_autofree char *ref = NULL;
	if (asprintf(&ref, "refs/heads/%s", branch) < 0)
		return fx_fail_nomem(err);
	int rc = fx_test_git_run(
	        git, name, (const char *const[]){"rev-parse", "-q", "--verify", ref, NULL}, &out, err);
	if (rc == 0 && hash)
		snprintf(hash, 41, "%.40s", fx_buf_str(&out));
	return rc;
}

int fx_test_git_commit(struct fx_test_git *git, const char *name, const char *branch, const char *subject,
        const struct fx_test_file *files, char *hash, struct fx_error *err)
{
	fx_autofree char *path = repository(git, name);
	fx_auto(buf) struct fx_buf in = FX_BUF_INIT;
	bool has_parent = head_of(git, name, branch, NULL, NULL) == 0;
	add_commit(&in, branch, subject, has_parent, files);
	if (!path || fx_buf_failed(&in))
		return fx_fail_nomem(err);
	int rc = RUN(NULL, fx_buf_str(&in), err, "git", "-C", path, "fast-import", "--quiet", "--done",
	        "--date-format=now");
	return rc == 0 ? head_of(git, name, branch, hash, err) : rc;
}

int fx_test_git_import(struct fx_test_git *git, const char *name, const char *branch, const char *subject,
        const char *folder, char *hash, struct fx_error *err)
{
	static const char script[] =
	        "set -e; export GIT_DIR=\"$1\" GIT_INDEX_FILE=\"$1/import.index\"\n"
	        "rm -f \"$GIT_INDEX_FILE\"; git --work-tree=\"$4\" add -A -f .\n"
	        "parent=$(git rev-parse -q --verify \"refs/heads/$2\" || true)\n"
	        "commit=$(git commit-tree ${parent:+-p $parent} -m \"$3\" \"$(git write-tree)\")\n"
	        "git update-ref \"refs/heads/$2\" \"$commit\"\n";
	fx_autofree char *path = repository(git, name);
	if (!path)
		return fx_fail_nomem(err);
	int rc = RUN(NULL, NULL, err, "sh", "-c", script, "import", path, branch, subject, folder);
	return rc == 0 ? head_of(git, name, branch, hash, err) : rc;
}
