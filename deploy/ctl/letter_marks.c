/* letter_marks.c - see letter_marks.h. A table by id, as a letter is looked up once for every one that is listed. */
#include "deploy/ctl/letter_marks.h"

#include <stdlib.h>

#include "deploy/ctl/letter_ids.h"

int letter_marks_init(struct letter_marks *m, int64_t from, int64_t to, struct err *err)
{
	*m = (struct letter_marks){.from = from, .to = to > from ? to : from};
	m->mark = calloc((size_t)(m->to - m->from) + 1, sizeof(*m->mark));
	return m->mark ? 0 : err_nomem(err, "marks of dead letters");
}

void letter_marks_fini(struct letter_marks *m)
{
	free(m->mark);
	arena_fini(&m->arena);
}

static enum letter_state state_of(const struct notice *notice)
{
	if (!str_eq(notice->program, STR("millrace-ctl")))
		return LETTER_OPEN;
	if (str_eq(notice->event, STR(LETTER_MARKS_RETRIED)))
		return LETTER_RETRIED;
	return str_eq(notice->event, STR(LETTER_MARKS_DROPPED)) ? LETTER_DROPPED : LETTER_OPEN;
}

/* What a range has in common with ours is not longer than ours. */
static void mark_range(struct letter_marks *m, const struct letter_range *range, const struct letter_mark *mark)
{
	int64_t from = range->from > m->from ? range->from : m->from, to = range->to < m->to ? range->to : m->to - 1;

	for (int64_t id = from; id <= to; id++)
		m->mark[id - m->from] = *mark;
}

int letter_marks_take(struct letter_marks *m, const struct notice *notice, int64_t stamp_ms, struct err *err)
{
	struct letter_mark mark = {.state = state_of(notice), .at_ms = notice->at, .stamp_ms = stamp_ms};
	struct letter_ids ids = LETTER_IDS_INIT;

	if (mark.state == LETTER_OPEN)
		return 0;
	if (notice->has_author && !(mark.author = arena_str(&m->arena, notice->author).p))
		return err_nomem(err, "marks of dead letters");
	for (size_t i = 0; i < notice->fields_len; i++)
		if (str_eq(notice->fields[i].key, STR(LETTER_MARKS_FIELD)))
			letter_ids_parse(&ids, notice->fields[i].value, NULL); /* what is not of ours marks nothing */
	for (size_t i = 0; i < ids.nr; i++)
		mark_range(m, &ids.ranges[i], &mark);
	letter_ids_fini(&ids);
	return 0;
}

const struct letter_mark *letter_marks_of(const struct letter_marks *m, int64_t id, int64_t stamp_ms)
{
	const struct letter_mark *mark = id >= m->from && id < m->to ? &m->mark[id - m->from] : NULL;

	return mark && mark->state != LETTER_OPEN && mark->stamp_ms >= stamp_ms - LETTER_MARKS_SLACK_MS ? mark : NULL;
}

const char *letter_state_name(enum letter_state state)
{
	static const char *const names[] = {"open", "retried", "dropped"};

	return names[state];
}
