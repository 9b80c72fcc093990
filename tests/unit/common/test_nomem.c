/* test_nomem.c - what is left when memory is short in the middle: an error that says so, nothing lost of what was there, nothing leaked, and the same
 * call succeeds later. Each operation is walked, its first allocation failing, its second, .. (tests/unit/fail_alloc.h). */
#include "common/arena.h"
#include "common/codec.h"
#include "common/conf.h"
#include "common/control_desk.h"
#include "common/controls.h"
#include "common/hist.h"
#include "common/map.h"
#include "common/metrics.h"
#include "common/report.h"
#include "common/site_metrics.h"
#include "common/table.h"
#include "schemas/schemas.h"
#include "tests/unit/common/controls_fixture.h"
#include "tests/unit/common/kafka_mock.h"
#include "tests/unit/fail_alloc.h"

static void key_of_number(int i, uint8_t key[MAP_KEY_BYTES])
{
	map_key_of((struct str){(const char *)&i, sizeof(i)}, key);
}

START_TEST(a_map_keeps_what_it_has)
{
	static const int numbers[100] = {0};

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct map m = MAP_INIT;
		uint8_t key[MAP_KEY_BYTES];
		size_t put = 0;
		bool refused = false;

		fail_walk_begin(&w);
		for (int i = 0; i < (int)NR(numbers); i++) {
			key_of_number(i, key);
			if (map_put(&m, key, (void *)(uintptr_t)&numbers[i]) == 0)
				put++;
			else
				refused = true;
		}
		ck_assert_int_eq(fail_walk_end(&w), refused);
		ck_assert_uint_eq(m.len, put);
		for (int i = 0; i < (int)NR(numbers); i++) { /* what was refused can be put now, what was not is there */
			key_of_number(i, key);
			ck_assert(map_get(&m, key) == &numbers[i] || map_put(&m, key, (void *)(uintptr_t)&numbers[i]) == 0);
		}
		ck_assert_uint_eq(m.len, NR(numbers));
		map_fini(&m);
	}
}
END_TEST

/* What found no memory must be told from what the limit refused, and only until the arena is cleared. */
START_TEST(an_arena_says_why)
{
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct arena a = {.limit_bytes = 100000};
		bool refused = false, failed;

		fail_walk_begin(&w);
		for (int i = 0; i < 20; i++)
			refused |= !arena_alloc(&a, 3000);
		failed = fail_walk_end(&w);
		ck_assert(refused == failed && a.starved == failed);
		arena_clear(&a);
		ck_assert(!arena_alloc(&a, 100001) && !a.starved && arena_alloc(&a, 90000));
		arena_fini(&a);
	}
}
END_TEST

START_TEST(a_buffer_says_so_in_the_end)
{
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct buf b = BUF_INIT;
		bool failed;

		fail_walk_begin(&w);
		for (int i = 0; i < 100; i++)
			buf_printf(&b, "%d and some text, ", i);
		failed = fail_walk_end(&w);
		ck_assert_int_eq(buf_failed(&b), failed);
		ck_assert(b.len <= b.cap);
		buf_clear(&b);
		buf_printf(&b, "%s", "again");
		ck_assert(!buf_failed(&b) && str_eq(buf_str(&b), STR("again")));
		buf_fini(&b);
	}
}
END_TEST

struct settings {
	char *cell, *uri;
	int64_t docs;
};

static const struct conf_field fields[] = {
	{"cell", CONF_STR, offsetof(struct settings, cell), "main", 1, 8, "the cell"},
	{"mongo.uri", CONF_SECRET, offsetof(struct settings, uri), "", 0, 40, "where the database is"},
	{"batch.max_docs", CONF_INT, offsetof(struct settings, docs), "1000", 1, 100000, "documents a bulk write"},
	{0},
};

static int read_settings(struct conf *c, const char *file, struct err *err)
{
	char *const environment[] = {(char[]){"MILLRACE_MONGO_URI=mongodb://x"}, (char[]){"MILLRACE_KAFKA_B_C=e"},
				     (char[]){"MILLRACE_KAFKA_D_FILE=/proc/sys/kernel/ostype"}, NULL};

	return conf_set_file(c, file, err) < 0 || conf_set_option(c, "cell=blue", err) < 0 || conf_set_option(c, "kafka.acks=all", err) < 0 ||
	       conf_load(c, environment, err) < 0 ? -1 : 0;
}

