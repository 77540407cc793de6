/* The Kubernetes client layer on the real API server and on the embedded one. */
#include "test/harness/apiserver.h"
#include "test/harness/cluster.h"
#include "test/unit/unit.h"

#include "core/clock.h"
#include "kube/discovery.h"
#include "kube/events.h"
#include "kube/lease.h"
#include "kube/object.h"
#include "kube/reflector.h"
#include "kube/secret.h"
#include "kube/ssa.h"
#include "net/loop.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* No event of a test takes longer on a loaded machine. */
#define WAIT_MS 60000

static struct fx_test_cluster cluster;
static struct fx_test_apiserver embedded;
static const char *kubeconfig;
static bool is_embedded;

/* Made by each case in its own process. */
static struct fx_loop *loop;
static struct fx_http_client *http;
static struct fx_kube *kube;
static struct fx_cancel *cancel;

/* What callbacks on the loop thread tell the test. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t said = PTHREAD_COND_INITIALIZER;
static struct fx_buf seen = FX_BUF_INIT;

static void say(const char *fmt, ...) fx_printf(1, 2);
static void say(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	pthread_mutex_lock(&lock);
	fx_buf_addv(&seen, fmt, ap);
	pthread_cond_broadcast(&said);
	pthread_mutex_unlock(&lock);
	va_end(ap);
}

/* Waits until what was said contains text. */
static void expect(const char *text)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_MS / 1000;
	int rc = 0;
	pthread_mutex_lock(&lock);
	while (!strstr(fx_buf_str(&seen), text) && rc == 0)
		rc = pthread_cond_timedwait(&said, &lock, &until);
	bool found = strstr(fx_buf_str(&seen), text) != NULL;
	fx_autofree char *all = strdup(fx_buf_str(&seen));
	pthread_mutex_unlock(&lock);
	ck_assert_msg(found, "no \"%s\" in: %s", text, all);
}

static void expect_not(const char *text)
{
	pthread_mutex_lock(&lock);
	bool found = strstr(fx_buf_str(&seen), text) != NULL;
	pthread_mutex_unlock(&lock);
	ck_assert_msg(!found, "\"%s\" was seen", text);
}

static void forget_seen(void)
{
	pthread_mutex_lock(&lock);
	fx_buf_clear(&seen);
	pthread_mutex_unlock(&lock);
}

static void setup(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(kube_config) struct fx_kube_config *config = NULL;
	ck_assert_ok(fx_loop_new(&loop, &err), &err);
	ck_assert_ok(fx_http_client_new(loop, "test-kube/1", &http, &err), &err);
	ck_assert_ok(fx_kube_config_read(kubeconfig, NULL, &config, &err), &err);
	/* The embedded server has no priority and fairness: with a limit the tests would take minutes. */
	const struct fx_kube_options options = {
	        .http = http, .qps = is_embedded ? 0 : 50, .burst = 300, .ask_flow_control = true};
	ck_assert_ok(fx_kube_new(config, &options, &kube, &err), &err);
	cancel = fx_cancel_new(NULL, fx_now_ms() + WAIT_MS);
}

static void teardown(void)
{
	fx_cancel_unref(cancel);
	fx_kube_unref(kube);
	fx_http_client_free(http);
	fx_loop_free(loop);
	fx_buf_release(&seen);
}

static struct fx_kube_path configmap(const char *name)
{
	return (struct fx_kube_path){
	        .version = "v1", .resource = "configmaps", .namespace_ = "default", .name = name};
}

static json_t *make_configmap(const char *name, const char *label, const char *value)
{
	return json_pack("{s:s, s:s, s:{s:s, s:s, s:{s:s}}, s:{s:s}}", "apiVersion", "v1", "kind",
	        "ConfigMap", "metadata", "name", name, "namespace", "default", "labels", "suite", label,
	        "data", "key", value);
}

static void create_configmap(const char *name, const char *label)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *object = make_configmap(name, label, "value");
	const struct fx_kube_path path = configmap(NULL);
	ck_assert_ok(fx_kube_create(kube, &path, object, NULL, cancel, NULL, &err), &err);
}

static void patch_configmap(const char *name, const char *value)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *patch = json_pack("{s:{s:s}}", "data", "key", value);
	const struct fx_kube_path path = configmap(name);
	ck_assert_ok(fx_kube_patch(kube, &path, FX_KUBE_MERGE_PATCH, patch, NULL, cancel, NULL, &err), &err);
}

