/* test_group.c - the same error stays one group over releases, machines and ids; different ones are different groups. */
#include "ingest/backtrace.h"
#include "ingest/group.h"
#include "ingest/group_text.h"
#include "tests/unit/ingest/backtrace_files.h"

struct group {
	uint8_t bytes[16];
};

static struct group name_of(struct payload_event *e, const char *site)
{
	struct group g;

	group_name(e, str_from(site));
	memcpy(g.bytes, e->event.group, sizeof(g.bytes));
	return g;
}

static bool same(struct group a, struct group b)
{
	return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

static struct group error_group(struct str class, struct str message, struct str text)
{
	struct payload_event e = {.kind = PAYLOAD_ERROR, .event = {.has_error = true, .action = STR("CartController#add"), .error = {.class = class, .message = message}}};
	struct arena arena = ARENA_INIT;
	struct group g;

	ck_assert_int_eq(backtrace_parse(text, &arena, &e.event.error.backtrace, &e.event.error.backtrace_len), 0);
	g = name_of(&e, "shop");
	arena_fini(&arena);
	return g;
}

/* The files of one group have one name, and no two groups do. */
START_TEST(as_a_person_would)
{
	static struct backtrace_file files[BACKTRACE_FILES_MAX];
	static struct group groups[BACKTRACE_FILES_MAX];
	size_t len = backtrace_files_read(files);

	for (size_t i = 0; i < len; i++)
		groups[i] = error_group(files[i].class, files[i].message, files[i].text);
	for (size_t i = 0; i < len; i++)
		for (size_t k = 0; k < i; k++)
			ck_assert_msg(same(groups[i], groups[k]) == str_eq(files[i].group, files[k].group), "%s and %s", files[i].name, files[k].name);
	backtrace_files_free(files, len);
}
END_TEST

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

/* Other numbers behind a colon or "line ", and other digits in 0x..: as after an edit, in another process. */
static char *shift_numbers(struct str text, struct unit_random *r)
{
	char *out = malloc(text.len + 1);

	ck_assert_ptr_nonnull(out);
	memcpy(out, text.p, text.len);
	out[text.len] = '\0';
	for (size_t i = 2; i < text.len; i++) {
		bool line = is_digit(out[i]) && (out[i - 1] == ':' || (i > 5 && memcmp(out + i - 5, "line ", 5) == 0));
		bool address = out[i - 2] == '0' && out[i - 1] == 'x';

		for (; (line && is_digit(out[i])) || (address && is_hex(out[i])); i++)
			out[i] = line ? (char)('1' + unit_random_below(r, 9)) : "0123456789abcdef"[unit_random_below(r, 16)];
	}
	return out;
}

START_TEST(lines_and_addresses_do_not_matter)
{
	static struct backtrace_file files[BACKTRACE_FILES_MAX];
	struct unit_random r = unit_random_new("lines_and_addresses_do_not_matter");
	size_t len = backtrace_files_read(files);

	for (size_t i = 0; i < len; i++)
		for (int k = 0; k < 200; k++) {
			char *moved = shift_numbers(files[i].text, &r);

			ck_assert_msg(same(error_group(files[i].class, files[i].message, files[i].text), error_group(files[i].class, files[i].message, str_from(moved))),
				      "%s as\n%s", files[i].name, moved);
			free(moved);
		}
	backtrace_files_free(files, len);
}
END_TEST

static const struct {
	size_t (*plain)(struct str, char *);
	const char *text, *want;
} texts[] = {
	{group_file, "/var/www/shop/releases/20260101120000/app/models/user.rb", "app/models/user.rb"},
	{group_file, "app/models/user.rb", "app/models/user.rb"},
	{group_file, "/usr/lib/ruby/gems/3.1.0/gems/rack-2.2.3/lib/rack.rb", "lib/rack.rb"},
	{group_file, "/opt/gems/rack-2.2.3/rack.rb", "rack/rack.rb"},
	{group_file, "https://cdn.shop.example/assets/app.3f9a1c.js?v=12#x", "assets/app.js"},
	{group_file, "https://cdn.shop.example/assets/main-B7xk3QzP.js", "assets/main.js"},
	{group_file, "https://cdn.shop.example/assets/main.js", "assets/main.js"},
	{group_file, "https://cdn.shop.example/static/js/2.8d3e7a11.chunk.js", "js/.chunk.js"},
	{group_file, "webpack:///./src/cart/add.ts", "src/cart/add.ts"},
	{group_file, "C:\\build\\shop\\src\\Cart.cs", "src/Cart.cs"},
	{group_file, "/home/ci/go/pkg/mod/example.com/lib@v1.2.3/x.go", "pkg/mod/example.com/lib/x.go"},
	{group_file, "/srv/a/b.py", "a/b.py"},
	{group_file, "b.py", "b.py"},
	{group_file, "utils2.py", "utils2.py"},
	{group_file, "src/", "src/"},
	{group_file, "", ""},
	{group_function, "main.(*Basket[...]).Take", "main.(*Basket).Take"},
	{group_function, "main.main.func1", "main.main"},
	{group_function, "main.main.func1.2.Place.func3", "main.main.Place"},
	{group_function, "main.(*T).run-fm", "main.(*T).run"},
	{group_function, "main.function1", "main.function1"},
	{group_function, "shop::order::place::h0123456789abcdef", "shop::order::place"},
	{group_function, "shop::help", "shop::help"},
	{group_function, "std::vector<int, std::allocator<int> >::at", "std::vector::at"},
	{group_function, "operator<", "operator<"},
	{group_function, "<module>", "<module>"},
	{group_function, "<lambda>", "<lambda>"},
	{group_function, "A.<init>", "A.<init>"},
	{group_function, "<lambda_12>", "<lambda_>"},
	{group_function, "com.acme.Shop.lambda$sell$0", "com.acme.Shop.lambda$sell$"},
	{group_function, "com.acme.Shop$$Lambda$14/0x0000000800066840.run", "com.acme.Shop$$Lambda$.run"},
	{group_function, "com.acme.Shop$1.run", "com.acme.Shop$.run"},
	{group_function, "block (2 levels) in place", "place"},
	{group_function, "rescue in block in place", "place"},
	{group_function, "async load", "load"},
	{group_function, "new Order", "Order"},
	{group_function, "fail.constprop.0", "fail"},
	{group_function, "fail.part.3.cold", "fail"},
	{group_function, "f+0x1d", "f"},
	{group_function, "step1", "step1"},
	{group_function, "", ""},
	{group_message, "order 12 of 7 is late", "order N of N is late"},
	{group_message, "took 1.5 s", "took N s"},
	{group_message, "at 10:20:30,5", "at N"},
	{group_message, "user 'Ann' can't find \"a \\ b\" or `x'", "user Q can't find Q or Q"},
	{group_message, "'can't do' of 'x'", "Q of Q"},
	{group_message, "no end: \"abc 1", "no end: \"abc N"},
	{group_message, "mail to ann.b+c@shop.example failed", "mail to M failed"},
	{group_message, "id 123e4567-e89b-12d3-a456-426614174000 and abcdefab-abcd-abcd-abcd-abcdefabcdef", "id N and N"},
	{group_message, "#<Order:0x000055d3>", "#<Order:N>"},
	{group_message, "com.acme.Order@1a2b3c is null", "com.acme.Order@N is null"},
	{group_message, "commit 3f9a1c7 is bad", "commit N is bad"},
	{group_message, "job_12 in /var/spool/a7/x", "job_N in /var/spool/aN/x"},
	{group_message, "defaced facade", "defaced facade"},
	{group_message, "caf\303\251 7", "caf\303\251 N"},
	{group_message, "", ""},
	{group_action, "GET /orders/123/items/3f9a1c7b", "GET /orders/N/items/N"},
	{group_action, "GET /orders/123e4567-e89b-12d3-a456-426614174000?x", "GET /orders/N?x"},
	{group_action, "GET /v2/orders", "GET /v2/orders"},
	{group_action, "CartController#add", "CartController#add"},
	{group_action, "Job2", "Job2"},
	{group_action, "#<Class:0x000055d3aa>", "#<Class:N>"},
};

START_TEST(without_what_changes)
{
	char out[GROUP_TEXT_MAX];
	size_t n = texts[_i].plain(str_from(texts[_i].text), out);

	ck_assert_msg(str_eq((struct str){out, n}, str_from(texts[_i].want)), "%s: %.*s", texts[_i].text, (int)n, out);
}
END_TEST

/* Any text at all is written into its room, and again as it is then. */
START_TEST(any_text_fits)
{
	static const char alphabet[] = "aF09x'\"`@.-_/\\:<>[]()$+ \303\251?#fun";
	size_t (*const plains[])(struct str, char *) = {group_file, group_function, group_message, group_action};
	struct unit_random r = unit_random_new("any_text_fits");

	for (int i = 0; i < 20000; i++) {
		size_t len = (size_t)unit_random_below(&r, i % 10 ? 60 : 3000);
		char *text = malloc(len + 1), *out = malloc(GROUP_TEXT_MAX);

		ck_assert(text && out);
		for (size_t k = 0; k < len; k++)
			text[k] = alphabet[unit_random_below(&r, sizeof(alphabet) - 1)];
		for (size_t k = 0; k < NR(plains); k++)
			ck_assert_uint_le(plains[k]((struct str){text, len}, out), len < GROUP_TEXT_MAX ? len : GROUP_TEXT_MAX);
		free(text);
		free(out);
	}
}
END_TEST

static struct group group_of_long(struct str s, bool framed)
{
	struct backtrace_frame frame = {.file = s, .function = s, .in_app = true};
	struct payload_event e = {.kind = PAYLOAD_ERROR,
				  .event = {.action = s, .namespace = s, .error = {.class = s, .message = s, .backtrace = &frame, .backtrace_len = framed}}};
	struct group g;

	group_name(&e, s);
	memcpy(g.bytes, e.event.group, sizeof(g.bytes));
	return g;
}

/* The longest of all: each part at its bound, and what is behind it makes no difference. */
START_TEST(the_longest_event)
{
	static char longest[100000];
	struct group g;

	memset(longest, '!', sizeof(longest));
	g = group_of_long((struct str){longest, sizeof(longest)}, _i);
	ck_assert(same(g, group_of_long((struct str){longest, GROUP_TEXT_MAX}, _i)));
	ck_assert(!same(g, group_of_long((struct str){longest, GROUP_TEXT_MAX - 1}, _i)));
}
END_TEST

/* Which fields make which group. */
START_TEST(what_a_group_is)
{
	struct backtrace_frame frames[] = {{.file = STR("lib.rb"), .function = STR("f"), .in_app = false}, {.file = STR("a.rb"), .line = 7, .function = STR("g"), .in_app = true}};
	struct payload_event e = {.kind = PAYLOAD_ERROR, .event = {.action = STR("A"), .namespace = STR("web"), .error = {.class = STR("C"), .message = STR("m"), .backtrace = frames, .backtrace_len = 2}}};
	struct payload_event t = {.kind = PAYLOAD_TRANSACTION, .event = {.action = STR("A"), .namespace = STR("web")}};
	struct payload_event c = {.kind = PAYLOAD_CHECK_IN, .event = {.action = STR("A"), .check_in = {.name = STR("A")}}};
	struct payload_event m = {.kind = PAYLOAD_MARKER, .event = {.marker = {.revision = STR("r1")}}};
	struct group g = name_of(&e, "shop"), h = name_of(&t, "shop");
	struct payload_event x;

	x = e, x.event.error.message = STR("other");
	ck_assert(same(g, name_of(&x, "shop")));
	x = e, x.event.error.class = STR("D");
	ck_assert(!same(g, name_of(&x, "shop")));
	x = e, x.event.action = STR("B");
	ck_assert(!same(g, name_of(&x, "shop")));
	ck_assert(!same(g, name_of(&e, "other")));
	frames[0].function = STR("h");
	ck_assert(same(g, name_of(&e, "shop")));
	frames[1].function = STR("h");
	ck_assert(!same(g, name_of(&e, "shop")));
	frames[1].function = STR("g"), frames[1].file = STR("b.rb");
	ck_assert(!same(g, name_of(&e, "shop")));
	frames[1].in_app = false;
	x = e, x.event.error.message = STR("other");
	ck_assert(!same(name_of(&e, "shop"), name_of(&x, "shop")));
	x = t, x.event.namespace = STR("background");
	ck_assert(!same(h, name_of(&x, "shop")));
	x = t, x.event.action = STR("B");
	ck_assert(!same(h, name_of(&x, "shop")));
	x = t, x.event.transaction.duration_ms = 9, x.event.host = STR("b");
	ck_assert(same(h, name_of(&x, "shop")));
	x = m, x.event.marker.revision = STR("r2");
	ck_assert(same(name_of(&m, "shop"), name_of(&x, "shop")));
	x = c, x.event.check_in.name = STR("B");
	ck_assert(!same(name_of(&c, "shop"), name_of(&x, "shop")));
	ck_assert(!same(name_of(&c, "shop"), name_of(&m, "shop")) && !same(h, name_of(&c, "shop")));
}
END_TEST

/* The name as it stands in schemas/README.md: a change of it tears every group apart. Made by python-xxhash. */
START_TEST(the_name_is_for_ever)
{
	struct payload_event t = {.kind = PAYLOAD_TRANSACTION, .event = {.action = STR("GET /orders/7"), .namespace = STR("web")}};
	struct group g = name_of(&t, "shop");
	char hex[33];

	for (size_t i = 0; i < sizeof(g.bytes); i++)
		snprintf(hex + 2 * i, 3, "%02x", g.bytes[i]);
	ck_assert_str_eq(hex, "7c69694871a40a8281a1d3023ce72b1a");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("group");
	TCase *tc = tcase_create("group");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, as_a_person_would);
	tcase_add_test(tc, lines_and_addresses_do_not_matter);
	tcase_add_loop_test(tc, without_what_changes, 0, NR(texts));
	tcase_add_test(tc, any_text_fits);
	tcase_add_loop_test(tc, the_longest_event, 0, 2);
	tcase_add_test(tc, what_a_group_is);
	tcase_add_test(tc, the_name_is_for_ever);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
