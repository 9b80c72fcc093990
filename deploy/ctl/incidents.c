/* incidents.c - see incidents.h.
 *
 * A cell whose topic is not there has no incidents: it may be on its way, or half made. Only where one cell was asked for it is an error. */
#include "deploy/ctl/incidents.h"

#include <stdlib.h>
#include <string.h>

#include "common/kafka.h"
#include "deploy/ctl/newest.h"
#include "deploy/ctl/topic_admin.h"
#include "deploy/ctl/word_json.h"

void incidents_fini(struct incidents *i)
{
	free(i->list);
	arena_fini(&i->arena);
	*i = (struct incidents){0};
}

/* Decodes all rows of one topic behind those that are there. */
static int add_rows(struct incidents *i, const struct newest *rows, struct err *err)
{
	size_t nr;
	const struct newest_row **list = newest_list(rows, &nr, err);
	struct incident *grown = list ? reallocarray(i->list, i->nr + nr + 1, sizeof(*grown)) : NULL;

	if (!grown) {
		free(list);
		return err_nomem(err, "a list of incidents");
	}
	i->list = grown;
	for (size_t at = 0; at < nr; at++) {
		/* The row goes, what it says stays. */
		struct str value = arena_str(&i->arena, list[at]->value);
		struct err why = ERR_INIT;

		grown[i->nr] = (struct incident){0};
		if (incident_decode(value, &i->arena, &grown[i->nr], &why) == 0)
			i->nr++;
		else
			ctl_hint("warning: an incident cannot be read: %s", why.msg);
	}
	free(list);
	return 0;
}

static int read_cell(struct incidents *i, struct topic_scan *scan, const char *topic, struct err *err)
{
	struct newest rows = {0};
	int rc = newest_read(&rows, scan, topic, err);

	if (rc == 0)
		rc = add_rows(i, &rows, err);
	newest_fini(&rows);
	return rc;
}

static int read_cells(struct incidents *i, struct ctl *ctl, struct topic_scan *scan, struct err *err)
{
	struct arena arena = ARENA_INIT;
	struct topic_list topics;
	size_t nr = 0;
	const struct store_item **cells = store_list(cluster_store(ctl->cluster), STORE_CELLS, &nr, err);
	int rc = cells ? topic_list_read(cluster_client(ctl->cluster), &arena, &topics, err) : -1;

	for (size_t c = 0; rc == 0 && c < nr; c++) {
		char topic[KAFKA_TOPIC_SIZE], name[64];

		snprintf(name, sizeof(name), STR_FMT, STR_ARG(cells[c]->key));
		kafka_cell_topic(topic, name, "incidents");
		if (topic_list_find(&topics, topic))
			rc = read_cell(i, scan, topic, err);
	}
	free(cells);
	arena_fini(&arena);
	return rc;
}

static int by_opening(const void *a, const void *b)
{
	const struct incident *x = a, *y = b;

	if (x->opened_at != y->opened_at)
		return x->opened_at < y->opened_at ? -1 : 1;
	return memcmp(x->id, y->id, sizeof(x->id));
}

int incidents_read(struct incidents *i, struct ctl *ctl, struct topic_scan *scan, const char *cell, struct err *err)
{
	char topic[KAFKA_TOPIC_SIZE];
	int rc;

	if (cell && !ctl_find_cell(ctl, cell, err))
		return -1;
	rc = cell ? read_cell(i, scan, kafka_cell_topic(topic, cell, "incidents"), err) : read_cells(i, ctl, scan, err);
	if (rc == 0 && i->nr)
		qsort(i->list, i->nr, sizeof(*i->list), by_opening);
	return rc;
}

const char *incidents_id(const struct incident *incident, char out[INCIDENTS_ID_SIZE])
{
	return str_hex(incident->id, sizeof(incident->id), out);
}

const char *incidents_short(const struct incident *incident, char out[INCIDENTS_SHORT_SIZE])
{
	char id[INCIDENTS_ID_SIZE];

	snprintf(out, INCIDENTS_SHORT_SIZE, "%.12s", incidents_id(incident, id));
	return out;
}

