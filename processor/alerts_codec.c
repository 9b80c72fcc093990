/* alerts_codec.c - alerts in a snapshot: triggers as their records, alerts by number of trigger and series.
 *
 * What is hostile here is a bug of ours, as with all of a snapshot (snapshot.h): every number is held to what the judging could have made of it. */
#include <math.h>

#include "common/clock.h"
#include "common/memory.h"
#include "processor/alerts.h"

enum {
	HELD = 1, UNTOLD = 2, HAS_VALUE = 4, ALL_FLAGS = 7,
	RULE_BYTES_MIN = 10, ALERT_BYTES_MIN = 7, /* the least that one takes, so that a count is believed no further than that */
	SILENT_MAX = 1 << 30,
};

static void encode_rule(const struct alerts *a, const struct alert_rule *r, struct buf *out)
{
	struct buf record = BUF_INIT;

	if (r->index < 0) {
		codec_write_bytes(out, buf_str(&r->saved));
	} else {
		out->failed |= trigger_encode(&a->rules->rule[r->index].trigger, &record, NULL) < 0;
		codec_write_bytes(out, buf_str(&record));
	}
	buf_fini(&record);
	codec_write_long(out, r->unseen_opened);
	codec_write_long(out, r->unseen_closed);
	codec_write_long(out, r->unseen_first_ms);
	codec_write_long(out, r->unseen_last_ms);
}

static void encode_alert(const struct alert *a, struct buf *out)
{
	codec_write_long(out, a->rule->number);
	codec_write_long(out, a->series ? (int64_t)a->series->number + 1 : 0);
	if (!a->series)
		codec_write_fixed(out, a->key, sizeof(a->key));
	codec_write_int(out, (a->held ? HELD : 0) | (a->untold ? UNTOLD : 0) | (a->has_value ? HAS_VALUE : 0));
	codec_write_int(out, (int32_t)a->state.phase);
	codec_write_int(out, a->state.run);
	codec_write_long(out, alert_is_open(a) ? a->state.opened_ms : 0);
	codec_write_int(out, a->silent);
	if (a->has_value)
		codec_write_double(out, a->value);
	if (a->series)
		return;
	codec_write_long(out, a->since_ms);
	codec_write_long(out, a->due_ms);
}

void alerts_encode(const struct alerts *a, struct buf *out)
{
	uint32_t nr = 0;

	codec_write_long(out, (int64_t)a->rules_by_id.len);
	for (struct alert_rule *r = a->first_rule; r; r = r->next) {
		r->number = nr++;
		encode_rule(a, r, out);
	}
	codec_write_long(out, (int64_t)a->nr);
	for (const struct alert *alert = a->first; alert; alert = alert->next)
		encode_alert(alert, out);
}

static int64_t read_time(struct codec_reader *r)
{
	int64_t t = codec_read_long(r);

	if (t < 0 || t > INT64_MAX / 2)
		codec_fault(r, "a time out of range");
	return codec_reader_ok(r) ? t : 0;
}

const struct trigger *alert_rule_saved(const struct alert_rule *rule, struct arena *arena)
{
	struct trigger *t = arena_alloc(arena, sizeof(*t));

	return t && trigger_decode(buf_str(&rule->saved), arena, t, NULL) == 0 ? t : NULL;
}

/* What decoding goes along with. */
struct restoring {
	struct alerts *alerts;
	struct codec_reader *r;
	struct series *const *series;
	size_t nr_series;
	struct alert_rule **rules;
	const struct trigger **triggers; /* of these */
	size_t nr_rules;
	struct arena arena;
	struct err *err;
};

static void read_unseen(struct codec_reader *r, struct alert_rule *rule)
{
	rule->unseen_opened = codec_read_long(r);
	rule->unseen_closed = codec_read_long(r);
	rule->unseen_first_ms = read_time(r);
	rule->unseen_last_ms = read_time(r);
	if (rule->unseen_opened < 0 || rule->unseen_closed < 0 || rule->unseen_closed > rule->unseen_opened)
		codec_fault(r, "more alerts that closed unseen than opened");
	if (!codec_reader_ok(r))
		rule->unseen_opened = 0;
}

static int read_rule(struct restoring *in)
{
	struct str record = codec_read_bytes(in->r);
	struct trigger *t = arena_alloc(&in->arena, sizeof(*t));
	struct alert_rule *rule;

	if (!codec_reader_ok(in->r))
		return -1;
	if (!t)
		return err_nomem(in->err, "a trigger of a snapshot");
	if (trigger_decode(record, &in->arena, t, in->err) < 0 || trigger_check(t, in->err) < 0) {
		codec_fault(in->r, "a trigger that is none");
		return -1;
	}
	rule = alerts_rule(in->alerts, t->site, t->id, trigger_revision(t), -1);
	if (!rule)
		return err_nomem(in->err, "a trigger of a snapshot");
	in->rules[in->nr_rules] = rule;
	in->triggers[in->nr_rules++] = t;
	if (in->alerts->rules_by_id.len != in->nr_rules) {
		codec_fault(in->r, "a trigger stands there twice");
		return -1;
	}
	buf_add(&rule->saved, record.p, record.len);
	if (buf_failed(&rule->saved))
		return err_nomem(in->err, "a trigger of a snapshot");
	in->alerts->bytes += memory_rounded(rule->saved.cap);
	read_unseen(in->r, rule);
	return codec_reader_ok(in->r) ? 0 : -1;
}

