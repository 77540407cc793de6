/*
 * Variable substitution of postBuild: bash-like `${name}` expansions in the text of one
 * resource. Pure and thread safe. The whole text is parsed before anything is looked up,
 * so a syntax error is reported whatever the values are.
 *
 * Source of the behaviour: the variable substitution of Flux's Kustomization API; the
 * grammar stands in the table below.
 *
 *   text        anything; `$$` is a dollar, `${` starts an expansion, NUL ends the input
 *   ${v}        value                        ${#v}      length in bytes
 *   ${v^} ${v^^} ${v,} ${v,,}                upper/lower case, first rune or all
 *   ${v=w} ${v:=w} ${v:-w} ${v:+w} ${v:?w}   value, or w when it is empty
 *   ${v:off} ${v:off:len}                    byte substring
 *   ${v#p} ${v##p} ${v%p} ${v%%p}            without a prefix/suffix matching a glob
 *   ${v/p/r} ${v//p/r} ${v/#p/r} ${v/%p/r}   literal replacement
 */
#ifndef KUSTOMIZE_CONTROLLER_ENVSUBST_H
#define KUSTOMIZE_CONTROLLER_ENVSUBST_H

#include "core/buf.h"
#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Expansions inside expansions: each level is a level of recursion. */
#define FX_ENVSUBST_DEPTH_MAX 64
/* The result of one text; replacements could multiply it. */
#define FX_ENVSUBST_OUT_MAX (32 * 1024 * 1024)
/* Runes of the value times elements of the glob that one trim may compare. */
#define FX_ENVSUBST_GLOB_WORK_MAX (200 * 1000 * 1000)

/* Value of a variable, borrowed until the next call; NULL when it is not set. */
typedef const char *(*fx_envsubst_lookup)(void *arg, const char *name);

/* Appends the expanded text to out. strict: a variable that is not set and has no default
 * operator is an error. Errors: FX_E_PARSE (syntax), FX_E_INVALID (not set, bad length),
 * FX_E_LIMIT, FX_E_NOMEM; out then holds part of the text. */
int fx_envsubst(const char *text, size_t len, fx_envsubst_lookup lookup, void *arg, bool strict,
        struct fx_buf *out, struct fx_error *err) fx_must_use;

#endif
