/* fuzz_otlp_metrics.c - any body at all as metrics of OTLP in protobuf: it is refused by a reason, or its figures are in balance (fuzz_payload.h) and what
 * is sent of it is taken by the processor: nothing that a client was told is accepted may become a dead letter. */
#include "tests/fuzz/fuzz_otlp.h"

#include "ingest/otlp_metrics.h"
#include "processor/intake_check.h"

enum {
	HOUR_MS = 3600000,
	CHUNK_BYTES = 300, /* little, so that requests are divided */
};

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	return otlp_mutate(data, size, max_size, seed);
}

static void check_processor_takes(const struct part *part)
{
	struct arena arena = {.limit_bytes = ARENA_BYTES};
	struct series_traits *traits;
	struct sample_batch b;
	struct err err = ERR_INIT;
	size_t nr_cumulative;

	MUST(sample_batch_decode(part->record, &arena, &b, &err) == 0);
	traits = arena_calloc(&arena, b.series_len, sizeof(*traits));
	MUST(traits && intake_check_series(&b, traits, &err) == 0);
	MUST(intake_check(&b, traits, b.series_len, NOW_MS - CHECK_PAST_MS - HOUR_MS, NOW_MS + CHECK_FUTURE_MS + HOUR_MS, &nr_cumulative, &err) == 0);
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {.limit_bytes = ARENA_BYTES};
	struct otlp_rules rules;
	struct payload p;
	struct parts parts = {0};
	struct buf records = BUF_INIT;
	struct refusal no = {.reason = NR_REASONS};

	MUST(otlp_rules_read(&rules, "service.name,deployment.environment,host.name") == 0);
	payload_init(&p, &arena, NOW_MS);
	if (otlp_decode(OTLP_METRICS, (struct str){(const char *)data, size}, &p, &rules, &no) < 0) {
		MUST(no.reason < NR_REASONS && reason_status(no.reason) >= 400);
	} else if (split_payload(&p, &route, CHUNK_BYTES, &records, &parts, &no) == 0) {
		for (size_t i = 0; i < parts.len; i++)
			check_processor_takes(&parts.part[i]);
		check_taken(&p);
	}
	buf_fini(&records);
	arena_fini(&arena);
	return 0;
}
