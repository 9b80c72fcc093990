/* libbson.h - fields as deploy/mongo/README.md promises them, by libbson's builder, which shares no code with element.h. */
#ifndef MILLRACE_TESTS_LIBBSON_H
#define MILLRACE_TESTS_LIBBSON_H

#include <bson/bson.h>
#include <stdio.h>

#include "schemas/schemas.h"
#include "tests/unit/unit.h"

/* What is empty is absent. */
static inline void libbson_text(bson_t *to, const char *key, struct str v)
{
	if (v.len)
		bson_append_utf8(to, key, -1, v.p, (int)v.len);
}

static inline void libbson_hex(bson_t *to, const char *key, const uint8_t bytes[16])
{
	char text[33];

	for (int i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	BSON_APPEND_UTF8(to, key, text);
}

static inline void libbson_tags(bson_t *to, const struct tag *tags, size_t len)
{
	bson_t inner;

	if (!len)
		return;
	BSON_APPEND_DOCUMENT_BEGIN(to, "tags", &inner);
	for (size_t i = 0; i < len; i++)
		bson_append_utf8(&inner, tags[i].key.p, (int)tags[i].key.len, tags[i].value.p, (int)tags[i].value.len);
	bson_append_document_end(to, &inner);
}

static inline void libbson_texts(bson_t *to, const char *key, const struct str *texts, size_t len)
{
	bson_t array;

	if (!len)
		return;
	BSON_APPEND_ARRAY_BEGIN(to, key, &array);
	for (size_t i = 0; i < len; i++) {
		char name[24];

		snprintf(name, sizeof(name), "%zu", i);
		bson_append_utf8(&array, name, -1, texts[i].p, (int)texts[i].len);
	}
	bson_append_array_end(to, &array);
}

static inline void libbson_date(bson_t *to, const char *key, bool has, int64_t t_ms)
{
	if (has)
		BSON_APPEND_DATE_TIME(to, key, t_ms);
}

static inline void libbson_must_equal(const bson_t *got, const bson_t *want)
{
	ck_assert_msg(bson_equal(got, want), "\n got %s\nwant %s", bson_as_json(got, NULL), bson_as_json(want, NULL));
	ck_assert(bson_validate(got, BSON_VALIDATE_NONE, NULL));
}

#endif
