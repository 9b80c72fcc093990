/* test_closures.c - when the valve was closed, against a plain list of intervals that is made from all that was ever said. */
#include "processor/closures.h"

#include <stdio.h>

#include "common/control.h"
#include "schemas/schemas.h"
#include "tests/unit/unit.h"

enum { SITES = 3, INSTANCES = 3, IDS = 6, ROUNDS = 400, EVENTS = 80, LIST_MAX = 4000 };

static const char *const sites[SITES] = {"shop", "blog", "bank"};

/* What covers which site: scopes of this cell, of all, and of a cell that is none of ours. site -1: all, -2: none of this cell's. */
static const struct {
	const char *cell, *site;
	int covers;
} scopes[IDS] = {{NULL, NULL, -1}, {"main", NULL, -1}, {NULL, "shop", 0}, {"main", "blog", 1}, {"other", NULL, -2}, {"other", "shop", -2}};

static struct control control_of(int scope, int64_t from_ms, int64_t to_ms, char id[CONTROL_ID_SIZE])
{
	struct control c = {.on = CONTROL_PROGRAM_INGEST, .action = CONTROL_ACTION_CLOSE, .has_cell = scopes[scope].cell, .cell = str_from(scopes[scope].cell),
			    .has_site = scopes[scope].site, .site = str_from(scopes[scope].site), .reason = STR("r"), .author = STR("a"),
			    .created_at = from_ms, .expires_at = to_ms};

	ck_assert_int_eq(control_make_id(&c, id, NULL), 0);
	c.id = str_from(id);
	return c;
}

static int take_control(struct closures *cl, const struct control *c)
{
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;
	int rc;

	ck_assert_int_eq(control_encode(c, &bytes, NULL), 0);
	rc = closures_take_control(cl, &(struct table_row){.key = c->id, .value = buf_str(&bytes), .timestamp_ms = c->created_at}, &err);
	ck_assert_int_eq(rc < 0, err.kind != 0);
	buf_fini(&bytes);
	return rc;
}

static void close_valve(struct closures *cl, int scope, int64_t from_ms, int64_t to_ms)
{
	char id[CONTROL_ID_SIZE];
	struct control c = control_of(scope, from_ms, to_ms, id);

	ck_assert_int_eq(take_control(cl, &c), 0);
}

static void clear(struct closures *cl, int scope, int64_t at_ms)
{
	char id[CONTROL_ID_SIZE];

	control_of(scope, 0, 1, id);
	ck_assert_int_eq(closures_take_control(cl, &(struct table_row){.key = str_from(id), .timestamp_ms = at_ms}, NULL), 0);
}

/* A heartbeat of ingest that lists scopes by bits. */
static int beat(struct closures *cl, const char *program, const char *key, unsigned int listed, int64_t at_ms)
{
	char ids[IDS][CONTROL_ID_SIZE];
	struct str controls[IDS + 1];
	struct heartbeat h = {.program = str_from(program), .instance = STR("i"), .build = STR("b"), .host = STR("h"), .admin = STR("a"),
			      .sent_at = at_ms, .interval_ms = 10000, .controls = controls};
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;
	int rc;

	for (int i = 0; i < IDS; i++)
		if (listed >> i & 1) {
			control_of(i, 0, 1, ids[i]);
			controls[h.controls_len++] = str_from(ids[i]);
		}
	controls[h.controls_len++] = STR("ingest/accept_shrink");
	ck_assert_int_eq(heartbeat_encode(&h, &bytes, NULL), 0);
	rc = closures_take_heartbeat(cl, &(struct table_row){.key = str_from(key), .value = buf_str(&bytes), .timestamp_ms = at_ms}, &err);
	ck_assert_int_eq(rc < 0, err.kind != 0);
	buf_fini(&bytes);
	return rc;
}

/* The list: who said it, about what, from when until when. */
struct interval {
	int who, scope; /* who -1: the topic */
	int64_t from, to;
};

struct list {
	struct interval at[LIST_MAX];
	size_t nr;
};

static void add(struct list *l, int who, int scope, int64_t from, int64_t to)
{
	ck_assert_uint_lt(l->nr, LIST_MAX);
	l->at[l->nr++] = (struct interval){who, scope, from, to};
}

/* Whatever one has said about a scope ends here, at the latest. */
static void end(struct list *l, int who, int scope, int64_t at)
{
	for (size_t i = 0; i < l->nr; i++)
		if (l->at[i].who == who && l->at[i].scope == scope && l->at[i].to > at)
			l->at[i].to = at;
}

static bool covers(const struct list *l, int site, int64_t from, int64_t to)
{
	for (size_t i = 0; i < l->nr; i++) {
		const struct interval *in = &l->at[i];
		int whose = scopes[in->scope].covers;

		if ((whose == -1 || whose == site) && in->from < in->to && in->from < to && in->to > from && from < to)
			return true;
	}
	return false;
}

/* One word of somebody, in the order of time. */
static void say(struct closures *cl, struct list *l, int64_t now, struct unit_random *random)
{
	int scope = (int)unit_random_below(random, IDS), who = (int)unit_random_below(random, INSTANCES);
	char key[64];
	unsigned int listed = (unsigned int)(unit_random_next(random) & unit_random_next(random) & unit_random_next(random) & 0x3f);
	int64_t life = 1 + (int64_t)unit_random_below(random, 1200000);

	switch (unit_random_below(random, 4)) {
	case 0:
		close_valve(cl, scope, now, now + life);
		end(l, -1, scope, now);
		add(l, -1, scope, now, now + life);
		break;
	case 1:
		clear(cl, scope, now);
		end(l, -1, scope, now);
		break;
	default:
		snprintf(key, sizeof(key), "millrace-ingest/host-%d", who);
		ck_assert_int_eq(beat(cl, "millrace-ingest", key, listed, now), 0);
		for (int i = 0; i < IDS; i++) {
			end(l, who, i, now);
			if (listed >> i & 1)
				add(l, who, i, now, now + CLOSURES_TAIL_MS);
		}
	}
}

