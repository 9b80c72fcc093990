/* rule_json.c - see rule_json.h.
 *
 * A field stands here once, and in its reader (trigger_yaml.c, receiver_yaml.c); the round trip of random records (tests/unit/ctl/test_trigger_yaml.c,
 * test_receiver_yaml.c) fails when one of both misses it. */
#include "deploy/ctl/rule_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/series.h"
#include "common/trigger.h"

/* Text members of either kind. Empty is as good as none, but for what says which record it is. */
#define TEXT(kind, name, member) \
	static void kind##_##name(struct json_writer *w, const char *key, const void *record) \
	{ \
		write_text(w, key, ((const struct kind *)record)->member); \
	}

static void write_text(struct json_writer *w, const char *key, struct str text)
{
	if (text.len)
		json_write_text(w, key, text);
}

static void write_texts(struct json_writer *w, const char *key, const struct str *texts, size_t nr)
{
	if (!nr)
		return;
	json_write_array(w, key);
	for (size_t i = 0; i < nr; i++)
		json_write_text(w, NULL, texts[i]);
	json_write_array_end(w);
}

const char *rule_json_duration(int64_t ms, char out[RULE_DURATION_SIZE])
{
	static const struct { int64_t ms; const char *name; } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
	size_t unit = 0;

	if (ms == 0)
		unit = 3;
	while (ms % units[unit].ms)
		unit++;
	snprintf(out, RULE_DURATION_SIZE, "%" PRId64 "%s", ms / units[unit].ms, units[unit].name);
	return out;
}

static void write_ms(struct json_writer *w, const char *key, int64_t ms)
{
	char text[RULE_DURATION_SIZE];

	json_write_text(w, key, str_from(rule_json_duration(ms, text)));
}

TEXT(trigger, id, id)
TEXT(trigger, site, site)
TEXT(trigger, description, description)
TEXT(trigger, metric, metric)
TEXT(receiver, id, id)
TEXT(receiver, escalate_to, escalate_to)

static void trigger_severity(struct json_writer *w, const char *key, const void *record)
{
	json_write_text(w, key, str_from(alert_severity_name(((const struct trigger *)record)->severity)));
}

static void trigger_kind(struct json_writer *w, const char *key, const void *record)
{
	const struct trigger *t = record;

	if (t->has_kind)
		json_write_text(w, key, str_from(series_kind_name(t->kind)));
}

static void write_selector(struct json_writer *w, const struct tag_selector *s)
{
	char key[SERIES_STRING_MAX + 1]; /* a record's text has no NUL behind it */

	snprintf(key, sizeof(key), STR_FMT, STR_ARG(s->key));
	if (s->op == SELECTOR_OP_EXACT && s->values_len) {
		json_write_text(w, key, s->values[0]);
	} else if (s->op == SELECTOR_OP_ONE_OF) {
		write_texts(w, key, s->values, s->values_len);
	} else {
		json_write_map(w, key);
		if (s->op == SELECTOR_OP_GLOB && s->values_len)
			json_write_text(w, "glob", s->values[0]);
		else
			json_write_bool(w, "present", s->op == SELECTOR_OP_PRESENT);
		json_write_map_end(w);
	}
}

static void trigger_tags(struct json_writer *w, const char *key, const void *record)
{
	const struct trigger *t = record;

	if (!t->tags_len)
		return;
	json_write_map(w, key);
	for (size_t i = 0; i < t->tags_len; i++)
		write_selector(w, &t->tags[i]);
	json_write_map_end(w);
}

static void trigger_field(struct json_writer *w, const char *key, const void *record)
{
	const struct trigger *t = record;

	if (t->has_threshold)
		json_write_text(w, key, str_from(trigger_field_name(t->threshold.field)));
}

static void trigger_compare(struct json_writer *w, const char *key, const void *record)
{
	const struct trigger *t = record;

	if (t->has_threshold)
		json_write_text(w, key, str_from(trigger_comparison_sign(t->threshold.comparison)));
}

static void trigger_threshold(struct json_writer *w, const char *key, const void *record)
{
	const struct trigger *t = record;

	if (t->has_threshold)
		json_write_number(w, key, t->threshold.threshold);
}

static void trigger_absent(struct json_writer *w, const char *key, const void *record)
{
	const struct trigger *t = record;

	if (t->has_absent_minutes)
		json_write_int(w, key, t->absent_minutes);
}

static void trigger_check_in(struct json_writer *w, const char *key, const void *record)
{
	const struct trigger *t = record;
	const struct check_in_rule *c = &t->check_in;

	if (!t->has_check_in)
		return;
	json_write_map(w, key);
	json_write_text(w, "name", c->name);
	write_text(w, "cron", c->cron);
	if (!c->cron.len)
		json_write_int(w, "every_minutes", c->every_minutes);
	json_write_int(w, "grace_minutes", c->grace_minutes);
	if (c->cron.len)
		json_write_int(w, "runtime_minutes", c->runtime_minutes);
	json_write_map_end(w);
}

static void trigger_warm_up(struct json_writer *w, const char *key, const void *record)
{
	json_write_int(w, key, ((const struct trigger *)record)->warm_up_minutes);
}

static void trigger_cooldown(struct json_writer *w, const char *key, const void *record)
{
	json_write_int(w, key, ((const struct trigger *)record)->cooldown_minutes);
}

