/* datagrams.c - see datagrams.h. */
#include "ingest/agent/datagrams.h"

#include "ingest/agent/statsd.h"
#include "ingest/agent/store.h"

static void take_metric(struct datagrams *d, struct statsd_metric *m, int64_t now_ms)
{
	static const enum store_kind kinds[] = {
		[STATSD_COUNTER] = STORE_COUNTER, [STATSD_GAUGE] = STORE_GAUGE, [STATSD_GAUGE_ADD] = STORE_GAUGE_ADD,
		[STATSD_DISTRIBUTION] = STORE_DISTRIBUTION, [STATSD_SET] = STORE_SET,
	};
	struct store_sample s = {.kind = kinds[m->kind], .name = m->name, .tags = m->tags, .member = m->member, .weight = m->weight,
				 .t_ms = m->t_ms ? m->t_ms : now_ms};

	if (s.t_ms < now_ms - DATAGRAMS_PAST_MS || s.t_ms > now_ms + DATAGRAMS_FUTURE_MS) {
		d->refused[CAUSE_TIME]++;
		return;
	}
	do {
		enum cause why;

		s.value = m->value;
		why = store_add(d->store, &s);
		if (why == CAUSE_NONE)
			d->samples++;
		else
			d->refused[why]++;
	} while (statsd_value(m));
}

void datagrams_take(struct datagrams *d, struct str datagram, int64_t now_ms)
{
	struct statsd_metric m;
	enum statsd_what what;
	enum cause why;

	d->datagrams++;
	while ((what = statsd_next(&datagram, &m, &why)) != STATSD_END) {
		d->lines++;
		if (what == STATSD_METRIC)
			take_metric(d, &m, now_ms);
		else if (what == STATSD_EVENT)
			d->events++;
		else if (what == STATSD_SERVICE_CHECK)
			d->service_checks++;
		else
			d->refused[why]++;
	}
}

uint64_t datagrams_refused(const struct datagrams *d)
{
	uint64_t sum = 0;

	for (int i = 0; i < NR_CAUSES; i++)
		sum += d->refused[i];
	return sum;
}
