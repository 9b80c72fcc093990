/* topic_spec.h - the topics of schemas/README.md as a table, and the settings that follow from a row.
 *
 * Pure: what should be. topics.h compares it with what is. Every setting that correctness or retention
 * rests on is written out, so that a broker's defaults cannot shorten a retention, and a difference can be
 * told from a default. */
#ifndef MILLRACE_CTL_TOPIC_SPEC_H
#define MILLRACE_CTL_TOPIC_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/kafka.h"

struct topic_spec {
	const char *name;    /* behind "millrace." or "millrace.c.CELL." */
	bool of_cell;        /* one a cell; else one */
	int partitions;      /* 0: as many as the cell has */
	bool epoch_bound;    /* its offsets stand in ids or checkpoints: made again, it needs a new epoch */
	const char *cleanup; /* cleanup.policy */
	int64_t retention_ms;      /* of what "delete" deletes; -1: for ever */
	int64_t segment_ms;        /* a segment takes no more after this: what is in an open one is neither deleted nor compacted */
	int64_t segment_bytes;     /* likewise; 0: Kafka's default */
	int64_t max_message_bytes; /* 0: Kafka's default */
	bool append_time;          /* LogAppendTime: the broker's clock, on which the processor's watermark rests */
};

enum { TOPIC_SETTINGS_MAX = 9 };

struct topic_setting {
	const char *name;
	char value[32];
};

/* All rows, *nr of them. Constant. */
const struct topic_spec *topic_specs(size_t *nr);

/* Writes "millrace.NAME" or "millrace.c.CELL.NAME" into out and returns out. cell is only read when the
 * topic is one of a cell. */
const char *topic_spec_name(const struct topic_spec *spec, const char *cell, char out[KAFKA_TOPIC_SIZE]);

/* The partitions that it should have; of_cell: those of its cell. */
int topic_spec_partitions(const struct topic_spec *spec, int of_cell);

/* Writes the settings that a topic of this kind has with so many replicas into out; returns how many. */
size_t topic_spec_settings(const struct topic_spec *spec, int replicas, struct topic_setting out[TOPIC_SETTINGS_MAX]);

#endif
