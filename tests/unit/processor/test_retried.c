/* test_retried.c - dead letters that are sent again: each payload counts once, whoever asks again, and however far its agent has gone on. */
#include "processor/retried.h"

#include "tests/unit/processor/ledger.h"

#define NOW_MS L_BEGIN_MS

struct state {
	struct dedup dedup;
	struct request_keys keys;
};

static const struct state fresh = {.dedup = DEDUP_INIT, .keys = REQUEST_KEYS_INIT};

static void state_fini(struct state *s)
{
	dedup_fini(&s->dedup);
	request_keys_fini(&s->keys);
}

static struct sample_batch payload(int64_t seq, int64_t floor)
{
	return (struct sample_batch){.site = STR("shop"), .has_agent_id = true, .agent_id = {1, 2}, .seq = seq, .floor = floor, .home = true};
}

static struct dedup_outcome retry_at(struct state *s, const struct sample_batch *batch, int64_t offset, int64_t watermark_ms)
{
	struct origin origin = {STR("t"), 7, 0, offset};
	struct identity who = identity_of_samples(batch);
	struct dedup_outcome outcome = {.verdict = 77};
	struct err err = ERR_INIT;

	ck_assert_msg(retried_take(&s->dedup, &s->keys, &who, &origin, watermark_ms, &outcome, &err) == 0, "%s", err.msg);
	return outcome;
}

static enum dedup_verdict retry(struct state *s, const struct sample_batch *batch, int64_t offset)
{
	return retry_at(s, batch, offset, NOW_MS).verdict;
}

static enum dedup_verdict first(struct state *s, const struct sample_batch *batch)
{
	struct identity who = identity_of_samples(batch);
	struct dedup_outcome outcome;

	ck_assert_int_eq(dedup_take(&s->dedup, &who, NOW_MS, &outcome, NULL), 0);
	return outcome.verdict;
}

START_TEST(a_payload_that_its_agent_has_left_behind)
{
	struct sample_batch seven = payload(7, 7), hundred = payload(100, 100);
	struct state s = fresh;

	ck_assert_int_eq(first(&s, &hundred), DEDUP_NEW);
	ck_assert_int_eq(first(&s, &seven), DEDUP_DUPLICATE); /* what dedup alone would say */
	ck_assert_int_eq(retry(&s, &seven, 12), DEDUP_NEW);
	ck_assert_int_eq(retry(&s, &seven, 12), DEDUP_DUPLICATE);
	ck_assert_int_eq(retry(&s, &seven, 13), DEDUP_DUPLICATE); /* another dead letter of the same payload */
	seven.agent_id[0] = 9; /* an agent that nothing is known of */
	ck_assert_int_eq(retry(&s, &seven, 12), DEDUP_NEW);
	state_fini(&s);
}
END_TEST

START_TEST(a_payload_that_was_counted_is_none_to_count)
{
	struct sample_batch seven = payload(7, 5), eight = payload(8, 5), hundred = payload(100, 100);
	struct state s = fresh;

	ck_assert_int_eq(first(&s, &seven), DEDUP_NEW);
	ck_assert_int_eq(retry(&s, &seven, 12), DEDUP_DUPLICATE);
	ck_assert_int_eq(retry(&s, &eight, 13), DEDUP_NEW);
	ck_assert_int_eq(first(&s, &eight), DEDUP_DUPLICATE); /* marked for the agent's own retries, too */
	ck_assert_int_eq(first(&s, &hundred), DEDUP_NEW);
	ck_assert_int_eq(retry(&s, &eight, 13), DEDUP_DUPLICATE); /* though its mark is gone */
	state_fini(&s);
}
END_TEST

START_TEST(what_has_no_identity_goes_by_its_origin)
{
	struct sample_batch batch = {.site = STR("shop")}, other = {.site = STR("blog")};
	struct identity who = identity_of_samples(&batch);
	struct state s = fresh;
	struct origin elsewhen = {STR("t"), 8, 0, 12};
	struct dedup_outcome outcome;

	ck_assert_int_eq(retry(&s, &batch, 12), DEDUP_NEW);
	ck_assert_int_eq(retry(&s, &batch, 13), DEDUP_NEW);
	ck_assert_int_eq(retry(&s, &batch, 12), DEDUP_DUPLICATE);
	ck_assert_int_eq(retry(&s, &other, 12), DEDUP_NEW);
	ck_assert_int_eq(retried_take(&s.dedup, &s.keys, &who, &elsewhen, NOW_MS, &outcome, NULL), 0);
	ck_assert_int_eq(outcome.verdict, DEDUP_NEW);
	state_fini(&s);
}
END_TEST

