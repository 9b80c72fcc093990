/* crowd_ledger.c - see crowd_ledger.h. */
#include "tests/rehearsal/crowd_ledger.h"

#include <errno.h>
#include <string.h>

enum { TOLD_BYTES = 24, FLUSHED_BYTES = 56, BUFFER_BYTES = 256 << 10 };

static FILE *make_file(const char *dir, const char *name, struct err *err)
{
	char path[4200];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "wbxe");
	if (!file)
		err_set(err, ERR_FATAL, "%.300s: %s", path, strerror(errno));
	else
		setvbuf(file, NULL, _IOFBF, BUFFER_BYTES);
	return file;
}

int crowd_ledger_open(struct crowd_ledger *l, const char *dir, struct err *err)
{
	l->told = make_file(dir, "told.bin", err);
	l->flushes = l->told ? make_file(dir, "flushes.bin", err) : NULL;
	return l->flushes ? 0 : -1;
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
