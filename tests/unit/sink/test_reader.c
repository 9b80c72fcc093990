/* test_reader.c - the reader between real records and writers that are played here: who gets what, when, and what may be committed meanwhile.
 *
 * The writers below take a batch at a time, settle its documents at random and give batches back in any order. The test knows of each record what it is,
 * as it made it; where a record is when, it learns from the batches alone. */
#include "sink/mongo/reader.h"

#include "common/control.h"
#include "sink/mongo/letters.h"
#include "tests/unit/common/control_records.h"
#include "tests/unit/common/kafka_mock.h"
#include "tests/unit/sink/alerts.h"

enum { RECORDS = 2000, PLACES = 5, AWAY_MAX = 64, BATCH = 20, EPOCH = 7, PATIENCE_MS = 20000 };

/* What a record is made to be: one of the four kinds of an exemplar, or these; of which all from UNREADABLE on become dead letters. */
enum { AGGREGATE = 4, ALERT, INCIDENT, UNREADABLE, TWO_DETAILS, NR_KINDS };

/* Where records come from. */
static const struct { const char *topic; enum sink_topic of; int32_t partition; } places[PLACES] = {
	{"millrace.c.main.minutely", SINK_MINUTELY, 0}, {"millrace.c.main.exemplars", SINK_EXEMPLARS, 0}, {"millrace.c.main.exemplars", SINK_EXEMPLARS, 1},
	{"millrace.c.main.alerts", SINK_ALERTS, 0}, {"millrace.c.main.incidents", SINK_INCIDENTS, 0},
};

struct known {
	int kind;
	struct str site;
	bool given;   /* to the writers, once */
	bool settled; /* by them */
};

/* The writers. */
struct writers {
	struct batch *away[AWAY_MAX];
	size_t nr, enough; /* that many are away: busy */
	struct unit_random random;
	struct known (*known)[RECORDS];
	uint64_t condemned, given[NR_SINK_COLLECTIONS];
	enum sink_collection order[AWAY_MAX * 4]; /* of all that were given */
	size_t nr_order;
	unsigned letters;
};

static enum sink_collection collection_of(int kind)
{
	if (kind >= AGGREGATE)
		return kind == AGGREGATE ? SINK_IN_MINUTELY : kind == ALERT ? SINK_IN_ALERTS : SINK_IN_INCIDENTS;
	return (enum sink_collection)(SINK_IN_ERRORS + kind);
}

static struct known *known_of(struct writers *w, const struct batch *b, const struct batch_entry *e)
{
	int place = b->collection == SINK_IN_MINUTELY ? 0 : b->collection == SINK_IN_ALERTS ? 3 : b->collection == SINK_IN_INCIDENTS ? 4 : 1 + e->message->partition;

	return &w->known[place][e->message->offset];
}

/* It belongs where it is, it comes once, and its _id ends with its place. */
static void check_entry(struct writers *w, const struct batch *b, const struct batch_entry *e)
{
	struct known *k = known_of(w, b, e);
	const uint8_t *doc = (const uint8_t *)b->documents.p + e->doc_at, *id = doc + 4 + 1 + 4 + 5;

	ck_assert_int_eq(collection_of(k->kind), b->collection);
	ck_assert(!k->given);
	k->given = true;
	w->given[b->collection]++;
	ck_assert_uint_eq((uint64_t)id[42] << 8 | id[43], (uint64_t)e->message->offset);
	ck_assert_uint_eq(id[35], (uint64_t)e->message->partition);
}

void writers_give(struct writers *w, struct batch *b)
{
	ck_assert_uint_lt(w->nr, AWAY_MAX);
	ck_assert_uint_le(b->nr_spans, b->collection == SINK_IN_MINUTELY ? 1 : 2); /* one a partition */
	for (size_t i = 0; i < b->len; i++)
		if (b->entries[i].state == BATCH_PENDING)
			check_entry(w, b, &b->entries[i]);
	if (w->nr_order < NR(w->order))
		w->order[w->nr_order++] = b->collection;
	w->away[w->nr++] = b;
}

/* Any batch, most of its documents stored. */
struct batch *writers_take(struct writers *w, int64_t timeout_ms)
{
	struct batch *b;
	size_t at;

