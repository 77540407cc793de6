/*
 * What the files of the build engine share. Private to kustomize/.
 *
 * All memory of a build is in its arena (that of regular expressions, too), so an error may leave by longjmp
 * from any depth: fx_throw() goes to the innermost fx_attempt(), which returns the message. Code that holds
 * heap memory or a descriptor must not call anything that throws. Helpers that make things never return NULL.
 */
#ifndef FX_KUSTOMIZE_ENGINE_H
#define FX_KUSTOMIZE_ENGINE_H

#include "core/arena.h"
#include "core/error.h"
#include "data/node.h"
#include "data/schema.h"
#include "kustomize/kustomize.h"

#include <setjmp.h>
#include <stdarg.h>

#define fx_noreturn __attribute__((noreturn))

struct fx_pattern;
struct fx_config;

struct fx_catch {
	jmp_buf jump;
	struct fx_catch *outer;
};

/* Where a kustomization was found: the directory and the files it lies in. */
struct fx_root {
	const struct fx_fs *fs;
	const char *dir;   /* absolute, links resolved */
	const char *clone; /* top of the checkout, NULL: local */
	const char *repo;  /* as given in the URL */
	const char *ref;
	bool root_only;
	const struct fx_root *referrer;
	int depth;
};

struct fx_build {
	const char *first_problem; /* told by fx_go_on() */
	struct fx_arena *arena;
	const struct fx_build_options *opts;
	struct fx_catch *top;
	const char *message; /* of the error on its way */
	enum fx_error_code code;
	struct fx_schema_set schema;
	bool schema_is_set;
	bool schema_used; /* the built-in document is loaded before a child brings its own */
	bool track;       /* origin annotations are kept up to date */
	size_t targets;
	size_t resources;
	const struct fx_root *root;
	struct fx_config *defaults; /* made at the first use */
};

/* ---- engine.c ---- */

void fx_throw(struct fx_build *b, const char *fmt, ...) fx_printf(2, 3) fx_noreturn;
void fx_throw_code(struct fx_build *b, enum fx_error_code code, const char *fmt, ...)
        fx_printf(3, 4) fx_noreturn;
/* Throws what a function of data/ reported; releases err. */
void fx_throw_error(struct fx_build *b, struct fx_error *err) fx_noreturn;
/* Runs fn; NULL, or the message of what it threw. Running out of memory or of a limit goes on to the
 * outermost. */
const char *fx_attempt(struct fx_build *b, void (*fn)(struct fx_build *b, void *arg), void *arg);
/* As fx_attempt, but throws on, with prefix in front. */
/* Runs fn. When the caller of the build wants all problems, one that fn throws is told, with the prefix in
 * front, and the build goes on. */
void fx_go_on(struct fx_build *b, const char *dir, const char *prefix,
        void (*fn)(struct fx_build *b, void *arg), void *arg);
void fx_with_prefix(struct fx_build *b, void (*fn)(struct fx_build *b, void *arg), void *arg, const char *fmt,
        ...) fx_printf(4, 5);
void fx_warn(struct fx_build *b, const char *fmt, ...) fx_printf(2, 3);

void *fx_new(struct fx_build *b, size_t size);
char *fx_str(struct fx_build *b, const char *s);
char *fx_strn(struct fx_build *b, const char *s, size_t len);
char *fx_fmt(struct fx_build *b, const char *fmt, ...) fx_printf(2, 3);
/* Doubles the room of an array; returns the new one. */
void *fx_more(struct fx_build *b, void *items, size_t *cap, size_t len, size_t size);
/* Go's %q. */
const char *fx_quote(struct fx_build *b, const char *s);

struct fx_node *fx_need(struct fx_build *b, struct fx_node *n);
void fx_needs(struct fx_build *b, bool ok);
struct fx_node *fx_copy(struct fx_build *b, const struct fx_node *n);
struct fx_node *fx_scalar(struct fx_build *b, enum fx_tag tag, const char *text);
void fx_set(struct fx_build *b, struct fx_node *map, const char *key, struct fx_node *value);
/* The map at key, made when it is absent or null. */
struct fx_node *fx_need_map(struct fx_build *b, struct fx_node *map, const char *key);
/* Overwrites a scalar's text in place: its style stays. Throws when it is none. */
void fx_set_scalar(struct fx_build *b, struct fx_node *n, const char *text, enum fx_tag tag);
void fx_wrong_kind(struct fx_build *b, const char *expected, const struct fx_node *n) fx_noreturn;
/* The document as text, for messages and values. */
const char *fx_yaml_text(struct fx_build *b, const struct fx_node *n);
const char *fx_node_json(struct fx_build *b, const struct fx_node *n, unsigned flags);

