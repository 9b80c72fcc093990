/* timeline.c - see timeline.h.
 *
 * An event is known by its fixed word (of a control, by the beginning of its id, too), and has one sentence; what an operator typed is theirs. */
#include "sink/status/timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/control.h"
#include "sink/status/verdict.h"

#define BEFORE_MS (INT64_C(15) * 60 * 1000)

enum topic { OF_PUSH, OF_PROCESSING, OF_STORAGE, OF_ALERTS, OF_NOTIFICATIONS };

static const struct known {
	const char *event;
	const char *control; /* what a control's id begins with; NULL: none */
	enum topic topic;
	const char *before, *behind; /* the sentence around " in CELL", or nothing */
} known[] = {
	{"breaker_open", NULL, OF_STORAGE, "The database", " stopped taking data; it waits in Kafka."},
	{"breaker_closed", NULL, OF_STORAGE, "The database", " takes data again."},
	{"database_alarm", NULL, OF_STORAGE, "The database", " has not taken data for a minute; people were called."},
	{"control_set", "sink/pause", OF_STORAGE, "An operator paused storing", "."},
	{"control_cleared", "sink/pause", OF_STORAGE, "An operator let storing", " go on."},
	{"control_expired", "sink/pause", OF_STORAGE, "The pause of storing", " ended."},
	{"control_set", "ingest/close", OF_PUSH, "An operator closed the way in", "; agents keep their data."},
	{"control_cleared", "ingest/close", OF_PUSH, "An operator opened the way in", " again."},
	{"control_expired", "ingest/close", OF_PUSH, "The way in", " is open again."},
	{"instance_fenced", NULL, OF_PROCESSING, "An instance", " was replaced by another."},
	{"consumer_failed", NULL, OF_PROCESSING, "An instance", " failed, and another took its work over."},
	{"control_set", "processor/mute", OF_ALERTS, "An operator muted alerts", "."},
	{"control_cleared", "processor/mute", OF_ALERTS, "An operator unmuted alerts", "."},
	{"control_expired", "processor/mute", OF_ALERTS, "Alerts", " are judged again."},
	{"control_set", "notify/", OF_NOTIFICATIONS, "An operator held notifications", " back."},
	{"control_cleared", "notify/", OF_NOTIFICATIONS, "An operator let notifications", " go again."},
	{"control_expired", "notify/", OF_NOTIFICATIONS, "Notifications", " go again."},
};

/* A notice that matters. */
struct moment {
	int64_t at_ms;
	const struct known *known;
	char cell[CONTROL_CELL_MAX + 1]; /* "": all */
};

struct timeline {
	const struct judge_conf *conf;
	struct moment kept[TIMELINE_KEPT]; /* a ring */
	size_t first, nr;
	struct arena arena;                /* of what was told last */
	struct arena scratch;
};

struct timeline *timeline_new(const struct judge_conf *conf, struct err *err)
{
	struct timeline *t = calloc(1, sizeof(*t));

	if (t)
		t->conf = conf;
	else
		err_nomem(err, "the timeline");
	return t;
}

void timeline_free(struct timeline *t)
{
	if (!t)
		return;
	arena_fini(&t->arena);
	arena_fini(&t->scratch);
	free(t);
}

static struct str field(const struct notice *n, const char *name)
{
	for (size_t i = 0; i < n->fields_len; i++)
		if (str_eq(n->fields[i].key, str_from(name)))
			return n->fields[i].value;
	return STR("");
}

/* What the public may know of it; NULL: nothing. */
static const struct known *find(const struct notice *n)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct str id = field(n, "id");

		if (str_eq(n->event, str_from(known[i].event)) && (!known[i].control || str_take(&id, known[i].control)))
			return &known[i];
	}
	return NULL;
}

