/* rules_index.c - see rules_index.h.
 *
 * A trie of nodes in one hash table: site, metric, tag key, and behind the key a value, the beginning of a value, or its end. A rule stands in one place only: at
 * one selector, in as many nodes as that has values, or at its metric when none of its selectors can be looked up. A series walks to the nodes that it
 * agrees with, and asks the rules that stand there whether they are about it.
 *
 * Ten thousand triggers of a metric may all say env=prod and differ in host only. So a rule stands at the selector whose nodes the fewest rules wanted: first
 * all selectors are counted, then each rule takes its best.
 *
 * Invariants:
 *  I1  A series meets a rule in one node at most: of a key that a hostile record repeats its first value counts, and no selector has a value twice (trigger_check()).
 *  I2  Sets hold ascending indices, and equal sets have one number: they are found by XXH3-128 of their bytes, which nobody chooses.
 *  I3  A key's node knows all lengths of beginnings and ends that stand behind it: no others are looked up. */
#include "processor/rules_index.h"

#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/memory.h"

enum node_type { NODE_SITE, NODE_METRIC, NODE_KEY, NODE_VALUE, NODE_BEGINNING, NODE_END };

enum { LENGTH_WORDS = (SERIES_STRING_MAX + 64) / 64, NO_SELECTOR = TRIGGER_SELECTORS_MAX };

/* Which lookups may find something behind a key (I3). */
struct ends {
	bool values;
	uint64_t beginnings[LENGTH_WORDS], ends[LENGTH_WORDS]; /* bit n: some of n bytes */
};

struct node {
	uint32_t number; /* from 1; 0 is the root */
	uint32_t wanted; /* selectors that lead here, chosen or not */
	uint32_t cap, nr;
	uint32_t *rules;
	struct ends *ends; /* NODE_KEY; NULL: nothing stands behind it */
};

struct set {
	const uint32_t *rules;
	size_t nr;
};

struct rules_index {
	const struct rule *rule;
	size_t nr;
	struct map nodes;    /* borrows them */
	uint32_t nr_nodes;
	struct arena arena;  /* owns nodes and sets */
	uint32_t *found;     /* room for nr: what a series has (I1) */
	size_t nr_found;
	struct set *sets;    /* by number */
	size_t nr_sets, cap_sets;
	struct map by_bytes; /* numbers of sets, as pointers (I2) */
};

void rules_index_free(struct rules_index *x)
{
	if (!x)
		return;
	map_fini(&x->nodes);
	map_fini(&x->by_bytes);
	arena_fini(&x->arena);
	free(x->found);
	free(x->sets);
	free(x);
}

static void node_key(uint32_t parent, enum node_type type, struct str text, uint8_t out[MAP_KEY_BYTES])
{
	uint8_t flat[sizeof(parent) + 1 + SERIES_STRING_MAX];
	XXH128_hash_t hash;

	memcpy(flat, &parent, sizeof(parent));
	flat[sizeof(parent)] = (uint8_t)type;
	if (text.len)
		memcpy(flat + sizeof(parent) + 1, text.p, text.len);
	hash = XXH3_128bits(flat, sizeof(parent) + 1 + text.len);
	memcpy(out, &hash, MAP_KEY_BYTES);
}

/* NULL when there is none, or no parent. */
static struct node *find_node(const struct rules_index *x, const struct node *parent, enum node_type type, struct str text)
{
	uint8_t key[MAP_KEY_BYTES];

	if ((!parent && type != NODE_SITE) || text.len > SERIES_STRING_MAX)
		return NULL;
	node_key(parent ? parent->number : 0, type, text, key);
	return map_get(&x->nodes, key);
}

/* Made when there is none. NULL when memory is short, or there is no parent. */
static struct node *need_node(struct rules_index *x, const struct node *parent, enum node_type type, struct str text)
{
	struct node *node = find_node(x, parent, type, text);
	uint8_t key[MAP_KEY_BYTES];

	if (node || (!parent && type != NODE_SITE))
		return node;
	node = arena_alloc(&x->arena, sizeof(*node));
	if (!node)
		return NULL;
	node_key(parent ? parent->number : 0, type, text, key);
	node->number = ++x->nr_nodes;
	return map_put(&x->nodes, key, node) < 0 ? NULL : node;
}

