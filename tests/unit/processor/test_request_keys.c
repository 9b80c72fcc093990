/* test_request_keys.c - which requests are retries, against a list of all that came; cap, expiry, and the way through a snapshot. */
#include "processor/request_keys.h"

#include "tests/unit/processor/ledger.h"

#define NOW_MS L_BEGIN_MS

/* A request of a site, both by number: 0 to 99. */
static struct sample_batch request_of(int site, int key)
{
	static const char *const sites[] = {"site-a", "site-b", "c"};
	static const char text[] = "abcdefghijklmnopqrstuvwxyz0123456789";

	return (struct sample_batch){.site = str_from(sites[site]), .has_idempotency_key = true,
				     .idempotency_key = {text + key % 26, 1 + (size_t)key / 26}};
}

static struct dedup_outcome take(struct request_keys *k, const struct sample_batch *batch, int64_t watermark_ms)
{
	struct identity who = identity_of_samples(batch);
	struct dedup_outcome outcome = {.verdict = 77};
	struct err err = ERR_INIT;

	ck_assert_msg(request_keys_check(&who, &err) == 0, "%s", err.msg);
	ck_assert_msg(request_keys_take(k, &who, watermark_ms, &outcome, &err) == 0, "%s", err.msg);
	return outcome;
}

static enum dedup_verdict take_one(struct request_keys *k, int site, int key, int64_t watermark_ms)
{
	struct sample_batch batch = request_of(site, key);

	return take(k, &batch, watermark_ms).verdict;
}

static void encode(const struct request_keys *k, int64_t watermark_ms, struct buf *out)
{
	buf_clear(out);
	request_keys_encode(k, watermark_ms, out);
	ck_assert(!buf_failed(out));
}

/* What reading these bytes comes to; they stand at the end of a page of their own. */
static int decode(struct request_keys *k, const uint8_t *bytes, size_t len, int64_t watermark_ms, const char **fault)
{
	uint8_t *exact = malloc(len ? len : 1);
	struct err err = ERR_INIT;
	struct codec_reader r;
	int rc;

	memcpy(exact, bytes, len);
	codec_reader_init(&r, (struct str){(char *)exact, len}, NULL);
	*k = (struct request_keys)REQUEST_KEYS_INIT;
	rc = request_keys_decode(k, &r, watermark_ms, &err);
	ck_assert(err.kind == 0 && (rc == 0) == codec_reader_ok(&r));
	*fault = r.fault ? r.fault : r.p < r.end ? "left over" : NULL;
	free(exact);
	return rc;
}

/* Through a snapshot, which must be the same again. */
static void restore(struct request_keys *k, int64_t watermark_ms)
{
	struct buf bytes = BUF_INIT, again = BUF_INIT;
	struct request_keys back;
	const char *fault;

	encode(k, watermark_ms, &bytes);
	ck_assert_msg(decode(&back, bytes.p, bytes.len, watermark_ms, &fault) == 0, "%s", fault);
	ck_assert_ptr_null(fault);
	encode(&back, watermark_ms, &again);
	ck_assert_uint_eq(bytes.len, again.len);
	ck_assert_mem_eq(bytes.p, again.p, bytes.len);
	ck_assert_uint_eq(k->bytes, back.bytes);
	request_keys_fini(k);
	*k = back;
	buf_fini(&bytes);
	buf_fini(&again);
}

static bool applies(const struct sample_batch *batch)
{
	struct identity who = identity_of_samples(batch);

	return request_keys_apply(&who);
}

START_TEST(keys_are_of_1_to_255_bytes)
{
	static const struct { size_t len; int rc; } rows[] = {{0, -1}, {1, 0}, {255, 0}, {256, -1}};
	static const char zeros[256];
	struct identity who = {.has_key = true};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < NR(rows); i++) {
		who.key = (struct str){zeros, rows[i].len};
		ck_assert_int_eq(request_keys_check(&who, &err), rows[i].rc);
	}
	ck_assert_int_eq(err.kind, ERR_REJECT);
	who.has_key = false;
	ck_assert_int_eq(request_keys_check(&who, &err), 0);
}
END_TEST

