/* verify_raw.c - see verify_raw.h.
 *
 * Where a partition begins with the first record that is wanted, older ones may have been deleted. By age, that is told by the topic's
 * own retention: what is deleted was older than that when it was, and so is now. Where a size limits the topic, it cannot be told, and
 * then it counts as cut. */
#include "deploy/ctl/verify_raw.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/kafka.h"
#include "deploy/ctl/topic_admin.h"
#include "deploy/ctl/topic_scan.h"

#define BEFORE_MS (49 * CLOCK_HOUR_MS)

enum { EPOCH_SLACK_MS = 1 /* of the clock's line, by rounding */ };

struct retention {
	int64_t ms, bytes; /* -1: without end */
};

struct reading {
	const struct verify_raw *raw;
	const char *topic;
	struct retention retention;
	struct verify_count count; /* of the partition that is read */
};

int64_t verify_raw_wall_ms(const struct clock *clock, int64_t virtual_ms)
{
	double real;

	if (!clock->test)
		return virtual_ms;
	real = (double)clock->real_ms + (double)(virtual_ms - clock->start_ms) / clock->speed;
	return (int64_t)floor(real) - EPOCH_SLACK_MS;
}

static void on_setting(void *ctx, const char *topic, const char *name, const char *value)
{
	struct retention *r = ctx;

	(void)topic;
	if (value && strcmp(name, "retention.ms") == 0)
		r->ms = strtoll(value, NULL, 10);
	if (value && strcmp(name, "retention.bytes") == 0)
		r->bytes = strtoll(value, NULL, 10);
}

static int on_record(void *ctx, const rd_kafka_message_t *message, struct err *err)
{
	struct reading *r = ctx;
	const struct verify_raw *raw = r->raw;
	rd_kafka_timestamp_type_t type;
	int64_t wall_ms = rd_kafka_message_timestamp(message, &type);
	struct origin origin;
	int again = origin_of_message(message, raw->epoch, &origin, NULL);
	const struct verify_record record = {
		.offset = message->offset,
		.timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : clock_map_ms(&raw->ctl->program.clock, wall_ms),
		.value = {message->payload ? message->payload : "", message->len},
		.origin = again > 0 ? &origin : NULL,
		.bad_origin = again < 0,
	};

	if (verify_count_record(&r->count, &record, err) < 0)
		return err_wrap(err, "%s, partition %d", r->topic, (int)message->partition);
	return 0;
}

/* begin: the oldest offset that is there; from: the first that is wanted. */
static int check_cut(const struct reading *r, int32_t partition, int64_t begin, int64_t from, struct err *err)
{
	const struct ctl *ctl = r->raw->ctl;
	int64_t since_ms = r->raw->sheet->hour_ms - BEFORE_MS;
	bool by_age = r->retention.ms >= 0 && verify_raw_wall_ms(&ctl->program.clock, since_ms) < clock_wall_ms() - r->retention.ms;
	char iso[CLOCK_ISO_SIZE];

	if (begin == 0 || from > begin || (!by_age && r->retention.bytes < 0))
		return 0;
	return err_set(err, ERR_RETRY, "retention has cut %s: partition %d has nothing below offset %" PRId64 ", and this hour needs the raw "
		       "records from %s on (49 h before it); only a younger hour can be verified", r->topic, (int)partition, begin,
		       clock_iso(since_ms, iso, sizeof(iso)));
}

static int read_partition(struct reading *r, struct topic_scan *scan, int32_t partition, struct err *err)
{
	const struct verify_raw *raw = r->raw;
	int64_t since_ms = verify_raw_wall_ms(&raw->ctl->program.clock, raw->sheet->hour_ms - BEFORE_MS), begin, from, to;
	int rc;

	if (topic_scan_bounds(scan, r->topic, partition, 0, &begin, &to, err) < 0 ||
	    topic_scan_bounds(scan, r->topic, partition, since_ms, &from, &to, err) < 0 || check_cut(r, partition, begin, from, err) < 0)
		return -1;
	verify_count_init(&r->count, raw->sheet, raw->site, raw->tally);
	rc = topic_scan_read(scan, r->topic, partition, from, to, on_record, r, err);
	verify_count_fini(&r->count);
	return rc;
}

/* How many partitions the topic has, and how long it keeps what. */
static int ask_topic(struct reading *r, int *partitions, struct err *err)
{
	rd_kafka_t *rk = cluster_client(r->raw->ctl->cluster);
	struct arena arena = ARENA_INIT;
	struct topic_list topics;
	const struct topic_state *state = NULL;
	int rc = topic_list_read(rk, &arena, &topics, err);

	if (rc == 0 && !(state = topic_list_find(&topics, r->topic)))
		rc = err_set(err, ERR_RETRY, "topic %s does not exist: run millrace-ctl topics apply", r->topic);
	if (rc == 0) {
		*partitions = state->partitions;
		rc = topic_list_settings(rk, &r->topic, 1, on_setting, &r->retention, err);
	}
	arena_fini(&arena);
	return rc;
}

int verify_raw_read(const struct verify_raw *raw, struct err *err)
{
	char topic[KAFKA_TOPIC_SIZE];
	struct reading r = {.raw = raw, .topic = kafka_cell_topic(topic, raw->cell, "samples"), .retention = {-1, -1}};
	struct topic_scan *scan;
	int partitions = 0, rc;

	if (ask_topic(&r, &partitions, err) < 0)
		return -1;
	scan = topic_scan_new(&raw->ctl->program, raw->ctl->progress, err);
	rc = scan ? 0 : -1;
	for (int p = 0; p < partitions && rc == 0; p++)
		rc = read_partition(&r, scan, p, err);
	topic_scan_free(scan);
	return rc;
}
