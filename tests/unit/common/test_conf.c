/* test_conf.c - values, sources and their precedence, and above all the errors: each must name key, value, range and source. */
#include "common/conf.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/common/conf_fixture.h"

static void use_file(struct fixture *f, const void *bytes, size_t n)
{
	ck_assert_int_eq(write(f->fd, bytes, n), (ssize_t)n);
	ck_assert_int_eq(conf_set_file(f->conf, f->path, &f->err), 0);
}

START_TEST(defaults)
{
	struct fixture f;

	fixture_init(&f);
	load(&f, NULL);
	ck_assert_str_eq(f.settings.cell, "main");
	ck_assert_str_eq(f.settings.uri, "");
	ck_assert_str_eq(f.settings.name, "");
	ck_assert_int_eq(f.settings.docs, 1000);
	ck_assert_int_eq(f.settings.budget, 268435456);
	ck_assert_int_eq(f.settings.interval, 5000);
	ck_assert_int_eq(f.settings.offset, 0);
	ck_assert_double_eq(f.settings.ratio, 0.5);
	ck_assert(!f.settings.ordered);
	conf_free(f.conf);
	ck_assert_ptr_null(f.settings.cell); /* freed: nothing may be used by mistake */
	f.conf = NULL;
	fixture_fini(&f);
}
END_TEST

/* Each source overrides the one before, and only where it speaks. */
START_TEST(precedence)
{
	static const char file[] = "cell = f\nbatch.max_docs = 2\nflush.interval=1m\nkafka.a = f\nkafka.b.c = f\nkafka.d = f\n";
	char *env[] = {(char[]){"MILLRACE_BATCH_MAX_DOCS=3"}, (char[]){"PATH=x"}, (char[]){"MILLRACE_FLUSH_INTERVAL=2m"},
		       (char[]){"MILLRACE_KAFKA_B_C=e"}, (char[]){"MILLRACE_KAFKA_D=e"}, (char[]){"MILLRACE_PARTS=/x"},
		       (char[]){"MILLRACE_TREE=coverage"}, NULL};
	const char *name, *value;
	struct fixture f;

	fixture_init(&f);
	use_file(&f, file, sizeof(file) - 1);
	ck_assert_int_eq(conf_set_option(f.conf, "flush.interval=9m", &f.err), 0);
	ck_assert_int_eq(conf_set_option(f.conf, "flush.interval=3m", &f.err), 0);
	ck_assert_int_eq(conf_set_option(f.conf, "kafka.d=a=b", &f.err), 0);
	load(&f, env);
	ck_assert_int_eq(f.settings.budget, 268435456);
	ck_assert_str_eq(f.settings.cell, "f");
	ck_assert_int_eq(f.settings.docs, 3);
	ck_assert_int_eq(f.settings.interval, 180000);
	ck_assert(conf_kafka_at(f.conf, 0, &name, &value) && !strcmp(name, "a") && !strcmp(value, "f"));
	ck_assert(conf_kafka_at(f.conf, 1, &name, &value) && !strcmp(name, "b.c") && !strcmp(value, "e"));
	ck_assert(conf_kafka_at(f.conf, 2, &name, &value) && !strcmp(name, "d") && !strcmp(value, "a=b"));
	ck_assert(!conf_kafka_at(f.conf, 3, &name, &value));
	load(&f, NULL); /* a second time starts anew */
	ck_assert_int_eq(f.settings.docs, 2);
	fixture_fini(&f);
}
END_TEST

#define NOT_WHOLE " is not a whole number; range 1..100000"

/* Refused options, and the whole message; test_conf_value.c has the values in all their forms. */
static const struct { const char *option, *message; } bad_options[] = {
	{"batch.max_docs=0", "key batch.max_docs = '0' from --set is out of range 1..100000"},
	{"batch.max_docs=", "key batch.max_docs = '' from --set" NOT_WHOLE},
	{"batch.max_docs= 5", "key batch.max_docs = ' 5' from --set" NOT_WHOLE},
	{"memory.budget=64M", "key memory.budget = '64M' from --set is not a size like 64Mi, 4KiB or 1000; range 1Mi..64Gi"},
	{"memory.budget=1023Ki", "key memory.budget = '1023Ki' from --set is out of range 1Mi..64Gi"},
	{"flush.interval=1d", "key flush.interval = '1d' from --set is out of range 100ms..1h"},
	{"ratio=2.0001", "key ratio = '2.0001' from --set is out of range 0..2"},
	{"ordered=yes", "key ordered = 'yes' from --set is not true or false"},
	{"cell=ninebytes", "key cell = 'ninebytes' from --set has a length out of range 1..8"},
	{"mongo.uri=mongodb://user:password@host-with-a-long-name", "key mongo.uri = '(set)' from --set has a length out of range 0..40"},
	{"no.such.key=secret", "unknown key 'no.such.key' from --set"},
	{"Cell=x", "unknown key 'Cell' from --set"},
	{"cell =x", "unknown key 'cell ' from --set"},
	{"kafka.=x", "key 'kafka.' from --set: Kafka's client knows no such name"},
	{"kafka.A=x", "key 'kafka.A' from --set: Kafka's client knows no such name"},
	{"kafka.a b=x", "key 'kafka.a b' from --set: Kafka's client knows no such name"},
};