/* A write by somebody else. */
static void write_as(const char *manager, const char *type, const struct fx_kube_path *path, json_t *body)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *owned = body;
	const struct fx_kube_write_options options = {.field_manager = manager};
	if (type)
		ck_assert_ok(fx_kube_patch(kube, path, type, owned, &options, cancel, NULL, &err), &err);
	else
		ck_assert_ok(fx_kube_create(kube, path, owned, &options, cancel, NULL, &err), &err);
}

START_TEST(test_verbs)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(kube_status) struct fx_kube_status status = FX_KUBE_STATUS_INIT;
	fx_auto(json) json_t *object = make_configmap("verbs", "verbs", "1");
	fx_auto(json) json_t *live = NULL;
	fx_auto(json) json_t *stale = NULL;
	fx_auto(json) json_t *dry = NULL;
	const struct fx_kube_path all = configmap(NULL), one = configmap("verbs");
	struct fx_kube_write_options write = {
	        .field_manager = "test-kube", .status = &status, .dry_run = true};

	ck_assert_ok(fx_kube_create(kube, &all, object, &write, cancel, &dry, &err), &err);
	ck_assert_int_eq(fx_kube_get(kube, &one, cancel, &live, &err), -FX_E_NOT_FOUND);
	ck_assert_str_eq(fx_error_message(&err), "configmaps \"verbs\" not found");
	write.dry_run = false;
	ck_assert_ok(fx_kube_create(kube, &all, object, &write, cancel, &stale, &err), &err);
	ck_assert_int_eq(fx_kube_create(kube, &all, object, &write, cancel, NULL, &err), -FX_E_EXISTS);
	ck_assert_str_eq(fx_kube_status_reason(&status), "AlreadyExists");

	patch_configmap("verbs", "2");
	ck_assert_ok(fx_kube_get(kube, &one, cancel, &live, &err), &err);
	ck_assert_str_eq(fx_json_str_at(live, "data", "key"), "2");
	ck_assert_str_eq(
	        fx_json_str_at(json_array_get(fx_json_at(live, "metadata", "managedFields"), 0), "manager"),
	        "test-kube");
	ck_assert_int_eq(fx_kube_update(kube, &one, stale, &write, cancel, NULL, &err), -FX_E_CONFLICT);
	ck_assert_str_eq(fx_kube_status_reason(&status), "Conflict");

	fx_auto(json) json_t *metadata = NULL;
	ck_assert_ok(fx_kube_get_metadata(kube, &one, cancel, &metadata, &err), &err);
	ck_assert_str_eq(fx_object_kind(metadata), "PartialObjectMetadata");
	ck_assert_ptr_null(json_object_get(metadata, "data"));

	struct fx_kube_delete_options del = {
	        .uid = "11111111-1111-1111-1111-111111111111", .status = &status};
	ck_assert_int_eq(fx_kube_delete(kube, &one, &del, cancel, &err), -FX_E_CONFLICT);
	del = (struct fx_kube_delete_options){.uid = fx_object_uid(live), .propagation = "Background"};
	ck_assert_ok(fx_kube_delete(kube, &one, &del, cancel, &err), &err);
	ck_assert_int_eq(fx_kube_delete(kube, &one, NULL, cancel, &err), -FX_E_NOT_FOUND);

	fx_auto(json) json_t *bad = make_configmap("Not A Name", "verbs", "1");
	ck_assert_int_eq(fx_kube_create(kube, &all, bad, &write, cancel, NULL, &err), -FX_E_INVALID);
	ck_assert_int_eq(status.code, 422);
	ck_assert(fx_kube_status_has_cause(&status, "FieldValueInvalid"));
}
END_TEST

START_TEST(test_impersonation)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(kube) struct fx_kube *view = NULL;
	fx_auto(json) json_t *live = NULL;
	const struct fx_kube_path path = configmap("any");
	ck_assert_ok(fx_kube_as(kube, "system:serviceaccount:default:tenant", &view, &err), &err);
	ck_assert_int_eq(fx_kube_get(view, &path, cancel, &live, &err), -FX_E_FORBIDDEN);
	ck_assert_ptr_nonnull(
	        strstr(fx_error_message(&err), "User \"system:serviceaccount:default:tenant\" cannot get"));
}
END_TEST

static int count_item(void *arg, json_t *item, struct fx_error *err)
{
	(void)err;
	ck_assert(*fx_object_name(item));
	++*(int *)arg;
	return 0;
}

