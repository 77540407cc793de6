/* The source form of a tree, as error texts show it. */
#include "template.h"

static void print_names(struct fx_text *out, const struct fx_tnode *n, uint32_t from)
{
	for (uint32_t i = from; i < n->nnames; i++) {
		fx_text_char(out, '.');
		fx_text_add(out, n->names[i].s, n->names[i].len);
	}
}

void fx_tnode_print(struct fx_text *out, const struct fx_tnode *n)
{
	switch (n->kind) {
	case FX_TN_DOT:
		fx_text_char(out, '.');
		return;
	case FX_TN_NIL:
		fx_text_str(out, "nil");
		return;
	case FX_TN_BOOL:
		fx_text_str(out, n->lit->value.b ? "true" : "false");
		return;
	case FX_TN_IDENT:
	case FX_TN_NUMBER:
	case FX_TN_STRING:
		fx_text_add(out, n->text, n->len);
		return;
	case FX_TN_FIELD:
		print_names(out, n, 0);
		return;
	case FX_TN_VAR:
		fx_text_add(out, n->names[0].s, n->names[0].len);
		print_names(out, n, 1);
		return;
	case FX_TN_CHAIN:
		fx_text_str(out, n->pipe->kind == FX_TN_PIPE ? "(" : "");
		fx_tnode_print(out, n->pipe);
		fx_text_str(out, n->pipe->kind == FX_TN_PIPE ? ")" : "");
		print_names(out, n, 0);
		return;
	case FX_TN_COMMAND:
		for (uint32_t i = 0; i < n->nitems; i++) {
			bool paren = n->items[i]->kind == FX_TN_PIPE;
			fx_text_str(out, i ? " " : "");
			fx_text_str(out, paren ? "(" : "");
			fx_tnode_print(out, n->items[i]);
			fx_text_str(out, paren ? ")" : "");
		}
		return;
	case FX_TN_PIPE:
		for (uint32_t i = 0; i < n->nnames; i++) {
			fx_text_str(out, i ? ", " : "");
			fx_text_add(out, n->names[i].s, n->names[i].len);
		}
		if (n->nnames)
			fx_text_str(out, n->is_assign ? " = " : " := ");
		for (uint32_t i = 0; i < n->nitems; i++) {
			fx_text_str(out, i ? " | " : "");
			fx_tnode_print(out, n->items[i]);
		}
		return;
	case FX_TN_TEMPLATE:
		fx_text_str(out, "{{template ");
		fx_fmt_quote(out, n->lit->value.s, n->lit->value.len, false);
		if (n->pipe) {
			fx_text_char(out, ' ');
			fx_tnode_print(out, n->pipe);
		}
		fx_text_str(out, "}}");
		return;
	default:
		if (n->pipe)
			fx_tnode_print(out, n->pipe);
	}
}
