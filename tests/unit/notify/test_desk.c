/* test_desk.c - stories: what happens, and what is told of it, to whom, when.
 *
 * A line of what happens: "SECONDS VERB ..". A line of what is told: "SECONDS RECEIVER SEQUENCE STATE SERIES..", + an alert that is open, - one that is
 * closed. */
#include "tests/unit/notify/desk_world.h"

struct story {
	const char *name, *happens, *told;
	int64_t rate;
};

static const struct story stories[] = {
	{"what opens within the group wait is in the first notification",
	 "0 receiver ops\n 0 opens a 0\n 20 opens b 0\n 100 end\n",
	 "30 ops 1 open a+ b+\n", 0},
	{"a change is told when the interval is over, the end at once",
	 "0 receiver ops\n 0 opens a 0\n 60 opens b 60\n 120 closes b 60\n 400 closes a 0\n 9000 end\n",
	 "30 ops 1 open a+\n 330 ops 2 open a+ b-\n 400 ops 3 resolved a- b-\n", 0},
	{"what has not changed is told again, until somebody takes care of it",
	 "0 receiver ops repeat=600\n 0 opens a 0\n 700 ack\n 5000 opens b 4980\n 5400 closes a 0\n 5400 closes b 4980\n 9999 end\n",
	 "30 ops 1 open a+\n 630 ops 2 open a+\n 5000 ops 3 open a+ b+\n 5400 ops 4 resolved a- b-\n", 0},
	{"never again where the receiver wants it so",
	 "0 receiver ops repeat=0\n 0 opens a 0\n 80000 end\n",
	 "30 ops 1 open a+\n", 0},
	{"over within the group wait: told once, as over",
	 "0 receiver ops\n 0 receiver brief resolve=0\n 0 opens a 0\n 10 closes a 0\n 9000 end\n",
	 "30 ops 1 resolved a-\n", 0},
	{"who wants no ends is told of none",
	 "0 receiver ops resolve=0\n 0 opens a 0\n 60 closes a 0\n 9000 end\n",
	 "30 ops 1 open a+\n", 0},
	{"the same event twice is one",
	 "0 receiver ops\n 0 opens a 0\n 1 opens a 0\n 60 closes a 0\n 61 closes a 0\n 62 opens a 0\n 9000 end\n",
	 "30 ops 1 open a+\n 60 ops 2 resolved a-\n", 0},
	{"a closing of another episode is none of ours",
	 "0 receiver ops\n 0 opens a 0\n 60 closes a 30\n 70 closes b 0\n 9000 end\n",
	 "30 ops 1 open a+\n", 0},
	{"a series that opens again in the same incident",
	 "0 receiver ops\n 0 opens a 0\n 0 opens b 0\n 60 closes a 0\n 120 opens a 120\n 1000 end\n",
	 "30 ops 1 open a+ b+\n 330 ops 2 open a+ b+\n", 0},
	{"one that has moved goes on elsewhere, and nobody is told",
	 "0 receiver ops\n 0 opens a 0\n 60 moves a 0\n 120 opens a 120\n 1000 closes a 120\n 9000 end\n",
	 "30 ops 1 open a+\n 1000 ops 2 resolved a-\n", 0},
	{"it may open elsewhere before it is said to have moved",
	 "0 receiver ops\n 0 opens a 0\n 60 opens a 60\n 70 moves a 0\n 1000 closes a 60\n 9000 end\n",
	 "30 ops 1 open a+\n 1000 ops 2 resolved a-\n", 0},
	{"one that moved and is not found again is over after seven minutes",
	 "0 receiver ops\n 0 opens a 0\n 60 moves a 0\n 479 nothing\n 480 nothing\n 481 nothing\n 9000 end\n",
	 "30 ops 1 open a+\n 481 ops 2 resolved a-\n", 0},
	{"a successor that comes late is another opening",
	 "0 receiver ops\n 0 opens a 0\n 0 opens b 0\n 60 moves a 0\n 600 opens a 600\n 2000 end\n",
	 "30 ops 1 open a+ b+\n 481 ops 2 open a- b+\n 781 ops 3 open a+ b+\n", 0},
	{"a restart while one has moved",
	 "0 receiver ops\n 0 opens a 0\n 60 moves a 0\n 100 restart\n 120 opens a 120\n 150 restart\n 1000 closes a 120\n 9000 end\n",
	 "30 ops 1 open a+\n 1000 ops 2 resolved a-\n", 0},
	{"an alert that is of the first minute of an incident that was over opens it again",
	 "0 receiver ops\n 0 opens a 0\n 60 closes a 0\n 90 opens b 0\n 200 closes b 0\n 9000 end\n",
	 "30 ops 1 open a+\n 60 ops 2 resolved a-\n 360 ops 3 resolved a- b-\n", 0},
	{"the next incident is another one",
	 "0 receiver ops\n 0 opens a 0\n 60 closes a 0\n 120 opens a 120\n 9000 end\n",
	 "30 ops 1 open a+\n 60 ops 2 resolved a-\n 150 ops 1 open a+\n", 0},
	/* silences */
	{"nobody is told what is silenced, before the silence ends",
	 "0 receiver ops\n 0 silence all 500\n 0 opens a 0\n 9000 end\n",
	 "500 ops 1 open a+\n", 0},
	{"what came and went in a silence is never told",
	 "0 receiver ops\n 0 silence all 500\n 0 opens a 0\n 100 closes a 0\n 9000 end\n",
	 "", 0},
	{"the end of what was told waits for the end of the silence",
	 "0 receiver ops\n 0 opens a 0\n 60 silence all 500\n 100 closes a 0\n 9000 end\n",
	 "30 ops 1 open a+\n 500 ops 2 resolved a-\n", 0},
	{"alerts that are silenced are left out, and come in at its end",
	 "0 receiver ops\n 0 silence a 500\n 0 opens a 0\n 0 opens b 0\n 9000 end\n",
	 "30 ops 1 open b+\n 500 ops 2 open a+ b+\n", 0},
	{"what flaps in a silence is no news",
	 "0 receiver ops\n 0 silence a 2000\n 0 opens a 0\n 0 opens b 0\n 400 closes a 0\n 900 opens a 900\n 3000 end\n",
	 "30 ops 1 open b+\n 2000 ops 2 open a+ b+\n", 0},
	{"no repeats of what is silenced",
	 "0 receiver ops repeat=600\n 0 opens a 0\n 60 silence all 1500\n 2200 end\n",
	 "30 ops 1 open a+\n 1500 ops 2 open a+\n 2100 ops 3 open a+\n", 0},
	{"a silence is lifted",
	 "0 receiver ops\n 0 silence all 50000\n 0 opens a 0\n 100 silence all 101\n 9000 end\n",
	 "101 ops 1 open a+\n", 0},
	{"a restart does not forget who was left out",
	 "0 receiver ops\n 0 silence a 500\n 0 opens a 0\n 0 opens b 0\n 100 restart\n 9000 end\n",
	 "30 ops 1 open b+\n 500 ops 2 open a+ b+\n", 0},
	/* escalation */
	{"nobody takes care: it goes further, and further",
	 "0 receiver ops escalate=boss after=900\n 0 receiver boss named=1 escalate=ceo after=600\n 0 receiver ceo named=1\n"
	 "0 opens a 0\n 2000 closes a 0\n 9000 end\n",
	 "30 ops 1 open a+\n 930 boss 1 open a+\n 1530 ceo 1 open a+\n 2000 boss 2 resolved a-\n 2000 ceo 2 resolved a-\n 2000 ops 2 resolved a-\n", 0},
	{"somebody does: no further",
	 "0 receiver ops escalate=boss after=900\n 0 receiver boss named=1\n 0 opens a 0\n 929 ack\n 2000 closes a 0\n 9000 end\n",
	 "30 ops 1 open a+\n 2000 ops 2 resolved a-\n", 0},
	{"it goes no further when it is over, and round in no circle",
	 "0 receiver ops escalate=boss after=100\n 0 receiver boss named=1 escalate=ops after=100\n 0 opens a 0\n 500 closes a 0\n 9000 end\n",
	 "30 ops 1 open a+\n 130 boss 1 open a+\n 500 boss 2 resolved a-\n 500 ops 2 resolved a-\n", 0},
	{"who was told by an escalation hears of changes also once it is acknowledged",
	 "0 receiver ops escalate=boss after=100\n 0 receiver boss named=1 repeat=600\n 0 opens a 0\n 200 ack\n 1000 opens b 960\n 9000 end\n",
	 "30 ops 1 open a+\n 130 boss 1 open a+\n 1000 boss 2 open a+ b+\n 1000 ops 2 open a+ b+\n", 0},
	{"it goes further also while the first is still on its way",
	 "0 receiver ops escalate=boss after=100\n 0 receiver boss named=1\n 0 hold\n 0 opens a 0\n 9000 end\n",
	 "30 ops 1 open a+\n 130 boss 1 open a+\n", 0},
	/* receivers come, change, go */
	{"a receiver that comes later is told, one that goes is not",
	 "0 receiver ops\n 0 opens a 0\n 100 receiver late\n 200 gone ops\n 300 closes a 0\n 9000 end\n",
	 "30 ops 1 open a+\n 100 late 1 open a+\n 300 late 2 resolved a-\n", 0},
	{"a receiver that it is not for any more is told the end, and nothing else",
	 "0 receiver ops repeat=600\n 0 opens a 0\n 100 receiver ops repeat=600 named=1\n"
	 "2000 opens b 1980\n 3000 closes a 0\n 3000 closes b 1980\n 9000 end\n",
	 "30 ops 1 open a+\n 3000 ops 2 resolved a- b-\n", 0},
	{"its job is on its way when a receiver goes: the outcome counts, and its number is not used again",
	 "0 receiver ops\n 0 hold\n 0 opens a 0\n 40 gone ops\n 50 outcome\n 60 deliver\n 60 receiver ops\n 100 opens b 60\n 1000 end\n",
	 "30 ops 1 open a+\n 350 ops 2 open a+ b+\n", 0},
	/* outcomes */
	{"the incident moves on while a job is on its way: what is new is told next",
	 "0 receiver ops\n 0 hold\n 0 opens a 0\n 40 opens b 0\n 50 closes a 0\n 60 closes b 0\n 100 outcome\n 9000 end\n",
	 "30 ops 1 open a+\n 100 ops 2 resolved a- b-\n", 0},
	{"an outcome that comes twice, or of another number, changes nothing",
	 "0 receiver ops\n 0 hold\n 0 opens a 0\n 100 outcome\n 110 again\n 120 deliver\n 9000 end\n",
	 "30 ops 1 open a+\n", 0},
	{"given up: no end is told of what nobody was told of",
	 "0 receiver ops\n 0 fail\n 0 opens a 0\n 100 deliver\n 200 closes a 0\n 9000 end\n",
	 "30 ops 1 open a+\n", 0},
	{"given up, but it changes: told",
	 "0 receiver ops\n 0 fail\n 0 opens a 0\n 100 deliver\n 200 opens b 180\n 1000 closes a 0\n 1000 closes b 180\n 9000 end\n",
	 "30 ops 1 open a+\n 330 ops 2 open a+ b+\n 1000 ops 3 resolved a- b-\n", 0},
	{"a restart gives out again what has no outcome, by the same number",
	 "0 receiver ops\n 0 hold\n 0 opens a 0\n 100 restart\n 200 outcome\n 300 closes a 0\n 310 deliver\n 9000 end\n",
	 "30 ops 1 open a+\n 100 ops 1 open a+\n 300 ops 2 resolved a-\n", 0},
	{"a restart, and it says more by now: another number, as nobody knows what became of the first",
	 "0 receiver ops\n 0 hold\n 0 opens a 0\n 90 closes a 0\n 100 restart\n 110 deliver\n 9000 end\n",
	 "30 ops 1 open a+\n 100 ops 2 resolved a-\n", 0},
	{"a transaction is aborted: the same again",
	 "0 receiver ops\n 0 opens a 0\n 29 abort\n 100 restart\n 200 closes a 0\n 1000 end\n",
	 "30 ops 1 open a+\n 200 ops 2 resolved a-\n", 0},
	{"the first one of an incident is",
	 "0 receiver ops\n 0 opens a 0\n 0 abort\n 100 restart\n 200 closes a 0\n 1000 end\n",
	 "30 ops 1 open a+\n 200 ops 2 resolved a-\n", 0},
	/* controls */
	{"a pause holds up, and what came meanwhile is one",
	 "0 receiver ops\n 0 pause\n 0 opens a 0\n 100 opens b 60\n 200 unpause\n 300 closes a 0\n 300 closes b 60\n 9000 end\n",
	 "200 ops 1 open a+ b+\n 300 ops 2 resolved a- b-\n", 0},
	{"dropped is as told, and nobody is",
	 "0 receiver ops\n 0 opens a 0\n 10 drop\n 100 undrop\n 200 opens b 180\n 500 closes a 0\n 500 closes b 180\n 9000 end\n",
	 "310 ops 1 open a+ b+\n 500 ops 2 resolved a- b-\n", 0},
	{"what opens while all is dropped was never there, what closes is closed in silence",
	 "0 receiver ops\n 0 opens a 0\n 60 drop\n 100 opens b 60\n 120 closes a 0\n 200 undrop\n 300 closes b 60\n 9000 end\n",
	 "30 ops 1 open a+\n", 0},
	{"a change is dropped: who was told before it is told the end",
	 "0 receiver ops\n 0 opens a 0\n 60 opens b 60\n 70 drop\n 80 undrop\n 500 closes a 0\n 500 closes b 60\n 9000 end\n",
	 "30 ops 1 open a+\n 500 ops 3 resolved a- b-\n", 0},
	/* rate */
	{"over its rate a site waits for a token, and then all is told in one",
	 "0 receiver ops interval=1\n 0 opens a 0\n 60 opens b 60\n 61 opens c 60\n 62 opens d 60\n 63 opens e 60\n 9000 end\n",
	 "30 ops 1 open a+\n 60 ops 2 open a+ b+\n 1830 ops 3 open a+ b+ c+ d+ e+\n", 2},
	/* summaries */
	{"what came and went while the processor was behind is told once",
	 "0 receiver ops\n 0 summary 0 5 5\n 10 summary 60 2 1\n 10 summary 60 2 1\n 9000 end\n",
	 "30 ops 1 resolved behind 7/6\n", 0},
	{"of an open incident it is a note",
	 "0 receiver ops\n 0 opens a 0\n 100 summary 0 5 5\n 600 closes a 0\n 9000 end\n",
	 "30 ops 1 open a+\n 600 ops 2 resolved a- behind 5/5\n", 0},
	/* clocks */
	{"a clock that jumps tells once what has become due",
	 "0 receiver ops repeat=600\n 0 opens a 0\n 86000 jump\n 86100 end\n",
	 "86000 ops 1 open a+\n", 0},
};

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
	struct alert_event ev = {.kind = ALERT_EVENT_KIND_SUMMARY, .trigger = STR("slow"), .cell = STR("main"), .site = STR("shop"), .at = w->now_s * 1000};
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

/* Turns, one transaction, and jobs until there are none: as an owner does it. Returns how many jobs there were. */
static size_t one_round(struct world *w)
{
	struct arena arena = ARENA_INIT;
	struct desk_job job;
	size_t nr = 0;

	ck_assert_int_eq(desk_turn(w->desk, w->now_s * 1000, false, NULL), 0);
	world_transaction(w);
	for (; desk_next_job(w->desk, w->now_s * 1000, &arena, &job, NULL) == 1; nr++) {
		world_hold(w, &job);
		arena_clear(&arena);
	}
	arena_fini(&arena);
	return nr;
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
	desk_figures(w->desk, &f);
	ck_assert_uint_eq(f.incidents, 1);
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
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return unit_main(suite());
}
