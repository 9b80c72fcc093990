/* test_timeline.c - what of the operator log the public is told: which events, of which incident, in which words, and never a name that is nobody else's
 * business. */
#include "sink/status/timeline.h"

#include <string.h>

#include "tests/unit/unit.h"

#define T0 INT64_C(1795734180000)
#define MINUTE INT64_C(60000)

static const struct judge_conf conf = {.cell_titles = "main=Europe,other=America"};

/* A line of the operator log as a program writes it. control NULL: it is none's. */
static void log_line(struct timeline *t, int64_t at, const char *instance, const char *event, const char *control, const char *cell, const char *site)
{
	struct tag fields[] = {{STR("author"), STR("Ann Operator")}, {STR("id"), str_from(control)}, {STR("reason"), STR("secret reason")}};
	struct notice n = {.at = at, .program = STR("millrace-x"), .instance = str_from(instance), .severity = SEVERITY_WARNING, .event = str_from(event),
			   .text = STR("secret text of host-17"), .has_author = true, .author = STR("Ann Operator"), .has_cell = cell != NULL, .cell = str_from(cell),
			   .has_site = site != NULL, .site = str_from(site), .fields = fields, .fields_len = control ? 3 : 1};
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	struct table_row row = {.key = STR("")};

	ck_assert_msg(notice_encode(&n, &b, &err) == 0, "%s", err.msg);
	row.value = buf_str(&b);
	ck_assert_int_eq(timeline_take_row(t, &row, &err), 0);
	memset(b.p, 'x', b.len); /* it was copied */
	buf_fini(&b);
}

/* What an incident of the components ("storage/main push"), that was opened at T0, is told: "+3 sentence; ..", in minutes. */
static const char *told(struct timeline *t, const char *components, char *out, size_t size)
{
	struct str all[4];
	struct status_incident i = {.opened_at = T0, .components = all};
	struct status_moment *moments;
	size_t nr, len = 0;
	struct err err = ERR_INIT;

	while (*components) {
		size_t n = strcspn(components, " ");

		all[i.nr_components++] = (struct str){components, n};
		components += n + (components[n] == ' ');
	}
	ck_assert_int_eq(timeline_tell(t, &i, &moments, &nr, &err), 0);
	out[0] = '\0';
	for (size_t k = 0; k < nr; k++)
		len += (size_t)snprintf(out + len, size - len, "%s%+d " STR_FMT, k ? "; " : "", (int)((moments[k].at - T0) / MINUTE), STR_ARG(moments[k].text));
	ck_assert_uint_lt(len, size);
	return out;
}

