/* letters.c - see letters.h.
 *
 * Marks are read before letters. A retry of our own that fails again makes a new letter behind the end, so that the reading ends. */
#include "deploy/ctl/letters.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/report.h"
#include "deploy/ctl/topic_scan.h"


struct reading {
	struct topic_scan *scan;
	struct arena arena; /* of one record */
	struct letter_marks marks;
	const struct letter_filter *filter;
	letter_fn fn;
	void *ctx;
};

static int parse_ids(struct letter_filter *f, const struct args *args, struct err *err)
{
	for (int i = 0; i < args->nr_rest; i++)
		if (letter_ids_parse(&f->ids, str_from(args->rest[i]), err) < 0)
			return -1;
	return 0;
}

int letter_filter_init(struct letter_filter *f, const struct ctl *ctl, struct err *err)
{
	static const char *const options[] = {"topic", "cell", "code", "since"};
	const struct args *args = &ctl->args;

	*f = (struct letter_filter){.topic = args_text(args, "topic"), .cell = args_text(args, "cell"), .code = args_text(args, "code")};
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		f->named |= args_given(args, options[i]);
	if (!args->nr_rest || args_given(args, "since"))
		f->since_ms = clock_now_ms(&ctl->program.clock) - args_int(args, "since");
	return parse_ids(f, args, err);
}

void letter_filter_fini(struct letter_filter *f)
{
	letter_ids_fini(&f->ids);
}

bool letter_topic_split(struct str topic, struct str *cell, struct str *name)
{
	struct str s = topic;
	const char *dot;

	if (!str_take(&s, "millrace.c.") || !(dot = memchr(s.p, '.', s.len)))
		return false;
	*cell = (struct str){s.p, (size_t)(dot - s.p)};
	*name = (struct str){dot + 1, s.len - cell->len - 1};
	return cell->len > 0 && name->len > 0;
}

enum letter_state letter_state(const struct letter *letter)
{
	return letter->mark ? letter->mark->state : LETTER_OPEN;
}

void letter_write_head(struct json_writer *w, const struct letter *letter)
{
	const struct dead_letter *r = &letter->record;
	char epoch[20];

	json_write_int(w, "id", letter->id);
	json_write_text(w, "state", str_from(letter_state_name(letter_state(letter))));
	if (letter->mark) {
		json_write_int(w, "handled_at", letter->mark->at_ms);
		json_write_text(w, "author", str_from(letter->mark->author));
	}
	if (letter->fault) {
		json_write_text(w, "unreadable", str_from(letter->fault));
		return;
	}
	snprintf(epoch, sizeof(epoch), "%016" PRIx64, (uint64_t)r->epoch);
	json_write_int(w, "at", r->at);
	json_write_text(w, "topic", r->topic);
	json_write_text(w, "epoch", str_from(epoch));
	json_write_int(w, "partition", r->partition);
	json_write_int(w, "offset", r->offset);
	json_write_text(w, "code", r->code);
	json_write_text(w, "reason", r->reason);
	json_write_text(w, "program", r->program);
	json_write_text(w, "build", r->build);
}

static bool is_of_topic(const struct letter *letter, const char *topic)
{
	struct str cell, name;

	return str_eq(letter->record.topic, str_from(topic)) ||
	       (letter_topic_split(letter->record.topic, &cell, &name) && str_eq(name, str_from(topic)));
}

static bool is_of_cell(const struct letter *letter, const char *wanted)
{
	struct str cell, name;

	return letter_topic_split(letter->record.topic, &cell, &name) && str_eq(cell, str_from(wanted));
}

bool letter_filter_passes(const struct letter_filter *f, const struct letter *letter)
{
	if (f->ids.nr && !letter_ids_has(&f->ids, letter->id))
		return false;
	if ((f->topic && !is_of_topic(letter, f->topic)) || (f->cell && !is_of_cell(letter, f->cell)) ||
	    (f->code && !str_eq(letter->record.code, str_from(f->code))))
		return false;
	if (!letter->fault && letter->record.at < f->since_ms)
		return false;
	return !f->open_only || !letter->mark;
}

