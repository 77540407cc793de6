/*
 * Go's text/template as Helm sets it up: parsed trees, sets of named templates, and the
 * state of one render. Private to helm/. Source: text/template and text/template/parse of Go 1.26.
 */
#ifndef FX_HELM_TEMPLATE_H
#define FX_HELM_TEMPLATE_H

#include "helm/value.h"

/* Nesting of parentheses and blocks in one file: the parser recurses. */
#define FX_TEMPLATE_NEST_MAX 1000
/* Go's own limit of `template` calls; each level here takes C stack, which ends first. */
#define FX_TEMPLATE_DEPTH_MAX 100000
/* Helm's limit of live includes of one name. */
#define FX_INCLUDE_DEPTH_MAX 1000
/* Bytes of C stack that a render leaves alone: an error ends it before. */
#define FX_RENDER_STACK_RESERVE (160u * 1024)
/* Evaluations between two looks at the cancel token. */
#define FX_RENDER_CANCEL_STEPS 1024

enum fx_tnode_kind {
	FX_TN_TEXT,
	FX_TN_ACTION,
	FX_TN_IF,
	FX_TN_WITH,
	FX_TN_RANGE,
	FX_TN_TEMPLATE,
	FX_TN_BREAK,
	FX_TN_CONTINUE,
	FX_TN_IDENT,
	FX_TN_FIELD,
	FX_TN_VAR,
	FX_TN_DOT,
	FX_TN_NIL,
	FX_TN_BOOL,
	FX_TN_NUMBER,
	FX_TN_STRING,
	FX_TN_CHAIN,
	FX_TN_PIPE,
	FX_TN_COMMAND,
};

struct fx_fn;

struct fx_tname {
	const char *s;
	uint32_t len;
};

/* A constant. */
struct fx_literal {
	struct fx_val value; /* STRING, BOOL; NUMBER: int; TEMPLATE: its name */
	double f;
	uint64_t u;
	const double *complex;
};

struct fx_tnode {
	uint8_t kind;
	bool is_assign;                                      /* PIPE */
	bool is_int, is_float, is_uint, is_complex, is_char; /* NUMBER */
	uint32_t pos;                                        /* byte in the file */
	struct fx_tnode *next;                               /* next in a list of nodes */
	const char *text; /* source form: TEXT, NUMBER, STRING with quotes, IDENT */
	uint32_t len;
	struct fx_tname *names; /* FIELD, VAR, CHAIN; PIPE: declared variables */
	uint32_t nnames;
	struct fx_tnode **items; /* PIPE: commands; COMMAND: arguments */
	uint32_t nitems;
	struct fx_tnode *pipe; /* ACTION and controls; CHAIN: its operand */
	struct fx_tnode *body, *otherwise;
	union {
		struct fx_literal *lit;
		const struct fx_fn *fn; /* IDENT */
	};
};

/* One named template. Nothing changes it once its file is parsed: renders share it. */
struct fx_template {
	const char *name;
	uint32_t name_len;
	const char *file; /* name of the file that it is in */
	const char *source;
	struct fx_tnode *body;
	bool empty; /* only white space and comments */
	bool has_body;
};

struct fx_template_link {
	struct fx_template_link *next;
	const struct fx_template *tmpl;
};

/* Named templates of one render; a lookup goes on in parent. */
struct fx_template_set {
	struct fx_template_set *parent;
	struct fx_template_link **slots;
	size_t cap, len;
};

/* A level of execution: what an error names. */
struct fx_frame {
	struct fx_frame *parent;
	const struct fx_template *tmpl;
	const struct fx_tnode *at;
	const struct fx_fn *fn;       /* the function that is running */
	const struct fx_tnode *fn_at; /* its command */
	const char *method;           /* or the method */
	const char *prefix;           /* between this level and the one below */
};

struct fx_variable {
	const char *name;
	uint32_t len;
	struct fx_val val;
};

struct fx_include_count {
	const char *name;
	size_t len;
	unsigned live;
};

struct fx_engine_options;

struct fx_render {
	struct fx_arena *arena;
	struct fx_arena *kept;    /* the arena proper while arena is scratch */
	struct fx_arena *scratch; /* of the render itself */
	struct fx_regexes *regexes;
	struct fx_text *outputs; /* buffers of executions, one a level */
	size_t noutputs, cap_outputs;
	jmp_buf escape;
	struct fx_error *err;
	const struct fx_engine_options *options;
	struct fx_template_set *set;
	struct fx_frame *frame;
	struct fx_variable *vars;
	size_t nvars, cap_vars;
	size_t include_count;
	struct fx_include_count *includes;
	size_t nincludes, cap_includes;
	unsigned depth;
	const char *stack_low; /* the C stack may not grow below this */
	unsigned steps;
	bool user_error; /* the error is from `fail` or `required` */
};

typedef struct fx_val fx_fn_call(struct fx_render *x, const struct fx_val *args, size_t n);

/*
 * Types of parameters, a letter each: S string, I int, 6 int64, U uint32, F float64, B bool, A any,
 * D map[string]interface {}, T time.Time, L duration, V []interface {}; a `*` after the last one: any number.
 */
struct fx_fn {
	const char *name;
	const char *sig;
	fx_fn_call *call;
};

const struct fx_fn *fx_fn_find(const char *name, size_t len);
/* Tables of the files of functions; the last entry has no name. */
extern const struct fx_fn fx_fns_core[], fx_fns_strings[], fx_fns_case[], fx_fns_lists[], fx_fns_math[],
        fx_fns_dates[], fx_fns_regex[], fx_fns_encode[], fx_fns_json[], fx_fns_yaml[], fx_fns_toml[],
        fx_fns_paths[], fx_fns_url[], fx_fns_crypto[], fx_fns_secrets[], fx_fns_certs[];

/* Parses text, which must stay where it is, and adds what it defines, and itself under name, to the set of
 * the render: blank text replaces nothing there. What text itself is, is given back. Throws. */
const struct fx_template *fx_template_parse(
        struct fx_render *x, const char *name, const char *text, size_t len);
/* The same for a file of a chart, which is looked for in options->templates first. Throws. */
void fx_template_parse_file(struct fx_render *x, const char *name, const char *text, size_t len);
const struct fx_template *fx_template_find(const struct fx_template_set *set, const char *name, size_t len);
void fx_template_set_add(struct fx_render *x, struct fx_template_set *set, const struct fx_template *t);

/* What one file defines. */
struct fx_template_file {
	const struct fx_template **items;
	size_t len;
	const struct fx_template *own; /* the file itself */
};

/* The parser: all in the render's arena but the tokens, which are in scratch. Throws. */
void fx_template_file_parse(struct fx_render *x, struct fx_arena *scratch, const char *name, const char *text,
        size_t len, struct fx_template_file *out);
/* The source form of a node, as error texts show it. */
void fx_tnode_print(struct fx_text *out, const struct fx_tnode *n);

/* Executes t into out. Throws. */
void fx_template_execute(
        struct fx_render *x, const struct fx_template *t, struct fx_val data, struct fx_text *out);

/* The same as a text of its own. */
struct fx_val fx_template_text(
        struct fx_render *x, const struct fx_template *t, struct fx_val data, bool drop_no_value);

/* A field or method of a value that is no map: sets *found. args: of the method. */
struct fx_val fx_obj_field(struct fx_render *x, struct fx_val recv, const char *name, size_t len,
        const struct fx_val *args, size_t nargs, bool *found);

/* The Go name of a type letter. */
const char *fx_fn_type(char c);

#endif
