#include "data/base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

char *fx_base64_decode(const char *text, size_t len, size_t *out_len)
{
	fx_autofree char *out = malloc(len / 4 * 3 + 4);
	size_t used = 0;
	uint32_t bits = 0;
	int count = 0, padding = 0;

	for (size_t i = 0; out && i < len; i++) {
		char c = text[i];
		if (c == '\n' || c == '\r')
			continue;
		int value = c == '=' ? 0 : value_of(c);
		if (value < 0 || (padding > 0 && c != '='))
			return NULL;
		if (c == '=' && (count < 2 || ++padding > 2))
			return NULL;
		bits = bits << 6 | (uint32_t)value;
		if (++count < 4)
			continue;
		char bytes[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
		memcpy(out + used, bytes, (size_t)(3 - padding));
		used += (size_t)(3 - padding);
		bits = 0;
		count = 0;
	}
	if (!out || count != 0)
		return NULL;
	out[used] = '\0';
	if (out_len)
		*out_len = used;
	return fx_take(out);
}

void fx_base64_encode_to(const void *data, size_t len, char *out)
{
	const unsigned char *in = data;
	for (size_t i = 0; i < len; i += 3) {
		uint32_t bits = (uint32_t)in[i] << 16 | (i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0) |
		                (i + 2 < len ? in[i + 2] : 0);
		*out++ = ALPHABET[bits >> 18];
		*out++ = ALPHABET[bits >> 12 & 63];
		*out++ = i + 1 < len ? ALPHABET[bits >> 6 & 63] : '=';
		*out++ = i + 2 < len ? ALPHABET[bits & 63] : '=';
	}
}

char *fx_base64_encode(const void *data, size_t len)
{
	size_t size = fx_base64_size(len);
	char *out = malloc(size + 1);
	if (!out)
		return NULL;
	fx_base64_encode_to(data, len, out);
	out[size] = '\0';
	return out;
}