/* Map from strings to pointers, in the arena. */
struct fx_index {
	struct fx_index_slot {
		const char *key;
		void *value;
	} * slots;
	size_t cap, len;
};

void *fx_index_get(const struct fx_index *index, const char *key);
void fx_index_set(struct fx_build *b, struct fx_index *index, const char *key, void *value);

/* A list of texts. */
struct fx_texts {
	const char **items;
	size_t len, cap;
};

void fx_texts_add(struct fx_build *b, struct fx_texts *list, const char *text);
/* Splits at every sep; an empty text gives one empty item. */
struct fx_texts fx_texts_split(struct fx_build *b, const char *text, char sep);
const char *fx_texts_join(struct fx_build *b, const struct fx_texts *list, const char *sep);

/* ---- regex.c: RE2's syntax on PCRE2 ---- */

/* anchored: ^(?:pattern)$. Throws "error parsing regexp: ...". */
struct fx_pattern *fx_pattern_new(struct fx_build *b, const char *pattern, bool anchored);
bool fx_pattern_match(struct fx_build *b, const struct fx_pattern *re, const char *text);

/* ---- res.c: resources and their identities ---- */

struct fx_gvk {
	const char *group, *version, *kind;
	bool cluster;
};

struct fx_id {
	struct fx_gvk gvk;
	const char *name, *ns;
};

struct fx_res {
	struct fx_node *node;
	struct fx_texts vars; /* names of vars that take their value from here */
};

struct fx_resmap {
	struct fx_res **items;
	size_t len, cap;
	struct fx_index ids; /* of items, while ids_valid */
	bool ids_valid;
};

#define FX_INTERNAL "internal.config.kubernetes.io/"
#define FX_ANNO_NAMES FX_INTERNAL "previousNames"
#define FX_ANNO_NAMESPACES FX_INTERNAL "previousNamespaces"
#define FX_ANNO_KINDS FX_INTERNAL "previousKinds"
#define FX_ANNO_PREFIXES FX_INTERNAL "prefixes"
#define FX_ANNO_SUFFIXES FX_INTERNAL "suffixes"
#define FX_ANNO_BEHAVIOR FX_INTERNAL "generatorBehavior"
#define FX_ANNO_HASH FX_INTERNAL "needsHashSuffix"
#define FX_ANNO_NAME_CHANGE FX_INTERNAL "allowNameChange"
#define FX_ANNO_KIND_CHANGE FX_INTERNAL "allowKindChange"
#define FX_ANNO_HELM FX_INTERNAL "helm-generated"
#define FX_ANNO_ORIGIN "config.kubernetes.io/origin"
#define FX_ANNO_TRANSFORMATIONS "alpha.config.kubernetes.io/transformations"

extern const char *const fx_build_annotations[];

struct fx_gvk fx_gvk_of(struct fx_build *b, const struct fx_node *n);
void fx_gvk_split(struct fx_build *b, const char *api_version, struct fx_gvk *out);
/* Every field that sel has is equal in gvk. */
bool fx_gvk_selected(const struct fx_gvk *gvk, const struct fx_gvk *sel);
bool fx_gvk_equal(const struct fx_gvk *a, const struct fx_gvk *b);
const char *fx_gvk_text(struct fx_build *b, const struct fx_gvk *gvk);
const char *fx_id_text(struct fx_build *b, const struct fx_id *id);
const char *fx_id_namespace(const struct fx_id *id); /* the effective one */
const char *fx_id_key(struct fx_build *b, const struct fx_id *id);
bool fx_id_equal(const struct fx_id *a, const struct fx_id *b);
bool fx_id_selected(const struct fx_id *id, const struct fx_id *sel);

