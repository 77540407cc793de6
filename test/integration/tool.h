/*
 * A command line tool of others (flux, helm) on the cluster of `env` (env_main.h), as its admin.
 */
#ifndef FX_TEST_INTEGRATION_TOOL_H
#define FX_TEST_INTEGRATION_TOOL_H

#include "test/integration/env_main.h"

/* Runs `PROGRAM ARGS` through a shell and gives its exit status; what it says, standard error too, goes to
 * out. It is given timeout_ms; its clock is in UTC. */
fx_printf(4, 5) static inline int run_tool(
        struct fx_buf *out, const char *program, int timeout_ms, const char *format, ...)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(buf) struct fx_buf line = FX_BUF_INIT;
	fx_autofree char *kubeconfig = NULL, *home = NULL;
	int status = -1;
	va_list ap;
	fx_buf_addf(&line, "exec %s ", program);
	va_start(ap, format);
	fx_buf_addv(&line, format, ap);
	va_end(ap);
	fx_buf_addf(&line, " 2>&1");
	ck_assert_int_gt(asprintf(&kubeconfig, "KUBECONFIG=%s", env.kubeconfig), 0);
	/* Its cache of discovery lies below HOME. */
	ck_assert_int_gt(asprintf(&home, "HOME=%s", env.dir), 0);
	const struct fx_test_command command = {
	        .argv = (const char *const[]){"sh", "-c", fx_buf_str(&line), NULL},
	        .env = (const char *const[]){kubeconfig, home, "TZ=UTC", NULL},
	        .timeout_ms = timeout_ms};
	ck_assert_ok(fx_test_run(&command, out, &status, &err), &err);
	return status;
}

#endif
