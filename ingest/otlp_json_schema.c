/* otlp_json_schema.c - see otlp_json_schema.h.
 *
 * To know a new field is to add a row. What has no row is skipped as unknown: exemplars, links, entity references and metadata, from which nothing is
 * read, would cost their bytes for nothing, and what is wrong in them is no reason to refuse the rest. Names have one spelling here,
 * lowerCamelCase, from which the other one follows by protobuf's rule. */
#include "ingest/otlp_json_schema.h"

#define NAME(text) .name = (text), .name_len = sizeof(text) - 1
#define FIELD(text, n, t) {NAME(text), .number = (n), .type = (t)}
#define CHOICE(text, n, t) {NAME(text), .number = (n), .type = (t), .choice = true}
#define NUMBERS(text, n, t) {NAME(text), .number = (n), .type = (t), .repeated = true}
#define ENUM(text, n, e) {NAME(text), .number = (n), .type = TYPE_ENUM, .values = &(e)}
#define MESSAGE(text, n, m) {NAME(text), .number = (n), .type = TYPE_MESSAGE, .message = &(m)}
#define MESSAGE_CHOICE(text, n, m) {NAME(text), .number = (n), .type = TYPE_MESSAGE, .choice = true, .message = &(m)}
#define MESSAGES(text, n, m) {NAME(text), .number = (n), .type = TYPE_MESSAGE, .repeated = true, .message = &(m)}
#define NR(table) (sizeof(table) / sizeof((table)[0]))

/* common/v1/common.proto, resource/v1/resource.proto; AnyValue and what it holds hold each other. */
static const struct otlp_json_message key_value, array_value, key_value_list;

static const struct otlp_json_field any_value_fields[] = {
	CHOICE("stringValue", 1, TYPE_STRING), CHOICE("boolValue", 2, TYPE_BOOL), CHOICE("intValue", 3, TYPE_INT64),
	CHOICE("doubleValue", 4, TYPE_DOUBLE), MESSAGE_CHOICE("arrayValue", 5, array_value),
	MESSAGE_CHOICE("kvlistValue", 6, key_value_list), CHOICE("bytesValue", 7, TYPE_BYTES),
};
static const struct otlp_json_message any_value = {any_value_fields, NR(any_value_fields)};

static const struct otlp_json_field array_value_fields[] = {MESSAGES("values", 1, any_value)};
static const struct otlp_json_message array_value = {array_value_fields, NR(array_value_fields)};

static const struct otlp_json_field key_value_list_fields[] = {MESSAGES("values", 1, key_value)};
static const struct otlp_json_message key_value_list = {key_value_list_fields, NR(key_value_list_fields)};

static const struct otlp_json_field key_value_fields[] = {FIELD("key", 1, TYPE_STRING), MESSAGE("value", 2, any_value)};
static const struct otlp_json_message key_value = {key_value_fields, NR(key_value_fields)};

static const struct otlp_json_field scope_fields[] = {
	FIELD("name", 1, TYPE_STRING), FIELD("version", 2, TYPE_STRING), MESSAGES("attributes", 3, key_value),
	FIELD("droppedAttributesCount", 4, TYPE_UINT32),
};
static const struct otlp_json_message scope = {scope_fields, NR(scope_fields)};

static const struct otlp_json_field resource_fields[] = {
	MESSAGES("attributes", 1, key_value), FIELD("droppedAttributesCount", 2, TYPE_UINT32),
};
static const struct otlp_json_message resource = {resource_fields, NR(resource_fields)};

/* metrics/v1/metrics.proto */
static const struct otlp_json_field number_point_fields[] = {
	MESSAGES("attributes", 7, key_value), FIELD("startTimeUnixNano", 2, TYPE_FIXED64), FIELD("timeUnixNano", 3, TYPE_FIXED64),
	CHOICE("asDouble", 4, TYPE_DOUBLE), CHOICE("asInt", 6, TYPE_SFIXED64), FIELD("flags", 8, TYPE_UINT32),
};
static const struct otlp_json_message number_point = {number_point_fields, NR(number_point_fields)};

