/* otlp_metrics.c - see otlp_metrics.h.
 *
 * What a point means depends on fields around it that may stand behind it: its metric's name, temporality and whether it is monotonic, its
 * scope's and its resource's attributes. So each message that has points in it is gone over twice: the first pass reads what stands beside
 * them and passes over them by their lengths, which costs next to nothing; the second reads them. A metric's data is a oneof: only the kind
 * that stands there last counts, from where it began to be the last, and what of it stands there several times is one. */
#include "ingest/otlp_metrics.h"

#include <string.h>

#include "ingest/otlp_metrics_points.h"

#define COUNTER(member) offsetof(struct otlp_metrics_parser, member)

enum { AGGREGATION_DELTA = 1, AGGREGATION_CUMULATIVE = 2 };

static const struct pb_field request_fields[] = {{NULL, 0}, {"resource_metrics", COUNTER(resources_len)}};
static const struct pb_field resource_metrics_fields[] = {{NULL, 0}, {"resource", 0}, {"scope_metrics", COUNTER(scopes_len)}};
static const struct pb_field resource_fields[] = {{NULL, 0}, {"attributes", COUNTER(attributes_len)}};
static const struct pb_field scope_metrics_fields[] = {{NULL, 0}, {"scope", 0}, {"metrics", COUNTER(metrics_len)}};
static const struct pb_field scope_fields[] = {{NULL, 0}, [3] = {"attributes", COUNTER(attributes_len)}};
static const struct pb_field metric_fields[] = {{NULL, 0},
						{"name", 0},
						[OTLP_METRICS_GAUGE] = {"gauge", 0},
						[OTLP_METRICS_SUM] = {"sum", 0},
						[OTLP_METRICS_HISTOGRAM] = {"histogram", 0},
						{"exponential_histogram", 0},
						{"summary", 0}};
static const struct pb_field points_fields[] = {{NULL, 0}, {"data_points", COUNTER(points_len)}};
static const struct pb_field histogram_fields[] = {{NULL, 0}, {"data_points", COUNTER(points_len)}, {"aggregation_temporality", 0}};
static const struct pb_field sum_fields[] = {{NULL, 0}, {"data_points", COUNTER(points_len)}, {"aggregation_temporality", 0}, {"is_monotonic", 0}};
static const struct pb_message request_message = PB_MESSAGE(request_fields);
static const struct pb_message resource_metrics_message = PB_MESSAGE(resource_metrics_fields);
static const struct pb_message resource_message = PB_MESSAGE(resource_fields);
static const struct pb_message scope_metrics_message = PB_MESSAGE(scope_metrics_fields);
static const struct pb_message scope_message = PB_MESSAGE(scope_fields);
static const struct pb_message metric_message = PB_MESSAGE(metric_fields);
static const struct pb_message gauge_message = PB_MESSAGE(points_fields);
static const struct pb_message histogram_message = PB_MESSAGE(histogram_fields);
static const struct pb_message sum_message = PB_MESSAGE(sum_fields);

/* The value of a field that is the other pass's. */
static inline const uint8_t *pass_over(struct pb_reader *r, const uint8_t *at, const uint8_t *end)
{
	struct pb_read length = pb_read_length(at, end);

	return length.at ? length.at + length.value : pb_malformed(r, at, length);
}

static bool has_tag(const struct otlp_metrics_tags *all, struct str key)
{
	for (size_t i = 0; i < all->len; i++)
		if (str_eq(all->tags[i].key, key))
			return true;
	return false;
}

/* An attribute of a resource or a scope: kept if it is wanted, the first of its name. */
static const uint8_t *read_shared(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end)
{
	struct otlp_metrics_tags *into = ps->into;
	struct tag tag;

	at = otlp_metrics_read_tag(ps, at, end, &tag);
	if (at && into->len < OTLP_RESOURCE_TAGS_MAX && otlp_rules_want(ps->rules, tag.key) && !has_tag(into, tag.key))
		into->tags[into->len++] = tag;
	return at;
}

