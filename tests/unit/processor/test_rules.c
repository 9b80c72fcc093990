/* test_rules.c - which triggers a series has, against asking all of them; how many are asked for that; and how a rulebook goes from one state to the next. */
#include <stdio.h>

#include "tests/unit/processor/triggers.h"

/* Linked with --wrap=trigger_matches (Makefile): how often the index asks. */
bool __real_trigger_matches(const struct trigger *t, const struct series_id *id);
bool __wrap_trigger_matches(const struct trigger *t, const struct series_id *id);
static uint64_t *asked(void)
{
	static uint64_t n; /* of a process of Check's own */

	return &n;
}

bool __wrap_trigger_matches(const struct trigger *t, const struct series_id *id)
{
	++*asked();
	return __real_trigger_matches(t, id);
}

struct house {
	struct placements placements;
	struct rulebook *book;
};

static void house_init(struct house *h)
{
	*h = (struct house){.placements = PLACEMENTS_INIT};
	h->placements.cell = "main";
	h->placements.partitions = 12;
	h->book = rulebook_new(&h->placements);
	ck_assert_int_eq(take_site(&h->placements, "shop", "main", NULL), 0);
	ck_assert_int_eq(take_site(&h->placements, "blog", "main", NULL), 0);
}

static void house_fini(struct house *h)
{
	rulebook_free(h->book);
	placements_fini(&h->placements);
}

static struct rules *rules_of(struct house *h)
{
	struct err err = ERR_INIT;
	struct rules *r = rulebook_rules(h->book, &err);

	ck_assert_msg(r != NULL, "%s", err.msg);
	return r;
}

static void put(struct house *h, const struct trigger *t)
{
	struct err err = ERR_INIT;
	char id[TRIGGER_ID_MAX + 1];

	snprintf(id, sizeof(id), STR_FMT, STR_ARG(t->id));
	ck_assert_msg(take_trigger(h->book, id, t, &err) == 0, "%s", err.msg);
}

/* Small vocabularies, so that much agrees. */
static const char *const site_names[] = {"blog", "shop", "away"}, *const metrics[] = {"m", "n", "m.n"}, *const keys[] = {"env", "host", "path"};
static const char *const values[] = {"", "a", "b", "ab", "ba", "abc", "bca", "aa", "c"};
static const char *const globs[] = {"*", "", "a", "a*", "ab*", "*a", "*ca", "?", "a?", "?a", "*b*", "a*a", "*?", "**", "a*c", "b?*", "abc*", "*abc"};

enum { TRIGGERS = 60, SERIES = 300, ROUNDS = 60 };

struct words {
	struct tag_selector selectors[3];
	struct str texts[3][4];
	char id[16];
};

static void random_trigger(struct trigger *t, struct words *w, int number, struct unit_random *random)
{
	snprintf(w->id, sizeof(w->id), "t-%d", number);
	*t = plain_trigger(site_names[unit_random_below(random, 3)], w->id, metrics[unit_random_below(random, 3)]);
	t->tags = w->selectors;
	t->has_kind = unit_random_below(random, 4) == 0;
	t->kind = (enum series_kind)unit_random_below(random, 3);
	for (size_t i = 0; i < 3; i++) {
		struct tag_selector *s = &w->selectors[t->tags_len];
		size_t first = unit_random_below(random, NR(values)), step = 1 + unit_random_below(random, 3);

		if (unit_random_below(random, 3) == 0)
			continue;
		*s = (struct tag_selector){.key = str_from(keys[i]), .op = (enum selector_op)unit_random_below(random, 5), .values = w->texts[t->tags_len++]};
		s->values_len = s->op == SELECTOR_OP_ONE_OF ? 1 + unit_random_below(random, 2) : s->op == SELECTOR_OP_EXACT || s->op == SELECTOR_OP_GLOB;
		for (size_t j = 0; j < s->values_len; j++)
			s->values[j] = str_from(s->op == SELECTOR_OP_GLOB ? globs[unit_random_below(random, NR(globs))] : values[(first + j * step) % NR(values)]);
	}
}