START_TEST(a_key_is_a_retry_in_its_own_site)
{
	struct request_keys k = REQUEST_KEYS_INIT;
	struct sample_batch batch = request_of(0, 1);

	ck_assert_int_eq(take_one(&k, 0, 1, NOW_MS), DEDUP_NEW);
	ck_assert_int_eq(take_one(&k, 1, 1, NOW_MS), DEDUP_NEW);
	ck_assert_int_eq(take_one(&k, 0, 10, NOW_MS), DEDUP_NEW);
	ck_assert_int_eq(take_one(&k, 0, 1, NOW_MS), DEDUP_DUPLICATE);
	ck_assert_int_eq(take_one(&k, 1, 1, NOW_MS), DEDUP_DUPLICATE);
	batch.has_agent_id = true; /* goes by its agent */
	ck_assert(!applies(&batch) && take(&k, &batch, NOW_MS).verdict == DEDUP_NEW);
	batch.has_agent_id = batch.has_idempotency_key = false;
	ck_assert(!applies(&batch) && take(&k, &batch, NOW_MS).verdict == DEDUP_NEW);
	ck_assert(k.keys.len == 3 && k.sites.len == 2);
	request_keys_fini(&k);
	ck_assert(k.bytes == 0 && !k.oldest && !k.newest);
}
END_TEST

/* Somebody who makes the hashes of two keys equal: the second one is not taken for the first. */
START_TEST(a_collision_drops_nothing)
{
	struct request_keys k = REQUEST_KEYS_INIT;

	ck_assert_int_eq(take_one(&k, 0, 1, NOW_MS), DEDUP_NEW);
	memcpy((char *)(uintptr_t)k.oldest->bytes.p, "x", 1); /* as if another key had left its hash there */
	ck_assert_int_eq(take_one(&k, 0, 1, NOW_MS), DEDUP_UNREMEMBERED);
	request_keys_fini(&k);
}
END_TEST

START_TEST(over_the_cap_nothing_is_remembered_and_nothing_evicted)
{
	struct sample_batch beyond = request_of(0, 99);
	struct request_keys k = REQUEST_KEYS_INIT;

	request_keys_close(&k, NOW_MS, 16);
	for (int key = 0; key < 16; key++)
		ck_assert_int_eq(take_one(&k, 0, key, NOW_MS), DEDUP_NEW);
	for (int i = 0; i < 3; i++) {
		struct dedup_outcome outcome = take(&k, &beyond, NOW_MS + i * (L_HOUR_MS - 1));

		ck_assert_int_eq(outcome.verdict, DEDUP_UNREMEMBERED);
		ck_assert_msg(outcome.tell == (i != 1), "told at %d", i); /* once an hour */
	}
	for (int key = 0; key < 16; key++)
		ck_assert_int_eq(take_one(&k, 0, key, NOW_MS), DEDUP_DUPLICATE);
	ck_assert_int_eq(take_one(&k, 1, 99, NOW_MS), DEDUP_NEW); /* another site has its own */
	restore(&k, NOW_MS);
	ck_assert_int_eq(take(&k, &beyond, NOW_MS).verdict, DEDUP_UNREMEMBERED); /* the cap is in the snapshot */
	request_keys_close(&k, NOW_MS, 17);
	ck_assert_int_eq(take(&k, &beyond, NOW_MS).verdict, DEDUP_NEW);
	request_keys_close(&k, NOW_MS, 1); /* a lower one evicts nobody either */
	ck_assert_int_eq(take(&k, &beyond, NOW_MS).verdict, DEDUP_DUPLICATE);
	request_keys_fini(&k);
}
END_TEST

