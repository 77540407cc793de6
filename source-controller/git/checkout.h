/*
 * From a reference in a GitRepository to a commit: asks the server where it points to, fetches
 * the commit without its history unless nothing has moved, and names the revision.
 *
 * Source: source-controller reference, sections 3.3 and 6.3.
 */
#ifndef FX_SOURCE_GIT_CHECKOUT_H
#define FX_SOURCE_GIT_CHECKOUT_H

#include "source-controller/git/remote.h"
#include "source-controller/git/scratch.h"

#define FX_GIT_DEFAULT_BRANCH "master"
/* A fetch that takes longer is worth telling the user about while it runs. */
#define FX_GIT_SLOW_MS 1000

/* spec.ref; NULL: not given. commit beats name, name beats tag, tag beats semver, semver beats
 * branch. */
struct fx_git_reference {
	const char *branch, *tag, *semver, *name, *commit;
};

struct fx_git_checkout_options {
	struct fx_git_remote_options remote;
	struct fx_git_reference reference;
	const char *display_url;   /* for messages */
	const char *last_revision; /* not fetched again when it is still that; NULL: unknown */
	const char *scratch_prefix;
	/* [worker] The reference leads to another revision, and its commit is still being fetched after
	 * FX_GIT_SLOW_MS: called once, between two pieces. May be NULL. */
	void (*on_slow)(void *arg, const char *revision);
	void *arg;
};

/* Release with fx_git_checkout_release(). */
struct fx_git_checkout {
	char *revision; /* "main@sha1:..." */
	char hash[FX_GIT_OID];
	bool partial;                   /* nothing was fetched: the revision is last_revision */
	struct fx_git_scratch *scratch; /* holds the commit, unless partial */
	struct fx_git_commit_info commit;
	bool no_scratch; /* set on failure: the folder for the pack could not be made */
};
#define FX_GIT_CHECKOUT_INIT                                                                                 \
	{                                                                                                    \
		0                                                                                            \
	}
void fx_git_checkout_release(struct fx_git_checkout *checkout);
static inline void fx_auto_git_checkout(struct fx_git_checkout *checkout)
{
	fx_git_checkout_release(checkout);
}

/* [worker] FX_E_GONE when the branch was asked for in a repository without any commit. */
int fx_git_checkout(const struct fx_git_checkout_options *options, struct fx_cancel *cancel,
        struct fx_git_checkout *out, struct fx_error *err) fx_must_use;

#endif
