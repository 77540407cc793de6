#include "trace.h"

#include <string.h>

/* A record: kind, hash of what was seen, length of the path, path. */
enum trace_kind { TRACE_RESOLVE, TRACE_READ, TRACE_LIST };

struct record {
	uint64_t hash;
	uint32_t path_len;
	uint32_t kind;
};

static struct fx_trace_fs *tracing(const struct fx_fs *fs)
{
	return (struct fx_trace_fs *)fs;
}

static void note(struct fx_trace_fs *t, enum trace_kind kind, const char *path, uint64_t hash)
{
	char small[512];
	size_t path_len = strlen(path);
	fx_autofree char *large = path_len + 2 > sizeof(small) ? malloc(path_len + 2) : NULL;
	char *key = path_len + 2 > sizeof(small) ? large : small;
	if (!key) {
		t->packed.failed = true;
		return;
	}
	key[0] = (char)('0' + kind);
	memcpy(key + 1, path, path_len + 1);
	if (fx_map_has(&t->seen, key))
		return;
	struct record r = {hash, (uint32_t)path_len, kind};
	fx_buf_add(&t->packed, &r, sizeof(r));
	fx_buf_add(&t->packed, path, path_len);
	if (!fx_map_set(&t->seen, key, t))
		t->packed.failed = true;
}

/* Resolved path and type; 1 when it does not resolve. */
static uint64_t resolve_hash(const char *resolved, enum fx_fs_type type)
{
	return resolved ? fx_hash(resolved, strlen(resolved)) ^ (uint64_t)type : 1;
}

static bool is_overlay(const struct fx_trace_fs *t, const char *path)
{
	return t->overlay_path && !strcmp(path, t->overlay_path);
}

static int trace_resolve(const struct fx_fs *fs, const char *path, struct fx_arena *arena, const char **out,
        enum fx_fs_type *type, struct fx_error *err)
{
	struct fx_trace_fs *t = tracing(fs);
	int rc = t->base->fs->ops->resolve(t->base->fs, path, arena, out, type, err);
	note(t, TRACE_RESOLVE, path, rc < 0 ? resolve_hash(NULL, FX_FS_FILE) : resolve_hash(*out, *type));
	if (is_overlay(t, path)) {
		fx_error_release(err);
		*out = t->overlay_path;
		*type = FX_FS_FILE;
		return 0;
	}
	return rc;
}

static int trace_read(const struct fx_fs *fs, const char *path, struct fx_arena *arena, const char **data,
        size_t *len, struct fx_error *err)
{
	struct fx_trace_fs *t = tracing(fs);
	if (is_overlay(t, path)) {
		*data = t->overlay_data;
		*len = t->overlay_len;
		return 0;
	}
	int rc = t->base->fs->ops->read(t->base->fs, path, arena, data, len, err);
	note(t, TRACE_READ, path, rc < 0 ? 1 : fx_hash(*data, *len));
	return rc;
}

static const struct fx_fs_ops trace_ops = {.resolve = trace_resolve, .read = trace_read};

void fx_trace_fs_init(struct fx_trace_fs *fs, const struct fx_tree_view *base)
{
	*fs = (struct fx_trace_fs){
	        .fs = {.ops = &trace_ops}, .base = base, .packed = FX_BUF_INIT_MAX(FX_TRACE_MAX)};
}

void fx_trace_fs_release(struct fx_trace_fs *fs)
{
	fx_map_release(&fs->seen);
	fx_buf_release(&fs->packed);
}

void fx_trace_fs_overlay(struct fx_trace_fs *fs, const char *path, const char *data, size_t len)
{
	fs->overlay_path = path;
	fs->overlay_data = data;
	fs->overlay_len = len;
}

static uint64_t list_hash(const struct fx_ksfile_entry *entries, size_t count)
{
	uint64_t hash = count;
	for (size_t i = 0; i < count; i++)
		hash = hash * 31 + fx_hash(entries[i].name, strlen(entries[i].name)) + entries[i].is_dir;
	return hash;
}

int fx_trace_list(void *arg, const char *dir, struct fx_arena *arena, struct fx_ksfile_entry **out,
        size_t *count, struct fx_error *err)
{
	struct fx_trace_fs *t = arg;
	int rc = t->base->list(t->base->list_arg, dir, arena, out, count, err);
	note(t, TRACE_LIST, dir, rc < 0 ? 1 : list_hash(*out, *count));
	return rc;
}

char *fx_trace_take(struct fx_trace_fs *fs, size_t *out_len)
{
	char *packed = fx_buf_take(&fs->packed, out_len);
	/* The buffer grew by doubling; the trace is kept for long. */
	char *tight = packed ? realloc(packed, *out_len) : NULL;
	return tight ? tight : packed;
}

static uint64_t hash_now(
        const struct fx_tree_view *view, const struct record *r, const char *path, struct fx_arena *arena)
{
	const char *text = NULL;
	enum fx_fs_type type = FX_FS_FILE;
	size_t len;
	struct fx_ksfile_entry *entries;
	switch ((enum trace_kind)r->kind) {
	case TRACE_RESOLVE:
		return view->fs->ops->resolve(view->fs, path, arena, &text, &type, NULL) < 0
		               ? 1
		               : resolve_hash(text, type);
	case TRACE_READ:
		return view->fs->ops->read(view->fs, path, arena, &text, &len, NULL) < 0 ? 1
		                                                                         : fx_hash(text, len);
	case TRACE_LIST:
		return view->list(view->list_arg, path, arena, &entries, &len, NULL) < 0
		               ? 1
		               : list_hash(entries, len);
	}
	return 0;
}

bool fx_trace_matches(const char *trace, size_t len, const struct fx_tree_view *view)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	for (size_t pos = 0; arena && pos + sizeof(struct record) <= len;) {
		struct record r;
		memcpy(&r, trace + pos, sizeof(r));
		pos += sizeof(r);
		char *path = fx_arena_strndup(arena, trace + pos, r.path_len);
		pos += r.path_len;
		if (!path || hash_now(view, &r, path, arena) != r.hash)
			return false;
	}
	return arena != NULL;
}
