/* test_conf.c - which settings the agent starts with, and that the key has two ways in and no way out. */
#include "ingest/agent/conf.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ingest/agent/command.h"
#include "tests/unit/unit.h"

enum { WORDS_MAX = 16 };

struct fixture {
	struct agent_conf conf;
	struct program program;
	struct err err;
	int rc;
	char output[16384]; /* what went to standard output */
};

/* Runs program_init() with the words of args, divided by blanks. */
static void run(struct fixture *f, const char *args)
{
	const struct program_spec spec = {.name = "millrace-agent", .summary = "test", .without_kafka = true, .memory_default = "64Mi",
		.section = {agent_conf_fields, &f->conf}, .check = agent_conf_check, .usage = command_usage};
	char words[1024], *argv[WORDS_MAX + 1] = {(char[]){"millrace-agent"}}, *save = NULL;
	int argc = 1, to = memfd_create("stdout", MFD_CLOEXEC), before = dup(STDOUT_FILENO);
	ssize_t n;

	snprintf(words, sizeof(words), "%s", args);
	for (char *w = strtok_r(words, " ", &save); w && argc < WORDS_MAX; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	f->err = (struct err)ERR_INIT;
	fflush(stdout);
	dup2(to, STDOUT_FILENO);
	f->rc = program_init(&f->program, &spec, argc, argv, &f->err);
	fflush(stdout);
	dup2(before, STDOUT_FILENO);
	n = pread(to, f->output, sizeof(f->output) - 1, 0);
	f->output[n > 0 ? n : 0] = '\0';
	close(before);
	close(to);
}

static const struct { const char *args, *says; } settings[] = {
	{"", NULL},
	{"--set push.url=https://push.example", NULL},
	{"--set push.url=https://push.example:4318/", NULL},
	{"--set push.url=https://push.example/behind/a/path", NULL},
	{"--set push.url=push.example:4318", "push.url"},
	{"--set push.url=ftp://push.example", "push.url"},
	{"--set push.url=https://", "push.url"},
	{"--set push.url=https://key@push.example", "push.url"},
	{"--set push.url=https://push.example?api_key=x", "push.url"},
	{"--set statsd.listen=", NULL},
	{"--set statsd.listen=127.1.2.3:8125", NULL},
	{"--set statsd.listen=[::1]:8125", NULL},
	{"--set statsd.listen=0.0.0.0:8125", "anybody could count here"},
	{"--set statsd.listen=192.0.2.1:8125", "anybody could count here"},
	{"--set statsd.listen=8125", "statsd.listen"},
	{"--set key=mr_0123456789abcdef", "process list"},
	{"--set key.file=key", NULL},
	{"--set tags=team=a,zone=b", NULL},
	{"--set tags=team", "key=value"},
	{"--set tags=team=", "key=value"},
	{"--set tags==a", "key=value"},
	{"--set tags=te,am=a", "key=value"},
	{"--set tags=team=a,team=b", "key=value"},
	{"--set tags=host=a --set tags.host=true", "key=value"},
	{"--set environment=Z\xc3\xbcrich", NULL},
	{"--set environment=Z\xfcrich", "environment"},
	{"--set revision=\xc3", "revision"},
	{"--set host=web\xff", "host"},
	{"--set kafka.bootstrap.servers=127.0.0.1:9092", "unknown key"},
	{"--set cell=main", "unknown key"},
	{"--set heartbeat.interval=5s", "unknown key"},
};

START_TEST(what_is_taken)
{
	struct fixture f = {.rc = 0};

	run(&f, settings[_i].args);
	if (settings[_i].says)
		ck_assert_msg(f.rc < 0 && strstr(f.err.msg, settings[_i].says), "%s: %d %s", settings[_i].args, f.rc, f.err.msg);
	else
		ck_assert_msg(f.rc == 0, "%s: %s", settings[_i].args, f.err.msg);
	ck_assert(strstr(f.err.msg, "0123456789abcdef") == NULL);
	program_fini(&f.program);
}
END_TEST

START_TEST(both_keys_are_one_too_many)
{
	struct fixture f = {.rc = 0};

	setenv("MILLRACE_KEY", "mr_0123456789abcdef", 1);
	run(&f, "--set key.file=key");
	ck_assert_int_eq(f.rc, -1);
	ck_assert_msg(strstr(f.err.msg, "key.file") && !strstr(f.err.msg, "0123456789abcdef"), "%s", f.err.msg);
	program_fini(&f.program);
}
END_TEST

START_TEST(key_of_the_environment_is_kept_and_wiped_there)
{
	struct fixture f = {.rc = 0};
	char variable[] = "MILLRACE_KEY=mr_0123456789abcdef", other[] = "MILLRACE_KEY_FILE=k";
	char *list[] = {other, variable, NULL};

	setenv("MILLRACE_KEY", "mr_0123456789abcdef", 1);
	run(&f, "--print-config");
	ck_assert_int_eq(f.rc, 1);
	ck_assert_str_eq(f.conf.key, "mr_0123456789abcdef");
	ck_assert_msg(strstr(f.output, "key = (set)") && !strstr(f.output, "0123456789abcdef"), "%s", f.output);
	program_fini(&f.program);
	agent_conf_hide_key(list);
	for (size_t i = strlen("MILLRACE_KEY="); i < sizeof(variable); i++)
		ck_assert_int_eq(variable[i], 0);
	ck_assert_str_eq(other, "MILLRACE_KEY_FILE=k");
}
END_TEST

START_TEST(help_says_what_there_is)
{
	struct fixture f = {.rc = 0};

	run(&f, "--help");
	ck_assert_int_eq(f.rc, 1);
	ck_assert(strstr(f.output, "kafka") == NULL && strstr(f.output, "KAFKA") == NULL);
	ck_assert(strstr(f.output, "\ncell ") == NULL && strstr(f.output, "heartbeat") == NULL);
	ck_assert(strstr(f.output, "spool.dir") && strstr(f.output, "diagnose") && strstr(f.output, "--once"));
	ck_assert(strstr(f.output, "memory.budget                64Mi"));
	program_fini(&f.program);
}
END_TEST

START_TEST(host_is_text_whatever_the_system_says)
{
	const struct agent_conf none = {.host = (char[]){""}};
	struct program p = {.host = "web-\xff\xfe"};
	char out[16];

	agent_conf_host(&p, &none, out, sizeof(out));
	ck_assert_str_eq(out, "web-__");
	snprintf(p.host, sizeof(p.host), "%s", "z\xc3\xbcrich");
	agent_conf_host(&p, &none, out, sizeof(out));
	ck_assert_str_eq(out, "z\xc3\xbcrich");
	agent_conf_host(&p, &none, out, 3); /* cut within a character */
	ck_assert_str_eq(out, "z_");
}
END_TEST

START_TEST(tags_are_parsed)
{
	struct fixture f = {.rc = 0};
	struct tag tags[SERIES_TAGS_MAX];
	size_t nr = 9;

	run(&f, "--set tags=team=a=b,zone=eu-1 --set tags.host=true --set host=web-7");
	ck_assert_msg(f.rc == 0, "%s", f.err.msg);
	ck_assert_int_eq(agent_conf_tags(&f.conf, "web-7", tags, &nr), 0);
	ck_assert_uint_eq(nr, 3);
	ck_assert(str_eq(tags[0].key, STR("team")) && str_eq(tags[0].value, STR("a=b")));
	ck_assert(str_eq(tags[1].key, STR("zone")) && str_eq(tags[1].value, STR("eu-1")));
	ck_assert(str_eq(tags[2].key, STR("host")) && str_eq(tags[2].value, STR("web-7")));
	program_fini(&f.program);
}
END_TEST

START_TEST(slash_goes)
{
	struct fixture f = {.rc = 0};

	run(&f, "--set push.url=https://push.example/");
	ck_assert_str_eq(f.conf.push_url, "https://push.example");
	program_fini(&f.program);
}
END_TEST

static const struct { const char *words[5]; enum command command; int left; } lines[] = {
	{{"agent"}, COMMAND_SERVE, 1},
	{{"agent", "--set", "a=b"}, COMMAND_SERVE, 3},
	{{"agent", "diagnose"}, COMMAND_DIAGNOSE, 1},
	{{"agent", "status", "--set", "a=b"}, COMMAND_STATUS, 3},
	{{"agent", "--set", "a=b", "--once"}, COMMAND_ONCE, 3},
	{{"agent", "--once", "--set", "a=b"}, COMMAND_ONCE, 3},
	{{"agent", "--set", "diagnose"}, COMMAND_SERVE, 3},
};

START_TEST(commands)
{
	char *argv[6] = {NULL};
	int argc = 0;

	for (; lines[_i].words[argc]; argc++)
		argv[argc] = (char *)(uintptr_t)lines[_i].words[argc]; /* only moved */
	ck_assert_int_eq(command_take(&argc, argv), lines[_i].command);
	ck_assert_int_eq(argc, lines[_i].left);
	ck_assert_ptr_null(argv[argc]);
	if (argc == 3)
		ck_assert_str_eq(argv[1], "--set");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("agent conf");
	TCase *tc = tcase_create("conf");

	tcase_add_loop_test(tc, what_is_taken, 0, NR(settings));
	tcase_add_test(tc, both_keys_are_one_too_many);
	tcase_add_test(tc, key_of_the_environment_is_kept_and_wiped_there);
	tcase_add_test(tc, help_says_what_there_is);
	tcase_add_test(tc, host_is_text_whatever_the_system_says);
	tcase_add_test(tc, tags_are_parsed);
	tcase_add_test(tc, slash_goes);
	tcase_add_loop_test(tc, commands, 0, NR(lines));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
