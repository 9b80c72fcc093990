/* test_desk.c - plays the stories of desk_stories.h, and what a story cannot tell: crowds, and what lies between a decision and its job. */
#include "tests/unit/notify/desk_stories.h"
#include "tests/unit/notify/desk_world.h"

static int64_t number_behind(const char *line, const char *name, int64_t otherwise)
{
	const char *at = strstr(line, name);

	return at ? strtoll(at + strlen(name), NULL, 10) : otherwise;
}

static void take_receiver(struct world *w, const char *rest)
{
	char id[65], to[65] = "";
	const char *escalate = strstr(rest, "escalate=");
	struct receiver r;

	ck_assert_int_eq(sscanf(rest, "%64s", id), 1);
	if (escalate)
		ck_assert_int_eq(sscanf(escalate, "escalate=%64s", to), 1);
	r = world_plain_receiver(id);
	r.group_interval_ms = 1000 * number_behind(rest, "interval=", 300);
	r.repeat_ms = 1000 * number_behind(rest, "repeat=", 14400);
	r.resolve = number_behind(rest, "resolve=", 1);
	r.only_named = number_behind(rest, "named=", 0);
	r.escalate_to = str_from(to);
	r.escalate_after_ms = 1000 * number_behind(rest, "after=", 0);
	r.updated_at = w->now_s * 1000;
	world_receiver(w, &r);
}

/* "all 500": of everything until then; "a 500": of series a. */
static void take_silence(struct world *w, const char *rest)
{
	char what[16];
	long long until;
	struct str value;
	struct tag_selector selector = {.key = STR("host"), .op = SELECTOR_OP_EXACT, .values = &value, .values_len = 1};
	struct silence s = {.id = STR("aaaaaaaa"), .reason = STR("works"), .author = STR("ann"), .starts_at = w->now_s * 1000, .created_at = w->now_s * 1000};

	ck_assert_int_eq(sscanf(rest, "%15s %lld", what, &until), 2);
	value = str_from(what);
	s.ends_at = until * 1000;
	s.tags = strcmp(what, "all") == 0 ? NULL : &selector;
	s.tags_len = s.tags ? 1 : 0;
	world_silence(w, &s);
}

static void take_summary(struct world *w, const char *rest)
{
	struct alert_event ev = {.kind = ALERT_EVENT_KIND_SUMMARY, .trigger = STR("slow"), .cell = STR("main"), .site = STR("shop"), .at = (w->now_s - w->late_s) * 1000};
	long long opened_s, opened, closed;

	ck_assert_int_eq(sscanf(rest, "%lld %lld %lld", &opened_s, &opened, &closed), 3);
	ev.opened_at = opened_s * 1000;
	ev.opened = opened;
	ev.closed = closed;
	ev.id[0] = (uint8_t)opened;
	ck_assert_int_eq(desk_take_event(w->desk, w->now_s * 1000, &ev, NULL), 0);
}

static bool take_event(struct world *w, const char *verb, const char *rest)
{
	static const char *const verbs[] = {"opens", "closes", "moves"};
	char series;
	long long opened;

	for (size_t i = 0; i < NR(verbs); i++)
		if (strcmp(verb, verbs[i]) == 0) {
			ck_assert_int_eq(sscanf(rest, " %c %lld", &series, &opened), 2);
			world_event(w, (enum alert_event_kind)i, "slow", series, opened, w->now_s);
			return true;
		}
	return false;
}

static bool take_switch(struct world *w, const char *verb)
{
	const struct {
		const char *verb;
		bool *is;
		bool to;
	} switches[] = {
		{"pause", &w->pauses, true}, {"unpause", &w->pauses, false}, {"drop", &w->drops, true}, {"undrop", &w->drops, false},
		{"hold", &w->holds, true}, {"deliver", &w->holds, false}, {"abort", &w->aborts, true},
	};

	for (size_t i = 0; i < NR(switches); i++)
		if (strcmp(verb, switches[i].verb) == 0) {
			*switches[i].is = switches[i].to;
			w->outcome = SENT_OUTCOME_DELIVERED;
			desk_recheck(w->desk);
			return true;
		}
	return false;
}

