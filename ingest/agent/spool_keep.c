/* spool_keep.c - see spool_keep.h.
 *
 * Invariants, for a kill between any two system calls:
 *  I1  A payload that was put is live (its file is payload, tried or a committed half), or a loss (lost, in the losses, or at risk there).
 *  I2  It is never both: the rename to lost takes it out before the losses have it, and lost files are added to the losses at a start
 *      unless they are among them.
 *  I3  A file of a loss is removed only after the losses were saved.
 *
 * Space is freed at once, by cutting a lost file to its head, so that a full disk need not wait for the losses. */
#include "ingest/agent/spool_keep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { FLUSHED_A_TURN = 8 };

static enum spool_state state_of(int code)
{
	switch (code) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return SPOOL_FULL;
	case EROFS:
	case EACCES:
	case EPERM:
		return SPOOL_READ_ONLY;
	default:
		return SPOOL_FAILING;
	}
}

/* The state is told when it changes, and not at every failure: a disk that is full stays so for hours. */
void spool_keep_trouble(struct spool *s, const char *what, int code)
{
	enum spool_state state = state_of(code);

	snprintf(s->why, sizeof(s->why), "%s: %s", what, strerror(code));
	s->retry_mono_ms = clock_mono_ms() + s->conf.retry_ms;
	s->troubles++;
	if (s->state == state)
		return;
	s->state = state;
	log_warn(s->log, "spool_disk_refuses", LOG_STR("state", spool_state_name(state)), LOG_STR("error", s->why), LOG_STR("dir", s->dir));
}

bool spool_keep_usable(const struct spool *s)
{
	return s->folder.fd >= 0 && (s->state == SPOOL_DISK || clock_mono_ms() >= s->retry_mono_ms);
}

int64_t spool_keep_age_from(const struct spool *s, int64_t created_at_ms, int64_t seen_ms)
{
	int64_t now_ms = clock_now_ms(s->clock);

	if (created_at_ms <= now_ms)
		return created_at_ms;
	return seen_ms < now_ms ? seen_ms : now_ms;
}

struct loss spool_keep_loss(const struct spool_label *label, uint64_t samples, bool attempted)
{
	struct loss loss = {.from_seq = label->seq, .to_seq = label->seq, .samples = samples, .attempted = attempted};

	memcpy(loss.agent_id, label->agent_id, sizeof(loss.agent_id));
	return loss;
}

/* Out of the index: freed, or on the list of those whose files are to go. */
static void depart(struct spool *s, struct spool_entry *e)
{
	spool_index_remove(&s->index, e);
	if (e->in_memory) {
		losses_safe(s->losses, e->label.agent_id, e->label.seq);
		spool_entry_free(e);
	} else {
		TAILQ_INSERT_TAIL(&s->gone, e, order);
	}
}

int spool_keep_lose(struct spool *s, struct spool_entry *e, const char *ending)
{
	struct loss loss = spool_keep_loss(&e->label, e->samples, e->attempted);

	if (!e->in_memory && spool_file_step(s->conf.io, s->folder.fd, &e->label, e->attempted ? SPOOL_LOST_TRIED : SPOOL_LOST) < 0) {
		if (errno != ENOENT)
			spool_keep_trouble(s, "cannot rename a file of the spool", errno);
		if (errno != ENOENT && !ending)
			return -1;
	} else if (!e->in_memory && !ending) {
		spool_file_cut(s->conf.io, s->folder.fd, &e->label); /* if it fails, the unlink frees it a little later */
	}
	losses_add(s->losses, &loss);
	losses_give_back(s->losses, e->label.agent_id, e->label.seq);
	s->dropped_payloads++;
	s->dropped_samples += e->samples;
	s->untold_payloads += !ending;
	s->untold_samples += ending ? 0 : e->samples;
	e->lost = true;
	if (ending)
		snprintf(e->aside, sizeof(e->aside), "%s", ending);
	depart(s, e);
	return 0;
}

void spool_keep_drop(struct spool *s, struct spool_entry *e)
{
	depart(s, e);
}

/* Tried even while the disk is left alone: the file is there already, and what it is told matters most then. */
static bool save_losses(struct spool *s)
{
	struct err err = ERR_INIT;
	bool make = spool_keep_usable(s);

	if (s->folder.fd < 0)
		return false;
	if (losses_save(s->losses, s->conf.io, s->folder.fd, make, &err) == 0)
		return true;
	if (make || errno != ENOENT) /* else it is known */
		spool_keep_trouble(s, err.msg, errno ? errno : EIO);
	return false;
}

