/* check_ins.c - see check_ins.h.
 *
 * Invariants:
 *  C1  A site is there as long as it has a job, and counts its jobs, by which it is bounded.
 *  C2  Of each kind of sign the latest counts: events come in any order, and twice, and that changes nothing.
 *  C3  A job that could not be taken leaves nothing behind. */
#include "processor/check_ins.h"

#include <stdlib.h>

#include "common/memory.h"

enum { JOB_BYTES_MIN = MAP_KEY_BYTES + 4 /* the least that one takes in a snapshot */ };

static size_t site_bytes(const struct check_in_site *s)
{
	return memory_rounded(sizeof(*s) + s->len);
}

void check_ins_fini(struct check_ins *c)
{
	const struct map_slot *slot;
	size_t at = 0;

	while ((slot = map_next(&c->by_group, &at)) != NULL)
		free(slot->value);
	for (at = 0; (slot = map_next(&c->sites, &at)) != NULL;)
		free(slot->value);
	map_fini(&c->by_group);
	map_fini(&c->sites);
	*c = (struct check_ins){0};
}

static struct str site_id(const struct check_in_site *s)
{
	return (struct str){s->id, s->len};
}

/* Made when it is new. NULL when memory is short. */
static struct check_in_site *take_site(struct check_ins *c, struct str id)
{
	uint8_t key[MAP_KEY_BYTES];
	struct check_in_site *s;

	map_key_of(id, key);
	s = map_get(&c->sites, key);
	if (s)
		return s;
	s = malloc(sizeof(*s) + id.len);
	if (!s || map_put(&c->sites, key, s) < 0) {
		free(s);
		return NULL;
	}
	s->nr = 0;
	s->len = id.len;
	if (id.len)
		memcpy(s->id, id.p, id.len);
	c->bytes += site_bytes(s);
	return s;
}

static void drop_site(struct check_ins *c, struct check_in_site *s)
{
	uint8_t key[MAP_KEY_BYTES];

	if (s->nr)
		return;
	map_key_of(site_id(s), key);
	map_remove(&c->sites, key);
	c->bytes -= site_bytes(s);
	free(s);
}

/* A job without a sign yet. 1: its site has too many; -1 when memory is short. */
static int job_new(struct check_ins *c, struct str site_name, const uint8_t *group, struct check_in **out)
{
	struct check_in_site *site = take_site(c, site_name);
	struct check_in *job;

	if (!site)
		return -1;
	if (site->nr >= CHECK_INS_SITE_MAX)
		return 1;
	job = malloc(sizeof(*job));
	if (!job || map_put(&c->by_group, group, job) < 0) {
		free(job);
		drop_site(c, site);
		return -1;
	}
	*job = (struct check_in){.site = site};
	memcpy(job->group, group, sizeof(job->group));
	site->nr++;
	c->bytes += memory_rounded(sizeof(*job));
	*out = job;
	return 0;
}

static void job_free(struct check_ins *c, struct check_in *job)
{
	map_remove(&c->by_group, job->group);
	job->site->nr--;
	drop_site(c, job->site);
	c->bytes -= memory_rounded(sizeof(*job));
	free(job);
}

int check_ins_take(struct check_ins *c, struct str site, const uint8_t group[MAP_KEY_BYTES], enum check_in_event what, int64_t t_ms, struct err *err)
{
	struct check_in *job = map_get(&c->by_group, group);
	int64_t *at;
	int rc = job ? 0 : job_new(c, site, group, &job);

	if (rc < 0)
		return err_nomem(err, "a job that checks in");
	/* XXH3 is no cryptographic hash: whoever makes two groups collide must not speak for another site's job. */
	if (rc > 0 || !str_eq(site_id(job->site), site)) {
		c->refused++;
		return 0;
	}
	at = what == CHECK_IN_EVENT_START ? &job->start_ms : what == CHECK_IN_EVENT_FINISH ? &job->finish_ms : &job->beat_ms;
	*at = t_ms > *at ? t_ms : *at;
	return 0;
}

