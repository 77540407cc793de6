#include "fields.h"

#include "core/buf.h"
#include "core/cleanup.h"
#include "obj.h"
#include "schema.h"

#include <string.h>

static bool is_dot(const char *key)
{
	return key[0] == '.' && key[1] == '\0';
}

static bool is_member(const json_t *set)
{
	return json_object_get(set, ".");
}

static void mark(json_t *set)
{
	if (!is_member(set))
		json_object_set_new(set, ".", json_object());
}

/* Keeps a node that holds something. */
static json_t *kept(json_t *set)
{
	if (json_object_size(set))
		return set;
	json_decref(set);
	return NULL;
}

static void put(json_t *set, const char *key, json_t *child)
{
	if (child)
		json_object_set_new(set, key, child);
}

json_t *fx_as_fields_decode(const json_t *fields_v1)
{
	json_t *set = json_object();
	const char *key;
	json_t *child;
	json_object_foreach ((json_t *)fields_v1, key, child) {
		if (is_dot(key))
			mark(set);
		else
			put(set, key,
			        json_object_size(child) ? fx_as_fields_decode(child)
			                                : json_pack("{s:{}}", "."));
	}
	return kept(set);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

json_t *fx_as_fields_encode(const json_t *set)
{
	json_t *out = json_object();
	size_t count = json_object_size(set), n = 0;
	fx_autofree const char **keys = malloc((count + 1) * sizeof(*keys));
	const char *key;
	json_t *child;
	if (!keys)
		return out;
	json_object_foreach ((json_t *)set, key, child)
		keys[n++] = key;
	qsort(keys, n, sizeof(*keys), by_name);
	for (size_t i = 0; i < n; i++) {
		if (is_dot(keys[i]) && count == 1)
			continue;
		json_object_set_new(out, keys[i],
		        is_dot(keys[i]) ? json_object() : fx_as_fields_encode(json_object_get(set, keys[i])));
	}
	return out;
}

json_t *fx_as_fields_union(const json_t *a, const json_t *b)
{
	if (!a || !b)
		return json_deep_copy(a ? a : b);
	json_t *out = json_deep_copy(a);
	const char *key;
	json_t *child;
	json_object_foreach ((json_t *)b, key, child)
		json_object_set_new(out, key, fx_as_fields_union(json_object_get(a, key), child));
	return out;
}

json_t *fx_as_fields_intersect(const json_t *a, const json_t *b)
{
	json_t *out = json_object();
	const char *key;
	json_t *child;
	json_object_foreach ((json_t *)a, key, child) {
		const json_t *other = json_object_get(b, key);
		if (is_dot(key) && other)
			mark(out);
		else if (other)
			put(out, key, fx_as_fields_intersect(child, other));
	}
	return kept(out);
}

json_t *fx_as_fields_difference(const json_t *a, const json_t *b)
{
	json_t *out = json_object();
	const char *key;
	json_t *child;
	json_object_foreach ((json_t *)a, key, child) {
		const json_t *other = json_object_get(b, key);
		if (is_dot(key)) {
			if (!other)
				mark(out);
		} else {
			put(out, key, other ? fx_as_fields_difference(child, other) : json_deep_copy(child));
		}
	}
	return kept(out);
}

/* The schema below a path element. */
static struct fx_as_field step(const json_t *schema, const char *element)
{
	if (element[0] == 'f')
		return fx_as_schema_field(schema, element + 2);
	return (struct fx_as_field){.schema = fx_as_schema_items(schema), .declared = true};
}

json_t *fx_as_fields_ensure_named(const json_t *schema, const json_t *set)
{
	if (!set)
		return NULL;
	json_t *out = json_object();
	const char *key;
	json_t *child;
	json_object_foreach ((json_t *)set, key, child) {
		if (is_dot(key)) {
			mark(out);
			continue;
		}
		struct fx_as_field field = step(schema, key);
		json_t *below = fx_as_fields_ensure_named(field.schema, child);
		if (field.named)
			mark(below);
		json_object_set_new(out, key, below);
	}
	return out;
}

static char *field_key(const char *name)
{
	char *key = NULL;
	return asprintf(&key, "f:%s", name) < 0 ? NULL : key;
}

static bool is_blank(const json_t *value)
{
	return !value || json_is_null(value) ||
	       ((json_is_object(value) && !json_object_size(value)) ||
	               (json_is_array(value) && !json_array_size(value)));
}

static void collect(const json_t *schema, const json_t *value, json_t *set)
{
	if (fx_as_schema_is_leaf(schema, value)) {
		mark(set);
		return;
	}
	size_t i;
	json_t *child;
	const char *name;
	json_object_foreach ((json_t *)value, name, child) {
		struct fx_as_field field = fx_as_schema_field(schema, name);
		json_t *below = json_object();
		collect(field.schema, child, below);
		if (!field.named || json_is_null(child) ||
		        (json_is_object(child) && !json_object_size(child)))
			mark(below);
		fx_autofree char *key = field_key(name);
		put(set, key, kept(below));
	}
	json_array_foreach (value, i, child) {
		fx_autofree char *key = fx_as_schema_item_key(schema, child);
		if (!key)
			continue;
		json_t *below = json_object();
		if (key[0] == 'k')
			collect(fx_as_schema_items(schema), child, below);
		mark(below);
		json_object_set_new(set, key, below);
	}
}

json_t *fx_as_fields_of(const json_t *schema, const json_t *value)
{
	json_t *set = json_object();
	if (value)
		collect(schema, value, set);
	json_object_del(set, ".");
	return kept(set);
}

static const json_t *find_item(const json_t *schema, const json_t *list, const char *key)
{
	size_t i;
	json_t *item;
	json_array_foreach (list, i, item) {
		fx_autofree char *have = fx_as_schema_item_key(schema, item);
		if (have && strcmp(have, key) == 0)
			return item;
	}
	return NULL;
}

static void compare(
        const json_t *schema, const json_t *old, const json_t *new, json_t *changed, json_t *removed);

static void compare_child(const json_t *schema, const char *key, const json_t *old, const json_t *new,
        json_t *changed, json_t *removed)
{
	json_t *changed_below = json_object(), *removed_below = json_object();
	compare(schema, old, new, changed_below, removed_below);
	put(changed, key, kept(changed_below));
	put(removed, key, kept(removed_below));
}

static void compare_maps(
        const json_t *schema, const json_t *old, const json_t *new, json_t *changed, json_t *removed)
{
	const char *name;
	json_t *child;
	json_object_foreach ((json_t *)old, name, child) {
		fx_autofree char *key = field_key(name);
		compare_child(fx_as_schema_field(schema, name).schema, key, child, json_object_get(new, name),
		        changed, removed);
	}
	json_object_foreach ((json_t *)new, name, child) {
		fx_autofree char *key = field_key(name);
		if (!json_object_get(old, name))
			compare_child(
			        fx_as_schema_field(schema, name).schema, key, NULL, child, changed, removed);
	}
}

static void compare_lists(
        const json_t *schema, const json_t *old, const json_t *new, json_t *changed, json_t *removed)
{
	size_t i;
	json_t *item;
	const json_t *items = fx_as_schema_items(schema);
	json_array_foreach (old, i, item) {
		fx_autofree char *key = fx_as_schema_item_key(schema, item);
		if (key)
			compare_child(items, key, item, find_item(schema, new, key), changed, removed);
	}
	json_array_foreach (new, i, item) {
		fx_autofree char *key = fx_as_schema_item_key(schema, item);
		if (key && !find_item(schema, old, key))
			compare_child(items, key, NULL, item, changed, removed);
	}
}

static void compare(
        const json_t *schema, const json_t *old, const json_t *new, json_t *changed, json_t *removed)
{
	const json_t *any = new ? new : old;
	if (old && new &&json_typeof(old) != json_typeof(new)) {
		compare(schema, old, NULL, changed, removed);
		json_object_del(removed, ".");
		collect(schema, new, changed);
		mark(changed);
		return;
	}
	if (fx_as_schema_is_leaf(schema, any) || (is_blank(old) && is_blank(new))) {
		if (!old || (new && !json_equal(old, new)))
			mark(changed);
		else if (!new)
			mark(removed);
		return;
	}
	if (!old)
		mark(changed);
	if (!new)
		mark(removed);
	if (json_is_object(any))
		compare_maps(schema, old, new, changed, removed);
	else
		compare_lists(schema, old, new, changed, removed);
}

void fx_as_fields_compare(const json_t *schema, const json_t *old, const json_t *new, json_t **out_changed,
        json_t **out_removed)
{
	json_t *changed = json_object(), *removed = json_object();
	if (old || new)
		compare(schema, old, new, changed, removed);
	json_object_del(changed, ".");
	json_object_del(removed, ".");
	*out_changed = kept(changed);
	*out_removed = kept(removed);
}

static void add_element(struct fx_buf *buf, const char *element)
{
	if (element[0] == 'f') {
		fx_buf_addf(buf, ".%s", element + 2);
		return;
	}
	if (element[0] == 'v') {
		fx_buf_addf(buf, "[=%s]", element + 2);
		return;
	}
	fx_auto(json) json_t *keys = json_loads(element + 2, 0, NULL);
	const char *name;
	json_t *value;
	bool first = true;
	fx_buf_add_char(buf, '[');
	json_object_foreach (keys, name, value) {
		fx_autofree char *text = fx_as_text(value);
		fx_buf_addf(buf, "%s%s=%s", first ? "" : ",", name, text);
		first = false;
	}
	fx_buf_add_char(buf, ']');
}

static void paths(const json_t *set, struct fx_buf *path, json_t *out)
{
	if (is_member(set))
		json_array_append_new(out, json_string(fx_buf_str(path)));
	const char *key;
	json_t *child;
	size_t len = path->len;
	json_object_foreach ((json_t *)set, key, child) {
		if (is_dot(key))
			continue;
		add_element(path, key);
		paths(child, path, out);
		fx_buf_truncate(path, len);
	}
}

void fx_as_fields_paths(const json_t *set, json_t *out)
{
	fx_auto(buf) struct fx_buf path = FX_BUF_INIT;
	/* Through the text form, which sorts. */
	fx_auto(json) json_t *sorted = fx_as_fields_encode(set);
	fx_auto(json) json_t *again = fx_as_fields_decode(sorted);
	if (again)
		paths(again, &path, out);
}

static json_t *merge(const json_t *schema, const json_t *live, const json_t *config);

/* Keys of the items of a list, NULL where an item has none. */
struct keyed {
	size_t count;
	char **keys;
};

static struct keyed keyed_new(const json_t *schema, const json_t *list)
{
	struct keyed k = {.count = json_array_size(list)};
	k.keys = calloc(k.count + 1, sizeof(char *));
	for (size_t i = 0; k.keys && i < k.count; i++)
		k.keys[i] = fx_as_schema_item_key(schema, json_array_get(list, i));
	return k;
}

static void fx_auto_keyed(struct keyed *k)
{
	for (size_t i = 0; k->keys && i < k->count; i++)
		free(k->keys[i]);
	free(k->keys);
}

static bool same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static ssize_t index_of(const struct keyed *k, const char *key)
{
	for (size_t i = 0; i < k->count; i++)
		if (same(k->keys[i], key))
			return (ssize_t)i;
	return -1;
}

/* The first shared item from rhs[from] on. */
static const char *next_shared(const struct keyed *lhs, const struct keyed *rhs, size_t from)
{
	for (size_t i = from; i < rhs->count; i++)
		if (index_of(lhs, rhs->keys[i]) >= 0)
			return rhs->keys[i];
	return NULL;
}

/* Items of config keep config's order, live's own items stay where they were between them. */
static json_t *merge_lists(const json_t *schema, const json_t *live, const json_t *config)
{
	fx_auto(keyed) struct keyed lhs = keyed_new(schema, live);
	fx_auto(keyed) struct keyed rhs = keyed_new(schema, config);
	const json_t *items = fx_as_schema_items(schema);
	json_t *out = json_array();
	for (size_t l = 0, r = 0; l < lhs.count || r < rhs.count;) {
		const char *shared = next_shared(&lhs, &rhs, r);
		if (l < lhs.count) {
			ssize_t at = index_of(&rhs, lhs.keys[l]);
			if (at < 0) {
				json_array_append(out, json_array_get(live, l++));
				continue;
			}
			/* Merged already, or its turn in config's order comes later. */
			if ((size_t)at < r || (shared && !same(shared, lhs.keys[l]))) {
				l++;
				continue;
			}
		}
		if (r < rhs.count) {
			ssize_t at = index_of(&lhs, rhs.keys[r]);
			json_array_append_new(
			        out, merge(items, at < 0 ? NULL : json_array_get(live, (size_t)at),
			                     json_array_get(config, r)));
			if (l < lhs.count && same(lhs.keys[l], rhs.keys[r]))
				l++;
			r++;
		}
	}
	return out;
}

static json_t *merge(const json_t *schema, const json_t *live, const json_t *config)
{
	if (!live || json_typeof(live) != json_typeof(config) || fx_as_schema_is_leaf(schema, config))
		return json_deep_copy(config);
	if (json_is_array(config))
		return merge_lists(schema, live, config);
	json_t *out = json_copy((json_t *)live);
	const char *key;
	json_t *child;
	json_object_foreach ((json_t *)config, key, child)
		json_object_set_new(out, key,
		        merge(fx_as_schema_field(schema, key).schema, json_object_get(live, key), child));
	return out;
}

json_t *fx_as_fields_merge(const json_t *schema, const json_t *live, const json_t *config)
{
	fx_auto(json) json_t *merged = merge(schema, live, config);
	return json_deep_copy(merged);
}

static json_t *without(const json_t *schema, const json_t *value, const json_t *set)
{
	size_t i;
	json_t *child;
	const char *name;
	if (json_is_object(value)) {
		json_t *out = json_object();
		json_object_foreach ((json_t *)value, name, child) {
			fx_autofree char *key = field_key(name);
			const json_t *below = json_object_get(set, key);
			if (!below)
				json_object_set(out, name, child);
			else if (!is_member(below))
				json_object_set_new(out, name,
				        without(fx_as_schema_field(schema, name).schema, child, below));
		}
		return out;
	}
	if (!json_is_array(value) || fx_as_schema_is_leaf(schema, value))
		return json_incref((json_t *)value);
	json_t *out = json_array();
	json_array_foreach (value, i, child) {
		fx_autofree char *key = fx_as_schema_item_key(schema, child);
		const json_t *below = key ? json_object_get(set, key) : NULL;
		if (!below)
			json_array_append(out, child);
		else if (!is_member(below))
			json_array_append_new(out, without(fx_as_schema_items(schema), child, below));
	}
	return out;
}

json_t *fx_as_fields_remove(const json_t *schema, const json_t *value, const json_t *set)
{
	fx_auto(json) json_t *shallow = without(schema, value, set);
	return json_deep_copy(shallow);
}
