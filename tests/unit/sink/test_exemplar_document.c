/* test_exemplar_document.c - documents of random exemplars, byte for byte as libbson's builder writes what deploy/mongo/README.md promises. */
#include "sink/mongo/exemplar_document.h"

#include <math.h>

#include "tests/unit/sink/exemplars.h"

enum { EXEMPLARS = 4000 };

static const struct document_origin origin = {-0x123456789abcdf0, 11, 123456789};

static void text(bson_t *to, const char *key, struct str v)
{
	if (v.len)
		bson_append_utf8(to, key, -1, v.p, (int)v.len);
}

static void map(bson_t *to, const char *key, const struct tag *tags, size_t len)
{
	bson_t inner;

	if (!len)
		return;
	bson_append_document_begin(to, key, -1, &inner);
	for (size_t i = 0; i < len; i++) {
		char name[64] = "", *end = name;

		for (size_t k = 0; k < tags[i].key.len; k++) { /* one byte at a time, as is or as the sign for it */
			char byte[2] = {tags[i].key.p[k], 0};

			end = stpcpy(end, byte[0] == 0 ? "\u2400" : byte[0] == '$' && k == 0 ? "\uff04" : byte);
		}
		bson_append_utf8(&inner, name, -1, tags[i].value.p, (int)tags[i].value.len);
	}
	bson_append_document_end(to, &inner);
}

static void item_begin(bson_t *array, size_t i, bson_t *item)
{
	char name[16];

	bson_append_document_begin(array, name, snprintf(name, sizeof(name), "%zu", i), item);
}

static void expect_error(bson_t *to, const struct error_detail *d)
{
	bson_t array, item;

	text(to, "class", d->class);
	text(to, "message", d->message);
	if (d->backtrace_len) {
		bson_append_array_begin(to, "backtrace", -1, &array);
		for (size_t i = 0; i < d->backtrace_len; i++) {
			item_begin(&array, i, &item);
			text(&item, "file", d->backtrace[i].file);
			if (d->backtrace[i].line > 0)
				BSON_APPEND_INT32(&item, "line", d->backtrace[i].line);
			text(&item, "function", d->backtrace[i].function);
			BSON_APPEND_BOOL(&item, "in_app", d->backtrace[i].in_app);
			bson_append_document_end(&array, &item);
		}
		bson_append_array_end(to, &array);
	}
	map(to, "params", d->params, d->params_len);
	if (!d->breadcrumbs_len)
		return;
	bson_append_array_begin(to, "breadcrumbs", -1, &array);
	for (size_t i = 0; i < d->breadcrumbs_len; i++) {
		const struct breadcrumb *b = &d->breadcrumbs[i];

		item_begin(&array, i, &item);
		if (b->t >= 0)
			BSON_APPEND_DATE_TIME(&item, "t", b->t);
		text(&item, "category", b->category);
		text(&item, "action", b->action);
		text(&item, "message", b->message);
		map(&item, "metadata", b->metadata, b->metadata_len);
		bson_append_document_end(&array, &item);
	}
	bson_append_array_end(to, &array);
}

static void expect_transaction(bson_t *to, const struct transaction_detail *d)
{
	bson_t array, item;

	text(to, "id", d->id);
	BSON_APPEND_DOUBLE(to, "duration_ms", d->duration_ms);
	if (d->queue_ms != 0)
		BSON_APPEND_DOUBLE(to, "queue_ms", d->queue_ms);
	BSON_APPEND_BOOL(to, "failed", d->failed);
	if (!d->spans_len)
		return;
	bson_append_array_begin(to, "spans", -1, &array);
	for (size_t i = 0; i < d->spans_len; i++) {
		item_begin(&array, i, &item);
		text(&item, "id", d->spans[i].id);
		text(&item, "parent_id", d->spans[i].parent_id);
		text(&item, "name", d->spans[i].name);
		BSON_APPEND_DOUBLE(&item, "start_ms", d->spans[i].start_ms);
		BSON_APPEND_DOUBLE(&item, "duration_ms", d->spans[i].duration_ms);
		map(&item, "tags", d->spans[i].tags, d->spans[i].tags_len);
		bson_append_document_end(&array, &item);
	}
	bson_append_array_end(to, &array);
}

