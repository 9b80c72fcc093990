/* html_components.c - see html_parts.h: the list of components.
 *
 * Storage is one line a cell and there may be many: those in trouble are told in full, the others stand close together below, folded away when there are more
 * than fit a glance. */
#include "sink/status/escape.h"
#include "sink/status/html_parts.h"
#include "sink/status/time_words.h"

enum { CELLS_AT_A_GLANCE = 12 };

/* "Storage, Europe" is "Europe" below the heading that says storage. */
static struct str short_title(const struct status_component *c)
{
	struct str title = c->title;

	if (page_is_cell(c))
		str_take(&title, "Storage, ");
	return title;
}

/* Mark and word together: neither is ever alone. */
static void state_word(struct buf *out, enum component_state state)
{
	markup(out, "<span");
	html_class(out, "state", state);
	markup(out, ">");
	html_mark(out, state);
	buf_printf(out, "<span>%s</span></span>", page_state_words(state));
}

/* Why it is so, since when, and for how long still. */
static void story(struct buf *out, const struct page *p, const struct status_component *c)
{
	int64_t recovery_at = page_recovery_at(p, c);

	if (c->detail.len) {
		markup(out, "<p class=\"detail\" dir=\"auto\">");
		escape_text(out, c->detail);
		markup(out, "</p>");
	}
	if (c->state == COMPONENT_STATE_OPERATIONAL)
		return;
	markup(out, "<p class=\"when\">Since ");
	time_words_at(out, c->since, p->now_ms);
	markup(out, ", ");
	time_words_ago(out, c->since, p->now_ms);
	if (recovery_at) {
		markup(out, ". Expected to have caught up at about ");
		time_words_at(out, recovery_at, p->now_ms);
		markup(out, ", ");
		time_words_ago(out, recovery_at, p->now_ms);
	}
	markup(out, ".</p>");
}

/* One line of the list, with its story below. A cell is one level of headings further down, below storage. */
static void component(struct buf *out, const struct page *p, const struct status_component *c)
{
	int level = page_is_cell(c) ? 4 : 3;

	markup(out, "<li class=\"component\"><div class=\"line\">");
	buf_printf(out, "<h%d dir=\"auto\">", level);
	escape_text(out, short_title(c));
	buf_printf(out, "</h%d>", level);
	state_word(out, c->state);
	markup(out, "</div>");
	story(out, p, c);
	markup(out, "</li>\n");
}

/* How the cells are, over all. */
struct cells {
	size_t nr, well;
};

static struct cells count_cells(const struct page *p)
{
	struct cells n = {0, 0};

	for (size_t i = 0; i < p->nr_components; i++) {
		const struct status_component *c = &p->components[i];

		if (!page_is_cell(c))
			continue;
		n.nr++;
		n.well += c->state == COMPONENT_STATE_OPERATIONAL;
	}
	return n;
}

/* The cells that are operational, and have nothing to say. */
static void well_cells(struct buf *out, const struct page *p, const struct cells *n)
{
	bool folded = n->well > CELLS_AT_A_GLANCE;

	if (!n->well)
		return;
	if (folded)
		buf_printf(out, "<details><summary>%s%zu cells operational</summary>\n", n->well == n->nr ? "All " : "", n->well);
	markup(out, "<ul class=\"cells\">\n");
	for (size_t i = 0; i < p->nr_components; i++) {
		const struct status_component *c = &p->components[i];

		if (!page_is_cell(c) || c->state != COMPONENT_STATE_OPERATIONAL)
			continue;
		markup(out, "<li><span");
		html_class(out, "state", c->state);
		markup(out, ">");
		html_mark(out, c->state);
		markup(out, "<span class=\"hidden\">Operational: </span></span><span dir=\"auto\">");
		escape_text(out, short_title(c));
		markup(out, "</span></li>\n");
	}
	markup(out, folded ? "</ul></details>\n" : "</ul>\n");
}

/* A single cell needs no list. */
static void storage(struct buf *out, const struct page *p)
{
	struct cells n = count_cells(p);
	size_t troubled = n.nr - n.well;

	markup(out, "<li class=\"component\"><div class=\"line\"><h3>Storage</h3>");
	state_word(out, page_storage_state(p));
	markup(out, "</div>\n");
	if (troubled)
		buf_printf(out, "<p class=\"detail\">%zu of %zu cell%s %s not operational.</p>\n<ul class=\"components inner\">\n", troubled, n.nr, n.nr == 1 ? "" : "s",
			   troubled == 1 ? "is" : "are");
	for (size_t i = 0; i < p->nr_components; i++)
		if (page_is_cell(&p->components[i]) && p->components[i].state != COMPONENT_STATE_OPERATIONAL)
			component(out, p, &p->components[i]);
	if (troubled)
		markup(out, "</ul>\n");
	well_cells(out, p, &n);
	markup(out, "</li>\n");
}

/* In the page's own order; all cells stand where the first of them does. */
void html_components(struct buf *out, const struct page *p)
{
	bool told = false;

	markup(out, "<section aria-labelledby=\"components\">\n<h2 id=\"components\">Components</h2>\n");
	if (!p->nr_components) {
		markup(out, "<p class=\"quiet\">The state of the components is not known yet.</p></section>\n");
		return;
	}
	markup(out, "<ul class=\"components\">\n");
	for (size_t i = 0; i < p->nr_components; i++) {
		if (!page_is_cell(&p->components[i]))
			component(out, p, &p->components[i]);
		else if (!told)
			storage(out, p);
		told |= page_is_cell(&p->components[i]);
	}
	markup(out, "</ul>\n</section>\n");
}