static void take(struct world *w, const char *verb, const char *rest)
{
	uint8_t id[16];
	char name[65];

	if (take_event(w, verb, rest) || take_switch(w, verb) || strcmp(verb, "end") == 0 || strcmp(verb, "nothing") == 0 || strcmp(verb, "jump") == 0)
		return;
	if (strcmp(verb, "receiver") == 0) {
		take_receiver(w, rest);
	} else if (strcmp(verb, "gone") == 0) {
		ck_assert_int_eq(sscanf(rest, "%64s", name), 1);
		world_row(w, 0, str_from(name), (struct buf)BUF_INIT);
	} else if (strcmp(verb, "silence") == 0) {
		take_silence(w, rest);
	} else if (strcmp(verb, "summary") == 0) {
		take_summary(w, rest);
	} else if (strcmp(verb, "ack") == 0) {
		world_newest(w, id);
		world_ack(w, id);
	} else if (strcmp(verb, "fail") == 0) {
		w->outcome = SENT_OUTCOME_GAVE_UP;
	} else if (strcmp(verb, "late") == 0) {
		w->late_s = strtoll(rest, NULL, 10);
	} else if (strcmp(verb, "restart") == 0) {
		world_restart(w);
	} else if (strcmp(verb, "outcome") == 0) {
		for (size_t i = 0; i < w->nr_held; i++)
			ck_assert(world_outcome(w, &w->held[i], SENT_OUTCOME_DELIVERED));
		w->nr_were = w->nr_held;
		w->nr_held = 0;
	} else if (strcmp(verb, "again") == 0) {
		ck_assert_uint_gt(w->nr_were, 0);
		for (size_t i = 0; i < w->nr_were; i++)
			ck_assert(!world_outcome(w, &w->held[i], SENT_OUTCOME_GAVE_UP));
	} else {
		ck_abort_msg("%s?", verb);
	}
}

/* Lets the time pass until then, waking when the desk asks for it; at whole seconds. */
static void pass(struct world *w, int64_t until_s)
{
	for (;;) {
		int64_t next_ms = desk_next_ms(w->desk);

		if (next_ms > (until_s - 1) * 1000)
			break;
		w->now_s = (next_ms + 999) / 1000 > w->now_s ? (next_ms + 999) / 1000 : w->now_s + 1;
		world_turn(w);
	}
	w->now_s = until_s;
}

static void play(struct world *w, const char *happens)
{
	while (*happens) {
		long long at;
		char verb[16], rest[256] = "";
		const char *end = strchr(happens, '\n');

		ck_assert_ptr_nonnull(end);
		ck_assert_int_ge(sscanf(happens, "%lld %15s%255[^\n]", &at, verb, rest), 2);
		if (strcmp(verb, "jump") == 0)
			w->now_s = at;
		else if (at > w->now_s)
			pass(w, at);
		take(w, verb, rest);
		happens = end + 1;
		if (*happens == 0 || strtoll(happens, NULL, 10) > at)
			world_turn(w);
	}
}

static void strip(char *out, const char *text)
{
	for (; *text; text++)
		if (*text != ' ' || (text[1] != ' ' && (out[-1] != '\n')))
			*out++ = *text;
	*out = 0;
}

START_TEST(story)
{
	const struct story *s = &stories[_i];
	struct world *w = world_new(s->rate);
	char expected[4096] = "\n";

	strip(expected + 1, s->told);
	play(w, s->happens);
	ck_assert_msg(strcmp(w->text, expected + 1) == 0, "%s\nexpected:\n%sgot:\n%s", s->name, expected + 1, w->text);
	world_free(w);
}
END_TEST

