/* alerts.c - see alerts.h.
 *
 * What looks at all alerts does so once a minute; what looks for one finds its few siblings by one look into a map. The list keeps the order of making, so that a
 * partition that was restored judges and tells in the same order as one that was never gone.
 * 
 * Whatever is added is counted with its trigger and its site, and bytes with all: a failure takes back what was done before it, so that counts stay true. */
#include "processor/alerts.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/memory.h"

static size_t rule_bytes(const struct alert_rule *r)
{
	return memory_rounded(sizeof(*r) + r->id.len) + (r->saved.cap ? memory_rounded(r->saved.cap) : 0);
}

static size_t site_bytes(const struct alert_site *s)
{
	return memory_rounded(sizeof(*s) + s->id.len);
}

static void rule_key(struct str site, struct str id, uint8_t key[MAP_KEY_BYTES])
{
	uint8_t both[2 * MAP_KEY_BYTES];

	map_key_of(site, both);
	map_key_of(id, both + MAP_KEY_BYTES);
	map_key_of((struct str){(const char *)both, sizeof(both)}, key);
}

/* A string's bytes, put behind a struct that was allocated with room for them. */
static struct str put_behind(void *end, struct str s)
{
	if (s.len)
		memcpy(end, s.p, s.len);
	return (struct str){end, s.len};
}

static struct alert_site *take_site(struct alerts *a, struct str id)
{
	uint8_t key[MAP_KEY_BYTES];
	struct alert_site *s;

	map_key_of(id, key);
	s = map_get(&a->sites, key);
	if (s)
		return s;
	s = malloc(sizeof(*s) + id.len);
	if (!s || map_put(&a->sites, key, s) < 0) {
		free(s);
		return NULL;
	}
	*s = (struct alert_site){.id = put_behind(s + 1, id), .asked_ms = -1};
	a->bytes += site_bytes(s);
	return s;
}

static struct alert_rule *rule_new(struct alerts *a, struct str site_id, struct str id, const uint8_t *key)
{
	struct alert_site *site = take_site(a, site_id);
	struct alert_rule *r = site ? malloc(sizeof(*r) + id.len) : NULL;

	if (!r || map_put(&a->rules_by_id, key, r) < 0) {
		free(r);
		return NULL;
	}
	*r = (struct alert_rule){.site = site, .id = put_behind(r + 1, id), .prev = a->last_rule};
	*(a->last_rule ? &a->last_rule->next : &a->first_rule) = r;
	a->last_rule = r;
	a->bytes += rule_bytes(r);
	return r;
}

struct alert_rule *alerts_rule(struct alerts *a, struct str site, struct str id, uint64_t revision, int64_t index)
{
	uint8_t key[MAP_KEY_BYTES];
	struct alert_rule *r;

	rule_key(site, id, key);
	r = map_get(&a->rules_by_id, key);
	if (!r)
		r = rule_new(a, site, id, key);
	if (!r)
		return NULL;
	r->revision = revision;
	r->index = index;
	if (index >= 0 && r->saved.cap) {
		a->bytes -= memory_rounded(r->saved.cap);
		buf_fini(&r->saved);
	}
	return r;
}

void alerts_forget_rule(struct alerts *a, struct alert_rule *r)
{
	uint8_t key[MAP_KEY_BYTES];

	if (r->nr || r->unseen_opened)
		return;
	rule_key(r->site->id, r->id, key);
	map_remove(&a->rules_by_id, key);
	*(r->prev ? &r->prev->next : &a->first_rule) = r->next;
	*(r->next ? &r->next->prev : &a->last_rule) = r->prev;
	a->bytes -= rule_bytes(r);
	buf_fini(&r->saved);
	free(r);
}

struct alert *alerts_first_of(const struct alerts *a, const uint8_t key[SERIES_FINGERPRINT_BYTES])
{
	return map_get(&a->by_key, key);
}

/* Hangs an alert among its siblings (I1). -1 when memory is short. */
static int link_sibling(struct alerts *a, struct alert *alert)
{
	struct alert *before = NULL, *head = alerts_first_of(a, alert->key);

	for (struct alert *s = head; s && str_cmp(s->rule->id, alert->rule->id) < 0; s = s->sibling)
		before = s;
	alert->sibling = before ? before->sibling : head;
	if (before)
		before->sibling = alert;
	else if (map_put(&a->by_key, alert->key, alert) < 0)
		return -1;
	if (!head && alert->series) {
		alert->series->alerting = true;
		a->series_bytes += series_bytes(alert->series);
	}
	return 0;
}

