/* site_metrics.c - see site_metrics.h.
 *
 * The registry finds a metric by rendering its labels and comparing texts; here a site is one hash lookup, and its handles a short list. One
 * mutex guards all, held for that long: callers come once a payload, not once a sample. */
#include "common/site_metrics.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/map.h"

/* Longer ids than any operator may give are nobody's: they share a label rather than fill a page. */
enum { SITE_BYTES_MAX = 255 };

struct handle {
	struct handle *next;
	const char *value; /* of the second label, borrowed; NULL: none */
	struct metric *metric;
};

struct site {
	struct handle **handles; /* a list by figure */
	char label[SITE_BYTES_MAX + 1];
};

struct site_metrics {
	pthread_mutex_t mutex;
	struct metrics *metrics;
	const char *const *figures;
	size_t nr, sites_max;
	struct map sites; /* by XXH3-128 of the id; owns them */
	struct site *other;
};

static void site_free(struct site *site, size_t nr)
{
	if (!site)
		return;
	for (size_t i = 0; i < nr; i++)
		while (site->handles[i]) {
			struct handle *h = site->handles[i];

			site->handles[i] = h->next;
			free(h);
		}
	free(site->handles);
	free(site);
}

static struct site *site_new(struct str id, size_t nr)
{
	struct site *site = calloc(1, sizeof(*site));

	if (!site)
		return NULL;
	site->handles = calloc(nr, sizeof(struct handle *));
	if (!site->handles) {
		free(site);
		return NULL;
	}
	memcpy(site->label, id.p, id.len);
	return site;
}

struct site_metrics *site_metrics_new(struct metrics *metrics, const char *const *figures, size_t nr, size_t sites_max)
{
	struct site_metrics *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->other = site_new(STR("__other__"), nr);
	if (!s->other) {
		free(s);
		return NULL;
	}
	pthread_mutex_init(&s->mutex, NULL);
	s->metrics = metrics;
	s->figures = figures;
	s->nr = nr;
	s->sites_max = sites_max;
	return s;
}

void site_metrics_free(struct site_metrics *s)
{
	const struct map_slot *slot;
	size_t at = 0;

	if (!s)
		return;
	while ((slot = map_next(&s->sites, &at)) != NULL)
		site_free(slot->value, s->nr);
	map_fini(&s->sites);
	site_free(s->other, s->nr);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

/* The site of this id, or the one that the rest shares. */
static struct site *find_site(struct site_metrics *s, struct str id)
{
	uint8_t key[MAP_KEY_BYTES];
	struct site *site;

	if (id.len < 1 || id.len > SITE_BYTES_MAX)
		return s->other;
	map_key_of(id, key);
	site = map_get(&s->sites, key);
	if (site || s->sites.len >= s->sites_max)
		return site ? site : s->other;
	site = site_new(id, s->nr);
	if (site && map_put(&s->sites, key, site) == 0)
		return site;
	site_free(site, s->nr);
	return s->other;
}

static struct handle *handle_new(struct site_metrics *s, size_t figure, const struct site *site, const char *label, const char *value)
{
	struct handle *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->value = value;
	h->metric = value ? metrics_counter(s->metrics, s->figures[figure], "site", site->label, label, value, NULL)
			  : metrics_counter(s->metrics, s->figures[figure], "site", site->label, NULL);
	return h;
}

static struct metric *find_metric(struct site_metrics *s, size_t figure, struct site *site, const char *label, const char *value)
{
	struct handle **list = &site->handles[figure], *h;

	for (h = *list; h; h = h->next)
		if (h->value == value || (h->value && value && strcmp(h->value, value) == 0))
			return h->metric;
	h = handle_new(s, figure, site, label, value);
	if (!h)
		return NULL;
	h->next = *list;
	*list = h;
	return h->metric;
}

struct metric *site_metrics_get_by(struct site_metrics *s, size_t figure, struct str site, const char *label, const char *value)
{
	struct metric *metric;

	if (!s || figure >= s->nr)
		return NULL;
	pthread_mutex_lock(&s->mutex);
	metric = find_metric(s, figure, find_site(s, site), label, value);
	pthread_mutex_unlock(&s->mutex);
	return metric;
}

struct metric *site_metrics_get(struct site_metrics *s, size_t figure, struct str site, const char *reason)
{
	return site_metrics_get_by(s, figure, site, "reason", reason);
}
