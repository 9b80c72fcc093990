/* log.c - see log.h.
 *
 * A line is put together on the stack and written at once, so that lines of several threads never mix and logging cannot fail for
 * want of memory. Invariants:
 *  I1  What goes into a line goes in as units (a character or its escape, a number, a piece of punctuation): a unit is there
 *      whole or not at all, so that a cut line is still well-formed in both formats.
 *  I2  LINE_RESERVE bytes at the end belong to what closes a line: at most one quotation mark (none can be opened once the
 *      reserve is reached), the mark of a cut, a brace and the newline. */
#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/str.h"

enum { LINE_BYTES = 8192, LINE_RESERVE = 32 };

struct line {
	char text[LINE_BYTES];
	size_t len;
	bool cut; /* something found no room; nothing is added after it */
	bool json;
};

static void line_add(struct line *l, const char *unit, size_t n)
{
	if (l->cut || l->len + n > sizeof(l->text) - LINE_RESERVE) {
		l->cut = true;
		return;
	}
	memcpy(l->text + l->len, unit, n);
	l->len += n;
}

/* Closing marks go into the reserve (I2). */
static void line_close(struct line *l, const char *mark)
{
	size_t n = strlen(mark);

	memcpy(l->text + l->len, mark, n);
	l->len += n;
}

/* Length of the well-formed UTF-8 sequence at s, or 0. */
static size_t sequence_length(struct str s)
{
	uint8_t first = (uint8_t)s.p[0];
	size_t n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

	return s.len >= n && str_is_utf8((struct str){s.p, n}) ? n : 0;
}

/* Control characters of ASCII and of Latin-1 (U+0080 to U+009F, which terminals obey too). */
static bool is_control(struct str sequence)
{
	uint8_t first = (uint8_t)sequence.p[0];

	if (sequence.len == 1)
		return first < 0x20 || first == 0x7f;
	return sequence.len == 2 && first == 0xc2 && (uint8_t)sequence.p[1] < 0xa0;
}

/* The short escape of a character that both formats share, or NULL. */
static const char *short_escape(char c)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return NULL;
	}
}

/* Two bytes at most: a control character of Latin-1 is one unit (I1). */
static void line_add_bytes_hex(struct line *l, struct str s)
{
	char unit[sizeof("\\xNN\\xNN")];
	size_t n = 0;

	for (size_t i = 0; i < s.len && i < 2; i++)
		n += (size_t)snprintf(unit + n, sizeof(unit) - n, "\\x%02x", (uint8_t)s.p[i]);
	line_add(l, unit, n);
}

static void line_add_control(struct line *l, struct str s)
{
	char unit[8];

	if (l->json) /* U+0080 to U+009F are C2 80 to C2 9F: the last byte is the code point */
		line_add(l, unit, (size_t)snprintf(unit, sizeof(unit), "\\u%04x", (uint8_t)s.p[s.len - 1]));
	else
		line_add_bytes_hex(l, s);
}

/* One character of a quoted string; returns how many bytes of s it took. */
static size_t line_add_char(struct line *l, struct str s)
{
	size_t n = sequence_length(s);
	const char *escape = short_escape(s.p[0]);

	if (n == 0) {
		if (l->json)
			line_add(l, "\\ufffd", 6);
		else
			line_add_bytes_hex(l, (struct str){s.p, 1});
		return 1;
	}
	if (escape)
		line_add(l, escape, strlen(escape));
	else if (is_control((struct str){s.p, n}))
		line_add_control(l, (struct str){s.p, n});
	else
		line_add(l, s.p, n);
	return n;
}

/* So that a reader may split a line at blanks and at the first '=' of each piece, and no value looks like a second field. */
static bool needs_quotes(struct str s)
{
	size_t n;

	for (size_t at = 0; at < s.len; at += n) {
		struct str rest = {s.p + at, s.len - at};

		n = sequence_length(rest);
		if (n == 0 || is_control((struct str){rest.p, n}) || strchr(" \"=\\", rest.p[0]))
			return true;
	}
	return s.len == 0;
}

static void line_add_string(struct line *l, const char *text)
{
	struct str s = str_from(text);
	bool quoted = l->json || needs_quotes(s);

	if (quoted)
		line_add(l, "\"", 1);
	if (l->cut)
		return;
	for (size_t at = 0; at < s.len && !l->cut;)
		at += line_add_char(l, (struct str){s.p + at, s.len - at});
	if (quoted)
		line_close(l, "\"");
}

static void line_add_number(struct line *l, double v)
{
	char text[40];

	snprintf(text, sizeof(text), "%.15g", v);
	if (strtod(text, NULL) != v) /* 15 digits read well, 17 are always enough */
		snprintf(text, sizeof(text), "%.17g", v);
	if (isfinite(v))
		line_add(l, text, strlen(text));
	else
		line_add_string(l, text); /* JSON has no literal for it */
}

static void line_add_value(struct line *l, const struct log_field *f)
{
	char text[24];

	switch (f->type) {
	case LOG_TYPE_STR:
		line_add_string(l, f->v.str);
		break;
	case LOG_TYPE_INT:
		line_add(l, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, f->v.integer));
		break;
	case LOG_TYPE_UINT:
		line_add(l, text, (size_t)snprintf(text, sizeof(text), "%" PRIu64, f->v.uinteger));
		break;
	case LOG_TYPE_NUM:
		line_add_number(l, f->v.number);
		break;
	case LOG_TYPE_BOOL:
		line_add(l, f->v.boolean ? "true" : "false", f->v.boolean ? 4 : 5);
		break;
	case LOG_TYPE_NONE:
	case LOG_TYPE_END:
		break;
	}
}

