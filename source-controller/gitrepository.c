#include "source-controller/gitrepository.h"

#include "artifact/targz.h"
#include "core/clock.h"
#include "source-controller/content.h"
#include "source-controller/git/auth.h"
#include "source-controller/git/checkout.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define INCLUDES_MAX 256
#define SCRATCH_PREFIX "gitrepository-"
#define TIMEOUT_DEFAULT_NS (60 * 1000000000LL)
/* Of the subject in the event. */
#define SUBJECT_RUNES 50

/* What one run has found out. */
struct git_work {
	const json_t *spec;
	const char *url;  /* spec.url */
	char *remote_url; /* without userinfo; owned */
	struct fx_url parsed;
	struct fx_secret_auth auth;
	char *proxy, *proxy_user, *proxy_password; /* owned */
	struct fx_cancel *timeout;
	json_t *includes; /* the artifacts of spec.include, in order */
	struct fx_git_checkout checkout;
	bool includes_differ;
};

static struct git_work *work_of(struct fx_source *source)
{
	return source->work;
}

static const char *spec_str(const struct fx_source *source, const char *key)
{
	return json_string_value(json_object_get(json_object_get(source->run->object, "spec"), key));
}

/* What belongs to later work is refused, rather than left out silently. */
static const char *unsupported(const struct git_work *w)
{
	const char *provider = json_string_value(json_object_get(w->spec, "provider"));
	if (w->parsed.scheme && strcmp(w->parsed.scheme, "ssh") == 0)
		return "SSH URLs are not supported yet: use an https URL";
	if (provider && *provider && strcmp(provider, "generic") != 0)
		return "only spec.provider 'generic' is supported yet";
	if (json_object_get(w->spec, "verify"))
		return "spec.verify is not supported yet: signatures cannot be verified";
	if (json_is_true(json_object_get(w->spec, "recurseSubmodules")))
		return "spec.recurseSubmodules is not supported yet";
	if (json_array_size(json_object_get(w->spec, "sparseCheckout")))
		return "spec.sparseCheckout is not supported yet";
	return NULL;
}

static int read_proxy(struct fx_source *source, struct fx_error *err)
{
	struct git_work *w = work_of(source);
	const char *name = fx_json_str_at(w->spec, "proxySecretRef", "name");
	if (!name)
		return 0;
	fx_auto(json) json_t *secret = NULL;
	int rc = fx_secret_get(
	        source->run->manager->kube, source->run->namespace_, name, w->timeout, &secret, err);
	if (rc == 0)
		rc = fx_secret_proxy(secret, &w->proxy, &w->proxy_user, &w->proxy_password, err);
	return rc < 0 ? fx_error_wrap(err, "failed to configure proxy options") : 0;
}

/* Secret, then what the URL itself carries (section 6.2). *reason is renewed where it is not the usual one.
 */
static int read_auth(struct fx_source *source, const char **reason, struct fx_error *err)
{
	struct git_work *w = work_of(source);
	const char *name = fx_json_str_at(w->spec, "secretRef", "name");
	fx_auto(json) json_t *secret = NULL;
	int rc = 0;
	if (name) {
		rc = fx_secret_get(
		        source->run->manager->kube, source->run->namespace_, name, w->timeout, &secret, err);
		if (rc < 0)
			return fx_error_wrap(
			        err, "failed to get secret '%s/%s'", source->run->namespace_, name);
		if (fx_git_auth_is_github_app(secret)) {
			*reason = "InvalidProviderConfiguration";
			return fx_fail(err, FX_E_INVALID,
			        "secretRef '%s/%s' has github app data but provider is not set to github",
			        source->run->namespace_, name);
		}
	}
	rc = fx_git_auth_read(secret, &w->parsed, &w->auth, err);
	return rc < 0 ? fx_error_wrap(err, "failed to configure authentication options") : 0;
}

