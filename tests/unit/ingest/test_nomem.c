/* test_nomem.c - ingest when memory is short in the middle: a payload is refused as one of ours (503), never as bad, and never taken in part; a row of the
 * tables leaves the one before in force; and all of it succeeds later. Each operation is walked (tests/unit/fail_alloc.h). */
#include "ingest/inflate.h"
#include "ingest/otlp_json.h"
#include "ingest/producer.h"
#include "ingest/push_pb.h"
#include "ingest/scrub.h"
#include "ingest/settle.h"
#include "ingest/split.h"
#include "tests/unit/common/kafka_mock.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/ingest/compress.h"
#include "tests/unit/ingest/events.h"
#include "tests/unit/ingest/gate.h"
#include "tests/unit/ingest/payloads.h"
#include "tests/unit/ingest/pushed.h"
#include "tests/unit/ingest/vault_house.h"
#include "tests/unit/ingest/wire_text.h"

START_TEST(a_payload_is_refused_as_over_budget)
{
	int (*parse)(struct str, struct payload *, struct refusal *) = _i ? push_pb_parse : push_json_parse;
	struct buf body = BUF_INIT;
	struct pushed want = {.arena = {.limit_bytes = 64 << 20}, .no = {.reason = NR_REASONS}};

	(_i ? pb_body : json_body)(&body);
	ck_assert_msg(push(&want, buf_str(&body), parse) == 0, "%s", want.no.detail);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct pushed p = {.arena = {.limit_bytes = 64 << 20}, .no = {.reason = NR_REASONS}};
		int rc;

		fail_walk_begin(&w);
		rc = push(&p, buf_str(&body), parse);
		ck_assert_int_eq(rc, fail_walk_end(&w) ? -1 : 0);
		if (rc < 0)
			ck_assert_msg(p.no.reason == REASON_OVER_BUDGET, "%s: %s", reason_name(p.no.reason), p.no.detail);
		else
			ck_assert(str_eq(buf_str(&p.records), buf_str(&want.records)) && p.payload.rejections_len == want.payload.rejections_len);
		pushed_fini(&p);
	}
	pushed_fini(&want);
	buf_fini(&body);
}
END_TEST

START_TEST(a_divided_payload_is_refused_as_over_budget)
{
	struct str body = repeated_text(DIVIDED_HEAD "{\"v\":1}", ",{\"v\":1}", 400, "]}]}");
	struct arena a = ARENA_INIT;
	struct payload_event marker = good_event(&a, PAYLOAD_MARKER);
	struct pushed want = {.arena = {.limit_bytes = 64 << 20}, .no = {.reason = NR_REASONS}};

	ck_assert_msg(push_divided(&want, &marker, body) == 0, "%s", want.no.detail);
	ck_assert_uint_gt(want.parts.len, 20);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct pushed p = {.arena = {.limit_bytes = 64 << 20}, .no = {.reason = NR_REASONS}};
		int rc;

		fail_walk_begin(&w);
		rc = push_divided(&p, &marker, body);
		if (fail_walk_end(&w) && rc < 0) /* a sort does without its memory */
			ck_assert_msg(p.no.reason == REASON_OVER_BUDGET, "%s: %s", reason_name(p.no.reason), p.no.detail);
		else
			ck_assert(rc == 0 && str_eq(buf_str(&p.records), buf_str(&want.records)));
		pushed_fini(&p);
	}
	pushed_fini(&want);
	arena_fini(&a);
	free((char *)(uintptr_t)body.p);
}
END_TEST

/* Of each kind several, with a key to be made good and a secret to be hidden. */
static size_t make_events(struct arena *a, struct payload_event *events)
{
	size_t n = 0;

	for (int i = 0; i < 20; i++)
		for (int kind = 0; kind < NR_PAYLOAD_EVENT_KINDS; kind++) {
			struct payload_event *e = &events[n++];

			*e = good_event(a, (enum payload_event_kind)kind);
			e->event.t -= i * 7000;
			e->event.transaction.duration_ms = i * i;
			e->event.tags[0].key = STR("not a name");
			e->event.marker.text = copy_of(a, "token=canary");
			e->event.error.message = copy_of(a, "no password=canary");
		}
	return n;
}

