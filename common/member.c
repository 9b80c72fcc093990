/* member.c - see member.h.
 *
 * The serialised form, which 2.x reads back too: "CGMDv2:", generation as a native int32, then group and member id, each ended by NUL. Another
 * form makes no copy valid, rather than one that is believed by mistake. */
#include "common/member.h"

#include <string.h>

int32_t member_read(const rd_kafka_consumer_group_metadata_t *group, struct buf *member)
{
	static const char magic[7] = "CGMDv2:";
	void *bytes = NULL;
	size_t size = 0, at = sizeof(magic) + sizeof(int32_t);
	rd_kafka_error_t *error = rd_kafka_consumer_group_metadata_write(group, &bytes, &size);
	int32_t generation = -1;

	if (error) {
		rd_kafka_error_destroy(error);
		return -1;
	}
	if (size > at && memcmp(bytes, magic, sizeof(magic)) == 0) {
		memcpy(&generation, (char *)bytes + sizeof(magic), sizeof(generation));
		at += strnlen((char *)bytes + at, size - at) + 1;
		if (at < size)
			buf_add(member, (char *)bytes + at, strnlen((char *)bytes + at, size - at));
	}
	rd_kafka_mem_free(NULL, bytes);
	return generation;
}

bool member_is_valid(const rd_kafka_consumer_group_metadata_t *group)
{
	struct buf member = BUF_INIT;
	bool valid = member_read(group, &member) >= 0 && member.len > 0;

	buf_fini(&member);
	return valid;
}

bool member_is_readable(void)
{
	rd_kafka_consumer_group_metadata_t *good = rd_kafka_consumer_group_metadata_new_with_genid("g", 0, "m", NULL);
	rd_kafka_consumer_group_metadata_t *bad = rd_kafka_consumer_group_metadata_new_with_genid("g", -1, "", NULL);
	bool readable = member_is_valid(good) && !member_is_valid(bad);

	rd_kafka_consumer_group_metadata_destroy(good);
	rd_kafka_consumer_group_metadata_destroy(bad);
	return readable;
}