/* One transaction, and jobs until there are none: as an owner does it. Returns how many jobs there were. */
static size_t write_round(struct world *w)
{
	struct arena arena = ARENA_INIT;
	struct desk_job job;
	size_t nr = 0;

	world_transaction(w);
	for (; desk_next_job(w->desk, w->now_s * 1000, &arena, &job, NULL) == 1; nr++) {
		world_hold(w, &job);
		arena_clear(&arena);
	}
	arena_fini(&arena);
	return nr;
}

/* The same after a turn. */
static size_t one_round(struct world *w)
{
	ck_assert_int_eq(desk_turn(w->desk, w->now_s * 1000, false, NULL), 0);
	return write_round(w);
}

enum { CROWD = 2000 };

static void open_crowd(struct world *w)
{
	struct receiver r = world_plain_receiver("ops");

	r.repeat_ms = 0;
	world_receiver(w, &r);
	for (int i = 0; i < CROWD; i++) {
		char trigger[16];

		snprintf(trigger, sizeof(trigger), "t%d", i);
		world_event(w, ALERT_EVENT_KIND_OPENED, trigger, 'a', 0, 0);
	}
}

/* Thousands are due in the same second: so many a turn, so many on their way, and in the end each was told once. */
START_TEST(crowd)
{
	struct world *w = world_new(0);
	struct desk_figures f;
	size_t told = 0;

	open_crowd(w);
	while (desk_next_ms(w->desk) <= 0)
		ck_assert_uint_eq(one_round(w), 0);
	w->now_s = 30;
	ck_assert_uint_eq(one_round(w), DESK_UNDER_WAY_MAX);
	desk_figures(w->desk, &f);
	ck_assert_uint_eq(f.waiting, DESK_TURN_MAX - 2 * DESK_UNDER_WAY_MAX); /* each that decides is looked at twice */
	for (int rounds = 0; told < CROWD; rounds++) {
		ck_assert_int_lt(rounds, CROWD);
		ck_assert_uint_le(w->nr_held, DESK_UNDER_WAY_MAX);
		told += w->nr_held;
		for (; w->nr_held > 0; w->nr_held--)
			ck_assert(world_outcome(w, &w->held[w->nr_held - 1], SENT_OUTCOME_DELIVERED));
		one_round(w);
		desk_figures(w->desk, &f);
		ck_assert_uint_eq(f.under_way, w->nr_held);
		w->now_s++;
	}
	world_turn(w);
	desk_figures(w->desk, &f);
	ck_assert_uint_eq(f.notifications[SENT_OUTCOME_UNDER_WAY], CROWD);
	ck_assert_uint_eq(f.notifications[SENT_OUTCOME_DELIVERED], CROWD);
	ck_assert_uint_eq(f.incidents_open, CROWD);
	ck_assert_uint_eq(f.waiting + f.under_way, 0);
	world_free(w);
}
END_TEST

