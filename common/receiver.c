/* receiver.c - see receiver.h.
 *
 * URLs and addresses are taken by what they may be made of, not by what is known to be bad: what is left is what no client reads in two ways (no
 * userinfo, no backslash, no blank, no escape in a host), so that the host that was looked at here is the host that is asked. Which addresses a host may
 * stand for is the notifier's to say, at each connection. */
#include "common/receiver.h"

#include <string.h>

#include "common/trigger.h"

enum { HOST_MAX = 253, SHOWN_MAX = 100 };

#define SHOWN(s) (int)((s).len < SHOWN_MAX ? (s).len : SHOWN_MAX), (s).p

static bool is_printable_ascii(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
			return false;
	return true;
}

static bool is_made_of(struct str s, const char *extra)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(extra, c))))
			return false;
	}
	return true;
}

/* The first len bytes, taken off the front. */
static struct str take(struct str *s, size_t len)
{
	struct str head = {s->p, len};

	s->p += len;
	s->len -= len;
	return head;
}

static size_t find_any(struct str s, const char *stops)
{
	size_t at = 0;

	while (at < s.len && !(s.p[at] && strchr(stops, s.p[at])))
		at++;
	return at;
}

/* HOST or [IPv6], without its port. */
static bool host_valid(struct str host)
{
	if (host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
		return is_made_of((struct str){host.p + 1, host.len - 2}, ":.");
	return host.len >= 1 && host.len <= HOST_MAX && is_made_of(host, ".-_") && host.p[0] != '.' && host.p[0] != '-';
}

/* Nothing, or a colon and 1 to 65535. */
static bool port_valid(struct str s)
{
	int64_t port;

	if (!s.len)
		return true;
	return str_take(&s, ":") && str_take_int(&s, &port) && s.len == 0 && port >= 1 && port <= 65535;
}

/* Takes scheme and authority off url. */
static int take_authority(struct str *url, const char *one, const char *other, struct err *err)
{
	struct str authority, host;

	if (url->len < 1 || url->len > RECEIVER_URL_MAX)
		return err_set(err, ERR_REJECT, "has %zu bytes: 1 to %d are allowed", url->len, RECEIVER_URL_MAX);
	if (!is_printable_ascii(*url) || find_any(*url, "\\\"<>^`{|}") < url->len)
		return err_set(err, ERR_REJECT, "may hold printable ASCII only, no blanks, quotes, brackets and backslashes (escape them: %%20)");
	if (!str_take(url, one) && !str_take(url, other))
		return err_set(err, ERR_REJECT, "must begin with %s or %s", one, other);
	authority = take(url, find_any(*url, "/?#"));
	if (find_any(authority, "@") < authority.len)
		return err_set(err, ERR_REJECT, "may hold no user and password: they belong into files");
	host = authority;
	host.len = authority.len && *authority.p == '[' ? find_any(authority, "]") + 1 : find_any(authority, ":");
	if (host.len > authority.len || !host_valid(host))
		return err_set(err, ERR_REJECT, "\"%.*s\" is no host", SHOWN(authority));
	if (!port_valid((struct str){authority.p + host.len, authority.len - host.len}))
		return err_set(err, ERR_REJECT, "\"%.*s\" has no valid port", SHOWN(authority));
	return 0;
}

int receiver_check_url(struct str url, struct err *err)
{
	if (take_authority(&url, "https://", "http://", err) < 0)
		return -1;
	if (find_any(url, "#") < url.len)
		return err_set(err, ERR_REJECT, "may hold no fragment (#)");
	return 0;
}

int receiver_check_server(struct str url, struct err *err)
{
	if (take_authority(&url, "smtp://", "smtps://", err) < 0)
		return -1;
	return url.len ? err_set(err, ERR_REJECT, "must end after host and port") : 0;
}

int receiver_check_address(struct str address, struct err *err)
{
	size_t at = find_any(address, "@");
	struct str domain = {address.p + at + 1, at < address.len ? address.len - at - 1 : 0};

	if (address.len < 3 || address.len > RECEIVER_ADDRESS_MAX)
		return err_set(err, ERR_REJECT, "an address has %zu bytes: 3 to %d are allowed", address.len, RECEIVER_ADDRESS_MAX);
	if (at < 1 || !is_made_of((struct str){address.p, at}, "!#$%&'*+-/=?^_`{|}~.") || !domain.len || !is_made_of(domain, ".-") ||
	    *domain.p == '.' || *domain.p == '-')
		return err_set(err, ERR_REJECT, "\"%.*s\" is no address (NAME@HOST, and nothing beside it)", SHOWN(address));
	return 0;
}

static int check_text(const char *what, struct str s, size_t max, struct err *err)
{
	if (s.len > max)
		return err_set(err, ERR_REJECT, "%s: has %zu bytes: at most %zu are allowed", what, s.len, max);
	if (!str_is_line(s))
		return err_set(err, ERR_REJECT, "%s: must be one line of UTF-8, without control characters", what);
	return 0;
}

/* A path that goes up could leave the folder that the notifier has for it. */
static int check_path(const char *what, struct str path, struct err *err)
{
	struct str rest = path;

	if (check_text(what, path, RECEIVER_PATH_MAX, err) < 0)
		return -1;
	while (rest.len) {
		struct str part = take(&rest, find_any(rest, "/"));

		if (str_eq(part, STR("..")))
			return err_set(err, ERR_REJECT, "%s: may not lead upwards (..)", what);
		str_take(&rest, "/");
	}
	return 0;
}

static int check_webhook(const struct webhook_target *w, struct err *err)
{
	if (receiver_check_url(w->url, err) < 0)
		return err_wrap(err, "webhook.url");
	if (check_path("webhook.secret_file", w->secret_file, err) < 0)
		return -1;
	return check_path("webhook.bearer_file", w->bearer_file, err);
}

static int check_mail(const struct mail_target *m, struct err *err)
{
	if (receiver_check_server(m->server, err) < 0)
		return err_wrap(err, "mail.server");
	if (receiver_check_address(m->from, err) < 0)
		return err_wrap(err, "mail.from");
	if (m->to_len < 1 || m->to_len > RECEIVER_TO_MAX)
		return err_set(err, ERR_REJECT, "mail.to: %zu addresses: 1 to %d are allowed", m->to_len, RECEIVER_TO_MAX);
	for (size_t i = 0; i < m->to_len; i++)
		if (receiver_check_address(m->to[i], err) < 0)
			return err_wrap(err, "mail.to");
	if (!m->user.len != !m->password_file.len)
		return err_set(err, ERR_REJECT, "mail.%s: user and password_file go together", m->user.len ? "user" : "password_file");
	if (check_text("mail.user", m->user, RECEIVER_USER_MAX, err) < 0)
		return -1;
	return check_path("mail.password_file", m->password_file, err);
}

static int check_filters(const struct receiver *r, struct err *err)
{
	if (r->sites_len > RECEIVER_SITES_MAX)
		return err_set(err, ERR_REJECT, "sites: %zu of them: at most %d are allowed", r->sites_len, RECEIVER_SITES_MAX);
	for (size_t i = 0; i < r->sites_len; i++)
		if (!trigger_id_valid(r->sites[i]))
			return err_set(err, ERR_REJECT, "sites: \"%.*s\" is no site's id", SHOWN(r->sites[i]));
	for (size_t i = 0; i < r->severities_len; i++)
		for (size_t j = 0; j <= i; j++)
			if (!alert_severity_name(r->severities[i]) || (j < i && r->severities[i] == r->severities[j]))
				return err_set(err, ERR_REJECT, "severities: each of info, warning and critical once");
	return 0;
}

static int check_times(const struct receiver *r, struct err *err)
{
	const struct { const char *what; int64_t ms; } times[] = {
		{"group_wait", r->group_wait_ms}, {"group_interval", r->group_interval_ms}, {"repeat", r->repeat_ms}, {"escalate_after", r->escalate_after_ms}};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (times[i].ms < 0 || times[i].ms > RECEIVER_DURATION_MAX_MS)
			return err_set(err, ERR_REJECT, "%s: %lld ms: 0 to 30 d are allowed", times[i].what, (long long)times[i].ms);
	if (!r->escalate_to.len)
		return r->escalate_after_ms ? err_set(err, ERR_REJECT, "escalate_after: goes with escalate_to") : 0;
	if (!trigger_id_valid(r->escalate_to))
		return err_set(err, ERR_REJECT, "escalate_to: \"%.*s\" is no receiver's id", SHOWN(r->escalate_to));
	return str_eq(r->escalate_to, r->id) ? err_set(err, ERR_REJECT, "escalate_to: is itself") : 0;
}

int receiver_check(const struct receiver *r, struct err *err)
{
	if (!trigger_id_valid(r->id))
		return err_set(err, ERR_REJECT, "id: \"%.*s\": 1 to %d characters of a-z, 0-9 and - are allowed", SHOWN(r->id), TRIGGER_ID_MAX);
	if (r->has_webhook == r->has_mail)
		return err_set(err, ERR_REJECT, "a receiver has exactly one of webhook and mail");
	if ((r->has_webhook ? check_webhook(&r->webhook, err) : check_mail(&r->mail, err)) < 0 || check_filters(r, err) < 0)
		return -1;
	return check_times(r, err);
}

/* A circle that r is not on has no end either: the bound finds it. */
int receiver_check_chain(const struct receiver *r, receiver_find_fn find, void *ctx, struct err *err)
{
	const struct receiver *at = r;

	for (int steps = 0; at->escalate_to.len; steps++) {
		const struct receiver *next = find(ctx, at->escalate_to);

		if (!next)
			return err_set(err, ERR_REJECT, "escalate_to: there is no receiver \"%.*s\"%s", SHOWN(at->escalate_to),
				       at == r ? "" : ", to which the way leads");
		if (str_eq(next->id, r->id))
			return err_set(err, ERR_REJECT, "escalate_to: leads back to \"%.*s\" itself", SHOWN(r->id));
		if (steps == RECEIVER_CHAIN_MAX)
			return err_set(err, ERR_REJECT, "escalate_to: leads through more than %d receivers, or in a circle", RECEIVER_CHAIN_MAX);
		at = next;
	}
	return 0;
}
