/* test_push_pb_oracle.c - the protobuf decoder against protobuf-c (pb_oracle.h) and against the JSON decoder.
 *
 * Payloads are random, good and bad. Each is packed by protobuf-c, then read as it is, in another legal order, as every prefix, and
 * after random damage: always, what the decoder takes means the same to protobuf-c; and what it refuses protobuf-c refuses too,
 * or the refusal is one of those that pb_oracle.h can confirm. */
#include "ingest/push_json.h"
#include "ingest/push_pb.h"
#include "tests/unit/ingest/payload_equal.h"
#include "tests/unit/ingest/pb_random.h"

enum { PAYLOADS = 400, DAMAGES_EACH = 100 };

/* The property. True when the body was taken. */
static bool must_agree(struct str body)
{
	char *exact = malloc(body.len ? body.len : 1); /* so that a sanitizer sees any byte read behind it */
	struct arena ours = {.limit_bytes = 64 << 20}, theirs = ARENA_INIT;
	struct payload p, q;
	struct refusal no = {.reason = NR_REASONS};
	int rc, oracle;

	memcpy(exact, body.p, body.len);
	body.p = exact;
	payload_init(&p, &ours, NOW_MS);
	payload_init(&q, &theirs, NOW_MS);
	rc = push_pb_parse(body, &p, &no);
	oracle = oracle_parse(body, &q);
	if (rc == 0) {
		const char *difference;

		ck_assert_msg(oracle == 0, "taken, but not by protobuf-c");
		sort_places(&p);
		sort_places(&q);
		difference = payload_difference(&p, &q);
		ck_assert_msg(!difference, "%s differ", difference);
	} else {
		ck_assert_msg(oracle < 0 || oracle_confirms(body, &no), "refused, but not by protobuf-c: %s: %s", reason_name(no.reason),
			      no.detail);
	}
	arena_fini(&ours);
	arena_fini(&theirs);
	free(exact);
	return rc == 0;
}

START_TEST(random_payloads_mean_the_same)
{
	struct maker mk = {.r = unit_random_new("push_pb")};
	int taken = 0;

	for (int i = 0; i < PAYLOADS; i++) {
		taken += must_agree(pack(&mk, random_payload(&mk)));
		arena_clear(&mk.arena);
	}
	ck_assert_int_gt(taken, PAYLOADS / 2);
	arena_fini(&mk.arena);
}
END_TEST

/* Writes a message anew: fields of different numbers in another order, packed lists unpacked, varints at more length. */
static void rewrite(struct maker *mk, struct str in, const ProtobufCMessageDescriptor *m, struct buf *out);

static void rewrite_field(struct maker *mk, uint64_t key, struct str value, const ProtobufCMessageDescriptor *m, struct buf *out)
{
	const ProtobufCMessageDescriptor *inner = oracle_message_of(m, key >> 3);
	bool counts = m == &millrace__push__histogram__descriptor && (key & 7) == 2;
	const uint8_t *at = (const uint8_t *)value.p, *end = at + value.len;
	struct buf body = BUF_INIT;
	uint64_t n;

	if (counts && one_in(mk, 2)) {
		for (at = oracle_varint(at, end, &n); at < end;) {
			at = oracle_varint(at, end, &n);
			oracle_put_varint(out, key >> 3 << 3);
			oracle_put_varint(out, n);
		}
	} else if (inner) {
		at = oracle_varint(at, end, &n);
		rewrite(mk, (struct str){(const char *)at, (size_t)(end - at)}, inner, &body);
		oracle_put_message(out, key >> 3, &body);
	} else if ((key & 7) == 0 && value.len < 9 && one_in(mk, 4)) {
		oracle_put_varint(out, key);
		buf_add(out, value.p, value.len);
		out->p[out->len - 1] |= 0x80;
		buf_add(out, "\x80", 2); /* its NUL, too */
	} else {
		oracle_put_varint(out, key);
		buf_add(out, value.p, value.len);
	}
	buf_fini(&body);
}

