/* test_snapshot.c - a restored task is the task that was saved, and damaged bytes are refused, not believed and not crashed on. */
#include "processor/snapshot.h"

#include "tests/unit/processor/batches.h"
#include "tests/unit/processor/dump.h"
#include "tests/unit/processor/events.h"

static const struct close_rules close_rules = {45000, {5 * L_MINUTE_MS, 30 * L_MINUTE_MS}, 100, 5, 50, 40, {.rules = NULL}};

/* A task that is fed random records, and what it was fed. */
struct fed {
	struct task *task;
	struct ledger in;
	struct totals totals;
	struct arena scratch;
	struct buf record;
};

static struct fed *fed_new(void)
{
	struct fed *f = calloc(1, sizeof(*f));

	ck_assert_ptr_nonnull(f);
	f->task = task_new(3, INPUT_SAMPLES);
	f->task->watermark_ms = L_BEGIN_MS;
	return f;
}

static void fed_free(struct fed *f)
{
	task_free(f->task);
	arena_fini(&f->scratch);
	buf_fini(&f->record);
	free(f);
}

static void feed(struct task *t, const struct buf *bytes, int64_t timestamp_ms, struct arena *scratch)
{
	struct record record = {.offset = t->position, .timestamp_ms = timestamp_ms, .value = buf_str(bytes)};
	struct intake_counts counts;
	struct err err = ERR_INIT;

	ck_assert_msg(task_take(t, &record, scratch, &counts, &err) == 0, "%s", err.msg);
}

/* One random record some seconds later, into both tasks. */
static void feed_random(struct fed *f, struct unit_random *r, struct task *other)
{
	int64_t now_ms = f->task->watermark_ms + (int64_t)unit_random_below(r, 15000);
	struct batch b;

	if (unit_random_below(r, 3))
		batch_random(&b, r, now_ms, &f->in);
	else
		batch_random_cumulative(&b, r, now_ms, &f->totals);
	if (unit_random_below(r, 3) == 0)
		batch_key(&b, (int)unit_random_below(r, 8));
	if (unit_random_below(r, 3)) {
		int64_t seq = 1 + (int64_t)unit_random_below(r, 300);

		batch_identify(&b, (int)unit_random_below(r, 6), seq, seq > 80 ? seq - 80 : 1, unit_random_below(r, 2));
	}
	batch_encode(&b, &f->record);
	feed(f->task, &f->record, now_ms, &f->scratch);
	if (other)
		feed(other, &f->record, now_ms, &f->scratch);
}

/* Closes and throws away what comes out, as after a commit. */
static void close_task(struct task *t)
{
	struct err err = ERR_INIT;

	ck_assert_int_eq(task_close(t, t->watermark_ms, &close_rules, &err), 0);
	pane_list_fini(&t->outbox, &t->windows.series);
}

static void encode(const struct task *t, struct buf *out)
{
	struct err err = ERR_INIT;

	buf_clear(out);
	ck_assert_msg(snapshot_encode(t, out, &err) == 0, "%s", err.msg);
}

static struct task *must_decode(const struct buf *bytes)
{
	struct task *t = task_new(3, INPUT_SAMPLES);
	struct err err = ERR_INIT;

	ck_assert_msg(snapshot_decode(buf_str(bytes), t, &err) == 0, "%s", err.msg);
	return t;
}

static void must_equal(const struct task *a, const struct task *b)
{
	char *x = dump_task(a), *y = dump_task(b);

	ck_assert_str_eq(x, y);
	free(x);
	free(y);
}

START_TEST(an_empty_task_comes_back)
{
	struct task *t = task_new(3, INPUT_SAMPLES), *back;
	struct buf bytes = BUF_INIT;

	t->position = 1234;
	encode(t, &bytes);
	back = must_decode(&bytes);
	must_equal(t, back);
	task_free(t);
	task_free(back);
	buf_fini(&bytes);
}
END_TEST

