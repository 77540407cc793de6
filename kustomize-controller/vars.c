#include "vars.h"

#include "kube/secret.h"

#include <string.h>

void fx_vars_release(struct fx_vars *vars)
{
	for (struct fx_map_slot *s = NULL; (s = fx_map_next(&vars->values, s));)
		explicit_bzero(s->value, strlen(s->value));
	fx_map_release(&vars->values);
	vars->bytes = 0;
}

int fx_vars_set(struct fx_vars *vars, const char *name, const char *value, struct fx_error *err)
{
	size_t n = 0, len = strlen(value);
	vars->bytes += len + 1;
	if (vars->bytes > FX_VARS_BYTES_MAX || vars->values.len >= FX_VARS_MAX)
		return fx_fail(err, FX_E_LIMIT, "more than %d variables or %d bytes of values", FX_VARS_MAX,
		        FX_VARS_BYTES_MAX);
	fx_autofree char *copy = malloc(len + 1);
	if (!copy)
		return fx_fail_nomem(err);
	for (const char *c = value; *c; c++)
		if (*c != '\n')
			copy[n++] = *c;
	copy[n] = 0;
	if (!fx_map_set(&vars->values, name, copy))
		return fx_fail_nomem(err);
	(void)fx_take(copy);
	return 0;
}

static int set_each(void *arg, const char *key, const char *value, size_t len, struct fx_error *err)
{
	(void)len;
	return fx_vars_set(arg, key, value, err);
}

static int load_reference(struct fx_vars *vars, struct fx_kube *kube, const char *namespace_,
        const json_t *ref, struct fx_cancel *cancel, struct fx_error *err)
{
	const char *kind = fx_json_str_at(ref, "kind"), *name = fx_json_str_at(ref, "name");
	fx_auto(json) json_t *object = NULL;
	bool secret = kind && !strcmp(kind, "Secret");
	struct fx_kube_path path = {.version = "v1",
	        .resource = secret ? "secrets" : "configmaps",
	        .namespace_ = namespace_,
	        .name = name};
	int rc = fx_kube_get(kube, &path, cancel, &object, err);
	if (rc == -FX_E_NOT_FOUND && fx_json_bool_at(ref, "optional")) {
		fx_error_release(err);
		return 0;
	}
	if (rc == 0)
		rc = fx_secret_each(object, set_each, vars, err);
	if (rc < 0)
		fx_error_wrap(err, "substitute from '%s/%s' error", kind ? kind : "", name ? name : "");
	return rc;
}

int fx_vars_load(struct fx_vars *vars, struct fx_kube *kube, const char *namespace_, const json_t *post_build,
        struct fx_cancel *cancel, struct fx_error *err)
{
	size_t i;
	json_t *value;
	json_array_foreach (json_object_get(post_build, "substituteFrom"), i, value) {
		int rc = load_reference(vars, kube, namespace_, value, cancel, err);
		if (rc < 0)
			return rc;
	}
	const char *name;
	json_object_foreach (json_object_get(post_build, "substitute"), name, value) {
		const char *text = json_string_value(value);
		int rc = fx_vars_set(vars, name, text ? text : "", err);
		if (rc < 0)
			return rc;
	}
	return fx_vars_check(vars, err);
}

static bool is_name(const char *name)
{
	if (!*name || (*name >= '0' && *name <= '9'))
		return false;
	return !name[strspn(name, "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")];
}

int fx_vars_check(const struct fx_vars *vars, struct fx_error *err)
{
	const char *bad = NULL;
	for (struct fx_map_slot *s = NULL; (s = fx_map_next(&vars->values, s));)
		if (!is_name(s->key) && (!bad || strcmp(s->key, bad) < 0))
			bad = s->key;
	if (!bad)
		return 0;
	return fx_fail(err, FX_E_INVALID,
	        "envsubst error: '%s' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'",
	        bad);
}

uint64_t fx_vars_hash(const struct fx_vars *vars)
{
	/* A sum does not depend on the order of the map. */
	uint64_t sum = vars->values.len;
	for (struct fx_map_slot *s = NULL; (s = fx_map_next(&vars->values, s));) {
		uint64_t pair[2] = {fx_hash(s->key, strlen(s->key)), fx_hash(s->value, strlen(s->value))};
		sum += fx_hash(pair, sizeof(pair));
	}
	return sum;
}

const char *fx_vars_lookup(void *vars, const char *name)
{
	return fx_map_get(&((struct fx_vars *)vars)->values, name);
}
