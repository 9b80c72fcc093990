/* letter_resend.c - see letter_resend.h.
 *
 * A letter's own words are believed only as far as the cell's record bears them out: topic and partition are where we write. */
#include "deploy/ctl/letter_resend.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/report.h"
#include "deploy/ctl/topic_spec.h"

/* A topic of cells that some program reads and commits. Not the snapshots: a chunk at another place is none. */
static bool is_read(struct str name)
{
	size_t nr;
	const struct topic_spec *specs = topic_specs(&nr);

	for (size_t i = 0; i < nr; i++)
		if (specs[i].of_cell && specs[i].epoch_bound && specs[i].retention_ms > 0 && str_eq(name, str_from(specs[i].name)))
			return true;
	return false;
}

int letter_open_check(const struct letter *letter, bool again, struct err *err)
{
	char at[CLOCK_ISO_SIZE];

	if (!letter->mark || again)
		return 0;
	return err_set(err, ERR_REJECT, "was %s by %s at %s: --again does it all the same", letter_state_name(letter->mark->state),
		       letter->mark->author ? letter->mark->author : "somebody", clock_iso(letter->mark->at_ms, at, sizeof(at)));
}

/* Of the cell as it is now? */
static int check_place(const struct dead_letter *record, const struct cell *cell, struct err *err)
{
	if (cell->epoch != record->epoch)
		return err_set(err, ERR_REJECT, "is of epoch %016" PRIx64 ", and the cell's topics were made again since (%016" PRIx64 "): what it belonged to is gone",
			       (uint64_t)record->epoch, (uint64_t)cell->epoch);
	if (record->partition < 0 || record->partition >= cell->partitions || record->offset < 0)
		return err_set(err, ERR_REJECT, "stood at partition %" PRId32 ", offset %" PRId64 ", which cannot be", record->partition, record->offset);
	return 0;
}

int letter_resend_check(const struct letter *letter, const struct store *store, bool again, struct err *err)
{
	const struct dead_letter *record = &letter->record;
	const struct cell *cell;
	struct str cell_name, name;

	if (letter->fault)
		return err_set(err, ERR_REJECT, "cannot be read: %.180s", letter->fault);
	if (str_eq(record->code, STR(REPORT_CUT_CODE)))
		return err_set(err, ERR_REJECT, "holds the beginning of its record only");
	if (!letter_topic_split(record->topic, &cell_name, &name) || !is_read(name))
		return err_set(err, ERR_REJECT, "is of topic %.*s, to which nothing is sent again",
			       (int)(record->topic.len > ORIGIN_TOPIC_MAX / 2 ? ORIGIN_TOPIC_MAX / 2 : record->topic.len), record->topic.p);
	cell = store_cell(store, cell_name);
	if (!cell)
		return err_set(err, ERR_REJECT, "is of a cell that is not there: %.*s", (int)(cell_name.len > 64 ? 64 : cell_name.len), cell_name.p);
	return check_place(record, cell, err) < 0 ? -1 : letter_open_check(letter, again, err);
}

/* The origin that the record carries, if it is the only one, and can be one. */
static bool find_origin(const struct dead_letter *letter, const struct origin *place, struct str *line)
{
	const struct header *found = NULL;
	struct origin o;

	for (size_t i = 0; i < letter->headers_len; i++) {
		if (!str_eq(letter->headers[i].name, STR(ORIGIN_HEADER)))
			continue;
		if (found || !letter->headers[i].has_value)
			return false;
		found = &letter->headers[i];
	}
	if (!found || origin_parse(found->value, &o, NULL) < 0 || origin_check(&o, place, NULL) < 0)
		return false;
	*line = found->value;
	return true;
}

int letter_resend_make(const struct dead_letter *letter, struct arena *arena, struct cluster_record *out, struct err *err)
{
	const struct origin place = {letter->topic, letter->epoch, letter->partition, letter->offset};
	struct header *headers = arena_calloc(arena, letter->headers_len + 1, sizeof(*headers));
	const char *topic = arena_str(arena, letter->topic).p;
	char text[ORIGIN_SIZE];
	struct str line = {0};
	size_t nr = 0;

	if (!find_origin(letter, &place, &line))
		line = arena_str(arena, str_from(origin_format(&place, text)));
	if (!headers || !topic || !line.p)
		return err_nomem(err, "a record");
	for (size_t i = 0; i < letter->headers_len; i++)
		if (!str_eq(letter->headers[i].name, STR(ORIGIN_HEADER)))
			headers[nr++] = letter->headers[i];
	headers[nr++] = (struct header){.name = STR(ORIGIN_HEADER), .has_value = true, .value = line};
	*out = (struct cluster_record){.topic = topic, .partition = letter->partition, .headers = headers, .nr_headers = nr};
	if (letter->has_key)
		out->key = letter->key;
	if (letter->has_value)
		out->value = letter->value;
	return 0;
}
