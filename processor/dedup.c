/* dedup.c - see dedup.h.
 *
 * Order matters in dedup_take(): a record is judged by the floor and the bits that were known before it, and its own floor is applied after
 * that. A retry that arrives late carries an old floor, which changes nothing; the floor of a new one lies at or below its own seq, so it
 * never condemns itself.
 *
 * Gaps: the home partition gets a record of every payload before its agent is answered, and an agent raises its floor over a payload when
 * it has the answer, or has given the payload up. So what is not marked there when the floor rises over it never came. That is true as long as
 * this partition is the home: a record that is not of the home says that the routes have changed, and what was created in between may have
 * gone elsewhere. And when it becomes the home, what is still open of its agent may have been created under the route before, and goes to
 * the home that was: it is the home from the first new record on behind which nothing is open. (An agent that returns to a home which has
 * heard nothing from it since cannot be told from one that has lost all that was in between.) */
#include "processor/dedup.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/memory.h"

enum {
	AGENT_BYTES_MIN = 21, /* the least that one takes in a snapshot, so that a count is believed no further than that */
	SITE_BYTES_MIN = 1,
};

static const uint32_t no_number = UINT32_MAX;

struct keys {
	uint8_t site[MAP_KEY_BYTES], agent[MAP_KEY_BYTES];
};

static void keys_of(struct str site, const uint8_t *agent_id, struct keys *keys)
{
	uint8_t both[MAP_KEY_BYTES + DEDUP_AGENT_ID_BYTES];

	map_key_of(site, keys->site);
	memcpy(both, keys->site, MAP_KEY_BYTES);
	memcpy(both + MAP_KEY_BYTES, agent_id, DEDUP_AGENT_ID_BYTES);
	map_key_of((struct str){(const char *)both, sizeof(both)}, keys->agent);
}

static int64_t weight_of(int64_t span)
{
	return 1 + span / DEDUP_SPAN_WEIGHT;
}

static size_t site_bytes(const struct dedup_site *site)
{
	return memory_rounded(sizeof(*site) + site->id.len);
}

static size_t agent_bytes(const struct dedup_agent *a)
{
	return memory_rounded(sizeof(*a)) + seqs_bytes(&a->seqs);
}

/* Counts an agent's size in, or with sign -1 out, before and after it changes. */
static void account(struct dedup *d, const struct dedup_agent *a, int sign)
{
	a->site->weight += sign * weight_of(a->seqs.max - a->seqs.floor);
	if (sign > 0)
		d->bytes += agent_bytes(a);
	else
		d->bytes -= agent_bytes(a);
}

static struct dedup_site *site_new(struct dedup *d, const uint8_t *key, struct str id)
{
	struct dedup_site *site = malloc(sizeof(*site) + id.len);

	if (!site)
		return NULL;
	*site = (struct dedup_site){.id = {(const char *)(site + 1), id.len}, .told_ms = -CLOCK_HOUR_MS};
	if (id.len)
		memcpy(site + 1, id.p, id.len);
	if (map_put(&d->sites, key, site) < 0) {
		free(site);
		return NULL;
	}
	d->bytes += site_bytes(site);
	return site;
}

static void list_append(struct dedup *d, struct dedup_agent *a)
{
	a->older = d->newest;
	a->newer = NULL;
	*(d->newest ? &d->newest->newer : &d->oldest) = a;
	d->newest = a;
}

static void list_remove(struct dedup *d, struct dedup_agent *a)
{
	*(a->older ? &a->older->newer : &d->oldest) = a->newer;
	*(a->newer ? &a->newer->older : &d->newest) = a->older;
}

/* Takes seqs and enters a new agent of a site. NULL when memory is short: seqs is still the caller's. */
static struct dedup_agent *agent_new(struct dedup *d, const struct keys *keys, struct dedup_site *site, const uint8_t *id,
				     const struct seqs *seqs, int64_t used_ms)
{
	struct dedup_agent *a = calloc(1, sizeof(*a));

	if (!a || map_put(&d->agents, keys->agent, a) < 0) {
		free(a);
		return NULL;
	}
	a->site = site;
	a->seqs = *seqs;
	a->used_ms = used_ms;
	memcpy(a->id, id, DEDUP_AGENT_ID_BYTES);
	site->nr_agents++;
	account(d, a, 1);
	list_append(d, a);
	return a;
}

/* Forgets an agent, and its site with the last one. */
static void agent_drop(struct dedup *d, struct dedup_agent *a)
{
	struct dedup_site *site = a->site;
	struct keys keys;

	keys_of(site->id, a->id, &keys);
	list_remove(d, a);
	account(d, a, -1);
	map_remove(&d->agents, keys.agent);
	seqs_fini(&a->seqs);
	free(a);
	if (--site->nr_agents)
		return;
	d->bytes -= site_bytes(site);
	map_remove(&d->sites, keys.site);
	free(site);
}

void dedup_fini(struct dedup *d)
{
	const struct map_slot *slot;
	size_t at = 0;

	while (d->oldest)
		agent_drop(d, d->oldest);
	while ((slot = map_next(&d->sites, &at)) != NULL) /* of a decoding that failed */
		free(slot->value);
	map_fini(&d->agents);
	map_fini(&d->sites);
}

