/* judge.h - minutes are judged as they close: which alerts open in them, and which close.
 *
 * Invariants:
 *  I1  Each minute from the first closing on is judged once, in order, before its windows go out, and by what was counted in it until then: what comes late
 *      opens and closes nothing.
 *  I2  The verdict is a function of the minute's windows, the state and what holds at the checkpoint (judging.h). So a restored partition judges as one
 *      that was never away.
 *  I3  Between two openings of a series' alert there is a closing. */
#ifndef MILLRACE_PROCESSOR_JUDGE_H
#define MILLRACE_PROCESSOR_JUDGE_H

#include "processor/judging.h"

/* Goes by with->rules from now on, and judges the minutes from the store's closed_ms to this one. -1 with ERR_FATAL when memory is short: the state is
 * unusable then. */
int judge_minutes(const struct judged *of, const struct judging *with, int64_t closed_ms, struct err *err);

/* Is every minute to be judged, also one without windows? */
bool judge_wants_minutes(const struct alerts *a, bool of_events);

#endif
