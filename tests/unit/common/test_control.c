/* test_control.c - which controls there may be, and what they are called. */
#include "common/control.h"

#include <string.h>

#include "tests/unit/unit.h"

#define NAME_64 "abcdefghijklmnopqrstuvwxyz-0123456789-abcdefghijklmnopqrstuvwxyz"

/* One row of the tables below; a scope that is not named is NULL. */
struct line {
	const char *on, *action, *cell, *site, *kind, *trigger;
	const char *id;   /* what it is called, or */
	const char *says; /* what the refusal says */
};

static struct control made_of(const struct line *l)
{
	struct err err = ERR_INIT;
	struct control c = {
		.has_cell = l->cell, .cell = str_from(l->cell), .has_site = l->site, .site = str_from(l->site),
		.has_kind = l->kind, .kind = str_from(l->kind), .has_trigger = l->trigger, .trigger = str_from(l->trigger),
	};

	ck_assert_msg(control_find_program(str_from(l->on), &c.on, &err) == 0, "%s", err.msg);
	ck_assert_msg(control_find_action(str_from(l->action), &c.action, &err) == 0, "%s", err.msg);
	return c;
}

/* The table of DESIGN.md, "Controls", written out. */
static const struct line good[] = {
	{"ingest", "close", NULL, NULL, NULL, NULL, "ingest/close", NULL},
	{"ingest", "close", "main", NULL, NULL, NULL, "ingest/close/cell=main", NULL},
	{"ingest", "close", NULL, "shop", NULL, NULL, "ingest/close/site=shop", NULL},
	{"ingest", "close", "main", "shop", NULL, NULL, "ingest/close/cell=main/site=shop", NULL},
	{"ingest", "accept_shrink", NULL, NULL, NULL, NULL, "ingest/accept_shrink", NULL},
	{"processor", "accept_offsets", "main", NULL, NULL, NULL, "processor/accept_offsets/cell=main", NULL},
	{"processor", "forget_state", "main", NULL, NULL, NULL, "processor/forget_state/cell=main", NULL},
	{"processor", "mute", "main", NULL, NULL, NULL, "processor/mute/cell=main", NULL},
	{"processor", "mute", NULL, "shop", NULL, NULL, "processor/mute/site=shop", NULL},
	{"processor", "mute", NULL, NULL, NULL, "cpu-high", "processor/mute/trigger=cpu-high", NULL},
	{"processor", "mute", "main", "shop", NULL, "7", "processor/mute/cell=main/site=shop/trigger=7", NULL},
	{"sink", "pause", "main", NULL, NULL, NULL, "sink/pause/cell=main", NULL},
	{"sink", "drop", NULL, "shop", NULL, NULL, "sink/drop/site=shop", NULL},
	{"sink", "drop", NULL, NULL, "hourly", NULL, "sink/drop/kind=hourly", NULL},
	{"sink", "drop", NULL, NAME_64, "hourly", NULL, "sink/drop/site=" NAME_64 "/kind=hourly", NULL},
	{"notify", "pause", NULL, NULL, NULL, NULL, "notify/pause", NULL},
	{"notify", "pause", "main", NULL, NULL, NULL, "notify/pause/cell=main", NULL},
	{"notify", "drop", NULL, NULL, NULL, NULL, "notify/drop", NULL},
	{"notify", "drop", NULL, "shop", NULL, NULL, "notify/drop/site=shop", NULL},
};

START_TEST(ids)
{
	struct control c = made_of(&good[_i]);
	struct err err = ERR_INIT;
	char id[CONTROL_ID_SIZE];

	ck_assert_msg(control_make_id(&c, id, &err) == 0, "%s", err.msg);
	ck_assert_str_eq(id, good[_i].id);
	c.id = str_from(id);
	c.reason = STR("r");
	c.author = STR("a");
	c.expires_at = 1;
	ck_assert_msg(control_check(&c, &err) == 0, "%s", err.msg);
}
END_TEST