/* What a job tells is committed, though the incident changes between the commit and the job. */
START_TEST(uncommitted_is_not_told)
{
	uint8_t id[16];
	struct world *w = world_new(0);
	struct receiver r = world_plain_receiver("ops");
	struct arena arena = ARENA_INIT;
	struct desk_job job;

	r.group_wait_ms = 0;
	world_receiver(w, &r);
	world_event(w, ALERT_EVENT_KIND_OPENED, "slow", 'a', 0, 0);
	ck_assert_int_eq(desk_turn(w->desk, 0, false, NULL), 0);
	ck_assert_int_eq(desk_next_job(w->desk, 0, &arena, &job, NULL), 0); /* decided, no more */
	world_transaction(w);
	world_event(w, ALERT_EVENT_KIND_OPENED, "slow", 'b', 0, 0);
	ck_assert_int_eq(desk_next_job(w->desk, 0, &arena, &job, NULL), 0); /* b is not committed */
	world_transaction(w);
	ck_assert_int_eq(desk_next_job(w->desk, 0, &arena, &job, NULL), 0); /* b is news: the job is called off */
	ck_assert_int_eq(desk_turn(w->desk, 0, false, NULL), 0);
	world_transaction(w);
	ck_assert_int_eq(desk_next_job(w->desk, 0, &arena, &job, NULL), 1);
	ck_assert_int_eq(job.sequence, 2);
	ck_assert_uint_eq(job.alerts_len, 2);
	ck_assert_int_eq(job.incident->open_alerts, 2);
	ck_assert_int_eq(job.version, job.incident->version);
	arena_clear(&arena);
	desk_job_back(w->desk, job.incident_id, STR("ops"), 1); /* another number: nothing */
	ck_assert_int_eq(desk_next_job(w->desk, 0, &arena, &job, NULL), 0);
	desk_job_back(w->desk, job.incident_id, STR("ops"), 2);
	ck_assert_int_eq(desk_next_job(w->desk, 0, &arena, &job, NULL), 1);
	ck_assert_int_eq(job.sequence, 2);
	ck_assert(desk_outcome(w->desk, 0, job.incident_id, STR("ops"), 2, SENT_OUTCOME_DELIVERED, 1, STR("")));
	world_turn(w);
	w->now_s = 14400; /* a repeat: the incident itself has not changed */
	ck_assert_int_eq(desk_turn(w->desk, 14400000, false, NULL), 0);
	ck_assert_int_eq(desk_next_job(w->desk, 14400000, &arena, &job, NULL), 0);
	world_transaction(w);
	world_newest(w, id);
	world_ack(w, id); /* no news, but nothing that is committed */
	ck_assert_int_eq(desk_turn(w->desk, 14400000, false, NULL), 0);
	ck_assert_int_eq(desk_next_job(w->desk, 14400000, &arena, &job, NULL), 0);
	world_transaction(w);
	ck_assert_int_eq(desk_next_job(w->desk, 14400000, &arena, &job, NULL), 1);
	ck_assert(job.sequence == 3 && job.incident->has_acked_at);
	arena_fini(&arena);
	world_free(w);
}
END_TEST

/* Between the commit and the job its receiver is deleted, or all is dropped: the number is used up, and nothing is on its way. */
START_TEST(called_off)
{
	struct world *w = world_new(0);
	struct receiver r = world_plain_receiver("ops");
	struct arena arena = ARENA_INIT;
	struct desk_job job;
	struct desk_figures f;

	r.group_wait_ms = r.group_interval_ms = 0;
	world_receiver(w, &r);
	world_event(w, ALERT_EVENT_KIND_OPENED, "slow", 'a', 0, 0);
	ck_assert_int_eq(desk_turn(w->desk, 0, false, NULL), 0);
	world_transaction(w);
	if (_i)
		w->drops = true;
	else
		world_row(w, 0, STR("ops"), (struct buf)BUF_INIT);
	ck_assert_int_eq(desk_next_job(w->desk, 0, &arena, &job, NULL), 0);
	desk_figures(w->desk, &f);
	ck_assert_uint_eq(f.under_way, 0);
	ck_assert_uint_eq(f.receivers, (unsigned)_i);
	ck_assert_uint_eq(f.notifications[SENT_OUTCOME_DROPPED], 1);
	w->drops = false;
	world_transaction(w);
	world_receiver(w, &r);
	w->now_s = 60;
	world_event(w, ALERT_EVENT_KIND_OPENED, "slow", 'b', 60, 60);
	world_turn(w);
	ck_assert_str_eq(w->text, "60 ops 2 open a+ b+\n");
	arena_fini(&arena);
	world_free(w);
}
END_TEST

/* While events wait to be taken, one that has moved may yet be gone on with. */
START_TEST(behind)
{
	struct world *w = world_new(0);
	struct desk_figures f;

	world_event(w, ALERT_EVENT_KIND_OPENED, "slow", 'a', 0, 0);
	world_event(w, ALERT_EVENT_KIND_MOVED, "slow", 'a', 0, 0);
	w->now_s = 500;
	ck_assert_int_eq(desk_turn(w->desk, 500000, true, NULL), 0);
	desk_figures(w->desk, &f);
	ck_assert_uint_eq(f.incidents_open, 1);
	ck_assert_int_gt(desk_next_ms(w->desk), 500000);
	w->now_s = 510;
	ck_assert_int_eq(desk_turn(w->desk, 510000, false, NULL), 0);
	desk_figures(w->desk, &f);
	ck_assert_uint_eq(f.incidents_open, 0);
	world_free(w);
}
END_TEST

