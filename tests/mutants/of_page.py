"""The mutants of the status page: what may be seen, how it is written, how old it is, and how it is served."""
from mutant import unit


def of(name, module, find, replace, test):
    return unit(name, f"sink/status/{module}.c", find, replace, "status", f"test_{test}")


MUTANTS = [
    of("page-quote-is-bare", "escape", '	case \'"\':\n		return "&quot;";\n', "", "escape"),
    of("page-bracket-is-bare", "escape", "	case '<':\n		return \"&lt;\";\n", "", "html"),
    of("page-ampersand-is-bare", "escape", "	case '&':\n		return \"&amp;\";\n", "", "escape"),
    of("page-no-character-at-all", "escape", "p[2] >= 0xbe ? 3 : 0", "p[2] > 0xbf ? 3 : 0", "escape"),
    of("page-bytes-of-no-text", "escape", "good ? bad_character(p + i, text.len - i) : 1", "good ? bad_character(p + i, text.len - i) : 0", "escape"),
    of("page-title-is-markup", "html_incident", "		escape_text(out, i->title);\n	else\n", "		buf_add(out, i->title.p, i->title.len);\n	else\n", "html"),
    of("page-feed-escaped-once", "atom", "	escape_text(out, buf_str(&html));\n", "	buf_add(out, html.p, html.len);\n", "atom"),
    of("page-drafts-are-public", "page", "	return i->state == STATUS_INCIDENT_POSTED || i->state == STATUS_INCIDENT_RESOLVED;", "	return i->state != STATUS_INCIDENT_VETOED;", "page"),
    of("page-refused-is-said", "page", "	return !l->refused && (action == STATUS_ACTION_POST", "	return (action == STATUS_ACTION_POST", "html"),
    of("page-draft-words-are-public", "page", "(action == STATUS_ACTION_POST || action == STATUS_ACTION_UPDATE", "(action <= STATUS_ACTION_UPDATE", "html"),
    of("page-post-has-no-words", "page", "	if (e->text.len || e->action != STATUS_ACTION_POST)", "	if (e)", "page"),
    of("page-first-words-of-a-draft", "page", "	for (size_t k = at; k-- > 0;)\n", "	for (size_t k = 0; k < at; k++)\n", "page"),
    of("page-a-cell-is-all", "page", " && !all_major ? COMPONENT_STATE_PARTIAL_OUTAGE : worst;", " && all_major ? COMPONENT_STATE_PARTIAL_OUTAGE : worst;", "page"),
    of("page-recent-for-ever", "page", "p->now_ms - i->ended_at < PAGE_RECENT_DAYS * DAY_MS;", "p->now_ms - i->ended_at < 99 * PAGE_RECENT_DAYS * DAY_MS;", "page"),
    of("page-recovery-of-yesterday", "page", " && at_ms > p->now_ms ? at_ms : 0", " ? at_ms : 0", "page"),
    of("page-recovery-from-now", "page", "	int64_t at_ms = (p->as_of_ms ? p->as_of_ms : p->now_ms)", "	int64_t at_ms = p->now_ms", "page"),
    of("page-expected-though-over", "html_incident", "	if (i->recovery_at > p->now_ms) {", "	if (i->recovery_at) {", "html"),
    of("page-update-promised-late", "html_incident", " && i->told_at && next_at > p->now_ms)", " && i->told_at)", "html"),
    of("page-old-and-silent", "html_frame", "	if (!p->stale)\n		return;\n", "	return;\n", "html"),
    of("page-ages-backwards", "time_words", "	int64_t ms = now_ms - t_ms;", "	int64_t ms = t_ms - now_ms;", "time_words"),
    of("page-age-below-zero", "json", "(p->now_ms > p->as_of_ms ? (p->now_ms - p->as_of_ms) / 1000 : 0)", "((p->now_ms - p->as_of_ms) / 1000)", "json"),
    of("page-unknown-is-operational", "json", "	if (page_is_known(p))\n", "	if (p)\n", "json"),
    of("page-sent-again", "server", "	return known && (strcmp(known, \"*\") == 0 || strstr(known, etag));", "	return known && strcmp(known, etag) == 0;", "page_server"),
    of("page-never-sent-again", "server", "	return known && (strcmp(known, \"*\") == 0 || strstr(known, etag));", "	return known && (*known || *etag);", "page_server"),
    of("page-crowd-stays", "server", "	if (!oldest || taken <= CONNECTIONS_MAX - CONNECTIONS_SPARE)", "	if (!oldest || taken)", "page_server"),
    of("page-slow-ones-stay", "server", "now_ms - s->places[i].begun_ms > REQUEST_MS", "now_ms - s->places[i].begun_ms > 2 * REQUEST_MS", "page_server"),
    of("page-no-time-of-its-own", "server", "		place->begun_ms = clock_mono_ms();\n", "		(void)place;\n", "page_server"),
]