static const struct line bad[] = {
	{"ingest", "mute", NULL, NULL, NULL, NULL, NULL, "ingest does not know \"mute\": it knows close, accept_shrink"},
	{"ingest", "drop", NULL, "shop", NULL, NULL, NULL, "ingest does not know \"drop\""},
	{"processor", "close", "main", NULL, NULL, NULL, NULL, "processor does not know \"close\": it knows mute, accept_offsets, forget_state"},
	{"sink", "accept_shrink", NULL, NULL, NULL, NULL, NULL, "sink does not know \"accept_shrink\": it knows pause, drop"},
	{"notify", "mute", NULL, NULL, NULL, NULL, NULL, "notify does not know \"mute\": it knows pause, drop"},
	{"ingest", "close", NULL, NULL, "hourly", NULL, NULL, "ingest close takes no kind: its scope is all, cell, site"},
	{"ingest", "close", NULL, NULL, NULL, "t", NULL, "ingest close takes no trigger"},
	{"ingest", "accept_shrink", "main", NULL, NULL, NULL, NULL, "ingest accept_shrink takes no cell: its scope is all"},
	{"ingest", "accept_shrink", NULL, "shop", NULL, NULL, NULL, "takes no site"},
	{"processor", "mute", NULL, NULL, NULL, NULL, NULL, "processor mute is for nothing at all: its scope is cell, site, trigger"},
	{"processor", "mute", NULL, NULL, "hourly", NULL, NULL, "takes no kind"},
	{"processor", "forget_state", NULL, NULL, NULL, NULL, NULL, "is for nothing at all: its scope is cell"},
	{"sink", "pause", NULL, NULL, NULL, NULL, NULL, "sink pause is for nothing at all: its scope is cell"},
	{"sink", "pause", NULL, "shop", NULL, NULL, NULL, "takes no site"},
	{"sink", "drop", "main", NULL, NULL, NULL, NULL, "sink drop takes no cell: its scope is site, kind"},
	{"sink", "drop", NULL, NULL, NULL, NULL, NULL, "is for nothing at all"},
	{"notify", "drop", NULL, NULL, NULL, "t", NULL, "takes no trigger"},
	{"ingest", "close", "", NULL, NULL, NULL, NULL, "cell \"\" is no name of one: 1 to 32 of a-z, 0-9 and - are allowed"},
	{"ingest", "close", "Main", NULL, NULL, NULL, NULL, "cell \"Main\" is no name"},
	{"ingest", "close", NULL, "a/site=b", NULL, NULL, NULL, "site \"a/site=b\" is no name"},
	{"ingest", "close", NULL, "a=b", NULL, NULL, NULL, "is no name"},
	{"ingest", "close", NULL, NAME_64 "x", NULL, NULL, NULL, "1 to 64 of"},
	{"ingest", "close", NAME_64, NULL, NULL, NULL, NULL, "1 to 32 of"},
	{"processor", "mute", NULL, NULL, NULL, "a b", NULL, "trigger \"a b\" is no name"},
};

START_TEST(no_ids)
{
	struct control c = made_of(&bad[_i]);
	struct err err = ERR_INIT;
	char id[CONTROL_ID_SIZE] = "untouched";

	ck_assert_int_eq(control_make_id(&c, id, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.msg, bad[_i].says) != NULL, "\"%s\" does not say \"%s\"", err.msg, bad[_i].says);
	ck_assert_str_eq(id, "untouched");
}
END_TEST

/* What there is for every program and action: together with the tables above this leaves no combination out. */
START_TEST(all_scopes)
{
	static const char *const programs[] = {"ingest", "processor", "sink", "notify"};
	static const char *const actions[] = {"close", "mute", "pause", "drop", "accept_shrink", "accept_offsets", "forget_state"};
	int taken = 0;

	for (size_t p = 0; p < NR(programs); p++)
		for (size_t a = 0; a < NR(actions); a++)
			for (int scope = 0; scope < 16; scope++) {
				struct line l = {programs[p], actions[a], scope & 1 ? "c" : NULL, scope & 2 ? "s" : NULL,
						 scope & 4 ? "k" : NULL, scope & 8 ? "t" : NULL, NULL, NULL};
				struct control c = made_of(&l);
				char id[CONTROL_ID_SIZE];

				taken += control_make_id(&c, id, NULL) == 0;
			}
	/* close 4, accept_shrink 1; mute 7, accept_offsets 1, forget_state 1; pause 1, drop 3; pause 4, drop 4 */
	ck_assert_int_eq(taken, 26);
}
END_TEST

/* The longest id there can be fits. */
START_TEST(longest_id)
{
	struct control c = {.on = CONTROL_PROGRAM_PROCESSOR, .action = CONTROL_ACTION_MUTE, .has_cell = true, .cell = {NAME_64, 32},
			    .has_site = true, .site = STR(NAME_64), .has_trigger = true, .trigger = STR(NAME_64)};
	char id[CONTROL_ID_SIZE];

	ck_assert_int_eq(control_make_id(&c, id, NULL), 0);
	ck_assert_str_eq(id + strlen(id) - 73, "/trigger=" NAME_64);
}
END_TEST

enum { DAY_MS = 86400000 };

#define S(literal) {literal, sizeof(literal) - 1}