int dedup_check(const struct identity *who, struct err *err)
{
	if (!who->agent_id || seqs_check(who->seq, who->floor))
		return 0;
	return err_set(err, ERR_REJECT, "seq %" PRId64 ", floor %" PRId64 ": 1 <= floor <= seq <= floor + %" PRId64 " is expected", who->seq,
		       who->floor, SEQS_SPAN_MAX);
}

static bool over_cap(const struct dedup *d, const struct dedup_site *site, int64_t more)
{
	return (site ? site->weight : 0) + more > d->agents_max;
}

/* site: NULL when nothing of it is remembered. */
static void refuse(struct dedup_site *site, int64_t watermark_ms, struct dedup_outcome *outcome)
{
	outcome->verdict = DEDUP_UNREMEMBERED;
	outcome->tell = site && watermark_ms - site->told_ms >= CLOCK_HOUR_MS;
	if (outcome->tell)
		site->told_ms = watermark_ms;
}

/* Will no payload come any more that is older than this one? True of it when it was made: a late retry says nothing about now. */
static bool nothing_is_open(const struct identity *who)
{
	return who->floor == who->seq;
}

/* The first record of an agent. */
static int take_first(struct dedup *d, const struct keys *keys, const struct identity *who, int64_t watermark_ms,
		      struct dedup_outcome *outcome, struct err *err)
{
	struct dedup_site *site = map_get(&d->sites, keys->site);
	struct dedup_agent *a;
	struct seqs seqs;

	if (site && !str_eq(site->id, who->site)) { /* a hash that two sites share: the first one has it */
		refuse(NULL, watermark_ms, outcome);
		return 0;
	}
	if (over_cap(d, site, weight_of(who->seq - who->floor))) {
		refuse(site, watermark_ms, outcome);
		return 0;
	}
	if ((!site && !(site = site_new(d, keys->site, who->site))) || seqs_init(&seqs, who->seq, who->floor) < 0)
		return err_nomem(err, "an agent's payloads");
	a = agent_new(d, keys, site, who->agent_id, &seqs, watermark_ms);
	if (!a) {
		seqs_fini(&seqs);
		return err_nomem(err, "an agent's payloads");
	}
	a->home = who->home && nothing_is_open(who);
	return 0;
}

static int take_next(struct dedup *d, struct dedup_agent *a, const struct identity *who, int64_t watermark_ms,
		     struct dedup_outcome *outcome, struct err *err)
{
	int64_t more = weight_of(seqs_span_with(&a->seqs, who->seq, who->floor)) - weight_of(a->seqs.max - a->seqs.floor);
	int64_t missed;

	a->used_ms = watermark_ms;
	list_remove(d, a);
	list_append(d, a);
	if (seqs_has(&a->seqs, who->seq)) {
		outcome->verdict = DEDUP_DUPLICATE;
	} else if (more > 0 && over_cap(d, a->site, more)) {
		a->home = false; /* this one will look as if it had never come */
		refuse(a->site, watermark_ms, outcome);
		return 0;
	}
	account(d, a, -1);
	missed = seqs_take(&a->seqs, who->seq, who->floor);
	account(d, a, 1);
	if (missed < 0)
		return err_nomem(err, "an agent's payloads");
	if (a->home && who->home)
		outcome->gaps = (uint64_t)(missed < SEQS_SPAN_MAX ? missed : SEQS_SPAN_MAX);
	a->home = who->home && (a->home || (nothing_is_open(who) && outcome->verdict == DEDUP_NEW));
	return 0;
}

int dedup_take(struct dedup *d, const struct identity *who, int64_t watermark_ms, struct dedup_outcome *outcome, struct err *err)
{
	struct dedup_agent *a;
	struct keys keys;

	*outcome = (struct dedup_outcome){.verdict = DEDUP_NEW};
	if (!who->agent_id)
		return 0;
	keys_of(who->site, who->agent_id, &keys);
	a = map_get(&d->agents, keys.agent);
	if (!a)
		return take_first(d, &keys, who, watermark_ms, outcome, err);
	/* XXH3 is no cryptographic hash: whoever makes two agents collide must not have another site's payloads dropped. */
	if (memcmp(a->id, who->agent_id, DEDUP_AGENT_ID_BYTES) == 0 && str_eq(a->site->id, who->site))
		return take_next(d, a, who, watermark_ms, outcome, err);
	refuse(NULL, watermark_ms, outcome);
	return 0;
}

bool dedup_is_past(const struct dedup *d, const struct identity *who)
{
	const struct dedup_agent *a;
	struct keys keys;

	keys_of(who->site, who->agent_id, &keys);
	a = who->agent_id ? map_get(&d->agents, keys.agent) : NULL;
	return a && who->seq < a->seqs.floor && memcmp(a->id, who->agent_id, DEDUP_AGENT_ID_BYTES) == 0 && str_eq(a->site->id, who->site);
}

