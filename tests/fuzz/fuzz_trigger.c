/* fuzz_trigger.c - any bytes at all as a trigger's record: what is accepted has a condition in one line, a revision, and a place in an index that finds what
 * asking it finds. The same bytes as a crontab: what is due is on a minute, at or behind the time asked for, and found again going back. */
#include <stdio.h>
#include <stdlib.h>

#include "common/cron.h"
#include "processor/rules_index.h"

#define MUST(what)                                                                  \
	do {                                                                        \
		if (!(what)) {                                                      \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
			abort();                                                    \
		}                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A series with the tags that a trigger's selectors name, and their first values. */
static void check_index(const struct trigger *t)
{
	struct rule rule = {.trigger = *t};
	struct rules_index *x = rules_index_new(&rule, 1);
	struct tag tags[TRIGGER_SELECTORS_MAX];
	struct series_id id = {.site = t->site, .kind = (uint8_t)t->kind, .name = t->metric, .tags = tags};
	size_t nr;

	MUST(x);
	for (size_t i = 0; i < t->tags_len; i++)
		if (t->tags[i].op != SELECTOR_OP_ABSENT)
			tags[id.tags_len++] = (struct tag){t->tags[i].key, t->tags[i].values_len ? t->tags[i].values[0] : STR("x")};
	rules_index_set(x, rules_index_match(x, &id), &nr);
	MUST(nr == trigger_matches(t, &id) && (t->has_check_in || nr == 1));
	rules_index_free(x);
}

static void check_trigger(struct str bytes)
{
	struct arena arena = {.limit_bytes = 4 << 20};
	char condition[TRIGGER_CONDITION_SIZE];
	struct trigger t = {0};

	if (trigger_decode(bytes, &arena, &t, NULL) == 0) {
		MUST(str_is_line(str_from(trigger_condition(&t, condition))) && strlen(condition) < sizeof(condition));
		if (trigger_check(&t, NULL) == 0) {
			MUST(trigger_revision(&t) == trigger_revision(&t));
			check_index(&t);
		}
	}
	arena_fini(&arena);
}

static void check_cron(struct str text)
{
	const int64_t t_ms = INT64_C(1795372012345);
	struct cron c;
	int64_t next_ms, last_ms;

	if (cron_parse(text, &c, NULL) < 0)
		return;
	next_ms = cron_next_ms(&c, t_ms);
	last_ms = cron_last_ms(&c, t_ms);
	MUST(next_ms == -1 || (next_ms >= t_ms && next_ms % 60000 == 0 && cron_last_ms(&c, next_ms) == next_ms && cron_next_ms(&c, next_ms) == next_ms));
	MUST(last_ms == -1 || (last_ms <= t_ms && last_ms % 60000 == 0 && cron_next_ms(&c, last_ms) == last_ms));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = malloc(size ? size : 1); /* a byte read behind it is seen */
	struct str bytes = {exact, size};

	MUST(exact);
	memcpy(exact, data, size);
	check_trigger(bytes);
	check_cron(bytes);
	free(exact);
	return 0;
}
