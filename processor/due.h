/* due.h - when a partition checkpoints. Pure: all times are arguments.
 *
 * A partition whose watermark is close to the present checkpoints when a minute falls due; a partition that is catching up runs through many
 * minutes of event time a second, and checkpoints by real time or by how much is due. Either only if there is something to emit, or state
 * that a restore would have to read again. A partition that owes memory (budget.h) checkpoints at once. One that has alerts closes every minute, be there windows
 * in it or not, as silence is to be judged; and goes by other triggers within about a second. */
#ifndef MILLRACE_PROCESSOR_DUE_H
#define MILLRACE_PROCESSOR_DUE_H

#include "common/clock.h"
#include "processor/conf.h"
#include "processor/task.h"

/* How long the end of a partition is believed without its leader having said so again. Real. */
enum { DUE_TRUST_MS = 10000 };

struct due_rules {
	const struct processor_conf *conf; /* borrowed */
	const struct clock *clock;         /* borrowed; constant */
	int32_t partitions;                /* of a topic; spreads the stagger, of samples and events alike */
	const struct rules *triggers;      /* what partitions are to go by; NULL: nobody judges */
};

/* The late rules of the settings. */
struct late_rules due_late_rules(const struct due_rules *rules);

/* The age beyond which a minute is judged late (judging.h): that of the settings, but never less than what a partition that is not behind has at its closing. Virtual. */
int64_t due_max_age_ms(const struct due_rules *rules);

/* How much later than the first partition this one closes its minutes. Virtual. */
int64_t due_stagger_ms(const struct due_rules *rules, int32_t partition);

/* Is a checkpoint due? now_ms virtual, mono_ms real. */
bool due_checkpoint(const struct due_rules *rules, const struct task *t, int64_t now_ms, int64_t mono_ms);

/* Is it time to ask the partition's leader again whether its end still is the end? Windows would close by the wall clock if it were, but
 * its last word is too old: a leader that is gone must not close windows whose samples it holds. */
bool due_probe(const struct due_rules *rules, const struct task *t, int64_t now_ms, int64_t mono_ms);

/* Is its position to be committed, with the metadata as it was? When it has moved; and else once an hour, and after a restore: a group's offsets of
 * topics that it is not subscribed to, as the events' is not (consumer.c, G12), are forgotten by Kafka when they have not been committed for a week, and a
 * partition that is idle for so long would have state without an offset. Never before a first checkpoint: an offset without a snapshot would read as an operator's
 * reset. */
bool due_position(const struct task *t, int64_t mono_ms);

#endif
