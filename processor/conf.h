/* conf.h - the settings of millrace-processor. */
#ifndef MILLRACE_PROCESSOR_CONF_H
#define MILLRACE_PROCESSOR_CONF_H

#include <stdint.h>

#include "common/conf.h"

/* Virtual times follow the test clock, real ones do not (common/clock.h). */
struct processor_conf {
	int64_t grace_ms;             /* virtual */
	int64_t late_idle_ms;         /* virtual */
	int64_t late_max_ms;          /* virtual */
	int64_t stagger_ms;           /* virtual */
	int64_t catchup_lag_ms;       /* real */
	int64_t catchup_interval_ms;  /* real */
	int64_t transaction_windows;
	int64_t catchup_windows;
	int64_t position_interval_ms; /* real */
	int64_t retry_interval_ms;    /* real */
	int64_t chunk_bytes;
	int64_t schema_retry_ms;      /* real */
	int64_t refused_retry_ms;     /* real */
	int64_t agents_max;
	int64_t trim_interval_ms;     /* real */
	int64_t request_keys_max;
	int64_t series_site_max;
	int64_t series_record_max;
	int64_t alerts_max_age_ms;    /* virtual */
	int64_t alerts_held_max;
};

/* One row a setting; the last one is {0}. */
extern const struct conf_field processor_conf_fields[];

#endif