/* Removes the file of one that is gone; true: it is no longer there. */
static bool remove_file(struct spool *s, const struct spool_entry *e)
{
	char name[SPOOL_NAME_SIZE];
	int rc;

	spool_file_name(&e->label, name);
	rc = e->aside[0] ? spool_folder_set_aside(&s->folder, name, e->aside) : spool_io_unlink(s->conf.io, s->folder.fd, name);
	if (rc == 0 || errno == ENOENT)
		return true;
	spool_keep_trouble(s, "cannot remove a file of the spool", errno);
	return false;
}

/* The one place where files are removed, so that (I3) holds wherever a payload ends. */
void spool_keep_settle(struct spool *s)
{
	struct spool_entry *e, *after;
	bool saved = save_losses(s);

	if (s->untold_payloads > 0) {
		log_warn(s->log, "spool_gave_up", LOG_UINT("payloads", s->untold_payloads), LOG_UINT("samples", s->untold_samples));
		s->untold_payloads = s->untold_samples = 0;
	}
	if (s->folder.fd < 0)
		return;
	for (e = TAILQ_FIRST(&s->gone); e; e = after) {
		after = TAILQ_NEXT(e, order);
		if ((e->lost && !saved) || (e->label.stage == SPOOL_SPLIT && s->splitting) || !remove_file(s, e))
			continue;
		TAILQ_REMOVE(&s->gone, e, order);
		spool_entry_free(e);
	}
}

/* By how much the file system has less free space than it should, once bytes more are written. */
static int64_t missing_space(const struct spool *s, uint64_t bytes)
{
	struct statvfs st;
	double missing;

	if (s->conf.min_free <= 0 || spool_io_space(s->conf.io, s->folder.fd, &st) < 0)
		return 0;
	missing = s->conf.min_free * (double)st.f_blocks * (double)st.f_frsize + (double)bytes - (double)st.f_bavail * (double)st.f_frsize;
	return missing > 0 ? (int64_t)missing + 1 : 0;
}

bool spool_keep_room(struct spool *s, uint64_t bytes)
{
	int64_t missing = missing_space(s, bytes);
	struct spool_entry *e;
	int given_up = 0;

	while (s->index.disk_bytes + bytes > s->conf.max_bytes || s->index.len >= SPOOL_FILES_MAX || missing > 0) {
		e = spool_index_oldest(&s->index, false);
		if (!e || given_up++ == SPOOL_GIVEN_UP_A_CALL)
			break;
		missing -= (int64_t)e->bytes;
		if (spool_keep_lose(s, e, NULL) < 0)
			return false;
	}
	spool_keep_settle(s);
	if (missing > 0)
		spool_keep_trouble(s, "the file system has less free space than spool.min_free asks for", ENOSPC);
	return missing <= 0 && s->index.disk_bytes + bytes <= s->conf.max_bytes && s->index.len < SPOOL_FILES_MAX;
}

/* An entry for the payload, not in the index yet. */
static struct spool_entry *entry_of(const struct spool *s, const struct envelope *e)
{
	struct spool_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->label = (struct spool_label){.created_at_ms = e->created_at_ms, .seq = e->seq};
	memcpy(entry->label.agent_id, e->agent_id, sizeof(e->agent_id));
	entry->floor = e->floor;
	entry->samples = e->samples;
	entry->attempted = e->attempted;
	entry->age_from_ms = spool_keep_age_from(s, e->created_at_ms, INT64_MAX);
	return entry;
}

struct spool_entry *spool_keep_on_disk(struct spool *s, const struct envelope *e, enum spool_stage stage)
{
	struct spool_entry *entry = entry_of(s, e);

	if (!entry)
		return NULL;
	entry->label.stage = stage;
	entry->bytes = e->body.len + SPOOL_HEAD_BYTES;
	if (spool_index_add(&s->index, entry) < 0) {
		free(entry);
		errno = ENOMEM;
		return NULL;
	}
	if (spool_file_write(s->conf.io, s->folder.fd, &entry->label, e) < 0) {
		int code = errno;

		s->stale = true; /* its removal may have failed too */
		spool_index_remove(&s->index, entry);
		spool_entry_free(entry);
		spool_keep_trouble(s, "cannot write to the spool", code);
		errno = ENOSPC;
		return NULL;
	}
	return entry;
}

/* Gives up what is oldest in memory until bytes more fit its share. */
static bool memory_room(struct spool *s, uint64_t bytes)
{
	if (bytes > s->conf.memory_bytes)
		return false;
	while (s->index.memory_bytes + bytes > s->conf.memory_bytes || s->index.in_memory >= LOSSES_AT_RISK_MAX)
		spool_keep_lose(s, spool_index_oldest(&s->index, true), NULL);
	return true;
}

struct spool_entry *spool_keep_in_memory(struct spool *s, const struct envelope *e)
{
	struct spool_entry *entry = entry_of(s, e);

