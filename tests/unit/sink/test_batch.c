/* test_batch.c - batches: documents keep their bytes while the buffer grows, and counts follow states. */
#include "sink/mongo/batch.h"

#include <string.h>

#include "tests/unit/unit.h"

static struct batch *make(int partitions, int entries)
{
	struct err err = ERR_INIT;
	struct batch *b = batch_new(SINK_IN_HOURLY, 7, &err);

	for (int i = 0; i < partitions; i++) {
		struct batch_span span = {.partition = i, .generation = 3, .ledger_id = (uint64_t)i * 10};

		ck_assert_int_eq(batch_add_span(b, &span, &err), i);
	}
	for (int i = 0; i < entries; i++) {
		char text[32];
		int len = snprintf(text, sizeof(text), "document %d", i);

		ck_assert_int_eq(batch_add(b, (uint32_t)(i % partitions), NULL, (struct str){text, (size_t)len}, &err), i);
	}
	return b;
}

START_TEST(documents_keep_their_bytes)
{
	struct batch *b = make(20, 5000);

	for (int i = 0; i < 5000; i++) {
		char text[32];
		int len = snprintf(text, sizeof(text), "document %d", i);

		ck_assert_uint_eq(b->entries[i].doc_len, (size_t)len);
		ck_assert_mem_eq(b->documents.p + b->entries[i].doc_at, text, (size_t)len);
	}
	ck_assert_int_eq(b->spans[19].partition, 19);
	ck_assert_uint_eq(b->spans[19].ledger_id, 190);
	ck_assert_uint_ge(b->bytes, b->documents.len + 5000 * sizeof(struct batch_entry));
	batch_free(b);
}
END_TEST

/* Random fates for all entries; the outcome of each span is counted here by hand. */
START_TEST(outcomes_add_up)
{
	struct unit_random r = unit_random_new("outcomes_add_up");
	struct ledger_outcome wanted[3] = {{0}}, got;
	struct batch *b = make(3, 300);

	ck_assert(!batch_done(b));
	for (size_t i = 0; i < 300; i++) {
		struct ledger_outcome *w = &wanted[i % 3];

		if (unit_random_below(&r, 4) == 0) {
			batch_drop(b, (uint32_t)(i % 3), 0); /* beside the entries */
			w->dropped++;
		}
		switch (unit_random_below(&r, 3)) {
		case 0:
			batch_settle(b, i, BATCH_STORED);
			w->stored++;
			break;
		case 1:
			batch_settle(b, i, BATCH_ALREADY);
			w->already_stored++;
			break;
		default:
			batch_condemn(b, i, "code", "reason");
			w->dead_lettered++;
		}
	}
	ck_assert_uint_eq(b->pending, 0);
	ck_assert(batch_done(b) == (b->condemned == 0));
	for (size_t i = 0; i < 300; i++)
		if (b->entries[i].state == BATCH_CONDEMNED) {
			ck_assert_str_eq(b->entries[i].reason, "reason");
			ck_assert(!batch_done(b));
			batch_settle(b, i, BATCH_DEAD);
		}
	ck_assert(batch_done(b));
	for (uint32_t s = 0; s < 3; s++) {
		batch_outcome(b, s, &got);
		ck_assert_mem_eq(&got, &wanted[s], sizeof(got));
	}
	b->away = true;
	ck_assert(!batch_done(b));
	batch_free(b);
}
END_TEST

/* What a control drops among records that are kept lies in the same buffers of Kafka's client, and stays in memory as long as those. */
START_TEST(dropped_weighs_beside_what_is_kept)
{
	struct batch *b = make(1, 1);
	size_t bytes = b->bytes;

	for (int i = 0; i < 1000; i++)
		batch_drop(b, 0, 700);
	ck_assert_uint_eq(b->bytes, bytes + 700000);
	batch_free(b);
}
END_TEST

/* A batch of nothing but what a control drops has nothing to write, and weighs no more for it. */
START_TEST(dropped_needs_no_writer)
{
	struct batch *b = make(2, 0);
	struct ledger_outcome got;
	size_t bytes = b->bytes;

	for (int i = 0; i < 100000; i++)
		batch_drop(b, 1, 700);
	ck_assert(batch_done(b));
	ck_assert_uint_eq(b->bytes, bytes);
	batch_outcome(b, 1, &got);
	ck_assert_uint_eq(got.dropped, 100000);
	ck_assert_uint_eq(got.stored + got.already_stored + got.dead_lettered, 0);
	batch_outcome(b, 0, &got);
	ck_assert_uint_eq(got.dropped, 0);
	batch_free(b);
}
END_TEST

/* A letter not acknowledged is no outcome: the ledger must not see it as settled. */
START_TEST(condemned_is_not_dead)
{
	struct batch *b = make(1, 1);
	struct ledger_outcome got;

	batch_condemn(b, 0, "code", "reason");
	batch_outcome(b, 0, &got);
	ck_assert_uint_eq(got.stored + got.already_stored + got.dead_lettered + got.dropped, 0);
	batch_free(b);
	batch_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batch");
	TCase *tc = tcase_create("batch");

	tcase_add_test(tc, documents_keep_their_bytes);
	tcase_add_test(tc, outcomes_add_up);
	tcase_add_test(tc, dropped_weighs_beside_what_is_kept);
	tcase_add_test(tc, dropped_needs_no_writer);
	tcase_add_test(tc, condemned_is_not_dead);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
