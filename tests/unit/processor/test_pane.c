/* test_pane.c - a series' window is found however many there are, and whatever was used last.
 *
 * The oracle is a count that is kept beside: every sample adds one to its series' window in its pane. */
#include "processor/pane.h"

#include <stdlib.h>

#include "common/series.h"
#include "processor/window_store.h"
#include "tests/unit/unit.h"

enum { SERIES = 3000, PANES = 4, SAMPLES = 60000 };

struct fixture {
	struct series_table table;
	struct series *series[SERIES];
	struct pane *panes[PANES];
	int counts[PANES][SERIES];
	size_t used[PANES];
};

/* Fingerprints whose low halves are few, so that many want the same slot; the rest tells them apart. */
static void fixture_init(struct fixture *f, struct unit_random *r, bool crowded)
{
	*f = (struct fixture){.table = SERIES_TABLE_INIT};
	for (uint32_t i = 0; i < SERIES; i++) {
		uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
		struct series_id id = {.site = STR("s"), .name = STR("n")};
		uint64_t half = unit_random_below(r, UINT64_MAX), low = crowded ? unit_random_below(r, 20) : unit_random_below(r, UINT64_MAX);

		memcpy(fingerprint, &half, sizeof(half));
		memcpy(fingerprint + 4, &i, sizeof(i));
		memcpy(fingerprint + 8, &low, sizeof(low));
		f->series[i] = series_table_take(&f->table, &id, fingerprint, NULL);
		ck_assert(f->series[i] && f->series[i]->refs == 1);
	}
	for (uint32_t i = 0; i < PANES; i++) {
		f->panes[i] = pane_new((enum pane_class)i, i + 1, 0, 0);
		ck_assert_ptr_nonnull(f->panes[i]);
	}
}

static void fixture_fini(struct fixture *f)
{
	for (size_t i = 0; i < PANES; i++)
		pane_free(f->panes[i], &f->table);
	for (size_t i = 0; i < SERIES; i++) {
		ck_assert_uint_eq(f->series[i]->refs, 1);
		ck_assert(!f->series[i]->recent[RECENT_MINUTE] && !f->series[i]->recent[RECENT_HOUR]);
		series_table_drop(&f->table, f->series[i]);
	}
	ck_assert(f->table.len == 0 && f->table.bytes == 0 && f->table.names.bytes == 0);
	series_table_fini(&f->table);
}

static void add(struct fixture *f, size_t pane, size_t series)
{
	struct window *w = pane_window(f->panes[pane], f->series[series]);

	ck_assert(w && w->series == f->series[series] && w->pane == f->panes[pane]->number);
	ck_assert_int_eq(w->count, f->counts[pane][series]);
	f->used[pane] += f->counts[pane][series]++ == 0;
	ck_assert_int_eq(pane_add_value(f->panes[pane], w, 1, 1), 0);
}

/* Every window is where it was made, once. */
static void must_agree(const struct fixture *f)
{
	for (size_t p = 0; p < PANES; p++) {
		const struct window *w;
		size_t at = 0, seen = 0;
		int64_t sum = 0, expected = 0;

		while ((w = pane_next(f->panes[p], &at)) != NULL) {
			seen++;
			sum += w->count;
		}
		for (size_t i = 0; i < SERIES; i++)
			expected += f->counts[p][i];
		ck_assert(seen == f->used[p] && f->panes[p]->len == f->used[p] && sum == expected);
	}
}

START_TEST(windows_are_found_among_many)
{
	struct unit_random r = unit_random_new("pane");
	struct fixture *f = malloc(sizeof(*f));

	ck_assert_ptr_nonnull(f);
	fixture_init(f, &r, _i == 1);
	for (int i = 0; i < SAMPLES; i++)
		add(f, unit_random_below(&r, PANES), unit_random_below(&r, i < SAMPLES / 2 ? 50 : SERIES));
	must_agree(f);
	fixture_fini(f);
	free(f);
}
END_TEST

