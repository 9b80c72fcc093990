/* fuzz_notify_bodies.c - any bytes as the texts of an incident, told as a webhook and as a mail.
 *
 * Whatever they are: the webhook is JSON by another reader's lights, with each key of a map once; the mail is ASCII, its lines short, ended by CRLF
 * and none beginning with a dot, and its head has the lines that it is to have, in their order, and no others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "sink/notify/mail_body.h"
#include "sink/notify/webhook_body.h"

#define MUST(what)                                                                  \
	do {                                                                        \
		if (!(what)) {                                                      \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
			abort();                                                    \
		}                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ALERTS = 3, TAGS = 3, KEYS_MAX = 64, DEPTH_MAX = 8, MAIL_LINE_MAX = 80 };

/* Texts come one behind the other, each up to a 0xff, or empty where nothing is left. */
struct source {
	const char *at, *end;
};

static struct str next(struct source *s)
{
	const char *stop = s->at < s->end ? memchr(s->at, 0xff, (size_t)(s->end - s->at)) : NULL;
	struct str text = {s->at, (size_t)((stop ? stop : s->end) - s->at)};

	s->at = stop ? stop + 1 : s->end;
	return text;
}

/* Keys of the maps that are open. */
struct reader {
	struct {
		struct str keys[KEYS_MAX];
		size_t nr;
	} maps[DEPTH_MAX];
	size_t depth;
	struct buf bytes; /* what keys borrow; never grows beyond what is reserved */
};

static int on_map(void *ctx)
{
	struct reader *r = ctx;

	MUST(r->depth < DEPTH_MAX);
	r->maps[r->depth++].nr = 0;
	return 1;
}

static int on_key(void *ctx, const unsigned char *key, size_t len)
{
	struct reader *r = ctx;
	struct str own = {(const char *)r->bytes.p + r->bytes.len, len};
	size_t *nr = &r->maps[r->depth - 1].nr;

	MUST(r->bytes.len + len <= r->bytes.cap && *nr < KEYS_MAX);
	buf_add(&r->bytes, key, len);
	for (size_t i = 0; i < *nr; i++)
		MUST(!str_eq(r->maps[r->depth - 1].keys[i], own));
	r->maps[r->depth - 1].keys[(*nr)++] = own;
	return 1;
}

static int on_map_end(void *ctx)
{
	struct reader *r = ctx;

	r->depth--;
	return 1;
}

static void check_webhook(const struct notification *n)
{
	static const yajl_callbacks callbacks = {.yajl_start_map = on_map, .yajl_map_key = on_key, .yajl_end_map = on_map_end};
	struct reader *r = calloc(1, sizeof(*r));
	struct buf out = BUF_INIT;
	yajl_handle parser = yajl_alloc(&callbacks, NULL, r);

	MUST(r && parser && webhook_body_write(n, &out, NULL) == 0);
	MUST(buf_reserve(&r->bytes, out.len));
	MUST(yajl_parse(parser, out.p, out.len) == yajl_status_ok && yajl_complete_parse(parser) == yajl_status_ok);
	MUST(!memchr(out.p, '\n', out.len) && !memchr(out.p, '\0', out.len));
	yajl_free(parser);
	buf_fini(&r->bytes);
	buf_fini(&out);
	free(r);
}

/* The lines of the head begin with these, or with a blank. */
static void check_head(const char *head, size_t len)
{
	static const char *const names[] = {"From: ", "To: ", "Subject: ", "Date: ", "Message-ID: ", "In-Reply-To: ", "References: ", "Auto-Submitted: ",
					    "MIME-Version: ", "Content-Type: ", "Content-Transfer-Encoding: "};
	size_t nr = 0;

	for (const char *at = head; at < head + len; at = (const char *)memchr(at, '\n', (size_t)(head + len - at)) + 1) {
		if (*at == ' ')
			continue;
		MUST(nr < sizeof(names) / sizeof(names[0]) && strncmp(at, names[nr], strlen(names[nr])) == 0);
		nr++;
	}
	MUST(nr == sizeof(names) / sizeof(names[0]));
}

