/* test_tail_last.c - the newest lines of many partitions against a sort of all of them, and what a short name of a topic means. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "deploy/ctl/tail.h"
#include "tests/unit/unit.h"

enum { ROUNDS = 300, LINES_MAX = 60 };

struct row {
	struct tail_record record;
	char text[48];
};

static int by_time(const void *a, const void *b)
{
	const struct tail_record *x = &((const struct row *)a)->record, *y = &((const struct row *)b)->record;

	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	if (x->partition != y->partition)
		return x->partition < y->partition ? -1 : 1;
	return x->offset < y->offset ? -1 : 1;
}

static void fill(struct row *rows, size_t nr, struct tail_last *last)
{
	for (size_t i = 0; i < nr; i++) {
		struct buf text = BUF_INIT;

		rows[i].record = (struct tail_record){.partition = rand() % 3, .offset = (int64_t)i, .at_ms = rand() % 20};
		snprintf(rows[i].text, sizeof(rows[i].text), "line %zu\n", i);
		buf_printf(&text, "%s", rows[i].text);
		tail_last_add(last, &rows[i].record, i % 2, &text);
		ck_assert_ptr_null(text.p);
	}
}

START_TEST(the_newest_in_order)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct row rows[LINES_MAX];
		struct tail_last last;
		struct err err = ERR_INIT;
		size_t nr = (size_t)rand() % LINES_MAX, max = 1 + (size_t)rand() % 20;

		ck_assert_int_eq(tail_last_init(&last, max, &err), 0);
		fill(rows, nr, &last);
		qsort(rows, nr, sizeof(rows[0]), by_time);
		ck_assert_uint_eq(last.nr, nr < max ? nr : max);
		for (size_t i = 0; i < last.nr; i++) {
			const struct row *expected = &rows[nr - last.nr + i];
			bool unread;

			ck_assert(str_eq(tail_last_line(&last, i, &unread), str_from(expected->text)));
			ck_assert_int_eq(unread, expected->record.offset % 2);
		}
		tail_last_fini(&last);
	}
}
END_TEST

static const struct topic_state there[] = {
	{.name = "millrace.c.eu.hourly"}, {.name = "millrace.c.eu.samples"}, {.name = "millrace.c.main.samples"}, {.name = "millrace.c.main.samples-state"}, {.name = "millrace.cells"},
};

static const struct { const char *word, *cell, *found; } words[] = {
	{"millrace.c.eu.samples", NULL, "millrace.c.eu.samples"},
	{"millrace.c.eu.samples", "main", "millrace.c.eu.samples"},
	{"c.main.samples", NULL, "millrace.c.main.samples"},
	{"cells", NULL, "millrace.cells"},
	{"samples", "main", "millrace.c.main.samples"},
	{"samples", NULL, NULL},
	{"hourly", NULL, "millrace.c.eu.hourly"},
	{"samples-state", NULL, "millrace.c.main.samples-state"},
	{"state", NULL, NULL},
	{"hourly", "main", NULL},
	{"cells", "main", NULL},
	{"", NULL, NULL},
	{"nothing", NULL, NULL},
};

START_TEST(names)
{
	struct topic_state topics[NR(there)];
	const struct topic_list list = {.topics = memcpy(topics, there, sizeof(there)), .nr = NR(there)};
	struct err err = ERR_INIT;
	const struct topic_state *found = tail_find_topic(&list, words[_i].word, words[_i].cell, &err);

	ck_assert_msg(!found == !words[_i].found, "%s: %s", words[_i].word, found ? found->name : err.msg);
	if (found)
		ck_assert_str_eq(found->name, words[_i].found);
	else
		ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/tail_last");
	TCase *t = tcase_create("tail_last");

	tcase_add_test(t, the_newest_in_order);
	tcase_add_loop_test(t, names, 0, NR(words));
	suite_add_tcase(s, t);
	return unit_main(s);
}