START_TEST(bad_option)
{
	struct fixture f;

	fixture_init(&f);
	ck_assert_int_eq(conf_set_option(f.conf, bad_options[_i].option, &f.err), 0);
	ck_assert_int_eq(conf_load(f.conf, NULL, &f.err), -1);
	check_message(&f, bad_options[_i].message);
	fixture_fini(&f);
}
END_TEST

static const struct { const char *option, *message; } no_options[] = {
	{"", "--set  is not KEY=VALUE"},
	{"cell", "--set cell is not KEY=VALUE"},
	{"=x", "--set  is not KEY=VALUE"},
	{"mongo.uri:s3cret", "--set mongo.uri is not KEY=VALUE"}, /* what follows is kept to ourselves */
};

START_TEST(no_option)
{
	struct fixture f;

	fixture_init(&f);
	ck_assert_int_eq(conf_set_option(f.conf, no_options[_i].option, &f.err), -1);
	check_message(&f, no_options[_i].message);
	fixture_fini(&f);
}
END_TEST

static const struct { const char *text, *message; } bad_files[] = {
	{"cell", "FILE:1 is not \"key = value\""},
	{"\n\n= x\n", "FILE:3 is not \"key = value\""},
	{"# c\ncell = a\n\ncell = b\n", "key cell stands twice in FILE: lines 2 and 4"},
	{"kafka.a = a\nkafka.a = a\n", "key kafka.a stands twice in FILE: lines 1 and 2"},
	{"batch.max_docs = 0\n", "key batch.max_docs = '0' from FILE:1 is out of range 1..100000"},
	{"cell=ok\nbatch.max_docs=many", "key batch.max_docs = 'many' from FILE:2" NOT_WHOLE},
	{"cell = x # not a comment\n", "key cell = 'x # not a comment' from FILE:1 has a length out of range 1..8"},
	{"cells = x\n", "unknown key 'cells' from FILE:1"},
	{"[section]\n", "FILE:1 is not \"key = value\""},
	{"kafka.A = x\n", "key 'kafka.A' from FILE:1: Kafka's client knows no such name"},
	{"\xef\xbb\xbf" "cell = x\n", "unknown key '\xef\xbb\xbf" "cell' from FILE:1"},
};

START_TEST(bad_file)
{
	struct fixture f;

	fixture_init(&f);
	use_file(&f, bad_files[_i].text, strlen(bad_files[_i].text));
	ck_assert_int_eq(conf_load(f.conf, NULL, &f.err), -1);
	check_message(&f, bad_files[_i].message);
	fixture_fini(&f);
}
END_TEST

