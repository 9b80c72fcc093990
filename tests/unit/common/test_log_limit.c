/* test_log_limit.c - a bucket by its definition, for any order of lines and times; and nothing is lost in the count. */
#include "common/log_limit.h"

#include <pthread.h>
#include <string.h>

#include "tests/unit/unit.h"

enum { EVENTS = 4, LINES = 3000 };

/* For inner loops: each of Check's own assertions writes to a file, also when it holds. */
#define must(condition) ((condition) ? (void)0 : ck_abort_msg("not so: %s", #condition))

/* What was asked of a limit, and what came of it, of one event at one level. */
struct account {
	uint64_t asked, written, told;
	int64_t at_ms[LINES]; /* of the written ones */
	uint64_t about[LINES];
};

static const struct { int64_t burst, per_s; } rates[] = {{1, 1}, {20, 1}, {3, 7}, {5, 1000}, {100, 3}};

/* In no time span are there more lines than the bucket holds and the span refills. */
static void check_rate(const struct account *a, int64_t burst, int64_t per_s)
{
	for (uint64_t i = 0; i < a->written; i++)
		for (uint64_t j = i; j < a->written && j < i + 500; j++)
			must((int64_t)(j - i + 1) * 1000 <= burst * 1000 + per_s * (a->at_ms[j] - a->at_ms[i]));
}

/* A text that was written comes back no sooner than after 10 s, as long as few others were. */
static void check_repeats(const struct account *a)
{
	for (uint64_t i = 0; i < a->written; i++)
		for (uint64_t j = i + 1; j < a->written && a->about[i]; j++)
			must(a->about[i] != a->about[j] || a->at_ms[j] - a->at_ms[i] >= 10000);
}

/* The next of what is to be told; it has an end, whatever the code under test does. */
static bool next_overdue(struct log_limit *l, int64_t now_ms, struct log_kept_back *k, int *nr)
{
	must(++*nr < 2000);
	return log_limit_overdue(l, true, now_ms, k);
}

static int64_t some_pause_ms(struct unit_random *r)
{
	static const uint64_t most[] = {1, 3, 100, 3000, 30000};

	return (int64_t)unit_random_below(r, most[unit_random_below(r, NR(most))]);
}

static void ask(struct log_limit *l, struct account *a, int level, const char *event, uint64_t about, int64_t now)
{
	uint64_t kept_back = UINT64_MAX;
	bool first = a->asked++ == 0, taken = log_limit_take(l, level, event, about, now, &kept_back);

	must(taken || !first);
	if (!taken)
		return;
	must(!first || kept_back == 0);
	a->told += kept_back;
	a->at_ms[a->written] = now;
	a->about[a->written++] = about;
}

START_TEST(any_lines)
{
	static struct account accounts[EVENTS * 2]; /* style: too large for a stack */
	struct unit_random r = unit_random_new("log_limit");
	struct log_limit *l = log_limit_new(rates[_i].burst, rates[_i].per_s);
	const char *const names[EVENTS] = {"a", "ab", "b", "b_"};
	struct log_kept_back k;
	uint64_t kept_back = 0;
	int64_t now = 1000000;
	int nr = 0;

	memset(accounts, 0, sizeof(accounts));
	for (int i = 0; i < LINES; i++) {
		size_t event = unit_random_below(&r, EVENTS), level = unit_random_below(&r, 2);
		uint64_t about = event == 3 ? 1 + unit_random_below(&r, LOG_LIMIT_SAID) : 0;

		now += some_pause_ms(&r);
		ask(l, &accounts[event * 2 + level], (int)level, names[event], about, now);
		while (unit_random_below(&r, 10) == 0 && log_limit_overdue(l, false, now, &k))
			accounts[(size_t)(strcmp(k.event, "b_") == 0 ? 3 : strcmp(k.event, "b") == 0 ? 2 : strcmp(k.event, "ab") == 0) * 2 +
				 (size_t)k.level].told += k.lines;
	}
	while (next_overdue(l, now, &k, &nr))
		accounts[(size_t)(strcmp(k.event, "b_") == 0 ? 3 : strcmp(k.event, "b") == 0 ? 2 : strcmp(k.event, "ab") == 0) * 2 +
			 (size_t)k.level].told += k.lines;
	for (size_t i = 0; i < NR(accounts); i++) {
		check_rate(&accounts[i], rates[_i].burst, rates[_i].per_s);
		check_repeats(&accounts[i]);
		ck_assert_uint_eq(accounts[i].written + accounts[i].told, accounts[i].asked);
		kept_back += accounts[i].told;
	}
	ck_assert_uint_eq(log_limit_kept_back(l), kept_back);
	log_limit_free(l);
}
END_TEST

