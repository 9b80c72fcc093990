/* offset_meta.c - see offset_meta.h. */
#include "common/offset_meta.h"

#include <inttypes.h>
#include <stdio.h>

static const char version[] = "v1";

const char *offset_meta_format(const struct offset_meta *meta, char out[OFFSET_META_SIZE])
{
	snprintf(out, OFFSET_META_SIZE, "%s epoch=%" PRId64 " id=%" PRId64 " snapshot=%" PRId64 " bytes=%" PRId64 " at=%" PRId64, version,
		 meta->epoch, meta->id, meta->snapshot, meta->bytes, meta->at);
	return out;
}

bool offset_meta_is_newer(struct str line)
{
	int64_t number;

	return str_take(&line, "v") && str_take_int(&line, &number) && number > 1;
}

int offset_meta_parse(struct str line, struct offset_meta *out, struct err *err)
{
	struct offset_meta m;
	struct str s = line;

	if (offset_meta_is_newer(line))
		return err_set(err, ERR_REJECT, "metadata of a newer version: \"%.*s\"", (int)(line.len > 64 ? 64 : line.len), line.p);
	if (!str_take(&s, version) || !str_take(&s, " epoch=") || !str_take_int(&s, &m.epoch) || !str_take(&s, " id=") || !str_take_int(&s, &m.id) ||
	    !str_take(&s, " snapshot=") || !str_take_int(&s, &m.snapshot) || !str_take(&s, " bytes=") || !str_take_int(&s, &m.bytes) ||
	    !str_take(&s, " at=") || !str_take_int(&s, &m.at) || s.len)
		return err_set(err, ERR_REJECT, "not the metadata of a checkpoint: \"%.*s\"", (int)(line.len > 64 ? 64 : line.len), line.p);
	if (m.id < 1 || m.id == INT64_MAX /* the next one could not be numbered */ || m.snapshot < 0 || m.bytes < 1 || m.at < 0)
		return err_set(err, ERR_REJECT, "metadata with impossible numbers: \"%.*s\"", (int)(line.len > 64 ? 64 : line.len), line.p);
	*out = m;
	return 0;
}
