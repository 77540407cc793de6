#include "engine.h"
#include "funcs.h"
#include "template.h"

#include <stdarg.h>

enum flow {
	FLOW_ON,
	FLOW_BREAK,
	FLOW_CONTINUE,
};

static struct fx_val eval_pipe(struct fx_render *x, struct fx_val dot, const struct fx_tnode *pipe);
static enum flow walk(
        struct fx_render *x, struct fx_val dot, const struct fx_tnode *list, struct fx_text *out);

/* A reflect.Value that is there, an interface, and nil in it. */
static struct fx_val nil_iface(void)
{
	return (struct fx_val){.iface = 1};
}

static struct fx_val missing(void)
{
	return (struct fx_val){.iface = 2};
}

static bool is_missing(struct fx_val v)
{
	return v.kind == FX_VAL_NIL && v.iface == 2;
}

static bool is_invalid(struct fx_val v)
{
	return v.kind == FX_VAL_NIL && v.iface != 1;
}

static const char *value_type(struct fx_val v)
{
	if (v.iface || v.kind == FX_VAL_NIL)
		return "interface {}";
	return fx_v_type(v);
}

/* ---- variables ---- */

static void push_var(struct fx_render *x, const char *name, uint32_t len, struct fx_val v)
{
	if (x->nvars == x->cap_vars) {
		size_t cap = x->cap_vars ? x->cap_vars * 2 : 64;
		struct fx_variable *vars = fx_render_alloc(x, cap * sizeof(*vars));
		if (x->nvars)
			memcpy(vars, x->vars, x->nvars * sizeof(*vars));
		x->vars = vars;
		x->cap_vars = cap;
	}
	x->vars[x->nvars++] = (struct fx_variable){name, len, v};
}

static struct fx_variable *find_var(struct fx_render *x, const struct fx_tname *name)
{
	for (size_t i = x->nvars; i > 0; i--) {
		struct fx_variable *v = &x->vars[i - 1];
		if (v->len == name->len && memcmp(v->name, name->s, name->len) == 0)
			return v;
		if (v->len == 1 && v->name[0] == '$' && v->val.nil == 2)
			break;
	}
	fx_render_throw(x, "undefined variable: %.*s", (int)name->len, name->s);
}

/* ---- arguments ---- */

const char *fx_fn_type(char c)
{
	switch (c) {
	case 'S':
		return "string";
	case 'I':
		return "int";
	case '6':
		return "int64";
	case 'U':
		return "uint32";
	case 'F':
		return "float64";
	case 'B':
		return "bool";
	case 'D':
		return "map[string]interface {}";
	case 'T':
		return "time.Time";
	case 'L':
		return "time.Duration";
	case 'V':
		return "[]interface {}";
	case 'C':
		return "sprig.certificate";
	default:
		return "interface {}";
	}
}

static bool assignable(struct fx_val v, char c)
{
	switch (c) {
	case 'A':
		return true;
	case 'S':
		return v.kind == FX_VAL_STR;
	case 'I':
		return v.kind == FX_VAL_INT && v.type == FX_T_PLAIN;
	case '6':
		return v.kind == FX_VAL_INT && v.type == FX_T_INT64;
	case 'U':
		return v.kind == FX_VAL_INT && v.type == FX_T_UINT32;
	case 'F':
		return v.kind == FX_VAL_FLOAT;
	case 'B':
		return v.kind == FX_VAL_BOOL;
	case 'D':
		return v.kind == FX_VAL_MAP && (v.type == FX_T_PLAIN || v.type == FX_T_VALUES);
	case 'T':
		return v.kind == FX_VAL_OBJ && v.type == FX_T_TIME;
	case 'L':
		return v.kind == FX_VAL_INT && v.type == FX_T_DURATION;
	case 'V':
		return v.kind == FX_VAL_LIST && v.type == FX_T_PLAIN;
	case 'C':
		return v.kind == FX_VAL_OBJ && v.type == FX_T_CERTIFICATE;
	default:
		return false;
	}
}

static bool can_be_nil(char c)
{
	return c == 'A' || c == 'D' || c == 'V';
}

static struct fx_val zero_of(char c)
{
	if (c == 'D')
		return fx_v_mapof(NULL, FX_T_PLAIN);
	if (c == 'V')
		return fx_v_nil_list();
	return fx_v_nil();
}

