/* test_spool.c - the spool's promises, one by one; test_spool_model.c has them all at once. */
#include "ingest/agent/spool.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <xxhash.h>

#include "ingest/agent/spool_file.h"
#include "tests/unit/agent/spool_house.h"

static struct envelope envelope(uint64_t seq, int64_t created_at_ms, struct str body)
{
	struct envelope e = {.seq = seq, .floor = 1, .created_at_ms = created_at_ms, .samples = 10 * seq, .body = body};

	memset(e.agent_id, 'a', sizeof(e.agent_id));
	return e;
}

static uint64_t put(struct spool *s, uint64_t seq, int64_t created_at_ms)
{
	struct envelope e = envelope(seq, created_at_ms, STR("body\0body"));
	struct err err = ERR_INIT;
	uint64_t id = 0;

	ck_assert_msg(spool_put(s, &e, &id, &err) == 0, "%s", err.msg);
	return id;
}

/* The seq of the newest but those in skip; 0: none. Checks all that is known of it. */
static uint64_t newest(struct spool *s, const struct spool_skip *skip, bool *attempted)
{
	struct envelope e;
	struct buf body = BUF_INIT;
	struct err err = ERR_INIT;
	uint64_t id;

	if (!spool_newest(s, skip, &id))
		return 0;
	ck_assert_msg(spool_get(s, id, &e, &body, &err) == 0, "%s", err.msg);
	ck_assert(str_eq(e.body, STR("body\0body")));
	ck_assert(e.floor == 1 && e.samples == 10 * e.seq && e.agent_id[15] == 'a');
	if (attempted)
		*attempted = e.attempted;
	buf_fini(&body);
	return e.seq;
}

static struct spool_figures figures(const struct spool *s)
{
	struct spool_figures f;

	spool_figures(s, &f);
	return f;
}

/* The one range that is lost, or zeros. */
static struct loss lost(struct spool *s)
{
	struct loss l[2] = {{.from_seq = 0}};
	uint8_t carrier[ENVELOPE_AGENT_ID_BYTES] = "somebody";
	size_t n = losses_take(spool_losses(s), carrier, 99, l, 2);

	ck_assert_uint_le(n, 1);
	losses_give_back(spool_losses(s), carrier, 99);
	return l[0];
}

#define ck_assert_lost(s, from, to, sum, tried) do { \
	struct loss lost_ = lost(s); \
	ck_assert_uint_eq(lost_.from_seq, (from)); \
	ck_assert_uint_eq(lost_.to_seq, (to)); \
	ck_assert_uint_eq(lost_.samples, (sum)); \
	ck_assert_int_eq(lost_.attempted, (tried)); \
} while (0)

