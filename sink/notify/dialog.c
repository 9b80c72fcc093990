/* dialog.c - see dialog.h.
 *
 * A recipient that the server does not know leaves the others theirs; only when it takes none is the mail refused, for good if all were. Replies are
 * lines of three digits and a blank, or a dash where more follow; whatever else comes is the end. QUIT is sent along and its answer not awaited. */
#include "sink/notify/dialog.h"

#include <string.h>

#include "sink/notify/mail_body.h"

enum { COMMANDS_MAX = sizeof(((struct dialog *)0)->ends) / sizeof(size_t) };

_Static_assert((int)COMMANDS_MAX >= (int)MAIL_TO_MAX + 3, "a command for each recipient");

static void end_command(struct dialog *d)
{
	d->ends[d->nr++] = d->commands.len;
}

int dialog_init(struct dialog *d, const struct mail_target *target, struct str mail, struct err *err)
{
	*d = (struct dialog){.state = DIALOG_FROM, .nr_to = target->to_len};
	buf_printf(&d->commands, "MAIL FROM:<" STR_FMT ">\r\n", STR_ARG(target->from));
	end_command(d);
	for (size_t i = 0; i < target->to_len; i++) {
		buf_printf(&d->commands, "RCPT TO:<" STR_FMT ">\r\n", STR_ARG(target->to[i]));
		end_command(d);
	}
	buf_printf(&d->commands, "DATA\r\n");
	end_command(d);
	buf_add(&d->commands, mail.p, mail.len);
	buf_printf(&d->commands, ".\r\n");
	end_command(d);
	return buf_failed(&d->commands) ? err_nomem(err, "a mail") : 0;
}

void dialog_fini(struct dialog *d)
{
	buf_fini(&d->commands);
}

bool dialog_wants_write(const struct dialog *d)
{
	return d->state != DIALOG_OVER && d->sent < d->ends[d->at];
}

static void keep_words(struct dialog *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->line_len && n + 1 < sizeof(d->words); i++)
		if (d->line[i] >= ' ' && d->line[i] <= '~')
			d->words[n++] = d->line[i];
	d->words[n] = '\0';
}

static void refuse(struct dialog *d, int reply)
{
	d->state = DIALOG_OVER;
	d->refused = reply;
	keep_words(d);
}

/* One of the recipients'; behind the last it goes on if there is one left. */
static void take_reply_to(struct dialog *d, int reply)
{
	if (reply / 100 == 2) {
		d->taken++;
	} else if (d->refused == 0 || reply < d->refused) {
		d->refused = reply;
		keep_words(d);
	}
	if (d->at < d->nr_to)
		return;
	d->state = d->taken ? DIALOG_DATA : DIALOG_OVER;
}

static void take_reply(struct dialog *d, int reply)
{
	int wanted = d->state == DIALOG_DATA ? 3 : 2;

	if (d->state == DIALOG_TO) {
		take_reply_to(d, reply);
	} else if (reply / 100 != wanted) {
		refuse(d, reply);
	} else if (d->state == DIALOG_TEXT) {
		d->state = DIALOG_OVER;
		d->delivered = true;
	} else {
		d->state++;
	}
	d->at += d->state != DIALOG_OVER;
}

/* A whole line, without its end. A refusal may come early; who says yes to what was not sent yet means something else. */
static void take_line(struct dialog *d)
{
	const char *l = d->line;
	bool good = d->line_len >= 3 && l[0] >= '2' && l[0] <= '5' && l[1] >= '0' && l[1] <= '9' && l[2] >= '0' && l[2] <= '9' &&
		    (d->line_len == 3 || l[3] == ' ' || l[3] == '-');

	if (!good || ++d->lines > DIALOG_LINES_MAX) {
		refuse(d, 0);
		return;
	}
	if (d->line_len > 3 && l[3] == '-')
		return;
	d->lines = 0;
	if (l[0] < '4' && dialog_wants_write(d))
		refuse(d, 0);
	else
		take_reply(d, (l[0] - '0') * 100 + (l[1] - '0') * 10 + (l[2] - '0'));
}

static void take_byte(struct dialog *d, char c)
{
	if (c != '\n') {
		if (d->line_len == sizeof(d->line))
			refuse(d, 0);
		else
			d->line[d->line_len++] = c;
		return;
	}
	d->line_len -= d->line_len && d->line[d->line_len - 1] == '\r';
	take_line(d);
	d->line_len = 0;
}

/* False: the connection is gone. */
static bool send_command(struct dialog *d, dialog_send_fn send, void *ctx)
{
	while (dialog_wants_write(d)) {
		ptrdiff_t n = send(ctx, d->commands.p + d->sent, d->ends[d->at] - d->sent);

		if (n < 0)
			return false;
		if (n == 0)
			break;
		d->sent += (size_t)n;
	}
	return true;
}

bool dialog_move(struct dialog *d, dialog_send_fn send, dialog_recv_fn recv, void *ctx)
{
	char bytes[1024];
	ptrdiff_t n;

	while (d->state != DIALOG_OVER) {
		if (!send_command(d, send, ctx) || (n = recv(ctx, bytes, sizeof(bytes))) < 0) {
			d->line_len = 0;
			refuse(d, 0);
			break;
		}
		if (n == 0)
			return false;
		for (ptrdiff_t i = 0; i < n && d->state != DIALOG_OVER; i++)
			take_byte(d, bytes[i]);
	}
	if (d->delivered)
		send(ctx, "QUIT\r\n", 6);
	return true;
}
