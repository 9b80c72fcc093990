/* snapshot.c - see snapshot.h.
 *
 * Series are numbered in the order they are written; the number is kept in the series itself while encoding, and in an array while
 * decoding. While decoding, that array holds one reference to each series, so that none leaves before all windows and baselines
 * are there. */
#include "processor/snapshot.h"

#include <stdlib.h>

#include "common/clock.h"
#include "processor/hist_codec.h"
#include "processor/series_codec.h"

enum {
	SNAPSHOT_VERSION = 6, /* whoever raises it goes on reading the one that was released before (deploy/UPGRADE.md) */
	HAS_MIN = 1, HAS_MAX = 2, HAS_LAST = 4, APPROXIMATE = 8, HAS_ERRORS = 16, ALL_FLAGS = 31,
	WINDOW_BYTES_MIN = 12, /* the least that one takes, so that a count is believed no further than that */
};

static void write_window(struct buf *out, const struct window *w)
{
	int32_t flags = (w->has_min ? HAS_MIN : 0) | (w->has_max ? HAS_MAX : 0) | (w->has_last ? HAS_LAST : 0) |
			(w->approximate ? APPROXIMATE : 0) | (w->errors ? HAS_ERRORS : 0);

	codec_write_long(out, w->series->number);
	codec_write_int(out, flags);
	codec_write_long(out, w->count);
	codec_write_double(out, w->sum);
	codec_write_long(out, w->last_at_ms);
	if (w->has_min)
		codec_write_double(out, w->min);
	if (w->has_max)
		codec_write_double(out, w->max);
	if (w->has_last)
		codec_write_double(out, w->last);
	if (w->errors)
		codec_write_long(out, w->errors);
	if (w->series->kind != SERIES_KIND_DISTRIBUTION)
		return;
	hist_codec_write(out, &w->hist);
}

static void write_pane(struct buf *out, const struct pane *pane)
{
	const struct window *w;
	size_t at = 0;

	codec_write_long(out, pane->start_ms);
	codec_write_long(out, pane->first_ms);
	codec_write_long(out, pane->touched_ms);
	codec_write_long(out, (int64_t)pane->len);
	while ((w = pane_next(pane, &at)) != NULL)
		write_window(out, w);
}

static void write_panes(struct buf *out, const struct pane_list *panes)
{
	codec_write_long(out, (int64_t)panes->len);
	for (size_t i = 0; i < panes->len; i++)
		write_pane(out, panes->panes[i]);
}

static void mark_panes(const struct pane_list *panes, uint32_t mark)
{
	for (size_t i = 0; i < panes->len; i++) {
		const struct window *w;
		size_t at = 0;

		while ((w = pane_next(panes->panes[i], &at)) != NULL)
			w->series->number = mark;
	}
}

/* Is anything but the outbox holding on to the series? Those of the outbox alone are left out: they leave with it. */
static void mark_all(const struct task *t, uint32_t mark)
{
	for (enum pane_class class = 0; class < NR_PANE_CLASSES; class++)
		mark_panes(&t->windows.panes[class], mark);
	mark_panes(&t->shadow.panes, mark);
	baselines_mark(&t->baselines, mark);
	alerts_mark(&t->alerts, mark);
}

/* Numbers the series that open windows, baselines or alerts know and writes them. */
static int write_all_series(const struct task *t, struct buf *out, struct err *err)
{
	const struct window_store *ws = &t->windows;
	struct series_writer w = {0};
	struct series *s;
	uint32_t nr = 0;
	size_t at = 0;

	if (ws->series.len >= UINT32_MAX - 1)
		return err_set(err, ERR_FATAL, "more series than a snapshot can number");
	while ((s = series_table_next(&ws->series, &at)) != NULL)
		s->number = 0;
	mark_all(t, 1);
	for (at = 0; (s = series_table_next(&ws->series, &at)) != NULL;) {
		nr += s->number;
		if (s->number)
			series_codec_forget(s);
	}
	codec_write_long(out, nr);
	nr = 0;
	for (at = 0; (s = series_table_next(&ws->series, &at)) != NULL;) {
		if (!s->number)
			continue;
		s->number = nr++;
		series_codec_write(&w, s, out);
	}
	return 0;
}

int snapshot_encode(const struct task *t, struct buf *out, struct err *err)
{
	codec_write_int(out, SNAPSHOT_VERSION);
	codec_write_long(out, t->position);
	codec_write_long(out, t->watermark_ms);
	codec_write_long(out, t->windows.closed_ms);
	series_caps_encode(&t->windows.series.caps, out);
	if (write_all_series(t, out, err) < 0)
		return -1;
	for (enum pane_class class = 0; class < NR_PANE_CLASSES; class++)
		write_panes(out, &t->windows.panes[class]);
	dedup_encode(&t->dedup, t->watermark_ms, out);
	request_keys_encode(&t->request_keys, t->watermark_ms, out);
	baselines_encode(&t->baselines, t->watermark_ms, out);
	exemplars_encode(&t->exemplars, out);
	quiet_encode(&t->quiet, out);
	check_ins_encode(&t->check_ins, out);
	alerts_encode(&t->alerts, out);
	write_panes(out, &t->shadow.panes);
	return buf_failed(out) ? err_nomem(err, "a snapshot") : 0;
}

