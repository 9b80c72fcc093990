/* test_vault_model.c - the vault against a naive model of its words, through random rows, accidents, times and processes. */
#include "tests/unit/ingest/vault_house.h"

enum { IDS = 12 };

struct state {
	bool there, disabled;
	unsigned keys;
};

/* The words of vault.h in plain arrays: every figure is counted anew each time. Time moves by little, or by more than the window. */
struct model {
	struct state force[IDS], kafka[IDS];
	bool waits[IDS], held[IDS];
	bool accepting;
	int window, refused;          /* usable sites at the window's begin, and at the refusal */
	int64_t since_ms, quiet_ms;   /* how long the oldest and the newest removal have waited at the last tick; -1: not seen by one */
	bool arrived;
};

static bool usable(struct state s)
{
	return s.there && !s.disabled && s.keys;
}

static int count(const struct state *s)
{
	int n = 0;

	for (int i = 0; i < IDS; i++)
		n += usable(s[i]);
	return n;
}

static int count_held(const struct model *m)
{
	int n = 0;

	for (int i = 0; i < IDS; i++)
		n += m->held[i];
	return n;
}

static bool too_few(int before, int after)
{
	return after == 0 ? before >= 2 : before >= 4 && 2.0 * after < before;
}

static void model_hold(struct model *m, int n)
{
	m->held[n] = true;
	if (m->kafka[n].there && m->kafka[n].keys)
		m->force[n] = (struct state){true, false, m->kafka[n].keys};
}

/* Everything that waits, in one go. */
static void model_judge(struct model *m)
{
	int after = count(m->force);
	bool hold;

	for (int n = 0; n < IDS; n++)
		if (m->waits[n])
			after += usable(m->kafka[n]) - usable(m->force[n]);
	hold = !m->accepting && (m->refused || too_few(m->window, after));
	if (hold && !m->refused)
		m->refused = m->window;
	for (int n = 0; n < IDS; n++) {
		if (!m->waits[n] || m->held[n])
			continue;
		if (hold && usable(m->force[n]) && !usable(m->kafka[n])) {
			model_hold(m, n);
		} else {
			m->force[n] = m->kafka[n];
			m->waits[n] = false;
		}
	}
	for (int n = 0; n < IDS && m->accepting; n++)
		if (m->held[n]) {
			m->force[n] = m->kafka[n];
			m->waits[n] = m->held[n] = false;
		}
	if (!count_held(m))
		m->refused = 0;
	m->since_ms = m->quiet_ms = -1;
}

static void model_row(struct model *m, int n, struct state s)
{
	m->kafka[n] = s;
	if (m->accepting || !usable(m->force[n]) || usable(s)) {
		m->force[n] = s;
		m->waits[n] = m->held[n] = false;
		if (!count_held(m))
			m->refused = 0;
		return;
	}
	m->waits[n] = m->arrived = true;
	if (m->held[n])
		model_hold(m, n);
}

static void model_tick(struct model *m, int64_t ms)
{
	int unjudged = 0, after = count(m->force), waiting = 0;

	if (ms > 6 * MINUTE)
		m->window = after;
	for (int n = 0; n < IDS; n++) {
		unjudged += m->waits[n] && !m->held[n];
		waiting += m->waits[n];
		after -= m->waits[n];
	}
	if (m->accepting && waiting)
		model_judge(m);
	else if (!unjudged)
		m->since_ms = m->quiet_ms = -1;
	else {
		m->since_ms = m->since_ms < 0 ? 0 : m->since_ms + ms;
		m->quiet_ms = m->quiet_ms < 0 || m->arrived ? 0 : m->quiet_ms + ms;
		m->arrived = false;
		if (m->quiet_ms >= 1000 || m->since_ms >= 30000 || m->refused || too_few(m->window, after))
			model_judge(m);
	}
}