void dedup_close(struct dedup *d, int64_t watermark_ms, int64_t agents_max)
{
	while (d->oldest && watermark_ms - d->oldest->used_ms >= DEDUP_KEEP_MS)
		agent_drop(d, d->oldest);
	d->agents_max = agents_max;
}

size_t dedup_bytes(const struct dedup *d)
{
	return d->bytes + (d->agents.nr_slots + d->sites.nr_slots) * sizeof(struct map_slot);
}

/* Numbers the sites in the order in which the agents name them, and writes them. */
static void encode_sites(const struct dedup *d, struct buf *out)
{
	uint32_t nr = 0;

	for (struct dedup_agent *a = d->oldest; a; a = a->newer)
		a->site->number = no_number;
	codec_write_long(out, (int64_t)d->sites.len);
	for (struct dedup_agent *a = d->oldest; a; a = a->newer) {
		if (a->site->number != no_number)
			continue;
		a->site->number = nr++;
		codec_write_bytes(out, a->site->id);
	}
}

void dedup_encode(const struct dedup *d, int64_t watermark_ms, struct buf *out)
{
	codec_write_long(out, d->agents_max);
	encode_sites(d, out);
	codec_write_long(out, (int64_t)d->agents.len);
	for (const struct dedup_agent *a = d->oldest; a; a = a->newer) {
		codec_write_long(out, a->site->number);
		codec_write_fixed(out, a->id, sizeof(a->id));
		codec_write_long(out, watermark_ms - a->used_ms);
		codec_write_bool(out, a->home);
		seqs_write(&a->seqs, out);
	}
}

static int decode_site(struct dedup *d, struct codec_reader *r, struct dedup_site **site, struct err *err)
{
	struct str id = codec_read_string(r);
	uint8_t key[MAP_KEY_BYTES];

	if (!codec_reader_ok(r))
		return -1;
	map_key_of(id, key);
	if (map_get(&d->sites, key)) {
		codec_fault(r, "a site stands there twice");
		return -1;
	}
	*site = site_new(d, key, id);
	return *site ? 0 : err_nomem(err, "the sites of a snapshot");
}

static int decode_agent(struct dedup *d, struct codec_reader *r, struct dedup_site **sites, int64_t watermark_ms, struct err *err)
{
	int64_t number = codec_read_long(r), ago_ms;
	struct dedup_agent *a;
	struct seqs seqs;
	struct keys keys;
	uint8_t id[DEDUP_AGENT_ID_BYTES];
	bool home;

	codec_read_fixed(r, id, sizeof(id));
	ago_ms = codec_read_long(r);
	home = codec_read_bool(r);
	if (number < 0 || number >= (int64_t)d->sites.len || ago_ms < 0 || ago_ms > watermark_ms ||
	    (d->newest && watermark_ms - ago_ms < d->newest->used_ms))
		codec_fault(r, "an agent that cannot be there");
	if (!codec_reader_ok(r))
		return -1;
	keys_of(sites[number]->id, id, &keys);
	if (map_get(&d->agents, keys.agent))
		codec_fault(r, "an agent stands there twice");
	if (seqs_read(&seqs, r) < 0)
		return codec_reader_ok(r) ? err_nomem(err, "an agent's payloads") : -1;
	a = agent_new(d, &keys, sites[number], id, &seqs, watermark_ms - ago_ms);
	if (!a) {
		seqs_fini(&seqs);
		return err_nomem(err, "an agent of a snapshot");
	}
	a->home = home;
	return 0;
}

/* sites: room for as many as there are. */
static int decode_all(struct dedup *d, struct codec_reader *r, struct dedup_site **sites, size_t nr_sites, int64_t watermark_ms,
		      struct err *err)
{
	size_t nr;

	for (size_t i = 0; i < nr_sites; i++)
		if (decode_site(d, r, &sites[i], err) < 0)
			return -1;
	nr = codec_read_count(r, AGENT_BYTES_MIN);
	if (map_reserve(&d->agents, nr) < 0)
		return err_nomem(err, "the agents of a snapshot");
	for (size_t i = 0; i < nr; i++)
		if (decode_agent(d, r, sites, watermark_ms, err) < 0)
			return -1;
	for (size_t i = 0; i < nr_sites; i++)
		if (!sites[i]->nr_agents) /* it would stay for ever */
			codec_fault(r, "a site without agents");
	return codec_reader_ok(r) ? 0 : -1;
}

int dedup_decode(struct dedup *d, struct codec_reader *r, int64_t watermark_ms, struct err *err)
{
	size_t nr_sites;
	struct dedup_site **sites;
	int rc;

	d->agents_max = codec_read_long(r);
	if (d->agents_max < 0 || d->agents_max > DEDUP_AGENTS_LIMIT)
		codec_fault(r, "a cap out of range");
	nr_sites = codec_read_count(r, SITE_BYTES_MIN);
	if (!codec_reader_ok(r))
		return -1;
	sites = calloc(nr_sites + 1, sizeof(struct dedup_site *));
	rc = sites ? decode_all(d, r, sites, nr_sites, watermark_ms, err) : err_nomem(err, "the sites of a snapshot");
	free(sites);
	return rc;
}
