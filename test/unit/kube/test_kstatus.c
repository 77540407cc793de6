#include "kube/kstatus.h"

#include "core/clock.h"

#include "../unit.h"

#include <string.h>

#define DEPLOYMENT(status)                                                                                   \
	"{'apiVersion':'apps/"                                                                               \
	"v1','kind':'Deployment','metadata':{'generation':2},'spec':{'replicas':2,'progressDeadlineSeconds'" \
	":600},'status':" status "}"
#define DEPLOYMENT_COUNTS                                                                                    \
	"'observedGeneration':2,'replicas':2,'updatedReplicas':2,'availableReplicas':2,'readyReplicas':2"
#define STATEFULSET(spec, status)                                                                            \
	"{'apiVersion':'apps/v1','kind':'StatefulSet','metadata':{},'spec':" spec ",'status':" status "}"
#define POD(status) "{'apiVersion':'v1','kind':'Pod','metadata':{},'status':" status "}"
#define CUSTOM(meta, status)                                                                                 \
	"{'apiVersion':'example.com/v1','kind':'Thing','metadata':" meta ",'status':" status "}"
#define JOB(spec, status)                                                                                    \
	"{'apiVersion':'batch/v1','kind':'Job','metadata':{'generation':1},'spec':" spec ",'status':" status \
	"}"
#define CRD(conditions)                                                                                      \
	"{'apiVersion':'apiextensions.k8s.io/"                                                               \
	"v1','kind':'CustomResourceDefinition','metadata':{},'status':{'conditions':" conditions "}}"