/* Everything else that makes a record malformed, each by one change of a good one. */
static const struct {
	struct str id, reason, author;
	int64_t created_at, expires_at;
	const char *says; /* NULL: it is good */
} records[] = {
	{S("ingest/close"), S("r"), S("a"), 1000, 1001, NULL},
	{S("ingest/close"), S("r"), S("a"), 0, INT64_C(30) * DAY_MS, NULL},
	{S("ingest/close"), S("caf\xc3\xa9 \xf0\x9f\x9b\x92"), S("a"), 0, 1, NULL},
	{S("ingest/close"), S("r"), S("a"), 0, INT64_C(30) * DAY_MS + 1, "longer than 30 days"},
	{S("ingest/close"), S("r"), S("a"), 0, INT64_MAX, "longer than 30 days"},
	{S("ingest/close"), S("r"), S("a"), 1000, 1000, "no time to live"},
	{S("ingest/close"), S("r"), S("a"), 1000, -5, "no time to live"},
	{S("ingest/close"), S("r"), S("a"), INT64_MIN, INT64_MAX, "no time to live"},
	{S("ingest/close/"), S("r"), S("a"), 0, 1, "its id is \"ingest/close/\", but its fields make \"ingest/close\""},
	{S("ingest/close/site=shop"), S("r"), S("a"), 0, 1, "its fields make \"ingest/close\""},
	{S(""), S("r"), S("a"), 0, 1, "its id is \"\""},
	{S("ingest/close"), S(""), S("a"), 0, 1, "control ingest/close: the reason has 0 bytes: 1 to 255"},
	{S("ingest/close"), S(NAME_64 NAME_64 NAME_64 NAME_64), S("a"), 0, 1, "the reason has 256 bytes"},
	{S("ingest/close"), S("r"), S(""), 0, 1, "the author has 0 bytes: 1 to 127"},
	{S("ingest/close"), S("r"), S(NAME_64 NAME_64), 0, 1, "the author has 128 bytes"},
	{S("ingest/close"), S("\xff"), S("a"), 0, 1, "the reason must be UTF-8"},
	{S("ingest/close"), S("a\nb"), S("a"), 0, 1, "the reason may hold no control characters"},
	{S("ingest/close"), S("a\0b"), S("a"), 0, 1, "control characters"},
	{S("ingest/close"), S("\x7f"), S("a"), 0, 1, "control characters"},
	{S("ingest/close"), S("\xc2\x9b"), S("a"), 0, 1, "control characters"},
	{S("ingest/close"), S("\xc2\xa0"), S("a"), 0, 1, NULL},
	{S("ingest/close"), S("r"), S("\x1b[2J"), 0, 1, "the author may hold no control characters"},
};

START_TEST(whole_records)
{
	struct control c = {.id = records[_i].id, .reason = records[_i].reason, .author = records[_i].author,
			    .created_at = records[_i].created_at, .expires_at = records[_i].expires_at};
	struct err err = ERR_INIT;
	int rc = control_check(&c, &err);

	if (!records[_i].says) {
		ck_assert_msg(rc == 0, "%s", err.msg);
		return;
	}
	ck_assert_int_eq(rc, -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.msg, records[_i].says) != NULL, "\"%s\" does not say \"%s\"", err.msg, records[_i].says);
}
END_TEST

START_TEST(unknown_names)
{
	enum control_program on = CONTROL_PROGRAM_SINK;
	enum control_action action = CONTROL_ACTION_PAUSE;
	struct err err = ERR_INIT;

	ck_assert_int_eq(control_find_program(STR("ingester"), &on, &err), -1);
	ck_assert_str_eq(err.msg, "no program \"ingester\" obeys controls: there are ingest, processor, sink, notify");
	ck_assert_int_eq(control_find_program(STR(""), &on, &err), -1);
	ck_assert_int_eq(control_find_action(STR("open"), &action, &err), -1);
	ck_assert_str_eq(err.msg, "there is no action \"open\": there are close, mute, pause, drop, accept_shrink, accept_offsets, forget_state");
	ck_assert_int_eq(on, CONTROL_PROGRAM_SINK);
	ck_assert_int_eq(action, CONTROL_ACTION_PAUSE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control");
	TCase *tc = tcase_create("control");

	tcase_add_loop_test(tc, ids, 0, NR(good));
	tcase_add_loop_test(tc, no_ids, 0, NR(bad));
	tcase_add_test(tc, all_scopes);
	tcase_add_test(tc, longest_id);
	tcase_add_loop_test(tc, whole_records, 0, NR(records));
	tcase_add_test(tc, unknown_names);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
