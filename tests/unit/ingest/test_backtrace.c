/* test_backtrace.c - frames as each language prints them, innermost first; what is no frame is skipped; hostile text costs no more than its length. */
#include "ingest/backtrace.h"
#include "tests/unit/ingest/backtrace_files.h"

static void parse(struct str text, struct arena *arena, struct backtrace_frame **frames, size_t *len)
{
	*frames = NULL;
	*len = 4711;
	ck_assert_int_eq(backtrace_parse(text, arena, frames, len), 0);
	ck_assert(*len <= BACKTRACE_FRAMES_MAX);
}

static void check_file(const struct backtrace_file *file)
{
	struct arena arena = ARENA_INIT;
	struct backtrace_frame *frames;
	size_t len;
	char got[1024];

	parse(file->text, &arena, &frames, &len);
	for (size_t i = 0; i < file->frames_told && i < len; i++) {
		snprintf(got, sizeof(got), STR_FMT "|%d|" STR_FMT "|%s", STR_ARG(frames[i].file), frames[i].line, STR_ARG(frames[i].function),
			 frames[i].in_app ? "own" : "not");
		ck_assert_msg(str_eq(str_from(got), file->frames[i]), "%s, frame %zu:\n%s, not\n" STR_FMT, file->name, i, got, STR_ARG(file->frames[i]));
	}
	ck_assert_msg(len == file->frames_len, "%s: %zu frames", file->name, len);
	arena_fini(&arena);
}

START_TEST(frames_of_every_language)
{
	static struct backtrace_file files[BACKTRACE_FILES_MAX];
	size_t len = backtrace_files_read(files);

	for (size_t i = 0; i < len; i++)
		check_file(&files[i]);
	backtrace_files_free(files, len);
}
END_TEST

/* Windows' ends of lines change nothing. */
START_TEST(ends_of_lines)
{
	static struct backtrace_file files[BACKTRACE_FILES_MAX];
	size_t len = backtrace_files_read(files);

	for (size_t i = 0; i < len; i++) {
		struct buf b = BUF_INIT;

		for (size_t k = 0; k < files[i].text.len; k++) {
			if (files[i].text.p[k] == '\n')
				buf_add(&b, "\r", 1);
			buf_add(&b, files[i].text.p + k, 1);
		}
		files[i].text = buf_str(&b);
		check_file(&files[i]);
		buf_fini(&b);
	}
	backtrace_files_free(files, len);
}
END_TEST

static const struct {
	const char *text;
	const char *first; /* FILE|LINE|FUNCTION; NULL: no frame at all */
} lines[] = {
	{"at f (a.js:1:2)", "a.js|1|f"},
	{"    at async Object.f [as g] (file:///srv/a.mjs:10:2)", "file:///srv/a.mjs|10|Object.f"},
	{"    at node:internal/main/run_main_module:28:49", "node:internal/main/run_main_module|28|"},
	{"    at <anonymous>", "<anonymous>|0|"},
	{"a.rb:12", "a.rb|12|"},
	{"/srv/app/views/show.html.erb:3:in `_app_views'", "/srv/app/views/show.html.erb|3|_app_views"},
	{"-e:1:in '<main>'", "-e|1|<main>"},
	{"  File \"a b.py\", line 99999999999, in f", "a b.py|2147483647|f"},
	{"  File \"x.py\", line 3", "x.py|3|"},
	{"#1  f (x=1, s=0x55 \"at a.c:7\") at b.c:3", "b.c|3|f"},
	{"#12 0x00007f in g () from /lib/libx.so.6", "/lib/libx.so.6|0|g"},
	{"    #0 0x7f12 in ns::f(int, char const*) /src/a b.cc:10:3", "b.cc|10|ns::f(int, char const*) /src/a"},
	{"    #0 0x7f12 in ns::f(int, char const*) /src/a.cc:10:3", "/src/a.cc|10|ns::f"},
	{"    #3 0x7f12  (/usr/bin/x+0x1234) (BuildId: 00ff)", "/usr/bin/x|0|"},
	{"\tat com.acme.A.<init>(A.java:3)", "A.java|3|com.acme.A.<init>"},
	{"\tat com.acme.A$B.f(A.kt)", "A.kt|0|com.acme.A$B.f"},
	{"at Foo.Bar(String x) in C:\\a b.cs:line 12", "C:\\a b.cs|12|Foo.Bar"},
	{"   at Foo.Bar`1.<>c.<Get>b__0_1[T](T x, Func`2 f)", "|0|Foo.Bar`1.<>c.<Get>b__0_1[T]"},
	{"   at Foo.Bar() in /src/a.cs:line 7", "/src/a.cs|7|Foo.Bar"},
	{"   at Foo.Bar() in /src/a.cs", "/src/a.cs|0|Foo.Bar"},
	{"   at Foo.Bar()", "|0|Foo.Bar"},
	{"\tat com.acme.A.f(Unknown Source)", "|0|com.acme.A.f"},
	{"at Foo.Bar() of a sentence", NULL},
	{"#0 /srv/app/Cart.php(42): App\\Cart->price('x', 1)", "/srv/app/Cart.php|42|App\\Cart->price"},
	{"#1 [internal function]: App\\Cart->App\\{closure}(Array)", "[internal function]|0|App\\Cart->App\\{closure}"},
	{"main.f(0x1)\n\t/srv/a.go:12 +0x1d", "/srv/a.go|12|main.f"},
	{"main.f\n\t/srv/a.go:12", "/srv/a.go|12|main.f"},
	{"main.f(0x1)", NULL},
	{"main.f(0x1)\nmain.g(0x1)\n\t/srv/b.go:2", "/srv/b.go|2|main.g"},
	{"\t/srv/a.go:12 +0x1d", NULL},
	{"  3: a::b\n             at ./src/a.rs:1:2", "./src/a.rs|1|a::b"},
	{"  3: a::b\n", "|0|a::b"},
	{"f@a.js:1:2", "a.js|1|f"},
	{"me@shop.example: 12", NULL},
	{"write to me@shop.example:80", NULL},
	{"12: a sentence with words", NULL},
	{"java.lang.Error: at last (it is over)", NULL},
	{"", NULL},
	{"\n\n\r\n", NULL},
	{":1", NULL},
	{"at ", NULL},
	{"at (", NULL},
	{"#", NULL},
	{"#1", NULL},
	{"@:1", NULL},
	{"File \"", NULL},
	{"()", NULL},
	{"(+0x1) [0x1]", NULL},
};

