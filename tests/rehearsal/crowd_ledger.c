/* crowd_ledger.c - see crowd_ledger.h. */
#include "tests/rehearsal/crowd_ledger.h"

#include <errno.h>
#include <string.h>

enum { TOLD_BYTES = 24, FLUSHED_BYTES = 56, BUFFER_BYTES = 256 << 10 };

static FILE *open_file(const char *dir, const char *name, struct err *err)
{
	char path[4200];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "a+be");
	if (!file)
		err_set(err, ERR_FATAL, "%.300s: %s", path, strerror(errno));
	else
		setvbuf(file, NULL, _IOFBF, BUFFER_BYTES);
	return file;
}

static uint32_t get(const uint8_t *from, int bytes)
{
	uint32_t n = 0;

	for (int i = 0; i < bytes; i++)
		n |= (uint32_t)from[i] << 8 * i;
	return n;
}

/* Agent and flush stand at the same places in both kinds of record. Returns how many records there are, -1 with *err set. */
static int64_t count(FILE *file, size_t record_bytes, uint32_t *counts, size_t nr, struct err *err)
{
	uint8_t record[FLUSHED_BYTES];
	int64_t records = 0;
	size_t got;

	for (; (got = fread(record, 1, record_bytes, file)) == record_bytes; records++) {
		uint32_t agent = get(record, 2), flush = get(record + 4, 4);

		if (agent >= nr)
			return err_set(err, ERR_FATAL, "the ledger is of more agents");
		counts[agent] = flush > counts[agent] ? flush : counts[agent];
	}
	return got == 0 && !ferror(file) ? records : err_set(err, ERR_FATAL, "the ledger is not whole: was the crowd killed?");
}

int crowd_ledger_open(struct crowd_ledger *l, const char *dir, uint32_t *counts, size_t nr, struct err *err)
{
	int64_t records;

	memset(counts, 0, nr * sizeof(*counts));
	l->told = open_file(dir, "told.bin", err);
	l->flushes = l->told ? open_file(dir, "flushes.bin", err) : NULL;
	if (!l->flushes || (records = count(l->told, TOLD_BYTES, counts, nr, err)) < 0)
		return -1;
	l->nr_told = (uint64_t)records;
	return count(l->flushes, FLUSHED_BYTES, counts, nr, err) < 0 ? -1 : 0;
}

void crowd_ledger_close(struct crowd_ledger *l)
{
	if (l->told)
		fclose(l->told);
	if (l->flushes)
		fclose(l->flushes);
	*l = (struct crowd_ledger){0};
}

static uint8_t *put(uint8_t *to, uint64_t n, int bytes)
{
	for (int i = 0; i < bytes; i++)
		*to++ = (uint8_t)(n >> 8 * i);
	return to;
}

void crowd_ledger_told(struct crowd_ledger *l, const struct crowd_told *t)
{
	uint8_t record[TOLD_BYTES], *to = record;

	to = put(to, t->agent, 2);
	to = put(to, t->series, 2);
	to = put(to, t->flush, 4);
	to = put(to, (uint64_t)t->t_ms, 8);
	put(to, (uint64_t)t->k, 8);
	fwrite(record, sizeof(record), 1, l->told);
	l->nr_told++;
}

void crowd_ledger_flushed(struct crowd_ledger *l, const struct crowd_flushed *f)
{
	uint8_t record[FLUSHED_BYTES], *to = record;

	to = put(to, f->agent, 2);
	to = put(to, 0, 2);
	to = put(to, f->flush, 4);
	memcpy(to, f->agent_id, sizeof(f->agent_id));
	to = put(to + sizeof(f->agent_id), f->first_seq, 8);
	to = put(to, f->last_seq, 8);
	to = put(to, (uint64_t)f->created_at_ms, 8);
	put(to, (uint64_t)f->slot_end_ms, 8);
	fwrite(record, sizeof(record), 1, l->flushes);
}

int crowd_ledger_sync(struct crowd_ledger *l, struct err *err)
{
	if (fflush(l->told) != 0 || fflush(l->flushes) != 0 || ferror(l->told) || ferror(l->flushes))
		return err_set(err, ERR_FATAL, "the ledger cannot be written: %s", strerror(errno));
	return 0;
}
