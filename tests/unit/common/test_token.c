/* test_token.c - which files hold a token, and what is one. */
#include "common/token.h"

#include <string.h>

#include "tests/unit/common/token_file.h"

#define SIXTEEN "0123456789abcdef"

static const struct { const char *content, *token, *says; } files[] = {
	{SIXTEEN, SIXTEEN, NULL},
	{SIXTEEN "\n", SIXTEEN, NULL},
	{" \t\r\n" SIXTEEN "~!\r\n\n", SIXTEEN "~!", NULL},
	{"", NULL, "a token has 16 to 512 characters"},
	{"\n", NULL, "16 to 512"},
	{"0123456789abcde\n", NULL, "16 to 512"},
	{SIXTEEN " " SIXTEEN, NULL, "without blanks"},
	{SIXTEEN "\n" SIXTEEN, NULL, "without blanks"},
	{SIXTEEN "\x7f", NULL, "printable ASCII"},
	{SIXTEEN "\xc3\xa9", NULL, "printable ASCII"},
};

START_TEST(contents)
{
	struct token t = {"unchanged"};
	struct err err = ERR_INIT;
	char path[TOKEN_PATH_SIZE];
	int rc, fd;

	fd = token_file(path, files[_i].content, strlen(files[_i].content), 0600);
	rc = token_read(&t, path, &err);
	close(fd);
	if (files[_i].token) {
		ck_assert_msg(rc == 0, "%s", err.msg);
		ck_assert_str_eq(t.text, files[_i].token);
		token_forget(&t);
		ck_assert_str_eq(t.text, "");
		return;
	}
	ck_assert_int_eq(rc, -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.msg, files[_i].says) && strstr(err.msg, path), "%s", err.msg);
	ck_assert_msg(strstr(err.msg, "0123456789") == NULL, "the token stands in \"%s\"", err.msg);
	ck_assert_str_eq(t.text, "unchanged");
}
END_TEST

/* The longest, one more, and one whose end is not read. */
START_TEST(token_lengths)
{
	static const struct { size_t len; const char *says; } lengths[] = {{512, NULL}, {513, "16 to 512"}, {5000, "too large"}};
	char content[5000], path[TOKEN_PATH_SIZE];
	struct err err = ERR_INIT;
	struct token t;
	int rc, fd;

	memset(content, 'x', sizeof(content));
	fd = token_file(path, content, lengths[_i].len, 0600);
	rc = token_read(&t, path, &err);
	close(fd);
	ck_assert_int_eq(rc, lengths[_i].says ? -1 : 0);
	if (lengths[_i].says)
		ck_assert_msg(strstr(err.msg, lengths[_i].says) != NULL, "%s", err.msg);
	else
		ck_assert_uint_eq(strlen(t.text), 512);
}
END_TEST

static const struct { mode_t mode; bool good; } modes[] = {
	{0600, true}, {0400, true}, {0640, true}, {0660, true}, {0644, false}, {0604, false}, {0602, false}, {0601, false}, {0666, false},
};

START_TEST(file_modes)
{
	struct err err = ERR_INIT;
	struct token t;
	char path[TOKEN_PATH_SIZE];
	int rc, fd;

	fd = token_file(path, SIXTEEN, 16, modes[_i].mode);
	rc = token_read(&t, path, &err);
	close(fd);
	ck_assert_msg(rc == (modes[_i].good ? 0 : -1), "%o: %s", (unsigned)modes[_i].mode, err.msg);
	if (!modes[_i].good)
		ck_assert_msg(strstr(err.msg, "open to everybody on this machine: chmod o-rwx it") != NULL, "%s", err.msg);
}
END_TEST

START_TEST(no_file)
{
	struct err err = ERR_INIT;
	struct token t;

	ck_assert_int_eq(token_read(&t, "/no/such/file", &err), -1);
	ck_assert_str_eq(err.msg, "/no/such/file: No such file or directory");
	ck_assert_int_eq(token_read(&t, "/", &err), -1); /* a directory */
}
END_TEST

START_TEST(matching)
{
	struct token t = {SIXTEEN}, none = {""};
	char close_to[] = SIXTEEN, too_long[2 * TOKEN_MAX];

	ck_assert(token_matches(&t, SIXTEEN));
	ck_assert(!token_matches(&t, NULL));
	ck_assert(!token_matches(&t, ""));
	ck_assert(!token_matches(&t, SIXTEEN "0"));
	ck_assert(!token_matches(&t, " " SIXTEEN));
	for (size_t i = 0; i < 16; i++) { /* each character counts, and the length */
		close_to[i] ^= 1;
		ck_assert(!token_matches(&t, close_to));
		close_to[i] ^= 1;
	}
	for (int i = 15; i >= 0; i--) {
		close_to[i] = '\0';
		ck_assert(!token_matches(&t, close_to));
	}
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	ck_assert(!token_matches(&t, too_long));
	ck_assert(!token_matches(&none, ""));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("token");
	TCase *tc = tcase_create("token");

	tcase_add_loop_test(tc, contents, 0, NR(files));
	tcase_add_loop_test(tc, token_lengths, 0, 3);
	tcase_add_loop_test(tc, file_modes, 0, NR(modes));
	tcase_add_test(tc, no_file);
	tcase_add_test(tc, matching);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