const struct check_in *check_ins_get(const struct check_ins *c, const uint8_t group[MAP_KEY_BYTES])
{
	return map_get(&c->by_group, group);
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t check_in_latest_ms(const struct check_in *job)
{
	return job ? later(job->start_ms, later(job->finish_ms, job->beat_ms)) : 0;
}

static int compare(const void *a, const void *b)
{
	return memcmp((*(struct check_in *const *)a)->group, (*(struct check_in *const *)b)->group, MAP_KEY_BYTES);
}

/* All jobs, by their groups; the caller frees. NULL when memory is short. */
static struct check_in **sorted(const struct check_ins *c)
{
	struct check_in **jobs = calloc(c->by_group.len + 1, sizeof(struct check_in *));
	const struct map_slot *slot;
	size_t at = 0, nr = 0;

	while (jobs && (slot = map_next(&c->by_group, &at)) != NULL)
		jobs[nr++] = slot->value;
	if (jobs)
		qsort(jobs, nr, sizeof(struct check_in *), compare);
	return jobs;
}

void check_ins_close(struct check_ins *c, int64_t watermark_ms, const struct map *wanted)
{
	size_t nr = c->by_group.len;
	struct check_in **jobs = nr ? sorted(c) : NULL;

	for (size_t i = 0; jobs && i < nr; i++) /* memory that is short keeps them until the next closing */
		if (watermark_ms - check_in_latest_ms(jobs[i]) > CHECK_INS_LIFE_MS && !map_get(wanted, jobs[i]->group))
			job_free(c, jobs[i]);
	free(jobs);
	if (!c->by_group.len)
		map_fini(&c->by_group);
	map_trim(&c->by_group);
	map_trim(&c->sites);
}

size_t check_ins_bytes(const struct check_ins *c)
{
	return c->bytes + map_bytes(&c->by_group) + map_bytes(&c->sites);
}

void check_ins_encode(const struct check_ins *c, struct buf *out)
{
	struct check_in **jobs = sorted(c);

	codec_write_long(out, (int64_t)c->by_group.len);
	out->failed |= !jobs;
	for (size_t i = 0; jobs && i < c->by_group.len; i++) {
		codec_write_fixed(out, jobs[i]->group, MAP_KEY_BYTES);
		codec_write_bytes(out, site_id(jobs[i]->site));
		codec_write_long(out, jobs[i]->start_ms);
		codec_write_long(out, jobs[i]->finish_ms);
		codec_write_long(out, jobs[i]->beat_ms);
	}
	free(jobs);
}

static int64_t read_time(struct codec_reader *r)
{
	int64_t t = codec_read_long(r);

	if (t < 0 || t > INT64_MAX / 2)
		codec_fault(r, "a time out of range");
	return codec_reader_ok(r) ? t : 0;
}

static int decode_job(struct check_ins *c, struct codec_reader *r, struct err *err)
{
	uint8_t group[MAP_KEY_BYTES] = {0};
	struct check_in *job;
	struct str site;
	int rc;

	codec_read_fixed(r, group, sizeof(group));
	site = codec_read_string(r);
	if (site.len > CHECK_INS_SITE_BYTES_MAX || map_get(&c->by_group, group))
		codec_fault(r, "a job of no site, or twice");
	if (!codec_reader_ok(r))
		return -1;
	rc = job_new(c, site, group, &job);
	if (rc > 0) {
		codec_fault(r, "more jobs of a site than there can be");
		return -1;
	}
	if (rc < 0)
		return err_nomem(err, "the jobs of a snapshot");
	job->start_ms = read_time(r);
	job->finish_ms = read_time(r);
	job->beat_ms = read_time(r);
	return codec_reader_ok(r) ? 0 : -1;
}

int check_ins_decode(struct check_ins *c, struct codec_reader *r, struct err *err)
{
	size_t nr = codec_read_count(r, JOB_BYTES_MIN);

	for (size_t i = 0; i < nr; i++)
		if (decode_job(c, r, err) < 0)
			return -1;
	return codec_reader_ok(r) ? 0 : -1;
}
