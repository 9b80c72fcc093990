/* test_seqs.c - the bits of one agent against an array with a byte for each seq. */
#include "processor/seqs.h"

#include "common/memory.h"
#include "tests/unit/unit.h"

static const struct {
	int64_t seq, floor;
	bool good;
} checks[] = {
	{1, 1, true}, {0, 0, false}, {0, 1, false}, {1, 0, false}, {-1, -1, false}, {1, -5, false}, {7, 8, false}, {8, 8, true},
	{65537, 1, true}, {65538, 1, false}, {65538, 2, true}, {INT64_MAX, 1, false}, {INT64_MAX, INT64_MAX, true},
	{INT64_MAX, INT64_MAX - 65536, true}, {INT64_MAX, INT64_MIN, false}, {INT64_MIN, INT64_MIN, false},
};

START_TEST(identities)
{
	ck_assert_msg(seqs_check(checks[_i].seq, checks[_i].floor) == checks[_i].good, "case %d", _i);
}
END_TEST

/* One agent's records, one after the other: what each is, and how many the floor rose over that never came. */
static const struct {
	int64_t seq, floor;
	bool had;
	int64_t missed;
} life[] = {
	{5, 3, true, 0}, /* the first one fills it */
	{2, 1, true, 0}, /* below the floor that is known, though not below its own */
	{3, 3, false, 0},
	{3, 3, true, 0},
	{9, 3, false, 0},
	{8, 4, false, 0}, /* out of order; 3 was taken */
	{10, 6, false, 1}, /* 4 never came, 5 did */
	{5, 3, true, 0}, /* late, with its old floor: nothing changes */
	{6, 6, false, 0}, /* the floor itself may still come */
	{6, 6, true, 0},
	{11, 11, false, 1}, /* 7 did not */
	{10, 6, true, 0},
	{400, 11, false, 0}, /* far away: more words than are near */
	{76, 11, false, 0},
	{399, 100, false, 87}, /* 12 to 99 but 76 */
	{400, 11, true, 0},
	{100, 100, false, 0},
	{500, 500, false, 397}, /* 101 to 499 but 399 and 400 */
	{1000000, 1000000, false, 999499}, /* 501 to 999,999 */
	{999999, 999999, true, 0},
	{INT64_MAX, INT64_MAX - 65536, false, INT64_MAX - 65536 - 1000000 - 1},
	{INT64_MAX - 65536, INT64_MAX - 65536, false, 0},
	{INT64_MAX - 1, INT64_MAX - 65536, false, 0},
	{INT64_MAX, INT64_MAX, true, 65536 - 2},
};

START_TEST(a_life)
{
	struct seqs q;

	ck_assert_int_eq(seqs_init(&q, life[0].seq, life[0].floor), 0);
	for (size_t i = 0; i < NR(life); i++) {
		int64_t missed;

		ck_assert_msg(seqs_has(&q, life[i].seq) == life[i].had, "record %zu", i);
		missed = seqs_take(&q, life[i].seq, life[i].floor);
		ck_assert_msg(missed == life[i].missed, "record %zu: the floor rose over %lld", i, (long long)missed);
		ck_assert_msg(seqs_has(&q, life[i].seq), "record %zu was not marked", i);
	}
	ck_assert(q.floor == INT64_MAX && q.max == INT64_MAX && seqs_bytes(&q) == 0);
	seqs_fini(&q);
}
END_TEST

enum { SEQ_MAX = 150000 };

/* The agent as it is: a byte for each payload. */
struct model {
	int64_t floor, max;
	uint8_t taken[SEQ_MAX + 1];
};

static int64_t model_take(struct model *m, int64_t seq, int64_t floor)
{
	int64_t missed = 0;

	for (; m->floor < floor; m->floor++)
		missed += !m->taken[m->floor];
	m->taken[seq] = 1;
	m->max = seq > m->max ? seq : m->max;
	return missed;
}

static bool model_has(const struct model *m, int64_t seq)
{
	return seq < m->floor || m->taken[seq];
}

/* The same through bytes, which must be few. */
static void write_and_read(struct seqs *q)
{
	struct buf bytes = BUF_INIT, again = BUF_INIT;
	struct codec_reader r;
	struct seqs back;

	seqs_write(q, &bytes);
	codec_reader_init(&r, buf_str(&bytes), NULL);
	ck_assert_msg(seqs_read(&back, &r) == 0, "%s", r.fault);
	ck_assert_ptr_eq(r.p, r.end);
	ck_assert_uint_le(bytes.len, 10 + 3 + (size_t)(q->max - q->floor + 7) / 8);
	seqs_write(&back, &again);
	ck_assert_uint_eq(bytes.len, again.len);
	ck_assert_mem_eq(bytes.p, again.p, bytes.len);
	seqs_fini(q);
	*q = back;
	buf_fini(&bytes);
	buf_fini(&again);
}

