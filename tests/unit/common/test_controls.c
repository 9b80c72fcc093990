/* test_controls.c - who is stopped by which control, for how long, and by whose word. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/events.h"
#include "tests/unit/common/controls_fixture.h"

/* A control's scope, who asks, and what is to come of it. */
static const struct { const char *cell, *site, *asks_cell, *asks_site; bool stops; } scopes[] = {
	{NULL, NULL, "", "", true}, {NULL, NULL, "main", "shop", true}, {NULL, NULL, "", "shop", true},
	{"main", NULL, "main", "shop", true}, {"main", NULL, "main", "", true}, {"main", NULL, "eu", "shop", false},
	{"main", NULL, "", "shop", false}, {"main", NULL, "", "", false}, {"main", NULL, "mai", "", false}, {"main", NULL, "main2", "", false},
	{NULL, "shop", "main", "shop", true}, {NULL, "shop", "", "shop", true}, {NULL, "shop", "main", "blog", false},
	{NULL, "shop", "shop", "", false}, {NULL, "shop", "", "", false},
	{"main", "shop", "main", "shop", true}, {"main", "shop", "eu", "shop", false}, {"main", "shop", "main", "blog", false},
	{"main", "shop", "", "shop", false}, {"main", "shop", "main", "", false},
};

START_TEST(scope)
{
	const char *cell = scopes[_i].asks_cell, *site = scopes[_i].asks_site;
	char why[CONTROLS_WHY_SIZE] = "untouched";
	struct record r;
	struct fixture f;

	setup(&f);
	ck_assert(!controls_in_force(f.c, CONTROL_ACTION_CLOSE, str_from(cell), str_from(site), why));
	must_take(&f, close_record(&r, scopes[_i].cell, scopes[_i].site, NOON_MS));
	ck_assert_int_eq(controls_in_force(f.c, CONTROL_ACTION_CLOSE, str_from(cell), str_from(site), why), scopes[_i].stops);
	ck_assert_str_eq(why, scopes[_i].stops ? "a fire" : "untouched");
	ck_assert(!controls_in_force(f.c, CONTROL_ACTION_ACCEPT_SHRINK, str_from(cell), str_from(site), NULL));
	teardown(&f);
}
END_TEST

/* Sinks and processors ask the same; what is for one kind or one trigger stops nobody who does not say which is his. */
START_TEST(kinds_and_triggers_are_apart)
{
	struct record r = {.control = {.on = CONTROL_PROGRAM_SINK, .action = CONTROL_ACTION_DROP, .has_site = true, .site = STR("shop"),
				       .has_kind = true, .kind = STR("hourly"), .reason = STR("r"), .author = STR("a"), .created_at = NOON_MS,
				       .expires_at = NOON_MS + HOUR_MS}};
	struct clock clock = still_clock();
	struct fixture f = {.clock = clock, .c = controls_new(&clock, CONTROL_PROGRAM_SINK, NULL)};
	struct arena arena = ARENA_INIT;
	struct control *list;
	size_t nr;

	control_make_id(&r.control, r.id, NULL);
	r.control.id = str_from(r.id);
	must_take(&f, &r.control);
	ck_assert(!controls_in_force(f.c, CONTROL_ACTION_DROP, STR("main"), STR("shop"), NULL));
	list = controls_list(f.c, &arena, &nr, NULL);
	ck_assert_uint_eq(nr, 1);
	ck_assert(list[0].has_site && list[0].has_kind && !list[0].has_cell && !list[0].has_trigger);
	ck_assert(str_eq(list[0].kind, STR("hourly")));
	arena_fini(&arena);
	teardown(&f);
}
END_TEST

