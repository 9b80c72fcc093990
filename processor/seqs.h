/* seqs.h - which payloads of one agent have been taken: a bit for each seq in [floor, max]; what lies below the floor will not come again.
 *
 * Invariants:
 *  I1  1 <= floor <= max and max - floor <= SEQS_SPAN_MAX. The floor never falls. The bound holds by itself: a record's own seq lies at most
 *      so far above its own floor (seqs_check()), and the floor has risen there before its seq becomes the max.
 *  I2  The bit of max is set; there are no bits outside [floor, max].
 *  I3  Memory follows from floor and max alone: the words from the one that holds floor to the one that holds max. Two words are
 *      in the struct itself, so that an agent whose payloads arrive within 65 of each other never allocates.
 * Plain memory; may be copied as a whole, the old one being forgotten. Not thread-safe. */
#ifndef MILLRACE_PROCESSOR_SEQS_H
#define MILLRACE_PROCESSOR_SEQS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/codec.h"

#define SEQS_SPAN_MAX INT64_C(65536)

enum { SEQS_NEAR = 2 };

/* floor and max are for reading, words for seqs.c alone. */
struct seqs {
	int64_t floor, max;
	union {
		uint64_t near[SEQS_NEAR];
		uint64_t *far;
	} words; /* of 64 seqs each, the first one's beginning at a multiple of 64 */
};

/* Can a payload say this of itself? 1 <= floor <= seq, and seq - floor <= SEQS_SPAN_MAX. All functions below take only such pairs. */
bool seqs_check(int64_t seq, int64_t floor);

/* Fills q by the first payload that is seen. -1 when memory is short. */
int seqs_init(struct seqs *q, int64_t seq, int64_t floor);

/* Frees what belongs to q. */
void seqs_fini(struct seqs *q);

/* Was this payload taken, or is it below the floor? */
bool seqs_has(const struct seqs *q, int64_t seq);

/* The distance of max and floor after this payload would be taken. */
int64_t seqs_span_with(const struct seqs *q, int64_t seq, int64_t floor);

/* Marks seq, new or not, and raises the floor to floor. Returns how many seqs it rose over that had never been taken, or -1 when
 * memory is short: q is unchanged then. */
int64_t seqs_take(struct seqs *q, int64_t seq, int64_t floor);

/* Bytes allocated outside the struct. */
size_t seqs_bytes(const struct seqs *q);

/* Appends q: floor, max - floor, and the bits of [floor, max) in bytes, lowest first. */
void seqs_write(const struct seqs *q, struct buf *out);

/* Fills q from what seqs_write() wrote. -1 with a fault in r, or without one when memory is short; nothing is to be freed then. */
int seqs_read(struct seqs *q, struct codec_reader *r);

#endif
