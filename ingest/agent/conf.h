/* conf.h - the settings of millrace-agent. */
#ifndef MILLRACE_AGENT_CONF_H
#define MILLRACE_AGENT_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/conf.h"
#include "common/program.h"
#include "common/series.h"

/* Virtual times follow the test clock, real ones do not (common/clock.h). */
struct agent_conf {
	char *push_url;           /* without a slash at its end after agent_conf_check() */
	char *ca_file;
	int64_t push_max_bytes;   /* of a payload, inflated */
	int64_t push_timeout_ms;  /* real */
	char *key_file;
	char *key;                /* secret */
	char *host;               /* "": the machine's name */
	char *environment;
	char *revision;
	char *tags;               /* "key=value,key=value" */
	bool app_host_tag;
	bool host_metrics;
	char *statsd_listen;
	char *statsd_socket;
	char *lines_socket;
	char *status_socket;
	int64_t series_max;
	char *spool_dir;
	int64_t spool_max_bytes;
	int64_t spool_max_age_ms; /* virtual */
	int64_t spool_min_free;   /* per cent of the disk */
	int64_t stop_timeout_ms;  /* real */
	char *journal;            /* --test-clock only */
};

/* One row a setting; the last one is {0}. */
extern const struct conf_field agent_conf_fields[];

/* Refuses what no agent could work with: a program_spec's check. target is a struct agent_conf; a slash at the end of push_url goes. */
int agent_conf_check(const struct program *p, const void *target, struct err *err);

/* The tags that every metric gets: parsed, and host if it is asked for; borrows c and host. -1: what is configured are none. */
int agent_conf_tags(const struct agent_conf *c, const char *host, struct tag tags[SERIES_TAGS_MAX], size_t *nr);

/* Overwrites MILLRACE_KEY in the environment, where /proc shows it to the same user, and to whoever gets a core dump. Call after the
 * settings are read. */
void agent_conf_hide_key(char **environ_list);

/* Writes what this machine is called: the setting host, else the system's name for it; UTF-8. */
void agent_conf_host(const struct program *p, const struct agent_conf *c, char *out, size_t size);

#endif
