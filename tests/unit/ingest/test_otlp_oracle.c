/* test_otlp_oracle.c - traces and logs of OTLP against protobuf-c and a naive model (otlp_oracle.h).
 *
 * Requests are random: few ids, so that spans are parents, doubles and circles of one another; attributes of all kinds, those that mean something
 * among them. Each is packed by protobuf-c, written anew with its fields in another order and unknown ones between them, and must come to the
 * same lines by the decoder and by the model; every prefix and every damage must come to an end, with its figures in balance. */
#include "ingest/otlp_logs.h"
#include "ingest/otlp_traces.h"
#include "tests/unit/ingest/otlp_oracle.h"

enum { REQUESTS = 1500, DAMAGES_EACH = 20, TEXT_BYTES = 40 };

struct maker {
	struct unit_random r;
	struct arena arena;
};

static void *make(struct maker *mk, size_t n, size_t size)
{
	void *p = arena_calloc(&mk->arena, n, size);

	ck_assert_ptr_nonnull(p);
	return p;
}

static uint64_t below(struct maker *mk, uint64_t n)
{
	return unit_random_below(&mk->r, n);
}

static bool one_in(struct maker *mk, uint64_t n)
{
	return below(mk, n) == 0;
}

static char *random_text(struct maker *mk)
{
	char *text = make(mk, 1, TEXT_BYTES);

	if (!one_in(mk, 8))
		snprintf(text, TEXT_BYTES, "t%u%s", (unsigned)below(mk, 20), one_in(mk, 5) ? "\xc3\xa4" : "");
	return text;
}

static ProtobufCBinaryData random_id(struct maker *mk, size_t len, unsigned kinds)
{
	ProtobufCBinaryData id = {len, make(mk, 1, len + 1)};

	memset(id.data, 'a' + (int)below(mk, kinds), len);
	if (one_in(mk, 60))
		id.len = below(mk, len + 2);
	return id;
}

/* Now and a little before; 0 now and then. */
static uint64_t random_time(struct maker *mk)
{
	return one_in(mk, 10) ? 0 : (uint64_t)(NOW_MS - 1000) * 1000000 + below(mk, 20) * 250000;
}

static Otlp__KeyValue **random_attributes(struct maker *mk, size_t *n, const char *const *keys, size_t nr_keys, int depth);

static Otlp__AnyValue *random_value(struct maker *mk, int depth)
{
	Otlp__AnyValue *v = make(mk, 1, sizeof(*v));
	static const char *const keys[] = {"x", "y", ""};

	otlp__any_value__init(v);
	v->value_case = (Otlp__AnyValue__ValueCase)(one_in(mk, 2) ? 1 : below(mk, depth ? 8 : 5));
	if (v->value_case == OTLP__ANY_VALUE__VALUE_STRING_VALUE)
		v->string_value = random_text(mk);
	if (v->value_case == OTLP__ANY_VALUE__VALUE_BOOL_VALUE)
		v->bool_value = one_in(mk, 2);
	if (v->value_case == OTLP__ANY_VALUE__VALUE_INT_VALUE)
		v->int_value = (int64_t)unit_random_next(&mk->r);
	if (v->value_case == OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE)
		v->double_value = (double)below(mk, 4000) / 8;
	if (v->value_case == OTLP__ANY_VALUE__VALUE_BYTES_VALUE)
		v->bytes_value = (ProtobufCBinaryData){3, (uint8_t *)(uintptr_t)"\xff\x00\x7f"};
	if (v->value_case == OTLP__ANY_VALUE__VALUE_ARRAY_VALUE) {
		v->array_value = make(mk, 1, sizeof(*v->array_value));
		otlp__array_value__init(v->array_value);
		v->array_value->n_values = below(mk, 3);
		v->array_value->values = make(mk, v->array_value->n_values, sizeof(*v->array_value->values));
		for (size_t i = 0; i < v->array_value->n_values; i++)
			v->array_value->values[i] = random_value(mk, depth - 1);
	}
	if (v->value_case == OTLP__ANY_VALUE__VALUE_KVLIST_VALUE) {
		v->kvlist_value = make(mk, 1, sizeof(*v->kvlist_value));
		otlp__key_value_list__init(v->kvlist_value);
		v->kvlist_value->values = random_attributes(mk, &v->kvlist_value->n_values, keys, NR(keys), depth - 1);
	}
	return v;
}

