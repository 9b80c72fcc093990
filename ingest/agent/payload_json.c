/* payload_json.c - see payload_json.h.
 *
 * One walk over protobuf-c's descriptors instead of a function a message: what push.proto gains is printed without a change here. The
 * proto's rules for JSON (its opening comment): the same names and nesting, bytes as hex digits, maps as objects, what is left out in one
 * form is left out in the other. The walk is as deep as the schema, which does not contain itself. */
#include "ingest/agent/payload_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_gen.h>
#include <zstd.h>

#include "ingest/agent/envelope.h"
#include "pb/push.pb-c.h"

static void put_message(yajl_gen gen, const ProtobufCMessage *message);

static void put_text(yajl_gen gen, const char *text)
{
	yajl_gen_string(gen, (const unsigned char *)(text ? text : ""), text ? strlen(text) : 0);
}

/* By hand, as yajl has no unsigned numbers. */
static void put_unsigned(yajl_gen gen, uint64_t n)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRIu64, n);

	yajl_gen_number(gen, text, (size_t)len);
}

/* All bytes that push.proto has are agent_ids; of longer ones, which nobody makes, the beginning. */
static void put_bytes(yajl_gen gen, const ProtobufCBinaryData *bytes)
{
	char hex[2 * ENVELOPE_AGENT_ID_BYTES + 1];
	size_t len = bytes->len < ENVELOPE_AGENT_ID_BYTES ? bytes->len : ENVELOPE_AGENT_ID_BYTES;

	put_text(gen, str_hex(bytes->data, len, hex));
}

/* The numbers and types of protobuf-c's that push.proto uses. */
static size_t size_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_ENUM:
		return sizeof(int32_t);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 8; /* 64 bit numbers and pointers */
	}
}

/* An unknown number of an enum is a newer writer's. */
static void put_enum(yajl_gen gen, const ProtobufCFieldDescriptor *field, int number)
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(field->descriptor, number);

	put_text(gen, value ? value->name : "unknown");
}

static void put_value(yajl_gen gen, const ProtobufCFieldDescriptor *field, const void *at)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		put_message(gen, *(ProtobufCMessage *const *)at);
		return;
	case PROTOBUF_C_TYPE_STRING:
		put_text(gen, *(char *const *)at);
		return;
	case PROTOBUF_C_TYPE_BYTES:
		put_bytes(gen, at);
		return;
	case PROTOBUF_C_TYPE_BOOL:
		yajl_gen_bool(gen, *(const protobuf_c_boolean *)at != 0);
		return;
	case PROTOBUF_C_TYPE_ENUM:
		put_enum(gen, field, *(const int *)at);
		return;
	case PROTOBUF_C_TYPE_DOUBLE:
		yajl_gen_double(gen, *(const double *)at);
		return;
	case PROTOBUF_C_TYPE_UINT64:
		put_unsigned(gen, *(const uint64_t *)at);
		return;
	case PROTOBUF_C_TYPE_UINT32:
		put_unsigned(gen, *(const uint32_t *)at);
		return;
	case PROTOBUF_C_TYPE_INT64:
		yajl_gen_integer(gen, *(const int64_t *)at);
		return;
	default:
		yajl_gen_integer(gen, *(const int32_t *)at);
	}
}

static bool is_map(const ProtobufCFieldDescriptor *field)
{
	const ProtobufCMessageDescriptor *of = field->type == PROTOBUF_C_TYPE_MESSAGE ? field->descriptor : NULL;

	return of && of->n_fields == 2 && strcmp(of->fields[0].name, "key") == 0 && strcmp(of->fields[1].name, "value") == 0;
}

static void put_map(yajl_gen gen, const ProtobufCFieldDescriptor *field, ProtobufCMessage *const *entries, size_t nr)
{
	const ProtobufCMessageDescriptor *of = field->descriptor;

	yajl_gen_map_open(gen);
	for (size_t i = 0; i < nr; i++)
		for (size_t j = 0; j < 2; j++)
			put_text(gen, *(char *const *)((const char *)entries[i] + of->fields[j].offset));
	yajl_gen_map_close(gen);
}

static void put_list(yajl_gen gen, const ProtobufCFieldDescriptor *field, const char *items, size_t nr)
{
	yajl_gen_array_open(gen);
	for (size_t i = 0; i < nr; i++)
		put_value(gen, field, items + i * size_of(field->type));
	yajl_gen_array_close(gen);
}

/* What proto3 leaves out on the wire. */
static bool is_default(const ProtobufCFieldDescriptor *field, const void *at)
{
	static const char zeros[sizeof(ProtobufCBinaryData)] = {0};

	if (field->type == PROTOBUF_C_TYPE_STRING)
		return !*(char *const *)at || !**(char *const *)at;
	if (field->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)at)->len == 0;
	return memcmp(at, zeros, size_of(field->type)) == 0;
}

static bool is_there(const ProtobufCFieldDescriptor *field, const void *message, const void *at)
{
	const void *quantifier = (const char *)message + field->quantifier_offset;

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)quantifier > 0;
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)quantifier == field->id;
	return !is_default(field, at);
}

static void put_message(yajl_gen gen, const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *of = message->descriptor;

	yajl_gen_map_open(gen);
	for (unsigned i = 0; i < of->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &of->fields[i];
		const char *at = (const char *)message + field->offset;

		if (!is_there(field, message, at))
			continue;
		put_text(gen, field->name);
		if (field->label != PROTOBUF_C_LABEL_REPEATED)
			put_value(gen, field, at);
		else if (is_map(field))
			put_map(gen, field, *(ProtobufCMessage *const *const *)at, *(const size_t *)((const char *)message + field->quantifier_offset));
		else
			put_list(gen, field, *(const char *const *)at, *(const size_t *)((const char *)message + field->quantifier_offset));
	}
	yajl_gen_map_close(gen);
}

static void print(void *ctx, const char *text, size_t len)
{
	buf_add(ctx, text, len);
}

static int write_json(const Millrace__Push__Payload *payload, struct buf *out, struct err *err)
{
	yajl_gen gen = yajl_gen_alloc(NULL);

	if (!gen)
		return err_nomem(err, "JSON");
	yajl_gen_config(gen, yajl_gen_print_callback, print, out);
	yajl_gen_config(gen, yajl_gen_beautify, 1);
	yajl_gen_config(gen, yajl_gen_indent_string, "  ");
	put_message(gen, &payload->base);
	yajl_gen_free(gen);
	return buf_failed(out) ? err_nomem(err, "JSON") : 0;
}

int payload_json(struct str body, struct buf *out, struct err *err)
{
	unsigned long long size = ZSTD_getFrameContentSize(body.p, body.len);
	Millrace__Push__Payload *payload;
	uint8_t *message;
	int rc = -1;

	if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > PAYLOAD_JSON_MAX_BYTES)
		return err_set(err, ERR_REJECT, "a body that is no payload");
	message = malloc(size ? size : 1);
	if (!message)
		return err_nomem(err, "a payload");
	if (ZSTD_decompress(message, size, body.p, body.len) != size)
		err_set(err, ERR_REJECT, "a body that is no payload");
	else if (!(payload = millrace__push__payload__unpack(NULL, size, message)))
		err_set(err, ERR_REJECT, "a message that is no payload");
	else {
		rc = write_json(payload, out, err);
		millrace__push__payload__free_unpacked(payload, NULL);
	}
	free(message);
	return rc;
}
