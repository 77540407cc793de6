#include "artifact/store.h"
#include "artifact/store_internal.h"
#include "core/map.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define TEMP_NAME_TRIES 8

/* What a file was when its digest was last compared. */
struct verified {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
	char digest[FX_DIGEST_TEXT];
};

struct fx_store {
	int root;
	char *hostname;
	struct fx_store_options options; /* numbers only */
	pthread_mutex_t lock;
	struct fx_map verified; /* path -> struct verified */
};

struct fx_store_file {
	struct fx_store *store;
	char *path;
	char *temp;
	int fd;
};

/* Host and port that consumers use: the advertised address, else what we listen on. */
static char *make_hostname(const struct fx_store_options *options)
{
	char host[256] = "";
	char *out = NULL;
	if (options->adv_addr && *options->adv_addr)
		return strdup(options->adv_addr);
	const char *addr = options->addr ? options->addr : "";
	const char *colon = strrchr(addr, ':');
	snprintf(host, sizeof(host), "%.*s", colon ? (int)(colon - addr) : (int)strlen(addr), addr);
	if (!*host) {
		snprintf(host, sizeof(host), "localhost");
	} else if (strcmp(host, "0.0.0.0") == 0) {
		const char *name = getenv("HOSTNAME");
		if (name && *name)
			snprintf(host, sizeof(host), "%s", name);
		else if (gethostname(host, sizeof(host) - 1) != 0)
			return NULL;
	}
	return asprintf(&out, "%s%s", host, colon ? colon : "") < 0 ? NULL : out;
}

int fx_store_new(const struct fx_store_options *options, struct fx_store **out, struct fx_error *err)
{
	fx_auto(store) struct fx_store *s = calloc(1, sizeof(*s));
	if (!s)
		return fx_fail_nomem(err);
	s->options = *options;
	s->options.path = s->options.addr = s->options.adv_addr = NULL;
	s->verified = (struct fx_map)FX_MAP_INIT_FREE(free);
	pthread_mutex_init(&s->lock, NULL);
	s->root = open(options->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->root < 0)
		return fx_fail(err, FX_E_INVALID, "invalid dir path: %s", options->path);
	s->hostname = make_hostname(options);
	if (!s->hostname)
		return fx_fail_nomem(err);
	*out = fx_take(s);
	return 0;
}

void fx_store_free(struct fx_store *store)
{
	if (!store)
		return;
	if (store->root >= 0)
		close(store->root);
	fx_map_release(&store->verified);
	pthread_mutex_destroy(&store->lock);
	free(store->hostname);
	free(store);
}

const struct fx_store_options *fx_store_options_of(const struct fx_store *store)
{
	return &store->options;
}

enum fx_digest_algo fx_store_algo(const struct fx_store *store)
{
	return store->options.algo;
}

const char *fx_store_hostname(const struct fx_store *store)
{
	return store->hostname;
}

char *fx_store_url(const struct fx_store *store, const char *path)
{
	const char *h = store->hostname;
	bool whole = strncmp(h, "http://", 7) == 0 || strncmp(h, "https://", 8) == 0;
	char *out = NULL;
	return asprintf(&out, "%s%s/%s", whole ? "" : "http://", h, path) < 0 ? NULL : out;
}

static int open_beneath(int root, const char *path, int flags, mode_t mode)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
	        .mode = flags & O_CREAT ? mode : 0,
	        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	return (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
}

int fx_store_open(const struct fx_store *store, const char *path, int flags)
{
	return open_beneath(store->root, path, flags, 0);
}

/* The directory that holds path, and path's last element. */
static int open_parent(const struct fx_store *store, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	*name = slash ? slash + 1 : path;
	fx_autofree char *dir = strndup(path, slash ? (size_t)(slash - path) : 0);
	if (!dir || !**name) {
		errno = dir ? EINVAL : ENOMEM;
		return -1;
	}
	return open_beneath(store->root, dir, O_PATH | O_DIRECTORY, 0);
}

static int stat_file(const struct fx_store *store, const char *path, struct stat *st)
{
	const char *name;
	fx_auto(fd) int dir = open_parent(store, path, &name);
	return dir < 0 ? -1 : fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW);
}

