/* test_losses.c - what is given up is told once, and is still known after any crash of the file's writing. */
#include "ingest/agent/losses.h"

#include <errno.h>

#include "ingest/agent/losses_file.h"
#include "tests/unit/agent/spool_house.h"

/* A short word for an agent_id. */
static struct loss loss(char agent, uint64_t from, uint64_t to, uint64_t samples, bool attempted)
{
	struct loss l = {.from_seq = from, .to_seq = to, .samples = samples, .attempted = attempted};

	memset(l.agent_id, agent, sizeof(l.agent_id));
	return l;
}

static void add(struct losses *l, char agent, uint64_t from, uint64_t to, uint64_t samples, bool attempted)
{
	struct loss one = loss(agent, from, to, samples, attempted);

	losses_add(l, &one);
}

static const uint8_t *id_of(char agent)
{
	static const uint8_t ids[3][ENVELOPE_AGENT_ID_BYTES] = {"aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "cccccccccccccccc"};

	return ids[agent - 'a'];
}

/* Takes all open ones for payload c/seq, as text: "a 1-3 30; b 1-1 5 attempted". */
static char *taken(struct losses *l, uint64_t seq, char out[4096])
{
	static const size_t max = 64;
	struct loss all[64];
	size_t n = losses_take(l, id_of('c'), seq, all, max), len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(out + len, 4096 - len, "%s%c %llu-%llu %llu%s", i ? "; " : "", all[i].agent_id[0],
					(unsigned long long)all[i].from_seq, (unsigned long long)all[i].to_seq,
					(unsigned long long)all[i].samples, all[i].attempted ? " attempted" : "");
	return out;
}

static const struct {
	const char *added; /* agent, from, to, samples, attempted (!) */
	const char *told;
} merges[] = {
	{"", ""},
	{"a1-1:10", "a 1-1 10"},
	{"a1-1:10 a2-2:5", "a 1-2 15"},
	{"a2-2:10 a1-1:5", "a 1-2 15"},
	{"a1-1:10 a3-3:5", "a 1-1 10; a 3-3 5"},
	{"a1-1:10 a3-3:5 a2-2:1", "a 1-3 16"}, /* closes the gap */
	{"a1-1:10 b2-2:5", "a 1-1 10; b 2-2 5"},
	{"a1-1:10 a2-2:5!", "a 1-1 10; a 2-2 5 attempted"},
	{"a1-1:10! a2-2:5!", "a 1-2 15 attempted"},
	{"a1-1:10 a1-1:10", "a 1-1 10"}, /* twice is once */
	{"a1-5:10 a3-3:2", "a 1-5 10"},
	{"b9-9:1 a4-4:1 b8-8:1", "b 8-9 2; a 4-4 1"}, /* oldest first */
};

static void add_all(struct losses *l, const char *text)
{
	unsigned from, to, samples;
	int n;

	for (; *text; text += *text == ' ') {
		char agent = *text;

		ck_assert_int_eq(sscanf(text + 1, "%u-%u:%u%n", &from, &to, &samples, &n), 3);
		text += 1 + n;
		add(l, agent, from, to, samples, *text == '!');
		text += *text == '!';
	}
}

START_TEST(neighbours_are_one_range)
{
	struct losses *l = losses_new();
	char text[4096];

	add_all(l, merges[_i].added);
	ck_assert(losses_open(l) == (merges[_i].told[0] != '\0'));
	ck_assert_str_eq(taken(l, 1, text), merges[_i].told);
	ck_assert(!losses_open(l));
	losses_free(l);
}
END_TEST

START_TEST(a_carrier_has_them_until_it_is_acknowledged_or_lost)
{
	struct losses *l = losses_new();
	struct losses_figures f;
	char text[4096];

	add(l, 'a', 1, 1, 10, false);
	ck_assert_str_eq(taken(l, 7, text), "a 1-1 10");
	add(l, 'a', 2, 2, 5, false); /* what is carried does not change */
	ck_assert(losses_has(l, id_of('a'), 1) && losses_has(l, id_of('a'), 2) && !losses_has(l, id_of('a'), 3));
	ck_assert_str_eq(taken(l, 8, text), "a 2-2 5");
	losses_acknowledged(l, id_of('a'), 7); /* another agent's 7 */
	losses_give_back(l, id_of('c'), 7);
	losses_give_back(l, id_of('c'), 8);
	ck_assert_str_eq(taken(l, 9, text), "a 1-2 15");
	losses_figures(l, &f);
	ck_assert_uint_eq(f.ranges, 1);
	ck_assert_uint_eq(f.payloads, 2);
	ck_assert_uint_eq(f.samples, 15);
	losses_move(l, id_of('c'), 9, id_of('b'), 1);
	losses_acknowledged(l, id_of('c'), 9);
	ck_assert(losses_has(l, id_of('a'), 1));
	losses_acknowledged(l, id_of('b'), 1);
	ck_assert(!losses_has(l, id_of('a'), 1));
	losses_free(l);
}
END_TEST

START_TEST(beyond_the_bound_ranges_become_one_and_say_so)
{
	struct losses *l = losses_new();
	struct losses_figures f;
	struct loss one[2];

	for (uint64_t i = 0; i < LOSSES_MAX; i++)
		add(l, 'a', 1 + 2 * i, 1 + 2 * i, 3, false);
	add(l, 'b', 1, 1, 5, false);
	losses_figures(l, &f);
	ck_assert_uint_eq(f.ranges, 2);
	ck_assert_uint_eq(f.samples, 3 * LOSSES_MAX + 5);
	add(l, 'a', 2, 2, 4, false); /* in between: one of the loose range */
	ck_assert_uint_eq(losses_take(l, id_of('c'), 1, one, 2), 2);
	ck_assert(one[0].attempted && one[0].from_seq == 1 && one[0].to_seq == 2 * LOSSES_MAX - 1);
	ck_assert_uint_eq(one[0].samples, 3 * LOSSES_MAX + 4);
	ck_assert(!one[1].attempted && one[1].samples == 5);
	ck_assert(!losses_has(l, id_of('a'), 2));
	losses_free(l);
}
END_TEST

START_TEST(what_has_no_name_left_is_summed_up)
{
	struct losses *l = losses_new();
	struct losses_figures f;

	for (uint32_t i = 0; i < LOSSES_MAX + 10; i++) {
		struct loss one = loss('a', 1, 2, 3, false);

		memcpy(one.agent_id, &i, sizeof(i));
		losses_add(l, &one);
	}
	losses_figures(l, &f);
	ck_assert_uint_eq(f.ranges, LOSSES_MAX);
	ck_assert_uint_eq(f.unnamed_payloads, 20);
	ck_assert_uint_eq(f.unnamed_samples, 30);
	losses_free(l);
}
END_TEST

START_TEST(sums_do_not_wrap)
{
	struct losses *l = losses_new();
	struct loss one;

	add(l, 'a', 1, 1, INT64_MAX - 1, false);
	add(l, 'a', 2, 2, UINT64_MAX, false);
	ck_assert_uint_eq(losses_take(l, id_of('c'), 1, &one, 1), 1);
	ck_assert_uint_eq(one.samples, INT64_MAX);
	losses_free(l);
}
END_TEST

struct desk {
	struct house house;
	int fd;
};

static void desk_init(struct desk *d)
{
	house_init(&d->house);
	ck_assert_int_eq(mkdir(d->house.dir, 0700), 0);
	d->fd = open(d->house.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void desk_fini(struct desk *d)
{
	close(d->fd);
	house_fini(&d->house);
}

static enum losses_place nowhere(void *ctx, const uint8_t *agent_id, uint64_t seq)
{
	(void)agent_id;
	return ctx ? *(const uint64_t *)ctx == seq ? LOSSES_ON_DISK : LOSSES_NOWHERE : LOSSES_NOWHERE;
}

START_TEST(they_come_back_from_the_file)
{
	struct desk d;
	struct losses *l = losses_new(), *again = losses_new();
	struct envelope at_risk = {.agent_id = "bbbbbbbbbbbbbbb", .seq = 3, .samples = 8}, saved = {.agent_id = "bbbbbbbbbbbbbbb", .seq = 6};
	struct err err = ERR_INIT;
	uint64_t spooled = 6;
	char text[4096];

	desk_init(&d);
	add(l, 'a', 1, 1, 10, false);
	taken(l, 6, text);
	add(l, 'a', 2, 2, 5, true);
	taken(l, 7, text);
	at_risk.agent_id[15] = saved.agent_id[15] = 'b';
	ck_assert(losses_at_risk(l, &at_risk));
	at_risk.attempted = true;
	ck_assert(losses_at_risk(l, &at_risk) && losses_at_risk(l, &saved));
	ck_assert_int_eq(losses_save(l, &d.house.io, d.fd, true, &err), 0);
	ck_assert_int_eq(losses_load(again, &d.house.io, d.fd, &err), 0);
	losses_settle(again, nowhere, &spooled); /* payload 6 is there, 7 and 3 are not */
	ck_assert_str_eq(taken(again, 9, text), "a 2-2 5 attempted; b 3-3 8 attempted");
	ck_assert(losses_has(again, id_of('a'), 1));
	ck_assert(!losses_has(again, id_of('b'), 6));
	losses_free(l);
	losses_free(again);
	desk_fini(&d);
}
END_TEST

/* What a start finds: the ranges of agent a. */
static uint64_t found(struct desk *d)
{
	struct losses *l = losses_new();
	struct losses_figures f;
	struct err err = ERR_INIT;

	ck_assert_msg(losses_load(l, NULL, d->fd, &err) == 0, "%s", err.msg);
	losses_figures(l, &f);
	losses_free(l);
	return f.payloads;
}

/* _i: the call that fails, from 1 on; the file is new, or has two copies. */
START_TEST(any_call_of_a_save_may_fail)
{
	struct desk d;
	struct losses *l = losses_new();
	struct err err = ERR_INIT;
	uint64_t before = 0;
	int rc;

	desk_init(&d);
	for (uint64_t seq = 1; seq <= 5; seq++) {
		add(l, 'a', seq, seq, 1, false);
		house_fail(&d.house, (unsigned long)_i, 1UL << 40, ENOSPC);
		rc = losses_save(l, &d.house.io, d.fd, true, &err);
		ck_assert_int_eq(rc, d.house.faults.fired ? -1 : 0);
		ck_assert_uint_ge(found(&d), before);
		ck_assert_uint_le(found(&d), seq);
		house_heal(&d.house);
		ck_assert_int_eq(losses_save(l, &d.house.io, d.fd, true, &err), 0);
		before = found(&d);
		ck_assert_uint_eq(before, seq);
	}
	losses_free(l);
	desk_fini(&d);
}
END_TEST

START_TEST(a_damaged_copy_is_not_believed)
{
	struct desk d;
	struct losses *l = losses_new();
	struct err err = ERR_INIT;
	char path[200];
	int fd;

	desk_init(&d);
	snprintf(path, sizeof(path), "%s/losses", d.house.dir);
	ck_assert_int_eq(losses_save(l, NULL, d.fd, false, &err), -1);
	ck_assert_int_eq(errno, ENOENT);
	for (uint64_t seq = 1; seq <= 2; seq++) {
		add(l, 'a', seq, seq, 1, false);
		ck_assert_int_eq(losses_save(l, NULL, d.fd, true, &err), 0);
	}
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (off_t at = 0; at < 32 + 16 + 72; at++) { /* generation 2 stands first */
		uint8_t byte, bad;

		ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
		bad = byte ^ (uint8_t)(1 << at % 8);
		ck_assert_int_eq(pwrite(fd, &bad, 1, at), 1);
		ck_assert_uint_eq(found(&d), 1);
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	}
	ck_assert_uint_eq(found(&d), 2);
	ck_assert_int_eq(ftruncate(fd, 50), 0);
	close(fd);
	losses_free(l);
	l = losses_new();
	ck_assert_int_eq(losses_load(l, NULL, d.fd, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_int_eq(losses_save(l, NULL, d.fd, true, &err), 0);
	ck_assert_uint_eq(found(&d), 0);
	losses_free(l);
	desk_fini(&d);
}
END_TEST

START_TEST(no_more_are_at_risk_than_fit)
{
	struct losses *l = losses_new();
	struct envelope e = {.samples = 1};

	for (e.seq = 1; e.seq <= LOSSES_AT_RISK_MAX; e.seq++)
		ck_assert(losses_at_risk(l, &e));
	ck_assert(!losses_at_risk(l, &e));
	losses_safe(l, e.agent_id, 5);
	ck_assert(losses_at_risk(l, &e));
	losses_free(l);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("losses");
	TCase *tc = tcase_create("losses");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, neighbours_are_one_range, 0, NR(merges));
	tcase_add_test(tc, a_carrier_has_them_until_it_is_acknowledged_or_lost);
	tcase_add_test(tc, beyond_the_bound_ranges_become_one_and_say_so);
	tcase_add_test(tc, what_has_no_name_left_is_summed_up);
	tcase_add_test(tc, sums_do_not_wrap);
	tcase_add_test(tc, they_come_back_from_the_file);
	tcase_add_loop_test(tc, any_call_of_a_save_may_fail, 1, 26);
	tcase_add_test(tc, a_damaged_copy_is_not_believed);
	tcase_add_test(tc, no_more_are_at_risk_than_fit);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
