/* test_lines_random.c - properties: an error at random is kept to the byte, and damage is counted.
 *
 * The JSON is the test's own; what it should have become is packed by protobuf-c from what it was made of. */
#include <inttypes.h>

#include "tests/unit/agent/lines_house.h"

/* Text with all that JSON has escapes for; freed by the caller. */
static char *random_text(struct unit_random *r, size_t max)
{
	static const char *const pieces[] = {"a", "Z", "/", "\"", "\\", "\n", "\t", "\x01", "\x7f", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\\ud83d"};
	size_t len = 1 + unit_random_below(r, max);
	char *text = calloc(len * 8 + 1, 1);

	for (size_t i = 0; i < len; i++)
		strcat(text, pieces[unit_random_below(r, NR(pieces))]); /* style: the room is counted above */
	return text;
}

/* Some as they are, some as escapes. */
static void write_text(struct buf *out, struct unit_random *r, const char *text)
{
	buf_add(out, "\"", 1);
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_printf(out, "\\%c", *p);
		else if ((uint8_t)*p < ' ' || ((uint8_t)*p < 0x80 && unit_random_below(r, 4) == 0))
			buf_printf(out, unit_random_below(r, 2) ? "\\u%04x" : "\\u%04X", *p);
		else
			buf_add(out, p, 1);
	}
	buf_add(out, "\"", 1);
}

static void write_field(struct buf *out, struct unit_random *r, const char *name, const char *text)
{
	buf_printf(out, ",%s\"%s\": ", unit_random_below(r, 3) ? "" : "\"new\":[{\"x\":[\"]}\"]}],", name);
	write_text(out, r, text);
}

/* An error at random, whose parts are here. */
struct some_error {
	Millrace__Push__Error error;
	Millrace__Push__Frame frames[4], *backtrace[4];
	Millrace__Push__Error__ParamsEntry entries[4], *params[4];
};

static const char *const keys[] = {"k0", "k1", "k2", "k3"};

static void some_error_init(struct some_error *s, struct unit_random *r)
{
	millrace__push__error__init(&s->error);
	s->error.t = NOW_MS - (int64_t)unit_random_below(r, 1000000);
	s->error.class_ = random_text(r, 20);
	s->error.message = random_text(r, 300);
	s->error.backtrace = s->backtrace;
	s->error.params = s->params;
	for (size_t n = s->error.n_backtrace = unit_random_below(r, 5); n-- > 0;) {
		s->backtrace[n] = &s->frames[n];
		millrace__push__frame__init(s->backtrace[n]);
		s->frames[n].line = (uint32_t)unit_random_next(r);
		s->frames[n].file = random_text(r, 30);
		s->frames[n].in_app = unit_random_below(r, 2);
	}
	for (size_t n = s->error.n_params = unit_random_below(r, 5); n-- > 0;) {
		s->params[n] = &s->entries[n];
		millrace__push__error__params_entry__init(s->params[n]);
		s->entries[n].key = (char *)keys[n];
		s->entries[n].value = random_text(r, 50);
	}
}

static void some_error_fini(struct some_error *s)
{
	for (size_t i = 0; i < s->error.n_backtrace; i++)
		free(s->frames[i].file);
	for (size_t i = 0; i < s->error.n_params; i++)
		free(s->entries[i].value);
	free(s->error.class_);
	free(s->error.message);
}

static void write_error(struct buf *out, struct unit_random *r, const struct some_error *s)
{
	buf_printf(out, "{\"error\":{\"t\":%" PRId64, s->error.t);
	write_field(out, r, "class", s->error.class_);
	write_field(out, r, "message", s->error.message);
	buf_printf(out, ",\"backtrace\":[");
	for (size_t i = 0; i < s->error.n_backtrace; i++) {
		buf_printf(out, "%s{\"line\":%" PRIu32 ",\"in_app\":%s", i ? "," : "", s->frames[i].line, s->frames[i].in_app ? "true" : "false");
		write_field(out, r, "file", s->frames[i].file);
		buf_printf(out, "}");
	}
	buf_printf(out, "],\"params\":{");
	for (size_t i = s->error.n_params; i-- > 0;) { /* backwards: the reader sorts */
		buf_printf(out, "\"%s\":", keys[i]);
		write_text(out, r, s->entries[i].value);
		buf_printf(out, "%s", i ? "," : "");
	}
	buf_printf(out, "}}}");
}

/* What protobuf-c packs of the error is what stands in the queue, after the field's head. */
static void random_error_is_kept(struct house *h, struct unit_random *r)
{
	struct some_error s;
	struct buf out = BUF_INIT;
	struct event got;
	struct lines_refusal no = {.text = ""};
	uint8_t *packed;
	size_t len;

	some_error_init(&s, r);
	write_error(&out, r, &s);
	ck_assert_msg(lines_take(h->lines, buf_str(&out), &no), "%s: %.*s", no.text, (int)out.len, (char *)out.p);
	ck_assert(event_queue_first(h->queue, &got));
	len = millrace__push__error__get_packed_size(&s.error);
	packed = malloc(len);
	millrace__push__error__pack(&s.error, packed);
	ck_assert_uint_gt(got.field.len, len);
	ck_assert_msg(memcmp(got.field.p + got.field.len - len, packed, len) == 0, "%.*s", (int)out.len, (char *)out.p);
	event_queue_drop(h->queue);
	some_error_fini(&s);
	free(packed);
	buf_fini(&out);
}

START_TEST(random_errors_are_kept)
{
	struct unit_random random = unit_random_new("random_errors_are_kept");
	struct house h;

	house_open(&h);
	for (int i = 0; i < 2000; i++)
		random_error_is_kept(&h, &random);
	house_close(&h);
}
END_TEST

/* Every prefix of a good line is refused; what is damaged is taken or refused, and counted either way. */
START_TEST(damaged_lines)
{
	static const char good[] = "{\"transaction\":{\"action\":\"A\\u00e4\\ud83d\\ude00\",\"duration_ms\":1.5,\"spans\":[{\"name\":\"n\",\"tags\":{\"a\":[1,{}]}}],"
				   "\"tags\":{\"k\":\"v\"},\"new\":[null,true]}}";
	struct unit_random random = unit_random_new("damaged_lines");
	struct house h;
	struct lines_figures f;
	char line[sizeof(good)];

	house_open(&h);
	ck_assert(take(&h, good, NULL));
	for (size_t n = 1; n < sizeof(good) - 1; n++) {
		memcpy(line, good, n);
		line[n] = '\0';
		ck_assert_msg(!take(&h, line, NULL), "%s", line);
	}
	for (int i = 0; i < 20000; i++) {
		memcpy(line, good, sizeof(good));
		for (uint64_t k = 0, n = 1 + unit_random_below(&random, 3); k < n; k++)
			line[unit_random_below(&random, sizeof(good) - 1)] = unit_random_below(&random, 2) ? "{}[]\",:\\u0"[unit_random_below(&random, 10)]
													: (char)(1 + unit_random_below(&random, 255));
		if (take(&h, line, NULL))
			unpack_free(unpack(&h));
	}
	lines_figures(h.lines, &f);
	ck_assert_uint_eq(f.accepted + refused_in_all(&h), 1 + sizeof(good) - 2 + 20000);
	house_close(&h);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("lines_random");
	TCase *tc = tcase_create("lines_random");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, random_errors_are_kept);
	tcase_add_test(tc, damaged_lines);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return unit_main(suite());
}
