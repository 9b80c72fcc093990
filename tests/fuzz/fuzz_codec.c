/* fuzz_codec.c - any bytes into every generated decoder.
 *
 * The first byte picks the schema, the rest is a body. The properties, beyond not crashing: memory stays within a multiple of
 * the input; and what decodes, encodes to something that decodes to the same again. Values are compared by their encodings,
 * as the encoder has only one form for a value while the input may be any of many (long varints, odd blocks). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schemas/schemas.h"

enum { MEMORY_FACTOR = 64, MEMORY_BASE = 1024, STRUCT_MAX_BYTES = 1024 };

struct schema {
	const char *name;
	uint32_t id;
	size_t size_bytes;
	int (*decode)(struct str message, struct arena *arena, void *out, struct err *err);
	int (*encode)(const void *v, struct buf *out, struct err *err);
};

#define WRAPPERS(name, NAME) \
	static int decode_##name(struct str message, struct arena *arena, void *out, struct err *err) \
	{ \
		return name##_decode(message, arena, out, err); \
	} \
	static int encode_##name(const void *v, struct buf *out, struct err *err) \
	{ \
		return name##_encode(v, out, err); \
	}
SCHEMAS_FOR_EACH(WRAPPERS)

#define ROW(name, NAME) {#name, NAME##_SCHEMA_ID, sizeof(struct name), decode_##name, encode_##name},
static const struct schema schemas[] = {SCHEMAS_FOR_EACH(ROW)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void broken(const struct schema *schema, const char *what, const struct err *err)
{
	fprintf(stderr, "%s: %s: %s\n", schema->name, what, err->msg);
	abort();
}

/* Decodes message, which must be good unless the bytes are foreign, and appends its encoding to out. */
static bool decode_and_encode(const struct schema *schema, struct str message, bool foreign, struct buf *out)
{
	struct arena arena = {.limit_bytes = MEMORY_FACTOR * message.len + MEMORY_BASE};
	_Alignas(max_align_t) uint8_t v[STRUCT_MAX_BYTES];
	struct err err = ERR_INIT;
	bool good = schema->decode(message, &arena, v, &err) == 0;

	if (!good && (!foreign || err.kind != ERR_REJECT))
		broken(schema, foreign ? "neither value nor rejected" : "does not decode what it encoded", &err);
	if (good && schema->encode(v, out, &err) < 0)
		broken(schema, "does not encode what it decoded", &err);
	arena_fini(&arena);
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct schema *schema = &schemas[size ? data[0] % (sizeof(schemas) / sizeof(schemas[0])) : 0];
	struct buf message = BUF_INIT, once = BUF_INIT, twice = BUF_INIT;
	struct err err = ERR_INIT;

	if (schema->size_bytes > STRUCT_MAX_BYTES)
		broken(schema, "struct larger than STRUCT_MAX_BYTES", &err);
	codec_write_header(&message, schema->id);
	if (size > 1)
		buf_add(&message, data + 1, size - 1);
	if (decode_and_encode(schema, buf_str(&message), true, &once)) {
		decode_and_encode(schema, buf_str(&once), false, &twice);
		if (!str_eq(buf_str(&once), buf_str(&twice)))
			broken(schema, "decodes to another value the second time", &err);
	}
	buf_fini(&message);
	buf_fini(&once);
	buf_fini(&twice);
	return 0;
}
