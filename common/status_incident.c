/* status_incident.c - see status_incident.h.
 *
 * What an action means, by the incident's state; schemas/README.md, "Status incidents", says it to those who read the topic. "Its own" are entries without an author,
 * "edited" is an incident in which an operator has had a hand: from then on it is theirs, and nothing that the page says by itself counts any more, whichever
 * way the two have crossed in the topic.
 *
 *             not there yet   draft                       posted                      resolved            vetoed
 *   draft     a draft         new words; edited: not own  -                           -                   -
 *   post      posted          posted; edited: not own     -                           -                   -
 *   update    -               -                           said; edited: not own       said, not own       -
 *   veto      -               vetoed; edited: not own     -                           -                   -
 *   resolve   -               -                           resolved; edited: not own   -                   -
 *   remind    -               noted                       noted                       -                   -
 *
 * Who writes last does not win: what stands first in the topic does. A veto that comes behind the post it was to prevent is refused, and whoever wrote it
 * can see so; were it taken, readers would find an incident gone that they had read of.
 *
 * A maintenance ends by itself at its time, although an operator wrote it.
 *
 * Invariants:
 *  I1  An entry is taken once: its key is remembered, whether it was refused or not.
 *  I2  What points to text lives in the arena, so lines are never moved or freed one by one.
 *  I3  A field that an entry leaves empty stays as it was; only a first entry must have title, components and impact. */
#include "common/status_incident.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	ENTRIES_MAX = 100000, /* that there may be: a page of so many is no page */
	AUTHOR_MAX = 128,
	CELL_MAX = 32,
};

#define TIME_MAX_MS INT64_C(253402300799999) /* the end of year 9999 */

void status_incidents_fini(struct status_incidents *s)
{
	for (size_t i = 0; i < s->nr; i++)
		free(s->list[i]->lines);
	free(s->list);
	map_fini(&s->index);
	map_fini(&s->seen);
	arena_fini(&s->arena);
	*s = (struct status_incidents){0};
}

