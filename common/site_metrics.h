/* site_metrics.h - counters by site, with a bounded number of sites.
 *
 * Sites come and go and may be many, and every label value costs the scraper for ever: so the first sites_max sites get a label of their own,
 * all later ones share site="__other__". All figures of one struct share the same sites, so that sums over figures agree label by label.
 * A site keeps its label until site_metrics_free(). */
#ifndef MILLRACE_SITE_METRICS_H
#define MILLRACE_SITE_METRICS_H

#include <stddef.h>

#include "common/metrics.h"
#include "common/str.h"

struct site_metrics;

/* nr figures, counters by name, over up to sites_max sites, in metrics. Borrows metrics and figures until it is freed, the strings for ever. NULL
 * when memory is short. */
struct site_metrics *site_metrics_new(struct metrics *metrics, const char *const *figures, size_t nr, size_t sites_max);

/* The metrics themselves stay in their registry, and handles stay good; NULL is a no-op. No thread may be in site_metrics_get() any more. */
void site_metrics_free(struct site_metrics *s);

/* The counter of a figure for a site, made when it is new; any thread may call and keep it. reason: a literal of a short fixed list, as the label
 * of that name, or NULL for none, always the same for one figure. NULL, which all operations take, when memory is short or s is NULL. */
struct metric *site_metrics_get(struct site_metrics *s, size_t figure, struct str site, const char *reason);

/* The same for a figure whose second label has another name, a literal, always the same for one figure. */
struct metric *site_metrics_get_by(struct site_metrics *s, size_t figure, struct str site, const char *label, const char *value);

#endif