static void check_mail(const struct notification *n)
{
	struct str to[] = {STR("ops@b.example"), STR("boss@c.example")};
	const struct mail_target target = {.from = STR("alerts@a.example"), .to = to, .to_len = 2};
	struct buf out = BUF_INIT;
	const char *mail, *body;
	size_t column = 0;

	MUST(mail_body_write(n, &target, n->incident->opened_at, &out, NULL) == 0);
	mail = (const char *)out.p;
	for (size_t i = 0; i < out.len; i++) {
		bool ends = mail[i] == '\r';

		MUST(ends ? i + 1 < out.len && mail[i + 1] == '\n' : mail[i] == '\n' ? i && mail[i - 1] == '\r' : mail[i] >= ' ' && mail[i] <= '~');
		MUST(column || mail[i] != '.');
		column = mail[i] == '\n' ? 0 : column + 1;
		MUST(column <= 200);
	}
	MUST(out.len > 2 && column == 0);
	body = memmem(mail, out.len, "\r\n\r\n", 4);
	MUST(body);
	check_head(mail, (size_t)(body + 2 - mail));
	column = 0;
	for (const char *at = body + 4; at < mail + out.len; at++) {
		column = *at == '\n' ? 0 : column + 1;
		MUST(column <= MAIL_LINE_MAX);
	}
	buf_fini(&out);
}

/* Keys of a series differ: from the first that does not on, they are left out. */
static void take_tags(struct source *s, struct incident_alert *a, struct tag tags[TAGS])
{
	a->tags_len = TAGS;
	for (size_t t = 0; t < TAGS; t++) {
		tags[t].key = next(s);
		tags[t].value = next(s);
		for (size_t before = 0; before < t; before++)
			if (str_eq(tags[t].key, tags[before].key) && t < a->tags_len)
				a->tags_len = t;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct incident_alert alerts[ALERTS];
	struct tag tags[ALERTS][TAGS];
	struct source s;
	struct incident i = {.alerts = alerts, .alerts_len = ALERTS, .alerts_total = ALERTS, .open_alerts = 1, .has_acked_at = true, .has_acked_by = true,
			     .has_ack_reason = true};
	struct notification n = {.incident = &i, .sequence = 2, .external_url = "https://m.example/"};
	char *exact;

	if (size < 9 || size > 64 << 10)
		return 0;
	exact = malloc(size - 9 ? size - 9 : 1);
	MUST(exact);
	memcpy(exact, data + 9, size - 9);
	memcpy(&i.opened_at, data + 1, 8);
	i.resolved_at = i.acked_at = i.opened_at;
	i.has_resolved_at = data[0] & 1;
	i.severity = data[0] >> 1 & 1;
	n.state = data[0] & 4 ? INCIDENT_STATE_RESOLVED : INCIDENT_STATE_OPEN;
	s = (struct source){exact, exact + size - 9};
	i.trigger = next(&s);
	i.site = next(&s);
	i.site_name = next(&s);
	i.description = next(&s);
	i.condition = next(&s);
	i.cell = next(&s);
	i.acked_by = next(&s);
	i.ack_reason = next(&s);
	n.receiver = next(&s);
	for (size_t a = 0; a < ALERTS; a++) {
		alerts[a] = (struct incident_alert){.name = next(&s), .tags = tags[a], .opened_at = i.opened_at, .closed_at = i.opened_at,
						    .has_closed_at = a > 0, .state = a > 0 ? INCIDENT_ALERT_STATE_CLOSED : INCIDENT_ALERT_STATE_OPEN,
						    .has_value = true, .value = (double)i.opened_at};
		take_tags(&s, &alerts[a], tags[a]);
	}
	check_webhook(&n);
	check_mail(&n);
	free(exact);
	return 0;
}
