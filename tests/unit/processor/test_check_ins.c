/* test_check_ins.c - jobs that check in: what is remembered of them, and when they are missed; histories as text, a letter a minute. */
#include "processor/job_verdict.h"
#include "tests/unit/processor/judged.h"

enum { RANDOM_HISTORIES = 2000, RANDOM_MINUTES = 60, MINUTES_MAX = 128 };

/* Of an event; J_BEGIN_MS is a full hour, so minute n of a history is minute n % 60 of one. */
static void sign(struct world *w, const uint8_t *group, enum check_in_event what, int64_t t_ms, int64_t now_ms)
{
	struct event e = {.t = t_ms, .has_check_in = true, .check_in = {.name = STR("job"), .kind = CHECK_IN_KIND_CRON, .event = what}};
	struct event_batch batch = {.events = &e, .events_len = 1, .site = STR(J_SITE), .created_at = now_ms, .received_at = now_ms};
	struct intake_counts counts;
	struct err err = ERR_INIT;

	memcpy(e.group, group, sizeof(e.group));
	buf_clear(&w->bytes);
	ck_assert_int_eq(event_batch_encode(&batch, &w->bytes, &err), 0);
	ck_assert_msg(task_take(w->task, &(struct record){w->task->position, now_ms, buf_str(&w->bytes), NULL}, &w->scratch, &counts, &err) == 0, "%s", err.msg);
}

static struct trigger job_of(const char *cron, int every, int grace, int runtime)
{
	struct trigger t = {.id = STR("t"), .site = STR(J_SITE), .has_check_in = true, .author = STR("test"), .updated_at = 1,
			    .check_in = {.name = STR("job"), .cron = str_from(cron), .every_minutes = every, .grace_minutes = grace, .runtime_minutes = runtime}};

	return t;
}

/* s starts, f finishes, b beats, S starts a minute before it says so, each at second 10; r: saved and restored behind the minute; m: muted. */
static void play(struct world *w, const char *text)
{
	static const uint8_t nobody[MAP_KEY_BYTES] = {1};
	const uint8_t *group = w->rules.judging.rules->rule[0].group;

	for (int i = 0; text[i]; i++) {
		int64_t t_ms = j_minute(i) + 10000, now_ms = j_minute(i) + 30000;

		sign(w, nobody, CHECK_IN_EVENT_BEAT, t_ms, now_ms);
		if (strchr("sfb", text[i]))
			sign(w, group, text[i] == 's' ? CHECK_IN_EVENT_START : text[i] == 'f' ? CHECK_IN_EVENT_FINISH : CHECK_IN_EVENT_BEAT, t_ms, now_ms);
		if (text[i] == 'S')
			sign(w, group, CHECK_IN_EVENT_START, t_ms - L_MINUTE_MS, now_ms);
		w->clock.start_ms = j_minute(i) + 1;
		if (text[i] == 'm')
			j_mute(w, "t", i, i + 1);
		j_close(w, i);
		if (text[i] == 'r')
			j_restore(w);
	}
}

