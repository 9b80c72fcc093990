/* verdict.c - see verdict.h.
 *
 * The tables say it all; what is not in them is refused. Two rules stand behind them. A state that a newer build has written is
 * never given up, whatever is allowed, as that build is on its way back. And the newest snapshot is used or none: whatever came after an
 * older one has been emitted. */
#include "processor/verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct consent consent_of(struct controls *controls, const char *cell)
{
	struct consent c = {0};

	if (!controls)
		return c;
	c.accept = controls_in_force(controls, CONTROL_ACTION_ACCEPT_OFFSETS, str_from(cell), STR(""), c.why_accept);
	c.forget = controls_in_force(controls, CONTROL_ACTION_FORGET_STATE, str_from(cell), STR(""), c.why_forget);
	return c;
}

bool consent_equal(const struct consent *a, const struct consent *b)
{
	return a->accept == b->accept && a->forget == b->forget;
}

enum trouble verdict_offset(int64_t offset, struct str metadata, int64_t epoch, struct offset_meta *meta, struct err *err)
{
	struct err why = ERR_INIT;

	if (offset < 0)
		return TROUBLE_NO_OFFSET;
	if (!metadata.len) {
		err_set(err, ERR_REJECT, "offset %" PRId64 " is committed without metadata: an operator's reset must be confirmed", offset);
		return TROUBLE_RESET;
	}
	if (offset_meta_parse(metadata, meta, &why) < 0) {
		err_set(err, ERR_REJECT, "offset %" PRId64 " is committed with %s", offset, why.msg);
		return offset_meta_is_newer(metadata) ? TROUBLE_NEWER : TROUBLE_RESET;
	}
	if (meta->epoch != epoch) {
		err_set(err, ERR_REJECT, "the snapshot is of epoch %" PRId64 ", the cell's topics are of epoch %" PRId64 ": they were made again",
			meta->epoch, epoch);
		return TROUBLE_EPOCH;
	}
	if (offset < meta->at) {
		err_set(err, ERR_REJECT, "offset %" PRId64 " is committed, before the snapshot's position %" PRId64, offset, meta->at);
		return TROUBLE_RESET;
	}
	return TROUBLE_NONE;
}

/* By trouble and by what was found. What is not named is END_REFUSED, which is 0. */
static const enum ending when_accepted[][NR_FOUND] = {
	[TROUBLE_NO_OFFSET] = {[FOUND_WHOLE] = END_KEPT},
	[TROUBLE_RESET] = {[FOUND_NOTHING] = END_EMPTY_AT_OFFSET, [FOUND_WHOLE] = END_KEPT_AT_OFFSET},
	[TROUBLE_EPOCH] = {[FOUND_WHOLE] = END_KEPT},
	[TROUBLE_SNAPSHOT] = {END_REFUSED},
};

static const enum ending when_forgotten[] = {
	[TROUBLE_NO_OFFSET] = END_EMPTY_AT_BEGIN,
	[TROUBLE_RESET] = END_EMPTY_AT_OFFSET,
	[TROUBLE_EPOCH] = END_EMPTY_AT_BEGIN,
	[TROUBLE_NEWER] = END_REFUSED,
	[TROUBLE_SNAPSHOT] = END_EMPTY_AT_SNAPSHOT,
};

enum ending verdict_ending(enum trouble trouble, enum found found, const struct consent *consent)
{
	if (trouble == TROUBLE_NONE || trouble == TROUBLE_NEWER || found == FOUND_NEWER)
		return END_REFUSED;
	if (trouble == TROUBLE_NO_OFFSET && found == FOUND_NOTHING)
		return END_EMPTY_AT_BEGIN; /* a new partition: nobody is asked */
	if (consent->accept && when_accepted[trouble][found] != END_REFUSED)
		return when_accepted[trouble][found];
	return consent->forget ? when_forgotten[trouble] : END_REFUSED;
}

void verdict_advise(enum trouble trouble, enum found found, const char *cell, struct err *err)
{
	const struct consent accept = {.accept = true}, forget = {.forget = true};
	size_t len = strlen(err->msg);
	const char *more = NULL;

	if (verdict_ending(trouble, found, &accept) != END_REFUSED)
		more = "accepts it";
	else if (verdict_ending(trouble, found, &forget) != END_REFUSED)
		more = "--forget-state begins anew, without it";
	if (more)
		snprintf(err->msg + len, sizeof(err->msg) - len, ": millrace-ctl offsets confirm %s --reason R %s", cell, more);
	else
		snprintf(err->msg + len, sizeof(err->msg) - len, ": nothing but the build that wrote it helps");
}

bool ending_keeps(enum ending ending)
{
	return ending == END_KEPT || ending == END_KEPT_AT_OFFSET;
}
