/* Kubeconfig files: reading, merging, and picking what one context says. */
#include "kube/config_internal.h"

#include "core/arena.h"
#include "data/base64.h"
#include "data/jansson.h"
#include "data/json.h"
#include "data/yaml.h"

#include <string.h>

/* A file as a tree, with the directory that its relative names start from. */
struct source {
	json_t *root;    /* owned */
	char *directory; /* owned, NULL: the working directory */
};

/* The context being picked from the sources. */
struct pick {
	const struct fx_kube_config_policy *policy;
	const struct source *sources;
	size_t count;
	struct fx_kube_config *config;
};

static int parse_document(const char *text, size_t len, json_t **out, struct fx_error *err)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	const struct fx_yaml_read options = {.values = true};
	struct fx_node *node = NULL;
	if (!arena)
		return fx_fail_nomem(err);
	if (len > FX_KUBE_CONFIG_MAX)
		return fx_fail(err, FX_E_LIMIT, "a kubeconfig is larger than %d bytes", FX_KUBE_CONFIG_MAX);
	int rc = fx_yaml_read(arena, text, len, &options, &node, err);
	if (rc < 0)
		return fx_error_wrap(err, "kubeconfig");
	json_t *root = node ? fx_node_to_json(node, err) : json_object();
	if (!root)
		return node ? fx_error_wrap(err, "kubeconfig") : fx_fail_nomem(err);
	if (!json_is_object(root)) {
		json_decref(root);
		return fx_fail(err, FX_E_INVALID, "kubeconfig: not a map");
	}
	*out = root;
	return 0;
}

/* The entry called name of a named list ("clusters", "cluster"); the first file that has it wins. */
static const json_t *find_entry(const struct pick *pick, const char *list, const char *member,
        const char *name, const struct source **out_source)
{
	for (size_t s = 0; s < pick->count; s++) {
		const json_t *entries = fx_json_at(pick->sources[s].root, list);
		for (size_t i = 0; i < json_array_size(entries); i++) {
			const json_t *entry = json_array_get(entries, i);
			const char *entry_name = fx_json_str_at(entry, "name");
			if (!entry_name || strcmp(entry_name, name) != 0)
				continue;
			*out_source = &pick->sources[s];
			return fx_json_at(entry, member);
		}
	}
	return NULL;
}

static int take_text(char **out, const char *text, struct fx_error *err)
{
	if (!text || !*text)
		return 0;
	free(*out);
	*out = strdup(text);
	return *out ? 0 : fx_fail_nomem(err);
}

static char *resolve(const struct source *source, const char *path)
{
	struct fx_buf buf = FX_BUF_INIT;
	if (path[0] != '/' && source->directory)
		fx_buf_addf(&buf, "%s/", source->directory);
	fx_buf_add_str(&buf, path);
	char *text = fx_buf_take(&buf, NULL);
	fx_buf_release(&buf);
	return text;
}

/* PEM text from KEY-data (base64, wins) or the file that KEY names. */
static int take_pem(const struct pick *pick, const struct source *source, const json_t *entry,
        const char *key, char **out, struct fx_error *err)
{
	char data_key[64];
	snprintf(data_key, sizeof(data_key), "%s-data", key);
	const char *data = fx_json_str_at(entry, data_key);
	const char *path = fx_json_str_at(entry, key);
	if (data && *data) {
		*out = fx_base64_decode(data, strlen(data), NULL);
		return *out ? 0 : fx_fail(err, FX_E_INVALID, "kubeconfig: %s is not valid base64", data_key);
	}
	if (!path || !*path || !pick->policy->allow_files)
		return 0;
	struct fx_buf text = FX_BUF_INIT;
	fx_autofree char *full = resolve(source, path);
	int rc = full ? fx_kube_read_file(full, &text, err) : fx_fail_nomem(err);
	if (rc == 0) {
		*out = fx_buf_take(&text, NULL);
		rc = *out ? 0 : fx_fail(err, FX_E_INVALID, "kubeconfig: the file of %s is empty", key);
	}
	fx_buf_release(&text);
	return rc;
}

static int take_server(struct fx_kube_config *config, const char *server, struct fx_error *err)
{
	if (!server || !*server)
		return fx_fail(err, FX_E_INVALID, "kubeconfig: the cluster has no server");
	/* kubectl takes a bare host for http. */
	bool has_scheme = strncmp(server, "http://", 7) == 0 || strncmp(server, "https://", 8) == 0;
	if (!has_scheme && strstr(server, "://"))
		return fx_fail(err, FX_E_INVALID, "kubeconfig: the server is no http or https URL");
	size_t len = strlen(server);
	while (len > 0 && server[len - 1] == '/')
		len--;
	struct fx_buf url = FX_BUF_INIT;
	fx_buf_add_str(&url, has_scheme ? "" : "http://");
	fx_buf_add(&url, server, len);
	config->server = fx_buf_take(&url, NULL);
	fx_buf_release(&url);
	return config->server ? 0 : fx_fail_nomem(err);
}