static struct fx_val validate(struct fx_render *x, struct fx_val v, char c)
{
	if (is_invalid(v)) {
		if (can_be_nil(c))
			return zero_of(c);
		fx_render_throw(x, "invalid value; expected %s", fx_fn_type(c));
	}
	if (!assignable(v, c))
		fx_render_throw(x, "wrong type for value; expected %s; got %s", fx_fn_type(c),
		        v.kind == FX_VAL_NIL ? "interface {}" : fx_v_type(v));
	if (c == 'D')
		v.type = FX_T_PLAIN;
	if (c == 'A' && v.kind == FX_VAL_NIL)
		return fx_v_nil();
	v.iface = 0;
	if (v.kind == FX_VAL_OBJ)
		v.len = 0;
	return v;
}

static struct fx_val number_ideal(struct fx_render *x, const struct fx_tnode *n)
{
	bool hex = n->len > 2 && n->text[0] == '0' && (n->text[1] == 'x' || n->text[1] == 'X') &&
	           !memchr(n->text, 'p', n->len) && !memchr(n->text, 'P', n->len);
	if (n->is_complex)
		return (struct fx_val){.kind = FX_VAL_COMPLEX, .c = n->lit->complex};
	if (n->is_float && !hex && !n->is_char) {
		for (uint32_t i = 0; i < n->len; i++) {
			if (strchr(".eEpP", n->text[i]))
				return fx_v_float(n->lit->f);
		}
	}
	if (n->is_int)
		return n->lit->value;
	if (n->is_uint)
		fx_render_throw(x, "%.*s overflows int", (int)n->len, n->text);
	return fx_v_nil();
}

static const char *source_of(struct fx_render *x, const struct fx_tnode *n)
{
	struct fx_text t = {.x = x};
	fx_tnode_print(&t, n);
	return fx_text_c(&t);
}

static struct fx_val constant_arg(struct fx_render *x, const struct fx_tnode *n, char c)
{
	bool num = n->kind == FX_TN_NUMBER;
	switch (c) {
	case 'S':
		if (n->kind == FX_TN_STRING)
			return n->lit->value;
		fx_render_throw(x, "expected string; found %s", source_of(x, n));
	case 'B':
		if (n->kind == FX_TN_BOOL)
			return n->lit->value;
		fx_render_throw(x, "expected bool; found %s", source_of(x, n));
	case 'I':
	case '6':
	case 'L':
		if (num && n->is_int) {
			struct fx_val v = fx_v_int(n->lit->value.i);
			v.type = c == '6' ? FX_T_INT64 : c == 'L' ? FX_T_DURATION : FX_T_PLAIN;
			return v;
		}
		fx_render_throw(x, "expected integer; found %s", source_of(x, n));
	case 'U':
		if (num && n->is_uint)
			return (struct fx_val){
			        .kind = FX_VAL_INT, .type = FX_T_UINT32, .i = (int64_t)n->lit->u};
		fx_render_throw(x, "expected unsigned integer; found %s", source_of(x, n));
	case 'F':
		if (num && n->is_float)
			return fx_v_float(n->lit->f);
		fx_render_throw(x, "expected float; found %s", source_of(x, n));
	case 'A':
		return num ? number_ideal(x, n) : n->lit->value;
	default:
		fx_render_throw(x, "can't handle %s for arg of type %s", source_of(x, n), fx_fn_type(c));
	}
}

static struct fx_val eval_field_chain(struct fx_render *x, struct fx_val dot, struct fx_val recv,
        const struct fx_tnode *n, uint32_t from, struct fx_tnode *const *args, uint32_t nargs,
        struct fx_val final);
static struct fx_val eval_call(struct fx_render *x, struct fx_val dot, const struct fx_tnode *n,
        const struct fx_tnode *cmd, struct fx_tnode *const *args, uint32_t nargs, struct fx_val final);
static struct fx_val eval_operand(struct fx_render *x, struct fx_val dot, const struct fx_tnode *n,
        const struct fx_tnode *cmd, struct fx_tnode *const *args, uint32_t nargs, struct fx_val final);

static struct fx_val eval_arg(struct fx_render *x, struct fx_val dot, const struct fx_tnode *n, char c)
{
	x->frame->at = n;
	switch (n->kind) {
	case FX_TN_DOT:
		return validate(x, dot, c);
	case FX_TN_NIL:
		if (c == 'A')
			return (struct fx_val){.nil = 1};
		if (can_be_nil(c))
			return zero_of(c);
		fx_render_throw(x, "cannot assign nil to %s", fx_fn_type(c));
	case FX_TN_STRING:
	case FX_TN_NUMBER:
	case FX_TN_BOOL:
		return constant_arg(x, n, c);
	case FX_TN_PIPE:
		return validate(x, eval_pipe(x, dot, n), c);
	default:
		return validate(x, eval_operand(x, dot, n, NULL, NULL, 0, missing()), c);
	}
}

