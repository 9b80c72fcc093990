/* floor_consumer.c - the least that any reader of a topic on librdkafka costs: polls every record, counts its bytes, decodes nothing.
 *
 * What the processor does beyond this is ours to make cheap. It reads the same records as the processor that was measured before it, with
 * the same client settings (the bench hands them over), so it also says how fast the machine was that hour.
 *
 * Usage: floor_consumer BOOTSTRAP TOPIC PARTITIONS RECORDS [KEY=VALUE].. It ends when it has RECORDS, and fails when none comes for ten
 * seconds. The last line, on stdout, is JSON; CPU time is that of all threads, from before the first fetch, as the client's queue may be full
 * by the time the first record is handed over. */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { PATIENCE_MS = 10000, FIXED_ARGUMENTS = 5 };

struct count {
	uint64_t records, bytes;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "floor_consumer: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

static double cpu_seconds(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char why[256];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
		die("setting", why);
}

/* KEY=VALUE as on the command line, which is ours to change. */
static void set_word(rd_kafka_conf_t *conf, char *word)
{
	char *equals = strchr(word, '=');

	if (!equals)
		die("not KEY=VALUE", word);
	*equals = '\0';
	set(conf, word, equals + 1);
}

static rd_kafka_t *open_consumer(int argc, char **argv)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[256];
	rd_kafka_t *rk;

	set(conf, "bootstrap.servers", argv[1]);
	set(conf, "client.id", "floor");
	set(conf, "group.id", "floor"); /* never joined */
	set(conf, "enable.auto.commit", "false");
	set(conf, "enable.auto.offset.store", "false");
	set(conf, "auto.offset.reset", "error");
	for (int i = FIXED_ARGUMENTS; i < argc; i++)
		set_word(conf, argv[i]);
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	if (!rk)
		die("consumer", why);
	rd_kafka_poll_set_consumer(rk);
	return rk;
}

static void assign(rd_kafka_t *rk, const char *topic, int32_t partitions)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
	rd_kafka_resp_err_t code;

	for (int32_t i = 0; i < partitions; i++)
		rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
	code = rd_kafka_assign(rk, list);
	if (code)
		die(topic, rd_kafka_err2str(code));
	rd_kafka_topic_partition_list_destroy(list);
}

static void count_records(rd_kafka_t *rk, uint64_t records, struct count *count)
{
	while (count->records < records) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, PATIENCE_MS);

		if (!message)
			die("too few records", "none has come for ten seconds");
		if (message->err)
			die("reading", rd_kafka_message_errstr(message));
		count->records++;
		count->bytes += message->len;
		rd_kafka_message_destroy(message);
	}
}

int main(int argc, char **argv)
{
	struct count count = {0};
	double begun_cpu_s;
	rd_kafka_t *rk;

	if (argc < FIXED_ARGUMENTS) {
		fprintf(stderr, "usage: floor_consumer BOOTSTRAP TOPIC PARTITIONS RECORDS [KEY=VALUE]..\n");
		return EXIT_FAILURE;
	}
	rk = open_consumer(argc, argv);
	begun_cpu_s = cpu_seconds();
	assign(rk, argv[2], (int32_t)strtol(argv[3], NULL, 10));
	count_records(rk, strtoull(argv[4], NULL, 10), &count);
	printf("{\"records\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"cpu_s\": %.3f}\n", count.records, count.bytes,
	       cpu_seconds() - begun_cpu_s);
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
	return EXIT_SUCCESS;
}
