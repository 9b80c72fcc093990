/* crowd_conf.h - the settings of the crowd. */
#ifndef MILLRACE_CROWD_CONF_H
#define MILLRACE_CROWD_CONF_H

#include <stdint.h>

#include "common/conf.h"
#include "common/program.h"

enum { CROWD_AGENTS_MAX = 4096, CROWD_SERIES_MAX = 64 };

/* Those of an agent have its names and meanings (ingest/agent/conf.h) and hold for each agent. */
struct crowd_conf {
	char *push_url;
	int64_t push_timeout_ms;  /* real */
	int64_t spool_max_bytes;
	int64_t spool_max_age_ms; /* virtual */
	char *dir, *keys;
	int64_t agents, series, values, seed;
};

/* One row a setting; the last one is {0}. */
extern const struct conf_field crowd_conf_fields[];

/* A program_spec's check; target is a struct crowd_conf. */
int crowd_conf_check(const struct program *p, const void *target, struct err *err);

#endif
