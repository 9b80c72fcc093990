/* test_controls_model.c - random words of the topic and of the port, against a model of two words a site. */
#include "tests/unit/common/controls_fixture.h"

enum { SITES = 6, ROUNDS = 20000 };

/* One side's last word. */
struct said {
	bool any, sets;
	int64_t at, ends;
};

/* What was said about each site, and what controls_next_change() has told so far. */
struct model {
	struct said topic[SITES], port[SITES];
	bool told[SITES];
};

/* The later of two; the port's, where both were said at once. */
static struct said later(const struct model *m, size_t site)
{
	const struct said *topic = &m->topic[site], *port = &m->port[site];

	return !topic->any || (port->any && port->at >= topic->at) ? *port : *topic;
}

static bool is_on(const struct model *m, size_t site, int64_t now)
{
	struct said said = later(m, site);

	return said.any && said.sets && said.ends > now;
}

static void put(struct fixture *f, struct model *m, size_t site, const struct control *c)
{
	struct said holds = later(m, site);
	enum controls_answer wanted = CONTROLS_DONE;

	if (c->expires_at <= f->clock.start_ms)
		wanted = CONTROLS_BAD;
	else if (holds.any && holds.at > c->created_at)
		wanted = CONTROLS_OLDER;
	else
		m->port[site] = (struct said){true, true, c->created_at, c->expires_at};
	ck_assert_int_eq(controls_put(f->c, c, NULL), wanted);
}

static void clear(struct fixture *f, struct model *m, size_t site, const char *id)
{
	bool on = is_on(m, site, f->clock.start_ms);
	int64_t at = later(m, site).at;

	ck_assert_int_eq(controls_clear(f->c, str_from(id), NULL), on ? CONTROLS_DONE : CONTROLS_UNKNOWN);
	if (on)
		m->port[site] = (struct said){true, false, at > f->clock.start_ms ? at : f->clock.start_ms, 0};
}

/* One word about a site, or a step of time. */
static void step(struct fixture *f, struct model *m, struct unit_random *random)
{
	size_t site = unit_random_below(random, SITES);
	int64_t at = f->clock.start_ms - (int64_t)unit_random_below(random, 20);
	struct record r;
	char name[8];

	snprintf(name, sizeof(name), "s%zu", site);
	close_record(&r, NULL, name, at)->expires_at = at + 1 + (int64_t)unit_random_below(random, 60);
	switch (unit_random_below(random, 5)) {
	case 0:
		must_take(f, &r.control);
		m->topic[site] = (struct said){true, true, at, r.control.expires_at};
		break;
	case 1:
		take_deletion(f, r.id, at);
		m->topic[site] = (struct said){true, false, at, 0};
		break;
	case 2:
		put(f, m, site, &r.control);
		break;
	case 3:
		clear(f, m, site, r.id);
		break;
	default:
		f->clock.start_ms += (int64_t)unit_random_below(random, 15);
	}
}

/* An end is told only of what was told to be set. */
static void follow(struct fixture *f, struct model *m)
{
	struct control_change change;

	while (controls_next_change(f->c, &change)) {
		bool *told = &m->told[change.id[strlen(change.id) - 1] - '0'];

		ck_assert(change.event == CONTROL_EVENT_SET || *told);
		*told = change.event == CONTROL_EVENT_SET;
	}
}

START_TEST(random_words)
{
	struct unit_random random = unit_random_new("controls");
	struct model m = {0};
	struct fixture f;

	setup(&f);
	for (int round = 0; round < ROUNDS; round++) {
		bool told = unit_random_below(&random, 3) == 0;

		step(&f, &m, &random);
		if (told)
			follow(&f, &m);
		for (size_t site = 0; site < SITES; site++) {
			bool on = is_on(&m, site, f.clock.start_ms);
			char name[8];

			snprintf(name, sizeof(name), "s%zu", site);
			ck_assert_msg(closed(&f, "", name) == on, "round %d, %s", round, name);
			ck_assert_msg(!told || m.told[site] == on, "round %d, %s: told otherwise", round, name);
		}
	}
	teardown(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("controls/model");
	TCase *tc = tcase_create("controls/model");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, random_words);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
