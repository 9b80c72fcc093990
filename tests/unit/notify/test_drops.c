/* test_drops.c - which control is charged with what was thrown away, and when it is told of. */
#include "sink/notify/drops.h"

#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/common/control_records.h"

struct bench {
	struct clock clock;
	struct controls *controls;
	struct drops drops;
	struct log log;
	char text[8192];
};

static void bench_init(struct bench *b)
{
	struct err err = ERR_INIT;

	memset(b, 0, sizeof(*b));
	b->clock = still_clock();
	b->controls = controls_new(&b->clock, CONTROL_PROGRAM_NOTIFY, &err);
	ck_assert_msg(b->controls != NULL, "%s", err.msg);
	b->log = (struct log){.fd = memfd_create("log", MFD_CLOEXEC), .level = LOG_LEVEL_INFO, .program = "millrace-test"};
}

static void bench_fini(struct bench *b)
{
	controls_free(b->controls);
	close(b->log.fd);
}

static void set(struct bench *b, enum control_action action, const char *cell, const char *site, const char *reason)
{
	struct control c = {.on = CONTROL_PROGRAM_NOTIFY, .action = action, .has_cell = cell, .cell = str_from(cell), .has_site = site,
			    .site = str_from(site), .reason = str_from(reason), .author = STR("ann"), .created_at = NOON_MS,
			    .expires_at = NOON_MS + HOUR_MS};
	char id[CONTROL_ID_SIZE];
	struct err err = ERR_INIT;

	ck_assert_int_eq(control_make_id(&c, id, &err), 0);
	c.id = str_from(id);
	ck_assert_msg(controls_put(b->controls, &c, &err) == CONTROLS_DONE, "%s", err.msg);
	ck_assert_int_eq(drops_follow(&b->drops, b->controls, "main", &err), 0);
}

static void clear(struct bench *b, const char *id)
{
	struct err err = ERR_INIT;

	ck_assert_int_eq(controls_clear(b->controls, str_from(id), &err), CONTROLS_DONE);
	ck_assert_int_eq(drops_follow(&b->drops, b->controls, "main", &err), 0);
}

static const struct drop *drop_of(const struct bench *b, const char *id)
{
	for (size_t i = 0; i < b->drops.nr; i++)
		if (strcmp(b->drops.drop[i].id, id) == 0)
			return &b->drops.drop[i];
	return NULL;
}

/* How many Notices at this time; their lines are in text. */
static int told(struct bench *b, bool waiting, int64_t mono_ms)
{
	int n = 0;
	ssize_t len;

	ck_assert_int_eq(ftruncate(b->log.fd, 0), 0);
	lseek(b->log.fd, 0, SEEK_SET);
	drops_tell(&b->drops, NULL, &b->log, "main", waiting, mono_ms);
	len = pread(b->log.fd, b->text, sizeof(b->text) - 1, 0);
	b->text[len < 0 ? 0 : len] = '\0';
	for (const char *p = b->text; (p = strstr(p, "alerts_dropped")) != NULL; p++)
		n++;
	return n;
}

START_TEST(the_narrowest_control_is_charged)
{
	struct bench b;

	bench_init(&b);
	drops_count(&b.drops, STR("shop"), 1, 1); /* none is in force */
	set(&b, CONTROL_ACTION_PAUSE, NULL, "shop", "no drop");
	ck_assert_uint_eq(b.drops.nr, 0);
	set(&b, CONTROL_ACTION_DROP, "other", NULL, "another cell's");
	ck_assert_uint_eq(b.drops.nr, 0);
	set(&b, CONTROL_ACTION_DROP, "main", NULL, "all");
	set(&b, CONTROL_ACTION_DROP, NULL, "shop", "one");
	ck_assert_uint_eq(b.drops.nr, 2);
	drops_count(&b.drops, STR("shop"), 3, 0);
	drops_count(&b.drops, STR("blog"), 5, 1);
	drops_count(&b.drops, STR("shop"), 0, 7);
	ck_assert_uint_eq(drop_of(&b, "notify/drop/site=shop")->alerts_total, 3);
	ck_assert_uint_eq(drop_of(&b, "notify/drop/site=shop")->notifications_total, 7);
	ck_assert_uint_eq(drop_of(&b, "notify/drop/cell=main")->alerts_total, 5);
	ck_assert_uint_eq(drop_of(&b, "notify/drop/cell=main")->notifications_total, 1);
	clear(&b, "notify/drop/site=shop");
	drops_count(&b.drops, STR("shop"), 10, 0);
	ck_assert_uint_eq(drop_of(&b, "notify/drop/cell=main")->alerts_total, 15);
	ck_assert_uint_eq(drop_of(&b, "notify/drop/site=shop")->alerts_total, 3);
	bench_fini(&b);
}
END_TEST

