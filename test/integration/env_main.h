/*
 * The main() of an integration test program whose cases share one environment: FX_ENV_MAIN(make_suite,
 * options) starts it into `env`, runs the suite in this process and stops it. A controller that does not end
 * well, or a sanitizer's complaint, is a failure too.
 */
#ifndef FX_TEST_ENV_MAIN_H
#define FX_TEST_ENV_MAIN_H

#include "test/harness/env.h"
#include "test/unit/unit.h"

#include <string.h>

static struct fx_test_env env;

static inline int fx_env_main(Suite *(*make_suite)(void), const struct fx_test_env_options *options)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	int rc = fx_test_env_start(&env, options, &err);
	if (rc < 0) {
		fprintf(stderr, "%s\n", fx_error_message(&err));
		return rc == -FX_E_UNSUPPORTED ? FX_TEST_EXIT_SKIPPED : EXIT_FAILURE;
	}
	SRunner *runner = srunner_create(make_suite());
	/* Programs and threads of the environment belong to this process. */
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (fx_test_env_stop(&env, &err) < 0) {
		fprintf(stderr, "%s\n", fx_error_message(&err));
		failed++;
	}
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define FX_ENV_MAIN(make_suite, options)                                                                     \
	int main(void)                                                                                       \
	{                                                                                                    \
		return fx_env_main((make_suite), (options));                                                 \
	}

#endif
