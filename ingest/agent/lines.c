/* lines.c - see lines.h.
 *
 * A line goes event_json (grammar) -> event_check (judgement) -> packed -> event_queue. What it needs meanwhile comes from one arena with
 * a limit, so that a line of the worst kind (thousands of empty spans) costs a bounded amount of memory, which is given back after it. */
#include "ingest/agent/lines.h"

#include <stdlib.h>

#include "common/arena.h"
#include "ingest/agent/event_check.h"
#include "ingest/agent/event_json.h"

enum {
	ARENA_MAX_BYTES = 1 << 20, /* for a line while it is read */
	ARENA_KEPT_BYTES = 128 << 10,
	LOG_EVERY_MS = 10000,
};

struct lines {
	struct event_queue *queue;
	const struct clock *clock;
	const struct log *log;
	struct arena arena;
	struct lines_figures figures;
	uint64_t unlogged;     /* refused since the last one that was logged */
	int64_t logged_mono_ms; /* 0: none yet */
};

static const char *const reason_names[NR_LINES_REASONS] = {
	[LINES_TOO_LONG] = "too_long",
	[LINES_BAD_JSON] = "bad_json",
	[LINES_TOO_DEEP] = "too_deep",
	[LINES_KIND_UNKNOWN] = "kind_unknown",
	[LINES_BAD_FIELD] = "bad_field",
	[LINES_FIELD_MISSING] = "field_missing",
	[LINES_BAD_VALUE] = "bad_value",
	[LINES_BAD_TAGS] = "bad_tags",
	[LINES_BAD_TIME] = "bad_time",
	[LINES_TOO_LARGE] = "too_large",
	[LINES_NO_ROOM] = "no_room",
};

const char *lines_reason_name(enum lines_reason reason)
{
	return reason_names[reason];
}

struct lines *lines_new(struct event_queue *queue, const struct clock *clock, const struct log *log, struct err *err)
{
	struct lines *l = calloc(1, sizeof(*l));

	if (!l) {
		err_nomem(err, "the reader of JSON lines");
		return NULL;
	}
	l->queue = queue;
	l->clock = clock;
	l->log = log;
	l->arena.limit_bytes = ARENA_MAX_BYTES;
	return l;
}

void lines_free(struct lines *l)
{
	if (!l)
		return;
	arena_fini(&l->arena);
	free(l);
}

/* Packs the event and queues it. */
static bool keep(struct lines *l, const struct event_json *e, struct lines_refusal *no)
{
	size_t len = protobuf_c_message_get_packed_size(e->message);
	uint8_t *packed = arena_alloc_raw(&l->arena, len);

	if (!packed)
		return event_refuse(no, LINES_TOO_LARGE, "too many things in one line");
	protobuf_c_message_pack(e->message, packed);
	return event_queue_add(l->queue, e->kind, (struct str){(const char *)packed, len}) ||
	       event_refuse(no, LINES_NO_ROOM, "as many events as there is room for wait for the next flush");
}

static bool is_blank(struct str line)
{
	size_t i = 0;

	while (i < line.len && strchr(" \t\r", line.p[i]) && line.p[i])
		i++;
	return i == line.len;
}

/* Many clients do the same thing wrong many times a second: one of them in ten seconds is told, with how many there were. */
static void tell(struct lines *l, const struct lines_refusal *no)
{
	int64_t now = clock_mono_ms();

	l->unlogged++;
	if (l->logged_mono_ms && now - l->logged_mono_ms < LOG_EVERY_MS)
		return;
	log_warn(l->log, "line_refused", LOG_STR("reason", lines_reason_name(no->reason)), LOG_STR("error", no->text),
		 LOG_UINT("lines", l->unlogged));
	l->logged_mono_ms = now;
	l->unlogged = 0;
}

static bool refuse_line(struct lines *l, const struct lines_refusal *why, struct lines_refusal *no)
{
	l->figures.refused[why->reason]++;
	tell(l, why);
	if (no)
		*no = *why;
	return false;
}

static bool take(struct lines *l, struct str line, struct lines_refusal *no)
{
	int64_t now_ms = clock_now_ms(l->clock);
	struct event_json e;

	if (line.len > LINES_MAX_BYTES)
		return event_refuse(no, LINES_TOO_LONG, "a line of more than %d bytes", LINES_MAX_BYTES);
	return event_json_parse(line, now_ms, &l->arena, &e, no) && event_check(&e, now_ms, no) && keep(l, &e, no);
}

bool lines_take(struct lines *l, struct str line, struct lines_refusal *no)
{
	struct lines_refusal why = {.reason = LINES_TOO_LARGE};
	bool taken;

	if (is_blank(line))
		return true;
	taken = take(l, line, &why);
	if (l->arena.held_bytes > ARENA_KEPT_BYTES)
		arena_fini(&l->arena);
	else
		arena_clear(&l->arena);
	if (!taken)
		return refuse_line(l, &why, no);
	l->figures.accepted++;
	return true;
}

void lines_figures(const struct lines *l, struct lines_figures *out)
{
	*out = l->figures;
}