/* At any point of a long life: the copy is equal, and stays so through everything that follows. */
START_TEST(a_restored_task_goes_on_like_the_one_that_was_saved)
{
	struct unit_random r = unit_random_new("snapshot");
	struct fed *f = fed_new();
	struct buf bytes = BUF_INIT;

	for (int life = 0; life < 20; life++) {
		struct task *copy;

		for (uint64_t n = unit_random_below(&r, 30); n > 0; n--)
			feed_random(f, &r, NULL);
		if (life % 2)
			close_task(f->task);
		encode(f->task, &bytes);
		copy = must_decode(&bytes);
		must_equal(f->task, copy);
		for (uint64_t n = unit_random_below(&r, 20); n > 0; n--)
			feed_random(f, &r, copy);
		close_task(f->task);
		close_task(copy);
		must_equal(f->task, copy);
		task_free(copy);
	}
	ck_assert_uint_gt(bytes.len, 1000);
	fed_free(f);
	buf_fini(&bytes);
}
END_TEST

/* One random record of events some seconds later, into both tasks. */
static void feed_events(struct fed *f, struct unit_random *r, struct task *other, int64_t *number)
{
	int64_t now_ms = f->task->watermark_ms + (int64_t)unit_random_below(r, 15000), seq = 1 + (int64_t)unit_random_below(r, 300);
	struct ev_batch b;

	ev_init(&b, now_ms);
	for (uint64_t n = unit_random_below(r, EV_EVENTS + 1); n > 0; n--) {
		struct an_event a = ev_random(r, ++*number, L_BEGIN_MS, now_ms);

		ev_add(&b, &a);
	}
	b.record.has_agent_id = unit_random_below(r, 2);
	b.record.seq = seq;
	b.record.floor = seq > 80 ? seq - 80 : 1;
	ev_encode(&b, &f->record);
	feed(f->task, &f->record, now_ms, &f->scratch);
	if (other)
		feed(other, &f->record, now_ms, &f->scratch);
}

/* What was closed or flushed of the one must be of the other, byte for byte; then it is thrown away. */
static void must_let_go_alike(struct task *a, struct task *b)
{
	const struct specimen *x = a->specimens.first, *y = b->specimens.first;

	ck_assert(a->specimens.nr == b->specimens.nr && a->specimens.nr_flushed == b->specimens.nr_flushed);
	for (; x; x = x->next, y = y->next)
		ck_assert(x->kind == y->kind && x->len == y->len && memcmp(x->bytes, y->bytes, x->len) == 0);
	specimens_drop(&a->specimens, a->specimens.nr);
	specimens_drop(&b->specimens, b->specimens.nr);
}

START_TEST(a_restored_task_of_events_goes_on_like_the_one_that_was_saved)
{
	struct unit_random r = unit_random_new("events");
	struct fed *f = fed_new();
	struct buf bytes = BUF_INIT;
	int64_t number = 0;

	task_free(f->task);
	f->task = task_new(3, INPUT_EVENTS);
	f->task->watermark_ms = L_BEGIN_MS;
	for (int life = 0; life < 60; life++) {
		struct task *copy = task_new(3, INPUT_EVENTS);
		struct err err = ERR_INIT;

		for (uint64_t n = unit_random_below(&r, 30); n > 0; n--)
			feed_events(f, &r, NULL, &number);
		encode(f->task, &bytes);
		ck_assert_msg(snapshot_decode(buf_str(&bytes), copy, &err) == 0, "%s", err.msg);
		must_equal(f->task, copy);
		for (uint64_t n = unit_random_below(&r, 20); n > 0; n--)
			feed_events(f, &r, copy, &number);
		must_equal(f->task, copy);
		if (life % 3)
			close_task(f->task), close_task(copy);
		if (life % 4 == 1)
			ck_assert(task_flush(f->task, &err) == 0 && task_flush(copy, &err) == 0);
		must_equal(f->task, copy);
		must_let_go_alike(f->task, copy);
		task_free(copy);
	}
	ck_assert_uint_gt(bytes.len, 1000);
	fed_free(f);
	buf_fini(&bytes);
}
END_TEST

START_TEST(the_outbox_is_not_in_it)
{
	struct unit_random r = unit_random_new("outbox");
	struct fed *f = fed_new();
	struct buf bytes = BUF_INIT;
	struct task *back;
	struct err err = ERR_INIT;

	for (int i = 0; i < 20; i++)
		feed_random(f, &r, NULL);
	ck_assert_int_eq(task_close(f->task, L_BEGIN_MS + 100 * L_HOUR_MS, &close_rules, &err), 0);
	ck_assert_uint_gt(f->task->outbox.len, 1);
	encode(f->task, &bytes);
	back = must_decode(&bytes);
	ck_assert_uint_eq(back->windows.series.len, 0); /* 100 hours on, no baseline is left either */
	ck_assert_uint_gt(f->task->windows.series.len, 0);
	must_equal(f->task, back);
	task_free(back);
	fed_free(f);
	buf_fini(&bytes);
}
END_TEST