/* Where a selector looks behind its key: kind of node and text. False: a tag that must not be there leads nowhere. */
static bool lead(const struct tag_selector *s, size_t value, enum node_type *type, struct str *text)
{
	size_t begin = 0, end;

	*type = NODE_VALUE;
	*text = s->values_len ? s->values[value] : STR("");
	if (s->op == SELECTOR_OP_EXACT || s->op == SELECTOR_OP_ONE_OF)
		return true;
	end = text->len;
	while (begin < text->len && text->p[begin] != '*' && text->p[begin] != '?')
		begin++;
	while (end > 0 && text->p[end - 1] != '*' && text->p[end - 1] != '?')
		end--;
	*type = begin || end == text->len ? NODE_BEGINNING : NODE_END;
	*text = *type == NODE_BEGINNING ? (struct str){text->p, begin} : (struct str){text->p + end, text->len - end};
	return s->op != SELECTOR_OP_ABSENT;
}

static size_t nr_leads(const struct tag_selector *s)
{
	return s->op == SELECTOR_OP_ONE_OF ? s->values_len : 1;
}

static struct node *metric_of(const struct rules_index *x, const struct trigger *t)
{
	return find_node(x, find_node(x, NULL, NODE_SITE, t->site), NODE_METRIC, t->metric);
}

/* First: all nodes, and how many want each. */
static int want(struct rules_index *x, const struct trigger *t)
{
	struct node *metric = need_node(x, need_node(x, NULL, NODE_SITE, t->site), NODE_METRIC, t->metric);

	if (!metric)
		return -1;
	for (size_t i = 0; i < t->tags_len; i++) {
		const struct tag_selector *s = &t->tags[i];
		enum node_type type;
		struct str text;

		for (size_t j = 0; j < nr_leads(s) && lead(s, j, &type, &text); j++) {
			struct node *node = need_node(x, need_node(x, metric, NODE_KEY, s->key), type, text);

			if (!node)
				return -1;
			node->wanted++;
		}
	}
	return 0;
}

/* The most rules that one would find where a selector leads. */
static uint32_t crowd(const struct rules_index *x, const struct node *metric, const struct tag_selector *s)
{
	const struct node *key = find_node(x, metric, NODE_KEY, s->key);
	uint32_t most = 0;
	enum node_type type;
	struct str text;

	for (size_t j = 0; j < nr_leads(s) && lead(s, j, &type, &text); j++) {
		const struct node *node = find_node(x, key, type, text);

		if (node->wanted > most)
			most = node->wanted;
	}
	return most ? most : UINT32_MAX;
}

/* Then: the selector at which a rule will stand; NO_SELECTOR: none. */
static size_t choose(const struct rules_index *x, const struct node *metric, const struct trigger *t)
{
	uint32_t least = UINT32_MAX;
	size_t best = NO_SELECTOR;

	for (size_t i = 0; i < t->tags_len; i++) {
		uint32_t n = crowd(x, metric, &t->tags[i]);

		if (n < least) {
			least = n;
			best = i;
		}
	}
	return best;
}

static int note_length(struct rules_index *x, struct node *key, enum node_type type, size_t len)
{
	if (!key->ends)
		key->ends = arena_alloc(&x->arena, sizeof(*key->ends));
	if (!key->ends)
		return -1;
	if (type == NODE_VALUE)
		key->ends->values = true;
	else
		(type == NODE_BEGINNING ? key->ends->beginnings : key->ends->ends)[len / 64] |= UINT64_C(1) << len % 64;
	return 0;
}

/* A rule stands at a node. */
static int stand(struct rules_index *x, struct node *node, uint32_t rule)
{
	if (node->nr == node->cap) {
		uint32_t cap = node->cap ? 2 * node->cap : 1;
		uint32_t *rules = arena_calloc(&x->arena, cap, sizeof(*rules));

		if (!rules)
			return -1;
		if (node->nr)
			memcpy(rules, node->rules, node->nr * sizeof(*rules));
		node->rules = rules;
		node->cap = cap;
	}
	node->rules[node->nr++] = rule;
	return 0;
}

static int place_rule(struct rules_index *x, uint32_t rule)
{
	const struct trigger *t = &x->rule[rule].trigger;
	struct node *key, *metric = metric_of(x, t);
	size_t best = choose(x, metric, t);
	const struct tag_selector *s;
	enum node_type type;
	struct str text;

	if (best == NO_SELECTOR)
		return stand(x, metric, rule);
	s = &t->tags[best];
	key = find_node(x, metric, NODE_KEY, s->key);
	for (size_t j = 0; j < nr_leads(s) && lead(s, j, &type, &text); j++)
		if (note_length(x, key, type, text.len) < 0 || stand(x, find_node(x, key, type, text), rule) < 0)
			return -1;
	return 0;
}

