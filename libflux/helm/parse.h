/* Between the lexer and the parser of templates. Private to helm/. */
#ifndef FX_HELM_PARSE_H
#define FX_HELM_PARSE_H

#include "template.h"

enum fx_token_kind {
	FX_TK_EOF,
	FX_TK_ERROR,
	FX_TK_TEXT,
	FX_TK_LEFT,
	FX_TK_RIGHT,
	FX_TK_SPACE,
	FX_TK_IDENT,
	FX_TK_KEYWORD,
	FX_TK_BOOL,
	FX_TK_FIELD,
	FX_TK_VAR,
	FX_TK_DOT,
	FX_TK_NIL,
	FX_TK_STRING,
	FX_TK_RAW,
	FX_TK_CHAR_CONST,
	FX_TK_NUMBER,
	FX_TK_LPAREN,
	FX_TK_RPAREN,
	FX_TK_PIPE,
	FX_TK_DECLARE,
	FX_TK_ASSIGN,
	FX_TK_CHAR,
};

struct fx_token {
	enum fx_token_kind kind;
	uint32_t pos, len;
	const char *s; /* source text, or the error's text */
};

struct fx_parser {
	struct fx_render *x;
	const char *file;
	const char *src;
	size_t len;
	struct fx_arena *scratch; /* the tokens: not needed once the file is parsed */
	struct fx_token *tokens;
	size_t ntokens, cap, at;
	struct fx_tname *vars;
	size_t nvars, cap_vars;
	unsigned range_depth, nest;
	struct fx_template_set *mine; /* defined by this file */
};

/* Ends the parse with Helm's text: what stands after the last ": " of the message. */
_Noreturn void fx_parse_error(struct fx_parser *p, uint32_t pos, const char *fmt, ...) fx_printf(3, 4);

/* Splits the source into tokens. A mistake becomes a last token of kind FX_TK_ERROR. */
void fx_lex_file(struct fx_parser *p);

#endif