static void unlink_sibling(struct alerts *a, struct alert *alert)
{
	struct alert *head = alerts_first_of(a, alert->key);

	if (head != alert) {
		while (head->sibling != alert)
			head = head->sibling;
		head->sibling = alert->sibling;
	} else if (alert->sibling) {
		map_put(&a->by_key, alert->key, alert->sibling); /* it is there: nothing is allocated */
	} else {
		map_remove(&a->by_key, alert->key);
		if (alert->series) {
			alert->series->alerting = false;
			a->series_bytes -= series_bytes(alert->series);
		}
	}
}

/* Has the site room for one more? */
static bool is_free(const struct alert_site *s, const struct alert_place *at)
{
	return s->nr < ALERTS_SITE_MAX && !(at->held && at->series && s->nr_held >= (size_t)at->held_max);
}

static void count(struct alerts *a, const struct alert *alert, int by)
{
	size_t n = (size_t)by, held = alert->held && alert->series ? n : 0;

	a->nr += n;
	a->nr_held += held;
	alert->rule->nr += n;
	alert->rule->site->nr += n;
	alert->rule->site->nr_held += held;
	a->bytes += n * memory_rounded(sizeof(*alert));
}

static void append(struct alerts *a, struct alert *alert)
{
	alert->prev = a->last;
	*(a->last ? &a->last->next : &a->first) = alert;
	a->last = alert;
	if (alert->series)
		alert->series->refs++;
	count(a, alert, 1);
}

int alerts_add(struct alerts *a, const struct alert_place *at, struct alert **out)
{
	struct alert_rule *rule = alerts_rule(a, at->site, at->trigger, at->revision, at->index);
	struct alert *alert;

	*out = NULL;
	if (!rule)
		return -1;
	if (!is_free(rule->site, at)) {
		rule->site->refused++;
		alerts_forget_rule(a, rule);
		return 0;
	}
	alert = malloc(sizeof(*alert));
	if (!alert) {
		alerts_forget_rule(a, rule);
		return -1;
	}
	*alert = (struct alert){.rule = rule, .series = at->series, .held = at->held, .judged_ms = -1};
	memcpy(alert->key, at->series ? at->series->fingerprint : at->key, sizeof(alert->key));
	if (link_sibling(a, alert) < 0) {
		free(alert);
		alerts_forget_rule(a, rule);
		return -1;
	}
	append(a, alert);
	*out = alert;
	return 0;
}

void alerts_remove(struct alerts *a, struct series_table *series, struct alert *alert)
{
	struct alert_rule *rule = alert->rule;

	alerts_set_untold(a, alert, false);
	unlink_sibling(a, alert);
	*(alert->prev ? &alert->prev->next : &a->first) = alert->next;
	*(alert->next ? &alert->next->prev : &a->last) = alert->prev;
	count(a, alert, -1);
	if (alert->series)
		series_table_drop(series, alert->series);
	free(alert);
	alerts_forget_rule(a, rule);
	map_trim(&a->by_key);
}

void alerts_fini(struct alerts *a, struct series_table *series)
{
	const struct map_slot *slot;
	size_t at = 0;

	while (a->first)
		alerts_remove(a, series, a->first);
	while (a->first_rule) {
		a->first_rule->unseen_opened = 0;
		alerts_forget_rule(a, a->first_rule);
	}
	while ((slot = map_next(&a->sites, &at)) != NULL)
		free(slot->value);
	map_fini(&a->sites);
	map_fini(&a->by_key);
	map_fini(&a->rules_by_id);
	rules_drop(a->rules);
	*a = (struct alerts){0};
}

void alerts_set_untold(struct alerts *a, struct alert *alert, bool untold)
{
	a->nr_untold += (size_t)untold - (size_t)alert->untold;
	alert->untold = untold;
}

bool alerts_want_minutes(const struct alerts *a)
{
	return a->first || a->first_rule;
}

size_t alerts_open(const struct alerts *a)
{
	size_t nr = 0;

	for (const struct alert *alert = a->first; alert; alert = alert->next)
		nr += alert_is_open(alert);
	return nr;
}

void alerts_mark(const struct alerts *a, uint32_t mark)
{
	for (const struct alert *alert = a->first; alert; alert = alert->next)
		if (alert->series)
			alert->series->number = mark;
}

const struct alert_site *alerts_tell_refused(struct alerts *a, size_t *at, int64_t watermark_ms, uint64_t *refused)
{
	const struct map_slot *slot;

	while ((slot = map_next(&a->sites, at)) != NULL) {
		struct alert_site *s = slot->value;

		if (!s->refused || (s->told_ms && watermark_ms - s->told_ms < CLOCK_HOUR_MS))
			continue;
		*refused = s->refused;
		s->refused = 0;
		s->told_ms = watermark_ms > 0 ? watermark_ms : 1;
		return s;
	}
	return NULL;
}

size_t alerts_bytes(const struct alerts *a)
{
	return a->bytes + map_bytes(&a->by_key) + map_bytes(&a->rules_by_id) + map_bytes(&a->sites);
}
