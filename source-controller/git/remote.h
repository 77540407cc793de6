/*
 * A Git repository on an HTTP(S) server: which references it has, and packs of objects. Speaks
 * protocol version 2, and what the server answers with when it does not know it. One remote,
 * one worker.
 *
 * Source: Git's gitprotocol-v2(5), gitprotocol-pack(5), gitprotocol-http(5).
 */
#ifndef FX_SOURCE_GIT_REMOTE_H
#define FX_SOURCE_GIT_REMOTE_H

#include "core/arena.h"
#include "core/cancel.h"
#include "net/http.h"

/* References of one listing, and bytes of one pack: stop a server that never ends. */
#define FX_GIT_REFS_MAX 1000000
#define FX_GIT_PACK_MAX (4ull * 1024 * 1024 * 1024)
#define FX_GIT_REF_NAME_MAX 4096
/* SHA-1 in hexadecimal, with the NUL. */
#define FX_GIT_OID 41

struct fx_git_ref {
	char *name; /* in the list's arena */
	char oid[FX_GIT_OID];
	char peeled[FX_GIT_OID]; /* what an annotated tag points to; "" for everything else */
};

/* The commit (or other object) a reference stands for. */
static inline const char *fx_git_ref_target(const struct fx_git_ref *ref)
{
	return ref->peeled[0] ? ref->peeled : ref->oid;
}

/* Names lie in few large blocks, so that the memory of a long list is given back. */
struct fx_git_refs {
	struct fx_git_ref *items;
	size_t len, cap;
	struct fx_arena *names;
};
#define FX_GIT_REFS_INIT                                                                                     \
	{                                                                                                    \
		0                                                                                            \
	}
void fx_git_refs_release(struct fx_git_refs *refs);
static inline void fx_auto_git_refs(struct fx_git_refs *refs)
{
	fx_git_refs_release(refs);
}
/* By full name; NULL: not there. */
const struct fx_git_ref *fx_git_refs_find(const struct fx_git_refs *refs, const char *name);

/* All borrowed for the remote's life. */
struct fx_git_remote_options {
	struct fx_http_client *http;
	const char *url; /* http(s), without userinfo */
	const char *user, *password, *bearer;
	const struct fx_tls *tls;
	const char *proxy, *proxy_user, *proxy_password; /* NULL proxy: from the environment */
	bool version_0;                                  /* do not offer version 2 */
};

struct fx_git_remote;

/* First contact: learns the server's version and abilities. Errors have the texts of Flux:
 * `authentication required`, `authorization failed`, `repository not found`. */
int fx_git_remote_open(const struct fx_git_remote_options *options, struct fx_cancel *cancel,
        struct fx_git_remote **out, struct fx_error *err) fx_must_use;
void fx_git_remote_free(struct fx_git_remote *remote);
FX_DEFINE_AUTO(git_remote, struct fx_git_remote, fx_git_remote_free)

/* References whose names begin with one of the prefixes (NULL-terminated; NULL: all). */
int fx_git_remote_list(struct fx_git_remote *remote, const char *const *prefixes, struct fx_cancel *cancel,
        struct fx_git_refs *out, struct fx_error *err) fx_must_use;

/* True when an object can be asked for that no reference points to. */
bool fx_git_remote_serves_any(const struct fx_git_remote *remote);

/* Asks for objects (hexadecimal ids) and what they need; depth 0: all history. The pack is handed
 * to on_pack piece by piece; an empty piece is a sign of life of a server that still prepares it. */
int fx_git_remote_fetch(struct fx_git_remote *remote, const char *const *wants, size_t want_count, int depth,
        struct fx_cancel *cancel,
        int (*on_pack)(void *arg, const void *data, size_t len, struct fx_error *err), void *arg,
        struct fx_error *err) fx_must_use;

#endif
