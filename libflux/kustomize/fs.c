#include "kustomize/fs.h"

#include "core/map.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- paths ---- */

char *fx_path_clean(struct fx_arena *arena, const char *path)
{
	size_t len = strlen(path), n = 0, floor = 0;
	char *out = fx_arena_alloc(arena, len + 2);
	if (!out)
		return NULL;
	bool rooted = path[0] == '/';
	if (rooted)
		out[n++] = '/';
	floor = n;
	for (const char *p = path; *p;) {
		while (*p == '/')
			p++;
		size_t w = strcspn(p, "/");
		if (w == 0)
			break;
		if (w == 2 && p[0] == '.' && p[1] == '.') {
			if (n > floor) {
				while (n > floor && out[n - 1] != '/')
					n--;
				if (n > floor)
					n--;
			} else if (!rooted) {
				if (n)
					out[n++] = '/';
				memcpy(out + n, "..", 2);
				n += 2;
				floor = n;
			}
		} else if (!(w == 1 && p[0] == '.')) {
			if (n && out[n - 1] != '/')
				out[n++] = '/';
			memcpy(out + n, p, w);
			n += w;
		}
		p += w;
	}
	if (n == 0)
		out[n++] = '.';
	out[n] = '\0';
	return out;
}

char *fx_path_join(struct fx_arena *arena, const char *dir, const char *rel)
{
	if (rel[0] == '/' || dir[0] == '\0')
		return fx_path_clean(arena, rel);
	char *both = fx_arena_printf(arena, "%s/%s", dir, rel);
	return both ? fx_path_clean(arena, both) : NULL;
}

char *fx_path_dir(struct fx_arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return fx_arena_strdup(arena, ".");
	return fx_arena_strndup(arena, path, slash == path ? 1 : (size_t)(slash - path));
}

const char *fx_path_base(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash && slash[1] ? slash + 1 : path;
}

bool fx_path_is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);
	if (strcmp(dir, "/") == 0)
		return path[0] == '/';
	return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

char *fx_path_relative(struct fx_arena *arena, const char *dir, const char *path)
{
	size_t common = 0, i = 0;
	for (; dir[i] && dir[i] == path[i]; i++)
		if (dir[i] == '/')
			common = i + 1;
	if ((dir[i] == '\0' && path[i] == '/') || (path[i] == '\0' && dir[i] == '/') ||
	        (dir[i] == '\0' && path[i] == '\0'))
		common = i;
	if (strcmp(dir, path) == 0)
		return fx_arena_strdup(arena, ".");
	const char *up = dir + common, *down = path + common;
	while (*up == '/')
		up++;
	while (*down == '/')
		down++;
	char *out = fx_arena_alloc(arena, strlen(up) * 2 + strlen(down) + 8);
	if (!out)
		return NULL;
	char *p = out;
	if (*up) {
		p = stpcpy(p, "..");
		for (const char *s = up; *s; s++)
			if (*s == '/')
				p = stpcpy(p, "/..");
		if (*down)
			*p++ = '/';
	}
	strcpy(p, down);
	return out;
}

/* ---- disk ---- */

struct disk {
	struct fx_fs base;
	char *root;
	int fd; /* of root */
};

static int disk_resolve(const struct fx_fs *fs, const char *path, struct fx_arena *arena, const char **out,
        enum fx_fs_type *type, struct fx_error *err)
{
	const struct disk *disk = (const struct disk *)fs;
	char real[PATH_MAX];
	struct stat st;
	if (!realpath(path, real))
		return fx_fail(err, errno == ENOENT || errno == ENOTDIR ? FX_E_NOT_FOUND : FX_E_IO,
		        "lstat %s: %s", path,
		        errno == ENOENT    ? "no such file or directory"
		        : errno == ENOTDIR ? "not a directory"
		                           : strerror(errno));
	if (!fx_path_is_below(real, disk->root))
		return fx_fail(err, FX_E_FORBIDDEN,
		        "fs-security-constraint read %s: path '%s' is not in or below '%s'", path, real,
		        disk->root);
	if (stat(real, &st) < 0)
		return fx_fail_errno(err, "stat %s", path);
	char *copy = fx_arena_strdup(arena, real);
	if (!copy)
		return fx_fail_nomem(err);
	*out = copy;
	*type = S_ISDIR(st.st_mode) ? FX_FS_DIR : FX_FS_FILE;
	return 0;
}

static int read_all(int fd, const char *path, struct fx_arena *arena, const char **data, size_t *len,
        struct fx_error *err)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return fx_fail_errno(err, "stat %s", path);
	if (S_ISDIR(st.st_mode))
		return fx_fail(err, FX_E_INVALID, "read %s: is a directory", path);
	if (!S_ISREG(st.st_mode))
		return fx_fail(err, FX_E_INVALID, "read %s: not a regular file", path);
	if (st.st_size > (off_t)FX_FS_MAX_FILE)
		return fx_fail(err, FX_E_LIMIT, "read %s: larger than %u bytes", path, FX_FS_MAX_FILE);
	size_t size = (size_t)st.st_size, n = 0;
	char *buf = fx_arena_alloc(arena, size + 1);
	if (!buf)
		return fx_fail_nomem(err);
	while (n < size) {
		ssize_t got = read(fd, buf + n, size - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fx_fail_errno(err, "read %s", path);
		if (got == 0)
			break;
		n += (size_t)got;
	}
	buf[n] = '\0';
	*data = buf;
	*len = n;
	return 0;
}

