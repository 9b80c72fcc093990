/* complaint.c - see complaint.h.
 *
 * What clients do wrong is theirs to see, in their answers; but who is asked why a site's figures are missing looks here, and so does who
 * wants to know which payload it was. That a flood of bad ones is no flood of lines is the log's own limit to see to. */
#include "ingest/complaint.h"

#include <stdio.h>
#include <string.h>

/* Room for ids as text. */
struct ids {
	char site[65], agent_id[2 * PAYLOAD_AGENT_ID_BYTES + 1];
};

struct complaint_about complaint_about(const struct payload *p)
{
	struct complaint_about about = {.has_agent_id = p->has_agent_id, .has_seq = p->has_seq, .seq = p->seq};

	memcpy(about.agent_id, p->agent_id, sizeof(about.agent_id));
	return about;
}

static struct log_field site_field(struct ids *ids, struct str site)
{
	snprintf(ids->site, sizeof(ids->site), STR_FMT, STR_ARG(site));
	return LOG_STR("site", ids->site);
}

static struct log_field agent_field(struct ids *ids, const struct complaint_about *about)
{
	if (!about->has_agent_id)
		return LOG_NONE;
	return LOG_STR("agent_id", str_hex(about->agent_id, sizeof(about->agent_id), ids->agent_id));
}

static struct log_field seq_field(const struct complaint_about *about)
{
	return about->has_seq ? LOG_INT("seq", about->seq) : LOG_NONE;
}

/* Of many reasons the one that most samples were rejected for. */
static enum reason most_frequent(const struct tally *t)
{
	enum reason most = 0;

	for (int i = 1; i < NR_REASONS; i++)
		if (t->rejected_by[i] > t->rejected_by[most])
			most = (enum reason)i;
	return most;
}

void complaint_refused(const struct log *log, struct str site, const struct complaint_about *about, enum reason reason, const struct tally *samples)
{
	struct ids ids;

	if (log)
		log_warn(log, "payload_refused", site_field(&ids, site), agent_field(&ids, about), seq_field(about),
			 LOG_STR("reason", reason_name(reason)), LOG_UINT("samples", samples ? samples->accepted + samples->rejected : 0));
}

void complaint_unsent(const struct log *log, struct str site, const struct complaint_about *about, const char *topic, const char *error)
{
	struct ids ids;

	if (log)
		log_warn(log, "payload_unsent", site_field(&ids, site), agent_field(&ids, about), seq_field(about),
			 LOG_STR("topic", topic), LOG_STR("error", error));
}

void complaint_rejected(const struct log *log, struct str site, const struct complaint_about *about, const struct tally *samples)
{
	struct ids ids;

	if (!log || samples->rejected == 0)
		return;
	log_warn(log, "samples_rejected", site_field(&ids, site), agent_field(&ids, about), seq_field(about),
		 LOG_STR("reason", reason_name(most_frequent(samples))), LOG_UINT("samples", samples->rejected),
		 LOG_UINT("accepted", samples->accepted));
}
