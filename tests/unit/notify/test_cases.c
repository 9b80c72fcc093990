/* test_cases.c - incidents in memory: what events make of them, their bounds, their records and back. */
#include "sink/notify/cases.h"

#include "tests/unit/unit.h"

static const struct alert_event plain = {
	.kind = ALERT_EVENT_KIND_OPENED, .trigger = {"slow", 4}, .cell = {"main", 4}, .site = {"shop", 4}, .site_name = {"Shop", 4}, .description = {"d", 1},
	.condition = {"c", 1}, .warm_up_minutes = 1, .cooldown_minutes = 1, .name = {"m", 1}, .reason = {"", 0}, .opened_at = 60000, .minute = 60000,
	.at = 120000,
};

static struct alert_event event(enum alert_event_kind kind, uint32_t series, int64_t opened_ms)
{
	struct alert_event ev = plain;

	ev.kind = kind;
	memcpy(ev.fingerprint + 12, &series, sizeof(series));
	memcpy(ev.episode + 4, &series, sizeof(series));
	memcpy(ev.episode + 8, &opened_ms, sizeof(opened_ms));
	ev.opened_at = opened_ms;
	return ev;
}

static enum case_taken apply(struct cases *cs, const struct alert_event *ev, struct one_case **of)
{
	enum case_taken taken;
	struct err err = ERR_INIT;

	ck_assert_msg(cases_apply(cs, ev->at, ev, &taken, of, &err) == 0, "%s", err.msg);
	ck_assert((taken == CASE_TAKEN) == (*of != NULL));
	return taken;
}

static enum case_taken opens(struct cases *cs, uint32_t series, int64_t opened_ms, struct one_case **of)
{
	struct alert_event ev = event(ALERT_EVENT_KIND_OPENED, series, opened_ms);

	return apply(cs, &ev, of);
}

static enum case_taken closes(struct cases *cs, uint32_t series, int64_t opened_ms, struct one_case **of)
{
	struct alert_event ev = event(ALERT_EVENT_KIND_CLOSED, series, opened_ms);

	return apply(cs, &ev, of);
}

/* As if another process had read its record. */
static struct one_case *reload(struct cases *cs, const struct one_case *c, int64_t now_ms)
{
	struct arena arena = ARENA_INIT;
	struct buf b = BUF_INIT;
	struct incident rec, back;
	uint8_t id[16];

	memcpy(id, c->rec.id, 16);
	ck_assert_int_eq(case_record(c, &arena, &rec, NULL), 0);
	ck_assert_int_eq(incident_encode(&rec, &b, NULL), 0);
	cases_reset(cs);
	ck_assert_int_eq(incident_decode(buf_str(&b), &arena, &back, NULL), 0);
	ck_assert_int_eq(cases_load(cs, now_ms, &back, NULL), 0);
	buf_fini(&b);
	arena_fini(&arena);
	return cases_find(cs, id);
}

/* XXH3-128, canonical, of 04 00 "shop" 04 00 "slow" 00 00 00 00 00 00 ea 60: computed by Python's binding of XXH3. */
START_TEST(id)
{
	static const uint8_t expected[16] = {0x80, 0xff, 0x77, 0x7f, 0xa0, 0x79, 0xc6, 0x8e, 0x5a, 0xb1, 0x02, 0x69, 0x16, 0xe0, 0x86, 0xef};
	uint8_t got[16];

	case_id(STR("shop"), STR("slow"), 60000, got);
	ck_assert_mem_eq(got, expected, 16);
	case_id(STR("shops"), STR("low"), 60000, got);
	ck_assert_mem_ne(got, expected, 16);
}
END_TEST

