#include "test/unit/unit.h"

#include "data/base64.h"
#include "helm/engine.h"
#include "helm/release.h"

#include <zlib.h>

/* A record as Helm 4.2.4 writes it (times and texts shortened). */
static const char record[] =
        "{\"name\":\"rel\",\"info\":{\"first_deployed\":\"2024-01-02T03:04:05.5Z\",\"last_deployed\":"
        "\"2024-01-02T03:04:05.5Z\",\"description\":\"Install complete\",\"status\":\"deployed\",\"notes\":"
        "\"a \\u003cb\\u003e \\u0026\\n\"},\"chart\":{\"metadata\":{\"name\":\"app\",\"version\":\"1.2.3\","
        "\"keywords\":[\"a\"],\"maintainers\":[{\"name\":\"me\"}],\"apiVersion\":\"v2\",\"annotations\":{"
        "\"x\":"
        "\"1\"},\"dependencies\":[{\"name\":\"sub\",\"version\":\"0.x.x\",\"repository\":\"\",\"enabled\":"
        "true,"
        "\"import-values\":[{\"child\":\"exports.data\",\"parent\":\".\"}]}],\"type\":\"application\"},"
        "\"lock\":"
        "{\"generated\":\"2024-01-02T03:04:05.12+02:00\",\"digest\":\"sha256:00\",\"dependencies\":[{"
        "\"name\":"
        "\"sub\",\"version\":\"0.1.0\",\"repository\":\"\"}]},\"templates\":[{\"name\":\"templates/cm.yaml\","
        "\"data\":\"YQo=\",\"modtime\":\"2024-01-02T03:04:05Z\"}],\"values\":{\"big\":12345678901,\"n\":1.5,"
        "\"none\":null},\"schema\":\"e30=\",\"schemamodtime\":\"2024-01-02T03:04:05Z\",\"files\":null,"
        "\"modtime\":\"2024-01-02T03:04:05Z\"},\"config\":{\"add\":5},\"manifest\":\"---\\n\",\"hooks\":[{"
        "\"name\":\"h\",\"kind\":\"Job\",\"path\":\"app/templates/h.yaml\",\"manifest\":\"kind: Job\\n\","
        "\"events\":[\"post-delete\",\"test\"],\"last_run\":{\"started_at\":\"2024-01-02T03:04:06Z\","
        "\"completed_at\":\"2024-01-02T03:04:07Z\",\"phase\":\"Succeeded\"},\"weight\":-3,\"delete_"
        "policies\":"
        "[\"hook-succeeded\"],\"output_log_policies\":[\"hook-failed\"]}],\"version\":7,\"namespace\":\"ns\","
        "\"apply_method\":\"ssa\"}";

static void parse(struct fx_arena *arena, const char *json, struct fx_release *out)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	ck_assert_ok(fx_release_parse(arena, json, strlen(json), out, &err), &err);
}

START_TEST(same_bytes_again)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(buf) struct fx_buf json = FX_BUF_INIT;
	struct fx_release r;
	parse(arena, record, &r);
	ck_assert_ok(fx_release_json(&r, &json, &err), &err);
	ck_assert_str_eq(fx_buf_str(&json), record);
}
END_TEST

START_TEST(fields)
{
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	struct fx_release r;
	parse(arena, record, &r);
	ck_assert_int_eq(r.version, 7);
	ck_assert_str_eq(r.ns, "ns");
	ck_assert_str_eq(r.apply_method, "ssa");
	ck_assert(fx_v_eq_str(r.info.notes, "a <b> &\n"));
	ck_assert_str_eq(r.chart->name, "app");
	ck_assert_str_eq(r.chart->schema, "{}");
	ck_assert_str_eq(r.chart->templates.items[0].data, "a\n");
	ck_assert(fx_hook_on(&r.hooks[0], "test") && !fx_hook_on(&r.hooks[0], "pre-install"));
	ck_assert_str_eq(r.hooks[0].phase, "Succeeded");
}
END_TEST

/* What earlier versions wrote: empty times, fields that are gone, other types of null. */
START_TEST(old_records)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(buf) struct fx_buf json = FX_BUF_INIT;
	struct fx_release r;
	parse(arena,
	        "{\"name\":\"old\",\"info\":{\"first_deployed\":\"2020-01-01T00:00:00Z\",\"deleted\":\"\","
	        "\"status\":\"superseded\"},\"chart\":null,\"hooks\":[{\"name\":\"h\",\"last_run\":{"
	        "\"started_at\":\"\",\"phase\":\"\"}}],\"gone\":[1],\"version\":1}",
	        &r);
	ck_assert_ptr_null(r.chart);
	ck_assert_ptr_null(r.info.deleted);
	ck_assert_ok(fx_release_json(&r, &json, &err), &err);
	ck_assert_str_eq(fx_buf_str(&json),
	        "{\"name\":\"old\",\"info\":{\"first_deployed\":\"2020-01-01T00:00:00Z\",\"status\":"
	        "\"superseded\"},\"hooks\":[{\"name\":\"h\",\"last_run\":{\"phase\":\"\"}}],\"version\":1}");
}
END_TEST

