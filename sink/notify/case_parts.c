/* case_parts.c - see case_parts.h.
 *
 * Every allocation is counted with its case, and with all of them, by the class that the allocator rounds it to; of maps their slots at three quarters full. The bound on
 * all of them is what keeps a storm of alerts from ending the process, so it has to be near the truth.
 *
 * The order is the same everywhere: first what may fail for want of memory, then what changes. So an event that could not be taken has not been taken in part. */
#include "sink/notify/case_parts.h"

#include <stdlib.h>

#include "common/memory.h"

enum { SLOT_BYTES = sizeof(struct map_slot) * 4 / 3 };

/* Memory that is the case's, and so the cell's. */
static void count(struct cases *cs, struct one_case *c, size_t bytes)
{
	c->bytes += bytes;
	cs->bytes += bytes;
}

static void uncount(struct cases *cs, struct one_case *c, size_t bytes)
{
	c->bytes -= bytes;
	cs->bytes -= bytes;
}

/* Copies s to *at, which moves behind it. */
static struct str put(char **at, struct str s)
{
	struct str copy = {*at, s.len};

	if (s.len > 0)
		memcpy(*at, s.p, s.len);
	*at += s.len;
	return copy;
}

/* The key of a site and trigger, which are no longer than CASE_NAME_MAX. Without an allocation, as nobody may take want of memory for a trigger
 * without an incident. */
static void latest_key(struct str site, struct str trigger, uint8_t key[MAP_KEY_BYTES])
{
	char text[1 + 2 * CASE_NAME_MAX], *at = text;

	*at++ = (char)site.len;
	put(&at, site);
	put(&at, trigger);
	map_key_of((struct str){text, (size_t)(at - text)}, key);
}

static size_t text_bytes(const struct incident *rec)
{
	size_t bytes = rec->receivers_len * sizeof(struct str) + rec->cell.len + rec->site.len + rec->site_name.len + rec->trigger.len +
		       rec->description.len + rec->condition.len;

	for (size_t i = 0; i < rec->receivers_len; i++)
		bytes += rec->receivers[i].len;
	return bytes;
}

/* Copies rec's strings into block, and lets to have them. */
static void write_text(void *block, const struct incident *rec, struct incident *to)
{
	struct str *receivers = block;
	char *at = (char *)(receivers + rec->receivers_len);

	for (size_t i = 0; i < rec->receivers_len; i++)
		receivers[i] = put(&at, rec->receivers[i]);
	to->receivers = receivers;
	to->receivers_len = rec->receivers_len;
	to->cell = put(&at, rec->cell);
	to->site = put(&at, rec->site);
	to->site_name = put(&at, rec->site_name);
	to->trigger = put(&at, rec->trigger);
	to->description = put(&at, rec->description);
	to->condition = put(&at, rec->condition);
}

/* Do they say the same where a trigger may be changed? Its id and its site cannot. */
static bool same_text(const struct incident *a, const struct incident *b)
{
	if (a->receivers_len != b->receivers_len || !str_eq(a->cell, b->cell) || !str_eq(a->site_name, b->site_name) ||
	    !str_eq(a->description, b->description) || !str_eq(a->condition, b->condition))
		return false;
	for (size_t i = 0; i < a->receivers_len; i++)
		if (!str_eq(a->receivers[i], b->receivers[i]))
			return false;
	return true;
}

int cases_set_text(struct cases *cs, struct one_case *c, const struct incident *rec, struct err *err)
{
	size_t bytes = text_bytes(rec) + 1;
	void *block, *old = c->text;

	if (old && same_text(&c->rec, rec))
		return 0;
	block = malloc(bytes);
	if (!block)
		return err_nomem(err, "an incident");
	if (old)
		uncount(cs, c, memory_rounded(text_bytes(&c->rec) + 1));
	write_text(block, rec, &c->rec);
	count(cs, c, memory_rounded(bytes));
	c->text = block;
	free(old);
	return 0;
}

