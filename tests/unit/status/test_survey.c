/* test_survey.c - the thread that asks how far groups are behind, by librdkafka's mock cluster: what crosses, when it wakes, Kafka gone and back, and stopping. */
#include "sink/status/survey.h"

#include <poll.h>
#include <string.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/events.h"
#include "tests/unit/common/kafka_mock.h"

int __wrap_lag_retention_read(rd_kafka_t *rk, struct lag_group *groups, size_t nr, struct err *err);

/* The mock cluster has no settings of topics: their times are these, and how often they were asked is counted. */
#define RETENTION_MS INT64_C(7200000)
static _Atomic int retention_asked; /* style: a wrapped function has no context */

int __wrap_lag_retention_read(rd_kafka_t *rk, struct lag_group *groups, size_t nr, struct err *err)
{
	(void)rk, (void)err;
	retention_asked++;
	for (size_t g = 0; g < nr; g++)
		for (size_t p = 0; p < groups[g].nr; p++)
			groups[g].partitions[p].retention_ms = RETENTION_MS;
	return 0;
}

enum { INTERVAL_MS = 100, ANSWER_MS = 30000, PROMPT_MS = 1000 };

struct fixture {
	struct mock mock;
	int wake_fd;
	struct survey *survey;
};

static void fixture_init(struct fixture *f)
{
	static const char *const topics[] = {"samples", "minutely", "alerts"};
	static const char *const cells[] = {"main", "other"};
	struct err err = ERR_INIT;
	char name[64];

	mock_init(&f->mock);
	for (size_t c = 0; c < NR(cells); c++)
		for (size_t t = 0; t < NR(topics); t++) {
			snprintf(name, sizeof(name), "millrace.c.%s.%s", cells[c], topics[t]);
			mock_topic(&f->mock, name, 2);
		}
	f->wake_fd = events_wake_fd(&err);
	ck_assert_int_ge(f->wake_fd, 0);
	f->survey = survey_new(&f->mock.program, INTERVAL_MS, f->wake_fd, &err);
	ck_assert_msg(f->survey != NULL, "%s", err.msg);
}

static void fixture_fini(struct fixture *f)
{
	ck_assert(survey_free(f->survey, ANSWER_MS));
	close(f->wake_fd);
	mock_fini(&f->mock);
}

static void set_cells(struct fixture *f, const char *a, const char *b)
{
	const struct str names[] = {str_from(a ? a : ""), str_from(b ? b : "")};

	ck_assert_int_eq(survey_set_cells(f->survey, names, (a != NULL) + (b != NULL), NULL), 0);
}

/* The next view, when it wakes us. */
static struct survey_view *next_view(struct fixture *f)
{
	struct pollfd fd = {.fd = f->wake_fd, .events = POLLIN};
	struct survey_view *v;

	do {
		ck_assert_msg(poll(&fd, 1, ANSWER_MS) == 1, "no view within %d s", ANSWER_MS / 1000);
		events_read(f->wake_fd);
		v = survey_take(f->survey);
	} while (!v);
	ck_assert_ptr_null(survey_take(f->survey)); /* once */
	return v;
}

/* Until a view is as it should be; how many others came before. */
static int until(struct fixture *f, bool (*wanted)(const struct survey_view *v))
{
	int others = 0;

	for (;; others++) {
		struct survey_view *v = next_view(f);
		bool found = wanted(v);

		survey_view_free(v);
		if (found)
			return others;
		ck_assert_int_lt(others, 200);
	}
}

static bool is_ok(const struct survey_view *v)
{
	return v->ok;
}

static bool is_failed(const struct survey_view *v)
{
	return !v->ok && v->err.msg[0];
}

static bool is_of_other(const struct survey_view *v)
{
	return v->ok && v->nr_groups == LAG_GROUPS && str_eq(v->groups[0].cell, STR("other"));
}

static bool has_five(const struct survey_view *v)
{
	return v->ok && v->groups[1].total == 5 && v->groups[1].partitions[0].retention_ms == RETENTION_MS;
}

START_TEST(each_group_of_each_cell)
{
	static const char *const names[] = {"millrace-processor-main", "millrace-sink-main", "millrace-notify-main", "millrace-processor-other", "millrace-sink-other",
					    "millrace-notify-other"};
	static const int64_t totals[] = {0, 3, 2, 0, 0, 0};
	int64_t begun_ms = clock_wall_ms();
	struct fixture f;
	struct survey_view *v;

	fixture_init(&f);
	mock_produce(&f.mock, "millrace.c.main.minutely", "k", "v");
	mock_produce(&f.mock, "millrace.c.main.alerts", "k", "v");
	mock_produce(&f.mock, "millrace.c.main.alerts", "k", "v");
	set_cells(&f, "main", "other");
	v = next_view(&f);
	ck_assert_msg(v->ok, "%s", v->err.msg);
	ck_assert_uint_eq(v->nr_groups, NR(names));
	for (size_t g = 0; g < NR(names); g++) {
		ck_assert_str_eq(v->groups[g].name, names[g]);
		ck_assert_int_eq(v->groups[g].total, totals[g]);
	}
	ck_assert_int_ge(v->at_ms, begun_ms);
	ck_assert_int_le(v->at_ms, clock_wall_ms());
	ck_assert_ptr_nonnull(v->groups[1].oldest);
	ck_assert_int_ge(v->groups[1].oldest->age_ms, v->at_ms - MOCK_TIMESTAMP_MS);
	survey_view_free(v);
	fixture_fini(&f);
}
END_TEST