	if (w->nr == 0 || (timeout_ms == 0 && unit_random_below(&w->random, 4)))
		return NULL;
	at = unit_random_below(&w->random, w->nr);
	b = w->away[at];
	w->away[at] = w->away[--w->nr];
	for (size_t i = 0; i < b->len; i++) {
		uint64_t fate = unit_random_below(&w->random, 20);

		if (b->entries[i].state != BATCH_PENDING)
			continue;
		known_of(w, b, &b->entries[i])->settled = true;
		if (fate == 0) {
			w->condemned++;
			batch_condemn(b, i, "document_refused", "because");
		} else {
			batch_settle(b, i, fate < 4 ? BATCH_ALREADY : BATCH_STORED);
		}
	}
	return b;
}

bool writers_busy(struct writers *w)
{
	return w->nr >= w->enough;
}

size_t writers_batch_bytes(struct writers *w)
{
	(void)w;
	return 1 << 20;
}

void writers_letter_made(struct writers *w)
{
	w->letters++;
}

bool writers_unread(struct writers *w)
{
	(void)w;
	return false;
}

/* style: the function that is replaced takes no context */
static int64_t passed_ms;

int64_t __real_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void);
int64_t __wrap_clock_mono_ms(void)
{
	return __real_clock_mono_ms() + passed_ms;
}

struct room {
	struct mock mock;
	struct clock clock;
	struct sink_conf conf;
	struct metrics *metrics;
	struct meters meters;
	struct admin *admin;
	struct report *report;
	struct controls *controls;
	struct partitions parts;
	struct writers writers;
	struct reader *reader;
	rd_kafka_t *consumer;
	rd_kafka_topic_t *topics[PLACES];
	struct known known[PLACES][RECORDS];
	int64_t made[PLACES]; /* records in each place */
	struct unit_random random;
};

static void room_init_of(struct room *r, const char *name, int64_t inflight_bytes)
{
	struct err err = ERR_INIT;

	memset(r, 0, sizeof(*r));
	r->clock = still_clock();
	r->conf = (struct sink_conf){.batch_documents = BATCH, .batch_age_ms = 60000, .inflight_bytes = inflight_bytes};
	r->random = r->writers.random = unit_random_new(name);
	r->writers.known = r->known;
	r->writers.enough = 3;
	mock_init(&r->mock);
	r->mock.program.log.level = LOG_LEVEL_ERROR;
	mock_topic(&r->mock, places[0].topic, 1);
	mock_topic(&r->mock, places[1].topic, 2);
	mock_topic(&r->mock, places[3].topic, 1);
	mock_topic(&r->mock, places[4].topic, 1);
	mock_topic(&r->mock, "millrace.deadletter", 1);
	mock_topic(&r->mock, "millrace.notices", 1);
	mock_topic(&r->mock, "millrace.heartbeats", 1);
	r->metrics = metrics_new("test");
	meters_init(&r->meters, r->metrics, "main");
	r->admin = admin_new("", r->metrics, &err);
	r->report = report_new(&r->mock.program, r->admin, "main", &err);
	r->controls = controls_new(&r->clock, CONTROL_PROGRAM_SINK, &err);
	r->reader = reader_new(&(struct reader_spec){&r->mock.program, &r->conf, &r->meters, &r->parts, &r->writers, r->report, r->controls, EPOCH}, &err);
	ck_assert_msg(r->reader != NULL, "%s", err.msg);
}

static void room_init(struct room *r, const char *name)
{
	room_init_of(r, name, 64 << 20);
}

static void room_fini(struct room *r)
{
	r->writers.nr = 0; /* all of them are in the reader's list, too */
	report_free(r->report, 1000);
	reader_free(r->reader);
	for (int i = 0; i < PLACES; i++) {
		rd_kafka_consume_stop(r->topics[i], places[i].partition);
		rd_kafka_topic_destroy(r->topics[i]);
	}
	rd_kafka_destroy(r->consumer);
	partitions_fini(&r->parts);
	controls_free(r->controls);
	admin_free(r->admin);
	metrics_free(r->metrics);
	mock_fini(&r->mock);
}

