/* test_codec_avro.c - the generated codecs against avro-c, for random values of every schema.
 *
 * avro-c reads the same schemas with a parser, a reader and a writer of its own: it is the oracle. What it has written must
 * come out of our decoder equal field by field, what our encoder writes must come out of avro-c equal, and every damaged
 * message must give a value or an error within a fixed multiple of its size in memory. TEST_SEED replays a run.
 * With TEST_CODEC_SAMPLES=FILE in the environment, messages for tests/e2e/test_codec_fastavro.py are written there. */
#include <avro.h>
#include <inttypes.h>
#include <string.h>

#include "schemas/schemas.h"
#include "tests/unit/unit.h"

enum { VALUES = UNIT_ROUNDS(250), TRUNCATED_VALUES = UNIT_ROUNDS(15), FLIPS_PER_VALUE = 20, SAMPLES = 40, MEMORY_FACTOR = 64, MEMORY_BASE = 64 * 1024 };
enum { AVRO_BUFFER_BYTES = 1 << 20, STRUCT_MAX_BYTES = 1024, ITEMS_MAX = 40, TEXT_MAX_BYTES = 4 * 300 + 2 };

/* The ruler between a struct's fields and avro-c's generic values; equal.h (generated) walks the fields. */

static bool field_get(const avro_value_t *record, const char *name, avro_value_t *field)
{
	return avro_value_get_by_name(record, name, field, NULL) == 0;
}

static bool optional_is(const avro_value_t *value, bool has, avro_value_t *branch)
{
	return avro_value_get_current_branch(value, branch) == 0 && (avro_value_get_type(branch) != AVRO_NULL) == has;
}

static bool size_is(const avro_value_t *value, size_t len)
{
	size_t size;

	return avro_value_get_size(value, &size) == 0 && size == len;
}

static bool item_get(const avro_value_t *array, size_t i, avro_value_t *item)
{
	return avro_value_get_by_index(array, i, item, NULL) == 0;
}

static bool key_is(const avro_value_t *map, size_t i, struct str key, avro_value_t *item)
{
	const char *name;

	return avro_value_get_by_index(map, i, item, &name) == 0 && str_eq(key, str_from(name));
}

static bool equals_bool(bool v, const avro_value_t *value)
{
	int got;

	return avro_value_get_boolean(value, &got) == 0 && got == v;
}

static bool equals_int(int32_t v, const avro_value_t *value)
{
	int32_t got;

	return avro_value_get_int(value, &got) == 0 && got == v;
}

static bool equals_long(int64_t v, const avro_value_t *value)
{
	int64_t got;

	return avro_value_get_long(value, &got) == 0 && got == v;
}

/* By its bits: a NaN is to come through as it is. */
static bool equals_double(double v, const avro_value_t *value)
{
	double got;

	return avro_value_get_double(value, &got) == 0 && memcmp(&got, &v, sizeof(v)) == 0;
}

static bool equals_string(struct str v, const avro_value_t *value)
{
	const char *got;
	size_t size; /* with the NUL */

	return avro_value_get_string(value, &got, &size) == 0 && str_eq(v, (struct str){got, size - 1});
}

static bool equals_bytes(struct str v, const avro_value_t *value)
{
	const void *got;
	size_t size;

	return avro_value_get_bytes(value, &got, &size) == 0 && str_eq(v, (struct str){got, size});
}

static bool equals_fixed(const uint8_t *v, size_t len, const avro_value_t *value)
{
	const void *got;
	size_t size;

	return avro_value_get_fixed(value, &got, &size) == 0 && size == len && memcmp(got, v, len) == 0;
}

static bool equals_enum(int v, const char *name, const avro_value_t *value)
{
	int got;

	return avro_value_get_enum(value, &got) == 0 && got == v &&
	       strcmp(avro_schema_enum_get(avro_value_get_schema(value), got), name) == 0;
}

#include "schemas_test/equal.h"

/* Every record that has an id, behind one set of signatures. */
struct schema {
	const char *name;
	uint32_t id;
	size_t size_bytes;
	int (*decode)(struct str message, struct arena *arena, void *out, struct err *err);
	int (*encode)(const void *v, struct buf *out, struct err *err);
	bool (*equals)(const void *v, const avro_value_t *value);
};

