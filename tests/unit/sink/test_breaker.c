/* test_breaker.c - when it opens, when a probe goes, and how many dead letters get by. */
#include "sink/mongo/breaker.h"

#include "tests/unit/unit.h"

#define MINUTE INT64_C(60000)

/* Failures in a row until it opens; 0: it never does. */
static const struct {
	enum verdict_reason reason;
	int failures;
} kinds[] = {
	{VERDICT_REASON_NETWORK, 3}, {VERDICT_REASON_WRITE_CONCERN, 3}, {VERDICT_REASON_SERVER, 3},
	{VERDICT_REASON_NOT_PRIMARY, 1}, {VERDICT_REASON_AUTH, 1}, {VERDICT_REASON_SPACE, 1},
};

static enum breaker_answer ask(struct breaker *b, int64_t now)
{
	int64_t until = 0;
	enum breaker_answer answer = breaker_ask(b, now, &until);

	ck_assert(answer != BREAKER_WAIT || until > now);
	return answer;
}

/* When a probe may go; it is under way then. */
static int64_t next_probe(struct breaker *b, int64_t now)
{
	int64_t until = now;

	if (breaker_ask(b, now, &until) == BREAKER_PROBE)
		return now;
	ck_assert_int_le(until - now, 10 * MINUTE);
	ck_assert_int_eq(ask(b, until - 1), BREAKER_WAIT);
	ck_assert_int_eq(ask(b, until), BREAKER_PROBE);
	return until;
}

START_TEST(opens)
{
	struct breaker b;

	breaker_init(&b, 1);
	for (int round = 0; round < 3; round++) {
		int64_t now = round * MINUTE;

		for (int k = 1; k < kinds[_i].failures; k++) {
			breaker_tell(&b, now, false, BREAKER_BAD, kinds[_i].reason);
			ck_assert_int_eq(ask(&b, now), BREAKER_GO);
		}
		/* One that went well between them begins the count anew. */
		if (kinds[_i].failures > 1) {
			breaker_tell(&b, now, false, BREAKER_GOOD, VERDICT_REASON_NONE);
			for (int k = 1; k < kinds[_i].failures; k++)
				breaker_tell(&b, now, false, BREAKER_BAD, kinds[_i].reason);
			ck_assert_int_eq(ask(&b, now), BREAKER_GO);
		}
		breaker_tell(&b, now, false, BREAKER_BAD, kinds[_i].reason);
		ck_assert_int_eq(b.state, BREAKER_OPEN);
		ck_assert_int_eq(b.reason, (int)kinds[_i].reason);
		ck_assert_uint_eq(b.openings, (uint64_t)round + 1);
		ck_assert_int_eq(ask(&b, now), BREAKER_WAIT);
		next_probe(&b, now);
		breaker_tell(&b, now + 5000, true, BREAKER_GOOD, VERDICT_REASON_NONE);
		ck_assert_int_eq(b.state, BREAKER_CLOSED);
		ck_assert_int_eq(ask(&b, now + 5000), BREAKER_GO);
	}
}
END_TEST

/* Neither good nor bad counts for nothing. */
START_TEST(no_news_are_no_news)
{
	struct breaker b;

	breaker_init(&b, 1);
	for (int k = 0; k < 10; k++) {
		breaker_tell(&b, 0, false, BREAKER_BAD, VERDICT_REASON_NETWORK);
		breaker_tell(&b, 0, false, BREAKER_NONE, VERDICT_REASON_CONTENT);
		ck_assert_int_eq(b.state, k < 2 ? BREAKER_CLOSED : BREAKER_OPEN);
	}
}
END_TEST