bool fx_store_has(const struct fx_store *store, const char *path)
{
	struct stat st;
	return stat_file(store, path, &st) == 0 && S_ISREG(st.st_mode);
}

static struct verified verified_of(const struct stat *st, const char *digest)
{
	struct verified v = {.dev = st->st_dev,
	        .ino = st->st_ino,
	        .size = st->st_size,
	        .mtime = st->st_mtim,
	        .ctime = st->st_ctim};
	snprintf(v.digest, sizeof(v.digest), "%s", digest);
	return v;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_verified(struct fx_store *store, const char *path, const struct stat *st, const char *digest)
{
	pthread_mutex_lock(&store->lock);
	const struct verified *v = fx_map_get(&store->verified, path);
	bool same = v && v->dev == st->st_dev && v->ino == st->st_ino && v->size == st->st_size &&
	            same_time(v->mtime, st->st_mtim) && same_time(v->ctime, st->st_ctim) &&
	            strcmp(v->digest, digest) == 0;
	pthread_mutex_unlock(&store->lock);
	return same;
}

static void remember(struct fx_store *store, const char *path, const struct stat *st, const char *digest)
{
	struct verified *v = malloc(sizeof(*v));
	if (!v)
		return; /* it is then read again */
	*v = verified_of(st, digest);
	pthread_mutex_lock(&store->lock);
	if (!fx_map_set(&store->verified, path, v))
		free(v);
	pthread_mutex_unlock(&store->lock);
}

static void forget(struct fx_store *store, const char *path)
{
	pthread_mutex_lock(&store->lock);
	fx_map_del(&store->verified, path);
	pthread_mutex_unlock(&store->lock);
}

int fx_store_verify(struct fx_store *store, const char *path, const char *digest, struct fx_error *err)
{
	struct fx_digest want, got;
	struct stat st;
	int rc = fx_digest_parse(digest, &want, err);
	if (rc != 0)
		return rc;
	fx_auto(fd) int fd = open_beneath(store->root, path, O_RDONLY | O_NOFOLLOW, 0);
	if (fd < 0 || fstat(fd, &st) != 0)
		return fx_fail_errno(err, "cannot open artifact '%s'", path);
	if (is_verified(store, path, &st, want.text))
		return 0;
	rc = fx_digest_fd(want.algo, fd, &got, err);
	if (rc != 0)
		return rc;
	if (!fx_digest_equal(&got, &want)) {
		forget(store, path);
		return fx_fail(err, FX_E_DIGEST, "computed digest doesn't match '%s'", want.text);
	}
	remember(store, path, &st, want.text);
	return 0;
}

int fx_store_make_dir(struct fx_store *store, const char *path, struct fx_error *err)
{
	fx_autofree char *copy = strdup(path);
	if (!copy)
		return fx_fail_nomem(err);
	for (char *at = copy; at;) {
		char *slash = strchr(at, '/');
		if (slash)
			*slash = '\0';
		const char *name;
		fx_auto(fd) int dir = open_parent(store, copy, &name);
		if (dir < 0 || (mkdirat(dir, name, 0700) != 0 && errno != EEXIST))
			return fx_fail_errno(err, "mkdir %s", copy);
		if (slash)
			*slash = '/';
		at = slash ? slash + 1 : NULL;
	}
	return 0;
}

int fx_store_lock(struct fx_store *store, const char *path, int *out_fd, struct fx_error *err)
{
	fx_autofree char *lock_path = NULL;
	if (asprintf(&lock_path, "%s%s", path, FX_STORE_LOCK_SUFFIX) < 0)
		return fx_fail_nomem(err);
	fx_auto(fd) int fd = open_beneath(store->root, lock_path, O_RDWR | O_CREAT | O_NOFOLLOW, 0666);
	if (fd < 0)
		return fx_fail_errno(err, "cannot open lock file '%s'", lock_path);
	while (flock(fd, LOCK_EX) != 0) {
		if (errno != EINTR)
			return fx_fail_errno(err, "cannot lock '%s'", lock_path);
	}
	*out_fd = fx_take_fd(&fd);
	return 0;
}

int fx_store_create(
        struct fx_store *store, const char *path, struct fx_store_file **out, struct fx_error *err)
{
	fx_auto(store_file) struct fx_store_file *f = calloc(1, sizeof(*f));
	if (!f)
		return fx_fail_nomem(err);
	f->fd = -1;
	f->store = store;
	f->path = strdup(path);
	if (!f->path)
		return fx_fail_nomem(err);
	for (int i = 0; i < TEMP_NAME_TRIES && f->fd < 0; i++) {
		uint64_t random = 0;
		if (getrandom(&random, sizeof(random), 0) < 0)
			return fx_fail_errno(err, "cannot name a temporary file");
		free(f->temp);
		if (asprintf(&f->temp, "%s" FX_STORE_TEMP_MARK "%016llx", path, (unsigned long long)random) <
		        0) {
			f->temp = NULL;
			return fx_fail_nomem(err);
		}
		f->fd = open_beneath(store->root, f->temp, O_RDWR | O_CREAT | O_EXCL, 0600);
		if (f->fd < 0 && errno != EEXIST)
			break;
	}
	if (f->fd < 0)
		return fx_fail_errno(err, "cannot create '%s'", f->temp);
	*out = fx_take(f);
	return 0;
}

int fx_store_file_fd(const struct fx_store_file *file)
{
	return file->fd;
}

int fx_store_file_commit(struct fx_store_file *file, const struct fx_digest *digest, struct fx_error *err)
{
	const char *from, *to;
	struct stat st;
	fx_auto(fd) int dir = open_parent(file->store, file->temp, &from);
	fx_auto(fd) int same_dir = open_parent(file->store, file->path, &to);
	if (dir < 0 || same_dir < 0 || fchmod(file->fd, 0600) != 0 || renameat(dir, from, same_dir, to) != 0)
		return fx_fail_errno(err, "cannot store '%s'", file->path);
	free(file->temp);
	file->temp = NULL;
	if (fstat(file->fd, &st) == 0)
		remember(file->store, file->path, &st, digest->text);
	return 0;
}

void fx_store_file_free(struct fx_store_file *file)
{
	if (!file)
		return;
	if (file->fd >= 0)
		close(file->fd);
	if (file->temp) {
		const char *name;
		fx_auto(fd) int dir = open_parent(file->store, file->temp, &name);
		if (dir >= 0)
			unlinkat(dir, name, 0);
	}
	free(file->temp);
	free(file->path);
	free(file);
}

int fx_store_remove(struct fx_store *store, const char *path, struct fx_error *err)
{
	const char *name;
	forget(store, path);
	fx_auto(fd) int dir = open_parent(store, path, &name);
	if (dir < 0 || unlinkat(dir, name, 0) != 0)
		return fx_fail_errno(err, "cannot remove '%s'", path);
	return 0;
}

/* Empties the open directory fd (closed here). */
static int empty_dir(int fd, int depth)
{
	DIR *dir = fdopendir(fd);
	int failed = 0;
	if (!dir) {
		close(fd);
		return -1;
	}
	for (struct dirent *e; depth < FX_STORE_DEPTH_MAX && (e = readdir(dir));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(dir), e->d_name, 0) == 0)
			continue;
		int sub = openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0 || empty_dir(sub, depth + 1) != 0 ||
		        unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR) != 0)
			failed = -1;
	}
	int saved = errno;
	closedir(dir);
	errno = saved;
	return failed;
}

int fx_store_remove_all(struct fx_store *store, const char *dir, struct fx_error *err)
{
	const char *name;
	int fd = open_beneath(store->root, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || empty_dir(fd, 0) != 0)
		return fx_fail_errno(err, "failed to remove artifacts in '%s'", dir);
	fx_auto(fd) int parent = open_parent(store, dir, &name);
	if (parent < 0 || unlinkat(parent, name, AT_REMOVEDIR) != 0)
		return fx_fail_errno(err, "failed to remove '%s'", dir);
	pthread_mutex_lock(&store->lock);
	size_t len = strlen(dir);
	for (bool again = true; again;) {
		again = false;
		for (struct fx_map_slot *s = NULL; (s = fx_map_next(&store->verified, s));) {
			if (strncmp(s->key, dir, len) == 0 && s->key[len] == '/') {
				again = fx_map_del(&store->verified, s->key);
				break;
			}
		}
	}
	pthread_mutex_unlock(&store->lock);
	return 0;
}
