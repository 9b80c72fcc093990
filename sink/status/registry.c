/* registry.c - see registry.h.
 *
 * A topic that is not there yet has its subject all the same, as its schema is fixed. Errors are the registry's own: 40401 no such subject, 40402 no such
 * version, 40403 no such schema. */
#include "sink/status/registry.h"

#include <stdio.h>
#include <string.h>

#include "common/kafka.h"
#include "schemas/texts.h"
#include "sink/status/json_text.h"

enum { MAX_AGE_S = 300, PATH_SIZE = KAFKA_TOPIC_SIZE + 64 };

/* Adds what is in b, unless memory was short. */
static int add(struct answers *a, const char *path, struct buf *b, struct err *err)
{
	return answers_add(a, path, REGISTRY_TYPE, MAX_AGE_S, b, err);
}

static int add_ids(struct answers *a, struct err *err)
{
	size_t nr;
	const struct schema_text *texts = schema_texts(&nr);

	for (size_t i = 0; i < nr; i++) {
		struct buf b = BUF_INIT, text = BUF_INIT;
		char path[PATH_SIZE];

		buf_printf(&b, "{\"schema\":");
		json_text(&b, str_from(texts[i].text));
		buf_printf(&b, "}");
		buf_printf(&text, "%s", texts[i].text);
		snprintf(path, sizeof(path), "/schemas/ids/%d/schema", (int)texts[i].id);
		if (add(a, path, &text, err) < 0) {
			buf_fini(&b);
			return -1;
		}
		*strrchr(path, '/') = '\0';
		if (add(a, path, &b, err) < 0)
			return -1;
	}
	return 0;
}

/* The i-th text of the record, from i on; NULL: there is no more. */
static const struct schema_text *next_of(const char *record, size_t *i)
{
	size_t nr;
	const struct schema_text *texts = schema_texts(&nr);

	for (; *i < nr; (*i)++)
		if (strcmp(texts[*i].record, record) == 0)
			return &texts[(*i)++];
	return NULL;
}

static int add_version(struct answers *a, const char *subject, const char *version, const struct schema_text *text, struct err *err)
{
	struct buf b = BUF_INIT;
	char path[PATH_SIZE];

	buf_printf(&b, "{\"subject\":\"%s\",\"version\":%d,\"id\":%d,\"schema\":", subject, (int)text->version, (int)text->id); /* [a-z0-9.-] */
	json_text(&b, str_from(text->text));
	buf_printf(&b, "}");
	snprintf(path, sizeof(path), "/subjects/%s/versions/%s", subject, version);
	return add(a, path, &b, err);
}

/* Its versions, each of them, and the latest. */
static int add_subject(struct answers *a, const char *subject, const char *record, struct err *err)
{
	const struct schema_text *text, *latest = NULL;
	struct buf list = BUF_INIT;
	char path[PATH_SIZE];
	size_t i = 0;

	buf_printf(&list, "[");
	while ((text = next_of(record, &i)) != NULL) {
		char number[16];

		snprintf(number, sizeof(number), "%d", (int)text->version);
		buf_printf(&list, "%s%s", latest ? "," : "", number);
		latest = text;
		if (add_version(a, subject, number, text, err) < 0) {
			buf_fini(&list);
			return -1;
		}
	}
	buf_printf(&list, "]");
	snprintf(path, sizeof(path), "/subjects/%s/versions", subject);
	if (add(a, path, &list, err) < 0)
		return -1;
	return latest ? add_version(a, subject, "latest", latest, err) : 0;
}

/* Of one topic, of a cell or not (cell.p NULL); its name goes into the list, too. */
static int add_topic(struct answers *a, const struct schema_topic *topic, struct str cell, struct buf *list, struct err *err)
{
	char subject[KAFKA_TOPIC_SIZE];

	if (cell.p)
		snprintf(subject, sizeof(subject), "millrace.c." STR_FMT ".%s-value", (int)(cell.len < 32 ? cell.len : 32), cell.p, topic->name);
	else
		snprintf(subject, sizeof(subject), "millrace.%s-value", topic->name);
	buf_printf(list, "%s\"%s\"", list->len > 1 ? "," : "", subject);
	return add_subject(a, subject, topic->record, err);
}

static int add_subjects(struct answers *a, const struct str *cells, size_t nr_cells, struct buf *list, struct err *err)
{
	const struct str none = {NULL, 0};
	size_t nr;
	const struct schema_topic *topics = schema_topics(&nr);

	for (size_t c = 0; c < nr_cells; c++)
		for (size_t i = 0; i < nr; i++)
			if (topics[i].of_cell && add_topic(a, &topics[i], cells[c], list, err) < 0)
				return -1;
	for (size_t i = 0; i < nr; i++)
		if (!topics[i].of_cell && add_topic(a, &topics[i], none, list, err) < 0)
			return -1;
	return 0;
}

int registry_add(struct answers *a, const struct str *cells, size_t nr_cells, struct err *err)
{
	struct buf list = BUF_INIT, types = BUF_INIT;

	buf_printf(&types, "[\"AVRO\"]");
	if (add(a, "/schemas/types", &types, err) < 0 || add_ids(a, err) < 0)
		return -1;
	buf_printf(&list, "[");
	if (add_subjects(a, cells, nr_cells, &list, err) < 0) {
		buf_fini(&list);
		return -1;
	}
	buf_printf(&list, "]");
	return add(a, "/subjects", &list, err);
}

const char *registry_error(const char *path, unsigned int status)
{
	if (status == 405)
		return "{\"error_code\":405,\"message\":\"HTTP 405 Method Not Allowed: schemas are those of the build, and only read here\"}";
	if (status == 503)
		return "{\"error_code\":50301,\"message\":\"Not ready yet\"}";
	if (strncmp(path, "/schemas", 8) == 0)
		return "{\"error_code\":40403,\"message\":\"Schema not found\"}";
	return strstr(path, "/versions/") ? "{\"error_code\":40402,\"message\":\"Version not found\"}" : "{\"error_code\":40401,\"message\":\"Subject not found\"}";
}
