/* series_caps.c - see series_caps.h.
 *
 * Sites come and go with their series, which under a flush is all at once and often. One that has been told of stays for its hour, or it would be
 * told of again each time. They leave in one sweep per checkpoint: sites are few, and a list may lose members while it is walked. */
#include "processor/series_caps.h"

#include <stdlib.h>

#include "common/clock.h"

static struct series_caps_site *site_of(const struct series_caps *c, struct str id)
{
	uint8_t key[MAP_KEY_BYTES];

	map_key_of(id, key);
	return map_get(&c->by_site, key);
}

static size_t site_bytes(const struct series_caps_site *site)
{
	return sizeof(*site) + site->id.len;
}

/* NULL when memory is short. */
static struct series_caps_site *site_new(struct series_caps *c, struct str id)
{
	struct series_caps_site *site = malloc(sizeof(*site) + id.len);
	uint8_t key[MAP_KEY_BYTES];

	map_key_of(id, key);
	if (!site || map_put(&c->by_site, key, site) < 0) {
		free(site);
		return NULL;
	}
	*site = (struct series_caps_site){.next = c->sites, .id = {(const char *)(site + 1), id.len}, .told_ms = -CLOCK_HOUR_MS,
					    .max = site_limits_get(c->limits, id)};
	if (id.len)
		memcpy(site + 1, id.p, id.len);
	c->sites = site;
	c->bytes += site_bytes(site);
	return site;
}

/* Takes the site that *at points to out of the list, and frees it. */
static void site_drop(struct series_caps *c, struct series_caps_site **at)
{
	struct series_caps_site *site = *at;
	uint8_t key[MAP_KEY_BYTES];

	map_key_of(site->id, key);
	map_remove(&c->by_site, key);
	c->bytes -= site_bytes(site);
	*at = site->next;
	free(site);
}

void series_caps_fini(struct series_caps *c)
{
	while (c->sites)
		site_drop(c, &c->sites);
	map_fini(&c->by_site);
}

bool series_caps_is_overflow(const struct series_id *id)
{
	return id->tags_len == 0 && str_eq(id->name, STR(SERIES_CAPS_OVERFLOW_NAME));
}

enum series_caps_verdict series_caps_admit(const struct series_caps *c, const struct series_id *id, size_t *nr_new)
{
	const struct series_caps_site *site = c->site_max || c->crowded || c->limits ? site_of(c, id->site) : NULL;
	size_t nr_series = site ? site->nr_series : 0;
	int64_t site_max = site && site->max ? site->max : c->site_max;

	if (series_caps_is_overflow(id))
		return SERIES_ADMITTED;
	if (c->crowded && nr_series >= c->share)
		return SERIES_OVER_MEMORY;
	if (c->record_max && *nr_new >= (size_t)c->record_max)
		return SERIES_OVER_RECORD;
	if (site_max && nr_series >= (size_t)site_max)
		return SERIES_OVER_SITE;
	++*nr_new;
	return SERIES_ADMITTED;
}

/* How many series a site has. */
static size_t average(const struct series_caps *c)
{
	return c->by_site.len ? c->nr_series / c->by_site.len : 0;
}

void series_caps_crowd(struct series_caps *c, bool crowded)
{
	size_t now = average(c);

	if (crowded && !c->crowded)
		c->share = now > c->usual ? now : c->usual;
	c->crowded = crowded;
}

void series_caps_overflow(struct str site, uint8_t kind, struct series_id *id, uint8_t fingerprint[SERIES_FINGERPRINT_BYTES])
{
	*id = (struct series_id){.site = site, .kind = kind, .name = STR(SERIES_CAPS_OVERFLOW_NAME)};
	series_fingerprint(id, fingerprint);
}

int series_caps_enter(struct series_caps *c, struct str id, bool overflow)
{
	struct series_caps_site *site = site_of(c, id);

	if (!site && !(site = site_new(c, id)))
		return -1;
	site->nr_held++;
	site->nr_series += !overflow;
	c->nr_series += !overflow;
	return 0;
}

void series_caps_leave(struct series_caps *c, struct str id, bool overflow)
{
	struct series_caps_site *site = site_of(c, id);

	site->nr_held--;
	site->nr_series -= !overflow;
	c->nr_series -= !overflow;
}

void series_caps_note(struct series_caps *c, struct str id, const struct series_caps_refused *refused)
{
	struct series_caps_site *site = site_of(c, id);

	for (size_t i = 0; i < NR_SERIES_CAPS_VERDICTS; i++)
		site->refused.series[i] += refused->series[i];
	site->refused.samples += refused->samples;
}

static bool anything_refused(const struct series_caps_refused *refused)
{
	for (size_t i = 0; i < NR_SERIES_CAPS_VERDICTS; i++)
		if (refused->series[i])
			return true;
	return false;
}

void series_caps_close(struct series_caps *c, int64_t watermark_ms, int64_t site_max, int64_t record_max)
{
	struct series_caps_site **at = &c->sites;

	c->site_max = site_max;
	c->record_max = record_max;
	while (*at) {
		(*at)->max = site_limits_get(c->limits, (*at)->id);
		if (!(*at)->nr_held && !anything_refused(&(*at)->refused) && watermark_ms - (*at)->told_ms >= CLOCK_HOUR_MS)
			site_drop(c, at);
		else
			at = &(*at)->next;
	}
	c->usual = average(c);
}

bool series_caps_tell(struct series_caps_site *site, int64_t watermark_ms, struct series_caps_refused *refused)
{
	if (watermark_ms - site->told_ms < CLOCK_HOUR_MS || !anything_refused(&site->refused))
		return false;
	*refused = site->refused;
	site->refused = (struct series_caps_refused){0};
	site->told_ms = watermark_ms;
	return true;
}

size_t series_caps_bytes(const struct series_caps *c)
{
	return c->bytes + map_bytes(&c->by_site);
}

void series_caps_encode(const struct series_caps *c, struct buf *out)
{
	codec_write_long(out, c->site_max);
	codec_write_long(out, c->record_max);
}

void series_caps_decode(struct series_caps *c, struct codec_reader *r)
{
	c->site_max = codec_read_long(r);
	c->record_max = codec_read_long(r);
	c->crowded = false;
	if (c->site_max < 0 || c->site_max > SERIES_CAPS_LIMIT || c->record_max < 0 || c->record_max > SERIES_CAPS_LIMIT)
		codec_fault(r, "a cap out of range");
}
