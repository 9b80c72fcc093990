/* receiver_yaml.c - see receiver_yaml.h. A field's own fault stands at the field; the record as a whole is looked at when every field could be read. */
#include "deploy/ctl/receiver_yaml.h"

#include <stdio.h>
#include <string.h>

#include "common/receiver.h"
#include "deploy/ctl/yaml_value.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static const char *const fields[] = {
	"id", "webhook", "mail", "sites", "severities", "only_named", "group_wait", "group_interval", "repeat", "resolve", "escalate_to", "escalate_after",
	"author", "updated_at", NULL};
static const char *const webhook_fields[] = {"url", "secret_file", "bearer_file", NULL};
static const char *const mail_fields[] = {"server", "from", "to", "user", "password_file", "require_tls", NULL};
static const char *const severities[] = {"info", "warning", "critical"}; /* in the order of their enum */

static void read_webhook(struct yaml_file *f, const struct yaml *node, struct receiver *r)
{
	r->has_webhook = true;
	if (!yaml_check_map(f, node, webhook_fields))
		return;
	if (yaml_need(f, node, "url"))
		yaml_get_text(f, node, "url", &r->webhook.url);
	yaml_get_text(f, node, "secret_file", &r->webhook.secret_file);
	yaml_get_text(f, node, "bearer_file", &r->webhook.bearer_file);
}

static void read_mail(struct yaml_file *f, const struct yaml *node, struct receiver *r)
{
	r->has_mail = true;
	if (!yaml_check_map(f, node, mail_fields))
		return;
	if (yaml_need(f, node, "server"))
		yaml_get_text(f, node, "server", &r->mail.server);
	if (yaml_need(f, node, "from"))
		yaml_get_text(f, node, "from", &r->mail.from);
	if (yaml_need(f, node, "to"))
		yaml_get_texts(f, node, "to", &r->mail.to, &r->mail.to_len);
	yaml_get_text(f, node, "user", &r->mail.user);
	yaml_get_text(f, node, "password_file", &r->mail.password_file);
	yaml_get_bool(f, node, "require_tls", &r->mail.require_tls);
}

static void read_severities(struct yaml_file *f, const struct yaml *node, struct receiver *r)
{
	struct str *words;
	size_t nr;

	if (!yaml_get_texts(f, node, "severities", &words, &nr))
		return;
	r->severities = arena_calloc(&f->arena, nr, sizeof(*r->severities));
	if (!r->severities) {
		f->nomem = true;
		return;
	}
	node = yaml_get(node, "severities");
	for (const struct yaml *child = node->type == YAML_LIST ? node->child : node; child; child = node->type == YAML_LIST ? child->next : NULL) {
		size_t severity = 0;

		if (yaml_word(f, child, severities, NR(severities), &severity))
			r->severities[r->severities_len++] = (enum alert_severity)severity;
	}
}

static void read_times(struct yaml_file *f, const struct yaml *node, struct receiver *r)
{
	yaml_get_ms(f, node, "group_wait", RECEIVER_DURATION_MAX_MS, &r->group_wait_ms);
	yaml_get_ms(f, node, "group_interval", RECEIVER_DURATION_MAX_MS, &r->group_interval_ms);
	yaml_get_ms(f, node, "repeat", RECEIVER_DURATION_MAX_MS, &r->repeat_ms);
	yaml_get_bool(f, node, "resolve", &r->resolve);
	yaml_get_text(f, node, "escalate_to", &r->escalate_to);
	yaml_get_ms(f, node, "escalate_after", RECEIVER_DURATION_MAX_MS, &r->escalate_after_ms);
	if (yaml_get(node, "escalate_to") && !yaml_get(node, "escalate_after"))
		yaml_fail(f, yaml_get(node, "escalate_to"), "escalate_to: escalate_after is missing");
	if (!yaml_get(node, "escalate_to") && yaml_get(node, "escalate_after"))
		yaml_fail(f, yaml_get(node, "escalate_after"), "escalate_after: escalate_to is missing");
}

static void read_fields(struct yaml_file *f, const struct yaml *node, struct receiver *r)
{
	const struct yaml *webhook = yaml_get(node, "webhook"), *mail = yaml_get(node, "mail");

	if (yaml_need(f, node, "id"))
		yaml_get_text(f, node, "id", &r->id);
	if (webhook)
		read_webhook(f, webhook, r);
	if (mail)
		read_mail(f, mail, r);
	yaml_get_texts(f, node, "sites", &r->sites, &r->sites_len);
	read_severities(f, node, r);
	yaml_get_bool(f, node, "only_named", &r->only_named);
	read_times(f, node, r);
}

bool receiver_yaml_read(struct yaml_file *f, const struct yaml *node, struct receiver *out)
{
	const struct str none = STR("");
	struct receiver r = {.id = none, .escalate_to = none, .author = none, .resolve = true,
			     .webhook = {none, none, none}, .mail = {.server = none, .from = none, .user = none, .password_file = none, .require_tls = true},
			     .group_wait_ms = RECEIVER_GROUP_WAIT_MS, .group_interval_ms = RECEIVER_GROUP_INTERVAL_MS, .repeat_ms = RECEIVER_REPEAT_MS};
	size_t before = f->nr_faults;
	struct err err = ERR_INIT;

	if (!yaml_check_map(f, node, fields))
		return false;
	read_fields(f, node, &r);
	if (f->nr_faults == before && !f->nomem && receiver_check(&r, &err) < 0)
		yaml_fail(f, yaml_locate(node, err.msg), "%s", err.msg);
	if (f->nr_faults != before || f->nomem)
		return false;
	*out = r;
	return true;
}