/* The scope of a sink's drop, what a record is of, and whether it is dropped. */
static const struct { const char *site, *kind, *record_site, *record_kind; bool drops; } kinds[] = {
	{"shop", NULL, "shop", "hourly", true}, {"shop", NULL, "shop", "", true}, {"shop", NULL, "blog", "hourly", false},
	{"shop", NULL, "", "hourly", false}, {NULL, "hourly", "shop", "hourly", true}, {NULL, "hourly", "", "hourly", true},
	{NULL, "hourly", "shop", "minutely", false}, {NULL, "hourly", "shop", "", false}, {NULL, "hourly", "hourly", "minutely", false},
	{"shop", "hourly", "shop", "hourly", true}, {"shop", "hourly", "", "hourly", false}, {"shop", "hourly", "blog", "hourly", false},
	{"shop", "hourly", "shop", "minutely", false}, {"shop", "hourly", "hourly", "shop", false},
};

START_TEST(scope_with_a_kind)
{
	const char *site = kinds[_i].site, *kind = kinds[_i].kind;
	struct record r = {.control = {.on = CONTROL_PROGRAM_SINK, .action = CONTROL_ACTION_DROP, .has_site = site != NULL,
				       .site = str_from(site ? site : ""), .has_kind = kind != NULL, .kind = str_from(kind ? kind : ""),
				       .reason = STR("r"), .author = STR("a"), .created_at = NOON_MS, .expires_at = NOON_MS + HOUR_MS}};
	struct clock clock = still_clock();
	struct fixture f = {.clock = clock, .c = controls_new(&clock, CONTROL_PROGRAM_SINK, NULL)};
	char why[CONTROLS_WHY_SIZE] = "untouched";

	control_make_id(&r.control, r.id, NULL);
	r.control.id = str_from(r.id);
	must_take(&f, &r.control);
	ck_assert_int_eq(controls_in_force_of_kind(f.c, CONTROL_ACTION_DROP, STR(""), str_from(kinds[_i].record_site),
						   str_from(kinds[_i].record_kind), why), kinds[_i].drops);
	ck_assert_str_eq(why, kinds[_i].drops ? "r" : "untouched");
	ck_assert(!controls_in_force_of_kind(f.c, CONTROL_ACTION_PAUSE, STR(""), str_from(kinds[_i].record_site),
					     str_from(kinds[_i].record_kind), NULL));
	teardown(&f);
}
END_TEST

/* The scope of a processor's mute, and of whose trigger it is asked. */
static const struct { const char *cell, *site, *trigger, *in, *of, *asked; bool muted; } mutes[] = {
	{"main", NULL, NULL, "main", "shop", "t", true}, {"main", NULL, NULL, "other", "shop", "t", false}, {NULL, "shop", NULL, "main", "shop", "t", true},
	{NULL, "shop", NULL, "main", "blog", "t", false}, {NULL, NULL, "t", "main", "shop", "t", true}, {NULL, NULL, "t", "main", "shop", "u", false},
	{NULL, NULL, "t", "main", "t", "shop", false}, {"main", "shop", "t", "main", "shop", "t", true}, {"main", "shop", "t", "main", "blog", "t", false},
};

START_TEST(scope_with_a_trigger)
{
	struct record r = {.control = {.on = CONTROL_PROGRAM_PROCESSOR, .action = CONTROL_ACTION_MUTE, .has_cell = mutes[_i].cell != NULL,
				       .cell = str_from(mutes[_i].cell), .has_site = mutes[_i].site != NULL, .site = str_from(mutes[_i].site),
				       .has_trigger = mutes[_i].trigger != NULL, .trigger = str_from(mutes[_i].trigger), .reason = STR("r"), .author = STR("a"),
				       .created_at = NOON_MS, .expires_at = NOON_MS + HOUR_MS}};
	struct clock clock = still_clock();
	struct fixture f = {.clock = clock, .c = controls_new(&clock, CONTROL_PROGRAM_PROCESSOR, NULL)};

	control_make_id(&r.control, r.id, NULL);
	r.control.id = str_from(r.id);
	must_take(&f, &r.control);
	ck_assert_int_eq(controls_in_force_of_trigger(f.c, CONTROL_ACTION_MUTE, str_from(mutes[_i].in), str_from(mutes[_i].of), str_from(mutes[_i].asked), NULL),
			 mutes[_i].muted);
	ck_assert(!controls_in_force_of_trigger(f.c, CONTROL_ACTION_ACCEPT_OFFSETS, str_from(mutes[_i].in), str_from(mutes[_i].of), str_from(mutes[_i].asked), NULL));
	ck_assert(!mutes[_i].trigger || !controls_in_force(f.c, CONTROL_ACTION_MUTE, str_from(mutes[_i].in), str_from(mutes[_i].of), NULL));
	teardown(&f);
}
END_TEST

