/* controls.c - see controls.h.
 *
 * Invariants:
 *  I1  An entry holds the last word of either side. Which of the two holds is decided by their times alone (latest()), so that it does not
 *      matter in which order they came in: a program that starts anew and reads the topic ends as one that has been there all along.
 *  I2  A word is remembered for CONTROL_LIFE_MAX_MS, however soon its control expires: no control that it outdates can still be in force
 *      after that. An entry goes when both of its words may be forgotten and its end was told.
 *  I3  maybe_in_force is at least the number of controls in force: every change counts anew before it lets go of the lock, and time
 *      only takes away. So a reader that sees 0 need not look, and one that sees more looks under the lock, where expiry is judged.
 *  I4  Entries are sorted by id.
 *
 * A thousand entries at most, walked from end to end: there are a handful of controls on a bad day. */
#include "common/controls.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/events.h"

/* A control's time may be as far ahead of ours, as the clocks of two machines are never the same. */
enum { CLOCKS_APART_MS = 600000, MESSAGE_LIMIT_BYTES = 65536 };

enum side { SIDE_TOPIC, SIDE_PORT, SIDES };
enum word_kind { WORD_NONE, WORD_SET, WORD_CLEAR };

/* What one side has said last about an id, or what was told of it. */
struct word {
	enum word_kind kind;
	int64_t at_ms;
	int64_t expires_ms; /* WORD_SET only, and so are the next */
	char reason[CONTROL_REASON_MAX + 1], author[CONTROL_AUTHOR_MAX + 1];
};

struct entry {
	char id[CONTROL_ID_SIZE];
	/* The scope, "" where it names nothing; known with the first WORD_SET. */
	enum control_action action;
	char cell[CONTROL_CELL_MAX + 1], site[CONTROL_SITE_MAX + 1], kind[CONTROL_KIND_MAX + 1], trigger[CONTROL_TRIGGER_MAX + 1];
	struct word words[SIDES];
	struct word told; /* WORD_SET: the control that controls_next_change() has called set, and not ended since */
};

struct controls {
	const struct clock *clock;
	enum control_program on;
	_Atomic size_t maybe_in_force; /* (I3) */
	pthread_mutex_t lock;          /* guards what follows */
	int wake_fd;                   /* -1: none */
	struct entry **entries;        /* (I4) */
	size_t nr, cap;
};

struct controls *controls_new(const struct clock *clock, enum control_program on, struct err *err)
{
	struct controls *c = calloc(1, sizeof(*c));

	if (!c) {
		err_nomem(err, "controls");
		return NULL;
	}
	c->clock = clock;
	c->on = on;
	c->wake_fd = -1;
	atomic_init(&c->maybe_in_force, 0);
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

void controls_free(struct controls *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nr; i++)
		free(c->entries[i]);
	free(c->entries);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

void controls_wake_on(struct controls *c, int fd)
{
	pthread_mutex_lock(&c->lock);
	c->wake_fd = fd;
	pthread_mutex_unlock(&c->lock);
}

/* The side whose word holds (I1). Of two said in the same millisecond that of the port, where an operator stands and looks. */
static enum side latest(const struct entry *e)
{
	const struct word *topic = &e->words[SIDE_TOPIC], *port = &e->words[SIDE_PORT];

	if (topic->kind == WORD_NONE || port->kind == WORD_NONE)
		return topic->kind == WORD_NONE ? SIDE_PORT : SIDE_TOPIC;
	return topic->at_ms > port->at_ms ? SIDE_TOPIC : SIDE_PORT;
}

static const struct word *holding(const struct entry *e)
{
	return &e->words[latest(e)];
}

static bool in_force(const struct entry *e, int64_t now_ms)
{
	const struct word *w = holding(e);

	return w->kind == WORD_SET && now_ms < w->expires_ms;
}

/* (I3). Under the lock. */
static void count(struct controls *c, int64_t now_ms)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nr; i++)
		n += in_force(c->entries[i], now_ms);
	atomic_store_explicit(&c->maybe_in_force, n, memory_order_release);
}

static bool may_forget(const struct word *w, int64_t now_ms)
{
	return w->kind == WORD_NONE || now_ms - w->at_ms > CONTROL_LIFE_MAX_MS;
}

static void remove_entry(struct controls *c, size_t at)
{
	free(c->entries[at]);
	memmove(&c->entries[at], &c->entries[at + 1], (c->nr - at - 1) * sizeof(c->entries[0]));
	c->nr--;
}