struct fx_res *fx_res_new(struct fx_build *b, struct fx_node *node);
const char *fx_res_name(const struct fx_res *r);
const char *fx_res_namespace(const struct fx_res *r);
const char *fx_res_kind(const struct fx_res *r);
void fx_res_set_name(struct fx_build *b, struct fx_res *r, const char *name);
void fx_res_set_namespace(struct fx_build *b, struct fx_res *r, const char *ns);
struct fx_id fx_res_id(struct fx_build *b, const struct fx_res *r);
struct fx_id fx_res_original_id(struct fx_build *b, const struct fx_res *r);
/* Oldest first, without the current one. */
size_t fx_res_previous_ids(struct fx_build *b, const struct fx_res *r, struct fx_id **out);
/* Current and previous ones: current first. */
size_t fx_res_all_ids(struct fx_build *b, const struct fx_res *r, struct fx_id **out);
void fx_res_store_id(struct fx_build *b, struct fx_res *r);
const char *fx_res_annotation(const struct fx_res *r, const char *key);
/* Sets one annotation in place. */
void fx_res_set_annotation(struct fx_build *b, struct fx_res *r, const char *key, const char *value);
void fx_res_add_to_list(struct fx_build *b, struct fx_res *r, const char *key, const char *value);
/* Rewrites metadata's map `field` (annotations, labels) with string values only; an empty one goes away. */
void fx_res_rebuild_map(struct fx_build *b, struct fx_res *r, const char *field);
/* Rebuilds the annotations without key (may be NULL). */
void fx_res_drop_annotation(struct fx_build *b, struct fx_res *r, const char *key);
/* As Go's SetAnnotations does after one entry was changed. */
void fx_res_put_annotation(struct fx_build *b, struct fx_res *r, const char *key, const char *value);

void fx_resmap_append(struct fx_build *b, struct fx_resmap *m, struct fx_res *r);
void fx_resmap_append_all(struct fx_build *b, struct fx_resmap *m, const struct fx_resmap *other);
/* Takes out resources that have become NULL or empty. */
void fx_resmap_drop_empty(struct fx_resmap *m);
/* Checks again that ids differ, after something may have changed them. */
void fx_resmap_check_ids(struct fx_build *b, struct fx_resmap *m);
void fx_resmap_absorb(struct fx_build *b, struct fx_resmap *m, const struct fx_resmap *generated);
struct fx_res *fx_resmap_get(struct fx_build *b, const struct fx_resmap *m, const struct fx_id *id);

/* A selector as in `patches[].target`. */
struct fx_selector {
	struct fx_id id;
	const char *annotations, *labels;
};

struct fx_selector fx_selector_read(struct fx_build *b, const struct fx_node *n);
const char *fx_selector_text(struct fx_build *b, const struct fx_selector *s);

/* A selector's anchored expressions, NULL where it has none. */
struct fx_patterns {
	struct fx_pattern *group, *version, *kind, *name, *ns;
};

struct fx_patterns fx_patterns_new(struct fx_build *b, const struct fx_id *id);
/* text fits re; re NULL: any text. */
bool fx_pattern_fits(struct fx_build *b, const struct fx_pattern *re, const char *text);
bool fx_patterns_fit_gvk(struct fx_build *b, const struct fx_patterns *p, const struct fx_gvk *gvk);

void fx_resmap_select(
        struct fx_build *b, const struct fx_resmap *m, const struct fx_selector *s, struct fx_resmap *out);

/* ---- labelselector.c ---- */

struct fx_label_selector;
struct fx_label_selector *fx_label_selector_new(struct fx_build *b, const char *text);
bool fx_label_selector_match(const struct fx_label_selector *s, const struct fx_node *labels);

/* ---- reading.c: resource files ---- */

/* Reads a file of resources. Throws "MalformedYAMLError: ..." and the like. */
void fx_read_resources(struct fx_build *b, const char *text, size_t len, struct fx_resmap *out);

/* ---- loader.c ---- */

struct fx_root *fx_root_first(struct fx_build *b, const struct fx_fs *fs, const char *path);
/* A base or component; throws when it cannot be one. */
struct fx_root *fx_root_next(struct fx_build *b, const struct fx_root *from, const char *path);
const char *fx_root_load(struct fx_build *b, const struct fx_root *root, const char *path, size_t *len);
bool fx_is_remote_file(const char *path);

/* ---- types.c, decode.c: what may be written, and reading it ---- */

enum fx_field_type {
	FX_FIELD_STR,
	FX_FIELD_BOOL,
	FX_FIELD_INT,
	FX_FIELD_STRS, /* list of strings */
	FX_FIELD_MAP,  /* of strings */
	FX_FIELD_ANY,
	FX_FIELD_OBJECT,
	FX_FIELD_LIST, /* of objects */
};