static void random_series(struct series_id *id, struct tag *tags, struct unit_random *random)
{
	*id = (struct series_id){.site = str_from(site_names[unit_random_below(random, 3)]), .kind = (uint8_t)unit_random_below(random, 3),
				 .name = str_from(metrics[unit_random_below(random, 3)]), .tags = tags};
	for (size_t i = 0; i < NR(keys); i++)
		if (unit_random_below(random, 4))
			tags[id->tags_len++] = (struct tag){str_from(keys[i]), str_from(values[unit_random_below(random, NR(values))])};
}

/* A set is what asking each rule gives, ascending, and the same number means the same. */
static size_t compare(struct rules *r, const struct series_id *id)
{
	uint32_t number = rules_match(r, id);
	size_t nr, at = 0, found = 0;
	const uint32_t *set;

	ck_assert_uint_ge(number, RULES_NONE);
	set = rules_set(r, number, &nr);
	for (size_t i = 0; i < r->nr; i++) {
		if (!__real_trigger_matches(&r->rule[i].trigger, id))
			continue;
		found++;
		ck_assert_msg(at < nr && set[at] == i, "rule %zu is not in set %u", i, number);
		at++;
	}
	ck_assert_uint_eq(nr, found);
	ck_assert_int_eq(number == RULES_NONE, found == 0);
	ck_assert_uint_eq(rules_match(r, id), number);
	return found;
}

/* Equal sets have equal numbers. */
static void compare_numbers(struct rules *r, uint32_t most)
{
	for (uint32_t i = RULES_NONE; i <= most; i++)
		for (uint32_t j = i + 1; j <= most; j++) {
			size_t x, y;
			const uint32_t *a = rules_set(r, i, &x), *b = rules_set(r, j, &y);

			ck_assert(x != y || memcmp(a, b, x * sizeof(*a)) != 0);
		}
}

START_TEST(series_have_the_rules_that_say_so)
{
	static struct words words[TRIGGERS];
	struct unit_random random = unit_random_new("rules");
	size_t matched = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct house h;
		struct rules *r;
		uint32_t most = 0;

		house_init(&h);
		for (int i = 0; i < TRIGGERS; i++) {
			struct trigger t;

			random_trigger(&t, &words[i], i, &random);
			put(&h, &t);
		}
		r = rules_of(&h);
		for (int i = 0; i < SERIES; i++) {
			struct tag tags[3];
			struct series_id id;

			random_series(&id, tags, &random);
			matched += compare(r, &id);
			most = rules_match(r, &id) > most ? rules_match(r, &id) : most;
		}
		compare_numbers(r, most);
		house_fini(&h);
	}
	ck_assert_uint_gt(matched, ROUNDS * SERIES / 4);
}
END_TEST

/* Ten thousand triggers of one metric that differ in one tag; how they say so, and how many may be asked for one series. */
static const struct {
	enum selector_op op;
	const char *first, *second; /* of what is written, with the number in them */
	uint64_t most;
} crowds[] = {
	{SELECTOR_OP_EXACT, "host-%d", NULL, 1},
	{SELECTOR_OP_ONE_OF, "host-%d", "other-%d", 1},
	{SELECTOR_OP_GLOB, "host-%d", NULL, 5},   /* a glob without signs: also host-1 of host-12 */
	{SELECTOR_OP_GLOB, "host-%d*", NULL, 5},
	{SELECTOR_OP_GLOB, "*-%d", NULL, 1},
};

enum { CROWD = 10000 };

