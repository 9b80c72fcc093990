/* test_codec.c - the codec's runtime: each primitive, each fault, and the bound on memory. */
#include "common/codec.h"

#include <math.h>
#include <string.h>

#include "schemas/reasons.h"
#include "schemas/schemas.h"
#include "tests/unit/unit.h"

/* Bytes as hex digits, spaces ignored; NUL bytes need no escapes this way. */
struct bytes {
	uint8_t p[512];
	size_t len;
};

static struct bytes hex(const char *text)
{
	struct bytes b = {{0}, 0};
	unsigned byte;
	int n;

	for (; sscanf(text, " %2x%n", &byte, &n) == 1; text += n)
		b.p[b.len++] = (uint8_t)byte;
	return b;
}

static struct codec_reader reader(const struct bytes *b, struct arena *arena)
{
	struct codec_reader r;

	codec_reader_init(&r, (struct str){(const char *)b->p, b->len}, arena);
	return r;
}

static const struct { const char *bytes; int64_t value; } longs[] = {
	{"00", 0}, {"01", -1}, {"02", 1}, {"7f", -64}, {"80 01", 64}, {"ff 01", -128}, {"fe ff ff ff 0f", INT32_MAX},
	{"ff ff ff ff 0f", INT32_MIN}, {"80 80 80 80 10", (int64_t)INT32_MAX + 1},
	{"fe ff ff ff ff ff ff ff ff 01", INT64_MAX}, {"ff ff ff ff ff ff ff ff ff 01", INT64_MIN},
};

START_TEST(long_both_ways)
{
	struct bytes b = hex(longs[_i].bytes);
	struct codec_reader r = reader(&b, NULL);
	struct buf out = BUF_INIT;

	ck_assert_int_eq(codec_read_long(&r), longs[_i].value);
	ck_assert(codec_reader_ok(&r) && r.p == r.end);
	codec_write_long(&out, longs[_i].value);
	ck_assert_uint_eq(out.len, b.len);
	ck_assert_mem_eq(out.p, b.p, b.len);
	buf_fini(&out);
}
END_TEST

/* The way near the end of the input and the way far from it must agree: the same bytes with more behind them. */
START_TEST(long_far_from_the_end)
{
	struct bytes b = hex(longs[_i].bytes);
	size_t len = b.len;
	struct codec_reader r;

	b.len += 20;
	r = reader(&b, NULL);
	ck_assert_int_eq(codec_read_long(&r), longs[_i].value);
	ck_assert_ptr_eq(r.p, b.p + len);
}
END_TEST

static const struct { const char *bytes, *fault; } bad_longs[] = {
	{"", "cut off"}, {"80", "cut off"}, {"ff ff ff ff", "cut off"}, {"80 80 80 80 80 80 80 80 80", "cut off"},
	{"ff ff ff ff ff ff ff ff ff 02", "number over 64 bits"}, {"ff ff ff ff ff ff ff ff ff 7f", "number over 64 bits"},
	{"80 80 80 80 80 80 80 80 80 80 00", "number over 64 bits"}, {"ff ff ff ff ff ff ff ff ff ff ff 01", "number over 64 bits"},
};

START_TEST(long_faults)
{
	struct bytes b = hex(bad_longs[_i].bytes);
	struct codec_reader r = reader(&b, NULL);

	ck_assert_int_eq(codec_read_long(&r), 0);
	ck_assert_str_eq(r.fault, bad_longs[_i].fault);
	ck_assert_ptr_eq(r.p, r.end);
}
END_TEST

static const struct { const char *bytes; bool good; int32_t value; } ints[] = {
	{"02", true, 1}, {"fe ff ff ff 0f", true, INT32_MAX}, {"ff ff ff ff 0f", true, INT32_MIN}, {"80 00", true, 0},
	{"80 80 80 80 10", false, 0}, {"81 80 80 80 10", false, 0}, {"ff ff ff ff ff ff ff ff ff 01", false, 0},
};

