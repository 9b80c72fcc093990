/* test_json_write.c - numbers that come back, text that is escaped, failures that stick. */
#include "deploy/ctl/json_write.h"

#include <math.h>
#include <string.h>

#include "tests/unit/unit.h"

START_TEST(a_document)
{
	static const uint8_t bytes[] = {0x00, 0xff, 0x1a};
	struct json_writer w;
	struct buf out = BUF_INIT;

	json_write_begin(&w);
	json_write_text(&w, "t", STR("a\"\\\n\xc3\xa4"));
	json_write_text(&w, "junk", STR("a\xff\xc3z"));
	json_write_int(&w, "i", INT64_MIN);
	json_write_bool(&w, "b", true);
	json_write_hex(&w, "h", bytes, sizeof(bytes));
	json_write_array(&w, "a");
	json_write_number(&w, NULL, 0.1);
	json_write_array_end(&w);
	ck_assert_int_eq(json_write_end(&w, &out, NULL), 0);
	ck_assert(str_eq(buf_str(&out), STR("{\n  \"t\": \"a\\\"\\\\\\n\xc3\xa4\",\n  \"junk\": \"a??z\",\n  \"i\": -9223372036854775808,\n  \"b\": true,\n"
					    "  \"h\": \"00ff1a\",\n  \"a\": [\n    0.1\n  ]\n}\n")));
	buf_fini(&out);
}
END_TEST

static double written(double number)
{
	struct json_writer w;
	struct buf out = BUF_INIT;
	double back;

	json_write_begin(&w);
	json_write_number(&w, "n", number);
	ck_assert_int_eq(json_write_end(&w, &out, NULL), 0);
	buf_add(&out, "", 1);
	back = strtod(strstr((char *)out.p, ": ") + 2, NULL);
	buf_fini(&out);
	return back;
}

START_TEST(numbers_come_back)
{
	static const double edges[] = {0, 1, -1, 0.1, 1e21, 5e-324, 1.7976931348623157e308, 2.2250738585072014e-308, 1.0 / 3};
	struct unit_random r = unit_random_new("json_write");

	for (size_t i = 0; i < NR(edges); i++)
		ck_assert(written(edges[i]) == edges[i]);
	for (int i = 0; i < 20000; i++) {
		uint64_t bits = unit_random_next(&r);
		double number;

		memcpy(&number, &bits, sizeof(number));
		if (isfinite(number))
			ck_assert(written(number) == number);
	}
}
END_TEST

static void write_bad(struct json_writer *w, int what)
{
	switch (what) {
	case 0: json_write_number(w, "n", NAN); break;
	default: json_write_number(w, "n", -INFINITY); break;
	}
}

START_TEST(failures_stick)
{
	struct json_writer w;
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	json_write_begin(&w);
	write_bad(&w, _i);
	json_write_int(&w, "good", 1);
	ck_assert_int_eq(json_write_end(&w, &out, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_uint_eq(out.len, 0);
	buf_fini(&out);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/json_write");
	TCase *t = tcase_create("json_write");

	tcase_add_test(t, a_document);
	tcase_add_test(t, numbers_come_back);
	tcase_add_loop_test(t, failures_stick, 0, 2);
	suite_add_tcase(s, t);
	return unit_main(s);
}