static const struct {
	const char *name, *cron;
	int every, grace, runtime;
	const char *text, *told;
} histories[] = {
	{"beats in time", "", 3, 0, 0, "b..b..b..b..b", ""},
	{"never beats", "", 3, 0, 0, "......", "+3 "},
	{"misses one", "", 3, 0, 0, "b.......b....", "+3 -8 +11 "},
	{"has grace", "", 3, 2, 0, "b.......b....", "+5 -8 "},
	{"a start is no beat", "", 3, 0, 0, "b..s..", "+3 "},
	{"a heartbeat through restores", "", 3, 0, 0, "brrrrrrrb", "+3 -8 "},
	{"muted", "", 2, 0, 0, "bmmmm..", "+5 "},
	{"starts in time", "*/5 * * * *", 0, 1, 0, "s....s....s....", ""},
	{"finishes in time and never said that it began", "*/5 * * * *", 0, 1, 0, "f....f....f....", ""},
	{"does not come", "*/5 * * * *", 0, 2, 0, "s.............", "+6 "},
	{"comes late", "*/5 * * * *", 0, 2, 0, "s.......s.....", "+6 -8 +11 "},
	{"comes just in time", "*/5 * * * *", 0, 2, 0, "s.....s...s....", ""},
	{"a minute early is in time", "5-59/5 * * * *", 0, 1, 0, "....s....s....s", ""},
	{"a minute early, said late", "5-59/5 * * * *", 0, 1, 0, ".....S....S....", ""},
	{"two minutes early is not", "5-59/5 * * * *", 0, 1, 0, "...s....s.", "+5 -8 "},
	{"not due yet", "30 * * * *", 0, 1, 0, "..............", ""},
	{"starts and does not finish", "*/20 * * * *", 0, 1, 5, "s...........f....", "+6 -12 "},
	{"starts and finishes", "*/20 * * * *", 0, 1, 5, "s...f............s..", ""},
	{"may run until it is due again, and does not finish", "*/5 * * * *", 0, 1, 5, "s....s....s....f.", "+6 -15 "},
	{"does not finish, whenever it starts again", "*/10 * * * *", 0, 1, 4, "s.........s.........s...", "+5 "},
	{"may run for longer than until it is due again", "*/5 * * * *", 0, 1, 8, "s....s..f.s..f.s..f.s..f", ""},
	{"nobody asks when it finishes", "*/20 * * * *", 0, 1, 0, "s...............", ""},
	{"schedule through restores", "*/5 * * * *", 0, 2, 0, "srrrrrrrsrrrrr", "+6 -8 +11 "},
};

static void watch(struct world *w, const struct trigger *t)
{
	j_init(w, INPUT_EVENTS);
	j_trigger(w, t->id, t);
	ck_assert_uint_eq(w->rules.judging.rules->nr_check_ins, 1);
	w->task->windows.closed_ms = j_minute(0);
}

START_TEST(a_history)
{
	struct trigger t = job_of(histories[_i].cron, histories[_i].every, histories[_i].grace, histories[_i].runtime);
	struct world w;

	watch(&w, &t);
	play(&w, histories[_i].text);
	ck_assert_msg(strcmp(w.told, histories[_i].told) == 0, "%s: \"%s\", expected \"%s\"", histories[_i].name, w.told, histories[_i].told);
	j_fini(&w);
}
END_TEST

/* The model: of each minute, by looking at the text alone, is the job missed at its end? every: also of a schedule, that of each minute divisible by it. */
static bool missed(const struct trigger *t, int every, const char *text, int minute)
{
	const struct check_in_rule *c = &t->check_in;
	int due = -1, over = -1, last = -2, finished = -2;

	if (!c->cron.len) {
		int since = 0;

		for (int i = 0; i <= minute; i++)
			since = text[i] == 'b' ? i * 60 + 10 : since;
		return (minute + 1) * 60 - since > 60 * (c->every_minutes + c->grace_minutes);
	}
	for (int i = 0; i + c->grace_minutes <= minute + 1; i += every) {
		due = i;
		over = i + c->grace_minutes + c->runtime_minutes < minute + 1 ? i : over;
	}
	if (due < 0)
		return false;
	for (int i = 0; i <= minute; i++) {
		last = strchr("sf", text[i]) ? i : last;
		finished = text[i] == 'f' ? i : finished;
	}
	if (last < due - 1 || last < 0)
		return true;
	return c->runtime_minutes > 0 && over >= 0 && finished < over;
}

