/* series_codec.c - see series_codec.h. A writer's numbers stand in the names themselves, a reader's are places in two arrays. */
#include "processor/series_codec.h"

#include <stdlib.h>

#include "schemas/schemas.h"

void series_codec_forget(const struct series *s)
{
	s->site->number = s->name->number = 0;
	for (size_t i = 0; i < s->tags_len; i++)
		s->tags[i]->number = 0;
}

static void write_name(struct buf *out, struct name *name, uint32_t *nr)
{
	codec_write_long(out, name->number);
	if (name->number)
		return;
	name->number = ++*nr;
	codec_write_fixed(out, (const uint8_t *)name->bytes, name->len);
}

void series_codec_write(struct series_writer *w, const struct series *s, struct buf *out)
{
	codec_write_fixed(out, s->fingerprint, sizeof(s->fingerprint));
	codec_write_int(out, s->kind);
	write_name(out, s->site, &w->nr_strings);
	write_name(out, s->name, &w->nr_strings);
	codec_write_long(out, s->tags_len);
	for (size_t i = 0; i < s->tags_len; i++)
		write_name(out, s->tags[i], &w->nr_tags);
}

void series_reader_fini(struct series_reader *sr)
{
	free(sr->strings);
	free(sr->tags);
	*sr = (struct series_reader){0};
}

/* Room for one more item. -1 when memory is short. */
static int grow(void **items, size_t len, size_t *cap, size_t item_bytes)
{
	size_t more = *cap ? *cap * 2 : 64;
	void *moved;

	if (len < *cap)
		return 0;
	moved = realloc(*items, more * item_bytes);
	if (!moved)
		return -1;
	*items = moved;
	*cap = more;
	return 0;
}

/* Which of nr it is, from 0; nr: a new one. */
static size_t read_number(struct codec_reader *r, size_t nr)
{
	int64_t number = codec_read_long(r);

	if (number < 0 || (uint64_t)number > nr)
		codec_fault(r, "a string that has not come yet");
	return codec_reader_ok(r) && number > 0 ? (size_t)number - 1 : nr;
}

static int read_str(struct series_reader *sr, struct codec_reader *r, struct str *out, struct err *err)
{
	size_t number = read_number(r, sr->nr_strings);

	if (number == sr->nr_strings) {
		if (grow((void **)&sr->strings, sr->nr_strings, &sr->strings_cap, sizeof(*sr->strings)) < 0)
			return err_nomem(err, "the strings of a snapshot");
		sr->strings[sr->nr_strings++] = codec_read_string(r);
	}
	*out = sr->strings[number];
	return codec_reader_ok(r) ? 0 : -1;
}

static int read_tag(struct series_reader *sr, struct codec_reader *r, struct tag *out, struct err *err)
{
	size_t number = read_number(r, sr->nr_tags);

	if (number == sr->nr_tags) {
		if (grow((void **)&sr->tags, sr->nr_tags, &sr->tags_cap, sizeof(*sr->tags)) < 0)
			return err_nomem(err, "the tags of a snapshot");
		sr->tags[sr->nr_tags].key = codec_read_string(r);
		sr->tags[sr->nr_tags++].value = codec_read_string(r);
	}
	*out = sr->tags[number];
	return codec_reader_ok(r) ? 0 : -1;
}

int series_codec_read(struct series_reader *sr, struct codec_reader *r, uint8_t fingerprint[SERIES_FINGERPRINT_BYTES], struct series_id *id,
		      struct tag tags[SERIES_TAGS_MAX], struct err *err)
{
	codec_read_fixed(r, fingerprint, SERIES_FINGERPRINT_BYTES);
	*id = (struct series_id){.kind = (uint8_t)codec_read_index(r, SERIES_KIND_DISTRIBUTION + 1), .tags = tags};
	if (read_str(sr, r, &id->site, err) < 0 || read_str(sr, r, &id->name, err) < 0)
		return -1;
	id->tags_len = codec_read_count(r, 1);
	if (id->tags_len > SERIES_TAGS_MAX)
		codec_fault(r, "too many tags");
	for (size_t i = 0; i < id->tags_len && codec_reader_ok(r); i++)
		if (read_tag(sr, r, &tags[i], err) < 0)
			return -1;
	return codec_reader_ok(r) ? 0 : -1;
}
