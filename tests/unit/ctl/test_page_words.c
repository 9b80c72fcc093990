/* test_page_words.c - an operator's words for the status page: the command lines as they are typed, and the entries that come of them.
 *
 * The lines go through the real table of commands, so that an option that a command has not got shows here too. */
#include "deploy/ctl/page_words.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/clock.h"
#include "deploy/ctl/commands.h"
#include "tests/unit/unit.h"

#define NOW INT64_C(1795778580000) /* 2026-11-27T11:23:00Z */
#define HOUR CLOCK_HOUR_MS
#define NONE INT64_C(-1)

enum { WORDS_MAX = 24, LINE_MAX_BYTES = 300 };

/* What a line is about. */
enum about { A_NEW, A_TROUBLE, A_MAINTENANCE, AN_ENDLESS };

static const struct str push[] = {{"push", 4}};

/* The trouble began an hour ago; the maintenance is in three hours, and takes two. */
static struct status_incident before_of(enum about about)
{
	bool maintenance = about != A_TROUBLE;

	return (struct status_incident){
		.id = STR("20261127-1023-push"), .impact = maintenance ? STATUS_IMPACT_MAINTENANCE : STATUS_IMPACT_DEGRADED, .title = STR("t"), .components = push,
		.nr_components = 1, .opened_at = NOW + (maintenance ? 3 : -1) * HOUR, .recovery_at = about == A_MAINTENANCE ? NOW + 5 * HOUR : 0,
	};
}

static enum status_action action_of(const struct args *args)
{
	for (unsigned a = 0; status_action_name((enum status_action)a); a++)
		if (strcmp(args->command->verb, status_action_name((enum status_action)a)) == 0)
			return (enum status_action)a;
	ck_abort_msg("%s is no action", args->command->verb);
}

struct typed {
	struct args args;
	struct arena arena;
	struct status_incident before;
	struct status_entry entry;
	char line[LINE_MAX_BYTES], *argv[WORDS_MAX];
};

/* "incident post --title t", split at its spaces, as an entry. */
static int type(struct typed *t, enum about about, const char *line, struct err *err)
{
	char *rest = t->line;
	struct page_words words;
	int argc = 0;

	*t = (struct typed){.before = before_of(about)};
	snprintf(t->line, sizeof(t->line), "millrace-ctl incident %s", line);
	for (char *word; (word = strsep(&rest, " ")) != NULL && argc < WORDS_MAX;)
		t->argv[argc++] = word;
	if (args_parse(&t->args, commands_table(), commands_options(), argc, t->argv, err) < 0 ||
	    page_words_read(&words, &t->args, action_of(&t->args), &t->arena, err) < 0)
		return -1;
	return page_words_entry(&words, about == A_NEW ? NULL : &t->before, STR("ann"), STR("0123456789abcdef"), NOW, &t->arena, &t->entry, err);
}

static void type_end(struct typed *t)
{
	args_fini(&t->args);
	arena_fini(&t->arena);
}

