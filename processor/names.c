/* names.c - see names.h.
 *
 * Names are found by XXH3-128 of their bytes, which is no cryptographic hash: whoever makes two strings collide must not have his name stand
 * for another's. So the bytes are compared, and one that collides gets a copy of its own that nobody finds. */
#include "processor/names.h"

#include <stdlib.h>

#include "common/memory.h"

void names_fini(struct names *n)
{
	map_fini(&n->by_hash);
	buf_fini(&n->scratch);
	n->bytes = 0;
}

static size_t name_bytes(size_t len)
{
	return sizeof(struct name) + len;
}

static struct name *name_new(struct names *n, struct str bytes)
{
	struct name *name = bytes.len <= UINT32_MAX ? malloc(name_bytes(bytes.len)) : NULL;

	if (!name)
		return NULL;
	*name = (struct name){.refs = 1, .len = (uint32_t)bytes.len};
	memcpy(name->bytes, bytes.p, bytes.len);
	n->bytes += memory_rounded(name_bytes(bytes.len));
	return name;
}

static void name_free(struct names *n, struct name *name)
{
	n->bytes -= memory_rounded(name_bytes(name->len));
	free(name);
}

/* The name of what stands in scratch. */
static struct name *take_scratch(struct names *n)
{
	struct str bytes = buf_str(&n->scratch);
	uint8_t key[MAP_KEY_BYTES];
	struct name *name;

	if (buf_failed(&n->scratch))
		return NULL;
	map_key_of(bytes, key);
	name = map_get(&n->by_hash, key);
	if (name && str_eq((struct str){name->bytes, name->len}, bytes)) {
		name->refs++;
		return name;
	}
	if (name)
		return name_new(n, bytes);
	name = name_new(n, bytes);
	if (!name)
		return NULL;
	if (map_put(&n->by_hash, key, name) < 0) {
		name_free(n, name);
		return NULL;
	}
	name->listed = true;
	return name;
}

struct name *names_take_str(struct names *n, struct str s)
{
	buf_clear(&n->scratch);
	codec_write_bytes(&n->scratch, s);
	return take_scratch(n);
}

struct name *names_take_tag(struct names *n, const struct tag *tag)
{
	buf_clear(&n->scratch);
	codec_write_bytes(&n->scratch, tag->key);
	codec_write_bytes(&n->scratch, tag->value);
	return take_scratch(n);
}

void names_drop(struct names *n, struct name *name)
{
	uint8_t key[MAP_KEY_BYTES];

	if (--name->refs)
		return;
	if (name->listed) {
		map_key_of((struct str){name->bytes, name->len}, key);
		map_remove(&n->by_hash, key);
		map_trim(&n->by_hash);
	}
	name_free(n, name);
}

struct tag name_tag(const struct name *name)
{
	struct codec_reader r;
	struct tag tag;

	codec_reader_init(&r, (struct str){name->bytes, name->len}, NULL);
	tag.key = codec_read_bytes(&r);
	tag.value = codec_read_bytes(&r);
	return tag;
}

struct str name_str(const struct name *name)
{
	return name_tag(name).key;
}

size_t names_bytes(const struct names *n)
{
	return n->bytes + map_bytes(&n->by_hash) + (n->scratch.cap ? memory_rounded(n->scratch.cap) : 0);
}