static void expect_detail(bson_t *to, const struct event *e)
{
	static const char *const kinds[] = {"cron", "heartbeat"}, *const events[] = {"start", "finish", "beat"};

	if (e->has_error)
		expect_error(to, &e->error);
	if (e->has_transaction)
		expect_transaction(to, &e->transaction);
	if (e->has_marker) {
		text(to, "user", e->marker.user);
		text(to, "text", e->marker.text);
	}
	if (e->has_check_in) {
		text(to, "name", e->check_in.name);
		BSON_APPEND_UTF8(to, "kind", kinds[e->check_in.kind]);
		BSON_APPEND_UTF8(to, "event", events[e->check_in.event]);
	}
}

static void expect(bson_t *to, const struct exemplar *x)
{
	const struct event *e = &x->event;
	char group[33];
	uint8_t id[DOCUMENT_ID_BYTES];

	document_id(x->fingerprint, x->window_start, &origin, id); /* test_document.c knows it byte for byte */
	bson_append_binary(to, "_id", -1, BSON_SUBTYPE_BINARY, id, sizeof(id));
	bson_append_utf8(to, "site", -1, x->site.p, (int)x->site.len);
	BSON_APPEND_DATE_TIME(to, "t", e->t);
	for (int i = 0; i < 16; i++)
		snprintf(group + 2 * i, 3, "%02x", e->group[i]);
	BSON_APPEND_UTF8(to, "group", group);
	text(to, "action", e->action);
	text(to, "namespace", e->namespace);
	text(to, "host", e->host);
	text(to, "environment", e->environment);
	text(to, "revision", e->has_marker && e->marker.revision.len ? e->marker.revision : e->revision);
	map(to, "tags", e->tags, e->tags_len);
	if (e->shortened)
		BSON_APPEND_BOOL(to, "shortened", true);
	expect_detail(to, e);
}

START_TEST(as_libbson_writes_it)
{
	static const enum sink_collection collections[] = {SINK_IN_ERRORS, SINK_IN_TRACES, SINK_IN_MARKERS, SINK_IN_CHECKINS};
	struct unit_random r = unit_random_new("as_libbson_writes_it");
	struct arena a = ARENA_INIT;
	struct document_maker m;
	struct err err = ERR_INIT;

	document_maker_init(&m);
	for (unsigned i = 0; i < EXEMPLARS; i++) {
		struct exemplar x = exemplar_random(&r, &a, i % 4);
		bson_t expected = BSON_INITIALIZER;
		enum sink_collection collection;
		const bson_t *doc = exemplar_document_build(&m, &x, &origin, &err);

		ck_assert_msg(doc != NULL, "%s", err.msg);
		ck_assert_int_eq(exemplar_document_collection(&x, &collection, &err), 0);
		ck_assert_int_eq(collection, collections[i % 4]);
		expect(&expected, &x);
		ck_assert_msg(bson_equal(doc, &expected), "\n got %s\nwant %s", bson_as_json(doc, NULL), bson_as_json(&expected, NULL));
		ck_assert(bson_validate(doc, BSON_VALIDATE_NONE, NULL));
		bson_destroy(&expected);
		arena_clear(&a);
	}
	document_maker_fini(&m);
	arena_fini(&a);
}
END_TEST

/* An exemplar of a kind with what every kind may have. */
static struct exemplar sample(unsigned kind)
{
	struct exemplar x = {.site = STR("shop"), .window_start = 1795372020000, .event = {.t = 1795372020001}};

	x.event.has_error = kind == 0;
	x.event.has_transaction = kind == 1;
	x.event.has_marker = kind == 2;
	x.event.has_check_in = kind == 3;
	return x;
}

/* What must not become a document, and the word by which it is refused. */
static void must_refuse(const struct exemplar *x, const char *word)
{
	struct document_maker m;
	struct err err = ERR_INIT;

	document_maker_init(&m);
	ck_assert_msg(exemplar_document_build(&m, x, &origin, &err) == NULL, "taken, though %s", word);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.msg, word) != NULL, "\"%s\" does not say \"%s\"", err.msg, word);
	document_maker_fini(&m);
}

START_TEST(no_detail_or_two)
{
	struct exemplar x;
	enum sink_collection collection;
	struct err err = ERR_INIT;

	for (unsigned of = 0; of < 16; of++) {
		x = sample(4);
		x.event.has_error = of & 1;
		x.event.has_transaction = of & 2;
		x.event.has_marker = of & 4;
		x.event.has_check_in = of & 8;
		if (of == 1 || of == 2 || of == 4 || of == 8) {
			ck_assert_int_eq(exemplar_document_collection(&x, &collection, &err), 0);
			continue;
		}
		ck_assert_int_eq(exemplar_document_collection(&x, &collection, &err), -1);
		must_refuse(&x, "details");
	}
}
END_TEST

