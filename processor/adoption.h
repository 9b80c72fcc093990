/* adoption.h - a partition goes by other rules from now on. */
#ifndef MILLRACE_PROCESSOR_ADOPTION_H
#define MILLRACE_PROCESSOR_ADOPTION_H

#include "processor/judging.h"

/* Makes with->rules those of the partition, unless they are. Alerts of triggers that mean the same live on; others close, as changed or deleted: told by
 * what their trigger was. Series will be matched anew. -1 with ERR_FATAL when memory is short. */
int adoption_turn(const struct judged *of, const struct judging *with, struct err *err);

#endif