/* Some of the keys, each once. */
static Otlp__KeyValue **random_attributes(struct maker *mk, size_t *n, const char *const *keys, size_t nr_keys, int depth)
{
	Otlp__KeyValue **list = make(mk, nr_keys, sizeof(*list));
	uint64_t rarity = 1 + below(mk, 6);

	*n = 0;
	for (size_t i = 0; i < nr_keys; i++) {
		Otlp__KeyValue *kv = make(mk, 1, sizeof(*kv));

		if (!one_in(mk, rarity))
			continue;
		otlp__key_value__init(kv);
		kv->key = (char *)(uintptr_t)keys[i];
		kv->value = one_in(mk, 20) ? NULL : random_value(mk, depth);
		list[(*n)++] = kv;
	}
	return list;
}

static const char *const resource_keys[] = {"service.name", "host.name", "deployment.environment", "service.version", "tier", "action", "os"};
static const char *const span_keys[] = {"http.route", "http.request.method", "http.method", "user", "exception.type", "service.name", "job"};
static const char *const event_keys[] = {"exception.type", "exception.message", "exception.escaped", "code.function", "user", "k"};

static Otlp__Resource *random_resource(struct maker *mk)
{
	Otlp__Resource *r = make(mk, 1, sizeof(*r));

	otlp__resource__init(r);
	r->attributes = random_attributes(mk, &r->n_attributes, resource_keys, NR(resource_keys), 1);
	return one_in(mk, 5) ? NULL : r;
}

static Otlp__Scope *random_scope(struct maker *mk)
{
	Otlp__Scope *s = make(mk, 1, sizeof(*s));

	otlp__scope__init(s);
	s->name = random_text(mk);
	s->attributes = random_attributes(mk, &s->n_attributes, resource_keys, NR(resource_keys), 0);
	return one_in(mk, 3) ? NULL : s;
}

static Otlp__Event *random_event(struct maker *mk)
{
	Otlp__Event *e = make(mk, 1, sizeof(*e));

	otlp__event__init(e);
	e->name = random_text(mk);
	e->time_unix_nano = random_time(mk);
	e->attributes = random_attributes(mk, &e->n_attributes, event_keys, NR(event_keys), 1);
	return e;
}

static Otlp__Span *random_span(struct maker *mk)
{
	Otlp__Span *s = make(mk, 1, sizeof(*s));

	otlp__span__init(s);
	s->trace_id = random_id(mk, 16, 2);
	s->span_id = random_id(mk, 8, 12);
	if (!one_in(mk, 4))
		s->parent_span_id = random_id(mk, 8, 12);
	s->name = random_text(mk);
	s->kind = (int32_t)(one_in(mk, 2) ? 1 : below(mk, 7));
	s->start_time_unix_nano = (uint64_t)(NOW_MS - 1000) * 1000000 + below(mk, 20) * 250000;
	s->end_time_unix_nano = s->start_time_unix_nano + below(mk, 20) * 250000 - (one_in(mk, 30) ? 500000 : 0);
	s->attributes = random_attributes(mk, &s->n_attributes, span_keys, NR(span_keys), 1);
	s->n_events = one_in(mk, 3) ? below(mk, 5) : 0;
	s->events = make(mk, s->n_events, sizeof(*s->events));
	for (size_t i = 0; i < s->n_events; i++)
		s->events[i] = random_event(mk);
	if (one_in(mk, 2)) {
		s->status = make(mk, 1, sizeof(*s->status));
		otlp__status__init(s->status);
		s->status->code = (int32_t)below(mk, 4);
	}
	return s;
}

static Otlp__LogRecord *random_record(struct maker *mk)
{
	Otlp__LogRecord *r = make(mk, 1, sizeof(*r));

	otlp__log_record__init(r);
	r->time_unix_nano = random_time(mk);
	r->observed_time_unix_nano = random_time(mk);
	r->severity_text = random_text(mk);
	r->body = one_in(mk, 3) ? NULL : random_value(mk, 2);
	r->attributes = random_attributes(mk, &r->n_attributes, event_keys, NR(event_keys), 1);
	if (one_in(mk, 2))
		r->trace_id = random_id(mk, 16, 2);
	return r;
}