/* impact, phase: -1, none is said. Times from NOW on; NONE: none is said. */
static const struct { enum about about; const char *line, *id; int impact, phase; int64_t opened, recovery; } good[] = {
	{A_NEW, "draft --component push --title t", "20261127-1123-push-0123", STATUS_IMPACT_DEGRADED, -1, NONE, NONE},
	{A_NEW, "post --component storage/main --component push --title t --impact major_outage --phase identified", "20261127-1123-storage-main-0123",
	 STATUS_IMPACT_MAJOR_OUTAGE, STATUS_PHASE_IDENTIFIED, NONE, NONE},
	{A_NEW, "post --component push --title t --from 20m --recovery 2h", "20261127-1123-push-0123", STATUS_IMPACT_DEGRADED, -1, -20 * CLOCK_MINUTE_MS, 2 * HOUR},
	{A_NEW, "post --component push --title t --maintenance", "20261127-1123-push-0123", STATUS_IMPACT_MAINTENANCE, -1, NONE, HOUR},
	{A_NEW, "post --component push --title t --maintenance --from 2h --for 3h", "20261127-1123-push-0123", STATUS_IMPACT_MAINTENANCE, -1, 2 * HOUR, 5 * HOUR},
	{A_NEW, "post --component push --title t --maintenance --from 2h --recovery 3h", "20261127-1123-push-0123", STATUS_IMPACT_MAINTENANCE, -1, 2 * HOUR, 3 * HOUR},
	{A_NEW, "draft --component push --title t --id slow-disks", "slow-disks", STATUS_IMPACT_DEGRADED, -1, NONE, NONE},
	{A_TROUBLE, "draft ID --text x", "20261127-1023-push", -1, -1, NONE, NONE},
	{A_TROUBLE, "post ID", "20261127-1023-push", -1, -1, NONE, NONE},
	{A_TROUBLE, "update ID --text x --phase monitoring --impact partial_outage --recovery 30m", "20261127-1023-push", STATUS_IMPACT_PARTIAL_OUTAGE,
	 STATUS_PHASE_MONITORING, NONE, HOUR / 2},
	{A_TROUBLE, "veto ID --reason x", "20261127-1023-push", -1, -1, NONE, NONE},
	{A_TROUBLE, "resolve ID --text x", "20261127-1023-push", -1, -1, NONE, NONE},
	{A_TROUBLE, "draft ID --maintenance --from 1h", "20261127-1023-push", STATUS_IMPACT_MAINTENANCE, -1, HOUR, 2 * HOUR}, /* without an end it would never end */
	{A_MAINTENANCE, "post ID --from 4h", "20261127-1023-push", -1, -1, 4 * HOUR, NONE},
	{A_MAINTENANCE, "post ID --for 4h", "20261127-1023-push", -1, -1, NONE, 7 * HOUR},
	{A_MAINTENANCE, "post ID --maintenance", "20261127-1023-push", STATUS_IMPACT_MAINTENANCE, -1, NONE, NONE},
	{A_MAINTENANCE, "update ID --text x --recovery 6h", "20261127-1023-push", -1, -1, NONE, 6 * HOUR},
	{AN_ENDLESS, "update ID --text x", "20261127-1023-push", -1, -1, NONE, NONE},
	{AN_ENDLESS, "resolve ID --text x", "20261127-1023-push", -1, -1, NONE, NONE},
};

START_TEST(lines_are_entries)
{
	struct err err = ERR_INIT;
	struct typed t;

	ck_assert_msg(type(&t, good[_i].about, good[_i].line, &err) == 0, "%s: %s", good[_i].line, err.msg);
	ck_assert_msg(str_eq(t.entry.incident, str_from(good[_i].id)), "%s: " STR_FMT, good[_i].line, STR_ARG(t.entry.incident));
	ck_assert_int_eq(t.entry.has_impact ? (int)t.entry.impact : -1, good[_i].impact);
	ck_assert_int_eq(t.entry.has_phase ? (int)t.entry.phase : -1, good[_i].phase);
	ck_assert_int_eq(t.entry.has_opened_at ? t.entry.opened_at - NOW : NONE, good[_i].opened);
	ck_assert_int_eq(t.entry.has_recovery_at ? t.entry.recovery_at - NOW : NONE, good[_i].recovery);
	ck_assert(t.entry.has_author && str_eq(t.entry.author, STR("ann")) && t.entry.at == NOW && !t.entry.has_publish_at && t.entry.timeline_len == 0);
	type_end(&t);
}
END_TEST