START_TEST(again_and_again)
{
	struct fixture f;

	fixture_init(&f);
	set_cells(&f, "main", NULL);
	until(&f, is_ok);
	for (int i = 0; i < 5; i++)
		mock_produce(&f.mock, "millrace.c.main.minutely", "k", "v");
	until(&f, has_five);
	ck_assert_int_eq(retention_asked, 1); /* and remembered */
	set_cells(&f, "other", NULL); /* of whom nothing is known, and of the former one nothing is kept */
	until(&f, is_of_other);
	ck_assert_int_eq(retention_asked, 2);
	fixture_fini(&f);
}
END_TEST

START_TEST(cells_change)
{
	struct fixture f;
	struct pollfd fd;
	struct survey_view *v;

	fixture_init(&f);
	fd = (struct pollfd){.fd = f.wake_fd, .events = POLLIN};
	ck_assert_int_eq(poll(&fd, 1, 3 * INTERVAL_MS), 0); /* nobody has said what to ask about */
	set_cells(&f, "main", NULL);
	until(&f, is_ok);
	set_cells(&f, "other", NULL);
	until(&f, is_of_other);
	set_cells(&f, NULL, NULL);
	while (poll(&fd, 1, 20 * INTERVAL_MS) == 1) { /* the look under way may still come, and no more */
		events_read(f.wake_fd);
		survey_view_free(survey_take(f.survey));
	}
	set_cells(&f, "no-such-cell", NULL);
	v = next_view(&f);
	ck_assert(v->ok && v->nr_groups == LAG_GROUPS && !v->groups[0].nr);
	survey_view_free(v);
	fixture_fini(&f);
}
END_TEST

/* It says so, goes on asking, and is well again by itself. */
START_TEST(kafka_gone_and_back)
{
	struct fixture f;

	fixture_init(&f);
	set_cells(&f, "main", NULL);
	until(&f, is_ok);
	rd_kafka_mock_broker_set_down(f.mock.cluster, 1);
	until(&f, is_failed);
	ck_assert_int_eq(until(&f, is_failed), 0);
	rd_kafka_mock_broker_set_up(f.mock.cluster, 1);
	until(&f, is_ok);
	fixture_fini(&f);
}
END_TEST

/* Views that nobody fetches are no leak, and neither is one that is there at the end. */
START_TEST(nobody_fetches)
{
	struct fixture f;
	struct pollfd fd;

	fixture_init(&f);
	fd = (struct pollfd){.fd = f.wake_fd, .events = POLLIN};
	set_cells(&f, "main", NULL);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(poll(&fd, 1, ANSWER_MS), 1);
		events_read(f.wake_fd);
	}
	fixture_fini(&f);
}
END_TEST

START_TEST(stops_at_once)
{
	struct fixture f;
	int64_t begun_ms;

	fixture_init(&f);
	begun_ms = clock_mono_ms();
	ck_assert(survey_free(f.survey, ANSWER_MS));
	ck_assert_int_lt(clock_mono_ms() - begun_ms, PROMPT_MS);
	close(f.wake_fd);
	mock_fini(&f.mock);
	ck_assert(survey_free(NULL, 0));
}
END_TEST

/* A broker that answers too late: whoever stops is told in time that the thread hangs. In a process of its own, as it must end by _exit(). */
static int stop_while_hanging(void)
{
	struct fixture f;
	int64_t begun_ms;
	bool closed;

	fixture_init(&f);
	set_cells(&f, "main", NULL);
	until(&f, is_ok);
	rd_kafka_mock_broker_set_rtt(f.mock.cluster, 1, 8000);
	while (poll(&(struct pollfd){.fd = f.wake_fd, .events = POLLIN}, 1, 1000) == 1)
		events_read(f.wake_fd);
	begun_ms = clock_mono_ms();
	closed = survey_free(f.survey, 300);
	return closed || clock_mono_ms() - begun_ms > PROMPT_MS;
}

START_TEST(stops_while_it_hangs)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(stop_while_hanging());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

START_TEST(settings_that_librdkafka_refuses)
{
	struct program p;
	struct err err = ERR_INIT;

	program_make(&p, (const char *const[]){"kafka.bootstrap.servers=127.0.0.1:1", "kafka.no.such=1", NULL});
	ck_assert_int_lt(survey_check(&p, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "no.such"));
	ck_assert_ptr_null(survey_new(&p, INTERVAL_MS, -1, &err));
	program_unmake(&p);
}
END_TEST

enum { OFFSET_FETCH_KEY = 9 }; /* of the protocol */

/* A group's coordinator has gone to another broker: one that has come back says so to who asks it, and a client that is no consumer dies of it (2.0.2). */
START_TEST(coordinators_move)
{
	struct fixture f;

	fixture_init(&f);
	set_cells(&f, "main", NULL);
	until(&f, is_ok);
	for (int i = 0; i < 3; i++) {
		rd_kafka_mock_push_request_errors(f.mock.cluster, OFFSET_FETCH_KEY, 3, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
						  RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
		until(&f, is_ok);
		until(&f, is_ok);
	}
	fixture_fini(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("survey");
	TCase *tc = tcase_create("survey");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, each_group_of_each_cell);
	tcase_add_test(tc, again_and_again);
	tcase_add_test(tc, cells_change);
	tcase_add_test(tc, kafka_gone_and_back);
	tcase_add_test(tc, coordinators_move);
	tcase_add_test(tc, nobody_fetches);
	tcase_add_test(tc, stops_at_once);
	tcase_add_test(tc, stops_while_it_hangs);
	tcase_add_test(tc, settings_that_librdkafka_refuses);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
