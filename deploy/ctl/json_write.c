/* json_write.c - see json_write.h.
 *
 * yajl_gen keeps the document in memory and checks its shape (a key where one belongs, all closed) by
 * itself; what it does not do is remember a failure, which is why every call goes through begin() and
 * note(). Locale: yajl and printf write a point in numbers, as no program here calls setlocale(). */
#include "deploy/ctl/json_write.h"

#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

void json_write_begin(struct json_writer *w)
{
	*w = (struct json_writer){.gen = yajl_gen_alloc(NULL)};
	if (!w->gen)
		return;
	yajl_gen_config(w->gen, yajl_gen_beautify, 1);
	yajl_gen_config(w->gen, yajl_gen_indent_string, "  ");
	yajl_gen_config(w->gen, yajl_gen_validate_utf8, 1);
	json_write_map(w, NULL);
}

void json_write_begin_line(struct json_writer *w)
{
	*w = (struct json_writer){.gen = yajl_gen_alloc(NULL)};
	if (w->gen)
		yajl_gen_config(w->gen, yajl_gen_validate_utf8, 1);
}

void json_write_fini(struct json_writer *w)
{
	if (w->gen)
		yajl_gen_free(w->gen);
	w->gen = NULL;
}

static void note(struct json_writer *w, yajl_gen_status status)
{
	if (status != yajl_gen_status_ok)
		w->failed = true;
}

/* False: nothing more can be written. */
static bool begin(struct json_writer *w, const char *key)
{
	if (!w->gen || w->failed)
		return false;
	if (key)
		note(w, yajl_gen_string(w->gen, (const unsigned char *)key, strlen(key)));
	return !w->failed;
}

void json_write_map(struct json_writer *w, const char *key)
{
	if (begin(w, key))
		note(w, yajl_gen_map_open(w->gen));
}

void json_write_map_end(struct json_writer *w)
{
	if (begin(w, NULL))
		note(w, yajl_gen_map_close(w->gen));
}

void json_write_array(struct json_writer *w, const char *key)
{
	if (begin(w, key))
		note(w, yajl_gen_array_open(w->gen));
}

void json_write_array_end(struct json_writer *w)
{
	if (begin(w, NULL))
		note(w, yajl_gen_array_close(w->gen));
}

void json_write_text(struct json_writer *w, const char *key, struct str text)
{
	const unsigned char *bytes = (const unsigned char *)(text.p ? text.p : "");
	struct buf clean = BUF_INIT;

	if (!begin(w, key))
		return;
	/* A key of a record is any bytes; the document it is shown in must not fail for it. */
	if (!str_is_utf8(text)) {
		for (size_t i = 0; i < text.len; i++)
			buf_add(&clean, bytes[i] < 0x80 ? (const void *)&bytes[i] : "?", 1);
		w->failed |= buf_failed(&clean);
		bytes = clean.p;
	}
	if (!w->failed)
		note(w, yajl_gen_string(w->gen, bytes, text.len));
	buf_fini(&clean);
}

void json_write_int(struct json_writer *w, const char *key, int64_t number)
{
	if (begin(w, key))
		note(w, yajl_gen_integer(w->gen, number));
}

/* Fifteen digits do for most numbers that people write (0.1 stays 0.1), seventeen for every double. */
void json_write_number(struct json_writer *w, const char *key, double number)
{
	char digits[40];

	for (int precision = 15; precision <= 17; precision++) {
		snprintf(digits, sizeof(digits), "%.*g", precision, number);
		if (strtod(digits, NULL) == number)
			break;
	}
	if (begin(w, key))
		note(w, digits[strspn(digits, "-0123456789.e+")] ? yajl_gen_invalid_number
								  : yajl_gen_number(w->gen, digits, strlen(digits)));
}

void json_write_bool(struct json_writer *w, const char *key, bool truth)
{
	if (begin(w, key))
		note(w, yajl_gen_bool(w->gen, truth));
}

void json_write_null(struct json_writer *w, const char *key)
{
	if (begin(w, key))
		note(w, yajl_gen_null(w->gen));
}

void json_write_hex(struct json_writer *w, const char *key, const uint8_t *bytes, size_t n)
{
	char text[2 * JSON_WRITE_HEX_MAX + 1];

	json_write_text(w, key, str_from(str_hex(bytes, n < JSON_WRITE_HEX_MAX ? n : JSON_WRITE_HEX_MAX, text)));
}

int json_write_line_end(struct json_writer *w, struct buf *out, struct err *err)
{
	const unsigned char *bytes;
	size_t len;
	int rc = 0;

	if (!w->gen)
		rc = err_nomem(err, "a JSON document");
	else if (w->failed || yajl_gen_get_buf(w->gen, &bytes, &len) != yajl_gen_status_ok)
		rc = err_set(err, ERR_REJECT, "a number that is not finite cannot be written as JSON");
	else
		buf_add(out, bytes, len);
	json_write_fini(w);
	return rc == 0 && buf_failed(out) ? err_nomem(err, "a JSON document") : rc;
}

int json_write_end(struct json_writer *w, struct buf *out, struct err *err)
{
	json_write_map_end(w);
	return json_write_line_end(w, out, err);
}

int json_write_print(struct json_writer *w, FILE *out, struct err *err)
{
	struct buf text = BUF_INIT;
	int rc = json_write_end(w, &text, err);

	if (rc == 0)
		fwrite(text.p, 1, text.len, out);
	buf_fini(&text);
	return rc;
}
