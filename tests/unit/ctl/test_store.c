/* test_store.c - rows to items: replacing, deleting, and what cannot be read. */
#include "deploy/ctl/store.h"

#include <string.h>

#include "tests/unit/ctl/random_store.h"

static struct table_row row(struct str key, struct str value)
{
	return (struct table_row){.key = key, .value = value, .timestamp_ms = 77, .offset = 5};
}

static struct buf encoded_cell(struct str name, int32_t partitions)
{
	struct cell cell = {.name = name, .partitions = partitions};
	struct buf value = BUF_INIT;

	ck_assert_int_eq(cell_encode(&cell, &value, NULL), 0);
	return value;
}

static void take(struct store *s, enum store_kind kind, struct str key, struct str value)
{
	struct table_row r = row(key, value);
	struct err err = ERR_INIT;

	ck_assert_msg(store_take_row(s, kind, &r, &err) == 0, "%s", err.msg);
}

START_TEST(rows_replace_and_delete)
{
	struct store s = STORE_INIT;
	struct buf first = encoded_cell(STR("main"), 3), second = encoded_cell(STR("main"), 4);
	const struct cell *old;

	ck_assert_ptr_null(store_cell(&s, STR("main")));
	take(&s, STORE_CELLS, STR("main"), buf_str(&first));
	old = store_cell(&s, STR("main"));
	memset(first.p, 0xee, first.len); /* the store has its own copy */
	ck_assert_int_eq(old->partitions, 3);
	ck_assert_int_eq(store_item(&s, STORE_CELLS, STR("main"))->timestamp_ms, 77);
	take(&s, STORE_CELLS, STR("main"), buf_str(&second));
	ck_assert_int_eq(store_cell(&s, STR("main"))->partitions, 4);
	ck_assert_int_eq(old->partitions, 3); /* still readable */
	ck_assert_uint_eq(s.index[STORE_CELLS].len, 1);
	take(&s, STORE_CELLS, STR("main"), (struct str){0});
	ck_assert_ptr_null(store_cell(&s, STR("main")));
	take(&s, STORE_CELLS, STR("main"), (struct str){0}); /* a deletion of nothing */
	buf_fini(&first);
	buf_fini(&second);
	store_fini(&s);
}
END_TEST

/* Faults are kept, told from newer records, and end with the next good row. */
START_TEST(unreadable_rows)
{
	static const char newer[] = "\0\0\0\x27\x0f" "abc";
	struct store s = STORE_INIT;
	struct buf good = encoded_cell(STR("main"), 3), other = encoded_cell(STR("other"), 3);
	struct str cut = {(const char *)good.p, good.len - 1};

	take(&s, STORE_CELLS, STR("main"), cut);
	ck_assert_ptr_null(store_cell(&s, STR("main")));
	ck_assert_ptr_nonnull(store_item(&s, STORE_CELLS, STR("main"))->fault);
	ck_assert(!store_item(&s, STORE_CELLS, STR("main"))->newer);
	take(&s, STORE_CELLS, STR("main"), STR(""));
	ck_assert_ptr_nonnull(store_item(&s, STORE_CELLS, STR("main"))->fault);
	take(&s, STORE_CELLS, STR("main"), STR(newer));
	ck_assert(store_item(&s, STORE_CELLS, STR("main"))->newer);
	take(&s, STORE_CELLS, STR("main"), buf_str(&other));
	ck_assert_ptr_nonnull(strstr(store_item(&s, STORE_CELLS, STR("main"))->fault, "its key"));
	take(&s, STORE_CELLS, STR("main"), buf_str(&good));
	ck_assert_ptr_null(store_item(&s, STORE_CELLS, STR("main"))->fault);
	ck_assert_ptr_nonnull(store_cell(&s, STR("main")));
	buf_fini(&good);
	buf_fini(&other);
	store_fini(&s);
}
END_TEST

/* The last row of each key, whatever came before: against a plain array as the model. */
START_TEST(random_rows)
{
	enum { KEYS = 20, ROUNDS = 5000 };
	struct unit_random r = unit_random_new("store");
	struct store s = STORE_INIT;
	int32_t model[KEYS] = {0}; /* partitions; 0: not there */
	const struct store_item **list;
	size_t nr, there = 0;

	for (int round = 0; round < ROUNDS; round++) {
		size_t k = unit_random_below(&r, KEYS);
		char name[8];
		struct buf value;

		snprintf(name, sizeof(name), "c%zu", k);
		model[k] = (int32_t)unit_random_below(&r, 50);
		value = encoded_cell(str_from(name), model[k]);
		take(&s, STORE_CELLS, str_from(name), model[k] ? buf_str(&value) : (struct str){0});
		buf_fini(&value);
	}
	for (size_t k = 0; k < KEYS; k++) {
		char name[8];

		snprintf(name, sizeof(name), "c%zu", k);
		there += model[k] != 0;
		ck_assert_int_eq(store_cell(&s, str_from(name)) != NULL, model[k] != 0);
		if (model[k])
			ck_assert_int_eq(store_cell(&s, str_from(name))->partitions, model[k]);
	}
	list = store_list(&s, STORE_CELLS, &nr, NULL);
	ck_assert_uint_eq(nr, there);
	for (size_t i = 1; i < nr; i++)
		ck_assert_int_lt(str_cmp(list[i - 1]->key, list[i]->key), 0);
	free(list);
	store_fini(&s);
}
END_TEST