/* The artifacts of the repositories in spec.include; waits when one has none (section 6.9). */
static enum fx_step find_includes(struct fx_source *source)
{
	struct git_work *w = work_of(source);
	size_t i;
	json_t *include;
	w->includes = json_array();
	json_array_foreach (json_object_get(w->spec, "include"), i, include) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(json) json_t *other = NULL;
		const char *name = fx_json_str_at(include, "repository", "name");
		if (i >= INCLUDES_MAX) {
			fx_fail(&err, FX_E_LIMIT, "more than %d includes", INCLUDES_MAX);
			return fx_source_fail_with(
			        source, FX_FETCH_FAILED, FX_STEP_STALLING, "TooManyIncludes", &err);
		}
		if (fx_controller_get(source->run->controller, source->run->namespace_, name ? name : "",
		            &other, &err) < 0) {
			fx_error_wrap(&err, "could not get resource for include '%s'", name ? name : "");
			return fx_source_fail_with(
			        source, FX_INCLUDE_UNAVAILABLE, FX_STEP_WAITING, "NotFound", &err);
		}
		json_t *artifact = fx_json_at(other, "status", "artifact");
		if (!artifact) {
			fx_fail(&err, FX_E_UNAVAILABLE, "no artifact available for include '%s'", name);
			return fx_source_fail_with(
			        source, FX_INCLUDE_UNAVAILABLE, FX_STEP_WAITING, "NoArtifact", &err);
		}
		json_array_append(w->includes, artifact);
	}
	fx_source_unset(source, FX_INCLUDE_UNAVAILABLE);
	return FX_STEP_SUCCESS;
}

/* Same number, and every present revision among the old ones. */
static bool same_revisions(const json_t *old, const json_t *now)
{
	size_t i, k;
	json_t *a, *b;
	if (json_array_size(old) != json_array_size(now))
		return false;
	json_array_foreach (now, i, a) {
		bool found = false;
		json_array_foreach (old, k, b) {
			found = found ||
			        json_equal(json_object_get(a, "revision"), json_object_get(b, "revision"));
		}
		if (!found)
			return false;
	}
	return true;
}

static void compare_includes(struct fx_source *source)
{
	struct git_work *w = work_of(source);
	const json_t *old = json_object_get(source->status, "includedArtifacts");
	w->includes_differ = !same_revisions(old, w->includes);
	fx_source_unset(source, FX_ARTIFACT_OUTDATED);
	if (!w->includes_differ)
		return;
	static const char text[] = "included artifacts differ from last observed includes";
	if (old)
		fx_source_set(source, FX_ARTIFACT_OUTDATED, "True", "IncludeChange", "%s", text);
	fx_source_progress(source, true, "building artifact: %s", text);
}

static const json_t *list_or_empty(const json_t *list, json_t *empty)
{
	return json_is_array(list) ? list : empty;
}

/* Has anything changed that makes another artifact of the same commit (section 6.8)? */
static bool content_config_differs(struct fx_source *source)
{
	struct git_work *w = work_of(source);
	fx_auto(json) json_t *empty = json_array();
	if (!json_equal(
	            json_object_get(w->spec, "ignore"), json_object_get(source->status, "observedIgnore")) &&
	        (json_object_get(w->spec, "ignore") || json_object_get(source->status, "observedIgnore")))
		return true;
	const json_t *old = list_or_empty(json_object_get(source->status, "observedInclude"), empty);
	const json_t *now = list_or_empty(json_object_get(w->spec, "include"), empty);
	if (!json_equal(old, now))
		return true;
	if (json_is_true(json_object_get(source->status, "observedRecurseSubmodules")) ||
	        json_array_size(json_object_get(source->status, "observedSparseCheckout")))
		return true;
	size_t i;
	json_t *artifact;
	const json_t *included = json_object_get(source->status, "includedArtifacts");
	json_array_foreach (w->includes, i, artifact) {
		const json_t *was = json_array_get(included, i);
		if (!json_equal(json_object_get(was, "revision"), json_object_get(artifact, "revision")) ||
		        !json_equal(json_object_get(was, "digest"), json_object_get(artifact, "digest")))
			return true;
	}
	return false;
}

/* A new revision was found, and it is a large one: what is served is no longer what is wanted. */
static void show_drift(struct fx_source *source, const char *revision)
{
	if (fx_source_has_revision(source, revision))
		return;
	if (fx_source_artifact(source))
		fx_source_set(source, FX_ARTIFACT_OUTDATED, "True", "NewRevision",
		        "new upstream revision '%s'", revision);
	fx_source_progress(source, true, "building artifact: new upstream revision '%s'", revision);
}

static void on_slow(void *arg, const char *revision)
{
	struct fx_source *source = arg;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	show_drift(source, revision);
	/* The status is written again at the end of the run. */
	if (fx_source_write(source, &err) < 0)
		fx_reconcile_log(source->run, FX_LOG_DEBUG, "progress is not shown", fx_error_message(&err));
}