START_TEST(keys_end_an_hour_after_they_came_at_a_closing)
{
	struct request_keys k = REQUEST_KEYS_INIT;

	ck_assert_int_eq(take_one(&k, 0, 1, NOW_MS), DEDUP_NEW);
	ck_assert_int_eq(take_one(&k, 1, 2, NOW_MS + 1), DEDUP_NEW);
	ck_assert_int_eq(take_one(&k, 0, 1, NOW_MS + 2 * L_HOUR_MS), DEDUP_DUPLICATE); /* long over, but no closing has said so */
	restore(&k, NOW_MS + 2 * L_HOUR_MS);
	request_keys_close(&k, NOW_MS + L_HOUR_MS - 1, 100);
	ck_assert_uint_eq(k.keys.len, 2);
	request_keys_close(&k, NOW_MS + L_HOUR_MS, 100); /* a retry is no new beginning */
	ck_assert(k.keys.len == 1 && k.sites.len == 1 && k.oldest == k.newest);
	ck_assert_int_eq(take_one(&k, 0, 1, NOW_MS + L_HOUR_MS), DEDUP_NEW);
	request_keys_close(&k, NOW_MS + 2 * L_HOUR_MS, 100);
	ck_assert(k.keys.len == 0 && k.sites.len == 0 && k.bytes == 0 && !k.oldest && !k.newest);
	ck_assert_int_eq(take_one(&k, 0, 1, NOW_MS + 2 * L_HOUR_MS), DEDUP_NEW); /* the list can begin again */
	request_keys_fini(&k);
}
END_TEST

/* The world by the book: every request that was remembered, in a list. */
enum { SITES = 3, KEYS = 30, CAP = 12, STEPS = 6000 };

struct entry_of_list {
	int site, key;
	int64_t came_ms;
	bool gone;
};

struct list {
	struct entry_of_list entries[STEPS];
	int nr, duplicates, unremembered, expired;
};

static enum dedup_verdict list_take(struct list *l, int site, int key, int64_t now_ms)
{
	int of_site = 0;

	for (int i = 0; i < l->nr; i++) {
		const struct entry_of_list *e = &l->entries[i];

		if (e->gone || e->site != site)
			continue;
		of_site++;
		if (e->key == key) {
			l->duplicates++;
			return DEDUP_DUPLICATE;
		}
	}
	if (of_site == CAP) {
		l->unremembered++;
		return DEDUP_UNREMEMBERED;
	}
	l->entries[l->nr++] = (struct entry_of_list){site, key, now_ms, false};
	return DEDUP_NEW;
}

static void list_close(struct list *l, int64_t now_ms)
{
	for (int i = 0; i < l->nr; i++)
		if (!l->entries[i].gone && now_ms >= l->entries[i].came_ms + L_HOUR_MS) {
			l->entries[i].gone = true;
			l->expired++;
		}
}

START_TEST(random_requests_with_restores)
{
	struct unit_random r = unit_random_new("request keys");
	struct list *l = calloc(1, sizeof(*l));
	struct request_keys k = REQUEST_KEYS_INIT;
	int64_t now_ms = NOW_MS;

	request_keys_close(&k, now_ms, CAP);
	for (int n = 0; n < STEPS; n++) {
		int site = (int)unit_random_below(&r, SITES), key = (int)unit_random_below(&r, KEYS);
		enum dedup_verdict have = take_one(&k, site, key, now_ms), want = list_take(l, site, key, now_ms);

		ck_assert_msg(have == want, "request %d, site %d, key %d: want %d, have %d", n, site, key, (int)want, (int)have);
		now_ms += (int64_t)unit_random_below(&r, 120000);
		if (unit_random_below(&r, 20) == 0) {
			request_keys_close(&k, now_ms, CAP);
			list_close(l, now_ms);
		}
		if (unit_random_below(&r, 20) == 0)
			restore(&k, now_ms);
	}
	ck_assert_msg(l->duplicates > 500 && l->unremembered > 200 && l->expired > 500, "did not bite: %d duplicates, %d unremembered, %d expired",
		      l->duplicates, l->unremembered, l->expired);
	request_keys_fini(&k);
	free(l);
}
END_TEST

