#include "source-controller/git/checkout.h"
#include "core/clock.h"
#include "data/semver.h"

#include <ctype.h>
#include <string.h>

/* Tags of equal precedence that are fetched to compare their commits' times. */
#define TIES_MAX 64

/* Where a reference leads to. */
struct target {
	char want[FX_GIT_OID]; /* object to ask for */
	char commit[FX_GIT_OID];
	char *name; /* of the revision, owned; NULL: none */
};

static void fx_auto_target(struct target *t)
{
	free(t->name);
}

struct run {
	const struct fx_git_checkout_options *options;
	struct fx_cancel *cancel;
	struct fx_git_remote *remote;
	const char *revision; /* being fetched; NULL while it is not known */
	bool no_scratch;      /* why it failed */
	int64_t slow_ms;      /* when on_slow is due */
};

void fx_git_checkout_release(struct fx_git_checkout *checkout)
{
	free(checkout->revision);
	checkout->revision = NULL;
	fx_git_scratch_free(checkout->scratch);
	checkout->scratch = NULL;
	fx_git_commit_info_release(&checkout->commit);
}

static bool given(const char *text)
{
	return text && *text;
}

static int list(struct run *run, const char *prefix, struct fx_git_refs *out, struct fx_error *err)
{
	const char *const prefixes[] = {prefix, NULL};
	return fx_git_remote_list(run->remote, prefix ? prefixes : NULL, run->cancel, out, err);
}

static int target_set(struct target *t, const struct fx_git_ref *ref, const char *name, struct fx_error *err)
{
	memcpy(t->want, ref->oid, FX_GIT_OID);
	memcpy(t->commit, fx_git_ref_target(ref), FX_GIT_OID);
	t->name = strdup(name);
	return t->name ? 0 : fx_fail_nomem(err);
}

/* The texts that Flux has for a reference that is not there. */
static int not_there(struct run *run, const char *full, bool is_branch, struct fx_error *err)
{
	fx_auto(git_refs) struct fx_git_refs all = FX_GIT_REFS_INIT;
	int rc = list(run, NULL, &all, err);
	if (rc != 0)
		return rc;
	if (all.len == 0 && is_branch)
		return fx_fail(err, FX_E_GONE, "git repository is empty");
	if (all.len == 0)
		return fx_fail(err, FX_E_NOT_FOUND,
		        "unable to clone: remote repository is empty: git repository: '%s'",
		        run->options->display_url);
	return fx_fail(err, FX_E_NOT_FOUND, "unable to clone '%s': couldn't find remote ref \"%s\"",
	        run->options->display_url, full);
}

static int resolve_named(
        struct run *run, const char *kind, const char *name, struct target *t, struct fx_error *err)
{
	fx_auto(git_refs) struct fx_git_refs refs = FX_GIT_REFS_INIT;
	fx_autofree char *full = NULL;
	if (asprintf(&full, "refs/%s/%s", kind, name) < 0) {
		full = NULL;
		return fx_fail_nomem(err);
	}
	int rc = list(run, full, &refs, err);
	if (rc != 0)
		return rc;
	const struct fx_git_ref *ref = fx_git_refs_find(&refs, full);
	return ref ? target_set(t, ref, name, err) : not_there(run, full, strcmp(kind, "heads") == 0, err);
}

/* spec.ref.name: any reference by its full name; `^{}` behind it asks for what a tag points to. */
static int resolve_full(struct run *run, const char *name, struct target *t, struct fx_error *err)
{
	fx_auto(git_refs) struct fx_git_refs refs = FX_GIT_REFS_INIT;
	size_t len = strlen(name);
	bool peel = len > 3 && strcmp(name + len - 3, "^{}") == 0;
	fx_autofree char *plain = strndup(name, peel ? len - 3 : len);
	if (!plain)
		return fx_fail_nomem(err);
	if (name[0] == '/' || name[len - 1] == '/')
		return fx_fail(err, FX_E_INVALID,
		        "ref %s is invalid; Git refs cannot begin or end with a slash '/'", name);
	int rc = list(run, plain, &refs, err);
	if (rc != 0)
		return rc;
	const struct fx_git_ref *ref = fx_git_refs_find(&refs, plain);
	if (!ref || (peel && !ref->peeled[0]))
		return fx_fail(err, FX_E_NOT_FOUND, "unable to resolve ref '%s' to a specific commit", name);
	return target_set(t, ref, name, err);
}

/* At least "x.y.z" in form: a tag like `v1` is no candidate. */
static bool has_three_parts(const char *text)
{
	const char *dot = strchr(text, '.');
	return dot && strchr(dot + 1, '.');
}

/* Where a piece of a pack goes. */
struct sink {
	struct run *run;
	struct fx_git_scratch *scratch;
};

