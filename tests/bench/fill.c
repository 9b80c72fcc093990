/* fill.c - fills a cell's samples topic with the backlog that the processor's benches read.
 *
 * Each record is what ingest makes of one payload: a sample of each of an agent's 100 series (mix.h), in the product's own encoding.
 * An agent has always the same list in the same order, an identity, and one partition (its number modulo their count). Agents take turns, so that event
 * time passes evenly in every partition: agent a of A sends its round r at start + r x interval + a x interval / A, and stamps that time on the
 * record. The same arguments give the same bytes.
 *
 * The head of an agent's records (wire format, series list) never changes: it is encoded once and copied, which leaves lz4 as most of
 * the cost. What follows is written by encoding a batch without series: its first byte ends the list that the head began.
 *
 * The last line, on stdout, is JSON: what was written, and what must come out of it. */
#include <getopt.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/str.h"
#include "schemas/schemas.h"
#include "tests/bench/mix.h"

enum {
	BATCH = MIX_SERIES, /* samples of a record */
	BUCKETS_MIN = 9, /* of one sample: 9 to 13 */
	BUCKETS_SPREAD = 5,
	BOUNDS = MIX_OFFSET_MIN + MIX_OFFSET_SPREAD + MIX_NEIGHBOURS + 1,
	SETTINGS_MAX = 16,
	FLUSH_MS = 120000,
	PROGRESS_PARTS = 10,
};

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS INT64_C(3600000)

struct plan {
	const char *bootstrap, *topic;
	const char *settings[SETTINGS_MAX]; /* KEY=VALUE of librdkafka */
	size_t settings_len;
	uint64_t partitions, series, samples, sites;
	double rate; /* samples of a series in a minute of event time */
	int64_t start_ms, shift_ms;
};

struct agent {
	uint8_t id[16];
	char site[32];
	uint8_t *head; /* wire format and series list, without the list's end */
	size_t head_len;
	int64_t minute, hour; /* of its last record */
};

struct fill {
	struct plan plan;
	struct agent *agents;
	size_t agents_len;
	rd_kafka_t *rk;
	rd_kafka_topic_t *topic;
	struct buf record;
	uint64_t random;
	double bounds[BOUNDS]; /* of the buckets at scale 5 */
	uint64_t records, bytes, counted, minutely, hourly;
	int64_t last_ms;
	char failure[256]; /* of a delivery */
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "fill: %s%s%s\n", what, why ? ": " : "", why ? why : "");
	exit(EXIT_FAILURE);
}

/* An agent whose records the processor takes: what the head leaves out is what the product's encoder writes behind it. */
static void make_agent(struct fill *f, size_t number)
{
	struct agent *a = &f->agents[number];
	struct series_ref series[BATCH];
	struct tag tags[BATCH * MIX_TAGS];
	uint64_t seed = number;
	char host[32];

	for (size_t i = 0; i < sizeof(a->id); i += sizeof(seed))
		memcpy(a->id + i, &(uint64_t){mix_draw(&seed)}, sizeof(seed));
	snprintf(a->site, sizeof(a->site), "site-%03" PRIu64, number / f->plan.partitions % f->plan.sites);
	snprintf(host, sizeof(host), "web-%06zu", number);
	mix_series(number, a->site, host, series, tags);
	buf_clear(&f->record);
	codec_write_header(&f->record, SAMPLE_BATCH_SCHEMA_ID);
	codec_write_long(&f->record, BATCH);
	for (size_t i = 0; i < BATCH; i++)
		series_ref_write(&f->record, &series[i]);
	a->head_len = f->record.len;
	a->head = malloc(a->head_len);
	if (buf_failed(&f->record) || !a->head)
		die("out of memory", NULL);
	memcpy(a->head, f->record.p, a->head_len);
	a->minute = a->hour = -1;
}

static void make_agents(struct fill *f)
{
	f->agents_len = f->plan.series / BATCH;
	f->agents = calloc(f->agents_len, sizeof(*f->agents));
	if (!f->agents)
		die("out of memory", NULL);
	for (size_t i = 0; i < f->agents_len; i++)
		make_agent(f, i);
	for (size_t i = 0; i < BOUNDS; i++)
		f->bounds[i] = exp2((double)i / 32);
}

