/* aimd.c - see aimd.h.
 *
 * The trouble with latency as a measure is that a queue of one's own making looks like a slow database. So the reference is not an average
 * over everything: it is what an insert at the floor (about a hundred documents) takes while no other of ours is under way, which is the
 * least that can be asked of this database. It is learnt in four ways:
 *  - at the start and after an outage, as the limits begin at their lowest and stay there for AIMD_SAMPLES inserts, of which the fastest
 *    counts: the first answer of a set that was frozen was long under way;
 *  - whenever congestion has pressed the limits down to the lowest: a set that has become slow for good is believed then;
 *  - when a larger insert is faster: the reference was too high;
 *  - when latency is over the target and the reference is old: it is measured as at the start, and half of the limits comes
 *    back: writers that had found their places one behind the other would begin all at once.
 *
 * An insert is late (and the limits shrink) when
 *  - it takes longer than LATE times the reference, or, where lone inserts at the floor differ by more than that among themselves (a busy machine), than
 *    the reference and NOISE times their mean deviation (as TCP's retransmission timer has it, RFC 6298), at most NOISE_MOST times the reference and
 *    NOISE_TARGETS times the target: what varies by itself is no queue of ours, and limits that followed it would stay at the floor; but a set that
 *    is slow anyway is not to become slower by it. Unless it is within the target: a database that takes a mebibyte in 100 ms is asked
 *    for no more, whatever a small insert takes; or
 *  - latency per KiB, the insert's fixed cost counted as FLOOR bytes, has over the last inserts been SURGE times its slow moving average:
 *    something has happened to the database. This one is for changes alone, as the average follows within some thirty inserts.
 * Growth adds half the floor to what all writers together have in flight. At the start and after an outage limits double instead, until
 * an insert is over EASY times the bound, and whenever inserts are faster than FAR times the bound: there is no limit near.
 * Between EASY times that bound and the bound itself the limits stay as they are, so that a steady database means steady limits.
 *
 * Invariants:
 *  I1  floor <= batch_bytes <= max_bytes, 1 <= writers <= max_writers; writers < max_writers only after the batch was at its floor.
 *  I2  Limits change at most once a round: what was sent before a change says nothing of it. Outages apart, which begin anew. They
 *      grow only when as many inserts as there are writers have shown the change, since the first of them do not meet the queue that it makes.
 *  I3  Limits grow only on inserts that used them. */
#include "sink/mongo/aimd.h"

enum { REFERENCE_AGE_MS = 30000, KIB = 1024 };

static const double LATE = 1.5, NOISE = 4, NOISE_MOST = 4, NOISE_TARGETS = 3, EASY = 0.85, FAR = 0.25, SURGE = 2, LEAST_CUT = 0.9, MOST_CUT = 0.5;

static void begin_round(struct aimd *a)
{
	a->round++;
	a->ended = 0;
	a->worst_ms = 0;
}

/* Holds the limits at their lowest until the reference is known. */
static void measure(struct aimd *a)
{
	a->samples = 0;
	begin_round(a);
}

/* Back to the lowest limits. What was learnt of the database is forgotten: it comes back as another one, perhaps on another machine. */
static void begin_small(struct aimd *a)
{
	a->batch_bytes = a->floor_bytes;
	a->writers = 1;
	a->doubling = true;
	a->reference_ms = a->deviation_ms = a->latency_ms = a->per_kib_fast_ms = a->per_kib_slow_ms = 0;
	measure(a);
}

void aimd_init(struct aimd *a, const struct aimd_conf *conf)
{
	*a = (struct aimd){.conf = *conf};
	if (a->conf.max_bytes == 0)
		a->conf.max_bytes = 1;
	if (a->conf.max_writers == 0)
		a->conf.max_writers = 1;
	a->floor_bytes = a->conf.max_bytes < AIMD_FLOOR_BYTES ? a->conf.max_bytes : AIMD_FLOOR_BYTES;
	begin_small(a);
}

/* From what was really sent: a limit that nobody reached says nothing. */
static void shrink(struct aimd *a, size_t bytes, double to)
{
	size_t used = bytes < a->batch_bytes ? bytes : a->batch_bytes;

	if (a->batch_bytes > a->floor_bytes) {
		a->batch_bytes = (size_t)((double)used * to);
		if (a->batch_bytes < a->floor_bytes)
			a->batch_bytes = a->floor_bytes;
	} else {
		a->writers = (size_t)((double)a->writers * to);
		if (a->writers == 0)
			a->writers = 1;
	}
	a->doubling = false;
	begin_round(a);
}

size_t aimd_batch_bytes(const struct aimd *a)
{
	return a->samples < AIMD_SAMPLES ? a->floor_bytes : a->batch_bytes;
}

size_t aimd_writers(const struct aimd *a)
{
	return a->samples < AIMD_SAMPLES ? 1 : a->writers;
}

static bool is_lowest(const struct aimd *a)
{
	return aimd_writers(a) == 1 && aimd_batch_bytes(a) == a->floor_bytes;
}

void aimd_begin(struct aimd *a, int64_t now_ms, struct aimd_insert *in)
{
	*in = (struct aimd_insert){.begun_ms = now_ms, .round = a->round, .alone = a->inflight == 0 && is_lowest(a)};
	a->inflight++;
}