/* A cell that comes back to us: what we knew of it is forgotten, receivers are not. */
START_TEST(reset)
{
	struct world *w = world_new(0);
	struct desk_figures f;

	w->holds = true;
	open_crowd(w);
	w->now_s = 30;
	world_turn(w);
	desk_reset(w->desk);
	desk_figures(w->desk, &f);
	ck_assert_uint_eq(f.incidents + f.under_way + f.bytes + f.waiting, 0);
	ck_assert_uint_eq(f.receivers, 1);
	ck_assert(!desk_is_dirty(w->desk));
	ck_assert_int_eq(desk_next_ms(w->desk), INT64_MAX);
	ck_assert(!world_outcome(w, &w->held[0], SENT_OUTCOME_DELIVERED));
	w->nr_held = 0;
	world_event(w, ALERT_EVENT_KIND_OPENED, "slow", 'a', 0, 0);
	w->now_s = 60;
	world_turn(w);
	ck_assert_uint_eq(w->nr_held, 1);
	world_free(w);
}
END_TEST

/* A day after its end an incident is forgotten, with its memory; one that is open never is. */
START_TEST(forgotten)
{
	struct world *w = world_new(0);
	struct desk_figures f;

	world_event(w, ALERT_EVENT_KIND_OPENED, "old", 'a', 0, 0);
	world_event(w, ALERT_EVENT_KIND_CLOSED, "old", 'a', 0, 0);
	world_event(w, ALERT_EVENT_KIND_OPENED, "new", 'a', 0, 0);
	world_turn(w);
	w->now_s = 24 * 3600 - 1;
	world_turn(w);
	desk_figures(w->desk, &f);
	ck_assert_uint_eq(f.incidents, 2);
	w->now_s++;
	world_turn(w);
	desk_figures(w->desk, &f);
	ck_assert_uint_eq(f.incidents, 1);
	ck_assert_uint_eq(f.incidents_open, 1);
	world_restart(w); /* its record is still there, and too old */
	world_turn(w);
	desk_figures(w->desk, &f);
	ck_assert_uint_eq(f.incidents, 1);
	world_free(w);
}
END_TEST

/* Topics forget after thirty days what has not changed: what is open is written again after seven, and nobody is told of that. */
START_TEST(refreshed)
{
	struct world *w = world_new(0);
	struct receiver r = world_plain_receiver("ops");

	r.repeat_ms = 0;
	world_receiver(w, &r);
	world_event(w, ALERT_EVENT_KIND_OPENED, "slow", 'a', 0, 0);
	pass(w, 7 * 86400 - 1);
	world_turn(w);
	for (size_t i = 0; i < w->nr_records; i++) {
		buf_fini(&w->records[i].key);
		buf_fini(&w->records[i].value);
	}
	w->nr_records = 0;
	pass(w, 7 * 86400 + 40);
	ck_assert_uint_eq(w->nr_records, 2);
	world_restart(w);
	w->now_s += 60;
	world_turn(w);
	world_event(w, ALERT_EVENT_KIND_CLOSED, "slow", 'a', 0, 0);
	world_turn(w);
	ck_assert_str_eq(w->text, "30 ops 1 open a+\n604900 ops 2 resolved a-\n");
	world_free(w);
}
END_TEST