static void rewrite(struct maker *mk, struct str in, const ProtobufCMessageDescriptor *m, struct buf *out)
{
	uint64_t first = unit_random_below(&mk->r, 16);

	for (uint64_t turn = 0; turn < 16; turn++) {
		const uint8_t *at = (const uint8_t *)in.p, *end = at + in.len, *value;
		uint64_t key;

		while (at < end) {
			value = oracle_varint(at, end, &key);
			at = oracle_value_end(key, value, end, 0);
			if ((key >> 3 ^ first) % 16 == turn)
				rewrite_field(mk, key, (struct str){(const char *)value, (size_t)(at - value)}, m, out);
		}
	}
}

/* Two bodies, each with its decoder, that must come to the same; of two faults, each may have met another first. */
static void must_be_equal(struct str a_body, int (*a_parse)(struct str, struct payload *, struct refusal *), struct str b_body,
			  int (*b_parse)(struct str, struct payload *, struct refusal *))
{
	struct decoded a, b;
	const char *difference;
	char a_text[500], b_text[500];

	decode_with(&a, a_body, a_parse);
	decode_with(&b, b_body, b_parse);
	ck_assert_msg(a.rc == b.rc, "%s, %s", a.rc ? a.no.detail : "taken", b.rc ? b.no.detail : "taken");
	sort_places(&a.payload);
	sort_places(&b.payload);
	difference = a.rc ? NULL : payload_difference(&a.payload, &b.payload);
	ck_assert_msg(!difference, "%s differ: %s; %s", difference, rejections(&a.payload, a_text, sizeof(a_text)),
		      rejections(&b.payload, b_text, sizeof(b_text)));
	decoded_fini(&a);
	decoded_fini(&b);
}

START_TEST(another_legal_order_means_the_same)
{
	struct maker mk = {.r = unit_random_new("push_pb rewritten")};

	for (int i = 0; i < PAYLOADS; i++) {
		struct str body = pack(&mk, random_payload(&mk));
		struct buf other = BUF_INIT;

		rewrite(&mk, body, &millrace__push__payload__descriptor, &other);
		must_agree(buf_str(&other));
		must_be_equal(body, push_pb_parse, buf_str(&other), push_pb_parse);
		buf_fini(&other);
		arena_clear(&mk.arena);
	}
	arena_fini(&mk.arena);
}
END_TEST

/* A payload of this metric, whose points stand behind it in bytes. */
static void put_payload(struct buf *out, pb_metric *m, const struct buf *point)
{
	size_t n_points = m->n_points;
	struct buf metric = BUF_INIT;

	m->n_points = 0;
	metric.len = millrace__push__metric__pack(m, buf_reserve(&metric, millrace__push__metric__get_packed_size(m)));
	oracle_put_message(&metric, 4, point);
	oracle_put_message(out, 1, &metric);
	m->n_points = n_points;
	buf_fini(&metric);
}

/* What a's fields followed by b's come to, as the format says: the last number counts, lists go on. */
static pb_histogram *joined(struct maker *mk, const pb_histogram *a, const pb_histogram *b)
{
	pb_histogram *h = make(mk, 1, sizeof(*h));

	*h = *b;
	if (!b->has_scale_case) {
		h->has_scale_case = a->has_scale_case;
		h->scale = a->scale;
	}
	h->zero = b->zero ? b->zero : a->zero;
	h->offset = b->offset ? b->offset : a->offset;
	h->neg_offset = b->neg_offset ? b->neg_offset : a->neg_offset;
	h->n_counts = a->n_counts + b->n_counts;
	h->counts = make(mk, h->n_counts, sizeof(*h->counts));
	memcpy(h->counts, a->counts, a->n_counts * sizeof(*h->counts));
	memcpy(h->counts + a->n_counts, b->counts, b->n_counts * sizeof(*h->counts));
	h->n_neg_counts = a->n_neg_counts + b->n_neg_counts;
	h->neg_counts = make(mk, h->n_neg_counts, sizeof(*h->neg_counts));
	memcpy(h->neg_counts, a->neg_counts, a->n_neg_counts * sizeof(*h->neg_counts));
	memcpy(h->neg_counts + a->n_neg_counts, b->neg_counts, b->n_neg_counts * sizeof(*h->neg_counts));
	return h;
}