static int on_pack(void *arg, const void *data, size_t len, struct fx_error *err)
{
	struct sink *sink = arg;
	struct run *run = sink->run;
	if (run->options->on_slow && run->revision && fx_now_ms() >= run->slow_ms) {
		run->options->on_slow(run->options->arg, run->revision);
		run->slow_ms = INT64_MAX;
	}
	return len ? fx_git_scratch_feed(sink->scratch, data, len, err) : 0;
}

static int fetch(struct run *run, const char *const *wants, size_t count, int depth,
        struct fx_git_scratch **out, struct fx_error *err)
{
	fx_auto(git_scratch) struct fx_git_scratch *scratch = NULL;
	int rc = fx_git_scratch_new(run->options->scratch_prefix, &scratch, err);
	struct sink sink = {run, scratch};
	run->no_scratch = rc != 0;
	if (rc == 0)
		rc = fx_git_remote_fetch(run->remote, wants, count, depth, run->cancel, on_pack, &sink, err);
	if (rc == 0)
		rc = fx_git_scratch_finish(scratch, err);
	if (rc == 0)
		*out = fx_take(scratch);
	return rc;
}

/* Of tags that differ in build metadata only the one with the newest commit wins. */
static int break_tie(struct run *run, const struct fx_git_ref *const *ties, size_t count,
        const struct fx_git_ref **best, struct fx_error *err)
{
	const char *wants[TIES_MAX];
	fx_auto(git_scratch) struct fx_git_scratch *scratch = NULL;
	int64_t newest = INT64_MIN;
	for (size_t i = 0; i < count; i++)
		wants[i] = ties[i]->oid;
	int rc = fetch(run, wants, count, 1, &scratch, err);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct fx_git_commit_info info = {0};
		rc = fx_git_scratch_commit(scratch, fx_git_ref_target(ties[i]), &info, err);
		if (rc == 0 && info.committed_s > newest) {
			newest = info.committed_s;
			*best = ties[i];
		}
		fx_git_commit_info_release(&info);
	}
	return rc;
}

static int resolve_semver(struct run *run, const char *text, struct target *t, struct fx_error *err)
{
	static const char tags[] = "refs/tags/";
	fx_auto(semver_constraint) struct fx_semver_constraint *constraint = NULL;
	fx_auto(git_refs) struct fx_git_refs refs = FX_GIT_REFS_INIT;
	const struct fx_git_ref *ties[TIES_MAX];
	size_t count = 0;
	struct fx_semver best = {0}, v;
	int rc = fx_semver_constraint_parse(text, &constraint, err);
	if (rc != 0)
		return fx_error_wrap(err, "semver parse error");
	rc = list(run, tags, &refs, err);
	for (size_t i = 0; rc == 0 && i < refs.len; i++) {
		const char *name = refs.items[i].name + sizeof(tags) - 1;
		if (!has_three_parts(name) || fx_semver_parse(name, &v, NULL) != 0 ||
		        !fx_semver_constraint_check(constraint, &v))
			continue;
		int c = count ? fx_semver_compare(&v, &best) : 1;
		if (c > 0)
			count = 0;
		if (c >= 0 && count < TIES_MAX) {
			best = v;
			ties[count++] = &refs.items[i];
		}
	}
	if (rc == 0 && count == 0)
		rc = fx_fail(err, FX_E_NOT_FOUND, "no match found for semver: %s", text);
	if (rc == 0 && count > 1)
		rc = break_tie(run, ties, count, &ties[0], err);
	return rc ? rc : target_set(t, ties[0], ties[0]->name + sizeof(tags) - 1, err);
}

/* A commit needs no reference; the name is for the revision only. */
static int resolve_commit(const struct fx_git_reference *r, struct target *t, struct fx_error *err)
{
	if (strlen(r->commit) != FX_GIT_OID - 1 ||
	        strspn(r->commit, "0123456789abcdefABCDEF") != FX_GIT_OID - 1)
		return fx_fail(err, FX_E_INVALID,
		        "unable to resolve commit object for '%s': not a commit hash of 40 digits",
		        r->commit);
	for (size_t i = 0; i < FX_GIT_OID; i++)
		t->want[i] = t->commit[i] = (char)tolower((unsigned char)r->commit[i]);
	const char *name = given(r->name) ? r->name : given(r->branch) ? r->branch : NULL;
	if (name)
		t->name = strdup(name);
	return name && !t->name ? fx_fail_nomem(err) : 0;
}