START_TEST(histories_are_judged_as_the_model_does)
{
	struct unit_random r = unit_random_new("check-ins");
	char text[MINUTES_MAX], want[J_WORDS_SIZE], cron[32];
	size_t nr_told = 0;

	for (int i = 0; i < RANDOM_HISTORIES; i++) {
		int every = 1 + (int)unit_random_below(&r, 12), sticky = 1 + (int)unit_random_below(&r, 12);
		bool by_cron = unit_random_below(&r, 2), open = false;
		struct trigger t;
		struct world w;

		snprintf(cron, sizeof(cron), "*/%d * * * *", every);
		t = job_of(by_cron ? cron : "", by_cron ? 0 : every, (int)unit_random_below(&r, 4) + by_cron, by_cron ? (int)unit_random_below(&r, 6) : 0);
		for (int m = 0; m < RANDOM_MINUTES; m++)
			text[m] = unit_random_below(&r, (uint64_t)sticky) ? "..r"[unit_random_below(&r, 3)] : by_cron ? "sf"[unit_random_below(&r, 2)] : 'b';
		text[RANDOM_MINUTES] = '\0';
		want[0] = '\0';
		for (int m = 0; m < RANDOM_MINUTES; m++)
			if (missed(&t, every, text, m) != open) {
				open = !open;
				j_expect(want, open ? '+' : '-', m);
			}
		watch(&w, &t);
		play(&w, text);
		ck_assert_msg(strcmp(w.told, want) == 0, "history %d, %s every %d, grace %d, runtime %d:\n%s\ntold     %s\nexpected %s", i, by_cron ? "cron" : "beat", every,
			      t.check_in.grace_minutes, t.check_in.runtime_minutes, text, w.told, want);
		nr_told += w.told_len;
		j_fini(&w);
	}
	ck_assert_uint_gt(nr_told, RANDOM_HISTORIES * 4);
}
END_TEST

START_TEST(the_value_is_how_long_it_has_been_silent)
{
	struct trigger t = job_of("", 2, 0, 0);
	struct alert_event e;
	struct world w;

	watch(&w, &t);
	play(&w, "b");
	j_close(&w, 1);
	ck_assert_int_eq(task_close(w.task, j_minute(3) + 45000, &w.rules, NULL), 0);
	ck_assert_uint_eq(w.task->alert_outbox.nr, 1);
	ck_assert_int_eq(alert_event_decode(alert_letter_record(w.task->alert_outbox.first), &w.scratch, &e, NULL), 0);
	ck_assert(!e.has_series_kind && str_eq(e.name, STR("job")) && e.tags_len == 0 && e.opened_at == j_minute(2));
	ck_assert(e.has_value && e.value > 2.8 && e.value < 2.9); /* from second 10 of minute 0 */
	ck_assert_int_eq(memcmp(e.fingerprint, w.rules.judging.rules->rule[0].group, sizeof(e.fingerprint)), 0);
	j_fini(&w);
}
END_TEST

START_TEST(a_job_begins_to_be_watched_with_its_trigger)
{
	struct trigger t = job_of("", 3, 0, 0);
	struct world w;

	j_init(&w, INPUT_EVENTS);
	j_close(&w, 10);
	j_trigger(&w, t.id, &t);
	for (int64_t m = 11; m < 20; m++)
		j_close(&w, m);
	ck_assert_str_eq(w.told, "+14 ");
	j_trigger(&w, t.id, NULL);
	j_close(&w, 20);
	ck_assert_str_eq(w.told, "+14 -19 trigger_deleted ");
	ck_assert_uint_eq(w.task->alerts.nr, 0);
	j_fini(&w);
}
END_TEST

START_TEST(a_job_is_watched_in_the_one_partition_that_it_belongs_to)
{
	const struct route all = {.effective_from = 0, .cell = STR("main"), .shards = 4};
	struct trigger t = job_of("", 3, 0, 0);
	int nr_watching = 0;

	for (int32_t partition = 0; partition < 4; partition++) {
		struct world w;

		j_init(&w, INPUT_EVENTS);
		task_free(w.task);
		w.task = task_new(4 + partition, INPUT_EVENTS);
		w.placements.partitions = 4;
		j_route(&w, &all, 1);
		j_trigger(&w, t.id, &t);
		for (int64_t m = 0; m < 9; m++)
			j_close(&w, m);
		nr_watching += w.task->alerts.nr == 1 && w.told_len > 0;
		ck_assert(w.task->alerts.nr == 1 || w.told_len == 0);
		j_fini(&w);
	}
	ck_assert_int_eq(nr_watching, 1);
}
END_TEST

static void group_of(int number, uint8_t out[MAP_KEY_BYTES])
{
	memset(out, 0, MAP_KEY_BYTES);
	memcpy(out + 8, &number, sizeof(number));
}