static void pack_point(struct buf *out, const pb_point *pt)
{
	out->len += millrace__push__point__pack(pt, buf_reserve(out, millrace__push__point__get_packed_size(pt)));
}

START_TEST(two_histograms_are_one)
{
	struct maker mk = {.r = unit_random_new("push_pb merged")};

	for (int i = 0; i < PAYLOADS; i++) {
		struct buf two = BUF_INIT, one = BUF_INIT, with_two = BUF_INIT, with_one = BUF_INIT;
		pb_metric *m = random_metric(&mk);
		pb_point *pt = random_point(&mk, true), second = MILLRACE__PUSH__POINT__INIT;
		uint64_t total = 0;

		pt->histogram = random_histogram(&mk, &total);
		second.histogram = random_histogram(&mk, &total);
		if (pt->histogram->zero && second.histogram->zero)
			total -= pt->histogram->zero;
		pt->count = total;
		pack_point(&two, pt);
		pack_point(&two, &second);
		pt->histogram = joined(&mk, pt->histogram, second.histogram);
		pack_point(&one, pt);
		put_payload(&with_two, m, &two);
		put_payload(&with_one, m, &one);
		must_be_equal(buf_str(&with_two), push_pb_parse, buf_str(&with_one), push_pb_parse);
		buf_fini(&two);
		buf_fini(&one);
		buf_fini(&with_two);
		buf_fini(&with_one);
		arena_clear(&mk.arena);
	}
	arena_fini(&mk.arena);
}
END_TEST

START_TEST(every_prefix_means_the_same)
{
	struct maker mk = {.r = unit_random_new("push_pb cut off")};

	for (int i = 0; i < PAYLOADS / 20; i++) {
		struct str body = pack(&mk, random_payload(&mk));

		for (size_t n = 0; n < body.len; n++)
			must_agree((struct str){body.p, n});
		arena_clear(&mk.arena);
	}
	arena_fini(&mk.arena);
}
END_TEST

/* One stroke of damage, in place or by a few bytes; room is what bytes may take. */
static size_t damage(struct maker *mk, uint8_t *bytes, size_t len, size_t room)
{
	static const uint8_t telling[] = {0x00, 0x7f, 0x80, 0xff, 0x0a, 0x0b, 0x0c, 0x12, 0x22, 0x4a, 0x9b, 0x9c};
	size_t at = len ? unit_random_below(&mk->r, len) : 0, n = 1 + unit_random_below(&mk->r, 12);

	n = n > len - at ? len - at : n;
	switch (len ? unit_random_below(&mk->r, 6) : 6) {
	case 0:
		bytes[at] ^= (uint8_t)(1 << unit_random_below(&mk->r, 8));
		return len;
	case 1:
		bytes[at] = telling[unit_random_below(&mk->r, NR(telling))];
		return len;
	case 2:
		bytes[at]++;
		return len;
	case 3: /* some bytes go */
		memmove(bytes + at, bytes + at + n, len - at - n);
		return len - n;
	case 4: /* some come twice */
		n = n > room - len ? room - len : n;
		memmove(bytes + at + n, bytes + at, len - at);
		return len + n;
	case 5:
		return at;
	default:
		return len;
	}
}

