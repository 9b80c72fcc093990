/* topic_spec.c - see topic_spec.h.
 *
 * Why these segments: Kafka deletes and compacts whole closed segments only. So a segment takes about a
 * tenth of what the retention is; compacted tables, which every program reads from their beginning at its
 * start, close theirs within the hour; and a state topic, whose owner deletes up to its last but one
 * snapshot, gives its disk back within the hour, too. A dead letter carries a whole record and the story of
 * it, so it may be larger than what it carries.
 *
 * Why incidents and sent have one partition, in a cell of many: one notifier at a time keeps a cell's incidents, and whoever owns that
 * partition is the one. */
#include "deploy/ctl/topic_spec.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define MIB (INT64_C(1) << 20)

static const struct topic_spec specs[] = {
	/* name            of_cell parts epoch  cleanup           retention  segment      bytes     message  append_time */
	{"samples",        true,  0,    true,  "delete",         72 * HOUR, 6 * HOUR,    0,        0,       true},
	{"events",         true,  0,    true,  "delete",         72 * HOUR, 6 * HOUR,    0,        0,       true},
	{"minutely",       true,  0,    true,  "delete",         7 * DAY,   12 * HOUR,   0,        0,       false},
	{"hourly",         true,  0,    true,  "delete",         30 * DAY,  2 * DAY,     0,        0,       false},
	{"exemplars",      true,  0,    true,  "delete",         7 * DAY,   12 * HOUR,   0,        0,       false},
	{"alerts",         true,  0,    true,  "delete",         30 * DAY,  2 * DAY,     0,        0,       false},
	{"samples-state",  true,  0,    true,  "delete",         -1,        1 * HOUR,    64 * MIB, 0,       false},
	{"events-state",   true,  0,    true,  "delete",         -1,        1 * HOUR,    64 * MIB, 0,       false},
	{"incidents",      true,  1,    false, "compact,delete", 30 * DAY,  1 * DAY,     0,        0,       false},
	{"sent",           true,  1,    false, "compact,delete", 30 * DAY,  1 * DAY,     0,        0,       false},
	{"cells",          false, 1,    false, "compact",        -1,        1 * HOUR,    0,        0,       false},
	{"sites",          false, 1,    false, "compact",        -1,        1 * HOUR,    0,        0,       false},
	{"triggers",       false, 1,    false, "compact",        -1,        1 * HOUR,    0,        0,       false},
	{"receivers",      false, 1,    false, "compact",        -1,        1 * HOUR,    0,        0,       false},
	{"silences",       false, 1,    false, "compact",        -1,        1 * HOUR,    0,        0,       false},
	{"acks",           false, 1,    false, "compact,delete", 30 * DAY,  1 * DAY,     0,        0,       false},
	{"controls",       false, 1,    false, "compact",        -1,        1 * HOUR,    0,        0,       false},
	{"status",         false, 1,    false, "compact",        -1,        1 * HOUR,    0,        0,       false},
	{"heartbeats",     false, 1,    false, "compact,delete", 1 * DAY,   10 * MINUTE, 0,        0,       false},
	{"notices",        false, 1,    false, "delete",         400 * DAY, 7 * DAY,     0,        0,       false},
	{"deadletter",     false, 1,    false, "delete",         14 * DAY,  1 * DAY,     0,        4 * MIB, false},
};

const struct topic_spec *topic_specs(size_t *nr)
{
	*nr = sizeof(specs) / sizeof(specs[0]);
	return specs;
}

const char *topic_spec_name(const struct topic_spec *spec, const char *cell, char out[KAFKA_TOPIC_SIZE])
{
	if (spec->of_cell)
		return kafka_cell_topic(out, cell, spec->name);
	snprintf(out, KAFKA_TOPIC_SIZE, "millrace.%s", spec->name);
	return out;
}

int topic_spec_partitions(const struct topic_spec *spec, int of_cell)
{
	return spec->partitions ? spec->partitions : of_cell;
}

static size_t add_text(struct topic_setting *out, size_t n, const char *name, const char *value)
{
	out[n].name = name;
	snprintf(out[n].value, sizeof(out[n].value), "%s", value);
	return n + 1;
}

static size_t add_number(struct topic_setting *out, size_t n, const char *name, int64_t value)
{
	out[n].name = name;
	snprintf(out[n].value, sizeof(out[n].value), "%" PRId64, value);
	return n + 1;
}

size_t topic_spec_settings(const struct topic_spec *spec, int replicas, struct topic_setting out[TOPIC_SETTINGS_MAX])
{
	size_t n = add_text(out, 0, "cleanup.policy", spec->cleanup);

	if (strstr(spec->cleanup, "delete")) {
		n = add_number(out, n, "retention.ms", spec->retention_ms);
		n = add_number(out, n, "retention.bytes", -1);
	}
	if (strstr(spec->cleanup, "compact"))
		n = add_text(out, n, "min.cleanable.dirty.ratio", "0.1");
	n = add_number(out, n, "segment.ms", spec->segment_ms);
	if (spec->segment_bytes)
		n = add_number(out, n, "segment.bytes", spec->segment_bytes);
	if (spec->max_message_bytes)
		n = add_number(out, n, "max.message.bytes", spec->max_message_bytes);
	n = add_text(out, n, "message.timestamp.type", spec->append_time ? "LogAppendTime" : "CreateTime");
	/* With three copies, writes go on while one broker is away; with fewer there is no second to wait
	 * for. */
	return add_number(out, n, "min.insync.replicas", replicas >= 3 ? 2 : 1);
}
