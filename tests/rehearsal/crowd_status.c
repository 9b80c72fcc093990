/* crowd_status.c - see crowd_status.h. */
#include "tests/rehearsal/crowd_status.h"

#include <inttypes.h>

void crowd_answers_add(struct crowd_answers *a, int status, uint64_t posts)
{
	size_t i = 0;

	while (i < a->len && a->rows[i].status != status)
		i++;
	if (i == CROWD_ANSWERS_MAX)
		i--;
	else if (i == a->len)
		a->rows[a->len++].status = status;
	a->rows[i].posts += posts;
}

void crowd_status_json(const struct crowd_status *s, struct buf *out)
{
	const struct {
		const char *name;
		uint64_t n;
	} figures[] = {
		{"told", s->told}, {"flushes", s->flushes}, {"spooled_payloads", s->spooled_payloads}, {"spooled_bytes", s->spooled_bytes},
		{"agents_waiting", s->agents_waiting}, {"open_losses", s->open_losses}, {"dropped_payloads", s->dropped_payloads},
		{"dropped_samples", s->dropped_samples}, {"accepted_payloads", s->accepted_payloads},
		{"rejected_samples", s->rejected_samples}, {"posts", s->posts}, {"failed_posts", s->failed_posts},
		{"unhealthy_spools", s->unhealthy_spools},
	};

	buf_printf(out, "{\"now_ms\": %" PRId64 ", \"agents\": %zu, \"telling\": %s", s->now_ms, s->agents, s->telling ? "true" : "false");
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
		buf_printf(out, ", \"%s\": %" PRIu64, figures[i].name, figures[i].n);
	buf_printf(out, ", \"answers\": {");
	for (size_t i = 0; i < s->answers.len; i++)
		buf_printf(out, "%s\"%d\": %" PRIu64, i ? ", " : "", s->answers.rows[i].status, s->answers.rows[i].posts);
	buf_printf(out, "}, \"rss_bytes\": %.0f}\n", s->rss_bytes);
}