START_TEST(damaged_payloads_mean_the_same)
{
	struct maker mk = {.r = unit_random_new("push_pb damaged")};
	int taken = 0, refused = 0;

	for (int i = 0; i < PAYLOADS; i++) {
		struct str body = pack(&mk, random_payload(&mk));
		size_t room = body.len + 100;
		uint8_t *bytes = make(&mk, 1, room);

		for (int k = 0; k < DAMAGES_EACH; k++) {
			size_t len = body.len;
			bool good;

			memcpy(bytes, body.p, body.len);
			for (uint64_t strokes = 1 + unit_random_below(&mk.r, 3); strokes; strokes--)
				len = damage(&mk, bytes, len, room);
			good = must_agree((struct str){(char *)bytes, len});
			taken += good;
			refused += !good;
		}
		arena_clear(&mk.arena);
	}
	ck_assert_int_gt(taken, PAYLOADS * DAMAGES_EACH / 10);
	ck_assert_int_gt(refused, PAYLOADS * DAMAGES_EACH / 10);
	arena_fini(&mk.arena);
}
END_TEST

/* The same payload as JSON. What is left out in one is left out in the other; what is not finite is a number that is too large. */
static void json_double(struct buf *out, const char *name, double v)
{
	if (!isfinite(v))
		buf_printf(out, ",\"%s\":%s1e999", name, v < 0 ? "-" : "");
	else
		buf_printf(out, ",\"%s\":%.17g", name, v);
}

static void json_counts(struct buf *out, const char *name, const uint64_t *counts, size_t n)
{
	buf_printf(out, ",\"%s\":[", name);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%llu", i ? "," : "", (unsigned long long)counts[i]);
	buf_printf(out, "]");
}

static void json_histogram(struct buf *out, const pb_histogram *h)
{
	buf_printf(out, ",\"histogram\":{\"zero\":%llu,\"offset\":%d,\"neg_offset\":%d", (unsigned long long)h->zero, h->offset,
		   h->neg_offset);
	if (h->has_scale_case)
		buf_printf(out, ",\"scale\":%d", h->scale);
	json_counts(out, "counts", h->counts, h->n_counts);
	json_counts(out, "neg_counts", h->neg_counts, h->n_neg_counts);
	buf_printf(out, "}");
}

static void json_point(struct buf *out, const pb_point *pt)
{
	buf_printf(out, "{\"unknown\":null");
	if (pt->t)
		buf_printf(out, ",\"t\":%lld", (long long)pt->t);
	if (pt->has_v_case)
		json_double(out, "v", pt->v);
	if (pt->count)
		buf_printf(out, ",\"count\":%llu", (unsigned long long)pt->count);
	if (pt->has_sum_case)
		json_double(out, "sum", pt->sum);
	if (pt->has_min_case)
		json_double(out, "min", pt->min);
	if (pt->has_max_case)
		json_double(out, "max", pt->max);
	if (pt->has_last_case)
		json_double(out, "last", pt->last);
	if (pt->last_at)
		buf_printf(out, ",\"last_at\":%lld", (long long)pt->last_at);
	if (pt->histogram)
		json_histogram(out, pt->histogram);
	buf_printf(out, "}");
}

static void json_metric(struct buf *out, const pb_metric *m)
{
	static const char *const kinds[] = {"", "counter", "gauge", "distribution", "4", "5"};

	buf_printf(out, "{\"name\":\"%s\",\"kind\":\"%s\",\"tags\":{", m->name, kinds[m->kind]);
	for (size_t i = 0; i < m->n_tags; i++)
		buf_printf(out, "%s\"%s\":\"%s\"", i ? "," : "", m->tags[i]->key, m->tags[i]->value);
	buf_printf(out, "},\"points\":[");
	for (size_t i = 0; i < m->n_points; i++) {
		buf_printf(out, "%s", i ? "," : "");
		json_point(out, m->points[i]);
	}
	buf_printf(out, "]}");
}

static void json_bytes(struct buf *out, const ProtobufCBinaryData *bytes)
{
	for (size_t i = 0; i < bytes->len; i++)
		buf_printf(out, "%02x", bytes->data[i]);
}