static void encode(struct unit_random *random, struct arena *a, int kind, struct buf *out, struct str *site)
{
	struct exemplar x = exemplar_random(random, a, kind < 4 ? (unsigned)kind : 1);
	struct aggregate g = {.epoch = EPOCH, .site = x.site, .kind = SERIES_KIND_COUNTER, .name = STR("m"), .window_start = x.window_start,
			      .window_ms = 60000, .count = 1, .sum = 1};

	struct alert_event e = alerts_event(random, a);
	struct incident n = alerts_incident(random, a);
	int rc;

	x.event.has_error = x.event.has_error || kind == TWO_DETAILS;
	e.site = n.site = x.site;
	e.epoch = EPOCH;
	buf_clear(out);
	if (kind == ALERT || kind == INCIDENT)
		rc = kind == ALERT ? alert_event_encode(&e, out, NULL) : incident_encode(&n, out, NULL);
	else
		rc = kind == AGGREGATE ? aggregate_encode(&g, out, NULL) : exemplar_encode(&x, out, NULL);
	ck_assert_int_eq(rc, 0);
	if (kind == UNREADABLE)
		out->len -= 3;
	*site = kind == UNREADABLE ? STR("") : x.site;
}

/* Puts a record of this kind into a place. */
static void make(struct room *r, int place, int kind)
{
	struct arena a = ARENA_INIT;
	struct buf value = BUF_INIT;
	struct str site;

	encode(&r->random, &a, kind, &value, &site);
	r->known[place][r->made[place]++] = (struct known){.kind = kind, .site = site};
	ck_assert_int_eq(rd_kafka_producev(r->mock.rk, RD_KAFKA_V_TOPIC(places[place].topic), RD_KAFKA_V_PARTITION(places[place].partition),
					   RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(value.p, value.len), RD_KAFKA_V_END),
			 RD_KAFKA_RESP_ERR_NO_ERROR);
	buf_fini(&value);
	arena_fini(&a);
}

static int random_kind(struct unit_random *r, int place)
{
	uint64_t dice = unit_random_below(r, 40);

	if (place == 0 || place > 2)
		return dice == 0 ? UNREADABLE : place == 0 ? AGGREGATE : place == 3 ? ALERT : INCIDENT;
	return dice == 0 ? UNREADABLE : dice == 1 ? TWO_DETAILS : (int)(dice * dice / 400 % 4);
}

/* Begins to read what was made. */
static void open_places(struct room *r)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	struct err err = ERR_INIT;

	mock_flush(&r->mock);
	rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(r->mock.cluster), NULL, 0);
	r->consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
	for (int i = 0; i < PLACES; i++) {
		struct partition *part = partitions_get(&r->parts, places[i].of, places[i].partition, &err);

		partition_assign(part);
		partition_begin(part, 0);
		r->topics[i] = rd_kafka_topic_new(r->consumer, places[i].topic, NULL);
		ck_assert_int_eq(rd_kafka_consume_start(r->topics[i], places[i].partition, RD_KAFKA_OFFSET_BEGINNING), 0);
	}
}

static struct partition *part_of(struct room *r, int place)
{
	return partitions_find(&r->parts, places[place].of, places[place].partition);
}

/* Reads the next record of a place. */
static void take_one(struct room *r, int place)
{
	rd_kafka_message_t *m = rd_kafka_consume(r->topics[place], places[place].partition, PATIENCE_MS);
	struct err err = ERR_INIT;

	ck_assert(m && !m->err);
	ck_assert_msg(reader_take(r->reader, part_of(r, place), m, &err) == READER_TAKEN, "%s", err.msg);
}

static void turn(struct room *r)
{
	struct err err = ERR_INIT;

	report_poll(r->report, NULL, 0);
	ck_assert_msg(reader_turn(r->reader, &err) == 0, "%s", err.msg);
}

static void check_commits(struct room *r, int64_t read[PLACES])
{
	for (int i = 0; i < PLACES; i++) {
		const struct ledger *l = &part_of(r, i)->ledger;

		ck_assert(ledger_balanced(l));
		ck_assert_int_eq(l->next, read[i]);
		for (int64_t at = 0; at < ledger_committable(l); at++)
			ck_assert_msg(r->known[i][at].settled || r->known[i][at].kind >= UNREADABLE, "%d/%d is committed, and not settled", i, (int)at);
	}
}

static double sum_of(const struct room *r, struct metric *const figures[NR_SINK_TOPICS])
{
	(void)r;
	return metric_value(figures[SINK_MINUTELY]) + metric_value(figures[SINK_EXEMPLARS]) + metric_value(figures[SINK_ALERTS]) + metric_value(figures[SINK_INCIDENTS]);
}

