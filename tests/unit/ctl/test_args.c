/* test_args.c - the command line: what each way of writing it means, and what a wrong one is told. */
#include "deploy/ctl/args.h"

#include <string.h>

#include "deploy/ctl/commands.h"
#include "tests/unit/unit.h"

enum { WORDS_MAX = 24 };

/* Splits text at spaces into argv behind the program's name; "''" is an empty word. text is written to. */
static int split(char *text, char *argv[WORDS_MAX])
{
	static char name[] = "millrace-ctl";
	char *word;
	int argc = 0;

	argv[argc++] = name;
	while ((word = strsep(&text, " ")) && argc < WORDS_MAX)
		if (*word)
			argv[argc++] = strcmp(word, "''") == 0 ? word + 2 : word;
	return argc;
}

static int parse(struct args *a, const char *line, char *text, size_t size, struct err *err)
{
	char *argv[WORDS_MAX];

	ck_assert_int_lt(snprintf(text, size, "%s", line), (int)size);
	return args_parse(a, commands_table(), commands_options(), split(text, argv), argv, err);
}

static const struct { const char *line, *noun, *verb, *operands[2], *option, *value; } good[] = {
	{"topics apply", "topics", "apply", {NULL}, "replication-factor", "3"},
	{"topics apply --replication-factor 1", "topics", "apply", {NULL}, "replication-factor", "1"},
	{"topics apply --replication-factor=2 --dry-run", "topics", "apply", {NULL}, "replication-factor", "2"},
	{"--json cell list", "cell", "list", {NULL}, "json", ""},
	{"cell list --json", "cell", "list", {NULL}, "json", ""},
	{"cell --json list", "cell", "list", {NULL}, "json", ""},
	{"cell add main", "cell", "add", {"main"}, "partitions", "12"},
	{"cell add --partitions 1024 main", "cell", "add", {"main"}, "partitions", "1024"},
	{"cell add -- -x", "cell", "add", {"-x"}, "partitions", "12"},
	{"cell add -", "cell", "add", {"-"}, "author", NULL},
	{"--kafka h:1 --author me site add shop --cell main --shards 3", "site", "add", {"shop"}, "shards", "3"},
	{"site add shop --cell main --name Shop", "site", "add", {"shop"}, "name", "Shop"},
	{"key revoke shop mr_abc", "key", "revoke", {"shop", "mr_abc"}, "author", NULL},
	{"export -o x.json", "export", NULL, {NULL}, "output", "x.json"},
	{"export --output=", NULL, NULL, {NULL}, NULL, "--output is empty"},
	{"apply -f - --prune", "apply", NULL, {NULL}, "file", "-"},
	{"status --max-lag 0", "status", NULL, {NULL}, "max-lag", "0"},
	{"site limit shop --samples-per-s 0.5", "site", "limit", {"shop"}, "samples-per-s", "0.5"},
	{"site show shop", "site", "show", {"shop"}, "author", NULL},
	{"site confirm-shrink --reason fire", "site", "confirm-shrink", {NULL}, "for", "10m"},
	{"control set --on ingest --do close --reason fire --for 2h", "control", "set", {NULL}, "for", "2h"},
	{"control set --on sink --do drop --site s --kind hourly --reason x --for 30d --admin http://h:1 --token-file f", "control", "set",
	 {NULL}, "token-file", "f"},
	{"control clear --id ingest/close/site=shop", "control", "clear", {NULL}, "id", "ingest/close/site=shop"},
	{"site shards shop 4 --at 2h", "site", "shards", {"shop", "4"}, "at", "2h"},
	{"site move shop eu", "site", "move", {"shop", "eu"}, "shards", "0"},
	{"site stay shop", "site", "stay", {"shop"}, "json", NULL},
	{"deadletter retry", "deadletter", "retry", {NULL}, "since", "15d"},
	{"deadletter retry 1 2 --again 3-4", "deadletter", "retry", {NULL}, "again", ""},
	{"offsets show main", "offsets", "show", {"main"}, "json", NULL},
	{"offsets confirm main --reason moved --forget-state", "offsets", "confirm", {"main"}, "for", "10m"},
	{"silence add --for 2h --reason x", "silence", "add", {NULL}, "for", "2h"},
	{"silence end abcd1234", "silence", "end", {"abcd1234"}, "json", NULL},
	{"silence add --for 2h --reason x --tag a=b --tag", NULL, NULL, {NULL}, NULL, "--tag needs a value: KEY=VALUE"},
	{"silence add --for 2h --reason x --tag a=b --tag=", NULL, NULL, {NULL}, NULL, "--tag is empty"},
	{"incident ack 3f2a --reason mine", "incident", "ack", {"3f2a"}, "reason", "mine"},
	{"incident list --all", "incident", "list", {NULL}, "all", ""},
	{"incident post", "incident", "post", {NULL}, "for", "1h"},
	{"incident post 2026 --text t", "incident", "post", {"2026"}, "text", "t"},
	{"note restarted --site shop", "note", NULL, {"restarted"}, "site", "shop"},
	{"timeline --from 2h", "timeline", NULL, {NULL}, "to", "now"},
	{"trigger test slow silent --hours 24", "trigger", "test", {NULL}, "hours", "24"},
	{"control list --json", "control", "list", {NULL}, "json", ""},
};

