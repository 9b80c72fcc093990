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
	struct metrics *m = metrics_new("millrace-test");
	struct metric *c = metrics_counter(m, "t_records_total", "What came.", "topic", "a", NULL);
	struct metric *g = metrics_gauge(m, "t_lag_seconds", "How far behind.", NULL);

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
	struct metrics *m = metrics_new("millrace-test");

	for (size_t i = 0; i < NR(sites); i++) {
		metrics_counter(m, "t_b_total", "B.", "site", sites[i], NULL);
		metrics_counter(m, "t_a_total", "A.", "site", sites[i], NULL);
	}
	metrics_counter(m, "t_b_total", "B.", NULL);
	check_lines(m, "t_",
		    "# HELP t_a_total A.\n# TYPE t_a_total counter\nt_a_total{site=\"a\"} 0\nt_a_total{site=\"b\"} 0\n"
		    "t_a_total{site=\"m\"} 0\nt_a_total{site=\"z\"} 0\n"
		    "# HELP t_b_total B.\n# TYPE t_b_total counter\nt_b_total 0\nt_b_total{site=\"a\"} 0\nt_b_total{site=\"b\"} 0\n"
		    "t_b_total{site=\"m\"} 0\nt_b_total{site=\"z\"} 0\n");
	metrics_free(m);
}
END_TEST

START_TEST(same_metric_same_handle)
{
	struct metrics *m = metrics_new("millrace-test");
	struct metric *c = metrics_counter(m, "t_total", "h", "site", "s", "cell", "c", NULL);

	ck_assert_ptr_nonnull(c);
	ck_assert_ptr_eq(c, metrics_counter(m, "t_total", "h", "site", "s", "cell", "c", NULL));
	ck_assert_ptr_eq(c, metrics_counter(m, "t_total", "h", "cell", "c", "site", "s", NULL));
	ck_assert_ptr_ne(c, metrics_counter(m, "t_total", "h", "cell", "s", "site", "c", NULL));
	ck_assert_ptr_ne(c, metrics_counter(m, "t_total", "h", "site", "s", NULL));
	check_lines(m, "t_", "# HELP t_total h\n# TYPE t_total counter\nt_total{cell=\"c\",site=\"s\"} 0\n"
			     "t_total{cell=\"s\",site=\"c\"} 0\nt_total{site=\"s\"} 0\n");
	metrics_free(m);
}
END_TEST

/* What cannot be a metric is a NULL handle, and every operation takes that. */
START_TEST(no_metric)
{
	struct metrics *m = metrics_new("millrace-test");

	ck_assert_ptr_nonnull(metrics_counter(m, "t_total", "h", "site", "a", NULL));
	ck_assert_ptr_null(metrics_gauge(m, "t_total", "h", "site", "a", NULL)); /* another type: same labels, */
	ck_assert_ptr_null(metrics_gauge(m, "t_total", "h", "site", "0", NULL)); /* before, */
	ck_assert_ptr_null(metrics_gauge(m, "t_total", "h", "site", "b", NULL)); /* and behind */
	ck_assert_ptr_null(metrics_counter(m, "process_cpu_seconds_total", "h", NULL));
	ck_assert_ptr_null(metrics_counter(m, "", "h", NULL));
	ck_assert_ptr_null(metrics_counter(m, "1t", "h", NULL));
	ck_assert_ptr_null(metrics_counter(m, "t-t", "h", NULL));
	ck_assert_ptr_null(metrics_counter(m, "t\n", "h", NULL));
	ck_assert_ptr_null(metrics_counter(m, "t", "h", "a:b", "x", NULL));
	ck_assert_ptr_null(metrics_counter(m, "t", "h", "", "x", NULL));
	ck_assert_ptr_null(metrics_counter(m, "t", "h", "a", "x", "a", "y", NULL));
	ck_assert_ptr_null(metrics_counter(m, "t", "h", "a", "1", "b", "2", "c", "3", "d", "4", "e", "5", NULL));
	ck_assert_ptr_null(metrics_counter(NULL, "t", "h", NULL));
	metric_add(NULL, 1);
	metric_set(NULL, 1);
	metrics_remove(m, NULL);
	metrics_remove(NULL, NULL);
	ck_assert_double_eq(metric_value(NULL), 0);
	check_lines(m, "t_", "# HELP t_total h\n# TYPE t_total counter\nt_total{site=\"a\"} 0\n");
	metrics_free(m);
	metrics_free(NULL);
}
END_TEST

static const struct { const char *value, *rendered; } label_cases[] = {
	{"", ""}, {"plain", "plain"}, {"a\"b", "a\\\"b"}, {"a\\b", "a\\\\b"}, {"a\nb", "a\\nb"}, {"caf\xc3\xa9", "caf\xc3\xa9"},
	{"a\xff", "a\xef\xbf\xbd"}, {"\xc3(", "\xef\xbf\xbd("}, {"}{,=", "}{,="}, {NULL, ""},
};

START_TEST(label_values)
{
	struct metrics *m = metrics_new("millrace-test");
	char wanted[256];

	ck_assert_ptr_nonnull(metrics_counter(m, "t_total", "h", "site", label_cases[_i].value, NULL));
	snprintf(wanted, sizeof(wanted), "# HELP t_total h\n# TYPE t_total counter\nt_total{site=\"%s\"} 0\n", label_cases[_i].rendered);
	check_lines(m, "t_", wanted);
	metrics_free(m);
}
END_TEST

START_TEST(values)
{
	struct metrics *m = metrics_new("millrace-test");
	struct metric *g = metrics_gauge(m, "t_gauge", "a\\b\nc", NULL), *c = metrics_counter(m, "t_total", "h", NULL);

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
	metric_set(c, 1);
	check_lines(m, "t_total", "# HELP t_total h\n# TYPE t_total counter\nt_total 9007199254740993\n");
	metrics_free(m);
}
END_TEST

START_TEST(removal)
{
	struct metrics *m = metrics_new("millrace-test");
	struct metric *a = metrics_gauge(m, "t_lag", "h", "partition", "1", NULL);

	metrics_gauge(m, "t_lag", "h", "partition", "2", NULL);
	metric_set(a, 7);
	metrics_remove(m, a);
	check_lines(m, "t_", "# HELP t_lag h\n# TYPE t_lag gauge\nt_lag{partition=\"2\"} 0\n");
	a = metrics_gauge(m, "t_lag", "h", "partition", "1", NULL);
	check_lines(m, "t_", "# HELP t_lag h\n# TYPE t_lag gauge\nt_lag{partition=\"1\"} 0\nt_lag{partition=\"2\"} 0\n");
	metrics_remove(m, a);
	metrics_remove(m, metrics_gauge(m, "t_lag", "h", "partition", "2", NULL));
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
	struct metrics *m = metrics_new("millrace-test");
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
		made[i] = metrics_counter(m, name, "h", "site", site, NULL);
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
	ck_assert_int_eq(read_exposition(text), distinct + 5); /* the process's own four, and the build */
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
	struct metrics *m = metrics_new("millrace-test");
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
	struct metrics *m = metrics_new("millrace-test");
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
		own = metrics_gauge(s->metrics, "t_partition", "h", "partition", partition, NULL);
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
	struct shared s = {.metrics = metrics_new("millrace-test")};
	pthread_t changers[4], others[2];

	s.counter = metrics_counter(s.metrics, "t_total", "h", NULL);
	s.gauge = metrics_gauge(s.metrics, "t_gauge", "h", NULL);
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
	tcase_add_test(tc, no_metric);
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
