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

/* Takes text off the front of *s. */
static bool take(struct str *s, const char *text)
{
	size_t n = strlen(text);

	if (s->len < n || memcmp(s->p, text, n) != 0)
		return false;
	s->p += n;
	s->len -= n;
	return true;
}

/* Takes a decimal number off the front of *s, as printf writes it: no plus, no leading zeros, no overflow. */
static bool take_number(struct str *s, int64_t *out)
{
	bool negative = take(s, "-");
	int64_t n = 0;
	size_t digits = 0;

	for (; digits < s->len && s->p[digits] >= '0' && s->p[digits] <= '9'; digits++) {
		int digit = s->p[digits] - '0';

		if (__builtin_mul_overflow(n, 10, &n) || (negative ? __builtin_sub_overflow(n, digit, &n) : __builtin_add_overflow(n, digit, &n)))
			return false;
	}
	if (!digits || (s->p[0] == '0' && (digits > 1 || negative)))
		return false;
	s->p += digits;
	s->len -= digits;
	*out = n;
	return true;
}

bool offset_meta_is_newer(struct str line)
{
	int64_t number;

	return take(&line, "v") && take_number(&line, &number) && number > 1;
}

int offset_meta_parse(struct str line, struct offset_meta *out, struct err *err)
{
	struct offset_meta m;
	struct str s = line;

	if (offset_meta_is_newer(line))
		return err_set(err, ERR_REJECT, "metadata of a newer version: \"%.*s\"", (int)(line.len > 64 ? 64 : line.len), line.p);
	if (!take(&s, version) || !take(&s, " epoch=") || !take_number(&s, &m.epoch) || !take(&s, " id=") || !take_number(&s, &m.id) ||
	    !take(&s, " snapshot=") || !take_number(&s, &m.snapshot) || !take(&s, " bytes=") || !take_number(&s, &m.bytes) ||
	    !take(&s, " at=") || !take_number(&s, &m.at) || s.len)
		return err_set(err, ERR_REJECT, "not the metadata of a checkpoint: \"%.*s\"", (int)(line.len > 64 ? 64 : line.len), line.p);
	if (m.id < 1 || m.id == INT64_MAX /* the next one could not be numbered */ || m.snapshot < 0 || m.bytes < 1 || m.at < 0)
		return err_set(err, ERR_REJECT, "metadata with impossible numbers: \"%.*s\"", (int)(line.len > 64 ? 64 : line.len), line.p);
	*out = m;
	return 0;
}