/* 1 to max characters of [a-z0-9-]. */
static bool is_name(struct str s, size_t max)
{
	bool good = s.len > 0 && s.len <= max;

	for (size_t i = 0; good && i < s.len; i++)
		good = (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-';
	return good;
}

static bool is_entry_id(struct str s)
{
	bool good = s.len == STATUS_ENTRY_ID_SIZE - 1;

	for (size_t i = 0; good && i < s.len; i++)
		good = (s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f');
	return good;
}

static bool is_component(struct str s)
{
	if (str_take(&s, "storage/"))
		return is_name(s, CELL_MAX);
	return str_eq(s, STR("push")) || str_eq(s, STR("processing")) || str_eq(s, STR("alerts")) || str_eq(s, STR("notifications"));
}

/* Well-formed UTF-8 whose only control characters are line ends. */
static bool is_text(struct str s)
{
	while (s.len) {
		const char *end = memchr(s.p, '\n', s.len);
		size_t n = end ? (size_t)(end - s.p) : s.len;

		if (!str_is_line((struct str){s.p, n}))
			return false;
		s = (struct str){s.p + n + (end != NULL), s.len - n - (end != NULL)};
	}
	return true;
}

static int check_line(const char *what, struct str s, size_t max, struct err *err)
{
	if (s.len > max)
		return err_set(err, ERR_REJECT, "%s: %zu bytes, %zu are allowed", what, s.len, max);
	return str_is_line(s) ? 0 : err_set(err, ERR_REJECT, "%s: it must be one line of UTF-8", what);
}

static int check_time(const char *what, bool has, int64_t ms, struct err *err)
{
	return !has || (ms >= 0 && ms <= TIME_MAX_MS) ? 0 : err_set(err, ERR_REJECT, "%s: %" PRId64 " is no time", what, ms);
}

static int check_times(const struct status_entry *e, struct err *err)
{
	return check_time("at", true, e->at, err) < 0 || check_time("opened_at", e->has_opened_at, e->opened_at, err) < 0 ||
	       check_time("publish_at", e->has_publish_at, e->publish_at, err) < 0 || check_time("recovery_at", e->has_recovery_at, e->recovery_at, err) < 0 ? -1 : 0;
}

static int check_lists(const struct status_entry *e, struct err *err)
{
	if (e->components_len > STATUS_COMPONENTS_MAX)
		return err_set(err, ERR_REJECT, "components: %zu, %d are allowed", e->components_len, STATUS_COMPONENTS_MAX);
	for (size_t i = 0; i < e->components_len; i++)
		if (!is_component(e->components[i]))
			return err_set(err, ERR_REJECT, "components: \"" STR_FMT "\" is none: push, processing, storage/CELL, alerts or notifications",
				       (int)(e->components[i].len < 64 ? e->components[i].len : 64), e->components[i].p);
	if (e->timeline_len > STATUS_MOMENTS_MAX)
		return err_set(err, ERR_REJECT, "timeline: %zu, %d are allowed", e->timeline_len, STATUS_MOMENTS_MAX);
	for (size_t i = 0; i < e->timeline_len; i++)
		if (check_line("timeline", e->timeline[i].text, STATUS_MOMENT_TEXT_MAX, err) < 0 || check_time("timeline", true, e->timeline[i].at, err) < 0)
			return -1;
	return 0;
}

int status_entry_check(const struct status_entry *e, struct err *err)
{
	if (!is_name(e->incident, STATUS_INCIDENT_ID_MAX))
		return err_set(err, ERR_REJECT, "incident: 1 to %d of a-z, 0-9 and - are allowed", STATUS_INCIDENT_ID_MAX);
	if (!is_entry_id(e->entry))
		return err_set(err, ERR_REJECT, "entry: 16 hex digits are needed");
	if (e->has_author && (e->author.len == 0 || check_line("author", e->author, AUTHOR_MAX, err) < 0))
		return e->author.len ? -1 : err_set(err, ERR_REJECT, "author: it is empty");
	if (check_line("title", e->title, STATUS_TITLE_MAX, err) < 0)
		return -1;
	if (e->text.len > STATUS_TEXT_MAX)
		return err_set(err, ERR_REJECT, "text: %zu bytes, %d are allowed", e->text.len, STATUS_TEXT_MAX);
	if (!is_text(e->text))
		return err_set(err, ERR_REJECT, "text: it must be UTF-8 without control characters");
	return check_times(e, err) < 0 || check_lists(e, err) < 0 ? -1 : 0;
}

const char *status_entry_key(const struct status_entry *e, char out[STATUS_KEY_SIZE])
{
	snprintf(out, STATUS_KEY_SIZE, STR_FMT "/" STR_FMT, STR_ARG(e->incident), STR_ARG(e->entry));
	return out;
}

void status_entry_id(char out[STATUS_ENTRY_ID_SIZE])
{
	uint8_t bytes[(STATUS_ENTRY_ID_SIZE - 1) / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		abort(); /* cannot be, of so few bytes; and an id that is not drawn would take another entry's place */
	str_hex(bytes, sizeof(bytes), out);
}

static struct status_incident *find(const struct status_incidents *s, struct str id)
{
	uint8_t key[MAP_KEY_BYTES];

	map_key_of(id, key);
	return map_get(&s->index, key);
}

const struct status_incident *status_incidents_find(const struct status_incidents *s, struct str id)
{
	return find(s, id);
}

/* Of an incident that is not there yet. */
static const char *why_not_first(const struct status_entry *e)
{
	if (e->action != STATUS_ACTION_DRAFT && e->action != STATUS_ACTION_POST)
		return "there is no such incident";
	if (!e->title.len || !e->components_len || !e->has_impact)
		return "a new incident needs a title, components and an impact";
	return NULL;
}

static const char *why_not_draft(const struct status_entry *e)
{
	if (e->action == STATUS_ACTION_UPDATE)
		return "it is a draft: change it by draft, or post it";
	return e->action == STATUS_ACTION_RESOLVE ? "it is a draft, which nobody has seen: veto it" : NULL;
}

static const char *why_not_posted(const struct status_entry *e)
{
	if (e->action == STATUS_ACTION_DRAFT || e->action == STATUS_ACTION_POST)
		return "it is public already: update it";
	return e->action == STATUS_ACTION_VETO ? "it is public already: resolve it" : NULL;
}

/* May the page say by itself what it says here, though it is an operator's incident? */
static bool is_its_end(const struct status_incident *i, const struct status_entry *e)
{
	return i->state == STATUS_INCIDENT_POSTED && i->impact == STATUS_IMPACT_MAINTENANCE && e->action == STATUS_ACTION_RESOLVE && i->recovery_at &&
	       e->at >= i->recovery_at;
}

static const char *why_not(const struct status_incident *i, const struct status_entry *e)
{
	const char *why = NULL;

	if (!i)
		return why_not_first(e);
	switch (i->state) {
	case STATUS_INCIDENT_DRAFT:
		why = why_not_draft(e);
		break;
	case STATUS_INCIDENT_POSTED:
		why = why_not_posted(e);
		break;
	case STATUS_INCIDENT_RESOLVED:
		why = e->action == STATUS_ACTION_UPDATE && e->has_author ? NULL : "it is resolved";
		break;
	case STATUS_INCIDENT_VETOED:
		why = "it was vetoed";
		break;
	}
	if (!why && i->edited && !e->has_author && e->action != STATUS_ACTION_REMIND && !is_its_end(i, e))
		why = "an operator has had a hand in it";
	return why;
}

const char *status_incidents_why_not(const struct status_incidents *s, const struct status_entry *e)
{
	return why_not(find(s, e->incident), e);
}

/* The incident of a first entry. */
static struct status_incident *begin(struct status_incidents *s, const struct status_entry *e, struct err *err)
{
	struct status_incident *i;
	uint8_t key[MAP_KEY_BYTES];

	if (s->nr == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 16;
		struct status_incident **list = reallocarray(s->list, cap, sizeof(*list));

		if (!list) {
			err_nomem(err, "the incidents");
			return NULL;
		}
		s->list = list;
		s->cap = cap;
	}
	i = arena_alloc(&s->arena, sizeof(*i));
	map_key_of(e->incident, key);
	if (!i || map_put(&s->index, key, i) < 0) {
		err_nomem(err, "an incident");
		return NULL;
	}
	*i = (struct status_incident){.id = e->incident, .phase = STATUS_PHASE_INVESTIGATING, .opened_at = e->at};
	s->list[s->nr++] = i;
	return i;
}

/* What an entry that counts says anew (I3). */
static void take_words(struct status_incident *i, const struct status_entry *e)
{
	if (e->has_phase)
		i->phase = e->phase;
	if (e->has_impact)
		i->impact = e->impact;
	if (e->components_len) {
		i->components = e->components;
		i->nr_components = e->components_len;
	}
	if (e->title.len)
		i->title = e->title;
	if (e->has_opened_at)
		i->opened_at = e->opened_at;
	if (e->has_recovery_at)
		i->recovery_at = e->recovery_at;
	if (e->timeline_len) {
		i->timeline = e->timeline;
		i->nr_timeline = e->timeline_len;
	}
	if (e->text.len)
		i->told_at = e->at;
}

static void fold(struct status_incident *i, const struct status_entry *e)
{
	if (e->action == STATUS_ACTION_REMIND) {
		i->reminded_at = e->at;
		return;
	}
	take_words(i, e);
	i->edited |= e->has_author;
	switch (e->action) {
	case STATUS_ACTION_DRAFT:
		i->publish_at = e->has_publish_at ? e->publish_at : 0;
		break;
	case STATUS_ACTION_POST:
		i->state = STATUS_INCIDENT_POSTED;
		i->posted_at = e->at;
		break;
	case STATUS_ACTION_VETO:
		i->state = STATUS_INCIDENT_VETOED;
		i->ended_at = e->at;
		break;
	case STATUS_ACTION_RESOLVE:
		i->state = STATUS_INCIDENT_RESOLVED;
		i->phase = STATUS_PHASE_RESOLVED;
		i->ended_at = e->at;
		break;
	default:
		break;
	}
}

/* A copy that lives in the arena. */
static int copy(struct status_incidents *s, const struct status_entry *e, struct status_entry *out, struct err *err)
{
	struct buf bytes = BUF_INIT;
	struct str kept = {NULL, 0};
	int rc = status_entry_encode(e, &bytes, err);

	if (rc == 0)
		kept = arena_str(&s->arena, buf_str(&bytes));
	buf_fini(&bytes);
	if (rc == 0 && !kept.p)
		rc = err_nomem(err, "an entry");
	*out = (struct status_entry){0};
	return rc == 0 ? status_entry_decode(kept, &s->arena, out, err) : -1;
}

static int add_line(struct status_incident *i, const struct status_entry *e, bool refused, struct err *err)
{
	if (i->nr_lines == i->cap_lines) {
		size_t cap = i->cap_lines ? 2 * i->cap_lines : 4;
		struct status_line *lines = reallocarray(i->lines, cap, sizeof(*lines));

		if (!lines)
			return err_nomem(err, "an incident's entries");
		i->lines = lines;
		i->cap_lines = cap;
	}
	i->lines[i->nr_lines++] = (struct status_line){*e, refused};
	return 0;
}

/* Its key: 1 when it is new, and then there is room to remember it. */
static int look_up(struct status_incidents *s, const struct status_entry *e, uint8_t key[MAP_KEY_BYTES], struct err *err)
{
	char text[STATUS_KEY_SIZE];

	map_key_of(str_from(status_entry_key(e, text)), key);
	if (map_get(&s->seen, key))
		return 0;
	if (s->seen.len >= ENTRIES_MAX)
		return err_set(err, ERR_REJECT, "over %d entries", ENTRIES_MAX);
	return map_reserve(&s->seen, s->seen.len + 1) < 0 ? err_nomem(err, "the entries' keys") : 1;
}

/* Keeps a copy with its incident, and folds it in unless there is a reason not to. */
static int keep(struct status_incidents *s, const struct status_entry *e, struct err *err)
{
	struct status_incident *i = find(s, e->incident);
	const char *why = why_not(i, e);
	struct status_entry mine;

	if (!i && why)
		return 0; /* a story without a beginning is nobody's */
	if (copy(s, e, &mine, err) < 0 || (!i && !(i = begin(s, &mine, err))) || add_line(i, &mine, why != NULL, err) < 0)
		return -1;
	if (!why)
		fold(i, &mine);
	return why == NULL;
}

int status_incidents_take(struct status_incidents *s, const struct status_entry *e, struct err *err)
{
	uint8_t key[MAP_KEY_BYTES];
	int rc = status_entry_check(e, err);

	if (rc < 0)
		return -1;
	rc = look_up(s, e, key, err);
	if (rc <= 0)
		return rc;
	rc = keep(s, e, err);
	if (rc >= 0)
		map_put(&s->seen, key, s); /* (I1); there is room */
	return rc;
}

int status_incidents_take_row(void *ctx, const struct table_row *row, struct err *err)
{
	struct arena scratch = ARENA_INIT;
	struct status_entry e = {0};
	char key[STATUS_KEY_SIZE];
	int rc;

	if (!row->value.p)
		return 0;
	rc = status_entry_decode(row->value, &scratch, &e, err);
	if (rc == 0 && (rc = status_entry_check(&e, err)) == 0 && !str_eq(str_from(status_entry_key(&e, key)), row->key))
		rc = err_set(err, ERR_REJECT, "status: the key is not the entry's");
	if (rc == 0)
		rc = status_incidents_take(ctx, &e, err) < 0 ? -1 : 0;
	arena_fini(&scratch);
	return rc;
}

const struct status_incident *status_incidents_match(const struct status_incidents *s, const char *prefix, struct err *err)
{
	const struct status_incident *found = NULL;
	struct str wanted = str_from(prefix);

	for (size_t k = 0; k < s->nr; k++) {
		const struct status_incident *i = s->list[k];
		struct str rest = i->id;

		if (str_eq(i->id, wanted))
			return i;
		if (!str_take(&rest, prefix))
			continue;
		if (found) {
			err_set(err, ERR_REJECT, "%.64s: several incidents begin so, " STR_FMT " and " STR_FMT " among them", prefix, STR_ARG(found->id),
				STR_ARG(i->id));
			return NULL;
		}
		found = i;
	}
	if (!found)
		err_set(err, ERR_REJECT, "%.64s: there is no such incident on the status page", prefix);
	return found;
}

bool status_incident_is_public(const struct status_incident *i)
{
	return i->state == STATUS_INCIDENT_POSTED;
}
