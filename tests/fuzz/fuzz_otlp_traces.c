/* fuzz_otlp_traces.c - any body at all as traces of OTLP in protobuf (fuzz_otlp.h). */
#include "tests/fuzz/fuzz_otlp.h"

#include "ingest/otlp_traces.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	return otlp_mutate(data, size, max_size, seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	otlp_check(data, size, otlp_traces_parse);
	return 0;
}
