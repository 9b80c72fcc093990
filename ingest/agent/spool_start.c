/* spool_start.c - see spool_keep.h: taking in the files that an earlier process left, or that lie there once a folder can be opened.
 *
 * Heads are read and bodies are not: ten thousand files take a fraction of a second. What each stage means after a kill:
 *     payload, tried   live, unless the losses have it: then it was rejected and could not be moved
 *     lost             a loss, if it is not yet among them
 *     half             live if a split file says that all its halves were there; else the payload it was a half of is
 *     tmp              nothing */
#include "ingest/agent/spool_keep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct taking {
	struct spool *s;
	bool split_seen;
	bool moved;      /* all payloads count as attempted */
	uint64_t aside;  /* files set aside */
	char first[SPOOL_NAME_SIZE]; /* of them */
};

static void note_aside(struct taking *t, const struct spool_label *label)
{
	if (t->aside++ == 0)
		spool_file_name(label, t->first);
}

static void set_aside(struct taking *t, const struct spool_label *label, const char *ending)
{
	char name[SPOOL_NAME_SIZE];

	note_aside(t, label);
	if (spool_folder_set_aside(&t->s->folder, spool_file_name(label, name), ending) < 0)
		spool_keep_trouble(t->s, "cannot remove a file of the spool", errno);
}

/* A file that is no payload any more, for spool_keep_settle(). */
static int take_gone(struct taking *t, const struct spool_label *label, bool lost, const char *ending)
{
	struct spool_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return -1;
	e->label = *label;
	e->lost = lost;
	snprintf(e->aside, sizeof(e->aside), "%s", ending);
	TAILQ_INSERT_TAIL(&t->s->gone, e, order);
	return 0;
}

/* A file that is no payload any more, or never was a whole one: a loss, by its name, with the samples that its head tells. */
static int take_lost(struct taking *t, const struct spool_label *label, const char *ending)
{
	struct envelope e = {.samples = 0};
	uint64_t bytes;
	int64_t mtime_ms;
	struct loss loss;

	spool_file_look(t->s->conf.io, t->s->folder.fd, label, &e, &bytes, &mtime_ms);
	loss = spool_keep_loss(label, e.samples, label->stage == SPOOL_LOST_TRIED || label->stage == SPOOL_TRIED || t->moved);
	if (!losses_has(t->s->losses, label->agent_id, label->seq)) {
		losses_add(t->s->losses, &loss);
		t->s->dropped_payloads++;
		t->s->dropped_samples += loss.samples;
	}
	if (*ending)
		note_aside(t, label);
	return take_gone(t, label, true, ending);
}

