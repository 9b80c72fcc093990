/* test_dedup.c - what is a retry, against a model with a byte for each payload; cap, expiry, gaps, and the way through a snapshot. */
#include "processor/dedup.h"

#include "tests/unit/processor/ledger.h"

#define NOW_MS L_BEGIN_MS

/* A record of an agent: its site and agent by number. */
static struct sample_batch record_of(int site, int agent, int64_t seq, int64_t floor, bool home)
{
	static const char *const sites[] = {"site-a", "site-b", "c", "site-d"};
	struct sample_batch batch = {.site = str_from(sites[site]), .has_agent_id = true, .seq = seq, .floor = floor, .home = home};

	memset(batch.agent_id, 0xa0, sizeof(batch.agent_id));
	memcpy(batch.agent_id + 3, &agent, sizeof(agent));
	return batch;
}

static struct dedup_outcome take(struct dedup *d, const struct sample_batch *batch, int64_t watermark_ms)
{
	struct identity who = identity_of_samples(batch);
	struct dedup_outcome outcome = {.verdict = 77};
	struct err err = ERR_INIT;

	ck_assert_msg(dedup_check(&who, &err) == 0, "%s", err.msg);
	ck_assert_msg(dedup_take(d, &who, watermark_ms, &outcome, &err) == 0, "%s", err.msg);
	return outcome;
}

static enum dedup_verdict take_one(struct dedup *d, int site, int agent, int64_t seq, int64_t floor, int64_t watermark_ms)
{
	struct sample_batch batch = record_of(site, agent, seq, floor, false);

	return take(d, &batch, watermark_ms).verdict;
}

static void encode(const struct dedup *d, int64_t watermark_ms, struct buf *out)
{
	buf_clear(out);
	dedup_encode(d, watermark_ms, out);
	ck_assert(!buf_failed(out));
}

/* What reading these bytes comes to; they stand at the end of a page of their own. */
static int decode(struct dedup *d, const uint8_t *bytes, size_t len, int64_t watermark_ms, const char **fault)
{
	uint8_t *exact = malloc(len ? len : 1);
	struct err err = ERR_INIT;
	struct codec_reader r;
	int rc;

	memcpy(exact, bytes, len);
	codec_reader_init(&r, (struct str){(char *)exact, len}, NULL);
	*d = (struct dedup)DEDUP_INIT;
	rc = dedup_decode(d, &r, watermark_ms, &err);
	ck_assert(err.kind == 0 && (rc == 0) == codec_reader_ok(&r));
	*fault = r.fault ? r.fault : r.p < r.end ? "left over" : NULL;
	free(exact);
	return rc;
}

/* Through a snapshot, which must be the same again. */
static void restore(struct dedup *d, int64_t watermark_ms)
{
	struct buf bytes = BUF_INIT, again = BUF_INIT;
	struct dedup back;
	const char *fault;

	encode(d, watermark_ms, &bytes);
	ck_assert_msg(decode(&back, bytes.p, bytes.len, watermark_ms, &fault) == 0, "%s", fault);
	ck_assert_ptr_null(fault);
	encode(&back, watermark_ms, &again);
	ck_assert_uint_eq(bytes.len, again.len);
	ck_assert_mem_eq(bytes.p, again.p, bytes.len);
	ck_assert_uint_eq(d->bytes, back.bytes);
	dedup_fini(d);
	*d = back;
	buf_fini(&bytes);
	buf_fini(&again);
}

