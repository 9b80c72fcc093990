/* fuzz_notify_dialog.c - any bytes as what a mail server says, in pieces of any size, while commands go out in pieces of any size.
 *
 * Whatever it says: what was sent is the commands from their beginning, none before the one in front of it was answered with yes, and a mail that was
 * delivered was sent whole. The dialog ends for what ends it, not later; what is quoted of it is printable. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/notify/dialog.h"

#define MUST(what)                                                                  \
	do {                                                                        \
		if (!(what)) {                                                      \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
			abort();                                                    \
		}                                                                   \
	} while (0)

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char commands[] = "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\nSubject: x\r\n\r\nHello\r\n.\r\n";

/* The server, and what has become of the connection. */
struct server {
	const uint8_t *says;
	size_t left;
	struct buf got;
	uint32_t pieces; /* which sizes come next */
	bool quits;      /* QUIT has come */
};

static const char *const words[] = {"250 yes\r\n", "250-more\r\n", "354 go\r\n", "550 no\r\n", "450 later\r\n", "\r\n", "\n", "250\n", "221", "99", "-", " ", "\r"};

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	const char *word = words[seed / 8 % (sizeof(words) / sizeof(words[0]))];
	size_t n = strlen(word), at = size ? seed / 1024 % (size + 1) : 0;

	if (seed % 8 > 4 || size + n > max_size)
		return LLVMFuzzerMutate(data, size, max_size);
	memmove(data + at + n, data + at, size - at);
	memcpy(data + at, word, n);
	return size + n;
}

static size_t piece(struct server *s, size_t most)
{
	size_t n = s->pieces % 9;

	s->pieces = s->pieces * 1664525 + 1013904223;
	return n == 8 || n > most ? most : n;
}

static ptrdiff_t send_piece(void *ctx, const void *bytes, size_t len)
{
	struct server *s = ctx;
	size_t n;

	MUST(len > 0);
	if (len == 6 && memcmp(bytes, "QUIT\r\n", 6) == 0) {
		s->quits = true;
		return 6;
	}
	n = piece(s, len);
	buf_add(&s->got, bytes, n);
	return (ptrdiff_t)n;
}

static ptrdiff_t recv_piece(void *ctx, void *bytes, size_t size)
{
	struct server *s = ctx;
	size_t n = piece(s, size < s->left ? size : s->left);

	memcpy(bytes, s->says, n);
	s->says += n;
	s->left -= n;
	return s->left == 0 && n == 0 ? -1 : (ptrdiff_t)n;
}

/* How many commands, and of the last a part, are in what came. */
static size_t commands_in(size_t len)
{
	static const char *const ends[] = {"RCPT TO:<c", "RCPT TO:<e", "DATA\r\n", "Subject"};
	size_t nr = len > 0;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		nr += len > (size_t)(strstr(commands, ends[i]) - commands);
	return nr;
}

/* Lines of said that say yes and are the last of their reply, as a plain reader counts them. */
static size_t yeses_in(const char *said, size_t len)
{
	size_t nr = 0;

	for (const char *at = said, *end; (end = memchr(at, '\n', len - (size_t)(at - said))); at = end + 1) {
		size_t n = (size_t)(end - at);

		n -= n && at[n - 1] == '\r';
		nr += n >= 3 && (at[0] == '2' || at[0] == '3' || at[0] == '4' || at[0] == '5') && (n == 3 || at[3] != '-');
	}
	return nr;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str to[] = {STR("c@d"), STR("e@f")};
	const struct mail_target target = {.from = STR("a@b"), .to = to, .to_len = 2};
	struct server s = {.got = BUF_INIT};
	struct dialog d;
	size_t turns = 0;

	if (size < 4 || size > (1 << 20))
		return 0;
	memcpy(&s.pieces, data, 4);
	s.says = data + 4;
	s.left = size - 4;
	MUST(dialog_init(&d, &target, STR("Subject: x\r\n\r\nHello\r\n"), NULL) == 0);
	while (!dialog_move(&d, send_piece, recv_piece, &s)) {
		MUST(d.state != DIALOG_OVER && turns++ < 40 * size + 1000);
		MUST(commands_in(s.got.len) <= 1 + yeses_in((const char *)data + 4, (size_t)(s.says - data - 4)));
	}
	MUST(d.state == DIALOG_OVER && s.got.len < sizeof(commands) && memcmp(s.got.p ? (char *)s.got.p : "", commands, s.got.len) == 0);
	MUST(!d.delivered || (s.got.len == sizeof(commands) - 1 && s.quits));
	MUST(d.delivered || !s.quits);
	MUST(d.refused == 0 || (d.refused >= 200 && d.refused < 600));
	MUST(strlen(d.words) < sizeof(d.words));
	for (const char *c = d.words; *c; c++)
		MUST(*c >= ' ' && *c <= '~');
	buf_fini(&s.got);
	dialog_fini(&d);
	return 0;
}