static const struct { enum about about; const char *line, *says; } bad[] = {
	{A_NEW, "draft --component push", "needs --component and --title"},
	{A_NEW, "post --title t", "needs --component and --title"},
	{A_NEW, "post --component disk --title t", "\"disk\" is none"},
	{A_NEW, "post --component push --title t --impact maintenance", "for a maintenance give --maintenance"},
	{A_NEW, "post --component push --title t --impact major", "one of degraded, partial_outage, major_outage"},
	{A_NEW, "post --component push --title t --phase resolved", "resolved it becomes by incident resolve"},
	{A_NEW, "post --component push --title t --maintenance --impact degraded", "leave out --impact"},
	{A_NEW, "post --component push --title t --for 2h", "--for is a maintenance's"},
	{A_NEW, "post --component push --title t --maintenance --for 2h --recovery 3h", "both say when it ends"},
	{A_NEW, "post --component push --title t --maintenance --from 5h --recovery 2h", "over before it begins"},
	{A_NEW, "post --component push --title t --maintenance --from 2h --recovery 2h", "over before it begins"},
	{A_NEW, "post --component push --title t --maintenance --from 2026-11-27T08:00:00Z --for 2h", "over before now"},
	{A_NEW, "post --component push --title t --from 2099-01-01T00:00:00Z", "when the trouble began"},
	{A_TROUBLE, "update ID --text x --recovery 2020-01-01T00:00:00Z", "over before now"},
	{A_MAINTENANCE, "post ID --from 6h", "over before it begins"},
	{A_MAINTENANCE, "update ID --text x --recovery 2h", "over before it begins"},
	{AN_ENDLESS, "post ID --from 6h", "over before it begins"},
	{A_NEW, "post --component push --title t --id Slow", "1 to 64 of a-z, 0-9 and -"},
	{A_TROUBLE, "draft ID --id slow-disks", "--id names a new incident"},
	{A_TROUBLE, "update ID", "needs --text"},
	{A_TROUBLE, "veto ID", "needs --reason"},
	{A_TROUBLE, "resolve ID", "needs --text"},
};

START_TEST(others_are_refused)
{
	struct err err = ERR_INIT;
	struct typed t;

	ck_assert_msg(type(&t, bad[_i].about, bad[_i].line, &err) == -1, "taken: %s", bad[_i].line);
	ck_assert_msg(err.kind == ERR_REJECT && strstr(err.msg, bad[_i].says), "%s: %s", bad[_i].line, err.msg);
	type_end(&t);
}
END_TEST

/* Types "update ID --text -" with so many bytes and an ending at standard input. */
static int type_given(struct typed *t, size_t nr, const char *ending, struct err *err)
{
	char path[] = "/tmp/page_words.XXXXXX";
	int file = mkstemp(path), before = dup(STDIN_FILENO), rc;

	ck_assert(file >= 0 && before >= 0 && unlink(path) == 0);
	for (size_t i = 0; i < nr; i++)
		ck_assert(write(file, i % 50 == 49 ? "\n" : "x", 1) == 1);
	ck_assert(write(file, ending, strlen(ending)) == (ssize_t)strlen(ending));
	ck_assert(lseek(file, 0, SEEK_SET) == 0 && dup2(file, STDIN_FILENO) == STDIN_FILENO);
	rc = type(t, A_TROUBLE, "update ID --text -", err);
	ck_assert(dup2(before, STDIN_FILENO) == STDIN_FILENO);
	close(before);
	close(file);
	return rc;
}

static const struct { size_t nr; const char *ending; int rc; size_t len; const char *says; } given[] = {
	{1, "", 0, 1, NULL}, {120, "\n", 0, 120, NULL}, {120, "\r\n", 0, 120, NULL}, {STATUS_TEXT_MAX - 1, "\n", 0, STATUS_TEXT_MAX - 1, NULL},
	{STATUS_TEXT_MAX - 1, "x\n", 0, STATUS_TEXT_MAX, NULL}, {STATUS_TEXT_MAX, "x", -1, 0, "4000 are allowed"}, {STATUS_TEXT_MAX, "xx", -1, 0, "--text -"},
	{9 * STATUS_TEXT_MAX, "", -1, 0, "--text -"}, {0, "", -1, 0, "standard input is empty"}, {0, "\n\n", -1, 0, "standard input is empty"},
	{10, "\x1b[2J", -1, 0, "without control characters"}, {10, "\xff", -1, 0, "must be UTF-8"},
};

START_TEST(standard_input_is_bounded)
{
	struct err err = ERR_INIT;
	struct typed t;

	ck_assert_int_eq(type_given(&t, given[_i].nr, given[_i].ending, &err), given[_i].rc);
	if (given[_i].rc == 0)
		ck_assert_uint_eq(t.entry.text.len, given[_i].len);
	else
		ck_assert_msg(strstr(err.msg, given[_i].says) != NULL, "%s", err.msg);
	type_end(&t);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("page_words");
	TCase *tc = tcase_create("page_words");

	tcase_add_loop_test(tc, lines_are_entries, 0, (int)NR(good));
	tcase_add_loop_test(tc, others_are_refused, 0, (int)NR(bad));
	tcase_add_loop_test(tc, standard_input_is_bounded, 0, (int)NR(given));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