/* Neither more nor less: the bucket, then one for each interval, and the bucket again when it was quiet for long enough. */
START_TEST(exactly)
{
	struct log_limit *l = log_limit_new(3, 2);
	uint64_t kept_back = 99;

	for (int i = 0; i < 3; i++)
		ck_assert(log_limit_take(l, 1, "e", 0, 1000, &kept_back));
	ck_assert(!log_limit_take(l, 1, "e", 0, 1000, &kept_back));
	ck_assert(!log_limit_take(l, 1, "e", 0, 1499, &kept_back));
	ck_assert_uint_eq(kept_back, 0); /* untouched by a refusal */
	ck_assert(log_limit_take(l, 1, "e", 0, 1500, &kept_back));
	ck_assert_uint_eq(kept_back, 2);
	ck_assert(!log_limit_take(l, 1, "e", 0, 1400, &kept_back)); /* a thread that comes late makes no time */
	ck_assert(!log_limit_take(l, 1, "e", 0, 1999, &kept_back));
	ck_assert(log_limit_take(l, 1, "e", 0, 2000, &kept_back));
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(log_limit_take(l, 1, "e", 0, 3000000, &kept_back), i < 3);
	log_limit_free(l);
}
END_TEST

/* A rate that is no whole number of microseconds: in an hour, too, no line more than it says. */
START_TEST(no_line_in_a_million)
{
	struct log_limit *l = log_limit_new(2, 999);
	uint64_t kept_back, written = 0;

	for (int64_t now = 0; now <= 3000000; now++)
		written += log_limit_take(l, 1, "e", 0, now, &kept_back);
	ck_assert_uint_le(written, 2 + 999 * 3000);
	ck_assert_uint_ge(written, 990 * 3000);
	log_limit_free(l);
}
END_TEST

START_TEST(repeats)
{
	struct log_limit *l = log_limit_new(1000, 1);
	uint64_t kept_back = 0;

	ck_assert(log_limit_take(l, 1, "e", 7, 100, &kept_back));
	ck_assert(!log_limit_take(l, 1, "e", 7, 10099, &kept_back));
	ck_assert(log_limit_take(l, 1, "f", 7, 10099, &kept_back)); /* another event */
	ck_assert(log_limit_take(l, 2, "e", 7, 10099, &kept_back)); /* another level */
	ck_assert(log_limit_take(l, 1, "e", 0, 10099, &kept_back));
	ck_assert(log_limit_take(l, 1, "e", 7, 10100, &kept_back));
	for (uint64_t about = 100; about < 100 + LOG_LIMIT_SAID - 1; about++)
		ck_assert(log_limit_take(l, 1, "e", about, 10101, &kept_back));
	ck_assert(!log_limit_take(l, 1, "e", 7, 10102, &kept_back)); /* with 15 others it is remembered */
	ck_assert(log_limit_take(l, 1, "e", 200, 10103, &kept_back));
	ck_assert(log_limit_take(l, 1, "e", 7, 10104, &kept_back)); /* with 16 it was the oldest */
	log_limit_free(l);
}
END_TEST