#define WRAPPERS(name, NAME) \
	static int decode_##name(struct str message, struct arena *arena, void *out, struct err *err) \
	{ \
		return name##_decode(message, arena, out, err); \
	} \
	static int encode_##name(const void *v, struct buf *out, struct err *err) \
	{ \
		return name##_encode(v, out, err); \
	} \
	static bool equals_##name(const void *v, const avro_value_t *value) \
	{ \
		return name##_equals(v, value); \
	}
SCHEMAS_FOR_EACH(WRAPPERS)

#define ROW(name, NAME) {#name, NAME##_SCHEMA_ID, sizeof(struct name), decode_##name, encode_##name, equals_##name},
static const struct schema schemas[] = {SCHEMAS_FOR_EACH(ROW)};

/* A random value of any schema. plain: only what avro-c's JSON can say, that is no NaN, no infinity and no NUL. The string or
 * key number bad_text of a value, counted from 0, is not UTF-8; -1 for none. */
struct maker {
	struct unit_random random;
	bool plain;
	int texts, bad_text;
};

static size_t random_size(struct maker *m)
{
	uint64_t dice = unit_random_below(&m->random, 20);

	return dice == 0 ? unit_random_below(&m->random, 300) : dice < 4 ? 0 : unit_random_below(&m->random, 12);
}

/* All magnitudes alike, so that varints of every length appear. */
static int64_t random_long(struct maker *m)
{
	return (int64_t)unit_random_next(&m->random) >> unit_random_below(&m->random, 64);
}

static double random_double(struct maker *m)
{
	uint64_t bits = unit_random_next(&m->random);
	double value;

	if (m->plain || unit_random_below(&m->random, 2))
		return (double)(random_long(m) >> 11) / 1024;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

static size_t put_code_point(char *to, uint32_t c)
{
	if (c < 0x80)
		return to[0] = (char)c, 1;
	if (c < 0x800)
		return to[0] = (char)(0xc0 | c >> 6), to[1] = (char)(0x80 | (c & 0x3f)), 2;
	if (c < 0x10000)
		return to[0] = (char)(0xe0 | c >> 12), to[1] = (char)(0x80 | (c >> 6 & 0x3f)), to[2] = (char)(0x80 | (c & 0x3f)), 3;
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* Well-formed UTF-8 of all four lengths, NUL-terminated; returns its length. lowest: the first code point allowed. */
static size_t random_text(struct maker *m, char *to, uint32_t lowest)
{
	static const uint32_t ends[] = {0x80, 0x800, 0x10000, 0x110000};
	size_t len = 0;

	if (m->texts++ == m->bad_text)
		to[len++] = '\xff';
	for (size_t n = random_size(m); n > 0; n--) {
		uint32_t c = lowest + (uint32_t)unit_random_below(&m->random, ends[unit_random_below(&m->random, NR(ends))] - lowest);

		if (c < 0xd800 || c > 0xdfff)
			len += put_code_point(to + len, c);
	}
	to[len] = '\0';
	return len;
}

static void random_bytes(struct maker *m, uint8_t *to, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		to[i] = (uint8_t)unit_random_next(&m->random);
		if (m->plain && !to[i])
			to[i] = 1;
	}
}

static void make_value(struct maker *m, avro_value_t *value, int depth);

static void make_items(struct maker *m, avro_value_t *value, int depth, bool map)
{
	size_t n = unit_random_below(&m->random, depth > 2 ? 6 : unit_random_below(&m->random, 10) ? 4 : ITEMS_MAX);
	avro_value_t item;
	char key[TEXT_MAX_BYTES];
	int is_new = 1;

	for (size_t i = 0; i < n; i++) {
		if (map) {
			random_text(m, key, 1);
			ck_assert_int_eq(avro_value_add(value, key, &item, NULL, &is_new), 0);
		} else {
			ck_assert_int_eq(avro_value_append(value, &item, NULL), 0);
		}
		if (is_new)
			make_value(m, &item, depth + 1);
	}
}

static void make_record(struct maker *m, avro_value_t *value, int depth)
{
	avro_value_t field;
	size_t n;

	ck_assert_int_eq(avro_value_get_size(value, &n), 0);
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(avro_value_get_by_index(value, i, &field, NULL), 0);
		make_value(m, &field, depth + 1);
	}
}

