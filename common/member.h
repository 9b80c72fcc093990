/* member.h - what a copy of a consumer's group metadata says: which member of the group it is of, and in which generation.
 *
 * librdkafka has no accessor for either, but writes and reads a copy as bytes. Whoever commits for a group inside a transaction needs
 * to know: with a copy that lacks one of the two the broker checks nothing at all, and a former owner's commit goes through. */
#ifndef MILLRACE_MEMBER_H
#define MILLRACE_MEMBER_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"

/* Appends the copy's member id to member. Returns the generation, or -1 when the copy is of none, or cannot be read. */
int32_t member_read(const rd_kafka_consumer_group_metadata_t *group, struct buf *member);

/* Has the copy a member id and a generation? A copy without is never to be used. */
bool member_is_valid(const rd_kafka_consumer_group_metadata_t *group);

/* Does this library write group metadata the way member_read() reads it? If not, no copy is valid. */
bool member_is_readable(void);

#endif