static const struct {
	const char *event, *control, *cell, *site, *components;
	const char *says; /* "": nothing */
} events[] = {
	{"breaker_open", NULL, "main", NULL, "storage/main", "+1 The database in Europe stopped taking data; it waits in Kafka."},
	{"breaker_open", NULL, "third", NULL, "storage/third", "+1 The database in third stopped taking data; it waits in Kafka."},
	{"breaker_open", NULL, "main", NULL, "storage/other", ""},
	{"breaker_open", NULL, "main", NULL, "processing push alerts notifications", ""},
	{"breaker_closed", NULL, "main", NULL, "storage/main", "+1 The database in Europe takes data again."},
	{"database_alarm", NULL, "main", NULL, "storage/main", "+1 The database in Europe has not taken data for a minute; people were called."},
	{"control_set", "sink/pause", NULL, NULL, "storage/main", "+1 An operator paused storing."},
	{"control_set", "sink/pause/cell=main", "main", NULL, "storage/main", "+1 An operator paused storing in Europe."},
	{"control_set", "sink/pause/cell=other", "other", NULL, "storage/main", ""},
	{"control_cleared", "sink/pause/cell=main", "main", NULL, "storage/main", "+1 An operator let storing in Europe go on."},
	{"control_expired", "sink/pause/cell=main", "main", NULL, "storage/main", "+1 The pause of storing in Europe ended."},
	{"control_set", "sink/drop/site=shop", "main", "shop", "storage/main", ""},
	{"control_set", "sink/drop/kind=hourly", "main", NULL, "storage/main", ""},
	{"control_set", "ingest/close", NULL, NULL, "push", "+1 An operator closed the Push API; agents keep their data."},
	{"control_set", "ingest/close/cell=main", "main", NULL, "push", "+1 An operator closed the Push API in Europe; agents keep their data."},
	{"control_set", "ingest/close/site=shop", NULL, "shop", "push", ""},
	{"control_set", "ingest/close", NULL, "shop", "push", ""},
	{"breaker_open", NULL, "main", "shop", "storage/main", ""},
	{"control_set", "ingest/close/site=shop", NULL, NULL, "push", ""}, /* a program that does not say whose it is */
	{"control_set", "ingest/close/cell=main/site=shop", "main", NULL, "push", ""},
	{"control_set", "ingest/closest", NULL, NULL, "push", ""},
	{"control_cleared", "ingest/close", NULL, NULL, "push", "+1 An operator opened the Push API again."},
	{"control_expired", "ingest/close", NULL, NULL, "push", "+1 The Push API is open again."},
	{"control_set", "processor/mute", NULL, NULL, "alerts", "+1 An operator muted alerts."},
	{"control_set", "processor/mute/trigger=shop-is-slow", NULL, NULL, "alerts", ""},
	{"control_cleared", "processor/mute", NULL, NULL, "alerts", "+1 An operator unmuted alerts."},
	{"control_expired", "processor/mute", NULL, NULL, "alerts", "+1 Alerts are judged again."},
	{"control_set", "notify/pause", NULL, NULL, "notifications", "+1 An operator held notifications back."},
	{"control_cleared", "notify/pause", NULL, NULL, "notifications", "+1 An operator let notifications go again."},
	{"control_expired", "notify/pause", NULL, NULL, "notifications", "+1 Notifications go again."},
	{"control_set", "notify/drop/cell=main", "main", NULL, "notifications", "+1 An operator had alerts in Europe dropped without notifications."},
	{"control_cleared", "notify/drop", NULL, NULL, "notifications", "+1 An operator had notifications sent again."},
	{"control_expired", "notify/drop", NULL, NULL, "notifications", "+1 Notifications are sent again."},
	{"instance_fenced", NULL, NULL, NULL, "processing", "+1 An instance was replaced by another."},
	{"consumer_failed", NULL, "main", NULL, "processing alerts", "+1 An instance in Europe failed, and another took its work over."},
	{"consumer_failed", NULL, "main", NULL, "alerts", ""},
	{"alerts_dropped", NULL, "main", NULL, "notifications", ""},
	{"started", NULL, "main", NULL, "storage/main", ""},
	{"breaker_opened", NULL, "main", NULL, "storage/main", ""},
	{"control_set", NULL, NULL, NULL, "push", ""},
};

START_TEST(an_event)
{
	struct timeline *t = timeline_new(&conf, NULL);
	char text[1000];

	log_line(t, T0 + MINUTE, "one", events[_i].event, events[_i].control, events[_i].cell, events[_i].site);
	ck_assert_str_eq(told(t, events[_i].components, text, sizeof(text)), events[_i].says);
	timeline_free(t);
}
END_TEST

/* From a quarter of an hour before on; partitions are read one behind the other. */
START_TEST(in_order)
{
	struct timeline *t = timeline_new(&conf, NULL);
	char text[1000];

	log_line(t, T0 + 9 * MINUTE, "one", "breaker_closed", NULL, "main", NULL);
	log_line(t, T0 - 16 * MINUTE, "one", "breaker_open", NULL, "main", NULL);
	log_line(t, T0 - 15 * MINUTE, "one", "breaker_open", NULL, "main", NULL);
	log_line(t, T0 + 2 * MINUTE, "one", "database_alarm", NULL, "main", NULL);
	ck_assert_str_eq(told(t, "storage/main", text, sizeof(text)),
			 "-15 The database in Europe stopped taking data; it waits in Kafka.; +2 The database in Europe has not taken data for a minute; people were "
			 "called.; +9 The database in Europe takes data again.");
	timeline_free(t);
}
END_TEST