static void keep(struct timeline *t, const struct notice *n, const struct known *what)
{
	struct moment *m;

	if (t->nr == TIMELINE_KEPT) {
		t->first = (t->first + 1) % TIMELINE_KEPT;
		t->nr--;
	}
	m = &t->kept[(t->first + t->nr++) % TIMELINE_KEPT];
	*m = (struct moment){.at_ms = n->at, .known = what};
	if (n->has_cell && n->cell.len < sizeof(m->cell))
		memcpy(m->cell, n->cell.p, n->cell.len);
}

/* A control that is for one site is not told of: which site that is, is nobody's business. A control is told of by each program that obeys; ctl's own
 * notice of it, and those of other instances, are neighbours, and merge. */
int timeline_take_row(void *ctx, const struct table_row *row, struct err *err)
{
	struct timeline *t = ctx;
	struct notice n = {0};
	const struct known *what;
	int rc = 0;

	if (!row->value.p)
		return 0;
	arena_clear(&t->scratch);
	rc = notice_decode(row->value, &t->scratch, &n, err);
	what = rc == 0 && !n.has_site ? find(&n) : NULL;
	if (what)
		keep(t, &n, what);
	return rc;
}

static bool concerns(const struct moment *m, const struct status_incident *i)
{
	static const char *const ids[] = {[OF_PUSH] = "push", [OF_PROCESSING] = "processing", [OF_ALERTS] = "alerts", [OF_NOTIFICATIONS] = "notifications"};

	if (m->at_ms < i->opened_at - BEFORE_MS)
		return false;
	for (size_t k = 0; k < i->nr_components; k++) {
		struct str component = i->components[k];

		if (str_take(&component, "storage/")
			    ? m->known->topic == OF_STORAGE && (!m->cell[0] || str_eq(component, str_from(m->cell)))
			    : m->known->topic != OF_STORAGE && str_eq(component, str_from(ids[m->known->topic])))
			return true;
	}
	return false;
}

static bool is_same(const struct moment *a, const struct moment *b)
{
	return a->known == b->known && strcmp(a->cell, b->cell) == 0;
}

/* The sentence of a moment that came so often in a row. */
static struct str sentence(struct timeline *t, const struct moment *m, size_t times)
{
	const struct verdict_ctx ctx = {t->conf, NULL, NULL};
	struct str cell = verdict_cell_title(&ctx, str_from(m->cell));
	char where[160] = "", text[320];
	int n;

	if (m->cell[0])
		snprintf(where, sizeof(where), " in " STR_FMT, (int)(cell.len < 150 ? cell.len : 150), cell.p);
	n = snprintf(text, sizeof(text), "%s%s%s", m->known->before, where, m->known->behind);
	if (times > 1 && n > 0 && (size_t)n < sizeof(text))
		snprintf(text + n, sizeof(text) - (size_t)n, " (%zu times)", times);
	return arena_str(&t->arena, str_from(text));
}

static int add(struct timeline *t, const struct moment *m, size_t times, struct status_moment *out, size_t *nr, struct err *err)
{
	struct str text = sentence(t, m, times);

	if (!text.p)
		return err_nomem(err, "the timeline");
	out[(*nr)++] = (struct status_moment){m->at_ms, text};
	return 0;
}

int timeline_tell(void *ctx, const struct status_incident *i, struct status_moment **out, size_t *nr, struct err *err)
{
	struct timeline *t = ctx;
	const struct moment *last = NULL;
	size_t times = 0;

	arena_clear(&t->arena);
	*nr = 0;
	*out = arena_calloc(&t->arena, TIMELINE_MOMENTS_MAX, sizeof(**out));
	if (!*out)
		return err_nomem(err, "the timeline");
	for (size_t k = 0; k <= t->nr; k++) {
		const struct moment *m = k < t->nr ? &t->kept[(t->first + k) % TIMELINE_KEPT] : NULL;

		if (m && !concerns(m, i))
			continue;
		if (m && last && is_same(m, last)) {
			times++;
			continue;
		}
		if (last && add(t, last, times, *out, nr, err) < 0)
			return -1;
		if (*nr == TIMELINE_MOMENTS_MAX)
			break;
		last = m;
		times = 1;
	}
	return 0;
}
