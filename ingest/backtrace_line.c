/* backtrace_line.c - see backtrace_line.h.
 *
 * Forms are told apart by the line alone, as a text often has something else around its frames; each is tried by what it cannot be without. All of it is
 * looked for with a few passes over the line. */
#include "ingest/backtrace_line.h"

#include <stdint.h>
#include <stdlib.h>

static const struct str nothing = {"", 0}; /* not NULL: it may be copied */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct str trim(struct str s)
{
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = (struct str){s.p + 1, s.len - 1};
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t' || s.p[s.len - 1] == '\r'))
		s.len--;
	return s;
}

static struct str from(struct str s, size_t at)
{
	return at < s.len ? (struct str){s.p + at, s.len - at} : nothing;
}

static struct str until(struct str s, size_t end)
{
	return (struct str){s.p, end < s.len ? end : s.len};
}

/* Where what begins in s, or s.len. */
static size_t find(struct str s, const char *what)
{
	const char *p = s.len ? memmem(s.p, s.len, what, strlen(what)) : NULL;

	return p ? (size_t)(p - s.p) : s.len;
}

static size_t find_last(struct str s, char c)
{
	const char *p = s.len ? memrchr(s.p, c, s.len) : NULL;

	return p ? (size_t)(p - s.p) : s.len;
}

static bool ends(struct str s, const char *what)
{
	size_t n = strlen(what);

	return s.len >= n && memcmp(s.p + s.len - n, what, n) == 0;
}

static int32_t number(struct str s)
{
	int64_t n = 0;

	for (size_t i = 0; i < s.len && is_digit(s.p[i]) && n < INT32_MAX; i++)
		n = n * 10 + (s.p[i] - '0');
	return n > INT32_MAX ? INT32_MAX : (int32_t)n;
}

/* Takes :12 off the end of s. */
static bool take_number(struct str *s, int32_t *out)
{
	size_t n = s->len;

	while (n && is_digit(s->p[n - 1]))
		n--;
	if (n == s->len || n < 2 || s->p[n - 1] != ':')
		return false;
	*out = number(from(*s, n));
	s->len = n - 1;
	return true;
}

/* file:line or file:line:column. */
static bool read_place(struct str s, struct backtrace_frame *f)
{
	int32_t column;
	bool ok = take_number(&s, &f->line);

	if (ok && take_number(&s, &column))
		f->line = column; /* what was taken for the line was the column */
	f->file = s;
	return ok && s.len;
}

static bool read_python(struct str line, struct backtrace_frame *f)
{
	size_t end;

	if (!str_take(&line, "File \""))
		return false;
	end = find(line, "\", line ");
	if (end == line.len)
		return false;
	f->file = until(line, end);
	line = from(line, end + strlen("\", line "));
	f->line = number(line);
	end = find(line, ", in ");
	f->function = from(line, end + strlen(", in "));
	return true;
}

/* at Acme.Shop.Sell(Int32 n), and perhaps in /src/Shop.cs:line 12. What stands in parentheses are arguments, a type and a name each, and no place. */
static bool read_net(struct str line, struct backtrace_frame *f)
{
	size_t open, close;
	struct str inner, place;

	if (!str_take(&line, "at "))
		return false;
	open = find(line, "(");
	close = find(line, ")");
	if (open == 0 || close >= line.len || open > close || memchr(line.p, ' ', open) || memchr(line.p, ':', open) || !memchr(line.p, '.', open))
		return false;
	inner = (struct str){line.p + open + 1, close - open - 1};
	if (str_eq(inner, STR("Native Method")) || str_eq(inner, STR("Unknown Source")) || (inner.len && !memchr(inner.p, ' ', inner.len)))
		return false;
	place = from(line, close + 1);
	if (place.len && !str_take(&place, " in "))
		return false;
	f->function = until(line, open);
	f->file = until(place, find(place, ":line "));
	f->line = number(from(place, f->file.len + strlen(":line ")));
	return true;
}

/* at com.acme.Shop.sell(Shop.java:12), also with a loader or a module before a slash, which are no part of the name. */
static bool read_java(struct str line, struct backtrace_frame *f)
{
	size_t open, slash;
	struct str place;

	if (!str_take(&line, "at "))
		return false;
	open = find(line, "(");
	if (open == 0 || open + 1 >= line.len || line.p[open + 1] == ')' || memchr(line.p, ' ', open) || !memchr(line.p, '.', open))
		return false;
	place = from(line, open + 1);
	place = until(place, find(place, ")"));
	if (!str_eq(place, STR("Native Method")) && !str_eq(place, STR("Unknown Source")) &&
	    (memchr(place.p, '/', place.len) || memchr(place.p, ' ', place.len) || memchr(line.p, ':', open)))
		return false;
	slash = find_last(until(line, open), '/');
	f->function = slash < open && !memmem(line.p, open, "$$Lambda", 8) ? (struct str){line.p + slash + 1, open - slash - 1} : until(line, open);
	f->file = str_eq(place, STR("Native Method")) || str_eq(place, STR("Unknown Source")) ? nothing : place;
	take_number(&f->file, &f->line);
	return true;
}

