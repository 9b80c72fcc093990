/* seqs.c - see seqs.h.
 *
 * Words begin at multiples of 64, so that a floor that rises moves whole words and never shifts bits; only the written form, which is
 * to be short, begins at the floor itself. */
#include "processor/seqs.h"

#include <stdlib.h>

#include "common/memory.h"

enum { WORD_BITS = 64 };

static int64_t word_of(int64_t seq)
{
	return seq / WORD_BITS;
}

static uint64_t bit_of(int64_t seq)
{
	return UINT64_C(1) << (seq % WORD_BITS);
}

/* The bits of a word that are below seq's. */
static uint64_t below(int64_t seq)
{
	return bit_of(seq) - 1;
}

static size_t words_between(int64_t floor, int64_t max)
{
	return (size_t)(word_of(max) - word_of(floor) + 1);
}

static size_t nr_words(const struct seqs *q)
{
	return words_between(q->floor, q->max);
}

static uint64_t *words_in(struct seqs *q)
{
	return nr_words(q) > SEQS_NEAR ? q->words.far : q->words.near;
}

static const uint64_t *words_of(const struct seqs *q)
{
	return nr_words(q) > SEQS_NEAR ? q->words.far : q->words.near;
}

bool seqs_check(int64_t seq, int64_t floor)
{
	return floor >= 1 && floor <= seq && seq - floor <= SEQS_SPAN_MAX;
}

/* All words clear. */
static int make_clear(struct seqs *q, int64_t floor, int64_t max)
{
	size_t nr = words_between(floor, max);
	uint64_t *far = NULL;

	if (nr > SEQS_NEAR && !(far = calloc(nr, sizeof(*far))))
		return -1;
	*q = (struct seqs){.floor = floor, .max = max};
	if (far)
		q->words.far = far;
	return 0;
}

int seqs_init(struct seqs *q, int64_t seq, int64_t floor)
{
	if (make_clear(q, floor, seq) < 0)
		return -1;
	words_in(q)[nr_words(q) - 1] = bit_of(seq);
	return 0;
}

void seqs_fini(struct seqs *q)
{
	if (nr_words(q) > SEQS_NEAR)
		free(q->words.far);
}

bool seqs_has(const struct seqs *q, int64_t seq)
{
	if (seq < q->floor)
		return true;
	return seq <= q->max && (words_of(q)[word_of(seq) - word_of(q->floor)] & bit_of(seq));
}

int64_t seqs_span_with(const struct seqs *q, int64_t seq, int64_t floor)
{
	return (seq > q->max ? seq : q->max) - (floor > q->floor ? floor : q->floor);
}

/* How many seqs of [q->floor, floor) were never taken. */
static int64_t missing(const struct seqs *q, int64_t floor)
{
	const uint64_t *words = words_of(q);
	int64_t first = word_of(q->floor), taken = 0;

	for (size_t i = 0; i < nr_words(q) && first + (int64_t)i <= word_of(floor); i++)
		taken += __builtin_popcountll(first + (int64_t)i < word_of(floor) ? words[i] : words[i] & below(floor));
	return floor - q->floor - taken;
}

/* From [q->floor, q->max] to [floor, max], neither of which falls; the bits in both stay. */
static int move_to(struct seqs *q, int64_t floor, int64_t max)
{
	int64_t gone = word_of(floor) - word_of(q->floor);
	struct seqs moved;

	if (gone == 0 && word_of(max) == word_of(q->max)) {
		q->floor = floor;
		q->max = max;
	} else {
		if (make_clear(&moved, floor, max) < 0)
			return -1;
		if (gone < (int64_t)nr_words(q))
			memcpy(words_in(&moved), words_of(q) + gone, (nr_words(q) - (size_t)gone) * sizeof(uint64_t));
		seqs_fini(q);
		*q = moved;
	}
	words_in(q)[0] &= ~below(floor);
	return 0;
}

int64_t seqs_take(struct seqs *q, int64_t seq, int64_t floor)
{
	int64_t missed = 0;

	if (floor < q->floor)
		floor = q->floor;
	else
		missed = missing(q, floor);
	if (move_to(q, floor, seq > q->max ? seq : q->max) < 0)
		return -1;
	if (seq >= q->floor)
		words_in(q)[word_of(seq) - word_of(q->floor)] |= bit_of(seq);
	return missed;
}

size_t seqs_bytes(const struct seqs *q)
{
	return nr_words(q) > SEQS_NEAR ? memory_rounded(nr_words(q) * sizeof(uint64_t)) : 0;
}

/* The 64 bits from seq on, which is in [floor, max]. */
static uint64_t bits_from(const struct seqs *q, int64_t seq)
{
	const uint64_t *words = words_of(q);
	size_t i = (size_t)(word_of(seq) - word_of(q->floor));
	unsigned shift = (unsigned)(seq % WORD_BITS);
	uint64_t bits = words[i] >> shift;

	if (shift && i + 1 < nr_words(q))
		bits |= words[i + 1] << (WORD_BITS - shift);
	return bits;
}

void seqs_write(const struct seqs *q, struct buf *out)
{
	int64_t span = q->max - q->floor;

	codec_write_long(out, q->floor);
	codec_write_long(out, span);
	for (int64_t at = 0; at < span; at += WORD_BITS) { /* relative: the end of an int64 may be near */
		int64_t nr = span - at < WORD_BITS ? span - at : WORD_BITS;
		uint64_t bits = bits_from(q, q->floor + at) & (nr < WORD_BITS ? below(nr) : UINT64_MAX); /* max needs none */
		uint8_t bytes[sizeof(bits)];

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)(bits >> (8 * i));
		codec_write_fixed(out, bytes, (size_t)(nr + 7) / 8);
	}
}

/* Reads the bits of up to 64 seqs, from at on. */
static void read_bits(struct seqs *q, int64_t at, int64_t nr, struct codec_reader *r)
{
	size_t i = (size_t)(word_of(at) - word_of(q->floor));
	unsigned shift = (unsigned)(at % WORD_BITS);
	uint8_t bytes[sizeof(uint64_t)] = {0};
	uint64_t bits = 0;

	codec_read_fixed(r, bytes, (size_t)(nr + 7) / 8);
	for (size_t k = 0; k < sizeof(bytes); k++)
		bits |= (uint64_t)bytes[k] << (8 * k);
	if (nr < WORD_BITS && (bits & ~below(nr)))
		codec_fault(r, "a seq above the agent's last one");
	words_in(q)[i] |= bits << shift;
	if (shift && i + 1 < nr_words(q))
		words_in(q)[i + 1] |= bits >> (WORD_BITS - shift);
}

int seqs_read(struct seqs *q, struct codec_reader *r)
{
	int64_t floor = codec_read_long(r), span = codec_read_long(r);

	if (floor < 1 || span < 0 || span > SEQS_SPAN_MAX || floor > INT64_MAX - span)
		codec_fault(r, "seqs out of range");
	else if ((span + 7) / 8 > r->end - r->p)
		codec_fault(r, "seqs that the bytes cannot bear");
	if (!codec_reader_ok(r) || make_clear(q, floor, floor + span) < 0)
		return -1;
	for (int64_t at = 0; at < span; at += WORD_BITS)
		read_bits(q, floor + at, span - at < WORD_BITS ? span - at : WORD_BITS, r);
	words_in(q)[nr_words(q) - 1] |= bit_of(q->max);
	if (codec_reader_ok(r))
		return 0;
	seqs_fini(q);
	return -1;
}
