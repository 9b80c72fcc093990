/* test_alert.c - the life of an alert as a table, and against a search through whole histories, which has no states; ids as others compute them. */
#include "common/alert.h"

#include <stdio.h>

#include "tests/unit/unit.h"

#define MINUTE_MS INT64_C(60000)

/* Verdicts and steps as texts: H holds, N holds not, ? unknown; O opens, C closes, . stays. */
static void judge_all(const char *verdicts, int32_t warm_up, int32_t cooldown, char *steps)
{
	struct alert_state a = {0};
	int64_t opened_ms = 0;
	size_t i;

	for (i = 0; verdicts[i]; i++) {
		enum alert_verdict v = verdicts[i] == 'H' ? ALERT_HOLDS : verdicts[i] == 'N' ? ALERT_HOLDS_NOT : ALERT_UNKNOWN;
		enum alert_step step = alert_judge(&a, v, warm_up, cooldown, (int64_t)i * MINUTE_MS);

		steps[i] = step == ALERT_OPENS ? 'O' : step == ALERT_CLOSES ? 'C' : '.';
		if (step == ALERT_OPENS)
			opened_ms = (int64_t)i * MINUTE_MS;
		if (step == ALERT_CLOSES || a.phase == ALERT_OPEN || a.phase == ALERT_COOLING)
			ck_assert_int_eq(a.opened_ms, opened_ms);
		ck_assert_int_eq(a.phase == ALERT_OK || a.phase == ALERT_OPEN, a.run == 0);
	}
	steps[i] = '\0';
}

static const struct {
	int32_t warm_up, cooldown;
	const char *verdicts, *steps;
} lives[] = {
	{1, 1, "HHNNH", "O.C.O"},
	{0, 0, "HHNNH", "O.C.O"},                 /* 0 is 1 */
	{1, 1, "NNNN", "...."},
	{3, 1, "HHNHHHN", ".....OC"},             /* warming begins anew */
	{3, 2, "HHHHNHNNH", "..O....C."},         /* so does cooling; and warming after the end */
	{2, 3, "HHNNHNNNHH", ".O.....C.O"},
	{2, 2, "H?H??N?N", "..O....C"},           /* an unknown minute is none */
	{2, 1, "H?N?H", "....."},
	{1, 1, "?H?N?", ".O.C."},
	{2, 2, "????", "...."},
	{1, 5, "HNNNNHNNNNN", "O.........C"},
	{5, 1, "HHHHNHHHHHN", ".........OC"},
	{1440, 1440, "HHHNNN", "......"},
};

START_TEST(lives_are_as_the_table_says)
{
	char steps[32];

	judge_all(lives[_i].verdicts, lives[_i].warm_up, lives[_i].cooldown, steps);
	ck_assert_str_eq(steps, lives[_i].steps);
}
END_TEST

enum { HISTORY = 60, ROUNDS = UNIT_ROUNDS(30000) };

/* Where, from at on, the first n equal letters end; the length when nowhere. */
static size_t end_of_run(const char *text, size_t at, char letter, size_t n)
{
	char run[16];

	memset(run, letter, n);
	run[n] = '\0';
	if (at <= strlen(text)) {
		const char *found = strstr(text + at, run);

		if (found)
			return (size_t)(found - text) + n - 1;
	}
	return strlen(text);
}

/* By search: the unknown ones left out, an opening is where the next warm_up H end, its closing where the next cooldown N end. */
static void search(const char *verdicts, size_t warm_up, size_t cooldown, char *steps)
{
	char known[HISTORY + 1];
	size_t where[HISTORY], nr = 0, at = 0;

	for (size_t i = 0; verdicts[i]; i++) {
		steps[i] = '.';
		steps[i + 1] = '\0';
		if (verdicts[i] != '?') {
			where[nr] = i;
			known[nr++] = verdicts[i];
		}
	}
	known[nr] = '\0';
	for (int open = 0; at < nr; open = !open) {
		size_t end = end_of_run(known, at, open ? 'N' : 'H', open ? cooldown : warm_up);

		if (end < nr)
			steps[where[end]] = open ? 'C' : 'O';
		at = end + 1;
	}
}