START_TEST(the_latest_of_each_is_remembered)
{
	struct check_ins c = {0};
	const struct check_in *job;
	uint8_t group[MAP_KEY_BYTES];

	group_of(1, group);
	ck_assert_int_eq(check_ins_take(&c, STR("a"), group, CHECK_IN_EVENT_START, 5, NULL), 0);
	ck_assert_int_eq(check_ins_take(&c, STR("a"), group, CHECK_IN_EVENT_START, 3, NULL), 0);
	ck_assert_int_eq(check_ins_take(&c, STR("a"), group, CHECK_IN_EVENT_FINISH, 9, NULL), 0);
	ck_assert_int_eq(check_ins_take(&c, STR("a"), group, CHECK_IN_EVENT_BEAT, 7, NULL), 0);
	ck_assert_int_eq(check_ins_take(&c, STR("b"), group, CHECK_IN_EVENT_BEAT, 100, NULL), 0); /* a collision: another site's */
	job = check_ins_get(&c, group);
	ck_assert(job && job->start_ms == 5 && job->finish_ms == 9 && job->beat_ms == 7 && check_in_latest_ms(job) == 9);
	ck_assert(c.refused == 1 && check_in_latest_ms(NULL) == 0);
	check_ins_fini(&c);
}
END_TEST

START_TEST(a_site_has_so_many_jobs_and_no_more)
{
	struct check_ins c = {0};
	uint8_t group[MAP_KEY_BYTES];

	for (int i = 0; i < CHECK_INS_SITE_MAX + 5; i++) {
		group_of(i, group);
		ck_assert_int_eq(check_ins_take(&c, STR("a"), group, CHECK_IN_EVENT_BEAT, 1, NULL), 0);
	}
	ck_assert_uint_eq(c.by_group.len, CHECK_INS_SITE_MAX);
	ck_assert_uint_eq(c.refused, 5);
	group_of(CHECK_INS_SITE_MAX + 9, group);
	ck_assert_int_eq(check_ins_take(&c, STR("b"), group, CHECK_IN_EVENT_BEAT, 1, NULL), 0);
	ck_assert_ptr_nonnull(check_ins_get(&c, group));
	check_ins_fini(&c);
}
END_TEST

START_TEST(old_ones_are_forgotten_unless_somebody_asks)
{
	struct check_ins c = {0};
	struct map wanted = MAP_INIT;
	uint8_t group[MAP_KEY_BYTES];

	for (int i = 0; i < 3; i++) {
		group_of(i, group);
		ck_assert_int_eq(check_ins_take(&c, STR("a"), group, CHECK_IN_EVENT_FINISH, i == 2 ? 2000 : 1000, NULL), 0);
	}
	group_of(1, group);
	ck_assert_int_eq(map_put(&wanted, group, &c), 0);
	check_ins_close(&c, 1000 + CHECK_INS_LIFE_MS, &wanted);
	ck_assert_uint_eq(c.by_group.len, 3);
	check_ins_close(&c, 1001 + CHECK_INS_LIFE_MS, &wanted);
	ck_assert_uint_eq(c.by_group.len, 2);
	ck_assert_ptr_nonnull(check_ins_get(&c, group));
	map_fini(&wanted);
	check_ins_close(&c, 5000 + CHECK_INS_LIFE_MS, &(struct map)MAP_INIT);
	ck_assert_uint_eq(c.by_group.len, 0);
	ck_assert_uint_eq(check_ins_bytes(&c), map_bytes(&c.sites));
	check_ins_fini(&c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("check_ins");
	TCase *tc = tcase_create("check_ins");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_history, 0, (int)NR(histories));
	tcase_add_test(tc, histories_are_judged_as_the_model_does);
	tcase_add_test(tc, the_value_is_how_long_it_has_been_silent);
	tcase_add_test(tc, a_job_begins_to_be_watched_with_its_trigger);
	tcase_add_test(tc, a_job_is_watched_in_the_one_partition_that_it_belongs_to);
	tcase_add_test(tc, the_latest_of_each_is_remembered);
	tcase_add_test(tc, a_site_has_so_many_jobs_and_no_more);
	tcase_add_test(tc, old_ones_are_forgotten_unless_somebody_asks);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