START_TEST(good_lines)
{
	struct err err = ERR_INIT;
	struct args a;
	char text[256];
	int rc = parse(&a, good[_i].line, text, sizeof(text), &err);

	if (!good[_i].noun) {
		ck_assert_int_eq(rc, -1);
		ck_assert_str_eq(err.msg, good[_i].value);
		args_fini(&a);
		return;
	}
	ck_assert_msg(rc == 0, "%s: %s", good[_i].line, err.msg);
	ck_assert_str_eq(a.command->noun, good[_i].noun);
	if (good[_i].verb)
		ck_assert_str_eq(a.command->verb, good[_i].verb);
	else
		ck_assert_ptr_null(a.command->verb);
	for (int i = 0; i < 2; i++)
		if (good[_i].operands[i])
			ck_assert_str_eq(a.operands[i], good[_i].operands[i]);
	ck_assert(a.command->run != NULL);
	if (good[_i].value)
		ck_assert_str_eq(args_text(&a, good[_i].option), good[_i].value);
	else
		ck_assert_ptr_null(args_text(&a, good[_i].option));
	args_fini(&a);
}
END_TEST

static const struct { const char *line, *says; } bad[] = {
	{"", "no command"},
	{"--json", "no command"},
	{"sites", "did you mean \"site\"?"},
	{"topic apply", "did you mean \"topics\"?"},
	{"exprot", "did you mean \"export\"?"},
	{"elephant", "unknown command \"elephant\": see"},
	{"cell", "needs a verb"},
	{"cell lsit", "did you mean \"cell list\"?"},
	{"cell destroy", "see millrace-ctl cell --help"},
	{"cell add", "needs NAME"},
	{"key revoke shop", "needs KEYID"},
	{"site add shop", "\"site add\" needs --cell CELL"},
	{"apply --prune", "\"apply\" needs --file FILE"},
	{"cell add a b", "\"b\" is one word too many for \"cell add\""},
	{"incident post a b", "\"b\" is one word too many for \"incident post\""},
	{"export now", "\"now\" is one word too many for \"export\""},
	{"site add x --cell m --shard 2", "did you mean --shards?"},
	{"--cell main site add x", "a command's own options stand behind its name"},
	{"cell list --partitions 2", "see millrace-ctl cell list --help"},
	{"cell add x --partitions", "--partitions needs a value: N"},
	{"cell add x --partitions 0", "a number from 1 to 1024"},
	{"cell add x --partitions 1025", "a number from 1 to 1024"},
	{"cell add x --partitions 12x", "a number from 1 to 1024"},
	{"cell add x --partitions ''", "a number from 1 to 1024"},
	{"cell add x --partitions 99999999999999999999", "a number from 1 to 1024"},
	{"cell add x --partitions 1 --partitions 2", "stands there twice"},
	{"cell list --json=yes", "--json takes no value"},
	{"site add x --cell ''", "--cell is empty"},
	{"cell list -x", "unknown option -x"},
	{"cell list --=3", "unknown option --=3"},
	{"cell list --set", "--set needs a value: KEY=VALUE"},
	{"topics apply --replication-factor -1", "a number from 1 to 9"},
	{"control", "\"control\" needs a verb"},
	{"control set --do close --reason r --for 1h", "\"control set\" needs --on PROGRAM"},
	{"control set --on ingest --reason r --for 1h", "needs --do ACTION"},
	{"control set --on ingest --do close --for 1h", "needs --reason TEXT"},
	{"control set --on ingest --do close --reason r", "needs --for DURATION"},
	{"control set --on ingest --do close --reason r --for", "--for needs a value: DURATION"},
	{"control set --on ingest --do close --reason r --for ''", "is not a duration like 250ms, 5s, 10m, 2h or 14d"},
	{"control set --on ingest --do close --reason r --for 2hours", "is not a duration"},
	{"control set --on ingest --do close --reason r --for -2h", "is not a duration"},
	{"control set --on ingest --do close --reason r --for 31d", "--for 31d is out of range 1s..30d"},
	{"control set --on ingest --do close --reason r --for 999ms", "is out of range 1s..30d"},
	{"control set --on ingest --do close --reason r --fro 1h", "did you mean --for?"},
	{"control list --site shop", "unknown option --site"},
	{"control clear --reason r", "unknown option --reason"},
	{"site limit shop --samples-per-s -1", "--samples-per-s -1 is out of range 0..1000000000"},
	{"site limit shop --samples-per-s 2000000000", "is out of range"},
	{"site limit shop --payloads-per-s nan", "--payloads-per-s nan is not a number"},
	{"site limit shop --payloads-per-s 0x10", "is not a number"},
	{"site limit --samples-per-s 1", "\"site limit\" needs ID"},
	{"site confirm-shrink", "needs --reason TEXT"},
	{"deadletter show", "\"deadletter show\" needs ID"},
	{"deadletter show 1 2", "one word too many"},
	{"deadletter list 1", "one word too many"},
	{"deadletter drop 1", "needs --reason TEXT"},
};