static void make_union(struct maker *m, avro_value_t *value, int depth)
{
	avro_value_t branch;

	ck_assert_int_eq(avro_value_set_branch(value, (int)unit_random_below(&m->random, 2), &branch), 0);
	make_value(m, &branch, depth);
}

static int make_text(struct maker *m, avro_value_t *value)
{
	char text[TEXT_MAX_BYTES];
	size_t len = random_text(m, text, m->plain ? 1 : 0);

	return avro_value_set_string_len(value, text, len + 1);
}

static int make_bytes(struct maker *m, avro_value_t *value, bool fixed)
{
	uint8_t bytes[300];
	size_t len = fixed ? (size_t)avro_schema_fixed_size(avro_value_get_schema(value)) : random_size(m);

	random_bytes(m, bytes, len);
	return fixed ? avro_value_set_fixed(value, bytes, len) : avro_value_set_bytes(value, bytes, len);
}

static int make_enum(struct maker *m, avro_value_t *value)
{
	int n = avro_schema_enum_number_of_symbols(avro_value_get_schema(value));

	return avro_value_set_enum(value, (int)unit_random_below(&m->random, (uint64_t)n));
}

static void make_value(struct maker *m, avro_value_t *value, int depth)
{
	int rc = 0;

	switch (avro_value_get_type(value)) {
	case AVRO_NULL: rc = avro_value_set_null(value); break;
	case AVRO_BOOLEAN: rc = avro_value_set_boolean(value, (int)unit_random_below(&m->random, 2)); break;
	case AVRO_INT32: rc = avro_value_set_int(value, (int32_t)(random_long(m) >> 32)); break;
	case AVRO_INT64: rc = avro_value_set_long(value, random_long(m)); break;
	case AVRO_DOUBLE: rc = avro_value_set_double(value, random_double(m)); break;
	case AVRO_STRING: rc = make_text(m, value); break;
	case AVRO_BYTES: rc = make_bytes(m, value, false); break;
	case AVRO_FIXED: rc = make_bytes(m, value, true); break;
	case AVRO_ENUM: rc = make_enum(m, value); break;
	case AVRO_ARRAY: make_items(m, value, depth, false); break;
	case AVRO_MAP: make_items(m, value, depth, true); break;
	case AVRO_RECORD: make_record(m, value, depth); break;
	case AVRO_UNION: make_union(m, value, depth); break;
	default: ck_abort_msg("a type this test cannot make: %d", avro_value_get_type(value));
	}
	ck_assert_msg(rc == 0, "%s", avro_strerror());
}

/* One schema, ready on both sides. */
struct bench {
	const struct schema *schema;
	struct maker maker;
	avro_schema_t avro;
	avro_value_iface_t *iface;
	avro_value_t made, read;
	struct arena arena;
	struct buf message, again;
	uint8_t *scratch; /* AVRO_BUFFER_BYTES for avro-c to write to */
};

static struct bench bench_open(const struct schema *schema, bool plain)
{
	struct bench b = {.schema = schema, .maker = {unit_random_new(schema->name), plain, 0, -1}, .scratch = malloc(AVRO_BUFFER_BYTES)};
	const char *json = schema_json(schema->id);

	ck_assert_ptr_nonnull(b.scratch);
	ck_assert_uint_le(schema->size_bytes, STRUCT_MAX_BYTES);
	ck_assert_msg(avro_schema_from_json_length(json, strlen(json), &b.avro) == 0, "%s", avro_strerror());
	b.iface = avro_generic_class_from_schema(b.avro);
	ck_assert_int_eq(avro_generic_value_new(b.iface, &b.made), 0);
	ck_assert_int_eq(avro_generic_value_new(b.iface, &b.read), 0);
	return b;
}

static void bench_close(struct bench *b)
{
	avro_value_decref(&b->made);
	avro_value_decref(&b->read);
	avro_value_iface_decref(b->iface);
	avro_schema_decref(b->avro);
	arena_fini(&b->arena);
	buf_fini(&b->message);
	buf_fini(&b->again);
	free(b->scratch);
}

