/* json_read.c - see json_read.h.
 *
 * Why not yajl_tree: its nodes know no lines, and it frees them by recursion, so that a file of a megabyte
 * of "[" ends the process. Here the depth is bounded while reading, nodes live in an arena, and add_path()
 * is the one recursion left.
 *
 * Invariants while the tree grows:
 *  I1  open is the innermost object or array that is not closed, or NULL outside of all; depth counts them.
 *  I2  key is the name for the next node when open is an object; yajl gives no value there without one.
 *  I3  A callback that returns 0 has set fault; yajl then stops and calls no other. */
#include "deploy/ctl/json_read.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_parse.h>

/* The tree while it grows. yajl calls back as it reads, so the line is that of the last byte it has
 * consumed. */
struct builder {
	yajl_handle yajl;
	struct arena *arena;
	struct str text;
	size_t counted; /* bytes whose newlines are in line */
	int line;
	struct json *root, *open; /* open: the innermost object or array */
	struct str key;
	int depth;
	const char *fault; /* why we stopped yajl ourselves */
};

/* The line yajl has read to: each newline of the text is counted once, however often this is asked. */
static int line_here(struct builder *b)
{
	size_t to = yajl_get_bytes_consumed(b->yajl);

	for (; b->counted < to && b->counted < b->text.len; b->counted++)
		b->line += b->text.p[b->counted] == '\n';
	return b->line;
}

/* Appends a node to what is open (I1). The root is the first node of all. */
static struct json *add_node(struct builder *b, enum json_type type)
{
	struct json *node = arena_alloc(b->arena, sizeof(*node)), *parent = b->open;

	if (!node) {
		b->fault = "the document is too large";
		return NULL;
	}
	node->type = type;
	node->line = line_here(b);
	node->parent = parent;
	if (!parent) {
		b->root = node;
		return node;
	}
	node->key = b->key;
	node->index = parent->nr++;
	if (parent->last)
		parent->last->next = node;
	else
		parent->child = node;
	parent->last = node;
	return node;
}

static int on_null(void *ctx)
{
	return add_node(ctx, JSON_NULL) != NULL;
}

static int on_bool(void *ctx, int truth)
{
	struct json *node = add_node(ctx, JSON_BOOL);

	if (node)
		node->truth = truth;
	return node != NULL;
}

static int set_text(struct builder *b, struct str *out, const void *bytes, size_t len)
{
	*out = arena_str(b->arena, (struct str){bytes, len});
	if (!out->p)
		b->fault = "the document is too large";
	return out->p != NULL;
}

static int on_number(void *ctx, const char *digits, size_t len)
{
	struct json *node = add_node(ctx, JSON_NUMBER);

	return node && set_text(ctx, &node->text, digits, len);
}

static int on_text(void *ctx, const unsigned char *bytes, size_t len)
{
	struct json *node = add_node(ctx, JSON_TEXT);

	return node && set_text(ctx, &node->text, bytes, len);
}

static int on_key(void *ctx, const unsigned char *bytes, size_t len)
{
	struct builder *b = ctx;

	return set_text(b, &b->key, bytes, len);
}

/* An object or array begins. The stale key is cleared, as elements of an array have none. */
static int open_node(struct builder *b, enum json_type type)
{
	struct json *node;

	if (b->depth == JSON_DEPTH_MAX) {
		b->fault = "nested too deeply";
		return 0;
	}
	node = add_node(b, type);
	if (!node)
		return 0;
	b->depth++;
	b->open = node;
	b->key = (struct str){0};
	return 1;
}

static int on_map(void *ctx)
{
	return open_node(ctx, JSON_OBJECT);
}

static int on_array(void *ctx)
{
	return open_node(ctx, JSON_ARRAY);
}

static int on_close(void *ctx)
{
	struct builder *b = ctx;

	b->depth--;
	b->open = b->open->parent;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null, .yajl_boolean = on_bool, .yajl_number = on_number, .yajl_string = on_text, .yajl_start_map = on_map,
	.yajl_map_key = on_key, .yajl_end_map = on_close, .yajl_start_array = on_array, .yajl_end_array = on_close};

/* yajl's message is its first line; its drawing of the place does not fit into one. */
static int syntax_error(struct builder *b, struct err *err)
{
	unsigned char *why;
	int line = line_here(b);

	if (b->fault)
		return err_set(err, ERR_REJECT, "line %d: %s", line, b->fault);
	why = yajl_get_error(b->yajl, 0, NULL, 0);
	err_set(err, ERR_REJECT, "line %d: %.*s", line, why ? (int)strcspn((const char *)why, "\n") : 7,
		why ? (const char *)why : "no JSON");
	if (why)
		yajl_free_error(b->yajl, why);
	return -1;
}

/* yajl calls an empty document a premature end, which would send a person looking for a missing bracket. */
static bool is_blank(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] != ' ' && text.p[i] != '\t' && text.p[i] != '\n' && text.p[i] != '\r')
			return false;
	return true;
}

