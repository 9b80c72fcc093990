/* letter_event.c - see letter_event.h. An event that became a dead letter may have no detail or several: all that are there are written, by the schema's
 * names. */
#include "deploy/ctl/letter_event.h"

#include "deploy/ctl/letter_value.h"

static void write_error(struct json_writer *w, const struct error_detail *d)
{
	json_write_map(w, "error");
	json_write_text(w, "class", d->class);
	json_write_text(w, "message", d->message);
	json_write_array(w, "backtrace");
	for (size_t i = 0; i < d->backtrace_len; i++) {
		json_write_map(w, NULL);
		json_write_text(w, "file", d->backtrace[i].file);
		json_write_int(w, "line", d->backtrace[i].line);
		json_write_text(w, "function", d->backtrace[i].function);
		json_write_bool(w, "in_app", d->backtrace[i].in_app);
		json_write_map_end(w);
	}
	json_write_array_end(w);
	letter_value_write_tags(w, "params", d->params, d->params_len);
	json_write_array(w, "breadcrumbs");
	for (size_t i = 0; i < d->breadcrumbs_len; i++) {
		json_write_map(w, NULL);
		json_write_int(w, "t", d->breadcrumbs[i].t);
		json_write_text(w, "category", d->breadcrumbs[i].category);
		json_write_text(w, "action", d->breadcrumbs[i].action);
		json_write_text(w, "message", d->breadcrumbs[i].message);
		letter_value_write_tags(w, "metadata", d->breadcrumbs[i].metadata, d->breadcrumbs[i].metadata_len);
		json_write_map_end(w);
	}
	json_write_array_end(w);
	json_write_map_end(w);
}

static void write_transaction(struct json_writer *w, const struct transaction_detail *d)
{
	json_write_map(w, "transaction");
	json_write_text(w, "id", d->id);
	letter_value_write_number(w, "duration_ms", d->duration_ms);
	letter_value_write_number(w, "queue_ms", d->queue_ms);
	json_write_bool(w, "failed", d->failed);
	json_write_array(w, "spans");
	for (size_t i = 0; i < d->spans_len; i++) {
		json_write_map(w, NULL);
		json_write_text(w, "id", d->spans[i].id);
		json_write_text(w, "parent_id", d->spans[i].parent_id);
		json_write_text(w, "name", d->spans[i].name);
		letter_value_write_number(w, "start_ms", d->spans[i].start_ms);
		letter_value_write_number(w, "duration_ms", d->spans[i].duration_ms);
		letter_value_write_tags(w, "tags", d->spans[i].tags, d->spans[i].tags_len);
		json_write_map_end(w);
	}
	json_write_array_end(w);
	json_write_map_end(w);
}

static void write_marker(struct json_writer *w, const struct marker_detail *d)
{
	json_write_map(w, "marker");
	json_write_text(w, "revision", d->revision);
	json_write_text(w, "user", d->user);
	json_write_text(w, "text", d->text);
	json_write_map_end(w);
}

static void write_check_in(struct json_writer *w, const struct check_in_detail *d)
{
	json_write_map(w, "check_in");
	json_write_text(w, "name", d->name);
	json_write_text(w, "kind", str_from(check_in_kind_name(d->kind)));
	json_write_text(w, "event", str_from(check_in_event_name(d->event)));
	json_write_map_end(w);
}

void letter_event_write(struct json_writer *w, const char *key, const struct event *e)
{
	json_write_map(w, key);
	json_write_hex(w, "group", e->group, sizeof(e->group));
	json_write_int(w, "t", e->t);
	json_write_text(w, "action", e->action);
	json_write_text(w, "namespace", e->namespace);
	json_write_text(w, "host", e->host);
	json_write_text(w, "environment", e->environment);
	json_write_text(w, "revision", e->revision);
	letter_value_write_tags(w, "tags", e->tags, e->tags_len);
	json_write_bool(w, "shortened", e->shortened);
	if (e->has_error)
		write_error(w, &e->error);
	if (e->has_transaction)
		write_transaction(w, &e->transaction);
	if (e->has_marker)
		write_marker(w, &e->marker);
	if (e->has_check_in)
		write_check_in(w, &e->check_in);
	json_write_map_end(w);
}
