/* test_divide.c - a part that is too large for a record: its chunks hold what it held, each within the limit, under keys of their own. */
#include <inttypes.h>
#include <xxhash.h>

#include "common/str.h"
#include "ingest/otlp.h"
#include "ingest/settle.h"
#include "ingest/split.h"
#include "tests/unit/ingest/events.h"

enum { ROUNDS = 150, WHOLE = 1 << 24, LINES_MAX = 4096, LONG_TAG = 200 };

static const int32_t three[] = {4, 6, 9};
static const struct split_route route = {{"shop", 4}, "millrace.c.main.samples", "millrace.c.main.events", three, 3, 1234567890000};

/* What a split came to, as lines that can be compared: one a sample or event, behind its partition. */
struct read {
	struct arena arena;
	struct buf records;
	struct parts parts;
	struct refusal no;
	char *lines[LINES_MAX];
	size_t lines_len;
};

static void read_fini(struct read *r)
{
	buf_fini(&r->records);
	arena_fini(&r->arena);
}

static void add_line(struct read *r, struct buf *line)
{
	struct str kept = arena_str(&r->arena, buf_str(line));

	ck_assert_uint_lt(r->lines_len, LINES_MAX);
	r->lines[r->lines_len++] = (char *)(uintptr_t)kept.p;
	buf_clear(line);
}

static void spell_series(struct buf *line, int32_t partition, const struct series_ref *s)
{
	buf_printf(line, "%d %d %.*s %d", (int)partition, (int)s->kind, (int)s->name.len, s->name.p, (int)s->temporality);
	for (size_t i = 0; i < s->tags_len; i++)
		buf_printf(line, " %.*s=%.*s", (int)s->tags[i].key.len, s->tags[i].key.p, (int)s->tags[i].value.len, s->tags[i].value.p);
	for (size_t i = 0; i < sizeof(s->fingerprint); i++)
		buf_printf(line, "%02x", s->fingerprint[i]);
}

static void spell_samples(struct read *r, const struct part *part, const struct sample_batch *b)
{
	struct buf line = BUF_INIT;

	for (size_t i = 0; i < b->values_len; i++) {
		const struct value_sample *v = &b->values[i];

		ck_assert_int_lt(v->series, (int)b->series_len);
		spell_series(&line, part->partition, &b->series[v->series]);
		buf_printf(&line, " t=%" PRId64 " start=%" PRId64 " v=%.17g", v->t, v->start, v->v);
		add_line(r, &line);
	}
	for (size_t i = 0; i < b->summaries_len; i++) {
		const struct summary_sample *s = &b->summaries[i];

		ck_assert_int_lt(s->series, (int)b->series_len);
		spell_series(&line, part->partition, &b->series[s->series]);
		buf_printf(&line, " t=%" PRId64 " start=%" PRId64 " n=%" PRId64 " sum=%.17g min=%g max=%g last=%g at=%" PRId64 " errors=%" PRId64 " buckets=%zu",
			   s->t, s->start, s->count, s->sum, s->min, s->max, s->last, s->last_at, s->errors, s->histogram.counts_len);
		add_line(r, &line);
	}
	buf_fini(&line);
}