START_TEST(events_are_refused_as_over_budget)
{
	struct arena kept = ARENA_INIT;
	struct err err = ERR_INIT;
	struct scrub *rules = scrub_new("", "", "", &err);
	struct payload_event events[20 * NR_PAYLOAD_EVENT_KINDS];
	struct buf want = BUF_INIT;
	size_t n;

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct pushed p = {.arena = {.limit_bytes = 64 << 20}, .no = {.reason = NR_REASONS}};
		int rc;

		n = make_events(&kept, events); /* anew: what is in place is changed in place */
		fail_walk_begin(&w);
		rc = push_events(&p, events, n, rules);
		ck_assert_int_eq(rc, fail_walk_end(&w) ? -1 : 0);
		if (rc < 0)
			ck_assert_msg(p.no.reason == REASON_OVER_BUDGET, "%s: %s", reason_name(p.no.reason), p.no.detail);
		else if (want.len == 0)
			buf_add(&want, p.records.p, p.records.len);
		else
			ck_assert(str_eq(buf_str(&p.records), buf_str(&want)));
		ck_assert(p.records.len == 0 || !memmem(p.records.p, p.records.len, "canary", 6));
		arena_clear(&kept);
		pushed_fini(&p);
	}
	ck_assert_uint_gt(want.len, 0);
	buf_fini(&want);
	scrub_free(rules);
	arena_fini(&kept);
}
END_TEST

/* Twice the same event, so that the second finds all lists grown, with a map that takes more room than all that comes after it. */
static void error_body(struct buf *b)
{
	buf_printf(b, "{\"errors\":[{\"class\":\"E\"}");
	for (int i = 0; i < 2; i++) {
		buf_printf(b, ",{\"class\":\"E\",\"breadcrumbs\":[{\"metadata\":{\"a\":1");
		for (int k = 0; k < 60; k++)
			buf_printf(b, ",\"k%d\":1", k);
		buf_printf(b, "}}]}");
	}
	buf_printf(b, "]}");
}

static void transaction_body(struct buf *b) /* see above */
{
	buf_printf(b, "{\"transactions\":[{\"action\":\"a\"}");
	for (int i = 0; i < 2; i++) {
		buf_printf(b, ",{\"action\":\"a\",\"spans\":[{\"tags\":{\"a\":1");
		for (int k = 0; k < 60; k++)
			buf_printf(b, ",\"k%d\":1", k);
		buf_printf(b, "}}]}");
	}
	buf_printf(b, "]}");
}

/* The arena hands out many pieces of one block: so its limit is walked, too, which each of them meets once. */
START_TEST(a_payload_of_any_size_is_too_large_or_taken)
{
	static void (*const bodies[])(struct buf *) = {pb_body, json_body, error_body, transaction_body};
	int (*parse)(struct str, struct payload *, struct refusal *) = bodies[_i] == pb_body ? push_pb_parse : push_json_parse;
	struct buf body = BUF_INIT;
	int rc = -1;

	bodies[_i](&body);
	for (size_t limit = 16; rc < 0; limit += 16) {
		struct pushed p = {.arena = {.limit_bytes = limit}, .no = {.reason = NR_REASONS}};

		payload_init(&p.payload, &p.arena, NOW_MS);
		rc = parse(buf_str(&body), &p.payload, &p.no);
		ck_assert_msg(rc == 0 || p.no.reason == REASON_BODY_TOO_LARGE, "%s: %s", reason_name(p.no.reason), p.no.detail);
		ck_assert_uint_lt(limit, 1 << 20);
		pushed_fini(&p);
	}
	buf_fini(&body);
}
END_TEST

START_TEST(a_body_that_does_not_inflate_is_refused_as_over_budget)
{
	static const enum inflate_encoding encodings[] = {INFLATE_GZIP, INFLATE_DEFLATE, INFLATE_ZSTD};
	static const enum form forms[] = {GZIP, RAW, ZSTD_STREAMED};
	static const struct inflate_limits roomy = {.max_bytes = 64 << 20, .max_ratio = 1000000};
	struct buf text = BUF_INIT, body = BUF_INIT;

	for (int i = 0; i < 20000; i++)
		buf_printf(&text, "%d,", i);
	if (forms[_i] == ZSTD_STREAMED)
		compress_zstd(&body, buf_str(&text), forms[_i], 3, 0);
	else
		compress_zlib(&body, buf_str(&text), forms[_i], 6);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct inflater inf = {0};
		struct buf out = BUF_INIT;
		struct refusal no = {.reason = NR_REASONS};
		int rc;

		fail_walk_begin(&w);
		rc = inflate_body(&inf, encodings[_i], buf_str(&body), &roomy, &out, &no);
		ck_assert_int_eq(rc, fail_walk_end(&w) ? -1 : 0);
		ck_assert_msg(rc == 0 || no.reason == REASON_OVER_BUDGET, "%s", reason_name(no.reason));
		ck_assert_msg(inflate_body(&inf, encodings[_i], buf_str(&body), &roomy, &out, &no) == 0, "%s", no.detail);
		ck_assert(str_eq(buf_str(&out), buf_str(&text)));
		buf_fini(&out);
		inflater_fini(&inf);
	}
	buf_fini(&text);
	buf_fini(&body);
}
END_TEST