START_TEST(closures_are_those_of_a_list)
{
	static struct list l;
	struct unit_random random = unit_random_new("closures");
	size_t covered = 0, asked = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct closures *cl = closures_new("main");
		int64_t now = 1000000, steps = 1 + (int64_t)unit_random_below(&random, 2000000);

		l.nr = 0;
		for (int i = 0; i < EVENTS; i++) {
			now += 1 + (int64_t)unit_random_below(&random, (uint64_t)steps);
			say(cl, &l, now, &random);
			for (int j = 0; j < 20; j++) {
				int site = (int)unit_random_below(&random, SITES);
				int64_t from = now - 3000000 + (int64_t)unit_random_below(&random, 6000000);
				int64_t to = from + (int64_t)unit_random_below(&random, unit_random_below(&random, 2) ? 3 : 200000);
				bool got = closures_cover(cl, str_from(sites[site]), from, to);

				ck_assert_msg(got == covers(&l, site, from, to), "round %d, %s [%lld, %lld): %d", round, sites[site], (long long)from,
					      (long long)to, got);
				covered += got;
				asked++;
			}
		}
		closures_free(cl);
	}
	ck_assert_msg(covered > asked / 20 && covered < asked * 19 / 20, "%zu of %zu", covered, asked);
}
END_TEST

/* Edges, a millisecond at a time. */
START_TEST(spans_have_edges)
{
	struct closures *cl = closures_new("main");

	close_valve(cl, 2, 1000, 2000);
	ck_assert(!closures_cover(cl, STR("shop"), 0, 1000) && closures_cover(cl, STR("shop"), 0, 1001));
	ck_assert(closures_cover(cl, STR("shop"), 1999, 3000) && !closures_cover(cl, STR("shop"), 2000, 3000));
	ck_assert(closures_cover(cl, STR("shop"), 1500, 1501) && !closures_cover(cl, STR("shop"), 1500, 1500));
	ck_assert(!closures_cover(cl, STR("blog"), 0, 3000) && !closures_cover(cl, STR("sho"), 0, 3000) && !closures_cover(cl, STR(""), 0, 3000));
	clear(cl, 2, 500); /* by a clock that is behind: it was never closed */
	ck_assert(!closures_cover(cl, STR("shop"), 0, 3000));
	closures_free(cl);
	closures_free(NULL);
}
END_TEST

/* What is not about ingest's valve, or nothing that can be read. */
START_TEST(others_are_passed_over)
{
	struct closures *cl = closures_new("main");
	char id[CONTROL_ID_SIZE];
	struct control c = control_of(0, 1000, 2000, id);

	c.on = CONTROL_PROGRAM_SINK;
	c.action = CONTROL_ACTION_PAUSE;
	c.has_cell = true;
	c.cell = STR("main");
	c.id = STR("sink/pause/cell=main");
	ck_assert_int_eq(take_control(cl, &c), 0);
	ck_assert_int_eq(beat(cl, "millrace-sink", "millrace-sink/a", 1, 1000), 0);
	ck_assert_int_eq(closures_take_heartbeat(cl, &(struct table_row){.key = STR("millrace-ingest/a")}, NULL), 0);
	ck_assert_int_eq(closures_take_heartbeat(cl, &(struct table_row){.key = STR("millrace-sink/a"), .value = STR("junk")}, NULL), 0);
	ck_assert(!closures_cover(cl, STR("shop"), 0, INT64_MAX));
	ck_assert_int_eq(beat(cl, "millrace-sink", "millrace-ingest/a", 1, 1000), -1);
	ck_assert_int_eq(beat(cl, "millrace-ingest", "millrace-ingest/a", 1, -1), -1);
	ck_assert_int_eq(beat(cl, "millrace-ingest", "millrace-ingest/a", 1, INT64_MAX), -1);
	ck_assert_int_eq(closures_take_heartbeat(cl, &(struct table_row){.key = STR("millrace-ingest/a"), .value = STR("junk")}, NULL), -1);
	ck_assert_int_eq(closures_take_control(cl, &(struct table_row){.key = STR("ingest/close"), .value = STR("junk")}, NULL), -1);
	c = control_of(0, 2000, 1000, id);
	ck_assert_int_eq(take_control(cl, &c), -1);
	c = control_of(0, 1000, 2000, id);
	c.id = STR("ingest/close/site=shop");
	ck_assert_int_eq(take_control(cl, &c), -1);
	ck_assert(!closures_cover(cl, STR("shop"), 0, INT64_MAX));
	closures_free(cl);
}
END_TEST

/* A thousand more than are remembered: those that ended first are gone, and memory is bounded. */
START_TEST(old_spans_give_way)
{
	struct closures *cl = closures_new("main");
	int64_t life = 1000, gap = 5000;
	int more = 1000;

	for (int64_t i = 0; i < CLOSURES_MAX + more; i++)
		close_valve(cl, 0, 1000 + i * gap, 1000 + i * gap + life);
	for (int64_t i = 0; i < CLOSURES_MAX + more; i++)
		ck_assert_int_eq(closures_cover(cl, STR("shop"), 1000 + i * gap, 1000 + i * gap + life), i >= more);
	closures_free(cl);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("closures");
	TCase *tc = tcase_create("closures");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, closures_are_those_of_a_list);
	tcase_add_test(tc, spans_have_edges);
	tcase_add_test(tc, others_are_passed_over);
	tcase_add_test(tc, old_spans_give_way);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