START_TEST(expires_by_itself)
{
	struct control_change change;
	struct record r;
	struct fixture f;

	setup(&f);
	must_take(&f, close_record(&r, NULL, "shop", NOON_MS));
	ck_assert(controls_next_change(f.c, &change));
	f.clock.start_ms = NOON_MS + HOUR_MS - 1;
	ck_assert(closed(&f, "", "shop"));
	ck_assert(!controls_next_change(f.c, &change));
	f.clock.start_ms = NOON_MS + HOUR_MS;
	ck_assert(!closed(&f, "", "shop"));
	ck_assert(controls_next_change(f.c, &change));
	ck_assert_int_eq(change.event, CONTROL_EVENT_EXPIRED);
	ck_assert_str_eq(change.id, "ingest/close/site=shop");
	ck_assert_str_eq(change.reason, "a fire");
	ck_assert_str_eq(change.author, "ann");
	ck_assert_str_eq(change.site, "shop");
	ck_assert_str_eq(change.cell, "");
	ck_assert(!change.by_port);
	ck_assert(!controls_next_change(f.c, &change));
	ck_assert(!closed(&f, "", "shop"));
	teardown(&f);
}
END_TEST

/* A table's history: what has expired already is never in force, and never news. */
START_TEST(expired_rows)
{
	struct control_change change;
	struct record r;
	struct fixture f;

	setup(&f);
	must_take(&f, close_record(&r, NULL, NULL, NOON_MS - HOUR_MS));
	ck_assert(!closed(&f, "", ""));
	ck_assert(!controls_next_change(f.c, &change));
	must_take(&f, close_record(&r, NULL, NULL, NOON_MS - HOUR_MS + 1));
	ck_assert(closed(&f, "", ""));
	teardown(&f);
}
END_TEST

/* In the order of the topic, whatever their times say; a deletion clears. */
START_TEST(rows_replace_each_other)
{
	char why[CONTROLS_WHY_SIZE];
	struct record r;
	struct fixture f;

	setup(&f);
	must_take(&f, close_record(&r, NULL, NULL, NOON_MS));
	close_record(&r, NULL, NULL, NOON_MS - 60000)->reason = STR("another fire");
	must_take(&f, &r.control);
	ck_assert(controls_in_force(f.c, CONTROL_ACTION_CLOSE, STR(""), STR(""), why));
	ck_assert_str_eq(why, "another fire");
	f.clock.start_ms = r.control.expires_at;
	ck_assert(!closed(&f, "", ""));
	must_take(&f, close_record(&r, NULL, NULL, f.clock.start_ms));
	ck_assert(closed(&f, "", ""));
	take_deletion(&f, "ingest/close/cell=main", f.clock.start_ms);
	ck_assert(closed(&f, "", ""));
	take_deletion(&f, "ingest/close", NOON_MS - HOUR_MS);
	ck_assert(!closed(&f, "", ""));
	teardown(&f);
}
END_TEST

/* What is wrong with a row, in a good one's place. */
enum fault { FAULT_CUT, FAULT_EMPTY, FAULT_KEY, FAULT_SCOPE, FAULT_ID, FAULT_LIFE, FAULT_NEWER, FAULTS };