/* A control that the programs would refuse is told of, not shown as one that is in force. */
START_TEST(controls)
{
	struct control control = {.id = STR("ingest/close"), .reason = STR("r"), .author = STR("a"), .created_at = 1, .expires_at = 2};
	struct store s = STORE_INIT;
	struct buf value = BUF_INIT;
	const struct store_item *item;

	ck_assert_int_eq(control_encode(&control, &value, NULL), 0);
	take(&s, STORE_CONTROLS, STR("ingest/close"), buf_str(&value));
	item = store_item(&s, STORE_CONTROLS, STR("ingest/close"));
	ck_assert_ptr_null(item->fault);
	ck_assert_int_eq(item->v.control.expires_at, 2);
	ck_assert_int_eq(item->offset, 5);
	take(&s, STORE_CONTROLS, STR("ingest/close/site=shop"), buf_str(&value));
	item = store_item(&s, STORE_CONTROLS, STR("ingest/close/site=shop"));
	ck_assert_ptr_nonnull(strstr(item->fault, "its key"));
	buf_clear(&value);
	control.expires_at = 1;
	ck_assert_int_eq(control_encode(&control, &value, NULL), 0);
	take(&s, STORE_CONTROLS, STR("ingest/close"), buf_str(&value));
	item = store_item(&s, STORE_CONTROLS, STR("ingest/close"));
	ck_assert_ptr_nonnull(strstr(item->fault, "no time to live"));
	ck_assert(!item->newer);
	buf_fini(&value);
	store_fini(&s);
}
END_TEST

/* Likewise a trigger or a receiver that those would pass over who go by it. */
START_TEST(rules)
{
	struct trigger trigger = {.id = STR("slow"), .site = STR("shop"), .metric = STR("m"), .has_absent_minutes = true, .absent_minutes = 5};
	struct receiver receiver = {.id = STR("ops"), .has_webhook = true, .webhook = {.url = STR("https://h/")}};
	struct store s = STORE_INIT;
	struct buf value = BUF_INIT;

	ck_assert_int_eq(trigger_encode(&trigger, &value, NULL), 0);
	take(&s, STORE_TRIGGERS, STR("slow"), buf_str(&value));
	take(&s, STORE_TRIGGERS, STR("fast"), buf_str(&value));
	ck_assert_int_eq(store_trigger(&s, STR("slow"))->absent_minutes, 5);
	ck_assert(!store_trigger(&s, STR("fast")) && strstr(store_item(&s, STORE_TRIGGERS, STR("fast"))->fault, "its key"));
	ck_assert_ptr_null(store_receiver(&s, STR("slow")));
	buf_clear(&value);
	trigger.absent_minutes = 0;
	ck_assert_int_eq(trigger_encode(&trigger, &value, NULL), 0);
	take(&s, STORE_TRIGGERS, STR("slow"), buf_str(&value));
	ck_assert(!store_trigger(&s, STR("slow")) && strstr(store_item(&s, STORE_TRIGGERS, STR("slow"))->fault, "absent_minutes"));
	buf_clear(&value);
	ck_assert_int_eq(receiver_encode(&receiver, &value, NULL), 0);
	take(&s, STORE_RECEIVERS, STR("ops"), buf_str(&value));
	take(&s, STORE_RECEIVERS, STR("other"), buf_str(&value));
	ck_assert(str_eq(store_receiver(&s, STR("ops"))->webhook.url, STR("https://h/")));
	ck_assert(!store_receiver(&s, STR("other")) && strstr(store_item(&s, STORE_RECEIVERS, STR("other"))->fault, "its key"));
	buf_clear(&value);
	receiver.webhook.url = STR("https://u@h/");
	ck_assert_int_eq(receiver_encode(&receiver, &value, NULL), 0);
	take(&s, STORE_RECEIVERS, STR("ops"), buf_str(&value));
	ck_assert(!store_receiver(&s, STR("ops")) && strstr(store_item(&s, STORE_RECEIVERS, STR("ops"))->fault, "webhook.url"));
	buf_fini(&value);
	store_fini(&s);
}
END_TEST

START_TEST(sites_and_beats)
{
	struct route route = {0, STR("main"), 2};
	struct site site = {.id = STR("shop"), .name = STR("Shop"), .routes = &route, .routes_len = 1};
	struct heartbeat beat = {.program = STR("millrace-sink"), .instance = STR("a"), .interval_ms = 5000, .ready = true};
	struct store s = STORE_INIT;
	struct buf value = BUF_INIT;

	ck_assert_int_eq(site_encode(&site, &value, NULL), 0);
	take(&s, STORE_SITES, STR("shop"), buf_str(&value));
	ck_assert(str_eq(store_site(&s, STR("shop"))->routes[0].cell, STR("main")));
	ck_assert_ptr_null(store_cell(&s, STR("shop")));
	buf_clear(&value);
	ck_assert_int_eq(heartbeat_encode(&beat, &value, NULL), 0);
	take(&s, STORE_BEATS, STR("millrace-sink/a"), buf_str(&value));
	ck_assert(store_item(&s, STORE_BEATS, STR("millrace-sink/a"))->v.beat.ready);
	buf_fini(&value);
	store_fini(&s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/store");
	TCase *t = tcase_create("store");

	tcase_add_test(t, rows_replace_and_delete);
	tcase_add_test(t, unreadable_rows);
	tcase_add_test(t, random_rows);
	tcase_add_test(t, controls);
	tcase_add_test(t, rules);
	tcase_add_test(t, sites_and_beats);
	suite_add_tcase(s, t);
	return unit_main(s);
}