START_TEST(int_range)
{
	struct bytes b = hex(ints[_i].bytes);
	struct codec_reader r = reader(&b, NULL);

	ck_assert_int_eq(codec_read_int(&r), ints[_i].value);
	ck_assert_int_eq(codec_reader_ok(&r), ints[_i].good);
}
END_TEST

static const struct { const char *bytes; bool good, value; } bools[] = {
	{"00", true, false}, {"01", true, true}, {"02", false, false}, {"ff", false, false}, {"", false, false},
};

START_TEST(bool_is_0_or_1)
{
	struct bytes b = hex(bools[_i].bytes);
	struct codec_reader r = reader(&b, NULL);

	ck_assert_int_eq(codec_read_bool(&r), bools[_i].value);
	ck_assert_int_eq(codec_reader_ok(&r), bools[_i].good);
}
END_TEST

START_TEST(floating_point)
{
	struct bytes b = hex("00 00 80 3f  00 00 00 00 00 00 f8 bf  01 02 03 04 05 06 f8 7f  00 00 00");
	struct codec_reader r = reader(&b, NULL);
	struct buf out = BUF_INIT;
	double nan;

	ck_assert(codec_read_float(&r) == 1.0f);
	ck_assert(codec_read_double(&r) == -1.5);
	nan = codec_read_double(&r);
	ck_assert(isnan(nan));
	codec_write_float(&out, 1.0f);
	codec_write_double(&out, -1.5);
	codec_write_double(&out, nan); /* every bit of it */
	ck_assert_uint_eq(out.len, 20);
	ck_assert_mem_eq(out.p, b.p, 20);
	ck_assert(codec_reader_ok(&r));
	ck_assert(codec_read_float(&r) == 0);
	ck_assert_str_eq(r.fault, "cut off");
	buf_fini(&out);
}
END_TEST

static const struct { const char *bytes; bool utf8; const char *fault, *value; } strings[] = {
	{"00", true, NULL, ""}, {"06 61 62 63", true, NULL, "abc"}, {"04 c3 a9", true, NULL, "\xc3\xa9"},
	{"04 c3 28", true, "string is not UTF-8", ""}, {"04 c3 28", false, NULL, "\xc3("},
	{"01", true, "negative length", ""}, {"ff ff ff ff ff ff ff ff ff 01", false, "negative length", ""},
	{"06 61 62", true, "length over what is left", ""}, {"fe ff ff ff ff ff ff ff ff 01", false, "length over what is left", ""},
	{"", true, "cut off", ""},
};

START_TEST(string_and_bytes)
{
	struct bytes b = hex(strings[_i].bytes);
	struct codec_reader r = reader(&b, NULL);
	struct str s = strings[_i].utf8 ? codec_read_string(&r) : codec_read_bytes(&r);
	struct buf out = BUF_INIT;

	ck_assert_ptr_nonnull(s.p);
	ck_assert(str_eq(s, str_from(strings[_i].value)));
	ck_assert_pstr_eq(r.fault, strings[_i].fault);
	codec_write_bytes(&out, s);
	if (!r.fault)
		ck_assert(out.len == b.len && !memcmp(out.p, b.p, b.len));
	buf_fini(&out);
}
END_TEST

START_TEST(fixed)
{
	struct bytes b = hex("01 02 03 04");
	struct codec_reader r = reader(&b, NULL);
	uint8_t out[3] = {9, 9, 9};

	codec_read_fixed(&r, out, sizeof(out));
	ck_assert_mem_eq(out, b.p, 3);
	codec_read_fixed(&r, out, sizeof(out));
	ck_assert_mem_eq(out, "\0\0\0", 3);
	ck_assert_str_eq(r.fault, "cut off");
}
END_TEST