START_TEST(malformed_rows_leave_what_was)
{
	static const char newer[] = "\0\0\0\x27\x0f" "body";
	struct err err = ERR_INIT;
	struct record r, bad;
	struct table_row row;
	struct buf value;
	struct fixture f;

	setup(&f);
	must_take(&f, close_record(&r, NULL, "shop", NOON_MS));
	close_record(&bad, NULL, "shop", NOON_MS + 1)->reason = STR("bad");
	bad.control.has_kind = _i == FAULT_SCOPE;
	bad.control.kind = STR("hourly");
	if (_i == FAULT_ID)
		bad.control.id = STR("ingest/close");
	if (_i == FAULT_LIFE)
		bad.control.expires_at += CONTROL_LIFE_MAX_MS;
	row = row_of(&bad.control, &value);
	if (_i == FAULT_CUT)
		row.value.len--;
	if (_i == FAULT_EMPTY)
		row.value.len = 0;
	if (_i == FAULT_KEY)
		row.key = STR("ingest/close/site=blog");
	if (_i == FAULT_NEWER)
		row.value = STR(newer);
	ck_assert_int_eq(controls_take(f.c, &row, &err), -1);
	ck_assert_int_eq(err.kind, _i == FAULT_NEWER ? ERR_RETRY : ERR_REJECT);
	ck_assert(closed(&f, "", "shop") && !closed(&f, "", "blog") && !closed(&f, "", ""));
	buf_fini(&value);
	teardown(&f);
}
END_TEST

/* Other programs' controls, and deletions of anything at all, are no business of ours. */
START_TEST(others_are_ignored)
{
	static const char *const keys[] = {"", "ingest", "ingester/close", "sink/drop/site=shop", "nonsense"};
	char long_key[1000];
	struct control_change change;
	struct record r;
	struct fixture f;

	setup(&f);
	close_record(&r, NULL, NULL, NOON_MS);
	r.control.on = CONTROL_PROGRAM_NOTIFY;
	r.control.action = CONTROL_ACTION_DROP;
	control_make_id(&r.control, r.id, NULL);
	r.control.id = str_from(r.id);
	must_take(&f, &r.control);
	r.control.expires_at = INT64_MAX; /* not even judged */
	must_take(&f, &r.control);
	ck_assert(!closed(&f, "", ""));
	ck_assert(!controls_in_force(f.c, CONTROL_ACTION_DROP, STR(""), STR(""), NULL));
	for (size_t i = 0; i < NR(keys); i++)
		take_deletion(&f, keys[i], NOON_MS);
	memset(long_key, 'x', sizeof(long_key) - 1);
	long_key[sizeof(long_key) - 1] = '\0';
	memcpy(long_key, "ingest/", 7);
	take_deletion(&f, long_key, NOON_MS);
	ck_assert(!controls_next_change(f.c, &change));
	teardown(&f);
}
END_TEST

/* Two words on one id, said by either side at a time: which of them holds, whichever came in first. */
static const struct { int64_t topic_at, port_at; bool topic_sets, port_sets, closes; } words[] = {
	{0, 1, true, true, true}, {1, 0, true, true, true}, {0, 1, true, false, false}, {1, 0, true, false, true},
	{0, 1, false, true, true}, {1, 0, false, true, false}, {0, 0, false, true, true},
};