START_TEST(test_list_pages)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	const struct fx_kube_path path = configmap(NULL);
	fx_autofree char *version = NULL;
	int count = 0;
	for (int i = 0; i < 25; i++) {
		char name[32];
		snprintf(name, sizeof(name), "paged-%d", i);
		create_configmap(name, "paged");
	}
	struct fx_kube_list_options options = {
	        .label_selector = "suite=paged", .page = 10, .resource_version = &version};
	ck_assert_ok(fx_kube_list(kube, &path, &options, cancel, count_item, &count, &err), &err);
	ck_assert_int_eq(count, 25);
	ck_assert_ptr_nonnull(version);
	options = (struct fx_kube_list_options){
	        .field_selector = "metadata.name=paged-7", .metadata_only = true};
	count = 0;
	ck_assert_ok(fx_kube_list(kube, &path, &options, cancel, count_item, &count, &err), &err);
	ck_assert_int_eq(count, 1);
}
END_TEST

static json_t *make_crd(void)
{
	return json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:s, s:{s:s, s:s}, s:[{s:s, s:b, s:b, s:{s:{s:s}}}]}}",
	        "apiVersion", "apiextensions.k8s.io/v1", "kind", "CustomResourceDefinition", "metadata",
	        "name", "widgets.kube.test", "spec", "group", "kube.test", "scope", "Cluster", "names",
	        "kind", "Widget", "plural", "widgets", "versions", "name", "v1", "served", 1, "storage", 1,
	        "schema", "openAPIV3Schema", "type", "object");
}

START_TEST(test_discovery)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(discovery) struct fx_discovery *discovery = NULL;
	struct fx_resource resource;

	ck_assert_ok(fx_discovery_new(kube, &discovery, &err), &err);
	ck_assert_ok(fx_discovery_kind(discovery, "apps", NULL, "Deployment", cancel, &resource, &err), &err);
	ck_assert_str_eq(resource.version, "v1");
	ck_assert_str_eq(resource.resource, "deployments");
	ck_assert(resource.namespaced && resource.listable);
	ck_assert_ok(fx_discovery_kind(discovery, "", "v1", "Namespace", cancel, &resource, &err), &err);
	ck_assert(!resource.namespaced);
	ck_assert(fx_discovery_peek(discovery, "rbac.authorization.k8s.io", "v1", "ClusterRole", &resource));
	ck_assert_str_eq(resource.resource, "clusterroles");

	int rc = fx_discovery_kind(discovery, "kube.test", "v1", "Widget", cancel, &resource, &err);
	ck_assert_int_eq(rc, -FX_E_NOT_FOUND);
	ck_assert_str_eq(
	        fx_error_message(&err), "no matches for kind \"Widget\" in version \"kube.test/v1\"");
	const struct fx_kube_path crds = {
	        "apiextensions.k8s.io", "v1", "customresourcedefinitions", NULL, NULL, NULL};
	write_as("test", NULL, &crds, make_crd());
	/* The server publishes an established kind in its own time. */
	do {
		fx_error_release(&err);
		fx_discovery_expect_change(discovery);
		rc = fx_discovery_kind(discovery, "kube.test", "v1", "Widget", cancel, &resource, &err);
	} while (rc == -FX_E_NOT_FOUND && !fx_cancel_is_fired(cancel));
	ck_assert_ok(rc, &err);
	ck_assert_str_eq(resource.resource, "widgets");
	ck_assert(!resource.namespaced);
}
END_TEST

static void *pack_value(void *arg, const json_t *object)
{
	(void)arg;
	const char *value = fx_json_str_at(object, "data", "key");
	return strdup(value ? value : "");
}

static void on_change(void *arg, const struct fx_reflector_event *event)
{
	static const char *const names[] = {"added", "updated", "deleted"};
	(void)arg;
	say("[%s %s %s>%s%s]", names[event->change], event->name,
	        event->old_record ? (const char *)event->old_record : "",
	        event->new_record ? (const char *)event->new_record : "", event->initial ? " initial" : "");
}

static void on_synced(void *arg)
{
	(void)arg;
	say("[synced]");
}

static void on_error(void *arg, const struct fx_error *err)
{
	(void)arg;
	say("[error %s: %s]", fx_error_code_name(err->code), fx_error_message(err));
}

static struct fx_reflector *reflect(struct fx_kube *client, const char *selector)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_reflector *reflector = NULL;
	const struct fx_reflector_options options = {
	        .loop = loop,
	        .kube = client,
	        .path = configmap(NULL),
	        .label_selector = selector,
	        .pack = pack_value,
	        .on_change = on_change,
	        .on_synced = on_synced,
	        .on_error = on_error,
	};
	ck_assert_ok(fx_reflector_new(&options, &reflector, &err), &err);
	fx_reflector_start(reflector);
	return reflector;
}