/* The name of the CA's file, for the client to read it again. */
static int take_ca_file(
        const struct pick *pick, const struct source *source, const json_t *cluster, struct fx_error *err)
{
	const char *data = fx_json_str_at(cluster, "certificate-authority-data");
	const char *path = fx_json_str_at(cluster, "certificate-authority");
	if ((data && *data) || !path || !*path || !pick->policy->allow_files)
		return 0;
	pick->config->ca_file = resolve(source, path);
	return pick->config->ca_file ? 0 : fx_fail_nomem(err);
}

static int pick_cluster(struct pick *pick, const char *name, struct fx_error *err)
{
	struct fx_kube_config *config = pick->config;
	const struct source *source = NULL;
	const json_t *cluster = find_entry(pick, "clusters", "cluster", name, &source);
	if (!cluster)
		return fx_fail(err, FX_E_INVALID, "kubeconfig: cluster '%.200s' does not exist", name);
	int rc = take_server(config, fx_json_str_at(cluster, "server"), err);
	if (rc == 0)
		rc = take_pem(pick, source, cluster, "certificate-authority", &config->ca_pem, err);
	if (rc == 0)
		rc = take_ca_file(pick, source, cluster, err);
	if (rc == 0)
		rc = take_text(&config->tls_server_name, fx_json_str_at(cluster, "tls-server-name"), err);
	if (rc == 0)
		rc = take_text(&config->proxy_url, fx_json_str_at(cluster, "proxy-url"), err);
	config->disable_compression = fx_json_bool_at(cluster, "disable-compression");
	if (pick->policy->allow_insecure)
		config->insecure_skip_tls_verify = fx_json_bool_at(cluster, "insecure-skip-tls-verify");
	return rc;
}

/* A NULL-terminated list made of the strings that text_of gives for each entry. */
static int take_list(
        const json_t *entries, char *(*text_of)(const json_t *entry), char ***out, struct fx_error *err)
{
	size_t count = json_array_size(entries);
	char **list = calloc(count + 1, sizeof(*list));
	*out = list;
	for (size_t i = 0; list && i < count; i++) {
		list[i] = text_of(json_array_get(entries, i));
		if (!list[i])
			return fx_fail(err, FX_E_INVALID,
			        "kubeconfig: an argument of the credential plugin is malformed");
	}
	return list ? 0 : fx_fail_nomem(err);
}

static char *arg_text(const json_t *entry)
{
	return json_is_string(entry) ? strdup(json_string_value(entry)) : NULL;
}

static char *env_text(const json_t *entry)
{
	const char *name = fx_json_str_at(entry, "name"), *value = fx_json_str_at(entry, "value");
	struct fx_buf buf = FX_BUF_INIT;
	if (!name || !value)
		return NULL;
	fx_buf_addf(&buf, "%s=%s", name, value);
	char *text = fx_buf_take(&buf, NULL);
	fx_buf_release(&buf);
	return text;
}

static int pick_exec(struct pick *pick, const json_t *exec, struct fx_error *err)
{
	if (!exec || !pick->policy->allow_exec)
		return 0;
	struct fx_kube_exec *out = pick->config->exec = calloc(1, sizeof(*out));
	if (!out)
		return fx_fail_nomem(err);
	const char *command = fx_json_str_at(exec, "command");
	if (!command || !*command)
		return fx_fail(err, FX_E_INVALID, "kubeconfig: the credential plugin has no command");
	int rc = take_text(&out->command, command, err);
	if (rc == 0)
		rc = take_text(&out->api_version, fx_json_str_at(exec, "apiVersion"), err);
	if (rc == 0)
		rc = take_list(fx_json_at(exec, "args"), arg_text, &out->args, err);
	if (rc == 0)
		rc = take_list(fx_json_at(exec, "env"), env_text, &out->env, err);
	return rc;
}

static int pick_user(struct pick *pick, const char *name, struct fx_error *err)
{
	struct fx_kube_config *config = pick->config;
	const struct source *source = NULL;
	const json_t *user = find_entry(pick, "users", "user", name, &source);
	if (!user)
		return fx_fail(err, FX_E_INVALID, "kubeconfig: user '%.200s' does not exist", name);
	int rc = take_pem(pick, source, user, "client-certificate", &config->cert_pem, err);
	if (rc == 0)
		rc = take_pem(pick, source, user, "client-key", &config->key_pem, err);
	if (rc == 0 && !config->cert_pem != !config->key_pem)
		rc = fx_fail(err, FX_E_INVALID,
		        "kubeconfig: user '%.200s' has only one of client certificate and key", name);
	if (rc == 0)
		rc = take_text(&config->token, fx_json_str_at(user, "token"), err);
	if (rc == 0)
		rc = take_text(&config->username, fx_json_str_at(user, "username"), err);
	if (rc == 0)
		rc = take_text(&config->password, fx_json_str_at(user, "password"), err);
	const char *token_file = fx_json_str_at(user, "tokenFile");
	if (rc == 0 && token_file && *token_file && pick->policy->allow_files) {
		config->token_file = resolve(source, token_file);
		rc = config->token_file ? 0 : fx_fail_nomem(err);
	}
	if (rc == 0 && pick->policy->allow_impersonation)
		rc = take_text(&config->impersonate_user, fx_json_str_at(user, "as"), err);
	return rc < 0 ? rc : pick_exec(pick, fx_json_at(user, "exec"), err);
}