static void trigger_receivers(struct json_writer *w, const char *key, const void *record)
{
	const struct trigger *t = record;

	write_texts(w, key, t->receivers, t->receivers_len);
}

static void receiver_webhook(struct json_writer *w, const char *key, const void *record)
{
	const struct receiver *r = record;

	if (!r->has_webhook)
		return;
	json_write_map(w, key);
	json_write_text(w, "url", r->webhook.url);
	write_text(w, "secret_file", r->webhook.secret_file);
	write_text(w, "bearer_file", r->webhook.bearer_file);
	json_write_map_end(w);
}

static void receiver_mail(struct json_writer *w, const char *key, const void *record)
{
	const struct receiver *r = record;

	if (!r->has_mail)
		return;
	json_write_map(w, key);
	json_write_text(w, "server", r->mail.server);
	json_write_text(w, "from", r->mail.from);
	write_texts(w, "to", r->mail.to, r->mail.to_len);
	write_text(w, "user", r->mail.user);
	write_text(w, "password_file", r->mail.password_file);
	json_write_bool(w, "require_tls", r->mail.require_tls);
	json_write_map_end(w);
}

static void receiver_sites(struct json_writer *w, const char *key, const void *record)
{
	const struct receiver *r = record;

	write_texts(w, key, r->sites, r->sites_len);
}

static void receiver_severities(struct json_writer *w, const char *key, const void *record)
{
	const struct receiver *r = record;

	if (!r->severities_len)
		return;
	json_write_array(w, key);
	for (size_t i = 0; i < r->severities_len; i++)
		json_write_text(w, NULL, str_from(alert_severity_name(r->severities[i])));
	json_write_array_end(w);
}

static void receiver_only_named(struct json_writer *w, const char *key, const void *record)
{
	json_write_bool(w, key, ((const struct receiver *)record)->only_named);
}

static void receiver_group_wait(struct json_writer *w, const char *key, const void *record)
{
	write_ms(w, key, ((const struct receiver *)record)->group_wait_ms);
}

static void receiver_group_interval(struct json_writer *w, const char *key, const void *record)
{
	write_ms(w, key, ((const struct receiver *)record)->group_interval_ms);
}

static void receiver_repeat(struct json_writer *w, const char *key, const void *record)
{
	write_ms(w, key, ((const struct receiver *)record)->repeat_ms);
}

static void receiver_resolve(struct json_writer *w, const char *key, const void *record)
{
	json_write_bool(w, key, ((const struct receiver *)record)->resolve);
}

static void receiver_escalate_after(struct json_writer *w, const char *key, const void *record)
{
	const struct receiver *r = record;

	if (r->escalate_to.len)
		write_ms(w, key, r->escalate_after_ms);
}

static const struct rule_field trigger_fields[] = {
	{"id", trigger_id}, {"site", trigger_site}, {"description", trigger_description}, {"severity", trigger_severity}, {"metric", trigger_metric},
	{"kind", trigger_kind}, {"tags", trigger_tags}, {"field", trigger_field}, {"compare", trigger_compare}, {"threshold", trigger_threshold},
	{"absent_minutes", trigger_absent}, {"check_in", trigger_check_in}, {"warm_up_minutes", trigger_warm_up}, {"cooldown_minutes", trigger_cooldown},
	{"receivers", trigger_receivers}, {0}};
static const struct rule_field receiver_fields[] = {
	{"id", receiver_id}, {"webhook", receiver_webhook}, {"mail", receiver_mail}, {"sites", receiver_sites}, {"severities", receiver_severities},
	{"only_named", receiver_only_named}, {"group_wait", receiver_group_wait}, {"group_interval", receiver_group_interval}, {"repeat", receiver_repeat},
	{"resolve", receiver_resolve}, {"escalate_to", receiver_escalate_to}, {"escalate_after", receiver_escalate_after}, {0}};

const struct rule_field *rule_json_fields(enum store_kind kind)
{
	return kind == STORE_TRIGGERS ? trigger_fields : receiver_fields;
}

void rule_json_write(struct json_writer *w, const char *key, enum store_kind kind, const void *record)
{
	const struct trigger *t = record;
	const struct receiver *r = record;

	json_write_map(w, key);
	for (const struct rule_field *f = rule_json_fields(kind); f->name; f++)
		f->write(w, f->name, record);
	json_write_text(w, "author", kind == STORE_TRIGGERS ? t->author : r->author);
	json_write_int(w, "updated_at", kind == STORE_TRIGGERS ? t->updated_at : r->updated_at);
	json_write_map_end(w);
}

int rule_json_write_all(struct json_writer *w, enum store_kind kind, const struct store *s, const char *site, struct err *err)
{
	size_t nr;
	const struct store_item **items = store_list(s, kind, &nr, err);

	if (!items)
		return -1;
	json_write_array(w, kind == STORE_TRIGGERS ? "triggers" : "receivers");
	for (size_t i = 0; i < nr; i++)
		if (!items[i]->fault && (!site || kind != STORE_TRIGGERS || str_eq(items[i]->v.trigger.site, str_from(site))))
			rule_json_write(w, NULL, kind, &items[i]->v);
	json_write_array_end(w);
	free(items);
	return 0;
}