int cases_set_ack_text(struct cases *cs, struct one_case *c, struct str by, struct str reason, struct err *err)
{
	char *block = malloc(by.len + reason.len + 1), *at = block;

	if (!block)
		return err_nomem(err, "an acknowledgement");
	if (c->ack_text)
		uncount(cs, c, memory_rounded(c->rec.acked_by.len + c->rec.ack_reason.len + 1));
	c->rec.has_acked_by = c->rec.has_ack_reason = true;
	c->rec.acked_by = put(&at, by);
	c->rec.ack_reason = put(&at, reason);
	count(cs, c, memory_rounded(by.len + reason.len + 1));
	free(c->ack_text);
	c->ack_text = block;
	return 0;
}

/* One allocation: the alert, its tags, their bytes, its name; of one that is not listed the alert alone. */
static struct case_alert *alert_new(const struct incident_alert *from, bool list, size_t *bytes)
{
	struct case_alert *a;
	char *at;

	*bytes = sizeof(*a);
	for (size_t i = 0; list && i < from->tags_len; i++)
		*bytes += sizeof(struct tag) + from->tags[i].key.len + from->tags[i].value.len;
	*bytes += list ? from->name.len : 0;
	a = calloc(1, *bytes);
	if (!a)
		return NULL;
	memcpy(a->fingerprint, from->fingerprint, sizeof(a->fingerprint));
	a->listed = list;
	if (!list)
		return a;
	a->tags = (struct tag *)(a + 1);
	a->tags_len = from->tags_len;
	at = (char *)(a->tags + a->tags_len);
	for (size_t i = 0; i < a->tags_len; i++)
		a->tags[i] = (struct tag){put(&at, from->tags[i].key), put(&at, from->tags[i].value)};
	a->name = put(&at, from->name);
	return a;
}

struct case_alert *cases_add_alert(struct cases *cs, struct one_case *c, const struct incident_alert *from, bool list, struct err *err)
{
	bool listed = list && c->nr_listed < CASE_LISTED_MAX && c->bytes < CASE_BYTES_MAX;
	size_t bytes = 0;
	struct case_alert *a = alert_new(from, listed, &bytes);

	if (listed && a && (c->nr_listed & (c->nr_listed - 1)) == 0) { /* full at 0 and at each power of two */
		struct case_alert **more = reallocarray(c->listed, c->nr_listed ? 2 * c->nr_listed : 1, sizeof(struct case_alert *));

		if (!more) {
			free(a);
			a = NULL;
		} else {
			c->listed = more;
		}
	}
	if (!a || map_put(&c->alerts, a->fingerprint, a) < 0) {
		free(a);
		err_nomem(err, "an alert");
		return NULL;
	}
	if (listed)
		c->listed[c->nr_listed++] = a;
	count(cs, c, memory_rounded(bytes) + SLOT_BYTES + (listed ? 2 * sizeof(struct case_alert *) : 0));
	return a;
}

struct one_case *cases_latest(const struct cases *cs, struct str site, struct str trigger)
{
	uint8_t key[MAP_KEY_BYTES];

	latest_key(site, trigger, key);
	return map_get(&cs->latest, key);
}

int cases_make_latest(struct cases *cs, struct one_case *c, struct err *err)
{
	uint8_t key[MAP_KEY_BYTES];

	latest_key(c->rec.site, c->rec.trigger, key);
	if (map_put(&cs->latest, key, c) < 0)
		return err_nomem(err, "incidents");
	return 0;
}

static void free_case(struct cases *cs, struct one_case *c)
{
	const struct map_slot *slot;

	cs->bytes -= c->bytes;
	for (size_t at = 0; (slot = map_next(&c->alerts, &at));)
		free(slot->value);
	map_fini(&c->alerts);
	for (size_t i = 0; i < c->nr_tolds; i++)
		told_free(c->tolds[i]);
	free(c->tolds);
	free(c->listed);
	free(c->summaries);
	free(c->text);
	free(c->ack_text);
	free(c);
}

struct one_case *cases_add(struct cases *cs, int64_t now_ms, const struct incident *rec, struct err *err)
{
	struct one_case *c = calloc(1, sizeof(*c));

