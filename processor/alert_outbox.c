/* alert_outbox.c - see alert_outbox.h.
 *
 * Encoded at once: what an event borrows (the series, the trigger) may be gone before the transaction is. One allocation each, freed from the front, as those
 * that a transaction carried are the oldest. */
#include "processor/alert_outbox.h"

#include <stdlib.h>

#include "common/memory.h"

static size_t letter_bytes(const struct alert_letter *l)
{
	return memory_rounded(sizeof(*l) + l->key_len + l->len);
}

int alert_outbox_add(struct alert_outbox *o, const struct alert_event *event, struct err *err)
{
	struct buf record = BUF_INIT;
	struct alert_letter *l;

	if (alert_event_encode(event, &record, err) < 0) {
		buf_fini(&record);
		return -1;
	}
	l = malloc(sizeof(*l) + event->trigger.len + record.len);
	if (l) {
		*l = (struct alert_letter){.key_len = (uint32_t)event->trigger.len, .len = (uint32_t)record.len, .kind = (uint8_t)event->kind};
		memcpy(l->bytes, event->trigger.p, event->trigger.len);
		memcpy(l->bytes + l->key_len, record.p, record.len);
		*(o->end ? o->end : &o->first) = l;
		o->end = &l->next;
		o->nr++;
		o->bytes += letter_bytes(l);
	}
	buf_fini(&record);
	return l ? 0 : err_nomem(err, "an alert's event");
}

void alert_outbox_drop(struct alert_outbox *o, size_t nr)
{
	for (; nr > 0 && o->first; nr--) {
		struct alert_letter *l = o->first;

		o->first = l->next;
		o->nr--;
		o->bytes -= letter_bytes(l);
		free(l);
	}
	if (!o->first)
		o->end = NULL;
}
