/* ingest_oracle.c - see ingest_oracle.h. */
#include "tests/unit/agent/ingest_oracle.h"

#include "ingest/check.h"
#include "ingest/push_pb.h"
#include "ingest/split.h"
#include "tests/unit/unit.h"

/* One partition for all. */
static void must_fit_a_record(struct payload *p, size_t max_bytes)
{
	static const int32_t partitions[] = {3};
	const struct split_route route = {.site = STR("shop"), .topic = "t", .partitions = partitions, .partitions_len = 1};
	struct buf records = BUF_INIT;
	struct parts parts;
	struct refusal no;

	ck_assert_msg(split_payload(p, &route, max_bytes, &records, &parts, &no) == 0, "%s", no.detail);
	buf_fini(&records);
}

static void set_figures(struct oracle_sample *to, const struct summary_sample *s)
{
	to->t = s->t;
	to->count = s->count;
	to->last_at = s->last_at;
	to->has_figures = s->has_min && s->has_max && s->has_last;
	to->sum = s->sum;
	to->min = s->min;
	to->max = s->max;
	to->last = s->last;
	to->has_histogram = s->has_histogram;
	to->histogram = (struct hist_dense){.scale = s->histogram.scale, .zero = (uint64_t)s->histogram.zero, .offset = s->histogram.offset,
					    .counts = s->histogram.counts, .counts_len = s->histogram.counts_len,
					    .neg_offset = s->histogram.neg_offset, .neg_counts = s->histogram.neg_counts,
					    .neg_counts_len = s->histogram.neg_counts_len};
}

/* Each metric has one point here, so that the next of either list is its. */
static void hand_out(const struct payload *p, void (*each)(void *ctx, const struct oracle_sample *s), void *ctx)
{
	size_t values = 0, summaries = 0;

	for (size_t i = 0; i < p->series_len; i++) {
		const struct series_ref *r = &p->series[i];
		struct oracle_sample s = {.name = r->name, .kind = (int)r->kind, .tags = r->tags, .tags_len = r->tags_len};

		if (values < p->values_len && p->values[values].series == (int32_t)i) {
			s.has_v = true;
			s.t = p->values[values].t;
			s.v = p->values[values++].v;
		} else {
			ck_assert(summaries < p->summaries_len && p->summaries[summaries].series == (int32_t)i);
			set_figures(&s, &p->summaries[summaries++]);
		}
		each(ctx, &s);
	}
	ck_assert(values == p->values_len && summaries == p->summaries_len);
}

void oracle_read(struct str message, int64_t received_at_ms, size_t record_max_bytes, struct oracle_head *head,
		 void (*each)(void *ctx, const struct oracle_sample *s), void *ctx)
{
	struct arena arena = ARENA_INIT;
	struct refusal no = {0};
	struct payload p;

	payload_init(&p, &arena, received_at_ms);
	ck_assert_msg(push_pb_parse(message, &p, &no) == 0 && check_payload(&p, &no) == 0, "%s", no.detail);
	*head = (struct oracle_head){.seq = p.seq, .floor = p.floor, .created_at_ms = p.created_at_ms, .received = p.received};
	memcpy(head->agent_id, p.agent_id, sizeof(head->agent_id));
	snprintf(head->host, sizeof(head->host), STR_FMT, STR_ARG(p.host));
	snprintf(head->environment, sizeof(head->environment), STR_FMT, STR_ARG(p.environment));
	snprintf(head->revision, sizeof(head->revision), STR_FMT, STR_ARG(p.revision));
	head->events = p.events_len;
	head->rejected = p.rejected;
	head->truncated_samples = payload_truncated_samples(&p);
	hand_out(&p, each, ctx);
	must_fit_a_record(&p, record_max_bytes);
	arena_fini(&arena);
}
