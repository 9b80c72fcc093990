/* drafts.c - see drafts.h.
 *
 * All that is remembered is in the incidents themselves, so a restart goes on where the page was: an incident's id is made from when its component left
 * operational, and one whose id is there already, vetoed or resolved, is not drafted again.
 *
 * Who leads: each component leads its own trouble, but alerts and notifications follow processing while that is not operational, as they cannot be better
 * than what they are made from. */
#include "sink/status/drafts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sink/status/words.h"

enum {
	TELL_AGAIN_MS = 300000,      /* of what is expected later than was said */
	TIMELINE_WITHIN_MS = 3600000, /* of an operator's resolving */
};

struct drafts {
	const struct drafts_conf *conf;
	struct arena arena; /* of the turn */
	struct status_entry *out;
	size_t nr, cap;
};

/* One turn's view. */
struct turn {
	struct drafts *d;
	int64_t now_ms;
	const struct status_component *components;
	size_t nr_components;
	const struct status_incidents *incidents;
	drafts_timeline_fn timeline;
	void *ctx;
	struct err *err;
};

/* Components of one incident. */
struct party {
	const struct status_component **all;
	size_t nr;
};

struct drafts *drafts_new(const struct drafts_conf *conf, struct err *err)
{
	struct drafts *d = calloc(1, sizeof(*d));

	if (!d) {
		err_nomem(err, "drafts");
		return NULL;
	}
	d->conf = conf;
	return d;
}

void drafts_free(struct drafts *d)
{
	if (!d)
		return;
	arena_fini(&d->arena);
	free(d->out);
	free(d);
}

static bool is_troubled(const struct status_component *c)
{
	return c->state > COMPONENT_STATE_MAINTENANCE;
}

/* Is there anything to tell of it? One that is well again but has not been for long is troubled still, and has nothing to say. */
static bool has_words(const struct status_component *const *components, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (is_troubled(components[i]) && components[i]->detail.len)
			return true;
	return false;
}

static const struct status_component *find(const struct turn *t, struct str id)
{
	for (size_t i = 0; i < t->nr_components; i++)
		if (str_eq(t->components[i].id, id))
			return &t->components[i];
	return NULL;
}

static bool is_open(const struct status_incident *i)
{
	return i->state == STATUS_INCIDENT_DRAFT || i->state == STATUS_INCIDENT_POSTED;
}

static bool names(const struct status_incident *i, struct str id)
{
	for (size_t k = 0; k < i->nr_components; k++)
		if (str_eq(i->components[k], id))
			return true;
	return false;
}

static bool follows_processing(const struct turn *t, const struct status_component *c)
{
	const struct status_component *processing = find(t, STR("processing"));

	return processing && is_troubled(processing) && (str_eq(c->id, STR("alerts")) || str_eq(c->id, STR("notifications")));
}

/* Is there an incident for it, or for what it follows? What is planned for later explains nothing now. */
static bool is_covered(const struct turn *t, const struct status_component *c)
{
	for (size_t k = 0; k < t->incidents->nr; k++) {
		const struct status_incident *i = t->incidents->list[k];

		if (is_open(i) && names(i, c->id) && (i->impact != STATUS_IMPACT_MAINTENANCE || i->opened_at <= t->now_ms))
			return true;
	}
	return follows_processing(t, c);
}

/* A text of the turn. */
static struct str keep(struct turn *t, struct buf *b, size_t max)
{
	struct str s = buf_failed(b) ? (struct str){NULL, 0} : arena_str(&t->d->arena, str_cut_utf8(buf_str(b), max));

	if (!s.p)
		err_nomem(t->err, "an incident's words");
	buf_fini(b);
	return s;
}

/* The next entry, of an incident, by the page itself. NULL when memory is short. */
static struct status_entry *entry(struct turn *t, struct str incident, enum status_action action)
{
	struct drafts *d = t->d;
	char id[STATUS_ENTRY_ID_SIZE];
	struct str kept;

