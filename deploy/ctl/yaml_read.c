/* yaml_read.c - see yaml_read.h.
 *
 * libyaml's events, one by one, so that whatever is refused is refused before it is built. Memory follows from the file's bytes: the least that makes a node
 * is two of them ("a,"), and a node is some hundred. The keys of a map are compared each with each; that they are few keeps it cheap.
 *
 * Invariants: a node hangs in the tree exactly when its key had not been there before; faults are sorted at all times, and beyond YAML_FAULTS_MAX the
 * first ones are kept. */
#include "deploy/ctl/yaml_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "deploy/ctl/printable.h"

enum { MESSAGE_MAX = 400, SHOWN_MAX = 60 };

struct builder {
	struct yaml_file *f;
	yaml_parser_t parser;
	struct yaml *open[YAML_DEPTH_MAX]; /* the maps and lists that are being read, outermost first */
	size_t depth;
	struct yaml *root;
	struct yaml key; /* of the value that comes next in the innermost map; text.p NULL: a key comes */
	bool done;       /* the document is */
};

static void put_fault(struct yaml_file *f, int line, int column, const char *text)
{
	size_t at = f->nr_faults < YAML_FAULTS_MAX ? f->nr_faults : YAML_FAULTS_MAX, end = at;

	while (at && (f->faults[at - 1].line > line || (f->faults[at - 1].line == line && f->faults[at - 1].column > column)))
		at--;
	f->nr_faults++;
	if (at == YAML_FAULTS_MAX)
		return;
	if (end == YAML_FAULTS_MAX)
		end--;
	memmove(&f->faults[at + 1], &f->faults[at], (end - at) * sizeof(f->faults[0]));
	f->faults[at] = (struct yaml_fault){line, column, text};
}

static void vfail(struct yaml_file *f, int line, int column, const char *fmt, va_list args)
{
	char text[MESSAGE_MAX];
	struct str copy;

	vsnprintf(text, sizeof(text), fmt, args);
	printable_trim(text);
	copy = arena_str(&f->arena, str_from(text));
	f->nomem |= !copy.p;
	put_fault(f, line, column, copy.p ? copy.p : "memory is short");
}

void yaml_fail(struct yaml_file *f, const struct yaml *at, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfail(f, at ? at->line : 1, at ? at->column : 1, fmt, args);
	va_end(args);
}

