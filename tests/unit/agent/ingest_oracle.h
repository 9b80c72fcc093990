/* ingest_oracle.h - what ingest makes of a payload: its own decoder, checks and split, which share no code with the agent.
 *
 * Apart from the tests, as some names mean other things in the two programs. */
#ifndef MILLRACE_TESTS_AGENT_INGEST_ORACLE_H
#define MILLRACE_TESTS_AGENT_INGEST_ORACLE_H

#include "common/hist.h"
#include "common/series.h"

enum { ORACLE_COUNTER = 0, ORACLE_GAUGE = 1, ORACLE_DISTRIBUTION = 2 };

struct oracle_sample {
	struct str name;
	int kind;
	const struct tag *tags;
	size_t tags_len;
	int64_t t, count, last_at;
	bool has_v, has_figures, has_histogram; /* has_figures: min, max and last, all of them */
	double v, sum, min, max, last;
	struct hist_dense histogram;
};

struct oracle_head {
	uint8_t agent_id[16];
	int64_t seq, floor, created_at_ms;
	char host[32], environment[32], revision[32];
	uint64_t received, events, rejected; /* received and rejected: samples and events */
	int64_t truncated_samples;
};

/* Reads a message that came at received_at_ms; each() borrows a sample, in their order within values and within summaries of a series
 * list. Fails the test when ingest would not take it: cannot read it, or a record of all samples for one partition would be too long. */
void oracle_read(struct str message, int64_t received_at_ms, size_t record_max_bytes, struct oracle_head *head,
		 void (*each)(void *ctx, const struct oracle_sample *s), void *ctx);

#endif
