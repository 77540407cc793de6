/*
 * `make demo`: the main job told as a story, on real servers and with the real controllers. Each step
 * changes Git or the cluster and waits until the effect is seen; the exit code is 0 only when every
 * step was.
 */
#include "core/clock.h"
#include "kube/object.h"
#include "test/demo/print.h"
#include "test/demo/world.h"

#include <string.h>

#define REPO "fleet"

#define CONFIGMAP(name, key, value)                                                                          \
	"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " name "\ndata:\n  " key ": " value "\n"

static const char deployment[] =
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 2\n"
        "  selector:\n    matchLabels: {app: web}\n  template:\n    metadata:\n"
        "      labels: {app: web}\n    spec:\n      containers:\n      - name: web\n"
        "        image: example.com/web:1.0.0\n";

/* What a check looks at. */
struct want {
	enum demo_kind kind;
	const char *name;
	const char *key;   /* of a ConfigMap's data */
	const char *value; /* that it has, or a text that a message or revision holds */
};

static const char *ready(const json_t *object, const char *field)
{
	size_t i;
	json_t *c;
	json_array_foreach (fx_json_at(object, "status", "conditions"), i, c) {
		const char *type = json_string_value(json_object_get(c, "type"));
		if (type && strcmp(type, "Ready") == 0)
			return json_string_value(json_object_get(c, field));
	}
	return NULL;
}

static bool is_ready_at(struct demo_world *w, const void *arg)
{
	const struct want *want = arg;
	fx_auto(json) json_t *object = demo_get(w, want->kind, want->name);
	const char *status = ready(object, "status");
	const char *revision = want->kind == DEMO_GITREPOSITORY
	                               ? fx_json_str_at(object, "status", "artifact", "revision")
	                               : fx_json_str_at(object, "status", "lastAppliedRevision");
	return status && strcmp(status, "True") == 0 && revision &&
	       (!want->value || strstr(revision, want->value));
}

static bool has_failed_with(struct demo_world *w, const void *arg)
{
	const struct want *want = arg;
	fx_auto(json) json_t *object = demo_get(w, want->kind, want->name);
	const char *status = ready(object, "status"), *message = ready(object, "message");
	return status && strcmp(status, "False") == 0 && message && strstr(message, want->value);
}

static bool has_data(struct demo_world *w, const void *arg)
{
	const struct want *want = arg;
	fx_auto(json) json_t *object = demo_get(w, DEMO_CONFIGMAP, want->name);
	const char *value = fx_json_str_at(object, "data", want->key);
	return value && strcmp(value, want->value) == 0;
}

static bool is_gone(struct demo_world *w, const void *arg)
{
	const struct want *want = arg;
	fx_auto(json) json_t *object = demo_get(w, want->kind, want->name);
	return !object;
}

/* What a Git host's webhook does: asks for a reconciliation of the source now. */
static int poke(struct demo_world *w, struct fx_error *err)
{
	fx_autofree char *patch = NULL;
	if (asprintf(&patch,
	            "{\"metadata\":{\"annotations\":{\"reconcile.fluxcd.io/requestedAt\":\"%lld\"}}}",
	            (long long)fx_wall_ns()) < 0)
		return fx_fail_nomem(err);
	return demo_patch(w, DEMO_GITREPOSITORY, REPO, patch, err);
}

static int push(struct demo_world *w, const char *subject, const struct fx_test_file *files, char hash[41],
        struct fx_error *err)
{
	int rc = fx_test_git_commit(&w->git, REPO, "main", subject, files, hash, err);
	if (rc == 0)
		demo_do("git push: %.7s \"%s\"", hash, subject);
	return rc;
}

/* Pushes, pokes, and waits until the Kustomization is ready at that commit. */
static int push_and_wait(struct demo_world *w, const char *subject, const struct fx_test_file *files,
        const char *kustomization, int64_t *out_ms, struct fx_error *err)
{
	char hash[41];
	int64_t start = fx_now_ms();
	int rc = push(w, subject, files, hash, err);
	if (rc == 0)
		rc = poke(w, err);
	struct want want = {DEMO_KUSTOMIZATION, kustomization, NULL, hash};
	if (rc == 0)
		rc = demo_wait(
		        w, is_ready_at, &want, "the Kustomization ready at the pushed commit", NULL, err);
	*out_ms = fx_now_ms() - start;
	return rc;
}

