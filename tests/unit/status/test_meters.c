/* test_meters.c - the metrics are a mirror of the page: read back from the registry's own text. */
#include "sink/status/meters.h"

#include "tests/unit/unit.h"

enum { NAME_SIZE = 64, MANY = METERS_CELLS + 6 };

struct world {
	struct metrics *registry;
	struct meters meters;
	struct page page;
	struct status_component components[MANY];
	char ids[MANY][NAME_SIZE];
};

static void setup(struct world *w)
{
	*w = (struct world){.registry = metrics_new("millrace-status")};
	ck_assert_ptr_nonnull(w->registry);
	meters_init(&w->meters, w->registry);
	w->page = (struct page){.now_ms = 1000000, .as_of_ms = 1000000, .components = w->components};
}

static void teardown(struct world *w)
{
	metrics_free(w->registry);
}

static void put(struct world *w, const char *id, enum component_state state)
{
	size_t at = w->page.nr_components++;

	snprintf(w->ids[at], NAME_SIZE, "%s", id);
	w->components[at] = (struct status_component){.id = str_from(w->ids[at]), .state = state};
}

/* How often the registry's text has this word. */
static int count(const struct world *w, const char *word)
{
	struct buf text = BUF_INIT;
	int nr = 0;

	metrics_render(w->registry, &text);
	buf_add(&text, "", 1);
	ck_assert(!buf_failed(&text));
	for (const char *at = (const char *)text.p; (at = strstr(at, word)); at++)
		nr++;
	buf_fini(&text);
	return nr;
}

/* Does it have this line? */
static bool says(const struct world *w, const char *line)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	return count(w, whole) == 1;
}

START_TEST(each_component_has_its_state)
{
	struct world w;

	setup(&w);
	ck_assert_int_eq(count(&w, "millrace_status_component_state{"), 0);
	put(&w, "push", COMPONENT_STATE_DEGRADED);
	put(&w, "processing", COMPONENT_STATE_OPERATIONAL);
	put(&w, "storage/main", COMPONENT_STATE_MAJOR_OUTAGE);
	put(&w, "storage/other", COMPONENT_STATE_MAINTENANCE);
	put(&w, "alerts", COMPONENT_STATE_PARTIAL_OUTAGE);
	put(&w, "notifications", COMPONENT_STATE_OPERATIONAL);
	put(&w, "weather", COMPONENT_STATE_MAJOR_OUTAGE); /* of a newer build's state file, say */
	put(&w, "storage/", COMPONENT_STATE_OPERATIONAL);
	meters_follow(&w.meters, &w.page, 0, 0);
	ck_assert(says(&w, "millrace_status_component_state{cell=\"\",kind=\"push\"} 2"));
	ck_assert(says(&w, "millrace_status_component_state{cell=\"\",kind=\"processing\"} 0"));
	ck_assert(says(&w, "millrace_status_component_state{cell=\"main\",kind=\"storage\"} 4"));
	ck_assert(says(&w, "millrace_status_component_state{cell=\"other\",kind=\"storage\"} 1"));
	ck_assert(says(&w, "millrace_status_component_state{cell=\"\",kind=\"alerts\"} 3"));
	ck_assert(says(&w, "millrace_status_component_state{cell=\"\",kind=\"notifications\"} 0"));
	ck_assert_int_eq(count(&w, "weather"), 0);
	ck_assert_int_eq(count(&w, "cell=\"\",kind=\"storage\""), 0);
	ck_assert(says(&w, "millrace_metrics_refused_total 0"));
	teardown(&w);
}
END_TEST