START_TEST(test_reflector)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	create_configmap("watched-1", "watched");
	create_configmap("other-1", "other");
	struct fx_reflector *reflector = reflect(kube, "suite=watched");
	ck_assert_ok(fx_reflector_wait_synced(reflector, cancel, &err), &err);
	expect("[added watched-1 >value initial][synced]");
	create_configmap("watched-2", "watched");
	expect("[added watched-2 >value]");
	patch_configmap("watched-1", "new");
	expect("[updated watched-1 value>new]");
	const struct fx_kube_path path = configmap("watched-2");
	ck_assert_ok(fx_kube_delete(kube, &path, NULL, cancel, &err), &err);
	expect("[deleted watched-2 value>]");
	ck_assert_uint_eq(fx_reflector_count(reflector), 1);

	/* Stopped, it misses nothing: the watch resumes where it was. */
	fx_reflector_stop(reflector);
	forget_seen();
	patch_configmap("watched-1", "while stopped");
	create_configmap("watched-3", "watched");
	expect_not("[");
	fx_reflector_start(reflector);
	expect("[updated watched-1 new>while stopped][added watched-3 >value]");
	expect_not("other-1");
	fx_reflector_free(reflector);
}
END_TEST

START_TEST(test_reflector_forbidden)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(kube) struct fx_kube *view = NULL;
	fx_auto(cancel) struct fx_cancel *soon = fx_cancel_new(NULL, FX_NO_DEADLINE);
	ck_assert_ok(fx_kube_as(kube, "system:serviceaccount:default:tenant", &view, &err), &err);
	struct fx_reflector *reflector = reflect(view, NULL);
	expect("[error FORBIDDEN: configmaps in namespace default: configmaps is forbidden");
	ck_assert(!fx_reflector_is_synced(reflector));
	fx_cancel_fire(soon, "stopping");
	ck_assert_int_eq(fx_reflector_wait_synced(reflector, soon, &err), -FX_E_CANCELED);
	ck_assert_ptr_nonnull(strstr(fx_error_message(&err), "is not synced: "));
	ck_assert_ptr_nonnull(strstr(fx_error_message(&err), "is forbidden"));
	fx_reflector_free(reflector);
}
END_TEST

/* The API server goes away and comes back: what changed after is seen, nothing is reported twice. */
START_TEST(test_reflector_outage)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	create_configmap("outage-1", "outage");
	create_configmap("outage-2", "outage");
	struct fx_reflector *reflector = reflect(kube, "suite=outage");
	ck_assert_ok(fx_reflector_wait_synced(reflector, cancel, &err), &err);
	ck_assert_ok(fx_test_cluster_down(&cluster, "apiserver", &err), &err);
	expect("[error ");
	forget_seen();
	ck_assert_ok(fx_test_cluster_up(&cluster, "apiserver", &err), &err);
	patch_configmap("outage-1", "after");
	expect("[updated outage-1 value>after]");
	expect_not("outage-2");
	ck_assert_uint_eq(fx_reflector_count(reflector), 2);
	fx_reflector_free(reflector);
}
END_TEST

/* Cut watches, a history that is forgotten, refused lists: the image ends up right. */
START_TEST(test_reflector_faults)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	create_configmap("faults-1", "faults");
	create_configmap("faults-2", "faults");
	struct fx_reflector *reflector = reflect(kube, "suite=faults");
	ck_assert_ok(fx_reflector_wait_synced(reflector, cancel, &err), &err);
	patch_configmap("faults-1", "seen by the watch");
	expect("[updated faults-1 value>seen by the watch]");
	const char *cut = "{\"type\":\"cut\",\"path\":\"/api/v1\"}";
	ck_assert_ok(fx_test_apiserver_request(&embedded, "POST", "/_faults", cut, NULL, &err), &err);
	patch_configmap("faults-1", "after the cut");
	expect("[updated faults-1 seen by the watch>after the cut]");

	fx_reflector_stop(reflector);
	patch_configmap("faults-1", "forgotten");
	const struct fx_kube_path path = configmap("faults-2");
	ck_assert_ok(fx_kube_delete(kube, &path, NULL, cancel, &err), &err);
	ck_assert_ok(fx_test_apiserver_request(&embedded, "POST", "/_compact", "", NULL, &err), &err);
	const char *refuse = "{\"type\":\"503\",\"path\":\"/api/v1\",\"verb\":\"list\",\"count\":1}";
	ck_assert_ok(fx_test_apiserver_request(&embedded, "POST", "/_faults", refuse, NULL, &err), &err);
	fx_reflector_start(reflector);
	expect("[updated faults-1 after the cut>forgotten][deleted faults-2 value>]");
	expect("[error UNAVAILABLE");
	ck_assert_uint_eq(fx_reflector_count(reflector), 1);
	fx_reflector_free(reflector);
}
END_TEST

