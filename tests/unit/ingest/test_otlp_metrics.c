/* test_otlp_metrics.c - what each kind of point becomes, and what refuses a request or a point. That messages are read as others read them is
 * the business of test_otlp_metrics_oracle.c. */
#include "ingest/otlp_metrics.h"

#include <math.h>

#include "common/hist.h"
#include "tests/unit/ingest/payloads.h"
#include "tests/unit/ingest/wire_text.h"

#define NOW_NS NOW "000000"
#define ONE_METRIC(metric) "1{2{2{" metric "}}}"
#define GAUGE_OF(points) ONE_METRIC("1\"m\" 5{" points "}")
#define SUM_OF(points, rest) ONE_METRIC("1\"m\" 7{" points " " rest "}")
#define HISTOGRAM_OF(points, rest) ONE_METRIC("1\"m\" 9{" points " " rest "}")
#define EXPONENTIAL_OF(points, rest) ONE_METRIC("1\"m\" 10{" points " " rest "}")
#define SUMMARY_OF(points) ONE_METRIC("1\"m\" 11{" points "}")
#define DELTA "2=1"
#define CUMULATIVE "2=2"
#define MONOTONIC " 3=1"
#define STRING(field, key, value) #field "{1\"" key "\" 2{1\"" value "\"}} "

static const char *const default_tags = "service.name, deployment.environment,host.name,service.instance.id";

/* The bodies below are decoded by a parser of one signal, with these rules. */
static int parse(struct str body, struct payload *p, struct refusal *no)
{
	struct otlp_rules rules;

	ck_assert_int_eq(otlp_rules_read(&rules, default_tags), 0);
	return otlp_decode(OTLP_METRICS, body, p, &rules, no);
}

static void decode_request(struct decoded *d, struct buf *body, const char *text)
{
	*body = wire_text(text);
	*d = (struct decoded){.arena = {.limit_bytes = 64 << 20}, .no = {.reason = NR_REASONS}};
	payload_init(&d->payload, &d->arena, NOW_MS);
	d->rc = parse(buf_str(body), &d->payload, &d->no);
}

static void show_side(struct buf *out, const char *name, int64_t offset, const int64_t *counts, size_t len)
{
	if (len == 0)
		return;
	buf_printf(out, " %s%lld[", name, (long long)offset);
	for (size_t i = 0; i < len; i++)
		buf_printf(out, "%s%lld", i ? " " : "", (long long)counts[i]);
	buf_printf(out, "]");
}

/* "cumulative counter m{a=1} 0 since -60000:", times against NOW_MS, of the series that a sample is of. */
static void show_series(struct buf *out, const struct payload *p, int32_t series, int64_t t, int64_t start)
{
	const struct series_ref *s = &p->series[series];

	buf_printf(out, "%s%s%s " STR_FMT, out->len ? "; " : "", s->temporality == TEMPORALITY_CUMULATIVE ? "cumulative " : "",
		   series_kind_name(s->kind), STR_ARG(s->name));
	for (size_t i = 0; i < s->tags_len; i++)
		buf_printf(out, "%s" STR_FMT "=" STR_FMT "%s", i ? "," : "{", STR_ARG(s->tags[i].key), STR_ARG(s->tags[i].value),
			   i + 1 == s->tags_len ? "}" : "");
	if (t != NOW_MS)
		buf_printf(out, " %+lld", (long long)(t - NOW_MS));
	if (start)
		buf_printf(out, " since %+lld", (long long)(start - NOW_MS));
	buf_printf(out, ": ");
}

static void show_summary(struct buf *out, const struct payload *p, const struct summary_sample *s)
{
	show_series(out, p, s->series, s->t, s->start);
	buf_printf(out, "%lld, %g", (long long)s->count, s->sum);
	if (s->has_min)
		buf_printf(out, " from %g", s->min);
	if (s->has_max)
		buf_printf(out, " to %g", s->max);
	if (s->approximate)
		buf_printf(out, " about");
	if (!s->has_histogram)
		return;
	buf_printf(out, " scale %d", s->histogram.scale);
	if (s->histogram.zero)
		buf_printf(out, " zero %lld", (long long)s->histogram.zero);
	show_side(out, "", s->histogram.offset, s->histogram.counts, s->histogram.counts_len);
	show_side(out, "neg ", s->histogram.neg_offset, s->histogram.neg_counts, s->histogram.neg_counts_len);
	ck_assert(!s->has_last && s->last_at == s->t);
}

static struct buf show(const struct payload *p)
{
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < p->values_len; i++) {
		show_series(&out, p, p->values[i].series, p->values[i].t, p->values[i].start);
		buf_printf(&out, "%g", p->values[i].v);
	}
	for (size_t i = 0; i < p->summaries_len; i++)
		show_summary(&out, p, &p->summaries[i]);
	ck_assert_uint_eq(p->accepted, p->values_len + p->summaries_len);
	ck_assert_uint_eq(p->received, p->accepted + p->rejected);
	buf_add(&out, "", 1);
	return out;
}