/* The bytes of a row as the topic has it, made where nothing fails. */
struct kept_row {
	struct buf value;
};

static int keep_row(void *ctx, const struct table_row *row, struct err *err)
{
	struct kept_row *k = ctx;

	(void)err;
	buf_add(&k->value, row->value.p, row->value.len);
	return 0;
}

static struct table_row site_row(struct kept_row *k, const char *id, const char *const *keys)
{
	*k = (struct kept_row){.value = BUF_INIT};
	ck_assert_int_eq(give_site(keep_row, k, id, keys, to_main, 1, false, NULL), 0);
	return (struct table_row){.key = str_from(id), .value = buf_str(&k->value)};
}

/* mr_old is good before and after a row that found no memory, and mr_new after one that did. */
START_TEST(a_body_in_json_is_refused_as_over_budget)
{
	struct buf body = BUF_INIT, want = BUF_INIT;
	struct refusal no = {.reason = NR_REASONS};

	buf_printf(&body, "{\"resourceLogs\":[");
	for (int i = 0; i < 200; i++)
		buf_printf(&body, "%s{\"schemaUrl\":\"%d\",\"scopeLogs\":[{\"logRecords\":[{\"traceId\":\"0a%02x\",\"body\":{\"%s\":%0*d}}]}]}", i ? "," : "", i, i,
			   i % 2 ? "intValue" : "doubleValue", i % 5 ? 1 : 100, 0);
	for (char *zeroes = (char *)body.p; (zeroes = memmem(zeroes, body.len - (size_t)(zeroes - (char *)body.p), ":00", 3)); zeroes++)
		zeroes[2] = '.'; /* a number may be long, but not begin with zeroes */
	buf_printf(&body, "]}");
	ck_assert_msg(otlp_json_transcode(OTLP_LOGS, buf_str(&body), &want, 1 << 20, &no) == 0, "%s", no.detail);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct buf out = BUF_INIT;
		int rc;

		fail_walk_begin(&w);
		rc = otlp_json_transcode(OTLP_LOGS, buf_str(&body), &out, 1 << 20, &no);
		ck_assert_int_eq(rc, fail_walk_end(&w) ? -1 : 0);
		ck_assert_msg(rc == 0 || no.reason == REASON_OVER_BUDGET, "%s: %s", reason_name(no.reason), no.detail);
		ck_assert_msg(otlp_json_transcode(OTLP_LOGS, buf_str(&body), &out, 1 << 20, &no) == 0, "%s", no.detail);
		ck_assert(str_eq(buf_str(&out), buf_str(&want)));
		buf_fini(&out);
	}
	buf_fini(&body);
	buf_fini(&want);
}
END_TEST

START_TEST(a_site_keeps_its_row)
{
	struct kept_row k;
	const struct table_row row = site_row(&k, "shop", (const char *const[]){"mr_new", "mr_other", NULL});

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct sites *s = sites_new();
		struct err err = ERR_INIT;
		int rc;

		ck_assert_int_eq(put_site(s, "shop", (const char *const[]){"mr_old", NULL}, to_main, 1, false, &err), 0);
		for (int i = 0; i < 11; i++) /* the table of keys is full: one more than there were makes it grow */
			ck_assert_int_eq(put_site(s, (char[]){(char)('a' + i), 0}, (const char *const[]){(char[]){'k', (char)('a' + i), 0}, NULL},
						  to_main, 1, false, &err), 0);
		fail_walk_begin(&w);
		rc = sites_take_site(s, &row, &err);
		ck_assert_int_eq(rc, fail_walk_end(&w) ? -1 : 0);
		ck_assert(rc == 0 || err.kind == ERR_FATAL);
		ck_assert_int_eq(find_key(s, "mr_old") != NULL, rc < 0);
		ck_assert_int_eq(find_key(s, "mr_new") != NULL, rc == 0);
		ck_assert_int_eq(sites_take_site(s, &row, &err), 0);
		ck_assert(!find_key(s, "mr_old") && find_key(s, "mr_new") && find_key(s, "mr_other") && find_key(s, "kk"));
		sites_free(s);
	}
	buf_fini(&k.value);
}
END_TEST