/* Where id is, or where it belongs. */
static size_t find(const struct controls *c, struct str id, bool *found)
{
	size_t low = 0, high = c->nr;

	*found = false;
	while (low < high && !*found) {
		size_t middle = (low + high) / 2;
		int order = str_cmp(id, str_from(c->entries[middle]->id));

		*found = order == 0;
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return high;
}

/* Forgets the oldest word of what is not in force and needs not be told of. -1: there is none. */
static int make_room(struct controls *c, int64_t now_ms)
{
	size_t oldest = c->nr;

	for (size_t i = 0; i < c->nr; i++) {
		const struct entry *e = c->entries[i];

		if (!in_force(e, now_ms) && e->told.kind == WORD_NONE &&
		    (oldest == c->nr || holding(e)->at_ms < holding(c->entries[oldest])->at_ms))
			oldest = i;
	}
	if (oldest == c->nr)
		return -1;
	remove_entry(c, oldest);
	return 0;
}

static int grow(struct controls *c)
{
	size_t cap = c->cap ? 2 * c->cap : 16;
	struct entry **entries = realloc(c->entries, cap * sizeof(*entries));

	if (!entries)
		return -1;
	c->entries = entries;
	c->cap = cap;
	return 0;
}

/* The entry of an id, made when it is new; id fits. */
static struct entry *entry_of(struct controls *c, struct str id, int64_t now_ms, struct err *err)
{
	struct entry *e;
	bool found;
	size_t at = find(c, id, &found);

	if (found)
		return c->entries[at];
	if (c->nr == CONTROLS_MAX) {
		if (make_room(c, now_ms) < 0) {
			err_set(err, ERR_REJECT, "control " STR_FMT ": %d are in force, that is all there may be", STR_ARG(id), CONTROLS_MAX);
			return NULL;
		}
		at = find(c, id, &found);
	}
	e = calloc(1, sizeof(*e));
	if (!e || (c->nr == c->cap && grow(c) < 0)) {
		free(e);
		err_nomem(err, "a control");
		return NULL;
	}
	memcpy(e->id, id.p, id.len);
	memmove(&c->entries[at + 1], &c->entries[at], (c->nr - at) * sizeof(c->entries[0]));
	c->entries[at] = e;
	c->nr++;
	return e;
}

/* Copies a text that control_check() has bounded. */
static void copy(char *out, size_t size, struct str text)
{
	snprintf(out, size, STR_FMT, STR_ARG(text));
}

/* One side says that a control is set. It has been checked. Under the lock. */
static int say_set(struct controls *c, enum side side, const struct control *control, int64_t now_ms, struct err *err)
{
	struct entry *e = entry_of(c, control->id, now_ms, err);
	struct word *w;

	if (!e)
		return -1;
	e->action = control->action;
	copy(e->cell, sizeof(e->cell), control->has_cell ? control->cell : STR(""));
	copy(e->site, sizeof(e->site), control->has_site ? control->site : STR(""));
	copy(e->kind, sizeof(e->kind), control->has_kind ? control->kind : STR(""));
	copy(e->trigger, sizeof(e->trigger), control->has_trigger ? control->trigger : STR(""));
	w = &e->words[side];
	*w = (struct word){.kind = WORD_SET, .at_ms = control->created_at, .expires_ms = control->expires_at};
	copy(w->reason, sizeof(w->reason), control->reason);
	copy(w->author, sizeof(w->author), control->author);
	count(c, now_ms);
	return 0;
}

/* A deletion of an id that was never heard of is remembered too: the port may come with an older control. The key is foreign: one that
 * cannot be an id of ours, or that there is no room to remember, clears nothing. */
static int take_deletion(struct controls *c, const struct table_row *row)
{
	struct str program = str_from(control_program_name(c->on));
	int64_t now_ms = clock_now_ms(c->clock);
	struct entry *e;

	if (row->key.len >= CONTROL_ID_SIZE || row->key.len <= program.len || memcmp(row->key.p, program.p, program.len) != 0 ||
	    row->key.p[program.len] != '/')
		return 0;
	pthread_mutex_lock(&c->lock);
	e = entry_of(c, row->key, now_ms, NULL);
	if (e)
		e->words[SIDE_TOPIC] = (struct word){.kind = WORD_CLEAR, .at_ms = row->timestamp_ms};
	count(c, now_ms);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

int controls_take(void *ctx, const struct table_row *row, struct err *err)
{
	struct arena arena = {.limit_bytes = MESSAGE_LIMIT_BYTES};
	struct controls *c = ctx;
	struct control control;
	int rc = 0;

	if (!row->value.p)
		return take_deletion(c, row);
	if (control_decode(row->value, &arena, &control, err) < 0)
		rc = -1;
	else if (!str_eq(row->key, control.id))
		rc = err_set(err, ERR_REJECT, "control \"%.*s\" stands under another key", (int)(control.id.len < 80 ? control.id.len : 80),
			     control.id.p);
	else if (control.on == c->on && (rc = control_check(&control, err)) == 0) {
		pthread_mutex_lock(&c->lock);
		rc = say_set(c, SIDE_TOPIC, &control, clock_now_ms(c->clock), err);
		pthread_mutex_unlock(&c->lock);
	}
	arena_fini(&arena);
	return rc;
}

/* What the port may not say though it is well-formed. */
static int check_put(const struct controls *c, const struct control *control, int64_t now_ms, struct err *err)
{
	if (control->on != c->on)
		return err_set(err, ERR_REJECT, "control " STR_FMT ": this is %s", STR_ARG(control->id), control_program_name(c->on));
	if (control->expires_at <= now_ms)
		return err_set(err, ERR_REJECT, "control " STR_FMT " has expired by the clock here", STR_ARG(control->id));
	if (control->created_at - now_ms > CLOCKS_APART_MS)
		return err_set(err, ERR_REJECT, "control " STR_FMT " is made more than 10 minutes ahead of the clock here",
			       STR_ARG(control->id));
	return 0;
}

enum controls_answer controls_put(struct controls *c, const struct control *control, struct err *err)
{
	enum controls_answer answer = CONTROLS_DONE;
	int64_t now_ms = clock_now_ms(c->clock);
	bool found;
	size_t at;

	if (control_check(control, err) < 0 || check_put(c, control, now_ms, err) < 0)
		return CONTROLS_BAD;
	pthread_mutex_lock(&c->lock);
	at = find(c, control->id, &found);
	if (found && holding(c->entries[at])->at_ms > control->created_at) {
		err_set(err, ERR_REJECT, "control " STR_FMT " was %s later than this by the %s: that holds", STR_ARG(control->id),
			holding(c->entries[at])->kind == WORD_SET ? "set" : "cleared",
			latest(c->entries[at]) == SIDE_PORT ? "admin port" : "topic");
		answer = CONTROLS_OLDER;
	} else if (say_set(c, SIDE_PORT, control, now_ms, err) < 0) {
		answer = CONTROLS_BAD;
	} else if (c->wake_fd >= 0) {
		events_wake(c->wake_fd);
	}
	pthread_mutex_unlock(&c->lock);
	return answer;
}

enum controls_answer controls_clear(struct controls *c, struct str id, struct err *err)
{
	enum controls_answer answer = CONTROLS_DONE;
	int64_t now_ms = clock_now_ms(c->clock);
	bool found;
	size_t at;

	pthread_mutex_lock(&c->lock);
	at = find(c, id, &found);
	if (!found || !in_force(c->entries[at], now_ms)) {
		err_set(err, ERR_REJECT, "no control \"%.*s\" is in force", (int)(id.len < 80 ? id.len : 80), id.p);
		answer = CONTROLS_UNKNOWN;
	} else {
		int64_t set_ms = holding(c->entries[at])->at_ms;

		c->entries[at]->words[SIDE_PORT] = (struct word){.kind = WORD_CLEAR, .at_ms = set_ms > now_ms ? set_ms : now_ms};
		count(c, now_ms);
		if (c->wake_fd >= 0)
			events_wake(c->wake_fd);
	}
	pthread_mutex_unlock(&c->lock);
	return answer;
}

/* A scope that names nothing covers all; one that names something covers only that. */
static bool covers(const char *named, struct str asked)
{
	return !named[0] || str_eq(str_from(named), asked);
}

/* What is asked about. Of kind and trigger one is empty: controls that name it do not cover what has none. */
struct asked {
	enum control_action action;
	struct str cell, site, kind, trigger;
};

static bool covers_all(const struct entry *e, const struct asked *a)
{
	return e->action == a->action && covers(e->cell, a->cell) && covers(e->site, a->site) && covers(e->kind, a->kind) && covers(e->trigger, a->trigger);
}

static bool is_in_force(struct controls *c, const struct asked *asked, char why[CONTROLS_WHY_SIZE])
{
	const struct entry *found = NULL;
	int64_t now_ms;

	if (atomic_load_explicit(&c->maybe_in_force, memory_order_acquire) == 0)
		return false;
	now_ms = clock_now_ms(c->clock);
	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < c->nr && !found; i++) {
		const struct entry *e = c->entries[i];

		if (covers_all(e, asked) && in_force(e, now_ms))
			found = e;
	}
	if (found && why)
		memcpy(why, holding(found)->reason, CONTROLS_WHY_SIZE);
	pthread_mutex_unlock(&c->lock);
	return found != NULL;
}

bool controls_in_force_of_kind(struct controls *c, enum control_action action, struct str cell, struct str site, struct str kind,
			       char why[CONTROLS_WHY_SIZE])
{
	const struct asked asked = {action, cell, site, kind, STR("")};

	return is_in_force(c, &asked, why);
}

bool controls_in_force_of_trigger(struct controls *c, enum control_action action, struct str cell, struct str site, struct str trigger,
				  char why[CONTROLS_WHY_SIZE])
{
	const struct asked asked = {action, cell, site, STR(""), trigger};

	return is_in_force(c, &asked, why);
}

bool controls_in_force(struct controls *c, enum control_action action, struct str cell, struct str site, char why[CONTROLS_WHY_SIZE])
{
	return controls_in_force_of_kind(c, action, cell, site, STR(""), why);
}

/* A text of ours in the arena; it sticks when memory is short. */
static struct str keep(struct arena *arena, const char *text, bool *failed)
{
	struct str s = arena_str(arena, str_from(text));

	*failed |= s.p == NULL;
	return s;
}

static void list_entry(const struct controls *c, const struct entry *e, struct arena *arena, struct control *out, bool *failed)
{
	const struct word *w = holding(e);

	*out = (struct control){
		.id = keep(arena, e->id, failed),
		.on = c->on,
		.action = e->action,
		.has_cell = e->cell[0],
		.cell = keep(arena, e->cell, failed),
		.has_site = e->site[0],
		.site = keep(arena, e->site, failed),
		.has_kind = e->kind[0],
		.kind = keep(arena, e->kind, failed),
		.has_trigger = e->trigger[0],
		.trigger = keep(arena, e->trigger, failed),
		.reason = keep(arena, w->reason, failed),
		.author = keep(arena, w->author, failed),
		.created_at = w->at_ms,
		.expires_at = w->expires_ms,
	};
}

struct control *controls_list(struct controls *c, struct arena *arena, size_t *nr, struct err *err)
{
	int64_t now_ms = clock_now_ms(c->clock);
	struct control *list;
	bool failed = false;

	*nr = 0;
	pthread_mutex_lock(&c->lock);
	list = arena_calloc(arena, c->nr, sizeof(*list));
	for (size_t i = 0; list && i < c->nr; i++)
		if (in_force(c->entries[i], now_ms))
			list_entry(c, c->entries[i], arena, &list[(*nr)++], &failed);
	pthread_mutex_unlock(&c->lock);
	if (list && !failed)
		return list;
	err_nomem(err, "a list of controls");
	return NULL;
}

static void fill_change(const struct entry *e, enum control_event event, const struct word *w, struct control_change *out)
{
	*out = (struct control_change){
		.event = event, .expires_ms = w->expires_ms, .by_port = event != CONTROL_EVENT_EXPIRED && latest(e) == SIDE_PORT};
	memcpy(out->id, e->id, sizeof(out->id));
	memcpy(out->cell, e->cell, sizeof(out->cell));
	memcpy(out->site, e->site, sizeof(out->site));
	memcpy(out->reason, w->reason, sizeof(out->reason));
	memcpy(out->author, w->author, sizeof(out->author));
}

/* Compares what an entry was called with what it is, and calls it that. */
static bool tell(struct entry *e, int64_t now_ms, struct control_change *out)
{
	const struct word *w = holding(e);

	if (in_force(e, now_ms)) {
		if (e->told.kind == WORD_SET && e->told.at_ms == w->at_ms && e->told.expires_ms == w->expires_ms)
			return false;
		e->told = *w;
		fill_change(e, CONTROL_EVENT_SET, w, out);
		return true;
	}
	if (e->told.kind != WORD_SET)
		return false;
	fill_change(e, w->kind == WORD_CLEAR ? CONTROL_EVENT_CLEARED : CONTROL_EVENT_EXPIRED, &e->told, out);
	e->told.kind = WORD_NONE;
	return true;
}

bool controls_next_change(struct controls *c, struct control_change *out)
{
	int64_t now_ms = clock_now_ms(c->clock);
	bool told = false;

	pthread_mutex_lock(&c->lock);
	for (size_t i = c->nr; i > 0 && !told; i--) {
		struct entry *e = c->entries[i - 1];

		told = tell(e, now_ms, out);
		if (!told && may_forget(&e->words[SIDE_TOPIC], now_ms) && may_forget(&e->words[SIDE_PORT], now_ms))
			remove_entry(c, i - 1);
	}
	count(c, now_ms);
	pthread_mutex_unlock(&c->lock);
	return told;
}