/* The document ends here: what follows would be about something else. */
static bool refuse(struct builder *b, yaml_mark_t mark, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static bool refuse(struct builder *b, yaml_mark_t mark, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfail(b->f, (int)mark.line + 1, (int)mark.column + 1, fmt, args);
	va_end(args);
	return false;
}

static bool nomem(struct yaml_file *f)
{
	f->nomem = true;
	return false;
}

static int line_of(struct str text, size_t offset)
{
	int line = 1;

	for (size_t i = 0; i < offset && i < text.len; i++)
		line += text.p[i] == '\n';
	return line;
}

/* What its words leave out: somebody has meant text. */
static const char *quotes_hint(const yaml_parser_t *p)
{
	if (p->context && strstr(p->context, "block scalar"))
		return ": text that begins with > or | belongs into quotes";
	if (p->context && (strstr(p->context, "anchor") || strstr(p->context, "alias")))
		return ": text that begins with & or * belongs into quotes";
	return strstr(p->problem, "cannot start any token") ? ": text that begins so belongs into quotes" : "";
}

/* libyaml's own words. Of bytes that are no text it knows the offset only. */
static bool fail_syntax(struct builder *b, struct str text)
{
	const yaml_parser_t *p = &b->parser;
	yaml_mark_t mark = p->problem_mark;

	if (p->error == YAML_MEMORY_ERROR || !p->problem)
		return nomem(b->f);
	if (p->error == YAML_READER_ERROR)
		return refuse(b, (yaml_mark_t){.line = (size_t)line_of(text, p->problem_offset) - 1}, "%s", p->problem);
	if (p->context && p->context_mark.line != mark.line)
		return refuse(b, mark, "%s, %s of line %zu%s", p->problem, p->context, p->context_mark.line + 1, quotes_hint(p));
	return refuse(b, mark, "%s%s%s%s", p->problem, p->context ? ", " : "", p->context ? p->context : "", quotes_hint(p));
}

static struct yaml *find_key(const struct yaml *map, struct str key)
{
	for (struct yaml *node = map->child; node; node = node->next)
		if (str_eq(node->key, key))
			return node;
	return NULL;
}

static void link_child(struct yaml *parent, struct yaml *node)
{
	if (parent->last)
		parent->last->next = node;
	else
		parent->child = node;
	parent->last = node;
	parent->nr++;
}

/* Hangs a node into the innermost map or list, or makes it the root. */
static bool hang(struct builder *b, struct yaml *node)
{
	struct yaml *parent = b->depth ? b->open[b->depth - 1] : NULL;
	const struct yaml *same;

	if (!parent) {
		b->root = node;
		return true;
	}
	if (parent->type == YAML_MAP) {
		node->key = b->key.text;
		same = find_key(parent, node->key);
		if (same)
			yaml_fail(b->f, &b->key, "%.*s stands there twice, first in line %d", SHOWN_MAX, node->key.p, same->line);
		b->key.text.p = NULL;
		if (same)
			return true;
	}
	link_child(parent, node);
	return true;
}

static bool wants_key(const struct builder *b)
{
	return b->depth && b->open[b->depth - 1]->type == YAML_MAP && !b->key.text.p;
}

static struct yaml new_node(enum yaml_type type, yaml_mark_t mark)
{
	return (struct yaml){.type = type, .line = (int)mark.line + 1, .column = (int)mark.column + 1};
}

static bool take_key(struct builder *b, struct yaml node)
{
	if (b->open[b->depth - 1]->nr == YAML_KEYS_MAX) {
		yaml_fail(b->f, &node, "a map has more than %d keys", YAML_KEYS_MAX);
		return false;
	}
	b->key = node;
	return true;
}

/* What a scalar is given by ! or & is refused: it changes what is meant, and where text was meant it lacks quotes. */
static bool take_scalar(struct builder *b, const yaml_event_t *e)
{
	struct yaml node = new_node(YAML_TEXT, e->start_mark), *copy;

	if (e->data.scalar.tag)
		return refuse(b, e->start_mark, "a tag (%.*s) is not read: text that begins with ! belongs into quotes", SHOWN_MAX,
			      (const char *)e->data.scalar.tag);
	if (e->data.scalar.anchor)
		return refuse(b, e->start_mark, "an anchor (&%.*s) is not read: text that begins with & belongs into quotes", SHOWN_MAX,
			      (const char *)e->data.scalar.anchor);
	node.plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node.text = arena_str(&b->f->arena, (struct str){(const char *)e->data.scalar.value, e->data.scalar.length});
	if (!node.text.p)
		return nomem(b->f);
	if (wants_key(b))
		return take_key(b, node);
	copy = arena_alloc(&b->f->arena, sizeof(*copy));
	if (!copy)
		return nomem(b->f);
	*copy = node;
	return hang(b, copy);
}

static bool open_node(struct builder *b, enum yaml_type type, yaml_mark_t mark, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	struct yaml *node = arena_alloc(&b->f->arena, sizeof(*node));

	if (!node)
		return nomem(b->f);
	if (anchor || tag)
		return refuse(b, mark, "%s is not read", anchor ? "an anchor (&)" : "a tag (!)");
	if (wants_key(b))
		return refuse(b, mark, "a key must be text");
	if (b->depth == YAML_DEPTH_MAX)
		return refuse(b, mark, "nested deeper than %d", YAML_DEPTH_MAX);
	*node = new_node(type, mark);
	if (!hang(b, node))
		return false;
	b->open[b->depth++] = node;
	return true;
}

static bool take_event(struct builder *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return !b->done || refuse(b, e->start_mark, "a second document begins here: one file, one document");
	case YAML_DOCUMENT_END_EVENT:
		return b->done = true;
	case YAML_ALIAS_EVENT:
		return refuse(b, e->start_mark, "an alias (*%.*s) is not read: text that begins with * belongs into quotes", SHOWN_MAX,
			      (const char *)e->data.alias.anchor);
	case YAML_SCALAR_EVENT:
		return take_scalar(b, e);
	case YAML_SEQUENCE_START_EVENT:
		return open_node(b, YAML_LIST, e->start_mark, e->data.sequence_start.anchor, e->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return open_node(b, YAML_MAP, e->start_mark, e->data.mapping_start.anchor, e->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		return true;
	default:
		return true;
	}
}

/* All events to the stream's end. */
static bool read_events(struct builder *b, struct str text)
{
	for (bool end = false; !end;) {
		yaml_event_t event;
		bool good;

		if (!yaml_parser_parse(&b->parser, &event))
			return fail_syntax(b, text);
		end = event.type == YAML_STREAM_END_EVENT;
		good = take_event(b, &event);
		yaml_event_delete(&event);
		if (!good)
			return false;
	}
	return true;
}

void yaml_parse(struct yaml_file *f, struct str text)
{
	struct builder b = {.f = f};

	*f = (struct yaml_file){.root = NULL};
	if (text.len > YAML_BYTES_MAX) {
		yaml_fail(f, NULL, "the file is larger than %d KiB", YAML_BYTES_MAX >> 10);
		return;
	}
	if (!yaml_parser_initialize(&b.parser)) {
		f->nomem = true;
		return;
	}
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)text.p, text.len);
	if (read_events(&b, text)) {
		f->root = b.root;
		if (!b.root)
			yaml_fail(f, NULL, "the file is empty");
	}
	yaml_parser_delete(&b.parser);
}