/* What decoding goes along with. */
struct restoring {
	struct codec_reader r;
	struct task *task;
	struct series **series;
	size_t nr_series;
	struct series_reader names;
	struct err *err; /* set for faults that are not the reader's */
};

static int64_t read_time(struct codec_reader *r)
{
	int64_t t = codec_read_long(r);

	if (t < 0 || t > INT64_MAX / 2)
		codec_fault(r, "a time out of range");
	return codec_reader_ok(r) ? t : 0;
}

static int read_series(struct restoring *in)
{
	struct tag tags[SERIES_TAGS_MAX];
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
	struct series_id id;
	struct series *s;

	if (series_codec_read(&in->names, &in->r, fingerprint, &id, tags, in->err) < 0)
		return -1;
	s = series_table_take(&in->task->windows.series, &id, fingerprint, in->err);
	if (!s)
		return -1;
	in->series[in->nr_series++] = s;
	if (s->refs > 1)
		codec_fault(&in->r, "a series stands there twice");
	return codec_reader_ok(&in->r) ? 0 : -1;
}

static int read_all_series(struct restoring *in)
{
	size_t nr = codec_read_count(&in->r, SERIES_CODEC_BYTES_MIN);

	in->series = calloc(nr + 1, sizeof(*in->series));
	if (!in->series || series_table_reserve(&in->task->windows.series, nr) < 0)
		return err_nomem(in->err, "the series of a snapshot");
	for (size_t i = 0; i < nr; i++)
		if (read_series(in) < 0)
			return -1;
	return codec_reader_ok(&in->r) ? 0 : -1;
}

static int read_hist(struct restoring *in, struct pane *pane, struct window *w)
{
	if (hist_codec_read(&in->r, &w->hist, in->err) < 0)
		return -1;
	pane->hist_bytes += hist_bytes(&w->hist);
	if (!w->approximate && hist_count(&w->hist) != (uint64_t)w->count)
		codec_fault(&in->r, "a histogram that does not add up");
	return 0;
}

static void read_errors(struct codec_reader *r, struct window *w)
{
	int64_t errors = codec_read_long(r);

	if (errors < 1 || errors > UINT32_MAX || errors > w->count)
		codec_fault(r, "errors that are not among the values");
	else
		w->errors = (uint32_t)errors;
}

static int read_window(struct restoring *in, struct pane *pane)
{
	int64_t number = codec_read_long(&in->r);
	int32_t flags = codec_read_int(&in->r);
	struct window *w;

	if (number < 0 || (uint64_t)number >= in->nr_series || flags < 0 || flags > ALL_FLAGS)
		codec_fault(&in->r, "a window of an unknown series");
	if (!codec_reader_ok(&in->r))
		return -1;
	w = pane_window(pane, in->series[number]);
	if (!w)
		return err_nomem(in->err, "a window of a snapshot");
	if (w->count)
		codec_fault(&in->r, "a window stands there twice");
	w->count = codec_read_long(&in->r);
	if (w->count < 1)
		codec_fault(&in->r, "a window without values");
	w->sum = codec_read_double(&in->r);
	w->last_at_ms = read_time(&in->r);
	w->has_min = flags & HAS_MIN;
	w->has_max = flags & HAS_MAX;
	w->has_last = flags & HAS_LAST;
	w->approximate = flags & APPROXIMATE;
	w->min = w->has_min ? codec_read_double(&in->r) : 0;
	w->max = w->has_max ? codec_read_double(&in->r) : 0;
	w->last = w->has_last ? codec_read_double(&in->r) : 0;
	if (flags & HAS_ERRORS)
		read_errors(&in->r, w);
	if (codec_reader_ok(&in->r) && w->series->kind == SERIES_KIND_DISTRIBUTION)
		return read_hist(in, pane, w);
	return codec_reader_ok(&in->r) ? 0 : -1;
}

/* Can a pane of this class start there? On-time panes are not closed yet, late ones are. */
static bool start_fits(enum pane_class class, int64_t start_ms, int64_t closed_ms)
{
	bool closed = start_ms + pane_length_ms(class) <= closed_ms;

	return start_ms % pane_length_ms(class) == 0 && closed == pane_is_late(class);
}

/* An empty pane in its list. shadow: among what was kept back from a flush. NULL when memory is short. */
static struct pane *new_pane(struct restoring *in, enum pane_class class, bool shadow, int64_t start_ms, int64_t first_ms)
{
	struct pane *pane;