/* Makes the next random value; b->message is what avro-c writes for it, with our header. */
static void bench_next(struct bench *b)
{
	avro_writer_t writer = avro_writer_memory((const char *)b->scratch, AVRO_BUFFER_BYTES);

	ck_assert_int_eq(avro_value_reset(&b->made), 0);
	b->maker.texts = 0;
	make_value(&b->maker, &b->made, 0);
	ck_assert_msg(avro_value_write(writer, &b->made) == 0, "%s", avro_strerror());
	buf_clear(&b->message);
	codec_write_header(&b->message, b->schema->id);
	buf_add(&b->message, b->scratch, (size_t)avro_writer_tell(writer));
	avro_writer_free(writer);
}

/* Decodes a copy that ends where its memory ends, with no more arena than its size is worth. */
static int bench_decode(struct bench *b, const uint8_t *bytes, size_t len, void *out, struct str *copy, struct err *err)
{
	char *own = malloc(len ? len : 1);

	ck_assert_ptr_nonnull(own);
	memcpy(own, bytes, len);
	*copy = (struct str){own, len};
	arena_clear(&b->arena);
	b->arena.limit_bytes = MEMORY_FACTOR * len + MEMORY_BASE;
	return b->schema->decode(*copy, &b->arena, out, err);
}

static void free_copy(struct str copy)
{
	free((void *)(uintptr_t)copy.p);
}

/* Loop tests: one schema each. */
START_TEST(agrees_with_avro_c)
{
	struct bench b = bench_open(&schemas[_i], false);
	_Alignas(max_align_t) uint8_t v[STRUCT_MAX_BYTES];
	struct err err = ERR_INIT;

	for (int n = 0; n < VALUES; n++) {
		avro_reader_t reader;
		struct str copy;

		bench_next(&b);
		ck_assert_msg(bench_decode(&b, b.message.p, b.message.len, v, &copy, &err) == 0, "value %d: %s", n, err.msg);
		ck_assert_msg(b.schema->equals(v, &b.made), "value %d: decoded otherwise", n);

		buf_clear(&b.again);
		ck_assert_msg(b.schema->encode(v, &b.again, &err) == 0, "value %d: %s", n, err.msg);
		ck_assert_mem_eq(b.again.p, b.message.p, CODEC_HEADER_BYTES);
		reader = avro_reader_memory((const char *)b.again.p + CODEC_HEADER_BYTES, (int64_t)b.again.len - CODEC_HEADER_BYTES);
		ck_assert_int_eq(avro_value_reset(&b.read), 0);
		ck_assert_msg(avro_value_read(reader, &b.read) == 0, "value %d: %s", n, avro_strerror());
		ck_assert_msg(avro_skip(reader, 1) != 0, "value %d: avro-c leaves bytes over", n);
		ck_assert_msg(b.schema->equals(v, &b.read), "value %d: encoded otherwise", n);
		avro_reader_free(reader);
		free_copy(copy);
	}
	bench_close(&b);
}
END_TEST

START_TEST(refuses_what_is_cut_off)
{
	struct bench b = bench_open(&schemas[_i], false);
	_Alignas(max_align_t) uint8_t v[STRUCT_MAX_BYTES];

	for (int n = 0; n < TRUNCATED_VALUES; n++) {
		bench_next(&b);
		for (size_t len = 0; len < b.message.len; len++) {
			struct err err = ERR_INIT;
			struct str copy;

			ck_assert_int_eq(bench_decode(&b, b.message.p, len, v, &copy, &err), -1);
			ck_assert_msg(err.kind == ERR_REJECT, "%zu of %zu bytes: %s", len, b.message.len, err.msg);
			free_copy(copy);
		}
	}
	bench_close(&b);
}
END_TEST

/* Each string and each key of a value in turn, wherever it stands. */
START_TEST(refuses_text_that_is_not_utf8)
{
	struct bench b = bench_open(&schemas[_i], false);
	_Alignas(max_align_t) uint8_t v[STRUCT_MAX_BYTES];

	for (int n = 0; n < TRUNCATED_VALUES; n++) {
		struct unit_random before = b.maker.random;
		int texts;

		b.maker.bad_text = -1;
		bench_next(&b);
		texts = b.maker.texts;
		for (b.maker.bad_text = 0; b.maker.bad_text < texts; b.maker.bad_text++) {
			struct err err = ERR_INIT;
			struct str copy;

			b.maker.random = before; /* the same value again */
			bench_next(&b);
			ck_assert_int_eq(bench_decode(&b, b.message.p, b.message.len, v, &copy, &err), -1);
			ck_assert_msg(err.kind == ERR_REJECT && strstr(err.msg, "UTF-8"), "text %d: %s", b.maker.bad_text, err.msg);
			free_copy(copy);
		}
	}
	bench_close(&b);
}
END_TEST