	if (d->nr == d->cap) {
		size_t cap = d->cap ? 2 * d->cap : 8;
		struct status_entry *out = reallocarray(d->out, cap, sizeof(*out));

		if (!out) {
			err_nomem(t->err, "entries");
			return NULL;
		}
		d->out = out;
		d->cap = cap;
	}
	status_entry_id(id);
	kept = arena_str(&d->arena, str_from(id));
	if (!kept.p) {
		err_nomem(t->err, "an entry");
		return NULL;
	}
	d->out[d->nr] = (struct status_entry){.incident = incident, .entry = kept, .at = t->now_ms, .action = action, .title = STR(""), .text = STR("")};
	return &d->out[d->nr++];
}

static enum status_impact impact_of(const struct party *p)
{
	enum component_state worst = COMPONENT_STATE_DEGRADED;

	for (size_t i = 0; i < p->nr; i++)
		worst = p->all[i]->state > worst ? p->all[i]->state : worst;
	return worst == COMPONENT_STATE_MAJOR_OUTAGE ? STATUS_IMPACT_MAJOR_OUTAGE :
	       worst == COMPONENT_STATE_PARTIAL_OUTAGE ? STATUS_IMPACT_PARTIAL_OUTAGE : STATUS_IMPACT_DEGRADED;
}

static int make_party(struct turn *t, struct party *p)
{
	*p = (struct party){arena_calloc(&t->d->arena, t->nr_components + 1, sizeof(*p->all)), 0};
	return p->all ? 0 : err_nomem(t->err, "an incident");
}

/* Those of the incident that the page has, and those that have come to follow one of them. */
static int party_of(struct turn *t, const struct status_incident *i, struct party *p)
{
	if (make_party(t, p) < 0)
		return -1;
	for (size_t k = 0; k < t->nr_components; k++) {
		const struct status_component *c = &t->components[k];

		if (names(i, c->id) || (is_troubled(c) && follows_processing(t, c) && names(i, STR("processing"))))
			p->all[p->nr++] = c;
	}
	return 0;
}

/* What an entry says of the trouble as it is now. */
static int describe(struct turn *t, struct status_entry *e, const struct party *p, void (*words)(struct buf *, const struct status_component *const *, size_t, int64_t))
{
	struct buf text = BUF_INIT;
	struct str *ids = arena_calloc(&t->d->arena, p->nr + 1, sizeof(*ids));

	if (!ids)
		return err_nomem(t->err, "an incident");
	for (size_t i = 0; i < p->nr; i++)
		ids[i] = p->all[i]->id;
	e->components = ids;
	e->components_len = p->nr;
	e->has_impact = true;
	e->impact = impact_of(p);
	e->recovery_at = words_recovery_at(p->all, p->nr, t->now_ms);
	e->has_recovery_at = true;
	words(&text, p->all, p->nr, t->now_ms);
	e->text = keep(t, &text, STATUS_TEXT_MAX);
	return e->text.p ? 0 : -1;
}

static void say_trouble(struct buf *out, const struct status_component *const *components, size_t nr, int64_t now_ms)
{
	words_trouble(out, components, nr, now_ms, false);
}

static void say_still(struct buf *out, const struct status_component *const *components, size_t nr, int64_t now_ms)
{
	words_trouble(out, components, nr, now_ms, true);
}

