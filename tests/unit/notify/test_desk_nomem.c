/* test_desk_nomem.c - a desk without memory, at each allocation in turn: what was called for is called for again, and in the end all is told as if
 * nothing had been. */
#include "tests/unit/fail_alloc.h"
#include "tests/unit/notify/desk_world.h"

struct life {
	struct desk *desk;
	struct fail_walk *walk;
	struct buf rows[3];
	struct arena arena;
	char told[256];
};

static const uint8_t incident_id[16] = {0x80, 0xff, 0x77, 0x7f, 0xa0, 0x79, 0xc6, 0x8e, 0x5a, 0xb1, 0x02, 0x69, 0x16, 0xe0, 0x86, 0xef}; /* of slow, minute 1 */

static void make_rows(struct buf rows[3])
{
	struct receiver r = world_plain_receiver("ops");
	struct silence s = {.id = STR("aaaaaaaa"), .reason = STR("r"), .author = STR("a"), .starts_at = 0, .ends_at = 70000};
	struct ack ack = {.author = STR("ann"), .reason = STR("on it"), .at = 90000};

	memcpy(ack.incident, incident_id, 16);
	ck_assert_int_eq(receiver_encode(&r, &rows[0], NULL) + silence_encode(&s, &rows[1], NULL) + ack_encode(&ack, &rows[2], NULL), 0);
}

/* A step failed: memory is there again from now on, and it is taken once more. */
static bool again(struct life *l, int rc, const struct err *err)
{
	if (rc >= 0)
		return false;
	ck_assert_msg(err->kind == ERR_FATAL, "%s", err->msg);
	ck_assert(fail_walk_end(l->walk));
	return true;
}

static void row(struct life *l, int i, struct str key)
{
	static const table_row_fn takes[] = {desk_take_receiver, desk_take_silence, desk_take_ack};
	struct table_row r = {.key = key, .value = buf_str(&l->rows[i])};
	struct err err = ERR_INIT;

	if (again(l, takes[i](l->desk, &r, &err), &err))
		ck_assert_int_eq(takes[i](l->desk, &r, &err), 0);
}

static void event(struct life *l, enum alert_event_kind kind, uint8_t series)
{
	struct tag tag = {STR("host"), STR("web")};
	struct alert_event ev = {
		.kind = kind, .trigger = STR("slow"), .cell = STR("main"), .site = STR("shop"), .site_name = STR("Shop"), .name = STR("m"), .tags = &tag,
		.tags_len = 1, .opened_at = 60000, .minute = 60000, .at = 60000, .fingerprint = {series}, .episode = {series}, .id = {series}, .opened = 2,
	};
	struct err err = ERR_INIT;

	if (again(l, desk_take_event(l->desk, 60000, &ev, &err), &err))
		ck_assert_int_eq(desk_take_event(l->desk, 60000, &ev, &err), 0);
}

static void transaction(struct life *l)
{
	struct buf key = BUF_INIT, value = BUF_INIT;
	struct err err = ERR_INIT;
	enum desk_topic topic;
	int rc;

	while ((rc = desk_next_record(l->desk, &topic, &key, &value, &err)) != 0)
		if (again(l, rc, &err))
			desk_aborted(l->desk);
	desk_committed(l->desk);
	buf_fini(&key);
	buf_fini(&value);
}

static void turn(struct life *l, int64_t now_ms)
{
	struct err err = ERR_INIT;
	struct desk_job job;
	int rc;

	while (desk_next_ms(l->desk) <= now_ms)
		if (again(l, desk_turn(l->desk, now_ms, false, &err), &err))
			continue;
	transaction(l);
	while ((rc = desk_next_job(l->desk, now_ms, &l->arena, &job, &err)) != 0) {
		if (again(l, rc, &err))
			continue;
		snprintf(l->told + strlen(l->told), sizeof(l->told) - strlen(l->told), "%lld %lld %d %zu, ", (long long)now_ms,
			 (long long)job.sequence, job.state, job.alerts_len);
		ck_assert(desk_outcome(l->desk, now_ms, job.incident_id, job.receiver_id, job.sequence, SENT_OUTCOME_DELIVERED, 1, STR("once in vain")));
		arena_clear(&l->arena);
	}
	transaction(l);
}

static void live(struct life *l)
{
	row(l, 0, STR("ops"));
	row(l, 1, STR("aaaaaaaa"));
	event(l, ALERT_EVENT_KIND_OPENED, 1);
	event(l, ALERT_EVENT_KIND_OPENED, 2);
	event(l, ALERT_EVENT_KIND_SUMMARY, 3);
	turn(l, 60000);
	turn(l, 90000);
	row(l, 2, (struct str){(const char *)incident_id, 16});
	event(l, ALERT_EVENT_KIND_CLOSED, 1);
	turn(l, 400000);
	event(l, ALERT_EVENT_KIND_CLOSED, 2);
	turn(l, 500000);
}

START_TEST(a_life)
{
	struct buf rows[3] = {BUF_INIT, BUF_INIT, BUF_INIT};

	make_rows(rows);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct life l = {.walk = &w, .arena = ARENA_INIT};
		const struct desk_conf conf = {.site_rate = 60};

		memcpy(l.rows, rows, sizeof(rows));
		fail_walk_begin(&w);
		l.desk = desk_new(&conf, NULL);
		if (!l.desk) {
			fail_walk_end(&w);
			l.desk = desk_new(&conf, NULL);
		}
		live(&l);
		fail_walk_end(&w);
		ck_assert_str_eq(l.told, "90000 1 0 2, 400000 2 0 2, 500000 3 1 2, ");
		desk_free(l.desk);
		arena_fini(&l.arena);
	}
	for (int i = 0; i < 3; i++)
		buf_fini(&rows[i]);
}
END_TEST

/* Taking over. */
START_TEST(loading)
{
	struct str names[] = {STR("ops")};
	struct tag tag = {STR("host"), STR("web")};
	struct incident_alert alert = {.name = STR("m"), .tags = &tag, .tags_len = 1};
	struct incident rec = {.id = {1}, .site = STR("shop"), .trigger = STR("slow"), .receivers = names, .receivers_len = 1, .alerts = &alert, .alerts_len = 1,
			       .open_alerts = 1, .alerts_total = 1, .version = 1, .has_acked_at = true, .acked_by = STR("ann"), .ack_reason = STR("on it")};
	struct sent sent = {.incident = {1}, .receiver = STR("ops"), .sequence = 1, .error = STR("late")};

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		const struct desk_conf conf = {.site_rate = 60};
		struct desk *d = desk_new(&conf, NULL);
		struct err err = ERR_INIT;
		struct desk_figures f;

		fail_walk_begin(&w);
		if (desk_take_incident(d, 0, &rec, &err) < 0) {
			ck_assert(fail_walk_end(&w) && err.kind == ERR_FATAL);
			ck_assert_int_eq(desk_take_incident(d, 0, &rec, &err), 0);
		}
		if (desk_take_sent(d, &sent, &err) < 0) {
			ck_assert(fail_walk_end(&w) && err.kind == ERR_FATAL);
			ck_assert_int_eq(desk_take_sent(d, &sent, &err), 0);
		}
		desk_loaded(d, 0);
		fail_walk_end(&w);
		desk_figures(d, &f);
		ck_assert_uint_eq(f.incidents_open, 1);
		desk_free(d);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("desk_nomem");
	TCase *tc = tcase_create("nomem");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_life);
	tcase_add_test(tc, loading);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