static bool is_prefix(const char *prefix)
{
	size_t digits = strspn(prefix, "0123456789abcdefABCDEF");

	return !prefix[digits] && digits >= INCIDENTS_PREFIX_MIN && digits < INCIDENTS_ID_SIZE;
}

const struct incident *incidents_find(const struct incidents *i, const char *prefix, struct err *err)
{
	const struct incident *found = NULL;
	char id[INCIDENTS_ID_SIZE], other[INCIDENTS_ID_SIZE];

	if (!is_prefix(prefix)) {
		err_set(err, ERR_REJECT, "\"%.80s\" is no incident's id: give %d to 32 of its hexadecimal digits", prefix, INCIDENTS_PREFIX_MIN);
		return NULL;
	}
	for (size_t at = 0; at < i->nr; at++) {
		if (strncasecmp(incidents_id(&i->list[at], id), prefix, strlen(prefix)) != 0)
			continue;
		if (found) {
			err_set(err, ERR_REJECT, "\"%s\" begins several incidents, %s and %s: give more of its digits", prefix,
				incidents_id(found, other), id);
			return NULL;
		}
		found = &i->list[at];
	}
	if (!found)
		err_set(err, ERR_REJECT, "there is no incident \"%s\": millrace-ctl incident list --all shows them", prefix);
	return found;
}

static void write_time(struct json_writer *w, const char *key, bool has, int64_t at_ms)
{
	if (has)
		json_write_int(w, key, at_ms);
}

static void write_alert(struct json_writer *w, const struct incident_alert *a)
{
	json_write_map(w, NULL);
	json_write_hex(w, "fingerprint", a->fingerprint, sizeof(a->fingerprint));
	json_write_hex(w, "episode", a->episode, sizeof(a->episode));
	json_write_text(w, "state", str_from(incident_alert_state_name(a->state)));
	if (a->has_series_kind)
		json_write_text(w, "kind", str_from(series_kind_name(a->series_kind)));
	json_write_text(w, "name", a->name);
	json_write_map(w, "tags");
	for (size_t i = 0; i < a->tags_len; i++) {
		char key[256];

		snprintf(key, sizeof(key), STR_FMT, STR_ARG(a->tags[i].key));
		json_write_text(w, key, a->tags[i].value);
	}
	json_write_map_end(w);
	json_write_int(w, "opened_at", a->opened_at);
	write_time(w, "closed_at", a->has_closed_at, a->closed_at);
	if (a->has_value)
		json_write_number(w, "value", a->value);
	json_write_map_end(w);
}

void incidents_write(struct json_writer *w, const char *key, const struct incident *i)
{
	json_write_map(w, key);
	json_write_hex(w, "id", i->id, sizeof(i->id));
	json_write_text(w, "state", str_from(incident_state_name(i->state)));
	json_write_text(w, "cell", i->cell);
	json_write_text(w, "site", i->site);
	json_write_text(w, "trigger", i->trigger);
	json_write_text(w, "severity", str_from(alert_severity_name(i->severity)));
	json_write_text(w, "description", i->description);
	json_write_text(w, "condition", i->condition);
	json_write_int(w, "version", i->version);
	json_write_int(w, "opened_at", i->opened_at);
	json_write_int(w, "updated_at", i->updated_at);
	write_time(w, "resolved_at", i->has_resolved_at, i->resolved_at);
	write_time(w, "acked_at", i->has_acked_at, i->acked_at);
	word_json_write_maybe(w, "acked_by", i->has_acked_by, i->acked_by);
	word_json_write_maybe(w, "ack_reason", i->has_ack_reason, i->ack_reason);
	json_write_int(w, "alerts_total", i->alerts_total);
	json_write_int(w, "open_alerts", i->open_alerts);
	json_write_int(w, "behind_opened", i->behind_opened);
	json_write_int(w, "behind_closed", i->behind_closed);
	json_write_array(w, "alerts");
	for (size_t at = 0; at < i->alerts_len; at++)
		write_alert(w, &i->alerts[at]);
	json_write_array_end(w);
	json_write_map_end(w);
}