/* One probe at a time; the pauses grow up to 5 s, differ, and begin anew after a success. */
START_TEST(pauses_grow)
{
	struct unit_random r = unit_random_new("pauses_grow");
	struct breaker b;
	int64_t now = 0, most = 0, least = INT64_MAX;

	breaker_init(&b, unit_random_next(&r));
	for (int round = 0; round < 2; round++) {
		breaker_tell(&b, now, false, BREAKER_BAD, VERDICT_REASON_NOT_PRIMARY);
		for (int k = 0; k < 40; k++) {
			int64_t ceiling = k < 4 ? INT64_C(500) << k : 5000, at = next_probe(&b, now);

			ck_assert_msg(at - now >= ceiling / 2 && at - now <= ceiling, "probe %d after %d ms", k, (int)(at - now));
			if (k >= 4) {
				most = at - now > most ? at - now : most;
				least = at - now < least ? at - now : least;
			}
			ck_assert_int_eq(b.state, BREAKER_HALF_OPEN);
			for (int later = 1; later < 10; later++)
				ck_assert_int_eq(ask(&b, at + later * 1000), BREAKER_WAIT);
			now = at + 8000;
			/* What was sent before the opening comes back, good or bad: it is not the probe. */
			for (int late = 0; late < 5; late++)
				breaker_tell(&b, now, false, k % 2 ? BREAKER_GOOD : BREAKER_BAD, VERDICT_REASON_NETWORK);
			ck_assert_int_eq(b.state, BREAKER_HALF_OPEN);
			breaker_tell(&b, now, true, BREAKER_BAD, VERDICT_REASON_NOT_PRIMARY);
			ck_assert_int_eq(b.state, BREAKER_OPEN);
		}
		now = next_probe(&b, now);
		breaker_tell(&b, now, true, BREAKER_GOOD, VERDICT_REASON_NONE);
		ck_assert_int_eq(b.state, BREAKER_CLOSED);
	}
	ck_assert_int_gt(most - least, 250);
	ck_assert_uint_eq(b.openings, 2);
}
END_TEST

/* A probe of which nothing came goes again at once. */
START_TEST(probe_without_news)
{
	struct breaker b;
	int64_t at;

	breaker_init(&b, 1);
	breaker_tell(&b, 0, false, BREAKER_BAD, VERDICT_REASON_AUTH);
	at = next_probe(&b, 0);
	breaker_tell(&b, at, true, BREAKER_NONE, VERDICT_REASON_CONTENT);
	ck_assert_int_eq(ask(&b, at), BREAKER_PROBE);
}
END_TEST

/* 100 dead letters in any minute, by whatever rate they come, and not one more. */
START_TEST(letters_a_minute)
{
	struct unit_random r = unit_random_new("letters_a_minute");

	for (int round = 0; round < 100; round++) {
		int64_t written[5000], now = 0;
		size_t nr = 0;
		struct breaker b;

		breaker_init(&b, unit_random_next(&r));
		for (int k = 0; k < 5000; k++) {
			now += (int64_t)unit_random_below(&r, 1 << (1 + round % 12));
			if (b.state == BREAKER_OPEN && ask(&b, now) == BREAKER_PROBE)
				breaker_tell(&b, now, true, BREAKER_GOOD, VERDICT_REASON_NONE); /* a good one, among the bad */
			if (breaker_letter(&b, now, false))
				written[nr++] = now;
			else
				ck_assert_int_eq(b.state, BREAKER_OPEN);
			ck_assert(nr <= 100 || written[nr - 1] - written[nr - 101] >= MINUTE);
		}
		ck_assert_uint_ge(nr, 100);
	}
}
END_TEST

/* Everything is refused: after the first hundred, one record a probe, and ever more rarely. */
START_TEST(a_topic_is_not_dead_lettered)
{
	struct breaker b;
	int64_t now = 0, last = 0;
	int letters = 0;

	breaker_init(&b, 7);
	while (breaker_letter(&b, now, false))
		letters++;
	ck_assert_int_eq(letters, 100);
	ck_assert_int_eq(b.reason, BREAKER_LETTERS);
	ck_assert_int_eq(breaker_unread_until_ms(&b) > 0, 1);
	for (; now < 24 * 60 * MINUTE; letters++) {
		now = next_probe(&b, now);
		ck_assert_int_ge(now, MINUTE);
		ck_assert(breaker_letter(&b, now, true));
		ck_assert_int_eq(b.state, BREAKER_OPEN);
		ck_assert_int_gt(breaker_unread_until_ms(&b), now);
		breaker_tell(&b, now, true, BREAKER_GOOD, VERDICT_REASON_NONE); /* the database did answer: that closes nothing */
		ck_assert_int_eq(b.state, BREAKER_OPEN);
		ck_assert(letters < 130 || now - last >= 150000);
		last = now;
	}
	ck_assert_int_lt(letters, 600);
	next_probe(&b, now);
	breaker_tell(&b, now, true, BREAKER_GOOD, VERDICT_REASON_NONE);
	ck_assert_int_eq(b.state, BREAKER_CLOSED);
	ck_assert_int_le(breaker_unread_until_ms(&b), now);
}
END_TEST

