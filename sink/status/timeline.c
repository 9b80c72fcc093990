/* timeline.c - see timeline.h.
 *
 * An event is known by its fixed word (of a control, by what it does, too), and has one sentence; what an operator typed is theirs.
 *
 * The operator log has a line for each instance that saw a thing, in the order in which partitions were read. So moments are put in the order of their times
 * first, and how often a thing came is counted by the eyes of the one instance that was the first to tell it. */
#include "sink/status/timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/control.h"
#include "sink/status/verdict.h"

#define BEFORE_MS (INT64_C(15) * 60 * 1000)

enum topic { OF_PUSH, OF_PROCESSING, OF_STORAGE, OF_ALERTS, OF_NOTIFICATIONS };

static const struct known {
	const char *event;
	const char *control; /* a control's id without its scope; NULL: no control's event */
	enum topic topic;
	const char *before, *behind; /* the sentence around " in CELL", or nothing */
} known[] = {
	{"breaker_open", NULL, OF_STORAGE, "The database", " stopped taking data; it waits in Kafka."},
	{"breaker_closed", NULL, OF_STORAGE, "The database", " takes data again."},
	{"database_alarm", NULL, OF_STORAGE, "The database", " has not taken data for a minute; people were called."},
	{"control_set", "sink/pause", OF_STORAGE, "An operator paused storing", "."},
	{"control_cleared", "sink/pause", OF_STORAGE, "An operator let storing", " go on."},
	{"control_expired", "sink/pause", OF_STORAGE, "The pause of storing", " ended."},
	{"control_set", "ingest/close", OF_PUSH, "An operator closed the Push API", "; agents keep their data."},
	{"control_cleared", "ingest/close", OF_PUSH, "An operator opened the Push API", " again."},
	{"control_expired", "ingest/close", OF_PUSH, "The Push API", " is open again."},
	{"instance_fenced", NULL, OF_PROCESSING, "An instance", " was replaced by another."},
	{"consumer_failed", NULL, OF_PROCESSING, "An instance", " failed, and another took its work over."},
	{"control_set", "processor/mute", OF_ALERTS, "An operator muted alerts", "."},
	{"control_cleared", "processor/mute", OF_ALERTS, "An operator unmuted alerts", "."},
	{"control_expired", "processor/mute", OF_ALERTS, "Alerts", " are judged again."},
	{"control_set", "notify/pause", OF_NOTIFICATIONS, "An operator held notifications", " back."},
	{"control_cleared", "notify/pause", OF_NOTIFICATIONS, "An operator let notifications", " go again."},
	{"control_expired", "notify/pause", OF_NOTIFICATIONS, "Notifications", " go again."},
	{"control_set", "notify/drop", OF_NOTIFICATIONS, "An operator had alerts", " dropped without notifications."},
	{"control_cleared", "notify/drop", OF_NOTIFICATIONS, "An operator had notifications", " sent again."},
	{"control_expired", "notify/drop", OF_NOTIFICATIONS, "Notifications", " are sent again."},
};

/* A notice that matters. */
struct moment {
	int64_t at_ms;
	const struct known *known;
	uint64_t nr;                     /* in the order of arrival */
	uint64_t instance;               /* a hash: who told it */
	char cell[CONTROL_CELL_MAX + 1]; /* "": all */
};

struct timeline {
	const struct judge_conf *conf;
	struct moment kept[TIMELINE_KEPT]; /* a ring */
	size_t first, nr;
	uint64_t nr_taken;
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

/* Is it this control, for all or for a whole cell? What is narrower is for a customer or a kind of data, and that is nobody else's business. */
static bool is_wide(struct str id, const char *control)
{
	return str_take(&id, control) && (!id.len || (str_take(&id, "/cell=") && !memchr(id.p, '/', id.len)));
}

/* What the public may know of it; NULL: nothing. */
static const struct known *find(const struct notice *n)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (str_eq(n->event, str_from(known[i].event)) && (!known[i].control || is_wide(field(n, "id"), known[i].control)))
			return &known[i];
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
	*m = (struct moment){.at_ms = n->at, .known = what, .nr = t->nr_taken++, .instance = XXH3_64bits(n->instance.p, n->instance.len)};
	if (n->has_cell)
		memcpy(m->cell, n->cell.p, n->cell.len);
}

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
	what = rc == 0 && !n.has_site && n.cell.len <= CONTROL_CELL_MAX ? find(&n) : NULL;
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
	const struct verdict_ctx ctx = {.conf = t->conf};
	struct buf text = BUF_INIT;
	struct str s = {NULL, 0};

	buf_printf(&text, "%s", m->known->before);
	if (m->cell[0])
		buf_printf(&text, " in " STR_FMT, STR_ARG(verdict_cell_title(&ctx, str_from(m->cell))));
	buf_printf(&text, "%s", m->known->behind);
	if (times > 1)
		buf_printf(&text, " (%zu times)", times);
	if (!buf_failed(&text))
		s = arena_str(&t->arena, str_cut_utf8(buf_str(&text), STATUS_MOMENT_TEXT_MAX));
	buf_fini(&text);
	return s;
}

static int by_time(const void *a, const void *b)
{
	const struct moment *const *x = a, *const *y = b;

	return (*x)->at_ms != (*y)->at_ms ? ((*x)->at_ms < (*y)->at_ms ? -1 : 1) : (*x)->nr < (*y)->nr ? -1 : 1;
}

/* Equal neighbours: the first of them, and how often the one who told that told it. */
struct run {
	const struct moment *first;
	size_t times;
};

/* The runs of what concerns the incident, oldest first, into all, which has room for each; sorted has room for as many moments. */
static size_t find_runs(const struct timeline *t, const struct status_incident *i, const struct moment **sorted, struct run *all)
{
	size_t nr = 0, nr_runs = 0;

	for (size_t k = 0; k < t->nr; k++) {
		const struct moment *m = &t->kept[(t->first + k) % TIMELINE_KEPT];

		if (concerns(m, i))
			sorted[nr++] = m;
	}
	qsort(sorted, nr, sizeof(*sorted), by_time);
	for (size_t k = 0; k < nr; k++) {
		if (!nr_runs || !is_same(all[nr_runs - 1].first, sorted[k]))
			all[nr_runs++] = (struct run){sorted[k], 0};
		all[nr_runs - 1].times += all[nr_runs - 1].first->instance == sorted[k]->instance;
	}
	return nr_runs;
}

int timeline_tell(void *ctx, const struct status_incident *i, struct status_moment **out, size_t *nr, struct err *err)
{
	struct timeline *t = ctx;
	const struct moment **sorted;
	struct run *all;
	size_t nr_runs, from;

	arena_clear(&t->arena);
	sorted = arena_calloc(&t->arena, t->nr + 1, sizeof(*sorted));
	all = arena_calloc(&t->arena, t->nr + 1, sizeof(*all));
	*out = arena_calloc(&t->arena, TIMELINE_MOMENTS_MAX, sizeof(**out));
	if (!sorted || !all || !*out)
		return err_nomem(err, "the timeline");
	nr_runs = find_runs(t, i, sorted, all);
	from = nr_runs > TIMELINE_MOMENTS_MAX ? nr_runs - TIMELINE_MOMENTS_MAX : 0; /* how it ended matters more than how it went on */
	for (*nr = 0; from + *nr < nr_runs; (*nr)++) {
		const struct run *run = &all[from + *nr];

		(*out)[*nr] = (struct status_moment){run->first->at_ms, sentence(t, run->first, run->times)};
		if (!(*out)[*nr].text.p)
			return err_nomem(err, "the timeline");
	}
	return 0;
}
