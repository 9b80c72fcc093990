/* fuzz_push_pb.c - any body at all: what the decoder makes of it is what protobuf-c makes of it (tests/unit/ingest/pb_oracle.h), and
 * nothing is lost on the way (fuzz_payload.h).
 *
 * Mutations know the format: a field is put, taken or doubled at some depth, and the lengths around it are written anew; bytes alone
 * would hardly ever leave a message whole. */
#include "tests/fuzz/fuzz_payload.h"

#include "ingest/push_pb.h"
#include "tests/unit/ingest/payload_equal.h"
#include "tests/unit/ingest/pb_oracle.h"

#define WORD(literal) {(literal), sizeof(literal) - 1}

/* Fields of any of the messages: most numbers mean something in each. */
static const struct str words[] = {
	WORD("\x0a\x01m"), WORD("\x0a\x02\x0a\x00"), WORD("\x10\x01"), WORD("\x10\x02"), WORD("\x10\x03"),
	WORD("\x1a\x06\x0a\x01\x61\x12\x01\x62"), WORD("\x22\x09\x11\0\0\0\0\0\0\xf0\x3f"),
	WORD("\x22\x07\x08\xe0\xfb\xfe\xf4\x9f\x34"), WORD("\x11\0\0\0\0\0\0\xf0\x3f"), WORD("\x18\x04"),
	WORD("\x21\0\0\0\0\0\0\x24\x40"), WORD("\x29\0\0\0\0\0\0\xf0\x3f"), WORD("\x31\0\0\0\0\0\0\x10\x40"),
	WORD("\x39\0\0\0\0\0\0\x00\x40"), WORD("\x40\xe0\xfb\xfe\xf4\x9f\x34"), WORD("\x08\xe0\xfb\xfe\xf4\x9f\x34"),
	WORD("\x4a\x06\x08\x0a\x22\x02\x01\x03"), WORD("\x22\x02\x01\x03"), WORD("\x20\x04"), WORD("\x32\x01\x04"),
	WORD("\x08\x0a"), WORD("\x28\x0d"), WORD("\x12\x10" "0123456789abcdef"), WORD("\x18\x07"), WORD("\x20\x05"),
	WORD("\x28\xe0\xfb\xfe\xf4\x9f\x34"), WORD("\x32\x04host"), WORD("\x3a\x02\xc3\xa4"), WORD("\x52\x00"),
	WORD("\x6a\x02\xff\xff"), WORD("\x4a\x18\x0a\x10" "0123456789abcdef\x10\x01\x18\x02\x20\x03"),
	WORD("\x0a\x10" "0123456789abcdef"), WORD("\x28\x01"), WORD("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
	WORD("\x18\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), WORD("\x9b\x06\x08\x01\x9c\x06"), WORD("\x98\x06\x80\x00"),
	WORD("\x52\x03\x12\x01" "E"), WORD("\x5a\x03\x1a\x01" "a"), WORD("\x62\x03\x12\x01r"), WORD("\x6a\x07\x12\x01n\x18\x01\x20\x01"),
	WORD("\x22\x07\x0a\x01" "f\x10\x07\x20\x01"), WORD("\x4a\x08\x22\x01m\x2a\x03\x0a\x01k"), WORD("\x4a\x05\x32\x03\x0a\x01k"),
	WORD("\x42\x03\x0a\x01k"), WORD("\x29\0\0\0\0\0\0\xf8\x7f"), WORD("\x9a\x06\x00"), WORD("\x9d\x06\0\0\0\0"), WORD("\x99\x06\0\0\0\0\0\0\0\0"), WORD("\x0a\x02\xed\xa0"),
};

static uint64_t pick(uint64_t *seed, uint64_t n)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 33) % n;
}

/* What comes of the one field that was chosen, [at, end). */
static void strike_field(const uint8_t *at, const uint8_t *end, uint64_t *seed, struct buf *out)
{
	struct str word = words[pick(seed, sizeof(words) / sizeof(words[0]))];
	uint64_t how = pick(seed, 5);

	if (how <= 2) /* put before it, or in its place */
		buf_add(out, word.p, word.len);
	if (how != 2 && how != 3)
		buf_add(out, at, (size_t)(end - at));
	if (how == 4)
		buf_add(out, at, (size_t)(end - at));
}

/* One stroke on a message: on one of its fields, or further in, or at its end. What is malformed goes. */
static void strike(const uint8_t *at, const uint8_t *end, const ProtobufCMessageDescriptor *m, uint64_t *seed, struct buf *out)
{
	const uint8_t *value, *next = at;
	uint64_t nr = 0, chosen, key, length;

	for (; next < end && (value = oracle_key(next, end, &key)) && (value = oracle_value_end(key, value, end, 0)); next = value)
		nr++;
	end = next;
	chosen = pick(seed, nr + 1);
	for (uint64_t i = 0; i < nr; i++, at = next) {
		const ProtobufCMessageDescriptor *inner;

		value = oracle_key(at, end, &key);
		next = oracle_value_end(key, value, end, 0);
		inner = (key & 7) == 2 ? oracle_message_of(m, key >> 3) : NULL;
		if (i == chosen && inner && pick(seed, 6)) {
			struct buf body = BUF_INIT;

			value = oracle_varint(value, end, &length);
			strike(value, next, inner, seed, &body);
			oracle_put_message(out, key >> 3, &body);
			buf_fini(&body);
		} else if (i == chosen) {
			strike_field(at, next, seed, out);
		} else {
			buf_add(out, at, (size_t)(next - at));
		}
	}
	if (chosen == nr)
		strike_field(end, end, seed, out);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct buf out = BUF_INIT;
	uint64_t state = seed;

	if (pick(&state, 4) == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	strike(data, data + size, &millrace__push__payload__descriptor, &state, &out);
	if (out.len <= max_size) {
		memcpy(data, buf_str(&out).p, out.len);
		size = out.len;
	}
	buf_fini(&out);
	return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena ours = {.limit_bytes = ARENA_BYTES}, theirs = ARENA_INIT;
	struct str body = {(const char *)data, size};
	struct payload p, q;
	struct refusal no = {.reason = NR_REASONS};
	int oracle;

	payload_init(&p, &ours, NOW_MS);
	payload_init(&q, &theirs, NOW_MS);
	oracle = oracle_parse(body, &q);
	if (push_pb_parse(body, &p, &no) < 0) {
		MUST(no.reason < NR_REASONS && reason_status(no.reason) >= 400);
		MUST(oracle < 0 || no.reason == REASON_BODY_TOO_LARGE || oracle_confirms(body, &no));
	} else {
		MUST(oracle == 0);
		sort_places(&p);
		sort_places(&q);
		MUST(!payload_difference(&p, &q));
		check_taken(&p);
	}
	arena_fini(&ours);
	arena_fini(&theirs);
	return 0;
}