static int read_rules(struct restoring *in)
{
	size_t nr = codec_read_count(in->r, RULE_BYTES_MIN);

	in->rules = arena_calloc(&in->arena, nr + 1, sizeof(struct alert_rule *));
	in->triggers = arena_calloc(&in->arena, nr + 1, sizeof(struct trigger *));
	if (!in->rules || !in->triggers)
		return err_nomem(in->err, "the triggers of a snapshot");
	for (size_t i = 0; i < nr; i++)
		if (read_rule(in) < 0)
			return -1;
	return codec_reader_ok(in->r) ? 0 : -1;
}

/* Whose alert comes next. */
static int read_place(struct restoring *in, struct alert_place *at, uint8_t group[SERIES_FINGERPRINT_BYTES], const struct trigger **trigger)
{
	int64_t rule = codec_read_long(in->r), series = codec_read_long(in->r);

	if (rule < 0 || (uint64_t)rule >= in->nr_rules || series < 0 || (uint64_t)series > in->nr_series)
		codec_fault(in->r, "an alert of an unknown trigger or series");
	if (series == 0)
		codec_read_fixed(in->r, group, SERIES_FINGERPRINT_BYTES);
	if (!codec_reader_ok(in->r))
		return -1;
	*trigger = in->triggers[rule];
	*at = (struct alert_place){.key = group, .site = (*trigger)->site, .trigger = (*trigger)->id, .revision = in->rules[rule]->revision, .index = -1,
				   .held_max = INT64_MAX};
	if (series > 0)
		at->series = in->series[series - 1];
	if (!at->series != (*trigger)->has_check_in || (at->series && !str_eq(name_str(at->series->site), (*trigger)->site)))
		codec_fault(in->r, "an alert of what its trigger is not about");
	return codec_reader_ok(in->r) ? 0 : -1;
}

/* Has the place an alert already? */
static bool is_taken(const struct alerts *a, const struct alert_place *at)
{
	for (const struct alert *s = alerts_first_of(a, at->series ? at->series->fingerprint : at->key); s; s = s->sibling)
		if (str_eq(s->rule->id, at->trigger))
			return true;
	return false;
}

static void read_state(struct codec_reader *r, struct alert *a, int32_t flags)
{
	a->state.phase = (enum alert_phase)codec_read_index(r, ALERT_COOLING + 1);
	a->state.run = codec_read_int(r);
	a->state.opened_ms = read_time(r);
	a->silent = codec_read_int(r);
	a->has_value = flags & HAS_VALUE;
	if (a->has_value)
		a->value = codec_read_double(r);
	if (a->state.run < 0 || a->silent < 0 || a->silent > SILENT_MAX || a->state.opened_ms % CLOCK_MINUTE_MS)
		codec_fault(r, "an alert in no state");
	if ((a->state.phase == ALERT_OK && !a->held) || ((flags & UNTOLD) && (!alert_is_open(a) || !a->rule->unseen_opened)))
		codec_fault(r, "an alert that need not be there");
	if (a->series)
		return;
	a->since_ms = read_time(r);
	a->due_ms = read_time(r);
}

static int read_alert(struct restoring *in)
{
	uint8_t group[SERIES_FINGERPRINT_BYTES] = {0};
	const struct trigger *trigger;
	struct alert_place at;
	struct alert *alert;
	int32_t flags;

	if (read_place(in, &at, group, &trigger) < 0)
		return -1;
	flags = codec_read_int(in->r);
	at.held = flags & HELD;
	if (flags < 0 || flags > ALL_FLAGS || at.held == trigger->has_threshold || is_taken(in->alerts, &at))
		codec_fault(in->r, "an alert that stands there twice, or is not held as it must be");
	if (!codec_reader_ok(in->r))
		return -1;
	if (alerts_add(in->alerts, &at, &alert) < 0)
		return err_nomem(in->err, "an alert of a snapshot");
	if (!alert) {
		codec_fault(in->r, "more alerts of a site than there can be");
		return -1;
	}
	read_state(in->r, alert, flags);
	if (codec_reader_ok(in->r))
		alerts_set_untold(in->alerts, alert, flags & UNTOLD);
	return codec_reader_ok(in->r) ? 0 : -1;
}

static int read_all(struct restoring *in)
{
	size_t nr;

	if (read_rules(in) < 0)
		return -1;
	nr = codec_read_count(in->r, ALERT_BYTES_MIN);
	for (size_t i = 0; i < nr; i++)
		if (read_alert(in) < 0)
			return -1;
	for (size_t i = 0; i < in->nr_rules && codec_reader_ok(in->r); i++)
		if (!in->rules[i]->nr && !in->rules[i]->unseen_opened)
			codec_fault(in->r, "a trigger without alerts");
	return codec_reader_ok(in->r) ? 0 : -1;
}

int alerts_decode(struct alerts *a, struct codec_reader *r, struct series *const *series, size_t nr_series, struct err *err)
{
	struct restoring in = {.alerts = a, .r = r, .series = series, .nr_series = nr_series, .arena = ARENA_INIT, .err = err};
	int rc = read_all(&in);

	arena_fini(&in.arena);
	return rc;
}