static int kustomization(struct demo_world *w, const char *name, const char *path, const char *depends_on,
        struct fx_error *err)
{
	fx_autofree char *depends = NULL, *json = NULL;
	if (asprintf(&depends, ",\"dependsOn\":[{\"name\":\"%s\"}]", depends_on ? depends_on : "") < 0 ||
	        asprintf(&json,
	                "{\"apiVersion\":\"kustomize.toolkit.fluxcd.io/"
	                "v1\",\"kind\":\"Kustomization\",\"metadata\":{\"name\":"
	                "\"%s\"},\"spec\":{\"interval\":\"10m\",\"retryInterval\":\"1m\",\"timeout\":\"1m\","
	                "\"prune\":true,"
	                "\"wait\":true,\"path\":\"%s\",\"targetNamespace\":\"" DEMO_NAMESPACE
	                "\",\"sourceRef\":{\"kind\":"
	                "\"GitRepository\",\"name\":\"" REPO "\"}%s}}",
	                name, path, depends_on ? depends : "") < 0)
		return fx_fail_nomem(err);
	demo_do("kubectl apply: Kustomization/%s (path %s%s%s)", name, path,
	        depends_on ? ", depends on " : "", depends_on ? depends_on : "");
	return demo_apply(w, DEMO_KUSTOMIZATION, name, json, err);
}

static int first_commit(struct demo_world *w, struct fx_error *err)
{
	demo_step("The first commit is applied");
	char hash[41];
	int rc = fx_test_git_create(&w->git, REPO, err);
	if (rc == 0)
		rc = push(w, "web and its settings",
		        (struct fx_test_file[]){{"app/web.yaml", deployment},
		                {"app/settings.yaml", CONFIGMAP("settings", "greeting", "hello")},
		                {"app/banner.yaml", CONFIGMAP("banner", "text", "new")}, {0}},
		        hash, err);
	fx_autofree char *json = NULL;
	if (asprintf(&json,
	            "{\"apiVersion\":\"source.toolkit.fluxcd.io/"
	            "v1\",\"kind\":\"GitRepository\",\"metadata\":{\"name\":"
	            "\"" REPO "\"},\"spec\":{\"interval\":\"1m\",\"url\":\"%s/" REPO
	            ".git\",\"ref\":{\"branch\":\"main\"}}}",
	            w->git.url) < 0)
		return fx_fail_nomem(err);
	int64_t start = fx_now_ms(), source_ms = 0;
	if (rc == 0) {
		demo_do("kubectl apply: GitRepository/" REPO " (%s/" REPO ".git)", w->git.url);
		rc = demo_apply(w, DEMO_GITREPOSITORY, REPO, json, err);
	}
	struct want source = {DEMO_GITREPOSITORY, REPO, NULL, hash};
	if (rc == 0)
		rc = demo_wait(w, is_ready_at, &source, "the GitRepository ready", &source_ms, err);
	if (rc == 0)
		demo_ok("GitRepository/" REPO " is Ready after %lld ms: artifact main@sha1:%.7s",
		        (long long)source_ms, hash);
	if (rc == 0)
		rc = kustomization(w, "app", "./app", NULL, err);
	struct want app = {DEMO_KUSTOMIZATION, "app", NULL, hash};
	if (rc == 0)
		rc = demo_wait(w, is_ready_at, &app, "the Kustomization ready", NULL, err);
	if (rc == 0)
		demo_ok("Kustomization/app is Ready, its Deployment rolled out, %lld ms after the first "
		        "kubectl apply",
		        (long long)(fx_now_ms() - start));
	return rc;
}

static int a_change(struct demo_world *w, struct fx_error *err)
{
	demo_step("A change is applied");
	int64_t ms;
	int rc = push_and_wait(w, "a warmer greeting",
	        (struct fx_test_file[]){
	                {"app/settings.yaml", CONFIGMAP("settings", "greeting", "welcome")}, {0}},
	        "app", &ms, err);
	struct want want = {DEMO_CONFIGMAP, "settings", "greeting", "welcome"};
	if (rc == 0)
		rc = demo_wait(w, has_data, &want, "the new greeting in the cluster", NULL, err);
	if (rc == 0)
		demo_ok("from push to Ready: %lld ms", (long long)ms);
	return rc;
}