static void fill_checkout_options(struct fx_source *source, const struct fx_tls *tls, const char *prefix,
        struct fx_git_checkout_options *o)
{
	struct git_work *w = work_of(source);
	const json_t *ref = json_object_get(w->spec, "ref");
	*o = (struct fx_git_checkout_options){
	        .remote = {.http = source->run->manager->http,
	                .url = w->remote_url,
	                .user = w->auth.username,
	                .password = w->auth.password,
	                .bearer = w->auth.bearer,
	                .tls = tls,
	                .proxy = w->proxy,
	                .proxy_user = w->proxy_user,
	                .proxy_password = w->proxy_password},
	        .reference = {.branch = json_string_value(json_object_get(ref, "branch")),
	                .tag = json_string_value(json_object_get(ref, "tag")),
	                .semver = json_string_value(json_object_get(ref, "semver")),
	                .name = json_string_value(json_object_get(ref, "name")),
	                .commit = json_string_value(json_object_get(ref, "commit"))},
	        .display_url = w->remote_url,
	        .scratch_prefix = prefix,
	        .on_slow = on_slow,
	        .arg = source,
	};
	/* The stored revision is worth comparing only while it is what is served. */
	if (fx_conditions_is(source->conditions, FX_ARTIFACT_IN_STORAGE, "True") && !w->includes_differ &&
	        !content_config_differs(source))
		o->last_revision = fx_json_str_at(fx_source_artifact(source), "revision");
}

static enum fx_step check_out(struct fx_source *source)
{
	struct git_work *w = work_of(source);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_tls tls = {.ca_pem = w->auth.ca_pem,
	        .system_ca_too = true,
	        .cert_pem = w->auth.cert_pem,
	        .key_pem = w->auth.key_pem};
	char *prefix = fx_arena_printf(
	        source->arena, SCRATCH_PREFIX "%s-%s-", source->run->namespace_, source->run->name);
	struct fx_git_checkout_options options;
	fill_checkout_options(source, tls.ca_pem || tls.cert_pem ? &tls : NULL, prefix, &options);
	int rc = fx_git_checkout(&options, w->timeout, &w->checkout, &err);
	if (rc == -FX_E_GONE)
		return fx_source_fail_with(
		        source, FX_FETCH_FAILED, FX_STEP_GENERIC, "EmptyGitRepository", &err);
	if (rc < 0 && w->checkout.no_scratch)
		return fx_source_fail_with(source, FX_STORAGE_OPERATION_FAILED, FX_STEP_GENERIC,
		        "DirectoryCreationFailed", &err);
	if (rc < 0) {
		fx_error_wrap(&err, "failed to checkout and determine revision");
		return fx_source_fail_with(
		        source, FX_FETCH_FAILED, FX_STEP_GENERIC, "GitOperationFailed", &err);
	}
	fx_source_unset(source, FX_FETCH_FAILED);
	return FX_STEP_SUCCESS;
}

static void set_stored(struct fx_source *source)
{
	fx_source_unset(source, FX_ARTIFACT_OUTDATED);
	fx_source_unset(source, FX_STORAGE_OPERATION_FAILED);
	fx_source_set(source, FX_ARTIFACT_IN_STORAGE, "True", FX_REASON_SUCCEEDED,
	        "stored artifact for revision '%s'", fx_json_str_at(fx_source_artifact(source), "revision"));
}

/* The head has not moved and nothing else is wanted: the end of most runs. */
static enum fx_step nothing_new(struct fx_source *source)
{
	struct git_work *w = work_of(source);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	set_stored(source);
	source->summary_text =
	        fx_arena_printf(source->arena, "stored artifact for commit '%s'", w->checkout.revision);
	fx_fail(&err, FX_E_EXISTS, "no changes since last reconciliation: observed revision '%s'",
	        w->checkout.revision);
	return fx_source_fail(source, FX_STEP_IGNORE, "GitOperationSucceeded", &err);
}

