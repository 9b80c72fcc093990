/* losses.c - see losses.h.
 *
 * Invariants:
 *  I1  A seq of an agent_id is in at most one exact range (loose ranges, made of several, apart), so that a loss is counted once.
 *  I2  A carried range never changes: it is what the carrier's body says.
 *  I3  An entry leaves by an acknowledgement, by becoming part of another, or into the unnamed sums.
 *
 * A list in order of age, walked for everything: losses are rare, and where they are many they are few ranges. The array is allocated
 * whole, so that adding cannot fail; the kernel backs what of it is used. */
#include "ingest/agent/losses.h"

#include <stdlib.h>

#include "ingest/agent/losses_file.h"

enum state { OPEN, CARRIED, AT_RISK, NR_STATES };

struct payload_id {
	uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES];
	uint64_t seq;
};

struct entry {
	struct loss loss; /* at risk: of one payload */
	enum state state;
	bool loose;                /* of several ranges: seqs in between were not lost, or are told elsewhere */
	struct payload_id carrier; /* when carried */
};

struct losses {
	struct entry *entries; /* LOSSES_MAX of them; the oldest first */
	size_t len;
	size_t at_risk;
	uint64_t unnamed_payloads, unnamed_samples;
	uint64_t generation; /* of the file's last save */
	bool changed;        /* since then */
};

/* An entry in the file; no padding. */
struct row {
	uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES];
	uint64_t from_seq, to_seq, samples;
	uint8_t attempted, state, loose, zero[5];
	uint8_t carrier[ENVELOPE_AGENT_ID_BYTES];
	uint64_t carrier_seq;
};

_Static_assert(sizeof(struct row) == 72, "rows are read as they stand in the file");

struct totals {
	uint64_t unnamed_payloads, unnamed_samples;
};

enum { ROOM_BYTES = sizeof(struct totals) + LOSSES_MAX * sizeof(struct row), CANDIDATES_MAX = 16 };

struct losses *losses_new(void)
{
	struct losses *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->changed = true; /* the file is to be there before it is needed */
	l->entries = calloc(LOSSES_MAX, sizeof(*l->entries));
	if (!l->entries) {
		free(l);
		return NULL;
	}
	return l;
}

void losses_free(struct losses *l)
{
	if (!l)
		return;
	free(l->entries);
	free(l);
}

static uint64_t add_bounded(uint64_t a, uint64_t b)
{
	return a > INT64_MAX || b > INT64_MAX - a ? INT64_MAX : a + b;
}

static bool same_agent(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, ENVELOPE_AGENT_ID_BYTES) == 0;
}

static uint64_t payloads_in(const struct loss *loss)
{
	return loss->to_seq - loss->from_seq + 1;
}

static void remove_at(struct losses *l, size_t i)
{
	l->at_risk -= l->entries[i].state == AT_RISK;
	l->len--;
	memmove(&l->entries[i], &l->entries[i + 1], (l->len - i) * sizeof(*l->entries));
}

/* Are the two one range, exactly? */
static bool joinable(const struct entry *a, const struct entry *b)
{
	return a->state == OPEN && b->state == OPEN && !a->loose && !b->loose && a->loss.attempted == b->loss.attempted &&
	       same_agent(a->loss.agent_id, b->loss.agent_id) &&
	       (a->loss.to_seq + 1 == b->loss.from_seq || b->loss.to_seq + 1 == a->loss.from_seq);
}

static void join(struct loss *into, const struct loss *other)
{
	into->from_seq = other->from_seq < into->from_seq ? other->from_seq : into->from_seq;
	into->to_seq = other->to_seq > into->to_seq ? other->to_seq : into->to_seq;
	into->samples = add_bounded(into->samples, other->samples);
}