/* The next record, mostly near the last ones, now and then as far away as may be. */
static void choose(struct unit_random *r, const struct model *m, int64_t *seq, int64_t *floor)
{
	int64_t reach = unit_random_below(r, 10) ? 200 : SEQS_SPAN_MAX;

	*seq = m->max + (int64_t)unit_random_below(r, (uint64_t)reach) - reach * 3 / 4;
	if (*seq < 1)
		*seq = 1;
	if (*seq > SEQ_MAX)
		*seq = SEQ_MAX;
	*floor = *seq - (int64_t)unit_random_below(r, unit_random_below(r, 3) ? (uint64_t)reach : SEQS_SPAN_MAX + 1);
	if (*floor < 1)
		*floor = 1;
}

START_TEST(random_agents)
{
	struct unit_random r = unit_random_new("seqs");
	struct model *m = malloc(sizeof(*m));
	uint64_t known = 0, missed = 0;

	for (int agent = 0; agent < 30; agent++) {
		int64_t begin = 1 + (int64_t)unit_random_below(&r, SEQ_MAX / 2);
		struct seqs q;

		memset(m, 0, sizeof(*m));
		m->floor = m->max = begin;
		m->taken[begin] = 1;
		ck_assert_int_eq(seqs_init(&q, begin, begin), 0);
		for (int i = 0; i < 400; i++) {
			int64_t seq, floor, want;

			choose(&r, m, &seq, &floor);
			ck_assert_msg(seqs_has(&q, seq) == model_has(m, seq), "agent %d, record %d: seq %lld", agent, i, (long long)seq);
			known += model_has(m, seq);
			ck_assert_int_eq(seqs_span_with(&q, seq, floor), (m->max > seq ? m->max : seq) - (m->floor > floor ? m->floor : floor));
			want = model_take(m, seq, floor);
			ck_assert_int_eq(seqs_take(&q, seq, floor), want);
			missed += (uint64_t)want;
			ck_assert(q.floor == m->floor && q.max == m->max);
			if (i % 16 == 0)
				write_and_read(&q);
		}
		for (int64_t seq = m->floor > 200 ? m->floor - 200 : 1; seq <= m->max; seq++)
			ck_assert_msg(seqs_has(&q, seq) == model_has(m, seq), "agent %d: seq %lld", agent, (long long)seq);
		ck_assert(!seqs_has(&q, m->max + 1));
		seqs_fini(&q);
	}
	ck_assert_msg(known > 1000 && missed > 1000, "did not bite: %llu, %llu", (unsigned long long)known, (unsigned long long)missed);
	free(m);
}
END_TEST

/* What an agent does all day: one payload after the other, the floor a little behind. */
START_TEST(steady_agents_allocate_nothing)
{
	struct seqs q;

	ck_assert_int_eq(seqs_init(&q, 1, 1), 0);
	for (int64_t seq = 2; seq < 1000; seq++) {
		ck_assert(!seqs_has(&q, seq));
		ck_assert_int_eq(seqs_take(&q, seq, seq > 65 ? seq - 64 : 1), 0);
		ck_assert_uint_eq(seqs_bytes(&q), 0);
	}
	ck_assert_int_eq(seqs_take(&q, 999 + 128, 999 - 64), 0);
	ck_assert_uint_gt(seqs_bytes(&q), 0);
	ck_assert_int_eq(seqs_take(&q, 999 + 128, 999 + 64), 63); /* shrinks as the floor rises */
	ck_assert_uint_eq(seqs_bytes(&q), 0);
	ck_assert_int_eq(seqs_take(&q, 999 + 64 + SEQS_SPAN_MAX, 999 + 64), 0);
	ck_assert_uint_le(seqs_bytes(&q), memory_rounded(SEQS_SPAN_MAX / 8 + 16));
	seqs_fini(&q);
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
} bad[] = {
#define BAD(text) {text, sizeof(text) - 1}
	BAD(""), BAD("\x02"), BAD("\x00\x00") /* floor 0 */, BAD("\x01\x00") /* floor -1 */, BAD("\x02\x01") /* span -1 */,
	BAD("\x02\x02") /* a span of 1, its byte missing */, BAD("\x02\x02\x02") /* a bit above max */, BAD("\x02\x02\x80"),
	BAD("\x02\x12\xff") /* a span of 9, one byte of two */, BAD("\x02\x12\xff\x02"), BAD("\x02\x82\x80\x08") /* a span of 65,537 */,
	BAD("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x00") /* beyond 2^63 */,
#undef BAD
};

START_TEST(damaged_bytes)
{
	struct codec_reader r;
	struct seqs q;

	codec_reader_init(&r, (struct str){bad[_i].bytes, bad[_i].len}, NULL);
	ck_assert_msg(seqs_read(&q, &r) == -1, "case %d was taken", _i);
	ck_assert_ptr_nonnull(r.fault);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seqs");
	TCase *tc = tcase_create("seqs");

	tcase_add_loop_test(tc, identities, 0, (int)NR(checks));
	tcase_add_test(tc, a_life);
	tcase_add_test(tc, random_agents);
	tcase_add_test(tc, steady_agents_allocate_nothing);
	tcase_add_loop_test(tc, damaged_bytes, 0, (int)NR(bad));
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
