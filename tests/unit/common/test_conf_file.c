/* test_conf_file.c - texts of settings in files of their own, by way of conf_load(): what is cut off, what is refused, and which source counts.
 *
 * The files of lines are test_conf.c's. */
#include "common/conf_file.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/common/conf_fixture.h"

/* What stands in the file that MILLRACE_x_FILE names, and what becomes of it: text, or a message. */
static const struct { const char *name, *bytes; size_t len; const char *text, *message; } text_files[] = {
	{"CELL", "a", 1, "a", NULL},
	{"CELL", "a\n", 2, "a", NULL},
	{"CELL", "a\r\n\n", 4, "a", NULL},
	{"CELL", " a b ", 5, " a b ", NULL},
	{"CELL", "a\tb\n", 4, NULL, "key cell = '(set)' from MILLRACE_CELL_FILE is not a text without control characters; range 1..8"},
	{"CELL", "#a=b", 4, "#a=b", NULL},
	{"CELL", "12345678\n", 9, "12345678", NULL},
	{"CELL", "123456789\n", 10, NULL, "key cell = '(set)' from MILLRACE_CELL_FILE has a length out of range 1..8"},
	{"CELL", "", 0, NULL, "key cell from MILLRACE_CELL_FILE: file 'FILE' is empty"},
	{"CELL", "\r\n\n", 3, NULL, "key cell from MILLRACE_CELL_FILE: file 'FILE' is empty"},
	{"CELL", "a\0b", 3, NULL, "key cell from MILLRACE_CELL_FILE: file 'FILE' holds a NUL byte"},
	{"CELL", "a\0\n", 3, NULL, "key cell from MILLRACE_CELL_FILE: file 'FILE' holds a NUL byte"},
	{"MONGO_URI", "0123456789012345678901234567890123456789\n", 41, "0123456789012345678901234567890123456789", NULL},
	{"MONGO_URI", "01234567890123456789012345678901234567890", 41, NULL,
	 "key mongo.uri = '(set)' from MILLRACE_MONGO_URI_FILE has a length out of range 0..40"},
	{"BATCH_MAX_DOCS", "0\n", 2, NULL, "key batch.max_docs = '(set)' from MILLRACE_BATCH_MAX_DOCS_FILE is out of range 1..100000"},
	{"KAFKA_SASL_PASSWORD", "hidden\n", 7, "hidden", NULL},
	{"KAFKA_SASL_PASSWORD", "\na\r\nb\n", 6, "\na\r\nb", NULL},
};

/* The text that a row of text_files[] came to. */
static const char *text_of(const struct fixture *f, const char *name)
{
	const char *key, *value;

	if (strcmp(name, "CELL") == 0)
		return f->settings.cell;
	if (strcmp(name, "MONGO_URI") == 0)
		return f->settings.uri;
	ck_assert(conf_kafka_at(f->conf, 0, &key, &value));
	ck_assert_str_eq(key, "sasl.password");
	return value;
}

START_TEST(text_in_a_file)
{
	char variable[128], *env[] = {variable, NULL};
	struct fixture f;

	fixture_init(&f);
	snprintf(variable, sizeof(variable), "MILLRACE_%s_FILE=%s", text_files[_i].name, f.path);
	ck_assert_int_eq(write(f.fd, text_files[_i].bytes, text_files[_i].len), (ssize_t)text_files[_i].len);
	if (text_files[_i].message) {
		ck_assert_int_eq(conf_load(f.conf, env, &f.err), -1);
		check_message(&f, text_files[_i].message);
	} else {
		load(&f, env);
		ck_assert_str_eq(text_of(&f, text_files[_i].name), text_files[_i].text);
	}
	fixture_fini(&f);
}
END_TEST

static const struct { const char *one, *other, *message; } set_twice[] = {
	{"MILLRACE_CELL=a", "MILLRACE_CELL_FILE=", "key cell is set twice: by MILLRACE_CELL and by MILLRACE_CELL_FILE"},
	{"MILLRACE_CELL_FILE=", "MILLRACE_CELL=a", "key cell is set twice: by MILLRACE_CELL_FILE and by MILLRACE_CELL"},
	{"MILLRACE_KAFKA_A=a", "MILLRACE_KAFKA_A_FILE=", "key kafka.a is set twice: by MILLRACE_KAFKA_A and by MILLRACE_KAFKA_A_FILE"},
	{"MILLRACE_KAFKA_A_FILE=", "MILLRACE_KAFKA_A=a", "key kafka.a is set twice: by MILLRACE_KAFKA_A_FILE and by MILLRACE_KAFKA_A"},
};