static void compare(struct house *h, const struct model *m)
{
	size_t there = 0;

	for (int n = 0; n < IDS; n++) {
		there += m->force[n].there;
		for (int k = 0; k < KEYS; k++)
			ck_assert_msg(good(h, n, k) == (usable(m->force[n]) && (m->force[n].keys & 1u << k)), "site %d, key %d", n, k);
	}
	ck_assert_uint_eq(sites_count(h->sites), there);
	check_held(h, (size_t)count_held(m), (size_t)m->refused, count_held(m) ? (size_t)(count(m->force) - count_held(m)) : 0);
}

static struct state random_state(struct unit_random *r)
{
	struct state s = {unit_random_below(r, 5) > 0, unit_random_below(r, 6) == 0, (unsigned)unit_random_below(r, 1 << KEYS)};

	return s.there ? s : (struct state){false, false, 0};
}

static void give_state(struct house *h, int n, struct state s)
{
	if (s.there)
		put(h, n, s.keys, s.disabled);
	else
		cut(h, n);
}

/* Another process: it knows the file, then Kafka's rows behind whatever older ones the topic still has. */
static void change_process(struct house *h, struct model *m, struct unit_random *r)
{
	bool said[IDS] = {false};

	restart(h);
	cell(h, "main");
	m->accepting = unit_random_below(r, 10) == 0;
	m->arrived = false;
	vault_accept_shrink(h->vault, m->accepting);
	for (int i = (int)unit_random_below(r, 20); i > 0; i--) {
		int n = (int)unit_random_below(r, IDS);

		said[n] = true;
		give_state(h, n, random_state(r));
	}
	for (int n = 0; n < IDS; n++) {
		if (unit_random_below(r, 4) == 0)
			m->kafka[n] = random_state(r); /* while nobody looked */
		if (unit_random_below(r, 40) == 0)
			memset(m->kafka, 0, sizeof(m->kafka));
	}
	for (int n = 0; n < IDS; n++)
		if (said[n] || m->kafka[n].there || unit_random_below(r, 2)) /* else compaction took the tombstone, too */
			give_state(h, n, m->kafka[n]);
	for (int n = 0; n < IDS; n++)
		for (int k = 0; k < KEYS; k++) /* none of that has an effect yet */
			ck_assert_int_eq(good(h, n, k), usable(m->force[n]) && (m->force[n].keys & 1u << k));
	must_be_loaded(h);
	m->window = count(m->force);
	for (int n = 0; n < IDS; n++) {
		m->waits[n] = true;
		m->held[n] = false;
	}
	model_judge(m);
	m->window = count(m->force);
}

static void random_turn(struct house *h, struct model *m, struct unit_random *r)
{
	uint64_t what = unit_random_below(r, 100);
	int64_t ms = what < 95 ? (int64_t)unit_random_below(r, 700) : 7 * MINUTE;

	for (int rows = (int)unit_random_below(r, what % 10 == 0 ? 14 : 2); rows > 0; rows--) {
		int n = (int)unit_random_below(r, IDS);
		struct state s = random_state(r);

		give_state(h, n, s);
		model_row(m, n, s);
	}
	if (what < 4) {
		if (m->accepting && what % 2)
			m->window = count(m->force);
		m->accepting = what % 2 == 0;
		vault_accept_shrink(h->vault, m->accepting);
	}
	tick(h, ms);
	model_tick(m, ms);
}

START_TEST(it_does_what_its_words_say)
{
	enum { PROCESSES = 60, TURNS = 200 };
	struct unit_random r = unit_random_new("it_does_what_its_words_say");
	struct house *h = house_new();
	struct model m = {.since_ms = -1, .quiet_ms = -1};
	int holds = 0;

	cell(h, "main");
	must_be_loaded(h);
	for (int i = 0; i < PROCESSES; i++) {
		for (int turn = 0; turn < TURNS; turn++) {
			random_turn(h, &m, &r);
			compare(h, &m);
			holds += m.refused > 0;
		}
		change_process(h, &m, &r);
		compare(h, &m);
	}
	ck_assert_int_gt(holds, PROCESSES * TURNS / 20); /* neither never nor always */
	ck_assert_int_lt(holds, PROCESSES * TURNS * 19 / 20);
	house_free(h);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vault_model");
	TCase *tc = tcase_create("vault_model");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, it_does_what_its_words_say);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
