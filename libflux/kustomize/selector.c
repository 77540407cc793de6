#include "kustomize/selector.h"
#include "kustomize/engine.h"

#include "data/jansson.h"
#include "data/json.h"

#include <string.h>

struct fx_object_selector {
	struct fx_build b; /* what the expressions allocate with and throw to */
	struct fx_patterns patterns;
	struct fx_label_selector *labels, *annotations;
};

static const struct fx_build_options no_options;

static int report(const struct fx_build *b, struct fx_error *err)
{
	return b->message ? fx_fail(err, b->code, "%s", b->message) : fx_fail_nomem(err);
}

/* A text of the target in the arena, "" when it is not there. */
static const char *text_of(struct fx_build *b, const json_t *target, const char *key)
{
	const char *text = json_string_value(json_object_get(target, key));
	return text ? fx_fmt(b, "%s", text) : "";
}

static struct fx_label_selector *labels(struct fx_build *b, const json_t *target, const char *key)
{
	const char *text = text_of(b, target, key);
	return *text ? fx_label_selector_new(b, text) : NULL;
}

int fx_object_selector_new(
        struct fx_arena *arena, const json_t *target, struct fx_object_selector **out, struct fx_error *err)
{
	struct fx_object_selector *s = fx_arena_alloc(arena, sizeof(*s));
	if (!s)
		return fx_fail_nomem(err);
	memset(s, 0, sizeof(*s));
	s->b = (struct fx_build){.arena = arena, .opts = &no_options, .schema = FX_SCHEMA_BUILTIN};
	struct fx_catch last;
	last.outer = NULL;
	s->b.top = &last;
	if (setjmp(last.jump) != 0)
		return report(&s->b, err);
	struct fx_id id = {.gvk = {.group = text_of(&s->b, target, "group"),
	                           .version = text_of(&s->b, target, "version"),
	                           .kind = text_of(&s->b, target, "kind")},
	        .name = text_of(&s->b, target, "name"),
	        .ns = text_of(&s->b, target, "namespace")};
	s->patterns = fx_patterns_new(&s->b, &id);
	s->labels = labels(&s->b, target, "labelSelector");
	s->annotations = labels(&s->b, target, "annotationSelector");
	s->b.top = NULL;
	*out = s;
	return 0;
}

static bool has(struct fx_build *b, const struct fx_label_selector *s, const json_t *map)
{
	if (!s)
		return true;
	struct fx_node *node = map ? fx_node_from_json(b->arena, map) : fx_node_new_map(b->arena);
	if (!node)
		fx_throw_code(b, FX_E_NOMEM, "out of memory");
	return fx_label_selector_match(s, node);
}

static bool selects(struct fx_object_selector *s, const json_t *object)
{
	struct fx_build *b = &s->b;
	const char *api = fx_json_str_at(object, "apiVersion");
	const char *slash = api ? strrchr(api, '/') : NULL;
	const char *group = slash ? fx_strn(b, api, (size_t)(slash - api)) : "";
	const char *kind = fx_json_str_at(object, "kind"), *name = fx_json_str_at(object, "metadata", "name");
	const char *ns = fx_json_str_at(object, "metadata", "namespace");
	const char *version = slash ? slash + 1 : api;
	struct fx_gvk gvk = {.group = group, .version = version ? version : "", .kind = kind ? kind : ""};
	return fx_patterns_fit_gvk(b, &s->patterns, &gvk) &&
	       fx_pattern_fits(b, s->patterns.ns, ns ? ns : "") &&
	       fx_pattern_fits(b, s->patterns.name, name ? name : "") &&
	       has(b, s->labels, fx_json_at(object, "metadata", "labels")) &&
	       has(b, s->annotations, fx_json_at(object, "metadata", "annotations"));
}

int fx_object_selector_match(
        struct fx_object_selector *selector, const json_t *object, bool *out, struct fx_error *err)
{
	struct fx_catch last;
	last.outer = NULL;
	selector->b.top = &last;
	if (setjmp(last.jump) != 0)
		return report(&selector->b, err);
	*out = selects(selector, object);
	selector->b.top = NULL;
	return 0;
}