START_TEST(a_crowd_of_triggers_is_not_asked)
{
	struct house h;
	struct rules *r;
	uint64_t before;

	house_init(&h);
	for (int i = 0; i < CROWD; i++) {
		struct trigger t;
		struct words w;
		char first[32], second[32];

		snprintf(w.id, sizeof(w.id), "t-%d", i);
		t = plain_trigger("shop", w.id, "m");
		snprintf(first, sizeof(first), crowds[_i].first, i);
		snprintf(second, sizeof(second), crowds[_i].second ? crowds[_i].second : "%d", i);
		w.texts[0][0] = STR("prod");
		w.texts[1][0] = str_from(first);
		w.texts[1][1] = str_from(second);
		w.selectors[0] = (struct tag_selector){STR("env"), SELECTOR_OP_EXACT, w.texts[0], 1};
		w.selectors[1] = (struct tag_selector){STR("host"), crowds[_i].op, w.texts[1], crowds[_i].second ? 2 : 1};
		w.selectors[2] = (struct tag_selector){STR("zone"), SELECTOR_OP_ABSENT, NULL, 0};
		t.tags = w.selectors;
		t.tags_len = 3;
		put(&h, &t);
	}
	r = rules_of(&h);
	for (int i = 0; i < CROWD; i++) {
		char host[32];
		const struct tag tags[] = {{STR("env"), STR("prod")}, {STR("host"), {host, (size_t)snprintf(host, sizeof(host), "host-%d", i)}}};
		const struct series_id id = {STR("shop"), SERIES_KIND_COUNTER, STR("m"), tags, 2};
		size_t nr;

		before = *asked();
		rules_set(r, rules_match(r, &id), &nr);
		ck_assert_uint_ge(nr, 1);
		ck_assert_msg(*asked() - before <= crowds[_i].most, "%llu for %s", (unsigned long long)(*asked() - before), host);
	}
	house_fini(&h);
}
END_TEST

/* Of the same groups, in Python: xxhash.xxh3_128_hexdigest(s(site) + b"\3" + s(name)), s(t) = struct.pack("<H", len(t)) + t. */
static const struct {
	const char *name, *group;
} groups[] = {{"nightly", "12cc8be2872aa6780deabcc3a1d0e75b"}, {"\xc3\xa9", "3ae46001c09723c0357092234f069b33"}};