/* By the words of schemas/README.md, "Identity of a payload". */
static void check_key(const struct payload *p, size_t number, bool has_key, struct str key)
{
	uint8_t wanted[22] = {0, 'c', (uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
	XXH128_hash_t hash = XXH3_128bits(p->idempotency_key.p, p->idempotency_key.len);

	ck_assert_int_eq(has_key, p->has_idempotency_key);
	if (!has_key)
		return;
	for (int i = 0; i < 8; i++) {
		wanted[6 + i] = (uint8_t)(hash.high64 >> (56 - 8 * i));
		wanted[14 + i] = (uint8_t)(hash.low64 >> (56 - 8 * i));
	}
	ck_assert(str_eq(key, number ? (struct str){(const char *)wanted, sizeof(wanted)} : p->idempotency_key));
}

static void read_samples(struct read *r, const struct payload *p, const struct part *part, size_t number)
{
	struct sample_batch b = {0};
	struct err err = ERR_INIT;

	ck_assert_msg(sample_batch_decode(part->record, &r->arena, &b, &err) == 0, "%s", err.msg);
	ck_assert(str_eq(b.site, route.site) && b.received_at == NOW_MS && b.created_at == NOW_MS && b.routed_since == route.since_ms);
	ck_assert(!b.has_agent_id && b.seq == 0 && b.floor == 0 && !b.home && part->events == 0);
	ck_assert(part->samples > 0 && part->samples == b.values_len + b.summaries_len && b.series_len <= part->samples);
	for (size_t i = 0; i < b.series_len; i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_int_ne(memcmp(b.series[i].fingerprint, b.series[j].fingerprint, 16), 0);
	check_key(p, number, b.has_idempotency_key, b.idempotency_key);
	spell_samples(r, part, &b);
}

static void read_events(struct read *r, const struct payload *p, const struct part *part, size_t number)
{
	struct event_batch b = {0};
	struct buf line = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_msg(event_batch_decode(part->record, &r->arena, &b, &err) == 0, "%s", err.msg);
	ck_assert(str_eq(b.site, route.site) && b.received_at == NOW_MS && b.created_at == NOW_MS && !b.has_agent_id && b.seq == 0 && b.floor == 0);
	ck_assert(part->samples == 0 && part->events > 0 && part->events == b.events_len);
	check_key(p, number, b.has_idempotency_key, b.idempotency_key);
	for (size_t i = 0; i < b.events_len; i++) {
		buf_printf(&line, "%d event %.*s %d", (int)part->partition, (int)b.events[i].revision.len, b.events[i].revision.p, b.events[i].has_error);
		add_line(r, &line);
	}
	buf_fini(&line);
}

/* Splits, and reads all that came of it; every record is within the limit, chunks are numbered within their part. */
static int split_and_read(struct read *r, struct payload *p, size_t max_bytes)
{
	size_t number = 0;

	*r = (struct read){.no = {.reason = NR_REASONS}};
	if (split_payload(p, &route, max_bytes, &r->records, &r->parts, &r->no) < 0)
		return -1;
	ck_assert_uint_eq(split_record_bytes(&r->parts), r->records.len);
	for (size_t i = 0; i < r->parts.len; i++) {
		const struct part *part = &r->parts.part[i], *before = i ? part - 1 : NULL;
		bool again = before && before->topic == part->topic && before->partition == part->partition;

		ck_assert_uint_le(part->record.len, max_bytes);
		ck_assert(!before || again || (before->topic == part->topic ? before->partition < part->partition : part->topic == route.events_topic));
		number = again ? number + 1 : 0;
		(part->topic == route.topic ? read_samples : read_events)(r, p, part, number);
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void check_same_lines(struct read *whole, struct read *chunks)
{
	ck_assert_uint_eq(whole->lines_len, chunks->lines_len);
	qsort(whole->lines, whole->lines_len, sizeof(whole->lines[0]), by_text);
	qsort(chunks->lines, chunks->lines_len, sizeof(chunks->lines[0]), by_text);
	for (size_t i = 0; i < whole->lines_len; i++)
		ck_assert_str_eq(whole->lines[i], chunks->lines[i]);
}

/* The events of one partition stand in the payload's order, whose number each is. Before the lines are sorted. */
static void check_order_of_events(const struct read *r)
{
	int last_partition = -1, last = -1;

	for (size_t i = 0; i < r->lines_len; i++) {
		int partition, number;

		if (sscanf(r->lines[i], "%d event %d", &partition, &number) != 2)
			continue;
		ck_assert(partition != last_partition || number > last);
		last_partition = partition;
		last = number;
	}
}

/* Metrics whose series repeat, points at random times, single values and summaries. */
static void random_samples(struct unit_random *r, struct buf *body)
{
	int metrics = 1 + (int)unit_random_below(r, 60);

	buf_clear(body);
	buf_printf(body, "{\"metrics\":[");
	for (int m = 0; m < metrics; m++) {
		int n = 1 + (int)unit_random_below(r, 8);

		buf_printf(body, "%s{\"name\":\"m%d\",\"kind\":\"gauge\",\"tags\":{\"a\":\"%0*d\"},\"points\":[", m ? "," : "", (int)unit_random_below(r, 6),
			   1 + (int)unit_random_below(r, 2) * LONG_TAG, 7);
		for (int i = 0; i < n; i++) {
			int v = (int)unit_random_below(r, 1000);

			buf_printf(body, "%s{\"t\":%" PRId64, i ? "," : "", NOW_MS - (int64_t)unit_random_below(r, 100000));
			if (unit_random_below(r, 2))
				buf_printf(body, ",\"v\":%d}", v);
			else
				buf_printf(body, ",\"count\":2,\"sum\":%d,\"min\":1,\"max\":%d,\"last\":1}", v, v);
		}
		buf_printf(body, "]}");
	}
	buf_printf(body, "]}");
}

/* Errors of several groups, numbered by their revision, of several lengths. */
static void random_events(struct unit_random *r, struct payload *p, int n)
{
	for (int i = 0; i < n; i++) {
		struct payload_event e = good_event(p->arena, unit_random_below(r, 2) ? PAYLOAD_ERROR : PAYLOAD_CHECK_IN);
		char name[16];

		snprintf(name, sizeof(name), "job%c", (char)('a' + unit_random_below(r, 9)));
		e.event.check_in.name = e.event.error.class = copy_of(p->arena, name);
		e.event.error.message = long_text(p->arena, "why", unit_random_below(r, 300));
		snprintf(name, sizeof(name), "%d", i);
		e.event.revision = copy_of(p->arena, name);
		ck_assert_int_eq(event_add(p, &e), 0);
	}
}

/* As a request of OTLP's would be. */
static void random_payload(struct unit_random *r, struct decoded *d, struct buf *body)
{
	static const char *const keys[] = {"k", "a key of some length", "0123456789012345678901234567890123456789012345678901234567890123456789"};

	random_samples(r, body);
	decode_bytes(d, buf_str(body));
	ck_assert_msg(d->rc == 0, "%s", d->no.detail);
	d->payload.divisible = true;
	d->payload.has_idempotency_key = unit_random_below(r, 4) > 0;
	d->payload.idempotency_key = str_from(keys[unit_random_below(r, NR(keys))]);
	for (size_t i = 0; i < d->payload.values_len; i++)
		d->payload.values[i].start = (int64_t)unit_random_below(r, 3) * 1000;
	random_events(r, &d->payload, (int)unit_random_below(r, 40));
	ck_assert_int_eq(settle_events(&d->payload, route.site), 0);
}

/* Under random limits: chunks hold what the parts hold, or one item alone is too large. A second try comes to the same bytes. */
START_TEST(chunks_hold_what_the_part_held)
{
	struct unit_random r = unit_random_new("chunks_hold_what_the_part_held");
	struct buf body = BUF_INIT;
	size_t divided = 0, refused = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct decoded d;
		struct read whole, chunks, again;
		size_t max_bytes;

		random_payload(&r, &d, &body);
		ck_assert_int_eq(split_and_read(&whole, &d.payload, WHOLE), 0);
		max_bytes = 250 + unit_random_below(&r, 250 + whole.records.len / 2);
		if (split_and_read(&chunks, &d.payload, max_bytes) == 0) {
			check_order_of_events(&chunks);
			check_same_lines(&whole, &chunks);
			ck_assert_int_eq(split_and_read(&again, &d.payload, max_bytes), 0);
			ck_assert(str_eq(buf_str(&chunks.records), buf_str(&again.records)) && chunks.parts.len == again.parts.len);
			divided += chunks.parts.len > whole.parts.len;
			read_fini(&again);
		} else {
			ck_assert_int_eq(chunks.no.reason, REASON_RECORD_TOO_LARGE);
			ck_assert_msg(strstr(chunks.no.detail, "alone takes"), "%s", chunks.no.detail);
			ck_assert_uint_lt(max_bytes, 1100); /* no item of the generator's is longer */
			refused++;
		}
		read_fini(&whole);
		read_fini(&chunks);
		decoded_fini(&d);
	}
	ck_assert_uint_gt(divided, ROUNDS / 3);
	ck_assert_uint_gt(refused, 0);
	buf_fini(&body);
}
END_TEST

/* n points of one series, all of a length, as a payload that can be divided. */
static void decode_points(struct decoded *d, size_t n)
{
	struct str body = repeated_text("{\"metrics\":[{\"name\":\"m\",\"kind\":\"gauge\",\"points\":[{\"v\":1}", ",{\"v\":1}", n - 1, "]}]}");

	decode_bytes(d, body);
	ck_assert_uint_eq(d->payload.values_len, n);
	d->payload.divisible = true;
	d->payload.series[0].name = copy_of(&d->arena, "m"); /* it borrows the body */
	free((char *)(uintptr_t)body.p);
}

static const struct {
	size_t n, chunks, most; /* most: how many samples more than one fit into a record */
} cuts[] = {
	{1, 1, 0}, {2, 1, 1}, {2, 2, 0}, {3, 2, 1}, {7, 7, 0}, {63, 63, 0}, {63, 1, 62}, {63, 2, 61}, {63, 3, 20},
};

/* Limits to the byte: from one sample a record to all in one. */
START_TEST(a_part_is_cut_by_its_length)
{
	struct decoded one, two, d;
	struct read r;
	size_t one_bytes, sample_bytes;

	decode_points(&one, 1);
	decode_points(&two, 2);
	ck_assert_int_eq(split_and_read(&r, &one.payload, WHOLE), 0);
	one_bytes = r.records.len;
	read_fini(&r);
	ck_assert_int_eq(split_and_read(&r, &two.payload, WHOLE), 0);
	sample_bytes = r.records.len - one_bytes;
	read_fini(&r);
	decode_points(&d, cuts[_i].n);
	ck_assert_int_eq(split_and_read(&r, &d.payload, one_bytes + cuts[_i].most * sample_bytes), 0);
	ck_assert_uint_eq(r.lines_len, cuts[_i].n);
	ck_assert_uint_eq(r.parts.len, cuts[_i].chunks);
	read_fini(&r);
	ck_assert_int_eq(split_and_read(&r, &d.payload, one_bytes - 1), -1);
	ck_assert_msg(r.no.reason == REASON_RECORD_TOO_LARGE && strstr(r.no.detail, "one sample alone"), "%s", r.no.detail);
	read_fini(&r);
	decoded_fini(&d);
	decoded_fini(&two);
	decoded_fini(&one);
}
END_TEST

/* Twenty long series, whose points take turns, and come latest first. Chunks repeat no more than one series each, and go from early to late. */
START_TEST(chunks_are_ordered_by_series_and_time)
{
	enum { SERIES = 20, POINTS = 100, CHUNK = 3000, SERIES_BYTES = LONG_TAG + 64, HEAD_BYTES = 64 };
	struct buf body = BUF_INIT;
	struct decoded d;
	struct read whole, chunks;
	char before[SERIES][24] = {{0}};

	buf_printf(&body, "{\"metrics\":[");
	for (int i = 0; i < SERIES * POINTS; i++)
		buf_printf(&body, "%s{\"name\":\"m%02d\",\"kind\":\"gauge\",\"tags\":{\"a\":\"%0*d\"},\"points\":[{\"t\":%" PRId64 ",\"v\":1}]}", i ? "," : "", i % SERIES,
			   LONG_TAG, 1, NOW_MS - i);
	buf_printf(&body, "]}");
	decode_bytes(&d, buf_str(&body));
	d.payload.divisible = true;
	ck_assert_int_eq(split_and_read(&whole, &d.payload, WHOLE), 0);
	ck_assert_int_eq(split_and_read(&chunks, &d.payload, CHUNK), 0);
	ck_assert_uint_gt(chunks.parts.len, 10);
	ck_assert_uint_le(chunks.records.len, whole.records.len + chunks.parts.len * (SERIES_BYTES + HEAD_BYTES));
	for (size_t i = 0; i < chunks.lines_len; i++) {
		char *last = before[strtoul(strstr(chunks.lines[i], " m") + 2, NULL, 10)];

		ck_assert_int_gt(strcmp(strstr(chunks.lines[i], " t="), last), 0);
		snprintf(last, sizeof(before[0]), "%s", strstr(chunks.lines[i], " t="));
	}
	check_same_lines(&whole, &chunks);
	read_fini(&whole);
	read_fini(&chunks);
	decoded_fini(&d);
	buf_fini(&body);
}
END_TEST

/* An agent makes its payloads as large as it likes; and a partition takes one record of each. */
START_TEST(an_agents_payload_is_not_divided)
{
	struct decoded d;
	struct read r;

	decode_points(&d, 100);
	d.payload.has_agent_id = true;
	d.payload.seq = d.payload.floor = 1;
	ck_assert_int_eq(split_and_read(&r, &d.payload, 300), -1);
	ck_assert_msg(r.no.reason == REASON_RECORD_TOO_LARGE && strstr(r.no.detail, "100 samples"), "%s", r.no.detail);
	read_fini(&r);
	decoded_fini(&d);
}
END_TEST

/* A limit that makes a megabyte of a few points: what a payload may take bounds its chunks, too. */
START_TEST(all_chunks_are_bounded)
{
	enum { POINTS = 2000, NAME_BYTES = 8000, RECORD = NAME_BYTES + 150, MORE = 600000 };
	struct decoded d;
	struct read r;
	size_t all;

	decode_points(&d, POINTS);
	d.payload.series[0].name = long_text(&d.arena, "m", NAME_BYTES);
	ck_assert_int_eq(split_and_read(&r, &d.payload, RECORD), 0);
	all = r.records.len;
	read_fini(&r);
	d.arena.limit_bytes = d.arena.used_bytes + all; /* enough, for once more */
	ck_assert_int_eq(split_and_read(&r, &d.payload, RECORD), 0);
	read_fini(&r);
	d.arena.limit_bytes = d.arena.used_bytes + MORE; /* and this but for the records */
	ck_assert_uint_lt(d.arena.limit_bytes, all);
	ck_assert_int_eq(split_and_read(&r, &d.payload, RECORD), -1);
	ck_assert_int_eq(r.no.reason, REASON_BODY_TOO_LARGE);
	read_fini(&r);
	decoded_fini(&d);
}
END_TEST

START_TEST(requests_of_otlp_are_divisible)
{
	static const enum otlp_signal signals[] = {OTLP_METRICS, OTLP_LOGS, OTLP_TRACES};
	struct decoded d;
	struct otlp_rules rules = {0};

	decode(&d, PAYLOAD(""));
	ck_assert(!d.payload.divisible);
	ck_assert_int_eq(otlp_decode(signals[_i], STR(""), &d.payload, &rules, &d.no), 0);
	ck_assert(d.payload.divisible);
	decoded_fini(&d);
}
END_TEST

START_TEST(short_memory_is_a_refusal)
{
	struct unit_random r = unit_random_new("short_memory_is_a_refusal");
	struct buf body = BUF_INIT;
	struct decoded d;
	struct read chunks;
	size_t refused = 0;

	random_payload(&r, &d, &body);
	for (size_t more = 0; more < 65536; more += 512) { /* every list in which the arena may end */
		d.arena.limit_bytes = d.arena.used_bytes + more;
		if (split_and_read(&chunks, &d.payload, 1200) < 0) {
			ck_assert_int_eq(chunks.no.reason, REASON_BODY_TOO_LARGE);
			refused++;
		}
		read_fini(&chunks);
	}
	ck_assert_uint_gt(refused, 0);
	decoded_fini(&d);
	buf_fini(&body);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("divide");
	TCase *tc = tcase_create("divide");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, chunks_hold_what_the_part_held);
	tcase_add_loop_test(tc, a_part_is_cut_by_its_length, 0, NR(cuts));
	tcase_add_test(tc, chunks_are_ordered_by_series_and_time);
	tcase_add_test(tc, an_agents_payload_is_not_divided);
	tcase_add_test(tc, all_chunks_are_bounded);
	tcase_add_loop_test(tc, requests_of_otlp_are_divisible, 0, 3);
	tcase_add_test(tc, short_memory_is_a_refusal);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
