/* fill_aggregates.c - fills a cell's minutely topic with what the sink's bench reads.
 *
 * Each record is the window of a minute of one of an agent's 100 series (mix.h), in the product's own encoding, keyed by the fingerprint.
 * An agent's windows follow each other and go to one partition, minute after minute, as the processor writes them. By default they are
 * committed 100,000 at a time, in transactions. At a rate (--per-second) there are none, since a reader of committed records would wait
 * for the commit, and last_at is the real time at which a record was handed to the client: whoever gets the document knows its age.
 *
 * The last line, on stdout, is JSON: what was written. */
#include <getopt.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/clock.h"
#include "tests/bench/mix.h"

enum { COMMIT_EVERY = 100000, TIMEOUT_MS = 60000, SITES = 20 };

struct plan {
	const char *bootstrap, *topic;
	uint64_t partitions, series, records, per_second; /* 0: as fast as it goes */
	int64_t epoch, start_ms;
};

struct agent {
	char site[16], host[16];
	struct series_ref series[MIX_SERIES];
	struct tag tags[MIX_SERIES * MIX_TAGS];
};

struct fill {
	struct plan plan;
	struct agent *agents;
	rd_kafka_t *rk;
	rd_kafka_topic_t *topic;
	struct buf record;
	uint64_t random, bytes;
	int64_t begun_mono_ms;
	char failure[256]; /* of a delivery */
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "fill_aggregates: %s%s%s\n", what, why ? ": " : "", why ? why : "");
	exit(EXIT_FAILURE);
}

static void make_agents(struct fill *f)
{
	size_t len = f->plan.series / MIX_SERIES;

	f->agents = calloc(len, sizeof(*f->agents));
	if (!f->agents)
		die("out of memory", NULL);
	for (size_t i = 0; i < len; i++) {
		struct agent *a = &f->agents[i];

		snprintf(a->site, sizeof(a->site), "site-%03zu", i / f->plan.partitions % SITES);
		snprintf(a->host, sizeof(a->host), "web-%06zu", i % 1000000);
		mix_series(i, a->site, a->host, a->series, a->tags);
	}
}

static void check_error(rd_kafka_error_t *error, const char *what)
{
	if (error)
		die(what, rd_kafka_error_string(error));
}

static void check_deliveries(struct fill *f)
{
	rd_kafka_poll(f->rk, 0);
	if (f->failure[0])
		die("a record was not taken", f->failure);
}

static void make_record(struct fill *f, const struct agent *agent, size_t number, int64_t window_start)
{
	int64_t counts[MIX_NEIGHBOURS];
	struct err err = ERR_INIT;
	struct aggregate a;

	mix_aggregate(&f->random, &agent->series[number], counts, &a);
	a.site = str_from(agent->site);
	a.epoch = f->plan.epoch;
	a.window_start = window_start;
	a.last_at = f->plan.per_second ? clock_wall_ms() : window_start + 59000;
	buf_clear(&f->record);
	if (aggregate_encode(&a, &f->record, &err) < 0)
		die("a record cannot be encoded", err.msg);
	f->bytes += f->record.len;
}