START_TEST(a_new_site_and_its_cell)
{
	struct kept_row k, c = {.value = BUF_INIT};
	const struct table_row row = site_row(&k, "shop", (const char *const[]){"mr_new", NULL});
	struct table_row cell_row = {.key = STR("main")};

	ck_assert_int_eq(give_cell(keep_row, &c, "main", 7, 12, NULL), 0);
	cell_row.value = buf_str(&c.value);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct sites *s;
		struct err err = ERR_INIT;
		struct split_route out;
		struct refusal no = {.reason = NR_REASONS};
		bool routed = false, failed;

		fail_walk_begin(&w);
		s = sites_new();
		if (s && sites_take_site(s, &row, &err) == 0 && sites_take_cell(s, &cell_row, &err) == 0) {
			uint8_t sha256[SITES_SHA256_BYTES];

			sites_hash_key(STR("mr_new"), sha256);
			routed = sites_route(s, sites_find(s, sha256), NOW_MS, &out, &no) == 0;
		}
		failed = fail_walk_end(&w);
		ck_assert_int_eq(routed, !failed);
		ck_assert(routed || !s || err.kind == ERR_FATAL || no.reason == REASON_OVER_BUDGET);
		if (s) {
			ck_assert(sites_take_site(s, &row, &err) == 0 && sites_take_cell(s, &cell_row, &err) == 0);
			ck_assert_int_eq(sites_route(s, find_key(s, "mr_new"), NOW_MS, &out, &no), 0);
		}
		sites_free(s);
	}
	buf_fini(&k.value);
	buf_fini(&c.value);
}
END_TEST

START_TEST(a_vault_has_its_rows_and_its_file)
{
	struct kept_row k;
	const struct table_row row = site_row(&k, id_of(1, (char[16]){0}), (const char *const[]){"mr_new", NULL});

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct house *h = house_loaded(3);
		struct err err = ERR_INIT;
		bool saved, failed;
		int rc;

		fail_walk_begin(&w);
		rc = vault_take_site(h->vault, &row, &err);
		saved = rc == 0 && vault_save(h->vault, &err) == 0;
		failed = fail_walk_end(&w);
		ck_assert_int_eq(saved, !failed);
		ck_assert(saved || err.kind == ERR_FATAL || err.kind == ERR_RETRY);
		ck_assert(good(h, 0, 0) && good(h, 2, 0) && (rc == 0 ? find_key(h->sites, "mr_new") != NULL : good(h, 1, 0)));
		ck_assert_int_eq(vault_take_site(h->vault, &row, &err), 0);
		restart(h); /* from the file */
		ck_assert(good(h, 0, 0) && find_key(h->sites, "mr_new") && !good(h, 1, 0));
		house_free(h);
	}
	buf_fini(&k.value);
}
END_TEST

/* A process that starts without Kafka, and finds the file, but no memory for it. */
START_TEST(a_vault_reads_its_file_or_has_nothing)
{
	struct house *h = house_loaded(5);

	must_save(h);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct vault *v;
		struct err err = ERR_INIT;
		bool failed;
		int rc = -1;

		house_close(h);
		house_open(h, h->folder.file);
		fail_walk_begin(&w);
		v = vault_new(&(struct vault_doors){door_cell, door_site, h}, h->folder.file);
		if (v)
			rc = vault_load_file(v, &err);
		failed = fail_walk_end(&w);
		ck_assert_int_eq(rc, failed ? -1 : 0);
		ck_assert(!failed || !v || err.kind == ERR_FATAL);
		ck_assert(failed || served(h) == 5);
		vault_free(v);
	}
	house_free(h);
}
END_TEST

START_TEST(who_is_let_in_is_routed_or_refused_and_gives_all_back)
{
	static const struct admission_head head = {.method = "POST", .path = "/v1/push", .content_type = "application/json", .content_length = "10",
						   .lengths = 1, .authorization = "Bearer mr_good"};

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct gate g;
		struct ticket t = {0};
		struct refusal no = {.reason = NR_REASONS};
		struct arena arena = ARENA_INIT;
		struct split_route out;
		bool failed;
		int rc;

		gate_init(&g, 1000, 4000);
		fail_walk_begin(&w);
		rc = admission_enter(g.admission, &head, &t, &no);
		if (rc == 0)
			rc = admission_route(g.admission, &t, NOW_MS, 5, &arena, &out, &no);
		if (rc == 0)
			admission_accept(g.admission, &t, &(struct tally){0});
		else
			admission_refuse(g.admission, &t, &no, &(struct tally){0});
		admission_release(g.admission, &t);
		failed = fail_walk_end(&w);
		ck_assert_msg(rc == 0 || (failed && no.reason == REASON_OVER_BUDGET), "%s: %s", reason_name(no.reason), no.detail); /* figures may be missing, and nobody is refused for that */
		arena_fini(&arena);
		gate_fini(&g);
	}
}
END_TEST