START_TEST(cells_come_and_go)
{
	struct world w;

	setup(&w);
	put(&w, "storage/main", COMPONENT_STATE_OPERATIONAL);
	put(&w, "storage/other", COMPONENT_STATE_DEGRADED);
	meters_follow(&w.meters, &w.page, 0, 0);
	w.page.nr_components = 0;
	put(&w, "storage/other", COMPONENT_STATE_OPERATIONAL);
	meters_follow(&w.meters, &w.page, 0, 0);
	ck_assert_int_eq(count(&w, "cell=\"main\""), 0);
	ck_assert(says(&w, "millrace_status_component_state{cell=\"other\",kind=\"storage\"} 0"));
	put(&w, "storage/main", COMPONENT_STATE_PARTIAL_OUTAGE);
	put(&w, "storage/third", COMPONENT_STATE_OPERATIONAL);
	meters_follow(&w.meters, &w.page, 0, 0);
	ck_assert(says(&w, "millrace_status_component_state{cell=\"main\",kind=\"storage\"} 3"));
	ck_assert_int_eq(count(&w, "kind=\"storage\""), 3);
	teardown(&w);
}
END_TEST

/* Six cells more than there are places: one series for them, the worst of these alone, and none when they have gone. */
START_TEST(cells_are_bounded)
{
	struct world w;
	char id[NAME_SIZE];

	setup(&w);
	for (int i = 0; i < MANY; i++) {
		snprintf(id, sizeof(id), "storage/c%d", i);
		put(&w, id, i == 0 ? COMPONENT_STATE_MAJOR_OUTAGE : i == METERS_CELLS + 2 ? COMPONENT_STATE_DEGRADED : COMPONENT_STATE_OPERATIONAL);
	}
	meters_follow(&w.meters, &w.page, 0, 0);
	ck_assert_int_eq(count(&w, "kind=\"storage\""), METERS_CELLS + 1);
	ck_assert(says(&w, "millrace_status_component_state{cell=\"__other__\",kind=\"storage\"} 2"));
	w.page.nr_components = METERS_CELLS;
	meters_follow(&w.meters, &w.page, 0, 0);
	ck_assert_int_eq(count(&w, "__other__"), 0);
	ck_assert_int_eq(count(&w, "kind=\"storage\""), METERS_CELLS);
	w.page.nr_components = 0;
	meters_follow(&w.meters, &w.page, 0, 0);
	put(&w, "storage/a-name-of-thirty-three-characters", COMPONENT_STATE_DEGRADED);
	meters_follow(&w.meters, &w.page, 0, 0);
	ck_assert(says(&w, "millrace_status_component_state{cell=\"__other__\",kind=\"storage\"} 2"));
	teardown(&w);
}
END_TEST

START_TEST(age_and_counts)
{
	struct world w;
	struct status_incident all[] = {{.state = STATUS_INCIDENT_DRAFT}, {.state = STATUS_INCIDENT_POSTED}, {.state = STATUS_INCIDENT_DRAFT},
					{.state = STATUS_INCIDENT_VETOED}, {.state = STATUS_INCIDENT_RESOLVED}};
	struct status_incident *list[NR(all)];
	struct status_incidents incidents = {.list = list, .nr = NR(all)};

	setup(&w);
	w.page.as_of_ms = 0; /* nothing is known yet */
	meters_follow(&w.meters, &w.page, 0, 0);
	ck_assert(says(&w, "millrace_status_page_age_seconds 0"));
	w.page.now_ms += 90500;
	meters_follow(&w.meters, &w.page, 0, 0);
	ck_assert(says(&w, "millrace_status_page_age_seconds 90.5"));
	w.page.as_of_ms = w.page.now_ms - 3000;
	for (size_t i = 0; i < NR(all); i++)
		list[i] = &all[i];
	w.page.incidents = &incidents;
	meters_follow(&w.meters, &w.page, 7, 5);
	ck_assert(says(&w, "millrace_status_page_age_seconds 3"));
	ck_assert(says(&w, "millrace_status_drafts 2"));
	ck_assert(says(&w, "millrace_status_unwritten_entries 7"));
	ck_assert(says(&w, "millrace_status_updates_due 5"));
	w.page.as_of_ms = w.page.now_ms + 5000; /* a clock was set back */
	meters_follow(&w.meters, &w.page, 0, 0);
	ck_assert(says(&w, "millrace_status_page_age_seconds 0"));
	teardown(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("status meters");
	TCase *tc = tcase_create("meters");

	tcase_add_test(tc, each_component_has_its_state);
	tcase_add_test(tc, cells_come_and_go);
	tcase_add_test(tc, cells_are_bounded);
	tcase_add_test(tc, age_and_counts);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