/* A summary whose buckets lie among the MIX_NEIGHBOURS of its series; counts has room for them. */
static void make_summary(struct fill *f, size_t agent, size_t i, int64_t t_ms, int64_t *counts, struct summary_sample *out)
{
	uint64_t place = agent * BATCH + i, bits = mix_draw(&f->random);
	size_t len = BUCKETS_MIN + bits % BUCKETS_SPREAD;
	size_t offset = MIX_OFFSET_MIN + mix_draw(&place) % MIX_OFFSET_SPREAD + (bits >> 8) % (MIX_NEIGHBOURS - len + 1);
	double sum = 0;
	int64_t count = 0;

	for (size_t b = 0; b < len; b++) {
		counts[b] = 1 + (int64_t)((bits >> (4 * b)) % 11);
		count += counts[b];
		sum += (double)counts[b] * f->bounds[offset + b + 1];
	}
	*out = (struct summary_sample){.series = (int32_t)i, .t = t_ms, .count = count, .sum = sum, .has_min = true,
		.min = f->bounds[offset + 1], .has_max = true, .max = f->bounds[offset + len], .has_last = true,
		.last = f->bounds[offset + 1], .last_at = t_ms, .has_histogram = true,
		.histogram = {.scale = 5, .offset = (int32_t)offset, .counts = counts, .counts_len = len}};
	f->counted += (uint64_t)count;
}

/* Encodes the record of an agent's round into f->record. */
static void make_record(struct fill *f, size_t number, uint64_t round, int64_t t_ms)
{
	struct agent *a = &f->agents[number];
	struct value_sample values[MIX_VALUES];
	struct summary_sample summaries[MIX_DISTRIBUTIONS];
	int64_t counts[MIX_DISTRIBUTIONS][MIX_NEIGHBOURS], seq = (int64_t)round + 1;
	struct sample_batch rest = {.values = values, .values_len = MIX_VALUES, .summaries = summaries, .summaries_len = MIX_DISTRIBUTIONS,
		.site = str_from(a->site), .has_agent_id = true, .seq = seq, .floor = seq, .created_at = t_ms, .received_at = t_ms,
		.home = true};

	for (size_t i = 0; i < MIX_VALUES; i++) {
		uint64_t bits = mix_draw(&f->random);

		values[i] = (struct value_sample){.series = (int32_t)i, .t = t_ms,
						  .v = i < MIX_COUNTERS ? (double)(bits % 5000) : (double)(bits >> 24) / 1024};
	}
	for (size_t i = 0; i < MIX_DISTRIBUTIONS; i++)
		make_summary(f, number, MIX_VALUES + i, t_ms, counts[i], &summaries[i]);
	memcpy(rest.agent_id, a->id, sizeof(rest.agent_id));
	f->counted += MIX_VALUES;
	buf_clear(&f->record);
	buf_add(&f->record, a->head, a->head_len);
	sample_batch_write(&f->record, &rest);
	if (buf_failed(&f->record))
		die("out of memory", NULL);
}

/* How many windows the samples of a record begin. */
static void count_windows(struct fill *f, struct agent *a, int64_t t_ms)
{
	if (a->minute != t_ms / MINUTE_MS)
		f->minutely += BATCH;
	if (a->hour != t_ms / HOUR_MS)
		f->hourly += BATCH;
	a->minute = t_ms / MINUTE_MS;
	a->hour = t_ms / HOUR_MS;
}

static void produce(struct fill *f, size_t number, int64_t t_ms)
{
	rd_kafka_resp_err_t code;
	int32_t partition = (int32_t)(number % f->plan.partitions);

	for (;;) {
		code = rd_kafka_producev(f->rk, RD_KAFKA_V_RKT(f->topic), RD_KAFKA_V_PARTITION(partition),
					 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(f->record.p, f->record.len),
					 RD_KAFKA_V_TIMESTAMP(t_ms + f->plan.shift_ms), RD_KAFKA_V_END);
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			break;
		rd_kafka_poll(f->rk, 100);
	}
	if (code)
		die("a record cannot be produced", rd_kafka_err2str(code));
	rd_kafka_poll(f->rk, 0);
	if (f->failure[0])
		die("a record was not taken", f->failure);
}