static int many_per_thread;

static void *create_many(void *arg)
{
	int from = *(int *)arg;
	for (int i = from; i < from + many_per_thread; i++) {
		char name[32];
		snprintf(name, sizeof(name), "many-%d", i);
		create_configmap(name, "many");
	}
	return NULL;
}

/* Thousands of objects: the image is records, not trees, and the list is never held whole. */
START_TEST(test_reflector_many)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	pthread_t threads[8];
	int from[8];
	many_per_thread = is_embedded ? 1250 : 500;
	size_t many = 8 * (size_t)many_per_thread;
	for (int i = 0; i < 8; i++) {
		from[i] = i * many_per_thread;
		pthread_create(&threads[i], NULL, create_many, &from[i]);
	}
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	malloc_trim(0);
	size_t before = mallinfo2().uordblks;
	int64_t start = fx_now_ms();
	struct fx_reflector *reflector = NULL;
	const struct fx_reflector_options options = {.loop = loop,
	        .kube = kube,
	        .path = configmap(NULL),
	        .label_selector = "suite=many",
	        .pack = pack_value,
	        .metadata_only = true};
	ck_assert_ok(fx_reflector_new(&options, &reflector, &err), &err);
	fx_reflector_start(reflector);
	ck_assert_ok(fx_reflector_wait_synced(reflector, cancel, &err), &err);
	ck_assert_uint_eq(fx_reflector_count(reflector), many);
	size_t bytes = (mallinfo2().uordblks - before) / many;
	printf("%zu objects: %lld ms, %zu bytes each\n", many, (long long)(fx_now_ms() - start), bytes);
	ck_assert_uint_lt(bytes, 400);
	fx_reflector_free(reflector);
	const struct fx_kube_request clean = {.method = "DELETE",
	        .path = "/api/v1/namespaces/default/configmaps",
	        .query = "labelSelector=suite%3Dmany",
	        .timeout_ms = WAIT_MS};
	ck_assert_ok(fx_kube_do(kube, &clean, cancel, NULL, NULL, &err), &err);
}
END_TEST

static json_t *make_service(const char *name, const char *color, int port)
{
	return json_pack("{s:s, s:s, s:{s:s, s:s, s:{s:s}}, s:{s:[{s:i, s:s}], s:{s:s}}}", "apiVersion", "v1",
	        "kind", "Service", "metadata", "name", name, "namespace", "default", "labels", "color", color,
	        "spec", "ports", "port", port, "protocol", "TCP", "selector", "app", "x");
}

static const struct fx_ssa_manager taken[] = {
        {"kubectl", "Apply"}, {"kubectl", "Update"}, {"before-first-apply", "Update"}};
static const char *const taken_annotations[] = {"kubectl.kubernetes.io/last-applied-configuration", NULL};
static const struct fx_ssa_options ssa = {
        .field_manager = "test-apply",
        .take_over = taken,
        .take_over_count = FX_COUNT(taken),
        .annotations = taken_annotations,
        .recreate = true,
};

/* Plans, applies when needed, and gives the action. */
static enum fx_ssa_action reconcile(const struct fx_resource *resource, const json_t *object, bool *recreated)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(ssa_plan) struct fx_ssa_plan plan = FX_SSA_PLAN_INIT;
	fx_auto(json) json_t *live = NULL;
	const struct fx_kube_path path =
	        fx_resource_path(resource, fx_object_namespace(object), fx_object_name(object));
	int rc = fx_kube_get(kube, &path, cancel, &live, &err);
	ck_assert(rc == 0 || rc == -FX_E_NOT_FOUND);
	ck_assert_ok(fx_ssa_plan(kube, resource, object, live, &ssa, false, cancel, &plan, &err), &err);
	if (plan.apply)
		ck_assert_ok(
		        fx_ssa_apply(kube, resource, object, "test-apply", cancel, NULL, NULL, &err), &err);
	if (recreated)
		*recreated = plan.recreated;
	return plan.action;
}