static void json_identity(struct buf *out, const pb_payload *p)
{
	if (p->agent_id.len) {
		buf_printf(out, "\"agent_id\":\"");
		json_bytes(out, &p->agent_id);
		buf_printf(out, "\",");
	}
	if (p->seq)
		buf_printf(out, "\"seq\":%llu,", (unsigned long long)p->seq);
	if (p->floor)
		buf_printf(out, "\"floor\":%llu,", (unsigned long long)p->floor);
	if (p->created_at)
		buf_printf(out, "\"created_at\":%lld,", (long long)p->created_at);
	buf_printf(out, "\"host\":\"%s\",\"environment\":\"%s\"", p->host, p->environment);
}

/* A member behind another one; what is empty is left out. */
static void json_text(struct buf *out, const char *name, const char *z)
{
	if (*z)
		buf_printf(out, ",\"%s\":\"%s\"", name, z);
}

/* protobuf-c leaves out a -0, too. */
static void json_ms(struct buf *out, const char *name, double ms)
{
	if (ms != 0)
		json_double(out, name, ms);
}

static void json_time(struct buf *out, int64_t t_ms)
{
	buf_printf(out, "{\"unknown\":[{}]");
	if (t_ms)
		buf_printf(out, ",\"t\":%lld", (long long)t_ms);
}

static void json_tags(struct buf *out, const char *name, void *entries, size_t n)
{
	pb_tag **tags = entries;

	buf_printf(out, ",\"%s\":{", name);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s\"%s\":\"%s\"", i ? "," : "", tags[i]->key, tags[i]->value);
	buf_printf(out, "}");
}

static void json_error(struct buf *out, const pb_error *e)
{
	json_time(out, e->t);
	buf_printf(out, ",\"backtrace\":[");
	for (size_t i = 0; i < e->n_backtrace; i++) {
		const Millrace__Push__Frame *f = e->backtrace[i];

		buf_printf(out, "%s{\"line\":%u,\"in_app\":%s", i ? "," : "", f->line, f->in_app ? "true" : "false");
		json_text(out, "file", f->file);
		json_text(out, "function", f->function);
		buf_printf(out, "}");
	}
	buf_printf(out, "],\"breadcrumbs\":[");
	for (size_t i = 0; i < e->n_breadcrumbs; i++) {
		const Millrace__Push__Breadcrumb *b = e->breadcrumbs[i];

		buf_printf(out, "%s", i ? "," : "");
		json_time(out, b->t);
		json_text(out, "category", b->category);
		json_text(out, "action", b->action);
		json_text(out, "message", b->message);
		json_tags(out, "metadata", b->metadata, b->n_metadata);
		buf_printf(out, "}");
	}
	buf_printf(out, "]");
	json_text(out, "class", e->class_);
	json_text(out, "message", e->message);
	json_text(out, "action", e->action);
	json_text(out, "namespace", e->namespace_);
	json_tags(out, "params", e->params, e->n_params);
	json_tags(out, "tags", e->tags, e->n_tags);
	buf_printf(out, "}");
}

static void json_transaction(struct buf *out, const pb_transaction *t)
{
	json_time(out, t->t);
	json_tags(out, "tags", t->tags, t->n_tags);
	buf_printf(out, ",\"error\":%s,\"spans\":[", t->error ? "true" : "false");
	for (size_t i = 0; i < t->n_spans; i++) {
		const Millrace__Push__Span *s = t->spans[i];

		buf_printf(out, "%s{\"name\":\"%s\"", i ? "," : "", s->name);
		json_text(out, "id", s->id);
		json_text(out, "parent_id", s->parent_id);
		json_ms(out, "start_ms", s->start_ms);
		json_ms(out, "duration_ms", s->duration_ms);
		json_tags(out, "tags", s->tags, s->n_tags);
		buf_printf(out, "}");
	}
	buf_printf(out, "]");
	json_text(out, "id", t->id);
	json_text(out, "action", t->action);
	json_text(out, "namespace", t->namespace_);
	json_ms(out, "duration_ms", t->duration_ms);
	json_ms(out, "queue_ms", t->queue_ms);
	buf_printf(out, "}");
}

