/* atom.c - the feed, RFC 4287: an entry an incident, which comes up again with each of its posts.
 *
 * Ids are UUIDs made of the page's address and the incident's id by a hash (version 8 of RFC 9562: of a maker's own kind), so they are the same from every
 * instance and after every restart. Without page.url links are relative to the feed's own address, as RFC 4287 lets them be. */
#include <inttypes.h>
#include <xxhash.h>

#include "sink/status/escape.h"
#include "sink/status/page_view.h"
#include "sink/status/time_words.h"

/* incident empty: the feed's own. */
static void id_of(struct buf *out, const struct page *p, struct str incident)
{
	struct buf name = BUF_INIT;
	XXH128_hash_t h;

	buf_printf(&name, "millrace-status\n" STR_FMT "\n" STR_FMT, STR_ARG(p->url), STR_ARG(incident));
	h = XXH3_128bits(name.p, name.len);
	out->failed |= buf_failed(&name);
	buf_fini(&name);
	buf_printf(out, "<id>urn:uuid:%08" PRIx32 "-%04x-8%03x-%04x-%012" PRIx64 "</id>\n", (uint32_t)(h.high64 >> 32), (unsigned)(h.high64 >> 16) & 0xffff,
		   (unsigned)h.high64 & 0xfff, ((unsigned)(h.low64 >> 48) & 0x3fff) | 0x8000, h.low64 & UINT64_C(0xffffffffffff));
}

static void element(struct buf *out, const char *name, struct str text)
{
	buf_printf(out, "<%s>", name);
	escape_text(out, text);
	buf_printf(out, "</%s>\n", name);
}

static void stamp(struct buf *out, const char *name, int64_t t_ms)
{
	buf_printf(out, "<%s>", name);
	time_words_stamp(out, t_ms);
	buf_printf(out, "</%s>\n", name);
}

/* path without its slash: below page.url, or beside the feed. */
static void link_to(struct buf *out, const struct page *p, const char *rel, const char *type, const char *path, struct str id)
{
	buf_printf(out, "<link rel=\"%s\" type=\"%s\" href=\"", rel, type);
	escape_text(out, p->url);
	markup(out, p->url.len ? "/" : *path ? "" : "./");
	markup(out, path);
	escape_text(out, id);
	markup(out, "\"/>\n");
}

/* Readers of feeds keep no line ends and no styles. */
static void lines(struct buf *html, struct str text)
{
	for (size_t n = 0; text.len; text = (struct str){text.p + n, text.len - n}) {
		const char *end = memchr(text.p, '\n', text.len);

		n = end ? (size_t)(end - text.p) + 1 : text.len;
		escape_text(html, (struct str){text.p, end ? n - 1 : n});
		if (end)
			markup(html, "<br>\n");
	}
}

/* The posts as HTML; written into the feed it is text once more. */
static void content(struct buf *out, const struct status_incident *i)
{
	struct buf html = BUF_INIT;
	struct page_post post;
	size_t at = i->nr_lines;

	while (page_post_before(i, &at, &post)) {
		buf_printf(&html, "<p><strong>%s</strong>, ", page_post_words(i, &post));
		time_words_at(&html, post.at_ms, 0);
		markup(&html, post.text.len ? "</p>\n<p>" : "");
		lines(&html, post.text);
		markup(&html, "</p>\n");
	}
	markup(out, "<content type=\"html\">");
	escape_text(out, buf_str(&html));
	markup(out, "</content>\n");
	out->failed |= buf_failed(&html);
	buf_fini(&html);
}

/* In the order of the RFC's own examples. */
static void entry(struct buf *out, const struct page *p, const struct status_incident *i)
{
	markup(out, "<entry>\n");
	id_of(out, p, i->id);
	element(out, "title", i->title);
	stamp(out, "published", i->posted_at);
	stamp(out, "updated", page_last_post_ms(i));
	link_to(out, p, "alternate", "text/html", PAGE_PATH_INCIDENT + 1, i->id);
	buf_printf(out, "<category term=\"%s\" label=\"%s\"/>\n", status_impact_name(i->impact), page_impact_words(i->impact));
	content(out, i);
	markup(out, "</entry>\n");
}

/* A feed without entries has the time at which nothing had happened yet, as it must have one, and it must not change from look to look. */
int page_atom(const struct page *p, struct buf *out, struct err *err)
{
	const struct str none = STR("");
	struct page_selection s;

	if (page_select(p, PAGE_LIST_PUBLIC, &s, err) < 0)
		return -1;
	markup(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"en\">\n");
	id_of(out, p, none);
	element(out, "title", p->title);
	stamp(out, "updated", s.nr ? page_last_post_ms(s.all[0]) : 0);
	markup(out, "<author>");
	element(out, "name", p->title);
	markup(out, "</author>\n");
	link_to(out, p, "self", "application/atom+xml", PAGE_PATH_ATOM + 1, none);
	link_to(out, p, "alternate", "text/html", "", none);
	buf_printf(out, "<generator>Millrace</generator>\n");
	for (size_t k = 0; k < s.nr && k < PAGE_FEED_MAX; k++)
		entry(out, p, s.all[k]);
	markup(out, "</feed>\n");
	page_selection_fini(&s);
	return buf_failed(out) ? err_nomem(err, "the feed") : 0;
}
