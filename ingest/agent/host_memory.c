/* host_memory.c - see host_memory.h.
 *
 * Used is what is not available: what the kernel would give to a new program without swapping counts as free, whatever it is used for now.
 * */
#include "ingest/agent/host_memory.h"

#include "ingest/agent/host_text.h"

enum { TOTAL, AVAILABLE, FREE, BUFFERS, CACHED, SWAP_TOTAL, SWAP_FREE, NR_ROWS };

static const char *const rows[NR_ROWS] = {
	[TOTAL] = "MemTotal:", [AVAILABLE] = "MemAvailable:",  [FREE] = "MemFree:",        [BUFFERS] = "Buffers:",
	[CACHED] = "Cached:",  [SWAP_TOTAL] = "SwapTotal:", [SWAP_FREE] = "SwapFree:",
};

/* In bytes; false where the row is missing or makes no sense. */
static bool look_up(struct str text, int row, uint64_t *out)
{
	uint64_t kib;

	return host_text_lookup(text, rows[row], &kib) && !__builtin_mul_overflow(kib, UINT64_C(1024), out);
}

/* Kernels before 3.14 do not say what is available: about what is free, or can be. */
static uint64_t available(const uint64_t *v, const bool *has)
{
	uint64_t sum = 0;

	if (has[AVAILABLE])
		return v[AVAILABLE];
	for (int i = FREE; i <= CACHED; i++)
		if (has[i] && __builtin_add_overflow(sum, v[i], &sum))
			return UINT64_MAX;
	return sum;
}

static void gauge(struct host_report *r, const char *name, uint64_t bytes)
{
	host_report_gauge(r, name, NULL, (double)bytes);
}

static void report_memory(struct host_report *r, const uint64_t *v, const bool *has)
{
	uint64_t usable = available(v, has);

	gauge(r, "host.memory.total_bytes", v[TOTAL]);
	if (usable <= v[TOTAL]) {
		gauge(r, "host.memory.available_bytes", usable);
		gauge(r, "host.memory.used_bytes", v[TOTAL] - usable);
	}
	if (has[CACHED])
		gauge(r, "host.memory.cached_bytes", v[CACHED]);
	if (has[BUFFERS])
		gauge(r, "host.memory.buffers_bytes", v[BUFFERS]);
	if (has[SWAP_TOTAL] && has[SWAP_FREE] && v[SWAP_FREE] <= v[SWAP_TOTAL]) {
		gauge(r, "host.swap.total_bytes", v[SWAP_TOTAL]);
		gauge(r, "host.swap.used_bytes", v[SWAP_TOTAL] - v[SWAP_FREE]);
	}
}

void host_memory_read(struct host_report *r)
{
	uint64_t v[NR_ROWS];
	bool has[NR_ROWS] = {false};
	struct str text;

	if (host_report_read(r, "/proc/meminfo", &text))
		for (int i = 0; i < NR_ROWS; i++)
			has[i] = look_up(text, i, &v[i]);
	if (has[TOTAL] && (has[AVAILABLE] || has[FREE]))
		report_memory(r, v, has);
	else
		host_report_missing(r, HOST_MEMORY, "/proc/meminfo cannot be read");
}