START_TEST(overdue)
{
	struct log_limit *l = log_limit_new(1, 1);
	struct log_kept_back k;
	uint64_t kept_back;

	ck_assert(!log_limit_overdue(l, true, 100, &k));
	for (int i = 0; i < 5; i++)
		log_limit_take(l, 3, "flood", 0, 100 + i, &kept_back);
	ck_assert(!log_limit_overdue(l, false, 104 + LOG_LIMIT_REPEAT_MS - 1, &k));
	ck_assert(log_limit_overdue(l, false, 104 + LOG_LIMIT_REPEAT_MS, &k));
	ck_assert_str_eq(k.event, "flood");
	ck_assert_int_eq(k.level, 3);
	ck_assert_uint_eq(k.lines, 4);
	ck_assert(!log_limit_overdue(l, true, 200000, &k)); /* told once */
	ck_assert(log_limit_take(l, 3, "flood", 0, 200000, &kept_back));
	ck_assert_uint_eq(kept_back, 0);
	log_limit_free(l);
}
END_TEST

/* More words than there are rows, and words longer than a row's: bounded, and still counted. */
START_TEST(too_many_words)
{
	struct log_limit *l = log_limit_new(2, 1);
	char word[100];
	uint64_t written = 0, told = 0, kept_back, asked = 0;
	struct log_kept_back k;
	int nr = 0;

	for (int round = 0; round < 3; round++)
		for (int i = 0; i < LOG_LIMIT_EVENTS + 50; i++, asked++) {
			bool taken;

			snprintf(word, sizeof(word), "%d_%080d", i, i);
			taken = log_limit_take(l, 1, word, 0, 5, &kept_back);
			ck_assert(taken || round || i >= LOG_LIMIT_EVENTS);
			written += taken;
			told += taken ? kept_back : 0;
		}
	ck_assert_uint_eq(written, LOG_LIMIT_EVENTS * 2);
	while (next_overdue(l, 5, &k, &nr)) {
		ck_assert_uint_eq(strlen(k.event), LOG_LIMIT_WORD - 1);
		told += k.lines;
	}
	ck_assert_uint_eq(written + told, asked);
	log_limit_free(l);
}
END_TEST

struct crowd {
	struct log_limit *limit;
	uint64_t written, told;
};

static void *log_much(void *ctx)
{
	struct crowd *c = ctx;
	struct log_kept_back k;
	uint64_t kept_back;

	for (int i = 0; i < 20000; i++) {
		if (log_limit_take(c->limit, 1, "same", (uint64_t)(i % 3), i / 10, &kept_back)) {
			c->written++;
			c->told += kept_back;
		}
		if (i % 1000 == 0 && log_limit_overdue(c->limit, true, i / 10, &k))
			c->told += k.lines;
	}
	return NULL;
}

START_TEST(any_thread)
{
	struct log_limit *l = log_limit_new(10, 1000);
	struct crowd crowd[4] = {{l, 0, 0}, {l, 0, 0}, {l, 0, 0}, {l, 0, 0}};
	pthread_t threads[NR(crowd)];
	struct log_kept_back k;
	uint64_t written = 0, told = 0;
	int nr = 0;

	for (size_t i = 0; i < NR(crowd); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, log_much, &crowd[i]), 0);
	for (size_t i = 0; i < NR(crowd); i++) {
		pthread_join(threads[i], NULL);
		written += crowd[i].written;
		told += crowd[i].told;
	}
	while (next_overdue(l, 0, &k, &nr))
		told += k.lines;
	ck_assert_uint_eq(written + told, NR(crowd) * 20000);
	ck_assert_uint_eq(log_limit_kept_back(l), told);
	ck_assert_uint_le(written, 10 + 2000);
	log_limit_free(l);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log_limit");
	TCase *tc = tcase_create("limit");

	tcase_add_loop_test(tc, any_lines, 0, NR(rates));
	tcase_add_test(tc, exactly);
	tcase_add_test(tc, no_line_in_a_million);
	tcase_add_test(tc, repeats);
	tcase_add_test(tc, overdue);
	tcase_add_test(tc, too_many_words);
	tcase_add_test(tc, any_thread);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
