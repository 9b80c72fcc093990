/* entry_desk.c - see entry_desk.h.
 *
 * What a PUT brings is folded in before it is answered, so that the page shows it within a second; that Kafka does not have it yet is the journal's
 * matter. An entry is kept as the bytes that came: they were checked, and go to the topic as they are. */
#include "sink/status/entry_desk.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/events.h"
#include "sink/status/json_text.h"

enum { HTTP_OK = 200, HTTP_BAD_REQUEST = 400, HTTP_METHOD_NOT_ALLOWED = 405, HTTP_CONFLICT = 409, HTTP_UNAVAILABLE = 503 };

struct brought {
	STAILQ_ENTRY(brought) next;
	size_t len;
	uint8_t bytes[];
};

struct entry_desk {
	pthread_mutex_t mutex; /* guards all that follows but wake_fd */
	struct status_incidents incidents;
	STAILQ_HEAD(, brought) brought;
	size_t nr_brought, room;
	int wake_fd;
};

struct entry_desk *entry_desk_new(int wake_fd, struct err *err)
{
	struct entry_desk *d = calloc(1, sizeof(*d));

	if (!d || pthread_mutex_init(&d->mutex, NULL) != 0) {
		free(d);
		err_nomem(err, "the incidents");
		return NULL;
	}
	d->wake_fd = wake_fd;
	STAILQ_INIT(&d->brought);
	return d;
}

void entry_desk_free(struct entry_desk *d)
{
	struct brought *b;

	if (!d)
		return;
	while ((b = STAILQ_FIRST(&d->brought)) != NULL) {
		STAILQ_REMOVE_HEAD(&d->brought, next);
		free(b);
	}
	status_incidents_fini(&d->incidents);
	pthread_mutex_destroy(&d->mutex);
	free(d);
}

struct status_incidents *entry_desk_lock(struct entry_desk *d)
{
	pthread_mutex_lock(&d->mutex);
	return &d->incidents;
}

void entry_desk_unlock(struct entry_desk *d)
{
	pthread_mutex_unlock(&d->mutex);
}

int entry_desk_take_row(void *ctx, const struct table_row *row, struct err *err)
{
	struct entry_desk *d = ctx;
	int rc = status_incidents_take_row(entry_desk_lock(d), row, err);

	entry_desk_unlock(d);
	return rc;
}

void entry_desk_set_room(struct entry_desk *d, size_t room)
{
	entry_desk_lock(d);
	d->room = room;
	entry_desk_unlock(d);
}

static unsigned int say(struct buf *answer, unsigned int status, const char *text)
{
	buf_printf(answer, "%s\n", text);
	return status;
}

static unsigned int say_taken(struct buf *answer, const struct status_entry *e)
{
	buf_printf(answer, "{\"incident\": \"" STR_FMT "\"}\n", STR_ARG(e->incident)); /* [a-z0-9-] */
	return HTTP_OK;
}

/* It, when it came before; NULL. */
static const struct status_line *find_line(const struct entry_desk *d, const struct status_entry *e)
{
	const struct status_incident *i = status_incidents_find(&d->incidents, e->incident);

	for (size_t k = 0; i && k < i->nr_lines; k++)
		if (str_eq(i->lines[k].entry.entry, e->entry))
			return &i->lines[k];
	return NULL;
}

/* Folds it in, and keeps it for the journal. */
static unsigned int fold(struct entry_desk *d, const struct status_entry *e, struct str record, struct buf *answer)
{
	struct brought *b = malloc(sizeof(*b) + record.len);
	struct err err = ERR_INIT;

	if (!b)
		return say(answer, HTTP_UNAVAILABLE, "out of memory");
	if (status_incidents_take(&d->incidents, e, &err) < 0) {
		free(b);
		return say(answer, err.kind == ERR_REJECT ? HTTP_BAD_REQUEST : HTTP_UNAVAILABLE, err.msg);
	}
	b->len = record.len;
	memcpy(b->bytes, record.p, record.len);
	STAILQ_INSERT_TAIL(&d->brought, b, next);
	d->nr_brought++;
	events_wake(d->wake_fd);
	return say_taken(answer, e);
}

/* One that came before is answered as it was then: whoever asks again has not heard. */
static unsigned int take(struct entry_desk *d, const struct status_entry *e, struct str record, struct buf *answer)
{
	const struct status_line *before = find_line(d, e);
	const char *why = before ? NULL : status_incidents_why_not(&d->incidents, e);

	if (before && !before->refused)
		return say_taken(answer, e);
	if (before || why)
		return say(answer, HTTP_CONFLICT, why ? why : "it came before, and was refused");
	if (d->nr_brought >= d->room)
		return say(answer, HTTP_UNAVAILABLE, "no entry is taken now: too many wait for Kafka, or millrace-status has only begun");
	return fold(d, e, record, answer);
}

