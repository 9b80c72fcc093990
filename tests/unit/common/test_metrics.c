/* test_metrics.c - the exposition as a scraper reads it, figures under threads, and the process's own figures.
 *
 * The reader below follows the format's description (HELP and TYPE once a name before its samples, label values with three
 * escapes) and shares nothing with the writer. */
#include "common/metrics.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static const struct metric_row listed_here[] = {
	{"t_0_total", "h", METRIC_COUNTER, {"site"}},
	{"t_1_total", "h", METRIC_COUNTER, {"site"}},
	{"t_2_total", "h", METRIC_COUNTER, {"site"}},
	{"t_3_total", "h", METRIC_COUNTER, {"site"}},
	{"t_4_total", "h", METRIC_COUNTER, {"site"}},
	{"t_a_total", "A.", METRIC_COUNTER, {"site"}},
	{"t_b_total", "B.", METRIC_COUNTER, {"site"}},
	{"t_four_total", "h", METRIC_COUNTER, {"a", "b", "c", "d"}},
	{"t_gauge", "a\\b\nc", METRIC_GAUGE, {NULL}},
	{"t_lag", "h", METRIC_GAUGE, {"partition"}},
	{"t_lag_seconds", "How far behind.", METRIC_GAUGE, {NULL}},
	{"t_pair_total", "h", METRIC_COUNTER, {"cell", "site"}},
	{"t_partition", "h", METRIC_GAUGE, {"partition"}},
	{"t_records_total", "What came.", METRIC_COUNTER, {"topic"}},
	{"t_spent_seconds_total", "h", METRIC_SECONDS, {NULL}},
	{"t_site_total", "h", METRIC_COUNTER, {"site"}},
	{"t_total", "h", METRIC_COUNTER, {NULL}},
};

static struct metrics *test_registry(void)
{
	struct metrics *m = metrics_new_with("millrace-test", listed_here, NR(listed_here));

	ck_assert_ptr_nonnull(m);
	return m;
}

static char *render(struct metrics *m)
{
	struct buf out = BUF_INIT;

	metrics_render(m, &out);
	buf_add(&out, "", 1);
	ck_assert(!buf_failed(&out));
	return (char *)out.p;
}

/* The lines that start with prefix, joined; what the process itself adds stays out of sight. */
static void check_lines(struct metrics *m, const char *prefix, const char *wanted)
{
	char *text = render(m), got[4096] = "", *save = NULL;
	size_t n = 0;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *name = strncmp(line, "# ", 2) == 0 ? line + 7 : line;

		if (strncmp(name, prefix, strlen(prefix)) == 0)
			n += (size_t)snprintf(got + n, sizeof(got) - n, "%s\n", line);
	}
	ck_assert_str_eq(got, wanted);
	free(text);
}