static double greater(double a, double b)
{
	return a > b ? a : b;
}

static double lesser(double a, double b)
{
	return a < b ? a : b;
}

double aimd_bound_ms(const struct aimd *a)
{
	double noisy = lesser(a->reference_ms + a->deviation_ms * NOISE, a->reference_ms * NOISE_MOST);

	if (a->reference_ms == 0)
		return 0;
	noisy = lesser(noisy, (double)a->conf.target_ms * NOISE_TARGETS);
	return greater(greater(a->reference_ms * LATE, noisy), (double)a->conf.target_ms);
}

static void average(double *to, double value, double weight)
{
	*to = *to == 0 ? value : *to + (value - *to) * weight;
}

/* An insert of less than a quarter of the floor, as there was no more to send, is no measure of one at the floor. */
static void learn_reference(struct aimd *a, int64_t now_ms, const struct aimd_insert *in, size_t bytes, double ms)
{
	if (bytes < a->floor_bytes / 4)
		return;
	if (a->samples < AIMD_SAMPLES) {
		if (!in->alone || bytes >= 2 * a->floor_bytes)
			return; /* sent before */
		if (a->samples++ == 0 || ms < a->reference_ms)
			a->reference_ms = ms;
		a->referenced_ms = now_ms;
		if (a->samples == AIMD_SAMPLES)
			begin_round(a);
		return;
	}
	if (in->alone && bytes < 2 * a->floor_bytes)
		a->deviation_ms += ((ms > a->reference_ms ? ms - a->reference_ms : a->reference_ms - ms) - a->deviation_ms) / 4;
	if (ms < a->reference_ms) {
		average(&a->reference_ms, ms, 0.5);
	} else if (in->alone && bytes < 2 * a->floor_bytes) {
		average(&a->reference_ms, ms, 0.25);
		a->referenced_ms = now_ms;
	}
}

static void learn(struct aimd *a, int64_t now_ms, const struct aimd_insert *in, size_t bytes, double ms)
{
	double per_kib = ms * KIB / (double)(bytes + a->floor_bytes);

	learn_reference(a, now_ms, in, bytes, ms);
	average(&a->latency_ms, ms, 0.25);
	average(&a->per_kib_fast_ms, per_kib, 0.25);
	average(&a->per_kib_slow_ms, per_kib, 1.0 / 32);
}

static bool is_late(const struct aimd *a, double ms)
{
	bool surge = a->per_kib_fast_ms > a->per_kib_slow_ms * SURGE;

	return ms > aimd_bound_ms(a) || (surge && ms > (double)a->conf.target_ms / 4);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* From what was really sent, too: a limit that runs ahead of it would be tried all at once (I3). */
static void grow(struct aimd *a, size_t used)
{
	bool doubling = a->doubling || a->worst_ms < aimd_bound_ms(a) * FAR;
	size_t writers = a->writers, bytes = a->batch_bytes;

	if (a->writers < a->conf.max_writers) {
		if (used >= a->batch_bytes - a->batch_bytes / 4)
			writers = least(doubling ? writers * 2 : writers + 1, a->conf.max_writers);
	} else {
		bytes = least(doubling ? used * 2 : used + (a->floor_bytes / 2 + writers) / writers, a->conf.max_bytes);
	}
	if (writers <= a->writers && bytes <= a->batch_bytes)
		return;
	a->writers = writers;
	a->batch_bytes = bytes;
	begin_round(a);
}

/* Late by far, the batch is halved; late by a little, it is cut by as much. */
static void follow(struct aimd *a, double ms, size_t bytes, bool full)
{
	double bound = aimd_bound_ms(a), cut = bound / ms;

	a->ended++;
	if (ms > a->worst_ms)
		a->worst_ms = ms;
	if (is_late(a, ms)) {
		shrink(a, bytes, cut > LEAST_CUT ? (ms > bound ? LEAST_CUT : MOST_CUT) : cut > MOST_CUT ? cut : MOST_CUT);
	} else if (a->worst_ms > bound * EASY) {
		a->doubling = false;
		if (a->ended >= a->writers)
			a->ended = 0, a->worst_ms = 0;
	} else if (a->ended >= a->writers) {
		grow(a, full && bytes < a->batch_bytes ? a->batch_bytes : bytes);
	}
}

void aimd_end(struct aimd *a, int64_t now_ms, const struct aimd_insert *in, size_t bytes, bool full, enum aimd_outcome outcome)
{
	double ms = now_ms > in->begun_ms ? (double)(now_ms - in->begun_ms) : 0.5;

	a->inflight--;
	if (outcome == AIMD_LOST)
		begin_small(a);
	else if (outcome == AIMD_FAILED && in->round == a->round)
		shrink(a, bytes, MOST_CUT);
	if (outcome != AIMD_WELL)
		return;
	learn(a, now_ms, in, bytes, ms);
	if (in->round == a->round && a->samples == AIMD_SAMPLES)
		follow(a, ms, bytes, full);
	if (a->samples == AIMD_SAMPLES && a->latency_ms > (double)a->conf.target_ms && now_ms - a->referenced_ms >= REFERENCE_AGE_MS) {
		shrink(a, a->batch_bytes, MOST_CUT);
		measure(a);
	}
}