static const char *current_context(const struct pick *pick)
{
	if (pick->policy->context)
		return pick->policy->context;
	for (size_t i = 0; i < pick->count; i++) {
		const char *name = fx_json_str_at(pick->sources[i].root, "current-context");
		if (name && *name)
			return name;
	}
	return NULL;
}

static int pick_context(struct pick *pick, struct fx_error *err)
{
	const struct source *source = NULL;
	const char *name = current_context(pick);
	if (!name)
		return fx_fail(err, FX_E_INVALID, "kubeconfig: no current-context");
	const json_t *context = find_entry(pick, "contexts", "context", name, &source);
	if (!context)
		return fx_fail(err, FX_E_INVALID, "kubeconfig: context '%.200s' does not exist", name);
	const char *cluster = fx_json_str_at(context, "cluster"), *user = fx_json_str_at(context, "user");
	if (!cluster || !*cluster)
		return fx_fail(err, FX_E_INVALID, "kubeconfig: context '%.200s' names no cluster", name);
	int rc = take_text(&pick->config->namespace_, fx_json_str_at(context, "namespace"), err);
	if (rc == 0)
		rc = pick_cluster(pick, cluster, err);
	if (rc == 0 && user && *user)
		rc = pick_user(pick, user, err);
	return rc;
}

static int pick_from(const struct fx_kube_config_policy *policy, const struct source *sources, size_t count,
        struct fx_kube_config **out, struct fx_error *err)
{
	fx_auto(kube_config) struct fx_kube_config *config = calloc(1, sizeof(*config));
	struct pick pick = {.policy = policy, .sources = sources, .count = count, .config = config};
	if (!config)
		return fx_fail_nomem(err);
	int rc = pick_context(&pick, err);
	if (rc == 0)
		*out = fx_take(config);
	return rc;
}

int fx_kube_config_parse(const char *text, size_t len, const struct fx_kube_config_policy *policy,
        struct fx_kube_config **out, struct fx_error *err)
{
	fx_auto(json) json_t *root = NULL;
	int rc = parse_document(text, len, &root, err);
	if (rc < 0)
		return rc;
	const struct source source = {.root = root, .directory = (char *)policy->directory};
	return pick_from(policy, &source, 1, out, err);
}

static int source_read(struct source *source, const char *path, struct fx_error *err)
{
	struct fx_buf text = FX_BUF_INIT;
	int rc = fx_kube_read_file(path, &text, err);
	if (rc == 0)
		rc = parse_document(fx_buf_str(&text), text.len, &source->root, err);
	fx_buf_release(&text);
	if (rc < 0)
		return rc;
	const char *slash = strrchr(path, '/');
	if (slash)
		source->directory = strndup(path, (size_t)(slash - path));
	return slash && !source->directory ? fx_fail_nomem(err) : 0;
}

int fx_kube_config_read(
        const char *paths, const char *context, struct fx_kube_config **out, struct fx_error *err)
{
	const struct fx_kube_config_policy policy = {
	        .allow_files = true,
	        .allow_exec = true,
	        .allow_insecure = true,
	        .allow_impersonation = true,
	        .context = context,
	};
	struct source sources[FX_KUBE_CONFIG_FILES_MAX] = {0};
	size_t count = 0;
	int rc = 0;
	bool is_list = strchr(paths, ':') != NULL;

	for (const char *at = paths; rc == 0 && *at;) {
		size_t len = strcspn(at, ":");
		fx_autofree char *path = strndup(at, len);
		at += len + (at[len] == ':');
		if (len == 0)
			continue;
		if (count == FX_KUBE_CONFIG_FILES_MAX)
			rc = fx_fail(err, FX_E_LIMIT, "KUBECONFIG lists more than %d files",
			        FX_KUBE_CONFIG_FILES_MAX);
		else if (!path)
			rc = fx_fail_nomem(err);
		else if (!is_list || access(path, F_OK) == 0)
			rc = source_read(&sources[count++], path, err);
	}
	if (rc == 0)
		rc = pick_from(&policy, sources, count, out, err);
	for (size_t i = 0; i < count; i++) {
		json_decref(sources[i].root);
		free(sources[i].directory);
	}
	return rc;
}
