/* program.h - what every program of the house has: command line, common settings, clock, log, name.
 *
 * struct program is embedded in each program's struct app and constant after program_init(): any thread may read it. */
#ifndef MILLRACE_PROGRAM_H
#define MILLRACE_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/conf.h"
#include "common/err.h"
#include "common/log.h"

/* Settings that all programs share; their rows stand in program.c. */
struct common_conf {
	char *cell;             /* cell: the one this program serves; ignored by ingest; NULL in one without Kafka */
	char *instance_id;      /* instance.id: empty is host name and process id (and dynamic group membership) */
	char *admin_listen;     /* admin.listen: host:port of metrics and health; empty is none */
	char *admin_token_file; /* admin.token_file */
	int64_t memory_budget_bytes;
	int64_t heartbeat_interval_ms; /* real time */
	char *schema_write_version;    /* schema.write.version: the list of pins, as pins_set() takes it; NULL in one without Kafka */
	char *log_format;       /* log.format: "text" or "json" */
	char *log_level;        /* log.level: "debug", "info", "warn", "error" */
	int64_t log_burst;      /* log.burst: lines of an event at once */
	int64_t log_rate;       /* log.rate: and then a second */
	int64_t clock_start_ms, clock_real_ms; /* clock.*: --test-clock only */
	double clock_speed;
};

struct program {
	const char *name;  /* "millrace-ingest" */
	char instance[64]; /* instance.id, or host:pid */
	char host[64];
	int64_t started_ms; /* virtual */
	struct common_conf common;
	struct conf *conf;
	struct clock clock;
	struct log log;
	char *faults; /* --test-faults' list, NULL without; for the fault points of later tests */
};

/* What a program is, for its --help, and what it knows of its settings beyond their rows. */
struct program_spec {
	const char *name;
	const char *summary;           /* one line */
	const char *admin_default;     /* admin.listen's default, e.g. "127.0.0.1:9101" */
	struct conf_section section;   /* its own settings */
	const char *const *faults;     /* what --test-faults may name, ended by NULL; NULL: nothing */
	const char *usage;             /* more lines for --help's usage, each with its line end; NULL: there are none */
	const char *memory_default;    /* memory.budget's default; NULL: the common one */
	bool without_kafka;            /* it has neither kafka.* nor what is for a cell's programs: cell, heartbeat.interval, admin.token_file */
	/* Refuses settings with which the program could not start, before it opens anything; NULL: there are none. Gets the
	 * section's target, and p complete. -1 with *err set. */
	int (*check)(const struct program *p, const void *target, struct err *err);
};

/* Reads the command line (--config FILE, --set KEY=VALUE, --check-config, --print-config, --test-clock, --test-faults LIST,
 * --help, --version) and all settings, and fills p. 0: go on; 1: done, exit 0 (help, version, check and print write to standard
 * output); -1 with *err set, also when spec->check refuses (--print-config has printed by then). p->conf stays NULL only
 * on failure. --test-faults without --test-clock, or of a name that is not in spec->faults, is refused, and so are clock.*
 * settings without --test-clock. */
int program_init(struct program *p, const struct program_spec *spec, int argc, char **argv, struct err *err);

/* Frees what program_init() made; safe after its failure. */
void program_fini(struct program *p);

/* True when fault point name is armed by --test-faults: "NAME" always, "NAME@N" from the N-th call on. calls is the
 * caller's own counter of this point, incremented here. */
bool program_fault(const struct program *p, const char *name, uint64_t *calls);

#endif
