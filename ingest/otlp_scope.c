/* otlp_scope.c - see otlp_scope.h.
 *
 * What is asked of a resource is looked up once: whoever sends many scopes below a resource with many attributes pays for both, and not for
 * their product. */
#include "ingest/otlp_scope.h"

#include "common/series.h"
#include "ingest/event.h"
#include "ingest/scrub.h"

enum { TAGS_MAX = EVENT_TAGS_MAX + 1 }; /* of an event; one more than is kept, so that it shows */

static const char *const few[] = {"service.name", "service.namespace", "service.version", "service.instance.id", "telemetry.sdk.language"};
_Static_assert(sizeof(few) / sizeof(few[0]) <= OTLP_FEW_MAX, "there is room");

static const struct pb_field scope_fields[] = {{NULL, 0}, {"name", 0}, [3] = {"attributes", 0}};
static const struct pb_message scope_message = PB_MESSAGE(scope_fields);

const uint8_t *otlp_read_framed_attribute(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct arena *arena, struct otlp_attributes *all)
{
	struct pb_read length = pb_read_length(at, end);

	return length.at ? otlp_read_attribute(r, length.at, length.at + length.value, arena, all) : pb_malformed(r, at, length);
}

const uint8_t *otlp_read_framed_resource(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct arena *arena, struct otlp_attributes *all)
{
	struct pb_read length = pb_read_length(at, end);

	return length.at ? otlp_read_resource(r, length.at, length.at + length.value, arena, all) : pb_malformed(r, at, length);
}

struct otlp_scope *otlp_scope_new(struct arena *arena, struct otlp_resource *resource)
{
	struct otlp_scope *scope = arena_alloc(arena, sizeof(*scope));

	if (scope)
		*scope = (struct otlp_scope){.resource = resource, .name = STR("")};
	return scope;
}

struct tag *otlp_attributes_copy(const struct otlp_attributes *all, struct arena *arena)
{
	struct tag *copy = arena_alloc_raw(arena, all->len * sizeof(*copy));

	if (copy && all->len)
		memcpy(copy, all->tags, all->len * sizeof(*copy));
	return copy;
}

const uint8_t *otlp_read_scope(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct arena *arena, struct otlp_scope *scope)
{
	struct pb_read length = pb_read_length(at, end);

	if (!length.at)
		return pb_malformed(r, at, length);
	at = length.at;
	end = at + length.value;
	while (at < end) {
		struct pb_read key = pb_read_key(at, end);

		if (!key.at)
			return pb_malformed(r, at, key);
		if (key.value == PB_KEY(1, PB_LEN))
			at = pb_read_text(r, key.at, end, &scope->name);
		else if (key.value == PB_KEY(3, PB_LEN))
			at = otlp_read_framed_attribute(r, key.at, end, arena, &scope->attributes);
		else
			at = pb_read_other(r, &scope_message, (uint32_t)key.value, key.at, end);
		if (!at)
			return pb_fail_in(r, &scope_message, (uint32_t)key.value >> 3);
	}
	return at;
}

size_t otlp_tags_add(struct tag *list, size_t len, size_t max, struct tag tag)
{
	if (len == max)
		return len;
	for (size_t i = 0; i < len; i++)
		if (str_eq(list[i].key, tag.key))
			return len;
	list[len] = tag;
	return len + 1;
}

struct str otlp_hex(struct arena *arena, const uint8_t *bytes, size_t n)
{
	char *text = arena_alloc_raw(arena, 2 * n + 1);

	return (struct str){text ? str_hex(bytes, n, text) : NULL, 2 * n};
}

static struct str value_or_empty(const struct otlp_attributes *all, const char *key)
{
	const struct str *value = otlp_attribute(all, key);

	return value ? *value : STR("");
}

/* The value of a key that is no literal; an empty one is none. */
static const struct str *find(const struct otlp_attributes *all, struct str key)
{
	for (size_t i = 0; i < all->len; i++)
		if (str_eq(all->tags[i].key, key))
			return all->tags[i].value.len ? &all->tags[i].value : NULL;
	return NULL;
}

static void settle_resource(struct otlp_resource *resource, const struct otlp_rules *rules)
{
	const struct otlp_attributes *all = &resource->attributes;

	resource->settled = true;
	resource->host = value_or_empty(all, OTLP_HOST_NAME);
	resource->environment = value_or_empty(all, "deployment.environment.name");
	if (!resource->environment.len)
		resource->environment = value_or_empty(all, "deployment.environment");
	resource->revision = value_or_empty(all, "service.version");
	for (size_t i = 0; i < rules->resource_tags_len; i++)
		resource->wanted[i] = find(all, rules->resource_tags[i]);
	for (size_t i = 0; i < sizeof(few) / sizeof(few[0]); i++) {
		struct tag tag = {str_from(few[i]), value_or_empty(all, few[i])};

		if (tag.value.len)
			resource->few[resource->few_len++] = tag;
	}
}

static int settle_scope(struct otlp_scope *scope, const struct otlp_rules *rules, struct payload *p)
{
	struct tag *tags = arena_alloc_raw(p->arena, rules->resource_tags_len * sizeof(*tags));
	size_t len = 0;

	if (!tags)
		return -1;
	if (!scope->resource->settled)
		settle_resource(scope->resource, rules);
	for (size_t i = 0; i < rules->resource_tags_len; i++) {
		struct str key = rules->resource_tags[i];
		const struct str *value = find(&scope->attributes, key);

		if (!value)
			value = scope->resource->wanted[i];
		if (value && !str_eq(key, STR(OTLP_HOST_NAME)) && !str_eq(key, STR(OTLP_INSTANCE_ID))) /* tell series apart only where it matters (otlp.h) */
			len = otlp_tags_add(tags, len, rules->resource_tags_len, (struct tag){key, *value});
	}
	if (scrub_tags(p->scrub, &p->scrubbed, p->arena, tags, len, SERIES_STRING_MAX) < 0)
		return -1;
	series_sort_tags(tags, len);
	scope->series_tags = tags;
	scope->series_tags_len = len;
	scope->settled = true;
	return 0;
}

int otlp_scope_describe(struct otlp_scope *scope, const struct otlp_rules *rules, struct payload *p, const struct tag *tags, size_t len,
			struct payload_event *e)
{
	struct tag *all;
	size_t max, n = 0;

	if (!scope->settled && settle_scope(scope, rules, p) < 0)
		return -1;
	max = scope->series_tags_len + scope->resource->few_len + len;
	max = max < TAGS_MAX ? max : TAGS_MAX;
	all = arena_alloc_raw(p->arena, max * sizeof(*all));
	if (!all)
		return -1;
	for (size_t i = 0; i < scope->series_tags_len; i++)
		n = otlp_tags_add(all, n, max, scope->series_tags[i]);
	for (size_t i = 0; i < scope->resource->few_len; i++)
		n = otlp_tags_add(all, n, max, scope->resource->few[i]);
	for (size_t i = 0; i < len && n < max; i++)
		n = otlp_tags_add(all, n, max, tags[i]);
	e->event.host = scope->resource->host;
	e->event.environment = scope->resource->environment;
	e->event.revision = scope->resource->revision;
	e->event.tags = all;
	e->event.tags_len = n;
	e->series_tags = scope->series_tags;
	e->series_tags_len = scope->series_tags_len;
	return 0;
}
