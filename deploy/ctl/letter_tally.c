/* letter_tally.c - see letter_tally.h.
 *
 * A letter may have some megabytes, so bytes are bounded beside letters; a cell that goes wild makes 100 a minute at most (the sink's
 * breaker sees to it), and an hour of that fits. */
#include "deploy/ctl/letter_tally.h"

#include <string.h>

#include "common/report.h"
#include "deploy/ctl/topic_scan.h"

static bool is_row(const struct letter_tally_row *row, const char *topic, const char *code)
{
	return strcmp(row->topic, topic) == 0 && strcmp(row->code, code) == 0;
}

/* NULL: there is no room for one more. */
static struct letter_tally_row *row_of(struct letter_tally *t, const struct letter *letter)
{
	const struct dead_letter *r = &letter->record;
	struct letter_tally_row wanted = {0};

	snprintf(wanted.topic, sizeof(wanted.topic), STR_FMT, STR_ARG(letter->fault ? STR("?") : r->topic));
	snprintf(wanted.code, sizeof(wanted.code), STR_FMT, STR_ARG(letter->fault ? STR("unreadable") : r->code));
	for (size_t i = 0; i < t->nr_rows; i++)
		if (is_row(&t->rows[i], wanted.topic, wanted.code))
			return &t->rows[i];
	if (t->nr_rows == LETTER_TALLY_ROWS)
		return NULL;
	t->rows[t->nr_rows] = wanted;
	return &t->rows[t->nr_rows++];
}

bool letter_tally_add(struct letter_tally *t, const struct letter *letter)
{
	struct letter_tally_row *row = row_of(t, letter);
	bool open = letter_state(letter) == LETTER_OPEN;

	if (row) {
		row->letters++;
		row->open += open;
	} else {
		t->others++;
	}
	t->last_hour++;
	t->open += open;
	t->bytes += letter->record.key.len + letter->record.value.len;
	t->partial |= t->last_hour >= LETTER_TALLY_LETTERS_MAX || t->bytes >= LETTER_TALLY_BYTES_MAX;
	return !t->partial;
}

static int on_letter(void *ctx, const struct letter *letter, struct err *err)
{
	(void)err;
	return letter_tally_add(ctx, letter) ? 0 : 1;
}

/* What stands in the topic from a moment on, so long ago. */
static int count_since(struct topic_scan *scan, const struct clock *clock, int64_t ago_ms, int64_t *nr, struct err *err)
{
	int64_t from, to;

	if (topic_scan_bounds(scan, TOPIC_DEADLETTER, 0, ago_ms < 0 ? 0 : clock_wall_ms() - clock_real_duration_ms(clock, ago_ms), &from, &to, err) < 0)
		return -1;
	*nr = to - from;
	return 0;
}

static int read_all(struct letter_tally *t, struct ctl *ctl, struct topic_scan *scan, struct err *err)
{
	const struct clock *clock = &ctl->program.clock;
	const struct letter_filter filter = {.since_ms = clock_now_ms(clock) - CLOCK_HOUR_MS};

	if (count_since(scan, clock, -1, &t->held, err) < 0 || count_since(scan, clock, 24 * CLOCK_HOUR_MS, &t->last_day, err) < 0)
		return -1;
	return t->last_day ? letters_each(ctl, &filter, on_letter, t, err) : 0;
}

void letter_tally_read(struct letter_tally *t, struct ctl *ctl)
{
	struct err err = ERR_INIT;
	struct topic_scan *scan = topic_scan_new(&ctl->program, ctl->progress, &err);

	*t = (struct letter_tally){0};
	if (!scan || read_all(t, ctl, scan, &err) < 0)
		snprintf(t->fault, sizeof(t->fault), "%s", err.msg);
	topic_scan_free(scan);
}