/* Some state of every kind: minutes, hours, late ones, agents, keys, baselines. */
static struct fed *fed_rich(struct unit_random *r)
{
	struct fed *f = fed_new();

	for (int i = 0; i < 12; i++)
		feed_random(f, r, NULL);
	f->task->watermark_ms += 70 * L_MINUTE_MS;
	close_task(f->task);
	for (int i = 0; i < 6; i++)
		feed_random(f, r, NULL);
	while (!f->task->request_keys.keys.len || f->task->baselines.by_series.len < 4)
		feed_random(f, r, NULL);
	return f;
}

/* Long after its last window is gone, a series is there for its baseline. */
START_TEST(a_baseline_keeps_its_series)
{
	struct task *t = task_new(3, INPUT_SAMPLES), *back;
	struct totals totals = {{0}, {{0}}};
	struct arena scratch = {0};
	struct buf bytes = BUF_INIT;
	struct batch b;

	batch_init(&b);
	batch_accumulate(&b);
	totals.values[2][1] = 3;
	batch_total(&b, &totals, 2, 5, L_BEGIN_MS);
	batch_value(&b, 0, 1, L_BEGIN_MS);
	batch_encode(&b, &bytes);
	feed(t, &bytes, L_BEGIN_MS, &scratch);
	ck_assert(t->baselines.by_series.len == 2 && t->windows.series.len == 2 && t->windows.panes[PANE_MINUTE].len == 0);
	encode(t, &bytes);
	back = must_decode(&bytes);
	must_equal(t, back);
	ck_assert_uint_eq(back->windows.series.len, 2);
	back->watermark_ms += 25 * L_HOUR_MS - 1;
	close_task(back);
	ck_assert_uint_eq(back->baselines.by_series.len, 2);
	back->watermark_ms++;
	close_task(back);
	ck_assert(back->baselines.by_series.len == 0 && back->baselines.bytes == 0 && back->windows.series.len == 0);
	task_free(t);
	task_free(back);
	arena_fini(&scratch);
	buf_fini(&bytes);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	struct unit_random r = unit_random_new("truncation");
	struct fed *f = fed_rich(&r);
	struct buf bytes = BUF_INIT;

	encode(f->task, &bytes);
	for (size_t len = 0; len < bytes.len; len++) {
		struct task *t = task_new(3, INPUT_SAMPLES);
		uint8_t *exact = malloc(len ? len : 1); /* so that a read behind the end is seen */
		struct err err = ERR_INIT;

		memcpy(exact, bytes.p, len);
		ck_assert_msg(snapshot_decode((struct str){(char *)exact, len}, t, &err) == -1, "%zu of %zu bytes were taken", len, bytes.len);
		ck_assert_int_eq(err.kind, ERR_REJECT);
		task_free(t);
		free(exact);
	}
	fed_free(f);
	buf_fini(&bytes);
}
END_TEST

/* Errors are some of the values: whoever says otherwise has not written a snapshot. */
START_TEST(errors_that_are_no_values_are_refused)
{
	static const struct { uint32_t errors; int rc; } rows[] = {{0, 0}, {1, 0}, {2, 0}, {3, -1}, {UINT32_MAX, -1}};
	struct task *t = task_new(3, INPUT_SAMPLES);
	struct arena scratch = ARENA_INIT;
	struct buf bytes = BUF_INIT;
	struct batch b;
	size_t at = 0;

	batch_init(&b);
	batch_summary(&b, 0, 1, 2, L_BEGIN_MS);
	batch_encode(&b, &bytes);
	feed(t, &bytes, L_BEGIN_MS, &scratch);
	for (size_t i = 0; i < NR(rows); i++, at = 0) {
		struct task *back = task_new(3, INPUT_SAMPLES);
		struct err err = ERR_INIT;

		pane_next(t->windows.panes[PANE_MINUTE].panes[0], &at)->errors = rows[i].errors;
		encode(t, &bytes);
		ck_assert_int_eq(snapshot_decode(buf_str(&bytes), back, &err), rows[i].rc);
		ck_assert(rows[i].rc == 0 || err.kind == ERR_REJECT);
		task_free(back);
	}
	task_free(t);
	arena_fini(&scratch);
	buf_fini(&bytes);
}
END_TEST

