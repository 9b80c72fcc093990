/* told.c - see told.h.
 *
 * There is one for each receiver of each incident, so it is small: the error's text, which is rare, has an allocation of its own, and does
 * without when there is no memory, as it is for a person to read and decides nothing. */
#include "sink/notify/told.h"

#include <stdlib.h>

#include "common/memory.h"

struct told *told_new(struct one_case *of, struct str receiver)
{
	struct told *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->receiver = strndup(receiver.p, receiver.len);
	if (!t->receiver) {
		free(t);
		return NULL;
	}
	t->of = of;
	t->fresh = true;
	return t;
}

void told_free(struct told *t)
{
	if (!t)
		return;
	free(t->receiver);
	free(t->error);
	free(t);
}

size_t told_bytes(const struct told *t)
{
	return memory_rounded(sizeof(*t)) + memory_rounded(strlen(t->receiver) + 1) + sizeof(t);
}

void told_set_error(struct told *t, struct str error)
{
	struct str cut = str_cut_utf8(error, TOLD_ERROR_MAX);

	free(t->error);
	t->error = cut.len > 0 ? strndup(cut.p, cut.len) : NULL;
}

void told_load(struct told *t, const struct sent *sent)
{
	t->sequence = sent->sequence;
	t->version = sent->version;
	t->state = sent->state;
	t->outcome = sent->outcome;
	t->attempts = sent->attempts;
	t->first_ms = sent->first_at;
	t->at_ms = sent->at;
	t->fresh = false;
	told_set_error(t, sent->error);
}

void told_record(const struct told *t, const uint8_t incident[16], struct sent *out)
{
	*out = (struct sent){
		.receiver = str_from(t->receiver),
		.sequence = t->sequence,
		.version = t->version,
		.state = t->state,
		.outcome = t->outcome,
		.attempts = t->attempts,
		.first_at = t->first_ms,
		.at = t->at_ms,
		.error = str_from(t->error),
	};
	memcpy(out->incident, incident, sizeof(out->incident));
}