static const struct { const char *variable, *message; } bad_variables[] = {
	{"MILLRACE_NO_SUCH=1", "unknown key: the environment's 'MILLRACE_NO_SUCH' stands for no setting"},
	{"MILLRACE_=1", "unknown key: the environment's 'MILLRACE_' stands for no setting"},
	{"MILLRACE_CELL", "key cell = '' from MILLRACE_CELL has a length out of range 1..8"},
	{"MILLRACE_CELL=", "key cell = '' from MILLRACE_CELL has a length out of range 1..8"},
	{"MILLRACE_CELL=ninebytes", "key cell = 'ninebytes' from MILLRACE_CELL has a length out of range 1..8"},
	{"MILLRACE_cell=x", "unknown key: the environment's 'MILLRACE_cell' stands for no setting"},
	{"MILLRACE_BATCH_MAX_DOCS=0", "key batch.max_docs = '0' from MILLRACE_BATCH_MAX_DOCS is out of range 1..100000"},
	{"MILLRACE_KAFKA_=1", "unknown key: the environment's 'MILLRACE_KAFKA_' stands for no setting"},
	{"MILLRACE_KAFKA_a=1", "unknown key: the environment's 'MILLRACE_KAFKA_a' stands for no setting"},
	{"MILLRACE_PARTSX=1", "unknown key: the environment's 'MILLRACE_PARTSX' stands for no setting"},
	{"MILLRACE_NO_SUCH_FILE=/nowhere", "unknown key: the environment's 'MILLRACE_NO_SUCH_FILE' stands for no setting"},
	{"MILLRACE_FILE=/nowhere", "unknown key: the environment's 'MILLRACE_FILE' stands for no setting"},
	{"MILLRACE__FILE=/nowhere", "unknown key: the environment's 'MILLRACE__FILE' stands for no setting"},
	{"MILLRACE_CELL_FILES=/nowhere", "unknown key: the environment's 'MILLRACE_CELL_FILES' stands for no setting"},
	{"MILLRACE_CELL_FILE_FILE=/nowhere", "unknown key: the environment's 'MILLRACE_CELL_FILE_FILE' stands for no setting"},
	{"MILLRACE_CELL_FILE=/nowhere/x", "key cell from MILLRACE_CELL_FILE: cannot open file '/nowhere/x': No such file or directory"},
	{"MILLRACE_CELL_FILE=", "key cell from MILLRACE_CELL_FILE: cannot open file '': No such file or directory"},
	{"MILLRACE_CELL_FILE=/proc", "key cell from MILLRACE_CELL_FILE: cannot read file '/proc': Is a directory"},
	{"MILLRACE_CELL_FILE=/dev/null", "key cell from MILLRACE_CELL_FILE: file '/dev/null' is empty"},
	{"MILLRACE_CELL_FILE=/dev/zero", "key cell from MILLRACE_CELL_FILE: file '/dev/zero' is larger than 1048576 bytes"},
	{"MILLRACE_BATCH_MAX_DOCS_FILE=/proc/sys/kernel/ostype", "key batch.max_docs = '(set)' from MILLRACE_BATCH_MAX_DOCS_FILE is not a whole number; range 1..100000"}, /* another secret's file, by mistake */
	{"MILLRACE_KAFKA_A_FILE=/nowhere/x", "key kafka.a from MILLRACE_KAFKA_A_FILE: cannot open file '/nowhere/x': No such file or directory"},
};

START_TEST(bad_variable)
{
	char *env[] = {(char[]){"HOME=/"}, strdup(bad_variables[_i].variable), NULL};
	struct fixture f;

	fixture_init(&f);
	ck_assert_int_eq(conf_load(f.conf, env, &f.err), -1);
	check_message(&f, bad_variables[_i].message);
	free(env[1]);
	fixture_fini(&f);
}
END_TEST

/* A wrong value is an error also where a later source would have overridden it. */
START_TEST(overridden_but_wrong)
{
	struct fixture f;

	fixture_init(&f);
	use_file(&f, "batch.max_docs = none", 21);
	ck_assert_int_eq(conf_set_option(f.conf, "batch.max_docs=5", &f.err), 0);
	ck_assert_int_eq(conf_load(f.conf, NULL, &f.err), -1);
	check_message(&f, "key batch.max_docs = 'none' from FILE:1" NOT_WHOLE);
	fixture_fini(&f);
}
END_TEST

START_TEST(file_layout)
{
	static const char text[] = "\r\n  # comment = x\n\tcell\t=  b=#c  \r\nname =\nkafka.x =  \n mongo.uri = a b ";
	const char *name, *value;
	struct fixture f;

	fixture_init(&f);
	use_file(&f, text, sizeof(text) - 1);
	load(&f, NULL);
	ck_assert_str_eq(f.settings.cell, "b=#c");
	ck_assert_str_eq(f.settings.name, "");
	ck_assert_str_eq(f.settings.uri, "a b");
	ck_assert(conf_kafka_at(f.conf, 0, &name, &value) && !strcmp(name, "x") && !strcmp(value, ""));
	fixture_fini(&f);
}
END_TEST

