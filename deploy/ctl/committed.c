/* committed.c - see committed.h. */
#include "deploy/ctl/committed.h"

#include <inttypes.h>
#include <stdio.h>

/* The last is for none of the others. */
static enum committed_state judge_meta(const struct lag_partition *p, int64_t epoch, struct committed *out)
{
	const struct offset_meta *m = &out->meta;

	if (m->epoch != epoch) {
		snprintf(out->words, sizeof(out->words), "of epoch %016" PRIx64 ": the cell's topics were made again", (uint64_t)m->epoch);
		return COMMITTED_EPOCH;
	}
	if (p->committed < m->at) {
		snprintf(out->words, sizeof(out->words), "set back to before its snapshot's position %" PRId64, m->at);
		return COMMITTED_BEFORE;
	}
	return COMMITTED_SOUND;
}

void committed_judge(const struct lag_partition *p, int64_t epoch, struct committed *out)
{
	struct err err = ERR_INIT;

	*out = (struct committed){.state = COMMITTED_FOREIGN};
	if (p->fault) {
		out->state = COMMITTED_UNKNOWN;
		snprintf(out->words, sizeof(out->words), "%s", p->fault);
	} else if (p->committed < 0) {
		out->state = COMMITTED_NONE;
		snprintf(out->words, sizeof(out->words), "nothing is committed");
	} else if (!p->metadata.len) {
		out->state = COMMITTED_RESET;
		snprintf(out->words, sizeof(out->words), "no metadata: an operator's reset");
	} else if (offset_meta_parse(p->metadata, &out->meta, &err) < 0) {
		snprintf(out->words, sizeof(out->words), "%.150s", err.msg);
	} else {
		out->has_meta = true;
		out->state = judge_meta(p, epoch, out);
	}
}

bool committed_is_refused(const struct committed *c)
{
	return c->state != COMMITTED_SOUND && c->state != COMMITTED_NONE && c->state != COMMITTED_UNKNOWN;
}

const char *committed_state_name(enum committed_state state)
{
	static const char *const names[] = {"sound", "none", "reset", "foreign", "epoch", "before", "unknown"};

	return names[state];
}
