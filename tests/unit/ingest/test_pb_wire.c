/* test_pb_wire.c - varints, keys, lengths and skipping, each at the very end of its bytes. */
#include "ingest/pb_wire.h"

#include "tests/unit/ingest/wire_text.h"

enum { GOOD = -1 };

static const struct {
	const char *hex;
	int fault; /* or GOOD */
	uint64_t value;
} varints[] = {
	{"00", GOOD, 0},
	{"7f", GOOD, 127},
	{"8001", GOOD, 128},
	{"8000", GOOD, 0}, /* longer than needed */
	{"80808080808080808000", GOOD, 0},
	{"ffffffff0f", GOOD, UINT32_MAX},
	{"ffffffffffffffff7f", GOOD, INT64_MAX},
	{"80808080808080808001", GOOD, UINT64_C(1) << 63},
	{"ffffffffffffffffff01", GOOD, UINT64_MAX},
	{"ffffffffffffffffff02", PB_VARINT_TOO_LONG, 0},
	{"80808080808080808003", PB_VARINT_TOO_LONG, 0},
	{"8080808080808080808000", PB_VARINT_TOO_LONG, 0},
	{"ffffffffffffffffffffff", PB_VARINT_TOO_LONG, 0},
	{"", PB_CUT_OFF, 0},
	{"80", PB_CUT_OFF, 0},
	{"ffffffffffffffffff", PB_CUT_OFF, 0},
}, keys[] = {
	{"08", GOOD, PB_KEY(1, PB_VARINT)},
	{"7a", GOOD, PB_KEY(15, PB_LEN)},
	{"8001", GOOD, PB_KEY(16, PB_VARINT)},
	{"8a80808000", GOOD, PB_KEY(1, PB_LEN)},
	{"faffffff0f", GOOD, PB_KEY(536870911, PB_LEN)},
	{"0f", GOOD, 15}, /* no such type: a matter of skipping */
	{"ffffffff1f", PB_VARINT_TOO_LONG, 0},
	{"8a8080808000", PB_VARINT_TOO_LONG, 0},
	{"00", PB_FIELD_ZERO, 0},
	{"07", PB_FIELD_ZERO, 0},
	{"8200", PB_FIELD_ZERO, 0},
	{"", PB_CUT_OFF, 0},
	{"ffffffff", PB_CUT_OFF, 0},
}, lengths[] = {
	{"00", GOOD, 0},
	{"01aa", GOOD, 1},
	{"02aaaabb", GOOD, 2},
	{"8300aaaaaa", GOOD, 3},
	{"01", PB_LENGTH_BEYOND_END, 0},
	{"03aaaa", PB_LENGTH_BEYOND_END, 0},
	{"8300aaaa", PB_LENGTH_BEYOND_END, 0},
	{"ffffffff0f00", PB_LENGTH_BEYOND_END, 0},
	{"ffffffff1f00", PB_VARINT_TOO_LONG, 0},
	{"80808080808080808001", PB_VARINT_TOO_LONG, 0},
	{"", PB_CUT_OFF, 0},
	{"82", PB_CUT_OFF, 0},
};

/* The bytes in an allocation that ends with them. */
static uint8_t *exactly(const struct buf *b)
{
	uint8_t *copy = malloc(b->len ? b->len : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, buf_str(b).p, b->len);
	return copy;
}

static uint8_t *from_hex(const char *hex, size_t *len)
{
	char text[64];
	struct buf b;
	uint8_t *copy;

	snprintf(text, sizeof(text), "|%s|", hex);
	b = wire_text(text);
	copy = exactly(&b);
	*len = b.len;
	buf_fini(&b);
	return copy;
}

#define READS(name, table, read)                                                                                                       \
	START_TEST(name)                                                                                                               \
	{                                                                                                                              \
		size_t len;                                                                                                            \
		uint8_t *at = from_hex(table[_i].hex, &len);                                                                           \
		struct pb_read r = read(at, at + len);                                                                                 \
                                                                                                                                       \
		if (table[_i].fault == GOOD)                                                                                           \
			ck_assert_msg(r.at && r.at <= at + len && r.value == table[_i].value, "%s: %llu", table[_i].hex,               \
				      (unsigned long long)r.value);                                                                    \
		else                                                                                                                   \
			ck_assert_msg(!r.at && (int)r.value == table[_i].fault, "%s: %llu", table[_i].hex, (unsigned long long)r.value); \
		free(at);                                                                                                              \
	}                                                                                                                              \
	END_TEST

READS(reads_varints, varints, pb_read_varint)
READS(reads_keys, keys, pb_read_key)
READS(reads_lengths, lengths, pb_read_length)

