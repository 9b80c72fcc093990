/* test_tail_line.c - lines of records whose fields are known, and of damaged ones: those the generated decoder takes have a value, no others, and no byte of any
 * line can move a terminal. */
#include "deploy/ctl/tail_line.h"

#include <stdlib.h>
#include <string.h>

#include "schemas/schemas.h"
#include "tests/unit/unit.h"

enum { DAMAGED = 5000 };

#define EVIL "a\033[2J\x7f\xc2\x9b" "31m\n"

static struct buf an_aggregate(void)
{
	int64_t counts[] = {1, 2};
	struct tag tags[] = {{STR("host"), STR(EVIL)}};
	struct aggregate a = {.site = STR("shop"), .name = STR(EVIL), .tags = tags, .tags_len = 1, .window_start = 1795371600000, .window_ms = 60000, .count = 3, .sum = 1.5,
			      .has_min = true, .min = -1, .has_histogram = true, .histogram = {.counts = counts, .counts_len = 2}};
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(a.fingerprint); i++)
		a.fingerprint[i] = (uint8_t)i;
	ck_assert_int_eq(aggregate_encode(&a, &out, &err), 0);
	return out;
}

static int line_of(struct record_reader *reader, const struct tail_style *style, struct str value, struct buf *out)
{
	const struct tail_record record = {"millrace.c.main.hourly", 2, 41, 1795371600123, STR("\1\2"), value};
	struct err err = ERR_INIT;
	int rc = tail_line(reader, style, &record, out, &err);

	ck_assert_msg(rc >= 0, "%s", err.msg);
	buf_add(out, "", 1);
	return rc;
}

static struct record_reader *a_reader(void)
{
	struct err err = ERR_INIT;
	struct record_reader *reader = record_reader_new(&err);

	ck_assert_ptr_nonnull(reader);
	return reader;
}

/* One line, and no control character in it. */
static void check_harmless(const struct buf *line)
{
	size_t n = line->len - 1; /* without its NUL */

	ck_assert(n > 0 && line->p[n - 1] == '\n');
	for (size_t i = 0; i + 1 < n; i++) {
		ck_assert_msg(line->p[i] >= 0x20 && line->p[i] != 0x7f, "%02x at %zu of %s", line->p[i], i, (const char *)line->p);
		ck_assert(line->p[i] != 0xc2 || line->p[i + 1] >= 0xa0);
	}
}

START_TEST(json_is_the_whole_record)
{
	static const char expected[] =
		"{\"topic\":\"millrace.c.main.hourly\",\"partition\":2,\"offset\":41,\"timestamp\":1795371600123,\"key\":\"0102\",\"schema_id\":4,\"record\":\"Aggregate\",\"value\":{";
	static const char *const parts[] = {
		"\"fingerprint\":\"000102030405060708090a0b0c0d0e0f\"", "\"name\":\"a\\u001B[2J\\u007f\\u009b31m\\n\"", "\"kind\":\"counter\"", "\"tags\":{\"host\":\"a\\u001B",
		"\"window_start\":1795371600000", "\"sum\":1.5", "\"min\":-1,\"max\":null", "\"counts\":[1,2]",
	};
	const struct tail_style style = {.json = true};
	struct record_reader *reader = a_reader();
	struct buf message = an_aggregate(), line = BUF_INIT;

	ck_assert_int_eq(line_of(reader, &style, buf_str(&message), &line), TAIL_SHOWN);
	ck_assert_msg(strncmp((char *)line.p, expected, sizeof(expected) - 1) == 0, "%s", (char *)line.p);
	for (size_t i = 0; i < NR(parts); i++)
		ck_assert_msg(strstr((char *)line.p, parts[i]) != NULL, "no %s in %s", parts[i], (char *)line.p);
	check_harmless(&line);
	buf_fini(&line);
	buf_fini(&message);
	record_reader_free(reader);
}
END_TEST

START_TEST(a_line_for_people)
{
	const struct tail_style style = {0};
	struct record_reader *reader = a_reader();
	struct buf message = an_aggregate(), line = BUF_INIT;

	ck_assert_int_eq(line_of(reader, &style, buf_str(&message), &line), TAIL_SHOWN);
	ck_assert_msg(strstr((char *)line.p, "Z  2/41  Aggregate  ") && strstr((char *)line.p, "site=shop  ") && strstr((char *)line.p, "window_start=2026-11-2"), "%s",
		      (char *)line.p);
	check_harmless(&line);
	buf_fini(&line);
	buf_fini(&message);
	record_reader_free(reader);
}
END_TEST

static const struct { const char *site, *name; enum tail_verdict verdict; } filters[] = {
	{NULL, NULL, TAIL_SHOWN}, {"shop", NULL, TAIL_SHOWN}, {"shops", NULL, TAIL_OTHER}, {NULL, EVIL, TAIL_SHOWN}, {NULL, "shop", TAIL_OTHER}, {"shop", "a", TAIL_OTHER},
};

START_TEST(filtered)
{
	const struct tail_style style = {.site = filters[_i].site, .name = filters[_i].name};
	struct record_reader *reader = a_reader();
	struct buf message = an_aggregate(), line = BUF_INIT;

	ck_assert_int_eq(line_of(reader, &style, buf_str(&message), &line), filters[_i].verdict);
	ck_assert_int_eq(line.len > 1, filters[_i].verdict == TAIL_SHOWN);
	buf_fini(&line);
	/* What cannot be read may be anybody's. */
	ck_assert_int_eq(line_of(reader, &style, STR("junk"), &line), TAIL_UNREAD);
	buf_fini(&line);
	buf_fini(&message);
	record_reader_free(reader);
}
END_TEST

static void damage(struct buf *message)
{
	for (int n = 1 + rand() % 4; n > 0; n--)
		message->p[5 + (size_t)rand() % (message->len - 5)] = (uint8_t)rand();
	if (rand() % 4 == 0)
		message->len -= (size_t)rand() % (message->len - 5);
}

START_TEST(damaged_records)
{
	struct record_reader *reader = a_reader();
	int taken = 0;

	for (int i = 0; i < DAMAGED; i++) {
		const struct tail_style style = {.json = i % 2};
		struct buf message = an_aggregate(), line = BUF_INIT;
		struct arena arena = ARENA_INIT;
		struct aggregate a;
		bool good;

		damage(&message);
		good = aggregate_decode(buf_str(&message), &arena, &a, NULL) == 0;
		ck_assert_int_eq(line_of(reader, &style, buf_str(&message), &line), good ? TAIL_SHOWN : TAIL_UNREAD);
		check_harmless(&line);
		taken += good;
		arena_fini(&arena);
		buf_fini(&line);
		buf_fini(&message);
	}
	ck_assert_int_gt(taken, DAMAGED / 100);
	record_reader_free(reader);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/tail_line");
	TCase *t = tcase_create("tail_line");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, json_is_the_whole_record);
	tcase_add_test(t, a_line_for_people);
	tcase_add_loop_test(t, filtered, 0, NR(filters));
	tcase_add_test(t, damaged_records);
	suite_add_tcase(s, t);
	return unit_main(s);
}
