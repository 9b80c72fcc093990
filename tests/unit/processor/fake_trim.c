/* fake_trim.c - stands in for trim.c at link time: the marks are the product's (marks.c), the request and its answer are not.
 *
 * A request that has gone out is done at some time later, whatever has become of who sent it. */
#include "processor/trim.h"

#include <stdlib.h>

#include "processor/marks.h"
#include "tests/unit/processor/sim_twin.h"

struct trim {
	struct fake_host *host;
	struct marks marks;
	bool noted;
};

struct trim *trim_new(const struct trim_parts *parts, struct err *err)
{
	struct trim *tr = calloc(1, sizeof(*tr));

	ck_assert(tr && marks_init(&tr->marks, FAKE_INPUTS, err) == 0);
	tr->host = fake_host_of(parts->program);
	return tr;
}

void trim_free(struct trim *tr)
{
	if (!tr)
		return;
	marks_fini(&tr->marks);
	free(tr);
}

/* What is said to be committed must be: an id alone is also the one that the next owner gives. */
void trim_note(struct trim *tr, int32_t partition, const struct offset_meta *former, const struct offset_meta *present)
{
	const struct fake_record *chunk = fake_at(&tr->host->kafka->state[partition], present->snapshot);

	if (chunk && chunk->txn->fate != FATE_COMMITTED)
		sim_fail(tr->host->kafka, "another one's checkpoint is taken for our own");
	marks_committed(&tr->marks, partition, former, present);
	tr->noted = true;
}

void trim_forget(struct trim *tr, int32_t partition)
{
	if (tr)
		marks_forget(&tr->marks, partition);
}

void trim_turn(struct trim *tr, int64_t mono_ms)
{
	struct fake_kafka *k = tr->host->kafka;

	for (int32_t p = 0; tr->noted && !tr->host->dead && p < FAKE_INPUTS; p++) {
		int64_t before = marks_ask(&tr->marks, p);

		if (!before)
			continue;
		if (fake_once_in(k, 4)) {
			marks_failed(&tr->marks, p);
			continue;
		}
		marks_done(&tr->marks, p, before);
		if (k->trims[p].before == 0)
			k->trims[p] = (struct fake_trim){before, mono_ms + (int64_t)fake_dice(k, fake_once_in(k, 4) ? 60000 : 100)};
	}
	tr->noted = false;
}
