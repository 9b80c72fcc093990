/* dump.h - a task's state as sorted lines, to compare two: maps have no order of their own. */
#ifndef MILLRACE_TESTS_PROCESSOR_DUMP_H
#define MILLRACE_TESTS_PROCESSOR_DUMP_H

#include <inttypes.h>

#include "processor/task.h"
#include "tests/unit/buckets.h"
#include "tests/unit/processor/ledger.h"

static inline void dump_window(struct buf *out, const struct pane *pane, const struct window *w)
{
	buf_printf(out, "pane %d %" PRId64 " %" PRId64 " %" PRId64 " series %d: %" PRId64 " %a %d %a %d %a %d %a %" PRId64 " %d %" PRIu64,
		   (int)pane->class, pane->start_ms, pane->first_ms, pane->touched_ms, l_series_of(w->series), w->count, w->sum, w->has_min, w->min,
		   w->has_max, w->max, w->has_last, w->last, w->last_at_ms, w->approximate, hist_count(&w->hist));
	buf_printf(out, " errors %u", w->errors);
	for (uint32_t i = 0; i < hist_len(&w->hist); i++) {
		struct bucket_at b = bucket_at(&w->hist, i);

		buf_printf(out, " %d*%d:%" PRIu64, b.sign, b.index, b.count);
	}
	buf_add(out, "\n", 1);
}

/* In their own order, which a snapshot must keep. */
static inline void dump_agents(struct buf *out, const struct dedup *d)
{
	buf_printf(out, "agents %zu of %zu sites, cap %" PRId64 "\n", d->agents.len, d->sites.len, d->agents_max);
	for (const struct dedup_agent *a = d->oldest; a; a = a->newer) {
		buf_printf(out, "agent " STR_FMT " %02x used %" PRId64 " home %d floor %" PRId64 " max %" PRId64 ":", STR_ARG(a->site->id), a->id[15],
			   a->used_ms, a->home, a->seqs.floor, a->seqs.max);
		for (int64_t seq = a->seqs.floor; seq < a->seqs.max; seq++)
			buf_add(out, seqs_has(&a->seqs, seq) ? "1" : "0", 1);
		buf_add(out, "\n", 1);
	}
}

static inline void dump_keys(struct buf *out, const struct request_keys *k)
{
	buf_printf(out, "keys %zu of %zu sites, cap %" PRId64 ", %zu bytes\n", k->keys.len, k->sites.len, k->keys_max, k->bytes);
	for (const struct request_key *key = k->oldest; key; key = key->newer)
		buf_printf(out, "key " STR_FMT " of " STR_FMT " came %" PRId64 "\n", STR_ARG(key->bytes), STR_ARG(key->site->id), key->came_ms);
}

static inline void dump_baselines(struct buf *out, const struct baselines *b)
{
	buf_printf(out, "baselines %zu, %zu bytes\n", b->by_series.len, b->bytes);
	for (const struct baseline *base = b->oldest; base; base = base->newer) {
		buf_printf(out, "baseline %d changed %" PRId64 " t %" PRId64 " start %" PRId64 " count %" PRId64 " sum %a single %d scale %d hist",
			   l_series_of(base->series), base->changed_ms, base->t_ms, base->start_ms, base->count, base->sum, base->single,
			   base->hist.scale);
		for (uint32_t i = 0; i < base->hist.len_bytes; i++)
			buf_printf(out, " %02x", base->hist.bytes[i]);
		buf_add(out, "\n", 1);
	}
}

/* In their own order too; the bytes by their hash. */
static inline void dump_exemplars(struct buf *out, const struct exemplars *e)
{
	buf_printf(out, "exemplars %zu of %zu groups, %zu and %zu bytes, oldest %" PRId64 " late %" PRId64 "\n", e->nr_held, e->groups.len, e->held_bytes,
		   e->group_bytes, e->oldest_ms, e->late_ms);
	for (const struct exemplar_group *g = e->first; g; g = g->next) {
		buf_add(out, "group ", 6);
		for (size_t i = 0; i < sizeof(g->group); i++)
			buf_printf(out, "%02x", g->group[i]);
		buf_printf(out, " %d of " STR_FMT " minute %" PRId64 " kept %u:", g->kind, STR_ARG(g->site->id), g->minute_ms, g->nr);
		for (uint32_t i = 0; g->kind == EXEMPLAR_TRANSACTION && i < g->nr; i++)
			buf_printf(out, " %a", g->slowest[i]);
		for (const struct specimen *s = g->first; s; s = s->next) {
			uint8_t hash[MAP_KEY_BYTES];

			map_key_of((struct str){(const char *)s->bytes, s->len}, hash);
			buf_printf(out, " %u:%a:", s->len, s->duration_ms);
			for (size_t i = 0; i < sizeof(hash); i++)
				buf_printf(out, "%02x", hash[i]);
		}
		buf_add(out, "\n", 1);
	}
}

