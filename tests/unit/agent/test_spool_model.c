/* test_spool_model.c - whatever fails or is killed when, each payload is delivered or named as lost; and not both, unless it says so.
 *
 * The oracle is a list of what was put and what a server that never forgets has seen; it knows nothing of files. A kill is all system
 * calls failing from the N-th on, and a new process in the same folder: what the killed one had in memory is gone. */
#include <errno.h>

#include "tests/unit/agent/spool_house.h"

enum { PAPERS_MAX = 1200, CARRIED_MAX = 4, PROCESSES_MAX = 250 };

/* A payload, as who made it and the server know it. */
struct paper {
	uint8_t process;
	uint64_t seq, samples;
	int64_t created_at_ms;
	int parent;      /* a half of that paper; -1: none */
	int first_half;  /* the payload had halves, from that paper on; 0: none */
	bool unsure;     /* its put was cut off by a kill, or its halving: it may be there or not */
	bool unsure_attempt; /* the disk refused to note that a post began */
	bool arrived;    /* the server has it, answered or not */
	int named;       /* reports that the server has of its loss */
	bool named_attempted;
	struct loss carried[CARRIED_MAX];
	size_t nr_carried;
};

struct world {
	struct house house;
	struct spool *spool;
	struct unit_random random;
	struct paper papers[PAPERS_MAX];
	int nr;
	uint8_t process;
	uint64_t seq;
	bool dead;          /* a kill is set; it has happened once a fault fired */
	bool carrier_unanswered; /* what it told may be told again */
	bool heads_unread;  /* a start could not read heads: samples may be told as 0 */
	int kills;
};

static struct paper *paper_of(struct world *w, const uint8_t *agent_id, uint64_t seq)
{
	for (int i = 0; i < w->nr; i++)
		if (w->papers[i].process == agent_id[0] && w->papers[i].seq == seq)
			return &w->papers[i];
	ck_abort_msg("an unknown payload %d/%llu", agent_id[0], (unsigned long long)seq);
	return NULL;
}

static void begin_process(struct world *w)
{
	ck_assert_int_lt(w->process, PROCESSES_MAX);
	w->process++;
	w->seq = 0;
	w->spool = house_open(&w->house);
}

/* Has the kill happened? Then another process takes over. */
static void bury(struct world *w)
{
	if (!w->dead || w->house.faults.fired == 0)
		return;
	spool_free(w->spool);
	w->kills++;
	w->dead = false;
	house_heal(&w->house);
	begin_process(w);
}

static bool killed(const struct world *w)
{
	return w->dead && w->house.faults.fired > 0;
}

static size_t body_len(const struct paper *p)
{
	return 40 + (p->seq * 37 + p->process) % 150;
}

static struct envelope envelope_of(const struct paper *p, char *body)
{
	struct envelope e = {.seq = p->seq, .floor = 1, .created_at_ms = p->created_at_ms, .samples = p->samples, .body = {body, body_len(p)}};

	memset(e.agent_id, p->process, sizeof(e.agent_id));
	for (size_t i = 0; i < e.body.len; i++)
		body[i] = (char)(p->seq * 31 + p->process * 7 + i);
	return e;
}

static struct paper *new_paper(struct world *w, uint64_t samples, int parent)
{
	struct paper *p = &w->papers[w->nr];

	ck_assert_int_lt(w->nr, PAPERS_MAX);
	w->nr++;
	*p = (struct paper){.process = w->process, .seq = ++w->seq, .samples = samples, .created_at_ms = clock_now_ms(&w->house.clock), .parent = parent};
	return p;
}

static void put(struct world *w)
{
	struct paper *p = new_paper(w, 1 + unit_random_below(&w->random, 50), -1);
	char body[200];
	struct envelope e = envelope_of(p, body);
	struct err err = ERR_INIT;
	uint64_t id;

	p->nr_carried = losses_take(spool_losses(w->spool), e.agent_id, e.seq, p->carried, CARRIED_MAX);
	spool_put(w->spool, &e, &id, &err);
	p->unsure = killed(w);
}

/* The server takes a payload, for the first time or again. */
static void arrive(struct world *w, struct paper *p)
{
	if (p->arrived)
		return;
	p->arrived = true;
	for (size_t i = 0; i < p->nr_carried; i++) {
		const struct loss *l = &p->carried[i];
		uint64_t samples = 0;

		for (uint64_t seq = l->from_seq; seq <= l->to_seq; seq++) {
			struct paper *lost = paper_of(w, l->agent_id, seq);

			samples += lost->samples;
			lost->named++;
			lost->named_attempted |= l->attempted;
		}
		ck_assert_msg(samples == l->samples || w->heads_unread, "%llu-%llu told with %llu samples, and not %llu",
			      (unsigned long long)l->from_seq, (unsigned long long)l->to_seq, (unsigned long long)l->samples, (unsigned long long)samples);
	}
}