struct fx_field {
	const char *name; /* NULL ends a table */
	enum fx_field_type type;
	const struct fx_field *sub;
	const char *go; /* name of the Go struct, for messages */
	/* The embedded struct it stands in: part of messages, and sigs.k8s.io/yaml makes no strings of
	 * numbers there. NULL: none. */
	const char *within;
};

extern const struct fx_field fx_kustomization_fields[], fx_config_fields[], fx_replacement_fields[],
        fx_value_add_fields[];
/* The configuration of a built-in plugin; NULL: it takes none. */
const struct fx_field *fx_plugin_fields(const char *kind);

struct fx_decoding {
	const char *error; /* in front of messages */
	bool strict;       /* unknown fields are errors */
	bool coerce;       /* numbers and booleans may stand for strings */
	bool exact;        /* names only in the table's spelling */
};

/*
 * A map with the fields that n (plain values) has, under their names as the table spells them; names are
 * found in any case, nulls count as missing. Throws as Go's decoder fails. No or null n: an empty map.
 */
struct fx_node *fx_decode(struct fx_build *b, const struct fx_decoding *how, const struct fx_node *n,
        const struct fx_field *fields, const char *go);
/* How sigs.k8s.io/yaml reads into a struct, its strict variant, and how go-yaml v3 does. */
extern const struct fx_decoding fx_decoding_yaml, fx_decoding_yaml_strict, fx_decoding_yaml_v3;

/* ---- kustfile.c ---- */

/* Reads and checks the kustomization of a directory; the node has all fix-ups. *file is its name. */
struct fx_node *fx_kustomization_load(struct fx_build *b, const struct fx_root *root, const char **file);

/* ---- config.c: where transformers look ---- */

struct fx_fieldspec {
	struct fx_gvk gvk;
	const char *path;
	bool create;
	struct fx_texts parts;
};

struct fx_fieldspecs {
	struct fx_fieldspec *items;
	size_t len, cap;
};

struct fx_backref {
	struct fx_gvk target;
	struct fx_fieldspecs referrers;
};

enum fx_config_list {
	FX_CFG_NAME_PREFIX,
	FX_CFG_NAME_SUFFIX,
	FX_CFG_NAMESPACE,
	FX_CFG_COMMON_LABELS,
	FX_CFG_LABELS,
	FX_CFG_TEMPLATE_LABELS,
	FX_CFG_COMMON_ANNOTATIONS,
	FX_CFG_VAR_REFERENCE,
	FX_CFG_IMAGES,
	FX_CFG_REPLICAS,
	FX_CFG_COUNT,
};

struct fx_config {
	struct fx_fieldspecs lists[FX_CFG_COUNT];
	struct fx_backref *refs;
	size_t n_refs, cap_refs;
};

struct fx_config *fx_config_new(struct fx_build *b);
struct fx_config *fx_config_default(struct fx_build *b);
void fx_config_merge(struct fx_build *b, struct fx_config *to, const struct fx_config *from);
struct fx_config *fx_config_read(struct fx_build *b, const char *text, size_t len);
struct fx_config *fx_config_from_crds(struct fx_build *b, const char *path, const char *text, size_t len);
/* Throws "conflicting fieldspecs". */
void fx_fieldspecs_add(struct fx_build *b, struct fx_fieldspecs *to, const struct fx_fieldspec *spec);
void fx_fieldspecs_merge(struct fx_build *b, struct fx_fieldspecs *to, const struct fx_fieldspecs *from);
void fx_fieldspecs_read(struct fx_build *b, const struct fx_node *list, struct fx_fieldspecs *out);
void fx_fieldspec_split(struct fx_build *b, struct fx_fieldspec *spec);

/* ---- fieldspec.c: visiting the places of a spec ---- */

typedef void (*fx_field_fn)(struct fx_build *b, struct fx_node *node, void *ctx);

/* create_kind: FX_NODE_* or -1 (never create). Visits without looking at the object's kind when any_kind. */
void fx_fieldspec_visit(struct fx_build *b, const struct fx_fieldspec *spec, struct fx_res *r,
        int create_kind, enum fx_tag create_tag, bool any_kind, fx_field_fn fn, void *ctx);
/* kyaml's SmarterPathSplitter: dots split, but for those after a backslash and inside brackets. */
struct fx_texts fx_path_split(struct fx_build *b, const char *path);
/* Looks up one part as kyaml's PathGetter does; NULL: missing. Throws. */
struct fx_node *fx_path_step(struct fx_build *b, struct fx_node *n, const char *part);
struct fx_node *fx_path_lookup(struct fx_build *b, struct fx_node *n, const struct fx_texts *parts);