START_TEST(settings_are_all_read_or_none_may_be_used)
{
	static const char text[] = "# a file\nbatch.max_docs = 7\nkafka.linger.ms = 5\n";
	int fd = memfd_create("conf", MFD_CLOEXEC);
	char file[32];

	ck_assert_int_eq(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct settings s;
		const struct conf_section section = {fields, &s};
		struct err err = ERR_INIT;
		struct conf *c;
		int rc;

		fail_walk_begin(&w);
		c = conf_new(&section, 1);
		rc = c ? read_settings(c, file, &err) : -1;
		if (!fail_walk_end(&w)) {
			const char *name, *value;

			ck_assert_msg(rc == 0, "%s", err.msg);
			ck_assert(strcmp(s.cell, "blue") == 0 && strcmp(s.uri, "mongodb://x") == 0 && s.docs == 7);
			ck_assert_int_eq(conf_kafka_at(c, 2, &name, &value), 1);
			ck_assert(strcmp(name, "d") == 0 && strcmp(value, "Linux") == 0);
			ck_assert_int_eq(conf_kafka_at(c, 3, &name, &value), 1);
			ck_assert_str_eq(name, "linger.ms");
		} else {
			ck_assert_int_eq(rc, -1);
			ck_assert(!c || err.kind == ERR_FATAL);
		}
		conf_free(c);
	}
	close(fd);
}
END_TEST

START_TEST(a_figure_that_is_missing_stops_nobody)
{
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct metrics *m;
		struct metric *made[3] = {NULL};
		struct buf out = BUF_INIT;
		bool failed;

		fail_walk_begin(&w);
		m = metrics_new("millrace-test");
		made[0] = metrics_counter(m, "millrace_sink_retries_total", "reason", "x", NULL);
		made[1] = metrics_counter(m, "millrace_ingest_rejected_samples_total", "reason", "y", "site", "s", NULL);
		made[2] = metrics_gauge(m, "millrace_ready", NULL);
		if (m)
			metrics_render(m, &out);
		failed = fail_walk_end(&w);
		ck_assert(failed || (m && made[0] && made[1] && made[2] && !buf_failed(&out)));
		metric_add(made[0], 1);
		metric_set(made[2], 1);
		if (m) { /* and later it can be made */
			metric_add(metrics_counter(m, "millrace_sink_retries_total", "reason", "x", NULL), 1);
			buf_clear(&out);
			metrics_render(m, &out);
			buf_add(&out, "", 1);
			ck_assert_ptr_nonnull(strstr((char *)out.p, made[0] ? "{reason=\"x\"} 2\n" : "{reason=\"x\"} 1\n"));
		}
		buf_fini(&out);
		metrics_free(m);
	}
}
END_TEST

START_TEST(sites_without_figures_are_counted_nowhere_or_together)
{
	static const char *const figures[] = {"millrace_ingest_rejected_samples_total"};

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct metrics *m = metrics_new("millrace-test");
		struct site_metrics *s;
		bool failed;

		fail_walk_begin(&w);
		s = site_metrics_new(m, figures, NR(figures), 2);
		metric_add(site_metrics_get(s, 0, STR("a"), "late"), 1);
		metric_add(site_metrics_get(s, 0, STR("b"), "late"), 1);
		failed = fail_walk_end(&w);
		ck_assert(failed || metric_value(metrics_counter(m, figures[0], "site", "a", "reason", "late", NULL)) == 1);
		site_metrics_free(s);
		metrics_free(m);
	}
}
END_TEST

/* Values of both signs, in some buckets. */
static void fill(struct hist *h)
{
	for (int i = 0; i < 3; i++)
		ck_assert(hist_add(h, -1.5 - i, 1) == 0 && hist_add(h, 1e3 * (i + 1), 2) == 0 && hist_add(h, 0, 1) == 0);
}

