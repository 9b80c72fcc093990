/* push_json.c - see push_json.h.
 *
 * yajl's callbacks walk the grammar of push_json_nodes.h. Each value meets the field it belongs to: stored where the types
 * agree, refused where not, and passed over where nobody wants it; inside of that, only the depth is counted. So it is inside of what is taken
 * as its text: a nested value of an event's params.
 *
 * yajl itself is as strict as it comes (no comments, no trailing text, strings validated), and numbers are taken as text. What it
 * lets through all the same, half surrogate pairs, is refused before it sees the body. A callback returns 0 to end the parse, with
 * the refusal set; yajl then reports that we cancelled, which is told apart from an error of syntax. */
#include "ingest/push_json.h"

#include "ingest/json_text.h"
#include "ingest/push_json_events.h"

/* A value of the innermost node is done with. */
static int advance(struct parser *p)
{
	node_top(p)->index++;
	return 1;
}

/* The field a scalar may be stored to. NULL with *rc set when there is nothing to store: skipped, or refused. */
static const struct node_field *scalar_field(struct parser *p, int *rc)
{
	const struct node_field *f;

	*rc = 1;
	if (p->skipped)
		return NULL;
	if (p->frames_len == 0) {
		*rc = node_refuse_type(p, WANT_OBJECT);
		return NULL;
	}
	f = node_expected(p);
	if (!f)
		*rc = advance(p);
	return f;
}

/* A value that is taken as its text, whatever it is. */
static int add_text(struct parser *p, struct str text)
{
	return json_event_add_text(p, text) && advance(p);
}

/* Null is nothing: allowed for a field and a tag, which are left out then, but not for an element, as its place would be lost. */
static int on_null(void *ctx)
{
	struct parser *p = ctx;
	int rc;
	const struct node_field *f = scalar_field(p, &rc);

	if (!f)
		return rc;
	if (!f->name && !node_is_map(node_top(p)->node))
		return node_refuse_type(p, f->want);
	if (f->name)
		node_top(p)->nulls |= node_bit(node_top(p)->node, f);
	return advance(p);
}

static int on_boolean(void *ctx, int value)
{
	struct parser *p = ctx;
	int rc;
	const struct node_field *f = scalar_field(p, &rc);

	if (!f)
		return rc;
	if (f->want != WANT_BOOLEAN)
		return f->want == WANT_TEXT ? add_text(p, value ? STR("true") : STR("false")) : node_refuse_type(p, f->want);
	*(bool *)node_place(p, f) = value != 0;
	return advance(p);
}

static int on_number(void *ctx, const char *text, size_t len)
{
	struct parser *p = ctx;
	int rc;
	const struct node_field *f = scalar_field(p, &rc);
	struct str number = {text, len};
	int64_t n;

	if (!f)
		return rc;
	if (f->want == WANT_NUMBER)
		return json_number_double(number, p->payload->arena, node_place(p, f)) == 0 ? advance(p) : node_refuse_size(p);
	if (f->want != WANT_INTEGER || json_number_int(number, &n) < 0)
		return f->want == WANT_TEXT ? add_text(p, number) : node_refuse_type(p, f->want);
	if (node_top(p)->node == NODE_COUNTS)
		return node_add_count(p, n) && advance(p);
	*(int64_t *)node_place(p, f) = n;
	return advance(p);
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
	struct parser *p = ctx;
	struct str s = {(const char *)text, len};
	int rc;
	const struct node_field *f = scalar_field(p, &rc);

	if (!f)
		return rc;
	if (f->want != WANT_STRING)
		return f->want == WANT_TEXT ? add_text(p, s) : node_refuse_type(p, f->want);
	if (node_top(p)->node == NODE_TAGS)
		return node_add_tag(p, s) && advance(p);
	return node_keep(p, s, node_place(p, f)) ? advance(p) : node_refuse_size(p);
}

/* An object (want WANT_OBJECT) or an array begins. */
static int on_open(struct parser *p, enum want is)
{
	const struct node_field *f;

	if (++p->depth > PUSH_JSON_DEPTH_MAX) {
		refuse(p->no, REASON_NESTING_TOO_DEEP, "more than %d objects and arrays in one another", PUSH_JSON_DEPTH_MAX);
		return 0;
	}
	if (p->skipped) {
		p->skipped++;
		return 1;
	}
	if (p->frames_len == 0)
		return is == WANT_OBJECT ? node_open(p, NODE_ROOT) : node_refuse_type(p, WANT_OBJECT);
	f = node_expected(p);
	if (!f || f->want == WANT_TEXT) {
		p->skipped = 1;
		p->text_wanted = f != NULL;
		p->text_at = yajl_get_bytes_consumed(p->yajl) - 1; /* the bracket is read */
		return 1;
	}
	return f->want == is ? node_open(p, f->child) : node_refuse_type(p, f->want);
}

/* What was passed over has ended; where a text is wanted, it is one as it stands in the body. */
static int close_skipped(struct parser *p)
{
	struct str text;

	if (--p->skipped)
		return 1;
	if (!p->text_wanted)
		return advance(p);
	text = (struct str){p->body.p + p->text_at, yajl_get_bytes_consumed(p->yajl) - p->text_at};
	return json_text_plain(p->payload->arena, &text) == 0 ? add_text(p, text) : node_refuse_size(p);
}

/* An object or array ends: one that was skipped, or the innermost node. */
static int on_close(void *ctx)
{
	struct parser *p = ctx;

	p->depth--;
	if (p->skipped)
		return close_skipped(p);
	if (!node_close(p))
		return 0;
	p->frames_len--;
	return p->frames_len ? advance(p) : 1;
}

static int on_start_map(void *ctx)
{
	return on_open(ctx, WANT_OBJECT);
}

static int on_start_array(void *ctx)
{
	return on_open(ctx, WANT_ARRAY);
}

/* Two fields of one name mean two writers, and no rule says which one is right. Of fields we do not know, nobody cares. */
static int on_map_key(void *ctx, const unsigned char *text, size_t len)
{
	struct parser *p = ctx;
	struct str key = {(const char *)text, len};
	struct frame *f;
	uint32_t bit;

	if (p->skipped)
		return 1;
	f = node_top(p);
	if (node_is_map(f->node))
		return node_keep(p, key, &p->tag_key) ? 1 : node_refuse_size(p);
	f->field = node_find(f->node, key);
	if (!f->field)
		return 1;
	bit = node_bit(f->node, f->field);
	if (f->seen & bit)
		return node_refuse(p, "this field stands there twice");
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

int push_json_parse(struct str body, struct payload *p, struct refusal *no)
{
	struct parser parser = {.body = body, .payload = p, .no = no};
	int rc = json_text_parse(body, &callbacks, &parser, &parser.yajl, no);

	if (rc < 0)
		node_note_sender(&parser);
	return rc;
}
