/* test_sparkline.c - values as blocks: what each line looks like, and a model of heights that counts instead of dividing. */
#include "deploy/ctl/sparkline.h"

#include <math.h>
#include <string.h>

#include "tests/unit/unit.h"

#define GAP ((double)NAN)

static const struct { double values[9]; size_t nr; const char *line; } lines[] = {
	{{0}, 0, ""},
	{{5}, 1, "▄"},
	{{GAP}, 1, " "},
	{{7, 7, 7}, 3, "▄▄▄"},
	{{0, 1}, 2, "▁█"},
	{{1, 0}, 2, "█▁"},
	{{0, 1, 2, 3, 4, 5, 6, 7, 8}, 9, "▁▂▃▄▅▆▇██"},
	{{0, GAP, 1, GAP}, 4, "▁ █ "},
	{{-4, 0, 4}, 3, "▁▅█"},
	{{1000, 1001, 1002}, 3, "▁▅█"},
	{{-1.7e308, 0, 1.7e308}, 3, "▁▅█"},
	{{4.9e-324, 9.9e-324}, 2, "▁█"},
	{{(double)INFINITY, 1, 2, -(double)INFINITY}, 4, "█▁█▁"},
	{{(double)INFINITY}, 1, "█"},
	{{GAP, GAP, 3}, 3, "  ▄"},
};

START_TEST(each_line)
{
	struct buf out = BUF_INIT;

	sparkline(&out, lines[_i].values, lines[_i].nr);
	ck_assert_msg(str_eq(buf_str(&out), str_from(lines[_i].line)), "case %d: " STR_FMT, _i, STR_ARG(buf_str(&out)));
	buf_fini(&out);
}
END_TEST

/* Of whole values: the height is how many eighths of the range the value has reached. */
static int model_height(int value, int low, int high)
{
	int height = 0;

	if (low == high)
		return 3;
	while (height < 7 && 8 * (value - low) >= (height + 1) * (high - low))
		height++;
	return height;
}

START_TEST(any_values)
{
	static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	struct unit_random random = unit_random_new("sparkline");

	for (int round = 0; round < 2000; round++) {
		double values[40];
		int whole[40], low = 1000, high = -1000;
		size_t nr = 1 + unit_random_below(&random, 40);
		struct buf out = BUF_INIT, want = BUF_INIT;

		for (size_t i = 0; i < nr; i++) {
			whole[i] = (int)unit_random_below(&random, 64) - 32;
			values[i] = unit_random_below(&random, 5) ? whole[i] : GAP;
			if (!isnan(values[i])) {
				low = whole[i] < low ? whole[i] : low;
				high = whole[i] > high ? whole[i] : high;
			}
		}
		for (size_t i = 0; i < nr; i++)
			buf_printf(&want, "%s", isnan(values[i]) ? " " : blocks[model_height(whole[i], low, high)]);
		sparkline(&out, values, nr);
		ck_assert_msg(str_eq(buf_str(&out), buf_str(&want)), "round %d: " STR_FMT " and not " STR_FMT, round, STR_ARG(buf_str(&out)), STR_ARG(buf_str(&want)));
		buf_fini(&out);
		buf_fini(&want);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/sparkline");
	TCase *tc = tcase_create("sparkline");

	tcase_add_loop_test(tc, each_line, 0, NR(lines));
	tcase_add_test(tc, any_values);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
