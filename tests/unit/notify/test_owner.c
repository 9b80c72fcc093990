/* test_owner.c - members of the group on the mock cluster: there is one owner, it is told before it is one no more, and its metadata is good to commit with. */
#include "sink/notify/owner.h"

#include <poll.h>

#include "common/clock.h"
#include "common/events.h"
#include "common/member.h"
#include "tests/unit/common/kafka_mock.h"

enum { WAIT_MS = 60000, TURN_MS = 20, CLOSE_MS = 10000, PARTITIONS = 3 };

struct instance {
	struct program program;
	struct owner *owner;
	int wake_fd, leavings, lost;
	bool active_when_leaving;
};

static void on_leaving(void *ctx, bool lost)
{
	struct instance *i = ctx;

	i->leavings++;
	i->lost += lost;
	i->active_when_leaving = owner_tenure(i->owner)->mine;
}

static void join(struct instance *i, const struct mock *mock)
{
	struct err err = ERR_INIT;

	*i = (struct instance){.program = mock->program, .wake_fd = events_wake_fd(&err)};
	i->owner = owner_new(&i->program, PARTITIONS, i->wake_fd, on_leaving, i, &err);
	ck_assert_msg(i->owner != NULL, "%s", err.msg);
	ck_assert_ptr_null(owner_group(i->owner));
	ck_assert(!owner_joined(i->owner));
}

static void turn(struct instance *i)
{
	struct err err = ERR_INIT;

	if (i->owner)
		ck_assert_msg(owner_turn(i->owner, &err) == 0, "%s", err.msg);
}

static bool is_mine(const struct instance *i)
{
	return i->owner && owner_tenure(i->owner)->mine;
}

/* Turns both until want() or time is up. */
static void until(struct instance *a, struct instance *b, bool (*want)(const struct instance *, const struct instance *))
{
	for (int64_t end = clock_mono_ms() + WAIT_MS; !want(a, b) && clock_mono_ms() < end;) {
		turn(a);
		turn(b);
		poll(NULL, 0, TURN_MS);
	}
	ck_assert(want(a, b));
}

static bool first_is_owner(const struct instance *a, const struct instance *b)
{
	return is_mine(a) && !is_mine(b);
}

static bool second_is_owner(const struct instance *a, const struct instance *b)
{
	(void)a;
	return is_mine(b);
}

static bool both_have_joined(const struct instance *a, const struct instance *b)
{
	return owner_joined(a->owner) && owner_joined(b->owner);
}

START_TEST(one_owner_at_a_time)
{
	char cell[] = "main", dynamic[] = "";
	struct instance a, b = {0};
	struct mock mock;
	uint64_t term;

	mock_init(&mock);
	mock.program.common.cell = cell;
	mock.program.common.instance_id = dynamic;
	mock_topic(&mock, "millrace.c.main.incidents", 1);
	mock_topic(&mock, "millrace.c.main.sent", 1);
	mock_topic(&mock, "millrace.c.main.alerts", PARTITIONS);
	join(&a, &mock);
	until(&a, &b, first_is_owner);
	ck_assert(member_is_valid(owner_group(a.owner)));
	ck_assert_int_eq(tenure_phase(owner_tenure(a.owner), clock_mono_ms()), TENURE_ACQUIRING);
	tenure_acquired(owner_tenure(a.owner));
	term = owner_tenure(a.owner)->term;
	join(&b, &mock);
	until(&a, &b, both_have_joined);
	ck_assert(first_is_owner(&a, &b)); /* who joins takes nothing away, and ends no term */
	ck_assert_uint_eq(owner_tenure(a.owner)->term, term);
	ck_assert_int_eq(a.leavings, 0);
	ck_assert(member_is_valid(owner_group(a.owner)));
	owner_free(a.owner, CLOSE_MS);
	a.owner = NULL;
	ck_assert_int_eq(a.leavings, 0); /* who leaves knows it */
	until(&a, &b, second_is_owner);
	ck_assert(member_is_valid(owner_group(b.owner)));
	owner_free(b.owner, CLOSE_MS);
	fflush(NULL);
	_exit(EXIT_SUCCESS); /* as the program does: clients without an assignment are not torn down */
}
END_TEST

/* Two partitions of incidents would make two owners. */
START_TEST(topics_that_do_not_fit_are_named)
{
	static const struct { const char *topic; int partitions[3]; } cases[] = {
		{"millrace.c.main.incidents", {2, 1, PARTITIONS}}, {"millrace.c.main.sent", {1, 2, PARTITIONS}}, {"millrace.c.main.alerts", {1, 1, PARTITIONS + 1}}};
	char cell[] = "main", dynamic[] = "";
	struct err err = ERR_INIT;
	struct mock mock;
	struct owner *owner;

	mock_init(&mock);
	mock.program.common.cell = cell;
	mock.program.common.instance_id = dynamic;
	mock_topic(&mock, "millrace.c.main.incidents", cases[_i].partitions[0]);
	mock_topic(&mock, "millrace.c.main.sent", cases[_i].partitions[1]);
	mock_topic(&mock, "millrace.c.main.alerts", cases[_i].partitions[2]);
	owner = owner_new(&mock.program, PARTITIONS, -1, on_leaving, NULL, &err);
	ck_assert_ptr_null(owner);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_ptr_nonnull(strstr(err.msg, cases[_i].topic));
	mock_fini(&mock);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("owner");
	TCase *tc = tcase_create("owner");

	tcase_add_test(tc, one_owner_at_a_time);
	tcase_add_loop_test(tc, topics_that_do_not_fit_are_named, 0, 3);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