/* ---- calls ---- */

static struct fx_val short_circuit(struct fx_render *x, struct fx_val dot, bool is_or,
        struct fx_tnode *const *args, uint32_t nargs, struct fx_val final)
{
	struct fx_val v = fx_v_nil();
	for (uint32_t i = 0; i < nargs; i++) {
		v = eval_arg(x, dot, args[i], 'A');
		if (fx_v_truth(v) == is_or)
			return v;
	}
	if (!is_missing(final))
		v = validate(x, final, 'A');
	return v;
}

struct arity {
	uint32_t fixed;
	bool variadic;
	char last;
};

static struct arity arity_of(const char *sig)
{
	struct arity a = {(uint32_t)strlen(sig), false, 'A'};
	if (a.fixed && sig[a.fixed - 1] == '*') {
		a.variadic = true;
		a.last = sig[a.fixed - 2];
		a.fixed -= 2;
	}
	return a;
}

static char param(const char *sig, const struct arity *a, uint32_t i)
{
	return i < a->fixed ? sig[i] : a->last;
}

#define ARGS_ON_STACK 16

static struct fx_val eval_call(struct fx_render *x, struct fx_val dot, const struct fx_tnode *n,
        const struct fx_tnode *cmd, struct fx_tnode *const *args, uint32_t nargs, struct fx_val final)
{
	const struct fx_fn *fn = n->fn;
	struct arity ar = arity_of(fn->sig);
	uint32_t total = nargs + !is_missing(final);
	if (ar.variadic ? total < ar.fixed : total != ar.fixed)
		fx_render_throw(x,
		        ar.variadic ? "wrong number of args for %s: want at least %u got %u"
		                    : "wrong number of args for %s: want %u got %u",
		        fn->name, ar.fixed, total);
	if (!fn->call)
		return short_circuit(x, dot, fn->name[0] == 'o', args, nargs, final);
	struct fx_val few[ARGS_ON_STACK];
	struct fx_val *vals = total <= ARGS_ON_STACK ? few : fx_render_alloc(x, total * sizeof(*vals));
	for (uint32_t i = 0; i < nargs; i++)
		vals[i] = eval_arg(x, dot, args[i], param(fn->sig, &ar, i));
	if (!is_missing(final))
		vals[nargs] = validate(x, final, param(fn->sig, &ar, nargs));
	const struct fx_fn *outer = x->frame->fn;
	const struct fx_tnode *outer_at = x->frame->fn_at;
	x->frame->fn = fn;
	x->frame->fn_at = cmd ? cmd : n;
	struct fx_val v = fn->call(x, vals, total);
	x->frame->fn = outer;
	x->frame->fn_at = outer_at;
	if (v.kind == FX_VAL_NIL)
		return nil_iface();
	return v;
}

static struct fx_val eval_method_args(struct fx_render *x, struct fx_val dot, struct fx_val recv,
        const struct fx_tnode *n, const struct fx_tname *name, struct fx_tnode *const *args, uint32_t nargs,
        struct fx_val final, bool *found)
{
	uint32_t total = nargs + !is_missing(final);
	struct fx_val few[ARGS_ON_STACK];
	struct fx_val *vals = total <= ARGS_ON_STACK ? few : fx_render_alloc(x, total * sizeof(*vals));
	bool probe = false;
	(void)fx_obj_field(x, recv, name->s, name->len, NULL, SIZE_MAX, &probe);
	if (!probe)
		return fx_v_nil();
	for (uint32_t i = 0; i < nargs; i++) {
		bool duration = recv.kind == FX_VAL_OBJ && recv.type == FX_T_TIME &&
		                args[i]->kind == FX_TN_NUMBER && name->len == 3 &&
		                memcmp(name->s, "Add", 3) == 0;
		vals[i] = eval_arg(x, dot, args[i], duration ? 'L' : 'A');
	}
	if (!is_missing(final))
		vals[nargs] = validate(x, final, 'A');
	x->frame->at = n;
	const char *outer = x->frame->method;
	x->frame->method = fx_v_dup(x, name->s, name->len).s;
	x->frame->fn_at = n;
	struct fx_val v = fx_obj_field(x, recv, name->s, name->len, vals, total, found);
	x->frame->method = outer;
	return v;
}

