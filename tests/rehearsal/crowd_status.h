/* crowd_status.h - how the crowd is, as one JSON object for the socket. */
#ifndef MILLRACE_CROWD_STATUS_H
#define MILLRACE_CROWD_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/str.h"

enum { CROWD_ANSWERS_MAX = 32 };

/* How many posts ended with which HTTP status; 0: without an answer. Of statuses beyond the bound the last row counts. */
struct crowd_answers {
	struct {
		int status;
		uint64_t posts;
	} rows[CROWD_ANSWERS_MAX];
	size_t len;
};

struct crowd_status {
	int64_t now_ms;          /* virtual */
	size_t agents;
	bool telling;
	uint64_t told, flushes;  /* by the ledger, so of earlier starts too: values; flushes, also such that made no payload */
	uint64_t spooled_payloads, spooled_bytes, agents_waiting;
	uint64_t open_losses;    /* payloads that were given up, whose report was not acknowledged yet */
	uint64_t dropped_payloads, dropped_samples;
	uint64_t accepted_payloads, rejected_samples, posts, failed_posts;
	uint64_t unhealthy_spools; /* agents whose disk refuses */
	struct crowd_answers answers;
	double rss_bytes;
};

/* Counts posts that ended with a status. */
void crowd_answers_add(struct crowd_answers *a, int status, uint64_t posts);

/* Appends s as JSON. Check buf_failed(). */
void crowd_status_json(const struct crowd_status *s, struct buf *out);

#endif
