#include "net/proxy.h"

#include "net/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

/* One name, lower-cased by whoever reads it; longer entries match nothing. */
#define ENTRY_MAX 512

static char *copy_env(const char *upper, const char *lower)
{
	const char *value = getenv(upper);
	if (!value || !*value)
		value = getenv(lower);
	return value && *value ? strdup(value) : NULL;
}

void fx_proxy_env_load(struct fx_proxy_env *env)
{
	env->http = copy_env("HTTP_PROXY", "http_proxy");
	env->https = copy_env("HTTPS_PROXY", "https_proxy");
	env->no_proxy = copy_env("NO_PROXY", "no_proxy");
}

void fx_proxy_env_release(struct fx_proxy_env *env)
{
	free(env->http);
	free(env->https);
	free(env->no_proxy);
	*env = (struct fx_proxy_env){0};
}

/* An address of either family; IPv4 in IPv6 counts as IPv4. */
struct address {
	int bits; /* 0: none, 32 or 128 */
	unsigned char bytes[16];
};

static struct address parse_address(const char *text)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct address a = {0};
	if (inet_pton(AF_INET, text, a.bytes) == 1) {
		a.bits = 32;
	} else if (inet_pton(AF_INET6, text, a.bytes) == 1) {
		a.bits = 128;
		if (memcmp(a.bytes, mapped, sizeof(mapped)) == 0) {
			memmove(a.bytes, a.bytes + 12, 4);
			a.bits = 32;
		}
	}
	return a;
}

static bool is_loopback(const struct address *a)
{
	static const unsigned char one[16] = {[15] = 1};
	return a->bits == 32 ? a->bytes[0] == 127 : a->bits == 128 && memcmp(a->bytes, one, 16) == 0;
}

static bool same_prefix(const struct address *a, const struct address *b, int bits)
{
	if (a->bits != b->bits || memcmp(a->bytes, b->bytes, (size_t)bits / 8) != 0)
		return false;
	int rest = bits % 8;
	return !rest || (a->bytes[bits / 8] ^ b->bytes[bits / 8]) >> (8 - rest) == 0;
}

/* "10.0.0.0/8". False when the entry is no block at all. */
static bool is_block(const char *entry, const struct address *host, bool *out_match)
{
	const char *slash = strchr(entry, '/');
	char text[64];
	if (!slash || (size_t)(slash - entry) >= sizeof(text))
		return false;
	memcpy(text, entry, (size_t)(slash - entry));
	text[slash - entry] = '\0';
	struct address net = parse_address(text);
	char *end;
	long bits = strtol(slash + 1, &end, 10);
	if (!net.bits || end == slash + 1 || *end || bits < 0 || bits > net.bits)
		return false;
	*out_match = host->bits && same_prefix(&net, host, (int)bits);
	return true;
}

/* Cuts ":port" and brackets off; the port is 0 when there is none. */
static char *split_port(char *entry, int *out_port)
{
	*out_port = 0;
	char *colon = strrchr(entry, ':');
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): entry is a text up to its NUL */
	bool bracketed = entry[0] == '[';
	if (colon && colon > entry && (bracketed ? colon[-1] == ']' : strchr(entry, ':') == colon)) {
		*out_port = atoi(colon + 1);
		*colon = '\0';
	}
	size_t len = strlen(entry);
	if (bracketed && len > 1 && entry[len - 1] == ']') {
		entry[len - 1] = '\0';
		entry++;
	}
	return entry;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);
	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static bool entry_matches(char *entry, const struct fx_url *url, const struct address *host)
{
	bool match;
	int port;
	if (strcmp(entry, "*") == 0)
		return true;
	if (is_block(entry, host, &match))
		return match;
	entry = split_port(entry, &port);
	if (!*entry || (port && port != url->port))
		return false;
	struct address address = parse_address(entry);
	if (address.bits)
		return address.bits == host->bits && same_prefix(&address, host, address.bits);
	if (strncmp(entry, "*.", 2) == 0)
		entry++;
	if (entry[0] == '.')
		return ends_with(url->host, entry);
	size_t len = strlen(url->host), entry_len = strlen(entry);
	return ends_with(url->host, entry) && (len == entry_len || url->host[len - entry_len - 1] == '.');
}

static bool is_excluded(const char *no_proxy, const struct fx_url *url)
{
	struct address host = parse_address(url->host);
	if (strcmp(url->host, "localhost") == 0 || is_loopback(&host))
		return true;
	while (no_proxy && *no_proxy) {
		size_t len = strcspn(no_proxy, ",");
		const char *start = no_proxy, *end = no_proxy + len;
		no_proxy = *end ? end + 1 : end;
		while (start < end && isspace((unsigned char)*start))
			start++;
		while (end > start && isspace((unsigned char)end[-1]))
			end--;
		char entry[ENTRY_MAX];
		if (end == start || (size_t)(end - start) >= sizeof(entry))
			continue;
		for (size_t i = 0; i < (size_t)(end - start); i++)
			entry[i] = (char)tolower((unsigned char)start[i]);
		entry[end - start] = '\0';
		if (entry_matches(entry, url, &host))
			return true;
	}
	return false;
}

const char *fx_proxy_env_for(const struct fx_proxy_env *env, const char *url)
{
	if (!env->http && !env->https)
		return "";
	fx_auto(url) struct fx_url parts = {0};
	if (fx_url_parse(url, &parts, NULL) != 0)
		return "";
	const char *proxy = strcmp(parts.scheme, "https") == 0 ? env->https : env->http;
	return proxy && !is_excluded(env->no_proxy, &parts) ? proxy : "";
}

int fx_proxy_check(const char *address, struct fx_error *err)
{
	if (strlen(address) > FX_PROXY_ADDRESS_MAX)
		return fx_fail(err, FX_E_INVALID, "proxy address is longer than %d characters",
		        FX_PROXY_ADDRESS_MAX);
	fx_auto(url) struct fx_url parts = {0};
	int rc = fx_url_parse(address, &parts, err);
	if (rc)
		return fx_error_wrap(err, "invalid proxy address");
	if (strcmp(parts.scheme, "http") != 0 && strcmp(parts.scheme, "https") != 0 &&
	        strcmp(parts.scheme, "socks5") != 0)
		return fx_fail(err, FX_E_INVALID, "proxy scheme '%s' is not one of http, https, socks5",
		        parts.scheme);
	return 0;
}
