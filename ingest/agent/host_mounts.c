/* host_mounts.c - see host_mounts.h.
 *
 *     36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
 *     id parent device root point options optional.. - type source options-of-the-file-system */
#include "ingest/agent/host_mounts.h"

#include <stdlib.h>

#include "ingest/agent/host_text.h"

static bool parse(struct str line, struct host_mount *m)
{
	struct str word;

	if (!host_text_word(&line, &word) || !host_text_word(&line, &word) || !host_text_word(&line, &m->device) ||
	    !host_text_word(&line, &m->root) || !host_text_word(&line, &m->point) || !host_text_word(&line, &word) || m->point.p[0] != '/')
		return false;
	do {
		if (!host_text_word(&line, &word))
			return false;
	} while (!str_eq(word, STR("-")));
	if (!host_text_word(&line, &m->type) || !host_text_word(&line, &m->source))
		return false;
	host_text_word(&line, &m->options); /* there may be none */
	return true;
}

bool host_mounts_read(struct host_report *r, struct host_mounts *out)
{
	struct str rest, line;
	size_t lines = 0;

	*out = (struct host_mounts){0};
	if (!host_report_read(r, "/proc/self/mountinfo", &rest))
		return false;
	for (size_t i = 0; i < rest.len; i++)
		lines += rest.p[i] == '\n';
	lines = lines < HOST_MOUNTS_MAX ? lines + 1 : HOST_MOUNTS_MAX;
	out->items = calloc(lines, sizeof(*out->items));
	if (!out->items)
		return false;
	while (out->len < lines && host_text_line(&rest, &line))
		out->len += parse(line, &out->items[out->len]);
	return true;
}

void host_mounts_fini(struct host_mounts *m)
{
	free(m->items);
	*m = (struct host_mounts){0};
}

bool host_mounts_is_below(struct str path, struct str dir)
{
	if (dir.len && dir.p[dir.len - 1] == '/') /* the root */
		dir.len--;
	return path.len >= dir.len && memcmp(path.p, dir.p, dir.len) == 0 && (path.len == dir.len || path.p[dir.len] == '/');
}

/* The byte of the \ooo at p, or -1. */
static int octal(const char *p, size_t len)
{
	int n = 0;

	if (len < 4 || p[0] != '\\' || p[1] > '3')
		return -1;
	for (int i = 1; i < 4; i++) {
		if (p[i] < '0' || p[i] > '7')
			return -1;
		n = n * 8 + (p[i] - '0');
	}
	return n;
}

bool host_mounts_unescape(struct str s, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; n++) {
		int byte = octal(s.p + i, s.len - i);

		if (n + 1 >= size)
			return false;
		out[n] = byte >= 0 ? (char)byte : s.p[i];
		i += byte >= 0 ? 4 : 1;
	}
	if (n >= size)
		return false;
	out[n] = '\0';
	return true;
}