static int build(struct rules_index *x)
{
	x->found = malloc((x->nr + 1) * sizeof(*x->found));
	x->cap_sets = 16;
	x->sets = calloc(x->cap_sets, sizeof(*x->sets));
	x->nr_sets = RULES_NONE + 1;
	if (!x->found || !x->sets)
		return -1;
	for (size_t i = 0; i < x->nr; i++)
		if (!x->rule[i].trigger.has_check_in && want(x, &x->rule[i].trigger) < 0)
			return -1;
	for (size_t i = 0; i < x->nr; i++)
		if (!x->rule[i].trigger.has_check_in && place_rule(x, (uint32_t)i) < 0)
			return -1;
	return 0;
}

struct rules_index *rules_index_new(const struct rule *rule, size_t nr)
{
	struct rules_index *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->rule = rule;
	x->nr = nr;
	if (build(x) == 0)
		return x;
	rules_index_free(x);
	return NULL;
}

/* Asks the rules that stand at a node. */
static void ask(struct rules_index *x, const struct node *node, const struct series_id *id)
{
	for (uint32_t i = 0; node && i < node->nr; i++)
		if (trigger_matches(&x->rule[node->rules[i]].trigger, id))
			x->found[x->nr_found++] = node->rules[i];
}

/* Looks a value's beginnings up, or its ends, of all lengths that there are. */
static void ask_lengths(struct rules_index *x, const struct node *key, enum node_type type, struct str value, const struct series_id *id)
{
	const uint64_t *lengths = type == NODE_BEGINNING ? key->ends->beginnings : key->ends->ends;

	for (size_t word = 0; word < LENGTH_WORDS; word++)
		for (uint64_t left = lengths[word]; left; left &= left - 1) {
			size_t len = 64 * word + (size_t)__builtin_ctzll(left);

			if (len > value.len)
				return;
			ask(x, find_node(x, key, type, (struct str){type == NODE_BEGINNING ? value.p : value.p + value.len - len, len}), id);
		}
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The number of the set that was found (I2). */
static uint32_t intern(struct rules_index *x)
{
	const struct str bytes = {(const char *)x->found, x->nr_found * sizeof(*x->found)};
	uint8_t key[MAP_KEY_BYTES];
	struct set *sets = x->sets;
	struct str kept;
	void *known;

	map_key_of(bytes, key);
	known = map_get(&x->by_bytes, key);
	if (known)
		return (uint32_t)(uintptr_t)known;
	if (x->nr_sets == x->cap_sets) {
		sets = realloc(sets, 2 * x->cap_sets * sizeof(*sets));
		if (!sets)
			return RULES_UNMATCHED;
		x->sets = sets;
		x->cap_sets *= 2;
	}
	kept = arena_str(&x->arena, bytes);
	if (!kept.p || map_put(&x->by_bytes, key, (void *)(uintptr_t)x->nr_sets) < 0)
		return RULES_UNMATCHED;
	sets[x->nr_sets] = (struct set){(const uint32_t *)(const void *)kept.p, x->nr_found};
	return (uint32_t)x->nr_sets++;
}

/* (I1), as trigger_matches() has it. */
static bool is_first(const struct series_id *id, size_t tag)
{
	for (size_t i = 0; i < tag; i++)
		if (str_eq(id->tags[i].key, id->tags[tag].key))
			return false;
	return true;
}

uint32_t rules_index_match(struct rules_index *x, const struct series_id *id)
{
	const struct node *metric = find_node(x, find_node(x, NULL, NODE_SITE, id->site), NODE_METRIC, id->name);

	if (!metric)
		return RULES_NONE;
	x->nr_found = 0;
	ask(x, metric, id);
	for (size_t i = 0; i < id->tags_len; i++) {
		const struct node *key = find_node(x, metric, NODE_KEY, id->tags[i].key);

		if (!key || !key->ends || !is_first(id, i))
			continue;
		if (key->ends->values)
			ask(x, find_node(x, key, NODE_VALUE, id->tags[i].value), id);
		ask_lengths(x, key, NODE_BEGINNING, id->tags[i].value, id);
		ask_lengths(x, key, NODE_END, id->tags[i].value, id);
	}
	if (!x->nr_found)
		return RULES_NONE;
	qsort(x->found, x->nr_found, sizeof(*x->found), by_number);
	return intern(x);
}

const uint32_t *rules_index_set(const struct rules_index *x, uint32_t set, size_t *nr)
{
	*nr = set < x->nr_sets ? x->sets[set].nr : 0;
	return *nr ? x->sets[set].rules : NULL;
}

size_t rules_index_bytes(const struct rules_index *x)
{
	return memory_rounded(sizeof(*x)) + map_bytes(&x->nodes) + map_bytes(&x->by_bytes) + x->arena.held_bytes +
	       memory_rounded((x->nr + 1) * sizeof(*x->found)) + memory_rounded(x->cap_sets * sizeof(*x->sets));
}
