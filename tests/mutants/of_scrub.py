"""The mutants of scrubbing, grouping and backtraces."""
from mutant import unit


def of(name, module, find, replace, test):
    """One in ingest/MODULE.c that the unit test must notice."""
    return unit(name, f"ingest/{module}.c", find, replace, "ingest", f"test_{test}")


def scrub(name, module, find, replace):
    return of(f"scrub-{name}", f"scrub{module}", find, replace, "scrub")


def group(name, find, replace, module="group_text"):
    return of(f"group-{name}", module, find, replace, "group")


def backtrace(name, module, find, replace):
    return of(f"backtrace-{name}", f"backtrace{module}", find, replace, "backtrace")


MUTANTS = [
    of("known-though-it-has-a-secret", "split", "	if (changed > 0)\n", "	if (changed > 0 && p->known)\n		scrub_known_add(p->known, s->fingerprint);\n	if (changed > 0)\n", "split"),
    of("scrubbed-under-its-old-name", "split", "	if (changed > 0)\n		fingerprint(s, sp->route->site);\n	else if", "	if", "split"),
    of("last-series-unscrubbed", "split", "i < p->unscrubbed_len && p->scrub", "i + 1 < p->unscrubbed_len && p->scrub", "split"),
    of("change-of-tags-unseen", "scrub", "changed |= tags[i].value.p != was.p ||", "changed = tags[i].value.p != was.p && false &&", "split"),
    of("whole-set-is-known", "scrub_known", "found |= set->series[i] == name;", "found |= set->series[i] != 0 && name != 0;", "scrub_known"),
    of("first-place-only", "scrub_known", "	while (at < SCRUB_KNOWN_WAYS && set->series[at])\n		at++;\n", "	while (at < 0)\n		at++;\n", "scrub_known"),
    of("free-place-is-a-series", "scrub_known", "return name ? name : 1;", "return name;", "scrub_known"),
    of("old-is-never-forgotten", "scrub_known", "	set->series[at < SCRUB_KNOWN_WAYS ?", "	if (at < SCRUB_KNOWN_WAYS)\n		set->series[at < SCRUB_KNOWN_WAYS ?", "scrub_known"),
    scrub("words-are-any-bytes", "_keys", "r->kind == TAIL || w->begins[at]", "1"),
    scrub("a-whole-key-is-any-word", "_keys", "at == 0 && end == w->len : r->kind", "1 : r->kind"),
    scrub("camels-are-one-word", "_keys", "	return !(before == UPPER && now == LOWER);", "	return before == GAP;"),
    scrub("capitals-swallow-a-word", "_keys", "return now == UPPER && i + 1 < key.len && letter_of(key.p[i + 1]) == LOWER;", "return now == UPPER && i + 1 > key.len;"),
    scrub("counts-of-secrets-are-secret", "_keys", "		if (str_eq(tail, str_from(harmless_tails[i])))", "		if (0 && tail.len)"),
    scrub("exceptions-ignored", "_keys", "return !is_except(k, &w);", "return !is_except(k, &w) || w.len;"),
    scrub("one-word-of-two", "_keys", "at_end ? w.last : w.len", "w.len"),
    scrub("percent-is-two-letters", "_keys", "			i += 2; /* of", "			i += 0; /* of"),
    scrub("grams-of-five-letters", "_keys", "	if (i == 4)\n", "	if (i == 5)\n"),
    scrub("no-rule-of-three-letters", "_keys", "	return ((known | gram_known(k, gram_push(gram, 0))) & 1) != 0;", "	return (known & 1) != 0;"),
    scrub("escaped-letters-are-letters", "_keys", "		known |= key.p[i] == '%';\n", ""),
    scrub("shape-behind-a-letter-only", "", "i && (s->bytes[(uint8_t)text.p[i - 1]] & WITHIN)", "i"),
    scrub("before-a-password-unseen", "", "			i += found.from > i;", "			i = found.to;"),
    scrub("escaped-quote-ends", "_pairs", "(run - n) % (2 * (n + 1)) == 0", "1"),
    scrub("inner-string-ends-late", "_pairs", "(run < n || (run", "((run"),
    scrub("bracket-in-a-string", "_pairs", "			i = quoted_end(text, i, n) + n;", "			i += n * 0;"),
    scrub("brackets-do-not-nest", "_pairs", "--depth == 0", "(--depth, true)"),
    scrub("a-name-with-colons", "_pairs", "(i && text.p[i - 1] == ':') || (i + 1 < text.len && text.p[i + 1] == ':')", "0"),
    scrub("comparison-is-a-pair", "_pairs", "		if (i + 1 < text.len && (text.p[i + 1] == '=' || text.p[i + 1] == '~'))", "		if (0)"),
    scrub("a-line-is-a-secret", "_pairs", "(text.p[i] == ':' && is_place", "(text.p[i] == ';' && is_place"),
    scrub("comma-ends-a-password", "_pairs", "(c == ',' || c == ';') && begins_key(text, i + 1, divider)", "(c == ',' || (c == ';' && begins_key(text, i + 1, divider)))"),
    scrub("header-ends-at-a-blank", "_pairs", "divider == ':' && scrub_keys_is_header(key)", "divider == ';' && scrub_keys_is_header(key)"),
    scrub("bearer-is-the-secret", "_pairs", "end - from == strlen(schemes[k]) && begins(text, from, schemes[k])", "from == text.len"),
    scrub("ampersand-is-a-letter", "_pairs", "	return n == 5 ? n : 0;", "	return 0;"),
    scrub("cut-before", "", "*text = str_cut_utf8(*text, max_bytes + SCRUB_AHEAD_BYTES);", "*text = str_cut_utf8(*text, max_bytes);"),
    scrub("memo-of-another-length", "", " && memo->texts[i].max_bytes == max_bytes", ""),
    scrub("nothing-remembered", "", "memo && s && was.len >= MEMO_BYTES", "0"),
    backtrace("net-arguments-are-a-place", "_line", "(inner.len && !memchr(inner.p, ' ', inner.len))", "inner.len"),
    backtrace("net-is-all-own", "_own", "		return !begins_any(f->function, foreign_net);", "		return !begins_any(f->function, foreign_net) || f;"),
    backtrace("php-line-in-the-name", "_line", "	if (!read_php(line, f))\n", "	if (!read_php(line, f) || line.len)\n"),
    scrub("hides-what-is-hidden", "_pairs", "	if (begins(text, i, SCRUBBED))", "	if (0)"),
    scrub("null-is-a-secret", "_pairs", "!is_nothing((struct str){text.p + out->from, out->to - out->from})", "is_nothing((struct str){text.p, 0})"),
    scrub("luhn-unasked", "_shapes", "known && sum % 10 == 0", "known"),
    scrub("any-issuer", "_shapes", "	return known && sum", "	return sum"),
    scrub("card-within-a-number", "_shapes", "	return !is_alnum(text.p[i]);", "	return true;"),
    scrub("card-within-an-id", "_shapes", "	if (i >= 2 && (text.p[i - 1] == '-' || text.p[i - 1] == '.') && is_alnum(text.p[i - 2]))", "	if (0)"),
    scrub("dividers-mixed", "_shapes", "(divider && text.p[i] != divider)", "(divider && !text.p[i])"),
    scrub("basic-is-any-word", "_shapes", "basic ? !is_userpass((struct str){text.p + at, n}) : n", "basic ? is_userpass((struct str){text.p + at, n}) && n < 2 : n"),
    scrub("bearer-is-any-word", "_shapes", "(!digits && n < BEARER_SURE)", "0"),
    scrub("short-prefix-is-enough", "_shapes", "if (n < prefixes[k].rest || !digit)", "if (!digit)"),
    scrub("password-ends-at-the-first-sign", "_shapes", "		if (c == '@')\n", "		if (c == '@' && !sign)\n"),
    scrub("certificates-are-keys", "_shapes", 'memmem(text.p + i, header, "PRIVATE KEY", 11)', 'memmem(text.p + i, header, "-----", 5)'),
    scrub("token-looked-at-is-all-of-it", "_shapes", "at + run_of(text, at, TOKEN_BYTES, text.len)", "at + 8"),
    scrub("short-texts-are-plain", "", "	return !found;", "	return true;"),
    scrub("windows-do-not-overlap", "", "at += WINDOW_BYTES - OVERLAP_BYTES", "at += WINDOW_BYTES"),
    scrub("every-window-is-the-begin", "", "(at ? REG_NOTBOL : 0)", "0"),
    scrub("many-matches-and-the-rest-stays", "", "			return finds_add(f, at + from, at + len);", "			return 0;"),
    scrub("back-references-taken", "", "*p == '\\\\' && p[1] >= '1' && p[1] <= '9'", "0"),
    scrub("empty-matches-taken", "", 'if (regexec(compiled, "", 0, NULL, 0) == 0)', "if (!compiled)"),
    scrub("key-or-text", "", "			tags[i].value = STR(SCRUBBED);", "			continue;"),
    group("message-by-its-class-alone", "put_plain(n, e->error.message, group_message);", ";", "group"),
    group("lines-count", "put_plain(n, frame->file, group_file);", "put_plain(n, frame->file, group_file);\n		n->p[n->len++] = (uint8_t)frame->line;", "group"),
    group("any-frame", "e->backtrace[i].in_app && ", "", "group"),
    group("action-forgotten", "	put_plain(n, e->action, group_action);", "", "group"),
    group("site-forgotten", "	put(&n, site);\n", "	put(&n, (struct str){site.p, 0});\n", "group"),
    group("namespace-forgotten", "		put(&n, e->event.namespace);\n", "", "group"),
    group("ruby-by-class", "return i < s.len ? (struct str){s.p + i, s.len - i} : s;", "return s;", "group"),
    group("no-length-before-texts", "	n->p[n->len++] = (uint8_t)(s.len >> 8);\n", "", "group"),
    group("roots-stay", "found = name_begin(path, 2), begin = 0;", "found = 0 * name_begin(path, 2), begin = 0;"),
    group("first-folder", "				found = begin;", "				return begin;"),
    group("hashes-stay", "	return bundle && piece.len >= MIXED_MIN;", "	return bundle && piece.len >= MIXED_MIN + 90;"),
    group("query-stays", "if (s.p[i] == '?' || s.p[i] == '#')", "if (0)"),
    group("closures-numbered", "			n = skip_closure(rest);", "			n = 0 * skip_closure(rest);"),
    group("generics-stay", "if (depth ? c == '<' || c == '[' : opens(s, i))", "if (opens(s, i) && depth)"),
    group("uuid-in-parts", "if (n == 0 && begin && begins_uuid(rest))", "if (0)"),
    group("apostrophe-is-a-quote", "(close != '\\'' || i + 1 == s.len || !is_alnum(s.p[i + 1]))", "1"),
    group("numbers-in-a-row", 'if (at >= 2 && out[at - 2] == \'N\' && strchr(".:,-/", out[at - 1])', "if (0"),
    backtrace("causes-too", "", "	if (begins_another(r, line))", "	if (begins_another(r, line) && !line.len)"),
    backtrace("threads-too", "", "number >= 0 && number <= r->number", "0"),
    backtrace("python-as-it-stands", "", "r->last ? (r->len - 1 - i) % BACKTRACE_FRAMES_MAX : i", "i"),
    backtrace("python-the-first-frames", "", "if (r->len < BACKTRACE_FRAMES_MAX || r->last)", "if (r->len < BACKTRACE_FRAMES_MAX)"),
    backtrace("python-first-traceback", "", "	r->last = true;\n	r->len = 0;", "	r->last = true;"),
    backtrace("groups-too", "", "	if (r->group) {", "	if (0) {"),
    backtrace("place-forgotten", "", "	r->pending.line = f->line;\n", ""),
    backtrace("column-is-the-line", "_line", "		f->line = column; /*", "		f->line = 0 * column; /*"),
    backtrace("line-overflows", "_line", "return n > INT32_MAX ? INT32_MAX : (int32_t)n;", "return (int32_t)(uint32_t)n;"),
    backtrace("arguments-stay", "_line", "	if (!ends(s, \")\"))\n		return s;\n	for", "	if (1)\n		return s;\n	for"),
    backtrace("packages-are-own", "_own", "if (has_any(f->file, foreign_paths) || begins_any(f->file, foreign_roots))", "if (has_any(f->file, foreign_paths) && begins_any(f->file, foreign_roots))"),
    backtrace("java-is-own", "_own", "!begins_any(f->function, foreign_java)", "(!begins_any(f->function, foreign_java) || f->line)"),
]