/* The ConfigMap has its value again, in a version later than the one that `value` names. */
static bool is_reverted(struct demo_world *w, const void *arg)
{
	const struct want *before = arg;
	fx_auto(json) json_t *object = demo_get(w, DEMO_CONFIGMAP, before->name);
	const char *value = fx_json_str_at(object, "data", "greeting");
	return value && strcmp(value, "welcome") == 0 &&
	       strcmp(fx_object_resource_version(object), before->value) != 0;
}

static int a_manual_edit(struct demo_world *w, struct fx_error *err)
{
	demo_step("A manual edit is reverted");
	fx_auto(json) json_t *before = demo_get(w, DEMO_CONFIGMAP, "settings");
	int64_t start = fx_now_ms();
	demo_do("kubectl patch: ConfigMap/settings greeting=hacked");
	int rc = demo_patch(w, DEMO_CONFIGMAP, "settings", "{\"data\":{\"greeting\":\"hacked\"}}", err);
	struct want want = {DEMO_CONFIGMAP, "settings", "greeting", fx_object_resource_version(before)};
	if (rc == 0)
		rc = demo_wait(w, is_reverted, &want, "the edit reverted", NULL, err);
	if (rc == 0)
		demo_ok("put right %lld ms after the edit, at the event and not at the interval",
		        (long long)(fx_now_ms() - start));
	return rc;
}

static int a_removal(struct demo_world *w, struct fx_error *err)
{
	demo_step("A file that leaves Git leaves the cluster");
	int64_t ms;
	int rc = push_and_wait(w, "no banner any more",
	        (struct fx_test_file[]){{"app/banner.yaml", NULL}, {0}}, "app", &ms, err);
	struct want want = {DEMO_CONFIGMAP, "banner", NULL, NULL};
	if (rc == 0)
		rc = demo_wait(w, is_gone, &want, "ConfigMap/banner pruned", NULL, err);
	if (rc == 0)
		demo_ok("ConfigMap/banner was pruned, %lld ms after the push", (long long)ms);
	return rc;
}

static int a_mistake(struct demo_world *w, struct fx_error *err)
{
	demo_step("A broken commit says what is wrong, and nothing is lost");
	char hash[41];
	int rc = push(w, "oops",
	        (struct fx_test_file[]){
	                {"app/settings.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n name: settings\n"
	                                      "data: {greeting: [unclosed\n"},
	                {0}},
	        hash, err);
	if (rc == 0)
		rc = poke(w, err);
	struct want want = {DEMO_KUSTOMIZATION, "app", NULL, "settings.yaml"};
	if (rc == 0)
		rc = demo_wait(w, has_failed_with, &want, "an error that names the file", NULL, err);
	if (rc < 0)
		return rc;
	fx_auto(json) json_t *app = demo_get(w, DEMO_KUSTOMIZATION, "app");
	demo_ok("Kustomization/app is not Ready:");
	demo_quote(ready(app, "message") ? ready(app, "message") : "");
	struct want kept = {DEMO_CONFIGMAP, "settings", "greeting", "welcome"};
	rc = demo_wait(w, has_data, &kept, "the cluster as it was", NULL, err);
	int64_t ms;
	if (rc == 0)
		rc = push_and_wait(w, "fixed",
		        (struct fx_test_file[]){
		                {"app/settings.yaml", CONFIGMAP("settings", "greeting", "welcome")}, {0}},
		        "app", &ms, err);
	if (rc == 0)
		demo_ok("the fix is Ready %lld ms after its push", (long long)ms);
	return rc;
}