static const struct {
	const char *text, *samples, *rejections;
} judged[] = {
	/* nothing in it */
	{"", "", ""},
	{"1{} 1{1{} 2{}} 1{2{1{} 2{}}}", "", ""},
	{ONE_METRIC("1\"m\" 2\"text\" 3\"ms\""), "", ""},
	{"1{3\"https://schema\" 2{3\"https://schema\" 2{1\"m\" 12{1\"k\"} 5{1{4:1}}}}}", "gauge m: 1", ""},
	/* numbers */
	{GAUGE_OF("1{3!" NOW_NS " 4:1.5}"), "gauge m: 1.5", ""},
	{GAUGE_OF("1{3!" NOW_NS " 6!-3}"), "gauge m: -3", ""},
	{GAUGE_OF("1{3!1795372011001999999 4:1}"), "gauge m -999: 1", ""}, /* a whole millisecond, rounded down */
	{GAUGE_OF("1{4:1}"), "gauge m: 1", ""},
	{GAUGE_OF("1{4:1 6!2} 1{6!2 4:1}"), "gauge m: 2; gauge m: 1", ""}, /* one of them, the last */
	{GAUGE_OF("1{}"), "", "metrics[0].points[0] value_missing"},
	{GAUGE_OF("1{4:nan} 1{4:inf} 1{4:-1}"), "gauge m: -1",
	 "metrics[0].points[0] value_not_finite, metrics[0].points[1] value_not_finite"},
	{GAUGE_OF("1{3!1000000 4:1} 1{3!18446744073709551615 4:1}"), "", "metrics[0].points[0] time_too_old, metrics[0].points[1] time_too_new"},
	{GAUGE_OF("1{2!1795372000000000000 4:1}"), "gauge m: 1", ""}, /* has no start */
	{GAUGE_OF("1{4:1 5{3:2} 1{1\"label\"}}"), "gauge m: 1", ""},  /* exemplars; a field that was given up */
	/* no value recorded: neither counted nor refused */
	{GAUGE_OF("1{8=1} 1{8=3 4:1} 1{4:7}"), "gauge m: 7", ""},
	{GAUGE_OF("1{8=4294967298 4:1}"), "gauge m: 1", ""}, /* other flags are others' */
	{HISTOGRAM_OF("1{10=1}", DELTA), "", ""},
	{EXPONENTIAL_OF("1{10=1}", DELTA), "", ""},
	{SUMMARY_OF("1{8=1}"), "", ""},
	/* sums */
	{SUM_OF("1{4:2}", DELTA MONOTONIC), "counter m: 2", ""},
	{SUM_OF("1{2!1795372000000000000 4:2}", DELTA MONOTONIC), "counter m: 2", ""},
	{SUM_OF("1{2!1795372000000000000 4:2}", CUMULATIVE MONOTONIC), "cumulative counter m since -12000: 2", ""},
	{SUM_OF("1{4:2}", CUMULATIVE MONOTONIC), "cumulative counter m: 2", ""},
	{SUM_OF("1{4:-2} 1{4:0}", CUMULATIVE MONOTONIC), "cumulative counter m: 0", "metrics[0].points[0] value_negative"},
	{SUM_OF("1{2!1795372000000000000 4:-2}", CUMULATIVE), "gauge m: -2", ""},
	{SUM_OF("1{4:-2}", DELTA " 3=0"), "gauge m: -2", ""},
	{SUM_OF("1{4:1} 1{8=1} 1{4:1}", MONOTONIC), "", "metrics[0].points[0] temporality_missing, metrics[0].points[2] temporality_missing"},
	{SUM_OF("1{4:1}", "2=3 3=1"), "", "metrics[0].points[0] temporality_missing"},
	{SUM_OF("1{4:1}", "2=4294967297 3=1"), "counter m: 1", ""}, /* an enum is 32 bits */
	/* what the points mean stands behind them */
	{"1{2{2{7{1{4:1} 2=2 3=1} 1\"m\"} 1{3{1\"service.name\" 2{1\"s\"}}}} 1{1{1\"deployment.environment\" 2{1\"e\"}}}}",
	 "cumulative counter m{deployment.environment=e,service.name=s}: 1", ""},
	/* one of the kinds of data: the last, and all of it */
	{ONE_METRIC("1\"m\" 5{1{4:1}} 7{1{4:2} " DELTA "}"), "gauge m: 2", ""},
	{ONE_METRIC("1\"m\" 7{1{4:2} " DELTA MONOTONIC "} 5{1{4:1}} 7{1{4:3} " DELTA "}"), "gauge m: 3", ""},
	{ONE_METRIC("1\"m\" 7{1{4:2}" MONOTONIC "} 7{1{4:3} " DELTA "}"), "counter m: 2; counter m: 3", ""},
	{ONE_METRIC("1\"m\" 5{1{4:inf}} 9{1{}} 5{1{4:inf}}"), "", "metrics[0].points[0] value_not_finite"},
	/* places: metrics are counted through */
	{"1{2{2{} 2{1\"a\" 5{1{4:1}}}} 2{2{1\"b\" 5{1{}}}}} 1{2{2{1\"c\" 5{1{4:1} 1{}}}}}", "gauge a: 1; gauge c: 1",
	 "metrics[2].points[0] value_missing, metrics[3].points[1] value_missing"},
	/* names */
	{ONE_METRIC("1\"a b\xc3\xa4-1_x.y/z:#\" 5{1{4:1}}"), "gauge a_b__-1_x.y/z:_: 1", ""},
	{ONE_METRIC("5{1{4:1} 1{4:1}}"), "", "metrics[0].points[0] name_empty, metrics[0].points[1] name_empty"},
	/* attributes */
	{GAUGE_OF("1{4:1 " STRING(7, "b", "2") STRING(7, "a", "\xc3\xa4") "}"), "gauge m{a=\xc3\xa4,b=2}: 1", ""},
	{GAUGE_OF("1{4:1 7{1\"a\" 2{2=1}} 7{1\"b\" 2{3=-4}} 7{1\"c\" 2{4:0.5}}}"), "gauge m{a=true,b=-4,c=0.5}: 1", ""},
	{GAUGE_OF("1{4:1 7{2{1\"v\"} 1\"k\"} 7{1\"n\"} 7{1\"o\" 2{}}}"), "gauge m{k=v,n=,o=}: 1", ""},
	{GAUGE_OF("1{4:1 7{1\"k\" 1\"l\" 2{1\"v\" 1\"w\"} 9=1}}"), "gauge m{l=w}: 1", ""},
	{GAUGE_OF("1{4:1 " STRING(7, "a key", "v") "}"), "gauge m{a_key=v}: 1", ""},
	{GAUGE_OF("1{4:1 " STRING(7, "a", "1") STRING(7, "a", "2") "} 1{4:2}"), "gauge m: 2", "metrics[0].points[0] tag_doubled"},
	{GAUGE_OF("1{4:1 " STRING(7, "", "1") "}"), "", "metrics[0].points[0] tag_key_invalid"},
	/* and those of resource and scope, where they are wanted: the nearest one counts */
	{"1{1{" STRING(1, "service.name", "r") STRING(1, "service.name", "r2") STRING(1, "os", "x") "} 2{1{1\"scope\"" STRING(3, "service.name", "s") STRING(3, "k", "x")
	 "} 2{1\"m\" 5{1{4:1} 1{4:2 " STRING(7, "service.name", "p") "}}}} 2{2{1\"n\" 5{1{4:3}}}}} 1{2{2{1\"o\" 5{1{4:4}}}}}",
	 "gauge m{service.name=s}: 1; gauge m{service.name=p}: 2; gauge n{service.name=r}: 3; gauge o: 4", ""},
	/* an instance's life is a series of its own, and nothing else of it */
	{"1{1{" STRING(1, "service.instance.id", "i") "} 2{2{1\"a\" 7{1{4:1} 2=2 3=1}} 2{1\"b\" 7{1{4:2} 2=1 3=1}} 2{1\"c\" 7{1{4:3} 2=2}} 2{1\"d\" 5{1{4:4}}} "
	 "2{1\"e\" 9{1{4!1 5:1} 2=2}}}}",
	 "cumulative counter a{service.instance.id=i}: 1; counter b: 2; gauge c: 3; gauge d: 4; cumulative distribution e{service.instance.id=i}: 1, 1", ""},
	{"1{1{" STRING(1, "host.name", "h") "} 2{2{1\"system.load\" 5{1{4:1}}} 2{1\"process.x\" 5{1{4:2}}} 2{1\"systems\" 5{1{4:3}}}}}",
	 "gauge system.load{host.name=h}: 1; gauge process.x{host.name=h}: 2; gauge systems: 3", ""},
	/* explicit buckets: 2.5 is in bucket 42 of scale 5, 7.07 in 90, 10 in 106 */
	{HISTOGRAM_OF("1{4!6 5:40 7:5 7:10 6!1 6!2 6!3 11:1 12:12}", DELTA),
	 "distribution m: 6, 40 from 1 to 12 about scale 5 42[1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 "
	 "2 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 3]", ""},
	{HISTOGRAM_OF("1{4!2 5:14 7:5 7:10 6!0 6!2 6!0}", DELTA), "distribution m: 2, 14 about scale 5 90[2]", ""},
	{HISTOGRAM_OF("1{2!1795372000000000000 4!2 5:14 7:5 7:10 6!0 6!2 6!0}", CUMULATIVE),
	 "cumulative distribution m since -12000: 2, 14 about scale 5 90[2]", ""},
	{HISTOGRAM_OF("1{4!0 5:0 7:5 6!0 6!0 11:inf 12:-inf}", CUMULATIVE), "cumulative distribution m: 0, 0 about scale 5", ""},
	{HISTOGRAM_OF("1{4!0 5:0 7:5 6!0 6!0 11:3 12:1}", CUMULATIVE), "cumulative distribution m: 0, 0 about scale 5", ""},
	{HISTOGRAM_OF("1{4!0 5:0 7:5 6!0 6!0}", DELTA), "", ""}, /* no values are no sample */
	{HISTOGRAM_OF("1{4!5 5:1 7:-4 7:-1 7:0 7:1 6!1 6!1 6!1 6!1 6!1}", DELTA),
	 "distribution m: 5, 1 about scale 5 -33[1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1] "
	 "neg -33[1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 "
	 "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1]", ""},
	{HISTOGRAM_OF("1{4!2 5:0 7:-1 7:1 6!0 6!2 6!0}", DELTA), "distribution m: 2, 0 about scale 5 zero 2", ""},
	{HISTOGRAM_OF("1{4!3 7:5 7:10 6!2 6!0 6!1}", DELTA), /* without a sum: 2 x 2.5 + 10 */
	 "distribution m: 3, 15 about scale 5 42[2 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1]", ""},
	/* nor one that contradicts the extremes: the midpoint is 4 */
	{HISTOGRAM_OF("1{4!2 7:2 7:8 6!0 6!2 6!0 11:7 12:7}", DELTA), "distribution m: 2, 14 from 7 to 7 about scale 5 63[2]", ""},
	{HISTOGRAM_OF("1{4!2 7:2 7:8 6!0 6!2 6!0 11:3 12:3}", DELTA), "distribution m: 2, 6 from 3 to 3 about scale 5 63[2]", ""},
	{HISTOGRAM_OF("1{4!2 7:2 7:8 6!0 6!2 6!0 11:7 12:7}", CUMULATIVE), "cumulative distribution m: 2, 8 about scale 5 63[2]", ""},
	{HISTOGRAM_OF("1{4!2 7:2 7:8 6!0 6!2 6!0 11:7 12:3}", DELTA), "", "metrics[0].points[0] summary_inconsistent"},
	{HISTOGRAM_OF("1{4!3 5:1}", DELTA), "distribution m: 3, 1", ""},      /* all that is known */
	{HISTOGRAM_OF("1{4!3 5:1 6!3}", DELTA), "distribution m: 3, 1", ""}, /* one bucket is everything */
	{HISTOGRAM_OF("1{4!3}", DELTA), "", "metrics[0].points[0] value_missing"},
	{HISTOGRAM_OF("1{4!3 5:inf}", DELTA), "", "metrics[0].points[0] value_not_finite"},
	{HISTOGRAM_OF("1{4!3 5:9 11:1 12:2}", DELTA), "", "metrics[0].points[0] summary_inconsistent"},
	{HISTOGRAM_OF("1{4!3 5:6 11:3 12:2}", DELTA), "", "metrics[0].points[0] summary_inconsistent"},
	{HISTOGRAM_OF("1{4!3 5:6 11:3 12:nan}", DELTA), "distribution m: 3, 6 from 3", ""},
	{HISTOGRAM_OF("1{4!3 5:6 12:3 12:inf 11:1}", DELTA), "distribution m: 3, 6 from 1", ""},
	{HISTOGRAM_OF("1{4!3 5:1 7:5 6!1 6!1}", DELTA), "", "metrics[0].points[0] histogram_invalid"},
	{HISTOGRAM_OF("1{4!3 5:1 7:5 6!3}", DELTA), "", "metrics[0].points[0] histogram_invalid"},
	{HISTOGRAM_OF("1{4!3 5:1 7:5 7:5 6!1 6!1 6!1}", DELTA), "", "metrics[0].points[0] histogram_invalid"},
	{HISTOGRAM_OF("1{4!3 5:1 7:nan 6!1 6!2}", DELTA), "", "metrics[0].points[0] histogram_invalid"},
	{HISTOGRAM_OF("1{4!18446744073709551615 5:1 7:5 6!18446744073709551615 6!0}", DELTA), "", "metrics[0].points[0] summary_inconsistent"},
	{HISTOGRAM_OF("1{4!3 5:1 7:5 6!18446744073709551615 6!18446744073709551612}", DELTA), "", "metrics[0].points[0] histogram_invalid"},
	{HISTOGRAM_OF("1{4!1099511627777 5:1}", DELTA), "", "metrics[0].points[0] summary_inconsistent"},
	{HISTOGRAM_OF("1{4!1099511627777 5:1}", CUMULATIVE), "cumulative distribution m: 1099511627777, 1", ""},
	{HISTOGRAM_OF("1{4!4611686018427387905 5:1}", CUMULATIVE), "", "metrics[0].points[0] summary_inconsistent"},
	{HISTOGRAM_OF("1{4!3 5:1}", ""), "", "metrics[0].points[0] temporality_missing"},
	{HISTOGRAM_OF("1{4!1 5:1} 1{4!2 5:14 7:5 7:10 6!0 6!2 6!0} 1{4!2 5:14 7:5 7:20 6!0 6!2 6!0}", DELTA),
	 "distribution m: 1, 1; distribution m: 2, 14 about scale 5 90[2]; distribution m: 2, 14 about scale 5 106[2]", ""},
	/* bounds that are far apart become coarser buckets, on both sides alike */
	{HISTOGRAM_OF("1{4!2 5:9 7:0.001 7:1000 6!1 6!0 6!1}", DELTA), "distribution m: 2, 9 about scale 2 -44[1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 "
	 "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1]", ""},
	/* exponential ones: theirs are ours, finer scales come to 5 */
	{EXPONENTIAL_OF("1{4!7 5:9 6~5 7!1 8{1~-3 2[1 2]} 9{1~2 2[3]} 12:-2 13:3}", DELTA),
	 "distribution m: 7, 9 from -2 to 3 scale 5 zero 1 -3[1 2] neg 2[3]", ""},
	{EXPONENTIAL_OF("1{4!3 5:9 6~3 8{1~-3 2[1 2]}}", CUMULATIVE), "cumulative distribution m: 3, 9 scale 3 -3[1 2]", ""},
	{EXPONENTIAL_OF("1{4!15 5:9 6~6 8{1~-3 2[1 2 4 8]}}", DELTA), "distribution m: 15, 9 scale 5 -2[1 6 8]", ""},
	{EXPONENTIAL_OF("1{4!15 5:9 6~7 8{1~-3 2=1 2=2 2[4 8]}}", DELTA), "distribution m: 15, 9 scale 5 -1[7 8]", ""},
	{EXPONENTIAL_OF("1{4!3 5:9 6~1000 8{1~-1 2[1 2]}}", DELTA), "distribution m: 3, 9 scale 5 -1[1 2]", ""},
	{EXPONENTIAL_OF("1{4!3 5:9 6~-11 8{2[3]}}", DELTA), "", "metrics[0].points[0] histogram_invalid"},
	{EXPONENTIAL_OF("1{4!3 5:9 8{2[3]}}", DELTA), "distribution m: 3, 9 scale 0 0[3]", ""},
	{EXPONENTIAL_OF("1{4!3 6~0 8{2[1 1]} 9{2[1]}}", DELTA), "distribution m: 3, 2.82843 about scale 0 0[1 1] neg 0[1]", ""},
	{EXPONENTIAL_OF("1{4!4 5:9 8{2[3]}}", DELTA), "", "metrics[0].points[0] histogram_invalid"},
	{EXPONENTIAL_OF("1{4!3 5:9 8{2[3]}}", ""), "", "metrics[0].points[0] temporality_missing"},
	{EXPONENTIAL_OF("1{4!0 5:0}", CUMULATIVE), "cumulative distribution m: 0, 0 scale 0", ""},
	{EXPONENTIAL_OF("1{4!2 5:9 8{1~1 2[1]} 8{2[1]}}", DELTA), "distribution m: 2, 9 scale 0 1[1 1]", ""}, /* two are one */
	/* summaries: what was counted since the beginning */
	{SUMMARY_OF("1{2!1795372000000000000 4!3 5:9 6{1:0.5 2:3}}"), "cumulative distribution m since -12000: 3, 9", ""},
	{SUMMARY_OF("1{4!3} 1{5:0}"), "cumulative distribution m: 3, 0; cumulative distribution m: 0, 0", ""},
	{SUMMARY_OF("1{4!3 5:nan " STRING(7, "a", "b") "}"), "", "metrics[0].points[0] value_not_finite"},
};