/* The CRC outside refuses every flip; here only: no crash, and what is taken can be saved again and goes on. */
START_TEST(no_flipped_bit_does_harm)
{
	struct unit_random r = unit_random_new("flips");
	struct fed *f = fed_rich(&r);
	struct buf bytes = BUF_INIT, again = BUF_INIT;
	size_t refused = 0;

	encode(f->task, &bytes);
	for (size_t bit = 0; bit < bytes.len * 8; bit++) {
		struct task *t = task_new(3, INPUT_SAMPLES);
		struct err err = ERR_INIT;

		bytes.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (snapshot_decode(buf_str(&bytes), t, &err) < 0) {
			ck_assert_int_eq(err.kind, ERR_REJECT);
			refused++;
		} else {
			encode(t, &again);
			close_task(t);
		}
		task_free(t);
		bytes.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_uint_gt(refused, bytes.len);
	fed_free(f);
	buf_fini(&bytes);
	buf_fini(&again);
}
END_TEST

/* As zigzag varints: the first and the last before, which lacked what this one has or had it otherwise, and the next. */
static const struct {
	uint8_t byte;
	const char *text;
} versions[] = {{2, "version 1, this build knows 6"}, {4, "version 2, this build knows 6"}, {10, "version 5, this build knows 6"}, {14, "version 7, this build knows 6"}};

START_TEST(another_version_is_refused)
{
	struct task *t = task_new(3, INPUT_SAMPLES), *back = task_new(3, INPUT_SAMPLES);
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;

	encode(t, &bytes);
	bytes.p[0] = versions[_i].byte;
	ck_assert_int_eq(snapshot_decode(buf_str(&bytes), back, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_ptr_nonnull(strstr(err.msg, versions[_i].text));
	ck_assert(snapshot_is_newer((struct str){(const char *)bytes.p, 1}) == (versions[_i].byte > 12));
	ck_assert(!snapshot_is_newer(STR("")));
	task_free(t);
	task_free(back);
	buf_fini(&bytes);
}
END_TEST

/* After a snapshot that could only be decoded in part, too: a task that is cleared is a new one. */
START_TEST(a_cleared_task_is_a_new_one)
{
	struct unit_random r = unit_random_new("clear");
	struct task *new_one = task_new(3, INPUT_SAMPLES);
	struct fed *f = fed_new();
	struct buf bytes = BUF_INIT;

	for (int i = 0; i < 50; i++)
		feed_random(f, &r, NULL);
	encode(f->task, &bytes);
	task_clear(f->task);
	must_equal(f->task, new_one);
	ck_assert_int_eq(snapshot_decode((struct str){(const char *)bytes.p, bytes.len - 1 - unit_random_below(&r, bytes.len - 1)}, f->task, NULL), -1);
	task_clear(f->task);
	must_equal(f->task, new_one);
	ck_assert_int_eq(f->task->phase, TASK_PENDING);
	ck_assert_int_eq(f->task->partition, 3);
	ck_assert_int_eq(snapshot_decode(buf_str(&bytes), f->task, NULL), 0);
	fed_free(f);
	task_free(new_one);
	buf_fini(&bytes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapshot");
	TCase *tc = tcase_create("snapshot");

	tcase_add_test(tc, an_empty_task_comes_back);
	tcase_add_test(tc, a_restored_task_goes_on_like_the_one_that_was_saved);
	tcase_add_test(tc, a_restored_task_of_events_goes_on_like_the_one_that_was_saved);
	tcase_add_test(tc, the_outbox_is_not_in_it);
	tcase_add_test(tc, a_cleared_task_is_a_new_one);
	tcase_add_test(tc, a_baseline_keeps_its_series);
	tcase_add_test(tc, every_truncation_is_refused);
	tcase_add_test(tc, errors_that_are_no_values_are_refused);
	tcase_add_test(tc, no_flipped_bit_does_harm);
	tcase_add_loop_test(tc, another_version_is_refused, 0, (int)NR(versions));
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
