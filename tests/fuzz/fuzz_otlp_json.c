/* fuzz_otlp_json.c - any body at all as OTLP in JSON: refused by a reason, or made a message that is well-formed to its leaves.
 *
 * The first byte chooses the signal. What is taken is walked by the same tables, but with the reader of protobuf: each field is known, has its wire type and
 * ends where its message ends, text is UTF-8, no field but a list stands there twice, and of a oneof one at most. A limit of exactly its size
 * changes nothing, one byte less refuses it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/otlp_json.h"
#include "ingest/otlp_json_schema.h"
#include "ingest/pb_wire.h"

#define MUST(what) \
	do {       \
		if (!(what)) \
			abort(); \
	} while (0)

enum { ROOM_BYTES = 32 << 20 };

/* What libFuzzer calls, and what it offers. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static const char *const words[] = {
	"{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\",\"gauge\":{\"dataPoints\":[{\"asInt\":\"7\"}]}}]}]}]}",
	"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"x\"}}]}]}]}",
	"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"5B8EFFF798038103D269B633813FC60C\",\"kind\":2}]}]}]}",
	"\"resource\":{\"attributes\":[", "{\"key\":\"a\",\"value\":{\"intValue\":\"-1\"}},", "\"arrayValue\":{\"values\":[{\"boolValue\":true},{}]},",
	"\"kvlistValue\":{\"values\":[{\"key\":\"b\"}]},", "\"bytesValue\":\"AAE=\",", "\"doubleValue\":\"-Infinity\",", "\"sum\":{\"isMonotonic\":true,",
	"\"histogram\":{\"dataPoints\":[{\"bucketCounts\":[\"1\",2],\"explicitBounds\":[0.5]}]},", "\"aggregationTemporality\":2,",
	"\"exponentialHistogram\":{\"dataPoints\":[{\"scale\":-3,\"positive\":{\"offset\":1,\"bucketCounts\":[1,300]}}]},", "\"asDouble\":1e300,",
	"\"summary\":{\"dataPoints\":[{\"quantileValues\":[{\"quantile\":0.5,\"value\":1}]}]},", "\"time_unix_nano\":18446744073709551615,",
	"\"events\":[{\"name\":\"exception\"}],", "\"status\":{\"code\":\"STATUS_CODE_ERROR\"},", "\"severityNumber\":17,", "\"links\":[{}],",
	"\"flags\":4294967295,", "null", "[", "]", "{", "}", ",", "\"\"", "\\ud83d\\ude00", "\\u0000", "\"unknown\":[{\"a\":[]}],", "1.0e3",
};

/* Puts a word somewhere, over what stands there or in between. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	const char *word = words[seed / 8 % (sizeof(words) / sizeof(words[0]))];
	size_t n = strlen(word), at = size ? seed / 1024 % (size + 1) : 0;

	if (seed % 8 > 2 || size + n > max_size)
		return LLVMFuzzerMutate(data, size, max_size);
	if (seed % 8 == 0 && at + n <= size) {
		memcpy(data + at, word, n);
		return size;
	}
	memmove(data + at + n, data + at, size - at);
	memcpy(data + at, word, n);
	return size + n;
}

static bool is_fixed(enum otlp_json_type type)
{
	return type == TYPE_FIXED64 || type == TYPE_SFIXED64 || type == TYPE_DOUBLE;
}

static enum pb_type wire_type(const struct otlp_json_field *f)
{
	if (f->repeated || f->type == TYPE_MESSAGE || f->type <= TYPE_HEX)
		return PB_LEN;
	return is_fixed(f->type) ? PB_I64 : f->type == TYPE_FIXED32 ? PB_I32 : PB_VARINT;
}

static const struct otlp_json_field *field_of(const struct otlp_json_message *m, uint64_t number)
{
	for (size_t i = 0; i < m->nr; i++)
		if (m->fields[i].number == number)
			return &m->fields[i];
	return NULL;
}

static void walk_numbers(const struct otlp_json_field *f, const uint8_t *at, const uint8_t *end)
{
	while (at < end) {
		struct pb_read n = is_fixed(f->type) ? pb_read_fixed64(at, end) : pb_read_varint(at, end);

		MUST(n.at);
		at = n.at;
	}
}

static void walk(const struct otlp_json_message *m, const uint8_t *at, const uint8_t *end)
{
	uint32_t seen = 0;
	bool chosen = false;

	while (at < end) {
		struct pb_read key = pb_read_key(at, end), next;
		const struct otlp_json_field *f;
		uint32_t bit;

		MUST(key.at);
		f = field_of(m, key.value >> 3);
		MUST(f && (key.value & 7) == wire_type(f));
		bit = UINT32_C(1) << (f - m->fields);
		MUST((f->repeated && f->type == TYPE_MESSAGE) || !(seen & bit));
		seen |= bit;
		MUST(!f->choice || !chosen);
		chosen |= f->choice;
		if (wire_type(f) != PB_LEN) {
			next = pb_skip((uint32_t)key.value, key.at, end);
			MUST(next.at);
			at = next.at;
			continue;
		}
		next = pb_read_length(key.at, end);
		MUST(next.at);
		at = next.at + next.value;
		if (f->type == TYPE_MESSAGE)
			walk(f->message, next.at, at);
		else if (f->repeated)
			walk_numbers(f, next.at, at);
		else
			MUST(f->type != TYPE_STRING || str_is_utf8((struct str){(const char *)next.at, next.value}));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum otlp_signal signal = size ? data[0] % 3 : 0;
	struct str body = {(const char *)data + (size > 0), size - (size > 0)};
	struct buf out = BUF_INIT, same = BUF_INIT;
	struct refusal no = {.reason = NR_REASONS};

	if (otlp_json_transcode(signal, body, &out, ROOM_BYTES, &no) < 0) {
		MUST(no.reason < NR_REASONS && reason_status(no.reason) == 400);
	} else if (out.len) {
		walk(otlp_json_request(signal), out.p, out.p + out.len);
		MUST(otlp_json_transcode(signal, body, &same, out.len, &no) == 0 && str_eq(buf_str(&same), buf_str(&out)));
		MUST(otlp_json_transcode(signal, body, &same, out.len - 1, &no) < 0 && no.reason == REASON_INFLATED_TOO_LARGE);
	}
	buf_fini(&out);
	buf_fini(&same);
	return 0;
}