START_TEST(judges_points)
{
	struct decoded d;
	struct buf body, shown;
	char rejected[500];

	decode_request(&d, &body, judged[_i].text);
	ck_assert_msg(d.rc == 0, "case %d: %s: %s", _i, judged[_i].text, d.no.detail);
	shown = show(&d.payload);
	ck_assert_msg(strcmp((char *)shown.p, judged[_i].samples) == 0, "case %d, %s:\n%s\nis not\n%s", _i, judged[_i].text, (char *)shown.p,
		      judged[_i].samples);
	ck_assert_msg(strcmp(rejections(&d.payload, rejected, sizeof(rejected)), judged[_i].rejections) == 0, "case %d, %s: %s", _i,
		      judged[_i].text, rejected);
	ck_assert(!d.payload.has_agent_id && !d.payload.has_created_at && d.payload.host.len == 0);
	decoded_fini(&d);
	buf_fini(&shown);
	buf_fini(&body);
}
END_TEST

static const struct {
	const char *text, *detail; /* how it begins */
} refused[] = {
	{"1=1", "byte 1, resource_metrics[0]: the field has another wire type"},
	{"1{} |0a 05|", "byte 3, resource_metrics[1]: a length reaches beyond"},
	{"1{2{2{1\"m\" 5=1}}}", "byte 10, resource_metrics[0].scope_metrics[0].metrics[0].gauge: the field has another wire type"},
	{GAUGE_OF("1{} 1{4=1}"), "byte 16, resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[1].as_double: the field has another"},
	{GAUGE_OF("1{|21 00|}"), "byte 14, resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0].as_double: the message ends"},
	{GAUGE_OF("1{7{} 7{1\"\xff\"}}"), "byte 18, resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0].attributes[1].key: a string"},
	{GAUGE_OF("1{7{1\"k\" 2{1\"\xff\"}}}"), "byte 21, resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0].attributes[0]"},
	{ONE_METRIC("1\"\xff\""), "byte 7, resource_metrics[0].scope_metrics[0].metrics[0].name: a string is not UTF-8"},
	{SUM_OF("", "2\"\""), "byte 12, resource_metrics[0].scope_metrics[0].metrics[0].sum.aggregation_temporality: the field has another"},
	{SUM_OF("", "3\"\""), "byte 12, resource_metrics[0].scope_metrics[0].metrics[0].sum.is_monotonic: the field has another"},
	{GAUGE_OF("|08|"), "byte 12, resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0]: the field has another wire type"},
	{HISTOGRAM_OF("1{6\"1234567\"}", DELTA), "byte 14, resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points[0].bucket_counts: the message ends"},
	{HISTOGRAM_OF("1{|31 00|}", DELTA), "byte 14, resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points[0].bucket_counts: the message ends"},
	{EXPONENTIAL_OF("1{8{1:1}}", DELTA), "byte 16, resource_metrics[0].scope_metrics[0].metrics[0].exponential_histogram.data_points[0].positive.offset: the field"},
	{EXPONENTIAL_OF("1{9{2\"\xff\"}}", DELTA), "byte 17, resource_metrics[0].scope_metrics[0].metrics[0].exponential_histogram.data_points[0].negative.bucket_counts: the"},
	{SUMMARY_OF("1{5=1}"), "byte 14, resource_metrics[0].scope_metrics[0].metrics[0].summary.data_points[0].sum: the field has another"},
	{"1{1{1{1=1}}}", "byte 7, resource_metrics[0].resource.attributes[0].key: the field has another wire type"},
	{"1{2{1{3{1=1}}}}", "byte 9, resource_metrics[0].scope_metrics[0].scope.attributes[0].key: the field has another wire type"},
	/* also where it does not count, and where it is unknown */
	{ONE_METRIC("1\"m\" 5{1{4=1}} 7{1{4:2} " DELTA "}"), "byte 14, resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0].as_double: the field"},
	{GAUGE_OF("1{4:1 |2a 05|}"), "byte 23, resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0]: a length reaches beyond"},
};