/* Joins the entry with its neighbours, of which there are two at most; it takes the place of the older. */
static void absorb(struct losses *l, size_t i)
{
	for (size_t j = 0; j < l->len;) {
		if (j == i || !joinable(&l->entries[i], &l->entries[j])) {
			j++;
			continue;
		}
		size_t into = i < j ? i : j, from = i < j ? j : i;

		join(&l->entries[into].loss, &l->entries[from].loss);
		remove_at(l, from);
		i = into;
		j = 0;
	}
}

/* Makes one loose range of all open ones of the agent_id. False: it has fewer than two. */
static bool sum_up(struct losses *l, const uint8_t *agent_id)
{
	struct entry *into = NULL;
	size_t before = l->len;

	for (size_t i = 0; i < l->len;) {
		struct entry *e = &l->entries[i];

		if (e->state != OPEN || !same_agent(e->loss.agent_id, agent_id)) {
			i++;
		} else if (!into) {
			into = e;
			i++;
		} else {
			join(&into->loss, &e->loss);
			into->loss.attempted = into->loose = true;
			remove_at(l, i);
		}
	}
	return l->len < before;
}

/* Gives up the names of the oldest range. */
static void forget_oldest(struct losses *l)
{
	size_t at = 0;

	for (enum state state = OPEN; state < NR_STATES; state++) /* what is carried is being told */
		for (at = 0; at < l->len; at++)
			if (l->entries[at].state == state)
				goto found;
	return;
found:
	l->unnamed_payloads = add_bounded(l->unnamed_payloads, payloads_in(&l->entries[at].loss));
	l->unnamed_samples = add_bounded(l->unnamed_samples, l->entries[at].loss.samples);
	remove_at(l, at);
}

static void make_room(struct losses *l, const uint8_t *agent_id)
{
	uint8_t candidate[ENVELOPE_AGENT_ID_BYTES];
	int tried = 0;

	if (l->len < LOSSES_MAX || sum_up(l, agent_id))
		return;
	for (size_t i = 0; i < l->len && tried < CANDIDATES_MAX; i++) {
		if (l->entries[i].state != OPEN)
			continue;
		memcpy(candidate, l->entries[i].loss.agent_id, sizeof(candidate));
		tried++;
		if (sum_up(l, candidate))
			return;
	}
	forget_oldest(l);
}

static void append(struct losses *l, const struct entry *e)
{
	make_room(l, e->loss.agent_id);
	l->entries[l->len++] = *e;
	l->at_risk += e->state == AT_RISK;
	l->changed = true;
}

/* The open or carried entry that has all of the range, or NULL. */
static struct entry *holder(const struct losses *l, const struct loss *loss, bool loose)
{
	for (size_t i = 0; i < l->len; i++) {
		struct entry *e = &l->entries[i];

		if (e->state != AT_RISK && e->loose == loose && same_agent(e->loss.agent_id, loss->agent_id) &&
		    e->loss.from_seq <= loss->from_seq && e->loss.to_seq >= loss->to_seq)
			return e;
	}
	return NULL;
}

void losses_add(struct losses *l, const struct loss *loss)
{
	struct entry *loose;

	if (holder(l, loss, false))
		return;
	loose = holder(l, loss, true);
	if (loose && loose->state == OPEN) {
		loose->loss.samples = add_bounded(loose->loss.samples, loss->samples);
		l->changed = true;
		return;
	}
	append(l, &(struct entry){.loss = *loss, .state = OPEN});
	absorb(l, l->len - 1);
}

bool losses_has(const struct losses *l, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq)
{
	struct loss one = {.from_seq = seq, .to_seq = seq};

	memcpy(one.agent_id, agent_id, sizeof(one.agent_id));
	return holder(l, &one, false) != NULL;
}

size_t losses_take(struct losses *l, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq, struct loss *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < l->len && n < max; i++) {
		struct entry *e = &l->entries[i];

		if (e->state != OPEN)
			continue;
		e->state = CARRIED;
		memcpy(e->carrier.agent_id, agent_id, sizeof(e->carrier.agent_id));
		e->carrier.seq = seq;
		out[n++] = e->loss;
		l->changed = true;
	}
	return n;
}

