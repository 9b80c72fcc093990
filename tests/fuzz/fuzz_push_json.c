/* fuzz_push_json.c - any body at all: decoded, judged and split without a crash, and nothing is lost on the way.
 *
 * The oracle is yajl's tree parser, which shares only the lexer with the decoder: for each body that is taken, the points and events
 * it finds by walking the tree must be the accepted and rejected samples (and see fuzz_payload.h).
 *
 * Mutations know the payload's words: bytes alone would take days to spell a metric that is good. */
#include "tests/fuzz/fuzz_payload.h"

#include <yajl/yajl_tree.h>

#include "ingest/push_json.h"

static const char *const words[] = {
	"{\"agent_id\":\"00112233445566778899aabbccddeeff\",\"seq\":7,\"floor\":5,\"created_at\":1795372012000,\"metrics\":[{\"name\":\"m\","
	"\"kind\":\"distribution\",\"tags\":{\"a\":\"b\"},\"points\":[{\"t\":1795372000000,\"v\":3.5},{\"count\":9,\"sum\":31.5,\"min\":3.4,"
	"\"max\":3.55,\"last\":3.5,\"histogram\":{\"scale\":5,\"zero\":0,\"offset\":56,\"counts\":[1,3,5]}}]}],\"errors\":[{}]}",
	("\"errors\":[{\"t\":1795372012000,\"class\":\"E\",\"message\":\"m\",\"backtrace\":[{\"file\":\"a.rb\",\"line\":7,\"function\":\"f\",\"in_app\":true}],"
	"\"action\":\"A#b\",\"namespace\":\"web\",\"tags\":{\"a\":1},\"params\":{\"q\":{\"r\":[1,null]}},\"breadcrumbs\":[{\"category\":\"c\",\"metadata\":{\"k\":\"v\"}}]}],"),
	"\"transactions\":[{\"action\":\"a\",\"duration_ms\":1.5,\"queue_ms\":0,\"error\":true,\"spans\":[{\"id\":\"1\",\"start_ms\":1,\"tags\":{\"a\":\"b\"}}]}],",
	"\"markers\":[{\"revision\":\"r\"}],", "\"check_ins\":[{\"name\":\"n\",\"kind\":\"cron\",\"event\":\"start\"}],", "{\"class\":\"E\"},", "{\"action\":\"a\"},",
	"\"backtrace\":[{\"line\":-1},{}],", "\"breadcrumbs\":[{},{}],", "\"spans\":[{},{\"tags\":{}}],", "\"params\":{\"a\":{},\"a\":[[]]},", "\"line\":7,", "\"class\":\"E\",",
	"{\"metrics\":[", "{\"name\":\"m\",\"kind\":\"gauge\",\"points\":[{\"v\":1}]},", "{\"v\":1},", "\"t\":1795372012000,", "\"name\":\"n\",",
	"\"kind\":\"counter\",", "\"tags\":{\"a\":\"b\",\"c\":\"d\"},", "\"points\":[", "\"histogram\":{\"scale\":5,\"counts\":[1]},",
	"\"neg_counts\":[1,2],", "\"neg_offset\":-3,", "{\"count\":1,\"sum\":1,\"min\":1,\"max\":1,\"last\":1},", "\"last_at\":1795372012000,",
	"\"truncated\":[{\"agent_id\":\"00112233445566778899aabbccddeeff\",\"from_seq\":1,\"to_seq\":2,\"samples\":3,\"attempted\":true}],",
	"\"errors\":[", "\"transactions\":[{}],", "\"markers\":[{}],", "\"check_ins\":[[]],", "\"unknown\":{\"a\":[1]},", "null", "true", "1e999",
	"9223372036854775807", "-9223372036854775808", "1.0e3", "\\ud83d\\ude00", "\\u0000", "]", "}", "]}]}", ",", "{", "[", "\"\"",
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

/* The last value of a key: the decoder refuses doubles of the keys that matter. */
static yajl_val find(yajl_val object, const char *key)
{
	yajl_val found = NULL;

	for (size_t i = 0; YAJL_IS_OBJECT(object) && i < object->u.object.len; i++)
		if (strcmp(object->u.object.keys[i], key) == 0)
			found = object->u.object.values[i];
	return found;
}

static size_t length(yajl_val list)
{
	return list && YAJL_IS_ARRAY(list) ? list->u.array.len : 0;
}

/* Points, metrics without points, and events. */
static size_t count_samples(yajl_val root)
{
	static const char *const events[] = {"errors", "transactions", "markers", "check_ins"};
	yajl_val metrics = find(root, "metrics");
	size_t n = 0;

	for (size_t i = 0; i < length(metrics); i++) {
		size_t points = length(find(metrics->u.array.values[i], "points"));

		n += points ? points : 1;
	}
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		n += length(find(root, events[i]));
	return n;
}

static void check_count(const uint8_t *data, size_t size, const struct payload *p)
{
	char *text = malloc(size + 1), why[128];
	yajl_val root;

	MUST(text);
	if (memmem(data, size, "\\u0000", 6)) { /* a tree's keys end there */
		free(text);
		return;
	}
	memcpy(text, data, size);
	text[size] = '\0';
	root = yajl_tree_parse(text, why, sizeof(why));
	if (root) { /* it refuses numbers that the decoder takes */
		MUST(p->received == count_samples(root));
		yajl_tree_free(root);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {.limit_bytes = ARENA_BYTES};
	struct str body = {(const char *)data, size};
	struct payload p;
	struct refusal no = {.reason = NR_REASONS};

	payload_init(&p, &arena, NOW_MS);
	if (push_json_parse(body, &p, &no) < 0) {
		MUST(no.reason < NR_REASONS && reason_status(no.reason) >= 400);
	} else {
		check_count(data, size, &p);
		check_taken(&p);
	}
	arena_fini(&arena);
	return 0;
}