static enum fx_step prepare(struct fx_source *source)
{
	struct git_work *w = work_of(source);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	int64_t timeout_ns = TIMEOUT_DEFAULT_NS;
	const char *timeout = spec_str(source, "timeout");
	if (timeout && fx_duration_parse(timeout, &timeout_ns, NULL) < 0)
		timeout_ns = TIMEOUT_DEFAULT_NS;
	w->spec = json_object_get(source->run->object, "spec");
	w->url = spec_str(source, "url");
	w->timeout = fx_cancel_new(source->run->cancel, fx_now_ms() + timeout_ns / 1000000);
	if (!w->url || fx_url_parse(w->url, &w->parsed, &err) < 0) {
		fx_error_wrap(&err, "failed to parse url '%s'", w->url ? "of spec.url" : "");
		return fx_source_fail_with(source, FX_FETCH_FAILED, FX_STEP_STALLING, "URLInvalid", &err);
	}
	w->remote_url = fx_url_redact(w->url);
	const char *missing = unsupported(w);
	if (missing) {
		fx_fail(&err, FX_E_UNSUPPORTED, "%s", missing);
		return fx_source_fail_with(source, FX_FETCH_FAILED, FX_STEP_STALLING, "NotSupported", &err);
	}
	if (!w->timeout || !w->remote_url) {
		fx_fail_nomem(&err);
		return fx_source_fail(source, FX_STEP_PLAIN, FX_REASON_FAILED, &err);
	}
	const char *reason = "AuthenticationFailed";
	if (read_proxy(source, &err) < 0 || read_auth(source, &reason, &err) < 0)
		return fx_source_fail_with(source, FX_FETCH_FAILED, FX_STEP_GENERIC, reason, &err);
	return FX_STEP_SUCCESS;
}

static enum fx_step reconcile_source(struct fx_source *source)
{
	if (fx_conditions_is(source->conditions, FX_SOURCE_VERIFIED, "False"))
		fx_source_unset(source, FX_SOURCE_VERIFIED);
	enum fx_step step = prepare(source);
	if (step == FX_STEP_SUCCESS)
		step = find_includes(source);
	if (step != FX_STEP_SUCCESS)
		return step;
	compare_includes(source);
	step = check_out(source);
	if (step != FX_STEP_SUCCESS)
		return step;
	struct git_work *w = work_of(source);
	if (w->checkout.partial)
		return nothing_new(source);
	show_drift(source, w->checkout.revision);
	return FX_STEP_SUCCESS;
}

/* Where include i goes: spec's toPath, or the name of its repository. */
static const char *include_target(const json_t *include)
{
	const char *to = json_string_value(json_object_get(include, "toPath"));
	return to && *to ? to : fx_json_str_at(include, "repository", "name");
}

/* A path that no file system takes (section 6.6); where it leads, fx_content_include() looks. */
static bool is_legal_path(const char *path)
{
	if (strlen(path) > FX_TARGZ_PATH_MAX)
		return false;
	for (size_t n; *path; path += n + (path[n] == '/')) {
		n = strcspn(path, "/");
		if (n > NAME_MAX)
			return false;
	}
	return true;
}

static int check_include_paths(struct fx_source *source, struct fx_error *err)
{
	size_t i;
	json_t *include;
	json_array_foreach (json_object_get(work_of(source)->spec, "include"), i, include) {
		if (!is_legal_path(include_target(include)))
			return fx_fail(err, FX_E_INVALID,
			        "path calculation for include '%s' failed: toPath has more than %d bytes, or "
			        "a "
			        "name in it more than %d",
			        fx_json_str_at(include, "repository", "name"), FX_TARGZ_PATH_MAX, NAME_MAX);
	}
	return 0;
}

/* Lays the artifact of include i into the content, read from our own storage (section 6.6). */
static int add_include(struct fx_source *source, struct fx_content *content, size_t i, struct fx_error *err)
{
	struct git_work *w = work_of(source);
	const json_t *include = json_array_get(json_object_get(w->spec, "include"), i);
	const char *name = fx_json_str_at(include, "repository", "name");
	const char *from = json_string_value(json_object_get(include, "fromPath"));
	const char *to = include_target(include);
	const char *path = fx_json_str_at(json_array_get(w->includes, i), "path");
	fx_auto(fd) int fd = fx_store_open(source->kind->env->store, path ? path : "", O_RDONLY);
	if (fd < 0)
		return fx_fail_errno(err, "failed to copy '%s' include: opening its artifact", name);
	static const struct fx_untar_options untar = {.symlinks_fail = true};
	fx_auto(tree) struct fx_tree *tree = NULL;
	int rc = fx_tree_read_fd(fd, &untar, &tree, err);
	if (rc == 0)
		rc = fx_content_include(content, tree, from ? from : "", to, err);
	return rc < 0 ? fx_error_wrap(
	                        err, "failed to copy '%s' include from %s to %s", name, from ? from : "/", to)
	              : 0;
}