/* The i-th way to choose: hashes that agree in some bits, or in the two halves. */
static uint64_t chosen(struct unit_random *r, int i)
{
	uint64_t hash = unit_random_below(r, UINT64_MAX);

	return i < 3 ? hash & (UINT64_C(0xffffff) << (20 * i) ^ UINT64_MAX) : (hash & UINT32_MAX) * (UINT64_C(1) << 32 | 1);
}

/* Names that somebody has chosen by where their fingerprints would lead to: a store's pane spreads them. */
START_TEST(chosen_fingerprints_are_not_one_long_run)
{
	struct unit_random r = unit_random_new("pane_chosen");
	struct window_store ws = WINDOW_STORE_INIT;
	size_t run = 0, longest = 0;
	struct pane *pane;

	ck_assert_int_eq(series_table_reserve(&ws.series, SERIES), 0);
	pane = window_store_new_pane(&ws, PANE_MINUTE, 0, 0);
	ck_assert_ptr_nonnull(pane);
	for (uint32_t i = 0; i < SERIES; i++) {
		const struct series_id id = {.site = STR("s"), .name = STR("n")};
		uint64_t half = chosen(&r, _i);
		uint8_t fingerprint[SERIES_FINGERPRINT_BYTES] = {0};
		struct series *s;

		memcpy(fingerprint + 8, &half, sizeof(half));
		s = series_table_take(&ws.series, &id, fingerprint, NULL);
		ck_assert(s && pane_window(pane, s));
		series_table_drop(&ws.series, s);
	}
	for (size_t i = 0; i < pane->nr_slots; i++) {
		run = pane->slots[i] ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	ck_assert_uint_lt(longest, SERIES / 4);
	window_store_fini(&ws);
}
END_TEST

/* A minute into its hour, and the hour into one that has some of it. */
START_TEST(merging_adds_each_window_to_its_series)
{
	struct unit_random r = unit_random_new("pane_merge");
	struct fixture *f = malloc(sizeof(*f));

	ck_assert_ptr_nonnull(f);
	fixture_init(f, &r, false);
	for (int i = 0; i < SAMPLES / 4; i++)
		add(f, unit_random_below(&r, 2), unit_random_below(&r, SERIES));
	ck_assert_int_eq(pane_merge(f->panes[PANE_HOUR], f->panes[PANE_MINUTE]), 0);
	for (size_t i = 0; i < SERIES; i++) {
		f->used[PANE_HOUR] += !f->counts[PANE_HOUR][i] && f->counts[PANE_MINUTE][i];
		f->counts[PANE_HOUR][i] += f->counts[PANE_MINUTE][i];
	}
	must_agree(f);
	for (size_t i = 0; i < SERIES; i++)
		add(f, PANE_HOUR, i);
	must_agree(f);
	fixture_fini(f);
	free(f);
}
END_TEST

/* One minute is as large as the one before: the slots grow once, not at every doubling. */
START_TEST(what_is_expected_is_believed_from_a_sixteenth_on)
{
	struct unit_random r = unit_random_new("pane_expected");
	struct fixture *f = malloc(sizeof(*f));
	size_t i = 0, before;

	ck_assert_ptr_nonnull(f);
	fixture_init(f, &r, false);
	f->panes[0]->expected = SERIES;
	while (f->panes[0]->nr_slots < SERIES)
		add(f, 0, i++);
	ck_assert_uint_lt(i, SERIES / 8);
	before = f->panes[0]->nr_slots;
	while (i < SERIES)
		add(f, 0, i++);
	ck_assert_uint_eq(f->panes[0]->nr_slots, before);
	must_agree(f);
	fixture_fini(f);
	free(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pane");
	TCase *tc = tcase_create("pane");

	tcase_add_loop_test(tc, windows_are_found_among_many, 0, 2);
	tcase_add_loop_test(tc, chosen_fingerprints_are_not_one_long_run, 0, 4);
	tcase_add_test(tc, merging_adds_each_window_to_its_series);
	tcase_add_test(tc, what_is_expected_is_believed_from_a_sixteenth_on);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
