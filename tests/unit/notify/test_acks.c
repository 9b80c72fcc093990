/* test_acks.c - rows of acknowledgements. */
#include "sink/notify/acks.h"

#include "tests/unit/unit.h"

static int take(struct acks *a, uint32_t incident, uint32_t key_of, int64_t at, struct err *err)
{
	struct ack ack = {.author = STR("ann"), .reason = STR(""), .at = at};
	uint8_t key[16] = {0};
	struct buf value = BUF_INIT;
	int rc;

	memcpy(ack.incident + 12, &incident, sizeof(incident));
	memcpy(key + 12, &key_of, sizeof(key_of));
	ck_assert_int_eq(ack_encode(&ack, &value, NULL), 0);
	rc = acks_take(a, &(struct table_row){.key = {(const char *)key, 16}, .value = buf_str(&value)}, err);
	buf_fini(&value);
	return rc;
}

static const struct ack *find(const struct acks *a, uint32_t incident)
{
	uint8_t key[16] = {0};

	memcpy(key + 12, &incident, sizeof(incident));
	return acks_find(a, key);
}

START_TEST(rows)
{
	struct acks a;
	struct err err = ERR_INIT;
	uint8_t key[16] = {0};

	acks_init(&a);
	ck_assert_int_eq(take(&a, 1, 1, 100, &err), 0);
	ck_assert_int_eq(take(&a, 1, 1, 200, &err), 0);
	ck_assert_int_eq(take(&a, 2, 2, 300, &err), 0);
	ck_assert_int_eq(find(&a, 1)->at, 200);
	ck_assert_int_eq(take(&a, 1, 2, 400, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_int_eq(acks_take(&a, &(struct table_row){.key = STR("short"), .value = STR("")}, &err), -1);
	key[12] = 1;
	ck_assert_int_eq(acks_take(&a, &(struct table_row){.key = {(const char *)key, 16}}, &err), 0);
	ck_assert_ptr_null(find(&a, 1));
	ck_assert_int_eq(find(&a, 2)->at, 300);
	acks_fini(&a);
}
END_TEST

/* The oldest go, and one that was said again is not old. */
START_TEST(bounded)
{
	struct acks a;

	acks_init(&a);
	for (uint32_t i = 0; i < ACKS_MAX; i++)
		ck_assert_int_eq(take(&a, i, i, i, NULL), 0);
	ck_assert_int_eq(take(&a, 0, 0, 99999, NULL), 0);
	ck_assert_int_eq(take(&a, ACKS_MAX, ACKS_MAX, 0, NULL), 0);
	ck_assert_uint_eq(a.by_incident.len, ACKS_MAX);
	ck_assert_ptr_null(find(&a, 1));
	ck_assert_int_eq(find(&a, 0)->at, 99999);
	acks_fini(&a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("acks");
	TCase *tc = tcase_create("acks");

	tcase_add_test(tc, rows);
	tcase_add_test(tc, bounded);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
