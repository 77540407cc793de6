#include "runtime/requeue.h"

#include <sys/random.h>

int64_t fx_interval_jitter(int64_t interval_ms, int percentage, double r)
{
	double factor = 1 + percentage / 100.0 * (2 * r - 1);
	int64_t ms = (int64_t)((double)interval_ms * factor);
	return ms < 1 ? 1 : ms;
}

double fx_random_unit(void)
{
	uint64_t bits = 0;
	if (getrandom(&bits, sizeof(bits), 0) != (long)sizeof(bits))
		return 0.5;
	return (double)(bits >> 11) / 9007199254740992.0;
}
