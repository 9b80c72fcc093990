/* test_split.c - a payload's parts: every sample once, in the partition of its series, every event once, in that of its group, the same at every try. */
#include <inttypes.h>

#include "common/route.h"
#include "ingest/settle.h"
#include "ingest/split.h"
#include "tests/unit/ingest/events.h"

enum { ROUNDS = 200, RECORD_MAX = 1000000, EVENTS_MAX = 60, DERIVED_SERIES = 2 };

static const int32_t seven[] = {1, 2, 3, 5, 8, 13, 21};
static const struct split_route route = {{"shop", 4}, "millrace.c.main.samples", "millrace.c.main.events", seven, 7, 1234567890000};

static void random_point(struct unit_random *r, struct buf *body, int index, int value)
{
	const char *comma = index ? "," : "";

	if (unit_random_below(r, 2))
		buf_printf(body, "%s{\"v\":%d}", comma, value);
	else
		buf_printf(body, "%s{\"count\":1,\"sum\":%d,\"min\":%d,\"max\":%d,\"last\":%d}", comma, value, value, value, value);
}

/* A random payload as text, from few names so that series repeat; *points is how many it holds. Each value is its number,
 * so that any one can be found again. */
static struct str random_body(struct unit_random *r, struct buf *body, int *points)
{
	static const char *const kinds[] = {"counter", "gauge"};
	int metrics = 1 + (int)unit_random_below(r, 40);

	*points = 0;
	buf_clear(body);
	buf_printf(body, "{\"agent_id\":\"00112233445566778899aabbccddeeff\",\"seq\":9,\"floor\":3,\"metrics\":[");
	for (int m = 0; m < metrics; m++) {
		int n = 1 + (int)unit_random_below(r, 5);

		buf_printf(body, "%s{\"name\":\"m%d\",\"kind\":\"%s\",\"tags\":{\"a\":\"%d\",\"b\":\"\"},\"points\":[", m ? "," : "",
			   (int)unit_random_below(r, 8), kinds[unit_random_below(r, 2)], (int)unit_random_below(r, 3));
		for (int i = 0; i < n; i++, ++*points)
			random_point(r, body, i, *points);
		buf_printf(body, "]}");
	}
	buf_printf(body, "]}");
	return buf_str(body);
}

/* Ticks the sample off; its series must be the one that the payload gave it, and must live in this partition. */
static void tick(const struct sample_batch *b, int32_t partition, int32_t series, const struct series_ref *was, double v, int *seen)
{
	const struct series_ref *s = &b->series[series];
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
	struct series_id id = {route.site, (uint8_t)s->kind, s->name, s->tags, s->tags_len};

	ck_assert_int_lt(series, (int)b->series_len);
	series_fingerprint(&id, fingerprint);
	ck_assert_mem_eq(fingerprint, s->fingerprint, sizeof(fingerprint));
	ck_assert_int_eq(partition, seven[route_series_index(fingerprint, 7)]);
	ck_assert(str_eq(s->name, was->name) && s->kind == was->kind && s->tags_len == was->tags_len);
	ck_assert(str_eq(s->tags[0].value, was->tags[0].value));
	seen[(int)v]++;
}

/* The payload's own series of a value: values are distinct. */
static const struct series_ref *series_of(const struct payload *p, double v)
{
	for (size_t i = 0; i < p->values_len; i++)
		if (p->values[i].v == v)
			return &p->series[p->values[i].series];
	for (size_t i = 0; i < p->summaries_len; i++)
		if (p->summaries[i].sum == v)
			return &p->series[p->summaries[i].series];
	ck_abort_msg("no such value: %g", v);
	return NULL;
}