/* One value of a JSON tree. Its depth is bounded by JSON_DEPTH_MAX, so this may call itself. */
static struct yaml *convert(struct yaml_file *f, const struct json *from)
{
	struct yaml *node = arena_alloc(&f->arena, sizeof(*node));

	if (!node)
		return NULL;
	*node = (struct yaml){.line = from->line, .column = 1, .plain = from->type != JSON_TEXT};
	node->type = from->type == JSON_OBJECT ? YAML_MAP : from->type == JSON_ARRAY ? YAML_LIST : YAML_TEXT;
	node->key = arena_str(&f->arena, from->key);
	node->text = arena_str(&f->arena, from->type == JSON_NULL   ? STR("null")
				       : from->type == JSON_BOOL ? str_from(from->truth ? "true" : "false")
								 : from->text);
	if (!node->key.p || !node->text.p)
		return NULL;
	for (const struct json *child = from->child; child; child = child->next) {
		struct yaml *copy = convert(f, child);

		if (!copy)
			return NULL;
		if (node->type == YAML_MAP && find_key(node, copy->key))
			yaml_fail(f, copy, "%.*s stands there twice", SHOWN_MAX, copy->key.p);
		else
			link_child(node, copy);
	}
	return node;
}

void yaml_from_json(struct yaml_file *f, const struct json *node)
{
	*f = (struct yaml_file){.root = NULL};
	f->root = convert(f, node);
	f->nomem |= !f->root;
}

void yaml_fini(struct yaml_file *f)
{
	arena_fini(&f->arena);
	*f = (struct yaml_file){.root = NULL};
}

int yaml_ok(const struct yaml_file *f, const char *path, struct err *err)
{
	const struct yaml_fault *first = &f->faults[0];

	if (f->nomem)
		return err_nomem(err, "a YAML file");
	if (!f->nr_faults)
		return 0;
	if (f->nr_faults == 1)
		return err_set(err, ERR_REJECT, "%s:%d: %s", path, first->line, first->text);
	return err_set(err, ERR_REJECT, "%s:%d: %s (and %zu more)", path, first->line, first->text, f->nr_faults - 1);
}

void yaml_print_faults(const struct yaml_file *f, const char *path, FILE *out)
{
	size_t nr = f->nr_faults < YAML_FAULTS_MAX ? f->nr_faults : YAML_FAULTS_MAX;

	for (size_t i = 0; i < nr; i++) {
		char line[MESSAGE_MAX + 300];

		snprintf(line, sizeof(line), "%.256s:%d: %s", path, f->faults[i].line, f->faults[i].text);
		fprintf(out, "%s\n", printable(line));
	}
	if (f->nr_faults > nr)
		fprintf(out, "and %zu more\n", f->nr_faults - nr);
}