/* Flips up to three bits of a copy of the message behind its header, now and then whole bytes. */
static void damage(struct bench *b)
{
	uint64_t changes = 1 + unit_random_below(&b->maker.random, 3);

	buf_clear(&b->again);
	buf_add(&b->again, b->message.p, b->message.len);
	while (changes--) {
		uint64_t at = CODEC_HEADER_BYTES + unit_random_below(&b->maker.random, b->message.len - CODEC_HEADER_BYTES);

		if (unit_random_below(&b->maker.random, 4))
			b->again.p[at] ^= (uint8_t)(1u << unit_random_below(&b->maker.random, 8));
		else
			b->again.p[at] = (uint8_t)unit_random_next(&b->maker.random);
	}
}

START_TEST(survives_damage)
{
	struct bench b = bench_open(&schemas[_i], false);
	_Alignas(max_align_t) uint8_t v[STRUCT_MAX_BYTES];
	struct buf encoded = BUF_INIT;
	int good = 0, bad = 0;

	for (int n = 0; n < VALUES * FLIPS_PER_VALUE; n++) {
		struct err err = ERR_INIT;
		struct str copy;

		if (n % FLIPS_PER_VALUE == 0)
			bench_next(&b);
		damage(&b);
		if (bench_decode(&b, b.again.p, b.again.len, v, &copy, &err) == 0) {
			buf_clear(&encoded); /* what was taken for a value must be one */
			ck_assert_msg(b.schema->encode(v, &encoded, &err) == 0, "%s", err.msg);
			good++;
		} else {
			ck_assert_msg(err.kind == ERR_REJECT, "%s", err.msg);
			bad++;
		}
		free_copy(copy);
	}
	ck_assert_int_gt(good, 0);
	ck_assert_int_gt(bad, 0);
	buf_fini(&encoded);
	bench_close(&b);
}
END_TEST

/* One line a message: schema id, our encoder's bytes in hex, and avro-c's rendition of the value as JSON. */
START_TEST(samples_for_fastavro)
{
	const char *path = getenv("TEST_CODEC_SAMPLES");
	FILE *file = fopen(path, _i ? "a" : "w");
	_Alignas(max_align_t) uint8_t v[STRUCT_MAX_BYTES];
	struct bench b;

	ck_assert_msg(file != NULL, "cannot write %s", path);
	b = bench_open(&schemas[_i], true);
	for (int n = 0; n < SAMPLES; n++) {
		struct err err = ERR_INIT;
		char *json = NULL;

		bench_next(&b);
		arena_clear(&b.arena);
		b.arena.limit_bytes = 0;
		ck_assert_int_eq(b.schema->decode(buf_str(&b.message), &b.arena, v, &err), 0);
		buf_clear(&b.again);
		ck_assert_int_eq(b.schema->encode(v, &b.again, &err), 0);
		ck_assert_int_eq(avro_value_to_json(&b.made, 1, &json), 0);
		fprintf(file, "%" PRIu32 " ", b.schema->id);
		for (size_t i = 0; i < b.again.len; i++)
			fprintf(file, "%02x", b.again.p[i]);
		fprintf(file, " %s\n", json);
		free(json);
	}
	ck_assert_int_eq(fclose(file), 0);
	bench_close(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("codec against avro-c");
	TCase *tc = tcase_create("codec against avro-c");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, agrees_with_avro_c, 0, NR(schemas));
	tcase_add_loop_test(tc, refuses_what_is_cut_off, 0, NR(schemas));
	tcase_add_loop_test(tc, refuses_text_that_is_not_utf8, 0, NR(schemas));
	tcase_add_loop_test(tc, survives_damage, 0, NR(schemas));
	if (getenv("TEST_CODEC_SAMPLES")) /* they are for another test to read */
		tcase_add_loop_test(tc, samples_for_fastavro, 0, NR(schemas));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
