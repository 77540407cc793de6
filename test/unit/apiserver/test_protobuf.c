/* Protobuf bodies, whole and broken. */
#include "../unit.h"

#include "test/apiserver/obj.h"
#include "test/apiserver/protobuf.h"

#include <string.h>

/* What kubectl create configmap sends: the envelope, then metadata.name and one entry of data. */
static const char configmap[] = "k8s\0"
                                "\x0a\x0f"
                                "\x0a\x02v1"
                                "\x12\x09"
                                "ConfigMap"
                                "\x12\x11"
                                "\x0a\x07\x0a\x01"
                                "a"
                                "\x12\x00\x38\x00"
                                "\x12\x06\x0a\x01"
                                "k\x12\x01v";

START_TEST(decodes_a_configmap)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(json) json_t *object = NULL;
	ck_assert_ok(fx_as_proto_decode(configmap, sizeof(configmap) - 1, &object, &err), &err);
	fx_autofree char *text = fx_as_text(object);
	ck_assert_str_eq(text, "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"v\"},\"kind\":\"ConfigMap\","
	                       "\"metadata\":{\"name\":\"a\"}}");
}
END_TEST

/* Every shorter body, and every body with one bit turned, ends without reading past its end. */
START_TEST(broken_bodies_end)
{
	for (size_t len = 0; len < sizeof(configmap) - 1; len++) {
		fx_autofree char *part = malloc(len + 1);
		memcpy(part, configmap, len);
		json_t *object = NULL;
		if (fx_as_proto_decode(part, len, &object, NULL) == 0)
			json_decref(object);
	}
	for (size_t bit = 0; bit < (sizeof(configmap) - 1) * 8; bit++) {
		fx_autofree char *copy = malloc(sizeof(configmap) - 1);
		memcpy(copy, configmap, sizeof(configmap) - 1);
		copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
		json_t *object = NULL;
		if (fx_as_proto_decode(copy, sizeof(configmap) - 1, &object, NULL) == 0)
			json_decref(object);
	}
	json_t *object = NULL;
	ck_assert_int_lt(fx_as_proto_decode("k8s", 3, &object, NULL), 0);
	ck_assert_int_lt(fx_as_proto_decode("k8s\0\x12\x7f", 6, &object, NULL), 0);
}
END_TEST

START_TEST(knows_its_content_type)
{
	ck_assert(fx_as_proto_is("application/vnd.kubernetes.protobuf"));
	ck_assert(!fx_as_proto_is("application/json"));
	ck_assert(!fx_as_proto_is(NULL));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("protobuf");
	TCase *c = tcase_create("decode");
	tcase_add_test(c, decodes_a_configmap);
	tcase_add_test(c, broken_bodies_end);
	tcase_add_test(c, knows_its_content_type);
	suite_add_tcase(s, c);
	return s;
}

FX_UNIT_MAIN(suite)