START_TEST(later_word_holds)
{
	struct record topic, port;
	struct fixture f;
	struct err err = ERR_INIT;
	enum controls_answer wanted = words[_i].port_at < words[_i].topic_at ? CONTROLS_OLDER : CONTROLS_DONE;

	setup(&f);
	close_record(&topic, "main", NULL, NOON_MS + words[_i].topic_at)->reason = STR("topic");
	close_record(&port, "main", NULL, NOON_MS + words[_i].port_at)->reason = STR("port");
	if (words[_i].topic_sets)
		must_take(&f, &topic.control);
	else
		take_deletion(&f, topic.id, NOON_MS + words[_i].topic_at);
	f.clock.start_ms = NOON_MS + words[_i].port_at;
	if (words[_i].port_sets) {
		ck_assert_int_eq(controls_put(f.c, &port.control, &err), wanted);
		if (wanted == CONTROLS_OLDER)
			ck_assert_msg(strstr(err.msg, "by the topic: that holds") != NULL, "%s", err.msg);
		ck_assert_int_eq(closed(&f, "main", ""), words[_i].closes);
	}
	teardown(&f);
	setup(&f); /* and the other way round: the row comes late, with all that it said */
	f.clock.start_ms = NOON_MS + words[_i].port_at;
	must_put(&f, &port.control);
	if (!words[_i].port_sets)
		ck_assert_int_eq(controls_clear(f.c, port.control.id, NULL), CONTROLS_DONE);
	if (words[_i].topic_sets)
		must_take(&f, &topic.control);
	else
		take_deletion(&f, topic.id, NOON_MS + words[_i].topic_at);
	ck_assert_int_eq(closed(&f, "main", ""), words[_i].closes);
	teardown(&f);
}
END_TEST

/* By hand, and at this instance: what is in force is cleared even when a clock that is ahead has set it. */
START_TEST(clear_by_the_port)
{
	struct err err = ERR_INIT;
	struct record r;
	struct fixture f;

	setup(&f);
	ck_assert_int_eq(controls_clear(f.c, STR("ingest/close"), &err), CONTROLS_UNKNOWN);
	ck_assert_str_eq(err.msg, "no control \"ingest/close\" is in force");
	must_take(&f, close_record(&r, NULL, NULL, NOON_MS + 300000));
	ck_assert(closed(&f, "", ""));
	ck_assert_int_eq(controls_clear(f.c, STR("ingest/close/site=x"), &err), CONTROLS_UNKNOWN);
	ck_assert_int_eq(controls_clear(f.c, STR("ingest/close"), &err), CONTROLS_DONE);
	ck_assert(!closed(&f, "", ""));
	ck_assert_int_eq(controls_clear(f.c, STR("ingest/close"), &err), CONTROLS_UNKNOWN);
	must_take(&f, close_record(&r, NULL, NULL, NOON_MS + 300001));
	ck_assert(closed(&f, "", ""));
	f.clock.start_ms = r.control.expires_at;
	ck_assert_int_eq(controls_clear(f.c, STR("ingest/close"), &err), CONTROLS_UNKNOWN);
	teardown(&f);
}
END_TEST

/* What a person at the port is refused, and why. */
static const struct { int64_t at, lives; const char *says; } bad_words[] = {
	{-HOUR_MS, HOUR_MS, "has expired by the clock here"},
	{600001, HOUR_MS, "more than 10 minutes ahead"},
	{600000, HOUR_MS, NULL},
	{-2 * HOUR_MS, 2 * HOUR_MS + 1, NULL},
	{0, CONTROL_LIFE_MAX_MS + 1, "longer than 30 days"},
};

START_TEST(bad_puts)
{
	struct err err = ERR_INIT;
	struct record r;
	struct fixture f;

	setup(&f);
	close_record(&r, NULL, NULL, NOON_MS + bad_words[_i].at)->expires_at = NOON_MS + bad_words[_i].at + bad_words[_i].lives;
	ck_assert_int_eq(controls_put(f.c, &r.control, &err), bad_words[_i].says ? CONTROLS_BAD : CONTROLS_DONE);
	if (bad_words[_i].says)
		ck_assert_msg(strstr(err.msg, bad_words[_i].says) != NULL, "%s", err.msg);
	ck_assert_int_eq(closed(&f, "", ""), bad_words[_i].says == NULL);
	close_record(&r, NULL, NULL, NOON_MS);
	r.control.on = CONTROL_PROGRAM_NOTIFY;
	r.control.action = CONTROL_ACTION_PAUSE;
	r.control.id = STR("notify/pause");
	ck_assert_int_eq(controls_put(f.c, &r.control, &err), CONTROLS_BAD);
	ck_assert_msg(strstr(err.msg, "this is ingest") != NULL, "%s", err.msg);
	teardown(&f);
}
END_TEST

