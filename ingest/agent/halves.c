/* halves.c - see halves.h.
 *
 * All entries of a payload, its metrics first and then its events, are one row that is cut in its middle; a half borrows its entries
 * from the unpacked whole. So halving ends: each half has fewer entries, or points, than the whole. */
#include "ingest/agent/halves.h"

#include <string.h>
#include <xxhash.h>

#include "ingest/agent/squeeze.h"
#include "pb/push.pb-c.h"

typedef Millrace__Push__Payload pb_payload;
typedef Millrace__Push__Metric pb_metric;

static size_t count_entries(const pb_payload *p)
{
	return p->n_metrics + p->n_errors + p->n_transactions + p->n_markers + p->n_check_ins;
}

static uint64_t count_samples(const pb_payload *p)
{
	uint64_t n = count_entries(p) - p->n_metrics;

	for (size_t i = 0; i < p->n_metrics; i++)
		n += p->metrics[i]->n_points ? p->metrics[i]->n_points : 1;
	return n;
}

/* How many of a list of n, which begins at place *at of the row, lie before the cut; *at moves behind it. */
static size_t before(size_t cut, size_t n, size_t *at)
{
	size_t left = cut > *at ? cut - *at : 0;

	*at += n;
	return left < n ? left : n;
}

/* The row's entries [0, cut) stay in a, the others go to b; both borrow the whole's. */
#define CUT_LIST(list)                                 \
	do {                                           \
		size_t n = before(cut, a->n_##list, &at); \
		b->list = a->list ? a->list + n : NULL;   \
		b->n_##list = a->n_##list - n;            \
		a->n_##list = n;                          \
	} while (0)

static void cut_row(pb_payload *a, pb_payload *b, size_t cut)
{
	size_t at = 0;

	CUT_LIST(metrics);
	CUT_LIST(errors);
	CUT_LIST(transactions);
	CUT_LIST(markers);
	CUT_LIST(check_ins);
}

/* Two metrics of the same series, each with some of its points. */
struct twins {
	pb_metric metric[2];
	pb_metric *list[2];
};

static void cut_points(pb_payload *a, pb_payload *b, struct twins *t)
{
	const pb_metric *whole = a->metrics[0];
	size_t cut = whole->n_points / 2;

	for (size_t i = 0; i < 2; i++) {
		t->metric[i] = *whole;
		t->list[i] = &t->metric[i];
	}
	t->metric[0].n_points = cut;
	t->metric[1].n_points -= cut;
	t->metric[1].points += cut;
	a->metrics = &t->list[0];
	b->metrics = &t->list[1];
}

/* What the halves' agent_id is drawn from. */
static void derive_agent_id(const struct envelope *whole, uint8_t out[ENVELOPE_AGENT_ID_BYTES])
{
	uint8_t from[ENVELOPE_AGENT_ID_BYTES + sizeof(uint64_t)];
	XXH128_canonical_t canonical;

	memcpy(from, whole->agent_id, ENVELOPE_AGENT_ID_BYTES);
	for (size_t i = 0; i < sizeof(uint64_t); i++)
		from[ENVELOPE_AGENT_ID_BYTES + i] = (uint8_t)(whole->seq >> 8 * i);
	XXH128_canonicalFromHash(&canonical, XXH3_128bits(from, sizeof(from)));
	memcpy(out, canonical.digest, ENVELOPE_AGENT_ID_BYTES);
}

static int pack_half(pb_payload *p, struct envelope *e, struct buf *body, struct err *err)
{
	size_t n = millrace__push__payload__get_packed_size(p);
	struct buf message = BUF_INIT;
	int rc = -1;

	if (!buf_reserve(&message, n ? n : 1)) {
		err_set(err, ERR_RETRY, "half of a payload, of %zu bytes: no memory", n);
	} else {
		message.len = millrace__push__payload__pack(p, message.p);
		rc = squeeze_bytes(buf_str(&message), body, err);
	}
	buf_fini(&message);
	e->samples = count_samples(p);
	e->body = buf_str(body);
	return rc;
}

static int halve(pb_payload *p, const struct envelope *whole, struct envelope half[2], struct buf body[2], struct err *err)
{
	pb_payload other = *p;
	pb_payload *both[2] = {p, &other};
	struct twins twins;
	size_t entries = count_entries(p);
	int rc = 0;

	if (count_samples(p) < 2)
		return err_set(err, ERR_REJECT, "it is too large and holds a single sample");
	if (entries > 1)
		cut_row(p, &other, entries / 2);
	else
		cut_points(p, &other, &twins);
	other.n_truncated = 0;
	for (size_t i = 0; rc == 0 && i < 2; i++) {
		half[i] = (struct envelope){.seq = i + 1, .floor = 1, .created_at_ms = whole->created_at_ms};
		derive_agent_id(whole, half[i].agent_id);
		both[i]->agent_id = (ProtobufCBinaryData){ENVELOPE_AGENT_ID_BYTES, half[i].agent_id};
		both[i]->seq = half[i].seq;
		both[i]->floor = half[i].floor;
		rc = pack_half(both[i], &half[i], &body[i], err);
	}
	return rc;
}

int halves_make(const struct envelope *whole, struct envelope half[2], struct buf body[2], struct err *err)
{
	struct buf message = BUF_INIT;
	pb_payload *all = NULL;
	int rc = -1;

	if (squeeze_undo(whole->body, HALVES_WHOLE_MAX_BYTES, &message, err) == 0) {
		all = millrace__push__payload__unpack(NULL, message.len, (const uint8_t *)buf_str(&message).p);
		if (all) {
			pb_payload cut = *all; /* what is freed stays as it was unpacked */

			rc = halve(&cut, whole, half, body, err);
		} else {
			err_set(err, ERR_REJECT, "a payload's body is no message of schemas/push.proto");
		}
	}
	if (all)
		millrace__push__payload__free_unpacked(all, NULL);
	buf_fini(&message);
	return rc;
}
