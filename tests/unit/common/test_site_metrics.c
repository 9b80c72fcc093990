/* test_site_metrics.c - which label a site gets, that there is an end of labels, and that threads may ask for the same ones. */
#include "common/site_metrics.h"

#include <pthread.h>

#include "tests/unit/unit.h"

enum { ACCEPTED, REFUSED, EVENTS, FIGURES };

static const char *const figures[FIGURES] = {"t_accepted_total", "t_refused_total", "t_events_total"};

static const struct metric_row own[FIGURES] = {
	{"t_accepted_total", "Taken.", METRIC_COUNTER, {"site"}},
	{"t_refused_total", "Not taken.", METRIC_COUNTER, {"reason", "site"}},
	{"t_events_total", "Events.", METRIC_COUNTER, {"kind", "site"}},
};

/* How many lines of the output begin so. */
static int lines(struct metrics *m, const char *prefix)
{
	struct buf out = BUF_INIT;
	char *save = NULL;
	int nr = 0;

	metrics_render(m, &out);
	buf_add(&out, "", 1);
	ck_assert(!buf_failed(&out));
	for (char *line = strtok_r((char *)out.p, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		nr += strncmp(line, prefix, strlen(prefix)) == 0;
	buf_fini(&out);
	return nr;
}

START_TEST(labels)
{
	struct metrics *m = metrics_new_with("millrace-test", own, NR(own));
	struct site_metrics *s = site_metrics_new(m, figures, FIGURES, 10);
	char copy[] = "rate";

	metric_add(site_metrics_get(s, ACCEPTED, STR("shop"), NULL), 3);
	metric_add(site_metrics_get(s, REFUSED, STR("shop"), "rate"), 4);
	metric_add(site_metrics_get(s, REFUSED, STR("shop"), "closed"), 5);
	metric_add(site_metrics_get(s, REFUSED, STR("shopping"), "rate"), 6);
	metric_add(site_metrics_get(s, REFUSED, (struct str){"shopping", 4}, copy), 7); /* cut to length; the same reason by another pointer */
	metric_add(site_metrics_get_by(s, EVENTS, STR("shopping"), "kind", "error"), 8);
	ck_assert_int_eq(lines(m, "t_"), 5);
	ck_assert_int_eq(lines(m, "t_events_total{kind=\"error\",site=\"shopping\"} 8"), 1);
	ck_assert_int_eq(lines(m, "t_accepted_total{site=\"shop\"} 3"), 1);
	ck_assert_int_eq(lines(m, "t_refused_total{reason=\"rate\",site=\"shop\"} 11"), 1);
	ck_assert_int_eq(lines(m, "t_refused_total{reason=\"closed\",site=\"shop\"} 5"), 1);
	ck_assert_int_eq(lines(m, "t_refused_total{reason=\"rate\",site=\"shopping\"} 6"), 1);
	ck_assert_ptr_eq(site_metrics_get(s, ACCEPTED, STR("shop"), NULL), site_metrics_get(s, ACCEPTED, STR("shop"), NULL));
	site_metrics_free(s);
	ck_assert_int_eq(lines(m, "t_accepted_total{site=\"shop\"} 3"), 1); /* the registry's, not ours */
	metrics_free(m);
}
END_TEST

START_TEST(the_rest_shares_one_label)
{
	struct metrics *m = metrics_new_with("millrace-test", own, NR(own));
	struct site_metrics *s = site_metrics_new(m, figures, FIGURES, 100);
	char name[300];

	for (int round = 1; round <= 2; round++) {
		for (int i = 0; i < 250; i++) {
			snprintf(name, sizeof(name), "site-%d", i);
			metric_add(site_metrics_get(s, i % 2 ? ACCEPTED : REFUSED, str_from(name), i % 2 ? NULL : "rate"), 1);
		}
		ck_assert_double_eq(metric_value(site_metrics_get(s, ACCEPTED, STR("site-1"), NULL)), round);
		ck_assert_double_eq(metric_value(site_metrics_get(s, ACCEPTED, STR("__other__"), NULL)), 75 * round);
		ck_assert_double_eq(metric_value(site_metrics_get(s, REFUSED, STR("__other__"), "rate")), 75 * round);
	}
	ck_assert_int_eq(lines(m, "t_"), 100 + 2);
	/* A site is one of the many in all figures or in none: site-248 has no label of its own in the other figure either. */
	ck_assert_ptr_eq(site_metrics_get(s, ACCEPTED, STR("site-248"), NULL), site_metrics_get(s, ACCEPTED, STR("__other__"), NULL));
	ck_assert_ptr_ne(site_metrics_get(s, ACCEPTED, STR("site-98"), NULL), site_metrics_get(s, ACCEPTED, STR("__other__"), NULL));
	site_metrics_free(s);
	metrics_free(m);
}
END_TEST

START_TEST(odd_sites)
{
	struct metrics *m = metrics_new_with("millrace-test", own, NR(own));
	struct site_metrics *s = site_metrics_new(m, figures, FIGURES, 100);
	char name[256];

	memset(name, 'x', sizeof(name));
	ck_assert_ptr_nonnull(site_metrics_get(s, ACCEPTED, (struct str){name, 255}, NULL));
	ck_assert_int_eq(lines(m, "t_accepted_total{site=\"__other__\""), 0);
	metric_add(site_metrics_get(s, ACCEPTED, (struct str){name, 256}, NULL), 1);
	metric_add(site_metrics_get(s, ACCEPTED, STR(""), NULL), 1);
	metric_add(site_metrics_get(s, ACCEPTED, (struct str){0}, NULL), 1);
	ck_assert_int_eq(lines(m, "t_accepted_total{site=\"__other__\"} 3"), 1);
	ck_assert_ptr_null(site_metrics_get(s, FIGURES, STR("shop"), NULL));
	ck_assert_ptr_null(site_metrics_get(NULL, ACCEPTED, STR("shop"), NULL));
	site_metrics_free(s);
	site_metrics_free(NULL);
	metrics_free(m);
}
END_TEST

enum { THREADS = 4, ROUNDS = 3000, SITES = 40 };

static void *count_all(void *s)
{
	for (int i = 0; i < ROUNDS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i % SITES);
		metric_add(site_metrics_get(s, i % 2 ? REFUSED : ACCEPTED, str_from(name), i % 2 ? "rate" : NULL), 1);
	}
	return NULL;
}

START_TEST(threads_share_handles)
{
	struct metrics *m = metrics_new_with("millrace-test", own, NR(own));
	struct site_metrics *s = site_metrics_new(m, figures, FIGURES, SITES / 2);
	pthread_t threads[THREADS];
	double sum = 0;

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, count_all, s), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < SITES / 2 + 1; i++) {
		char name[16] = "__other__";

		if (i)
			snprintf(name, sizeof(name), "s%d", i - 1);
		sum += metric_value(site_metrics_get(s, ACCEPTED, str_from(name), NULL));
		sum += metric_value(site_metrics_get(s, REFUSED, str_from(name), "rate"));
	}
	ck_assert_double_eq(sum, THREADS * ROUNDS);
	site_metrics_free(s);
	metrics_free(m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("site_metrics");
	TCase *tc = tcase_create("site_metrics");

	tcase_add_test(tc, labels);
	tcase_add_test(tc, the_rest_shares_one_label);
	tcase_add_test(tc, odd_sites);
	tcase_add_test(tc, threads_share_handles);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
