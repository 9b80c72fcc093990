/* fuzz_backtrace.c - any bytes at all as a backtrace: frames borrow the text, and their group is the same whatever the lines are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/backtrace.h"
#include "ingest/group.h"

#define MUST(what)                                                                  \
	do {                                                                        \
		if (!(what)) {                                                      \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
			abort();                                                    \
		}                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_borrowed(struct str s, struct str text)
{
	MUST(s.p && (s.len == 0 || (s.p >= text.p && s.p + s.len <= text.p + text.len)));
}

static void check_group(struct backtrace_frame *frames, size_t len, struct str text)
{
	struct payload_event e = {.kind = PAYLOAD_ERROR, .event = {.action = text, .error = {.class = text, .message = text, .backtrace = frames, .backtrace_len = len}}};
	uint8_t group[sizeof(e.event.group)];

	group_name(&e, STR("shop"));
	memcpy(group, e.event.group, sizeof(group));
	for (size_t i = 0; i < len; i++)
		frames[i].line ^= 1;
	group_name(&e, STR("shop"));
	MUST(memcmp(group, e.event.group, sizeof(group)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = malloc(size ? size : 1); /* a byte read behind it is seen */
	struct str text = {exact, size};
	struct arena arena = ARENA_INIT;
	struct backtrace_frame *frames;
	size_t len;

	MUST(exact);
	memcpy(exact, data, size);
	MUST(backtrace_parse(text, &arena, &frames, &len) == 0 && len <= BACKTRACE_FRAMES_MAX);
	for (size_t i = 0; i < len; i++) {
		check_borrowed(frames[i].file, text);
		check_borrowed(frames[i].function, text);
		MUST(frames[i].line >= 0);
	}
	check_group(frames, len, text);
	arena_fini(&arena);
	free(exact);
	return 0;
}