/* at [async] [new] f [as g] (place), at place. An eval's own place comes last: (eval at f (file:1:2), <anonymous>:1:2). */
static bool read_v8(struct str line, struct backtrace_frame *f)
{
	size_t open;

	if (!str_take(&line, "at "))
		return false;
	str_take(&line, "async ");
	open = find(line, " (");
	if (open == line.len || !ends(line, ")"))
		return read_place(line, f) || str_eq(line, STR("<anonymous>"));
	f->function = until(line, open);
	if (find(f->function, " [as ") < f->function.len)
		f->function.len = find(f->function, " [as ");
	str_take(&f->function, "new ");
	line = from(line, open + 2);
	line.len--;
	if (str_take(&line, "eval at ")) {
		size_t in = find_last(line, '(');

		line = from(line, in < line.len ? in + 1 : 0);
		line = until(line, find(line, ")"));
	}
	if (!read_place(line, f))
		f->file = line;
	return true;
}

static bool read_firefox(struct str line, struct backtrace_frame *f)
{
	size_t at = find(line, "@"), star = find_last(until(line, at), '*'); /* promise callback*f@.. */
	struct str place;

	if (star < at) {
		line = from(line, star + 1);
		at -= star + 1;
	}
	place = from(line, at + 1);

	if (str_eq(line, STR("[native code]")) || (at < line.len && str_eq(place, STR("[native code]")))) {
		f->function = until(line, at == line.len ? 0 : at);
		f->file = at == line.len ? line : place;
		return true;
	}
	if (at == line.len || memchr(line.p, ' ', at) || memchr(place.p, ' ', place.len) || !read_place(place, f))
		return false;
	f->function = until(line, at);
	return true;
}

/* [from ]file:line:in 'f', in both styles of quotes. Behind it a message may follow. */
static bool read_ruby(struct str line, struct backtrace_frame *f)
{
	size_t in;
	struct str name;

	str_take(&line, "from ");
	in = find(line, ":in ");
	if (in == line.len)
		return (ends(until(line, find(line, ":")), ".rb") || ends(until(line, find(line, ":")), ".erb")) && read_place(line, f);
	name = from(line, in + 4);
	if (name.len < 2 || (name.p[0] != '\'' && name.p[0] != '`'))
		return false;
	name = from(name, 1);
	f->function = until(name, find(name, "'"));
	return read_place(until(line, in), f);
}

/* Without the arguments in the parentheses at its end: (*T).f(0x1, ..) is (*T).f. */
static struct str without_arguments(struct str s)
{
	size_t depth = 0;

	if (!ends(s, ")"))
		return s;
	for (size_t i = s.len; i-- > 0;) {
		depth += s.p[i] == ')';
		depth -= s.p[i] == '(';
		if (depth == 0)
			return trim(until(s, i));
	}
	return s;
}

/* /srv/shop.php(12): Shop->sell('x'), or [internal function]: .. */
static bool read_php(struct str s, struct backtrace_frame *f)
{
	size_t colon = find(s, ": "), open;
	struct str place = until(s, colon);

	if (colon == s.len)
		return false;
	open = find_last(place, '(');
	if (!str_eq(place, STR("[internal function]"))) {
		if (open == 0 || open + 2 >= place.len || !is_digit(place.p[open + 1]) || !ends(place, ")"))
			return false;
		f->line = number(from(place, open + 1));
		place.len = open;
	}
	f->file = place;
	f->function = without_arguments(from(s, colon + 2));
	return true;
}

/* What gdb and AddressSanitizer tell of a function behind its number and address. */
static void read_numbered(struct str s, struct backtrace_frame *f)
{
	size_t at = find(s, " at "), lib = find(s, " from /"), paren;
	struct str place;

	if (at < s.len && read_place(from(s, at + 4), f)) { /* gdb */
		f->function = without_arguments(trim(until(s, at)));
		return;
	}
	f->file = nothing;
	f->line = 0;
	if (lib < s.len) {
		f->file = from(s, lib + 6);
		f->function = without_arguments(trim(until(s, lib)));
		return;
	}
	if (find(s, " (BuildId: ") < s.len)
		s.len = find(s, " (BuildId: ");
	paren = find_last(s, '(');
	place = from(s, paren + 1);
	if (paren < s.len && find(place, "+0x") < place.len) { /* (module+0x12) */
		f->file = until(place, find(place, "+0x"));
		f->function = trim(until(s, paren));
		return;
	}
	at = find_last(s, ' ');
	if (at < s.len && read_place(from(s, at + 1), f)) {
		f->function = trim(until(s, at));
		if (find(f->function, "(") < f->function.len && find(f->function, "(") && ends(f->function, ")"))
			f->function = without_arguments(f->function);
		return;
	}
	f->file = nothing;
	f->line = 0;
	f->function = without_arguments(s);
}