START_TEST(versions)
{
	struct cases cs;
	struct one_case *c, *of;
	struct alert_event moved = event(ALERT_EVENT_KIND_MOVED, 1, 60000);

	cases_init(&cs, 100, 1 << 20);
	opens(&cs, 1, 60000, &c);
	opens(&cs, 2, 60000, &of);
	ck_assert_int_eq(c->rec.version, 1); /* one record for both */
	c->dirty = false; /* as it was handed over */
	TAILQ_REMOVE(&cs.dirty, c, in_dirty);
	apply(&cs, &moved, &of);
	ck_assert_int_eq(c->rec.version, 2);
	ck_assert_int_eq(c->rec.changed_version, 1); /* no news */
	closes(&cs, 2, 60000, &of);
	ck_assert_int_eq(c->rec.version, 2);
	ck_assert_int_eq(c->rec.changed_version, 2);
	ck_assert_int_eq(c->listed[0]->changed, 1);
	ck_assert_int_eq(c->listed[1]->changed, 2);
	ck_assert_int_eq(c->rec.open_alerts, 1);
	ck_assert_int_eq(c->rec.alerts_total, 2);
	cases_fini(&cs);
}
END_TEST

START_TEST(record_and_back)
{
	struct cases cs;
	struct one_case *c, *of;
	struct alert_event ev = event(ALERT_EVENT_KIND_OPENED, 1, 60000);
	struct tag tags[] = {{STR("host"), STR("web")}, {STR("zone"), STR("eu")}};
	struct str names[] = {STR("ops"), STR("boss")};
	struct ack ack = {.author = STR("ann"), .reason = STR("on it"), .at = 99};

	cases_init(&cs, 100, 1 << 20);
	ev.tags = tags;
	ev.tags_len = 2;
	ev.receivers = names;
	ev.receivers_len = 2;
	ev.severity = ALERT_SEVERITY_CRITICAL;
	ev.has_value = true;
	ev.value = 4.5;
	apply(&cs, &ev, &c);
	ev.kind = ALERT_EVENT_KIND_MOVED;
	apply(&cs, &ev, &of);
	ck_assert_int_eq(cases_acknowledge(&cs, c, &ack, 200000, NULL), 0);
	c = reload(&cs, c, 300000);
	ck_assert_int_eq(c->rec.severity, ALERT_SEVERITY_CRITICAL);
	ck_assert(str_eq(c->rec.acked_by, STR("ann")) && str_eq(c->rec.ack_reason, STR("on it")) && c->rec.acked_at == 99);
	ck_assert(c->rec.receivers_len == 2 && str_eq(c->rec.receivers[1], STR("boss")));
	ck_assert(c->listed[0]->tags_len == 2 && str_eq(c->listed[0]->tags[1].value, STR("eu")) && str_eq(c->listed[0]->name, STR("m")));
	ck_assert(c->listed[0]->has_value && c->listed[0]->value == 4.5);
	ck_assert_int_eq(c->listed[0]->join_until_ms, 120000 + 7 * 60000);
	ck_assert_uint_eq(c->nr_moved, 1);
	ck_assert_int_eq(c->nr_unknown, 0);
	ck_assert_int_eq(cases_expire(&cs, c, 120000 + 7 * 60000), 120000 + 7 * 60000 + 1);
	ck_assert_int_eq(c->rec.state, INCIDENT_STATE_OPEN);
	ck_assert_int_eq(cases_expire(&cs, c, 120000 + 7 * 60000 + 1), INT64_MAX);
	ck_assert_int_eq(c->rec.state, INCIDENT_STATE_RESOLVED);
	ck_assert_int_eq(c->listed[0]->closed_ms, 120000 + 7 * 60000);
	cases_fini(&cs);
	ck_assert_uint_eq(cs.bytes, 0);
}
END_TEST

