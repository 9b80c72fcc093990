/* fake_spool.h - a spool and losses in memory, which remember what became of each payload. Defines what the real ones define, so that
 * their archive members stay out: include it in one .c of a test. */
#ifndef MILLRACE_TESTS_AGENT_FAKE_SPOOL_H
#define MILLRACE_TESTS_AGENT_FAKE_SPOOL_H

#include "ingest/agent/spool.h"
#include "tests/unit/unit.h"

enum { FAKE_PAYLOADS_MAX = 2048, FAKE_LOSSES_MAX = 64 };

enum fake_state { FAKE_WAITS, FAKE_DONE, FAKE_REJECTED, FAKE_REPLACED, FAKE_GIVEN_UP };

struct fake_payload {
	struct envelope e;
	struct buf body;
	enum fake_state state;
	int status;           /* of a rejection */
	uint64_t replaced_by; /* the first of two */
};

struct losses {
	struct loss open[FAKE_LOSSES_MAX];
	size_t open_len;
	struct loss carried[FAKE_LOSSES_MAX]; /* by carrier_seq */
	size_t carried_len;
	uint64_t carrier_seq;
};

struct spool {
	struct fake_payload payloads[FAKE_PAYLOADS_MAX]; /* id is the place, from 1 */
	size_t len;
	int fail_gets, fail_replaces, fail_puts; /* so many times */
	struct losses losses;
};

static inline struct fake_payload *fake_payload(const struct spool *s, uint64_t id)
{
	ck_assert(id >= 1 && id <= s->len);
	return (struct fake_payload *)(uintptr_t)&s->payloads[id - 1];
}

static inline struct spool *fake_spool_new(void)
{
	struct spool *s = calloc(1, sizeof(*s));

	ck_assert_ptr_nonnull(s);
	return s;
}

static inline void fake_spool_free(struct spool *s)
{
	for (size_t i = 0; i < s->len; i++)
		buf_fini(&s->payloads[i].body);
	free(s);
}

static inline size_t fake_count(const struct spool *s, enum fake_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < s->len; i++)
		n += s->payloads[i].state == state;
	return n;
}

int spool_put(struct spool *s, const struct envelope *e, uint64_t *id, struct err *err)
{
	struct fake_payload *p = &s->payloads[s->len];

	ck_assert(s->len < FAKE_PAYLOADS_MAX && e->seq >= 1 && e->floor >= 1 && e->floor <= e->seq && e->created_at_ms > 0);
	if (s->fail_puts > 0) {
		s->fail_puts--;
		return err_set(err, ERR_FATAL, "no memory");
	}
	p->e = *e;
	buf_add(&p->body, e->body.p, e->body.len);
	if (buf_failed(&p->body)) {
		buf_fini(&p->body);
		return err_set(err, ERR_FATAL, "no memory");
	}
	*id = ++s->len;
	return 0;
}

int spool_get(struct spool *s, uint64_t id, struct envelope *out, struct buf *body, struct err *err)
{
	struct fake_payload *p = fake_payload(s, id);

	if (s->fail_gets > 0) {
		s->fail_gets--;
		return err_set(err, ERR_RETRY, "it cannot be read");
	}
	if (p->state != FAKE_WAITS)
		return err_set(err, ERR_REJECT, "it is gone");
	buf_clear(body);
	buf_add(body, p->body.p, p->body.len);
	if (buf_failed(body))
		return err_set(err, ERR_RETRY, "no memory");
	*out = p->e;
	out->body = buf_str(body);
	return 0;
}

static inline bool fake_is_skipped(const struct spool_skip *skip, uint64_t id)
{
	for (size_t i = 0; skip && i < skip->nr; i++)
		if (skip->ids[i] == id)
			return true;
	return false;
}

bool spool_newest(const struct spool *s, const struct spool_skip *skip, uint64_t *id)
{
	const struct fake_payload *best = NULL;

	for (size_t i = 0; i < s->len; i++) {
		const struct fake_payload *p = &s->payloads[i];

		if (p->state != FAKE_WAITS || fake_is_skipped(skip, i + 1))
			continue;
		if (!best || p->e.created_at_ms > best->e.created_at_ms ||
		    (p->e.created_at_ms == best->e.created_at_ms && p->e.seq > best->e.seq))
			best = p;
	}
	if (best)
		*id = (uint64_t)(best - s->payloads) + 1;
	return best != NULL;
}

void spool_attempted(struct spool *s, uint64_t id)
{
	fake_payload(s, id)->e.attempted = true;
}

static inline void fake_end(struct spool *s, uint64_t id, enum fake_state state)
{
	struct fake_payload *p = fake_payload(s, id);

	ck_assert_int_eq(p->state, FAKE_WAITS);
	p->state = state;
}

void spool_done(struct spool *s, uint64_t id)
{
	fake_end(s, id, FAKE_DONE);
}

void spool_reject(struct spool *s, uint64_t id, int status)
{
	fake_end(s, id, FAKE_REJECTED);
	fake_payload(s, id)->status = status;
}

int spool_replace(struct spool *s, uint64_t id, const struct envelope *halves, size_t nr, struct err *err)
{
	uint64_t first = s->len + 1, half;

	if (s->fail_replaces > 0) {
		s->fail_replaces--;
		return err_set(err, ERR_RETRY, "the disk refuses");
	}
	for (size_t i = 0; i < nr; i++) {
		if (spool_put(s, &halves[i], &half, err) == 0)
			continue;
		while (s->len >= first)
			buf_fini(&s->payloads[--s->len].body);
		return err_set(err, ERR_RETRY, "no memory");
	}
	fake_end(s, id, FAKE_REPLACED);
	fake_payload(s, id)->replaced_by = first;
	return 0;
}

uint64_t spool_lowest_seq(const struct spool *s, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES])
{
	uint64_t lowest = 0;

	for (size_t i = 0; i < s->len; i++) {
		const struct fake_payload *p = &s->payloads[i];

		if (p->state == FAKE_WAITS && memcmp(p->e.agent_id, agent_id, ENVELOPE_AGENT_ID_BYTES) == 0 && (lowest == 0 || p->e.seq < lowest))
			lowest = p->e.seq;
	}
	return lowest;
}

void spool_give_up_below(struct spool *s, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq)
{
	for (size_t i = 0; i < s->len; i++) {
		struct fake_payload *p = &s->payloads[i];

		if (p->state == FAKE_WAITS && memcmp(p->e.agent_id, agent_id, ENVELOPE_AGENT_ID_BYTES) == 0 && p->e.seq < seq)
			p->state = FAKE_GIVEN_UP;
	}
}

struct losses *spool_losses(struct spool *s)
{
	return &s->losses;
}

size_t losses_take(struct losses *l, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq, struct loss *out, size_t max)
{
	size_t n = l->open_len < max ? l->open_len : max;

	(void)agent_id;
	memcpy(out, l->open, n * sizeof(*out));
	memcpy(l->carried, l->open, n * sizeof(*out));
	memmove(l->open, l->open + n, (l->open_len - n) * sizeof(*out));
	l->open_len -= n;
	l->carried_len = n;
	l->carrier_seq = seq;
	return n;
}

void losses_add(struct losses *l, const struct loss *loss)
{
	ck_assert(l->open_len < FAKE_LOSSES_MAX);
	l->open[l->open_len++] = *loss;
}

void losses_give_back(struct losses *l, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq)
{
	(void)agent_id;
	for (; l->carrier_seq == seq && l->carried_len > 0; l->carried_len--)
		losses_add(l, &l->carried[l->carried_len - 1]);
}

bool losses_open(const struct losses *l)
{
	return l->open_len > 0;
}

#endif