START_TEST(each_in_its_collection_once)
{
	static struct room r;
	int64_t read[PLACES] = {0};
	double bad = 0;

	room_init(&r, "each_in_its_collection_once");
	for (int i = 0; i < RECORDS; i++) {
		int place = (int)unit_random_below(&r.random, PLACES), kind = random_kind(&r.random, place);

		bad += kind >= UNREADABLE;
		make(&r, place, kind);
	}
	open_places(&r);
	for (int i = 0; i < RECORDS;) {
		int place = (int)unit_random_below(&r.random, PLACES);

		if (read[place] < r.made[place] && !reader_full(r.reader)) {
			take_one(&r, place);
			read[place]++, i++;
		}
		turn(&r);
		check_commits(&r, read);
	}
	ck_assert(reader_drain(r.reader, true, PATIENCE_MS));
	check_commits(&r, read);
	for (int i = 0; i < PLACES; i++) {
		ck_assert_int_eq(ledger_committable(&part_of(&r, i)->ledger), r.made[i]);
		for (int64_t at = 0; at < r.made[i]; at++)
			ck_assert_int_eq(r.known[i][at].given, r.known[i][at].kind < UNREADABLE);
	}
	for (int i = 0; i < NR_SINK_COLLECTIONS; i++)
		ck_assert(i == SINK_IN_HOURLY || r.writers.given[i] > 2 * BATCH);
	ck_assert(sum_of(&r, r.meters.consumed) == RECORDS && sum_of(&r, r.meters.dropped) == 0);
	ck_assert(sum_of(&r, r.meters.dead_lettered) == bad + (double)r.writers.condemned && r.writers.letters == bad);
	ck_assert(sum_of(&r, r.meters.stored) + sum_of(&r, r.meters.already_stored) + sum_of(&r, r.meters.dead_lettered) == RECORDS);
	ck_assert(metric_value(r.meters.consumed[SINK_MINUTELY]) == (double)r.made[0]);
	room_fini(&r);
}
END_TEST

static void set_drop(struct room *r, const char *site, const char *kind)
{
	struct record record = {.control = {.on = CONTROL_PROGRAM_SINK, .action = CONTROL_ACTION_DROP, .has_site = site, .site = str_from(site ? site : ""),
					    .has_kind = kind, .kind = str_from(kind ? kind : ""), .reason = STR("r"), .author = STR("a"),
					    .created_at = NOON_MS, .expires_at = NOON_MS + HOUR_MS}};
	struct table_row row;
	struct buf value;
	struct err err = ERR_INIT;

	ck_assert_int_eq(control_make_id(&record.control, record.id, NULL), 0);
	record.control.id = str_from(record.id);
	row = row_of(&record.control, &value);
	ck_assert_msg(controls_take(r->controls, &row, &err) == 0, "%s", err.msg);
	buf_fini(&value);
}

/* Controls (a site, a kind, ..), and how a record of each kind, from UNREADABLE's on what cannot be sorted, fares at the site "shop": all of it elsewhere
 * is as at a site without a control. */
static const struct { const char *scopes[5][2]; bool drops[NR_KINDS]; bool everywhere; } drops[] = {
	{{{NULL, "errors"}}, {[0] = true}, true},
	{{{NULL, "checkins"}, {"shop", "traces"}}, {[3] = true}, true},
	{{{"shop", "traces"}}, {[1] = true}, false},
	{{{"shop", NULL}}, {true, true, true, true, true, true, true, false, true}, false},
	{{{NULL, "alerts"}}, {[ALERT] = true}, true},
	{{{"shop", "incidents"}}, {[INCIDENT] = true}, false},
	{{{NULL, "minutely"}}, {[AGGREGATE] = true}, true},
	{{{NULL, "exemplars"}}, {false}, true},
	{{{NULL, "errors"}, {NULL, "traces"}, {NULL, "markers"}}, {true, true, true}, true},
	{{{NULL, "errors"}, {NULL, "traces"}, {NULL, "markers"}, {NULL, "checkins"}}, {true, true, true, true, [UNREADABLE] = true, [TWO_DETAILS] = true}, true},
};