/* ---- transformers ---- */

void fx_transform_namespace(struct fx_build *b, struct fx_resmap *m, const char *ns,
        const struct fx_fieldspecs *specs, bool unset_only, const char *subjects);
void fx_transform_affix(struct fx_build *b, struct fx_resmap *m, const char *text, bool prefix,
        const struct fx_fieldspecs *specs);
/* values: a map of strings. */
void fx_transform_map(struct fx_build *b, struct fx_resmap *m, const struct fx_node *values,
        const struct fx_fieldspecs *specs);
void fx_transform_replicas(struct fx_build *b, struct fx_resmap *m, const char *name, const char *count,
        const struct fx_fieldspecs *specs);
void fx_transform_image(struct fx_build *b, struct fx_resmap *m, const struct fx_node *image,
        const struct fx_fieldspecs *specs);
void fx_transform_patches_strategic(
        struct fx_build *b, const struct fx_root *root, struct fx_resmap *m, const struct fx_node *entries);
/* PatchStrategicMergeTransformer: paths and inline documents apart. */
void fx_transform_patches_config(struct fx_build *b, const struct fx_root *root, struct fx_resmap *m,
        const struct fx_node *paths, const char *patches);
void fx_transform_patch(
        struct fx_build *b, const struct fx_root *root, struct fx_resmap *m, const struct fx_node *entry);
void fx_transform_json6902(struct fx_build *b, const struct fx_root *root, struct fx_resmap *m,
        const struct fx_node *target, const char *path, const char *ops);
void fx_transform_replacements(
        struct fx_build *b, const struct fx_root *root, struct fx_resmap *m, const struct fx_node *list);
void fx_transform_hash(struct fx_build *b, struct fx_resmap *m);
void fx_transform_value_add(
        struct fx_build *b, const struct fx_root *root, struct fx_resmap *m, const struct fx_node *config);

/* ConfigMap or Secret from generator arguments. */
struct fx_res *fx_generate(struct fx_build *b, const struct fx_root *root, const struct fx_node *args,
        const struct fx_node *global_options, bool secret);

void fx_fix_name_references(struct fx_build *b, struct fx_resmap *m, const struct fx_config *config);

struct fx_vars {
	const struct fx_node **items;
	size_t len, cap;
};

void fx_vars_merge(struct fx_build *b, struct fx_vars *to, struct fx_resmap *m, const struct fx_node *list);
void fx_vars_absorb(struct fx_build *b, struct fx_vars *to, const struct fx_vars *from);
void fx_resolve_vars(
        struct fx_build *b, struct fx_resmap *m, const struct fx_vars *vars, const struct fx_config *config);

void fx_sort_legacy(struct fx_build *b, struct fx_resmap *m, const struct fx_node *options);

/* ---- origin.c ---- */

void fx_origin_of_file(struct fx_build *b, struct fx_resmap *m, const struct fx_root *root, const char *path);
/* by: map with apiVersion, kind, and name/namespace of the configuration; file: where it stands. */
void fx_origin_of_generator(struct fx_build *b, struct fx_resmap *m, const struct fx_root *root,
        const char *file, const struct fx_node *by);
void fx_origin_of_transformer(struct fx_build *b, struct fx_resmap *m, const struct fx_root *root,
        const char *file, const struct fx_node *by);

/* ---- target.c ---- */

/* Accumulates the kustomization at root with all its bases. */
void fx_accumulate(struct fx_build *b, const struct fx_root *root, struct fx_resmap *out,
        struct fx_config **config, struct fx_vars *vars, const struct fx_node **kustomization);
/* A file or a kustomization directory, as a list of resources. */
void fx_accumulate_entry(
        struct fx_build *b, const struct fx_root *root, const char *path, struct fx_resmap *out);

/* ---- plugin.c ---- */

/* generatorOptions are not for these. */
void fx_run_generators(
        struct fx_build *b, const struct fx_root *root, const struct fx_node *entries, struct fx_resmap *m);
void fx_run_transformers(
        struct fx_build *b, const struct fx_root *root, const struct fx_node *entries, struct fx_resmap *m);
void fx_run_validators(
        struct fx_build *b, const struct fx_root *root, const struct fx_node *entries, struct fx_resmap *m);

#endif
