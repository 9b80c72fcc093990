/* mail_body.c - see mail_body.h.
 *
 * All of an incident's mails to a receiver are one thread: each refers to the first, whose Message-ID is known by its key alone, so that nothing is
 * to be remembered (and a mail that is sent twice has the same id both times). The text is written as it is to be read, then encoded as
 * quoted-printable, which any server passes on unchanged. */
#include "sink/notify/mail_body.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"

enum {
	QP_LINE_MAX = 76,
	WORD_BYTES_MAX = 63,    /* of an encoded word's text: with =?utf-8?Q? and ?= and the blank before it a line has 76 */
	SUBJECT_NAME_BYTES = 8, /* what "Subject: " has more than that blank */
	SUBJECT_MAX = 200,
	VALUE_MAX = 500, /* bytes of one string in the text */
};

bool mail_address_valid(struct str address)
{
	const char *at = address.len ? memchr(address.p, '@', address.len) : NULL;

	if (!at || at == address.p || at == address.p + address.len - 1 || address.len > MAIL_ADDRESS_MAX)
		return false;
	for (size_t i = 0; i < address.len; i++)
		if (address.p[i] <= ' ' || address.p[i] > '~' || strchr("<>()[]\\,;:\"", address.p[i]) || (address.p[i] == '@' && address.p + i != at))
			return false;
	return true;
}

static int check_target(const struct mail_target *t, struct err *err)
{
	if (t->to_len == 0 || t->to_len > MAIL_TO_MAX)
		return err_set(err, ERR_REJECT, "a mail goes to one to %d addresses, not %zu", MAIL_TO_MAX, t->to_len);
	if (!mail_address_valid(t->from))
		return err_set(err, ERR_REJECT, "the mail's sender is no address");
	for (size_t i = 0; i < t->to_len; i++)
		if (!mail_address_valid(t->to[i]))
			return err_set(err, ERR_REJECT, "address %zu of the mail is none", i + 1);
	return 0;
}

/* One line's worth: control characters, line ends first of all, are blanks. */
static void add_line_text(struct buf *out, struct str s)
{
	size_t from = out->len;

	notification_add_text(out, str_is_utf8(s) ? str_cut_utf8(s, VALUE_MAX) : (struct str){s.p, s.len < VALUE_MAX ? s.len : VALUE_MAX});
	for (size_t i = from; i < out->len; i++)
		if (out->p[i] < ' ' || out->p[i] == 0x7f)
			out->p[i] = ' ';
}

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((uint8_t)s.p[i] < ' ' || (uint8_t)s.p[i] > '~')
			return false;
	return s.len <= QP_LINE_MAX - 10 && !(s.len > 1 && memmem(s.p, s.len, "=?", 2));
}