bool losses_open(const struct losses *l)
{
	for (size_t i = 0; i < l->len; i++)
		if (l->entries[i].state == OPEN)
			return true;
	return false;
}

static bool carried_by(const struct entry *e, const uint8_t *agent_id, uint64_t seq)
{
	return e->state == CARRIED && e->carrier.seq == seq && same_agent(e->carrier.agent_id, agent_id);
}

void losses_acknowledged(struct losses *l, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq)
{
	for (size_t i = l->len; i-- > 0;)
		if (carried_by(&l->entries[i], agent_id, seq)) {
			remove_at(l, i);
			l->changed = true;
		}
}

/* Joins every open range with its neighbours. */
static void absorb_all(struct losses *l)
{
	for (size_t i = l->len; i-- > 0;)
		if (i < l->len)
			absorb(l, i);
}

void losses_give_back(struct losses *l, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq)
{
	bool any = false;

	for (size_t i = 0; i < l->len; i++)
		if (carried_by(&l->entries[i], agent_id, seq)) {
			l->entries[i].state = OPEN;
			any = true;
		}
	if (!any)
		return;
	absorb_all(l);
	l->changed = true;
}

void losses_move(struct losses *l, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq,
		 const uint8_t to_agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t to_seq)
{
	for (size_t i = 0; i < l->len; i++)
		if (carried_by(&l->entries[i], agent_id, seq)) {
			memcpy(l->entries[i].carrier.agent_id, to_agent_id, sizeof(l->entries[i].carrier.agent_id));
			l->entries[i].carrier.seq = to_seq;
			l->changed = true;
		}
}

static size_t find_at_risk(const struct losses *l, const uint8_t *agent_id, uint64_t seq)
{
	size_t i = 0;

	while (i < l->len && !(l->entries[i].state == AT_RISK && l->entries[i].loss.from_seq == seq &&
			       same_agent(l->entries[i].loss.agent_id, agent_id)))
		i++;
	return i;
}

bool losses_at_risk(struct losses *l, const struct envelope *e)
{
	size_t i = find_at_risk(l, e->agent_id, e->seq);
	struct entry entry = {
		.loss = {.from_seq = e->seq, .to_seq = e->seq, .samples = e->samples, .attempted = e->attempted}, .state = AT_RISK};

	if (i < l->len) {
		l->changed |= l->entries[i].loss.attempted != e->attempted;
		l->entries[i].loss.attempted = e->attempted;
		return true;
	}
	if (l->at_risk >= LOSSES_AT_RISK_MAX)
		return false;
	memcpy(entry.loss.agent_id, e->agent_id, sizeof(entry.loss.agent_id));
	append(l, &entry);
	return true;
}

void losses_safe(struct losses *l, const uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES], uint64_t seq)
{
	size_t i = find_at_risk(l, agent_id, seq);

	if (i == l->len)
		return;
	remove_at(l, i);
	l->changed = true;
}

void losses_figures(const struct losses *l, struct losses_figures *out)
{
	*out = (struct losses_figures){.ranges = l->len - l->at_risk,
				       .at_risk = l->at_risk,
				       .unnamed_payloads = l->unnamed_payloads,
				       .unnamed_samples = l->unnamed_samples};
	for (size_t i = 0; i < l->len; i++) {
		if (l->entries[i].state == AT_RISK)
			continue;
		out->payloads = add_bounded(out->payloads, payloads_in(&l->entries[i].loss));
		out->samples = add_bounded(out->samples, l->entries[i].loss.samples);
	}
}