START_TEST(lives_are_what_a_search_finds)
{
	struct unit_random random = unit_random_new("alert");
	size_t opened = 0, closed = 0;

	for (int round = 0; round < ROUNDS; round++) {
		size_t warm_up = unit_random_below(&random, 5), cooldown = unit_random_below(&random, 5), bias = unit_random_below(&random, 10);
		char verdicts[HISTORY + 1], steps[HISTORY + 1], wanted[HISTORY + 1];
		char last = 'H';

		for (size_t i = 0; i < HISTORY; i++) {
			if (unit_random_below(&random, 10) >= bias)
				last = last == 'H' ? 'N' : 'H';
			verdicts[i] = unit_random_below(&random, 8) ? last : '?';
		}
		verdicts[HISTORY] = '\0';
		judge_all(verdicts, (int32_t)warm_up, (int32_t)cooldown, steps);
		search(verdicts, warm_up ? warm_up : 1, cooldown ? cooldown : 1, wanted);
		ck_assert_msg(strcmp(steps, wanted) == 0, "warm-up %zu, cooldown %zu\n%s\n%s, wanted\n%s", warm_up, cooldown, verdicts, steps, wanted);
		opened += strchr(steps, 'O') != NULL;
		closed += strchr(steps, 'C') != NULL;
	}
	ck_assert_msg(opened > ROUNDS / 4 && closed > ROUNDS / 4, "%zu opened, %zu closed", opened, closed);
}
END_TEST

/* Computed in Python: xxhash.xxh3_128_digest(s(site) + s(trigger) + fp + struct.pack(">q", opened_at) + bytes([kind])).hex(), where
 * s(t) is struct.pack("<H", len(t)) + t and fp is bytes(range(16)), zeros, or 16 times 255. */
#define A8 "aaaaaaaa"
#define B8 "bbbbbbbb"
static const struct {
	const char *site, *trigger;
	int fill; /* -1: 0, 1, 2, .. */
	int64_t opened_ms;
	enum alert_event_kind kind;
	const char *id;
} ids[] = {
	{"shop", "slow-checkout", -1, 1795372020000, ALERT_EVENT_KIND_OPENED, "c20595974c5c482e54cf1664599b7d2a"},
	{"shop", "slow-checkout", -1, 1795372020000, ALERT_EVENT_KIND_CLOSED, "ece48bdebb8e65ff5c6dce90d244cebe"},
	{"s", "h", 0, 0, ALERT_EVENT_KIND_SUMMARY, "6727158bfaf60ec8e635a7fa628d8d1e"},
	{A8 A8 A8 A8 A8 A8 A8 A8, B8 B8 B8 B8 B8 B8 B8 B8, 255, INT64_C(1) << 62, ALERT_EVENT_KIND_OPENED, "d140d7c9e0eb64f2910b57b51c0b71aa"},
};

START_TEST(ids_are_what_others_compute)
{
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES], id[ALERT_ID_BYTES];
	char hex[2 * ALERT_ID_BYTES + 1];

	for (int i = 0; i < SERIES_FINGERPRINT_BYTES; i++)
		fingerprint[i] = (uint8_t)(ids[_i].fill < 0 ? i : ids[_i].fill);
	alert_id(str_from(ids[_i].site), str_from(ids[_i].trigger), fingerprint, ids[_i].opened_ms, ids[_i].kind, id);
	for (int i = 0; i < ALERT_ID_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
	ck_assert_str_eq(hex, ids[_i].id);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alert");
	TCase *tc = tcase_create("alert");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, lives_are_as_the_table_says, 0, NR(lives));
	tcase_add_test(tc, lives_are_what_a_search_finds);
	tcase_add_loop_test(tc, ids_are_what_others_compute, 0, NR(ids));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