/* To the last moment of its time one that has moved goes on, and after it another begins, also when nobody has looked in between. */
START_TEST(join)
{
	struct cases cs;
	struct one_case *c, *of;
	struct alert_event ev = event(ALERT_EVENT_KIND_MOVED, 1, 60000);

	cases_init(&cs, 100, 1 << 20);
	opens(&cs, 1, 60000, &c);
	apply(&cs, &ev, &of);
	ev = event(ALERT_EVENT_KIND_OPENED, 1, 180000);
	ev.at = 120000 + 7 * 60000 + _i;
	ck_assert_int_eq(apply(&cs, &ev, &of), CASE_TAKEN);
	ck_assert_ptr_eq(of, c);
	ck_assert_int_eq(c->listed[0]->opened_ms, _i ? 180000 : 60000);
	ck_assert_uint_eq(c->nr_moved, 0);
	ck_assert_int_eq(c->rec.open_alerts, 1);
	cases_fini(&cs);
}
END_TEST

/* Twelve hundred alerts: a thousand are listed, of the others the number is right, also when they close, twice, and after a restart in between. */
START_TEST(more_than_are_listed)
{
	enum { ALL = 1200 };
	struct cases cs;
	struct one_case *c = NULL, *of;

	cases_init(&cs, 100, 64 << 20);
	for (uint32_t i = 0; i < ALL; i++)
		opens(&cs, i, 60000, &c);
	ck_assert_int_eq(opens(&cs, ALL - 1, 60000, &of), CASE_IGNORED);
	ck_assert_uint_eq(c->nr_listed, CASE_LISTED_MAX);
	ck_assert_int_eq(c->rec.open_alerts, ALL);
	ck_assert_int_eq(c->rec.alerts_total, ALL);
	ck_assert_int_eq(closes(&cs, ALL - 1, 60000, &of), CASE_TAKEN);
	ck_assert_int_eq(closes(&cs, ALL - 1, 60000, &of), CASE_IGNORED);
	ck_assert_int_eq(c->rec.open_alerts, ALL - 1);
	if (_i)
		c = reload(&cs, c, 200000);
	for (uint32_t i = 0; i < ALL - 1; i++) {
		ck_assert_int_eq(c->rec.state, INCIDENT_STATE_OPEN);
		ck_assert_int_eq(closes(&cs, ALL - 2 - i, 60000, &of), CASE_TAKEN);
		ck_assert_int_eq(closes(&cs, ALL - 2 - i, 60000, &of), CASE_IGNORED);
	}
	ck_assert_int_eq(c->rec.open_alerts, 0);
	ck_assert_int_eq(c->rec.state, INCIDENT_STATE_RESOLVED);
	cases_fini(&cs);
	ck_assert_uint_eq(cs.bytes, 0);
}
END_TEST

/* Partitions are read in no order: what opened a minute earlier may come later, and be but a number after a restart. Its closing counts. */
START_TEST(unlisted_of_an_earlier_minute)
{
	struct cases cs;
	struct one_case *c = NULL, *of;

	cases_init(&cs, 100, 64 << 20);
	for (uint32_t i = 0; i < CASE_LISTED_MAX + 10; i++)
		opens(&cs, i, i < CASE_LISTED_MAX ? 120000 : 60000, &c);
	c = reload(&cs, c, 200000);
	ck_assert_int_eq(c->nr_unknown, 10);
	for (uint32_t i = 0; i < CASE_LISTED_MAX + 10; i++)
		ck_assert_int_eq(closes(&cs, i, i < CASE_LISTED_MAX ? 120000 : 60000, &of), CASE_TAKEN);
	ck_assert_int_eq(c->rec.state, INCIDENT_STATE_RESOLVED);
	cases_fini(&cs);
}
END_TEST