static const struct otlp_json_field histogram_point_fields[] = {
	MESSAGES("attributes", 9, key_value), FIELD("startTimeUnixNano", 2, TYPE_FIXED64), FIELD("timeUnixNano", 3, TYPE_FIXED64),
	FIELD("count", 4, TYPE_FIXED64), FIELD("sum", 5, TYPE_DOUBLE), NUMBERS("bucketCounts", 6, TYPE_FIXED64),
	NUMBERS("explicitBounds", 7, TYPE_DOUBLE), FIELD("flags", 10, TYPE_UINT32), FIELD("min", 11, TYPE_DOUBLE),
	FIELD("max", 12, TYPE_DOUBLE),
};
static const struct otlp_json_message histogram_point = {histogram_point_fields, NR(histogram_point_fields)};

static const struct otlp_json_field buckets_fields[] = {
	FIELD("offset", 1, TYPE_SINT32), NUMBERS("bucketCounts", 2, TYPE_UINT64),
};
static const struct otlp_json_message buckets = {buckets_fields, NR(buckets_fields)};

static const struct otlp_json_field exponential_point_fields[] = {
	MESSAGES("attributes", 1, key_value), FIELD("startTimeUnixNano", 2, TYPE_FIXED64), FIELD("timeUnixNano", 3, TYPE_FIXED64),
	FIELD("count", 4, TYPE_FIXED64), FIELD("sum", 5, TYPE_DOUBLE), FIELD("scale", 6, TYPE_SINT32),
	FIELD("zeroCount", 7, TYPE_FIXED64), MESSAGE("positive", 8, buckets), MESSAGE("negative", 9, buckets),
	FIELD("flags", 10, TYPE_UINT32), FIELD("min", 12, TYPE_DOUBLE), FIELD("max", 13, TYPE_DOUBLE),
	FIELD("zeroThreshold", 14, TYPE_DOUBLE),
};
static const struct otlp_json_message exponential_point = {exponential_point_fields, NR(exponential_point_fields)};

static const struct otlp_json_field quantile_fields[] = {FIELD("quantile", 1, TYPE_DOUBLE), FIELD("value", 2, TYPE_DOUBLE)};
static const struct otlp_json_message quantile = {quantile_fields, NR(quantile_fields)};

static const struct otlp_json_field summary_point_fields[] = {
	MESSAGES("attributes", 7, key_value), FIELD("startTimeUnixNano", 2, TYPE_FIXED64), FIELD("timeUnixNano", 3, TYPE_FIXED64),
	FIELD("count", 4, TYPE_FIXED64), FIELD("sum", 5, TYPE_DOUBLE), MESSAGES("quantileValues", 6, quantile),
	FIELD("flags", 8, TYPE_UINT32),
};
static const struct otlp_json_message summary_point = {summary_point_fields, NR(summary_point_fields)};

static const char *const temporality_names[] = {
	"AGGREGATION_TEMPORALITY_UNSPECIFIED", "AGGREGATION_TEMPORALITY_DELTA", "AGGREGATION_TEMPORALITY_CUMULATIVE",
};
static const struct otlp_json_enum temporality = {temporality_names, NR(temporality_names)};

static const struct otlp_json_field gauge_fields[] = {MESSAGES("dataPoints", 1, number_point)};
static const struct otlp_json_message gauge = {gauge_fields, NR(gauge_fields)};

static const struct otlp_json_field sum_fields[] = {
	MESSAGES("dataPoints", 1, number_point), ENUM("aggregationTemporality", 2, temporality), FIELD("isMonotonic", 3, TYPE_BOOL),
};
static const struct otlp_json_message sum = {sum_fields, NR(sum_fields)};

static const struct otlp_json_field histogram_fields[] = {
	MESSAGES("dataPoints", 1, histogram_point), ENUM("aggregationTemporality", 2, temporality),
};
static const struct otlp_json_message histogram = {histogram_fields, NR(histogram_fields)};

