/* otlp_json.c - see otlp_json.h.
 *
 * yajl's callbacks walk the tables of otlp_json_schema.h, and each value goes to the output as it is met: key, then value, behind a length where the
 * type has one. An object's length is known when it ends; room is left for it when it begins. Nothing else is kept of the body, so a
 * transcoding needs no memory but its output.
 *
 * Invariants:
 *  I1  An object's frame has its message's table. A list's frame has its field. A frame's field is set before any value is met in an
 *      object, as JSON has no value without a key; NULL is a name that nobody knows.
 *  I2  Containers that are open are frames, or inside of what is skipped: depth = frames_len + skipped, so the stack's size bounds the depth. */
#include "ingest/otlp_json.h"

#include "ingest/json_text.h"
#include "ingest/otlp_json_schema.h"
#include "ingest/otlp_json_wire.h"

enum { PATH_BYTES_ENOUGH = 200 }; /* a deep path ends here, so that what follows it is seen */

struct frame {
	const struct otlp_json_message *message; /* NULL: a list */
	const struct otlp_json_field *field;     /* the last key; a list's own */
	uint32_t seen;                           /* an object's fields that stood there, by row */
	bool chosen;                             /* one of its oneof is set */
	size_t index;                            /* a list's elements so far */
	size_t length_at;                        /* where its length goes; 0: it has none, as neither a list of messages nor a request has */
};

struct parser {
	const struct otlp_json_message *request;
	struct wire wire;
	struct refusal *no;
	struct frame frames[OTLP_JSON_DEPTH_MAX];
	unsigned frames_len;
	unsigned skipped; /* containers open inside of what nobody wants */
};

static struct frame *top(struct parser *p)
{
	return &p->frames[p->frames_len - 1];
}

/* Appends where the parser stands, as "resourceMetrics[3].resource.attributes[0].key", without its end when it is long. */
static void write_path(const struct parser *p, struct buf *out)
{
	for (unsigned i = 0; i < p->frames_len && out->len < PATH_BYTES_ENOUGH; i++) {
		const struct frame *f = &p->frames[i];

		if (!f->message)
			buf_printf(out, "[%zu]", f->index);
		else if (f->field)
			buf_printf(out, "%s%s", i ? "." : "", f->field->name);
	}
}

/* Always 0, which ends the parse. */
static int refuse_place(struct parser *p, const char *what, const char *more)
{
	struct buf path = BUF_INIT;

	write_path(p, &path);
	refuse(p->no, REASON_BAD_PAYLOAD, STR_FMT "%s%s%s", STR_ARG(buf_str(&path)), path.len ? ": " : "", what, more);
	buf_fini(&path);
	return 0;
}

static int refuse_type(struct parser *p, const char *wanted)
{
	return refuse_place(p, wanted, " is expected");
}

/* Goes on when a write has ended well; else ends the parse. */
static int go_on(struct parser *p, enum wire_end end, const struct otlp_json_field *field)
{
	switch (end) {
	case WIRE_DONE:
		return 1;
	case WIRE_WRONG:
		return refuse_type(p, wire_wants(field->type));
	case WIRE_NO_ROOM:
		refuse(p->no, REASON_INFLATED_TOO_LARGE, "in protobuf, this body has more than %zu bytes", p->wire.max_bytes);
		return 0;
	case WIRE_NO_MEMORY:
		refuse(p->no, REASON_OVER_BUDGET, "out of memory for a body in JSON");
		return 0;
	}
	return 0;
}

/* A value of the innermost container is done with. */
static int advance(struct parser *p)
{
	top(p)->index++;
	return 1;
}

/* The field that a value other than null belongs to. NULL with *rc set when there is nothing to write: skipped, or refused. */
static const struct otlp_json_field *field_of_value(struct parser *p, bool is_list, int *rc)
{
	struct frame *f;

	*rc = 1;
	if (p->skipped)
		return NULL;
	if (p->frames_len == 0) {
		*rc = refuse_type(p, "an object");
		return NULL;
	}
	f = top(p);
	if (!f->field)
		return NULL;
	if (f->message && f->field->repeated != is_list) {
		*rc = refuse_type(p, is_list ? wire_wants(f->field->type) : "an array");
		return NULL;
	}
	if (f->message && f->field->choice && f->chosen) {
		*rc = refuse_place(p, "another of these fields is set, of which one may be", "");
		return NULL;
	}
	f->chosen |= f->field->choice;
	return f->field;
}

/* Null is nothing: allowed for a field, which is left out then, but not for an element, as its place would be lost. */
static int on_null(void *ctx)
{
	struct parser *p = ctx;

	if (p->skipped)
		return 1;
	if (p->frames_len == 0)
		return refuse_type(p, "an object");
	return top(p)->message ? 1 : refuse_type(p, wire_wants(top(p)->field->type));
}

