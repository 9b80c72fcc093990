/* letter_ids.c - see letter_ids.h. */
#include "deploy/ctl/letter_ids.h"

#include <inttypes.h>
#include <stdlib.h>

void letter_ids_fini(struct letter_ids *ids)
{
	free(ids->ranges);
	*ids = (struct letter_ids)LETTER_IDS_INIT;
}

void letter_ids_clear(struct letter_ids *ids)
{
	ids->nr = 0;
}

static int add_range(struct letter_ids *ids, int64_t from, int64_t to, struct err *err)
{
	if (ids->nr == ids->cap) {
		size_t cap = ids->cap ? ids->cap * 2 : 8;
		struct letter_range *ranges = realloc(ids->ranges, cap * sizeof(*ranges));

		if (!ranges)
			return err_nomem(err, "ids of dead letters");
		ids->ranges = ranges;
		ids->cap = cap;
	}
	ids->ranges[ids->nr++] = (struct letter_range){from, to};
	return 0;
}

int letter_ids_add(struct letter_ids *ids, int64_t id, struct err *err)
{
	struct letter_range *last = ids->nr ? &ids->ranges[ids->nr - 1] : NULL;

	if (!last || last->to + 1 != id)
		return add_range(ids, id, id, err);
	last->to = id;
	return 0;
}

static int parse_all(struct letter_ids *ids, struct str text, struct err *err)
{
	struct str s = text;

	do {
		struct letter_range range;

		if (!str_take_int(&s, &range.from))
			break;
		range.to = range.from;
		if ((str_take(&s, "-") && !str_take_int(&s, &range.to)) || range.from < 0 || range.to < range.from)
			break;
		if (add_range(ids, range.from, range.to, err) < 0)
			return -1;
		if (!s.len)
			return 0;
	} while (str_take(&s, ","));
	return err_set(err, ERR_REJECT, "\"%.*s\" is no id of a dead letter: 12, 12-40 or 12,15-20 is, as deadletter list shows them",
		       (int)(text.len > 64 ? 64 : text.len), text.p);
}

int letter_ids_parse(struct letter_ids *ids, struct str text, struct err *err)
{
	size_t before = ids->nr;

	if (parse_all(ids, text, err) == 0)
		return 0;
	ids->nr = before;
	return -1;
}

bool letter_ids_has(const struct letter_ids *ids, int64_t id)
{
	for (size_t i = 0; i < ids->nr; i++)
		if (id >= ids->ranges[i].from && id <= ids->ranges[i].to)
			return true;
	return false;
}

int64_t letter_ids_min(const struct letter_ids *ids)
{
	int64_t min = ids->ranges[0].from;

	for (size_t i = 1; i < ids->nr; i++)
		if (ids->ranges[i].from < min)
			min = ids->ranges[i].from;
	return min;
}

int64_t letter_ids_max(const struct letter_ids *ids)
{
	int64_t max = ids->ranges[0].to;

	for (size_t i = 1; i < ids->nr; i++)
		if (ids->ranges[i].to > max)
			max = ids->ranges[i].to;
	return max;
}

void letter_ids_print(const struct letter_ids *ids, struct buf *out)
{
	for (size_t i = 0; i < ids->nr; i++) {
		const struct letter_range *r = &ids->ranges[i];

		buf_printf(out, "%s%" PRId64, i ? "," : "", r->from);
		if (r->to > r->from)
			buf_printf(out, "-%" PRId64, r->to);
	}
}