/* Before the letters, what was the matter: nothing, a dead set, a dead set and a probe under way. */
static const struct {
	enum breaker_state state;
	bool reopens;
} before_letters[] = {{BREAKER_CLOSED, true}, {BREAKER_OPEN, true}, {BREAKER_HALF_OPEN, false}};

/* Records that cannot be decoded have no writer to ask: they count, open, and put off the next look. */
START_TEST(letters_of_the_reader)
{
	struct breaker b;
	int64_t now = 0, until;

	breaker_init(&b, 7);
	if (before_letters[_i].state != BREAKER_CLOSED)
		breaker_tell(&b, now, false, BREAKER_BAD, VERDICT_REASON_AUTH);
	if (before_letters[_i].state == BREAKER_HALF_OPEN)
		now = next_probe(&b, now);
	for (int k = 0; k < 100; k++)
		breaker_letter_made(&b, now);
	ck_assert_int_eq(b.state, before_letters[_i].state);
	ck_assert_int_le(breaker_unread_until_ms(&b), now);
	breaker_letter_made(&b, now);
	until = breaker_unread_until_ms(&b);
	ck_assert_int_ge(until, now + MINUTE);
	if (before_letters[_i].reopens) {
		ck_assert_int_eq(b.state, BREAKER_OPEN);
		ck_assert_int_eq(b.reason, BREAKER_LETTERS);
		breaker_letter_made(&b, until);
		ck_assert_int_gt(breaker_unread_until_ms(&b), until);
	} else {
		ck_assert_int_eq(b.state, BREAKER_HALF_OPEN);
		breaker_tell(&b, now, true, BREAKER_GOOD, VERDICT_REASON_NONE);
		ck_assert_int_eq(breaker_unread_until_ms(&b), until);
		breaker_letter_made(&b, now);
		ck_assert_int_eq(b.state, BREAKER_OPEN);
	}
	ck_assert_uint_eq(b.openings, before_letters[_i].reopens ? 1 : 2);
}
END_TEST

/* While one record is tried, no other is read. */
START_TEST(nothing_is_read_beside_a_probe)
{
	struct breaker b;

	breaker_init(&b, 7);
	for (int k = 0; k < 101; k++)
		breaker_letter_made(&b, 0);
	next_probe(&b, 0);
	ck_assert_int_eq(breaker_unread_until_ms(&b), INT64_MAX);
}
END_TEST

/* An opening for another reason changes nothing about reading. */
START_TEST(dead_set_stops_no_reading)
{
	struct breaker b;

	breaker_init(&b, 1);
	breaker_tell(&b, 0, false, BREAKER_BAD, VERDICT_REASON_AUTH);
	ck_assert_int_eq(breaker_unread_until_ms(&b), 0);
	ck_assert(breaker_letter(&b, 0, false));
}
END_TEST

START_TEST(reasons_have_names)
{
	for (int i = 1; i < NR_BREAKER_REASONS; i++)
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(breaker_reason_name(i), breaker_reason_name(k));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("breaker");
	TCase *tc = tcase_create("breaker");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, opens, 0, NR(kinds));
	tcase_add_test(tc, no_news_are_no_news);
	tcase_add_test(tc, pauses_grow);
	tcase_add_test(tc, probe_without_news);
	tcase_add_test(tc, letters_a_minute);
	tcase_add_test(tc, a_topic_is_not_dead_lettered);
	tcase_add_loop_test(tc, letters_of_the_reader, 0, NR(before_letters));
	tcase_add_test(tc, nothing_is_read_beside_a_probe);
	tcase_add_test(tc, dead_set_stops_no_reading);
	tcase_add_test(tc, reasons_have_names);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
