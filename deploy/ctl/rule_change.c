/* rule_change.c - see rule_change.h.
 *
 * The record first, then the Notice: a change that is made and not told of is seen in the table, one that is told of and not made is a lie. Author and time are set
 * here, when it is written, so that a file that is applied twice changes nothing the second time. */
#include "deploy/ctl/rule_change.h"

#include "common/trigger.h"

/* What an item holds; NULL: nothing that can be read. */
static const void *record_of(const struct store_item *item)
{
	return item && !item->fault ? &item->v : NULL;
}

static int write_record(struct ctl *ctl, const struct diff_change *c, struct store_item *after, struct err *err)
{
	int64_t now_ms = clock_now_ms(&ctl->program.clock);

	if (c->kind == STORE_TRIGGERS) {
		after->v.trigger.author = str_from(ctl->author);
		after->v.trigger.updated_at = now_ms;
		return cluster_put_trigger(ctl->cluster, &after->v.trigger, err);
	}
	after->v.receiver.author = str_from(ctl->author);
	after->v.receiver.updated_at = now_ms;
	return cluster_put_receiver(ctl->cluster, &after->v.receiver, err);
}

/* The site is the record's own, where there is one that can be read. */
static int tell(struct ctl *ctl, const struct diff_change *c, const struct store_item *after, struct err *err)
{
	bool is_trigger = c->kind == STORE_TRIGGERS, is_set = after != NULL;
	const struct store_item *item = is_set ? after : c->live;
	char site[TRIGGER_ID_MAX + 1] = "";
	struct ctl_event event = {.severity = is_set ? SEVERITY_INFO : SEVERITY_WARNING,
				  .record = is_trigger ? RECORD_TRIGGER : RECORD_RECEIVER, .before = record_of(c->live), .after = record_of(after)};
	struct buf words = BUF_INIT;
	int rc;

	if (is_trigger && !item->fault) {
		snprintf(site, sizeof(site), STR_FMT, STR_ARG(item->v.trigger.site));
		event.site = site;
	}
	event.event = is_trigger ? (is_set ? "trigger_set" : "trigger_deleted") : is_set ? "receiver_set" : "receiver_deleted";
	diff_describe(c, &words);
	rc = buf_failed(&words) ? err_nomem(err, "a change in words")
				: ctl_notice(ctl, &event, err, "%s " STR_FMT " %s: " STR_FMT, diff_kind_name(c->kind), STR_ARG(item->key),
					     !is_set ? "deleted" : c->op == DIFF_ADD ? "added" : "changed", STR_ARG(buf_str(&words)));
	buf_fini(&words);
	return rc;
}

int rule_change_make(struct ctl *ctl, const struct diff_change *c, struct err *err)
{
	struct store_item after;

	if (c->op == DIFF_REMOVE)
		return cluster_remove(ctl->cluster, c->kind, c->live->key, err) < 0 ? -1 : tell(ctl, c, NULL, err);
	after = *c->wanted;
	return write_record(ctl, c, &after, err) < 0 ? -1 : tell(ctl, c, &after, err);
}