/* #3 [0x55d in ]f .. */
static bool read_c(struct str line, struct backtrace_frame *f, int *n)
{
	size_t in;

	if (line.len < 3 || line.p[0] != '#' || !is_digit(line.p[1]))
		return false;
	line = from(line, 1);
	*n = number(line);
	while (line.len && is_digit(line.p[0]))
		line = from(line, 1);
	line = trim(line);
	if (line.len > 2 && line.p[0] == '0' && line.p[1] == 'x') {
		in = find(line, " ");
		line = trim(from(line, in));
		str_take(&line, "in ");
	}
	if (!read_php(line, f))
		read_numbered(line, f);
	return f->function.len || f->file.len;
}

/* ./prog(f+0x1d) [0x55d], /lib/libc.so.6(+0x1d) [0x7f] */
static bool read_glibc(struct str line, struct backtrace_frame *f)
{
	size_t address = find(line, "[0x"), open, plus;
	struct str inner;

	if (address == line.len || !ends(line, "]"))
		return false;
	line = trim(until(line, address));
	open = find_last(line, '(');
	if (open == line.len || open == 0 || !ends(line, ")"))
		return false;
	inner = from(line, open + 1);
	inner.len--;
	plus = find(inner, "+0x");
	f->function = until(inner, plus);
	f->file = until(line, open);
	return true;
}

/* 12: name, or 12: 0x55d - name, of Rust. */
static bool read_rust(struct str line, struct backtrace_frame *f, int *n)
{
	size_t i = 0;

	while (i < line.len && is_digit(line.p[i]))
		i++;
	if (i == 0 || i + 2 >= line.len || line.p[i] != ':' || line.p[i + 1] != ' ')
		return false;
	*n = number(line);
	line = trim(from(line, i + 2));
	if (line.len > 2 && line.p[0] == '0' && line.p[1] == 'x' && find(line, " - ") < line.len)
		line = from(line, find(line, " - ") + 3);
	if (find(line, ": ") < line.len || (memchr(line.p, ' ', line.len) && line.p[0] != '<') || (line.len && line.p[0] == '#'))
		return false;
	f->function = line;
	return line.len != 0;
}

/* A function of Go, at the line's very beginning: package.f(..) or created by package.f. */
static bool read_go(struct str line, struct backtrace_frame *f)
{
	bool created = str_take(&line, "created by ");
	struct str name = created ? until(line, find(line, " in goroutine ")) : without_arguments(line);

	if (name.len == 0 || memchr(name.p, ' ', name.len) || memchr(name.p, ':', name.len) || !memchr(name.p, '.', name.len))
		return false;
	f->function = name;
	return created || name.len != line.len || find(line, ".") < line.len;
}

/* file:line +0x1d, of Go. */
static bool read_place_line(struct str line, struct backtrace_frame *f)
{
	line = until(line, find(line, " +0x"));
	return !memchr(line.p, '(', line.len) && !memchr(line.p, ' ', line.len) && ends(until(line, find_last(line, ':')), ".go") && read_place(line, f);
}

static bool is_indented(struct str line)
{
	return line.len && (line.p[0] == ' ' || line.p[0] == '\t');
}

static bool read_unnumbered(struct str line, struct backtrace_frame *f, enum backtrace_form form)
{
	static bool (*const readers[])(struct str, struct backtrace_frame *) = {
		[BACKTRACE_PYTHON] = read_python, [BACKTRACE_NET] = read_net, [BACKTRACE_JAVA] = read_java, [BACKTRACE_RUBY] = read_ruby, [BACKTRACE_PLACE] = read_place_line,
		[BACKTRACE_V8] = read_v8, [BACKTRACE_GLIBC] = read_glibc, [BACKTRACE_FIREFOX] = read_firefox, [BACKTRACE_GO] = read_go,
	};

	return readers[form](line, f);
}

/* The order matters: a form stands before those that are less strict. */
enum backtrace_form backtrace_read_line(struct str line, struct backtrace_frame *frame, int *n)
{
	const struct backtrace_frame empty = {.file = nothing, .function = nothing};
	const struct str bare = trim(line);

	*n = -1;
	for (enum backtrace_form form = 0; form < NR_BACKTRACE_FORMS && bare.len; form++) {
		bool ok;

		*frame = empty;
		if (form == BACKTRACE_C)
			ok = read_c(bare, frame, n);
		else if (form == BACKTRACE_RUST)
			ok = is_indented(line) && read_rust(bare, frame, n);
		else
			ok = (form != BACKTRACE_GO || !is_indented(line)) && (form != BACKTRACE_PLACE || is_indented(line)) && read_unnumbered(bare, frame, form);
		if (ok)
			return form;
	}
	return NR_BACKTRACE_FORMS;
}

