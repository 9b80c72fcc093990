/* test_ledger.c - the ledger against a model that keeps one note for every single offset.
 *
 * The model knows no spans: an offset that holds a record is open until its batch came back. What may be committed is the
 * lowest open record, or, when none is open, what follows the last. Each record has a timestamp of its own, in no order. */
#include "sink/mongo/ledger.h"

#include <string.h>

#include "tests/unit/unit.h"

enum { OFFSETS = 4000, BATCHES = 600 };

enum note { NOTE_NONE, NOTE_OPEN, NOTE_SETTLED };

struct model {
	uint8_t note[OFFSETS];
	int64_t t_ms[OFFSETS];
	int64_t begin, next;
};

/* A span that is away with a writer. */
struct away {
	uint64_t id;
	int64_t from, to;
	uint64_t taken;
};

/* Records have no numbers of control records before them counted: what precedes the oldest open record may be committed up to
 * the end of the record before it at least, and up to that record at most. */
static void assert_committable(const struct model *m, const struct ledger *l)
{
	int64_t got = ledger_committable(l);
	int64_t after_settled = m->begin, lowest_open = m->next;

	for (int64_t o = m->begin; o < m->next; o++) {
		if (m->note[o] == NOTE_OPEN) {
			lowest_open = o;
			break;
		}
		if (m->note[o] == NOTE_SETTLED)
			after_settled = o + 1;
	}
	ck_assert_int_eq(ledger_oldest_ms(l), lowest_open == m->next ? 0 : m->t_ms[lowest_open]);
	if (lowest_open == m->next)
		ck_assert_int_eq(got, m->next);
	ck_assert_int_ge(got, after_settled);
	ck_assert_int_le(got, lowest_open);
}

static struct ledger_outcome split(struct unit_random *r, uint64_t n)
{
	struct ledger_outcome o = {0};

	o.stored = unit_random_below(r, n + 1);
	n -= o.stored;
	o.already_stored = unit_random_below(r, n + 1);
	n -= o.already_stored;
	o.dead_lettered = unit_random_below(r, n + 1);
	o.dropped = n - o.dead_lettered;
	return o;
}

/* Fills one span with records, control records between them now and then. */
static void fill(struct ledger *l, struct model *m, struct unit_random *r, struct away *a)
{
	uint64_t n = 1 + unit_random_below(r, 6);
	struct err err = ERR_INIT;

	*a = (struct away){.from = m->next};
	ck_assert_int_eq(ledger_open(l, &a->id, &err), 0);
	while (n-- && m->next < OFFSETS - 4) {
		m->next += (int64_t)(unit_random_below(r, 4) == 0 ? 1 + unit_random_below(r, 2) : 0);
		m->t_ms[m->next] = 1 + (int64_t)unit_random_below(r, 1000000);
		ledger_take(l, a->id, m->next, m->t_ms[m->next]);
		ck_assert_int_eq(l->last_ms, m->t_ms[m->next]);
		m->note[m->next++] = NOTE_OPEN;
		a->taken++;
	}
	a->to = m->next;
}

static void settle(struct ledger *l, struct model *m, struct unit_random *r, const struct away *a)
{
	struct ledger_outcome o = split(r, a->taken);
	struct err err = ERR_INIT;

	ck_assert_msg(ledger_settle(l, a->id, &o, &err) == 0, "%s", err.msg);
	for (int64_t i = a->from; i < a->to; i++)
		if (m->note[i] == NOTE_OPEN)
			m->note[i] = NOTE_SETTLED;
}