/* A list of n of what maker makes. */
#define RANDOM_LIST(mk, owner, field, count, maker)                                       \
	do {                                                                              \
		(owner)->n_##field = (count);                                             \
		(owner)->field = make(mk, (owner)->n_##field, sizeof(*(owner)->field));   \
		for (size_t nth_ = 0; nth_ < (owner)->n_##field; nth_++)                  \
			(owner)->field[nth_] = maker(mk);                                 \
	} while (0)

static Otlp__ScopeSpans *random_scope_spans(struct maker *mk)
{
	Otlp__ScopeSpans *s = make(mk, 1, sizeof(*s));

	otlp__scope_spans__init(s);
	s->scope = random_scope(mk);
	RANDOM_LIST(mk, s, spans, below(mk, 8), random_span);
	return s;
}

static Otlp__ResourceSpans *random_resource_spans(struct maker *mk)
{
	Otlp__ResourceSpans *r = make(mk, 1, sizeof(*r));

	otlp__resource_spans__init(r);
	r->resource = random_resource(mk);
	RANDOM_LIST(mk, r, scope_spans, below(mk, 3), random_scope_spans);
	return r;
}

static Otlp__ScopeLogs *random_scope_logs(struct maker *mk)
{
	Otlp__ScopeLogs *s = make(mk, 1, sizeof(*s));

	otlp__scope_logs__init(s);
	s->scope = random_scope(mk);
	RANDOM_LIST(mk, s, log_records, below(mk, 6), random_record);
	return s;
}

static Otlp__ResourceLogs *random_resource_logs(struct maker *mk)
{
	Otlp__ResourceLogs *r = make(mk, 1, sizeof(*r));

	otlp__resource_logs__init(r);
	r->resource = random_resource(mk);
	RANDOM_LIST(mk, r, scope_logs, below(mk, 3), random_scope_logs);
	return r;
}

/* Packed, in the maker's arena. */
static struct str pack(struct maker *mk, const ProtobufCMessage *m)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	uint8_t *body = make(mk, 1, len + 1);

	protobuf_c_message_pack(m, body);
	return (struct str){(const char *)body, len};
}

static struct str random_traces(struct maker *mk)
{
	Otlp__Traces m = OTLP__TRACES__INIT;

	RANDOM_LIST(mk, &m, resource_spans, below(mk, 4), random_resource_spans);
	return pack(mk, &m.base);
}

static struct str random_logs(struct maker *mk)
{
	Otlp__Logs m = OTLP__LOGS__INIT;

	RANDOM_LIST(mk, &m, resource_logs, below(mk, 4), random_resource_logs);
	return pack(mk, &m.base);
}

static const uint8_t *take_varint(const uint8_t *at, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0;; shift += 7) {
		*out |= (uint64_t)(*at & 0x7f) << shift;
		if (*at++ < 0x80)
			return at;
	}
}

static void put_varint(struct buf *out, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_add(out, &(uint8_t){(uint8_t)(v | 0x80)}, 1);
	buf_add(out, &(uint8_t){(uint8_t)v}, 1);
}

/* Behind a key of a sound message; *value is where a LEN's bytes begin. */
static const uint8_t *value_end(uint64_t key, const uint8_t *at, const uint8_t **value)
{
	uint64_t n;

	*value = at;
	if ((key & 7) == 1)
		return at + 8;
	at = take_varint(at, &n);
	if ((key & 7) == 0)
		return at;
	*value = at;
	return at + n;
}