static unsigned int put(struct entry_desk *d, struct str record, struct buf *answer)
{
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;
	struct status_entry e = {0};
	unsigned int status;

	arena.limit_bytes = 1 << 20;
	if (status_entry_decode(record, &arena, &e, &err) < 0 || status_entry_check(&e, &err) < 0) {
		status = say(answer, err.kind == ERR_FATAL ? HTTP_UNAVAILABLE : HTTP_BAD_REQUEST, err.msg);
	} else if (!e.has_author) {
		status = say(answer, HTTP_BAD_REQUEST, "author: an entry that comes by this door has one");
	} else {
		entry_desk_lock(d);
		status = take(d, &e, record, answer);
		entry_desk_unlock(d);
	}
	arena_fini(&arena);
	return status;
}

static const char *state_name(enum status_incident_state state)
{
	static const char *const names[] = {[STATUS_INCIDENT_DRAFT] = "draft", [STATUS_INCIDENT_POSTED] = "posted", [STATUS_INCIDENT_RESOLVED] = "resolved",
					    [STATUS_INCIDENT_VETOED] = "vetoed"};

	return names[state];
}

/* An entry, its author too: who has the token may know. */
static void write_line(struct buf *out, const struct status_line *line)
{
	const struct status_entry *e = &line->entry;

	buf_printf(out, "{\"entry\": \"" STR_FMT "\", \"at\": %" PRId64 ", \"action\": \"%s\", \"refused\": %s, \"author\": ", STR_ARG(e->entry), e->at,
		   status_action_name(e->action), line->refused ? "true" : "false");
	if (e->has_author)
		json_text(out, e->author);
	else
		buf_add(out, "null", 4);
	buf_printf(out, ", \"text\": ");
	json_text(out, e->text);
	buf_add(out, "}", 1);
}

static void write_incident(struct buf *out, const struct status_incident *i)
{
	buf_printf(out, "{\"id\": \"" STR_FMT "\", \"state\": \"%s\", \"phase\": \"%s\", \"impact\": \"%s\", \"edited\": %s, \"opened_at\": %" PRId64
		   ", \"posted_at\": %" PRId64 ", \"ended_at\": %" PRId64 ", \"publish_at\": %" PRId64 ", \"recovery_at\": %" PRId64 ", \"title\": ",
		   STR_ARG(i->id), state_name(i->state), status_phase_name(i->phase), status_impact_name(i->impact), i->edited ? "true" : "false", i->opened_at,
		   i->posted_at, i->ended_at, i->publish_at, i->recovery_at);
	json_text(out, i->title);
	buf_printf(out, ", \"components\": [");
	for (size_t k = 0; k < i->nr_components; k++) {
		buf_printf(out, "%s", k ? ", " : "");
		json_text(out, i->components[k]);
	}
	buf_printf(out, "], \"entries\": [");
	for (size_t k = 0; k < i->nr_lines; k++) {
		buf_printf(out, "%s", k ? ", " : "");
		write_line(out, &i->lines[k]);
	}
	buf_printf(out, "]}");
}

static unsigned int list(struct entry_desk *d, struct buf *answer)
{
	const struct status_incidents *s = entry_desk_lock(d);

	buf_printf(answer, "{\"incidents\": [");
	for (size_t i = 0; i < s->nr; i++) {
		buf_printf(answer, "%s", i ? ",\n " : "");
		write_incident(answer, s->list[i]);
	}
	buf_printf(answer, "]}\n");
	entry_desk_unlock(d);
	return HTTP_OK;
}

unsigned int entry_desk_answer(void *ctx, enum admin_call call, struct str what, struct buf *answer)
{
	switch (call) {
	case ADMIN_CONTROLS_PUT:
		return put(ctx, what, answer);
	case ADMIN_CONTROLS_CLEAR:
		return say(answer, HTTP_METHOD_NOT_ALLOWED, "an entry is never taken back: add another");
	default:
		return list(ctx, answer);
	}
}

bool entry_desk_next(struct entry_desk *d, struct buf *out)
{
	struct brought *b;

	buf_clear(out);
	entry_desk_lock(d);
	b = STAILQ_FIRST(&d->brought);
	if (b)
		buf_add(out, b->bytes, b->len);
	if (b && !buf_failed(out)) {
		STAILQ_REMOVE_HEAD(&d->brought, next);
		d->nr_brought--;
	} else {
		b = NULL;
	}
	entry_desk_unlock(d);
	if (!b)
		return false;
	free(b);
	return true;
}