static void find(const json_t *object, struct fx_resource *out)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(discovery) struct fx_discovery *discovery = NULL;
	ck_assert_ok(fx_discovery_new(kube, &discovery, &err), &err);
	ck_assert_ok(fx_discovery_object(discovery, object, cancel, out, &err), &err);
}

START_TEST(test_apply_drift)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *object = make_service("drift", "red", 80);
	fx_auto(json) json_t *changed = make_service("drift", "blue", 80);
	struct fx_resource resource;
	find(object, &resource);
	const struct fx_kube_path path = fx_resource_path(&resource, "default", "drift");
	ck_assert_int_eq(reconcile(&resource, object, NULL), FX_SSA_CREATED);
	ck_assert_int_eq(reconcile(&resource, object, NULL), FX_SSA_UNCHANGED);
	ck_assert_int_eq(reconcile(&resource, changed, NULL), FX_SSA_CONFIGURED);
	ck_assert_int_eq(reconcile(&resource, changed, NULL), FX_SSA_UNCHANGED);
	/* An edit by kubectl is taken over, and what it added goes. */
	write_as("kubectl-label", FX_KUBE_MERGE_PATCH, &path,
	        json_pack("{s:{s:{s:s, s:s}}}", "metadata", "labels", "color", "green", "added", "by-hand"));
	ck_assert_int_eq(reconcile(&resource, changed, NULL), FX_SSA_CONFIGURED);
	fx_auto(json) json_t *live = NULL;
	ck_assert_ok(fx_kube_get(kube, &path, cancel, &live, &err), &err);
	ck_assert_str_eq(fx_object_label(live, "color"), "blue");
	ck_assert_ptr_null(fx_object_label(live, "added"));
	ck_assert_int_eq(reconcile(&resource, changed, NULL), FX_SSA_UNCHANGED);
}
END_TEST

START_TEST(test_apply_takes_over_kubectl)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *theirs = make_configmap("taken", "apply", "theirs");
	fx_auto(json) json_t *ours = make_configmap("taken", "apply", "ours");
	json_object_set_new(json_object_get(theirs, "data"), "extra", json_string("x"));
	ck_assert(fx_object_set_annotation(theirs, taken_annotations[0], "{}"));
	struct fx_resource resource;
	find(ours, &resource);
	const struct fx_kube_path all = configmap(NULL);
	write_as("kubectl-client-side-apply", NULL, &all, json_incref(theirs));
	ck_assert_int_eq(reconcile(&resource, ours, NULL), FX_SSA_CONFIGURED);
	fx_auto(json) json_t *live = NULL;
	const struct fx_kube_path path = configmap("taken");
	ck_assert_ok(fx_kube_get(kube, &path, cancel, &live, &err), &err);
	ck_assert_str_eq(fx_json_str_at(live, "data", "key"), "ours");
	ck_assert_ptr_null(fx_json_at(live, "data", "extra"));
	ck_assert_ptr_null(fx_object_annotation(live, taken_annotations[0]));
	const json_t *fields = fx_json_at(live, "metadata", "managedFields");
	ck_assert_uint_eq(json_array_size(fields), 1);
	ck_assert_str_eq(fx_json_str_at(json_array_get(fields, 0), "manager"), "test-apply");
	ck_assert_int_eq(reconcile(&resource, ours, NULL), FX_SSA_UNCHANGED);
}
END_TEST

START_TEST(test_apply_immutable)
{
	fx_auto(json) json_t *object = make_configmap("immutable", "apply", "1");
	fx_auto(json) json_t *changed = make_configmap("immutable", "apply", "2");
	struct fx_resource resource;
	bool recreated = false;
	find(object, &resource);
	json_object_set_new(object, "immutable", json_true());
	ck_assert_int_eq(reconcile(&resource, object, NULL), FX_SSA_CREATED);
	ck_assert_int_eq(reconcile(&resource, changed, &recreated), FX_SSA_CREATED);
	ck_assert(recreated);
}
END_TEST

START_TEST(test_apply_errors)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(ssa_plan) struct fx_ssa_plan plan = FX_SSA_PLAN_INIT;
	fx_auto(json) json_t *object = make_service("broken", "not a label value!", 80);
	struct fx_resource resource;
	find(object, &resource);
	int rc = fx_ssa_plan(kube, &resource, object, NULL, &ssa, false, cancel, &plan, &err);
	ck_assert_int_eq(rc, -FX_E_INVALID);
	ck_assert_ptr_nonnull(
	        strstr(fx_error_message(&err), "Service/default/broken dry-run failed (Invalid): "));
	fx_json_set_at(object, json_string("nowhere"), "metadata", "namespace") ? (void)0 : ck_abort();
	rc = fx_ssa_plan(kube, &resource, object, NULL, &ssa, false, cancel, &plan, &err);
	ck_assert_int_eq(rc, -FX_E_NOT_FOUND);
	ck_assert_str_eq(
	        fx_error_message(&err), "Service/nowhere/broken not found: namespaces \"nowhere\" not found");
}
END_TEST