static const struct {
	const char *name, *object;
	enum fx_kstatus want;
} cases[] = {
        {"config map", "{'apiVersion':'v1','kind':'ConfigMap','metadata':{}}", FX_KSTATUS_CURRENT},
        {"secret", "{'apiVersion':'v1','kind':'Secret','metadata':{}}", FX_KSTATUS_CURRENT},
        {"cron job", "{'apiVersion':'batch/v1','kind':'CronJob','metadata':{},'status':{}}",
                FX_KSTATUS_CURRENT},
        {"disruption budget",
                "{'apiVersion':'policy/v1','kind':'PodDisruptionBudget','metadata':{},'status':{"
                "'conditions':[{'type':'Ready','status':'False'}]}}",
                FX_KSTATUS_CURRENT},
        {"deleting",
                "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'deletionTimestamp':'2024-01-01T00:00:00Z'"
                "}}",
                FX_KSTATUS_TERMINATING},
        {"no status", CUSTOM("{'generation':1}", "null"), FX_KSTATUS_CURRENT},
        {"old generation", CUSTOM("{'generation':2}", "{'observedGeneration':1}"), FX_KSTATUS_IN_PROGRESS},
        {"reconciling", CUSTOM("{}", "{'conditions':[{'type':'Reconciling','status':'True'}]}"),
                FX_KSTATUS_IN_PROGRESS},
        {"stalled", CUSTOM("{}", "{'conditions':[{'type':'Stalled','status':'True'}]}"), FX_KSTATUS_FAILED},
        {"ready", CUSTOM("{}", "{'conditions':[{'type':'Ready','status':'True'}]}"), FX_KSTATUS_CURRENT},
        {"not ready", CUSTOM("{}", "{'conditions':[{'type':'Ready','status':'False'}]}"),
                FX_KSTATUS_IN_PROGRESS},
        {"unknown ready", CUSTOM("{}", "{'conditions':[{'type':'Ready','status':'Unknown'}]}"),
                FX_KSTATUS_IN_PROGRESS},
        {"load balancer", "{'apiVersion':'v1','kind':'Service','metadata':{},'spec':{'type':'LoadBalancer'}}",
                FX_KSTATUS_IN_PROGRESS},
        {"cluster ip", "{'apiVersion':'v1','kind':'Service','metadata':{},'spec':{'type':'ClusterIP'}}",
                FX_KSTATUS_CURRENT},
        {"unbound claim", "{'apiVersion':'v1','kind':'PersistentVolumeClaim','status':{'phase':'Pending'}}",
                FX_KSTATUS_IN_PROGRESS},
        {"bound claim", "{'apiVersion':'v1','kind':'PersistentVolumeClaim','status':{'phase':'Bound'}}",
                FX_KSTATUS_CURRENT},
        {"deployment rolled out",
                DEPLOYMENT("{" DEPLOYMENT_COUNTS ",'conditions':[{'type':'Available','status':'True'},"
                           "{'type':'Progressing','status':'True','reason':'NewReplicaSetAvailable'}]}"),
                FX_KSTATUS_CURRENT},
        {"deployment without progress",
                DEPLOYMENT("{" DEPLOYMENT_COUNTS ",'conditions':[{'type':'Available','status':'True'}]}"),
                FX_KSTATUS_IN_PROGRESS},
        {"deployment not available",
                DEPLOYMENT("{" DEPLOYMENT_COUNTS ",'conditions':[{'type':'Progressing','status':'True','"
                           "reason':'NewReplicaSetAvailable'}]}"),
                FX_KSTATUS_IN_PROGRESS},
        {"deployment past its deadline",
                DEPLOYMENT("{'observedGeneration':2,'conditions':[{'type':'Progressing','status':'False',"
                           "'reason':'ProgressDeadlineExceeded'}]}"),
                FX_KSTATUS_FAILED},
        {"deployment scaling", DEPLOYMENT("{'observedGeneration':2,'replicas':1}"), FX_KSTATUS_IN_PROGRESS},
        {"stateful set on delete", STATEFULSET("{'updateStrategy':{'type':'OnDelete'}}", "{}"),
                FX_KSTATUS_CURRENT},
        {"stateful set partition",
                STATEFULSET("{'replicas':3,'updateStrategy':{'rollingUpdate':{'partition':1}}}",
                        "{'replicas':3,'readyReplicas':3,'updatedReplicas':2}"),
                FX_KSTATUS_CURRENT},
        {"stateful set partition 0",
                STATEFULSET("{'replicas':3,'updateStrategy':{'rollingUpdate':{'partition':0}}}",
                        "{'replicas':3,'readyReplicas':3,'updatedReplicas':2}"),
                FX_KSTATUS_IN_PROGRESS},
        {"stateful set revision",
                STATEFULSET("{}", "{'replicas':1,'readyReplicas':1,'currentReplicas':1,'currentRevision':'a',"
                                  "'updateRevision':'b'}"),
                FX_KSTATUS_IN_PROGRESS},
        {"stateful set done",
                STATEFULSET("{}", "{'replicas':1,'readyReplicas':1,'currentReplicas':1,'currentRevision':'b',"
                                  "'updateRevision':'b'}"),
                FX_KSTATUS_CURRENT},
        {"daemon set unobserved",
                "{'apiVersion':'apps/v1','kind':'DaemonSet','metadata':{'generation':1},'status':{}}",
                FX_KSTATUS_IN_PROGRESS},
        {"daemon set done",
                "{'apiVersion':'apps/"
                "v1','kind':'DaemonSet','metadata':{'generation':1},'status':{'observedGeneration':1,"
                "'desiredNumberScheduled':1,'currentNumberScheduled':1,'updatedNumberScheduled':1,'"
                "numberAvailable':1,"
                "'numberReady':1}}",
                FX_KSTATUS_CURRENT},
        {"replica set failure",
                "{'apiVersion':'apps/"
                "v1','kind':'ReplicaSet','spec':{'replicas':0},'status':{'conditions':[{'type':"
                "'ReplicaFailure','status':'True'}]}}",
                FX_KSTATUS_IN_PROGRESS},
        {"pod succeeded", POD("{'phase':'Succeeded'}"), FX_KSTATUS_CURRENT},
        {"pod running", POD("{'phase':'Running'}"), FX_KSTATUS_IN_PROGRESS},
        {"pod ready", POD("{'phase':'Running','conditions':[{'type':'Ready','status':'True'}]}"),
                FX_KSTATUS_CURRENT},
        {"pod crash loop",
                POD("{'phase':'Running','containerStatuses':[{'state':{'waiting':{'reason':'CrashLoopBackOff'"
                    "}}}]}"),
                FX_KSTATUS_FAILED},
        {"pod unschedulable",
                POD("{'phase':'Pending','conditions':[{'type':'PodScheduled','status':'False','reason':'"
                    "Unschedulable',"
                    "'lastTransitionTime':'2024-01-01T00:00:00Z'}]}"),
                FX_KSTATUS_FAILED},
        {"pod just unschedulable",
                POD("{'phase':'Pending','conditions':[{'type':'PodScheduled','status':'False','reason':'"
                    "Unschedulable',"
                    "'lastTransitionTime':'2024-06-01T00:00:00Z'}]}"),
                FX_KSTATUS_IN_PROGRESS},
        {"pod odd phase", POD("{'phase':'Odd'}"), FX_KSTATUS_UNKNOWN},
        {"job running", JOB("{}", "{'startTime':'2024-01-01T00:00:00Z'}"), FX_KSTATUS_IN_PROGRESS},
        {"job suspended", JOB("{'suspend':true}", "{}"), FX_KSTATUS_CURRENT},
        {"job complete", JOB("{}", "{'conditions':[{'type':'Complete','status':'True'}]}"),
                FX_KSTATUS_CURRENT},
        {"job failed", JOB("{}", "{'conditions':[{'type':'Failed','status':'True'}]}"), FX_KSTATUS_FAILED},
        {"crd established", CRD("[{'type':'Established','status':'True'}]"), FX_KSTATUS_CURRENT},
        {"crd installing", CRD("[{'type':'Established','status':'False','reason':'Installing'}]"),
                FX_KSTATUS_IN_PROGRESS},
        {"crd refused", CRD("[{'type':'Established','status':'False','reason':'Other'}]"), FX_KSTATUS_FAILED},
        {"crd names", CRD("[{'type':'NamesAccepted','status':'False'}]"), FX_KSTATUS_FAILED},
};