/* The path of the fixture's file behind a variable that ends with '='. */
static char *with_path(const struct fixture *f, const char *variable)
{
	char text[128];

	snprintf(text, sizeof(text), "%s%s", variable, variable[strlen(variable) - 1] == '=' ? f->path : "");
	return strdup(text);
}

/* Which of the two was meant, nobody can know, whatever their order. */
START_TEST(text_and_its_file)
{
	struct fixture f;
	char *env[3] = {0};

	fixture_init(&f);
	ck_assert_int_eq(write(f.fd, "b", 1), 1);
	env[0] = with_path(&f, set_twice[_i].one);
	env[1] = with_path(&f, set_twice[_i].other);
	ck_assert_int_eq(conf_load(f.conf, env, &f.err), -1);
	check_message(&f, set_twice[_i].message);
	free(env[0]);
	free(env[1]);
	fixture_fini(&f);
}
END_TEST

/* A file of a variable is the environment's word: above --config's file, below --set; and it is named as the source. */
START_TEST(text_file_precedence)
{
	static const char file[] = "cell = f\nkafka.a = f\n";
	int lines = memfd_create("lines", MFD_CLOEXEC);
	char path[64], cell[64], kafka[64], *env[] = {cell, kafka, NULL}, *shown;
	const char *name, *value;
	struct fixture f;

	fixture_init(&f);
	ck_assert_int_eq(write(f.fd, "e\n", 2), 2);
	snprintf(cell, sizeof(cell), "MILLRACE_CELL_FILE=%s", f.path);
	snprintf(kafka, sizeof(kafka), "MILLRACE_KAFKA_A_FILE=%s", f.path);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", lines);
	ck_assert_int_eq(write(lines, file, sizeof(file) - 1), (ssize_t)sizeof(file) - 1);
	ck_assert_int_eq(conf_set_file(f.conf, path, &f.err), 0);
	load(&f, env);
	ck_assert_str_eq(f.settings.cell, "e");
	ck_assert(conf_kafka_at(f.conf, 0, &name, &value) && !strcmp(name, "a") && !strcmp(value, "e"));
	shown = printed(f.conf, conf_print);
	ck_assert_ptr_nonnull(strstr(shown, "cell = e  # MILLRACE_CELL_FILE\n"));
	ck_assert_ptr_nonnull(strstr(shown, "kafka.a = e  # MILLRACE_KAFKA_A_FILE\n"));
	free(shown);
	ck_assert_int_eq(conf_set_option(f.conf, "cell=o", &f.err), 0);
	load(&f, env);
	ck_assert_str_eq(f.settings.cell, "o");
	close(lines);
	fixture_fini(&f);
}
END_TEST

/* key.file is a setting of its own, though there is a key, too: its variable is a path, not a text. */
START_TEST(setting_that_is_a_file)
{
	static const struct conf_field own[] = {
		{"cell", CONF_STR, offsetof(struct settings, cell), "", 0, 40, "a key"},
		{"cell.file", CONF_STR, offsetof(struct settings, name), "", 0, 40, "a key's file"},
		{0},
	};
	struct settings target = {0};
	const struct conf_section section = {own, &target};
	struct conf *c = conf_new(&section, 1);
	char *env[] = {(char[]){"MILLRACE_CELL_FILE=/nowhere"}, (char[]){"MILLRACE_CELL=k"}, NULL};
	struct err err = ERR_INIT;

	ck_assert_msg(conf_load(c, env, &err) == 0, "%s", err.msg);
	ck_assert_str_eq(target.cell, "k");
	ck_assert_str_eq(target.name, "/nowhere");
	conf_free(c);
}
END_TEST

/* What may not be read is told so; root may read all, so this asks as somebody else. */
START_TEST(text_file_of_others)
{
	char variable[64], *env[] = {variable, NULL};
	uid_t uid = geteuid();
	struct fixture f;

	fixture_init(&f);
	snprintf(variable, sizeof(variable), "MILLRACE_CELL_FILE=%s", f.path);
	ck_assert_int_eq(fchmod(f.fd, 0), 0);
	ck_assert(uid != 0 || seteuid(65534) == 0);
	ck_assert_int_eq(conf_load(f.conf, env, &f.err), -1);
	check_message(&f, "key cell from MILLRACE_CELL_FILE: cannot open file 'FILE': Permission denied");
	ck_assert(uid != 0 || (seteuid(uid) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0)); /* as the leak sanitizer wants it */
	fixture_fini(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conf_file");
	TCase *tc = tcase_create("conf_file");

	tcase_add_loop_test(tc, text_in_a_file, 0, NR(text_files));
	tcase_add_loop_test(tc, text_and_its_file, 0, NR(set_twice));
	tcase_add_test(tc, text_file_precedence);
	tcase_add_test(tc, setting_that_is_a_file);
	tcase_add_test(tc, text_file_of_others);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
