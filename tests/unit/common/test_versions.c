/* test_versions.c - former versions of a record are read into today's struct, and what cannot be read is told apart.
 *
 * The schemas are the test's own (versions/): the real ones may have no former version. Their generated code is compiled here, and so the linker
 * leaves the real one out. Expected values are written by hand; for random ones fastavro is the oracle: with TEST_VERSIONS=FILE in the
 * environment, tests/e2e/test_versions.py has put messages there (length as 4 bytes, little-endian, then the message), and they are written to
 * FILE.out as today's encoder writes what was decoded; pinned, where TEST_PINS has such a list. */
#include "versions/schemas.h"

#include <string.h>

#include "versions/schemas.c"

#include "tests/unit/unit.h"

enum { MESSAGE_MAX = 1 << 20 };

struct house {
	struct buf bytes;
	struct arena arena;
	struct err err;
};

static struct house house_new(void)
{
	return (struct house){.bytes = BUF_INIT, .arena = ARENA_INIT, .err = ERR_INIT};
}

static void house_fini(struct house *h)
{
	buf_fini(&h->bytes);
	arena_fini(&h->arena);
}

static void put_inner_1(struct buf *b, const char *key, int32_t a)
{
	codec_write_long(b, 1);
	codec_write_bytes(b, str_from(key));
	codec_write_bytes(b, STR("w"));
	codec_write_long(b, 0);
	codec_write_int(b, a);
}

/* Thing as its first version was written: gone fields between those that stay. */
static void put_thing_1(struct buf *b)
{
	codec_write_header(b, 1);
	codec_write_bool(b, true);
	codec_write_long(b, 42);
	codec_write_int(b, -1);
	codec_write_float(b, 1.5f);
	codec_write_double(b, -9);
	codec_write_bytes(b, STR("\xff\xfe"));
	codec_write_int(b, 1);
	codec_write_bytes(b, STR("gone"));
	codec_write_int(b, 1); /* gone_choice: null */
	put_inner_1(b, "k", 11);
	codec_write_long(b, 2); /* gone_inner */
	put_inner_1(b, "g", 1);
	put_inner_1(b, "h", 2);
	codec_write_long(b, 0);
	codec_write_int(b, 2);
	codec_write_fixed(b, (const uint8_t *)"four", 4);
	codec_write_long(b, 1); /* gone_map */
	codec_write_bytes(b, STR("m"));
	codec_write_double(b, 3);
	codec_write_long(b, 0);
	codec_write_long(b, 2); /* list */
	put_inner_1(b, "x", 21);
	put_inner_1(b, "y", 22);
	codec_write_long(b, 0);
	codec_write_long(b, 1); /* same */
	codec_write_bytes(b, STR("s"));
	codec_write_long(b, 0);
	codec_write_int(b, 0); /* maybe: of the first branch here, of the second today */
	put_inner_1(b, "z", 31);
	codec_write_bytes(b, STR("name"));
}

static bool inner_is(const struct inner *inner, const char *key, int32_t a)
{
	return inner->a == a && inner->extra == 2.5 && inner->tags_len == 1 && str_eq(inner->tags[0].key, str_from(key)) &&
	       str_eq(inner->tags[0].value, STR("w"));
}

START_TEST(first_version_is_read)
{
	struct house h = house_new();
	struct thing t;

	put_thing_1(&h.bytes);
	ck_assert_msg(thing_decode(buf_str(&h.bytes), &h.arena, &t, &h.err) == 0, "%s", h.err.msg);
	ck_assert(str_eq(t.label, STR("name")) && t.id == 42);
	ck_assert(inner_is(&t.inner, "k", 11));
	ck_assert_uint_eq(t.list_len, 2);
	ck_assert(inner_is(&t.list[0], "x", 21) && inner_is(&t.list[1], "y", 22));
	ck_assert(t.has_maybe && inner_is(&t.maybe, "z", 31));
	ck_assert(t.same_len == 1 && str_eq(t.same[0], STR("s")));
	house_fini(&h);
}
END_TEST

START_TEST(what_is_new_has_its_default)
{
	struct house h = house_new();
	struct thing t;

	put_thing_1(&h.bytes);
	ck_assert_int_eq(thing_decode(buf_str(&h.bytes), &h.arena, &t, &h.err), 0);
	ck_assert(t.yes && t.count == INT64_C(5000000000) && !t.has_none);
	ck_assert(t.has_some && t.some == 7);
	ck_assert(str_eq(t.text, STR("a \"b\"")));
	ck_assert_int_eq(t.size, SIZE_LARGE);
	ck_assert_uint_eq(t.empty_len, 0);
	house_fini(&h);
}
END_TEST

/* What the second version has itself does not get today's default. */
START_TEST(what_is_there_is_taken)
{
	struct house h = house_new();
	struct thing t;

	codec_write_header(&h.bytes, 2);
	codec_write_bytes(&h.bytes, STR("n"));
	codec_write_long(&h.bytes, -5);
	codec_write_int(&h.bytes, 1);
	codec_write_double(&h.bytes, 8.5);
	for (int i = 0; i < 2; i++)
		codec_write_long(&h.bytes, 0); /* tags, list */
	codec_write_int(&h.bytes, 0);
	codec_write_long(&h.bytes, 0);
	codec_write_bool(&h.bytes, false);
	codec_write_long(&h.bytes, 6);
	ck_assert_msg(thing_decode(buf_str(&h.bytes), &h.arena, &t, &h.err) == 0, "%s", h.err.msg);
	ck_assert(t.id == -5 && t.inner.extra == 8.5 && !t.has_maybe && !t.yes && t.count == 6 && t.some == 7);
	house_fini(&h);
}
END_TEST