/* One that is but a number opens elsewhere before it is said to have moved: it is one alert, not two of which one never ends. */
START_TEST(unlisted_moves)
{
	enum { X = CASE_LISTED_MAX };
	struct cases cs;
	struct one_case *c = NULL, *of;
	struct alert_event moved = event(ALERT_EVENT_KIND_MOVED, X, 60000);

	cases_init(&cs, 100, 64 << 20);
	for (uint32_t i = 0; i <= X; i++)
		opens(&cs, i, 60000, &c);
	c = reload(&cs, c, 200000);
	opens(&cs, X, 120000, &of);
	if (_i)
		moved.kind = ALERT_EVENT_KIND_CLOSED;
	ck_assert_int_eq(apply(&cs, &moved, &of), CASE_TAKEN);
	ck_assert_int_eq(apply(&cs, &moved, &of), CASE_IGNORED);
	ck_assert_int_eq(c->rec.alerts_total, X + 1);
	ck_assert_int_eq(c->rec.open_alerts, X + 1);
	for (uint32_t i = 0; i < X; i++)
		closes(&cs, i, 60000, &of);
	ck_assert_int_eq(c->rec.open_alerts, 1);
	ck_assert_int_eq(closes(&cs, X, 120000, &of), CASE_TAKEN);
	ck_assert_int_eq(c->rec.state, INCIDENT_STATE_RESOLVED);
	cases_fini(&cs);
}
END_TEST

/* With no memory left for them alerts are a number, and incidents are refused unless one that is over gives way. */
START_TEST(bounded)
{
	struct cases cs;
	struct one_case *c, *of;
	struct alert_event ev;

	cases_init(&cs, 2, 1 << 20);
	opens(&cs, 1, 60000, &c);
	cs.bytes_max = cs.bytes;
	opens(&cs, 2, 60000, &of);
	opens(&cs, 3, 60000, &of);
	ck_assert_uint_eq(c->nr_listed, 1);
	ck_assert_int_eq(c->nr_unknown, 2);
	closes(&cs, 2, 60000, &of);
	closes(&cs, 1, 60000, &of);
	ck_assert_int_eq(c->rec.state, INCIDENT_STATE_OPEN);
	closes(&cs, 3, 60000, &of);
	ck_assert_int_eq(c->rec.state, INCIDENT_STATE_RESOLVED);
	cs.bytes_max = 1 << 20;
	ev = event(ALERT_EVENT_KIND_OPENED, 1, 60000);
	ev.trigger = STR("second");
	ck_assert_int_eq(apply(&cs, &ev, &of), CASE_TAKEN);
	ev.trigger = STR("third");
	ck_assert_int_eq(apply(&cs, &ev, &of), CASE_REFUSED); /* c is to be written yet */
	c->dirty = false;
	TAILQ_REMOVE(&cs.dirty, c, in_dirty);
	ck_assert_int_eq(apply(&cs, &ev, &of), CASE_TAKEN);
	ck_assert_uint_eq(cs.by_id.len, 2);
	ev.trigger = STR("fourth");
	ck_assert_int_eq(apply(&cs, &ev, &of), CASE_REFUSED);
	cases_fini(&cs);
	ck_assert_uint_eq(cs.bytes, 0);
}
END_TEST

/* A record is no larger than a message may be, however long the tags. */
START_TEST(large_tags)
{
	static char text[4000];
	struct str value = {memset(text, 'x', sizeof(text)), sizeof(text)};
	struct tag tag = {STR("host"), value};
	struct arena arena = ARENA_INIT;
	struct buf b = BUF_INIT;
	struct incident rec;
	struct cases cs;
	struct one_case *c = NULL;

	cases_init(&cs, 100, 64 << 20);
	for (uint32_t i = 0; i < 1000; i++) {
		struct alert_event ev = event(ALERT_EVENT_KIND_OPENED, i, 60000);

		ev.tags = &tag;
		ev.tags_len = 1;
		apply(&cs, &ev, &c);
	}
	ck_assert_int_eq(case_record(c, &arena, &rec, NULL), 0);
	ck_assert_int_eq(incident_encode(&rec, &b, NULL), 0);
	ck_assert_uint_le(b.len, (1 << 20) + 8192);
	ck_assert_uint_gt(c->nr_listed, 200);
	ck_assert_int_eq(c->rec.open_alerts, 1000);
	buf_fini(&b);
	arena_fini(&arena);
	cases_fini(&cs);
}
END_TEST