static struct fx_val map_element(struct fx_val recv, const struct fx_tname *name)
{
	struct fx_val *v = fx_v_find(recv, name->s, name->len);
	if (recv.type == FX_T_STRING_MAP)
		return v ? *v : fx_v_str("");
	if (recv.type == FX_T_FILES)
		return v ? *v : (struct fx_val){.kind = FX_VAL_BYTES, .s = ""};
	struct fx_val out = v ? *v : fx_v_nil();
	out.iface = 1;
	return out;
}

static struct fx_val eval_field(struct fx_render *x, struct fx_val dot, struct fx_val recv,
        const struct fx_tnode *n, const struct fx_tname *name, struct fx_tnode *const *args, uint32_t nargs,
        struct fx_val final)
{
	if (recv.kind == FX_VAL_NIL) {
		if (recv.iface != 1)
			return fx_v_nil();
		fx_render_throw(x, "nil pointer evaluating interface {}.%.*s", (int)name->len, name->s);
	}
	bool found = false;
	if (recv.kind == FX_VAL_OBJ || recv.type == FX_T_VALUES || recv.type == FX_T_FILES ||
	        recv.type == FX_T_VERSION_SET || recv.type == FX_T_DURATION || recv.type == FX_T_MONTH ||
	        recv.type == FX_T_WEEKDAY) {
		struct fx_val v = eval_method_args(x, dot, recv, n, name, args, nargs, final, &found);
		if (found)
			return v;
	}
	if (recv.kind == FX_VAL_MAP) {
		if (nargs || !is_missing(final))
			fx_render_throw(x, "%.*s is not a method but has arguments", (int)name->len, name->s);
		return map_element(recv, name);
	}
	fx_render_throw(x, "can't evaluate field %.*s in type %s", (int)name->len, name->s, value_type(recv));
}

static struct fx_val eval_field_chain(struct fx_render *x, struct fx_val dot, struct fx_val recv,
        const struct fx_tnode *n, uint32_t from, struct fx_tnode *const *args, uint32_t nargs,
        struct fx_val final)
{
	for (uint32_t i = from; i + 1 < n->nnames; i++)
		recv = eval_field(x, dot, recv, n, &n->names[i], NULL, 0, missing());
	return eval_field(x, dot, recv, n, &n->names[n->nnames - 1], args, nargs, final);
}

static struct fx_val eval_operand(struct fx_render *x, struct fx_val dot, const struct fx_tnode *n,
        const struct fx_tnode *cmd, struct fx_tnode *const *args, uint32_t nargs, struct fx_val final)
{
	x->frame->at = n;
	switch (n->kind) {
	case FX_TN_FIELD:
		return eval_field_chain(x, dot, dot, n, 0, args, nargs, final);
	case FX_TN_IDENT:
		return eval_call(x, dot, n, cmd, args, nargs, final);
	case FX_TN_CHAIN: {
		struct fx_val recv = n->pipe->kind == FX_TN_PIPE
		                             ? eval_pipe(x, dot, n->pipe)
		                             : eval_operand(x, dot, n->pipe, NULL, NULL, 0, missing());
		return eval_field_chain(x, dot, recv, n, 0, args, nargs, final);
	}
	case FX_TN_VAR: {
		struct fx_val v = find_var(x, &n->names[0])->val;
		v.nil &= 1;
		if (n->nnames > 1)
			return eval_field_chain(x, dot, v, n, 1, args, nargs, final);
		if (nargs || !is_missing(final))
			fx_render_throw(x, "can't give argument to non-function %s", source_of(x, n));
		return v;
	}
	default:
		break;
	}
	if (nargs || !is_missing(final))
		fx_render_throw(x, "can't give argument to non-function %s", source_of(x, n));
	switch (n->kind) {
	case FX_TN_PIPE:
		return eval_pipe(x, dot, n);
	case FX_TN_DOT:
		return dot;
	case FX_TN_NIL:
		fx_render_throw(x, "nil is not a command");
	case FX_TN_NUMBER:
		return number_ideal(x, n);
	default:
		return n->lit->value;
	}
}