START_TEST(files_that_are_none)
{
	struct fixture f;

	fixture_init(&f);
	ck_assert_int_eq(conf_set_file(f.conf, "/no/such/file", &f.err), 0);
	ck_assert_int_eq(conf_load(f.conf, NULL, &f.err), -1);
	check_message(&f, "cannot open configuration file '/no/such/file': No such file or directory");
	ck_assert_int_eq(conf_set_file(f.conf, "other", &f.err), -1);
	check_message(&f, "more than one configuration file: '/no/such/file' and 'other'");
	fixture_fini(&f);
	fixture_init(&f);
	ck_assert_int_eq(conf_set_file(f.conf, "/", &f.err), 0);
	ck_assert_int_eq(conf_load(f.conf, NULL, &f.err), -1);
	check_message(&f, "cannot read configuration file '/': Is a directory");
	fixture_fini(&f);
	fixture_init(&f);
	use_file(&f, "cell = a\0b\n", 11);
	ck_assert_int_eq(conf_load(f.conf, NULL, &f.err), -1);
	check_message(&f, "FILE:1 holds a NUL byte");
	fixture_fini(&f);
}
END_TEST

/* One byte under, at, and over what a file may have. */
START_TEST(file_size)
{
	static char text[(1 << 20) + 1];
	size_t size = (1 << 20) - 1 + (size_t)_i;
	struct fixture f;

	memset(text, '\n', sizeof(text));
	fixture_init(&f);
	use_file(&f, text, size);
	ck_assert_int_eq(conf_load(f.conf, NULL, &f.err), _i == 2 ? -1 : 0);
	if (_i == 2)
		check_message(&f, "configuration file 'FILE' is larger than 1048576 bytes");
	fixture_fini(&f);
}
END_TEST

START_TEST(too_many_kafka_keys)
{
	char option[32];
	struct fixture f;

	fixture_init(&f);
	for (int i = 0; i < 257; i++) {
		snprintf(option, sizeof(option), "kafka.k%d=v", i);
		ck_assert_int_eq(conf_set_option(f.conf, option, &f.err), 0);
	}
	ck_assert_int_eq(conf_load(f.conf, NULL, &f.err), -1);
	check_message(&f, "more than 256 kafka.* keys");
	fixture_fini(&f);
}
END_TEST

START_TEST(required_setting)
{
	static const struct conf_field required[] = {
		{"cell", CONF_STR, offsetof(struct settings, cell), "main", 1, 8, "the cell"},
		{"mongo.uri", CONF_SECRET, offsetof(struct settings, uri), "", 1, 100, "where the database is"},
		{0},
	};
	struct settings settings;
	const struct conf_section section = {required, &settings};
	struct conf *c = conf_new(&section, 1);
	struct err err = ERR_INIT;

	ck_assert_int_eq(conf_load(c, NULL, &err), -1);
	ck_assert_str_eq(err.msg, "key mongo.uri is not set, and its default '' has a length out of range 1..100");
	ck_assert_ptr_null(settings.cell); /* what was stored before is gone with it */
	conf_free(c);
}
END_TEST

START_TEST(rejected_by_the_program)
{
	char *env[] = {(char[]){"MILLRACE_CELL=Main"}, (char[]){"MILLRACE_MONGO_URI=pw"}, NULL};
	struct fixture f;

	fixture_init(&f);
	load(&f, env);
	ck_assert_int_eq(conf_reject(f.conf, "cell", "is not lower case", &f.err), -1);
	check_message(&f, "key cell = 'Main' from MILLRACE_CELL is not lower case");
	ck_assert_int_eq(conf_reject(f.conf, "mongo.uri", "is no address", &f.err), -1);
	check_message(&f, "key mongo.uri = '(set)' from MILLRACE_MONGO_URI is no address");
	ck_assert_int_eq(conf_reject(f.conf, "ratio", "is odd", &f.err), -1);
	check_message(&f, "key ratio = '0.5' from default is odd");
	fixture_fini(&f);
}
END_TEST

