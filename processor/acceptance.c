/* acceptance.c - see acceptance.h. */
#include "processor/acceptance.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t acceptance_skipped(const struct acceptance *a)
{
	return ending_keeps(a->ending) && a->position > a->snapshot_at ? (uint64_t)(a->position - a->snapshot_at) : 0;
}

/* What differs between the position and what is kept. */
static void say_difference(const struct acceptance *a, char *out, size_t size)
{
	if (!ending_keeps(a->ending))
		snprintf(out, size, "what lay open is forgotten, and retries of what was counted count again");
	else if (a->position > a->snapshot_at)
		snprintf(out, size, "records %" PRId64 " to %" PRId64 " are skipped", a->snapshot_at, a->position - 1);
	else if (a->position < a->snapshot_at)
		snprintf(out, size, "records %" PRId64 " to %" PRId64 " are read again: those with an identity are dropped, the others count twice",
			 a->position, a->snapshot_at - 1);
	else
		snprintf(out, size, "nothing is skipped or read again");
}

const char *acceptance_text(const struct acceptance *a, char out[ACCEPTANCE_TEXT_SIZE])
{
	char difference[160], state[64] = "without state";

	say_difference(a, difference, sizeof(difference));
	if (ending_keeps(a->ending))
		snprintf(state, sizeof(state), "with snapshot %" PRId64 " of position %" PRId64, a->snapshot, a->snapshot_at);
	snprintf(out, ACCEPTANCE_TEXT_SIZE, "goes on at offset %" PRId64 " %s, as an operator has confirmed: %s (reason: %s)", a->position, state,
		 difference, a->why);
	return out;
}