static const uint8_t *resource_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	return key == PB_KEY(1, PB_LEN) ? read_shared(otlp_metrics_parser_of(r), at, end) : pb_read_other(r, &resource_message, key, at, end);
}

static const uint8_t *scope_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	return key == PB_KEY(3, PB_LEN) ? read_shared(otlp_metrics_parser_of(r), at, end) : pb_read_other(r, &scope_message, key, at, end);
}

/* Of a host's own figures the host is part of what they are. */
static bool is_host_metric(struct str name)
{
	return str_take(&name, "system.") || str_take(&name, "process.");
}

/* What a metric's points are given beside their own attributes: the scope's before the resource's. */
static void gather_inherited(struct otlp_metrics_parser *ps)
{
	struct otlp_metrics_tags *all = &ps->inherited;
	const struct otlp_metrics_tags *const from[] = {&ps->scope, &ps->resource};
	bool host = is_host_metric(ps->name), life = ps->metric.temporality == TEMPORALITY_CUMULATIVE;

	all->len = 0;
	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < from[k]->len; i++) {
			const struct tag *t = &from[k]->tags[i];

			if ((host || !str_eq(t->key, STR(OTLP_HOST_NAME))) && (life || !str_eq(t->key, STR(OTLP_INSTANCE_ID))) && !has_tag(all, t->key))
				all->tags[all->len++] = *t;
		}
}

/* Data whose points are passed over: what it says of all of them. */
static const uint8_t *data_scan(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct otlp_metrics_parser *ps = otlp_metrics_parser_of(r);
	int64_t monotonic;

	switch (key) {
	case PB_KEY(1, PB_LEN):
		ps->points_len++;
		return pass_over(r, at, end);
	case PB_KEY(2, PB_VARINT):
		return pb_read_int64(r, at, end, &ps->aggregation);
	case PB_KEY(3, PB_VARINT):
		if (ps->data != OTLP_METRICS_SUM)
			break;
		at = pb_read_int64(r, at, end, &monotonic);
		ps->monotonic = monotonic != 0;
		return at;
	}
	return pb_read_other(r, ps->data == OTLP_METRICS_SUM ? &sum_message : &histogram_message, key, at, end);
}

static const uint8_t *scan_data(struct otlp_metrics_parser *ps, enum otlp_metrics_data data, const uint8_t *at, const uint8_t *end)
{
	if (ps->data != data) {
		ps->data = data;
		ps->data_from = at;
		ps->aggregation = 0;
		ps->monotonic = false;
	}
	if (data == OTLP_METRICS_GAUGE || data == OTLP_METRICS_SUMMARY)
		return pass_over(&ps->reader, at, end);
	return pb_read_message(&ps->reader, &sum_message, data_scan, at, end);
}

static const uint8_t *metric_scan(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct otlp_metrics_parser *ps = otlp_metrics_parser_of(r);

	switch (key) {
	case PB_KEY(1, PB_LEN):
		return pb_read_text(r, at, end, &ps->name);
	case PB_KEY(OTLP_METRICS_GAUGE, PB_LEN):
	case PB_KEY(OTLP_METRICS_SUM, PB_LEN):
	case PB_KEY(OTLP_METRICS_HISTOGRAM, PB_LEN):
	case PB_KEY(OTLP_METRICS_EXPONENTIAL, PB_LEN):
	case PB_KEY(OTLP_METRICS_SUMMARY, PB_LEN):
		return scan_data(ps, (enum otlp_metrics_data)(key >> 3), at, end);
	default:
		return pb_read_other(r, &metric_message, key, at, end);
	}
}

static inline const uint8_t *gauge_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	return key == PB_KEY(1, PB_LEN) ? otlp_metrics_read_number(otlp_metrics_parser_of(r), at, end)
					: pb_read_other(r, &gauge_message, key, at, end);
}