static int take_live(struct taking *t, const struct spool_label *label, const struct envelope *head, uint64_t bytes, int64_t mtime_ms)
{
	struct spool *s = t->s;
	struct spool_entry *e = spool_index_find(&s->index, label->agent_id, label->seq);

	if (losses_has(s->losses, label->agent_id, label->seq))
		return take_lost(t, label, "given-up");
	if (e) { /* a removal that failed, or somebody's copy */
		e->attempted |= label->stage == SPOOL_TRIED;
		set_aside(t, label, "double");
		return 0;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return -1;
	e->label = *label;
	e->floor = head->floor;
	e->samples = head->samples;
	e->bytes = bytes;
	e->attempted = label->stage == SPOOL_TRIED;
	e->age_from_ms = spool_keep_age_from(s, label->created_at_ms, clock_map_ms(s->clock, mtime_ms));
	if (spool_index_add(&s->index, e) == 0)
		return 0;
	free(e);
	return -1;
}

static int take_payload(struct taking *t, const struct spool_label *label)
{
	struct envelope head;
	uint64_t bytes = 0;
	int64_t mtime_ms = INT64_MAX;

	switch (spool_file_look(t->s->conf.io, t->s->folder.fd, label, &head, &bytes, &mtime_ms)) {
	case SPOOL_FILE_WHOLE:
	case SPOOL_FILE_UNREADABLE: /* spool_get() will find out */
		return take_live(t, label, &head, bytes, mtime_ms);
	case SPOOL_FILE_TORN:
		return take_lost(t, label, "torn");
	case SPOOL_FILE_FOREIGN:
		set_aside(t, label, "foreign");
		return 0;
	case SPOOL_FILE_GONE:
		break;
	}
	return 0;
}

static void remove_now(struct taking *t, const struct spool_label *label)
{
	char name[SPOOL_NAME_SIZE];

	if (spool_io_unlink(t->s->conf.io, t->s->folder.fd, spool_file_name(label, name)) == 0)
		return;
	t->s->stale = true;
	spool_keep_trouble(t->s, "cannot remove a file of the spool", errno);
}

static int take(struct taking *t, const struct spool_label *label)
{
	switch (label->stage) {
	case SPOOL_PAYLOAD:
	case SPOOL_TRIED:
		return take_payload(t, label);
	case SPOOL_LOST:
	case SPOOL_LOST_TRIED:
		return take_lost(t, label, "");
	case SPOOL_SPLIT:
		return take_gone(t, label, false, "");
	case SPOOL_HALF:
		if (t->split_seen)
			return take_payload(t, label);
		remove_now(t, label);
		return 0;
	case SPOOL_TMP:
		remove_now(t, label);
		return 0;
	default:
		return 0;
	}
}

static enum losses_place place(void *ctx, const uint8_t *agent_id, uint64_t seq)
{
	const struct spool *s = ctx;
	const struct spool_entry *e = spool_index_find(&s->index, agent_id, seq);

	return !e ? LOSSES_NOWHERE : e->in_memory ? LOSSES_IN_MEMORY : LOSSES_ON_DISK;
}

/* Renames what may have been sent without its name saying so. */
static void mark_moved(struct spool *s)
{
	struct spool_entry *e;

	TAILQ_FOREACH(e, &s->index.entries, order) {
		if (e->in_memory || e->label.stage != SPOOL_PAYLOAD)
			continue;
		e->attempted = true;
		if (spool_file_step(s->conf.io, s->folder.fd, &e->label, SPOOL_TRIED) < 0) {
			spool_keep_trouble(s, "cannot rename a file of the spool", errno);
			return;
		}
	}
	spool_folder_settle(&s->folder);
}

static int take_all(struct taking *t, const struct spool_label *labels, size_t nr, struct err *err)
{
	for (size_t i = 0; i < nr; i++)
		t->split_seen |= labels[i].stage == SPOOL_SPLIT;
	t->s->splitting = t->split_seen; /* its file stays until the halves have their names */
	for (size_t i = 0; i < nr; i++)
		if (take(t, &labels[i]) < 0)
			return err_nomem(err, "the spool's index");
	losses_settle(t->s->losses, place, t->s);
	if (t->moved)
		mark_moved(t->s);
	spool_keep_end_split(t->s);
	spool_keep_settle(t->s);
	return 0;
}

int spool_start_attach(struct spool *s, struct err *err)
{
	struct taking t = {.s = s};
	struct spool_label *labels = NULL;
	size_t nr = 0, foreign = 0;
	struct err losses = ERR_INIT;
	int rc;

	/* All that can fail for the disk's sake comes first: what follows changes what is held, and could not be begun again. */
	if (spool_folder_open(&s->folder, s->conf.io, s->dir, err) < 0)
		return -1;
	rc = spool_folder_list(&s->folder, &labels, &nr, &foreign, err);
	if (rc == 0 && losses_load(s->losses, s->conf.io, s->folder.fd, &losses) < 0) {
		if (losses.kind == ERR_REJECT)
			log_warn(s->log, "losses_unreadable", LOG_STR("error", losses.msg), LOG_STR("dir", s->dir));
		else
			rc = err_set(err, losses.kind, "%s", losses.msg);
	}
	if (rc < 0) {
		spool_folder_close(&s->folder);
	} else {
		t.moved = spool_folder_moved(&s->folder);
		rc = take_all(&t, labels, nr, err);
	}
	free(labels);
	s->set_aside += t.aside + foreign;
	if (t.aside + foreign > 0)
		log_warn(s->log, "spool_files_set_aside", LOG_UINT("files", t.aside + foreign), LOG_STR("first", t.first), LOG_STR("dir", s->dir));
	return rc;
}
