/* test_retention.c - what becomes of an answer about a topic, and of none. The brokers' own answers are for tests/deploy/test_metrics.py: the mock
 * cluster gives none, which is a case too. */
#include "common/retention.h"

#include <math.h>
#include <poll.h>

#include "common/clock.h"
#include "tests/unit/common/kafka_mock.h"

#define METRIC "millrace_processor_retention_seconds"

struct fixture {
	struct mock mock;
	char cell[8];
	struct metrics *metrics;
	rd_kafka_t *rk;
	struct retention *retention;
};

/* A client that gives up soon. */
static rd_kafka_t *client(const struct mock *m)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;

	rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(m->cluster), NULL, 0);
	rd_kafka_conf_set(conf, "socket.timeout.ms", "50", NULL, 0);
	rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
	ck_assert_ptr_nonnull(rk);
	return rk;
}

static void fixture_init(struct fixture *f, const char *metric, bool whole)
{
	static const char *const names[] = {"samples", "events"};
	struct err err = ERR_INIT;

	mock_init(&f->mock);
	snprintf(f->cell, sizeof(f->cell), "main");
	f->mock.program.common.cell = f->cell;
	f->metrics = metrics_new("millrace-test");
	f->rk = client(&f->mock);
	f->retention = retention_new(&f->mock.program, f->rk, f->metrics, metric, whole, names, NR(names), &err);
	ck_assert_msg(f->retention != NULL, "%s", err.msg);
}

static void fixture_fini(struct fixture *f)
{
	retention_free(f->retention);
	rd_kafka_destroy(f->rk);
	metrics_free(f->metrics);
	mock_fini(&f->mock);
}

/* The value on the page; NAN where there is none. */
static double shown(struct fixture *f, const char *name_and_labels)
{
	struct buf out = BUF_INIT;
	const char *at;
	double v;

	metrics_render(f->metrics, &out);
	buf_add(&out, "", 1);
	at = strstr((char *)out.p, name_and_labels);
	v = at ? strtod(at + strlen(name_and_labels), NULL) : (double)NAN;
	buf_fini(&out);
	return v;
}

static const struct { const char *topic, *policy, *ms; bool understood; double seconds; } answers[] = {
	{"millrace.c.main.samples", "delete", "604800000", true, 604800},
	{"millrace.c.main.samples", "compact,delete", "1500", true, 1.5},
	{"millrace.c.main.samples", "delete", "0", true, 0},
	{"millrace.c.main.samples", "delete", "-1", true, NAN}, /* no limit */
	{"millrace.c.main.samples", "compact", "604800000", true, NAN},
	{"millrace.c.main.samples", "delete", "9223372036854775807", true, 9223372036854775.807},
	{"millrace.c.main.samples", "delete", "9223372036854775808", false, 7},
	{"millrace.c.main.samples", "delete", "", false, 7},
	{"millrace.c.main.samples", "delete", "1 day", false, 7},
	{"millrace.c.main.samples", "delete", NULL, false, 7},
	{"millrace.c.main.samples", NULL, "1000", false, 7},
	{"millrace.c.main.hourly", "delete", "1000", false, 7},
	{"samples", "delete", "1000", false, 7},
};

/* What was known before is 7 s. */
START_TEST(an_answer)
{
	struct fixture f;
	double now;

	fixture_init(&f, METRIC, false);
	ck_assert(isnan(shown(&f, METRIC "{topic=\"samples\"} ")));
	ck_assert(retention_take(f.retention, "millrace.c.main.samples", "delete", "7000"));
	ck_assert(retention_take(f.retention, "millrace.c.main.events", "delete", "8000"));
	ck_assert_int_eq(retention_take(f.retention, answers[_i].topic, answers[_i].policy, answers[_i].ms), answers[_i].understood);
	now = shown(&f, METRIC "{topic=\"samples\"} ");
	ck_assert_msg(isnan(answers[_i].seconds) ? isnan(now) : now == answers[_i].seconds, "%g", now);
	ck_assert_double_eq(shown(&f, METRIC "{topic=\"events\"} "), 8);
	ck_assert(retention_take(f.retention, "millrace.c.main.samples", "delete", "9000")); /* it may come back */
	ck_assert_double_eq(shown(&f, METRIC "{topic=\"samples\"} "), 9);
	fixture_fini(&f);
}
END_TEST

START_TEST(whole_names)
{
	struct fixture f;

	fixture_init(&f, "millrace_sink_retention_seconds", true);
	ck_assert(retention_take(f.retention, "millrace.c.main.samples", "delete", "7000"));
	ck_assert_double_eq(shown(&f, "millrace_sink_retention_seconds{topic=\"millrace.c.main.samples\"} "), 7);
	ck_assert_double_eq(shown(&f, "millrace_metrics_refused_total "), 0);
	fixture_fini(&f);
}
END_TEST

/* A cluster that cannot answer: told once, nobody waits, what is known stays, and it is asked again. */
START_TEST(no_answer)
{
	int64_t begun, longest_ms = 0, mono_ms = 1;
	char log[8192] = "";
	struct fixture f;

	fixture_init(&f, METRIC, false);
	ck_assert(retention_take(f.retention, "millrace.c.main.samples", "delete", "7000"));
	for (int64_t until = clock_mono_ms() + 20000; !strstr(log, "retention_unknown") && clock_mono_ms() < until; poll(NULL, 0, 5)) {
		begun = clock_mono_ms();
		retention_turn(f.retention, mono_ms);
		longest_ms = clock_mono_ms() - begun > longest_ms ? clock_mono_ms() - begun : longest_ms;
		program_log(&f.mock.program, log, sizeof(log));
	}
	ck_assert_int_le(longest_ms, 1000);
	for (int round = 0; round < 3; round++) {
		mono_ms += 60000;
		for (int64_t until = clock_mono_ms() + 1000; clock_mono_ms() < until; poll(NULL, 0, 5))
			retention_turn(f.retention, mono_ms);
	}
	ck_assert_int_eq(count_of(program_log(&f.mock.program, log, sizeof(log)), "retention_unknown"), 1);
	ck_assert_double_eq(shown(&f, METRIC "{topic=\"samples\"} "), 7);
	fixture_fini(&f);
}
END_TEST

/* A question may be under way when the program ends. */
START_TEST(freed_while_asking)
{
	struct fixture f;

	fixture_init(&f, METRIC, false);
	retention_turn(f.retention, 1);
	fixture_fini(&f);
	retention_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("retention");
	TCase *tc = tcase_create("retention");

	tcase_add_loop_test(tc, an_answer, 0, NR(answers));
	tcase_add_test(tc, whole_names);
	tcase_add_test(tc, no_answer);
	tcase_add_test(tc, freed_while_asking);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