static int write_archive(struct fx_source *source, struct fx_content *content, const char *path,
        struct fx_digest *digest, uint64_t *size, struct fx_error *err)
{
	struct fx_store *store = source->kind->env->store;
	fx_auto(store_file) struct fx_store_file *file = NULL;
	fx_auto(targz) struct fx_targz *targz = NULL;
	int rc = fx_store_create(store, path, &file, err);
	if (rc == 0)
		rc = fx_targz_new(fx_store_file_fd(file), fx_store_algo(store), &targz, err);
	if (rc == 0)
		rc = fx_content_archive(content, spec_str(source, "ignore"), targz, err);
	if (rc == 0)
		rc = fx_targz_finish(targz, digest, size, err);
	if (rc == 0)
		rc = fx_store_file_commit(file, digest, err);
	return rc;
}

static void set_or_delete(json_t *object, const char *key, json_t *value)
{
	if (value && !(json_is_array(value) && json_array_size(value) == 0))
		json_object_set(object, key, value);
	else
		json_object_del(object, key);
}

/* Puts into the status what was stored, and what it was made from. */
static bool record_artifact(
        struct fx_source *source, const char *path, const struct fx_digest *digest, uint64_t size)
{
	struct git_work *w = work_of(source);
	char now[FX_TIME_TEXT];
	fx_autofree char *url = fx_store_url(source->kind->env->store, path);
	json_t *artifact = url ? json_pack("{s:s,s:s,s:s,s:s,s:s,s:I}", "path", path, "url", url, "revision",
	                                 w->checkout.revision, "digest", digest->text, "lastUpdateTime",
	                                 fx_time_rfc3339(fx_wall_ns(), now), "size", (json_int_t)size)
	                       : NULL;
	if (!artifact || json_object_set_new(source->status, "artifact", artifact) != 0)
		return false;
	set_or_delete(source->status, "includedArtifacts", w->includes);
	set_or_delete(source->status, "observedIgnore", json_object_get(w->spec, "ignore"));
	set_or_delete(source->status, "observedInclude", json_object_get(w->spec, "include"));
	json_object_del(source->status, "observedRecurseSubmodules");
	json_object_del(source->status, "observedSparseCheckout");
	json_object_del(source->status, "sourceVerificationMode");
	fx_source_unset(source, FX_SOURCE_VERIFIED);
	return true;
}

/* The subject cut at a character boundary, for the event. */
static const char *short_subject(struct fx_source *source, const char *subject)
{
	size_t bytes = 0, runes = 0;
	while (subject[bytes] && runes <= SUBJECT_RUNES) {
		if (((unsigned char)subject[bytes] & 0xc0) != 0x80 && ++runes > SUBJECT_RUNES)
			break;
		bytes++;
	}
	return subject[bytes] ? fx_arena_printf(source->arena, "%.*s...", (int)bytes, subject) : subject;
}

/* The artifact's folder and its lock. */
static enum fx_step lock_artifact(struct fx_source *source, const char *path, int *out_lock)
{
	struct fx_store *store = source->kind->env->store;
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const char *dir = fx_source_path(source, NULL);
	int rc = dir ? fx_store_make_dir(store, dir, &err) : fx_fail_nomem(&err);
	if (rc < 0) {
		fx_error_wrap(&err, "failed to create artifact directory");
		return fx_source_fail_with(source, FX_STORAGE_OPERATION_FAILED, FX_STEP_GENERIC,
		        "DirectoryCreationFailed", &err);
	}
	if (fx_store_lock(store, path, out_lock, &err) < 0) {
		fx_error_wrap(&err, "failed to acquire lock for artifact");
		return fx_source_fail(source, FX_STEP_GENERIC, FX_REASON_FAILED, &err);
	}
	return FX_STEP_SUCCESS;
}

/* What is to be archived: the commit's tree with the includes in it. */
static enum fx_step make_content(struct fx_source *source, struct fx_content **out)
{
	struct git_work *w = work_of(source);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	if (fx_content_new(w->checkout.scratch, &w->checkout.commit.tree, out, &err) < 0)
		return fx_source_fail(source, FX_STEP_GENERIC, FX_REASON_FAILED, &err);
	if (check_include_paths(source, &err) < 0)
		return fx_source_fail_with(
		        source, FX_STORAGE_OPERATION_FAILED, FX_STEP_GENERIC, "IllegalPath", &err);
	for (size_t i = 0; i < json_array_size(w->includes); i++) {
		if (add_include(source, *out, i, &err) < 0)
			return fx_source_fail_with(
			        source, FX_STORAGE_OPERATION_FAILED, FX_STEP_GENERIC, "CopyFailure", &err);
	}
	return FX_STEP_SUCCESS;
}