START_TEST(damaged_bytes_are_refused_or_good)
{
	struct request_keys k = REQUEST_KEYS_INIT, back;
	struct buf bytes = BUF_INIT;
	const char *fault;
	int refused = 0;

	for (int i = 0; i < 12; i++)
		take_one(&k, i % 3, i, NOW_MS + i);
	encode(&k, NOW_MS + 1000, &bytes);
	for (size_t len = 0; len < bytes.len; len++) {
		ck_assert_msg(decode(&back, bytes.p, len, NOW_MS + 1000, &fault) == -1, "%zu of %zu bytes were taken", len, bytes.len);
		request_keys_fini(&back);
	}
	for (size_t bit = 0; bit < bytes.len * 8; bit++) {
		bytes.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (decode(&back, bytes.p, bytes.len, NOW_MS + 1000, &fault) < 0 || fault) {
			refused++;
		} else {
			take_one(&back, 0, 77, NOW_MS + 1000);
			restore(&back, NOW_MS + 1000);
		}
		request_keys_fini(&back);
		bytes.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_int_gt(refused, 100);
	request_keys_fini(&k);
	buf_fini(&bytes);
}
END_TEST

/* cap; sites; keys: site, ago, bytes */
static const struct {
	const char *bytes;
	size_t len;
	const char *fault; /* NULL: it is good */
} written[] = {
#define ROW(text, fault) {text, sizeof(text) - 1, fault}
	ROW("\x20\x00\x00", NULL),
	ROW("\x20\x02\x02s\x02\x00\x00\x02k", NULL),
	ROW("\x1f\x00\x00", "a cap out of range"),
	ROW("\x82\x89\x7a\x00\x00", "a cap out of range"),
	ROW("\x20\x08\x02s\x00", "a count that the bytes cannot bear"),
	ROW("\x20\x01\x00", "a count that the bytes cannot bear"),
	ROW("\x20\x02\x02s\x04\x00\x00\x02k", "a count that the bytes cannot bear"),
	ROW("\x20\x02\x02s\x00", "a site without keys"),
	ROW("\x20\x04\x02s\x02s\x02\x00\x00\x02k", "a site stands there twice"),
	ROW("\x20\x02\x02s\x02\x02\x00\x02k", "a key that cannot be there"), /* of site 1 of 1 */
	ROW("\x20\x02\x02s\x02\x01\x00\x02k", "a key that cannot be there"),
	ROW("\x20\x02\x02s\x02\x00\x01\x02k", "a key that cannot be there"), /* came in the future */
	ROW("\x20\x02\x02s\x02\x00\xd2\x0f\x02k", "a key that cannot be there"), /* before the epoch */
	ROW("\x20\x02\x02s\x02\x00\x00\x00k", "a key that cannot be there"), /* of no bytes */
	ROW("\x20\x02\x02s\x04\x00\x00\x02k\x00\x00\x02k", "a key stands there twice"),
	ROW("\x20\x02\x02s\x04\x00\x00\x02k\x00\x02\x02l", "a key that cannot be there"), /* not in order */
#undef ROW
};

START_TEST(written_by_hand)
{
	struct request_keys k;
	const char *fault;
	int rc = decode(&k, (const uint8_t *)written[_i].bytes, written[_i].len, 1000, &fault);

	ck_assert_msg((rc == 0) == !written[_i].fault && (fault == NULL) == (rc == 0), "case %d: %s", _i, fault ? fault : "taken");
	if (fault)
		ck_assert_str_eq(fault, written[_i].fault);
	request_keys_fini(&k);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("request_keys");
	TCase *tc = tcase_create("request_keys");

	tcase_add_test(tc, keys_are_of_1_to_255_bytes);
	tcase_add_test(tc, a_key_is_a_retry_in_its_own_site);
	tcase_add_test(tc, a_collision_drops_nothing);
	tcase_add_test(tc, over_the_cap_nothing_is_remembered_and_nothing_evicted);
	tcase_add_test(tc, keys_end_an_hour_after_they_came_at_a_closing);
	tcase_add_test(tc, random_requests_with_restores);
	tcase_add_test(tc, damaged_bytes_are_refused_or_good);
	tcase_add_loop_test(tc, written_by_hand, 0, (int)NR(written));
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