	if (!c) {
		err_nomem(err, "an incident");
		return NULL;
	}
	c->rec = *rec;
	c->rec.alerts = NULL;
	c->rec.alerts_len = 0;
	c->rec.has_acked_by = c->rec.has_ack_reason = false;
	c->item.since_ms = rec->created_at;
	count(cs, c, memory_rounded(sizeof(*c)) + 2 * SLOT_BYTES + sizeof(struct agenda_item *));
	if (cases_set_text(cs, c, rec, err) < 0)
		goto failed;
	if (map_put(&cs->by_id, rec->id, c) < 0) {
		err_nomem(err, "incidents");
		goto failed;
	}
	if (agenda_add(&cs->agenda, &c->item, now_ms) < 0 || cases_make_latest(cs, c, NULL) < 0) {
		err_nomem(err, "incidents");
		agenda_remove(&cs->agenda, &c->item);
		map_remove(&cs->by_id, rec->id);
		goto failed;
	}
	if (c->rec.state == INCIDENT_STATE_OPEN)
		cs->nr_open++;
	else
		TAILQ_INSERT_TAIL(&cs->resolved, c, in_resolved);
	return c;
failed:
	free_case(cs, c);
	return NULL;
}

/* In the reverse order of cases_add(). Another case may be the latest by now. */
void cases_drop(struct cases *cs, struct one_case *c)
{
	uint8_t key[MAP_KEY_BYTES];

	if (c->dirty)
		TAILQ_REMOVE(&cs->dirty, c, in_dirty);
	if (c->handed)
		TAILQ_REMOVE(&cs->handed, c, in_handed);
	if (c->rec.state == INCIDENT_STATE_OPEN)
		cs->nr_open--;
	else
		TAILQ_REMOVE(&cs->resolved, c, in_resolved);
	cs->nr_waiting -= c->waiting;
	agenda_remove(&cs->agenda, &c->item);
	map_remove(&cs->by_id, c->rec.id);
	latest_key(c->rec.site, c->rec.trigger, key);
	if (map_get(&cs->latest, key) == c)
		map_remove(&cs->latest, key);
	free_case(cs, c);
}

void cases_touch(struct cases *cs, struct one_case *c, int64_t now_ms, bool news)
{
	if (!c->dirty) {
		c->dirty = true;
		TAILQ_INSERT_TAIL(&cs->dirty, c, in_dirty);
		c->rec.version++;
	}
	c->rec.updated_at = now_ms;
	if (news)
		c->rec.changed_version = c->rec.version;
	agenda_move(&cs->agenda, &c->item, now_ms);
}

void cases_touch_alert(struct cases *cs, struct one_case *c, int64_t now_ms, struct case_alert *a)
{
	cases_touch(cs, c, now_ms, true);
	if (a)
		a->changed = c->rec.version;
	if (!a || !a->listed)
		c->unlisted_changed = c->rec.version;
}

bool cases_make_room(struct cases *cs)
{
	struct one_case *c, *next;

	for (c = TAILQ_FIRST(&cs->resolved); c && (cs->by_id.len >= cs->nr_max || cs->bytes >= cs->bytes_max); c = next) {
		next = TAILQ_NEXT(c, in_resolved);
		cases_forget(cs, c);
	}
	return cs->by_id.len < cs->nr_max && cs->bytes < cs->bytes_max;
}

void cases_settle(struct cases *cs, struct one_case *c, int64_t at_ms)
{
	bool open = c->rec.open_alerts > 0;

	if (open == (c->rec.state == INCIDENT_STATE_OPEN))
		return;
	if (open) {
		TAILQ_REMOVE(&cs->resolved, c, in_resolved);
		cs->nr_open++;
		c->rec.state = INCIDENT_STATE_OPEN;
		c->rec.has_resolved_at = false;
		c->rec.resolved_at = 0;
		return;
	}
	cs->nr_open--;
	TAILQ_INSERT_TAIL(&cs->resolved, c, in_resolved);
	c->rec.state = INCIDENT_STATE_RESOLVED;
	c->rec.has_resolved_at = true;
	c->rec.resolved_at = at_ms;
}