static struct one_case *summary(struct cases *cs, uint8_t number, int64_t opened_ms, int64_t at_ms)
{
	struct alert_event ev = event(ALERT_EVENT_KIND_SUMMARY, 0, opened_ms);
	struct one_case *of;

	ev.id[0] = number;
	ev.opened = 3;
	ev.closed = 2;
	ev.at = at_ms;
	apply(cs, &ev, &of);
	return of;
}

START_TEST(summaries)
{
	struct cases cs;
	struct one_case *first, *c, *of;

	cases_init(&cs, 100, 1 << 20);
	first = summary(&cs, 1, 60000, 120000);
	ck_assert_int_eq(first->rec.state, INCIDENT_STATE_RESOLVED);
	ck_assert(first->rec.has_resolved_at);
	ck_assert_ptr_null(summary(&cs, 1, 60000, 120000)); /* again */
	ck_assert_ptr_eq(summary(&cs, 2, 0, 130000), first); /* another partition's */
	ck_assert_int_eq(first->rec.behind_opened, 6);
	ck_assert_int_eq(first->rec.behind_closed, 4);
	c = summary(&cs, 3, 90000, 500000); /* another story */
	ck_assert_ptr_ne(c, first);
	opens(&cs, 1, 600000, &c);
	ck_assert_ptr_eq(summary(&cs, 4, 700000, 700000), c);
	ck_assert_int_eq(c->rec.alerts_total, 1);
	ck_assert_int_eq(c->rec.behind_opened, 3);
	ck_assert_int_eq(closes(&cs, 1, 600000, &of), CASE_TAKEN);
	ck_assert_int_eq(c->rec.state, INCIDENT_STATE_RESOLVED);
	for (int i = 0; i < 200; i++)
		summary(&cs, (uint8_t)i, 60000, 120000);
	ck_assert_uint_le(first->nr_summaries, CASE_SUMMARIES_MAX);
	cases_fini(&cs);
	ck_assert_uint_eq(cs.bytes, 0);
}
END_TEST

/* Records come in the order of their topic: the newest of an incident counts, and of a trigger's the one that is open. */
START_TEST(loading)
{
	struct cases cs;
	struct incident rec = {.id = {1}, .site = STR("shop"), .trigger = STR("slow"), .state = INCIDENT_STATE_OPEN, .version = 2, .open_alerts = 5,
			       .alerts_total = 9};
	struct one_case *of;
	struct alert_event ev;

	cases_init(&cs, 100, 1 << 20);
	ck_assert_int_eq(cases_load(&cs, 100, &rec, NULL), 0);
	rec.version = 1;
	rec.state = INCIDENT_STATE_RESOLVED;
	ck_assert_int_eq(cases_load(&cs, 100, &rec, NULL), 0);
	ck_assert_int_eq(cases_find(&cs, rec.id)->rec.version, 2);
	rec.id[0] = 2; /* over, and younger */
	rec.created_at = 50;
	rec.resolved_at = 60;
	rec.open_alerts = 0;
	ck_assert_int_eq(cases_load(&cs, 100, &rec, NULL), 0);
	ck_assert_uint_eq(cs.by_id.len, 2);
	ck_assert_uint_eq(cs.nr_open, 1);
	ev = event(ALERT_EVENT_KIND_CLOSED, 7, 60000);
	ck_assert_int_eq(apply(&cs, &ev, &of), CASE_TAKEN);
	ck_assert_int_eq(of->rec.id[0], 1);
	ck_assert_int_eq(of->rec.open_alerts, 4);
	ck_assert_int_eq(of->nr_unknown, 4);
	rec.id[0] = 3; /* over for a week */
	ck_assert_int_eq(cases_load(&cs, 60 + CASE_OWED_MS, &rec, NULL), 0);
	ck_assert_ptr_null(cases_find(&cs, rec.id));
	ck_assert_int_eq(cases_load(&cs, 59 + CASE_OWED_MS, &rec, NULL), 0); /* somebody may still have to be told */
	ck_assert_ptr_nonnull(cases_find(&cs, rec.id));
	rec.id[0] = 2;
	rec.version = 9;
	ck_assert_int_eq(cases_load(&cs, 60 + CASE_OWED_MS, &rec, NULL), 0);
	ck_assert_ptr_null(cases_find(&cs, rec.id));
	cases_fini(&cs);
}
END_TEST