/* Up to max_away batches are out at once and come back in random order. */
START_TEST(random_completion)
{
	static const size_t max_away[] = {1, 3, 40, BATCHES};
	struct unit_random r = unit_random_new("random_completion");
	static struct model m;
	static struct away away[BATCHES];
	struct ledger l;
	size_t nr = 0;
	int64_t committed = 7;

	memset(&m, 0, sizeof(m));
	m.begin = m.next = 7;
	ledger_init(&l, 7);
	for (int step = 0; step < 4 * BATCHES; step++) {
		bool more = nr < max_away[_i] && m.next < OFFSETS - 40;

		if (more && (nr == 0 || unit_random_below(&r, 2))) {
			fill(&l, &m, &r, &away[nr++]);
		} else if (nr) {
			size_t i = (size_t)unit_random_below(&r, nr);

			settle(&l, &m, &r, &away[i]);
			away[i] = away[--nr];
		}
		assert_committable(&m, &l);
		ck_assert_int_ge(ledger_committable(&l), committed);
		committed = ledger_committable(&l);
		ck_assert(ledger_balanced(&l));
	}
	while (nr)
		settle(&l, &m, &r, &away[--nr]);
	ck_assert_int_eq(ledger_committable(&l), m.next);
	ck_assert_uint_eq(l.consumed,
			  l.settled.stored + l.settled.already_stored + l.settled.dead_lettered + l.settled.dropped);
	ledger_fini(&l);
}
END_TEST

/* As with exemplars: records go to up to four spans that are filled at the same time, which come back whole, in any order. */
START_TEST(several_are_filled_at_once)
{
	enum { FILLING = 4 };
	struct unit_random r = unit_random_new("several_are_filled_at_once");
	static struct model m;
	static int8_t of[OFFSETS]; /* the span that an open record is in */
	uint64_t ids[FILLING], taken[FILLING] = {0};
	struct err err = ERR_INIT;
	struct ledger l;
	int64_t committed = 0;

	memset(&m, 0, sizeof(m));
	ledger_init(&l, 0);
	while (m.next < OFFSETS - 4 || taken[0] + taken[1] + taken[2] + taken[3]) {
		int i = (int)unit_random_below(&r, FILLING);

		if (taken[i] && (m.next >= OFFSETS - 4 || unit_random_below(&r, 8) == 0)) {
			struct ledger_outcome o = split(&r, taken[i]);

			ck_assert_msg(ledger_settle(&l, ids[i], &o, &err) == 0, "%s", err.msg);
			for (int64_t at = 0; at < m.next; at++)
				if (m.note[at] == NOTE_OPEN && of[at] == i)
					m.note[at] = NOTE_SETTLED;
			taken[i] = 0;
		} else if (m.next < OFFSETS - 4) {
			if (!taken[i])
				ck_assert_int_eq(ledger_open(&l, &ids[i], &err), 0);
			m.next += unit_random_below(&r, 5) == 0;
			m.t_ms[m.next] = 1 + (int64_t)unit_random_below(&r, 1000000);
			ledger_take(&l, ids[i], m.next, m.t_ms[m.next]);
			of[m.next] = (int8_t)i;
			m.note[m.next++] = NOTE_OPEN;
			taken[i]++;
		}
		assert_committable(&m, &l);
		ck_assert_int_ge(ledger_committable(&l), committed);
		committed = ledger_committable(&l);
		ck_assert(ledger_balanced(&l));
	}
	ck_assert_int_eq(committed, m.next);
	ck_assert_uint_le(l.cap, 64);
	ledger_fini(&l);
}
END_TEST

START_TEST(empty_commits_its_beginning)
{
	struct ledger l;

	ledger_init(&l, 42);
	ck_assert_int_eq(ledger_committable(&l), 42);
	ck_assert(ledger_balanced(&l));
	ledger_skip_to(&l, 45);
	ck_assert_int_eq(ledger_committable(&l), 45);
	ledger_skip_to(&l, 44);
	ck_assert_int_eq(ledger_committable(&l), 45);
	ledger_fini(&l);
}
END_TEST

