#include "artifact/store.h"
#include "artifact/store_internal.h"
#include "core/clock.h"
#include "core/vec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct candidate {
	char *path; /* owned */
	int64_t mtime_ns;
	bool garbage;
};

struct collection {
	FX_VEC(struct candidate) files;
	/* Of writers that were killed: whoever collects is the only writer of the directory. */
	FX_VEC(struct candidate) unfinished;
	int64_t deadline_ms;
};

static void collection_release(struct collection *c)
{
	fx_vec_foreach (struct candidate, f, &c->files)
		free(f->path);
	fx_vec_foreach (struct candidate, f, &c->unfinished)
		free(f->path);
	fx_vec_release(&c->files);
	fx_vec_release(&c->unfinished);
}

static void fx_auto_collection(struct collection *c)
{
	collection_release(c);
}

static bool has_suffix(const char *text, const char *suffix)
{
	size_t len = strlen(text), n = strlen(suffix);
	return len >= n && strcmp(text + len - n, suffix) == 0;
}

static int add_file(struct collection *c, const char *path, const struct stat *st)
{
	struct candidate f = {.path = strdup(path),
	        .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec};
	bool unfinished = strstr(strrchr(path, '/'), FX_STORE_TEMP_MARK) != NULL;
	if (f.path && (unfinished ? fx_vec_push(&c->unfinished, f) : fx_vec_push(&c->files, f)))
		return 0;
	free(f.path);
	return -1;
}

/* Collects the regular files below dir; fd is its descriptor and closed here. Stops without an
 * error at the limits. */
static int walk(struct collection *c, int fd, const char *dir, int depth, struct fx_error *err)
{
	DIR *d = fdopendir(fd);
	if (!d) {
		close(fd);
		return fx_fail_errno(err, "cannot read '%s'", dir);
	}
	int rc = 0;
	for (struct dirent *e; rc == 0 && (e = readdir(d));) {
		struct stat st;
		fx_autofree char *path = NULL;
		if (c->files.len + c->unfinished.len >= FX_STORE_GC_FILES_MAX || fx_now_ms() > c->deadline_ms)
			break;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		        has_suffix(e->d_name, FX_STORE_LOCK_SUFFIX) ||
		        fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (asprintf(&path, "%s/%s", dir, e->d_name) < 0) {
			path = NULL;
			rc = fx_fail_nomem(err);
		} else if (S_ISREG(st.st_mode)) {
			rc = add_file(c, path, &st) == 0 ? 0 : fx_fail_nomem(err);
		} else if (S_ISDIR(st.st_mode) && depth < FX_STORE_DEPTH_MAX) {
			int sub =
			        openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (sub >= 0)
				rc = walk(c, sub, path, depth + 1, err);
		}
	}
	closedir(d);
	return rc;
}

static int older_first(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int c = (x->mtime_ns > y->mtime_ns) - (x->mtime_ns < y->mtime_ns);
	return c ? c : strcmp(x->path, y->path);
}

/*
 * Marks what goes (section 3.6): first whatever is older than the TTL, then the oldest of the
 * rest above the number of records. When the first step found something, the second counts each
 * file that it takes twice, as Flux does, and so keeps more.
 */
static void mark(struct collection *c, const char *current, const struct fx_store_options *options)
{
	int64_t expired_ns = fx_wall_ns() - options->retention_ttl_ms * 1000000;
	size_t n = c->files.len, expired = 0, taken = 0;
	fx_vec_foreach (struct candidate, f, &c->files) {
		f->garbage = f->mtime_ns < expired_ns && strcmp(f->path, current) != 0;
		expired += f->garbage;
	}
	size_t records = options->retention_records > 0 ? (size_t)options->retention_records : 0;
	if (n - expired < records)
		return;
	fx_vec_foreach (struct candidate, f, &c->files) {
		size_t gone = expired ? expired + 2 * taken : taken;
		if (gone >= n || n - gone <= records)
			return;
		if (f->garbage || strcmp(f->path, current) == 0)
			continue;
		f->garbage = true;
		taken++;
	}
}

static int sweep(struct fx_store *store, struct collection *c, size_t *count, struct fx_error *err)
{
	fx_vec_foreach (struct candidate, f, &c->unfinished) {
		int rc = fx_store_remove(store, f->path, err);
		if (rc != 0)
			return rc;
	}
	fx_vec_foreach (struct candidate, f, &c->files) {
		fx_autofree char *lock = NULL;
		if (!f->garbage)
			continue;
		if (fx_now_ms() > c->deadline_ms)
			return fx_fail(err, FX_E_TIMEOUT, "garbage collection took longer than %d ms",
			        FX_STORE_GC_MS);
		int rc = fx_store_remove(store, f->path, err);
		if (rc != 0)
			return rc;
		(*count)++;
		if (asprintf(&lock, "%s%s", f->path, FX_STORE_LOCK_SUFFIX) < 0) {
			lock = NULL;
			return fx_fail_nomem(err);
		}
		rc = fx_store_remove(store, lock, NULL);
		if (rc != 0 && rc != -FX_E_NOT_FOUND)
			return fx_fail(err, FX_E_IO, "cannot remove '%s'", lock);
	}
	return 0;
}

int fx_store_collect(struct fx_store *store, const char *current, size_t *out_count, struct fx_error *err)
{
	fx_auto(collection) struct collection c = {.deadline_ms = fx_now_ms() + FX_STORE_GC_MS};
	const char *slash = strrchr(current, '/');
	fx_autofree char *dir = slash ? strndup(current, (size_t)(slash - current)) : NULL;
	*out_count = 0;
	if (!dir)
		return slash ? fx_fail_nomem(err)
		             : fx_fail(err, FX_E_INVALID, "invalid artifact path '%s'", current);
	int fd = fx_store_open(store, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : fx_fail_errno(err, "cannot open '%s'", dir);
	int rc = walk(&c, fd, dir, 0, err);
	if (rc != 0)
		return rc;
	if (c.files.len)
		qsort(c.files.items, c.files.len, sizeof(struct candidate), older_first);
	mark(&c, current, fx_store_options_of(store));
	return sweep(store, &c, out_count, err);
}
