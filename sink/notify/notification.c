/* notification.c - see notification.h.
 *
 * A receiver that was told by webhook and by mail must find the same: which alerts, in which order, how many are left out, and under which key. So that is decided
 * here, and the bodies only write it down. A key depends on nothing but the incident, the receiver and the number: a notification that is sent again, by whichever
 * instance, has the key of the first time. */
#include "sink/notify/notification.h"

#include <stdio.h>
#include <string.h>

enum { RECEIVER_MAX = 64 };

const char *notification_hex(const uint8_t id[16], char out[NOTIFICATION_ID_SIZE])
{
	return str_hex(id, 16, out);
}

/* It stands in headers: whatever an id is, there it is no more than a word. */
const char *notification_key(const struct notification *n, int64_t sequence, char out[NOTIFICATION_KEY_SIZE])
{
	char id[NOTIFICATION_ID_SIZE];
	size_t len = n->receiver.len < RECEIVER_MAX ? n->receiver.len : RECEIVER_MAX;

	snprintf(out, NOTIFICATION_KEY_SIZE, "%s-%.*s-%lld", notification_hex(n->incident->id, id), (int)len, n->receiver.p, (long long)sequence);
	for (char *c = out; *c; c++)
		if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') && !(*c >= '0' && *c <= '9') && *c != '-')
			*c = '_';
	return out;
}

const struct incident_alert *notification_next(const struct notification *n, struct notification_walk *walk)
{
	const struct incident *i = n->incident;

	if (walk->given == NOTIFICATION_ALERTS_MAX)
		return NULL;
	for (;; walk->closed = true, walk->at = 0) {
		while (walk->at < i->alerts_len) {
			const struct incident_alert *a = &i->alerts[walk->at++];

			if (notification_is_closed(a) == walk->closed) {
				walk->given++;
				return a;
			}
		}
		if (walk->closed)
			return NULL;
	}
}

size_t notification_told(const struct notification *n)
{
	return n->incident->alerts_len < NOTIFICATION_ALERTS_MAX ? n->incident->alerts_len : NOTIFICATION_ALERTS_MAX;
}

int64_t notification_left_out(const struct notification *n)
{
	return (int64_t)(n->incident->alerts_len - notification_told(n)) + n->beyond;
}

void notification_link(const struct notification *n, struct buf *out)
{
	size_t len = n->external_url ? strlen(n->external_url) : 0;
	char id[NOTIFICATION_ID_SIZE];

	while (len && n->external_url[len - 1] == '/')
		len--;
	if (len)
		buf_printf(out, "%.*s/incidents/%s", (int)len, n->external_url, notification_hex(n->incident->id, id));
}

void notification_condition(const struct notification *n, const struct incident_alert *a, struct buf *out)
{
	const struct incident *i = n->incident;

	notification_add_text(out, i->condition);
	if (a && a->has_value)
		buf_printf(out, " (was %.6g)", a->value);
	if (!a && (i->behind_opened || i->behind_closed))
		buf_printf(out, "; while processing was behind, %lld alerts opened and %lld closed", (long long)i->behind_opened,
			   (long long)i->behind_closed);
}

void notification_add_text(struct buf *out, struct str s)
{
	bool good = str_is_utf8(s);
	uint8_t *to = s.len ? buf_reserve(out, s.len) : NULL;

	if (!to)
		return;
	for (size_t i = 0; i < s.len; i++)
		to[i] = good || !((uint8_t)s.p[i] & 0x80) ? (uint8_t)s.p[i] : '?';
	out->len += s.len;
}