START_TEST(print_masks_secrets)
{
	static const char file[] = "mongo.uri = s3cret\nkafka.sasl.password = s3cret\nkafka.ssl.key.pem = s3cret\n"
				   "kafka.sasl.oauthbearer.client.secret = s3cret\nkafka.acks = all\n";
	char *env[] = {(char[]){"MILLRACE_CELL=c7"}, (char[]){"MILLRACE_KAFKA_SSL_CA_PEM=two\nlines\x1b"}, NULL};
	char *text, wanted[2048];
	struct fixture f;

	fixture_init(&f);
	use_file(&f, file, sizeof(file) - 1);
	ck_assert_int_eq(conf_set_option(f.conf, "ordered=true", &f.err), 0);
	load(&f, env);
	snprintf(wanted, sizeof(wanted),
		 "cell = c7  # MILLRACE_CELL\n"
		 "mongo.uri = (set)  # %s:1\n"
		 "batch.max_docs = 1000  # default\n"
		 "memory.budget = 256Mi  # default\n"
		 "flush.interval = 5s  # default\n"
		 "name =   # default\n"
		 "offset = 0  # default\n"
		 "ratio = 0.5  # default\n"
		 "ordered = true  # --set\n"
		 "kafka.acks = all  # %s:5\n"
		 "kafka.sasl.oauthbearer.client.secret = (set)  # %s:4\n"
		 "kafka.sasl.password = (set)  # %s:2\n"
		 "kafka.ssl.ca.pem = two\\nlines\\x1b  # MILLRACE_KAFKA_SSL_CA_PEM\n"
		 "kafka.ssl.key.pem = (set)  # %s:3\n",
		 f.path, f.path, f.path, f.path, f.path);
	text = printed(f.conf, conf_print);
	ck_assert_str_eq(text, wanted);
	free(text);
	fixture_fini(&f);
}
END_TEST

START_TEST(help_lists_everything)
{
	static const char *const wanted[] = {"batch.max_docs", "1..100000", "documents a bulk write", "1Mi..64Gi", "100ms..1h", "256Mi",
					     "-5..0", "kafka.*", "MILLRACE_KAFKA_A_B", "MILLRACE_PARTS", "MILLRACE_TREE", "MILLRACE_CELL_FILE="};
	struct fixture f;
	char *text;

	fixture_init(&f);
	text = printed(f.conf, conf_print_help); /* also before conf_load() */
	for (size_t i = 0; i < NR(fields) - 1; i++)
		ck_assert_ptr_nonnull(strstr(text, fields[i].name));
	for (size_t i = 0; i < NR(wanted); i++)
		ck_assert_msg(strstr(text, wanted[i]) != NULL, "%s", wanted[i]);
	free(text);
	fixture_fini(&f);
}
END_TEST

/* Files made of pieces that matter to the reader, and of any bytes: a value or a message, never a crash or a leak. */
START_TEST(hostile_files)
{
	static const char *const pieces[] = {"cell", "=", " = ", "\n", "\r\n", "#", "kafka.a", "kafka.", "1", "batch.max_docs", "64Mi", "\t",
					     "MILLRACE_", "ordered", "true", "mongo.uri", "%s%n", "\xff\xfe"};
	struct unit_random r = unit_random_new("conf files");
	int loaded = 0, refused = 0;

	for (int round = 0; round < 3000; round++) {
		char text[512];
		size_t n = 0, want = unit_random_below(&r, 40);
		struct fixture f;

		for (size_t i = 0; i < want; i++) {
			const char *piece = pieces[unit_random_below(&r, NR(pieces))];

			if (unit_random_below(&r, 8) == 0)
				text[n++] = (char)unit_random_next(&r);
			memcpy(text + n, piece, strlen(piece));
			n += strlen(piece);
			if (n > sizeof(text) - 32)
				break;
		}
		fixture_init(&f);
		use_file(&f, text, n);
		if (conf_load(f.conf, NULL, &f.err) == 0)
			loaded++;
		else if (f.err.kind == ERR_REJECT && f.err.msg[0])
			refused++;
		fixture_fini(&f);
	}
	ck_assert_int_eq(loaded + refused, 3000);
	ck_assert_int_gt(loaded, 0);
	ck_assert_int_gt(refused, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conf");
	TCase *tc = tcase_create("conf");

	tcase_add_test(tc, defaults);
	tcase_add_test(tc, precedence);
	tcase_add_loop_test(tc, bad_option, 0, NR(bad_options));
	tcase_add_loop_test(tc, no_option, 0, NR(no_options));
	tcase_add_loop_test(tc, bad_file, 0, NR(bad_files));
	tcase_add_loop_test(tc, bad_variable, 0, NR(bad_variables));
	tcase_add_test(tc, overridden_but_wrong);
	tcase_add_test(tc, file_layout);
	tcase_add_test(tc, files_that_are_none);
	tcase_add_loop_test(tc, file_size, 0, 3);
	tcase_add_test(tc, too_many_kafka_keys);
	tcase_add_test(tc, required_setting);
	tcase_add_test(tc, rejected_by_the_program);
	tcase_add_test(tc, print_masks_secrets);
	tcase_add_test(tc, help_lists_everything);
	tcase_add_test(tc, hostile_files);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