START_TEST(bad_lines)
{
	struct err err = ERR_INIT;
	struct args a;
	char text[256];

	ck_assert_msg(parse(&a, bad[_i].line, text, sizeof(text), &err) < 0, "\"%s\" was taken", bad[_i].line);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.msg, bad[_i].says) != NULL, "\"%s\": \"%s\" does not say \"%s\"", bad[_i].line, err.msg, bad[_i].says);
	args_fini(&a);
}
END_TEST

START_TEST(any_number_of_operands)
{
	static const char *const wanted[] = {"1", "2", "-3", "4-5"};
	struct err err = ERR_INIT;
	struct args a;
	char text[256];

	ck_assert_msg(parse(&a, "deadletter retry 1 --again 2 -- -3 4-5", text, sizeof(text), &err) == 0, "%s", err.msg);
	ck_assert(a.nr_rest == NR(wanted) && a.nr_operands == 0);
	for (int i = 0; i < a.nr_rest; i++)
		ck_assert_str_eq(a.rest[i], wanted[i]);
	args_fini(&a);
	ck_assert_int_eq(parse(&a, "deadletter retry", text, sizeof(text), &err), 0);
	ck_assert_int_eq(a.nr_rest, 0);
	args_fini(&a);
}
END_TEST

/* Of several options of one list each value comes, in the order they were given. */
START_TEST(options_that_repeat)
{
	struct err err = ERR_INIT;
	struct args a;
	char text[256];
	int at = 0;

	ck_assert_msg(parse(&a, "silence add --tag a=1 --for 2h --tag=b=2 --reason x --tag a=1", text, sizeof(text), &err) == 0, "%s", err.msg);
	ck_assert_str_eq(args_next(&a, "tag", &at), "a=1");
	ck_assert_str_eq(args_next(&a, "tag", &at), "b=2");
	ck_assert_str_eq(args_next(&a, "tag", &at), "a=1");
	ck_assert(!args_next(&a, "tag", &at));
	ck_assert(args_given(&a, "tag"));
	at = 0;
	ck_assert(!args_next(&a, "reason", &at)); /* none of another option's */
	args_fini(&a);
}
END_TEST