START_TEST(an_idempotency_key_stays_what_tells_it)
{
	struct sample_batch batch = {.site = STR("shop"), .has_idempotency_key = true, .idempotency_key = STR("k")};
	struct identity who = identity_of_samples(&batch);
	struct state s = fresh;
	struct dedup_outcome outcome;

	ck_assert_int_eq(retry(&s, &batch, 12), DEDUP_NEW);
	ck_assert_int_eq(retry(&s, &batch, 99), DEDUP_DUPLICATE);
	ck_assert_int_eq(request_keys_take(&s.keys, &who, NOW_MS, &outcome, NULL), 0);
	ck_assert_int_eq(outcome.verdict, DEDUP_DUPLICATE);
	ck_assert_uint_eq(s.keys.keys.len, 1);
	state_fini(&s);
}
END_TEST

/* The retries are known again after a restore, for their hour. */
START_TEST(known_over_a_restore_for_an_hour)
{
	struct sample_batch seven = payload(7, 7), hundred = payload(100, 100);
	struct state s = fresh;
	struct request_keys back = REQUEST_KEYS_INIT;
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;
	struct codec_reader r;

	first(&s, &hundred);
	ck_assert_int_eq(retry(&s, &seven, 12), DEDUP_NEW);
	request_keys_encode(&s.keys, NOW_MS, &bytes);
	codec_reader_init(&r, buf_str(&bytes), NULL);
	ck_assert_int_eq(request_keys_decode(&back, &r, NOW_MS, &err), 0);
	request_keys_fini(&s.keys);
	s.keys = back;
	ck_assert_int_eq(retry_at(&s, &seven, 12, NOW_MS + REQUEST_KEYS_KEEP_MS - 1).verdict, DEDUP_DUPLICATE);
	request_keys_close(&s.keys, NOW_MS + REQUEST_KEYS_KEEP_MS, REQUEST_KEYS_LIMIT);
	ck_assert_int_eq(retry_at(&s, &seven, 12, NOW_MS + REQUEST_KEYS_KEEP_MS).verdict, DEDUP_NEW);
	buf_fini(&bytes);
	state_fini(&s);
}
END_TEST

START_TEST(over_the_cap_it_counts_each_time)
{
	struct sample_batch seven = payload(7, 7), hundred = payload(100, 100);
	struct state s = fresh;

	first(&s, &hundred);
	request_keys_close(&s.keys, NOW_MS, 0);
	ck_assert_int_eq(retry(&s, &seven, 12), DEDUP_UNREMEMBERED);
	ck_assert_int_eq(retry(&s, &seven, 12), DEDUP_UNREMEMBERED);
	state_fini(&s);
}
END_TEST

/* The floor that rises with a retried record tells of payloads that never came, as that of any other. */
START_TEST(gaps_are_told)
{
	struct sample_batch one = payload(1, 1), nine = payload(9, 9);
	struct state s = fresh;

	ck_assert_int_eq(first(&s, &one), DEDUP_NEW);
	ck_assert_uint_eq(retry_at(&s, &nine, 12, NOW_MS).gaps, 7);
	state_fini(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("retried");
	TCase *tc = tcase_create("retried");

	tcase_add_test(tc, a_payload_that_its_agent_has_left_behind);
	tcase_add_test(tc, a_payload_that_was_counted_is_none_to_count);
	tcase_add_test(tc, what_has_no_identity_goes_by_its_origin);
	tcase_add_test(tc, an_idempotency_key_stays_what_tells_it);
	tcase_add_test(tc, known_over_a_restore_for_an_hour);
	tcase_add_test(tc, over_the_cap_it_counts_each_time);
	tcase_add_test(tc, gaps_are_told);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
