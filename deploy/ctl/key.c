/* key.c - the commands of keys; see commands.h.
 *
 * A key is written to standard output once, after its hash is acknowledged: whoever sees it can use it. It
 * goes nowhere else: not to the operator log, not into an error. */
#include <stdlib.h>
#include <string.h>

#include "deploy/ctl/api_key.h"
#include "deploy/ctl/check.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/diff.h"

/* Draws until the key's name is new to the site. */
static int draw(const struct site *site, char key[API_KEY_CHARS + 1], struct err *err)
{
	do {
		if (api_key_draw(key, err) < 0)
			return -1;
	} while (diff_find_key(site, (struct str){key, API_KEY_ID_CHARS}));
	return 0;
}

/* Text: the key alone on standard output, for a script's $(..); what to know about it on the other stream. */
static int print_key(struct ctl *ctl, struct str id, const char *key, struct err *err)
{
	struct json_writer w;

	if (!ctl->json) {
		fprintf(ctl->out, "%s\n", key);
		fflush(ctl->out);
		ctl_hint("this is key " STR_FMT ", shown this once: only its hash is kept", STR_ARG(id));
		return 0;
	}
	json_write_begin(&w);
	json_write_text(&w, "id", id);
	json_write_text(&w, "key", str_from(key));
	return json_write_print(&w, ctl->out, err);
}

/* The site with one key more, written and told of. key: the drawn key. */
static int add_key(struct ctl *ctl, const struct site *live, const char *key, struct err *err)
{
	struct api_key keys[CHECK_KEYS_MAX];
	struct site changed = *live;
	struct api_key *added = &keys[live->keys_len];
	char id[API_KEY_ID_CHARS + 1];
	struct tag fields[] = {{STR("key"), {id, API_KEY_ID_CHARS}}};
	struct ctl_event event = {.severity = SEVERITY_INFO, .event = "key_created", .site = ctl->args.operands[0], .fields = fields,
				  .nr_fields = 1, .record = RECORD_SITE, .before = live, .after = &changed};

	snprintf(id, sizeof(id), "%.*s", API_KEY_ID_CHARS, key);
	if (live->keys_len)
		memcpy(keys, live->keys, live->keys_len * sizeof(keys[0]));
	*added = (struct api_key){.id = {id, API_KEY_ID_CHARS}, .created_at = clock_now_ms(&ctl->program.clock)};
	if (api_key_hash(str_from(key), added->sha256, err) < 0)
		return -1;
	changed.keys = keys;
	changed.keys_len++;
	if (cluster_put_site(ctl->cluster, &changed, err) < 0 || print_key(ctl, added->id, key, err) < 0)
		return -1;
	return ctl_notice(ctl, &event, err, "key %s of site %s made", id, ctl->args.operands[0]);
}

int key_create_run(struct ctl *ctl, struct err *err)
{
	char key[API_KEY_CHARS + 1];
	const struct site *live;
	int rc;

	if (ctl_load(ctl, false, err) < 0)
		return -1;
	live = ctl_find_site(ctl, ctl->args.operands[0], err);
	if (!live)
		return -1;
	if (live->keys_len >= CHECK_KEYS_MAX)
		return err_set(err, ERR_REJECT,
			       "site %s has two live keys, " STR_FMT " and " STR_FMT ": revoke one first (millrace-ctl key revoke %s "
			       "KEYID)", ctl->args.operands[0], STR_ARG(live->keys[0].id), STR_ARG(live->keys[1].id),
			       ctl->args.operands[0]);
	if (live->disabled)
		ctl_hint("warning: site %s is disabled: its keys are refused", ctl->args.operands[0]);
	rc = draw(live, key, err) < 0 ? -1 : add_key(ctl, live, key, err);
	explicit_bzero(key, sizeof(key));
	return rc;
}

static int print_revoked(struct ctl *ctl, const char *id, size_t left, struct err *err)
{
	struct json_writer w;

	if (!ctl->json) {
		fprintf(ctl->out, "- key %s of site %s\n", id, ctl->args.operands[0]);
		if (left == 0)
			ctl_hint("site %s has no key now: nobody can push to it", ctl->args.operands[0]);
		return 0;
	}
	json_write_begin(&w);
	json_write_text(&w, "revoked", str_from(id));
	json_write_int(&w, "left", (int64_t)left);
	return json_write_print(&w, ctl->out, err);
}

/* The site without one of its keys. keys: room for all of them. */
static struct site without_key(const struct site *live, const struct api_key *gone, struct api_key *keys)
{
	struct site changed = *live;

	changed.keys = keys;
	changed.keys_len = 0;
	for (size_t i = 0; i < live->keys_len; i++)
		if (&live->keys[i] != gone)
			keys[changed.keys_len++] = live->keys[i];
	return changed;
}

static int revoke(struct ctl *ctl, const struct site *live, const struct api_key *gone, struct err *err)
{
	const char *site_id = ctl->args.operands[0], *id = ctl->args.operands[1];
	struct tag fields[] = {{STR("key"), str_from(id)}};
	struct api_key *keys = calloc(live->keys_len, sizeof(*keys));
	struct site changed;
	struct ctl_event event = {.severity = SEVERITY_INFO, .event = "key_revoked", .site = site_id, .fields = fields, .nr_fields = 1,
				  .record = RECORD_SITE, .before = live, .after = &changed};
	int rc;

	if (!keys)
		return err_nomem(err, "a site's keys");
	changed = without_key(live, gone, keys);
	rc = cluster_put_site(ctl->cluster, &changed, err);
	if (rc == 0)
		rc = ctl_notice(ctl, &event, err, "key %s of site %s revoked", id, site_id);
	free(keys);
	return rc < 0 ? -1 : print_revoked(ctl, id, changed.keys_len, err);
}

int key_revoke_run(struct ctl *ctl, struct err *err)
{
	const struct api_key *gone;
	const struct site *live;

	if (ctl_load(ctl, false, err) < 0)
		return -1;
	live = ctl_find_site(ctl, ctl->args.operands[0], err);
	if (!live)
		return -1;
	gone = diff_find_key(live, str_from(ctl->args.operands[1]));
	if (!gone)
		return err_set(err, ERR_REJECT, "site %s has no key \"%s\": millrace-ctl site list shows the keys' names",
			       ctl->args.operands[0], ctl->args.operands[1]);
	return revoke(ctl, live, gone, err);
}