/* Three instances saw it once: it came once. One of them saw it twice: it came twice. What lies between ends a run, and what is another cell's does not. */
START_TEST(neighbours_are_told_once)
{
	struct timeline *t = timeline_new(&conf, NULL);
	char text[1000];

	for (int k = 0; k < 3; k++)
		log_line(t, T0 + k, (const char *[]){"a", "b", "c"}[k], "breaker_open", NULL, "main", NULL);
	log_line(t, T0 + 3, "d", "breaker_open", NULL, "other", NULL);
	log_line(t, T0 + MINUTE, "a", "breaker_open", NULL, "main", NULL);
	ck_assert_str_eq(told(t, "storage/main", text, sizeof(text)), "+0 The database in Europe stopped taking data; it waits in Kafka. (2 times)");
	log_line(t, T0 + 2 * MINUTE, "a", "breaker_closed", NULL, "main", NULL);
	log_line(t, T0 + 3 * MINUTE, "a", "breaker_open", NULL, "main", NULL);
	ck_assert_str_eq(told(t, "storage/main", text, sizeof(text)),
			 "+0 The database in Europe stopped taking data; it waits in Kafka. (2 times); +2 The database in Europe takes data again.; "
			 "+3 The database in Europe stopped taking data; it waits in Kafka.");
	timeline_free(t);
}
END_TEST

/* Of what flaps, how it ended; of what is too much to keep, the newest. */
START_TEST(bounds)
{
	struct timeline *t = timeline_new(&conf, NULL);
	struct str main_only = STR("storage/main");
	struct status_incident i = {.opened_at = T0, .components = &main_only, .nr_components = 1};
	struct status_moment *moments;
	size_t nr;

	log_line(t, T0, "a", "breaker_open", NULL, "main", NULL);
	for (int k = 1; k <= TIMELINE_KEPT; k++)
		log_line(t, T0 + k, "a", k % 2 ? "breaker_closed" : "breaker_open", NULL, k < TIMELINE_KEPT - 80 ? "other" : "main", NULL);
	ck_assert_int_eq(timeline_tell(t, &i, &moments, &nr, NULL), 0);
	ck_assert_uint_eq(nr, TIMELINE_MOMENTS_MAX);
	ck_assert_int_eq(moments[0].at, T0 + TIMELINE_KEPT - 49);
	ck_assert_int_eq(moments[49].at, T0 + TIMELINE_KEPT);
	for (int k = 0; k < TIMELINE_KEPT - 10; k++)
		log_line(t, T0 + 9999, "a", "breaker_open", NULL, "other", NULL);
	ck_assert_int_eq(timeline_tell(t, &i, &moments, &nr, NULL), 0);
	ck_assert_uint_eq(nr, 10);
	timeline_free(t);
}
END_TEST

/* Whatever stands in the log: titles that are long are cut, and what the fold would refuse never comes out. */
START_TEST(long_titles)
{
	char titles[1000] = "main=", text[2000];
	struct judge_conf long_conf = {.cell_titles = titles};
	struct timeline *t = timeline_new(&long_conf, NULL);
	struct str main_only = STR("storage/main");
	struct status_incident i = {.opened_at = T0, .components = &main_only, .nr_components = 1};
	struct status_moment *moments;
	size_t nr;

	for (size_t at = strlen(titles), k = 0; k < 400; k++, at += 2)
		memcpy(titles + at, "\xc3\xa4", 3);
	log_line(t, T0, "a", "breaker_open", NULL, "main", NULL);
	ck_assert_int_eq(timeline_tell(t, &i, &moments, &nr, NULL), 0);
	ck_assert_uint_le(moments[0].text.len, STATUS_MOMENT_TEXT_MAX);
	ck_assert(str_is_line(moments[0].text));
	log_line(t, T0, "a", "breaker_open", NULL, "a-cell-whose-name-is-longer-than-any-cell-may-be-called", NULL);
	told(t, "storage/main", text, sizeof(text));
	ck_assert_ptr_null(strchr(text, ';')); /* no name of a cell, and so not of all cells */
	timeline_free(t);
}
END_TEST

START_TEST(broken_rows)
{
	struct timeline *t = timeline_new(&conf, NULL);
	struct table_row row = {.key = STR(""), .value = STR("\x00\x00\x00\x00\x01zzz")};
	struct err err = ERR_INIT;
	char text[100];

	ck_assert_int_eq(timeline_take_row(t, &row, &err), -1);
	row.value = (struct str){NULL, 0};
	ck_assert_int_eq(timeline_take_row(t, &row, NULL), 0);
	ck_assert_str_eq(told(t, "storage/main", text, sizeof(text)), "");
	timeline_free(t);
	timeline_free(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("timeline");
	TCase *tc = tcase_create("timeline");

	tcase_add_loop_test(tc, an_event, 0, NR(events));
	tcase_add_test(tc, in_order);
	tcase_add_test(tc, neighbours_are_told_once);
	tcase_add_test(tc, bounds);
	tcase_add_test(tc, long_titles);
	tcase_add_test(tc, broken_rows);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