/* Alerts in their own order, by what a snapshot must keep; what they go by. */
static inline void dump_alerts(struct buf *out, const struct task *t)
{
	const struct alerts *a = &t->alerts;
	struct buf bytes = BUF_INIT;

	buf_printf(out, "alerts %zu, held %zu, untold %zu, %zu series bytes\n", a->nr, a->nr_held, a->nr_untold, a->series_bytes);
	for (const struct alert_rule *r = a->first_rule; r; r = r->next)
		buf_printf(out, "trigger " STR_FMT " %" PRIx64 " unseen %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", STR_ARG(r->id), r->revision, r->unseen_opened,
			   r->unseen_closed, r->unseen_first_ms, r->unseen_last_ms);
	for (const struct alert *s = a->first; s; s = s->next)
		buf_printf(out, "alert " STR_FMT " %02x of %d: %d %d opened %" PRId64 " held %d untold %d value %d %a silent %d since %" PRId64 " due %" PRId64 "\n",
			   STR_ARG(s->rule->id), s->key[15], s->series ? l_series_of(s->series) : -1, (int)s->state.phase, (int)s->state.run,
			   alert_is_open(s) ? s->state.opened_ms : 0, s->held, s->untold, s->has_value, s->has_value ? s->value : 0, (int)s->silent, s->since_ms, s->due_ms);
	quiet_encode(&t->quiet, &bytes); /* equal states make equal bytes */
	check_ins_encode(&t->check_ins, &bytes);
	for (size_t i = 0; i < bytes.len; i++)
		buf_printf(out, "%02x", bytes.p[i]);
	buf_add(out, "\n", 1);
	ck_assert(!buf_failed(&bytes));
	buf_fini(&bytes);
}

static inline int dump_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Everything a snapshot must carry. The caller frees. */
static inline char *dump_task(const struct task *t)
{
	struct buf lines = BUF_INIT, sorted = BUF_INIT;
	char *line[4096], *save = NULL;
	size_t nr = 0;

	for (enum pane_class class = 0; class < NR_PANE_CLASSES; class++)
		for (size_t i = 0; i < t->windows.panes[class].len; i++) {
			const struct window *w;
			size_t at = 0;

			while ((w = pane_next(t->windows.panes[class].panes[i], &at)) != NULL)
				dump_window(&lines, t->windows.panes[class].panes[i], w);
		}
	for (size_t i = 0; i < t->shadow.panes.len; i++) {
		const struct window *w;
		size_t at = 0;

		while ((w = pane_next(t->shadow.panes.panes[i], &at)) != NULL) {
			buf_add(&lines, "shadow ", 7);
			dump_window(&lines, t->shadow.panes.panes[i], w);
		}
	}
	buf_add(&lines, "", 1);
	for (char *p = strtok_r((char *)lines.p, "\n", &save); p && nr < NR(line); p = strtok_r(NULL, "\n", &save))
		line[nr++] = p;
	qsort(line, nr, sizeof(line[0]), dump_compare);
	buf_printf(&sorted, "position %" PRId64 " watermark %" PRId64 " closed %" PRId64 "\n", t->position, t->watermark_ms, t->windows.closed_ms);
	buf_printf(&sorted, "series caps %" PRId64 " %" PRId64 "\n", t->windows.series.caps.site_max, t->windows.series.caps.record_max);
	for (size_t i = 0; i < nr; i++)
		buf_printf(&sorted, "%s\n", line[i]);
	dump_agents(&sorted, &t->dedup);
	dump_keys(&sorted, &t->request_keys);
	dump_baselines(&sorted, &t->baselines);
	dump_exemplars(&sorted, &t->exemplars);
	dump_alerts(&sorted, t);
	buf_add(&sorted, "", 1);
	ck_assert(!buf_failed(&lines) && !buf_failed(&sorted));
	buf_fini(&lines);
	return (char *)sorted.p;
}

#endif