/* The field a scalar is to be written to, its key already there: but for a packed list's elements, which have none. */
static const struct otlp_json_field *begin_scalar(struct parser *p, int *rc)
{
	const struct otlp_json_field *f = field_of_value(p, false, rc);

	if (!f || !top(p)->message)
		return f;
	*rc = go_on(p, wire_put_key(&p->wire, f), f);
	return *rc ? f : NULL;
}

static int end_scalar(struct parser *p, const struct otlp_json_field *f, enum wire_end end)
{
	return go_on(p, end, f) && advance(p);
}

static int on_boolean(void *ctx, int value)
{
	struct parser *p = ctx;
	int rc;
	const struct otlp_json_field *f = begin_scalar(p, &rc);

	return f ? end_scalar(p, f, wire_put_boolean(&p->wire, f, value != 0)) : rc;
}

static int on_number(void *ctx, const char *text, size_t len)
{
	struct parser *p = ctx;
	int rc;
	const struct otlp_json_field *f = begin_scalar(p, &rc);

	return f ? end_scalar(p, f, wire_put_number(&p->wire, f, (struct str){text, len})) : rc;
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
	struct parser *p = ctx;
	int rc;
	const struct otlp_json_field *f = begin_scalar(p, &rc);

	return f ? end_scalar(p, f, wire_put_text(&p->wire, f, (struct str){(const char *)text, len})) : rc;
}

/* Pushes a frame, behind a key and room for a length where field is one that has them. */
static int open_frame(struct parser *p, const struct otlp_json_message *message, const struct otlp_json_field *field)
{
	struct frame f = {.message = message, .field = message ? NULL : field};
	enum wire_end end = WIRE_DONE;

	if (field && (message || field->type != TYPE_MESSAGE)) {
		end = wire_put_key(&p->wire, field);
		if (end == WIRE_DONE)
			end = wire_open(&p->wire, &f.length_at);
	}
	if (!go_on(p, end, field))
		return 0;
	p->frames[p->frames_len++] = f;
	return 1;
}

/* A container begins: one that is written, or else one that is skipped with all that is in it. */
static int on_open(struct parser *p, bool is_list)
{
	const struct otlp_json_field *f;
	int rc;

	if (p->frames_len + p->skipped == OTLP_JSON_DEPTH_MAX) {
		refuse(p->no, REASON_NESTING_TOO_DEEP, "more than %d objects and arrays in one another", OTLP_JSON_DEPTH_MAX);
		return 0;
	}
	if (p->frames_len == 0 && !is_list)
		return open_frame(p, p->request, NULL);
	f = field_of_value(p, is_list, &rc);
	if (!f) {
		p->skipped++;
		return rc;
	}
	if (is_list)
		return top(p)->message ? open_frame(p, NULL, f) : refuse_type(p, wire_wants(f->type));
	return f->type == TYPE_MESSAGE ? open_frame(p, f->message, f) : refuse_type(p, wire_wants(f->type));
}

static int on_close(void *ctx)
{
	struct parser *p = ctx;

	if (p->skipped) {
		p->skipped--;
		return 1;
	}
	if (top(p)->length_at)
		wire_close(&p->wire, top(p)->length_at);
	p->frames_len--;
	return p->frames_len ? advance(p) : 1;
}

static int on_start_map(void *ctx)
{
	return on_open(ctx, false);
}

static int on_start_array(void *ctx)
{
	return on_open(ctx, true);
}

/* Two fields of one name mean two writers, and no rule says which one is right. Of fields we do not know, nobody cares. */
static int on_map_key(void *ctx, const unsigned char *text, size_t len)
{
	struct parser *p = ctx;
	struct frame *f;
	uint32_t bit;

	if (p->skipped)
		return 1;
	f = top(p);
	f->field = otlp_json_find(f->message, (struct str){(const char *)text, len});
	if (!f->field)
		return 1;
	bit = UINT32_C(1) << (f->field - f->message->fields);
	if (f->seen & bit)
		return refuse_place(p, "this field stands there twice", "");
	f->seen |= bit;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_start_map,
	.yajl_map_key = on_map_key,
	.yajl_end_map = on_close,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_close,
};

int otlp_json_transcode(enum otlp_signal signal, struct str body, struct buf *out, size_t max_bytes, struct refusal *no)
{
	struct parser p;

	p.request = otlp_json_request(signal);
	p.wire = (struct wire){out, max_bytes};
	p.no = no;
	p.frames_len = p.skipped = 0; /* frames are written before they are read: 8 KiB of zeroes are saved */
	buf_clear(out);
	return json_text_parse(body, &callbacks, &p, NULL, no);
}