/* The agent's home, from the words of schemas/README.md: the low 64 bits of its id mod the site's partitions. */
static bool is_home(int32_t partition)
{
	static const uint8_t low[] = {0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	uint64_t n = 0;

	for (size_t i = 0; i < sizeof(low); i++)
		n = n << 8 | low[i];
	return partition == route.partitions[n % route.partitions_len];
}

/* 1 when the part is the agent's home, else 0. */
static int check_part(const struct payload *p, const struct part *part, int *seen)
{
	struct arena arena = ARENA_INIT;
	struct sample_batch b = {0};
	struct err err = ERR_INIT;

	ck_assert_msg(sample_batch_decode(part->record, &arena, &b, &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(b.values_len + b.summaries_len, part->samples);
	ck_assert(str_eq(b.site, route.site) && b.has_agent_id && b.seq == 9 && b.floor == 3 && b.received_at == NOW_MS);
	ck_assert_int_eq(b.created_at, NOW_MS);
	ck_assert_int_eq(b.routed_since, route.since_ms);
	ck_assert(!b.has_idempotency_key);
	for (size_t i = 0; i < b.series_len; i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_int_ne(memcmp(b.series[i].fingerprint, b.series[j].fingerprint, 16), 0); /* each series once */
	for (size_t i = 0; i < b.values_len; i++)
		tick(&b, part->partition, b.values[i].series, series_of(p, b.values[i].v), b.values[i].v, seen);
	for (size_t i = 0; i < b.summaries_len; i++)
		tick(&b, part->partition, b.summaries[i].series, series_of(p, b.summaries[i].sum), b.summaries[i].sum, seen);
	ck_assert(b.home == is_home(part->partition) && (b.home || part->samples));
	arena_fini(&arena);
	return b.home;
}

START_TEST(every_sample_is_in_one_part_the_right_one)
{
	struct unit_random r = unit_random_new("every_sample_is_in_one_part_the_right_one");
	struct buf body = BUF_INIT;
	int parts_seen = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct decoded d;
		struct parts parts;
		struct buf records = BUF_INIT;
		int points, homes = 0, seen[1000] = {0};

		decode_bytes(&d, random_body(&r, &body, &points));
		ck_assert_msg(d.rc == 0, "%s", d.no.detail);
		ck_assert_int_eq((int)d.payload.accepted, points);
		ck_assert_int_eq(split_payload(&d.payload, &route, RECORD_MAX, &records, &parts, &d.no), 0);
		for (size_t i = 0; i < parts.len; i++) {
			ck_assert(i == 0 || parts.part[i].partition > parts.part[i - 1].partition);
			homes += check_part(&d.payload, &parts.part[i], seen);
		}
		ck_assert_int_eq(homes, 1);
		ck_assert_str_eq(parts.part[0].topic, route.topic);
		for (int i = 0; i < points; i++)
			ck_assert_msg(seen[i] == 1, "round %d: sample %d stands in %d parts", round, i, seen[i]);
		parts_seen += (int)parts.len;
		buf_fini(&records);
		decoded_fini(&d);
	}
	ck_assert_int_gt(parts_seen, 2 * ROUNDS); /* the generator does spread */
	buf_fini(&body);
}
END_TEST

START_TEST(a_retry_gives_the_same_bytes)
{
	struct unit_random r = unit_random_new("a_retry_gives_the_same_bytes");
	struct buf body = BUF_INIT;

	for (int round = 0; round < ROUNDS; round++) {
		struct decoded first, second;
		struct parts a, b;
		struct buf a_records = BUF_INIT, b_records = BUF_INIT;
		int points;

		random_body(&r, &body, &points);
		decode_bytes(&first, buf_str(&body));
		decode_bytes(&second, buf_str(&body));
		ck_assert_int_eq(split_payload(&first.payload, &route, RECORD_MAX, &a_records, &a, &first.no), 0);
		ck_assert_int_eq(split_payload(&second.payload, &route, RECORD_MAX, &b_records, &b, &second.no), 0);
		ck_assert_uint_eq(a.len, b.len);
		for (size_t i = 0; i < a.len; i++) {
			ck_assert_int_eq(a.part[i].partition, b.part[i].partition);
			ck_assert(str_eq(a.part[i].record, b.part[i].record));
		}
		buf_fini(&a_records);
		buf_fini(&b_records);
		decoded_fini(&first);
		decoded_fini(&second);
	}
	buf_fini(&body);
}
END_TEST

START_TEST(order_of_tags_makes_no_other_series)
{
	struct decoded d;
	struct parts parts;
	struct buf records = BUF_INIT;
	struct sample_batch b;
	struct err err = ERR_INIT;

	decode(&d, PAYLOAD("{\"name\":\"m\",\"kind\":\"gauge\",\"tags\":{\"a\":\"1\",\"b\":\"2\"},\"points\":[{\"v\":1}]},"
			   "{\"tags\":{\"b\":\"2\",\"a\":\"1\"},\"points\":[{\"v\":2}],\"kind\":\"gauge\",\"name\":\"m\"}"));
	ck_assert_int_eq(split_payload(&d.payload, &route, RECORD_MAX, &records, &parts, &d.no), 0);
	ck_assert_uint_eq(parts.len, 1);
	ck_assert_int_eq(sample_batch_decode(parts.part[0].record, &d.arena, &b, &err), 0);
	ck_assert(b.series_len == 1 && b.values_len == 2 && !b.has_agent_id && b.seq == 0 && b.floor == 0);
	buf_fini(&records);
	decoded_fini(&d);
}
END_TEST

START_TEST(only_rejected_samples_make_no_part)
{
	struct decoded d;
	struct parts parts;
	struct buf records = BUF_INIT;

	decode(&d, PAYLOAD(METRIC("gauge", "{},{}")));
	ck_assert_int_eq(d.rc, 0);
	ck_assert_int_eq(split_payload(&d.payload, &route, RECORD_MAX, &records, &parts, &d.no), 0);
	ck_assert_uint_eq(parts.len, 0);
	buf_fini(&records);
	decoded_fini(&d);
}
END_TEST

/* A payload without a good sample still has a number, which its agent's home must see. */
START_TEST(an_agent_is_heard_at_home)
{
	struct decoded d;
	struct parts parts;
	struct buf records = BUF_INIT;
	struct sample_batch b;
	struct err err = ERR_INIT;

	decode(&d, "{\"agent_id\":\"00112233445566778899aabbccddeeff\",\"seq\":9,\"metrics\":[" METRIC("gauge", "{}") "]}");
	ck_assert_int_eq(split_payload(&d.payload, &route, RECORD_MAX, &records, &parts, &d.no), 0);
	ck_assert(parts.len == 1 && parts.part[0].samples == 0 && is_home(parts.part[0].partition));
	ck_assert_int_eq(sample_batch_decode(parts.part[0].record, &d.arena, &b, &err), 0);
	ck_assert(b.home && b.seq == 9 && b.floor == 9 && b.series_len == 0);
	buf_fini(&records);
	decoded_fini(&d);
}
END_TEST

/* Adds events of several groups to a payload, numbered by their index, as a decoder would; no more than are kept when it is settled. */
static void add_events(struct unit_random *r, struct payload *p, int n)
{
	for (int i = 0; i < n; i++) {
		struct payload_event e = good_event(p->arena, unit_random_below(r, 2) ? PAYLOAD_ERROR : PAYLOAD_CHECK_IN);
		char name[16];

		snprintf(name, sizeof(name), "job%c", (char)('a' + unit_random_below(r, 20)));
		e.event.check_in.name = e.event.error.class = copy_of(p->arena, name);
		snprintf(name, sizeof(name), "%d", i);
		e.event.revision = copy_of(p->arena, name);
		ck_assert_int_eq(event_add(p, &e), 0);
	}
}

static void identify(struct payload *p)
{
	p->has_agent_id = p->has_seq = p->has_floor = p->has_created_at = p->has_idempotency_key = true;
	memset(p->agent_id, 0xab, sizeof(p->agent_id));
	p->seq = 12;
	p->floor = 5;
	p->created_at_ms = NOW_MS - 77;
	p->idempotency_key = STR("once\0more");
}

/* Where an event's group has it, by the words of schemas/README.md: the low 64 bits mod the site's partitions. */
static int32_t partition_of(const struct event *v)
{
	uint64_t n = 0;

	for (size_t i = 8; i < 16; i++)
		n = n << 8 | v->group[i];
	return route.partitions[n % route.partitions_len];
}

static void check_event_part(const struct payload *p, const struct part *part, int *seen)
{
	struct arena arena = ARENA_INIT;
	struct event_batch b = {0};
	struct err err = ERR_INIT;
	int64_t before = -1;

	ck_assert_str_eq(part->topic, route.events_topic);
	ck_assert_msg(event_batch_decode(part->record, &arena, &b, &err) == 0, "%s", err.msg);
	ck_assert(part->samples == 0 && part->events == b.events_len && b.events_len > 0 && str_eq(b.site, route.site));
	ck_assert(b.has_agent_id && memcmp(b.agent_id, p->agent_id, 16) == 0 && b.seq == 12 && b.floor == 5);
	ck_assert(b.created_at == NOW_MS - 77 && b.received_at == NOW_MS && b.has_idempotency_key && str_eq(b.idempotency_key, STR("once\0more")));
	for (size_t i = 0; i < b.events_len; i++) {
		struct str text = b.events[i].revision;
		int64_t number;

		ck_assert(str_take_int(&text, &number));
		ck_assert_int_gt(number, before); /* in the payload's order */
		before = number;
		ck_assert_int_eq(part->partition, partition_of(&b.events[i]));
		ck_assert_mem_eq(b.events[i].group, p->events[number].event.group, 16);
		seen[number]++;
	}
	arena_fini(&arena);
}

START_TEST(every_event_is_in_one_part_the_right_one)
{
	struct unit_random r = unit_random_new("every_event_is_in_one_part_the_right_one");
	size_t parts_seen = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct arena a;
		struct payload p;
		struct parts parts;
		struct refusal no;
		struct buf records = BUF_INIT;
		int n = 1 + (int)unit_random_below(&r, EVENTS_MAX), seen[EVENTS_MAX] = {0};
		size_t samples = 0;

		empty_payload(&p, &a);
		identify(&p);
		add_events(&r, &p, n);
		ck_assert_int_eq(settle_events(&p, route.site), 0);
		ck_assert_int_eq(split_payload(&p, &route, RECORD_MAX, &records, &parts, &no), 0);
		while (samples < parts.len && parts.part[samples].events == 0)
			samples++;
		for (size_t i = samples; i < parts.len; i++) {
			ck_assert(i == samples || parts.part[i].partition > parts.part[i - 1].partition);
			check_event_part(&p, &parts.part[i], seen);
		}
		for (int i = 0; i < n; i++)
			ck_assert_int_eq(seen[i], 1);
		ck_assert(samples >= 1 && records.len == split_record_bytes(&parts));
		parts_seen += parts.len - samples;
		buf_fini(&records);
		arena_fini(&a);
	}
	ck_assert_uint_gt(parts_seen, 2 * ROUNDS);
}
END_TEST

/* As it is decoded and settled a second time. */
START_TEST(a_retry_of_events_gives_the_same_bytes)
{
	struct unit_random r = unit_random_new("a_retry_of_events_gives_the_same_bytes");

	for (int round = 0; round < ROUNDS; round++) {
		struct unit_random again = r;
		struct arena a[2];
		struct payload p[2];
		struct parts parts[2];
		struct refusal no;
		struct buf records[2] = {BUF_INIT, BUF_INIT};

		for (int i = 0; i < 2; i++) {
			struct unit_random *from = i ? &again : &r;

			empty_payload(&p[i], &a[i]);
			identify(&p[i]);
			p[i].has_idempotency_key = round % 2;
			add_events(from, &p[i], 1 + (int)unit_random_below(from, EVENTS_MAX));
			ck_assert_int_eq(settle_events(&p[i], route.site), 0);
			ck_assert_int_eq(split_payload(&p[i], &route, RECORD_MAX, &records[i], &parts[i], &no), 0);
		}
		ck_assert_uint_eq(parts[0].len, parts[1].len);
		ck_assert(str_eq(buf_str(&records[0]), buf_str(&records[1])));
		for (size_t i = 0; i < parts[0].len; i++) {
			ck_assert_int_eq(parts[0].part[i].partition, parts[1].part[i].partition);
			ck_assert(parts[0].part[i].topic == parts[1].part[i].topic && str_eq(parts[0].part[i].record, parts[1].part[i].record));
		}
		for (int i = 0; i < 2; i++) {
			buf_fini(&records[i]);
			arena_fini(&a[i]);
		}
	}
}
END_TEST

/* Of a nobody with nothing but a marker, which derives no samples: one part. Of an agent: its home hears of it, too. */
START_TEST(events_alone_make_parts)
{
	struct arena a;
	struct payload p;
	struct parts parts;
	struct refusal no;
	struct buf records = BUF_INIT;
	struct event_batch b = {0};
	struct sample_batch home = {0};
	struct err err = ERR_INIT;
	struct payload_event e;

	empty_payload(&p, &a);
	e = good_event(&a, PAYLOAD_MARKER);
	ck_assert_int_eq(event_add(&p, &e), 0);
	ck_assert(check_payload(&p, &no) == 0 && settle_events(&p, route.site) == 0);
	ck_assert_int_eq(split_payload(&p, &route, RECORD_MAX, &records, &parts, &no), 0);
	ck_assert(parts.len == 1 && parts.part[0].events == 1 && parts.part[0].topic == route.events_topic);
	ck_assert_int_eq(event_batch_decode(parts.part[0].record, &a, &b, &err), 0);
	ck_assert(!b.has_agent_id && b.seq == 0 && b.floor == 0 && !b.has_idempotency_key && b.created_at == NOW_MS);
	ck_assert(b.events_len == 1 && b.events[0].has_marker && str_eq(b.events[0].marker.text, STR("a deploy")));
	identify(&p);
	ck_assert_int_eq(split_payload(&p, &route, RECORD_MAX, &records, &parts, &no), 0);
	ck_assert(parts.len == 2 && parts.part[0].events == 0 && parts.part[0].samples == 0 && parts.part[0].topic == route.topic && parts.part[1].events == 1);
	ck_assert_int_eq(sample_batch_decode(parts.part[0].record, &a, &home, &err), 0);
	ck_assert(home.home && home.has_idempotency_key && str_eq(home.idempotency_key, STR("once\0more")));
	buf_fini(&records);
	arena_fini(&a);
}
END_TEST

START_TEST(too_many_events_for_a_record_refuse_the_payload)
{
	struct arena a;
	struct payload p;
	struct parts parts;
	struct refusal no;
	struct buf records = BUF_INIT;
	size_t exact;

	empty_payload(&p, &a);
	for (int i = 0; i < 3; i++) {
		struct payload_event e = good_event(&a, PAYLOAD_MARKER);

		ck_assert_int_eq(event_add(&p, &e), 0);
	}
	ck_assert_int_eq(settle_events(&p, route.site), 0);
	ck_assert_int_eq(split_payload(&p, &route, RECORD_MAX, &records, &parts, &no), 0);
	exact = split_record_bytes(&parts);
	ck_assert_int_eq(split_payload(&p, &route, exact, &records, &parts, &no), 0);
	ck_assert_int_eq(split_payload(&p, &route, exact - 1, &records, &parts, &no), -1);
	ck_assert_msg(no.reason == REASON_RECORD_TOO_LARGE && strstr(no.detail, "3 events for partition"), "%s", no.detail);
	buf_fini(&records);
	arena_fini(&a);
}
END_TEST

START_TEST(a_part_over_the_limit_refuses_the_payload)
{
	struct decoded d;
	struct parts parts;
	struct buf records = BUF_INIT;
	size_t exact;

	decode(&d, PAYLOAD(METRIC("gauge", "{\"v\":1},{\"v\":2}")));
	ck_assert_int_eq(split_payload(&d.payload, &route, RECORD_MAX, &records, &parts, &d.no), 0);
	exact = split_record_bytes(&parts);
	buf_fini(&records);
	ck_assert_int_eq(split_payload(&d.payload, &route, exact, &records, &parts, &d.no), 0);
	buf_fini(&records);
	ck_assert_int_eq(split_payload(&d.payload, &route, exact - 1, &records, &parts, &d.no), -1);
	ck_assert_msg(d.no.reason == REASON_RECORD_TOO_LARGE && strstr(d.no.detail, "2 samples for partition"), "%s", d.no.detail);
	buf_fini(&records);
	decoded_fini(&d);
}
END_TEST

/* Metrics with and without secrets, some of them twice, and the same in each round; an event from whose tags series are made. */
#define TAGGED(name, tags) "{\"name\":\"" name "\",\"kind\":\"gauge\",\"tags\":{" tags "},\"points\":[{\"v\":1}]}"
#define SECRET_BODY \
	"{\"agent_id\":\"00112233445566778899aabbccddeeff\",\"seq\":9,\"floor\":3,\"metrics\":[" TAGGED("m", "\"host\":\"a\"") "," TAGGED("m", "\"host\":\"b\"") \
	"," TAGGED("m", "\"user_token\":\"canary-1\",\"host\":\"a\"") "," TAGGED("m", "\"user_token\":\"canary-2\",\"host\":\"a\"") \
	"," TAGGED("m", "\"host\":\"a\"") "," TAGGED("none", "") "," TAGGED("m", "\"url\":\"/x?password=canary-3&a=1\"") \
	"],\"transactions\":[{\"action\":\"a\",\"duration_ms\":1,\"tags\":{\"plan\":\"token=canary-4\"}}]}"

/* One round: its records, checked for what they must not and what they must tell. */
static void push_secrets(const struct scrub *rules, struct scrub_known *known, struct buf *records)
{
	struct decoded d = {.arena = {.limit_bytes = 64 << 20}, .no = {.reason = NR_REASONS}};
	struct parts parts;
	size_t series = 0;

	payload_init(&d.payload, &d.arena, NOW_MS);
	d.payload.scrub = rules;
	d.payload.known = known;
	ck_assert_msg(push_json_parse(str_from(SECRET_BODY), &d.payload, &d.no) == 0 && check_payload(&d.payload, &d.no) == 0, "%s", d.no.detail);
	ck_assert_int_eq(settle_events(&d.payload, route.site), 0);
	ck_assert_int_eq(split_payload(&d.payload, &route, RECORD_MAX, records, &parts, &d.no), 0);
	ck_assert_int_eq(memmem(records->p, records->len, "canary", 6) != NULL, !rules);
	for (size_t i = 0; i < parts.len; i++) {
		struct sample_batch b = {0};
		struct err err = ERR_INIT;

		if (parts.part[i].events)
			continue;
		ck_assert_int_eq(sample_batch_decode(parts.part[i].record, &d.arena, &b, &err), 0);
		series += b.series_len;
		for (size_t j = 0; j < b.series_len; j++) {
			struct series_id id = {route.site, (uint8_t)b.series[j].kind, b.series[j].name, b.series[j].tags, b.series[j].tags_len};
			uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];

			series_fingerprint(&id, fingerprint);
			ck_assert_mem_eq(fingerprint, b.series[j].fingerprint, sizeof(fingerprint));
			ck_assert_int_eq(parts.part[i].partition, seven[route_series_index(fingerprint, route.partitions_len)]);
		}
	}
	ck_assert_uint_eq(series, (rules ? 5 : 6) + DERIVED_SERIES);
	decoded_fini(&d);
}

START_TEST(a_secret_tag_is_scrubbed_each_time)
{
	struct err err = ERR_INIT;
	struct scrub *rules = scrub_new("", "", "", &err);
	struct scrub_known *known = scrub_known_new();
	struct buf want = BUF_INIT, got = BUF_INIT;

	push_secrets(NULL, NULL, &got); /* without rules all is there: so the test can fail */
	push_secrets(rules, NULL, &want);
	for (int round = 0; round < 4; round++) {
		push_secrets(rules, known, &got);
		ck_assert(str_eq(buf_str(&got), buf_str(&want)));
	}
	buf_fini(&want);
	buf_fini(&got);
	scrub_known_free(known);
	scrub_free(rules);
}
END_TEST

START_TEST(short_memory_is_a_refusal)
{
	struct unit_random r = unit_random_new("short_memory_is_a_refusal");
	struct buf body = BUF_INIT;
	struct decoded d;
	struct parts parts;
	struct buf records = BUF_INIT;
	int points;

	decode_bytes(&d, random_body(&r, &body, &points));
	add_events(&r, &d.payload, 3);
	ck_assert_int_eq(settle_events(&d.payload, route.site), 0);
	for (size_t more = 0; more < 4096; more += 16) { /* every place in which the arena may end */
		d.arena.limit_bytes = d.arena.used_bytes + more;
		if (split_payload(&d.payload, &route, RECORD_MAX, &records, &parts, &d.no) < 0)
			ck_assert_int_eq(d.no.reason, REASON_BODY_TOO_LARGE);
		buf_fini(&records);
	}
	decoded_fini(&d);
	buf_fini(&body);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("split");
	TCase *tc = tcase_create("split");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_sample_is_in_one_part_the_right_one);
	tcase_add_test(tc, a_retry_gives_the_same_bytes);
	tcase_add_test(tc, order_of_tags_makes_no_other_series);
	tcase_add_test(tc, only_rejected_samples_make_no_part);
	tcase_add_test(tc, an_agent_is_heard_at_home);
	tcase_add_test(tc, every_event_is_in_one_part_the_right_one);
	tcase_add_test(tc, a_retry_of_events_gives_the_same_bytes);
	tcase_add_test(tc, events_alone_make_parts);
	tcase_add_test(tc, too_many_events_for_a_record_refuse_the_payload);
	tcase_add_test(tc, a_part_over_the_limit_refuses_the_payload);
	tcase_add_test(tc, a_secret_tag_is_scrubbed_each_time);
	tcase_add_test(tc, short_memory_is_a_refusal);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