/* Once each, and by the last state when there were several since. */
START_TEST(changes_are_told_once)
{
	struct control_change change;
	struct record r;
	struct fixture f;

	setup(&f);
	must_put(&f, close_record(&r, "main", NULL, NOON_MS));
	must_take(&f, close_record(&r, NULL, NULL, NOON_MS));
	ck_assert(controls_next_change(f.c, &change));
	ck_assert_str_eq(change.id, "ingest/close/cell=main");
	ck_assert_str_eq(change.cell, "main");
	ck_assert(change.by_port && change.event == CONTROL_EVENT_SET && change.expires_ms == NOON_MS + HOUR_MS);
	ck_assert(controls_next_change(f.c, &change));
	ck_assert_str_eq(change.id, "ingest/close");
	ck_assert(!change.by_port && change.event == CONTROL_EVENT_SET);
	ck_assert(!controls_next_change(f.c, &change));
	must_take(&f, close_record(&r, NULL, NULL, NOON_MS)); /* the same once more */
	ck_assert(!controls_next_change(f.c, &change));
	must_take(&f, close_record(&r, NULL, NULL, NOON_MS + 1)); /* set anew */
	ck_assert(controls_next_change(f.c, &change));
	ck_assert(change.event == CONTROL_EVENT_SET && change.expires_ms == NOON_MS + 1 + HOUR_MS);
	f.clock.start_ms = NOON_MS + 2;
	ck_assert_int_eq(controls_clear(f.c, str_from("ingest/close"), NULL), CONTROLS_DONE);
	must_take(&f, close_record(&r, NULL, NULL, NOON_MS + 3));
	take_deletion(&f, "ingest/close", NOON_MS + 4);
	ck_assert(controls_next_change(f.c, &change));
	ck_assert(change.event == CONTROL_EVENT_CLEARED && !change.by_port);
	ck_assert_str_eq(change.author, "ann");
	ck_assert(!controls_next_change(f.c, &change));
	must_take(&f, close_record(&r, NULL, "x", NOON_MS));
	take_deletion(&f, "ingest/close/site=x", NOON_MS);
	ck_assert(!controls_next_change(f.c, &change));
	teardown(&f);
}
END_TEST

START_TEST(list_is_what_is_in_force)
{
	static const char *const sites[] = {"zoo", "blog", "shop", "a"};
	struct arena arena = ARENA_INIT;
	struct control *list;
	struct record r;
	struct fixture f;
	size_t nr = 77;

	setup(&f);
	ck_assert_ptr_nonnull(controls_list(f.c, &arena, &nr, NULL));
	ck_assert_uint_eq(nr, 0);
	for (size_t i = 0; i < NR(sites); i++)
		must_take(&f, close_record(&r, NULL, sites[i], NOON_MS - (int64_t)i));
	take_deletion(&f, "ingest/close/site=blog", NOON_MS);
	f.clock.start_ms = NOON_MS + HOUR_MS - 3; /* "a" is over */
	list = controls_list(f.c, &arena, &nr, NULL);
	ck_assert_uint_eq(nr, 2);
	ck_assert(str_eq(list[0].id, STR("ingest/close/site=shop")) && str_eq(list[1].id, STR("ingest/close/site=zoo")));
	ck_assert(list[0].on == CONTROL_PROGRAM_INGEST && list[0].action == CONTROL_ACTION_CLOSE && !list[0].has_cell && list[0].has_site);
	ck_assert(str_eq(list[0].reason, STR("a fire")) && str_eq(list[0].author, STR("ann")));
	ck_assert(list[0].created_at == NOON_MS - 2 && list[0].expires_at == NOON_MS - 2 + HOUR_MS);
	ck_assert_int_eq(control_check(&list[0], NULL), 0);
	arena.limit_bytes = 1;
	ck_assert_ptr_null(controls_list(f.c, &arena, &nr, NULL));
	arena_fini(&arena);
	teardown(&f);
}
END_TEST

