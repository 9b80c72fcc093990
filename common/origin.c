/* origin.c - see origin.h. */
#include "common/origin.h"

#include <inttypes.h>
#include <stdio.h>

static const char version[] = "v1";

const char *origin_format(const struct origin *o, char out[ORIGIN_SIZE])
{
	snprintf(out, ORIGIN_SIZE, "%s topic=" STR_FMT " epoch=%" PRId64 " partition=%" PRId32 " offset=%" PRId64, version, STR_ARG(o->topic),
		 o->epoch, o->partition, o->offset);
	return out;
}

static bool is_topic_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/* Takes a topic's name off the front of *s. */
static bool take_topic(struct str *s, struct str *out)
{
	size_t n = 0;

	while (n < s->len && is_topic_byte(s->p[n]))
		n++;
	if (n < 1 || n > ORIGIN_TOPIC_MAX)
		return false;
	*out = (struct str){s->p, n};
	*s = (struct str){s->p + n, s->len - n};
	return true;
}

/* The line came from anywhere: err says what it is not, and repeats none of it. */
int origin_parse(struct str line, struct origin *out, struct err *err)
{
	struct origin o;
	int64_t partition, number;
	struct str s = line;

	if (str_take(&s, "v") && str_take_int(&s, &number) && number > 1)
		return err_set(err, ERR_REJECT, "an origin of a newer version, %" PRId64, number);
	s = line;
	if (!str_take(&s, version) || !str_take(&s, " topic=") || !take_topic(&s, &o.topic) || !str_take(&s, " epoch=") ||
	    !str_take_int(&s, &o.epoch) || !str_take(&s, " partition=") || !str_take_int(&s, &partition) || !str_take(&s, " offset=") ||
	    !str_take_int(&s, &o.offset) || s.len)
		return err_set(err, ERR_REJECT, "its " ORIGIN_HEADER " header of %zu bytes is not an origin", line.len);
	if (partition < 0 || partition > INT32_MAX || o.offset < 0)
		return err_set(err, ERR_REJECT, "its origin, partition %" PRId64 ", offset %" PRId64 ", is nowhere", partition, o.offset);
	o.partition = (int32_t)partition;
	*out = o;
	return 0;
}

int origin_check(const struct origin *o, const struct origin *place, struct err *err)
{
	if (!str_eq(o->topic, place->topic) || o->partition != place->partition)
		return err_set(err, ERR_REJECT, "its origin is another partition, " STR_FMT "/%" PRId32, STR_ARG(o->topic), o->partition);
	if (o->epoch != place->epoch)
		return err_set(err, ERR_REJECT, "its origin is of another epoch, %016" PRIx64, (uint64_t)o->epoch);
	if (o->offset >= place->offset)
		return err_set(err, ERR_REJECT, "its origin, offset %" PRId64 ", does not lie before it", o->offset);
	return 0;
}

/* A record without headers, which is nearly every one, ends at the first question. */
int origin_of_message(const rd_kafka_message_t *message, int64_t epoch, struct origin *out, struct err *err)
{
	struct origin o, place = {.epoch = epoch, .partition = message->partition, .offset = message->offset};
	rd_kafka_headers_t *headers;
	rd_kafka_resp_err_t code = rd_kafka_message_headers(message, &headers);
	const void *value;
	size_t size;

	if (code == RD_KAFKA_RESP_ERR__NOENT)
		return 0;
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_set(err, ERR_REJECT, "its headers cannot be read: %s", rd_kafka_err2str(code));
	if (rd_kafka_header_get(headers, 0, ORIGIN_HEADER, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	place.topic = str_from(rd_kafka_topic_name(message->rkt));
	if (origin_parse((struct str){value ? value : "", value ? size : 0}, &o, err) < 0 || origin_check(&o, &place, err) < 0)
		return -1;
	if (rd_kafka_header_get(headers, 1, ORIGIN_HEADER, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_set(err, ERR_REJECT, "it carries two origins");
	*out = o;
	return 1;
}
