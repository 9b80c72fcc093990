/* breaker.c - see breaker.h.
 *
 * Which failures open it. At once: not primary, credentials, no space; the next attempt would say the same, and each one costs a server in
 * trouble. After FAILURES in a row, of all writers together: no answer, no majority, an error of the server's that is in no list; one
 * broken connection is no dead set. Never: another unique index, a command that blames its content, since the database is well.
 *
 * Pauses before probes double from PAUSE_MIN_MS to PAUSE_MAX_MS, each shortened by up to a half at random, so that sinks do not
 * come back in step. After dead letters the first pause lasts until the minute has room for one more, and the later ones double up to
 * LETTERS_PAUSE_MAX_MS: a topic of which everything is refused loses one record a probe, and so about 300 a day until
 * somebody looks. The window is not forgotten when the breaker closes, so that good records among the bad do not reopen the sluice.
 *
 * Invariant: in HALF_OPEN exactly one insert is a probe, and only its news leads out. What was sent before the opening and comes
 * back later changes nothing. */
#include "sink/mongo/breaker.h"

enum {
	FAILURES = 3,
	PAUSE_MIN_MS = 500,
	PAUSE_MAX_MS = 5000,
	LETTERS_PAUSE_MAX_MS = 300000,
	WINDOW_MS = 60000,
};

void breaker_init(struct breaker *b, uint64_t seed)
{
	*b = (struct breaker){.jitter = seed * UINT64_C(0x9e3779b97f4a7c15) | 1};
}

static int64_t jittered(struct breaker *b, int64_t ms)
{
	b->jitter ^= b->jitter << 13;
	b->jitter ^= b->jitter >> 7;
	b->jitter ^= b->jitter << 17;
	return ms / 2 + (int64_t)(b->jitter % (uint64_t)(ms / 2 + 1));
}

/* When the minute has room for one more dead letter; 0: it has now. */
static int64_t letters_full_until(const struct breaker *b, int64_t now_ms)
{
	int64_t oldest_ms = b->letters_ms[b->nr_letters % BREAKER_LETTERS_A_MINUTE];

	return b->nr_letters >= BREAKER_LETTERS_A_MINUTE && now_ms - oldest_ms < WINDOW_MS ? oldest_ms + WINDOW_MS : 0;
}

static void count_letter(struct breaker *b, int64_t now_ms)
{
	b->letters_ms[b->nr_letters++ % BREAKER_LETTERS_A_MINUTE] = now_ms;
}

static void schedule(struct breaker *b, int64_t now_ms, int64_t max_ms)
{
	b->pause_ms = b->pause_ms == 0 ? PAUSE_MIN_MS : b->pause_ms * 2;
	if (b->pause_ms > max_ms)
		b->pause_ms = max_ms;
	b->next_probe_ms = now_ms + jittered(b, b->pause_ms);
}

/* Opens, or opens again after a probe. */
static void open_for(struct breaker *b, int64_t now_ms, int reason)
{
	int64_t full_until_ms = reason == BREAKER_LETTERS ? letters_full_until(b, now_ms) : 0;

	if (b->state == BREAKER_CLOSED) {
		b->openings++;
		b->opened_ms = now_ms;
	}
	if (b->state == BREAKER_CLOSED || reason != b->reason)
		b->pause_ms = 0;
	b->state = BREAKER_OPEN;
	b->reason = reason;
	schedule(b, now_ms, reason == BREAKER_LETTERS ? LETTERS_PAUSE_MAX_MS : PAUSE_MAX_MS);
	if (full_until_ms > b->next_probe_ms)
		b->next_probe_ms = full_until_ms;
}

enum breaker_answer breaker_ask(struct breaker *b, int64_t now_ms, int64_t *until_ms)
{
	switch (b->state) {
	case BREAKER_CLOSED:
		return BREAKER_GO;
	case BREAKER_HALF_OPEN:
		*until_ms = INT64_MAX;
		return BREAKER_WAIT;
	case BREAKER_OPEN:
		break;
	}
	if (now_ms < b->next_probe_ms) {
		*until_ms = b->next_probe_ms;
		return BREAKER_WAIT;
	}
	b->state = BREAKER_HALF_OPEN;
	return BREAKER_PROBE;
}

static bool opens_at_once(enum verdict_reason reason)
{
	return reason == VERDICT_REASON_NOT_PRIMARY || reason == VERDICT_REASON_AUTH || reason == VERDICT_REASON_SPACE;
}

static void probe_is_back(struct breaker *b, int64_t now_ms, enum breaker_news news, enum verdict_reason reason)
{
	if (b->state != BREAKER_HALF_OPEN)
		return; /* its dead letter has opened the breaker again */
	switch (news) {
	case BREAKER_GOOD:
		b->state = BREAKER_CLOSED;
		b->failures = 0;
		b->pause_ms = 0;
		break;
	case BREAKER_BAD:
		open_for(b, now_ms, (int)reason);
		break;
	case BREAKER_NONE:
		b->state = BREAKER_OPEN;
		b->next_probe_ms = now_ms;
		break;
	}
}

void breaker_tell(struct breaker *b, int64_t now_ms, bool probe, enum breaker_news news, enum verdict_reason reason)
{
	if (probe) {
		probe_is_back(b, now_ms, news, reason);
	} else if (b->state != BREAKER_CLOSED || news == BREAKER_NONE) {
		return;
	} else if (news == BREAKER_GOOD) {
		b->failures = 0;
	} else if (++b->failures >= FAILURES || opens_at_once(reason)) {
		open_for(b, now_ms, (int)reason);
	}
}

bool breaker_letter(struct breaker *b, int64_t now_ms, bool probe)
{
	bool full = letters_full_until(b, now_ms) != 0;

	if (probe && b->state == BREAKER_HALF_OPEN && b->reason == BREAKER_LETTERS) {
		count_letter(b, now_ms);
		open_for(b, now_ms, BREAKER_LETTERS);
		return true;
	}
	if (full && b->state == BREAKER_CLOSED)
		open_for(b, now_ms, BREAKER_LETTERS);
	if (full)
		return false;
	count_letter(b, now_ms);
	return true;
}

/* While a probe is under way the breaker cannot open again, but reading can stop. A dead set and a wild producer at once are told as the
 * latter: a probe will say that the set is dead, too. */
void breaker_letter_made(struct breaker *b, int64_t now_ms)
{
	bool full = letters_full_until(b, now_ms) != 0;

	count_letter(b, now_ms);
	if (full)
		b->unread_until_ms = letters_full_until(b, now_ms);
	if (b->state != BREAKER_HALF_OPEN && (full || (b->state == BREAKER_OPEN && b->reason == BREAKER_LETTERS)))
		open_for(b, now_ms, BREAKER_LETTERS);
}

int64_t breaker_unread_until_ms(const struct breaker *b)
{
	if (b->state == BREAKER_CLOSED || b->reason != BREAKER_LETTERS)
		return b->unread_until_ms;
	if (b->state == BREAKER_HALF_OPEN)
		return INT64_MAX;
	return b->next_probe_ms > b->unread_until_ms ? b->next_probe_ms : b->unread_until_ms;
}

const char *breaker_reason_name(int reason)
{
	return reason == BREAKER_LETTERS ? "letters" : verdict_reason_name((enum verdict_reason)reason);
}