static int hist_change(int which, struct hist *h, const struct hist *other, struct err *err)
{
	static const int64_t counts[] = {1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
	static const struct hist_dense dense = {.scale = 5, .zero = 2, .offset = -3, .counts = counts, .counts_len = NR(counts), .neg_offset = 9,
						.neg_counts = counts, .neg_counts_len = NR(counts)};
	static const struct hist_dense coarse = {.scale = 2, .offset = 1, .counts = counts, .counts_len = NR(counts)};
	bool approximate = false;

	switch (which) {
	case 0:
		return hist_reserve(h, 100);
	case 1:
		for (int i = 0, got = 0; i < 20; i++)
			if ((got = hist_add(h, 1e-3 * (1 << i), 1)) < 0)
				return got;
		return 0;
	case 2:
		return hist_merge(h, other);
	default:
		return hist_add_dense(h, which == 3 ? &dense : &coarse, &approximate, err) < 0 || approximate != (which == 4) ? -1 : 0;
	}
}

START_TEST(a_histogram_is_unchanged)
{
	struct hist other = HIST_INIT;

	for (int i = 0; i < 40; i++)
		ck_assert_int_eq(hist_add(&other, 1.0 + i, 1), 0);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct hist h = HIST_INIT;
		struct err err = ERR_INIT;
		uint64_t before;
		uint32_t len;
		bool failed;
		int rc;

		fill(&h);
		before = hist_count(&h);
		len = hist_len(&h);
		fail_walk_begin(&w);
		rc = hist_change(_i, &h, &other, &err);
		failed = fail_walk_end(&w);
		ck_assert_int_eq(rc, failed ? -1 : 0);
		if (failed && _i != 1) /* 1 is many changes */
			ck_assert(hist_count(&h) == before && hist_len(&h) == len);
		ck_assert(_i < 3 || !failed || err.kind == ERR_FATAL);
		ck_assert_int_eq(hist_change(_i, &h, &other, NULL), 0);
		hist_fini(&h);
	}
	hist_fini(&other);
}
END_TEST

static struct str a_batch(struct buf *out, struct err *err)
{
	static struct tag tags[] = {{{"a", 1}, {"1", 1}}};
	static int64_t counts[200];
	static struct series_ref series[] = {{.name = {"m", 1}, .tags = tags, .tags_len = 1}, {.name = {"n", 1}}};
	static struct value_sample values[300];
	static struct summary_sample summaries[] = {{.has_histogram = true, .histogram = {.scale = 5, .counts = counts, .counts_len = NR(counts)}}};
	struct sample_batch b = {.site = STR("site-a"), .series = series, .series_len = NR(series), .values = values, .values_len = NR(values),
				 .summaries = summaries, .summaries_len = NR(summaries)};

	return sample_batch_encode(&b, out, err) == 0 ? buf_str(out) : (struct str){0};
}

START_TEST(a_record_is_whole_or_not_there)
{
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct buf out = BUF_INIT;
		struct arena arena = ARENA_INIT;
		struct sample_batch back = {0};
		struct err err = ERR_INIT;
		struct str bytes;
		bool failed;
		int rc = -1;

		fail_walk_begin(&w);
		bytes = a_batch(&out, &err);
		if (bytes.p)
			rc = sample_batch_decode(bytes, &arena, &back, &err);
		failed = fail_walk_end(&w);
		ck_assert_int_eq(rc, failed ? -1 : 0);
		ck_assert(!failed || err.kind == ERR_FATAL); /* and not that the bytes were bad: they would go to the dead letters */
		ck_assert(failed || (back.values_len == 300 && back.summaries[0].histogram.counts_len == 200));
		arena_fini(&arena);
		buf_fini(&out);
	}
}
END_TEST

START_TEST(a_control_that_found_no_memory_can_be_set_again)
{
	struct record r;

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct fixture f = {.clock = still_clock()};
		struct err err = ERR_INIT;
		struct arena arena = ARENA_INIT;
		struct control *list = NULL;
		enum controls_answer answer = CONTROLS_BAD;
		size_t nr = 0;
		bool failed;

		close_record(&r, "main", "site-a", NOON_MS);
		fail_walk_begin(&w);
		f.c = controls_new(&f.clock, CONTROL_PROGRAM_INGEST, &err);
		if (f.c)
			answer = controls_put(f.c, &r.control, &err);
		if (answer == CONTROLS_DONE)
			list = controls_list(f.c, &arena, &nr, &err);
		failed = fail_walk_end(&w);
		ck_assert_int_eq(list != NULL, !failed);
		if (f.c) {
			ck_assert_int_eq(closed(&f, "main", "site-a"), answer == CONTROLS_DONE);
			must_put(&f, &r.control);
			ck_assert(closed(&f, "main", "site-a"));
		}
		arena_fini(&arena);
		controls_free(f.c);
	}
}
END_TEST