static void halve(struct world *w, uint64_t id, struct paper *p)
{
	struct paper *half[2];
	struct envelope halves[2];
	char bodies[2][200];
	struct err err = ERR_INIT;

	if (p->samples < 2)
		return;
	for (int i = 0; i < 2; i++) {
		half[i] = new_paper(w, i ? p->samples - p->samples / 2 : p->samples / 2, (int)(p - w->papers));
		half[i]->created_at_ms = p->created_at_ms;
		halves[i] = envelope_of(half[i], bodies[i]);
	}
	if (spool_replace(w->spool, id, halves, 2, &err) == 0) {
		memcpy(half[0]->carried, p->carried, sizeof(p->carried));
		half[0]->nr_carried = p->nr_carried;
		p->first_half = (int)(half[0] - w->papers);
	}
	if (killed(w)) {
		memcpy(half[0]->carried, p->carried, sizeof(p->carried));
		half[0]->nr_carried = p->nr_carried;
		p->first_half = (int)(half[0] - w->papers);
		p->unsure = half[0]->unsure = half[1]->unsure = true;
	} else if (!p->first_half) {
		half[0]->unsure = half[1]->unsure = true; /* they never were */
	}
}

static void post(struct world *w, bool answered)
{
	struct envelope e;
	struct buf body = BUF_INIT;
	struct err err = ERR_INIT;
	struct paper *p;
	char expected[200];
	unsigned long before;
	uint64_t id;

	if (!spool_newest(w->spool, NULL, &id))
		return;
	if (spool_get(w->spool, id, &e, &body, &err) < 0) {
		buf_fini(&body);
		return;
	}
	p = paper_of(w, e.agent_id, e.seq);
	ck_assert_uint_eq(e.samples, p->samples);
	ck_assert_uint_eq(e.floor, 1);
	ck_assert_int_eq(e.created_at_ms, p->created_at_ms);
	ck_assert(str_eq(e.body, envelope_of(p, expected).body));
	buf_fini(&body);
	before = w->house.faults.fired;
	spool_attempted(w->spool, id);
	p->unsure_attempt |= w->house.faults.fired > before;
	if (killed(w)) /* before the post */
		return;
	switch (answered ? 0 : unit_random_below(&w->random, 5)) {
	case 0:
		arrive(w, p);
		spool_done(w->spool, id);
		break;
	case 1:
		w->carrier_unanswered |= p->nr_carried > 0;
		arrive(w, p); /* without an answer */
		break;
	case 2:
		if (!p->arrived)
			spool_reject(w->spool, id, 400);
		break;
	case 3:
		if (!p->arrived && !p->first_half)
			halve(w, id, p);
		break;
	default:
		break;
	}
}

static void step(struct world *w)
{
	switch (unit_random_below(&w->random, 10)) {
	case 0:
	case 1:
	case 2:
	case 3:
		put(w);
		break;
	case 4:
	case 5:
	case 6:
		post(w, false);
		break;
	case 7:
		w->house.clock.start_ms += (int64_t)unit_random_below(&w->random, 3000);
		break;
	default:
		spool_turn(w->spool);
	}
	bury(w);
}

/* Delivers and names all that is left. */
static void drain(struct world *w)
{
	struct spool_figures f;
	uint64_t id;

	w->dead = false;
	house_heal(&w->house);
	for (int i = 0; i < 20; i++)
		spool_turn(w->spool);
	spool_figures(w->spool, &f);
	ck_assert_int_eq(f.state, SPOOL_DISK);
	ck_assert_uint_eq(f.in_memory, 0);
	for (int i = 0; i < 4 * PAPERS_MAX; i++)
		if (spool_newest(w->spool, NULL, &id))
			post(w, true);
		else if (losses_open(spool_losses(w->spool)))
			put(w);
		else
			break;
	ck_assert(!spool_newest(w->spool, NULL, &id) && !losses_open(spool_losses(w->spool)));
	ck_assert_int_eq(house_count(w->house.dir, NULL), 2); /* the lock and the losses */
}

/* Is all of a paper arrived or named, by itself or by its halves; and is anything? */
static bool accounted(const struct world *w, const struct paper *p, bool all)
{
	const struct paper *halves = p->first_half ? &w->papers[p->first_half] : NULL;
	bool first, second;

	if (p->arrived || p->named)
		return true;
	if (!halves)
		return false;
	first = accounted(w, &halves[0], all);
	second = accounted(w, &halves[1], all);
	return all ? first && second : first || second;
}