/* What program_init() is given, in order, and nothing else. */
START_TEST(settings_are_passed_on)
{
	static const char *const want[] = {"millrace-ctl", "--config", "a.conf", "--set", "kafka.bootstrap.servers=h:1,h:2", "--set",
					   "log.level=debug", "--test-clock", NULL};
	struct err err = ERR_INIT;
	struct args a;
	char text[256];

	ck_assert_int_eq(parse(&a, "--config=a.conf --kafka h:1,h:2 cell list --set log.level=debug --test-clock --json", text, sizeof(text),
			       &err), 0);
	for (int i = 0; want[i]; i++)
		ck_assert_str_eq(a.settings[i], want[i]);
	ck_assert_int_eq(a.nr_settings, (int)NR(want) - 1);
	ck_assert_ptr_null(a.settings[a.nr_settings]);
	args_fini(&a);
}
END_TEST

START_TEST(preferred_settings_come_first)
{
	static const char *const want[] = {"millrace-ctl", "--set", "kafka.a=1", "--set", "kafka.a=2", "--test-clock"};
	struct err err = ERR_INIT;
	struct args a;
	char text[256];

	ck_assert_int_eq(parse(&a, "cell list --set kafka.a=2 --test-clock", text, sizeof(text), &err), 0);
	ck_assert_int_eq(args_prefer(&a, "kafka.a=1", &err), 0);
	ck_assert_int_eq(a.nr_settings, (int)NR(want));
	for (size_t i = 0; i < NR(want); i++)
		ck_assert_str_eq(a.settings[i], want[i]);
	ck_assert_ptr_null(a.settings[NR(want)]);
	args_fini(&a);
}
END_TEST

/* Values are more than their text. */
START_TEST(numbers_and_durations)
{
	struct err err = ERR_INIT;
	struct args a;
	char text[256];

	ck_assert_int_eq(parse(&a, "control set --on ingest --do close --reason r --for 90s", text, sizeof(text), &err), 0);
	ck_assert_int_eq(args_int(&a, "for"), 90000);
	ck_assert(!args_given_here(&a, "admin") && !args_given_here(&a, "max-lag") && args_given_here(&a, "for"));
	args_fini(&a);
	ck_assert_int_eq(parse(&a, "site confirm-shrink --reason r --admin http://h:1", text, sizeof(text), &err), 0);
	ck_assert_int_eq(args_int(&a, "for"), 600000);
	ck_assert(args_given_here(&a, "admin") && !args_given(&a, "for"));
	args_fini(&a);
	ck_assert_int_eq(parse(&a, "site limit shop --samples-per-s 0.25", text, sizeof(text), &err), 0);
	ck_assert_double_eq(args_rate(&a, "samples-per-s"), 0.25);
	ck_assert_double_eq(args_rate(&a, "payloads-per-s"), 0);
	ck_assert(args_given(&a, "samples-per-s") && !args_given(&a, "payloads-per-s"));
	args_fini(&a);
}
END_TEST

START_TEST(version_needs_no_command)
{
	struct err err = ERR_INIT;
	struct args a;
	char text[256];

	ck_assert_int_eq(parse(&a, "--version", text, sizeof(text), &err), 0);
	ck_assert(a.instead);
	ck_assert_str_eq(a.settings[1], "--version");
	args_fini(&a);
}
END_TEST