static void on_event_failure(
        void *arg, const char *namespace_, const char *name, const char *kind, const struct fx_error *err)
{
	(void)arg;
	say("[failed %s/%s/%s: %s]", kind, namespace_, name, fx_error_message(err));
}

static int add_event(void *arg, json_t *event, struct fx_error *err)
{
	const char *revision = fx_object_annotation(event, "kube.test/revision");
	(void)err;
	fx_buf_addf(arg, "[%s %s %d %s %s %s %s]", fx_json_str_at(event, "type"),
	        fx_json_str_at(event, "reason"), (int)fx_json_int_at(event, -1, "count"),
	        fx_json_str_at(event, "message"), fx_json_str_at(event, "source", "component"),
	        fx_json_str_at(event, "reportingComponent"), revision ? revision : "-");
	return 0;
}

START_TEST(test_events)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	struct fx_events *events = NULL;
	fx_auto(json) json_t *object =
	        json_pack("{s:s, s:s, s:{s:s, s:s, s:s}}", "apiVersion", "kube.test/v1", "kind", "Thing",
	                "metadata", "name", "thing", "namespace", "default", "uid", "u-1");
	fx_auto(json) json_t *metadata = json_pack("{s:s}", "kube.test/revision", "main@sha1:1");
	const struct fx_events_options options = {.loop = loop,
	        .kube = kube,
	        .http = http,
	        .component = "test-controller",
	        .on_failure = on_event_failure};
	ck_assert_ok(fx_events_new(&options, &events, &err), &err);
	for (int i = 0; i < 3; i++)
		fx_events_emitf(events, object, metadata, FX_EVENT_WARNING, "Broken", "it is %s", "broken");
	fx_events_emit(events, object, NULL, FX_EVENT_TRACE, "Fine", "all is well");
	fx_events_free(events, WAIT_MS);
	expect_not("[failed");
	const struct fx_kube_path path = {.version = "v1", .resource = "events", .namespace_ = "default"};
	const struct fx_kube_list_options list = {.field_selector = "involvedObject.uid=u-1"};
	ck_assert_ok(fx_kube_list(kube, &path, &list, cancel, add_event, &out, &err), &err);
	ck_assert_ptr_nonnull(strstr(fx_buf_str(&out),
	        "[Warning Broken 3 it is broken test-controller test-controller main@sha1:1]"));
	ck_assert_ptr_nonnull(
	        strstr(fx_buf_str(&out), "[Normal Fine 1 all is well test-controller test-controller -]"));
}
END_TEST

static void on_acquired(void *arg)
{
	say("[%s leads]", (const char *)arg);
}

static void on_lost(void *arg)
{
	say("[%s lost]", (const char *)arg);
}

static void on_leader(void *arg, const char *identity)
{
	say("[%s sees %s]", (const char *)arg, identity);
}

static struct fx_lease *candidate(const char *who)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	struct fx_lease *lease = NULL;
	const struct fx_lease_options options = {
	        .loop = loop,
	        .kube = kube,
	        .namespace_ = "default",
	        .name = "test-leader-election",
	        .identity = who,
	        .lease_duration_ms = 15000,
	        .renew_deadline_ms = 10000,
	        .retry_period_ms = 200,
	        .release_on_stop = true,
	        .on_acquired = on_acquired,
	        .on_lost = on_lost,
	        .on_leader = on_leader,
	        .arg = (void *)who,
	};
	ck_assert_ok(fx_lease_new(&options, &lease, &err), &err);
	fx_lease_start(lease);
	return lease;
}