/*
 * Opens what disk_resolve() found: a path without links, below the root. The kernel makes sure that it still
 * is (openat2(2), Linux 5.6); where it cannot, at least no link is followed at the end. Opening never blocks
 * on a pipe or device that lies in the tree.
 */
static int open_beneath(const struct disk *disk, const char *real)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
	        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	size_t n = strlen(disk->root);
	const char *below = real + (strncmp(real, disk->root, n) == 0 ? n : 0);
	below += *below == '/';
	int fd = (int)syscall(SYS_openat2, disk->fd, *below ? below : ".", &how, sizeof(how));
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = open(real, (int)how.flags);
	return fd;
}

static int disk_read(const struct fx_fs *fs, const char *path, struct fx_arena *arena, const char **data,
        size_t *len, struct fx_error *err)
{
	const char *real;
	enum fx_fs_type type;
	fx_auto(error) struct fx_error why = FX_ERROR_INIT;
	if (disk_resolve(fs, path, arena, &real, &type, &why) < 0) {
		if (why.code == FX_E_NOT_FOUND)
			return fx_fail(err, FX_E_NOT_FOUND, "open %s: no such file or directory", path);
		int rc = -(int)why.code;
		fx_error_move(err, &why);
		return rc;
	}
	fx_auto(fd) int fd = open_beneath((const struct disk *)fs, real);
	if (fd < 0)
		return fx_fail_errno(err, "open %s", path);
	return read_all(fd, path, arena, data, len, err);
}

static void disk_free(struct fx_fs *fs)
{
	struct disk *disk = (struct disk *)fs;
	close(disk->fd);
	free(disk->root);
	free(disk);
}

static const struct fx_fs_ops disk_ops = {disk_resolve, disk_read, disk_free};

int fx_fs_new_disk(const char *root, struct fx_fs **out, struct fx_error *err)
{
	fx_autofree char *real = realpath(root, NULL);
	if (!real)
		return fx_fail_errno(err, "%s", root);
	struct disk *disk = calloc(1, sizeof(*disk));
	if (!disk)
		return fx_fail_nomem(err);
	disk->fd = open(real, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (disk->fd < 0) {
		free(disk);
		return fx_fail_errno(err, "open %s", root);
	}
	disk->base.ops = &disk_ops;
	disk->root = fx_take(real);
	*out = &disk->base;
	return 0;
}

/* ---- memory ---- */

struct memory_file {
	size_t len;
	char data[];
};

struct memory {
	struct fx_fs base;
	struct fx_map files;
	struct fx_map dirs;
};

static int memory_resolve(const struct fx_fs *fs, const char *path, struct fx_arena *arena, const char **out,
        enum fx_fs_type *type, struct fx_error *err)
{
	const struct memory *m = (const struct memory *)fs;
	bool file = fx_map_has(&m->files, path);
	if (!file && !fx_map_has(&m->dirs, path))
		return fx_fail(err, FX_E_NOT_FOUND, "lstat %s: no such file or directory", path);
	char *copy = fx_arena_strdup(arena, path);
	if (!copy)
		return fx_fail_nomem(err);
	*out = copy;
	*type = file ? FX_FS_FILE : FX_FS_DIR;
	return 0;
}

static int memory_read(const struct fx_fs *fs, const char *path, struct fx_arena *arena fx_unused,
        const char **data, size_t *len, struct fx_error *err)
{
	const struct memory *m = (const struct memory *)fs;
	const struct memory_file *f = fx_map_get(&m->files, path);
	if (!f && fx_map_has(&m->dirs, path))
		return fx_fail(err, FX_E_INVALID, "read %s: is a directory", path);
	if (!f)
		return fx_fail(err, FX_E_NOT_FOUND, "open %s: no such file or directory", path);
	*data = f->data;
	*len = f->len;
	return 0;
}

static void memory_free(struct fx_fs *fs)
{
	struct memory *m = (struct memory *)fs;
	fx_map_release(&m->files);
	fx_map_release(&m->dirs);
	free(m);
}

static const struct fx_fs_ops memory_ops = {memory_resolve, memory_read, memory_free};

struct fx_fs *fx_fs_new_memory(void)
{
	struct memory *m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->base.ops = &memory_ops;
	m->files.free_value = free;
	if (!fx_map_set(&m->dirs, "/", m)) {
		free(m);
		return NULL;
	}
	return &m->base;
}

int fx_fs_memory_add(struct fx_fs *fs, const char *path, const void *data, size_t len, struct fx_error *err)
{
	struct memory *m = (struct memory *)fs;
	if (path[0] != '/' || path[1] == '\0' || strstr(path, "//") || strstr(path, "/../") ||
	        strlen(path) >= PATH_MAX)
		return fx_fail(err, FX_E_INVALID, "'%s' is no clean absolute path", path);
	char dir[PATH_MAX];
	for (const char *s = strchr(path + 1, '/'); s; s = strchr(s + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(s - path), path);
		if (!fx_map_set(&m->dirs, dir, m))
			return fx_fail_nomem(err);
	}
	struct memory_file *f = malloc(sizeof(*f) + len + 1);
	if (!f)
		return fx_fail_nomem(err);
	f->len = len;
	if (len)
		memcpy(f->data, data, len);
	f->data[len] = '\0';
	if (!fx_map_set(&m->files, path, f)) {
		free(f);
		return fx_fail_nomem(err);
	}
	return 0;
}

void fx_fs_free(struct fx_fs *fs)
{
	if (fs)
		fs->ops->free(fs);
}