/* A storm: alerts of one incident open faster than transactions are written, so that there is news between each decision and its commit. */
START_TEST(storm)
{
	struct world *w = world_new(60);
	struct receiver r = world_plain_receiver("ops");
	struct desk_figures f;
	size_t told = 0;

	r.group_wait_ms = 0;
	world_receiver(w, &r);
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(desk_turn(w->desk, 0, false, NULL), 0);
		world_event(w, ALERT_EVENT_KIND_OPENED, "slow", (char)(i + 1), 0, 0);
		told += write_round(w);
		for (; w->nr_held > 0; w->nr_held--)
			ck_assert(world_outcome(w, &w->held[w->nr_held - 1], SENT_OUTCOME_DELIVERED));
	}
	desk_figures(w->desk, &f);
	ck_assert_uint_eq(told, 1);
	ck_assert_uint_eq(f.notifications[SENT_OUTCOME_UNDER_WAY], 1);
	ck_assert_uint_eq(f.notifications[SENT_OUTCOME_LIMITED], 0);
	world_free(w);
}
END_TEST

/* A number that was called off has taken its token: the next one goes out by it. */
START_TEST(called_off_costs_once)
{
	struct world *w = world_new(1);
	struct receiver r = world_plain_receiver("ops");

	r.group_wait_ms = 0;
	world_receiver(w, &r);
	world_event(w, ALERT_EVENT_KIND_OPENED, "slow", 'a', 0, 0);
	ck_assert_int_eq(desk_turn(w->desk, 0, false, NULL), 0);
	world_transaction(w);
	world_event(w, ALERT_EVENT_KIND_CLOSED, "slow", 'a', 0, 0);
	world_turn(w); /* called off */
	world_turn(w);
	ck_assert_str_eq(w->text, "0 ops 2 resolved a-\n");
	world_free(w);
}
END_TEST

static void count_trigger(void *ctx, int64_t now_s, const struct desk_job *job)
{
	size_t *told = ctx;

	(void)now_s;
	told[job->incident->trigger.p[0] == 'q']++;
	told[2 + job->receiver_id.p[0] - 'a']++;
}

/* Over its rate a site's tokens go to who has been waiting for longest: neither a noisy incident nor a receiver that comes first takes them all. */
START_TEST(fair_rate)
{
	size_t told[2 + 10] = {0};
	struct world *w = world_new(60);

	w->on_job = count_trigger;
	w->ctx = told;
	for (int i = 0; i < 10; i++) {
		const char id[2] = {(char)('a' + i), 0};
		struct receiver r = world_plain_receiver(id);

		world_receiver(w, &r);
	}
	world_event(w, ALERT_EVENT_KIND_OPENED, "noisy", 'z', 0, 0);
	world_event(w, ALERT_EVENT_KIND_OPENED, "noisy", 'a', 0, 0);
	for (int minute = 1; minute < 360; minute++) {
		pass(w, 60 * minute);
		world_event(w, minute % 2 ? ALERT_EVENT_KIND_CLOSED : ALERT_EVENT_KIND_OPENED, "noisy", 'a', minute / 2 * 120, 60 * minute);
		if (minute == 240)
			world_event(w, ALERT_EVENT_KIND_OPENED, "quiet", 'q', 60 * minute, 60 * minute);
		world_turn(w);
	}
	ck_assert_uint_gt(told[0], 100);
	ck_assert_uint_ge(told[1], 10); /* each receiver at least once in two hours */
	for (int i = 0; i < 10; i++)
		ck_assert_uint_gt(told[2 + i], 20);
	world_free(w);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("desk");
	TCase *tc = tcase_create("stories");

	tcase_add_loop_test(tc, story, 0, NR(stories));
	suite_add_tcase(s, tc);
	tc = tcase_create("desk");
	tcase_add_test(tc, crowd);
	tcase_add_test(tc, uncommitted_is_not_told);
	tcase_add_loop_test(tc, called_off, 0, 2);
	tcase_add_test(tc, behind);
	tcase_add_test(tc, reset);
	tcase_add_test(tc, forgotten);
	tcase_add_test(tc, refreshed);
	tcase_add_test(tc, storm);
	tcase_add_test(tc, called_off_costs_once);
	tcase_add_test(tc, fair_rate);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return unit_main(suite());
}