START_TEST(told_when_empty_every_ten_seconds_and_at_the_end)
{
	struct bench b;

	bench_init(&b);
	set(&b, CONTROL_ACTION_DROP, "main", NULL, "a storm");
	ck_assert_int_eq(told(&b, true, 1000), 0); /* nothing to tell */
	drops_count(&b.drops, STR("shop"), 4, 0);
	ck_assert_int_eq(told(&b, true, 1000 + DROPS_TELL_MS - 1), 0); /* more is waiting */
	ck_assert_int_eq(told(&b, true, 1000 + DROPS_TELL_MS), 1);
	ck_assert_int_eq(told(&b, false, 1000 + DROPS_TELL_MS + 1), 0); /* nothing new */
	drops_count(&b.drops, STR("shop"), 6, 2);
	ck_assert_int_eq(told(&b, false, 1000 + DROPS_TELL_MS + 2), 1); /* that was all */
	ck_assert_ptr_nonnull(strstr(b.text, "alerts=10"));
	ck_assert_ptr_nonnull(strstr(b.text, "notifications=2"));
	ck_assert_ptr_nonnull(strstr(b.text, "author=ann"));
	ck_assert_ptr_nonnull(strstr(b.text, "a storm"));
	drops_count(&b.drops, STR("shop"), 1, 0);
	ck_assert_int_eq(told(&b, false, 1000 + DROPS_TELL_MS + 3), 0); /* one by one is not told of one by one */
	clear(&b, "notify/drop/cell=main");
	ck_assert_int_eq(told(&b, true, 1000 + DROPS_TELL_MS + 4), 1);
	ck_assert_ptr_nonnull(strstr(b.text, "alerts=11"));
	ck_assert_uint_eq(b.drops.nr, 0);
	set(&b, CONTROL_ACTION_DROP, "main", NULL, "again");
	clear(&b, "notify/drop/cell=main");
	ck_assert_int_eq(told(&b, false, 1000 + 9 * DROPS_TELL_MS), 0); /* it has thrown nothing away */
	bench_fini(&b);
}
END_TEST

/* Expiry is nobody's word. */
START_TEST(an_expired_control_is_told_of_and_forgotten)
{
	struct err err = ERR_INIT;
	struct bench b;

	bench_init(&b);
	set(&b, CONTROL_ACTION_DROP, NULL, NULL, "a storm");
	drops_count(&b.drops, STR("shop"), 4, 0);
	b.clock.start_ms += HOUR_MS + 1;
	ck_assert_int_eq(drops_follow(&b.drops, b.controls, "main", &err), 0);
	drops_count(&b.drops, STR("shop"), 4, 0);
	ck_assert_int_eq(told(&b, true, 1000), 1);
	ck_assert_ptr_nonnull(strstr(b.text, "alerts=4"));
	ck_assert_uint_eq(b.drops.nr, 0);
	bench_fini(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("drops");
	TCase *tc = tcase_create("drops");

	tcase_add_test(tc, the_narrowest_control_is_charged);
	tcase_add_test(tc, told_when_empty_every_ten_seconds_and_at_the_end);
	tcase_add_test(tc, an_expired_control_is_told_of_and_forgotten);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