static const uint8_t *summary_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	return key == PB_KEY(1, PB_LEN) ? otlp_metrics_read_summary(otlp_metrics_parser_of(r), at, end)
					: pb_read_other(r, &gauge_message, key, at, end);
}

/* The first pass has read temporality and the like, of the right type: they are passed over. */
static const uint8_t *again(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct pb_read skipped = pb_skip(key, at, end);

	return skipped.at ? skipped.at : pb_malformed(r, at, skipped);
}

static inline const uint8_t *sum_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	return key == PB_KEY(1, PB_LEN) ? otlp_metrics_read_number(otlp_metrics_parser_of(r), at, end) : again(r, key, at, end);
}

static const uint8_t *histogram_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	return key == PB_KEY(1, PB_LEN) ? otlp_metrics_read_histogram(otlp_metrics_parser_of(r), at, end) : again(r, key, at, end);
}

static const uint8_t *exponential_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	return key == PB_KEY(1, PB_LEN) ? otlp_metrics_read_exponential(otlp_metrics_parser_of(r), at, end) : again(r, key, at, end);
}

static const uint8_t *read_data(struct pb_reader *r, enum otlp_metrics_data data, const uint8_t *at, const uint8_t *end)
{
	switch (data) {
	case OTLP_METRICS_SUM:
		return pb_read_message(r, &sum_message, sum_field, at, end);
	case OTLP_METRICS_HISTOGRAM:
		return pb_read_message(r, &histogram_message, histogram_field, at, end);
	case OTLP_METRICS_EXPONENTIAL:
		return pb_read_message(r, &histogram_message, exponential_field, at, end);
	case OTLP_METRICS_SUMMARY:
		return pb_read_message(r, &gauge_message, summary_field, at, end);
	default:
		return pb_read_message(r, &gauge_message, gauge_field, at, end);
	}
}

static const uint8_t *metric_points(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct otlp_metrics_parser *ps = otlp_metrics_parser_of(r);
	enum otlp_metrics_data data = (enum otlp_metrics_data)(key >> 3);

	if (data < OTLP_METRICS_GAUGE || data > OTLP_METRICS_SUMMARY || !metric_fields[data].name)
		return again(r, key, at, end);
	ps->reading = data == ps->data && at >= ps->data_from;
	if (ps->reading && at == ps->data_from)
		ps->points_len = 0;
	return read_data(r, data, at, end);
}

/* What the data says of its samples. */
static void classify(struct otlp_metrics_parser *ps)
{
	int32_t aggregation = (int32_t)ps->aggregation; /* as the format wants it of an enum */
	bool cumulative = aggregation == AGGREGATION_CUMULATIVE, told = cumulative || aggregation == AGGREGATION_DELTA;

	switch (ps->data) {
	case OTLP_METRICS_SUM:
		ps->metric.kind = ps->monotonic ? SERIES_KIND_COUNTER : SERIES_KIND_GAUGE;
		cumulative = cumulative && ps->monotonic;
		break;
	case OTLP_METRICS_HISTOGRAM:
	case OTLP_METRICS_EXPONENTIAL:
		ps->metric.kind = SERIES_KIND_DISTRIBUTION;
		break;
	case OTLP_METRICS_SUMMARY:
		ps->metric.kind = SERIES_KIND_DISTRIBUTION;
		cumulative = true;
		break;
	default:
		ps->metric.kind = SERIES_KIND_GAUGE;
		cumulative = false;
	}
	ps->untold = ps->data != OTLP_METRICS_GAUGE && ps->data != OTLP_METRICS_SUMMARY && !told;
	ps->metric.temporality = cumulative ? TEMPORALITY_CUMULATIVE : TEMPORALITY_DELTA;
}

