/* What every unit test program shares: FX_UNIT_MAIN makes its main(). */
#ifndef FX_TEST_UNIT_H
#define FX_TEST_UNIT_H

#include <check.h>
#include <stdlib.h>

#include "core/error.h"

/* Asserts that a call that returns 0 or negative succeeded, and prints its error. */
#define ck_assert_ok(call, errp)                                                                             \
	do {                                                                                                 \
		int rc_ = (call);                                                                            \
		ck_assert_msg(rc_ == 0, "%.400s: %d: %.2500s", #call, rc_, fx_error_message(errp));          \
	} while (0)

#define FX_UNIT_MAIN(make_suite)                                                                             \
	int main(void)                                                                                       \
	{                                                                                                    \
		SRunner *runner = srunner_create(make_suite());                                              \
		srunner_run_all(runner, CK_ENV);                                                             \
		int failed = srunner_ntests_failed(runner);                                                  \
		srunner_free(runner);                                                                        \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                                 \
	}

#endif
