/* random_store.h - random but valid cells and sites, for the property tests of this folder.
 *
 * Small alphabets, so that names share prefixes and collide; numbers at the edges of their ranges. All memory is the store's arena's. */
#ifndef MILLRACE_TESTS_UNIT_CTL_RANDOM_STORE_H
#define MILLRACE_TESTS_UNIT_CTL_RANDOM_STORE_H

#include <string.h>

#include "deploy/ctl/check.h"
#include "deploy/ctl/store.h"
#include "tests/unit/unit.h"

/* 1 to max letters of an alphabet. */
static inline struct str random_text(struct unit_random *r, struct arena *arena, const char *alphabet, size_t max)
{
	char text[256];
	size_t len = 1 + unit_random_below(r, max);

	for (size_t i = 0; i < len; i++)
		text[i] = alphabet[unit_random_below(r, strlen(alphabet))];
	return arena_str(arena, (struct str){text, len});
}

/* A name with everything that JSON must escape or keep. */
static inline struct str random_name(struct unit_random *r, struct arena *arena)
{
	static const char *const pieces[] = {"a", "B ", "\"", "\\", "/", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x9b\x92", "<", "&", "'", "\xc2\xa0"};
	struct buf name = BUF_INIT;
	struct str copy;

	for (size_t n = 1 + unit_random_below(r, 20); n; n--)
		buf_printf(&name, "%s", pieces[unit_random_below(r, NR(pieces))]);
	copy = arena_str(arena, buf_str(&name));
	buf_fini(&name);
	return copy;
}

static inline int64_t random_time(struct unit_random *r)
{
	return (int64_t)unit_random_below(r, UINT64_C(4102444800000));
}

static inline double random_rate(struct unit_random *r)
{
	static const double edges[] = {0, 1, 0.1, 1e-300, 1.7976931348623157e308, 5e-324, 123456789.123456789};

	return unit_random_below(r, 2) ? edges[unit_random_below(r, NR(edges))] : unit_random_unit(r) * 1e6;
}

/* Puts up to max cells. */
static inline void random_cells(struct unit_random *r, struct store *s, size_t max)
{
	for (size_t n = unit_random_below(r, max + 1); n; n--) {
		struct cell cell = {.name = random_text(r, &s->arena, "ab-0", 4), .partitions = 1 + (int32_t)unit_random_below(r, 1024),
				    .epoch = (int64_t)unit_random_next(r), .created_at = random_time(r)};

		ck_assert_int_eq(store_put_cell(s, &cell, NULL), 0);
	}
}

static inline void random_routes(struct unit_random *r, struct store *s, struct site *site, const struct store_item **cells, size_t nr_cells)
{
	int64_t from = 0;

	site->routes_len = 1 + unit_random_below(r, 4);
	site->routes = arena_calloc(&s->arena, site->routes_len, sizeof(*site->routes));
	for (size_t i = 0; i < site->routes_len; i++) {
		const struct cell *cell = &cells[unit_random_below(r, nr_cells)]->v.cell;

		site->routes[i] = (struct route){from, cell->name, 1 + (int32_t)unit_random_below(r, (uint64_t)cell->partitions)};
		from += 60000 * (1 + (int64_t)unit_random_below(r, 1000000));
	}
}

static inline void random_keys(struct unit_random *r, struct store *s, struct site *site)
{
	site->keys_len = unit_random_below(r, CHECK_KEYS_MAX + 1);
	site->keys = arena_calloc(&s->arena, site->keys_len, sizeof(*site->keys));
	for (size_t i = 0; i < site->keys_len; i++) {
		char id[16];

		snprintf(id, sizeof(id), "mr_%d%06d", (int)i, (int)unit_random_below(r, 1000000));
		site->keys[i].id = arena_str(&s->arena, str_from(id));
		site->keys[i].created_at = random_time(r);
		for (size_t b = 0; b < sizeof(site->keys[i].sha256); b++)
			site->keys[i].sha256[b] = (uint8_t)unit_random_next(r);
	}
}

/* Puts up to max sites; none when there are no cells. */
static inline void random_sites(struct unit_random *r, struct store *s, size_t max)
{
	size_t nr_cells;
	const struct store_item **cells = store_list(s, STORE_CELLS, &nr_cells, NULL);

	for (size_t n = nr_cells ? unit_random_below(r, max + 1) : 0; n; n--) {
		struct site site = {
			.id = random_text(r, &s->arena, "xy-9", 6),
			.name = random_name(r, &s->arena),
			.disabled = unit_random_below(r, 2),
			.created_at = random_time(r),
			.payloads_per_s = random_rate(r),
			.samples_per_s = random_rate(r),
			.series_cap = unit_random_below(r, 3) ? (int32_t)unit_random_below(r, 100000) : INT32_MAX,
		};

		random_routes(r, s, &site, cells, nr_cells);
		random_keys(r, s, &site);
		ck_assert_int_eq(check_site(&site, NULL), 0);
		ck_assert_int_eq(store_put_site(s, &site, NULL), 0);
	}
	free(cells);
}

/* All records of a store as bytes, epochs left out: what two stores are compared by. The codec is not what is tested here. */
static inline void random_store_bytes(const struct store *s, struct buf *out)
{
	for (int kind = STORE_CELLS; kind <= STORE_SITES; kind++) {
		size_t nr;
		const struct store_item **items = store_list(s, (enum store_kind)kind, &nr, NULL);

		for (size_t i = 0; i < nr; i++) {
			struct cell cell = items[i]->v.cell;

			cell.epoch = 0;
			if (kind == STORE_CELLS)
				ck_assert_int_eq(cell_encode(&cell, out, NULL), 0);
			else
				ck_assert_int_eq(site_encode(&items[i]->v.site, out, NULL), 0);
		}
		free(items);
	}
}

#endif
