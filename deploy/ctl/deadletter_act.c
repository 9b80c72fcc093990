/* deadletter_act.c - the commands `deadletter retry` and `deadletter drop`; see commands.h.
 *
 * Letters are taken a batch at a time: sent, acknowledged, and then marked as dealt with by one Notice for all of them. A run that is cut
 * off in between leaves letters that were sent and are not marked; sending those again changes nothing (origin.h). What is refused is
 * told, and does not keep the others. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/kafka.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/letter_resend.h"
#include "deploy/ctl/printable.h"

enum { BATCH_LETTERS = 100, BATCH_BYTES = 8 << 20 };

/* A letter that is being dealt with. */
struct item {
	int64_t id;
	char topic[KAFKA_TOPIC_SIZE]; /* where its record stood */
	int32_t partition;
	int64_t offset;
	struct cluster_delivery delivery;
};

struct act {
	struct ctl *ctl;
	struct letter_filter filter;
	bool retry, again, dry_run;
	struct arena arena; /* of the record being made */
	struct item batch[BATCH_LETTERS];
	size_t nr_batch, batch_bytes;
	struct letter_ids found; /* what the filter let pass */
	size_t nr_done, nr_refused, nr_handled;
	struct json_writer json; /* with --json: the object and its array "letters" are open */
};

static struct item item_of(const struct letter *letter)
{
	const struct dead_letter *r = &letter->record;
	struct item item = {.id = letter->id, .partition = r->partition, .offset = r->offset};

	snprintf(item.topic, sizeof(item.topic), "%.*s", (int)(r->topic.len < sizeof(item.topic) ? r->topic.len : sizeof(item.topic) - 1),
		 r->topic.p ? r->topic.p : "");
	return item;
}

/* One letter's outcome: why is NULL when it is done. */
static void tell(struct act *act, const struct item *item, const char *why)
{
	char topic[KAFKA_TOPIC_SIZE];

	progress_hide(act->ctl->progress);
	if (act->ctl->json) {
		json_write_map(&act->json, NULL);
		json_write_int(&act->json, "id", item->id);
		json_write_bool(&act->json, "done", !why);
		if (why)
			json_write_text(&act->json, "text", str_from(why));
		json_write_map_end(&act->json);
	} else if (why) {
		ctl_hint("dead letter %" PRId64 " %s", item->id, why);
	} else {
		snprintf(topic, sizeof(topic), "%s", item->topic);
		fprintf(act->ctl->out, "%s %" PRId64 " (%s/%" PRId32 "/%" PRId64 ") %s%s\n", act->retry ? "+" : "-", item->id, printable(topic),
			item->partition, item->offset, act->dry_run ? "would be " : "", act->retry ? "sent again" : "dropped");
	}
}

static void refuse(struct act *act, const struct item *item, const char *why)
{
	act->nr_refused++;
	tell(act, item, why);
}

/* Marks the ids as dealt with. */
static int mark(struct act *act, const struct letter_ids *ids, size_t nr, struct err *err)
{
	const char *reason = args_text(&act->ctl->args, "reason");
	struct buf text = BUF_INIT;
	struct tag fields[] = {{STR(LETTER_MARKS_FIELD), STR("")}, {STR("reason"), str_from(reason)}};
	struct ctl_event event = {.severity = SEVERITY_INFO, .event = act->retry ? LETTER_MARKS_RETRIED : LETTER_MARKS_DROPPED,
				  .cell = act->filter.cell, .fields = fields, .nr_fields = reason ? 2 : 1};
	int rc;

	letter_ids_print(ids, &text);
	if (buf_failed(&text)) {
		buf_fini(&text);
		return err_nomem(err, "ids of dead letters");
	}
	fields[0].value = buf_str(&text);
	rc = ctl_notice(act->ctl, &event, err, "%zu dead letter%s %s: " STR_FMT "%s%s", nr, nr == 1 ? "" : "s", act->retry ? "sent again" : "dropped",
			STR_ARG(fields[0].value), reason ? "; " : "", reason ? reason : "");
	buf_fini(&text);
	return rc;
}

/* Ends a batch: what is acknowledged is marked, what is not is told. */
static int settle(struct act *act, struct err *err)
{
	struct letter_ids ids = LETTER_IDS_INIT;
	size_t nr = 0;
	int rc = 0;

	cluster_settle(act->ctl->cluster);
	for (size_t i = 0; rc == 0 && i < act->nr_batch; i++) {
		const struct item *item = &act->batch[i];
		struct err why = ERR_INIT;

		if (act->retry && cluster_judge(&item->delivery, item->topic, &why) < 0) {
			refuse(act, item, why.msg);
			continue;
		}
		nr++;
		rc = letter_ids_add(&ids, item->id, err);
		tell(act, item, NULL);
	}
	if (rc == 0 && nr)
		rc = mark(act, &ids, nr, err);
	act->nr_done += nr;
	act->nr_batch = act->batch_bytes = 0;
	letter_ids_fini(&ids);
	return rc;
}