/* Bounded: what is over makes room, what is in force does not. */
START_TEST(no_more_than_so_many)
{
	struct control_change change;
	struct err err = ERR_INIT;
	struct record r;
	struct fixture f;
	char site[16];

	setup(&f);
	for (int i = 0; i < 3 * CONTROLS_MAX; i++) { /* deletions are remembered, and forgotten */
		snprintf(site, sizeof(site), "gone-%d", i);
		close_record(&r, NULL, site, NOON_MS);
		take_deletion(&f, r.id, NOON_MS + i);
	}
	f.clock.start_ms = NOON_MS + 3 * CONTROLS_MAX - 1;
	ck_assert_int_eq(controls_put(f.c, &r.control, &err), CONTROLS_OLDER); /* the last one is still known */
	for (int i = 0; i < CONTROLS_MAX; i++) {
		snprintf(site, sizeof(site), "s-%d", i);
		must_take(&f, close_record(&r, NULL, site, NOON_MS + i));
	}
	ck_assert_int_eq(take(&f, close_record(&r, "one-more", NULL, NOON_MS), &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.msg, "1000 are in force") != NULL, "%s", err.msg);
	ck_assert_int_eq(controls_put(f.c, &r.control, &err), CONTROLS_BAD);
	ck_assert(closed(&f, "", "s-0") && closed(&f, "", "s-999") && !closed(&f, "one-more", ""));
	take_deletion(&f, "ingest/close/site=s-7", NOON_MS);
	must_put(&f, &r.control);
	ck_assert(closed(&f, "one-more", "") && !closed(&f, "", "s-7"));
	while (controls_next_change(f.c, &change))
		ck_assert_int_eq(change.event, CONTROL_EVENT_SET);
	teardown(&f);
}
END_TEST

/* A word is known for as long as what it outdates could live, and no longer. */
START_TEST(words_are_forgotten_in_time)
{
	struct control_change change;
	struct record r;
	struct fixture f;

	setup(&f);
	take_deletion(&f, "ingest/close", NOON_MS + 2);
	f.clock.start_ms = NOON_MS + CONTROL_LIFE_MAX_MS;
	ck_assert(!controls_next_change(f.c, &change));
	close_record(&r, NULL, NULL, NOON_MS + 1)->expires_at = NOON_MS + 1 + CONTROL_LIFE_MAX_MS;
	ck_assert_int_eq(controls_put(f.c, &r.control, NULL), CONTROLS_OLDER);
	f.clock.start_ms = NOON_MS + 3 + CONTROL_LIFE_MAX_MS;
	ck_assert(!controls_next_change(f.c, &change));
	ck_assert_int_eq(controls_put(f.c, &r.control, NULL), CONTROLS_BAD); /* no longer older, but over */
	teardown(&f);
}
END_TEST

START_TEST(wakes_the_main_loop)
{
	struct record r;
	struct fixture f;
	int fd = events_wake_fd(NULL);

	setup(&f);
	must_put(&f, close_record(&r, NULL, NULL, NOON_MS));
	controls_wake_on(f.c, fd);
	ck_assert_uint_eq(events_read(fd), 0);
	must_put(&f, close_record(&r, NULL, NULL, NOON_MS + 1));
	ck_assert_uint_gt(events_read(fd), 0);
	ck_assert_int_eq(controls_put(f.c, close_record(&r, NULL, NULL, NOON_MS), NULL), CONTROLS_OLDER);
	ck_assert_uint_eq(events_read(fd), 0);
	ck_assert_int_eq(controls_clear(f.c, STR("ingest/close"), NULL), CONTROLS_DONE);
	ck_assert_uint_gt(events_read(fd), 0);
	controls_wake_on(f.c, -1);
	must_put(&f, close_record(&r, NULL, NULL, NOON_MS + 2));
	ck_assert_uint_eq(events_read(fd), 0);
	close(fd);
	teardown(&f);
	controls_free(NULL);
}
END_TEST

