/* fuzz_status_state.c - any bytes at all as the file on millrace-status' disk, and as the record in it behind a head that fits: what is accepted can be written
 * and read again and is the same, and its entries, whatever they say, fold into incidents that hold what an incident promises, the second time into no more. */
#include <endian.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/status_incident.h"
#include "sink/status/state_file.h"

#define MUST(what)                                                                  \
	do {                                                                        \
		if (!(what)) {                                                      \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
			abort();                                                    \
		}                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct head {
	char magic[8];
	uint64_t len, sum;
};

/* A file around the record. */
static void wrap(struct buf *out, struct str record)
{
	struct head head = {.magic = "MRstat1\n", .len = htole64(record.len)};

	head.sum = htole64(XXH3_64bits_withSeed(record.p, record.len, XXH3_64bits(&head, offsetof(struct head, sum))));
	buf_add(out, &head, sizeof(head));
	buf_add(out, record.p, record.len);
	MUST(!buf_failed(out));
}

static void check_incident(const struct status_incident *i)
{
	MUST(i->nr_lines && !i->lines[0].refused && i->title.len && i->title.len <= STATUS_TITLE_MAX && i->nr_components);
	MUST(i->state >= STATUS_INCIDENT_RESOLVED || !i->ended_at);
	for (size_t k = 0; k < i->nr_lines; k++)
		MUST(str_eq(i->lines[k].entry.incident, i->id) && status_entry_check(&i->lines[k].entry, NULL) == 0);
}

/* How many of the state's entries were taken. */
static size_t fold(struct status_incidents *incidents, const struct status_state *s)
{
	size_t taken = 0;

	for (size_t k = 0; k < s->entries_len; k++) {
		struct arena arena = {.limit_bytes = 4 << 20};
		struct status_entry e = {0};

		if (status_entry_decode(s->entries[k], &arena, &e, NULL) == 0) {
			const char *why = status_incidents_why_not(incidents, &e);
			int rc = status_incidents_take(incidents, &e, NULL);

			MUST(rc <= 0 || !why);
			taken += rc > 0;
		}
		arena_fini(&arena);
	}
	return taken;
}

static void check_state(const struct status_state *s)
{
	struct status_incidents incidents = {0};
	struct buf once = BUF_INIT, file = BUF_INIT, twice = BUF_INIT;
	struct arena arena = ARENA_INIT;
	struct status_state again = {0};

	MUST(status_state_encode(s, &once, NULL) == 0);
	wrap(&file, buf_str(&once));
	MUST(state_file_parse(buf_str(&file), &arena, &again, NULL) == 0);
	MUST(status_state_encode(&again, &twice, NULL) == 0 && str_eq(buf_str(&once), buf_str(&twice)));
	fold(&incidents, s);
	MUST(fold(&incidents, s) == 0);
	for (size_t k = 0; k < incidents.nr; k++)
		check_incident(incidents.list[k]);
	status_incidents_fini(&incidents);
	arena_fini(&arena);
	buf_fini(&once);
	buf_fini(&twice);
	buf_fini(&file);
}

static void check_file(struct str bytes)
{
	struct arena arena = {.limit_bytes = 16 << 20};
	struct status_state state;

	if (state_file_parse(bytes, &arena, &state, NULL) == 0)
		check_state(&state);
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = malloc(size ? size : 1); /* a byte read behind it is seen */
	struct buf file = BUF_INIT;

	MUST(exact);
	memcpy(exact, data, size);
	check_file((struct str){exact, size});
	wrap(&file, (struct str){exact, size});
	check_file(buf_str(&file));
	buf_fini(&file);
	free(exact);
	return 0;
}
