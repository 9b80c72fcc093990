/* test_program.c - the command line, common settings, clock, names and fault points, as a program's main() meets them. */
#include "common/program.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/build.h"

#include "tests/unit/unit.h"

struct own_conf {
	int64_t docs;
};

/* Thirteen stands for what only a program can judge. */
static int check(const struct program *p, const void *target, struct err *err)
{
	const struct own_conf *own = target;

	return own->docs == 13 ? conf_reject(p->conf, "batch.max_docs", "brings bad luck", err) : 0;
}

static const struct conf_field own_fields[] = {
	{"batch.max_docs", CONF_INT, offsetof(struct own_conf, docs), "1000", 1, 100000, "documents a bulk write carries"},
	{0},
};

enum { ARGS_MAX = 12 };

struct fixture {
	struct own_conf own;
	struct program program;
	struct err err;
	int rc;
	char output[16384]; /* what went to standard output */
};

/* Runs program_init() with the words of args, divided by blanks, and keeps its standard output. */
static void run(struct fixture *f, const char *args)
{
	char words[1024], *argv[ARGS_MAX + 1] = {(char[]){"millrace-test"}}, *save = NULL;
	static const char *const known[] = {"commit", "emit", "last", NULL};
	const struct program_spec spec = {.name = "millrace-test", .summary = "does nothing", .admin_default = "127.0.0.1:9109",
		.section = {own_fields, &f->own}, .faults = known, .check = check};
	int argc = 1, to = memfd_create("stdout", MFD_CLOEXEC), before = dup(STDOUT_FILENO);
	ssize_t n;

	snprintf(words, sizeof(words), "%s", args);
	for (char *w = strtok_r(words, " ", &save); w && argc < ARGS_MAX; w = strtok_r(NULL, " ", &save))
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

START_TEST(plain_start)
{
	char host[64], instance[96];
	struct fixture f;
	int64_t before = clock_wall_ms();

	run(&f, "");
	ck_assert_msg(f.rc == 0, "%s", f.err.msg);
	ck_assert_int_ge(f.program.started_ms, before);
	ck_assert_int_le(f.program.started_ms, clock_wall_ms());
	gethostname(host, sizeof(host));
	snprintf(instance, sizeof(instance), "%.50s:%d", host, (int)getpid());
	ck_assert_str_eq(f.program.name, "millrace-test");
	ck_assert_str_eq(f.program.host, host);
	ck_assert_str_eq(f.program.instance, instance);
	ck_assert_str_eq(f.program.log.instance, instance);
	ck_assert_str_eq(f.program.common.cell, "main");
	ck_assert_str_eq(f.program.common.instance_id, "");
	ck_assert_str_eq(f.program.common.admin_listen, "127.0.0.1:9109");
	ck_assert_int_eq(f.program.common.memory_budget_bytes, 256 << 20);
	ck_assert_int_eq(f.program.common.heartbeat_interval_ms, 5000);
	ck_assert_int_eq(f.own.docs, 1000);
	ck_assert(!f.program.log.json && f.program.log.level == LOG_LEVEL_INFO && f.program.log.fd == STDERR_FILENO);
	ck_assert(!f.program.clock.test && !f.program.faults && f.program.conf);
	ck_assert_str_eq(f.output, "");
	program_fini(&f.program);
	ck_assert_ptr_null(f.program.conf);
	program_fini(&f.program); /* twice does no harm */
}
END_TEST

START_TEST(settings)
{
	const char *name, *value;
	struct fixture f;

	run(&f, "--set instance.id=sink-1.a_B --set log.format=json --set log.level=warn --set=batch.max_docs=7 --set cell=eu-1 "
		"--set kafka.bootstrap.servers=x:1");
	ck_assert_msg(f.rc == 0, "%s", f.err.msg);
	ck_assert_str_eq(f.program.instance, "sink-1.a_B");
	ck_assert_str_eq(f.program.log.instance, "sink-1.a_B");
	ck_assert(f.program.log.json && f.program.log.level == LOG_LEVEL_WARN);
	ck_assert_str_eq(f.program.common.cell, "eu-1");
	ck_assert_int_eq(f.own.docs, 7);
	ck_assert(conf_kafka_at(f.program.conf, 0, &name, &value) && !strcmp(name, "bootstrap.servers") && !strcmp(value, "x:1"));
	program_fini(&f.program);
}
END_TEST

START_TEST(environment_and_file)
{
	int fd = memfd_create("conf", MFD_CLOEXEC);
	char args[64];
	struct fixture f;

	ck_assert_int_eq(write(fd, "batch.max_docs = 5\ncell = file\n", 31), 31);
	snprintf(args, sizeof(args), "--config /proc/self/fd/%d", fd);
	setenv("MILLRACE_CELL", "env", 1);
	run(&f, args);
	unsetenv("MILLRACE_CELL");
	ck_assert_msg(f.rc == 0, "%s", f.err.msg);
	ck_assert_str_eq(f.program.common.cell, "env");
	ck_assert_int_eq(f.own.docs, 5);
	program_fini(&f.program);
	close(fd);
}
END_TEST

static const struct { const char *args, *message; } refused[] = {
	{"--nonsense", "option '--nonsense' is not understood (--help lists the options)"},
	{"--nonsense=3", "option '--nonsense=3' is not understood (--help lists the options)"},
	{"-x", "option '-x' is not understood (--help lists the options)"},
	{"--set", "option '--set' wants a value (--help lists the options)"},
	{"--check-config=1", "option '--check-config=1' is not understood (--help lists the options)"},
	{"--check-config what", "'what' is not an option (--help lists the options)"},
	{"what --check-config", "'what' is not an option (--help lists the options)"},
	{"-- what", "'what' is not an option (--help lists the options)"},
	{"--set cell", "--set cell is not KEY=VALUE"},
	{"--config a --config b", "more than one configuration file: 'a' and 'b'"},
	{"--set batch.max_docs=0", "key batch.max_docs = '0' from --set is out of range 1..100000"},
	{"--set batch.max_docs=0 --print-config", "key batch.max_docs = '0' from --set is out of range 1..100000"},
	{"--set batch.max_docs=0 --check-config", "key batch.max_docs = '0' from --set is out of range 1..100000"},
	{"--set cell=Main", "key cell = 'Main' from --set holds something else than a-z, 0-9 and -"},
	{"--set cell=", "key cell = '' from --set has a length out of range 1..32"},
	{"--set cell=a.b", "key cell = 'a.b' from --set holds something else than a-z, 0-9 and -"},
	{"--set cell=a23456789012345678901234567890123", "key cell = 'a23456789012345678901234567890123' from --set has a length out of range 1..32"},
	{"--set instance.id=a/b", "key instance.id = 'a/b' from --set holds something else than A-Z, a-z, 0-9, '.', '_' and '-'"},
	{"--set log.format=xml", "key log.format = 'xml' from --set is neither text nor json"},
	{"--set log.level=loud", "key log.level = 'loud' from --set is none of debug, info, warn, error"},
	{"--set memory.budget=1Mi", "key memory.budget = '1Mi' from --set is out of range 32Mi..1024Gi"},
	{"--set clock.start_ms=5", "key clock.start_ms = '5' from --set needs --test-clock"},
	{"--set clock.real_ms=5", "key clock.real_ms = '5' from --set needs --test-clock"},
	{"--set clock.speed=2", "key clock.speed = '2' from --set needs --test-clock"},
	{"--test-clock --set clock.speed=0", "key clock.speed = '0' from --set is out of range 1..100000"},
	{"--test-clock --set clock.start_ms=5", "key clock.start_ms = '5' from --set goes together with clock.real_ms: set both or none"},
	{"--test-faults x", "--test-faults needs --test-clock"},
	{"--test-clock --test-faults x@", "--test-faults 'x@' is not NAME[@N],.."},
	{"--test-clock --test-faults x@2a", "--test-faults 'x@2a' is not NAME[@N],.."},
	{"--test-clock --test-faults last,", "--test-faults 'last,' is not NAME[@N],.."},
	{"--test-clock --test-faults ,x", "--test-faults ',x' is not NAME[@N],.."},
	{"--test-clock --test-faults X", "--test-faults 'X' is not NAME[@N],.."},
	{"--test-clock --test-faults x", "--test-faults 'x' is no fault point of millrace-test"},
	{"--test-clock --test-faults commi", "--test-faults 'commi' is no fault point of millrace-test"},
	{"--test-clock --test-faults commit,emitt@2", "--test-faults 'emitt' is no fault point of millrace-test"},
	{"--check-config --set admin.listen=bad", "key admin.listen = 'bad' from --set is neither IPv4:port nor [IPv6]:port"},
	{"--set admin.listen=localhost:1", "key admin.listen = 'localhost:1' from --set is neither IPv4:port nor [IPv6]:port"},
	{"--set admin.listen=1.2.3.4:65536", "key admin.listen = '1.2.3.4:65536' from --set is neither IPv4:port nor [IPv6]:port"},
	{"--set schema.write.version=Aggregate", "key schema.write.version = 'Aggregate' from --set is not Record=ID,..: 'Aggregate'"},
	{"--check-config --set schema.write.version=Aggregate=4,Incident=4",
	 "key schema.write.version = 'Aggregate=4,Incident=4' from --set gives Incident the id '4', and it has only 17"},
	{"--set schema.write.version=Cell=1,Cell=1", "key schema.write.version = 'Cell=1,Cell=1' from --set names Cell twice"},
	{"--set batch.max_docs=13", "key batch.max_docs = '13' from --set brings bad luck"},
	{"--check-config --set batch.max_docs=13", "key batch.max_docs = '13' from --set brings bad luck"},
};

START_TEST(refuses)
{
	struct fixture f;

	run(&f, refused[_i].args);
	ck_assert_int_eq(f.rc, -1);
	ck_assert_str_eq(f.err.msg, refused[_i].message);
	ck_assert_int_eq(f.err.kind, ERR_REJECT);
	ck_assert_str_eq(f.output, "");
	ck_assert_ptr_null(f.program.conf);
	ck_assert_str_eq(f.program.log.program, "millrace-test"); /* main() logs the error */
	ck_assert_int_eq(f.program.log.fd, STDERR_FILENO);
	ck_assert_str_ne(f.program.log.instance, "");
	program_fini(&f.program);
}
END_TEST

START_TEST(help_and_version)
{
	struct fixture f;
	char expected[128];

	run(&f, "--help");
	ck_assert_int_eq(f.rc, 1);
	ck_assert_ptr_nonnull(strstr(f.output, "millrace-test - does nothing\n"));
	ck_assert_ptr_nonnull(strstr(f.output, "--print-config"));
	ck_assert_ptr_nonnull(strstr(f.output, "127.0.0.1:9109"));
	ck_assert_ptr_nonnull(strstr(f.output, "documents a bulk write carries"));
	program_fini(&f.program);
	run(&f, "--version");
	ck_assert_int_eq(f.rc, 1);
	snprintf(expected, sizeof(expected), "millrace-test %s\n", build_version());
	ck_assert_str_eq(f.output, expected);
	program_fini(&f.program);
}
END_TEST

START_TEST(check_and_print)
{
	struct fixture f;

	run(&f, "--check-config");
	ck_assert_int_eq(f.rc, 1);
	ck_assert_str_eq(f.output, "configuration is valid\n");
	program_fini(&f.program);
	run(&f, "--print-config --set kafka.ssl.key.password=s3cret --set batch.max_docs=3");
	ck_assert_int_eq(f.rc, 1);
	ck_assert_int_eq(strncmp(f.output, "cell = main  # default\n", 23), 0);
	ck_assert_ptr_nonnull(strstr(f.output, "\nadmin.listen = 127.0.0.1:9109  # default\n"));
	ck_assert_ptr_nonnull(strstr(f.output, "\nbatch.max_docs = 3  # --set\n"));
	ck_assert_ptr_nonnull(strstr(f.output, "\nkafka.ssl.key.password = (set)  # --set\n"));
	ck_assert_ptr_null(strstr(f.output, "s3cret"));
	program_fini(&f.program);
	run(&f, "--print-config --check-config --set batch.max_docs=13"); /* what is wrong can be looked at */
	ck_assert_int_eq(f.rc, -1);
	ck_assert_ptr_nonnull(strstr(f.output, "\nbatch.max_docs = 13  # --set\n"));
	ck_assert_ptr_null(strstr(f.output, "valid"));
	program_fini(&f.program);
	run(&f, "--check-config --set admin.listen=");
	ck_assert_int_eq(f.rc, 1);
	program_fini(&f.program);
}
END_TEST

/* It is told in the list of settings, in force at once, and said once by what starts. */
START_TEST(pinned)
{
	int before = dup(STDERR_FILENO), to = memfd_create("stderr", MFD_CLOEXEC);
	char said[4096];
	struct fixture f;
	ssize_t n;

	dup2(to, STDERR_FILENO);
	run(&f, "--print-config --set schema.write.version=Aggregate=4,Incident=17");
	ck_assert_int_eq(f.rc, 1);
	ck_assert_ptr_nonnull(strstr(f.output, "\nschema.write.version = Aggregate=4,Incident=17  # --set\n"));
	program_fini(&f.program);
	run(&f, "");
	ck_assert_int_eq(f.rc, 0);
	program_fini(&f.program);
	ck_assert_int_eq(lseek(to, 0, SEEK_CUR), 0); /* nothing so far */
	run(&f, "--set schema.write.version=Aggregate=4,Incident=17");
	ck_assert_int_eq(f.rc, 0);
	program_fini(&f.program);
	dup2(before, STDERR_FILENO);
	n = pread(to, said, sizeof(said) - 1, 0);
	said[n > 0 ? n : 0] = '\0';
	ck_assert_ptr_nonnull(strstr(said, "event=schema_pinned versions=\"Aggregate=4,Incident=17\"\n"));
	ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1); /* one line */
	close(before);
	close(to);
}
END_TEST