/* What the asking threads share. */
struct crowd {
	struct fixture *f;
	atomic_bool stop;
	atomic_int wrong, asked;
};

static void *ask(void *ctx)
{
	struct crowd *crowd = ctx;
	struct fixture *f = crowd->f;

	while (!atomic_load(&crowd->stop)) {
		char why[CONTROLS_WHY_SIZE] = "";

		if (!closed(f, "", "always") || closed(f, "", "never") || closed(f, "eu", "sometimes"))
			atomic_fetch_add(&crowd->wrong, 1);
		if (controls_in_force(f->c, CONTROL_ACTION_CLOSE, STR("main"), STR("sometimes"), why) && strcmp(why, "first reason") != 0 &&
		    strcmp(why, "second") != 0)
			atomic_fetch_add(&crowd->wrong, 1);
		atomic_fetch_add(&crowd->asked, 1);
	}
	return NULL;
}

/* Workers ask while the main loop takes rows and looks for changes and the admin port sets and clears. */
START_TEST(many_threads)
{
	enum { ASKERS = 4, ROUNDS = 3000 };
	struct fixture f;
	struct crowd crowd = {.f = &f};
	pthread_t threads[ASKERS];
	struct control_change change;
	struct record r;

	setup(&f);
	must_take(&f, close_record(&r, NULL, "always", NOON_MS));
	for (int i = 0; i < ASKERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask, &crowd), 0);
	for (int i = 0; i < ROUNDS || atomic_load(&crowd.asked) < 100; i++) {
		close_record(&r, "main", "sometimes", NOON_MS + i % 1000)->reason = i & 1 ? STR("first reason") : STR("second");
		if (i % 3)
			must_take(&f, &r.control);
		else
			take_deletion(&f, r.id, r.control.created_at);
		controls_clear(f.c, str_from(r.id), NULL);
		controls_put(f.c, &r.control, NULL);
		controls_next_change(f.c, &change);
	}
	atomic_store(&crowd.stop, true);
	for (int i = 0; i < ASKERS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(atomic_load(&crowd.wrong), 0);
	teardown(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("controls");
	TCase *tc = tcase_create("controls");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, scope, 0, NR(scopes));
	tcase_add_test(tc, kinds_and_triggers_are_apart);
	tcase_add_loop_test(tc, scope_with_a_kind, 0, NR(kinds));
	tcase_add_loop_test(tc, scope_with_a_trigger, 0, NR(mutes));
	tcase_add_test(tc, expires_by_itself);
	tcase_add_test(tc, expired_rows);
	tcase_add_test(tc, rows_replace_each_other);
	tcase_add_loop_test(tc, malformed_rows_leave_what_was, 0, FAULTS);
	tcase_add_test(tc, others_are_ignored);
	tcase_add_loop_test(tc, later_word_holds, 0, NR(words));
	tcase_add_test(tc, clear_by_the_port);
	tcase_add_loop_test(tc, bad_puts, 0, NR(bad_words));
	tcase_add_test(tc, changes_are_told_once);
	tcase_add_test(tc, list_is_what_is_in_force);
	tcase_add_test(tc, no_more_than_so_many);
	tcase_add_test(tc, words_are_forgotten_in_time);
	tcase_add_test(tc, wakes_the_main_loop);
	tcase_add_test(tc, many_threads);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