static void judge_one(const struct world *w, const struct paper *p)
{
	const struct paper *halves = p->first_half ? &w->papers[p->first_half] : NULL;
	int at = (int)(p - w->papers);

	if (p->parent < 0)
		ck_assert_msg(p->unsure || accounted(w, p, true), "paper %d, %d/%llu, is forgotten", at, p->process, (unsigned long long)p->seq);
	if (halves) {
		bool all = accounted(w, &halves[0], true) && accounted(w, &halves[1], true);
		bool any = accounted(w, &halves[0], false) || accounted(w, &halves[1], false);

		ck_assert_msg(all == any, "half of paper %d is forgotten", at);
		ck_assert_msg((p->arrived || p->named) != all, "paper %d and its halves count twice, or not at all", at);
	}
	if (p->arrived && p->named)
		ck_assert_msg(p->named_attempted || p->unsure_attempt, "paper %d arrived, and is told as lost without an attempt", at);
	ck_assert_msg(p->named <= 1 || w->kills > 0 || w->carrier_unanswered, "paper %d is told %d times", at, p->named);
}

static void judge(struct world *w)
{
	drain(w);
	for (int i = 0; i < w->nr; i++)
		judge_one(w, &w->papers[i]);
	spool_free(w->spool);
	house_fini(&w->house);
	free(w);
}

static struct world *world_new(struct unit_random random)
{
	struct world *w = calloc(1, sizeof(*w));

	ck_assert_ptr_nonnull(w);
	w->random = random;
	house_init(&w->house);
	w->house.conf.max_bytes = 3000;
	w->house.conf.memory_bytes = 700;
	w->house.conf.max_age_ms = 20000;
	begin_process(w);
	return w;
}

enum mode { BOUNDS, KILLS, ERRORS, FULL_AND_KILLS };

static void disturb(struct world *w, enum mode mode)
{
	static const int codes[] = {ENOSPC, EROFS, EIO, EMFILE};
	uint64_t n = unit_random_below(&w->random, 12) + 1;

	if (w->dead || unit_random_below(&w->random, 6))
		return;
	if (mode == KILLS || (mode == FULL_AND_KILLS && unit_random_below(&w->random, 2))) {
		house_heal(&w->house);
		house_fail(&w->house, n, 1UL << 40, EIO);
		w->dead = true;
	} else if (mode == ERRORS) {
		house_fail(&w->house, n, unit_random_below(&w->random, 25) + 1, codes[unit_random_below(&w->random, NR(codes))]);
	} else if (mode == FULL_AND_KILLS) {
		house_fail(&w->house, n, unit_random_below(&w->random, 200) + 1, ENOSPC);
		w->house.faults.which = 1U << SPOOL_CALL_CREATE;
	}
}

static void play(enum mode mode, const char *name, int rounds)
{
	struct unit_random random = unit_random_new(name);

	for (int round = 0; round < rounds; round++) {
		struct world *w = world_new((struct unit_random){unit_random_next(&random) | 1});

		for (int i = 0; i < 120; i++) {
			disturb(w, mode);
			step(w);
		}
		judge(w);
	}
}

START_TEST(by_its_bounds_alone)
{
	play(BOUNDS, "by_its_bounds_alone", 10);
}
END_TEST

START_TEST(killed_at_any_call)
{
	play(KILLS, "killed_at_any_call", 25);
}
END_TEST

START_TEST(refused_by_the_disk)
{
	play(ERRORS, "refused_by_the_disk", 25);
}
END_TEST

START_TEST(killed_while_the_disk_is_full)
{
	play(FULL_AND_KILLS, "killed_while_the_disk_is_full", 25);
}
END_TEST

/* All that a spool does, in a fixed order; of the failing call, the N-th from the beginning. */
static void scenario(struct world *w)
{
	for (int i = 0; i < 25; i++) {
		put(w);
		bury(w);
		if (i % 3 == 0) {
			post(w, false);
			bury(w);
		}
		if (i % 7 == 6) {
			w->house.clock.start_ms += 8000;
			spool_turn(w->spool);
			bury(w);
		}
	}
}

/* _i: an error code, or 0: a kill. */
START_TEST(every_call_fails_once)
{
	static const int codes[] = {0, ENOSPC, EROFS, EIO};
	unsigned long calls = 1, at = 1;

	for (; at <= calls; at += 1 + at / 30) {
		struct world *w = world_new((struct unit_random){77});

		w->dead = codes[_i] == 0;
		house_fail(&w->house, at, w->dead ? 1UL << 40 : 1, codes[_i] ? codes[_i] : EIO);
		scenario(w);
		calls = w->house.faults.made;
		judge(w);
	}
	ck_assert_uint_gt(calls, 300);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spool_model");
	TCase *tc = tcase_create("model");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, by_its_bounds_alone);
	tcase_add_test(tc, killed_at_any_call);
	tcase_add_test(tc, refused_by_the_disk);
	tcase_add_test(tc, killed_while_the_disk_is_full);
	tcase_add_loop_test(tc, every_call_fails_once, 0, 4);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
