/* log_lines.h - a log that is read back line by line, for tests of what it says. */
#ifndef MILLRACE_TESTS_LOG_LINES_H
#define MILLRACE_TESTS_LOG_LINES_H

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/unit/unit.h"

enum { LINE_MAX_BYTES = 8192, FIELDS_MAX = 16 };

/* For inner loops: each of Check's own assertions writes to a file, also when it holds. */
#define must(condition) ((condition) ? (void)0 : ck_abort_msg("not so: %s", #condition))

struct sink {
	struct log log;
	int read_fd;
	char line[LINE_MAX_BYTES * 2];
	size_t len;
};

static inline void sink_init(struct sink *s, bool json)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	s->read_fd = fds[0];
	s->log = (struct log){.fd = fds[1], .level = LOG_LEVEL_INFO, .json = json, .program = "millrace-test", .instance = "i1"};
}

static inline void sink_fini(struct sink *s)
{
	close(s->read_fd);
	close(s->log.fd);
}

/* The next message, NUL-terminated without its newline; false when there is none. Every message must be one whole line. */
static inline bool sink_read(struct sink *s)
{
	ssize_t n = recv(s->read_fd, s->line, sizeof(s->line) - 1, MSG_DONTWAIT);

	if (n < 0)
		return false;
	ck_assert_int_gt(n, 1);
	ck_assert_int_le(n, LINE_MAX_BYTES);
	ck_assert_int_eq(s->line[n - 1], '\n');
	s->line[n - 1] = '\0';
	s->len = (size_t)n - 1;
	ck_assert_uint_eq(strlen(s->line), s->len);
	ck_assert_ptr_null(strchr(s->line, '\n'));
	return true;
}

struct pair {
	char key[64];
	char value[LINE_MAX_BYTES];
	size_t len;
	bool quoted;
};

struct parsed {
	struct pair pairs[FIELDS_MAX];
	size_t nr;
};

static inline int hex(const char *text, int digits)
{
	int v = 0;

	for (int i = 0; i < digits; i++) {
		const char *at = text[i] ? strchr("0123456789abcdef", text[i]) : NULL;

		must(at != NULL);
		v = v * 16 + (int)(at - "0123456789abcdef");
	}
	return v;
}

static inline void put_code_point(struct pair *p, int c)
{
	if (c < 0x80) {
		p->value[p->len++] = (char)c;
	} else if (c < 0x800) {
		p->value[p->len++] = (char)(0xc0 | c >> 6);
		p->value[p->len++] = (char)(0x80 | (c & 0x3f));
	} else {
		p->value[p->len++] = (char)(0xe0 | c >> 12);
		p->value[p->len++] = (char)(0x80 | (c >> 6 & 0x3f));
		p->value[p->len++] = (char)(0x80 | (c & 0x3f));
	}
}

/* Behind a backslash; returns behind the escape. */
static inline const char *read_escape(const char *c, struct pair *p, bool json)
{
	static const char from[] = "nrt\"\\", to[] = "\n\r\t\"\\";
	const char *at = strchr(from, *c);

	must(*c != '\0');
	if (at) {
		p->value[p->len++] = to[at - from];
		return c + 1;
	}
	must(*c == (json ? 'u' : 'x'));
	if (!json) {
		p->value[p->len++] = (char)hex(c + 1, 2);
		return c + 3;
	}
	put_code_point(p, hex(c + 1, 4));
	return c + 5;
}

/* At an opening quotation mark; returns behind the closing one. */
static inline const char *read_quoted(const char *c, struct pair *p, bool json)
{
	p->quoted = true;
	for (c++; *c != '"';) {
		must((unsigned char)*c >= 0x20 && *c != 0x7f); /* which is also what stands at an end without a mark */
		if (*c == '\\')
			c = read_escape(c + 1, p, json);
		else
			p->value[p->len++] = *c++;
	}
	return c + 1;
}

static inline void read_text(const char *c, struct parsed *out)
{
	for (out->nr = 0; *c; out->nr++) {
		struct pair *p = &out->pairs[out->nr];
		size_t n = strcspn(c, "=");

		ck_assert_uint_lt(out->nr, FIELDS_MAX);
		ck_assert(n > 0 && n < sizeof(p->key) && c[n] == '=' && strcspn(c, " \"") >= n);
		snprintf(p->key, sizeof(p->key), "%.*s", (int)n, c);
		c += n + 1;
		p->len = 0;
		p->quoted = false;
		if (*c == '"')
			c = read_quoted(c, p, false);
		else
			while (*c && *c != ' ') {
				must(!strchr("\"=\\", *c));
				p->value[p->len++] = *c++;
			}
		p->value[p->len] = '\0';
		ck_assert(*c == '\0' || *c == ' ');
		ck_assert(*c == '\0' || c[1] != '\0');
		c += *c == ' ';
	}
}

/* JSON's grammar for a number, true or false. */
static inline size_t json_literal(const char *c)
{
	const char *start = c;

	if (strncmp(c, "true", 4) == 0)
		return 4;
	if (strncmp(c, "false", 5) == 0)
		return 5;
	c += *c == '-';
	ck_assert(*c >= '0' && *c <= '9');
	if (*c == '0')
		ck_assert(!(c[1] >= '0' && c[1] <= '9'));
	c += strspn(c, "0123456789");
	if (*c == '.') {
		ck_assert_uint_gt(strspn(c + 1, "0123456789"), 0);
		c += 1 + strspn(c + 1, "0123456789");
	}
	if (*c == 'e' || *c == 'E') {
		c += 1 + (c[1] == '+' || c[1] == '-');
		ck_assert_uint_gt(strspn(c, "0123456789"), 0);
		c += strspn(c, "0123456789");
	}
	return (size_t)(c - start);
}

static inline void read_json(const char *c, struct parsed *out)
{
	struct pair key;

	ck_assert_int_eq(*c++, '{');
	for (out->nr = 0; *c != '}'; out->nr++) {
		struct pair *p = &out->pairs[out->nr];

		ck_assert_uint_lt(out->nr, FIELDS_MAX);
		if (out->nr)
			ck_assert_int_eq(*c++, ',');
		ck_assert_int_eq(*c, '"');
		key.len = p->len = 0;
		p->quoted = false;
		c = read_quoted(c, &key, true);
		snprintf(p->key, sizeof(p->key), "%.*s", (int)key.len, key.value);
		ck_assert_int_eq(*c++, ':');
		if (*c == '"') {
			c = read_quoted(c, p, true);
		} else {
			p->len = json_literal(c);
			memcpy(p->value, c, p->len);
			c += p->len;
		}
		p->value[p->len] = '\0';
	}
	ck_assert_int_eq(c[1], '\0');
}

static inline void sink_parse(struct sink *s, struct parsed *out)
{
	ck_assert_msg(sink_read(s), "no line");
	if (s->log.json)
		read_json(s->line, out);
	else
		read_text(s->line, out);
}

static inline const struct pair *get(const struct parsed *p, const char *key)
{
	for (size_t i = 0; i < p->nr; i++)
		if (strcmp(p->pairs[i].key, key) == 0)
			return &p->pairs[i];
	return NULL;
}

static inline void check_value(const struct parsed *p, const char *key, const char *value)
{
	const struct pair *pair = get(p, key);

	ck_assert_msg(pair != NULL, "no %s", key);
	ck_assert_str_eq(pair->value, value);
}

static inline void fill(char *out, size_t units, const char *unit)
{
	for (*out = '\0'; units > 0; units--)
		out = stpcpy(out, unit);
}

#endif