START_TEST(secret_and_back)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(buf) struct fx_buf json = FX_BUF_INIT;
	struct fx_release r, back;
	parse(arena, record, &r);
	json_t *secret = fx_release_secret(&r, &err);
	ck_assert_msg(secret != NULL, "%s", fx_error_message(&err));
	json_t *meta = json_object_get(secret, "metadata"), *labels = json_object_get(meta, "labels");
	ck_assert_str_eq(json_string_value(json_object_get(meta, "name")), "sh.helm.release.v1.rel.v7");
	ck_assert_str_eq(json_string_value(json_object_get(secret, "type")), "helm.sh/release.v1");
	ck_assert_str_eq(json_string_value(json_object_get(labels, "owner")), "helm");
	ck_assert_str_eq(json_string_value(json_object_get(labels, "status")), "deployed");
	ck_assert_str_eq(json_string_value(json_object_get(labels, "version")), "7");
	ck_assert_int_eq(json_object_set_new(labels, "team", json_string("blue")), 0);
	ck_assert_ok(fx_release_from_secret(arena, secret, &back, &err), &err);
	json_decref(secret);
	ck_assert_uint_eq(fx_v_len(back.labels), 1);
	ck_assert(fx_v_eq_str(*fx_v_get(back.labels, "team"), "blue"));
	ck_assert_ok(fx_release_json(&back, &json, &err), &err);
	ck_assert_str_eq(fx_buf_str(&json), record);
}
END_TEST

static const struct {
	const char *name, *text, *why;
} bad[] = {
        {"no base64", "%%%", "release record: illegal base64 data"},
        {"no JSON", "eA==", "release record: invalid character 'x' looking for beginning of value"},
        {"a list", "W10=", "release record: it is not an object"},
        {"version is a text", "eyJ2ZXJzaW9uIjoiMSJ9", "release record: version is not a number"},
        {"cut gzip", "H4sIAAAAAAAC/w==", "release record: gzip: invalid data"},
};

START_TEST(bad_records)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	struct fx_release r;
	ck_assert_int_lt(fx_release_decode(arena, bad[_i].text, strlen(bad[_i].text), &r, &err), 0);
	ck_assert_msg(strcmp(fx_error_message(&err), bad[_i].why) == 0, "%s: %s", bad[_i].name,
	        fx_error_message(&err));
}
END_TEST

/* Half a gigabyte of blanks in half a megabyte. */
START_TEST(gzip_bomb)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	static unsigned char zip[1024 * 1024];
	static char blanks[1024 * 1024];
	struct fx_release r;
	memset(blanks, ' ', sizeof(blanks));
	z_stream z = {.next_out = zip, .avail_out = sizeof(zip)};
	ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
	for (int i = 0; i < 256; i++) {
		z.next_in = (Bytef *)blanks;
		z.avail_in = sizeof(blanks);
		ck_assert_int_eq(
		        deflate(&z, i == 255 ? Z_FINISH : Z_NO_FLUSH), i == 255 ? Z_STREAM_END : Z_OK);
	}
	deflateEnd(&z);
	fx_autofree char *text = fx_base64_encode(zip, z.total_out);
	ck_assert_int_eq(fx_release_decode(arena, text, strlen(text), &r, &err), -FX_E_LIMIT);
}
END_TEST

START_TEST(too_large_for_a_secret)
{
	fx_auto(error) struct fx_error err = FX_ERROR_INIT;
	fx_auto(arena) struct fx_arena *arena = fx_arena_new(0);
	fx_auto(buf) struct fx_buf out = FX_BUF_INIT;
	size_t n = 2 * FX_RELEASE_SECRET_MAX;
	char *noise = fx_arena_alloc(arena, n);
	struct fx_release r;
	uint32_t seed = 1;
	ck_assert_ptr_nonnull(noise);
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		noise[i] = (char)(' ' + (seed >> 24) % 90);
	}
	parse(arena, record, &r);
	r.manifest = fx_v_strn(noise, n);
	ck_assert_int_eq(fx_release_encode(&r, &out, &err), -FX_E_LIMIT);
}
END_TEST

START_TEST(memory_runs_out)
{
	bool done = false;
	for (size_t limit = 512; !done && limit < 1024 * 1024; limit += limit / 8) {
		fx_auto(error) struct fx_error err = FX_ERROR_INIT;
		fx_auto(arena) struct fx_arena *arena = fx_arena_new(limit);
		struct fx_release r;
		done = fx_release_parse(arena, record, strlen(record), &r, &err) == 0;
		if (!done)
			ck_assert_msg(err.code == FX_E_NOMEM, "%zu bytes: %s", limit, fx_error_message(&err));
	}
	ck_assert(done);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("release");
	TCase *tc = tcase_create("release");
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, same_bytes_again);
	tcase_add_test(tc, fields);
	tcase_add_test(tc, old_records);
	tcase_add_test(tc, secret_and_back);
	tcase_add_loop_test(tc, bad_records, 0, FX_COUNT(bad));
	tcase_add_test(tc, gzip_bomb);
	tcase_add_test(tc, too_large_for_a_secret);
	tcase_add_test(tc, memory_runs_out);
	suite_add_tcase(s, tc);
	return s;
}

FX_UNIT_MAIN(make_suite)