/* JSON with single quotes, which C texts can hold without escapes. */
static json_t *parse(const char *text)
{
	fx_autofree char *copy = strdup(text);
	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	json_error_t e;
	json_t *value = json_loads(copy, 0, &e);
	ck_assert_msg(value != NULL, "%s: %s", text, e.text);
	return value;
}

static int64_t now_ns(void)
{
	int64_t ns;
	ck_assert_int_eq(fx_time_parse("2024-06-01T00:00:10Z", &ns, NULL), 0);
	return ns;
}

START_TEST(test_status)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	json_t *object = parse(cases[_i].object);
	enum fx_kstatus status = fx_kstatus_of(object, now_ns(), &err);
	ck_assert_msg(status == cases[_i].want, "%s: %s, not %s", cases[_i].name, fx_kstatus_name(status),
	        fx_kstatus_name(cases[_i].want));
	ck_assert_int_eq(status == FX_KSTATUS_UNKNOWN, err.code != FX_OK);
	json_decref(object);
}
END_TEST

START_TEST(test_failed_pods)
{
	json_t *pods = parse(
	        "[{'status':{'phase':'Running','containerStatuses':[{'state':{'waiting':{'reason':"
	        "'CrashLoopBackOff'}}}]}},{'metadata':{'deletionTimestamp':'2024-01-01T00:00:00Z'},'status':"
	        "{'phase':'Running','containerStatuses':[{'state':{'waiting':{'reason':'CrashLoopBackOff'}}}]"
	        "}},"
	        "{'status':{'phase':'Pending','conditions':[{'type':'PodScheduled','status':'False','reason':"
	        "'Unschedulable','lastTransitionTime':'2024-01-01T00:00:00Z'}]}}]");
	ck_assert_uint_eq(fx_kstatus_failed_pods(pods, now_ns()), 1);
	json_decref(pods);
}
END_TEST

START_TEST(test_list_item)
{
	json_t *item = parse("{'metadata':{'name':'d','generation':1},'spec':{'replicas':2},'status':"
	                     "{'observedGeneration':1,'replicas':2,'updatedReplicas':1}}");
	ck_assert_int_eq(
	        fx_kstatus_of_kind("apps", 4, "Deployment", item, now_ns(), NULL), FX_KSTATUS_IN_PROGRESS);
	json_decref(item);
}
END_TEST

START_TEST(test_classes_of_kinds)
{
	ck_assert(fx_kstatus_is_trivial("", 0, "ConfigMap"));
	ck_assert(fx_kstatus_is_trivial("rbac.authorization.k8s.io/v1", 25, "Role"));
	ck_assert(!fx_kstatus_is_trivial("", 0, "Service"));
	ck_assert(!fx_kstatus_is_trivial("", 0, "Config"));
	ck_assert(!fx_kstatus_is_trivial("example.com", 11, "ConfigMap"));
	ck_assert(fx_kstatus_has_pods("apps/v1", 4, "StatefulSet"));
	ck_assert(!fx_kstatus_has_pods("apps/v1", 4, "Deployment"));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("kstatus");
	TCase *tc = tcase_create("kstatus");
	tcase_add_loop_test(tc, test_status, 0, FX_COUNT(cases));
	tcase_add_test(tc, test_failed_pods);
	tcase_add_test(tc, test_list_item);
	tcase_add_test(tc, test_classes_of_kinds);
	suite_add_tcase(suite, tc);
	return suite;
}

FX_UNIT_MAIN(make_suite)
