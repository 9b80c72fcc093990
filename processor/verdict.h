/* verdict.h - what becomes of an assigned partition, by what is known of it.
 *
 * Three things must fit together: the committed offset, its metadata, and the snapshots in the state topic. Where they do not, going on would count
 * something twice or lose it, and the partition is refused, until an operator takes that upon himself by a control (schemas/README.md, "Controls").
 * Pure: the whole judgement in two tables of cases, which restore.c carries out. */
#ifndef MILLRACE_PROCESSOR_VERDICT_H
#define MILLRACE_PROCESSOR_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/controls.h"
#include "common/err.h"
#include "common/offset_meta.h"

/* What operators allow now, and why they do. */
struct consent {
	bool accept; /* accept_offsets is in force */
	bool forget; /* forget_state is */
	char why_accept[CONTROLS_WHY_SIZE], why_forget[CONTROLS_WHY_SIZE];
};

/* What is in force for a cell. controls may be NULL: nothing is. */
struct consent consent_of(struct controls *controls, const char *cell);

/* Do both allow the same, whatever the reasons? */
bool consent_equal(const struct consent *a, const struct consent *b);

/* What does not fit, by the committed offset and its metadata alone. */
enum trouble {
	TROUBLE_NONE,      /* the metadata names a snapshot of this epoch */
	TROUBLE_NO_OFFSET, /* nothing is committed; a new partition if there is no state either */
	TROUBLE_RESET,     /* committed by somebody else than a checkpoint */
	TROUBLE_EPOCH,     /* committed under another epoch */
	TROUBLE_NEWER,     /* committed by a newer build */
	TROUBLE_SNAPSHOT,  /* the snapshot that the metadata names cannot be used; found when it is read */
};

/* Judges an offset (-1: none) and its metadata under the cell's epoch. meta is written when the metadata is a checkpoint's
 * (NONE, EPOCH, sometimes RESET). err says what is wrong, in words for an operator; it is not set for NONE and NO_OFFSET. */
enum trouble verdict_offset(int64_t offset, struct str metadata, int64_t epoch, struct offset_meta *meta, struct err *err);

/* What the newest snapshot in the state topic is. Never an older one: what was emitted since it would be counted twice. */
enum found {
	FOUND_NOTHING, /* there is none at all */
	FOUND_WHOLE,
	FOUND_DAMAGED, /* chunks are missing, fail their CRC, or do not belong here */
	FOUND_NEWER,   /* written by a newer build */
	NR_FOUND
};

/* How a partition goes on. */
enum ending {
	END_REFUSED,
	END_KEPT_AT_OFFSET,  /* with the newest snapshot, from the offset that was set */
	END_KEPT,            /* with the newest snapshot, from its own position */
	END_EMPTY_AT_OFFSET, /* without state, from the offset that was set */
	END_EMPTY_AT_BEGIN,  /* without state, from where the input begins */
	END_EMPTY_AT_SNAPSHOT, /* without state, from the position that the unusable snapshot had */
	NR_ENDINGS
};

/* Judges a trouble, other than NONE, once it is known what there is. Where both controls are in force, forgetting is for what cannot be accepted. */
enum ending verdict_ending(enum trouble trouble, enum found found, const struct consent *consent);

/* Appends to err's message what an operator can do about a partition that is refused. */
void verdict_advise(enum trouble trouble, enum found found, const char *cell, struct err *err);

/* Does an ending keep a snapshot? */
bool ending_keeps(enum ending ending);

#endif