/* "20261127-2323-storage-amber": when it left operational, and what. */
static struct str incident_id(struct turn *t, const struct status_component *c)
{
	char text[STATUS_INCIDENT_ID_MAX + 1];
	time_t seconds = (time_t)(c->left_at / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(text, sizeof(text), "%Y%m%d-%H%M-", &tm);
	snprintf(text + n, sizeof(text) - n, STR_FMT, STR_ARG(c->id));
	for (char *p = text + n; *p; p++)
		*p = *p == '/' ? '-' : *p;
	return arena_str(&t->d->arena, str_from(text));
}

static int draft(struct turn *t, const struct status_component *leader)
{
	struct str id = incident_id(t, leader);
	struct buf title = BUF_INIT;
	struct status_entry *e;
	struct party p;

	if (!id.p || make_party(t, &p) < 0)
		return err_nomem(t->err, "an incident");
	if (status_incidents_find(t->incidents, id))
		return 0; /* it was told, and ended by somebody: that is their word */
	p.all[p.nr++] = leader;
	for (size_t i = 0; str_eq(leader->id, STR("processing")) && i < t->nr_components; i++)
		if (is_troubled(&t->components[i]) && follows_processing(t, &t->components[i]))
			p.all[p.nr++] = &t->components[i];
	e = entry(t, id, STATUS_ACTION_DRAFT);
	if (!e || describe(t, e, &p, say_trouble) < 0)
		return -1;
	words_title(&title, leader);
	e->title = keep(t, &title, STATUS_TITLE_MAX);
	e->has_opened_at = e->has_publish_at = e->has_phase = true;
	e->opened_at = leader->left_at;
	e->publish_at = t->now_ms + t->d->conf->publish_after_ms;
	e->phase = STATUS_PHASE_INVESTIGATING;
	return e->title.p ? 0 : -1;
}

static bool is_over(const struct party *p)
{
	for (size_t i = 0; i < p->nr; i++)
		if (is_troubled(p->all[i]))
			return false;
	return true;
}

/* Since when all are well. */
static int64_t well_since(const struct party *p)
{
	int64_t since = 0;

	for (size_t i = 0; i < p->nr; i++)
		since = p->all[i]->since > since ? p->all[i]->since : since;
	return since;
}

/* Copies, as the next incident's timeline takes this one's place. */
static int tell_timeline(struct turn *t, const struct status_incident *i, struct status_entry *e)
{
	struct status_moment *moments;
	size_t nr = 0;

	if (!t->timeline)
		return 0;
	if (t->timeline(t->ctx, i, &moments, &nr, t->err) < 0)
		return -1;
	e->timeline = arena_calloc(&t->d->arena, nr + 1, sizeof(*e->timeline));
	for (size_t k = 0; e->timeline && k < nr; k++) {
		e->timeline[k] = (struct status_moment){moments[k].at, arena_str(&t->d->arena, moments[k].text)};
		if (!e->timeline[k].text.p)
			e->timeline = NULL;
	}
	e->timeline_len = nr;
	return e->timeline ? 0 : err_nomem(t->err, "a timeline");
}

static int end(struct turn *t, const struct status_incident *i, const struct party *p, int64_t since_ms)
{
	struct status_entry *e = entry(t, i->id, STATUS_ACTION_RESOLVE);
	struct buf text = BUF_INIT;

	if (!e)
		return -1;
	if (i->impact == STATUS_IMPACT_MAINTENANCE)
		buf_printf(&text, "The maintenance has ended.");
	else
		words_over(&text, p->all, p->nr, since_ms);
	e->text = keep(t, &text, STATUS_TEXT_MAX);
	if (!e->text.p)
		return -1;
	return tell_timeline(t, i, e);
}

/* When anything was last said of it, or, of a maintenance that is to come, will have begun. */
static int64_t last_told(const struct status_incident *i)
{
	int64_t last = i->told_at > i->posted_at ? i->told_at : i->posted_at;

	return i->opened_at > last ? i->opened_at : last;
}

static int remind(struct turn *t, const struct status_incident *i)
{
	int64_t last = last_told(i) > i->reminded_at ? last_told(i) : i->reminded_at;

	if (t->now_ms - last < t->d->conf->cadence_ms)
		return 0;
	return entry(t, i->id, STATUS_ACTION_REMIND) ? 0 : -1;
}

/* Whoever edits a draft has to post it, too: of one that lies about they are reminded. */
static int follow_draft(struct turn *t, const struct status_incident *i, const struct party *p)
{
	struct status_entry *e;

	if (i->edited)
		return remind(t, i);
	if (is_over(p)) {
		struct buf text = BUF_INIT;

		e = entry(t, i->id, STATUS_ACTION_VETO);
		buf_printf(&text, "It was over before it was told.");
		return e && (e->text = keep(t, &text, STATUS_TEXT_MAX)).p ? 0 : -1;
	}
	if (!i->publish_at || t->now_ms < i->publish_at || !has_words(p->all, p->nr))
		return 0;
	e = entry(t, i->id, STATUS_ACTION_POST);
	return e ? describe(t, e, p, say_trouble) : -1;
}

/* What to say anew of a posted incident; NULL: nothing. */
static void (*news(const struct turn *t, const struct status_incident *i, const struct party *p))(struct buf *, const struct status_component *const *, size_t, int64_t)
{
	int64_t recovery_at = words_recovery_at(p->all, p->nr, t->now_ms);
	bool can_tell = t->now_ms - i->told_at >= TELL_AGAIN_MS;

	if (!has_words(p->all, p->nr))
		return NULL;
	if (i->phase != STATUS_PHASE_MONITORING && recovery_at)
		return words_recovering;
	if ((enum status_impact)impact_of(p) > i->impact || p->nr > i->nr_components)
		return say_still;
	if (can_tell && i->recovery_at && (t->now_ms > i->recovery_at || !recovery_at || recovery_at > i->recovery_at + (i->recovery_at - i->told_at)))
		return say_still;
	return t->now_ms - i->told_at >= t->d->conf->cadence_ms ? say_still : NULL;
}

static int follow_posted(struct turn *t, const struct status_incident *i, const struct party *p)
{
	void (*words)(struct buf *, const struct status_component *const *, size_t, int64_t);
	struct status_entry *e;

	if (i->impact == STATUS_IMPACT_MAINTENANCE && i->recovery_at)
		return t->now_ms >= i->recovery_at ? end(t, i, p, i->recovery_at) : 0;
	if (i->edited)
		return remind(t, i);
	if (is_over(p))
		return t->now_ms - well_since(p) >= t->d->conf->resolve_after_ms ? end(t, i, p, well_since(p)) : 0;
	words = news(t, i, p);
	if (!words)
		return 0;
	e = entry(t, i->id, STATUS_ACTION_UPDATE);
	if (!e || describe(t, e, p, words) < 0)
		return -1;
	e->has_phase = true;
	e->phase = e->recovery_at ? STATUS_PHASE_MONITORING : STATUS_PHASE_IDENTIFIED;
	return 0;
}

/* What an operator resolved has no timeline of theirs: it is added when the log has one. */
static int add_timeline(struct turn *t, const struct status_incident *i)
{
	struct status_entry found = {.timeline_len = 0}, *e;

	if (i->state != STATUS_INCIDENT_RESOLVED || i->nr_timeline || t->now_ms - i->ended_at > TIMELINE_WITHIN_MS)
		return 0;
	if (tell_timeline(t, i, &found) < 0)
		return -1;
	if (!found.timeline_len)
		return 0;
	e = entry(t, i->id, STATUS_ACTION_UPDATE);
	if (!e)
		return -1;
	e->timeline = found.timeline;
	e->timeline_len = found.timeline_len;
	return 0;
}

static int follow(struct turn *t, const struct status_incident *i)
{
	struct party p;

	if (!is_open(i))
		return add_timeline(t, i);
	if (party_of(t, i, &p) < 0)
		return -1;
	return i->state == STATUS_INCIDENT_DRAFT ? follow_draft(t, i, &p) : follow_posted(t, i, &p);
}

int drafts_turn(struct drafts *d, int64_t now_ms, const struct status_component *components, size_t nr_components,
		const struct status_incidents *incidents, drafts_timeline_fn timeline, void *ctx, const struct status_entry **out, size_t *nr,
		struct err *err)
{
	struct turn t = {d, now_ms, components, nr_components, incidents, timeline, ctx, err};

	arena_clear(&d->arena);
	d->nr = 0;
	for (size_t i = 0; i < incidents->nr; i++)
		if (follow(&t, incidents->list[i]) < 0)
			return -1;
	for (size_t i = 0; i < nr_components; i++) {
		const struct status_component *c = &components[i];

		if (has_words(&c, 1) && now_ms - c->left_at >= d->conf->after_ms && !is_covered(&t, c) && draft(&t, c) < 0)
			return -1;
	}
	*out = d->out;
	*nr = d->nr;
	return 0;
}

size_t drafts_due(const struct drafts_conf *conf, int64_t now_ms, const struct status_incidents *incidents)
{
	size_t nr = 0;

	for (size_t k = 0; k < incidents->nr; k++) {
		const struct status_incident *i = incidents->list[k];

		nr += i->state == STATUS_INCIDENT_POSTED && i->edited && i->impact != STATUS_IMPACT_MAINTENANCE && now_ms - last_told(i) >= conf->cadence_ms;
	}
	return nr;
}
