/* test_courier_model.c - whatever a server answers, no payload is on two posts at once, and none is lost.
 *
 * Payloads of random sizes, some of them live, meet a server that takes, refuses, fails and goes silent by chance. It remembers as the
 * real one does: a payload (agent_id, seq) counts once, also when its answer never arrived. In the end each sample was counted exactly
 * once, or its payload is rejected, or it still waits. What the server counted and the courier does not know of may also be rejected or
 * waiting: that is `attempted`. */
#include "tests/unit/agent/courier_bench.h"

enum { PAYLOADS = 40, ROUNDS = 8, SAMPLES_MAX = 9, ENTRIES_MAX = 1024, LARGE = 3 };

struct entry {
	uint8_t agent_id[16];
	uint64_t seq;
	bool counted, open; /* open: a post of it is being answered */
};

struct world {
	struct bench b;
	struct unit_random r;
	struct entry entries[ENTRIES_MAX];
	size_t entries_len;
	int counted[PAYLOADS + 1][SAMPLES_MAX]; /* of sample "p<number>.<i>" */
	bool tame;                              /* the server takes all it may */
};

static struct entry *entry_of(struct world *w, const Millrace__Push__Payload *p)
{
	struct entry *e = w->entries;

	ck_assert_uint_eq(p->agent_id.len, 16);
	while (e < w->entries + w->entries_len && (memcmp(e->agent_id, p->agent_id.data, 16) != 0 || e->seq != p->seq))
		e++;
	if (e == w->entries + w->entries_len) {
		ck_assert_uint_lt(w->entries_len++, ENTRIES_MAX);
		memcpy(e->agent_id, p->agent_id.data, 16);
		e->seq = p->seq;
	}
	return e;
}

static void each_sample(const Millrace__Push__Payload *p, int table[PAYLOADS + 1][SAMPLES_MAX])
{
	for (size_t i = 0; i < p->n_metrics; i++) {
		unsigned number, sample;

		ck_assert_int_eq(sscanf(p->metrics[i]->name, "p%u.%u", &number, &sample), 2);
		ck_assert(number <= PAYLOADS && sample < SAMPLES_MAX);
		table[number][sample]++;
	}
}

static enum server_then answer(void *ctx, const struct server_request *r, struct buf *out)
{
	static const char ok[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
	static const char *const refusals[] = {"400 Bad", "401 No", "404 No", "429 Later", "500 No", "502 No", "503 No"};
	struct world *w = ctx;
	Millrace__Push__Payload *p = maker_unpack(r->body);
	struct entry *e = entry_of(w, p);
	uint64_t what = w->tame ? 0 : unit_random_below(&w->r, 34) / 3;
	enum server_then then = unit_random_below(&w->r, 4) ? SERVER_KEEPS : SERVER_CLOSES;

	ck_assert_msg(!e->open, "seq %llu is on two posts at once", (unsigned long long)e->seq);
	e->open = true;
	w->b.server.next_tag = e;
	if (p->n_metrics > LARGE) {
		buf_printf(out, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
	} else if (what < 4) { /* it counts, and the answer may not arrive */
		if (!e->counted)
			each_sample(p, w->counted);
		e->counted = true;
		buf_add(out, ok, what < 2 ? sizeof(ok) - 1 : (size_t)unit_random_below(&w->r, sizeof(ok)));
		if (what == 3)
			then = SERVER_RESETS;
		else if (what == 2)
			then = SERVER_CLOSES;
	} else if (what < 11) {
		buf_printf(out, "HTTP/1.1 %s\r\nContent-Length: 0\r\n%s\r\n", refusals[what - 4],
			   unit_random_below(&w->r, 3) ? "" : "Retry-After: 2\r\n");
	} else {
		then = SERVER_FALLS_SILENT;
	}
	millrace__push__payload__free_unpacked(p, NULL);
	return then;
}

static void ended(void *ctx, void *tag)
{
	(void)ctx;
	if (tag)
		((struct entry *)tag)->open = false;
}

/* Moves on for some posts, or until there is nothing to do. */
static void live_on(struct world *w, uint64_t posts)
{
	struct courier_status s = bench_status(&w->b);

	bench_run(&w->b, s.accepted_payloads + s.set_aside_payloads + s.halved_payloads + s.failed_posts + posts);
}

static void check_end(struct world *w)
{
	static const uint8_t agent_id[16] = {7, 7, 7};
	int kept[PAYLOADS + 1][SAMPLES_MAX] = {0}, made[PAYLOADS + 1][SAMPLES_MAX] = {0}, lost[PAYLOADS + 1][SAMPLES_MAX] = {0};
	struct spool *spool = w->b.spool;

	for (size_t i = 0; i < spool->len; i++) {
		struct fake_payload *f = &spool->payloads[i];
		Millrace__Push__Payload *p = maker_unpack(buf_str(&f->body));
		bool counted = entry_of(w, p)->counted;

		if (memcmp(f->e.agent_id, agent_id, 16) == 0)
			each_sample(p, made);
		ck_assert_msg(f->state != FAKE_DONE || counted, "done, and the server knows nothing of it");
		if (f->state == FAKE_WAITS && !counted)
			each_sample(p, kept);
		if (f->state == FAKE_REJECTED && !counted)
			each_sample(p, lost);
		ck_assert_uint_eq(f->e.samples, p->n_metrics);
		millrace__push__payload__free_unpacked(p, NULL);
	}
	for (size_t i = 1; i <= PAYLOADS; i++)
		for (size_t k = 0; k < SAMPLES_MAX; k++)
			ck_assert_msg(w->counted[i][k] + kept[i][k] + lost[i][k] == made[i][k], "p%zu.%zu: made %d, counted %d, waits %d, rejected %d", i, k,
				      made[i][k], w->counted[i][k], kept[i][k], lost[i][k]);
}

static void play(struct unit_random *r)
{
	struct world *w = calloc(1, sizeof(*w));
	size_t put = 0;

	ck_assert_ptr_nonnull(w);
	w->r = *r;
	bench_init(&w->b, NULL, 0);
	w->b.server.answer = answer;
	w->b.server.ended = ended;
	w->b.server.ctx = w;
	bench_open(&w->b, NULL);
	while (put < PAYLOADS) {
		uint64_t live[4];
		size_t nr = 0, n = unit_random_below(&w->r, 5);

		for (; n > 0 && put < PAYLOADS; n--) {
			uint64_t id = bench_put(&w->b, put + 1, 1 + (size_t)unit_random_below(&w->r, SAMPLES_MAX));

			put++;
			if (unit_random_below(&w->r, 2) && nr < NR(live))
				live[nr++] = id;
		}
		w->b.spool->fail_replaces = (int)unit_random_below(&w->r, 2);
		courier_take_live(w->b.courier, live, nr);
		live_on(w, unit_random_below(&w->r, 6));
	}
	check_end(w);
	w->tame = true;
	live_on(w, 100000);
	check_end(w);
	ck_assert_uint_eq(fake_count(w->b.spool, FAKE_WAITS), 0);
	ck_assert_uint_gt(fake_count(w->b.spool, FAKE_DONE), PAYLOADS / 2);
	*r = w->r;
	bench_fini(&w->b);
	free(w);
}

START_TEST(none_is_lost_and_none_is_posted_twice_at_once)
{
	struct unit_random r = unit_random_new("courier");

	for (int i = 0; i < ROUNDS; i++)
		play(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("courier_model");
	TCase *tc = tcase_create("model");

	curl_global_init(CURL_GLOBAL_DEFAULT);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, none_is_lost_and_none_is_posted_twice_at_once);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
