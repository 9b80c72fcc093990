/* control_desk.c - see control_desk.h.
 *
 * JSON is written by hand: common/ links no JSON library, and control_check() has let nothing in that needs more than two escapes. */
#include "common/control_desk.h"

#include <inttypes.h>
#include <stdio.h>

enum { HTTP_OK = 200, HTTP_NO_CONTENT = 204, HTTP_BAD_REQUEST = 400, HTTP_NOT_FOUND = 404, HTTP_CONFLICT = 409, HTTP_UNAVAILABLE = 503 };

/* ,"key": "text" */
static void write_text(struct buf *out, const char *key, struct str text)
{
	buf_printf(out, ", \"%s\": \"", key);
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_add(out, "\\", 1);
		buf_add(out, &text.p[i], 1);
	}
	buf_add(out, "\"", 1);
}

static void write_control(struct buf *out, const struct control *c)
{
	buf_printf(out, "{\"id\": \"" STR_FMT "\"", STR_ARG(c->id));
	write_text(out, "on", str_from(control_program_name(c->on)));
	write_text(out, "action", str_from(control_action_name(c->action)));
	if (c->has_cell)
		write_text(out, "cell", c->cell);
	if (c->has_site)
		write_text(out, "site", c->site);
	if (c->has_kind)
		write_text(out, "kind", c->kind);
	if (c->has_trigger)
		write_text(out, "trigger", c->trigger);
	write_text(out, "reason", c->reason);
	write_text(out, "author", c->author);
	buf_printf(out, ", \"created_at\": %" PRId64 ", \"expires_at\": %" PRId64 "}", c->created_at, c->expires_at);
}

/* A person's answer, and its status. */
static unsigned int say(struct buf *answer, unsigned int status, const struct err *err)
{
	buf_printf(answer, "%s\n", err->msg);
	return status;
}

static unsigned int list(struct controls *c, struct buf *answer)
{
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;
	size_t nr;
	const struct control *controls = controls_list(c, &arena, &nr, &err);

	if (controls)
		buf_printf(answer, "{\"controls\": [");
	for (size_t i = 0; controls && i < nr; i++) {
		buf_printf(answer, "%s", i ? ",\n " : "");
		write_control(answer, &controls[i]);
	}
	if (controls)
		buf_printf(answer, "]}\n");
	arena_fini(&arena);
	return controls ? HTTP_OK : say(answer, HTTP_UNAVAILABLE, &err);
}

static unsigned int put(struct controls *c, struct str record, struct buf *answer)
{
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;
	struct control control;
	enum controls_answer done = CONTROLS_BAD;

	if (control_decode(record, &arena, &control, &err) == 0)
		done = controls_put(c, &control, &err);
	arena_fini(&arena);
	if (done == CONTROLS_DONE)
		return HTTP_NO_CONTENT;
	if (err.kind == ERR_FATAL)
		return say(answer, HTTP_UNAVAILABLE, &err);
	return say(answer, done == CONTROLS_OLDER ? HTTP_CONFLICT : HTTP_BAD_REQUEST, &err);
}

static unsigned int clear(struct controls *c, struct str id, struct buf *answer)
{
	struct err err = ERR_INIT;

	if (controls_clear(c, id, &err) == CONTROLS_DONE)
		return HTTP_NO_CONTENT;
	return say(answer, HTTP_NOT_FOUND, &err);
}

unsigned int control_desk_answer(void *ctx, enum admin_call call, struct str what, struct buf *answer)
{
	switch (call) {
	case ADMIN_CONTROLS_PUT:
		return put(ctx, what, answer);
	case ADMIN_CONTROLS_CLEAR:
		return clear(ctx, what, answer);
	default:
		return list(ctx, answer);
	}
}

/* What each event is called, in the log and in the operator log, and in a sentence. */
static const struct {
	const char *event, *says;
	enum severity severity;
} events[] = {
	[CONTROL_EVENT_SET] = {"control_set", "is in force", SEVERITY_WARNING},
	[CONTROL_EVENT_CLEARED] = {"control_cleared", "was cleared", SEVERITY_INFO},
	[CONTROL_EVENT_EXPIRED] = {"control_expired", "has expired", SEVERITY_INFO},
};

static const char *source_of(const struct control_change *change)
{
	if (change->event == CONTROL_EVENT_EXPIRED)
		return "clock";
	return change->by_port ? "admin port" : "topic";
}

/* Scope comes last: what a control does not name is left out. */
static void notice(const struct control_change *change, const char *until, struct report *report)
{
	char text[CONTROL_ID_SIZE + CONTROL_REASON_MAX + CONTROL_AUTHOR_MAX + CLOCK_ISO_SIZE + 64];
	bool set = change->event == CONTROL_EVENT_SET;
	struct tag fields[7] = {
		{STR("id"), str_from(change->id)},
		{STR("by"), str_from(source_of(change))},
		{STR("reason"), str_from(change->reason)},
		{STR("author"), str_from(change->author)},
		{STR("expires_at"), str_from(until)},
	};
	size_t nr = 5;

	if (change->cell[0])
		fields[nr++] = (struct tag){STR("cell"), str_from(change->cell)};
	if (change->site[0])
		fields[nr++] = (struct tag){STR("site"), str_from(change->site)};
	snprintf(text, sizeof(text), "control %s %s%s%s: %s (%s)", change->id, events[change->event].says, set ? " until " : "",
		 set ? until : "", change->reason, change->author);
	report_notice(report, events[change->event].severity, events[change->event].event, text, fields, nr);
}

static void tell(const struct control_change *change, struct report *report, const struct log *log)
{
	enum log_level level = change->event == CONTROL_EVENT_SET ? LOG_LEVEL_WARN : LOG_LEVEL_INFO;
	char until[CLOCK_ISO_SIZE];

	clock_iso(change->expires_ms, until, sizeof(until));
	log_write(log, level, events[change->event].event,
		  (const struct log_field[]){LOG_STR("control", change->id), LOG_STR("source", source_of(change)), LOG_STR("reason", change->reason),
					     LOG_STR("author", change->author), LOG_STR("expires_at", until), {0}});
	notice(change, until, report);
}

/* With memory too short for a list of names, the heartbeat acknowledges nothing this time: whoever waits for it is told so. */
static int acknowledge(struct controls *c, struct report *report, struct err *err)
{
	struct arena arena = ARENA_INIT;
	size_t nr;
	const struct control *controls = controls_list(c, &arena, &nr, err);
	struct str *ids = controls ? arena_calloc(&arena, nr, sizeof(*ids)) : NULL;
	int rc = -1;

	for (size_t i = 0; ids && i < nr; i++)
		ids[i] = controls[i].id;
	if (ids)
		rc = report_set_controls(report, ids, nr, err);
	else if (controls)
		err_nomem(err, "the ids of controls");
	arena_fini(&arena);
	return rc;
}

void control_desk_follow(struct controls *c, struct report *report, const struct log *log)
{
	struct control_change change;
	struct err err = ERR_INIT;
	bool any = false;

	while (controls_next_change(c, &change)) {
		tell(&change, report, log);
		any = true;
	}
	if (any && acknowledge(c, report, &err) < 0)
		log_warn(log, "controls_not_acknowledged", LOG_STR("error", err.msg));
}