static const struct {
	const char *text; /* the first field is skipped, its key read before */
	int fault;        /* or GOOD: up to the end */
} skipped[] = {
	{"9=300", GOOD},
	{"9=-1", GOOD},
	{"9:1.5", GOOD},
	{"9%7", GOOD},
	{"9\"\"", GOOD},
	{"9\"abc\"", GOOD},
	{"9<>", GOOD},
	{"9<1=1 2\"abc\" 3:1 4%1 9=9>", GOOD},
	{"9<8<9<9=1> 7<>>>", GOOD}, /* its own number inside of another */
	{"9<1\"L\">", GOOD}, /* the byte that would end it */
	{"|49 0000000000f8ff|", PB_CUT_OFF},
	{"|4d 000000|", PB_CUT_OFF},
	{"|4a 02 00|", PB_LENGTH_BEYOND_END},
	{"|4b|", PB_CUT_OFF},
	{"|4b 08|", PB_CUT_OFF},
	{"|4b 0a 7f 00 4c|", PB_LENGTH_BEYOND_END},
	{"|4b 54|", PB_GROUP_NOT_OPEN},
	{"|4b 53 4c 54|", PB_GROUP_NOT_OPEN}, /* crossed */
	{"|4b 00 4c|", PB_FIELD_ZERO},
	{"|4b 0e 4c|", PB_TYPE_UNKNOWN},
	{"|4c|", PB_GROUP_NOT_OPEN},
	{"|4e|", PB_TYPE_UNKNOWN},
	{"|4f|", PB_TYPE_UNKNOWN},
};

START_TEST(skips_fields)
{
	struct buf b = wire_text(skipped[_i].text);
	uint8_t *at = exactly(&b);
	const uint8_t *end = at + b.len;
	struct pb_read r = pb_read_key(at, end);

	ck_assert_ptr_nonnull(r.at);
	r = pb_skip((uint32_t)r.value, r.at, end);
	if (skipped[_i].fault == GOOD)
		ck_assert_msg(r.at == end, "%s", skipped[_i].text);
	else
		ck_assert_msg(!r.at && (int)r.value == skipped[_i].fault, "%s: %d", skipped[_i].text, (int)r.value);
	free(at);
	buf_fini(&b);
}
END_TEST

START_TEST(groups_have_a_depth)
{
	for (int depth = PB_GROUPS_MAX - 1; depth <= PB_GROUPS_MAX + 1; depth++) {
		uint8_t bytes[2 * (PB_GROUPS_MAX + 1)];
		struct pb_read r;

		memset(bytes, PB_KEY(1, PB_GROUP), (size_t)depth);
		memset(bytes + depth, PB_KEY(1, PB_GROUP_END), (size_t)depth);
		r = pb_skip(bytes[0], bytes + 1, bytes + 2 * depth);
		if (depth <= PB_GROUPS_MAX)
			ck_assert_ptr_eq(r.at, bytes + 2 * depth);
		else
			ck_assert(!r.at && r.value == PB_GROUPS_TOO_DEEP);
	}
}
END_TEST

START_TEST(every_fault_has_a_text)
{
	for (int fault = PB_CUT_OFF; fault <= PB_GROUPS_TOO_DEEP; fault++)
		ck_assert_str_ne(pb_fault_text((enum pb_fault)fault), "");
}
END_TEST

START_TEST(numbers_are_what_was_written)
{
	struct unit_random r = unit_random_new("pb_wire");

	for (int i = 0; i < 100000; i++) {
		uint64_t v = unit_random_next(&r) >> unit_random_below(&r, 64);
		struct buf b = BUF_INIT;
		struct pb_read got;

		wire_varint(&b, v);
		got = pb_read_varint(b.p, b.p + b.len);
		ck_assert(got.at == b.p + b.len && got.value == v);
		ck_assert(!pb_read_varint(b.p, b.p + b.len - 1).at);
		ck_assert_int_eq(pb_zigzag(v << 1 ^ (0 - (v >> 63))), (int64_t)v);
		buf_fini(&b);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pb_wire");
	TCase *tc = tcase_create("pb_wire");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, reads_varints, 0, (int)NR(varints));
	tcase_add_loop_test(tc, reads_keys, 0, (int)NR(keys));
	tcase_add_loop_test(tc, reads_lengths, 0, (int)NR(lengths));
	tcase_add_loop_test(tc, skips_fields, 0, (int)NR(skipped));
	tcase_add_test(tc, groups_have_a_depth);
	tcase_add_test(tc, every_fault_has_a_text);
	tcase_add_test(tc, numbers_are_what_was_written);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