static void run(struct fill *f)
{
	uint64_t records = f->plan.samples / BATCH, part = records / PROGRESS_PARTS + 1;
	double interval_ms = (double)MINUTE_MS / f->plan.rate;

	for (uint64_t k = 0; k < records; k++) {
		uint64_t round = k / f->agents_len;
		size_t number = (size_t)(k % f->agents_len);
		double at = (double)round * interval_ms + (double)number * interval_ms / (double)f->agents_len;

		f->last_ms = f->plan.start_ms + (int64_t)at;
		make_record(f, number, round, f->last_ms);
		produce(f, number, f->last_ms);
		count_windows(f, &f->agents[number], f->last_ms);
		f->records++;
		f->bytes += f->record.len;
		if (f->records % part == 0)
			fprintf(stderr, "fill: %" PRIu64 " of %" PRIu64 " records\n", f->records, records);
	}
	if (rd_kafka_flush(f->rk, FLUSH_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("the last records were not taken in time", NULL);
	rd_kafka_poll(f->rk, 0);
	if (f->failure[0])
		die("a record was not taken", f->failure);
}

/* Only failures are reported. */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *ctx)
{
	struct fill *f = ctx;

	(void)rk;
	if (message->err && !f->failure[0])
		snprintf(f->failure, sizeof(f->failure), "%s", rd_kafka_err2str(message->err));
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char why[256];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
		die("setting", why);
}

/* A setting as it stands on the command line. */
static void set_word(rd_kafka_conf_t *conf, const char *word)
{
	char name[128];
	const char *equals = strchr(word, '=');

	if (!equals || (size_t)(equals - word) >= sizeof(name))
		die("not KEY=VALUE", word);
	snprintf(name, sizeof(name), "%.*s", (int)(equals - word), word);
	set(conf, name, equals + 1);
}

/* Idempotent, so that order and number of the records are what was planned whatever happens on the way. */
static void open_producer(struct fill *f)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256];

	set(conf, "bootstrap.servers", f->plan.bootstrap);
	set(conf, "client.id", "fill");
	set(conf, "compression.codec", "lz4");
	set(conf, "enable.idempotence", "true");
	set(conf, "linger.ms", "50");
	set(conf, "queue.buffering.max.kbytes", "131072");
	set(conf, "message.timeout.ms", "60000");
	set(conf, "delivery.report.only.error", "true");
	for (size_t i = 0; i < f->plan.settings_len; i++)
		set_word(conf, f->plan.settings[i]);
	rd_kafka_conf_set_opaque(conf, f);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	f->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (!f->rk)
		die("producer", why);
	f->topic = rd_kafka_topic_new(f->rk, f->plan.topic, NULL);
	if (!f->topic)
		die(f->plan.topic, rd_kafka_err2str(rd_kafka_last_error()));
}