/* A message that ends anywhere is refused, and leaves what was there. */
START_TEST(cut_off)
{
	struct house h = house_new();
	struct thing t = {.id = 99};

	put_thing_1(&h.bytes);
	for (size_t len = CODEC_HEADER_BYTES; len < h.bytes.len; len++) {
		arena_fini(&h.arena);
		ck_assert_int_eq(thing_decode((struct str){(const char *)h.bytes.p, len}, &h.arena, &t, &h.err), -1);
		ck_assert_int_eq(h.err.kind, ERR_REJECT);
		ck_assert_int_eq(t.id, 99);
	}
	house_fini(&h);
}
END_TEST

START_TEST(ids_are_told_apart)
{
	static const struct { uint32_t id; enum err_kind kind; const char *says; } cases[] = {
		{6, ERR_REJECT, "Thing: schema 6 is Other's"}, {4, ERR_REJECT, "Thing: schema 4 is SampleBatch's"},
		{7, ERR_RETRY, "Thing: schema 7 is unknown: a newer writer's"},
	};

	ck_assert_int_eq(THING_SCHEMA_ID, 3);
	ck_assert_int_eq(SAMPLE_BATCH_SCHEMA_ID, 5);
	ck_assert_str_eq(schema_name(1), "Thing");
	ck_assert_ptr_nonnull(strstr(schema_json(1), "gone_bool"));
	ck_assert_ptr_null(strstr(schema_json(3), "gone_bool"));
	for (size_t i = 0; i < NR(cases); i++) {
		struct house h = house_new();
		struct thing t;

		codec_write_header(&h.bytes, cases[i].id);
		ck_assert_int_eq(thing_decode(buf_str(&h.bytes), &h.arena, &t, &h.err), -1);
		ck_assert_int_eq(h.err.kind, cases[i].kind);
		ck_assert_str_eq(h.err.msg, cases[i].says);
		house_fini(&h);
	}
}
END_TEST

/* As the processor's intake reads it: the list is known, the rest is of either version. */
START_TEST(in_two_steps)
{
	static const struct { uint32_t id; int32_t weight; } cases[] = {{4, 3}, {5, 20}};

	for (size_t i = 0; i < NR(cases); i++) {
		struct house h = house_new();
		struct sample_batch batch = {0};
		struct codec_reader r;
		struct str body;

		codec_write_header(&h.bytes, cases[i].id);
		codec_write_long(&h.bytes, 1);
		codec_write_bytes(&h.bytes, STR("a series"));
		codec_write_long(&h.bytes, 0);
		if (cases[i].id == 4)
			codec_write_long(&h.bytes, 1000);
		codec_write_bytes(&h.bytes, STR("shop"));
		if (cases[i].id == 5)
			codec_write_int(&h.bytes, 20);
		ck_assert_int_eq(codec_open(buf_str(&h.bytes), SAMPLE_BATCH_SCHEMA_ID, &body, &h.err), (int)cases[i].id);
		codec_reader_init(&r, body, &h.arena);
		sample_batch_read_first(&r, &batch);
		ck_assert_uint_eq(batch.series_len, 1);
		sample_batch_read_rest(&r, cases[i].id, &batch);
		ck_assert_int_eq(codec_close(&r, "SampleBatch", &h.err), 0);
		ck_assert(str_eq(batch.site, STR("shop")));
		ck_assert_int_eq(batch.weight, cases[i].weight);
		house_fini(&h);
	}
}
END_TEST

static void copy_one(struct str message, FILE *out)
{
	struct house h = house_new();
	struct thing t;
	uint32_t len;

	ck_assert_msg(thing_decode(message, &h.arena, &t, &h.err) == 0, "%s", h.err.msg);
	ck_assert_int_eq(thing_encode(&t, &h.bytes, &h.err), 0);
	len = htole32((uint32_t)h.bytes.len);
	ck_assert_uint_eq(fwrite(&len, sizeof(len), 1, out), 1);
	ck_assert_uint_eq(fwrite(h.bytes.p, 1, h.bytes.len, out), h.bytes.len);
	house_fini(&h);
}

START_TEST(strangers_messages)
{
	const char *name = getenv("TEST_VERSIONS");
	char out_name[4096];
	static char message[MESSAGE_MAX];
	uint32_t len;
	FILE *in, *out;

	if (!name)
		return;
	ck_assert_int_eq(pins_set(getenv("TEST_PINS") ? getenv("TEST_PINS") : "", NULL), 0);
	snprintf(out_name, sizeof(out_name), "%s.out", name);
	in = fopen(name, "rb");
	out = fopen(out_name, "wb");
	ck_assert(in && out);
	while (fread(&len, sizeof(len), 1, in) == 1) {
		len = le32toh(len);
		ck_assert(len <= MESSAGE_MAX && fread(message, 1, len, in) == len);
		copy_one((struct str){message, len}, out);
	}
	ck_assert_int_eq(fclose(out), 0);
	fclose(in);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("versions");
	TCase *tc = tcase_create("versions");

	tcase_add_test(tc, first_version_is_read);
	tcase_add_test(tc, what_is_new_has_its_default);
	tcase_add_test(tc, what_is_there_is_taken);
	tcase_add_test(tc, cut_off);
	tcase_add_test(tc, ids_are_told_apart);
	tcase_add_test(tc, in_two_steps);
	tcase_add_test(tc, strangers_messages);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