static void produce(struct fill *f, int32_t partition, const uint8_t fingerprint[16])
{
	rd_kafka_resp_err_t code;

	while ((code = rd_kafka_producev(f->rk, RD_KAFKA_V_RKT(f->topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
					 RD_KAFKA_V_KEY(fingerprint, 16), RD_KAFKA_V_VALUE(f->record.p, f->record.len), RD_KAFKA_V_END)) ==
	       RD_KAFKA_RESP_ERR__QUEUE_FULL)
		rd_kafka_poll(f->rk, 100);
	if (code)
		die("a record cannot be produced", rd_kafka_err2str(code));
}

/* Before record k: what is due is done. */
static void keep_pace(struct fill *f, uint64_t k)
{
	if (k % MIX_SERIES == 0)
		check_deliveries(f);
	if (f->plan.per_second) {
		int64_t due_ms = f->begun_mono_ms + (int64_t)(k * 1000 / f->plan.per_second);

		while (clock_mono_ms() < due_ms)
			rd_kafka_poll(f->rk, 1);
	} else if (k % COMMIT_EVERY == 0) {
		if (k)
			check_error(rd_kafka_commit_transaction(f->rk, TIMEOUT_MS), "commit");
		check_error(rd_kafka_begin_transaction(f->rk), "begin");
	}
}

static void run(struct fill *f)
{
	f->begun_mono_ms = clock_mono_ms();
	for (uint64_t k = 0; k < f->plan.records; k++) {
		size_t agent = (size_t)(k % f->plan.series / MIX_SERIES), number = (size_t)(k % MIX_SERIES);

		keep_pace(f, k);
		make_record(f, &f->agents[agent], number, f->plan.start_ms + (int64_t)(k / f->plan.series) * CLOCK_MINUTE_MS);
		produce(f, (int32_t)(agent % f->plan.partitions), f->agents[agent].series[number].fingerprint);
	}
	if (rd_kafka_flush(f->rk, TIMEOUT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("the last records were not taken in time", NULL);
	if (!f->plan.per_second)
		check_error(rd_kafka_commit_transaction(f->rk, TIMEOUT_MS), "commit");
	check_deliveries(f);
}

/* Only failures are reported. */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *ctx)
{
	struct fill *f = ctx;

	(void)rk;
	if (message->err && !f->failure[0])
		snprintf(f->failure, sizeof(f->failure), "%s", rd_kafka_err2str(message->err));
}

static void open_producer(struct fill *f)
{
	const struct { const char *name, *value; } settings[] = {
		{"bootstrap.servers", f->plan.bootstrap}, {"client.id", "fill"}, {"compression.codec", "lz4"}, {"enable.idempotence", "true"},
		{"linger.ms", f->plan.per_second ? "5" : "50"}, {"queue.buffering.max.kbytes", "131072"}, {"message.timeout.ms", "60000"},
		{"delivery.report.only.error", "true"}, {f->plan.per_second ? NULL : "transactional.id", "fill"},
	};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256];

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (settings[i].name && rd_kafka_conf_set(conf, settings[i].name, settings[i].value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
			die("setting", why);
	rd_kafka_conf_set_opaque(conf, f);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	f->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (!f->rk)
		die("producer", why);
	f->topic = rd_kafka_topic_new(f->rk, f->plan.topic, NULL);
	if (!f->topic)
		die(f->plan.topic, rd_kafka_err2str(rd_kafka_last_error()));
	if (!f->plan.per_second)
		check_error(rd_kafka_init_transactions(f->rk, TIMEOUT_MS), "transactions");
}

static void print_result(const struct fill *f)
{
	struct rusage used;
	double cpu_s;

	getrusage(RUSAGE_SELF, &used);
	cpu_s = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
	printf("{\"records\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"cpu_s\": %.3f, \"seconds\": %.3f}\n", f->plan.records, f->bytes, cpu_s,
	       (double)(clock_mono_ms() - f->begun_mono_ms) / 1000);
}

static void usage(FILE *to)
{
	fputs("usage: fill_aggregates --bootstrap HOST:PORT --topic NAME --partitions N --series N --records N --start MS --epoch N [OPTION]..\n"
	      "  --series N      a multiple of 100: an agent has 100\n"
	      "  --records N     windows of all series together\n"
	      "  --start MS      of the first minute\n"
	      "  --epoch N       of the cell's topics\n"
	      "  --per-second N  without transactions, at this rate\n"
	      "  --help          this\n", to);
}

static uint64_t number(const char *name, uint64_t max)
{
	char *end;
	unsigned long long n = strtoull(optarg, &end, 10);

	if (*end || end == optarg || n < 1 || n > max)
		die(name, "not such a number");
	return n;
}

static void parse(struct plan *p, int argc, char **argv)
{
	static const struct option options[] = {
		{"bootstrap", required_argument, NULL, 'b'}, {"topic", required_argument, NULL, 't'},
		{"partitions", required_argument, NULL, 'p'}, {"series", required_argument, NULL, 's'},
		{"records", required_argument, NULL, 'n'}, {"start", required_argument, NULL, 'a'},
		{"epoch", required_argument, NULL, 'e'}, {"per-second", required_argument, NULL, 'r'}, {"help", no_argument, NULL, 'H'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'b': p->bootstrap = optarg; break;
		case 't': p->topic = optarg; break;
		case 'p': p->partitions = number("--partitions", 10000); break;
		case 's': p->series = number("--series", 100000000); break;
		case 'n': p->records = number("--records", UINT64_C(1) << 40); break;
		case 'a': p->start_ms = (int64_t)number("--start", UINT64_C(1) << 50); break;
		case 'e': p->epoch = strtoll(optarg, NULL, 10); break;
		case 'r': p->per_second = number("--per-second", 10000000); break;
		case '?': exit(2); /* getopt_long() has said why */
		default: usage(stdout); exit(EXIT_SUCCESS);
		}
	if (optind < argc || !p->bootstrap || !p->topic || !p->partitions || !p->series || p->series % MIX_SERIES || !p->records ||
	    !p->start_ms || !p->epoch) {
		usage(stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct fill f = {.random = 20261126};

	parse(&f.plan, argc, argv);
	make_agents(&f);
	open_producer(&f);
	run(&f);
	print_result(&f);
	rd_kafka_topic_destroy(f.topic);
	rd_kafka_destroy(f.rk);
	free(f.agents);
	buf_fini(&f.record);
	return EXIT_SUCCESS;
}