START_TEST(a_line)
{
	struct arena arena = ARENA_INIT;
	struct backtrace_frame *frames;
	size_t len;
	char got[256] = "";

	parse(str_from(lines[_i].text), &arena, &frames, &len);
	if (len)
		snprintf(got, sizeof(got), STR_FMT "|%d|" STR_FMT, STR_ARG(frames[0].file), frames[0].line, STR_ARG(frames[0].function));
	ck_assert_msg(len <= 1 && (len == 0) == !lines[_i].first, "%s: %zu frames, %s", lines[_i].text, len, got);
	ck_assert_msg(len == 0 || strcmp(got, lines[_i].first) == 0, "%s: %s", lines[_i].text, got);
	arena_fini(&arena);
}
END_TEST

/* A stack that ran over: the innermost ones are kept, whatever the order of the text. */
START_TEST(a_stack_without_end)
{
	struct arena arena = {.limit_bytes = 1 << 16};
	struct backtrace_frame *frames;
	struct buf b = BUF_INIT;
	size_t len;

	buf_printf(&b, "%s\n", _i ? "Traceback (most recent call last):" : "RangeError: too deep");
	for (int i = 1; i <= 100000; i++)
		buf_printf(&b, _i ? "  File \"a.py\", line %d, in f\n" : "    at f (a.js:%d:1)\n", i);
	parse(buf_str(&b), &arena, &frames, &len);
	ck_assert_uint_eq(len, BACKTRACE_FRAMES_MAX);
	for (size_t i = 0; i < len; i++)
		ck_assert_int_eq(frames[i].line, _i ? 100000 - (int)i : 1 + (int)i);
	buf_fini(&b);
	arena_fini(&arena);
}
END_TEST

static const char *const pieces[] = {"at ", "#0 ", "0x1 in ", "File \"", "\", line ", ":1", ":in `", "'", "(", ")", "@", "\n", "\t", " ", "Traceback (most recent call last):\n",
				     "| ", "+ ", "1: ", "from ", ".go", "Caused by: ", "goroutine ", "f", "/", "[0x", "*", "created by "};

/* Each string lies within the text, whatever that is. */
START_TEST(frames_borrow_the_text)
{
	struct unit_random r = unit_random_new("frames_borrow_the_text");

	for (int i = 0; i < 20000; i++) {
		struct arena arena = ARENA_INIT;
		struct backtrace_frame *frames;
		struct buf b = BUF_INIT;
		size_t len;
		struct str text;
		char *exact;

		for (uint64_t n = unit_random_below(&r, 40); n; n--)
			buf_printf(&b, "%s", pieces[unit_random_below(&r, NR(pieces))]);
		text = buf_str(&b);
		exact = malloc(text.len ? text.len : 1);
		ck_assert_ptr_nonnull(exact);
		memcpy(exact, text.p, text.len);
		parse((struct str){exact, text.len}, &arena, &frames, &len);
		for (size_t k = 0; k < len; k++) {
			const struct str s[] = {frames[k].file, frames[k].function};

			for (size_t j = 0; j < NR(s); j++)
				ck_assert(s[j].p && (s[j].len == 0 || (s[j].p >= exact && s[j].p + s[j].len <= exact + text.len)));
		}
		free(exact);
		buf_fini(&b);
		arena_fini(&arena);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("backtrace");
	TCase *tc = tcase_create("backtrace");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, frames_of_every_language);
	tcase_add_test(tc, ends_of_lines);
	tcase_add_loop_test(tc, a_line, 0, NR(lines));
	tcase_add_loop_test(tc, a_stack_without_end, 0, 2);
	tcase_add_test(tc, frames_borrow_the_text);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