static int resolve(struct run *run, struct target *t, struct fx_error *err)
{
	const struct fx_git_reference *r = &run->options->reference;
	if (given(r->commit))
		return resolve_commit(r, t, err);
	if (given(r->name))
		return resolve_full(run, r->name, t, err);
	if (given(r->tag))
		return resolve_named(run, "tags", r->tag, t, err);
	if (given(r->semver))
		return resolve_semver(run, r->semver, t, err);
	return resolve_named(run, "heads", given(r->branch) ? r->branch : FX_GIT_DEFAULT_BRANCH, t, err);
}

static char *make_revision(const struct target *t)
{
	char *out = NULL;
	int n = t->name ? asprintf(&out, "%s@sha1:%s", t->name, t->commit)
	                : asprintf(&out, "sha1:%s", t->commit);
	return n < 0 ? NULL : out;
}

/* All branches with all their history: for a server that only gives what references point to. */
static int fetch_history(struct run *run, struct fx_git_scratch **out, struct fx_error *err)
{
	fx_auto(git_refs) struct fx_git_refs heads = FX_GIT_REFS_INIT;
	const struct fx_git_reference *r = &run->options->reference;
	fx_autofree char *prefix = NULL;
	if (asprintf(&prefix, "refs/heads/%s", given(r->branch) ? r->branch : "") < 0) {
		prefix = NULL;
		return fx_fail_nomem(err);
	}
	int rc = list(run, prefix, &heads, err);
	if (rc != 0)
		return rc;
	fx_autofree const char **wants = calloc(heads.len + 1, sizeof(*wants));
	if (!wants)
		return fx_fail_nomem(err);
	for (size_t i = 0; i < heads.len; i++)
		wants[i] = heads.items[i].oid;
	if (heads.len == 0)
		return not_there(run, prefix, false, err);
	return fetch(run, wants, heads.len, 0, out, err);
}

static int fetch_target(
        struct run *run, const struct target *t, struct fx_git_scratch **out, struct fx_error *err)
{
	const char *wants[] = {t->want};
	bool by_commit = given(run->options->reference.commit);
	fx_auto(error) struct fx_error refused = FX_ERROR_INIT;
	if (by_commit && !fx_git_remote_serves_any(run->remote))
		return fetch_history(run, out, err);
	int rc = fetch(run, wants, 1, 1, out, by_commit ? &refused : err);
	if (rc == 0 || !by_commit)
		return rc;
	/* Git's own server says this of an object that it does not have; others may have it in a branch,
	 * and say something else. */
	if (!run->no_scratch && strstr(fx_error_message(&refused), "not our ref"))
		return fx_fail(err, FX_E_NOT_FOUND,
		        "unable to resolve commit object for '%s': object not found", t->commit);
	if (rc == -FX_E_PROTOCOL)
		return fetch_history(run, out, err);
	fx_error_move(err, &refused);
	return rc;
}

static int read_commit(
        struct run *run, const struct target *t, struct fx_git_checkout *out, struct fx_error *err)
{
	int rc = fx_git_scratch_commit(out->scratch, t->commit, &out->commit, err);
	if (rc != 0 && given(run->options->reference.commit))
		return fx_error_wrap(err, "unable to resolve commit object for '%s'", t->commit);
	return rc;
}

int fx_git_checkout(const struct fx_git_checkout_options *options, struct fx_cancel *cancel,
        struct fx_git_checkout *out, struct fx_error *err)
{
	fx_auto(git_remote) struct fx_git_remote *remote = NULL;
	fx_cleanup(fx_auto_target) struct target target = {0};
	fx_auto(git_checkout) struct fx_git_checkout checkout = FX_GIT_CHECKOUT_INIT;
	int rc = fx_git_remote_open(&options->remote, cancel, &remote, err);
	if (rc != 0)
		return fx_error_wrap(err, "unable to clone '%s'", options->display_url);
	struct run run = {.options = options,
	        .cancel = cancel,
	        .remote = remote,
	        .slow_ms = fx_now_ms() + FX_GIT_SLOW_MS};
	rc = resolve(&run, &target, err);
	if (rc != 0)
		return rc;
	memcpy(checkout.hash, target.commit, FX_GIT_OID);
	checkout.revision = make_revision(&target);
	if (!checkout.revision)
		return fx_fail_nomem(err);
	checkout.partial = options->last_revision && strcmp(options->last_revision, checkout.revision) == 0;
	run.revision = checkout.revision;
	if (!checkout.partial) {
		rc = fetch_target(&run, &target, &checkout.scratch, err);
		out->no_scratch = run.no_scratch;
		if (rc != 0 && run.no_scratch)
			return rc;
		if (rc != 0)
			return fx_error_wrap(err, "unable to clone '%s'", options->display_url);
		rc = read_commit(&run, &target, &checkout, err);
	}
	if (rc != 0)
		return rc;
	*out = checkout;
	memset(&checkout, 0, sizeof(checkout));
	return 0;
}
