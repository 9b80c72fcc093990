/* job_verdict.h - has a job that checks in missed its time? Pure, but for what the alert remembers of the schedule. */
#ifndef MILLRACE_PROCESSOR_JOB_VERDICT_H
#define MILLRACE_PROCESSOR_JOB_VERDICT_H

#include "processor/alerts.h"
#include "processor/check_ins.h"

/* Of a rule about check-ins, at the end of a minute.
 *
 *   heartbeat  holds when neither a beat nor the minute in which it was first judged is within every + grace minutes
 *   cron       holds when it has not started or finished since the last time it was due, grace ago or longer; or, where it has a runtime, not finished since the last
 *              time it was due longer ago than grace and runtime
 * A start up to a minute early is on time. Holds not before it was due once. job: NULL, nothing has come. *value: minutes since the last sign of life. */
enum alert_verdict job_verdict(const struct rule *rule, struct alert *alert, const struct check_in *job, int64_t minute_ms, bool *has_value,
			       double *value);

#endif