static double cpu_seconds(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void print_result(const struct fill *f)
{
	double cpu_s = cpu_seconds();
	uint64_t open = 0; /* windows of the last record's hour */

	for (size_t i = 0; i < f->agents_len; i++)
		open += f->agents[i].hour == f->last_ms / HOUR_MS ? BATCH : 0;

	printf("{\"samples\": %" PRIu64 ", \"records\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"count\": %" PRIu64 ", \"minutely\": %" PRIu64
	       ", \"hourly\": %" PRIu64 ", \"hourly_of_last_hour\": %" PRIu64 ", \"last_ms\": %" PRId64
	       ", \"cpu_s\": %.3f, \"samples_per_cpu_s\": %.0f}\n",
	       f->records * BATCH, f->records, f->bytes, f->counted, f->minutely, f->hourly, open, f->last_ms, cpu_s,
	       (double)(f->records * BATCH) / cpu_s);
}

static void usage(FILE *to)
{
	fputs("usage: fill --bootstrap HOST:PORT --topic NAME --partitions N --series N --rate R --samples N --start MS [OPTION]..\n"
	      "  --series N      a multiple of 100: an agent has 100\n"
	      "  --rate R        samples of a series in a minute of event time, 0.001 to 6000\n"
	      "  --samples N     of all series together, a multiple of 100\n"
	      "  --start MS      event time of the first\n"
	      "  --shift MS      is added to a record's event time to give its time stamp; 0 by default\n"
	      "  --sites N       that share the agents; 20 by default\n"
	      "  -X KEY=VALUE    a setting of librdkafka; may be repeated\n"
	      "  --help          this\n"
	      "Writes samples / 100 records; says on stdout, in JSON, what was written: samples, the values that they stand for (count), and\n"
	      "how many windows of a minute and of an hour they make.\n", to);
}

static uint64_t number(const char *name, const char *text, uint64_t min, uint64_t max)
{
	char *end, why[96];
	unsigned long long n = strtoull(text, &end, 10);

	if (*end || end == text || n < min || n > max) {
		snprintf(why, sizeof(why), "'%.20s' is not a number from %" PRIu64 " to %" PRIu64, text, min, max);
		die(name, why);
	}
	return n;
}

static void take_option(struct plan *p, int c)
{
	switch (c) {
	case 'b': p->bootstrap = optarg; break;
	case 't': p->topic = optarg; break;
	case 'p': p->partitions = number("--partitions", optarg, 1, 10000); break;
	case 's': p->series = number("--series", optarg, BATCH, 100000000); break;
	case 'n': p->samples = number("--samples", optarg, BATCH, UINT64_C(100000000000)); break;
	case 'S': p->sites = number("--sites", optarg, 1, 1000); break;
	case 'a': p->start_ms = (int64_t)number("--start", optarg, 1, UINT64_C(1) << 50); break;
	case 'h': p->shift_ms = strtoll(optarg, NULL, 10); break;
	case 'r': p->rate = strtod(optarg, NULL); break;
	case 'X':
		if (p->settings_len == SETTINGS_MAX)
			die("-X", "too many");
		p->settings[p->settings_len++] = optarg;
		break;
	case '?': /* getopt_long() has said why */
		exit(2);
	default:
		usage(stdout);
		exit(EXIT_SUCCESS);
	}
}

static void parse(struct plan *p, int argc, char **argv)
{
	static const struct option options[] = {
		{"bootstrap", required_argument, NULL, 'b'}, {"topic", required_argument, NULL, 't'},
		{"partitions", required_argument, NULL, 'p'}, {"series", required_argument, NULL, 's'},
		{"rate", required_argument, NULL, 'r'}, {"samples", required_argument, NULL, 'n'},
		{"start", required_argument, NULL, 'a'}, {"shift", required_argument, NULL, 'h'},
		{"sites", required_argument, NULL, 'S'}, {"help", no_argument, NULL, 'H'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "X:", options, NULL)) != -1)
		take_option(p, c);
	if (optind < argc || !p->bootstrap || !p->topic || !p->partitions || !p->series || !p->samples || !p->start_ms) {
		usage(stderr);
		exit(2);
	}
	if (p->series % BATCH || p->samples % BATCH)
		die("--series and --samples", "multiples of 100 only");
	if (!(p->rate >= 0.001 && p->rate <= 6000))
		die("--rate", "0.001 to 6000");
}

int main(int argc, char **argv)
{
	struct fill f = {.plan = {.sites = 20}, .random = 20261126};

	parse(&f.plan, argc, argv);
	make_agents(&f);
	open_producer(&f);
	run(&f);
	print_result(&f);
	rd_kafka_topic_destroy(f.topic);
	rd_kafka_destroy(f.rk);
	for (size_t i = 0; i < f.agents_len; i++)
		free(f.agents[i].head);
	free(f.agents);
	buf_fini(&f.record);
	return EXIT_SUCCESS;
}