static const struct otlp_json_field exponential_fields[] = {
	MESSAGES("dataPoints", 1, exponential_point), ENUM("aggregationTemporality", 2, temporality),
};
static const struct otlp_json_message exponential = {exponential_fields, NR(exponential_fields)};

static const struct otlp_json_field summary_fields[] = {MESSAGES("dataPoints", 1, summary_point)};
static const struct otlp_json_message summary = {summary_fields, NR(summary_fields)};

static const struct otlp_json_field metric_fields[] = {
	FIELD("name", 1, TYPE_STRING), FIELD("description", 2, TYPE_STRING), FIELD("unit", 3, TYPE_STRING), MESSAGE_CHOICE("gauge", 5, gauge),
	MESSAGE_CHOICE("sum", 7, sum), MESSAGE_CHOICE("histogram", 9, histogram),
	MESSAGE_CHOICE("exponentialHistogram", 10, exponential), MESSAGE_CHOICE("summary", 11, summary),
};
static const struct otlp_json_message metric = {metric_fields, NR(metric_fields)};

/* trace/v1/trace.proto */
static const char *const kind_names[] = {
	"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER",
};
static const struct otlp_json_enum kind = {kind_names, NR(kind_names)};

static const char *const code_names[] = {"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"};
static const struct otlp_json_enum code = {code_names, NR(code_names)};

static const struct otlp_json_field event_fields[] = {
	FIELD("timeUnixNano", 1, TYPE_FIXED64), FIELD("name", 2, TYPE_STRING), MESSAGES("attributes", 3, key_value),
	FIELD("droppedAttributesCount", 4, TYPE_UINT32),
};
static const struct otlp_json_message event = {event_fields, NR(event_fields)};

static const struct otlp_json_field status_fields[] = {FIELD("message", 2, TYPE_STRING), ENUM("code", 3, code)};
static const struct otlp_json_message status = {status_fields, NR(status_fields)};

static const struct otlp_json_field span_fields[] = {
	FIELD("traceId", 1, TYPE_HEX), FIELD("spanId", 2, TYPE_HEX), FIELD("traceState", 3, TYPE_STRING), FIELD("parentSpanId", 4, TYPE_HEX),
	FIELD("name", 5, TYPE_STRING), ENUM("kind", 6, kind), FIELD("startTimeUnixNano", 7, TYPE_FIXED64),
	FIELD("endTimeUnixNano", 8, TYPE_FIXED64), MESSAGES("attributes", 9, key_value), FIELD("droppedAttributesCount", 10, TYPE_UINT32),
	MESSAGES("events", 11, event), FIELD("droppedEventsCount", 12, TYPE_UINT32), FIELD("droppedLinksCount", 14, TYPE_UINT32),
	MESSAGE("status", 15, status), FIELD("flags", 16, TYPE_FIXED32),
};
static const struct otlp_json_message span = {span_fields, NR(span_fields)};

_Static_assert(NR(span_fields) <= OTLP_JSON_FIELDS_MAX, "the message with most fields");

/* logs/v1/logs.proto */
static const char *const severity_names[] = {
	"SEVERITY_NUMBER_UNSPECIFIED", "SEVERITY_NUMBER_TRACE", "SEVERITY_NUMBER_TRACE2", "SEVERITY_NUMBER_TRACE3", "SEVERITY_NUMBER_TRACE4",
	"SEVERITY_NUMBER_DEBUG", "SEVERITY_NUMBER_DEBUG2", "SEVERITY_NUMBER_DEBUG3", "SEVERITY_NUMBER_DEBUG4", "SEVERITY_NUMBER_INFO",
	"SEVERITY_NUMBER_INFO2", "SEVERITY_NUMBER_INFO3", "SEVERITY_NUMBER_INFO4", "SEVERITY_NUMBER_WARN", "SEVERITY_NUMBER_WARN2",
	"SEVERITY_NUMBER_WARN3", "SEVERITY_NUMBER_WARN4", "SEVERITY_NUMBER_ERROR", "SEVERITY_NUMBER_ERROR2", "SEVERITY_NUMBER_ERROR3",
	"SEVERITY_NUMBER_ERROR4", "SEVERITY_NUMBER_FATAL", "SEVERITY_NUMBER_FATAL2", "SEVERITY_NUMBER_FATAL3", "SEVERITY_NUMBER_FATAL4",
};
static const struct otlp_json_enum severity = {severity_names, NR(severity_names)};