/* A row is checked though the file's sum held: an older or newer program may have written it. */
static int load_row(struct losses *l, const struct row *r)
{
	struct entry e = {.loss = {.from_seq = r->from_seq, .to_seq = r->to_seq, .samples = r->samples, .attempted = r->attempted != 0},
			  .state = r->state,
			  .loose = r->loose != 0,
			  .carrier = {.seq = r->carrier_seq}};

	if (r->state >= NR_STATES || r->from_seq < 1 || r->to_seq < r->from_seq || (r->state == AT_RISK && r->from_seq != r->to_seq))
		return -1;
	memcpy(e.loss.agent_id, r->agent_id, sizeof(r->agent_id));
	memcpy(e.carrier.agent_id, r->carrier, sizeof(r->carrier));
	append(l, &e);
	return 0;
}

static int load_rows(struct losses *l, struct str content, struct err *err)
{
	struct totals totals;
	struct row row;
	int rc = content.len < sizeof(totals) || (content.len - sizeof(totals)) % sizeof(row) ? -1 : 0;

	if (rc == 0) {
		memcpy(&totals, content.p, sizeof(totals));
		l->unnamed_payloads = add_bounded(l->unnamed_payloads, totals.unnamed_payloads);
		l->unnamed_samples = add_bounded(l->unnamed_samples, totals.unnamed_samples);
	}
	for (size_t at = sizeof(totals); rc == 0 && at < content.len; at += sizeof(row)) {
		memcpy(&row, content.p + at, sizeof(row));
		rc = load_row(l, &row);
	}
	return rc < 0 ? err_set(err, ERR_REJECT, "the file %s has rows that are none of ours", LOSSES_FILE_NAME) : 0;
}

int losses_load(struct losses *l, const struct spool_io *io, int folder_fd, struct err *err)
{
	struct buf content = BUF_INIT;
	bool changed = l->changed;
	int rc = losses_file_read(io, folder_fd, &l->generation, &content, err);

	if (rc == 0 && content.len > 0) {
		size_t before = l->len;

		rc = load_rows(l, buf_str(&content), err);
		l->changed = rc < 0 || before > 0 || changed;
	}
	buf_fini(&content);
	return rc;
}

/* Backwards, as an entry may go. What was at risk and is nowhere died with its process. */
void losses_settle(struct losses *l, losses_place_fn place, void *ctx)
{
	for (size_t i = l->len; i-- > 0;) {
		struct entry *e = &l->entries[i];
		enum losses_place where;

		if (e->state == OPEN)
			continue;
		where = e->state == CARRIED ? place(ctx, e->carrier.agent_id, e->carrier.seq)
					    : place(ctx, e->loss.agent_id, e->loss.from_seq);
		if (where == LOSSES_NOWHERE) {
			l->at_risk -= e->state == AT_RISK;
			e->state = OPEN;
			l->changed = true;
		} else if (e->state == AT_RISK && where == LOSSES_ON_DISK) {
			remove_at(l, i);
			l->changed = true;
		}
	}
	absorb_all(l);
}

int losses_save(struct losses *l, const struct spool_io *io, int folder_fd, bool make, struct err *err)
{
	struct totals totals = {l->unnamed_payloads, l->unnamed_samples};
	struct buf content = BUF_INIT;
	int rc;

	if (!l->changed)
		return 0;
	buf_add(&content, &totals, sizeof(totals));
	for (size_t i = 0; i < l->len; i++) {
		const struct entry *e = &l->entries[i];
		struct row r = {.from_seq = e->loss.from_seq,
				.to_seq = e->loss.to_seq,
				.samples = e->loss.samples,
				.attempted = e->loss.attempted,
				.state = (uint8_t)e->state,
				.loose = e->loose,
				.carrier_seq = e->carrier.seq};

		memcpy(r.agent_id, e->loss.agent_id, sizeof(r.agent_id));
		memcpy(r.carrier, e->carrier.agent_id, sizeof(r.carrier));
		buf_add(&content, &r, sizeof(r));
	}
	rc = buf_failed(&content) ? err_nomem(err, "losses")
				  : losses_file_write(io, folder_fd, l->generation + 1, buf_str(&content), ROOM_BYTES, make, err);
	buf_fini(&content);
	if (rc < 0)
		return -1;
	l->generation++;
	l->changed = false;
	return 0;
}
