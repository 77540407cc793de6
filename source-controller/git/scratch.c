#include "source-controller/git/scratch.h"

#include <dirent.h>
#include <git2/sys/odb_backend.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

struct fx_git_scratch {
	char *dir;
	int lock; /* the directory, locked: it is in use */
	git_indexer *indexer;
	git_indexer_progress progress;
	git_odb *odb;
};

static int fail_git(struct fx_error *err, enum fx_error_code code, const char *what)
{
	const git_error *e = git_error_last();
	/* The disk's fault, not the pack's. */
	if (e && e->klass == GIT_ERROR_OS)
		return fx_fail(err, FX_E_IO, "cannot write the pack: %s", e->message);
	if (e && e->klass == GIT_ERROR_NOMEMORY)
		return fx_fail(err, FX_E_LIMIT, "%s: an object is larger than %llu bytes", what,
		        (unsigned long long)FX_GIT_BLOB_MAX);
	return fx_fail(err, code, "%s: %s", what, e && e->message ? e->message : "unknown error");
}

void fx_git_init(void)
{
	fx_git_bound_memory();
	git_libgit2_init();
	git_libgit2_opts(GIT_OPT_ENABLE_CACHING, 0);
}

static const char *temp_dir(void)
{
	const char *tmp = getenv("TMPDIR");
	return tmp && *tmp ? tmp : "/tmp";
}

int fx_git_scratch_new(const char *prefix, struct fx_git_scratch **out, struct fx_error *err)
{
	fx_auto(git_scratch) struct fx_git_scratch *s = calloc(1, sizeof(*s));
	fx_autofree char *dir = NULL;
	if (s)
		s->lock = -1;
	if (!s || asprintf(&dir, "%s/%sXXXXXX", temp_dir(), prefix) < 0)
		return fx_fail_nomem(err);
	if (!mkdtemp(dir))
		return fx_fail_errno(err, "failed to create temporary working directory");
	s->dir = fx_take(dir);
	s->lock = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock < 0 || flock(s->lock, LOCK_EX | LOCK_NB) != 0)
		return fx_fail_errno(err, "failed to lock temporary working directory");
	if (git_indexer_new(&s->indexer, s->dir, 0600, NULL, NULL) != 0)
		return fail_git(err, FX_E_IO, "cannot index a pack");
	*out = fx_take(s);
	return 0;
}

/* The directory holds files only. */
static void remove_dir(const char *path)
{
	DIR *dir = opendir(path);
	for (struct dirent *e; dir && (e = readdir(dir));)
		unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(path);
}

void fx_git_scratch_sweep(const char *prefix)
{
	DIR *tmp = opendir(temp_dir());
	for (struct dirent *e; tmp && (e = readdir(tmp));) {
		fx_autofree char *path = NULL;
		if (strncmp(e->d_name, prefix, strlen(prefix)) != 0)
			continue;
		fx_auto(fd) int fd =
		        openat(dirfd(tmp), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0)
			continue;
		if (asprintf(&path, "%s/%s", temp_dir(), e->d_name) < 0)
			path = NULL;
		else
			remove_dir(path);
	}
	if (tmp)
		closedir(tmp);
}

void fx_git_scratch_free(struct fx_git_scratch *scratch)
{
	if (!scratch)
		return;
	git_indexer_free(scratch->indexer);
	git_odb_free(scratch->odb);
	if (scratch->dir)
		remove_dir(scratch->dir);
	if (scratch->lock >= 0)
		close(scratch->lock);
	free(scratch->dir);
	free(scratch);
}

int fx_git_scratch_feed(void *arg, const void *data, size_t len, struct fx_error *err)
{
	struct fx_git_scratch *s = arg;
	if (git_indexer_append(s->indexer, data, len, &s->progress) != 0)
		return fail_git(err, FX_E_PROTOCOL, "invalid pack");
	if (s->progress.total_objects > FX_GIT_OBJECTS_MAX)
		return fx_fail(err, FX_E_LIMIT, "the pack has more than %u objects", FX_GIT_OBJECTS_MAX);
	return 0;
}

