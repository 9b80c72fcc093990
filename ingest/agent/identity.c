/* identity.c - see identity.h. */
#include "ingest/agent/identity.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

int identity_init(struct identity *id, struct err *err)
{
	ssize_t n;

	*id = (struct identity){.next_seq = 1, .floor = 1};
	do
		n = getrandom(id->agent_id, sizeof(id->agent_id), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(id->agent_id))
		return err_set(err, ERR_FATAL, "no random bits for an agent_id: %s", n < 0 ? strerror(errno) : "too few");
	return 0;
}

void identity_stamp(struct identity *id, uint64_t lowest_pending, uint64_t *seq, uint64_t *floor)
{
	uint64_t lowest = lowest_pending && lowest_pending < id->next_seq ? lowest_pending : id->next_seq;

	if (id->next_seq - lowest > IDENTITY_SPAN_MAX) /* the server would refuse the payload */
		lowest = id->next_seq - IDENTITY_SPAN_MAX;
	if (id->floor < lowest)
		id->floor = lowest;
	*seq = id->next_seq++;
	*floor = id->floor;
}
