/* test_element.c - elements against libbson's builder: random documents, put together both ways, are the same bytes. */
#include "sink/mongo/element.h"

#include <bson/bson.h>
#include <stdlib.h>

#include "tests/unit/unit.h"

enum { DOCUMENTS = 2000, ELEMENTS_MAX = 12, TEXT_MAX = 40, DEPTH_MAX = 3 };

static struct str random_text(struct unit_random *r, char *to, size_t max, bool nul)
{
	size_t len = unit_random_below(r, max + 1);

	for (size_t i = 0; i < len; i++)
		to[i] = (char)(nul ? unit_random_below(r, 128) : 1 + unit_random_below(r, 127));
	return (struct str){to, len};
}

static void put_children(struct unit_random *r, struct buf *b, bson_t *doc, int depth);

static void put_nested(struct unit_random *r, struct buf *b, bson_t *doc, struct str key, int depth)
{
	bool array = unit_random_below(r, 2);
	size_t at = element_open(b, array ? ELEMENT_ARRAY : ELEMENT_DOCUMENT, key);
	bson_t child;

	if (array)
		bson_append_array_begin(doc, key.p, (int)key.len, &child);
	else
		bson_append_document_begin(doc, key.p, (int)key.len, &child);
	put_children(r, b, &child, depth + 1);
	element_close(b, at);
	if (array)
		bson_append_array_end(doc, &child);
	else
		bson_append_document_end(doc, &child);
}

static void put_one(struct unit_random *r, struct buf *b, bson_t *doc, struct str key, int depth)
{
	uint64_t bits = unit_random_next(r);
	double number = (double)(int64_t)bits / 1024;
	char text[TEXT_MAX];
	struct str value = random_text(r, text, sizeof(text), true);
	int len = (int)key.len;

	switch (unit_random_below(r, depth < DEPTH_MAX ? 8 : 7)) {
	case 0: element_put_double(b, key, number); bson_append_double(doc, key.p, len, number); break;
	case 1: element_put_text(b, key, value); bson_append_utf8(doc, key.p, len, value.p, (int)value.len); break;
	case 2: element_put_bool(b, key, bits & 1); bson_append_bool(doc, key.p, len, bits & 1); break;
	case 3: element_put_date(b, key, (int64_t)bits); bson_append_date_time(doc, key.p, len, (int64_t)bits); break;
	case 4: element_put_int32(b, key, (int32_t)bits); bson_append_int32(doc, key.p, len, (int32_t)bits); break;
	case 5: element_put_int64(b, key, (int64_t)bits); bson_append_int64(doc, key.p, len, (int64_t)bits); break;
	case 6:
		element_put_binary(b, key, (const uint8_t *)value.p, (uint32_t)value.len);
		bson_append_binary(doc, key.p, len, BSON_SUBTYPE_BINARY, (const uint8_t *)value.p, (uint32_t)value.len);
		break;
	default: put_nested(r, b, doc, key, depth);
	}
}

static void put_children(struct unit_random *r, struct buf *b, bson_t *doc, int depth)
{
	for (uint64_t n = unit_random_below(r, ELEMENTS_MAX); n > 0; n--) {
		char key[TEXT_MAX];

		put_one(r, b, doc, random_text(r, key, sizeof(key), false), depth);
	}
}

START_TEST(as_libbson_writes_it)
{
	struct unit_random r = unit_random_new("element");
	struct buf b = BUF_INIT;

	for (int i = 0; i < DOCUMENTS; i++) {
		bson_t doc = BSON_INITIALIZER;
		size_t at;

		buf_clear(&b);
		at = element_open_outermost(&b);
		put_children(&r, &b, &doc, 0);
		element_close(&b, at);
		ck_assert_uint_eq(b.len, doc.len);
		ck_assert_mem_eq(b.p, bson_get_data(&doc), b.len);
		bson_destroy(&doc);
	}
	buf_fini(&b);
}
END_TEST

/* Memory that is short at any point leaves a failure, and nothing is written: b has no bytes to write to. */
START_TEST(a_failure_stays)
{
	struct buf b = {.failed = true};
	size_t at = element_open_outermost(&b), inner = element_open(&b, ELEMENT_DOCUMENT, STR("d"));

	element_put_double(&b, STR("x"), 1);
	element_put_text(&b, STR("x"), STR("y"));
	element_put_binary(&b, STR("x"), (const uint8_t *)"y", 1);
	element_put_bool(&b, STR("x"), true);
	element_put_int32(&b, STR("x"), 1);
	element_close(&b, inner);
	element_close(&b, at);
	ck_assert(buf_failed(&b) && b.len == 0 && !b.p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("element");
	TCase *tc = tcase_create("element");

	tcase_add_test(tc, as_libbson_writes_it);
	tcase_add_test(tc, a_failure_stays);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