START_TEST(test_lease)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *live = NULL;
	const struct fx_kube_path path = {
	        "coordination.k8s.io", "v1", "leases", "default", "test-leader-election", NULL};
	struct fx_lease *a = candidate("a");
	expect("[a leads]");
	struct fx_lease *b = candidate("b");
	expect("[b sees a]");
	ck_assert(fx_lease_is_leader(a));
	ck_assert(!fx_lease_is_leader(b));
	/* A release lets the next one in long before the lease would have expired, also when the lease was
	 * written since the leader saw it. */
	write_as("passer-by", FX_KUBE_MERGE_PATCH, &path,
	        json_pack("{s:{s:{s:s}}}", "metadata", "annotations", "seen", "yes"));
	int64_t start = fx_now_ms();
	fx_lease_stop(a, WAIT_MS);
	expect("[b leads]");
	ck_assert_int_lt(fx_now_ms() - start, 10000);
	fx_lease_free(a);
	ck_assert_ok(fx_kube_get(kube, &path, cancel, &live, &err), &err);
	ck_assert_str_eq(fx_json_str_at(live, "spec", "holderIdentity"), "b");
	ck_assert_int_eq(fx_json_int_at(live, 0, "spec", "leaseDurationSeconds"), 15);
	ck_assert_int_eq(fx_json_int_at(live, 0, "spec", "leaseTransitions"), 1);
	/* Stolen: the leader must know at its next renewal. */
	write_as("thief", FX_KUBE_MERGE_PATCH, &path,
	        json_pack("{s:{s:s}}", "spec", "holderIdentity", "thief"));
	expect("[b lost]");
	ck_assert(!fx_lease_is_leader(b));
	fx_lease_free(b);
}
END_TEST

START_TEST(test_secret)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *secret = NULL;
	fx_auto(secret_auth) struct fx_secret_auth auth = FX_SECRET_AUTH_INIT;
	ck_assert_int_eq(fx_secret_get(kube, "default", "none", cancel, &secret, &err), -FX_E_NOT_FOUND);
	ck_assert_str_eq(fx_error_message(&err), "secret 'default/none' not found");
	const struct fx_kube_path secrets = {.version = "v1", .resource = "secrets", .namespace_ = "default"};
	write_as("test", NULL, &secrets,
	        json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "Secret",
	                "metadata", "name", "auth", "stringData", "username", "u", "password", "p"));
	ck_assert_ok(fx_secret_get(kube, "default", "auth", cancel, &secret, &err), &err);
	ck_assert_ok(fx_secret_basic_auth(secret, &auth, &err), &err);
	ck_assert_str_eq(auth.password, "p");
}
END_TEST

/* One of them runs alone with CK_RUN_CASE=name. */
static TCase *add_case(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);
	tcase_set_timeout(tc, 3 * WAIT_MS / 1000.0);
	tcase_add_checked_fixture(tc, setup, teardown);
	suite_add_tcase(suite, tc);
	return tc;
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kube");
	TCase *tc = add_case(suite, "client");
	tcase_add_test(tc, test_verbs);
	if (!is_embedded)
		tcase_add_test(tc, test_impersonation);
	tcase_add_test(tc, test_list_pages);
	tcase_add_test(tc, test_secret);
	tc = add_case(suite, "discovery");
	tcase_add_test(tc, test_discovery);
	tc = add_case(suite, "ssa");
	tcase_add_test(tc, test_apply_drift);
	tcase_add_test(tc, test_apply_takes_over_kubectl);
	tcase_add_test(tc, test_apply_immutable);
	tcase_add_test(tc, test_apply_errors);
	tc = add_case(suite, "events");
	tcase_add_test(tc, test_events);
	tc = add_case(suite, "lease");
	tcase_add_test(tc, test_lease);
	tc = add_case(suite, "reflector");
	tcase_add_test(tc, test_reflector);
	if (is_embedded) {
		tcase_add_test(tc, test_reflector_faults);
	} else {
		tcase_add_test(tc, test_reflector_forbidden);
		tcase_add_test(tc, test_reflector_outage);
	}
	tc = add_case(suite, "many");
	tcase_add_test(tc, test_reflector_many);
	return suite;
}

/* RBAC and outages with their data kept are the real server's, faults the embedded one's. */
static int start_api(struct fx_error *err)
{
	const char *api = getenv("FX_TEST_API");
	is_embedded = api && strcmp(api, "embedded") == 0;
	int rc = is_embedded ? fx_test_apiserver_start(&embedded, NULL, err)
	                     : fx_test_cluster_start(&cluster, NULL, err);
	kubeconfig = is_embedded ? embedded.kubeconfig : cluster.kubeconfig;
	return rc;
}

int main(void)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	int rc = start_api(&err);
	if (rc < 0) {
		fprintf(stderr, "%s\n", fx_error_message(&err));
		return rc == -FX_E_UNSUPPORTED ? FX_TEST_EXIT_SKIPPED : EXIT_FAILURE;
	}
	SRunner *runner = srunner_create(make_suite());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	failed += !fx_test_apiserver_stop(&embedded);
	fx_test_cluster_stop(&cluster);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