/* The value of the sample that reads exactly so far; NAN when there is none. */
static double sample(struct metrics *m, const char *name_and_labels)
{
	char *text = render(m), *at = text;
	size_t n = strlen(name_and_labels);
	double v = NAN;

	for (; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		if (strncmp(at, name_and_labels, n) == 0 && at[n] == ' ')
			v = strtod(at + n + 1, NULL);
	free(text);
	return v;
}

START_TEST(one_of_each)
{
	struct metrics *m = test_registry();
	struct metric *c = metrics_counter(m, "t_records_total", "topic", "a", NULL);
	struct metric *g = metrics_gauge(m, "t_lag_seconds", NULL);

	metric_add(c, 2);
	metric_add(c, 3);
	metric_set(g, 1.5);
	metric_set(g, -0.25);
	check_lines(m, "t_",
		    "# HELP t_lag_seconds How far behind.\n# TYPE t_lag_seconds gauge\nt_lag_seconds -0.25\n"
		    "# HELP t_records_total What came.\n# TYPE t_records_total counter\nt_records_total{topic=\"a\"} 5\n");
	ck_assert_double_eq(metric_value(c), 5);
	ck_assert_double_eq(metric_value(g), -0.25);
	metrics_free(m);
}
END_TEST

START_TEST(order_does_not_depend_on_making)
{
	static const char *const sites[] = {"m", "a", "z", "b"};
	struct metrics *m = test_registry();

	for (size_t i = 0; i < NR(sites); i++) {
		metrics_counter(m, "t_b_total", "site", sites[i], NULL);
		metrics_counter(m, "t_a_total", "site", sites[i], NULL);
	}
	check_lines(m, "t_",
		    "# HELP t_a_total A.\n# TYPE t_a_total counter\nt_a_total{site=\"a\"} 0\nt_a_total{site=\"b\"} 0\n"
		    "t_a_total{site=\"m\"} 0\nt_a_total{site=\"z\"} 0\n"
		    "# HELP t_b_total B.\n# TYPE t_b_total counter\nt_b_total{site=\"a\"} 0\nt_b_total{site=\"b\"} 0\n"
		    "t_b_total{site=\"m\"} 0\nt_b_total{site=\"z\"} 0\n");
	metrics_free(m);
}
END_TEST

START_TEST(same_metric_same_handle)
{
	struct metrics *m = test_registry();
	struct metric *c = metrics_counter(m, "t_pair_total", "site", "s", "cell", "c", NULL);

	ck_assert_ptr_nonnull(c);
	ck_assert_ptr_eq(c, metrics_counter(m, "t_pair_total", "site", "s", "cell", "c", NULL));
	ck_assert_ptr_eq(c, metrics_counter(m, "t_pair_total", "cell", "c", "site", "s", NULL));
	ck_assert_ptr_ne(c, metrics_counter(m, "t_pair_total", "cell", "s", "site", "c", NULL));
	check_lines(m, "t_", "# HELP t_pair_total h\n# TYPE t_pair_total counter\nt_pair_total{cell=\"c\",site=\"s\"} 0\n"
			     "t_pair_total{cell=\"s\",site=\"c\"} 0\n");
	ck_assert_double_eq(sample(m, "millrace_metrics_refused_total"), 0);
	metrics_free(m);
}
END_TEST

/* What the list does not have is a NULL handle that every operation takes, and the page says so. */
START_TEST(unlisted)
{
	struct metrics *m = test_registry();
	char *text;

	ck_assert_ptr_nonnull(metrics_counter(m, "t_site_total", "site", "a", NULL));
	ck_assert_ptr_nonnull(metrics_counter(m, "t_four_total", "d", "", "a", "", "c", "", "b", "", NULL));
	ck_assert_double_eq(sample(m, "millrace_metrics_refused_total"), 0);
	ck_assert_ptr_null(metrics_gauge(m, "t_site_total", "site", "a", NULL)); /* another type: of what is there, */
	ck_assert_ptr_null(metrics_gauge(m, "t_total", NULL));                   /* and of what is not */
	ck_assert_ptr_null(metrics_counter(m, "t_gauge", NULL));
	ck_assert_ptr_null(metrics_gauge(m, "process_cpu_seconds_total", NULL));
	ck_assert_ptr_null(metrics_counter(m, "t_site_total", NULL)); /* fewer labels */
	ck_assert_ptr_null(metrics_counter(m, "t_pair_total", "cell", "c", NULL));
	ck_assert_ptr_null(metrics_counter(m, "t_total", "site", "a", NULL)); /* more */
	ck_assert_ptr_null(metrics_counter(m, "t_site_total", "site", "a", "cell", "c", NULL));
	ck_assert_ptr_null(metrics_counter(m, "t_four_total", "a", "1", "b", "2", "c", "3", "d", "4", "e", "5", NULL));
	ck_assert_ptr_null(metrics_counter(m, "t_site_total", "cell", "a", NULL)); /* others */
	ck_assert_ptr_null(metrics_counter(m, "t_pair_total", "site", "a", "site", "b", NULL));
	ck_assert_ptr_null(metrics_counter(m, "", NULL));
	ck_assert_ptr_null(metrics_counter(m, "millrace_ingest_nothing_total", NULL));
	ck_assert_ptr_null(metrics_counter(NULL, "t_total", NULL));
	metric_add(NULL, 1);
	metric_add_ms(NULL, 1);
	metric_set(NULL, 1);
	metrics_remove(m, NULL);
	metrics_remove(NULL, NULL);
	ck_assert_double_eq(metric_value(NULL), 0);
	check_lines(m, "t_", "# HELP t_four_total h\n# TYPE t_four_total counter\nt_four_total{a=\"\",b=\"\",c=\"\",d=\"\"} 0\n"
			     "# HELP t_site_total h\n# TYPE t_site_total counter\nt_site_total{site=\"a\"} 0\n");
	ck_assert_double_eq(sample(m, "millrace_metrics_refused_total"), 13);
	text = render(m);
	ck_assert_ptr_nonnull(strstr(text, "\n# a mistake: schemas/metrics.txt does not list t_site_total so\n")); /* the first one */
	free(text);
	metrics_free(m);
	metrics_free(NULL);
}
END_TEST

/* A name is code, not data; whatever it is, the page stays one. */
START_TEST(unlisted_name_is_no_line)
{
	struct metrics *m = metrics_new("millrace-test");
	char name[200];
	char *text;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memcpy(name + 10, "\n1", 2);
	ck_assert_ptr_null(metrics_counter(m, name, NULL));
	text = render(m);
	ck_assert_ptr_nonnull(strstr(text, "does not list xxxxxxxxxx so\n"));
	free(text);
	metrics_free(m);
	m = metrics_new("millrace-test");
	name[10] = 'x';
	ck_assert_ptr_null(metrics_gauge(m, name, NULL));
	text = render(m);
	ck_assert_ptr_nonnull(strstr(text, "xxxx so\n"));
	free(text);
	metrics_free(m);
}
END_TEST

/* The list itself: what the programs use is in it. */
START_TEST(listed)
{
	struct metrics *m = metrics_new("millrace-test");
	struct metric *c = metrics_counter(m, "millrace_sink_insert_seconds_total", NULL);

	ck_assert_ptr_nonnull(c);
	ck_assert_ptr_nonnull(metrics_counter(m, "millrace_ingest_rejected_samples_total", "site", "s", "reason", "r", NULL));
	ck_assert_ptr_null(metrics_counter(m, "t_total", NULL)); /* a test's own */
	metric_add_ms(c, 1500);
	check_lines(m, "millrace_sink_insert",
		    "# HELP millrace_sink_insert_seconds_total How long the inserts that were answered took, added up.\n"
		    "# TYPE millrace_sink_insert_seconds_total counter\nmillrace_sink_insert_seconds_total 1.500000000\n");
	metrics_free(m);
}
END_TEST

static const struct { const char *value, *rendered; } label_cases[] = {
	{"", ""}, {"plain", "plain"}, {"a\"b", "a\\\"b"}, {"a\\b", "a\\\\b"}, {"a\nb", "a\\nb"}, {"caf\xc3\xa9", "caf\xc3\xa9"},
	{"a\xff", "a\xef\xbf\xbd"}, {"\xc3(", "\xef\xbf\xbd("}, {"}{,=", "}{,="}, {NULL, ""},
};

START_TEST(label_values)
{
	struct metrics *m = test_registry();
	char wanted[256];

	ck_assert_ptr_nonnull(metrics_counter(m, "t_a_total", "site", label_cases[_i].value, NULL));
	snprintf(wanted, sizeof(wanted), "# HELP t_a_total A.\n# TYPE t_a_total counter\nt_a_total{site=\"%s\"} 0\n", label_cases[_i].rendered);
	check_lines(m, "t_", wanted);
	metrics_free(m);
}
END_TEST

START_TEST(values)
{
	struct metrics *m = test_registry();
	struct metric *g = metrics_gauge(m, "t_gauge", NULL), *c = metrics_counter(m, "t_total", NULL);

	metric_set(g, NAN);
	check_lines(m, "t_gauge", "# HELP t_gauge a\\\\b\\nc\n# TYPE t_gauge gauge\nt_gauge NaN\n");
	metric_set(g, -INFINITY);
	check_lines(m, "t_gauge", "# HELP t_gauge a\\\\b\\nc\n# TYPE t_gauge gauge\nt_gauge -Inf\n");
	metric_set(g, INFINITY);
	check_lines(m, "t_gauge", "# HELP t_gauge a\\\\b\\nc\n# TYPE t_gauge gauge\nt_gauge +Inf\n");
	metric_set(g, 0.1);
	check_lines(m, "t_gauge", "# HELP t_gauge a\\\\b\\nc\n# TYPE t_gauge gauge\nt_gauge 0.1\n");
	metric_add(c, UINT64_C(9007199254740993)); /* 2^53 + 1: no double */
	check_lines(m, "t_total", "# HELP t_total h\n# TYPE t_total counter\nt_total 9007199254740993\n");
	metric_add(g, 1); /* each operation has its type */
	metric_add_ms(g, 1);
	metric_add_ms(c, 1);
	metric_set(c, 1);
	check_lines(m, "t_total", "# HELP t_total h\n# TYPE t_total counter\nt_total 9007199254740993\n");
	check_lines(m, "t_gauge", "# HELP t_gauge a\\\\b\\nc\n# TYPE t_gauge gauge\nt_gauge 0.1\n");
	metrics_free(m);
}
END_TEST

/* Exact however long it has been counting: a double would lose milliseconds after 285 years of them, and a float within hours. */
START_TEST(seconds)
{
	struct metrics *m = test_registry();
	struct metric *c = metrics_counter(m, "t_spent_seconds_total", NULL);

	for (int i = 0; i < 10; i++)
		metric_add_ms(c, 1);
	check_lines(m, "t_", "# HELP t_spent_seconds_total h\n# TYPE t_spent_seconds_total counter\nt_spent_seconds_total 0.010000000\n");
	metric_add(c, 1000000000); /* its unit is the second */
	metric_add_ms(c, 2041);
	check_lines(m, "t_", "# HELP t_spent_seconds_total h\n# TYPE t_spent_seconds_total counter\nt_spent_seconds_total 1000000002.051000000\n");
	ck_assert_double_eq_tol(metric_value(c), 1000000002.051, 1e-6);
	metric_set(c, 1);
	ck_assert_double_eq_tol(metric_value(c), 1000000002.051, 1e-6);
	metrics_free(m);
}
END_TEST

START_TEST(removal)
{
	struct metrics *m = test_registry();
	struct metric *a = metrics_gauge(m, "t_lag", "partition", "1", NULL);

	metrics_gauge(m, "t_lag", "partition", "2", NULL);
	metric_set(a, 7);
	metrics_remove(m, a);
	check_lines(m, "t_", "# HELP t_lag h\n# TYPE t_lag gauge\nt_lag{partition=\"2\"} 0\n");
	a = metrics_gauge(m, "t_lag", "partition", "1", NULL);
	check_lines(m, "t_", "# HELP t_lag h\n# TYPE t_lag gauge\nt_lag{partition=\"1\"} 0\nt_lag{partition=\"2\"} 0\n");
	metrics_remove(m, a);
	metrics_remove(m, metrics_gauge(m, "t_lag", "partition", "2", NULL));
	check_lines(m, "t_", "");
	metrics_free(m);
}
END_TEST

/* A reader of the whole text; returns the number of samples. Names may only go up, and each has its HELP and TYPE first. */
static int read_exposition(const char *text)
{
	char name[128] = "", help[128] = "", type[128] = "";
	int samples = 0;

	while (*text) {
		char word[128];

		if (sscanf(text, "# HELP %127s ", word) == 1) {
			ck_assert_str_gt(word, help);
			snprintf(help, sizeof(help), "%s", word);
		} else if (sscanf(text, "# TYPE %127s ", word) == 1) {
			ck_assert_str_gt(word, type);
			ck_assert_str_eq(word, help);
			snprintf(type, sizeof(type), "%s", word);
		} else {
			ck_assert_int_eq(sscanf(text, "%127[a-zA-Z0-9_:]", name), 1);
			ck_assert_str_eq(name, type);
			text += strlen(name);
			if (*text == '{') {
				for (bool in = false; *text != '}' || in; text++) {
					ck_assert(*text != '\0' && *text != '\n');
					if (in && *text == '\\')
						text++;
					else if (*text == '"')
						in = !in;
				}
				text++;
			}
			ck_assert_int_eq(*text, ' ');
			samples++;
		}
		ck_assert_ptr_nonnull(strchr(text, '\n'));
		text = strchr(text, '\n') + 1;
	}
	return samples;
}

START_TEST(any_labels_read_back)
{
	struct unit_random r = unit_random_new("metrics");
	struct metrics *m = test_registry();
	struct metric *made[200];
	int distinct = 0;
	char *text;

	for (size_t i = 0; i < NR(made); i++) {
		char site[16], name[16];
		size_t n = unit_random_below(&r, 4);

		for (size_t j = 0; j < n; j++)
			site[j] = (char)(1 + unit_random_below(&r, 255));
		site[n] = '\0';
		snprintf(name, sizeof(name), "t_%d_total", (int)unit_random_below(&r, 5));
		made[i] = metrics_counter(m, name, "site", site, NULL);
		ck_assert_ptr_nonnull(made[i]);
		distinct++;
		for (size_t j = 0; j < i; j++)
			if (made[j] == made[i]) {
				distinct--;
				break;
			}
	}
	text = render(m);
	ck_assert(str_is_utf8(str_from(text)));
	ck_assert_int_eq(read_exposition(text), distinct + 6); /* the process's own four, the build, and what is refused */
	free(text);
	metrics_free(m);
}
END_TEST

static double cpu_seconds(const struct rusage *usage)
{
	return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
	       (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1e-6;
}

START_TEST(process_figures)
{
	struct metrics *m = test_registry();
	struct rusage usage;
	double fds = 0, cpu, start, rss;
	int extra[3];

	for (int fd = 0; fd < 1024; fd++)
		fds += fcntl(fd, F_GETFD) >= 0;
	ck_assert_double_eq(sample(m, "process_open_fds"), fds);
	for (size_t i = 0; i < NR(extra); i++)
		extra[i] = open("/dev/null", O_RDONLY);
	ck_assert_double_eq(sample(m, "process_open_fds"), fds + 3);
	for (size_t i = 0; i < NR(extra); i++)
		close(extra[i]);
	do
		getrusage(RUSAGE_SELF, &usage);
	while (cpu_seconds(&usage) < 0.1);
	cpu = sample(m, "process_cpu_seconds_total"); /* in ticks, two figures of them */
	ck_assert_double_ge(cpu, cpu_seconds(&usage) - 0.03);
	getrusage(RUSAGE_SELF, &usage);
	ck_assert_double_le(cpu, cpu_seconds(&usage) + 0.03);
	rss = sample(m, "process_resident_memory_bytes");
	ck_assert_double_gt(rss, 500e3);
	ck_assert_double_le(rss, (double)usage.ru_maxrss * 1024 + 64e6);
	start = sample(m, "process_start_time_seconds");
	ck_assert_double_le(start, (double)time(NULL) + 2);
	ck_assert_double_ge(start, (double)time(NULL) - 600);
	metrics_free(m);
}
END_TEST

START_TEST(build_info)
{
	struct metrics *m = test_registry();
	char *text = render(m);

	ck_assert_ptr_nonnull(strstr(text, "millrace_build_info{build=\""));
	ck_assert_ptr_nonnull(strstr(text, ",program=\"millrace-test\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "# TYPE process_cpu_seconds_total counter\n"));
	free(text);
	metrics_free(m);
}
END_TEST

enum { CHANGES = 300000 };

struct shared {
	struct metrics *metrics;
	struct metric *counter, *gauge;
	atomic_bool stop;
	pthread_barrier_t start; /* so that the changers really run side by side */
};

static void *change(void *ctx)
{
	struct shared *s = ctx;

	pthread_barrier_wait(&s->start);
	for (int i = 0; i < CHANGES; i++) {
		metric_add(s->counter, 2);
		metric_set(s->gauge, i & 1 ? 1e300 : -1e-300); /* no value in between may ever be seen */
	}
	return NULL;
}

static void *make_and_remove(void *ctx)
{
	struct shared *s = ctx;

	for (int i = 0; !atomic_load(&s->stop); i++) {
		char partition[16];
		struct metric *own;

		snprintf(partition, sizeof(partition), "%d", i % 7);
		own = metrics_gauge(s->metrics, "t_partition", "partition", partition, NULL);
		metric_set(own, i);
		metrics_remove(s->metrics, own);
	}
	return NULL;
}

static void *scrape(void *ctx)
{
	struct shared *s = ctx;
	struct buf out = BUF_INIT;

	while (!atomic_load(&s->stop)) {
		double v = metric_value(s->gauge);

		if (v != 1e300 && v != -1e-300 && v != 0)
			ck_abort_msg("torn gauge: %g", v);
		buf_clear(&out);
		metrics_render(s->metrics, &out);
	}
	buf_fini(&out);
	return NULL;
}

START_TEST(threads)
{
	struct shared s = {.metrics = test_registry()};
	pthread_t changers[4], others[2];

	s.counter = metrics_counter(s.metrics, "t_total", NULL);
	s.gauge = metrics_gauge(s.metrics, "t_gauge", NULL);
	pthread_barrier_init(&s.start, NULL, NR(changers));
	pthread_create(&others[0], NULL, make_and_remove, &s);
	pthread_create(&others[1], NULL, scrape, &s);
	for (size_t i = 0; i < NR(changers); i++)
		pthread_create(&changers[i], NULL, change, &s);
	for (size_t i = 0; i < NR(changers); i++)
		pthread_join(changers[i], NULL);
	atomic_store(&s.stop, true);
	for (size_t i = 0; i < NR(others); i++)
		pthread_join(others[i], NULL);
	ck_assert_double_eq(metric_value(s.counter), (double)NR(changers) * CHANGES * 2);
	check_lines(s.metrics, "t_partition", "");
	pthread_barrier_destroy(&s.start);
	metrics_free(s.metrics);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("metrics");
	TCase *tc = tcase_create("metrics");

	tcase_add_test(tc, one_of_each);
	tcase_add_test(tc, order_does_not_depend_on_making);
	tcase_add_test(tc, same_metric_same_handle);
	tcase_add_test(tc, unlisted);
	tcase_add_test(tc, unlisted_name_is_no_line);
	tcase_add_test(tc, listed);
	tcase_add_test(tc, seconds);
	tcase_add_loop_test(tc, label_values, 0, NR(label_cases));
	tcase_add_test(tc, values);
	tcase_add_test(tc, removal);
	tcase_add_test(tc, any_labels_read_back);
	tcase_add_test(tc, process_figures);
	tcase_add_test(tc, build_info);
	tcase_add_test(tc, threads);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