static enum fx_step store_artifact(struct fx_source *source)
{
	struct git_work *w = work_of(source);
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(content) struct fx_content *content = NULL;
	fx_auto(fd) int lock = -1;
	struct fx_digest digest;
	uint64_t size = 0;
	char *path = fx_source_path(source, fx_arena_printf(source->arena, "%s.tar.gz", w->checkout.hash));
	if (!path) {
		fx_fail_nomem(&err);
		return fx_source_fail(source, FX_STEP_PLAIN, FX_REASON_FAILED, &err);
	}
	enum fx_step step = make_content(source, &content);
	if (step == FX_STEP_SUCCESS)
		step = lock_artifact(source, path, &lock);
	if (step != FX_STEP_SUCCESS)
		return step;
	if (write_archive(source, content, path, &digest, &size, &err) < 0) {
		fx_error_wrap(&err, "unable to archive artifact to storage");
		return fx_source_fail_with(
		        source, FX_STORAGE_OPERATION_FAILED, FX_STEP_GENERIC, "ArchiveOperationFailed", &err);
	}
	if (!record_artifact(source, path, &digest, size)) {
		fx_fail_nomem(&err);
		return fx_source_fail(source, FX_STEP_PLAIN, FX_REASON_FAILED, &err);
	}
	return FX_STEP_SUCCESS;
}

static enum fx_step reconcile_artifact(struct fx_source *source)
{
	struct git_work *w = work_of(source);
	bool current = fx_source_has_revision(source, w->checkout.revision) && !w->includes_differ &&
	               !content_config_differs(source);
	source->summary_text = fx_arena_printf(source->arena, "stored artifact for commit '%s'",
	        short_subject(source, w->checkout.commit.subject ? w->checkout.commit.subject : ""));
	if (current)
		fx_source_trace(source, "ArtifactUpToDate", "artifact up-to-date with remote revision: '%s'",
		        w->checkout.revision);
	enum fx_step step = current ? FX_STEP_SUCCESS : store_artifact(source);
	if (step == FX_STEP_SUCCESS)
		set_stored(source);
	return step;
}

static int reconcile(void *arg, struct fx_reconcile *run, struct fx_result *out, struct fx_error *err)
{
	struct git_work w = {.checkout = FX_GIT_CHECKOUT_INIT};
	int rc = fx_source_reconcile(arg, run, &w, out, err);
	fx_git_checkout_release(&w.checkout);
	fx_secret_auth_release(&w.auth);
	fx_url_release(&w.parsed);
	fx_cancel_unref(w.timeout);
	json_decref(w.includes);
	free(w.remote_url);
	free(w.proxy);
	free(w.proxy_user);
	if (w.proxy_password)
		explicit_bzero(w.proxy_password, strlen(w.proxy_password));
	free(w.proxy_password);
	return rc;
}

int fx_gitrepository_new(struct fx_source_env *env, struct fx_source_kind *kind, struct fx_controller **out,
        struct fx_error *err)
{
	static const char *const summary[] = {FX_STORAGE_OPERATION_FAILED, FX_FETCH_FAILED,
	        FX_INCLUDE_UNAVAILABLE, FX_ARTIFACT_OUTDATED, FX_ARTIFACT_IN_STORAGE, FX_SOURCE_VERIFIED,
	        FX_CONDITION_STALLED, FX_CONDITION_RECONCILING, NULL};
	static const char *const negatives[] = {FX_STORAGE_OPERATION_FAILED, FX_FETCH_FAILED,
	        FX_INCLUDE_UNAVAILABLE, FX_ARTIFACT_OUTDATED, FX_CONDITION_STALLED, FX_CONDITION_RECONCILING,
	        NULL};
	static const char *const failures[] = {
	        FX_FETCH_FAILED, FX_INCLUDE_UNAVAILABLE, FX_STORAGE_OPERATION_FAILED, NULL};
	static enum fx_step (*const steps[])(struct fx_source *) = {
	        reconcile_source, reconcile_artifact, NULL};
	*kind = (struct fx_source_kind){.env = env,
	        .kind = "GitRepository",
	        .summary = summary,
	        .negatives = negatives,
	        .failures = failures,
	        .steps = steps};
	fx_git_init();
	fx_git_scratch_sweep(SCRATCH_PREFIX);
	struct fx_controller_options options = {
	        .name = "gitrepository",
	        .kind = "GitRepository",
	        .group = "source.toolkit.fluxcd.io",
	        .version = "v1",
	        .resource = "gitrepositories",
	        .field_manager = "source-controller",
	        .reconcile = reconcile,
	        .arg = kind,
	};
	return fx_controller_new(&options, out, err);
}
