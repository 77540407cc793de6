/*
 * A real Git server over HTTP(S) for one test program: Apache with git http-backend on a free
 * loopback port, in a folder of its own, and the bare repositories behind it. Commits are made
 * with the git command. Each call blocks; one thread at a time.
 */
#ifndef FX_TEST_GITSERVER_H
#define FX_TEST_GITSERVER_H

#include "core/error.h"
#include "test/harness/process.h"

struct fx_test_git_options {
	const char *user, *password; /* basic auth below /private/; NULL: fx / secret */
	bool tls;                    /* https with a certificate of an own CA */
	bool client_certificates;    /* with tls: only clients with a certificate of that CA */
	bool no_protocol_v2;         /* the server never hears of version 2 */
};

/* All texts are owned by the server. */
struct fx_test_git {
	char *dir;    /* its folder; repositories are dir/repos/NAME.git */
	char *url;    /* http://127.0.0.1:PORT: repositories at /NAME.git, with auth at /private/NAME.git */
	char *ca_pem; /* with tls: texts of the CA, and of a client's certificate and key */
	char *cert_pem;
	char *key_pem;
	int port;
	struct fx_test_git_options options;
	struct fx_test_process apache;
};

/* FX_E_UNAVAILABLE with the end of Apache's log when it does not come up. options may be NULL. */
int fx_test_git_start(
        struct fx_test_git *out, const struct fx_test_git_options *options, struct fx_error *err) fx_must_use;
/* Stops it and removes its folder. Accepts a zeroed one. */
void fx_test_git_stop(struct fx_test_git *git);

/* Ends the server but keeps the repositories; starts it again on the same port. */
void fx_test_git_down(struct fx_test_git *git);
int fx_test_git_up(struct fx_test_git *git, struct fx_error *err) fx_must_use;

/* Makes an empty bare repository with default branch main. */
int fx_test_git_create(struct fx_test_git *git, const char *name, struct fx_error *err) fx_must_use;

/* A file of a commit: text NULL removes it. */
struct fx_test_file {
	const char *path;
	const char *text;
};

/* Commits the changes (path NULL ends the list) on top of a branch, making it when missing. hash (41 bytes,
 * may be NULL) gets the commit. */
int fx_test_git_commit(struct fx_test_git *git, const char *name, const char *branch, const char *subject,
        const struct fx_test_file *files, char *hash, struct fx_error *err) fx_must_use;

/* Runs git inside the bare repository; output appended to out (NULL: dropped). args end with NULL. */
int fx_test_git_run(struct fx_test_git *git, const char *name, const char *const *args, struct fx_buf *out,
        struct fx_error *err) fx_must_use;

/* Replaces the content of a repository's branch by a folder on disk, in one commit. */
int fx_test_git_import(struct fx_test_git *git, const char *name, const char *branch, const char *subject,
        const char *folder, char *hash, struct fx_error *err) fx_must_use;

#endif