START_TEST(drops_what_controls_say)
{
	static struct room r;
	double dropped = 0;

	room_init(&r, "drops_what_controls_say");
	for (size_t i = 0; i < NR(drops[_i].scopes) && (drops[_i].scopes[i][0] || drops[_i].scopes[i][1]); i++)
		set_drop(&r, drops[_i].scopes[i][0], drops[_i].scopes[i][1]);
	for (int i = 0; i < 20 * NR_KINDS; i++) {
		int kind = i % NR_KINDS, place = kind == AGGREGATE ? 0 : kind == ALERT ? 3 : kind == INCIDENT ? 4 : 1 + i / NR_KINDS % 2;

		make(&r, place, kind);
	}
	open_places(&r);
	for (int place = 0; place < PLACES; place++)
		for (int64_t at = 0; at < r.made[place]; at++)
			take_one(&r, place);
	ck_assert(reader_drain(r.reader, true, PATIENCE_MS));
	for (int place = 0; place < PLACES; place++)
		for (int64_t at = 0; at < r.made[place]; at++) {
			const struct known *k = &r.known[place][at];
			bool shop = str_eq(k->site, STR("shop")), drop = drops[_i].drops[k->kind] && (shop || drops[_i].everywhere);

			if (_i == 1 && k->kind == 1)
				drop = shop;
			ck_assert_msg(k->given == (!drop && k->kind < UNREADABLE), "a %d of " STR_FMT, k->kind, STR_ARG(k->site));
			dropped += drop;
		}
	ck_assert(sum_of(&r, r.meters.dropped) == dropped && sum_of(&r, r.meters.consumed) == 20 * NR_KINDS);
	room_fini(&r);
}
END_TEST

/* By age: while the writers have nothing else to do, or before all others that are merely full. */
START_TEST(who_has_waited_for_long)
{
	static struct room r;

	passed_ms = 0;
	room_init(&r, "who_has_waited_for_long");
	for (int i = 0; i < 3 * BATCH; i++)
		make(&r, 0, AGGREGATE);
	for (int i = 0; i < 2; i++)
		make(&r, 1, 3);
	open_places(&r);
	r.writers.enough = 0; /* busy whatever they have */
	take_one(&r, 1);
	passed_ms += r.conf.batch_age_ms + 1000;
	for (int i = 0; i < BATCH; i++)
		take_one(&r, 0);
	turn(&r);
	ck_assert(reader_full(r.reader) && r.writers.nr_order == 0);
	r.writers.enough = 1; /* one place: the full one has it */
	turn(&r);
	ck_assert(r.writers.nr_order == 1 && r.writers.order[0] == SINK_IN_MINUTELY && r.writers.nr == 1);
	r.writers.enough = 0;
	for (int i = 0; i < BATCH; i++)
		take_one(&r, 0);
	turn(&r);
	passed_ms += 4500; /* more than five seconds overdue by now */
	ck_assert_uint_eq(r.writers.nr_order, 1);
	r.writers.enough = r.writers.nr + 1;
	turn(&r);
	ck_assert(r.writers.nr_order >= 2 && r.writers.order[1] == SINK_IN_CHECKINS);
	ck_assert(reader_drain(r.reader, true, PATIENCE_MS));
	room_fini(&r);
}
END_TEST

/* One check-in among many errors, which are stored ([0]) or dropped: its message may keep all that was fetched with it. */
START_TEST(what_passes_by_weighs)
{
	static struct room r;
	size_t before;
	int taken = 0;

	passed_ms = 0;
	room_init_of(&r, "what_passes_by_weighs", 16 << 10);
	make(&r, 1, 3);
	for (int i = 0; i < BATCH - 1; i++)
		make(&r, 1, 0);
	if (_i)
		set_drop(&r, NULL, "errors");
	open_places(&r);
	take_one(&r, 1);
	before = reader_inflight_bytes(r.reader);
	while (r.writers.nr_order == 0 && ++taken < BATCH) {
		ck_assert_uint_ge(reader_inflight_bytes(r.reader), before);
		take_one(&r, 1);
		turn(&r);
	}
	ck_assert_msg(taken < BATCH && taken > 1, "%d errors", taken);
	ck_assert(r.writers.order[0] == SINK_IN_CHECKINS);
	ck_assert(reader_drain(r.reader, true, PATIENCE_MS));
	ck_assert_uint_eq(reader_inflight_bytes(r.reader), 0);
	room_fini(&r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reader");
	TCase *tc = tcase_create("reader");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, each_in_its_collection_once);
	tcase_add_loop_test(tc, drops_what_controls_say, 0, NR(drops));
	tcase_add_test(tc, who_has_waited_for_long);
	tcase_add_loop_test(tc, what_passes_by_weighs, 0, 2);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