/* What a process has from its start on. */
START_TEST(rooms_are_made_whole_or_not_at_all)
{
	static const struct ingest_conf conf = {.max_record_bytes = 1 << 20, .inflight_budget_bytes = 1 << 24, .message_timeout_ms = 5000,
						.stall_timeout_ms = 5000};
	struct mock m;

	mock_init(&m);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct metrics *metrics = metrics_new("millrace-ingest");
		struct clock clock = {0};
		struct controls *controls = controls_new(&clock, CONTROL_PROGRAM_INGEST, NULL);
		struct sites *sites = sites_new();
		struct account *account;
		struct admission *admission = NULL;
		struct producer *producer = NULL;
		struct err err = ERR_INIT;
		bool failed;

		fail_walk_begin(&w);
		account = account_new(metrics, 10);
		if (account)
			admission = admission_new(&(struct admission_rooms){sites, account, controls, &clock}, &(struct admission_limits){1000, 4000});
		if (admission)
			producer = producer_new(&m.program, &conf, -1, &err);
		failed = fail_walk_end(&w);
		ck_assert_msg(failed || producer, "%s", err.msg);
		producer_free(producer);
		admission_free(admission);
		account_free(account);
		sites_free(sites);
		controls_free(controls);
		metrics_free(metrics);
	}
	mock_fini(&m);
}
END_TEST

struct told {
	int calls, good;
};

static void on_done(void *ctx, bool ok, const char *error)
{
	struct told *t = ctx;

	(void)error;
	t->calls++;
	t->good += ok;
}

/* A payload of some parts on its way to Kafka: its end is told once, or it was never begun. */
START_TEST(a_payload_is_sent_or_was_never_begun)
{
	static const struct ingest_conf conf = {.max_record_bytes = 1 << 20, .inflight_budget_bytes = 1 << 24, .message_timeout_ms = 5000,
						.stall_timeout_ms = 5000};
	struct arena kept = ARENA_INIT;
	struct payload_event events[20 * NR_PAYLOAD_EVENT_KINDS];
	struct pushed p = {.arena = {.limit_bytes = 64 << 20}};
	struct mock m;
	struct producer *producer;
	struct err err = ERR_INIT;

	mock_init(&m);
	mock_topic(&m, way.topic, 6);
	mock_topic(&m, way.events_topic, 6);
	ck_assert_int_eq(push_events(&p, events, make_events(&kept, events), NULL), 0);
	ck_assert(p.parts.part[0].samples && p.parts.part[p.parts.len - 1].events); /* of both topics */
	producer = producer_new(&m.program, &conf, -1, &err);
	ck_assert_msg(producer != NULL, "%s", err.msg);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct told told = {0};
		bool failed;
		int rc;

		fail_walk_begin(&w);
		rc = producer_send(producer, STR("shop"), &p.parts, on_done, &told, &err);
		failed = fail_walk_end(&w);
		ck_assert_msg(rc == (failed ? -1 : 0), "%s", err.msg);
		ck_assert(rc == 0 || err.kind == ERR_RETRY);
		ck_assert(producer_flush(producer, 20000));
		ck_assert(rc == 0 ? told.calls == 1 && told.good == 1 : told.calls == 0);
	}
	producer_free(producer);
	pushed_fini(&p);
	arena_fini(&kept);
	mock_fini(&m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nomem");
	TCase *tc = tcase_create("ingest");

	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, a_payload_is_refused_as_over_budget, 0, 2);
	tcase_add_test(tc, a_divided_payload_is_refused_as_over_budget);
	tcase_add_test(tc, events_are_refused_as_over_budget);
	tcase_add_loop_test(tc, a_payload_of_any_size_is_too_large_or_taken, 0, 4);
	tcase_add_loop_test(tc, a_body_that_does_not_inflate_is_refused_as_over_budget, 0, 3);
	tcase_add_test(tc, a_body_in_json_is_refused_as_over_budget);
	tcase_add_test(tc, a_site_keeps_its_row);
	tcase_add_test(tc, a_new_site_and_its_cell);
	tcase_add_test(tc, a_vault_has_its_rows_and_its_file);
	tcase_add_test(tc, a_vault_reads_its_file_or_has_nothing);
	tcase_add_test(tc, who_is_let_in_is_routed_or_refused_and_gives_all_back);
	tcase_add_test(tc, a_payload_is_sent_or_was_never_begun);
	tcase_add_test(tc, rooms_are_made_whole_or_not_at_all);
	return unit_main(suite);
}