static const struct { const char *bytes; int32_t n; bool good; int32_t value; } indexes[] = {
	{"00", 2, true, 0}, {"02", 2, true, 1}, {"04", 2, false, 0}, {"01", 2, false, 0}, {"80 80 80 80 80 01", 2, false, 0}, {"", 2, false, 0},
};

START_TEST(index_in_range)
{
	struct bytes b = hex(indexes[_i].bytes);
	struct codec_reader r = reader(&b, NULL);

	ck_assert_int_eq(codec_read_index(&r, indexes[_i].n), indexes[_i].value);
	ck_assert_int_eq(codec_reader_ok(&r), indexes[_i].good);
}
END_TEST

static const struct { const char *bytes; size_t min_item_bytes, count; const char *fault; } blocks[] = {
	{"00", 1, 0, NULL}, {"04 aa aa", 1, 2, NULL}, {"04 aa aa aa", 2, 0, "count over what is left"},
	{"04 aa aa aa aa", 2, 2, NULL}, {"03 04 aa aa", 1, 2, NULL}, {"03 02 aa aa", 1, 2, NULL}, {"03 06 aa aa", 1, 0, "block over what is left"},
	{"03 01 aa aa", 1, 0, "block over what is left"}, {"ff ff ff ff ff ff ff ff ff 01 00 aa", 1, 0, "block over what is left"},
	{"fe ff ff ff ff ff ff ff ff 01 aa", 1, 0, "count over what is left"}, {"03", 1, 0, "cut off"}, {"", 1, 0, "cut off"},
};

START_TEST(block_counts)
{
	struct bytes b = hex(blocks[_i].bytes);
	struct codec_reader r = reader(&b, NULL);

	ck_assert_uint_eq(codec_read_block(&r, blocks[_i].min_item_bytes), blocks[_i].count);
	ck_assert_pstr_eq(r.fault, blocks[_i].fault);
}
END_TEST

static const struct { const char *bytes; size_t min_item_bytes, count; const char *fault; } counts[] = {
	{"00", 1, 0, NULL}, {"04 aa aa", 1, 2, NULL}, {"04 aa aa aa", 2, 0, "a count that the bytes cannot bear"}, {"04 aa aa aa aa", 2, 2, NULL},
	{"01 aa", 1, 0, "a count that the bytes cannot bear"}, {"fe ff ff ff ff ff ff ff ff 01 aa", 1, 0, "a count that the bytes cannot bear"},
	{"", 1, 0, "cut off"},
};

START_TEST(list_counts)
{
	struct bytes b = hex(counts[_i].bytes);
	struct codec_reader r = reader(&b, NULL);

	ck_assert_uint_eq(codec_read_count(&r, counts[_i].min_item_bytes), counts[_i].count);
	ck_assert_pstr_eq(r.fault, counts[_i].fault);
}
END_TEST

START_TEST(faults_are_sticky)
{
	struct bytes b = hex("02 04 06 08 0a");
	struct codec_reader r = reader(&b, NULL);
	uint8_t out[1] = {9};
	size_t cap = 0;

	codec_fault(&r, "first");
	codec_fault(&r, "second");
	ck_assert_str_eq(r.fault, "first");
	ck_assert_int_eq(codec_read_long(&r), 0);
	ck_assert_int_eq(codec_read_int(&r), 0);
	ck_assert(!codec_read_bool(&r));
	ck_assert(codec_read_float(&r) == 0 && codec_read_double(&r) == 0);
	ck_assert_uint_eq(codec_read_bytes(&r).len, 0);
	ck_assert_uint_eq(codec_read_string(&r).len, 0);
	ck_assert_int_eq(codec_read_index(&r, 5), 0);
	ck_assert_uint_eq(codec_read_block(&r, 1), 0);
	ck_assert_uint_eq(codec_read_count(&r, 1), 0);
	codec_read_fixed(&r, out, 1);
	ck_assert_uint_eq(out[0], 0);
	ck_assert_ptr_null(codec_grow(&r, NULL, 0, &cap, 1, 8));
	ck_assert_str_eq(r.fault, "first");
}
END_TEST

