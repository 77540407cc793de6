/* Between the files of the test environment. */
#ifndef FX_TEST_ENV_PRIVATE_H
#define FX_TEST_ENV_PRIVATE_H

#include "test/harness/env.h"

/* Names its files and ports, and makes its identity. */
int fx_test_controller_init(struct fx_test_env *env, struct fx_test_controller *controller, const char *name,
        const char *const *args, struct fx_error *err) fx_must_use;
/* Stops it if it runs, looks for complaints of sanitizers in its log and releases it. */
int fx_test_controller_end(struct fx_test_controller *controller, struct fx_error *err) fx_must_use;

#endif