START_TEST(refuses_a_request)
{
	struct decoded d;
	struct buf body;

	decode_request(&d, &body, refused[_i].text);
	ck_assert_msg(d.rc == -1, "case %d was taken: %s", _i, refused[_i].text);
	ck_assert_msg(d.no.reason == REASON_BAD_PROTOBUF && strncmp(d.no.detail, refused[_i].detail, strlen(refused[_i].detail)) == 0,
		      "case %d, %s: %s: %s", _i, refused[_i].text, reason_name(d.no.reason), d.no.detail);
	decoded_fini(&d);
	buf_fini(&body);
}
END_TEST

/* A body of a gauge with one point, whose one attribute has these lengths; of each character one byte is "x", or all of them are two-byte ones. */
static struct buf long_attribute(size_t key_len, size_t value_len, bool wide)
{
	struct buf pair = BUF_INIT, value = BUF_INIT, point = BUF_INIT, all = BUF_INIT;
	char text[1000];

	memset(text, 'x', sizeof(text));
	wire_varint(&pair, 1 << 3 | 2);
	wire_bytes(&pair, text, key_len);
	for (size_t i = 0; wide && i < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	wire_varint(&value, 1 << 3 | 2);
	wire_bytes(&value, text, value_len);
	wire_varint(&pair, 2 << 3 | 2);
	wire_bytes(&pair, value.p, value.len);
	wire_items(&point, "4:1");
	wire_varint(&point, 7 << 3 | 2);
	wire_bytes(&point, pair.p, pair.len);
	buf_add(&all, point.p, point.len);
	for (int field = 0; field < 5; field++) { /* point, gauge, metric, scope, resource */
		static const int numbers[] = {1, 5, 2, 2, 1};
		struct buf outer = BUF_INIT;

		if (numbers[field] == 2 && field == 2)
			wire_items(&all, "1\"m\"");
		wire_varint(&outer, (uint64_t)numbers[field] << 3 | 2);
		wire_bytes(&outer, all.p, all.len);
		buf_fini(&all);
		all = outer;
	}
	buf_fini(&pair);
	buf_fini(&value);
	buf_fini(&point);
	return all;
}

static const struct {
	size_t key_len, value_len;
	bool wide;
	size_t kept; /* of the value; 0: rejected for its key */
} lengths[] = {
	{1, 255, false, 255}, {1, 256, false, 255}, {1, 1000, false, 255}, {1, 254, true, 254}, {1, 256, true, 254},
	{255, 1, false, 1},   {256, 1, false, 0},   {126, 126, false, 126}, {127, 127, false, 127}, {128, 128, false, 128},
};

START_TEST(values_are_cut_at_whole_characters)
{
	struct buf body = long_attribute(lengths[_i].key_len, lengths[_i].value_len, lengths[_i].wide);
	struct decoded d;

	decode_with(&d, buf_str(&body), parse);
	ck_assert_int_eq(d.rc, 0);
	if (lengths[_i].kept) {
		ck_assert_uint_eq(d.payload.series[0].tags[0].key.len, lengths[_i].key_len);
		ck_assert_uint_eq(d.payload.series[0].tags[0].value.len, lengths[_i].kept);
		ck_assert(str_is_utf8(d.payload.series[0].tags[0].value));
	} else {
		ck_assert_uint_eq(d.payload.rejected_by[REASON_TAG_KEY_INVALID], 1);
	}
	decoded_fini(&d);
	buf_fini(&body);
}
END_TEST

/* The password's end lies behind what is kept of the value. */
START_TEST(long_values_are_scrubbed_before_they_are_cut)
{
	struct err err = ERR_INIT;
	struct scrub *rules = scrub_new("", "", "", &err);
	struct buf text = BUF_INIT, body;
	struct arena arena = ARENA_INIT;
	struct payload p;
	struct refusal no;
	struct str value;

	ck_assert_msg(rules != NULL, "%s", err.msg);
	buf_printf(&text, "1{2{2{1\"m\" 5{1{4:1 7{1\"url\" 2{1\"%0225d postgres://app:hunter2hunter2@db\"}}}}}}}", 0);
	buf_add(&text, "", 1);
	body = wire_text((char *)text.p);
	payload_init(&p, &arena, NOW_MS);
	p.scrub = rules;
	ck_assert_int_eq(parse(buf_str(&body), &p, &no), 0);
	ck_assert_uint_eq(p.series_len, 1);
	value = p.series[0].tags[0].value;
	ck_assert_msg(value.len <= 255 && !memmem(value.p, value.len, "hunter", 6) && memmem(value.p, value.len, "app:[scrubbed]", 14), STR_FMT, STR_ARG(value));
	arena_fini(&arena);
	buf_fini(&body);
	buf_fini(&text);
	scrub_free(rules);
}
END_TEST

START_TEST(a_point_has_32_tags_at_most)
{
	for (int n = 31; n <= 70; n++) { /* one of them the resource's, or (_i) all of them its own */
		struct buf text = BUF_INIT, body;
		struct decoded d;

		buf_printf(&text, "1{1{%s} 2{2{1\"m\" 5{1{4:1", _i ? "" : STRING(1, "service.name", "r"));
		for (int i = 0; i < n; i++)
			buf_printf(&text, " 7{1\"k%d\"}", i);
		buf_printf(&text, "}}}}}");
		buf_add(&text, "", 1);
		decode_request(&d, &body, (char *)text.p);
		ck_assert_int_eq(d.rc, 0);
		ck_assert_uint_eq(d.payload.accepted, n < 32 + _i);
		ck_assert_uint_eq(d.payload.rejected_by[REASON_TAGS_TOO_MANY], n >= 32 + _i);
		decoded_fini(&d);
		buf_fini(&body);
		buf_fini(&text);
	}
}
END_TEST

/* Small points that ask for much memory meet the arena's end, and lists the longest that is taken. */
START_TEST(an_amplifying_body_is_too_large)
{
	struct buf points = BUF_INIT, body;
	struct decoded d = {.arena = {.limit_bytes = 1 << 20}, .no = {.reason = NR_REASONS}};

	buf_printf(&points, "1{2{2{1\"m\" 9{2=1 ");
	for (int i = 0; i < 2000; i++)
		buf_printf(&points, "1{4!2 5:9 7:1 7:20 6!1 6!0 6!1} ");
	buf_printf(&points, "}}}}");
	buf_add(&points, "", 1);
	body = wire_text((char *)points.p);
	payload_init(&d.payload, &d.arena, NOW_MS);
	ck_assert_int_eq(parse(buf_str(&body), &d.payload, &d.no), -1);
	ck_assert_msg(d.no.reason == REASON_BODY_TOO_LARGE && strstr(d.no.detail, "1048576 bytes"), "%s", d.no.detail);
	decoded_fini(&d);
	buf_fini(&points);
	buf_fini(&body);
}
END_TEST

START_TEST(long_histograms_are_rejected)
{
	static const struct {
		const char *data, *piece;
		int n;
		uint64_t accepted;
	} cases[] = {
		{"10{2=1 1{6~5", "8{2=1} ", HIST_COUNTS_MAX, 1},
		{"10{2=1 1{6~5", "8{2=1} ", HIST_COUNTS_MAX + 1, 0},
		{"10{2=1 1{6~5", "8{2=1} ", 3 * HIST_COUNTS_MAX, 0},
		{"10{2=1 1{6~8", "8{2=1} ", 3 * HIST_COUNTS_MAX, 0}, /* also where it would be shorter at our scale */
		{"9{2=1 1{", "6!1 ", 3 * HIST_COUNTS_MAX, 0},
		{"9{2=1 1{", "7:1 6!1 ", 3 * HIST_COUNTS_MAX, 0},
	};

	for (size_t i = 0; i < NR(cases); i++) {
		struct buf text = BUF_INIT, body;
		struct decoded d;

		buf_printf(&text, "1{2{2{1\"m\" %s 5:1 4!%d ", cases[i].data, cases[i].n);
		for (int k = 0; k < cases[i].n; k++)
			buf_printf(&text, "%s", cases[i].piece);
		buf_printf(&text, "}}}}}");
		buf_add(&text, "", 1);
		decode_request(&d, &body, (char *)text.p);
		ck_assert_int_eq(d.rc, 0);
		ck_assert_uint_eq(d.payload.accepted, cases[i].accepted);
		ck_assert_uint_eq(d.payload.rejected_by[REASON_HISTOGRAM_INVALID], 1 - cases[i].accepted);
		ck_assert_uint_le(d.arena.used_bytes, 600000);
		decoded_fini(&d);
		buf_fini(&text);
		buf_fini(&body);
	}
}
END_TEST

/* A sender whose clock is wrong has its starts put right as well, and none comes to lie before the epoch. */
START_TEST(starts_are_shifted_with_times)
{
	struct buf body = wire_text(ONE_METRIC("1\"m\" 7{1{2!1795372000000000000 3!1795372012000000000 4:1} 1{2!5000000 3!1795372012000000000 4:1} 2=2 3=1}"));
	struct decoded d = {.arena = {.limit_bytes = 1 << 20}};

	payload_init(&d.payload, &d.arena, NOW_MS);
	d.payload.shift_ms = -30000;
	ck_assert_int_eq(parse(buf_str(&body), &d.payload, &d.no), 0);
	ck_assert_int_eq(d.payload.values[0].start, NOW_MS - 42000);
	ck_assert_int_eq(d.payload.values[0].t, NOW_MS - 30000);
	ck_assert_int_eq(d.payload.values[1].start, 0);
	decoded_fini(&d);
	buf_fini(&body);
}
END_TEST

static const struct {
	const char *list;
	int keys; /* -1: refused */
} lists[] = {
	{"", 0}, {"  ", 0}, {"a", 1}, {" a , b.c ", 2}, {"a,", -1}, {",a", -1}, {"a b", -1}, {"a,,b", -1}, {"\xc3\xa4", -1},
	{"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32", 32},
	{"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33", -1},
};

START_TEST(reads_the_list_of_tags)
{
	struct otlp_rules rules;
	int rc = otlp_rules_read(&rules, lists[_i].list);

	ck_assert_int_eq(rc, lists[_i].keys < 0 ? -1 : 0);
	if (rc == 0)
		ck_assert_uint_eq(rules.resource_tags_len, (size_t)lists[_i].keys);
	if (lists[_i].keys == 2)
		ck_assert(otlp_rules_want(&rules, STR("a")) && otlp_rules_want(&rules, STR("b.c")) && !otlp_rules_want(&rules, STR("b")));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("otlp_metrics");
	TCase *tc = tcase_create("otlp_metrics");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, judges_points, 0, (int)NR(judged));
	tcase_add_loop_test(tc, refuses_a_request, 0, (int)NR(refused));
	tcase_add_loop_test(tc, values_are_cut_at_whole_characters, 0, (int)NR(lengths));
	tcase_add_test(tc, long_values_are_scrubbed_before_they_are_cut);
	tcase_add_loop_test(tc, a_point_has_32_tags_at_most, 0, 2);
	tcase_add_test(tc, an_amplifying_body_is_too_large);
	tcase_add_test(tc, long_histograms_are_rejected);
	tcase_add_test(tc, starts_are_shifted_with_times);
	tcase_add_loop_test(tc, reads_the_list_of_tags, 0, (int)NR(lists));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
