/* fuzz_otlp.h - what the targets of OTLP's traces and logs share: any body is refused by a reason, or its figures are in balance and what became events
 * goes the whole way (fuzz_payload.h).
 *
 * Mutations know the wire: a field is put, taken or doubled at some depth, and the lengths around it are written anew. What is a message is guessed:
 * bytes that are one. */
#ifndef MILLRACE_TESTS_FUZZ_OTLP_H
#define MILLRACE_TESTS_FUZZ_OTLP_H

#include "tests/fuzz/fuzz_payload.h"

#include "ingest/otlp.h"
#include "ingest/pb_wire.h"

#define WORD(literal) {(literal), sizeof(literal) - 1}
#define T_NS "\x00\x36\x30\x37\x7c\x96\xea\x18" /* 1795372011000000000 */
#define KEY_VALUE(number, size, key_size, key, value_size, value) number size "\x0a" key_size key "\x12" value_size value

/* Fields of any of the messages. */
static const struct str otlp_words[] = {
	WORD("\x0a\x10" "0123456789abcdef"), WORD("\x12\x08" "span0001"), WORD("\x22\x08" "span0001"), WORD("\x12\x08" "span0002"),
	WORD("\x22\x08" "span0002"), WORD("\x2a\x03GET"), WORD("\x30\x02"), WORD("\x30\x05"), WORD("\x30\x01"), WORD("\x39" T_NS), WORD("\x41" T_NS),
	WORD("\x09" T_NS), WORD("\x59" T_NS), WORD("\x7a\x02\x18\x02"), WORD("\x1a\x05" "ERROR"), WORD("\x12\x00"), WORD("\x0a\x00"), WORD("\x5a\x00"),
	WORD(KEY_VALUE("\x4a", "\x14", "\x0a", "http.route", "\x06", "\x0a\x04/u/x")), WORD(KEY_VALUE("\x4a", "\x07", "\x01", "k", "\x02", "\x18\x07")),
	WORD(KEY_VALUE("\x32", "\x16", "\x0e", "exception.type", "\x04", "\x0a\x02Ex")),
	WORD(KEY_VALUE("\x1a", "\x16", "\x0e", "exception.type", "\x04", "\x0a\x02Ex")),
	WORD(KEY_VALUE("\x0a", "\x14", "\x0c", "service.name", "\x04", "\x0a\x02sh")), WORD("\x2a\x05\x0a\x03" "abc"), WORD("\x2a\x04\x0a\x02\x18\x01"),
	WORD("\x2a\x02\x2a\x00"), WORD("\x32\x04\x0a\x02\x0a\x00"), WORD("\x21\0\0\0\0\0\0\xf0\x3f"), WORD("\x3a\x02\xff\x00"), WORD("\x98\x06\x05"),
	WORD("\x0a\x02\xed\xa0"),
};

static inline uint64_t otlp_pick(uint64_t *seed, uint64_t n)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 33) % n;
}

static inline void otlp_put_varint(struct buf *out, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_add(out, &(uint8_t){(uint8_t)(v | 0x80)}, 1);
	buf_add(out, &(uint8_t){(uint8_t)v}, 1);
}

/* The end of the field at, or NULL; *key is its key. */
static inline const uint8_t *otlp_field_end(const uint8_t *at, const uint8_t *end, uint32_t *key)
{
	struct pb_read read = pb_read_key(at, end);

	if (!read.at)
		return NULL;
	*key = (uint32_t)read.value;
	return pb_skip(*key, read.at, end).at;
}

static inline uint64_t otlp_count_fields(const uint8_t *at, const uint8_t *end)
{
	uint64_t nr = 0;
	uint32_t key;

	for (; at < end; nr++) {
		at = otlp_field_end(at, end, &key);
		if (!at)
			return 0;
	}
	return nr;
}

static inline void otlp_strike_field(const uint8_t *at, const uint8_t *end, uint64_t *seed, struct buf *out)
{
	struct str word = otlp_words[otlp_pick(seed, sizeof(otlp_words) / sizeof(otlp_words[0]))];
	uint64_t how = otlp_pick(seed, 5);

	if (how <= 2) /* put before it, or in its place */
		buf_add(out, word.p, word.len);
	if (how != 2 && how != 3)
		buf_add(out, at, (size_t)(end - at));
	if (how == 4)
		buf_add(out, at, (size_t)(end - at));
}

/* One stroke on a sound message: on one of its fields, or further in, or at its end. */
static inline void otlp_strike(const uint8_t *at, const uint8_t *end, uint64_t *seed, struct buf *out)
{
	uint64_t nr = otlp_count_fields(at, end), chosen = otlp_pick(seed, nr + 1);
	const uint8_t *next;
	uint32_t key = 0;

	for (uint64_t i = 0; i < nr; i++, at = next) {
		next = otlp_field_end(at, end, &key);
		if (i == chosen && (key & 7) == PB_LEN && otlp_pick(seed, 6)) {
			struct pb_read inner = pb_read_length(pb_read_key(at, end).at, end);
			struct buf body = BUF_INIT;

			if (inner.value && !otlp_count_fields(inner.at, next))
				otlp_strike_field(at, next, seed, out);
			else {
				otlp_strike(inner.at, next, seed, &body);
				otlp_put_varint(out, key);
				otlp_put_varint(out, body.len);
				buf_add(out, buf_str(&body).p, body.len);
			}
			buf_fini(&body);
		} else if (i == chosen) {
			otlp_strike_field(at, next, seed, out);
		} else {
			buf_add(out, at, (size_t)(next - at));
		}
	}
	if (chosen == nr)
		otlp_strike_field(end, end, seed, out);
}

static inline size_t otlp_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct buf out = BUF_INIT;
	uint64_t state = seed;

	if (otlp_pick(&state, 4) == 0 || (size && !otlp_count_fields(data, data + size)))
		return LLVMFuzzerMutate(data, size, max_size);
	otlp_strike(data, data + size, &state, &out);
	if (out.len <= max_size) {
		memcpy(data, buf_str(&out).p, out.len);
		size = out.len;
	}
	buf_fini(&out);
	return size;
}

/* Spans and records that became no event are accepted, too, and leave nothing behind; so they are taken off before all is checked. */
static inline void otlp_check(const uint8_t *data, size_t size,
			      int (*parse)(struct str, struct payload *, const struct otlp_rules *, struct refusal *))
{
	struct arena arena = {.limit_bytes = ARENA_BYTES};
	struct otlp_rules rules;
	struct payload p;
	struct refusal no = {.reason = NR_REASONS};
	uint64_t others;

	MUST(otlp_rules_read(&rules, "service.name,deployment.environment,host.name,tier") == 0);
	payload_init(&p, &arena, NOW_MS);
	if (parse((struct str){(const char *)data, size}, &p, &rules, &no) < 0) {
		MUST(no.reason < NR_REASONS && reason_status(no.reason) >= 400);
	} else {
		others = p.accepted - p.events_len;
		MUST(p.accepted >= p.events_len && p.ignored[PAYLOAD_IGNORED_SPAN] + p.ignored[PAYLOAD_IGNORED_LOG] <= others);
		p.accepted -= others;
		p.received -= others;
		check_taken(&p);
	}
	arena_fini(&arena);
}

#endif