static struct fx_val eval_pipe(struct fx_render *x, struct fx_val dot, const struct fx_tnode *pipe)
{
	struct fx_val v = missing();
	x->frame->at = pipe;
	fx_render_check(x);
	for (uint32_t i = 0; i < pipe->nitems; i++) {
		const struct fx_tnode *cmd = pipe->items[i];
		v = eval_operand(x, dot, cmd->items[0], cmd, cmd->items + 1, cmd->nitems - 1, v);
		/* An interface is opened here: a nil in it is no value any more. */
		v.iface = 0;
	}
	for (uint32_t i = 0; i < pipe->nnames; i++) {
		if (pipe->is_assign)
			find_var(x, &pipe->names[i])->val = v;
		else
			push_var(x, pipe->names[i].s, pipe->names[i].len, v);
	}
	return v;
}

/* ---- statements ---- */

static void print_value(struct fx_render *x, struct fx_val v, struct fx_text *out)
{
	(void)x;
	if (v.kind == FX_VAL_NIL)
		fx_text_str(out, "<no value>");
	else if (v.kind == FX_VAL_STR)
		fx_text_add(out, v.s, v.len);
	else if (v.type == FX_T_KUBE_VERSION && v.len)
		/* In place it has a String method, which a copy has not. */
		fx_text_str(out, ((const struct fx_kube_version *)v.obj)->normalized);
	else
		fx_fmt_v(out, v);
}

static enum flow loop_body(struct fx_render *x, const struct fx_tnode *n, struct fx_val key,
        struct fx_val elem, struct fx_text *out)
{
	size_t mark = x->nvars;
	const struct fx_tnode *pipe = n->pipe;
	fx_render_check(x);
	for (uint32_t i = 0; i < pipe->nnames; i++) {
		bool second = pipe->nnames == 1 || i == 1;
		if (pipe->is_assign)
			find_var(x, &pipe->names[i])->val = second ? elem : key;
		else
			push_var(x, pipe->names[i].s, pipe->names[i].len, second ? elem : key);
	}
	enum flow f = walk(x, elem, n->body, out);
	x->nvars = mark;
	return f;
}

/* A pipeline whose declarations are made by each iteration, not by itself. */
static struct fx_val range_value(struct fx_render *x, struct fx_val dot, const struct fx_tnode *pipe)
{
	struct fx_tnode plain = *pipe;
	plain.nnames = 0;
	return eval_pipe(x, dot, &plain);
}

static enum flow range_map(
        struct fx_render *x, const struct fx_tnode *n, struct fx_val v, struct fx_text *out)
{
	struct fx_val snap = fx_v_map_copy(x, v);
	for (size_t i = 0; i < snap.map->len; i++) {
		const struct fx_entry *e = &snap.map->entries[i];
		struct fx_val elem = e->val;
		elem.iface = v.type != FX_T_STRING_MAP && v.type != FX_T_FILES;
		if (loop_body(x, n, fx_v_strn(e->key, e->len), elem, out) == FLOW_BREAK)
			break;
	}
	return FLOW_ON;
}

static enum flow walk_range(
        struct fx_render *x, struct fx_val dot, const struct fx_tnode *n, struct fx_text *out)
{
	size_t mark = x->nvars;
	struct fx_val v = range_value(x, dot, n->pipe);
	size_t len = fx_v_len(v);
	x->frame->at = n->pipe;
	switch (v.kind) {
	case FX_VAL_LIST:
	case FX_VAL_BYTES:
		for (size_t i = 0; i < len; i++) {
			if (loop_body(x, n, fx_v_int((int64_t)i), fx_v_item(v, i), out) == FLOW_BREAK)
				break;
		}
		break;
	case FX_VAL_MAP:
		if (len)
			range_map(x, n, v, out);
		break;
	case FX_VAL_INT:
		if (n->pipe->nnames > 1)
			fx_render_throw(
			        x, "can't use %lld to iterate over more than one variable", (long long)v.i);
		len = v.i > 0;
		for (int64_t i = 0; i < v.i; i++) {
			struct fx_val e = v;
			e.i = i;
			if (loop_body(x, n, e, e, out) == FLOW_BREAK)
				break;
		}
		break;
	case FX_VAL_NIL:
		break;
	default: {
		struct fx_text t = {.x = x};
		fx_fmt_v(&t, v);
		fx_render_throw(x, "range can't iterate over %s", fx_text_c(&t));
	}
	}
	enum flow f = FLOW_ON;
	if (len == 0) {
		x->nvars = mark;
		f = walk(x, dot, n->otherwise, out);
	}
	x->nvars = mark;
	return f;
}