START_TEST(a_broken_identity_is_refused)
{
	struct sample_batch batch = record_of(0, 0, 5, 6, false);
	struct identity who = identity_of_samples(&batch);
	struct err err = ERR_INIT;

	ck_assert_int_eq(dedup_check(&who, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_ptr_nonnull(strstr(err.msg, "floor 6"));
	batch.has_agent_id = false; /* then nobody looks at the rest */
	who = identity_of_samples(&batch);
	ck_assert_int_eq(dedup_check(&who, &err), 0);
}
END_TEST

START_TEST(without_identity_nothing_is_a_retry)
{
	struct sample_batch batch = record_of(0, 0, 7, 7, true);
	struct dedup d = DEDUP_INIT;

	batch.has_agent_id = false;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(take(&d, &batch, NOW_MS).verdict, DEDUP_NEW);
	ck_assert(!d.agents.len && !d.sites.len && !d.bytes);
	dedup_fini(&d);
}
END_TEST

/* The life of one agent: what each record is, and the gaps that it shows. */
static const struct {
	int64_t seq, floor;
	bool home;
	enum dedup_verdict verdict;
	uint64_t gaps;
} life[] = {
	{1, 1, true, DEDUP_NEW, 0},
	{4, 2, true, DEDUP_NEW, 0},
	{4, 2, true, DEDUP_DUPLICATE, 0},
	{1, 1, true, DEDUP_DUPLICATE, 0}, /* below the floor */
	{3, 2, true, DEDUP_NEW, 0},
	{6, 3, true, DEDUP_NEW, 1}, /* 2 */
	{2, 2, true, DEDUP_DUPLICATE, 0},
	{3, 2, true, DEDUP_DUPLICATE, 0}, /* the floor is at 3, which was taken */
	{9, 9, true, DEDUP_NEW, 3}, /* 5, 7, 8 */
	{9, 9, true, DEDUP_DUPLICATE, 0},
	{20, 12, false, DEDUP_NEW, 0}, /* its home has moved: 10 and 11 may have gone there */
	{21, 14, true, DEDUP_NEW, 0}, /* and back: nobody knows which of 12 and 13 were to come here */
	{22, 17, true, DEDUP_NEW, 0}, /* nor of 14 to 16, which were open then */
	{23, 23, true, DEDUP_NEW, 0}, /* from here on all of them are */
	{26, 24, true, DEDUP_NEW, 0},
	{27, 26, true, DEDUP_NEW, 2}, /* 24, 25 */
	{27, 26, false, DEDUP_DUPLICATE, 0}, /* a retry says it, too */
	{30, 29, true, DEDUP_NEW, 0},
	{23, 23, true, DEDUP_DUPLICATE, 0}, /* a late retry knows nothing of what is open now */
	{31, 31, true, DEDUP_NEW, 0}, /* the home again */
	{33, 33, true, DEDUP_NEW, 1}, /* 32 */
	{INT64_MAX, INT64_MAX - 5, true, DEDUP_NEW, SEQS_SPAN_MAX}, /* an agent that counts like that is not believed */
	{INT64_MAX, INT64_MAX, true, DEDUP_DUPLICATE, 5},
};

START_TEST(the_life_of_an_agent)
{
	struct dedup d = DEDUP_INIT;

	for (size_t i = 0; i < NR(life); i++) {
		struct sample_batch batch = record_of(0, 1, life[i].seq, life[i].floor, life[i].home);
		struct dedup_outcome outcome;

		if (_i)
			restore(&d, NOW_MS);
		outcome = take(&d, &batch, NOW_MS);
		ck_assert_msg(outcome.verdict == life[i].verdict, "record %zu is %d", i, (int)outcome.verdict);
		ck_assert_msg(outcome.gaps == life[i].gaps, "record %zu: %llu gaps", i, (unsigned long long)outcome.gaps);
		ck_assert(!outcome.tell);
	}
	ck_assert_uint_eq(d.agents.len, 1);
	dedup_fini(&d);
}
END_TEST

START_TEST(agents_and_sites_are_apart)
{
	struct dedup d = DEDUP_INIT;

	for (int site = 0; site < 3; site++)
		for (int agent = 0; agent < 3; agent++)
			ck_assert_int_eq(take_one(&d, site, agent, 5, 5, NOW_MS), DEDUP_NEW);
	for (int site = 0; site < 3; site++)
		for (int agent = 0; agent < 3; agent++)
			ck_assert_int_eq(take_one(&d, site, agent, 5, 5, NOW_MS), DEDUP_DUPLICATE);
	ck_assert(d.agents.len == 9 && d.sites.len == 3);
	dedup_fini(&d);
	ck_assert(d.bytes == 0 && !d.oldest && !d.newest);
}
END_TEST

START_TEST(over_the_cap_nothing_is_remembered_and_nothing_evicted)
{
	struct sample_batch beyond = record_of(0, 99, 1, 1, false);
	struct dedup d = DEDUP_INIT;
	struct dedup_outcome outcome;

	dedup_close(&d, NOW_MS, 16);
	for (int agent = 0; agent < 16; agent++)
		ck_assert_int_eq(take_one(&d, 0, agent, 1, 1, NOW_MS), DEDUP_NEW);
	for (int i = 0; i < 3; i++) {
		outcome = take(&d, &beyond, NOW_MS + i * (L_HOUR_MS - 1));
		ck_assert_int_eq(outcome.verdict, DEDUP_UNREMEMBERED);
		ck_assert_msg(outcome.tell == (i != 1), "told at %d", i); /* once an hour */
	}
	for (int agent = 0; agent < 16; agent++) {
		ck_assert_int_eq(take_one(&d, 0, agent, 1, 1, NOW_MS + 2 * L_HOUR_MS), DEDUP_DUPLICATE);
		ck_assert_int_eq(take_one(&d, 0, agent, 2, 1, NOW_MS + 2 * L_HOUR_MS), DEDUP_NEW);
	}
	ck_assert_int_eq(take_one(&d, 1, 99, 1, 1, NOW_MS + 2 * L_HOUR_MS), DEDUP_NEW); /* another site has its own */
	restore(&d, NOW_MS + 2 * L_HOUR_MS);
	ck_assert_int_eq(take(&d, &beyond, NOW_MS + 2 * L_HOUR_MS).verdict, DEDUP_UNREMEMBERED); /* the cap is in the snapshot */
	dedup_close(&d, NOW_MS + 2 * L_HOUR_MS, 17);
	ck_assert_int_eq(take(&d, &beyond, NOW_MS + 2 * L_HOUR_MS).verdict, DEDUP_NEW);
	ck_assert_int_eq(take(&d, &beyond, NOW_MS + 2 * L_HOUR_MS).verdict, DEDUP_DUPLICATE);
	dedup_close(&d, NOW_MS + 2 * L_HOUR_MS, 16); /* a lower one evicts nobody either */
	ck_assert_int_eq(take(&d, &beyond, NOW_MS + 2 * L_HOUR_MS).verdict, DEDUP_DUPLICATE);
	dedup_fini(&d);
}
END_TEST

/* However the agents of a site count, their bits stay within the cap. */
START_TEST(wide_agents_weigh_more)
{
	struct sample_batch wider = record_of(0, 1, 100000, 100000 - 16383, true);
	struct dedup d = DEDUP_INIT;

	dedup_close(&d, NOW_MS, 16);
	ck_assert_int_eq(take_one(&d, 0, 0, 65537, 1, NOW_MS), DEDUP_NEW); /* weighs 9 */
	wider.seq = wider.floor + 8191; /* 1 */
	ck_assert_int_eq(take(&d, &wider, NOW_MS).verdict, DEDUP_NEW);
	for (int agent = 2; agent < 8; agent++)
		ck_assert_int_eq(take_one(&d, 0, agent, 1, 1, NOW_MS), DEDUP_NEW);
	ck_assert_int_eq(take_one(&d, 0, 8, 1, 1, NOW_MS), DEDUP_UNREMEMBERED);
	wider.seq++; /* would weigh 2 */
	ck_assert_int_eq(take(&d, &wider, NOW_MS).verdict, DEDUP_UNREMEMBERED);
	ck_assert_int_eq(take(&d, &wider, NOW_MS).verdict, DEDUP_UNREMEMBERED);
	wider.seq--;
	ck_assert_int_eq(take(&d, &wider, NOW_MS).verdict, DEDUP_DUPLICATE);
	wider.seq++;
	ck_assert_int_eq(take_one(&d, 0, 0, 65537, 65000, NOW_MS), DEDUP_DUPLICATE); /* its floor frees the room */
	ck_assert_int_eq(take(&d, &wider, NOW_MS).verdict, DEDUP_NEW);
	ck_assert_int_eq(take(&d, &wider, NOW_MS).verdict, DEDUP_DUPLICATE);
	ck_assert_int_eq(take_one(&d, 0, 8, 1, 1, NOW_MS), DEDUP_NEW);
	dedup_fini(&d);
}
END_TEST

START_TEST(what_is_not_remembered_is_no_gap)
{
	struct sample_batch batch = record_of(0, 0, 1, 1, true);
	struct dedup d = DEDUP_INIT;

	ck_assert_int_eq(take(&d, &batch, NOW_MS).verdict, DEDUP_NEW);
	dedup_close(&d, NOW_MS, 1);
	batch.seq = 8193;
	ck_assert_int_eq(take(&d, &batch, NOW_MS).verdict, DEDUP_UNREMEMBERED);
	batch.seq = batch.floor = 8194;
	ck_assert_uint_eq(take(&d, &batch, NOW_MS).gaps, 0); /* 8193 came, and is not marked */
	dedup_fini(&d);
}
END_TEST

START_TEST(agents_end_49_hours_after_their_last_use_at_a_closing)
{
	const int64_t keep_ms = 49 * L_HOUR_MS, later_ms = NOW_MS + 5 * L_HOUR_MS;
	struct dedup d = DEDUP_INIT;

	ck_assert_int_eq(take_one(&d, 0, 0, 1, 1, NOW_MS), DEDUP_NEW);
	ck_assert_int_eq(take_one(&d, 0, 1, 1, 1, NOW_MS), DEDUP_NEW);
	ck_assert_int_eq(take_one(&d, 1, 2, 1, 1, NOW_MS + 1), DEDUP_NEW);
	ck_assert_int_eq(take_one(&d, 0, 0, 1, 1, later_ms), DEDUP_DUPLICATE); /* a retry is a use */
	restore(&d, later_ms);
	dedup_close(&d, NOW_MS + keep_ms - 1, 100);
	ck_assert_uint_eq(d.agents.len, 3);
	dedup_close(&d, NOW_MS + keep_ms, 100);
	ck_assert(d.agents.len == 2 && d.sites.len == 2);
	ck_assert_int_eq(take_one(&d, 1, 2, 1, 1, NOW_MS + 2 * keep_ms), DEDUP_DUPLICATE); /* long over, but no closing has said so */
	dedup_close(&d, NOW_MS + 2 * keep_ms, 100);
	ck_assert(d.agents.len == 1 && d.sites.len == 1 && d.oldest == d.newest);
	ck_assert_int_eq(take_one(&d, 0, 0, 1, 1, NOW_MS + 2 * keep_ms), DEDUP_NEW); /* anew */
	dedup_close(&d, NOW_MS + 4 * keep_ms, 100);
	ck_assert(d.agents.len == 0 && d.sites.len == 0 && d.bytes == 0);
	dedup_fini(&d);
}
END_TEST

/* The world by the book: a byte for each payload of each agent. */
enum { SITES = 3, AGENTS = 8, SEQ_MAX = 40000, CAP = 11 };

struct model_agent {
	bool known, home;
	int64_t floor, max, used_ms;
	uint8_t taken[SEQ_MAX + 1];
	int64_t next, floors[SEQ_MAX + 1]; /* what it sends: the floor stays with the payload */
};

struct model {
	struct model_agent agents[SITES][AGENTS];
	int64_t now_ms;
	int duplicates, unremembered, gaps, expired;
};

static int64_t model_weight(const struct model *m, int site)
{
	int64_t weight = 0;

	for (int i = 0; i < AGENTS; i++)
		if (m->agents[site][i].known)
			weight += 1 + (m->agents[site][i].max - m->agents[site][i].floor) / 8192;
	return weight;
}

static struct dedup_outcome model_take(struct model *m, int site, struct model_agent *a, int64_t seq, int64_t floor, bool home)
{
	struct model_agent before = {.known = a->known, .floor = a->floor, .max = a->max};
	struct dedup_outcome outcome = {.verdict = DEDUP_NEW};
	int64_t missed = 0;

	if (!a->known) {
		memset(a->taken, 0, sizeof(a->taken));
		a->floor = floor;
		a->max = seq;
		a->home = false;
	} else if (seq < a->floor || a->taken[seq]) {
		outcome.verdict = DEDUP_DUPLICATE;
	}
	a->known = true;
	a->used_ms = m->now_ms;
	a->max = seq > a->max ? seq : a->max;
	a->floor = floor > a->floor ? floor : a->floor;
	/* Would it grow over the cap? A known agent that gets lighter may always. */
	if (model_weight(m, site) > CAP && (!before.known || (a->max - a->floor) / 8192 > (before.max - before.floor) / 8192)) {
		a->known = before.known;
		a->floor = before.floor;
		a->max = before.max;
		a->home = false;
		outcome.verdict = DEDUP_UNREMEMBERED;
		return outcome;
	}
	for (int64_t i = before.floor; before.known && i < a->floor; i++)
		missed += !a->taken[i];
	a->taken[seq] = 1;
	if (a->home && home)
		outcome.gaps = (uint64_t)missed;
	a->home = home && (a->home || (floor == seq && outcome.verdict == DEDUP_NEW));
	return outcome;
}

static void model_close(struct model *m)
{
	for (int site = 0; site < SITES; site++)
		for (int i = 0; i < AGENTS; i++) {
			struct model_agent *a = &m->agents[site][i];

			if (a->known && m->now_ms - a->used_ms >= 49 * L_HOUR_MS) {
				a->known = false;
				m->expired++;
			}
		}
}

/* What an agent sends next: a new payload, one that was left out for a while, or a retry; two of them count as they like. */
static void choose(struct unit_random *r, struct model_agent *a, bool odd, int64_t *seq, int64_t *floor)
{
	if (odd) {
		*seq = 1 + (int64_t)unit_random_below(r, SEQ_MAX);
		*floor = unit_random_below(r, 30) ? 1 : *seq - (int64_t)unit_random_below(r, (uint64_t)*seq);
		return;
	}
	if (a->next == 0 || (unit_random_below(r, 2) && a->next < SEQ_MAX - 4)) {
		int64_t lowest = a->next > 6 ? a->next - 6 : 1;

		for (uint64_t lost = unit_random_below(r, 3); lost > 0; lost--)
			a->floors[++a->next] = lowest; /* may come later, or never */
		a->next++;
		a->floors[a->next] = unit_random_below(r, 3) ? lowest : a->next; /* sometimes nothing older is open */
		*seq = a->next;
	} else {
		*seq = a->next - (int64_t)unit_random_below(r, a->next < 12 ? (uint64_t)a->next : 12);
	}
	*floor = a->floors[*seq];
}

static void step(struct model *m, struct dedup *d, struct unit_random *r, int n)
{
	int site = (int)unit_random_below(r, SITES), number = (int)unit_random_below(r, AGENTS);
	struct model_agent *a = &m->agents[site][number];
	bool home = unit_random_below(r, 8) != 0;
	struct dedup_outcome want, have;
	struct sample_batch batch;
	int64_t seq, floor;

	choose(r, a, number >= AGENTS - 2, &seq, &floor);
	batch = record_of(site, number, seq, floor, home);
	have = take(d, &batch, m->now_ms);
	want = model_take(m, site, a, seq, floor, home);
	ck_assert_msg(have.verdict == want.verdict && have.gaps == want.gaps,
		      "record %d, site %d, agent %d, seq %lld, floor %lld: want %d with %llu gaps, have %d with %llu", n, site, number,
		      (long long)seq, (long long)floor, (int)want.verdict, (unsigned long long)want.gaps, (int)have.verdict,
		      (unsigned long long)have.gaps);
	m->duplicates += want.verdict == DEDUP_DUPLICATE;
	m->unremembered += want.verdict == DEDUP_UNREMEMBERED;
	m->gaps += want.gaps > 0;
}

START_TEST(random_agents_with_restores)
{
	struct unit_random r = unit_random_new("dedup");
	struct model *m = calloc(1, sizeof(*m));
	struct dedup d = DEDUP_INIT;

	m->now_ms = NOW_MS;
	dedup_close(&d, m->now_ms, CAP);
	for (int n = 0; n < 6000; n++) {
		m->now_ms += (int64_t)unit_random_below(&r, unit_random_below(&r, 40) ? 60000 : 60 * 3600000);
		step(m, &d, &r, n);
		if (unit_random_below(&r, 40) == 0) {
			dedup_close(&d, m->now_ms, CAP);
			model_close(m);
		}
		if (unit_random_below(&r, 40) == 0)
			restore(&d, m->now_ms);
		for (int site = 0; site < SITES; site++)
			ck_assert_int_le(model_weight(m, site), CAP);
	}
	ck_assert_msg(m->duplicates > 500 && m->unremembered > 50 && m->gaps > 100 && m->expired > 20,
		      "did not bite: %d duplicates, %d unremembered, %d with gaps, %d expired", m->duplicates, m->unremembered, m->gaps, m->expired);
	dedup_fini(&d);
	free(m);
}
END_TEST

/* Some agents of two sites, far and near. */
static void fill(struct dedup *d)
{
	for (int agent = 0; agent < 4; agent++)
		for (int64_t seq = 1; seq < 200; seq += 1 + 3 * agent)
			take_one(d, agent % 2, agent, seq, agent ? 1 : seq, NOW_MS + seq);
}

START_TEST(damaged_bytes_are_refused_or_good)
{
	struct dedup d = DEDUP_INIT, back;
	struct buf bytes = BUF_INIT;
	const char *fault;
	int refused = 0;

	fill(&d);
	encode(&d, NOW_MS + 1000, &bytes);
	for (size_t len = 0; len < bytes.len; len++) {
		ck_assert_msg(decode(&back, bytes.p, len, NOW_MS + 1000, &fault) == -1, "%zu of %zu bytes were taken", len, bytes.len);
		dedup_fini(&back);
	}
	for (size_t bit = 0; bit < bytes.len * 8; bit++) {
		bytes.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (decode(&back, bytes.p, bytes.len, NOW_MS + 1000, &fault) < 0 || fault) {
			refused++;
		} else {
			fill(&back);
			restore(&back, NOW_MS + 1000);
		}
		dedup_fini(&back);
		bytes.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_int_gt(refused, 100);
	dedup_fini(&d);
	buf_fini(&bytes);
}
END_TEST

/* cap; sites; agents: site, id of 16 bytes, ago, home, floor, span */
#define ID "0123456789abcdef"
static const struct {
	const char *bytes;
	size_t len;
	const char *fault; /* NULL: it is good */
} written[] = {
#define ROW(text, fault) {text, sizeof(text) - 1, fault}
	ROW("\x20\x00\x00", NULL),
	ROW("\x20\x02\x02s\x02\x00" ID "\x00\x01\x02\x00", NULL),
	ROW("\x1f\x00\x00", "a cap out of range"),
	ROW("\x82\x89\x7a\x00\x00", "a cap out of range"),
	ROW("\x20\x08\x02s\x00", "a count that the bytes cannot bear"),
	ROW("\x20\x01\x00", "a count that the bytes cannot bear"),
	ROW("\x20\x02\x02s\x04\x00" ID "\x00\x01\x02\x00", "a count that the bytes cannot bear"),
	ROW("\x20\x02\x02s\x00", "a site without agents"),
	ROW("\x20\x04\x02s\x02s\x02\x00" ID "\x00\x01\x02\x00", "a site stands there twice"),
	ROW("\x20\x02\x02s\x02\x02" ID "\x00\x01\x02\x00", "an agent that cannot be there"), /* of site 1 of 1 */
	ROW("\x20\x02\x02s\x02\x01" ID "\x00\x01\x02\x00", "an agent that cannot be there"),
	ROW("\x20\x02\x02s\x02\x00" ID "\x01\x01\x02\x00", "an agent that cannot be there"), /* used in the future */
	ROW("\x20\x02\x02s\x02\x00" ID "\xd2\x0f\x01\x02\x00", "an agent that cannot be there"), /* before the epoch */
	ROW("\x20\x02\x02s\x04\x00" ID "\x00\x01\x02\x00\x00" ID "\x00\x01\x02\x00", "an agent stands there twice"),
	ROW("\x20\x02\x02s\x04\x00" ID "\x00\x01\x02\x00\x00" ID "\x02\x01\x02\x00", "an agent that cannot be there"), /* not in order */
	ROW("\x20\x02\x02s\x02\x00" ID "\x00\x02\x02\x00", "boolean neither 0 nor 1"),
	ROW("\x20\x02\x02s\x02\x00" ID "\x00\x01\x00\x00", "seqs out of range"),
#undef ROW
};

START_TEST(written_by_hand)
{
	struct dedup d;
	const char *fault;
	int rc = decode(&d, (const uint8_t *)written[_i].bytes, written[_i].len, 1000, &fault);

	ck_assert_msg((rc == 0) == !written[_i].fault && (fault == NULL) == (rc == 0), "case %d: %s", _i, fault ? fault : "taken");
	if (fault)
		ck_assert_str_eq(fault, written[_i].fault);
	dedup_fini(&d);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dedup");
	TCase *tc = tcase_create("dedup");

	tcase_add_test(tc, a_broken_identity_is_refused);
	tcase_add_test(tc, without_identity_nothing_is_a_retry);
	tcase_add_loop_test(tc, the_life_of_an_agent, 0, 2); /* the second one is restored before each record */
	tcase_add_test(tc, agents_and_sites_are_apart);
	tcase_add_test(tc, over_the_cap_nothing_is_remembered_and_nothing_evicted);
	tcase_add_test(tc, wide_agents_weigh_more);
	tcase_add_test(tc, what_is_not_remembered_is_no_gap);
	tcase_add_test(tc, agents_end_49_hours_after_their_last_use_at_a_closing);
	tcase_add_test(tc, random_agents_with_restores);
	tcase_add_test(tc, damaged_bytes_are_refused_or_good);
	tcase_add_loop_test(tc, written_by_hand, 0, (int)NR(written));
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