int json_parse(struct str text, struct arena *arena, struct json **root, struct err *err)
{
	struct builder b = {.arena = arena, .text = text, .line = 1};
	int rc = -1;

	if (is_blank(text))
		return err_set(err, ERR_REJECT, "line 1: the document is empty");
	b.yajl = yajl_alloc(&callbacks, NULL, &b);
	if (!b.yajl)
		return err_nomem(err, "a JSON parser");
	if (yajl_parse(b.yajl, (const unsigned char *)text.p, text.len) != yajl_status_ok ||
	    yajl_complete_parse(b.yajl) != yajl_status_ok)
		syntax_error(&b, err);
	else
		rc = 0;
	yajl_free(b.yajl);
	if (rc == 0)
		*root = b.root;
	return rc;
}

/* Writes the way from the root to node: "sites[3].routes[0]". JSON_DEPTH_MAX bounds the recursion. */
static void add_path(const struct json *node, struct buf *out)
{
	if (!node->parent)
		return;
	add_path(node->parent, out);
	if (node->parent->type == JSON_ARRAY)
		buf_printf(out, "[%zu]", node->index);
	else
		buf_printf(out, "%s%.*s", out->len ? "." : "", (int)(node->key.len < 60 ? node->key.len : 60), node->key.p);
}

int json_wrap(const struct json *node, struct err *err)
{
	struct buf path = BUF_INIT;

	add_path(node, &path);
	err_wrap(err, "line %d%s" STR_FMT, node->line, path.len ? ", " : "", STR_ARG(buf_str(&path)));
	buf_fini(&path);
	return -1;
}

int json_fail(const struct json *node, struct err *err, const char *fmt, ...)
{
	char message[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	err_set(err, ERR_REJECT, "%s", message);
	return json_wrap(node, err);
}

int json_check_fields(const struct json *node, const char *const *fields, struct err *err)
{
	uint64_t seen = 0;

	if (node->type != JSON_OBJECT)
		return json_fail(node, err, "must be an object");
	for (const struct json *child = node->child; child; child = child->next) {
		size_t i = 0;

		while (fields[i] && !str_eq(child->key, str_from(fields[i])))
			i++;
		if (!fields[i])
			return json_fail(child, err, "there is no such field");
		if (seen & UINT64_C(1) << i)
			return json_fail(child, err, "stands there twice");
		seen |= UINT64_C(1) << i;
	}
	return 0;
}

const struct json *json_get(const struct json *object, const char *key)
{
	const struct json *child = object->child;

	while (child && !str_eq(child->key, str_from(key)))
		child = child->next;
	return child;
}

/* A field that must be there and of a type. */
static const struct json *demand(const struct json *object, const char *key, enum json_type type, const char *what, struct err *err)
{
	const struct json *node = json_get(object, key);

	if (!node) {
		json_fail(object, err, "has no field \"%s\"", key);
		return NULL;
	}
	if (node->type != type) {
		json_fail(node, err, "must be %s", what);
		return NULL;
	}
	return node;
}

int json_get_text(const struct json *object, const char *key, struct str *out, struct err *err)
{
	const struct json *node = demand(object, key, JSON_TEXT, "a text", err);

	if (!node)
		return -1;
	*out = node->text;
	return 0;
}

/* From the spelling, not from a double: epochs and times have more digits than a double keeps. */
int json_get_int(const struct json *object, const char *key, int64_t min, int64_t max, int64_t *out, struct err *err)
{
	const struct json *node = demand(object, key, JSON_NUMBER, "a number", err);
	long long number;
	char *end;

	if (!node)
		return -1;
	errno = 0;
	number = strtoll(node->text.p, &end, 10);
	if (errno || *end || number < min || number > max)
		return json_fail(node, err, "%.40s: must be a whole number from %lld to %lld", node->text.p, (long long)min,
				 (long long)max);
	*out = number;
	return 0;
}

int json_get_number(const struct json *object, const char *key, double *out, struct err *err)
{
	const struct json *node = demand(object, key, JSON_NUMBER, "a number", err);
	double number;

	if (!node)
		return -1;
	number = strtod(node->text.p, NULL);
	if (!isfinite(number))
		return json_fail(node, err, "%.40s is too large", node->text.p);
	*out = number;
	return 0;
}

int json_get_bool(const struct json *object, const char *key, bool *out, struct err *err)
{
	const struct json *node = demand(object, key, JSON_BOOL, "true or false", err);

	if (!node)
		return -1;
	*out = node->truth;
	return 0;
}

int json_get_array(const struct json *object, const char *key, const struct json **out, struct err *err)
{
	const struct json *node = demand(object, key, JSON_ARRAY, "an array", err);

	if (!node)
		return -1;
	*out = node;
	return 0;
}
