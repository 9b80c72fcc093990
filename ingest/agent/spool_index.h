/* spool_index.h - what the spool holds, in order of creation: an entry a payload.
 *
 * Knows nothing of the disk. Entries are found by id, by identity, and by walking from either end. Not thread-safe: one owner. */
#ifndef MILLRACE_AGENT_SPOOL_INDEX_H
#define MILLRACE_AGENT_SPOOL_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/map.h"
#include "ingest/agent/spool_file.h"

struct spool_entry {
	TAILQ_ENTRY(spool_entry) order;
	uint64_t id; /* from 1; given by the index */
	struct spool_label label;
	uint64_t floor, samples;
	uint64_t bytes;      /* of the file, or of the body in memory */
	int64_t age_from_ms; /* created_at, or when it was first seen if that lay in the future */
	bool attempted;      /* the stage may lag behind, while the disk refuses */
	bool lost;           /* gone, and among the losses */
	bool in_memory;      /* then it has no file */
	uint8_t *body;       /* in memory: owned */
	unsigned failures;   /* of reading it, in a row */
	char aside[24];      /* what a gone one's name in rejected/ ends with; empty: it is deleted */
};

TAILQ_HEAD(spool_entries, spool_entry);

struct spool_index {
	struct spool_entries entries; /* the oldest first; owned */
	struct map by_id, by_identity;
	uint64_t last_id;
	size_t len, in_memory;
	uint64_t disk_bytes, memory_bytes;
};

/* Makes it empty; cannot fail. */
void spool_index_init(struct spool_index *x);

/* Frees it with all entries. */
void spool_index_fini(struct spool_index *x);

/* Adds an entry, which it takes, and gives it its id; its identity is new. -1: memory is short, and it is still the caller's. */
int spool_index_add(struct spool_index *x, struct spool_entry *e);

/* Takes an entry out; it is the caller's again. */
void spool_index_remove(struct spool_index *x, struct spool_entry *e);

/* What was in memory is on disk now, with a file of that size; frees the body. */
void spool_index_moved(struct spool_index *x, struct spool_entry *e, uint64_t bytes);

/* The entry of this id, or NULL. */
struct spool_entry *spool_index_get(const struct spool_index *x, uint64_t id);

/* The entry of this identity, or NULL. */
struct spool_entry *spool_index_find(const struct spool_index *x, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq);

/* The oldest that is in memory, or not, as asked; NULL: there is none. */
struct spool_entry *spool_index_oldest(const struct spool_index *x, bool in_memory);

/* Frees an entry with its body; NULL is a no-op. */
void spool_entry_free(struct spool_entry *e);

#endif
