"""The mutants of how notifications are sent: guard, signature, secrets, bodies, requests, queues."""
from mutant import script, unit


def of(name, module, find, replace, test=None):
    """One in sink/notify/MODULE that the unit test of its name, or another, must notice."""
    return unit(name, f"sink/notify/{module}", find, replace, "notify", f"test_{test or module.rsplit('.', 1)[0]}")


MUTANTS = [
    # where deliveries may go
    of("metadata-is-public", "guard.c", "	{{169, 254, 0, 0}, 16, \"link-local\"},\n", ""),
    of("half-of-a-private-network", "guard.c", "{{172, 16, 0, 0}, 12, \"private\"}", "{{172, 16, 0, 0}, 13, \"private\"}"),
    of("teredo-client-as-it-stands", "guard.c", "{{0x20, 0x01}, 32, NULL, 12, 0xff}", "{{0x20, 0x01}, 32, NULL, 12, 0}"),
    of("mapped-is-public", "guard.c", "		if (what)\n			return what;\n		disguised = true;", "		if (what && r->bits != 96)\n			return what;\n		disguised = true;"),
    of("isatap-is-public", "guard.c", "return is_isatap(address) ? v4_kind_at(address + 12, 0) : NULL;", "return is_isatap(address) && address[0] == 0 ? v4_kind_at(address + 12, 0) : NULL;"),
    of("what-is-not-given-out-is-public", "guard.c", "!is_in(address, given_out.net, given_out.bits) || ", "!is_in(address, given_out.net, 0) || "),
    of("one-family-allows-the-other", "guard.c", "(!is_v4 || g->networks[i].bits >= mapped.bits) && ", "(!is_v4 || g->networks[i].bits <= 128) && "),
    of("prefix-by-whole-bytes", "guard.c", "(rest == 0 || ((address[whole] ^ net[whole]) >> (8 - rest)) == 0)", "(rest == 0 || rest > 0)"),
    of("host-with-a-prefix", "guard.c", "			return false; /* a host's address", "			break; /* a host's address"),
    of("user-in-an-address", "guard.c", "url, CURLU_DISALLOW_USER)", "url, 0)"),
    of("short-memory-is-a-verdict", "guard.c", "	if (code == CURLUE_OUT_OF_MEMORY) /* which", "	if (!g) /* which"),
    of("http-for-all", "guard.c", "(g->allow_http && strcmp(scheme, \"http\") == 0)", "(g && strcmp(scheme, \"http\") == 0)"),
    of("socket-before-the-question", "guard.c", "		note_refused(v, &address->addr, what);\n		return CURL_SOCKET_BAD;", "		note_refused(v, &address->addr, what);", "delivery"),
    of("no-guard-at-all", "request.c", "	curl_easy_setopt(r->curl, CURLOPT_OPENSOCKETFUNCTION, guard_open_socket);\n", "", "delivery"),
    of("proxy-of-the-environment", "request.c", "	if (curl_easy_setopt(r->curl, CURLOPT_PROXY, \"\") != CURLE_OK || curl_easy_setopt(r->curl, CURLOPT_NOPROXY, \"*\") != CURLE_OK)\n", "	if (!r->curl)\n", "delivery"),
    of("redirects-are-followed", "request.c", "CURLOPT_FOLLOWLOCATION, 0L", "CURLOPT_FOLLOWLOCATION, 1L", "delivery"),
    # secrets and signature
    of("links-lead-out", "secret.c", ".resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS", ".resolve = RESOLVE_NO_MAGICLINKS"),
    of("a-name-that-begins-alike", "secret.c", " || (path[n] != '/' && dir[n - 1] != '/')", ""),
    of("a-pipe-for-a-secret", "secret.c", "fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)", "fstat(fd, &st) < 0"),
    of("line-end-in-a-secret", "secret.c", "	if (out->len && out->bytes[out->len - 1] == '\\n')", "	if (out->len > 4 && out->bytes[out->len - 1] == '\\n')"),
    of("larger-secret-cut", "secret.c", "	if (out->len > SECRET_BYTES_MAX)", "	if (out->len > SECRET_BYTES_MAX + 1)"),
    of("body-is-not-signed", "sign.c", "sign_mac(key, (struct str){first, (size_t)n}, body, mac, err)", "sign_mac(key, (struct str){first, (size_t)n}, (struct str){body.p, 0}, mac, err)"),
    of("token-in-an-error", "request.c", "	if (r->token.len && memmem(", "	if (!r->token.len && memmem(", "delivery"),
    of("unsigned-rather-than-late", "request.c", "	if (secret_read(&key, r->conf->secrets_dir, path, err) < 0)\n		return -1;", "	if (secret_read(&key, r->conf->secrets_dir, path, err) < 0)\n		return 0;", "delivery"),
    of("password-in-plain-text", "request.c", "t->require_tls || (t->user.len && !r->conf->guard.allow_http)", "t->require_tls", "delivery_mail"),
    of("tls-is-only-tried", "request.c", "(long)(needs_tls ? CURLUSESSL_ALL : CURLUSESSL_TRY)", "(long)(needs_tls ? CURLUSESSL_TRY : CURLUSESSL_TRY)", "delivery_mail"),
    # what is said
    of("tag-takes-our-label", "webhook_body.c", "is_name(key) && !has_name(own, key)", "is_name(key) && (own->len || !has_name(own, key))"),
    of("two-tags-one-label", "webhook_body.c", "nth == 1 || has_name(l, buf_str(&name))", "nth == 1 || (nth > 99 && has_name(l, buf_str(&name)))"),
    of("label-of-prometheus-own", "webhook_body.c", "s.len > 0 && !(s.len > 1 && s.p[0] == '_' && s.p[1] == '_')", "s.len > 0"),
    of("common-to-the-first-two", "webhook_body.c", "i < notification_told(w->n); i++) {\n		bool found", "i < 1 && i < notification_told(w->n); i++) {\n		bool found"),
    of("end-before-it-is-over", "webhook_body.c", "add_time(w, \"endsAt\", closed && a->has_closed_at, a->closed_at);", "add_time(w, \"endsAt\", true, a->closed_at);"),
    of("over-before-open", "notification.c", "notification_is_closed(a) == walk->closed", "notification_is_closed(a) != walk->closed", "webhook_body"),
    of("more-than-two-hundred", "notification.c", "	if (walk->given == NOTIFICATION_ALERTS_MAX)", "	if (walk->given == NOTIFICATION_ALERTS_MAX + 1)", "webhook_body"),
    of("beyond-is-forgotten", "notification.c", "(int64_t)(n->incident->alerts_len - notification_told(n)) + n->beyond", "(int64_t)(n->incident->alerts_len - notification_told(n))", "webhook_body"),
    of("header-of-an-id", "notification.c", "			*c = '_';", "			*c = *c;", "mail_body"),
    of("line-end-in-a-subject", "mail_body.c", "		if (out->p[i] < ' ' || out->p[i] == 0x7f)", "		if (out->p[i] == 0x7f)"),
    of("subject-as-it-is", "mail_body.c", "	if (is_plain(cut))", "	if (is_plain(cut) || cut.len)"),
    of("first-word-too-long", "mail_body.c", "i ? 0 : SUBJECT_NAME_BYTES", "0"),
    of("words-cut-characters", "mail_body.c", "			size_t n = character_bytes(s, i), cost = 0;", "			size_t n = character_bytes(s, i) / 8 + 1, cost = 0;"),
    of("a-dot-alone", "mail_body.c", " && !(c == '.' && column == 0)", ""),
    of("a-dot-behind-a-soft-break", "mail_body.c", "			as_is = as_is && c != '.';\n", ""),
    of("blank-at-a-line-end", "mail_body.c", "as_is || (c == ' ' && !last)", "as_is || c == ' '"),
    of("lines-of-77", "mail_body.c", "QP_LINE_MAX - (last ? 0 : 1)", "QP_LINE_MAX"),
    of("command-in-an-address", "mail_body.c", "address.p[i] <= ' ' || ", ""),
    # what an answer means, and when it is tried again
    of("later-is-never", "request.c", " && status != 408 && status != 425 && status != 429", "", "delivery"),
    of("never-is-later", "request.c", "		return REQUEST_GIVE_UP;\n	return REQUEST_RETRY;\n}\n\nenum request_verdict request_verdict_smtp", "		return REQUEST_RETRY;\n	return REQUEST_RETRY;\n}\n\nenum request_verdict request_verdict_smtp", "delivery"),
    of("half-a-head-is-an-answer", "request.c", "	} else if (r->answered) { /* an end", "	} else if (status) { /* an end", "delivery"),
    of("answers-without-end", "request.c", "	if (len > REQUEST_ANSWER_MAX - r->answer_bytes)", "	if (len > SIZE_MAX - r->answer_bytes)", "delivery"),
    of("an-hour-and-more", "request.c", "bounds = {1000, REQUEST_RETRY_AFTER_MAX_MS}", "bounds = {1000, INT64_MAX}", "delivery"),
    of("retry-after-is-not-heard", "lane.c", "	wait = asked_ms >= 0 ? asked_ms + retry_wait_ms(1, random, &bounds) : ", "	wait = asked_ms == INT64_MAX ? 0 : ", "delivery"),
    of("one-that-chokes-goes-first", "lane.c", "(!best || e->attempts < best->attempts)", "!best", "delivery"),
    of("later-one-first", "lane.c", "return is_first_of_incident(l, e) && (", "return (l->nr || is_first_of_incident(l, e)) && (", "delivery"),
    of("mended-but-waits", "delivery.c", "	lane_forgive(l);\n", "", "delivery"),
    of("day-without-end", "delivery.c", "d->mono_ms - e->since_ms >= DELIVERY_GIVE_UP_MS", "d->mono_ms < 0", "delivery"),
    of("queue-without-end", "delivery.c", "	if (l->nr >= DELIVERY_QUEUE_MAX && !(", "	if (l->nr >= SIZE_MAX && !(", "delivery"),
    of("superseded-under-way", "lane.c", "		if (e != l->under_way && memcmp(e->id, incident, sizeof(e->id)) == 0)", "		if (memcmp(e->id, incident, sizeof(e->id)) == 0)", "delivery"),
    of("cancelled-is-tried-again", "delivery.c", "	if (e->cancelled) {", "	if (e->cancelled && d->stopping) {", "delivery"),
    of("paused-is-sent", "lane.c", "(!leave->may_send || leave->may_send(leave->ctx, e->site))", "(leave || true)", "delivery"),
    of("stop-begins-more", "delivery.c", "i < nr && !d->stopping && d->nr_in_flight", "i < nr && d->nr_in_flight", "delivery"),
    # mail
    of("quit-is-awaited", "request.c", "	curl_easy_setopt(r->curl, CURLOPT_CONNECT_ONLY, 1L);\n", "", "delivery_mail"),
    of("mail-without-its-time", "delivery.c", "&writing) && l->until_ms > clock_mono_ms()) {", "&writing)) {", "delivery_mail"),
    of("nobody-takes-it-and-it-goes", "dialog.c", "d->taken ? DIALOG_DATA : DIALOG_OVER", "DIALOG_DATA", "delivery_mail"),
    of("refused-for-good-by-one", "dialog.c", "d->refused == 0 || reply < d->refused", "d->refused == 0 || reply > d->refused", "delivery_mail"),
    of("first-line-of-many", "dialog.c", "	if (d->line_len > 3 && l[3] == '-')\n		return;\n", "", "delivery_mail"),
    of("reply-without-end", "dialog.c", "!good || ++d->lines > DIALOG_LINES_MAX", "!good", "delivery_mail"),
    of("text-refused-is-taken", "dialog.c", "	} else if (reply / 100 != wanted) {", "	} else if (reply / 100 != wanted && d->state != DIALOG_TEXT) {", "delivery_mail"),
    # those who are notified in tests
    script("any-signature-will-do", "tests/e2e/receivers.py", "return None if hmac.compare_digest(wanted, given) else ", "return None if given else ", "test_receivers"),
    script("old-signatures-will-do", "tests/e2e/receivers.py", "> OLDEST_SIGNATURE:", "> 1e12:", "test_receivers"),
]
