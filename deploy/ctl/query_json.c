/* query_json.c - what a query found, as JSON (query_print.h).
 *
 * All fields of each window that has any data: a script chooses. A field without a value is left out. */
#include "deploy/ctl/query_print.h"

static void write_figures(struct json_writer *w, const struct windows_point *p, int64_t length_ms)
{
	json_write_int(w, "count", p->point.count);
	json_write_int(w, "errors", p->point.errors);
	for (unsigned f = TRIGGER_FIELD_SUM; trigger_field_name((enum trigger_field)f); f++) {
		double value;

		if (query_value((enum trigger_field)f, p, length_ms, &value))
			json_write_number(w, trigger_field_name((enum trigger_field)f), value);
	}
}

static void write_group(const struct query *q, const struct query_group *g, struct json_writer *w)
{
	size_t nr = query_nr_closed(q);

	json_write_map(w, NULL);
	if (g->value.p)
		json_write_text(w, "value", g->value);
	json_write_int(w, "series", (int64_t)g->nr_series);
	json_write_map(w, "all");
	write_figures(w, &g->total, (int64_t)nr * q->spec->window_ms);
	json_write_map_end(w);
	json_write_array(w, "windows");
	for (size_t i = 0; i < nr; i++) {
		if (!g->windows[i].has)
			continue;
		json_write_map(w, NULL);
		json_write_int(w, "start", q->spec->from_ms + (int64_t)i * q->spec->window_ms);
		write_figures(w, &g->windows[i].p, q->spec->window_ms);
		json_write_map_end(w);
	}
	json_write_array_end(w);
	json_write_map_end(w);
}

void query_write(const struct query *q, const struct query_look *look, struct json_writer *w)
{
	size_t shown = q->nr < look->limit ? q->nr : look->limit;

	json_write_text(w, "site", q->spec->site);
	json_write_text(w, "metric", q->spec->metric);
	json_write_int(w, "window_ms", q->spec->window_ms);
	json_write_int(w, "from", q->spec->from_ms);
	json_write_int(w, "to", q->spec->from_ms + (int64_t)query_nr_closed(q) * q->spec->window_ms);
	json_write_int(w, "fragments", (int64_t)q->nr_fragments);
	json_write_int(w, "late", (int64_t)q->nr_late);
	json_write_bool(w, "approximate", q->approximate);
	json_write_int(w, "series", (int64_t)q->series.len);
	json_write_int(w, "nr_groups", (int64_t)q->nr);
	if (q->nr) {
		json_write_text(w, "kind", str_from(series_kind_name(query_kind(q))));
		json_write_text(w, "field", str_from(trigger_field_name(look->field)));
		json_write_map(w, "all");
		write_figures(w, &q->total, (int64_t)query_nr_closed(q) * q->spec->window_ms);
		json_write_map_end(w);
	}
	if (q->spec->by.p)
		json_write_text(w, "by", q->spec->by);
	json_write_array(w, "groups");
	for (size_t i = 0; i < shown; i++)
		write_group(q, q->groups[i], w);
	json_write_array_end(w);
}