/* There may be more in the topic than there is room for: the youngest stay, and whatever is open. */
START_TEST(loading_is_bounded)
{
	struct cases cs;
	struct incident rec = {.site = STR("shop"), .trigger = STR("slow"), .state = INCIDENT_STATE_RESOLVED, .version = 1, .alerts_total = 1};
	uint8_t first[16] = {0}, last[16] = {0};

	cases_init(&cs, 100, 1 << 20);
	for (int64_t i = 1; i <= 1000; i++) {
		memcpy(rec.id, &i, sizeof(i));
		memcpy(i == 1 ? first : last, rec.id, sizeof(last));
		rec.created_at = rec.resolved_at = i;
		rec.state = i == 1 ? INCIDENT_STATE_OPEN : INCIDENT_STATE_RESOLVED;
		rec.open_alerts = i == 1;
		ck_assert_int_eq(cases_load(&cs, 1000, &rec, NULL), 0);
		ck_assert_uint_le(cs.by_id.len, 100);
	}
	ck_assert_ptr_nonnull(cases_find(&cs, first));
	ck_assert_ptr_nonnull(cases_find(&cs, last));
	cases_fini(&cs);
}
END_TEST

/* A trigger that is changed: the incident goes by the newest. */
START_TEST(text_follows)
{
	struct cases cs;
	struct one_case *c, *of;
	struct alert_event ev = event(ALERT_EVENT_KIND_OPENED, 2, 60000);
	struct str names[] = {STR("ops")};

	cases_init(&cs, 100, 1 << 20);
	opens(&cs, 1, 60000, &c);
	ev.description = STR("another, and longer");
	ev.receivers = names;
	ev.receivers_len = 1;
	ev.severity = ALERT_SEVERITY_CRITICAL;
	apply(&cs, &ev, &of);
	ck_assert_ptr_eq(of, c);
	ck_assert(str_eq(c->rec.description, STR("another, and longer")) && c->rec.receivers_len == 1);
	ck_assert(str_eq(c->rec.site, STR("shop")) && str_eq(c->rec.trigger, STR("slow")));
	ck_assert_int_eq(c->rec.severity, ALERT_SEVERITY_CRITICAL);
	cases_fini(&cs);
	ck_assert_uint_eq(cs.bytes, 0);
}
END_TEST

START_TEST(names_too_long)
{
	static char text[300];
	struct alert_event ev = event(ALERT_EVENT_KIND_OPENED, 1, 0);
	enum case_taken taken;
	struct one_case *of;
	struct err err = ERR_INIT;
	struct cases cs;

	cases_init(&cs, 100, 1 << 20);
	ev.site = (struct str){memset(text, 'x', sizeof(text)), sizeof(text)};
	ck_assert_int_eq(cases_apply(&cs, 0, &ev, &taken, &of, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	cases_fini(&cs);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cases");
	TCase *tc = tcase_create("cases");

	tcase_add_test(tc, id);
	tcase_add_test(tc, versions);
	tcase_add_test(tc, record_and_back);
	tcase_add_loop_test(tc, join, 0, 2);
	tcase_add_loop_test(tc, more_than_are_listed, 0, 2);
	tcase_add_test(tc, bounded);
	tcase_add_test(tc, large_tags);
	tcase_add_test(tc, summaries);
	tcase_add_test(tc, loading);
	tcase_add_test(tc, loading_is_bounded);
	tcase_add_test(tc, unlisted_of_an_earlier_minute);
	tcase_add_loop_test(tc, unlisted_moves, 0, 2);
	tcase_add_test(tc, text_follows);
	tcase_add_test(tc, names_too_long);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