static int a_chain(struct demo_world *w, struct fx_error *err)
{
	demo_step("A chain of dependencies runs at the speed of readiness");
	static const char *const names[] = {"database", "backend", "frontend"};
	char hash[41];
	int rc = push(w, "three tiers",
	        (struct fx_test_file[]){{"database/cm.yaml", CONFIGMAP("database", "tier", "first")},
	                {"backend/cm.yaml", CONFIGMAP("backend", "tier", "second")},
	                {"frontend/cm.yaml", CONFIGMAP("frontend", "tier", "third")}, {0}},
	        hash, err);
	if (rc == 0)
		rc = poke(w, err);
	struct want source = {DEMO_GITREPOSITORY, REPO, NULL, hash};
	if (rc == 0)
		rc = demo_wait(w, is_ready_at, &source, "the GitRepository at the new commit", NULL, err);
	int64_t start = fx_now_ms();
	for (size_t i = FX_COUNT(names); i-- > 0 && rc == 0;) {
		char path[32];
		snprintf(path, sizeof(path), "./%s", names[i]);
		rc = kustomization(w, names[i], path, i ? names[i - 1] : NULL, err);
	}
	for (size_t i = 0; i < FX_COUNT(names) && rc == 0; i++) {
		struct want want = {DEMO_KUSTOMIZATION, names[i], NULL, hash};
		rc = demo_wait(w, is_ready_at, &want, names[i], NULL, err);
	}
	if (rc == 0)
		demo_ok("all three are Ready, one after the other, in %lld ms",
		        (long long)(fx_now_ms() - start));
	return rc;
}

static int print_event(void *arg, json_t *event, struct fx_error *err)
{
	(void)arg;
	(void)err;
	const char *type = json_string_value(json_object_get(event, "type"));
	const char *kind = fx_json_str_at(event, "involvedObject", "kind");
	const char *message = json_string_value(json_object_get(event, "message"));
	fx_autofree char *line = strdup(message ? message : "");
	for (char *p = line; p && *p; p++)
		*p = *p == '\n' ? ';' : *p;
	if (line && kind && (strcmp(kind, "GitRepository") == 0 || strcmp(kind, "Kustomization") == 0))
		printf("     %-8s %-14s %-10s %-26s %.90s\n", type, kind,
		        fx_json_str_at(event, "involvedObject", "name"),
		        json_string_value(json_object_get(event, "reason")), line);
	return 0;
}

static int the_end(struct demo_world *w, struct fx_error *err)
{
	demo_step("What an operator sees");
	struct fx_kube_path path = {"", "v1", "events", DEMO_NAMESPACE, NULL, NULL};
	int rc = fx_kube_list(w->kube, &path, NULL, NULL, print_event, NULL, err);
	printf("\n     %-14s %-10s %-6s %s\n", "KIND", "NAME", "READY", "STATUS");
	static const char *const names[] = {REPO, "app", "database", "backend", "frontend"};
	for (size_t i = 0; i < FX_COUNT(names) && rc == 0; i++) {
		fx_auto(json) json_t *object =
		        demo_get(w, i ? DEMO_KUSTOMIZATION : DEMO_GITREPOSITORY, names[i]);
		printf("     %-14s %-10s %-6s %.80s\n", i ? "Kustomization" : "GitRepository", names[i],
		        ready(object, "status"), ready(object, "message"));
	}
	/* Deleting a Kustomization prunes what it applied. */
	for (size_t i = FX_COUNT(names); i-- > 1 && rc == 0;) {
		struct want want = {DEMO_KUSTOMIZATION, names[i], NULL, NULL};
		rc = demo_delete(w, DEMO_KUSTOMIZATION, names[i], err);
		if (rc == 0)
			rc = demo_wait(w, is_gone, &want, "the Kustomization deleted", NULL, err);
	}
	struct want settings = {DEMO_CONFIGMAP, "settings", NULL, NULL};
	if (rc == 0)
		rc = demo_wait(w, is_gone, &settings, "its objects pruned", NULL, err);
	if (rc == 0)
		demo_ok("the Kustomizations are deleted, and what they applied is gone");
	return rc;
}

int main(void)
{
	static int (*const steps[])(struct demo_world *, struct fx_error *) = {
	        first_commit, a_change, a_manual_edit, a_removal, a_mistake, a_chain, the_end};
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct demo_world world;
	int64_t start = fx_now_ms();
	int rc = demo_world_start(&world, &err);
	if (rc == 0)
		printf("API server, Git server and two controllers are up after %lld ms.\n",
		        (long long)(fx_now_ms() - start));
	for (size_t i = 0; i < FX_COUNT(steps) && rc == 0; i++)
		rc = steps[i](&world, &err);
	if (rc < 0)
		demo_bad("%s", fx_error_message(&err));
	demo_world_stop(&world, rc < 0);
	printf("\n%s in %.1f s.\n", rc == 0 ? "Every step was seen," : "The demo failed",
	        (double)(fx_now_ms() - start) / 1000);
	return rc == 0 ? 0 : 1;
}
