/*
 * A real Kubernetes API server for one test program, through test/cluster/cluster.sh, whose
 * README says what it consists of. Run from the top of the tree. Each call blocks. The cluster
 * ends by itself when the test program ends, however that happens.
 */
#ifndef FX_TEST_CLUSTER_H
#define FX_TEST_CLUSTER_H

#include "core/buf.h"
#include "core/error.h"

/* The exit status by which a test program says that it was skipped. */
#define FX_TEST_EXIT_SKIPPED 77

struct fx_test_cluster_options {
	bool pods;  /* a node whose pods become ready, as far as the API shows */
	bool audit; /* count the controllers' requests, see fx_test_cluster_requests() */
};

/* All texts are owned by the cluster. */
struct fx_test_cluster {
	char *dir;         /* its own folder: programs under test may use it too; removed by stop */
	char *bin;         /* the folder that holds kubectl */
	char *kubeconfig;  /* the admin's */
	char *url;         /* https://127.0.0.1:PORT */
	char *ca;          /* a PEM file */
	char *admin_token; /* may do everything */
};

/*
 * Builds the programs if that was never done on this machine, and starts a cluster. opt may be NULL.
 * FX_E_UNSUPPORTED: there is nothing to build with; the message is for the user, and the test
 * program is skipped. Other errors hold the end of the programs' logs.
 */
int fx_test_cluster_start(struct fx_test_cluster *out, const struct fx_test_cluster_options *opt,
        struct fx_error *err) fx_must_use;

/* Ends the cluster and removes its folder (kept when FX_TEST_KEEP is set). Accepts a zeroed one. */
void fx_test_cluster_stop(struct fx_test_cluster *cluster);

/* The path of a kubeconfig with a token of a service account that exists. */
int fx_test_cluster_kubeconfig(struct fx_test_cluster *cluster, const char *namespace, const char *name,
        char **out_path, struct fx_error *err) fx_must_use;

/* Lines of "count TAB user TAB verb TAB resource" of the requests so far. */
int fx_test_cluster_requests(
        struct fx_test_cluster *cluster, struct fx_buf *out, struct fx_error *err) fx_must_use;

/* Kills one of the programs (etcd, apiserver, controller-manager, scheduler, kwok), or starts
 * it again with the same data on the same port; the API server is ready when up returns. */
int fx_test_cluster_down(
        struct fx_test_cluster *cluster, const char *program, struct fx_error *err) fx_must_use;
int fx_test_cluster_up(
        struct fx_test_cluster *cluster, const char *program, struct fx_error *err) fx_must_use;

/* kubectl as the admin. args is ended by NULL and does not name the program; input (may be NULL)
 * is for `-f -`; standard output is appended to out (NULL: dropped). */
int fx_test_cluster_kubectl(struct fx_test_cluster *cluster, const char *const *args, const char *input,
        struct fx_buf *out, struct fx_error *err) fx_must_use;

/* fx_test_kubectl(&cluster, input, &out, &err, "get", "pods") */
#define fx_test_kubectl(cluster, input, out, err, ...)                                                       \
	fx_test_cluster_kubectl((cluster), (const char *const[]){__VA_ARGS__, NULL}, (input), (out), (err))

#endif