	if (!shadow)
		return window_store_new_pane(&in->task->windows, class, start_ms, first_ms);
	pane = window_store_lone_pane(&in->task->windows, start_ms);
	if (pane && pane_list_insert(&in->task->shadow.panes, pane) < 0) {
		pane_free(pane, &in->task->windows.series);
		return NULL;
	}
	return pane;
}

static int read_pane(struct restoring *in, enum pane_class class, bool shadow)
{
	struct window_store *ws = &in->task->windows;
	const struct pane_list *list = shadow ? &in->task->shadow.panes : &ws->panes[class];
	int64_t start_ms = read_time(&in->r), first_ms = read_time(&in->r), touched_ms = read_time(&in->r);
	size_t nr = codec_read_count(&in->r, WINDOW_BYTES_MIN);
	struct pane *pane;

	if (!start_fits(class, start_ms, ws->closed_ms) || pane_list_find(list, start_ms))
		codec_fault(&in->r, "a pane that cannot be there");
	if (!codec_reader_ok(&in->r))
		return -1;
	pane = new_pane(in, class, shadow, start_ms, first_ms);
	if (!pane || pane_reserve(pane, nr) < 0)
		return err_nomem(in->err, "a pane of a snapshot");
	pane->touched_ms = touched_ms;
	for (size_t i = 0; i < nr; i++)
		if (read_window(in, pane) < 0)
			return -1;
	return codec_reader_ok(&in->r) ? 0 : -1;
}

static int read_panes(struct restoring *in, enum pane_class class, bool shadow)
{
	size_t nr = codec_read_count(&in->r, 4);

	for (size_t i = 0; i < nr; i++)
		if (read_pane(in, class, shadow) < 0)
			return -1;
	return codec_reader_ok(&in->r) ? 0 : -1;
}

/* What triggers need. */
static int read_alerting(struct restoring *in)
{
	if (quiet_decode(&in->task->quiet, &in->r, in->err) < 0 || check_ins_decode(&in->task->check_ins, &in->r, in->err) < 0)
		return -1;
	if (alerts_decode(&in->task->alerts, &in->r, in->series, in->nr_series, in->err) < 0)
		return -1;
	return read_panes(in, PANE_MINUTE, true);
}

static int read_state(struct restoring *in)
{
	int32_t version = codec_read_int(&in->r);

	if (codec_reader_ok(&in->r) && version != SNAPSHOT_VERSION)
		return err_set(in->err, ERR_REJECT, "a snapshot of version %d, this build knows %d", version, SNAPSHOT_VERSION);
	in->task->position = read_time(&in->r);
	in->task->watermark_ms = read_time(&in->r);
	in->task->windows.closed_ms = read_time(&in->r);
	if (in->task->windows.closed_ms % CLOCK_MINUTE_MS)
		codec_fault(&in->r, "a closing that is not a full minute");
	series_caps_decode(&in->task->windows.series.caps, &in->r);
	if (read_all_series(in) < 0)
		return -1;
	for (enum pane_class class = 0; class < NR_PANE_CLASSES; class++)
		if (read_panes(in, class, false) < 0)
			return -1;
	if (dedup_decode(&in->task->dedup, &in->r, in->task->watermark_ms, in->err) < 0 ||
	    request_keys_decode(&in->task->request_keys, &in->r, in->task->watermark_ms, in->err) < 0)
		return -1;
	if (baselines_decode(&in->task->baselines, &in->r, in->task->watermark_ms, in->series, in->nr_series, in->err) < 0)
		return -1;
	if (exemplars_decode(&in->task->exemplars, &in->r, in->task->windows.closed_ms, in->err) < 0)
		return -1;
	return read_alerting(in);
}

bool snapshot_is_newer(struct str bytes)
{
	struct codec_reader r;
	int32_t version;

	codec_reader_init(&r, bytes, NULL);
	version = codec_read_int(&r);
	return codec_reader_ok(&r) && version > SNAPSHOT_VERSION;
}

int snapshot_decode(struct str bytes, struct task *t, struct err *err)
{
	struct err why = ERR_INIT;
	struct restoring in = {.task = t, .err = &why};
	int rc;

	codec_reader_init(&in.r, bytes, NULL);
	rc = read_state(&in);
	/* A series that nothing knows cannot have been written: it would stay for ever. */
	for (size_t i = 0; i < in.nr_series; i++) {
		if (in.series[i]->refs == 1)
			codec_fault(&in.r, "a series without a window, a baseline or an alert");
		series_table_drop(&t->windows.series, in.series[i]);
	}
	free(in.series);
	series_reader_fini(&in.names);
	if (why.kind == 0 && codec_close(&in.r, "snapshot", &why) == 0 && rc == 0)
		return 0;
	if (err)
		*err = why;
	return -1;
}
