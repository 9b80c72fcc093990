/* test_chunks.c - a snapshot in pieces comes together whole, or is refused. */
#include "processor/chunks.h"

#include "schemas/schemas.h"
#include "tests/unit/unit.h"

static const struct chunk_id own = {"millrace.c.main.samples", -77, 3, 12};

enum { BYTES = 1000, CHUNK = 300, PIECES = 4 };

/* A snapshot's bytes and its chunks as records. */
struct pieces {
	uint8_t bytes[BYTES];
	struct buf record[PIECES];
};

static void pieces_init(struct pieces *p)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < BYTES; i++)
		p->bytes[i] = (uint8_t)(i * 7);
	ck_assert_int_eq(chunks_count(BYTES, CHUNK), PIECES);
	for (int32_t i = 0; i < PIECES; i++) {
		p->record[i] = (struct buf)BUF_INIT;
		ck_assert_int_eq(chunks_encode(&own, (struct str){(char *)p->bytes, BYTES}, CHUNK, i, &p->record[i], &err), 0);
	}
}

static void pieces_fini(struct pieces *p)
{
	for (size_t i = 0; i < PIECES; i++)
		buf_fini(&p->record[i]);
}

static int take(struct chunk_set *set, const struct chunk_id *id, int64_t bytes, const struct buf *record, struct err *err)
{
	struct arena scratch = {0};
	int rc = chunks_take(set, id, bytes, buf_str(record), &scratch, err);

	arena_fini(&scratch);
	return rc;
}

START_TEST(counts_pieces)
{
	ck_assert_int_eq(chunks_count(0, 10), 1);
	ck_assert_int_eq(chunks_count(10, 10), 1);
	ck_assert_int_eq(chunks_count(11, 10), 2);
	ck_assert_int_eq(chunks_count(SIZE_MAX, 1), 0);
}
END_TEST

START_TEST(comes_together)
{
	struct chunk_set set = {0};
	struct pieces p;
	struct err err = ERR_INIT;

	pieces_init(&p);
	for (int i = 0; i < PIECES; i++)
		ck_assert_msg(take(&set, &own, BYTES, &p.record[i], &err) == (i == PIECES - 1), "%s", err.msg);
	ck_assert_uint_eq(set.body.len, BYTES);
	ck_assert_mem_eq(set.body.p, p.bytes, BYTES);
	buf_fini(&set.body);
	pieces_fini(&p);
}
END_TEST

static const struct {
	struct chunk_id id;
	int64_t bytes;
	int order[2]; /* which chunks come; the last one must be refused */
	int nr;
} wrong[] = {
	{{"millrace.c.other.samples", -77, 3, 12}, BYTES, {0}, 1},
	{{"millrace.c.main.samples", 77, 3, 12}, BYTES, {0}, 1},
	{{"millrace.c.main.samples", -77, 4, 12}, BYTES, {0}, 1},
	{{"millrace.c.main.samples", -77, 3, 11}, BYTES, {0}, 1},
	{{"millrace.c.main.samples", -77, 3, 12}, BYTES, {1}, 1},    /* begins in the middle */
	{{"millrace.c.main.samples", -77, 3, 12}, BYTES, {0, 2}, 2}, /* one is missing */
	{{"millrace.c.main.samples", -77, 3, 12}, BYTES, {0, 0}, 2}, /* one stands there twice */
	{{"millrace.c.main.samples", -77, 3, 12}, 400, {0, 1}, 2},   /* longer than committed */
};

START_TEST(refuses_what_does_not_belong)
{
	struct chunk_set set = {0};
	struct pieces p;
	struct err err = ERR_INIT;

	pieces_init(&p);
	for (int i = 0; i < wrong[_i].nr; i++)
		ck_assert_int_eq(take(&set, &wrong[_i].id, wrong[_i].bytes, &p.record[wrong[_i].order[i]], &err), i == wrong[_i].nr - 1 ? -1 : 0);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	buf_fini(&set.body);
	pieces_fini(&p);
}
END_TEST

START_TEST(refuses_a_shorter_one)
{
	struct chunk_set set = {0};
	struct pieces p;
	struct err err = ERR_INIT;

	pieces_init(&p);
	for (int i = 0; i < PIECES; i++)
		ck_assert_int_eq(take(&set, &own, BYTES + 1, &p.record[i], &err), i == PIECES - 1 ? -1 : 0);
	buf_fini(&set.body);
	pieces_fini(&p);
}
END_TEST

/* Whatever bit of one chunk flips, the snapshot does not come together (the number of chunks is believed until the next one). */
START_TEST(refuses_every_flipped_bit)
{
	struct pieces p;

	pieces_init(&p);
	for (size_t bit = 0; bit < p.record[0].len * 8; bit++) {
		struct chunk_set set = {0};
		int rc = 0;

		p.record[0].p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		for (int i = 0; i < PIECES && rc == 0; i++)
			rc = take(&set, &own, BYTES, &p.record[i], NULL);
		ck_assert_msg(rc == -1, "bit %zu", bit);
		p.record[0].p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		buf_fini(&set.body);
	}
	pieces_fini(&p);
}
END_TEST

START_TEST(refuses_every_truncation)
{
	struct pieces p;

	pieces_init(&p);
	for (size_t len = 0; len < p.record[0].len; len++) {
		struct chunk_set set = {0};
		struct buf cut = p.record[0];

		cut.len = len;
		ck_assert_int_eq(take(&set, &own, BYTES, &cut, NULL), -1);
		buf_fini(&set.body);
	}
	pieces_fini(&p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chunks");
	TCase *tc = tcase_create("chunks");

	tcase_add_test(tc, counts_pieces);
	tcase_add_test(tc, comes_together);
	tcase_add_loop_test(tc, refuses_what_does_not_belong, 0, (int)NR(wrong));
	tcase_add_test(tc, refuses_a_shorter_one);
	tcase_add_test(tc, refuses_every_flipped_bit);
	tcase_add_test(tc, refuses_every_truncation);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