/* Adds one field; when nothing of its value found room, the field is not there at all. */
static void line_add_field(struct line *l, const struct log_field *f)
{
	size_t before = l->len, value_at;

	if (before)
		line_add(l, l->json ? "," : " ", 1);
	else if (l->json)
		line_add(l, "{", 1);
	if (l->json)
		line_add_string(l, f->key);
	else
		line_add(l, f->key, strlen(f->key));
	line_add(l, l->json ? ":" : "=", 1);
	value_at = l->len;
	if (!l->cut)
		line_add_value(l, f);
	if (l->cut && l->len == value_at)
		l->len = before;
}

static const char *level_name(enum log_level level)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};

	return (size_t)level < sizeof(names) / sizeof(names[0]) ? names[level] : "error";
}

/* A write that fails or falls short has nobody to be told to; the program goes on. */
static void line_write(const struct log *log, struct line *l)
{
	ssize_t n;

	if (l->cut)
		line_close(l, l->json ? ",\"cut\":true" : " cut=true");
	line_close(l, l->json ? "}\n" : "\n");
	do
		n = write(log->fd, l->text, l->len);
	while (n < 0 && errno == EINTR);
}

/* What was kept back is told right behind the event, where no long field can cut it off. */
static void write_line(const struct log *log, enum log_level level, const char *event, uint64_t suppressed, const struct log_field *fields)
{
	int saved_errno = errno; /* callers log a failure before they act on errno */
	char now[CLOCK_ISO_SIZE];
	struct line l;

	l.len = 0;
	l.cut = false;
	l.json = log->json;
	line_add_field(&l, &LOG_STR("time", clock_iso(clock_wall_ms(), now, sizeof(now))));
	line_add_field(&l, &LOG_STR("level", level_name(level)));
	line_add_field(&l, &LOG_STR("program", log->program));
	if (log->instance[0])
		line_add_field(&l, &LOG_STR("instance", log->instance));
	line_add_field(&l, &LOG_STR("event", event));
	if (suppressed)
		line_add_field(&l, &LOG_UINT("suppressed", suppressed));
	for (; fields->type != LOG_TYPE_END; fields++)
		if (fields->type != LOG_TYPE_NONE)
			line_add_field(&l, fields);
	line_write(log, &l);
	errno = saved_errno;
}

void log_write_about(const struct log *log, enum log_level level, const char *event, uint64_t about, const struct log_field *fields)
{
	uint64_t suppressed = 0;

	if (level < log->level)
		return;
	if (!log->limit || level == LOG_LEVEL_DEBUG || log_limit_take(log->limit, (int)level, event, about, clock_mono_ms(), &suppressed))
		write_line(log, level, event, suppressed, fields);
}

void log_write(const struct log *log, enum log_level level, const char *event, const struct log_field *fields)
{
	log_write_about(log, level, event, 0, fields);
}

/* FNV-1a. */
static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n)
{
	for (const uint8_t *b = bytes; n > 0; b++, n--)
		hash = (hash ^ *b) * UINT64_C(0x100000001b3);
	return hash;
}

/* Of keys and values, with what ends them. Never 0. */
static uint64_t hash_fields(const struct log_field *fields)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; fields->type != LOG_TYPE_END; fields++) {
		if (fields->type == LOG_TYPE_NONE)
			continue;
		hash = hash_bytes(hash, fields->key, strlen(fields->key) + 1);
		if (fields->type == LOG_TYPE_STR && fields->v.str)
			hash = hash_bytes(hash, fields->v.str, strlen(fields->v.str) + 1);
		else if (fields->type == LOG_TYPE_BOOL)
			hash = hash_bytes(hash, &fields->v.boolean, sizeof(fields->v.boolean));
		else if (fields->type != LOG_TYPE_STR) /* eight bytes, whichever of the three */
			hash = hash_bytes(hash, &fields->v.uinteger, sizeof(fields->v.uinteger));
	}
	return hash ? hash : 1;
}

void log_write_repeat(const struct log *log, enum log_level level, const char *event, const struct log_field *fields)
{
	if (level >= log->level)
		log_write_about(log, level, event, hash_fields(fields), fields);
}

uint64_t log_about(const char *text)
{
	return hash_fields((const struct log_field[]){LOG_STR("", text), {0}});
}

static void tell_kept_back(const struct log *log, bool all)
{
	struct log_kept_back k;

	while (log->limit && log_limit_overdue(log->limit, all, clock_mono_ms(), &k))
		write_line(log, (enum log_level)k.level, "lines_suppressed", k.lines, (const struct log_field[]){LOG_STR("of", k.event), {0}});
}

void log_tick(const struct log *log)
{
	tell_kept_back(log, false);
}

void log_flush(const struct log *log)
{
	tell_kept_back(log, true);
}

uint64_t log_suppressed_lines(const struct log *log)
{
	return log->limit ? log_limit_kept_back(log->limit) : 0;
}