static const ProtobufCMessageDescriptor *inner_of(const ProtobufCMessageDescriptor *m, uint64_t number)
{
	for (unsigned i = 0; i < m->n_fields; i++)
		if (m->fields[i].id == number && m->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
			return m->fields[i].descriptor;
	return NULL;
}

/* Fields of different numbers in another order, with unknown ones between them. */
static void rewrite(struct maker *mk, const uint8_t *in, const uint8_t *end, const ProtobufCMessageDescriptor *m, struct buf *out)
{
	static const char *const unknown[] = {"\x80\x07\x05", "\x82\x07\x01x", "\x81\x07" "12345678", "\x85\x07" "1234"}; /* 112 */
	uint64_t first = below(mk, 16), key;

	for (uint64_t turn = 0; turn < 16; turn++) {
		for (const uint8_t *at = in, *value, *begin; at < end;) {
			const ProtobufCMessageDescriptor *inner;

			begin = at;
			at = take_varint(at, &key);
			at = value_end(key, at, &value);
			if ((key >> 3 ^ first) % 16 != turn)
				continue;
			inner = inner_of(m, key >> 3);
			if (inner) {
				struct buf body = BUF_INIT;

				rewrite(mk, value, at, inner, &body);
				put_varint(out, key);
				put_varint(out, body.len);
				buf_add(out, buf_str(&body).p, body.len);
				buf_fini(&body);
			} else {
				buf_add(out, begin, (size_t)(at - begin));
			}
		}
		if (one_in(mk, 30))
			buf_add(out, unknown[turn % 4], strlen(unknown[turn % 4]));
	}
}

/* The two signals. */
static const struct signal {
	const char *name;
	struct str (*random)(struct maker *mk);
	int (*parse)(struct str body, struct payload *p, const struct otlp_rules *rules, struct refusal *no);
	const ProtobufCMessageDescriptor *message;
} signals[] = {
	{"otlp_traces", random_traces, otlp_traces_parse, &otlp__traces__descriptor},
	{"otlp_logs", random_logs, otlp_logs_parse, &otlp__logs__descriptor},
};

static struct buf model(const struct signal *signal, struct str body)
{
	ProtobufCMessage *m = protobuf_c_message_unpack(signal->message, NULL, body.len, (const uint8_t *)body.p);
	struct arena arena = ARENA_INIT;
	struct payload p;
	struct buf text;

	ck_assert_ptr_nonnull(m);
	payload_init(&p, &arena, NOW_MS);
	if (signal->message == &otlp__traces__descriptor)
		oracle_traces(&p, (const Otlp__Traces *)m);
	else
		oracle_logs(&p, (const Otlp__Logs *)m);
	text = text_payload(&p);
	protobuf_c_message_free_unpacked(m, NULL);
	arena_fini(&arena);
	return text;
}

/* Returns how many events it came to. */
static size_t must_agree(const struct signal *signal, struct str body)
{
	struct arena arena = {.limit_bytes = 16 << 20};
	struct payload p;
	struct refusal no;
	struct buf got, want = model(signal, body);

	ck_assert_msg(otlp_test_parse(body, &p, &arena, &no, signal->parse) == 0, "%s", no.detail);
	got = text_payload(&p);
	ck_assert_msg(strcmp((char *)got.p, (char *)want.p) == 0, "%s\nand not\n%s", (char *)got.p, (char *)want.p);
	buf_fini(&got);
	buf_fini(&want);
	arena_fini(&arena);
	return p.events_len;
}

START_TEST(random_requests_mean_the_same)
{
	const struct signal *signal = &signals[_i];
	struct maker mk = {.r = unit_random_new(signal->name)};
	size_t events = 0;

	for (int i = 0; i < REQUESTS; i++) {
		struct str body = signal->random(&mk);
		struct buf other = BUF_INIT;

		events += must_agree(signal, body);
		rewrite(&mk, (const uint8_t *)body.p, (const uint8_t *)body.p + body.len, signal->message, &other);
		must_agree(signal, buf_str(&other));
		buf_fini(&other);
		arena_clear(&mk.arena);
	}
	ck_assert_uint_gt(events, REQUESTS);
	arena_fini(&mk.arena);
}
END_TEST

/* At exactly its length, so that a sanitizer sees any byte read behind it. */
static void must_end(const struct signal *signal, struct str body)
{
	struct arena arena = {.limit_bytes = 16 << 20};
	char *exact = malloc(body.len ? body.len : 1);
	struct payload p;
	struct refusal no;

	memcpy(exact, body.p, body.len);
	if (otlp_test_parse((struct str){exact, body.len}, &p, &arena, &no, signal->parse) == 0)
		ck_assert_uint_eq(p.received, p.accepted + p.rejected);
	else
		ck_assert(no.reason == REASON_BAD_PROTOBUF || no.reason == REASON_NESTING_TOO_DEEP);
	free(exact);
	arena_fini(&arena);
}

START_TEST(prefixes_and_damages_come_to_an_end)
{
	const struct signal *signal = &signals[_i];
	struct maker mk = {.r = unit_random_new(signal->name)};

	for (int i = 0; i < REQUESTS / 10; i++) {
		struct str body = signal->random(&mk);
		char *bytes = make(&mk, 1, body.len + 1);

		for (int k = 0; k < DAMAGES_EACH && body.len; k++) {
			memcpy(bytes, body.p, body.len);
			must_end(signal, (struct str){bytes, below(&mk, body.len)});
			for (uint64_t n = 1 + below(&mk, 4); n; n--)
				bytes[below(&mk, body.len)] = (char)below(&mk, 256);
			must_end(signal, (struct str){bytes, body.len});
		}
		arena_clear(&mk.arena);
	}
	arena_fini(&mk.arena);
}
END_TEST

static Suite *otlp_oracle_suite(void)
{
	Suite *s = suite_create("otlp_oracle");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, random_requests_mean_the_same, 0, NR(signals));
	tcase_add_loop_test(tc, prefixes_and_damages_come_to_an_end, 0, NR(signals));
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return unit_main(otlp_oracle_suite());
}