/* Sends it, if it is to be sent, and keeps it until its batch is settled. */
static int take(struct act *act, const struct letter *letter, struct err *err)
{
	struct item *item = &act->batch[act->nr_batch];
	struct cluster_record record;

	*item = item_of(letter);
	if (act->retry) {
		arena_clear(&act->arena);
		if (letter_resend_make(&letter->record, &act->arena, &record, err) < 0 ||
		    cluster_send(act->ctl->cluster, &record, &item->delivery, err) < 0)
			return -1;
	}
	act->nr_batch++;
	act->batch_bytes += letter->record.value.len;
	return act->nr_batch == BATCH_LETTERS || act->batch_bytes >= BATCH_BYTES ? settle(act, err) : 0;
}

static int on_letter(void *ctx, const struct letter *letter, struct err *err)
{
	struct act *act = ctx;
	const struct store *store = cluster_store(act->ctl->cluster);
	const struct item item = item_of(letter);
	struct err why = ERR_INIT;

	if (letter_ids_add(&act->found, letter->id, err) < 0)
		return -1;
	if (letter->mark && !act->again && !act->filter.ids.nr) { /* a filter means those that are open */
		act->nr_handled++;
		return 0;
	}
	if ((act->retry ? letter_resend_check(letter, store, act->again, &why) : letter_open_check(letter, act->again, &why)) < 0) {
		refuse(act, &item, why.msg);
		return 0;
	}
	if (!act->dry_run)
		return take(act, letter, err);
	act->nr_done++;
	tell(act, &item, NULL);
	return 0;
}

/* An id that was named by itself and is not there is a slip of the hand; of a range, some may be gone. */
static void tell_missing(struct act *act)
{
	for (size_t i = 0; i < act->filter.ids.nr; i++) {
		const struct letter_range *range = &act->filter.ids.ranges[i];

		if (range->from == range->to && !letter_ids_has(&act->found, range->from))
			refuse(act, &(struct item){.id = range->from},
			       "is not there, or not what the options say: millrace-ctl deadletter list shows them");
	}
}

static int sum_up(struct act *act, struct err *err)
{
	const char *would = act->dry_run ? "would be " : "";

	if (act->ctl->json) {
		json_write_array_end(&act->json);
		json_write_bool(&act->json, "dry_run", act->dry_run);
		json_write_int(&act->json, "done", (int64_t)act->nr_done);
		json_write_int(&act->json, "refused", (int64_t)act->nr_refused);
		json_write_int(&act->json, "handled_before", (int64_t)act->nr_handled);
		return json_write_print(&act->json, act->ctl->out, err);
	}
	fprintf(act->ctl->out, "%zu %s%s", act->nr_done, would, act->retry ? "sent again" : "dropped");
	if (act->nr_refused)
		fprintf(act->ctl->out, ", %zu refused", act->nr_refused);
	if (act->nr_handled)
		fprintf(act->ctl->out, ", %zu had been dealt with before", act->nr_handled);
	fputc('\n', act->ctl->out);
	return 0;
}

static int act_on(struct act *act, struct err *err)
{
	if (!act->filter.ids.nr && !act->filter.named)
		return err_set(err, ERR_REJECT, "which ones? give ids, or --topic, --cell, --code or --since");
	if (ctl_load(act->ctl, false, err) < 0)
		return -1;
	if (letters_each(act->ctl, &act->filter, on_letter, act, err) < 0 || settle(act, err) < 0)
		return -1;
	tell_missing(act);
	return 0;
}

static int run(struct ctl *ctl, bool retry, struct err *err)
{
	struct act *act = calloc(1, sizeof(*act));
	int rc;

	if (!act)
		return err_nomem(err, "a batch of dead letters");
	act->ctl = ctl;
	act->retry = retry;
	act->again = args_given(&ctl->args, "again");
	act->dry_run = args_given(&ctl->args, "dry-run");
	json_write_begin(&act->json);
	json_write_array(&act->json, "letters");
	rc = letter_filter_init(&act->filter, ctl, err) < 0 || act_on(act, err) < 0 || sum_up(act, err) < 0 ? -1 : act->nr_refused > 0;
	cluster_settle(ctl->cluster); /* after a failure: deliveries lie in act */
	json_write_fini(&act->json);
	letter_filter_fini(&act->filter);
	letter_ids_fini(&act->found);
	arena_fini(&act->arena);
	free(act);
	return rc;
}

int deadletter_retry_run(struct ctl *ctl, struct err *err)
{
	return run(ctl, true, err);
}

int deadletter_drop_run(struct ctl *ctl, struct err *err)
{
	return run(ctl, false, err);
}