int fx_git_scratch_finish(struct fx_git_scratch *s, struct fx_error *err)
{
	char hash[GIT_OID_HEXSZ + 1];
	fx_autofree char *index = NULL;
	git_odb_backend *backend = NULL;
	if (git_indexer_commit(s->indexer, &s->progress) != 0)
		return fail_git(err, FX_E_PROTOCOL, "invalid pack");
	git_oid_tostr(hash, sizeof(hash), git_indexer_hash(s->indexer));
	if (asprintf(&index, "%s/pack-%s.idx", s->dir, hash) < 0) {
		index = NULL;
		return fx_fail_nomem(err);
	}
	if (git_odb_new(&s->odb) != 0 || git_odb_backend_one_pack(&backend, index) != 0)
		return fail_git(err, FX_E_IO, "cannot open the pack");
	if (git_odb_add_backend(s->odb, backend, 1) != 0) {
		backend->free(backend);
		return fail_git(err, FX_E_IO, "cannot open the pack");
	}
	git_indexer_free(s->indexer);
	s->indexer = NULL;
	return 0;
}

int fx_git_scratch_read(struct fx_git_scratch *s, const git_oid *oid, git_object_t type, uint64_t max,
        git_odb_object **out, struct fx_error *err)
{
	char hash[GIT_OID_HEXSZ + 1];
	size_t size;
	git_object_t real;
	git_oid_tostr(hash, sizeof(hash), oid);
	if (!s->odb || git_odb_read_header(&size, &real, s->odb, oid) != 0)
		return fx_fail(err, FX_E_NOT_FOUND, "object %s not found", hash);
	if (real != type)
		return fx_fail(err, FX_E_INVALID, "object %s is a %s, not a %s", hash,
		        git_object_type2string(real), git_object_type2string(type));
	if (size > max)
		return fx_fail(err, FX_E_LIMIT, "object %s is larger than %llu bytes", hash,
		        (unsigned long long)max);
	if (git_odb_read(out, s->odb, oid) != 0)
		return fail_git(err, FX_E_IO, "cannot read object");
	return 0;
}

void fx_git_commit_info_release(struct fx_git_commit_info *info)
{
	free(info->subject);
	info->subject = NULL;
}

/* Seconds in "committer Name <mail> 1700000000 +0000". */
static int64_t committed_at(const char *line)
{
	const char *end = line + strcspn(line, "\n");
	const char *mail = memrchr(line, '>', (size_t)(end - line));
	return mail ? strtoll(mail + 1, NULL, 10) : 0;
}

static int parse_commit(const char *text, struct fx_git_commit_info *out, struct fx_error *err)
{
	if (strncmp(text, "tree ", 5) != 0 || git_oid_fromstrn(&out->tree, text + 5, GIT_OID_HEXSZ) != 0)
		return fx_fail(err, FX_E_INVALID, "commit without a tree");
	while (*text && *text != '\n') {
		if (strncmp(text, "committer ", 10) == 0)
			out->committed_s = committed_at(text);
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	text += strspn(text, "\n");
	out->subject = strndup(text, strcspn(text, "\n"));
	return out->subject ? 0 : fx_fail_nomem(err);
}

int fx_git_scratch_commit(
        struct fx_git_scratch *s, const char *hash, struct fx_git_commit_info *out, struct fx_error *err)
{
	git_oid oid;
	struct fx_git_commit_info info = {0};
	fx_cleanup(fx_auto_git_object) git_odb_object *object = NULL;
	if (git_oid_fromstr(&oid, hash) != 0)
		return fx_fail(err, FX_E_INVALID, "'%s' is not a commit hash", hash);
	int rc = fx_git_scratch_read(s, &oid, GIT_OBJECT_COMMIT, FX_GIT_TREE_MAX, &object, err);
	if (rc != 0)
		return rc;
	fx_autofree char *text = strndup(git_odb_object_data(object), git_odb_object_size(object));
	rc = text ? parse_commit(text, &info, err) : fx_fail_nomem(err);
	if (rc == 0)
		*out = info;
	return rc;
}