START_TEST(check_ins_are_found_by_group)
{
	struct house h;
	struct rules *r;
	struct trigger t = plain_trigger("shop", "b", "");
	struct cron cron;
	char hex[2 * SERIES_FINGERPRINT_BYTES + 1];
	size_t nr;

	house_init(&h);
	t.has_threshold = false;
	t.has_check_in = true;
	t.check_in = (struct check_in_rule){.name = str_from(groups[_i].name), .cron = STR("0 3 * * *")};
	put(&h, &t);
	t = plain_trigger("shop", "a", "m");
	put(&h, &t);
	r = rules_of(&h);
	ck_assert(r->nr == 2 && r->nr_check_ins == 1 && r->check_ins[0] == 1);
	for (int i = 0; i < SERIES_FINGERPRINT_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", r->rule[1].group[i]);
	ck_assert_str_eq(hex, groups[_i].group);
	ck_assert_int_eq(cron_parse(STR("0 3 * * *"), &cron, NULL), 0);
	ck_assert(r->rule[1].cron.minutes == cron.minutes && r->rule[1].cron.hours == 1 << 3 && r->rule[0].cron.minutes == 0);
	ck_assert_mem_eq(r->rule[0].group, (uint8_t[SERIES_FINGERPRINT_BYTES]){0}, SERIES_FINGERPRINT_BYTES);
	rules_set(r, rules_match(r, &(struct series_id){.site = STR("shop"), .name = STR("")}), &nr);
	ck_assert_uint_eq(nr, 0);
	house_fini(&h);
}
END_TEST

START_TEST(rules_are_sorted_and_found)
{
	static const char *const order[][2] = {{"blog", "b"}, {"blog", "c"}, {"shop", "a"}, {"shop", "aa"}, {"shop", "d"}};
	struct house h;
	struct rules *r;

	house_init(&h);
	for (size_t i = NR(order); i > 0; i--) {
		struct trigger t = plain_trigger(order[i - 1][0], order[i - 1][1], "m");

		put(&h, &t);
	}
	r = rules_of(&h);
	ck_assert_uint_eq(r->nr, NR(order));
	for (size_t i = 0; i < NR(order); i++) {
		ck_assert_int_eq(rules_find(r, str_from(order[i][0]), str_from(order[i][1])), (int64_t)i);
		ck_assert_uint_eq(r->rule[i].revision, trigger_revision(&r->rule[i].trigger));
		ck_assert_ptr_eq(r->rule[i].place, placements_get(&h.placements, str_from(order[i][0])));
	}
	ck_assert_int_eq(rules_find(r, STR("blog"), STR("a")), -1);
	ck_assert_int_eq(rules_find(r, STR("zoo"), STR("a")), -1);
	ck_assert_int_eq(rules_find(r, STR(""), STR("")), -1);
	ck_assert_uint_gt(rules_bytes(r), NR(order) * sizeof(struct rule));
	house_fini(&h);
}
END_TEST

/* Only what matters to this cell makes other rules; what is held stays as it was. */
START_TEST(rules_follow_what_matters)
{
	struct house h;
	struct trigger mine = plain_trigger("shop", "mine", "m"), other = plain_trigger("away", "other", "m");
	const struct series_id id = {.site = STR("shop"), .name = STR("m")};
	struct rules *first, *held;
	uint64_t version;
	size_t nr;

	house_init(&h);
	ck_assert(rulebook_changed(h.book));
	put(&h, &mine);
	first = rules_of(&h);
	ck_assert(!rulebook_changed(h.book) && rules_of(&h) == first && first->nr == 1);
	version = first->version;
	put(&h, &mine); /* says the same */
	put(&h, &other);
	other.warm_up_minutes = 7;
	put(&h, &other);
	ck_assert_int_eq(take_trigger(h.book, "other", NULL, NULL), 0);
	ck_assert_int_eq(take_trigger(h.book, "never", NULL, NULL), 0);
	put(&h, &other);
	ck_assert_int_eq(take_site(&h.placements, "away", "far", NULL), 0);
	ck_assert(!rulebook_changed(h.book));
	ck_assert_int_eq(take_site(&h.placements, "away", "main", NULL), 0);
	ck_assert(rulebook_changed(h.book));
	held = rules_hold(first);
	ck_assert(rules_of(&h) != held && rules_of(&h)->nr == 2 && rules_of(&h)->version > version);
	ck_assert_int_eq(take_site(&h.placements, "away", "far", NULL), 0); /* it has been here */
	ck_assert(!rulebook_changed(h.book));
	mine.description = STR("changed");
	put(&h, &mine);
	ck_assert(rulebook_changed(h.book));
	ck_assert(str_eq(rules_of(&h)->rule[1].trigger.description, STR("changed")));
	ck_assert_int_eq(take_trigger(h.book, "mine", NULL, NULL), 0);
	ck_assert(rulebook_changed(h.book) && rules_of(&h)->nr == 1);
	mine.site = STR("away"); /* another site's now */
	put(&h, &mine);
	mine.site = STR("nowhere");
	put(&h, &mine);
	ck_assert(rulebook_changed(h.book) && rules_of(&h)->nr == 1);
	rulebook_free(h.book);
	ck_assert(held->nr == 1 && held->version == version && str_eq(held->rule[0].trigger.description, STR("d")));
	rules_set(held, rules_match(held, &id), &nr);
	ck_assert_uint_eq(nr, 1);
	rules_drop(held);
	rules_drop(NULL);
	ck_assert_ptr_null(rules_hold(NULL));
	rulebook_free(NULL);
	placements_fini(&h.placements);
}
END_TEST

START_TEST(bad_rows_change_nothing)
{
	struct house h;
	struct trigger t = plain_trigger("shop", "mine", "m");
	struct err err = ERR_INIT;

	house_init(&h);
	put(&h, &t);
	rules_of(&h);
	t.metric = STR("");
	ck_assert_int_eq(take_trigger(h.book, "mine", &t, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	t.metric = STR("n");
	ck_assert_int_eq(take_trigger(h.book, "other", &t, &err), -1);
	ck_assert_int_eq(rulebook_take(h.book, &(struct table_row){.key = STR("mine"), .value = STR("\0\0\0\0\014junk")}, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_int_eq(rulebook_take(h.book, &(struct table_row){.key = STR("mine"), .value = STR("\0\0\0\0\377junk")}, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert(!rulebook_changed(h.book) && str_eq(rules_of(&h)->rule[0].trigger.metric, STR("m")));
	house_fini(&h);
}
END_TEST

START_TEST(there_is_an_end_of_triggers)
{
	struct house h;
	struct trigger t;
	char id[16];

	house_init(&h);
	for (int i = 0; i < RULEBOOK_MAX; i++) {
		snprintf(id, sizeof(id), "t-%d", i);
		t = plain_trigger("shop", id, "m");
		put(&h, &t);
	}
	t = plain_trigger("shop", "one-more", "m");
	ck_assert_int_eq(take_trigger(h.book, "one-more", &t, NULL), -1);
	t = plain_trigger("shop", "t-0", "n"); /* what is there may still change */
	put(&h, &t);
	ck_assert_int_eq(take_trigger(h.book, "t-1", NULL, NULL), 0);
	t = plain_trigger("shop", "one-more", "m");
	put(&h, &t);
	ck_assert_uint_eq(rules_of(&h)->nr, RULEBOOK_MAX);
	house_fini(&h);
}
END_TEST

/* Names of a hostile record are longer than any that a trigger has. */
START_TEST(long_names_have_no_rules)
{
	static char text[70000];
	struct house h;
	struct trigger t = plain_trigger("shop", "a", "m");
	const struct str name = {memset(text, 'm', sizeof(text)), sizeof(text)};
	const struct tag tags[] = {{name, name}};

	house_init(&h);
	put(&h, &t);
	ck_assert_uint_eq(rules_match(rules_of(&h), &(struct series_id){.site = STR("shop"), .name = name}), RULES_NONE);
	ck_assert_uint_eq(rules_match(rules_of(&h), &(struct series_id){.site = name, .name = STR("m")}), RULES_NONE);
	ck_assert_uint_gt(rules_match(rules_of(&h), &(struct series_id){.site = STR("shop"), .name = STR("m"), .tags = tags, .tags_len = 1}), RULES_NONE);
	house_fini(&h);
}
END_TEST

/* A hostile record has a key again and again: a rule is found once, as of a key the first tag counts. */
START_TEST(tags_of_one_key_find_a_rule_once)
{
	struct str both[] = {STR("a"), STR("b")};
	struct tag_selector s = {.key = STR("host"), .op = SELECTOR_OP_ONE_OF, .values = both, .values_len = 2};
	struct trigger t = plain_trigger("shop", "a", "m");
	struct tag tags[SERIES_TAGS_MAX];
	struct house h;
	size_t nr;

	house_init(&h);
	t.tags = &s;
	t.tags_len = 1;
	put(&h, &t);
	for (size_t i = 0; i < NR(tags); i++)
		tags[i] = (struct tag){i % 3 == 2 ? STR("zone") : STR("host"), i % 2 ? STR("a") : STR("b")};
	rules_set(rules_of(&h), rules_match(rules_of(&h), &(struct series_id){.site = STR("shop"), .name = STR("m"), .tags = tags, .tags_len = NR(tags)}), &nr);
	ck_assert_uint_eq(nr, 1);
	house_fini(&h);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rules");
	TCase *tc = tcase_create("rules");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, series_have_the_rules_that_say_so);
	tcase_add_loop_test(tc, a_crowd_of_triggers_is_not_asked, 0, NR(crowds));
	tcase_add_loop_test(tc, check_ins_are_found_by_group, 0, NR(groups));
	tcase_add_test(tc, rules_are_sorted_and_found);
	tcase_add_test(tc, rules_follow_what_matters);
	tcase_add_test(tc, bad_rows_change_nothing);
	tcase_add_test(tc, there_is_an_end_of_triggers);
	tcase_add_test(tc, long_names_have_no_rules);
	tcase_add_test(tc, tags_of_one_key_find_a_rule_once);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