static enum flow walk_if(
        struct fx_render *x, struct fx_val dot, const struct fx_tnode *n, struct fx_text *out)
{
	size_t mark = x->nvars;
	struct fx_val v = eval_pipe(x, dot, n->pipe);
	enum flow f = fx_v_truth(v) ? walk(x, n->kind == FX_TN_WITH ? v : dot, n->body, out)
	                            : walk(x, dot, n->otherwise, out);
	x->nvars = mark;
	return f;
}

/* $ starts a scope: variables below it are not seen (nil == 2 marks that). */
static void push_scope(struct fx_render *x, struct fx_val data)
{
	data.nil |= 2;
	push_var(x, "$", 1, data);
}

static void walk_template(
        struct fx_render *x, struct fx_val dot, const struct fx_tnode *n, struct fx_text *out)
{
	x->frame->at = n;
	const struct fx_template *t = fx_template_find(x->set, n->lit->value.s, n->lit->value.len);
	if (!t) {
		struct fx_text q = {.x = x};
		fx_fmt_quote(&q, n->lit->value.s, n->lit->value.len, false);
		fx_render_throw(x, "template %s not defined", fx_text_c(&q));
	}
	if (x->depth == FX_TEMPLATE_DEPTH_MAX)
		fx_render_throw(x, "exceeded maximum template depth (%u)", FX_TEMPLATE_DEPTH_MAX);
	struct fx_val data = n->pipe ? eval_pipe(x, dot, n->pipe) : fx_v_nil();
	const struct fx_template *outer = x->frame->tmpl;
	size_t mark = x->nvars;
	x->frame->tmpl = t;
	x->depth++;
	push_scope(x, data);
	walk(x, data, t->body, out);
	x->nvars = mark;
	x->depth--;
	x->frame->tmpl = outer;
}

static enum flow walk(struct fx_render *x, struct fx_val dot, const struct fx_tnode *n, struct fx_text *out)
{
	fx_render_check(x);
	for (; n; n = n->next) {
		enum flow f = FLOW_ON;
		switch (n->kind) {
		case FX_TN_TEXT:
			fx_text_add(out, n->text, n->len);
			break;
		case FX_TN_ACTION: {
			struct fx_val v = eval_pipe(x, dot, n->pipe);
			if (n->pipe->nnames == 0)
				print_value(x, v, out);
			break;
		}
		case FX_TN_IF:
		case FX_TN_WITH:
			f = walk_if(x, dot, n, out);
			break;
		case FX_TN_RANGE:
			f = walk_range(x, dot, n, out);
			break;
		case FX_TN_TEMPLATE:
			walk_template(x, dot, n, out);
			break;
		case FX_TN_BREAK:
			return FLOW_BREAK;
		case FX_TN_CONTINUE:
			return FLOW_CONTINUE;
		default:
			break;
		}
		if (f != FLOW_ON)
			return f;
	}
	return FLOW_ON;
}

struct fx_val fx_template_text(
        struct fx_render *x, const struct fx_template *t, struct fx_val data, bool drop_no_value)
{
	/* A level writes into the buffer of its depth, so that the arena gets each text once, at its size. */
	size_t level = x->noutputs;
	if (level == x->cap_outputs) {
		size_t cap = level ? level * 2 : 8;
		struct fx_text *more = fx_render_zalloc(x, cap * sizeof(*more));
		if (level)
			memcpy(more, x->outputs, level * sizeof(*more));
		x->outputs = more;
		x->cap_outputs = cap;
	}
	struct fx_text out = x->outputs[level];
	out.x = x;
	out.len = 0;
	x->noutputs++;
	fx_template_execute(x, t, data, &out);
	x->noutputs--;
	x->outputs[level] = out;
	struct fx_val text = drop_no_value ? fx_v_without_no_value(&out) : fx_text_val(&out);
	return fx_v_dup(x, text.s, text.len);
}

void fx_template_execute(
        struct fx_render *x, const struct fx_template *t, struct fx_val data, struct fx_text *out)
{
	struct fx_frame frame = {.parent = x->frame, .tmpl = t};
	size_t mark = x->nvars;
	fx_render_check(x);
	x->frame = &frame;
	push_scope(x, data);
	walk(x, data, t->body, out);
	x->nvars = mark;
	x->frame = frame.parent;
}