/* The end of the partition lies behind a control record, and a batch is still away: its record holds the offset back. */
START_TEST(end_does_not_pass_what_is_open)
{
	struct ledger_outcome one = {.stored = 1};
	struct err err = ERR_INIT;
	struct ledger l;
	uint64_t id;

	ledger_init(&l, 0);
	ck_assert_int_eq(ledger_open(&l, &id, &err), 0);
	ledger_take(&l, id, 10, 5);
	ledger_skip_to(&l, 12);
	ck_assert_int_eq(ledger_committable(&l), 0);
	ck_assert_int_eq(ledger_settle(&l, id, &one, &err), 0);
	ck_assert_int_eq(ledger_committable(&l), 12);
	ledger_fini(&l);
}
END_TEST

/* One record that a person must help (another unique index, say) is open for days, and all that is settled behind it must cost no memory. */
START_TEST(one_stuck_for_ever)
{
	struct ledger_outcome one = {.stored = 1};
	uint64_t stuck, beside, id;
	struct err err = ERR_INIT;
	struct ledger l;

	ledger_init(&l, 100);
	ck_assert_int_eq(ledger_open(&l, &stuck, &err), 0);
	ledger_take(&l, stuck, 100, 77);
	for (int64_t offset = 101; offset < 100101; offset += 2) { /* two are away at a time, and come back the later one first */
		ck_assert_int_eq(ledger_open(&l, &beside, &err), 0);
		ledger_take(&l, beside, offset, offset);
		ck_assert_int_eq(ledger_open(&l, &id, &err), 0);
		ledger_take(&l, id, offset + 1, offset);
		ck_assert_int_eq(ledger_settle(&l, id, &one, &err), 0);
		ck_assert_int_eq(ledger_settle(&l, beside, &one, &err), 0);
	}
	ck_assert_uint_le(l.cap, 16);
	ck_assert_int_eq(ledger_committable(&l), 100);
	ck_assert_int_eq(ledger_oldest_ms(&l), 77);
	ck_assert(ledger_balanced(&l) && l.consumed == 100001);
	ck_assert_int_eq(ledger_settle(&l, stuck, &one, &err), 0);
	ck_assert_int_eq(ledger_committable(&l), 100101);
	ck_assert(ledger_balanced(&l) && l.len == 0);
	ck_assert_int_eq(ledger_settle(&l, beside, &one, &err), -1); /* twice */
	ledger_fini(&l);
}
END_TEST

/* One record too few, too many, and a span settled twice: each stops the commits at that span, for ever. */
START_TEST(imbalance_stops_commits)
{
	struct ledger_outcome two = {.stored = 1, .dead_lettered = 1}, wrong = {.stored = _i == 0 ? 1 : 3};
	struct err err = ERR_INIT;
	struct ledger l;
	uint64_t first, second;

	ledger_init(&l, 0);
	ck_assert_int_eq(ledger_open(&l, &first, &err), 0);
	ledger_take(&l, first, 0, 1);
	ledger_take(&l, first, 1, 1);
	ck_assert_int_eq(ledger_open(&l, &second, &err), 0);
	ledger_take(&l, second, 2, 1);
	ledger_take(&l, second, 3, 1);
	ck_assert_int_eq(ledger_settle(&l, second, &two, &err), 0);
	if (_i == 2)
		ck_assert_int_eq(ledger_settle(&l, second, &two, &err), -1);
	else
		ck_assert_int_eq(ledger_settle(&l, first, &wrong, &err), -1);
	ck_assert_int_eq(err.kind, ERR_FATAL);
	ck_assert(!ledger_balanced(&l));
	ck_assert_int_eq(ledger_committable(&l), 0);
	ledger_fini(&l);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ledger");
	TCase *tc = tcase_create("ledger");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, random_completion, 0, 4);
	tcase_add_test(tc, several_are_filled_at_once);
	tcase_add_test(tc, empty_commits_its_beginning);
	tcase_add_test(tc, end_does_not_pass_what_is_open);
	tcase_add_test(tc, one_stuck_for_ever);
	tcase_add_loop_test(tc, imbalance_stops_commits, 0, 3);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
