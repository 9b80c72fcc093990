/* mongo_counters.c - see mongo_counters.h. */
#include "common/mongo_counters.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

void mongo_counters_unlink(void)
{
	char name[32];

	snprintf(name, sizeof(name), "/mongoc-%u", (unsigned)getpid());
	shm_unlink(name);
}