/* The last time of the calendar, and the first that is none. */
static const struct { int64_t t, window_start; const char *refused; } times[] = {
	{0, 0, NULL}, {INT64_C(253402300799999), 0, NULL}, {0, INT64_C(253402300799999), NULL}, {-1, 0, "t is -1"},
	{INT64_C(253402300800000), 0, "t is 253402300800000"}, {0, -1, "window_start is -1"}, {0, INT64_C(253402300800000), "window_start"},
	{INT64_MIN, 0, "out of range"}, {0, INT64_MAX, "out of range"},
};

START_TEST(times_that_no_calendar_has)
{
	struct exemplar x = sample(3);
	struct document_maker m;
	struct err err = ERR_INIT;

	x.event.t = times[_i].t;
	x.window_start = times[_i].window_start;
	if (times[_i].refused) {
		must_refuse(&x, times[_i].refused);
		return;
	}
	document_maker_init(&m);
	ck_assert_ptr_nonnull(exemplar_document_build(&m, &x, &origin, &err));
	document_maker_fini(&m);
}
END_TEST

START_TEST(refuses_what_contradicts_its_schema)
{
	const double bad[] = {-0.5, NAN, INFINITY, -INFINITY};
	struct tag nul[] = {{STR("a\0b"), STR("1")}}, doubled[] = {{STR("a"), STR("1")}, {STR("a"), STR("2")}};
	struct transaction_span spans[2] = {{.duration_ms = 1}, {.duration_ms = 1}};
	struct exemplar x = sample(0);

	x.event.tags = nul;
	x.event.tags_len = 1;
	must_refuse(&x, "NUL");
	x.event.tags = doubled;
	x.event.tags_len = 2;
	must_refuse(&x, "doubled");
	for (size_t i = 0; i < NR(bad); i++) {
		x = sample(1);
		x.event.transaction.duration_ms = bad[i];
		must_refuse(&x, "duration_ms");
		x = sample(1);
		x.event.transaction.queue_ms = bad[i];
		must_refuse(&x, "queue_ms");
		x = sample(1);
		x.event.transaction.spans = spans;
		x.event.transaction.spans_len = 2;
		spans[1].duration_ms = bad[i];
		must_refuse(&x, "span 1: duration_ms");
		spans[1].duration_ms = 1;
		if (i) {
			spans[1].start_ms = bad[i];
			must_refuse(&x, "span 1: start_ms");
		}
		spans[1].start_ms = -5;
	}
}
END_TEST

/* A message of 17 MB, and lists of which each item is little: no server takes such documents, and none is written to its end. */
START_TEST(refuses_what_is_too_large)
{
	const size_t len = 17 << 20, many = 3000000;
	char *bytes = malloc(len);
	struct backtrace_frame *frames = calloc(many, sizeof(*frames));
	struct breadcrumb *crumbs = calloc(many, sizeof(*crumbs));
	struct transaction_span *spans = calloc(many, sizeof(*spans));
	struct exemplar x = sample(0);

	memset(bytes, 'x', len);
	x.event.error.message = (struct str){bytes, len};
	must_refuse(&x, "larger");
	x = sample(0);
	x.event.error.backtrace = frames;
	x.event.error.backtrace_len = many;
	must_refuse(&x, "larger");
	x = sample(0);
	x.event.error.breadcrumbs = crumbs;
	x.event.error.breadcrumbs_len = many;
	must_refuse(&x, "larger");
	x = sample(1);
	x.event.transaction.spans = spans;
	x.event.transaction.spans_len = many;
	must_refuse(&x, "larger");
	free(spans);
	free(crumbs);
	free(frames);
	free(bytes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("exemplar_document");
	TCase *tc = tcase_create("exemplar_document");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, as_libbson_writes_it);
	tcase_add_test(tc, no_detail_or_two);
	tcase_add_loop_test(tc, times_that_no_calendar_has, 0, NR(times));
	tcase_add_test(tc, refuses_what_contradicts_its_schema);
	tcase_add_test(tc, refuses_what_is_too_large);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