static const uint8_t *read_metric(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end)
{
	struct pb_read length = pb_read_length(at, end);

	ps->metric = (struct payload_metric){.index = ps->metrics_before + ps->metrics_len++, .otlp = true};
	if (!length.at)
		return pb_malformed(&ps->reader, at, length);
	at = length.at;
	end = at + length.value;
	ps->name = STR("");
	ps->data = OTLP_METRICS_NONE;
	ps->points_len = 0;
	if (!pb_read_fields(&ps->reader, &metric_message, metric_scan, at, end))
		return NULL;
	classify(ps);
	gather_inherited(ps);
	ps->metric.name = otlp_metrics_name(ps, ps->name);
	if (!ps->metric.name.p)
		return otlp_metrics_no_memory(ps, at);
	ps->points_len = 0;
	return pb_read_fields(&ps->reader, &metric_message, metric_points, at, end);
}

static const uint8_t *scope_metrics_scan(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct otlp_metrics_parser *ps = otlp_metrics_parser_of(r);

	switch (key) {
	case PB_KEY(1, PB_LEN):
		ps->into = &ps->scope;
		ps->attributes_len = 0;
		return pb_read_message(r, &scope_message, scope_field, at, end);
	case PB_KEY(2, PB_LEN):
		return pass_over(r, at, end);
	default:
		return pb_read_other(r, &scope_metrics_message, key, at, end);
	}
}

static const uint8_t *scope_metrics_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	return key == PB_KEY(2, PB_LEN) ? read_metric(otlp_metrics_parser_of(r), at, end) : again(r, key, at, end);
}

static const uint8_t *read_scope_metrics(struct otlp_metrics_parser *ps, const uint8_t *at, const uint8_t *end)
{
	struct pb_read length = pb_read_length(at, end);

	ps->scopes_len++;
	if (!length.at)
		return pb_malformed(&ps->reader, at, length);
	at = length.at;
	end = at + length.value;
	ps->metrics_before += ps->metrics_len;
	ps->metrics_len = 0;
	ps->scope.len = 0;
	if (!pb_read_fields(&ps->reader, &scope_metrics_message, scope_metrics_scan, at, end))
		return NULL;
	return pb_read_fields(&ps->reader, &scope_metrics_message, scope_metrics_field, at, end);
}

static const uint8_t *resource_metrics_scan(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct otlp_metrics_parser *ps = otlp_metrics_parser_of(r);

	switch (key) {
	case PB_KEY(1, PB_LEN):
		ps->into = &ps->resource;
		ps->attributes_len = 0;
		return pb_read_message(r, &resource_message, resource_field, at, end);
	case PB_KEY(2, PB_LEN):
		return pass_over(r, at, end);
	default:
		return pb_read_other(r, &resource_metrics_message, key, at, end);
	}
}

static const uint8_t *resource_metrics_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	return key == PB_KEY(2, PB_LEN) ? read_scope_metrics(otlp_metrics_parser_of(r), at, end) : again(r, key, at, end);
}

static const uint8_t *request_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct otlp_metrics_parser *ps = otlp_metrics_parser_of(r);
	struct pb_read length;

	if (key != PB_KEY(1, PB_LEN))
		return pb_read_other(r, &request_message, key, at, end);
	ps->resources_len++;
	length = pb_read_length(at, end);
	if (!length.at)
		return pb_malformed(r, at, length);
	at = length.at;
	end = at + length.value;
	ps->scopes_len = 0;
	ps->resource.len = 0;
	if (!pb_read_fields(r, &resource_metrics_message, resource_metrics_scan, at, end))
		return NULL;
	return pb_read_fields(r, &resource_metrics_message, resource_metrics_field, at, end);
}

int otlp_metrics_parse(struct str body, struct payload *p, const struct otlp_rules *rules, struct refusal *no)
{
	const uint8_t *at = (const uint8_t *)(body.len ? body.p : "");
	struct otlp_metrics_parser ps = {.reader.body = at, .payload = p, .rules = rules};

	if (!pb_read_fields(&ps.reader, &request_message, request_field, at, at + body.len))
		return ps.reader.reason == REASON_BODY_TOO_LARGE ? payload_refuse_size(p, no) : pb_refuse(&ps.reader, no);
	return 0;
}
