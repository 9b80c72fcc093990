/* otlp_error.c - see otlp_error.h.
 *
 * The text of a backtrace is what grouping lives on. Where there is none, code.* may say at least where the record was made. */
#include "ingest/otlp_error.h"

#include <stdlib.h>

#include "ingest/backtrace.h"

#define PREFIX "exception."

enum { LINE_DIGITS_MAX = 9 };

/* The value of a key that stands there; empty when it does not. */
static struct str value_of(const struct tag *attributes, size_t len, const char *key)
{
	const struct str *value = otlp_attribute(&(struct otlp_attributes){.tags = (struct tag *)attributes, .len = len}, key);

	return value ? *value : STR("");
}

static struct str either(struct str a, struct str b)
{
	return a.len ? a : b;
}

bool otlp_is_exception(const struct tag *attributes, size_t len)
{
	return value_of(attributes, len, PREFIX "type").len || value_of(attributes, len, PREFIX "message").len;
}

size_t otlp_params_add(struct tag *params, size_t len, const struct tag *attributes, size_t attributes_len)
{
	for (size_t i = 0; i < attributes_len && len < OTLP_PARAMS_MAX; i++) {
		struct str key = attributes[i].key;

		if (!str_take(&key, PREFIX))
			len = otlp_tags_add(params, len, OTLP_PARAMS_MAX, attributes[i]);
	}
	return len;
}

static int32_t line_of(struct str digits)
{
	int64_t line;

	return digits.len <= LINE_DIGITS_MAX && str_take_int(&digits, &line) && digits.len == 0 && line > 0 ? (int32_t)line : 0;
}

/* One frame, of code.*: the names of now, and those before them. */
static int add_frame(struct arena *arena, const struct otlp_exception *x, struct error_detail *error)
{
	const struct tag *a = x->attributes;
	size_t n = x->attributes_len;
	struct backtrace_frame frame = {.file = either(value_of(a, n, "code.file.path"), value_of(a, n, "code.filepath")),
					.line = line_of(either(value_of(a, n, "code.line.number"), value_of(a, n, "code.lineno"))),
					.function = either(value_of(a, n, "code.function.name"), value_of(a, n, "code.function")),
					.in_app = true};

	if (!frame.file.len && !frame.function.len)
		return 0;
	error->backtrace = arena_alloc_raw(arena, sizeof(frame));
	if (!error->backtrace)
		return -1;
	error->backtrace[0] = frame;
	error->backtrace_len = 1;
	return 0;
}

static int add_backtrace(struct arena *arena, const struct otlp_exception *x, struct error_detail *error)
{
	struct str text = value_of(x->attributes, x->attributes_len, PREFIX "stacktrace");

	if (text.len && backtrace_parse(text, arena, &error->backtrace, &error->backtrace_len) < 0)
		return -1;
	return error->backtrace_len ? 0 : add_frame(arena, x, error);
}

static int add_params(struct arena *arena, const struct otlp_exception *x, struct error_detail *error)
{
	size_t max = x->attributes_len + x->more_len;

	error->params = arena_alloc_raw(arena, (max < OTLP_PARAMS_MAX ? max : OTLP_PARAMS_MAX) * sizeof(*error->params));
	if (!error->params)
		return -1;
	error->params_len = otlp_params_add(error->params, 0, x->attributes, x->attributes_len);
	error->params_len = otlp_params_add(error->params, error->params_len, x->more, x->more_len);
	return 0;
}

int otlp_add_exception(struct payload *p, const struct otlp_rules *rules, const struct otlp_exception *x)
{
	struct payload_event e = {.kind = PAYLOAD_ERROR, .list = x->list, .index = x->index, .has_t = x->has_t};
	struct error_detail *error = &e.event.error;

	e.event.t = x->t_ms;
	e.event.action = x->action;
	e.event.namespace = x->namespace;
	e.event.has_error = true;
	error->class = either(value_of(x->attributes, x->attributes_len, PREFIX "type"), STR("exception"));
	error->message = either(value_of(x->attributes, x->attributes_len, PREFIX "message"), x->body);
	error->breadcrumbs = x->breadcrumbs ? x->breadcrumbs : arena_alloc_raw(p->arena, 0); /* event.c counts from its end */
	error->breadcrumbs_len = x->breadcrumbs_len;
	if (!error->breadcrumbs || otlp_scope_describe(x->scope, rules, p, x->tags, x->tags_len, &e) < 0 || add_params(p->arena, x, error) < 0 ||
	    add_backtrace(p->arena, x, error) < 0)
		return -1;
	return event_add(p, &e);
}
