#include "data/semver.h"
#include "eval.h"

int fx_eval_semver(const json_t *input, json_t **out, struct fx_error *err)
{
	fx_auto(semver_constraint) struct fx_semver_constraint *constraint = NULL;
	struct fx_semver version;
	int rc = fx_semver_constraint_parse(fx_eval_string(input, "constraint"), &constraint, err);
	if (rc == 0)
		rc = fx_semver_parse(fx_eval_string(input, "version"), &version, err);
	if (rc == 0)
		*out = json_boolean(fx_semver_constraint_check(constraint, &version));
	return rc;
}