START_TEST(header_is_checked)
{
	static const struct { const char *bytes; enum err_kind kind; const char *says; } cases[] = {
		{"00 00 00 00 01", 0, ""}, {"00 00 00 00 01 aa", 0, ""},
		{"", ERR_REJECT, "Cell: 0 bytes are no message"}, {"00 00 00 00", ERR_REJECT, "Cell: 4 bytes are no message"},
		{"01 00 00 00 01", ERR_REJECT, "Cell: first byte is 1, not 0"},
		{"00 00 00 00 02", ERR_REJECT, "Cell: schema 2 is Site's"},
		{"00 00 00 00 00", ERR_RETRY, "Cell: schema 0 is unknown: a newer writer's"},
		{"00 01 00 00 01", ERR_RETRY, "Cell: schema 16777217 is unknown: a newer writer's"},
	};

	for (size_t i = 0; i < NR(cases); i++) {
		struct bytes b = hex(cases[i].bytes);
		struct str body = STR("untouched");
		struct err err = ERR_INIT;
		int rc = codec_open((struct str){(const char *)b.p, b.len}, CELL_SCHEMA_ID, &body, &err);

		ck_assert_msg(rc == (cases[i].kind ? -1 : CELL_SCHEMA_ID) && err.kind == cases[i].kind, "case %zu: %s", i, err.msg);
		ck_assert_str_eq(err.msg, cases[i].says);
		ck_assert_uint_eq(body.len, cases[i].kind ? strlen("untouched") : b.len - CODEC_HEADER_BYTES);
	}
}
END_TEST

START_TEST(header_is_big_endian)
{
	struct buf out = BUF_INIT;

	codec_write_header(&out, 0x01020304);
	ck_assert_uint_eq(out.len, CODEC_HEADER_BYTES);
	ck_assert_mem_eq(out.p, "\0\1\2\3\4", CODEC_HEADER_BYTES);
	buf_fini(&out);
}
END_TEST