START_TEST(newest_first_and_through_a_restart)
{
	struct house h;
	struct spool *s;
	struct stat st;
	char path[512];
	uint64_t ids[4];
	bool attempted;

	house_init(&h);
	s = house_open(&h);
	ids[1] = put(s, 1, HOUSE_NOW_MS - 2000);
	ids[3] = put(s, 3, HOUSE_NOW_MS);
	ids[2] = put(s, 2, HOUSE_NOW_MS); /* made at once: by seq */
	ck_assert_uint_eq(newest(s, NULL, &attempted), 3);
	ck_assert(!attempted);
	ck_assert_uint_eq(newest(s, &(struct spool_skip){&ids[2], 2}, NULL), 1);
	spool_attempted(s, ids[3]);
	ck_assert_uint_eq(spool_lowest_seq(s, (const uint8_t *)"aaaaaaaaaaaaaaaa"), 1);
	ck_assert_uint_eq(spool_lowest_seq(s, (const uint8_t *)"aaaaaaaaaaaaaaab"), 0);
	spool_done(s, ids[1]);
	spool_done(s, ids[1]); /* gone: nothing happens */
	spool_free(s);
	ck_assert_int_eq(stat(house_file(&h, ".payload", path), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(stat(h.dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	s = house_open(&h);
	ck_assert_uint_eq(newest(s, NULL, &attempted), 3);
	ck_assert(attempted);
	ck_assert_uint_eq(figures(s).payloads, 2);
	ck_assert_int_eq(figures(s).oldest_ms, HOUSE_NOW_MS);
	ck_assert_uint_eq(spool_lowest_seq(s, (const uint8_t *)"aaaaaaaaaaaaaaaa"), 2);
	spool_give_up_below(s, (const uint8_t *)"aaaaaaaaaaaaaaaa", 3);
	ck_assert_lost(s, 2, 2, 20, false);
	spool_free(s);
	house_fini(&h);
}
END_TEST

START_TEST(one_agent_a_folder)
{
	struct house h;
	struct spool *s;
	struct err err = ERR_INIT;

	house_init(&h);
	s = house_open(&h);
	ck_assert_ptr_null(spool_new(&h.conf, &h.clock, &h.log, &err));
	ck_assert_int_eq(err.kind, ERR_FATAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "another agent"));
	spool_free(s);
	s = house_open(&h);
	spool_free(s);
	h.conf.dir = "/dev/null";
	ck_assert_ptr_null(spool_new(&h.conf, &h.clock, &h.log, &err));
	ck_assert_int_eq(err.kind, ERR_FATAL);
	house_fini(&h);
}
END_TEST

START_TEST(bytes_are_bounded_and_the_oldest_goes)
{
	struct house h;
	struct spool *s;

	house_init(&h);
	h.conf.max_bytes = 3 * (SPOOL_HEAD_BYTES + 9);
	s = house_open(&h);
	for (uint64_t seq = 1; seq <= 5; seq++)
		spool_attempted(s, put(s, seq, HOUSE_NOW_MS + (int64_t)seq));
	ck_assert_uint_eq(figures(s).payloads, 3);
	ck_assert_uint_eq(figures(s).dropped_samples, 30);
	ck_assert_lost(s, 1, 2, 30, true);
	ck_assert_int_eq(house_count(h.dir, ".tried"), 3);
	ck_assert_int_eq(house_count(h.dir, NULL), 5);
	spool_free(s);
	house_fini(&h);
}
END_TEST

static const struct {
	int64_t created_ms, at_ms; /* after HOUSE_NOW_MS */
	bool restart;              /* in between, so that mtime has to tell */
	bool lives;
} ages[] = {
	{0, 60000, false, true},
	{0, 60001, false, false},
	{0, 60001, true, false},
	{-50000, 10001, false, false},
	{500000, 60000, false, true}, /* in the future: from when it was put */
	{500000, 60001, false, false},
	{500000, 550000, false, false},
	{500000, 0, true, true},
};

START_TEST(age_is_bounded_whatever_the_clock_did)
{
	struct house h;
	struct spool *s;

	house_init(&h);
	h.conf.max_age_ms = 60000;
	s = house_open(&h);
	put(s, 1, HOUSE_NOW_MS + ages[_i].created_ms);
	if (ages[_i].restart) {
		spool_free(s);
		s = house_open(&h);
	}
	h.clock.start_ms += ages[_i].at_ms;
	spool_turn(s);
	ck_assert_uint_eq(figures(s).payloads, ages[_i].lives);
	ck_assert_uint_eq(lost(s).from_seq, !ages[_i].lives);
	spool_free(s);
	house_fini(&h);
}
END_TEST

START_TEST(a_file_system_that_is_too_full_is_left_alone)
{
	struct house h;
	struct spool *s;

	house_init(&h);
	s = house_open(&h);
	put(s, 1, HOUSE_NOW_MS);
	put(s, 2, HOUSE_NOW_MS);
	spool_free(s);
	h.conf.min_free = 1.5;
	s = house_open(&h);
	spool_turn(s);
	ck_assert_uint_eq(figures(s).payloads, 0);
	ck_assert_lost(s, 1, 2, 30, false);
	put(s, 3, HOUSE_NOW_MS);
	ck_assert_uint_eq(figures(s).in_memory, 1);
	ck_assert_int_eq(figures(s).state, SPOOL_FULL);
	ck_assert_int_eq(house_count(h.dir, ".payload"), 0);
	spool_free(s);
	house_fini(&h);
}
END_TEST

static const struct {
	int code;
	unsigned which;
	enum spool_state state;
} refusals[] = {
	{ENOSPC, 1U << SPOOL_CALL_CREATE, SPOOL_FULL}, {ENOSPC, 1U << SPOOL_CALL_WRITE, SPOOL_FULL}, {EDQUOT, 1U << SPOOL_CALL_SYNC, SPOOL_FULL},
	{EFBIG, 1U << SPOOL_CALL_WRITE, SPOOL_FULL},   {EROFS, 0, SPOOL_READ_ONLY},                  {EACCES, 0, SPOOL_READ_ONLY},
	{EIO, 1U << SPOOL_CALL_SYNC, SPOOL_FAILING},   {EIO, 1U << SPOOL_CALL_RENAME, SPOOL_FAILING},
};

START_TEST(memory_holds_what_the_disk_refuses_until_it_takes_again)
{
	struct house h;
	struct spool *s;
	bool attempted;

	house_init(&h);
	h.conf.memory_bytes = 3 * 9;
	s = house_open(&h);
	house_fail(&h, 1, 1UL << 40, refusals[_i].code);
	h.faults.which = refusals[_i].which;
	for (uint64_t seq = 1; seq <= 4; seq++)
		spool_attempted(s, put(s, seq, HOUSE_NOW_MS + (int64_t)seq));
	spool_turn(s);
	ck_assert_int_eq(figures(s).state, refusals[_i].state);
	ck_assert_uint_eq(figures(s).in_memory, 3);
	ck_assert_uint_eq(newest(s, NULL, &attempted), 4);
	ck_assert(attempted);
	ck_assert_lost(s, 1, 1, 10, true);
	house_heal(&h);
	spool_turn(s);
	spool_turn(s);
	ck_assert_int_eq(figures(s).state, SPOOL_DISK);
	ck_assert_str_eq(figures(s).why, "");
	ck_assert_uint_eq(figures(s).in_memory, 0);
	ck_assert_int_eq(house_count(h.dir, ".tried"), 3);
	ck_assert_int_eq(house_count(h.dir, NULL), 5);
	spool_free(s);
	house_fini(&h);
}
END_TEST

START_TEST(what_memory_held_is_a_loss_of_a_killed_process)
{
	struct house h;
	struct spool *s;

	house_init(&h);
	s = house_open(&h);
	house_fail(&h, 1, 1UL << 40, ENOSPC); /* the losses' file is there, and takes what it is told */
	h.faults.which = 1U << SPOOL_CALL_CREATE;
	put(s, 1, HOUSE_NOW_MS);
	spool_attempted(s, put(s, 2, HOUSE_NOW_MS));
	spool_done(s, put(s, 3, HOUSE_NOW_MS));
	house_fail(&h, 1, 1UL << 40, EIO);
	h.faults.which = 0;
	spool_free(s);
	house_heal(&h);
	s = house_open(&h);
	ck_assert_uint_eq(figures(s).payloads, 0);
	ck_assert(losses_has(spool_losses(s), (const uint8_t *)"aaaaaaaaaaaaaaaa", 1));
	ck_assert(losses_has(spool_losses(s), (const uint8_t *)"aaaaaaaaaaaaaaaa", 2));
	ck_assert(!losses_has(spool_losses(s), (const uint8_t *)"aaaaaaaaaaaaaaaa", 3));
	spool_free(s);
	house_fini(&h);
}
END_TEST

START_TEST(the_kernel_cuts_a_write_off)
{
	struct house h;
	struct spool *s;
	struct rlimit before, small;

	house_init(&h);
	s = house_open(&h);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = SPOOL_HEAD_BYTES + 4;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	put(s, 1, HOUSE_NOW_MS);
	ck_assert_uint_eq(figures(s).in_memory, 1);
	ck_assert_int_eq(figures(s).state, SPOOL_FULL);
	ck_assert_int_eq(house_count(h.dir, NULL), 2);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	spool_turn(s);
	spool_turn(s);
	ck_assert_int_eq(figures(s).state, SPOOL_DISK);
	ck_assert_int_eq(house_count(h.dir, ".payload"), 1);
	ck_assert_uint_eq(newest(s, NULL, NULL), 1);
	spool_free(s);
	house_fini(&h);
}
END_TEST

/* A payload's file, written without a sync, and by a layout that stands here a second time. */
static void write_file(const struct house *h, uint64_t seq)
{
	char path[512];
	uint8_t file[88 + 9] = "MRspool\n\1\0\0\0\x58\0\0\0aaaaaaaaaaaaaaaa";
	uint64_t words[6] = {seq, 1, HOUSE_NOW_MS, 10 * seq, 9, XXH3_64bits("body\0body", 9)}, sum;
	FILE *f;

	memcpy(file + 32, words, sizeof(words));
	sum = XXH3_64bits(file, 80);
	memcpy(file + 80, &sum, 8);
	memcpy(file + 88, "body\0body", 9);
	snprintf(path, sizeof(path), "%s/%016lld-61616161616161616161616161616161-%020llu.payload", h->dir, (long long)HOUSE_NOW_MS,
		 (unsigned long long)seq);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(file, 1, sizeof(file), f), sizeof(file));
	fclose(f);
}

START_TEST(many_files_are_taken_in)
{
	struct house h;
	struct spool *s;
	int64_t begun;

	house_init(&h);
	s = house_open(&h);
	spool_free(s);
	for (uint64_t seq = 1; seq <= 10000; seq++)
		write_file(&h, seq);
	begun = clock_mono_ms();
	s = house_open(&h);
	printf("10,000 files taken in after %lld ms\n", (long long)(clock_mono_ms() - begun));
	ck_assert_uint_eq(figures(s).payloads, 10000);
	ck_assert_uint_eq(newest(s, NULL, NULL), 10000);
	h.clock.start_ms += h.conf.max_age_ms + 1;
	spool_turn(s);
	ck_assert_uint_gt(figures(s).payloads, 9000); /* a turn is short */
	for (int i = 0; i < 50; i++)
		spool_turn(s);
	ck_assert_uint_eq(figures(s).payloads, 0);
	ck_assert_lost(s, 1, 10000, UINT64_C(10) * 10000 * 10001 / 2, false);
	ck_assert_int_eq(house_count(h.dir, NULL), 2);
	spool_free(s);
	house_fini(&h);
}
END_TEST

START_TEST(a_loss_that_cannot_be_saved_keeps_its_file)
{
	struct house h;
	struct spool *s;

	house_init(&h);
	s = house_open(&h);
	spool_attempted(s, put(s, 1, HOUSE_NOW_MS));
	house_fail(&h, 1, 1UL << 40, EIO);
	h.faults.which = 1U << SPOOL_CALL_WRITE;
	spool_give_up_below(s, (const uint8_t *)"aaaaaaaaaaaaaaaa", 2);
	spool_turn(s);
	h.faults.which = 0;
	spool_free(s);
	house_heal(&h);
	ck_assert_int_eq(house_count(h.dir, ".lost-tried"), 1);
	s = house_open(&h);
	ck_assert_uint_eq(figures(s).payloads, 0);
	ck_assert_lost(s, 1, 1, 10, true);
	ck_assert_int_eq(house_count(h.dir, NULL), 2);
	spool_free(s);
	house_fini(&h);
}
END_TEST

START_TEST(a_folder_that_cannot_be_opened_is_tried_again)
{
	struct house h;
	struct spool *s;

	house_init(&h);
	house_fail(&h, 1, 1UL << 40, EROFS);
	s = house_open(&h);
	ck_assert_int_eq(figures(s).state, SPOOL_READ_ONLY);
	put(s, 1, HOUSE_NOW_MS);
	spool_turn(s);
	ck_assert_uint_eq(figures(s).in_memory, 1);
	house_heal(&h);
	spool_turn(s);
	spool_turn(s);
	ck_assert_int_eq(figures(s).state, SPOOL_DISK);
	ck_assert_uint_eq(figures(s).in_memory, 0);
	ck_assert_uint_eq(newest(s, NULL, NULL), 1);
	spool_free(s);
	house_fini(&h);
}
END_TEST

START_TEST(rejected_ones_are_kept_apart_and_bounded)
{
	struct house h;
	struct spool *s;
	char aside[200];

	house_init(&h);
	s = house_open(&h);
	for (uint64_t seq = 1; seq <= 105; seq++)
		spool_reject(s, put(s, seq, HOUSE_NOW_MS), 400);
	snprintf(aside, sizeof(aside), "%s/rejected", h.dir);
	ck_assert_int_eq(house_count(aside, ".rejected-400"), 100);
	ck_assert_lost(s, 1, 105, 10 * 105 * 106 / 2, false);
	ck_assert_uint_eq(figures(s).rejected_payloads, 105);
	ck_assert_int_eq(house_count(h.dir, NULL), 2);
	spool_free(s);
	house_fini(&h);
}
END_TEST

static void plant(const struct house *h, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", h->dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

START_TEST(foreign_files_are_set_aside_and_others_left_alone)
{
	static const char stem[] = "0001795372012000-61616161616161616161616161616161-0000000000000000000";
	struct house h;
	struct spool *s;
	char name[300], from[512], aside[200];

	house_init(&h);
	s = house_open(&h);
	put(s, 1, HOUSE_NOW_MS);
	spool_free(s);
	snprintf(name, sizeof(name), "%s/%s4.payload", h.dir, stem); /* whole, but another's */
	ck_assert_int_eq(link(house_file(&h, ".payload", from), name), 0);
	plant(&h, "notes.txt", "mine");
	plant(&h, "x.payload", "");
	snprintf(name, sizeof(name), "%s2.tmp", stem);
	plant(&h, name, "half written");
	snprintf(name, sizeof(name), "%s3.payload", stem);
	plant(&h, name, "no payload at all");
	snprintf(name, sizeof(name), "%s/%s5.payload", h.dir, stem);
	ck_assert_int_eq(symlink(from, name), 0);
	s = house_open(&h);
	snprintf(aside, sizeof(aside), "%s/rejected", h.dir);
	ck_assert_int_eq(house_count(aside, ".torn"), 1);
	ck_assert_int_eq(house_count(aside, ".foreign"), 3);
	ck_assert_int_eq(house_count(h.dir, ".txt"), 1);
	ck_assert_int_eq(house_count(h.dir, NULL), 4);
	ck_assert_uint_eq(figures(s).set_aside_files, 4);
	ck_assert_uint_eq(newest(s, NULL, NULL), 1);
	ck_assert_lost(s, 3, 3, 0, false);
	spool_free(s);
	house_fini(&h);
}
END_TEST

START_TEST(a_copied_spool_may_have_been_sent)
{
	struct house h;
	struct spool *s, *copy;
	char command[600];
	bool attempted;

	house_init(&h);
	s = house_open(&h);
	put(s, 1, HOUSE_NOW_MS);
	snprintf(command, sizeof(command), "cp -a %s %s/copy", h.dir, h.path);
	ck_assert_int_eq(system(command), 0);
	snprintf(command, sizeof(command), "%s/copy", h.path);
	h.conf.dir = command;
	copy = house_open(&h); /* the lock is not copied */
	ck_assert_uint_eq(newest(copy, NULL, &attempted), 1);
	ck_assert(attempted);
	ck_assert_uint_eq(newest(s, NULL, &attempted), 1);
	ck_assert(!attempted);
	spool_free(copy);
	copy = house_open(&h);
	put(copy, 2, HOUSE_NOW_MS);
	ck_assert_uint_eq(newest(copy, NULL, &attempted), 2);
	ck_assert(!attempted);
	spool_free(copy);
	spool_free(s);
	house_fini(&h);
}
END_TEST

START_TEST(what_cannot_be_kept_is_a_loss)
{
	struct house h;
	struct spool *s;
	struct err err = ERR_INIT;
	struct envelope e = envelope(7, HOUSE_NOW_MS, STR("more than there is room for, on disk as in memory"));
	uint64_t id;

	house_init(&h);
	h.conf.max_bytes = 100;
	s = house_open(&h);
	ck_assert_int_eq(spool_put(s, &e, &id, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_lost(s, 7, 7, 70, false);
	e.seq = 0;
	ck_assert_int_eq(spool_put(s, &e, &id, &err), -1);
	ck_assert_lost(s, 7, 7, 70, false);
	spool_free(s);
	house_fini(&h);
}
END_TEST

START_TEST(a_payload_that_is_there_is_not_put_again)
{
	struct house h;
	struct spool *s;
	struct err err = ERR_INIT;
	struct envelope e = envelope(1, HOUSE_NOW_MS, STR("again"));
	uint64_t id;

	house_init(&h);
	s = house_open(&h);
	put(s, 1, HOUSE_NOW_MS);
	ck_assert_int_eq(spool_put(s, &e, &id, &err), -1);
	ck_assert_uint_eq(newest(s, NULL, NULL), 1);
	ck_assert_lost(s, 0, 0, 0, false);
	spool_free(s);
	house_fini(&h);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spool");
	TCase *tc = tcase_create("spool");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, newest_first_and_through_a_restart);
	tcase_add_test(tc, one_agent_a_folder);
	tcase_add_test(tc, bytes_are_bounded_and_the_oldest_goes);
	tcase_add_loop_test(tc, age_is_bounded_whatever_the_clock_did, 0, NR(ages));
	tcase_add_test(tc, a_file_system_that_is_too_full_is_left_alone);
	tcase_add_loop_test(tc, memory_holds_what_the_disk_refuses_until_it_takes_again, 0, NR(refusals));
	tcase_add_test(tc, what_memory_held_is_a_loss_of_a_killed_process);
	tcase_add_test(tc, the_kernel_cuts_a_write_off);
	tcase_add_test(tc, many_files_are_taken_in);
	tcase_add_test(tc, a_loss_that_cannot_be_saved_keeps_its_file);
	tcase_add_test(tc, a_folder_that_cannot_be_opened_is_tried_again);
	tcase_add_test(tc, rejected_ones_are_kept_apart_and_bounded);
	tcase_add_test(tc, foreign_files_are_set_aside_and_others_left_alone);
	tcase_add_test(tc, a_copied_spool_may_have_been_sent);
	tcase_add_test(tc, what_cannot_be_kept_is_a_loss);
	tcase_add_test(tc, a_payload_that_is_there_is_not_put_again);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