START_TEST(a_row_of_controls_is_obeyed_or_refused)
{
	struct record r;

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct fixture f;
		struct buf value;
		struct table_row row;
		struct err err = ERR_INIT;
		int rc;

		setup(&f);
		row = row_of(close_record(&r, "main", NULL, NOON_MS), &value);
		fail_walk_begin(&w);
		rc = controls_take(f.c, &row, &err);
		ck_assert_int_eq(rc, fail_walk_end(&w) ? -1 : 0);
		ck_assert(rc == 0 || err.kind == ERR_FATAL || err.kind == ERR_RETRY);
		ck_assert_int_eq(closed(&f, "main", "site-a"), rc == 0);
		must_take(&f, &r.control);
		ck_assert(closed(&f, "main", "site-a"));
		buf_fini(&value);
		teardown(&f);
	}
}
END_TEST

/* The port's answers to an operator who asks while memory is short. */
START_TEST(the_desk_answers_in_any_case)
{
	struct record r;
	struct buf put = BUF_INIT;

	close_record(&r, "main", NULL, NOON_MS);
	ck_assert_int_eq(control_encode(&r.control, &put, NULL), 0);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct fixture f;
		struct buf answer = BUF_INIT;
		unsigned status, listed;
		bool failed;

		setup(&f);
		fail_walk_begin(&w);
		status = control_desk_answer(f.c, ADMIN_CONTROLS_PUT, buf_str(&put), &answer);
		listed = control_desk_answer(f.c, ADMIN_CONTROLS_LIST, STR(""), &answer);
		failed = fail_walk_end(&w);
		ck_assert_msg(failed || (status == 204 && listed == 200), "%u %u", status, listed);
		ck_assert_msg((status == 204 || status / 100 == 5) && (listed == 200 || listed / 100 == 5), "%u %u", status, listed);
		ck_assert_int_eq(closed(&f, "main", ""), status == 204);
		buf_fini(&answer);
		teardown(&f);
	}
	buf_fini(&put);
}
END_TEST

static int take_nothing(void *ctx, const struct table_row *row, struct err *err)
{
	(void)ctx;
	(void)row;
	(void)err;
	return 0;
}

/* Kafka's clients are made, or not; the cluster is librdkafka's own. */
START_TEST(clients_are_made_whole_or_not_at_all)
{
	static const struct table_spec specs[] = {{"millrace.sites", take_nothing, NULL}, {"millrace.cells", take_nothing, NULL}};
	static const struct str ids[] = {{"a", 1}, {"b", 1}};
	struct mock m;

	mock_init(&m);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct admin *admin;
		struct tables *tables = NULL;
		struct report *report = NULL;
		struct err err = ERR_INIT;
		bool failed, done;

		fail_walk_begin(&w); /* no registry: a figure may be missing without a word */
		admin = admin_new("", NULL, &err);
		if (admin)
			tables = tables_new(&m.program, specs, NR(specs), &err);
		if (tables)
			report = report_new(&m.program, admin, "main", &err);
		done = report && report_set_controls(report, ids, NR(ids), &err) == 0;
		failed = fail_walk_end(&w);
		ck_assert_msg(done == !failed, "%s", err.msg);
		ck_assert(done || err.kind == ERR_FATAL);
		report_free(report, 1000);
		tables_free(tables);
		admin_free(admin);
	}
	mock_fini(&m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nomem");
	TCase *tc = tcase_create("common");

	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, a_map_keeps_what_it_has);
	tcase_add_test(tc, an_arena_says_why);
	tcase_add_test(tc, a_buffer_says_so_in_the_end);
	tcase_add_test(tc, settings_are_all_read_or_none_may_be_used);
	tcase_add_test(tc, a_figure_that_is_missing_stops_nobody);
	tcase_add_test(tc, sites_without_figures_are_counted_nowhere_or_together);
	tcase_add_loop_test(tc, a_histogram_is_unchanged, 0, 5);
	tcase_add_test(tc, a_record_is_whole_or_not_there);
	tcase_add_test(tc, a_control_that_found_no_memory_can_be_set_again);
	tcase_add_test(tc, a_row_of_controls_is_obeyed_or_refused);
	tcase_add_test(tc, the_desk_answers_in_any_case);
	tcase_add_test(tc, clients_are_made_whole_or_not_at_all);
	return unit_main(suite);
}