static int64_t stamp_of(const rd_kafka_message_t *message)
{
	int64_t stamp_ms = rd_kafka_message_timestamp(message, NULL);

	return stamp_ms > 0 ? stamp_ms : 0;
}

static struct str value_of(const rd_kafka_message_t *message)
{
	return (struct str){message->payload ? message->payload : "", message->len};
}

/* A notice that cannot be read is no mark of ours. */
static int on_notice(void *ctx, const rd_kafka_message_t *message, struct err *err)
{
	struct reading *r = ctx;
	struct notice notice = {0};

	arena_clear(&r->arena);
	if (notice_decode(value_of(message), &r->arena, &notice, NULL) < 0)
		return 0;
	return letter_marks_take(&r->marks, &notice, stamp_of(message), err);
}

static int on_letter(void *ctx, const rd_kafka_message_t *message, struct err *err)
{
	struct reading *r = ctx;
	struct letter letter = {.id = message->offset, .mark = letter_marks_of(&r->marks, message->offset, stamp_of(message))};
	struct err why = ERR_INIT;

	arena_clear(&r->arena);
	if (dead_letter_decode(value_of(message), &r->arena, &letter.record, &why) < 0) {
		if (why.kind == ERR_FATAL)
			return err_set(err, why.kind, "%s", why.msg);
		letter.record = (struct dead_letter){0};
		letter.fault = why.msg;
	}
	return letter_filter_passes(r->filter, &letter) ? r->fn(r->ctx, &letter, err) : 0;
}

/* Only the first one's time is wanted. */
static int on_first(void *ctx, const rd_kafka_message_t *message, struct err *err)
{
	int64_t *first_ms = ctx;

	(void)err;
	*first_ms = stamp_of(message);
	return 1;
}

/* Reads the marks of [from, to). Notices go back a year and more: those before the first letter are passed over. */
static int read_marks(struct reading *r, int64_t from, int64_t to, struct err *err)
{
	int64_t first_ms = 0, notices_from, notices_to;

	if (letter_marks_init(&r->marks, from, to, err) < 0 || topic_scan_read(r->scan, TOPIC_DEADLETTER, 0, from, to, on_first, &first_ms, err) < 0 ||
	    topic_scan_bounds(r->scan, TOPIC_NOTICES, 0, first_ms - LETTER_MARKS_SLACK_MS, &notices_from, &notices_to, err) < 0)
		return -1;
	return topic_scan_read(r->scan, TOPIC_NOTICES, 0, notices_from, notices_to, on_notice, r, err);
}

static int read_all(struct reading *r, int64_t since_ms, struct err *err)
{
	const struct letter_ids *ids = &r->filter->ids;
	int64_t from, to;

	if (topic_scan_bounds(r->scan, TOPIC_DEADLETTER, 0, since_ms - LETTER_MARKS_SLACK_MS, &from, &to, err) < 0)
		return -1;
	if (ids->nr && letter_ids_min(ids) > from)
		from = letter_ids_min(ids);
	if (ids->nr && letter_ids_max(ids) < to)
		to = letter_ids_max(ids) + 1;
	if (from >= to)
		return 0;
	if (read_marks(r, from, to, err) < 0)
		return -1;
	return topic_scan_read(r->scan, TOPIC_DEADLETTER, 0, from, to, on_letter, r, err);
}

int letters_each(struct ctl *ctl, const struct letter_filter *f, letter_fn fn, void *ctx, struct err *err)
{
	const struct clock *clock = &ctl->program.clock;
	struct reading r = {.filter = f, .fn = fn, .ctx = ctx};
	int64_t since_ms = f->since_ms ? clock_wall_ms() - clock_real_duration_ms(clock, clock_now_ms(clock) - f->since_ms) : 0;
	int rc = -1;

	r.scan = topic_scan_new(&ctl->program, ctl->progress, err);
	if (r.scan)
		rc = read_all(&r, since_ms, err);
	topic_scan_free(r.scan);
	letter_marks_fini(&r.marks);
	arena_fini(&r.arena);
	return rc;
}