	if (!entry)
		return NULL;
	entry->in_memory = true;
	entry->bytes = e->body.len;
	entry->body = malloc(e->body.len + 1);
	if (!entry->body || !memory_room(s, e->body.len)) {
		errno = entry->body ? ENOSPC : ENOMEM;
		goto failed;
	}
	if (e->body.len > 0)
		memcpy(entry->body, e->body.p, e->body.len);
	if (spool_index_add(&s->index, entry) < 0) {
		errno = ENOMEM;
		goto failed;
	}
	losses_at_risk(s->losses, e);
	return entry;
failed:
	spool_entry_free(entry);
	return NULL;
}

/* Killed between the file and the losses' save, a payload is on disk and at risk: a start believes the file. */
void spool_keep_flush(struct spool *s)
{
	for (int i = 0; i < FLUSHED_A_TURN; i++) {
		struct spool_entry *entry = spool_index_oldest(&s->index, true);
		struct envelope e;

		if (!entry || !spool_keep_room(s, entry->bytes + SPOOL_HEAD_BYTES))
			return;
		e = (struct envelope){.seq = entry->label.seq,
				      .floor = entry->floor,
				      .created_at_ms = entry->label.created_at_ms,
				      .samples = entry->samples,
				      .body = {(const char *)entry->body, (size_t)entry->bytes}};
		memcpy(e.agent_id, entry->label.agent_id, sizeof(e.agent_id));
		entry->label.stage = entry->attempted ? SPOOL_TRIED : SPOOL_PAYLOAD;
		if (spool_file_write(s->conf.io, s->folder.fd, &entry->label, &e) < 0) {
			s->stale = true;
			spool_keep_trouble(s, "cannot write to the spool", errno);
			return;
		}
		spool_index_moved(&s->index, entry, entry->bytes + SPOOL_HEAD_BYTES);
		losses_safe(s->losses, e.agent_id, e.seq);
	}
}

/* The disk is asked once more, though it may have been left alone for a while: the last flush of a process that stops may lie in memory. */
void spool_keep_end(struct spool *s)
{
	unsigned troubles = s->troubles;
	uint64_t samples = 0;
	struct spool_entry *e;

	for (size_t before = SIZE_MAX; s->folder.fd >= 0 && s->index.in_memory < before && s->troubles == troubles;) {
		before = s->index.in_memory;
		spool_keep_flush(s);
	}
	spool_keep_settle(s);
	if (s->index.in_memory == 0)
		return;
	TAILQ_FOREACH(e, &s->index.entries, order)
		samples += e->in_memory ? e->samples : 0;
	log_error(s->log, "spool_memory_lost", LOG_UINT("payloads", s->index.in_memory), LOG_UINT("samples", samples),
		  LOG_STR("error", s->why),
		  LOG_STR("meaning", save_losses(s) ? "told to the server by the next start" :
						   "the disk takes no report either: only this line tells of them"));
}

/* Is the file one that the spool knows? */
static bool known(const struct spool *s, const struct spool_label *label)
{
	const struct spool_entry *e = spool_index_find(&s->index, label->agent_id, label->seq);

	if (e && !e->in_memory && e->label.stage == label->stage && spool_label_cmp(&e->label, label) == 0)
		return true;
	TAILQ_FOREACH(e, &s->gone, order)
		if (e->label.stage == label->stage && spool_label_cmp(&e->label, label) == 0)
			return true;
	return false;
}

/* A file whose writing failed and could not be removed would be sent by the next start, though it was given up from memory meanwhile. */
bool spool_keep_sweep(struct spool *s)
{
	struct spool_label *labels = NULL;
	struct err err = ERR_INIT;
	char name[SPOOL_NAME_SIZE];
	size_t nr = 0, aside = 0;

	if (!s->stale)
		return true;
	s->stale = spool_folder_list(&s->folder, &labels, &nr, &aside, &err) < 0;
	for (size_t i = 0; i < nr; i++)
		if (!known(s, &labels[i]) && spool_io_unlink(s->conf.io, s->folder.fd, spool_file_name(&labels[i], name)) < 0)
			s->stale = true;
	if (s->stale)
		spool_keep_trouble(s, "cannot tidy up the spool", errno);
	free(labels);
	s->set_aside += aside;
	return !s->stale;
}

void spool_keep_end_split(struct spool *s)
{
	struct spool_entry *e;

	if (!s->splitting)
		return;
	TAILQ_FOREACH(e, &s->index.entries, order)
		if (e->label.stage == SPOOL_HALF && !e->in_memory &&
		    spool_file_step(s->conf.io, s->folder.fd, &e->label, e->attempted ? SPOOL_TRIED : SPOOL_PAYLOAD) < 0) {
			spool_keep_trouble(s, "cannot rename a file of the spool", errno);
			return;
		}
	/* The split file may go only once the names are on the disk. */
	if (spool_io_sync(s->conf.io, s->folder.fd) < 0) {
		spool_keep_trouble(s, "cannot sync the spool", errno);
		return;
	}
	s->splitting = false;
}
