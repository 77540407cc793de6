#include "runtime/gates.h"

#include <string.h>

static struct fx_gate *find(struct fx_gate *gates, const char *name, size_t len)
{
	for (; gates->name; gates++) {
		if (strlen(gates->name) == len && memcmp(gates->name, name, len) == 0)
			return gates;
	}
	return NULL;
}

static int parse_one(struct fx_gate *gates, const char *part, size_t len, struct fx_error *err)
{
	const char *equals = memchr(part, '=', len);
	size_t name_len = equals ? (size_t)(equals - part) : len;
	if (!equals)
		return fx_fail(err, FX_E_INVALID, "feature gate '%.*s' needs a value: =true or =false",
		        (int)len, part);
	struct fx_gate *gate = find(gates, part, name_len);
	if (!gate)
		return fx_fail(err, FX_E_INVALID, "feature-gate '%.*s' not supported", (int)name_len, part);
	const char *value = equals + 1;
	size_t value_len = len - name_len - 1;
	bool yes = value_len == 4 && strncasecmp(value, "true", 4) == 0;
	if (!yes && !(value_len == 5 && strncasecmp(value, "false", 5) == 0))
		return fx_fail(err, FX_E_INVALID, "feature gate '%s': value '%.*s' is neither true nor false",
		        gate->name, (int)value_len, value);
	gate->enabled = yes;
	gate->given = true;
	return 0;
}

int fx_gates_parse(struct fx_gate *gates, const char *text, struct fx_error *err)
{
	while (text && *text) {
		size_t len = strcspn(text, ",");
		if (len) {
			int rc = parse_one(gates, text, len, err);
			if (rc < 0)
				return rc;
		}
		text += len + (text[len] == ',');
	}
	return 0;
}

bool fx_gate_enabled(const struct fx_gate *gates, const char *name)
{
	for (; gates && gates->name; gates++) {
		if (strcmp(gates->name, name) == 0)
			return gates->enabled;
	}
	return false;
}
