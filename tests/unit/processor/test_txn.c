/* test_txn.c - the transactional producer against the mock cluster: what every class of error comes to. */
#include "processor/txn.h"

#include "processor/consumer.h"
#include "tests/unit/processor/txn_bench.h"

START_TEST(commits_and_knows_offsets_before)
{
	struct bench b;

	bench_init(&b);
	must_commit(&b);
	must_commit(&b);
	bench_fini(&b);
}
END_TEST

START_TEST(an_abort_is_forgotten_and_the_next_commits)
{
	struct txn_delivery delivery;
	struct err err = ERR_INIT;
	struct bench b;

	bench_init(&b);
	ck_assert_int_eq(fill(&b, &delivery, &err), 0);
	txn_abort(b.txn);
	ck_assert(txn_is_idle(b.txn));
	must_commit(&b);
	bench_fini(&b);
}
END_TEST

START_TEST(topics_that_do_not_fit_are_named)
{
	struct err err = ERR_INIT;
	struct bench b;
	struct cell_topics other;
	struct txn *t;

	bench_init(&b);
	other = b.topics;
	other.partitions = 3;
	t = txn_new(&b.mock.program, &other);
	ck_assert_int_eq(txn_open(t, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_ptr_nonnull(strstr(err.msg, b.topics.minutely));
	txn_free(t);
	bench_fini(&b);
}
END_TEST

/* Rule D's guard: a copy with which the broker would check nothing. */
START_TEST(group_metadata_without_member_or_generation_is_invalid)
{
	static const struct {
		int32_t generation;
		const char *member, *instance;
		bool valid;
	} copies[] = {{0, "m", NULL, true}, {7, "m", "static", true}, {-1, "m", NULL, false}, {7, "", NULL, false}, {-1, "", NULL, false},
		      {7, "", "static", false}, {INT32_MAX, "a-long-member-id", NULL, true}};

	for (size_t i = 0; i < NR(copies); i++) {
		rd_kafka_consumer_group_metadata_t *g =
			rd_kafka_consumer_group_metadata_new_with_genid("group", copies[i].generation, copies[i].member, copies[i].instance);

		ck_assert_msg(consumer_group_is_valid(g) == copies[i].valid, "copy %zu", i);
		rd_kafka_consumer_group_metadata_destroy(g);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("txn");
	TCase *tc = tcase_create("txn");

	tcase_add_test(tc, commits_and_knows_offsets_before);
	tcase_add_test(tc, an_abort_is_forgotten_and_the_next_commits);
	tcase_add_test(tc, topics_that_do_not_fit_are_named);
	tcase_add_test(tc, group_metadata_without_member_or_generation_is_invalid);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
