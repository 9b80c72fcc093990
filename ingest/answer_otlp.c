/* answer_otlp.c - see answer_otlp.h.
 *
 * Messages this small are written by hand: two fields, numbers 1 and 2, one of them inside another message at most. */
#include "ingest/answer_otlp.h"

#include "ingest/pb_wire.h"

enum { PLACES_MAX = 10 /* named in an error_message */ };

/* What was rejected, by the signal's name of it. */
static const char *const rejected_names[] = {
	[OTLP_METRICS] = "rejectedDataPoints",
	[OTLP_LOGS] = "rejectedLogRecords",
	[OTLP_TRACES] = "rejectedSpans",
};

/* google.rpc.Code, the one that stands for an HTTP status (google/rpc/code.proto says which do). */
static const struct {
	int status, code;
} codes[] = {{400, 3}, {401, 16}, {403, 7}, {404, 5}, {405, 12}, {413, 8}, {415, 3}, {429, 8}, {503, 14}};

static int code_of(int status)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].status == status)
			return codes[i].code;
	return 2; /* UNKNOWN */
}

static void add_varint(struct buf *out, uint64_t n)
{
	uint8_t byte;

	for (; n >= 0x80; n >>= 7) {
		byte = (uint8_t)(n | 0x80);
		buf_add(out, &byte, 1);
	}
	byte = (uint8_t)n;
	buf_add(out, &byte, 1);
}

static void add_bytes(struct buf *out, uint32_t field, const struct buf *bytes)
{
	add_varint(out, PB_KEY(field, PB_LEN));
	add_varint(out, bytes->len);
	buf_add(out, bytes->p, bytes->len);
	out->failed |= buf_failed(bytes);
}

/* A message {1: number, 2: text}. */
static void add_message(struct buf *out, uint64_t number, const struct buf *text)
{
	add_varint(out, PB_KEY(1, PB_VARINT));
	add_varint(out, number);
	add_bytes(out, 2, text);
}

/* The first of the places and reasons, and how many there are. */
static void add_reasons(struct buf *out, const struct payload *p)
{
	for (size_t i = 0; i < p->rejections_len && i < PLACES_MAX; i++) {
		buf_add(out, ", ", i ? 2 : 0);
		answer_add_place(out, &p->rejections[i]);
		buf_printf(out, ": %s", reason_name(p->rejections[i].reason));
	}
	if (p->rejections_len > PLACES_MAX)
		buf_printf(out, ", and others; %llu in all", (unsigned long long)p->rejected);
}

/* Spans are what clients of traces count: where only exceptions of theirs were rejected, none of them was, and the message is a warning. */
void answer_otlp_accept(struct buf *out, const struct answer_form *form, const struct payload *p)
{
	struct buf text = BUF_INIT, partial = BUF_INIT;
	uint64_t rejected = p->rejected - p->rejected_inner;

	if (p->rejected)
		add_reasons(&text, p);
	if (form->protobuf && p->rejected) {
		add_message(&partial, rejected, &text);
		add_bytes(out, 1, &partial);
	} else if (p->rejected) { /* int64 is a string in proto3's JSON */
		buf_printf(out, "{\"partialSuccess\": {\"%s\": \"%llu\", \"errorMessage\": \"" STR_FMT "\"}}\n", rejected_names[form->signal],
			   (unsigned long long)rejected, STR_ARG(buf_str(&text)));
	} else if (!form->protobuf) {
		buf_printf(out, "{}\n");
	}
	out->failed |= buf_failed(&text);
	buf_fini(&partial);
	buf_fini(&text);
}

void answer_otlp_refuse(struct buf *out, const struct answer_form *form, int status, enum reason reason, struct str detail)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "%s: ", reason_name(reason));
	answer_add_text(&text, detail);
	if (form->protobuf) {
		add_message(out, (uint64_t)code_of(status), &text);
	} else {
		buf_printf(out, "{\"code\": %d, \"message\": ", code_of(status));
		answer_add_json(out, buf_str(&text));
		buf_printf(out, "}\n");
	}
	out->failed |= buf_failed(&text);
	buf_fini(&text);
}