static size_t character_bytes(struct str s, size_t at)
{
	size_t n = 1;

	while (at + n < s.len && ((uint8_t)s.p[at + n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* RFC 2047 4.2: what may stand for itself anywhere in an encoded word. */
static bool stands_for_itself(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '!';
}

static void add_word_byte(struct buf *out, char c)
{
	if (stands_for_itself(c))
		buf_add(out, &c, 1);
	else if (c == ' ')
		buf_add(out, "_", 1);
	else
		buf_printf(out, "=%02X", (uint8_t)c);
}

/* As encoded words, each of whole characters and on a line of its own. */
static void add_words(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len;) {
		size_t used = i ? 0 : SUBJECT_NAME_BYTES;

		buf_printf(out, "%s=?utf-8?Q?", i ? "\r\n " : "");
		while (i < s.len) {
			size_t n = character_bytes(s, i), cost = 0;

			for (size_t k = 0; k < n; k++)
				cost += stands_for_itself(s.p[i + k]) || s.p[i + k] == ' ' ? 1 : 3;
			if (used + cost > WORD_BYTES_MAX)
				break;
			for (size_t k = 0; k < n; k++)
				add_word_byte(out, s.p[i + k]);
			used += cost;
			i += n;
		}
		buf_printf(out, "?=");
	}
}

/* "[FIRING:2] critical: slow-checkout on Shop". */
static void add_subject(struct buf *out, const struct notification *n)
{
	const struct incident *i = n->incident;
	struct buf text = BUF_INIT;
	struct str cut;

	if (n->state == INCIDENT_STATE_RESOLVED)
		buf_printf(&text, "[RESOLVED] ");
	else
		buf_printf(&text, "[FIRING:%lld] ", (long long)i->open_alerts);
	buf_printf(&text, "%s: ", alert_severity_name(i->severity));
	add_line_text(&text, i->trigger);
	buf_printf(&text, " on ");
	add_line_text(&text, i->site_name.len ? i->site_name : i->site);
	cut = str_cut_utf8(buf_str(&text), SUBJECT_MAX);
	buf_printf(out, "Subject: ");
	if (is_plain(cut))
		buf_add(out, cut.p, cut.len);
	else
		add_words(out, cut);
	buf_printf(out, "\r\n");
	out->failed = out->failed || buf_failed(&text);
	buf_fini(&text);
}

static void add_date(struct buf *out, int64_t date_ms)
{
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t s = (time_t)(date_ms / 1000);
	struct tm tm = {0};

	if (gmtime_r(&s, &tm))
		buf_printf(out, "Date: %.3s, %d %.3s %d %02d:%02d:%02d +0000\r\n", days + tm.tm_wday * 3, tm.tm_mday, months + tm.tm_mon * 3,
			   tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void add_head(struct buf *out, const struct notification *n, const struct mail_target *t, int64_t date_ms)
{
	const char *at = memchr(t->from.p, '@', t->from.len);
	struct str domain = {at, (size_t)(t->from.p + t->from.len - at)};
	char key[NOTIFICATION_KEY_SIZE];

	buf_printf(out, "From: <" STR_FMT ">\r\n", STR_ARG(t->from));
	for (size_t i = 0; i < t->to_len; i++)
		buf_printf(out, "%s<" STR_FMT ">", i ? ",\r\n " : "To: ", STR_ARG(t->to[i]));
	buf_printf(out, "\r\n");
	add_subject(out, n);
	add_date(out, date_ms);
	buf_printf(out, "Message-ID: <%s" STR_FMT ">\r\n", notification_key(n, n->sequence, key), STR_ARG(domain));
	if (n->sequence > 1) {
		notification_key(n, 1, key);
		buf_printf(out, "In-Reply-To: <%s" STR_FMT ">\r\nReferences: <%s" STR_FMT ">\r\n", key, STR_ARG(domain), key, STR_ARG(domain));
	}
	buf_printf(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
			"Content-Transfer-Encoding: quoted-printable\r\n\r\n");
}

static void add_time(struct buf *text, const char *before, int64_t t_ms)
{
	char iso[CLOCK_ISO_SIZE];

	buf_printf(text, "%s%s", before, clock_iso(t_ms, iso, sizeof(iso)));
}

/* "  http.duration {route=/checkout} since TIME until TIME, was 734.2". */
static void add_alert(struct buf *text, const struct incident_alert *a)
{
	buf_printf(text, "  ");
	add_line_text(text, a->name);
	for (size_t i = 0; i < a->tags_len; i++) {
		buf_printf(text, i ? ", " : " {");
		add_line_text(text, a->tags[i].key);
		buf_printf(text, "=");
		add_line_text(text, a->tags[i].value);
	}
	buf_printf(text, a->tags_len ? "}" : "");
	add_time(text, " since ", a->opened_at);
	if (notification_is_closed(a) && a->has_closed_at)
		add_time(text, " until ", a->closed_at);
	if (a->has_value)
		buf_printf(text, ", was %.6g", a->value);
	buf_printf(text, "\n");
}

static void add_alerts(struct buf *text, const struct notification *n)
{
	struct notification_walk walk = {0};
	const struct incident_alert *a;
	int told = -1; /* which heading was written last */

	while ((a = notification_next(n, &walk))) {
		int closed = notification_is_closed(a);

		if (closed != told)
			buf_printf(text, closed ? "\nOver:\n" : "\nOpen:\n");
		told = closed;
		add_alert(text, a);
	}
	if (notification_left_out(n) > 0)
		buf_printf(text, "  and %lld more\n", (long long)notification_left_out(n));
}

static void add_fact(struct buf *text, const char *name, struct str value)
{
	buf_printf(text, "%s: ", name);
	add_line_text(text, value);
	buf_printf(text, "\n");
}

static void add_ack(struct buf *text, const struct incident *i)
{
	if (!i->has_acked_at)
		return;
	buf_printf(text, "Acknowledged: by ");
	add_line_text(text, i->has_acked_by ? i->acked_by : STR("?"));
	add_time(text, ", ", i->acked_at);
	if (i->has_ack_reason && i->ack_reason.len) {
		buf_printf(text, ": ");
		add_line_text(text, i->ack_reason);
	}
	buf_printf(text, "\n");
}

static void add_text(struct buf *text, const struct notification *n)
{
	const struct incident *i = n->incident;
	struct buf made = BUF_INIT;
	char id[NOTIFICATION_ID_SIZE];

	if (i->description.len) {
		add_line_text(text, i->description);
		buf_printf(text, "\n\n");
	}
	notification_condition(n, NULL, &made);
	add_fact(text, "Condition", buf_str(&made));
	add_fact(text, "State", n->state == INCIDENT_STATE_RESOLVED ? STR("resolved") : STR("firing"));
	buf_printf(text, "Alerts: %lld open of %lld\n", (long long)i->open_alerts, (long long)i->alerts_total);
	add_time(text, "Since: ", i->opened_at);
	if (i->has_resolved_at)
		add_time(text, "\nUntil: ", i->resolved_at);
	buf_printf(text, "\n");
	add_ack(text, i);
	add_fact(text, "Site", i->site);
	add_fact(text, "Cell", i->cell);
	add_fact(text, "Trigger", i->trigger);
	buf_printf(text, "Incident: %s\n", notification_hex(i->id, id));
	buf_clear(&made);
	notification_link(n, &made);
	if (made.len)
		add_fact(text, "See", buf_str(&made));
	text->failed = text->failed || buf_failed(&made);
	buf_fini(&made);
	add_alerts(text, n);
}

/* RFC 2045 6.7. A dot in front of a line is encoded, too: SMTP takes a line with nothing else for the end. */
static void add_quoted_line(struct buf *out, struct str line)
{
	size_t column = 0;

	for (size_t i = 0; i < line.len; i++) {
		char c = line.p[i];
		bool last = i + 1 == line.len, as_is = c > ' ' && c <= '~' && c != '=' && !(c == '.' && column == 0);
		size_t cost;

		as_is = as_is || (c == ' ' && !last);
		cost = as_is ? 1 : 3;
		if (column + cost > QP_LINE_MAX - (last ? 0 : 1)) {
			buf_printf(out, "=\r\n");
			column = 0;
			as_is = as_is && c != '.';
			cost = as_is ? 1 : 3;
		}
		if (as_is)
			buf_add(out, &c, 1);
		else
			buf_printf(out, "=%02X", (uint8_t)c);
		column += cost;
	}
	buf_printf(out, "\r\n");
}

static void add_quoted(struct buf *out, struct str text)
{
	while (text.len) {
		const char *end = memchr(text.p, '\n', text.len);
		size_t n = end ? (size_t)(end - text.p) : text.len;

		add_quoted_line(out, (struct str){text.p, n});
		n += end != NULL;
		text = (struct str){text.p + n, text.len - n};
	}
}

int mail_body_write(const struct notification *n, const struct mail_target *target, int64_t date_ms, struct buf *out, struct err *err)
{
	struct buf text = BUF_INIT;
	bool failed;

	if (check_target(target, err) < 0)
		return -1;
	add_head(out, n, target, date_ms);
	add_text(&text, n);
	failed = buf_failed(&text);
	add_quoted(out, buf_str(&text));
	buf_fini(&text);
	return failed || buf_failed(out) ? err_nomem(err, "a mail") : 0;
}