static void json_marker(struct buf *out, const pb_marker *m)
{
	json_time(out, m->t);
	json_text(out, "revision", m->revision);
	json_text(out, "user", m->user);
	json_text(out, "text", m->text);
	buf_printf(out, "}");
}

static void json_check_in(struct buf *out, const pb_check_in *c)
{
	static const char *const kinds[] = {"", "cron", "heartbeat", "sundial"};
	static const char *const events[] = {"", "start", "finish", "beat", "Beat"};

	json_time(out, c->t);
	json_text(out, "name", c->name);
	json_text(out, "kind", kinds[c->kind]);
	json_text(out, "event", events[c->event]);
	buf_printf(out, "}");
}

/* One list of events, a member behind another one. */
#define JSON_EVENTS(out, p, list, json_one)                      \
	do {                                                     \
		buf_printf((out), ",\"" #list "\":[");           \
		for (size_t i = 0; i < (p)->n_##list; i++) {     \
			buf_printf((out), "%s", i ? "," : "");   \
			json_one((out), (p)->list[i]);           \
		}                                                \
		buf_printf((out), "]");                          \
	} while (0)

static void json_events(struct buf *out, const pb_payload *p)
{
	JSON_EVENTS(out, p, check_ins, json_check_in);
	JSON_EVENTS(out, p, errors, json_error);
	JSON_EVENTS(out, p, markers, json_marker);
	JSON_EVENTS(out, p, transactions, json_transaction);
}

static void json_payload(struct buf *out, const pb_payload *p)
{
	buf_printf(out, "{");
	json_identity(out, p);
	buf_printf(out, ",\"metrics\":[");
	for (size_t i = 0; i < p->n_metrics; i++) {
		buf_printf(out, "%s", i ? "," : "");
		json_metric(out, p->metrics[i]);
	}
	buf_printf(out, "],\"truncated\":[");
	for (size_t i = 0; i < p->n_truncated; i++) {
		buf_printf(out, "%s{\"agent_id\":\"", i ? "," : "");
		json_bytes(out, &p->truncated[i]->agent_id);
		buf_printf(out, "\",\"from_seq\":%llu,\"to_seq\":%llu,\"samples\":%llu,\"attempted\":%s}",
			   (unsigned long long)p->truncated[i]->from_seq, (unsigned long long)p->truncated[i]->to_seq,
			   (unsigned long long)p->truncated[i]->samples, p->truncated[i]->attempted ? "true" : "false");
	}
	buf_printf(out, "]");
	json_events(out, p);
	buf_printf(out, "}");
}

START_TEST(both_formats_mean_the_same)
{
	struct maker mk = {.r = unit_random_new("push_pb and push_json")};

	for (int i = 0; i < PAYLOADS; i++) {
		pb_payload *p = random_payload(&mk);
		struct buf json = BUF_INIT;

		json_payload(&json, p);
		must_be_equal(pack(&mk, p), push_pb_parse, buf_str(&json), push_json_parse);
		buf_fini(&json);
		arena_clear(&mk.arena);
	}
	arena_fini(&mk.arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("push_pb_oracle");
	TCase *tc = tcase_create("push_pb_oracle");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, random_payloads_mean_the_same);
	tcase_add_test(tc, another_legal_order_means_the_same);
	tcase_add_test(tc, two_histograms_are_one);
	tcase_add_test(tc, every_prefix_means_the_same);
	tcase_add_test(tc, damaged_payloads_mean_the_same);
	tcase_add_test(tc, both_formats_mean_the_same);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
