/* scribe.h - what is said of incidents, by the page itself and by operators at its door: into the fold and on its way to Kafka, and told to operators.
 *
 * Not thread-safe: the main loop owns it. A failure is logged here, as the page goes on without. */
#ifndef MILLRACE_STATUS_SCRIBE_H
#define MILLRACE_STATUS_SCRIBE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/program.h"
#include "common/report.h"
#include "sink/status/drafts.h"
#include "sink/status/entry_desk.h"
#include "sink/status/journal.h"
#include "sink/status/timeline.h"

/* All borrowed. */
struct scribe {
	const struct program *program;
	struct report *report;
	struct entry_desk *desk;
	struct journal *journal;
	struct drafts *drafts;
	struct timeline *timeline;
};

/* Writes what is to be written now by drafts_turn(). incidents are the desk's, locked. True: something was. */
bool scribe_draft(const struct scribe *s, struct status_incidents *incidents, const struct status_component *components, size_t nr);

/* Takes what operators have brought to the desk into the journal, and tells the desk how much more there is room for. True: something came. */
bool scribe_take(const struct scribe *s);

#endif