START_TEST(closing)
{
	struct bytes b = hex("02 04");
	struct codec_reader r = reader(&b, NULL);
	struct err err = ERR_INIT;

	codec_read_long(&r);
	ck_assert_int_eq(codec_close(&r, "Thing", &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_str_eq(err.msg, "Thing: 1 bytes left over");
	codec_read_long(&r);
	ck_assert_int_eq(codec_close(&r, "Thing", &err), 0);
	codec_read_long(&r);
	ck_assert_int_eq(codec_close(&r, "Thing", &err), -1);
	ck_assert_str_eq(err.msg, "Thing: cut off");
	r.nomem = true;
	ck_assert_int_eq(codec_close(&r, "Thing", &err), -1);
	ck_assert_int_eq(err.kind, ERR_FATAL);
}
END_TEST

/* Blocks may be cut anywhere and may carry their size: avro-c writes neither, other writers do. */
START_TEST(arrays_in_many_blocks)
{
	static const char *const bodies[] = {
		"0a 00 00  06 02 04 06 00  00 00", "0a 00 00  02 02 02 04 02 06 00  00 00",
		"0a 00 00  05 06 02 04 06 00  00 00", "0a 00 00  03 04 02 04 01 02 06 00  00 00",
	};

	for (size_t i = 0; i < NR(bodies); i++) {
		struct bytes b = hex(bodies[i]);
		struct arena arena = ARENA_INIT;
		struct codec_reader r = reader(&b, &arena);
		struct histogram h = {0};

		histogram_read(&r, &h);
		ck_assert_msg(codec_reader_ok(&r), "case %zu: %s", i, r.fault);
		ck_assert_int_eq(h.scale, 5);
		ck_assert_uint_eq(h.counts_len, 3);
		ck_assert(h.counts[0] == 1 && h.counts[1] == 2 && h.counts[2] == 3);
		ck_assert_uint_eq(h.neg_counts_len, 0);
		ck_assert_ptr_null(h.neg_counts);
		arena_fini(&arena);
	}
}
END_TEST

/* What comes before an array's count, and the fewest bytes one of its items can take. */
static const struct { const char *before; size_t min_item_bytes; } item_sizes[] = {
	{"", 20},      /* SeriesRef: fingerprint 16, kind, temporality, name's length, tags' end */
	{"00", 11},    /* ValueSample: series, t, start, v 8 */
	{"00 00", 19}, /* SummarySample: series, t, start, count, sum 8, min, max, last, last_at, histogram, approximate, errors */
};

/* Two items are believed when there are bytes for two, and refused at the count itself when one byte is missing. */
START_TEST(counts_by_item_size)
{
	struct bytes b = hex(item_sizes[_i].before);
	struct arena arena = ARENA_INIT;

	b.p[b.len++] = 2 * 2;
	b.len += 2 * item_sizes[_i].min_item_bytes;
	for (int missing = 0; missing < 2; missing++, b.len--) {
		struct codec_reader r = reader(&b, &arena);
		struct sample_batch v = {0};

		sample_batch_read(&r, &v);
		ck_assert_str_eq(r.fault, missing ? "count over what is left" : "cut off");
		ck_assert_int_eq(arena.used_bytes > 0, !missing);
		arena_clear(&arena);
	}
	arena_fini(&arena);
}
END_TEST

enum { MAX_BLOCKS = 5 };

/* items: of each block, up to the first that has none. */
static struct str dead_letter_of_blocks(struct buf *out, const size_t items[MAX_BLOCKS])
{
	struct dead_letter empty = {.topic = STR(""), .code = STR(""), .reason = STR(""), .program = STR(""), .build = STR("")};
	struct err err = ERR_INIT;

	ck_assert_int_eq(dead_letter_encode(&empty, out, &err), 0);
	out->len -= 2; /* the end of headers, and no value: written again below */
	for (size_t i = 0; i < MAX_BLOCKS && items[i]; i++) {
		codec_write_long(out, (int64_t)items[i]);
		for (size_t k = 0; k < items[i]; k++)
			buf_add(out, "\0\0", 2); /* a Header takes two bytes of input and forty of memory: the worst there is */
	}
	buf_add(out, "\0\0", 2);
	return buf_str(out);
}

/* However the items are cut into blocks, memory stays within 64 times the input. */
START_TEST(memory_is_bounded)
{
	static const size_t cuts[][MAX_BLOCKS] = {{200000}, {100000, 1}, {50000, 1, 50000}, {50000, 1, 49999, 1}, {1, 1, 1, 1, 60000}};
	struct buf message = BUF_INIT;
	struct dead_letter got;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < NR(cuts); i++) {
		struct arena arena = ARENA_INIT;
		struct str in;

		buf_clear(&message);
		in = dead_letter_of_blocks(&message, cuts[i]);
		arena.limit_bytes = 64 * in.len;
		ck_assert_msg(dead_letter_decode(in, &arena, &got, &err) == 0, "cut %zu: %s", i, err.msg);
		ck_assert_uint_eq(got.headers_len, cuts[i][0] + cuts[i][1] + cuts[i][2] + cuts[i][3] + cuts[i][4]);
		arena_fini(&arena);
	}
	buf_fini(&message);
}
END_TEST

START_TEST(arena_limit_is_fatal_not_poison)
{
	struct buf message = BUF_INIT;
	struct arena arena = {.limit_bytes = 100};
	struct dead_letter got = {.at = 77};
	struct err err = ERR_INIT;
	struct str in = dead_letter_of_blocks(&message, (size_t[MAX_BLOCKS]){10});

	ck_assert_int_eq(dead_letter_decode(in, &arena, &got, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FATAL);
	ck_assert_str_eq(err.msg, "DeadLetter: items over the memory allowed");
	ck_assert_int_eq(got.at, 77);
	arena_fini(&arena);
	buf_fini(&message);
}
END_TEST

START_TEST(encode_checks_enums)
{
	struct series_ref series[2] = {{.name = STR("a")}, {.name = STR("b"), .kind = (enum series_kind)3}};
	struct sample_batch batch = {.series = series, .series_len = 2, .site = STR("s")};
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	buf_add(&out, "before", 6);
	ck_assert_int_eq(sample_batch_encode(&batch, &out, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_str_eq(err.msg, "SampleBatch: kind is out of range");
	ck_assert_uint_eq(out.len, 6);
	series[1].kind = SERIES_KIND_DISTRIBUTION;
	ck_assert_int_eq(sample_batch_encode(&batch, &out, &err), 0);
	ck_assert_mem_eq(out.p, "before\0\0\0\0\3", 11);
	buf_fini(&out);
}
END_TEST

START_TEST(encode_without_memory)
{
	struct cell cell = {.name = STR("main")};
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	buf_add(&out, "before", 6);
	cell.name.len = SIZE_MAX / 2 + 1; /* never read: there is no room for it */
	ck_assert_int_eq(cell_encode(&cell, &out, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FATAL);
	ck_assert_uint_eq(out.len, 6);
	buf_fini(&out);
}
END_TEST

START_TEST(names_of_things)
{
	ck_assert_str_eq(schema_name(SAMPLE_BATCH_SCHEMA_ID), "SampleBatch");
	ck_assert_ptr_null(schema_name(0));
	ck_assert_ptr_null(schema_json(UINT32_MAX));
	ck_assert_ptr_nonnull(strstr(schema_json(CELL_SCHEMA_ID), "\"name\":\"Cell\""));
	ck_assert_str_eq(series_kind_name(SERIES_KIND_GAUGE), "gauge");
	ck_assert_ptr_null(series_kind_name((enum series_kind)3));
	ck_assert_str_eq(reason_name(REASON_TAG_DOUBLED), "tag_doubled");
	ck_assert_int_eq(reason_status(REASON_TAG_DOUBLED), 0);
	ck_assert_int_eq(reason_status(REASON_BAD_JSON), 400);
	for (int i = 0; i < NR_REASONS; i++)
		ck_assert(reason_name((enum reason)i)[0] && reason_text((enum reason)i)[0]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("codec");
	TCase *tc = tcase_create("codec");

	tcase_add_loop_test(tc, long_both_ways, 0, NR(longs));
	tcase_add_loop_test(tc, long_far_from_the_end, 0, NR(longs));
	tcase_add_loop_test(tc, long_faults, 0, NR(bad_longs));
	tcase_add_loop_test(tc, int_range, 0, NR(ints));
	tcase_add_loop_test(tc, bool_is_0_or_1, 0, NR(bools));
	tcase_add_test(tc, floating_point);
	tcase_add_loop_test(tc, string_and_bytes, 0, NR(strings));
	tcase_add_test(tc, fixed);
	tcase_add_loop_test(tc, index_in_range, 0, NR(indexes));
	tcase_add_loop_test(tc, block_counts, 0, NR(blocks));
	tcase_add_loop_test(tc, list_counts, 0, NR(counts));
	tcase_add_test(tc, faults_are_sticky);
	tcase_add_test(tc, header_is_checked);
	tcase_add_test(tc, header_is_big_endian);
	tcase_add_test(tc, closing);
	tcase_add_test(tc, arrays_in_many_blocks);
	tcase_add_loop_test(tc, counts_by_item_size, 0, NR(item_sizes));
	tcase_add_test(tc, memory_is_bounded);
	tcase_add_test(tc, arena_limit_is_fatal_not_poison);
	tcase_add_test(tc, encode_checks_enums);
	tcase_add_test(tc, encode_without_memory);
	tcase_add_test(tc, names_of_things);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