START_TEST(test_clock)
{
	char args[160];
	struct fixture f;
	int64_t real = clock_wall_ms(), start = INT64_C(1795372000000), late;

	snprintf(args, sizeof(args), "--test-clock --set clock.start_ms=%lld --set clock.real_ms=%lld --set clock.speed=60", (long long)start,
		 (long long)real);
	run(&f, args);
	ck_assert_msg(f.rc == 0, "%s", f.err.msg);
	late = start + (clock_wall_ms() - real) * 60;
	ck_assert(f.program.clock.test);
	ck_assert_int_ge(f.program.started_ms, start);
	ck_assert_int_le(f.program.started_ms, late);
	program_fini(&f.program);
	real = clock_wall_ms();
	run(&f, "--test-clock"); /* alone it changes nothing */
	ck_assert_int_eq(f.rc, 0);
	ck_assert_int_ge(f.program.started_ms, real);
	ck_assert_int_le(f.program.started_ms, clock_wall_ms());
	program_fini(&f.program);
}
END_TEST

START_TEST(faults)
{
	uint64_t commit = 0, com = 0, emit = 0, other = 0;
	struct fixture f;

	run(&f, "--test-clock --test-faults commit,emit@3,last@18");
	ck_assert_msg(f.rc == 0, "%s", f.err.msg);
	ck_assert(program_fault(&f.program, "commit", &commit));
	ck_assert(program_fault(&f.program, "commit", &commit));
	ck_assert_uint_eq(commit, 2);
	ck_assert(!program_fault(&f.program, "com", &com));
	ck_assert(!program_fault(&f.program, "mmit", &com));
	ck_assert(!program_fault(&f.program, "emit", &emit));
	ck_assert(!program_fault(&f.program, "emit", &emit));
	ck_assert(program_fault(&f.program, "emit", &emit));
	ck_assert(program_fault(&f.program, "emit", &emit));
	for (int i = 1; i < 18; i++)
		ck_assert(!program_fault(&f.program, "last", &other));
	ck_assert(program_fault(&f.program, "last", &other));
	program_fini(&f.program);
	run(&f, "");
	ck_assert(!program_fault(&f.program, "commit", &commit));
	ck_assert_uint_eq(commit, 3);
	program_fini(&f.program);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("program");
	TCase *tc = tcase_create("program");

	tcase_add_test(tc, plain_start);
	tcase_add_test(tc, settings);
	tcase_add_test(tc, environment_and_file);
	tcase_add_loop_test(tc, refuses, 0, NR(refused));
	tcase_add_test(tc, help_and_version);
	tcase_add_test(tc, check_and_print);
	tcase_add_test(tc, pinned);
	tcase_add_test(tc, test_clock);
	tcase_add_test(tc, faults);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
