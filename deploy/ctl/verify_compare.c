/* verify_compare.c - see verify_compare.h.
 *
 * The list is sorted, so the series of one site and kind stand together: a run. A late sample goes out half an hour after it at the
 * latest (the processor's late rules), and whoever takes over from an instance that was killed emits an hour some minutes after its end,
 * so a window that lacks something is only held to differ when that time has passed. */
#include "deploy/ctl/verify_compare.h"

#include <stdlib.h>

#include "common/clock.h"

#define OVERFLOW_NAME STR("__overflow__")
#define LATE_MS (32 * CLOCK_MINUTE_MS)
#define TAKEOVER_MS (10 * CLOCK_MINUTE_MS) /* behind the hour's end */

struct judge {
	const struct verify_sheet *sheet;
	const struct verify_rules *rules;
	verify_difference_fn fn;
	void *ctx;
	struct verify_result *result;
};

static const struct verify_window nothing = VERIFY_WINDOW_INIT;

static bool is_overflow(const struct verify_series *s)
{
	return str_eq(s->id.name, OVERFLOW_NAME) && s->id.tags_len == 0;
}

static bool has_window(const struct verify_series *s, int slot)
{
	return s->windows[VERIFY_EXPECTED][slot] || s->windows[VERIFY_STORED][slot];
}

static int64_t window_end(const struct judge *j, int slot)
{
	return verify_sheet_start(j->sheet, slot) + (slot == VERIFY_HOUR_SLOT ? CLOCK_HOUR_MS : CLOCK_MINUTE_MS);
}

/* When what is missing in this window must have come. */
static int64_t due_ms(const struct judge *j, const struct verify_window *expected, int slot)
{
	int64_t on_time_ms = j->sheet->hour_ms + CLOCK_HOUR_MS + TAKEOVER_MS;
	bool late = expected->newest_ms >= window_end(j, slot);

	return late && expected->newest_ms + LATE_MS > on_time_ms ? expected->newest_ms + LATE_MS : on_time_ms;
}

/* May it still come? */
static bool is_waiting(const struct judge *j, const struct verify_difference *d)
{
	const struct verify_window *expected = d->expected ? d->expected : &nothing;
	int64_t until_ms = due_ms(j, expected, d->slot);

	if (expected->count <= (d->stored ? d->stored->count : 0))
		return false;
	if (j->rules->behind)
		return true;
	if (j->rules->now_ms >= until_ms)
		return false;
	if (until_ms > j->result->wait_until_ms)
		j->result->wait_until_ms = until_ms;
	return true;
}

static void tell(const struct judge *j, const struct verify_difference *d)
{
	if (is_waiting(j, d)) {
		j->result->waiting++;
		return;
	}
	j->result->differ++;
	j->fn(j->ctx, d);
}

static struct verify_difference difference_of(const struct verify_series *s, int slot)
{
	return (struct verify_difference){.series = s, .slot = slot, .expected = s->windows[VERIFY_EXPECTED][slot],
					  .stored = s->windows[VERIFY_STORED][slot]};
}

/* One window of one series of a site within its cap. */
static void judge_one(const struct judge *j, const struct verify_series *s, int slot)
{
	struct verify_difference d = difference_of(s, slot);

	d.bits = verify_window_compare(d.expected ? d.expected : &nothing, d.stored ? d.stored : &nothing);
	if (d.bits)
		tell(j, &d);
}

/* One window of one series of a site over it: a part may stand in the overflow series, but not more than is expected here. */
static void judge_bound(const struct judge *j, const struct verify_series *s, int slot)
{
	const struct verify_difference d = difference_of(s, slot);

	if (!is_overflow(s) && d.stored && d.stored->count > (d.expected ? d.expected->count : 0))
		tell(j, &d);
}

/* Merges a run's windows of a slot, of both sides. */
static int merge_run(struct verify_series *const *run, size_t nr, int slot, struct verify_window total[NR_VERIFY_SIDES])
{
	for (size_t i = 0; i < nr; i++)
		for (int side = 0; side < NR_VERIFY_SIDES; side++)
			if (run[i]->windows[side][slot] && verify_window_merge(&total[side], run[i]->windows[side][slot]) < 0)
				return -1;
	return 0;
}

static bool any_cumulative(struct verify_series *const *run, size_t nr, int slot)
{
	for (size_t i = 0; i < nr; i++)
		if (run[i]->cumulative && has_window(run[i], slot))
			return true;
	return false;
}

static void judge_sums(const struct judge *j, struct verify_series *const *run, size_t nr, int slot,
		       const struct verify_window total[NR_VERIFY_SIDES])
{
	struct verify_difference d = {.series = run[0], .total = true, .slot = slot, .expected = &total[VERIFY_EXPECTED],
				      .stored = &total[VERIFY_STORED]};
	bool bounded = any_cumulative(run, nr, slot);

	j->result->bounded += bounded;
	d.bits = verify_window_compare(d.expected, d.stored);
	if (d.bits && (!bounded || d.stored->count > d.expected->count))
		tell(j, &d);
}

static int judge_total(const struct judge *j, struct verify_series *const *run, size_t nr, int slot, struct err *err)
{
	struct verify_window total[NR_VERIFY_SIDES] = {VERIFY_WINDOW_INIT, VERIFY_WINDOW_INIT};
	int rc = merge_run(run, nr, slot, total);

	if (rc == 0)
		judge_sums(j, run, nr, slot, total);
	for (size_t i = 0; i < nr && rc == 0; i++)
		judge_bound(j, run[i], slot);
	for (int side = 0; side < NR_VERIFY_SIDES; side++)
		verify_window_fini(&total[side]);
	return rc < 0 ? err_nomem(err, "the total of a site") : 0;
}

/* All of a site's series of one kind. */
static int judge_run(const struct judge *j, struct verify_series *const *run, size_t nr, struct err *err)
{
	const struct verify_series *overflow = NULL;

	for (size_t i = 0; i < nr; i++)
		if (is_overflow(run[i]))
			overflow = run[i];
	for (size_t i = 0; i < nr; i++)
		for (int slot = 0; slot < NR_VERIFY_SLOTS; slot++) {
			if (!has_window(run[i], slot))
				continue;
			j->result->windows++;
			if (!overflow || !has_window(overflow, slot))
				judge_one(j, run[i], slot);
		}
	for (int slot = 0; slot < NR_VERIFY_SLOTS && overflow; slot++)
		if (has_window(overflow, slot) && judge_total(j, run, nr, slot, err) < 0)
			return -1;
	return 0;
}

static bool same_run(const struct verify_series *a, const struct verify_series *b)
{
	return a->id.kind == b->id.kind && str_eq(a->id.site, b->id.site);
}

int verify_compare(const struct verify_sheet *sheet, const struct verify_rules *rules, verify_difference_fn fn, void *ctx,
		   struct verify_result *result, struct err *err)
{
	const struct judge j = {.sheet = sheet, .rules = rules, .fn = fn, .ctx = ctx, .result = result};
	size_t nr;
	struct verify_series **list = verify_sheet_list(sheet, &nr, err);
	int rc = list ? 0 : -1;

	*result = (struct verify_result){.series = sheet->series.len};
	for (size_t i = 0, n; list && i < nr && rc == 0; i += n) {
		for (n = 1; i + n < nr && same_run(list[i], list[i + n]); n++)
			;
		rc = judge_run(&j, list + i, n, err);
	}
	free(list);
	return rc;
}
