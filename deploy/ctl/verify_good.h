/* verify_good.h - is a decoded SampleBatch one that can be counted? `verify`'s own reading of the schema's promises. A pure function. */
#ifndef MILLRACE_CTL_VERIFY_GOOD_H
#define MILLRACE_CTL_VERIFY_GOOD_H

#include "schemas/schemas.h"

/* What is wrong with it, a literal; NULL: nothing. A record is counted whole or not at all. watermark_ms: the partition's time, virtual. */
const char *verify_good_fault(const struct sample_batch *batch, int64_t watermark_ms);

#endif