static const struct otlp_json_field log_record_fields[] = {
	FIELD("timeUnixNano", 1, TYPE_FIXED64), FIELD("observedTimeUnixNano", 11, TYPE_FIXED64), ENUM("severityNumber", 2, severity),
	FIELD("severityText", 3, TYPE_STRING), MESSAGE("body", 5, any_value), MESSAGES("attributes", 6, key_value),
	FIELD("droppedAttributesCount", 7, TYPE_UINT32), FIELD("flags", 8, TYPE_FIXED32), FIELD("traceId", 9, TYPE_HEX),
	FIELD("spanId", 10, TYPE_HEX), FIELD("eventName", 12, TYPE_STRING),
};
static const struct otlp_json_message log_record = {log_record_fields, NR(log_record_fields)};

/* Each signal's request, by resource and scope, collector/SIGNAL/v1. */
#define SIGNAL(signal, of_resource, of_scope, leaf, message)                                                                                 \
	static const struct otlp_json_field signal##_scope_fields[] = {                                                                      \
		MESSAGE("scope", 1, scope), MESSAGES(leaf, 2, message), FIELD("schemaUrl", 3, TYPE_STRING)};                                 \
	static const struct otlp_json_message signal##_scope = {signal##_scope_fields, NR(signal##_scope_fields)};                           \
	static const struct otlp_json_field signal##_resource_fields[] = {                                                                   \
		MESSAGE("resource", 1, resource), MESSAGES(of_scope, 2, signal##_scope), FIELD("schemaUrl", 3, TYPE_STRING)};                \
	static const struct otlp_json_message signal##_resource = {signal##_resource_fields, NR(signal##_resource_fields)};                  \
	static const struct otlp_json_field signal##_request_fields[] = {MESSAGES(of_resource, 1, signal##_resource)};                       \
	static const struct otlp_json_message signal##_request = {signal##_request_fields, NR(signal##_request_fields)}

SIGNAL(metrics, "resourceMetrics", "scopeMetrics", "metrics", metric);
SIGNAL(traces, "resourceSpans", "scopeSpans", "spans", span);
SIGNAL(logs, "resourceLogs", "scopeLogs", "logRecords", log_record);

const struct otlp_json_message *otlp_json_request(enum otlp_signal signal)
{
	switch (signal) {
	case OTLP_METRICS:
		return &metrics_request;
	case OTLP_LOGS:
		return &logs_request;
	case OTLP_TRACES:
		return &traces_request;
	}
	return NULL;
}

/* Is text the name's other spelling: an underscore and the small letter for each capital? */
static bool is_snake(const char *name, struct str text)
{
	size_t i = 0;

	for (; *name; name++) {
		bool capital = *name >= 'A' && *name <= 'Z';

		if (capital && (i >= text.len || text.p[i++] != '_'))
			return false;
		if (i >= text.len || text.p[i++] != (capital ? *name | 0x20 : *name))
			return false;
	}
	return i == text.len;
}

const struct otlp_json_field *otlp_json_find(const struct otlp_json_message *message, struct str name)
{
	const struct otlp_json_field *end = message->fields + message->nr;

	for (const struct otlp_json_field *f = message->fields; f < end; f++)
		if (name.len == f->name_len && memcmp(name.p, f->name, name.len) == 0)
			return f;
	if (!memchr(name.p, '_', name.len))
		return NULL;
	for (const struct otlp_json_field *f = message->fields; f < end; f++)
		if (is_snake(f->name, name))
			return f;
	return NULL;
}

int otlp_json_enum_number(const struct otlp_json_enum *e, struct str name)
{
	for (size_t i = 0; i < e->nr; i++)
		if (str_eq(name, str_from(e->names[i])))
			return (int)i;
	return -1;
}