static const struct { const char *line, *says, *says_not; } helps[] = {
	{"--help", "key revoke SITE KEYID", "did you mean"},
	{"-h", "Exit code: 0", "--partitions"},
	{"cell --help", "cell add NAME", "site add"},
	{"cell add --help", "--partitions N", "cell list"},
	{"--help cell add", "--replication-factor N", "site add"},
	{"export -h", "-o, --output FILE", "--prune"},
	{"control set --help", "it ends by itself then; at most 30d (must be given)", "--id"},
	{"site confirm-shrink --help", "--for DURATION             how long a smaller table is taken (default 10m)", "--cell"},
};

START_TEST(help_at_each_level)
{
	struct err err = ERR_INIT;
	struct args a;
	char text[256], *printed = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&printed, &size);

	ck_assert_msg(parse(&a, helps[_i].line, text, sizeof(text), &err) == 0, "%s", err.msg);
	ck_assert(a.help);
	args_help(&a, out);
	fclose(out);
	ck_assert_msg(strstr(printed, helps[_i].says) != NULL, "%s", printed);
	ck_assert_msg(strstr(printed, helps[_i].says_not) == NULL, "%s", printed);
	free(printed);
	args_fini(&a);
}
END_TEST

/* A wrong word is wrong with --help too: it would show help for something else. */
START_TEST(help_for_the_unknown)
{
	struct err err = ERR_INIT;
	struct args a;
	char text[256];

	ck_assert_int_eq(parse(&a, "cel --help", text, sizeof(text), &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "did you mean \"cell\"?"));
	args_fini(&a);
}
END_TEST

static const struct { const char *a, *b; int distance; } distances[] = {
	{"", "", 0}, {"a", "", 1}, {"site", "site", 0}, {"site", "sites", 1}, {"stie", "site", 1}, {"cell", "call", 1},
	{"apply", "aplly", 1}, {"kitten", "sitting", 3}, {"key", "status", 6},
	{"a-name-that-is-far-too-long-to-be-a-command", "a", 31},
};

START_TEST(edit_distance)
{
	ck_assert_int_eq(args_distance(distances[_i].a, distances[_i].b), distances[_i].distance);
	ck_assert_int_eq(args_distance(distances[_i].b, distances[_i].a), distances[_i].distance);
}
END_TEST

/* Every row can be reached, and fits what the parser provides for. */
START_TEST(table_is_sound)
{
	int globals = 0;

	for (const struct args_option *o = commands_options(); o->name; o++)
		globals++;
	for (const struct args_command *c = commands_table(); c->noun; c++) {
		int own = 0;

		for (const struct args_option *o = c->options; o && o->name; o++) {
			own++;
			ck_assert_msg(o->type != ARGS_INT || (o->def && o->metavar && o->min < o->max), "%s", o->name);
			ck_assert_msg((o->type != ARGS_MS && o->type != ARGS_RATE) || (o->metavar && o->min < o->max), "%s", o->name);
			for (const struct args_option *g = commands_options(); g->name; g++)
				ck_assert_str_ne(o->name, g->name);
		}
		ck_assert_int_le(globals + own, ARGS_OPTIONS_MAX);
		ck_assert_ptr_nonnull(c->summary);
		for (const struct args_command *d = c + 1; d->noun; d++) {
			ck_assert(strcmp(c->noun, d->noun) != 0 || (c->verb && d->verb && strcmp(c->verb, d->verb) != 0));
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/args");
	TCase *t = tcase_create("args");

	tcase_add_loop_test(t, good_lines, 0, NR(good));
	tcase_add_loop_test(t, bad_lines, 0, NR(bad));
	tcase_add_test(t, any_number_of_operands);
	tcase_add_test(t, options_that_repeat);
	tcase_add_test(t, settings_are_passed_on);
	tcase_add_test(t, preferred_settings_come_first);
	tcase_add_test(t, numbers_and_durations);
	tcase_add_test(t, version_needs_no_command);
	tcase_add_loop_test(t, help_at_each_level, 0, NR(helps));
	tcase_add_test(t, help_for_the_unknown);
	tcase_add_loop_test(t, edit_distance, 0, NR(distances));
	tcase_add_test(t, table_is_sound);
	suite_add_tcase(s, t);
	return unit_main(s);
}
