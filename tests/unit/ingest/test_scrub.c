/* test_scrub.c - secrets are gone from wherever they stood; what looks alike stays as it was, byte for byte and in place. */
#include "ingest/scrub.h"

#include <time.h>

#include "tests/unit/unit.h"

static struct scrub *rules(const char *keys, const char *values, const char *except)
{
	struct err err = ERR_INIT;
	struct scrub *s = scrub_new(keys, values, except, &err);

	ck_assert_msg(s != NULL, "%s", err.msg);
	return s;
}

static const struct {
	const char *key;
	bool secret;
} keys[] = {
	{"password", true}, {"PASSWORD", true}, {"user_password", true}, {"userPassword", true}, {"password_confirmation", true}, {"passwd", true},
	{"pwd", true}, {"db.pwd", true}, {"pass", true}, {"db_pass", true}, {"passphrase", true}, {"newpassword", true}, {"password2", true}, {"passwords", true},
	{"secret", true}, {"client_secret", true}, {"secret_key_base", true}, {"clientSecret", true}, {"token", true}, {"access_token", true}, {"accessToken", true},
	{"accesstoken", true}, {"CSRFToken", true}, {"X-CSRF-Token", true}, {"idToken", true}, {"api_key", true}, {"apikey", true}, {"apiKey", true}, {"APIKey", true},
	{"api-key", true}, {"X-Api-Key", true}, {"HTTP_X_API_KEY", true}, {"access_key", true}, {"AWSAccessKeyId", true}, {"aws_secret_access_key", true}, {"private_key", true},
	{"privateKey", true}, {"authorization", true}, {"Proxy-Authorization", true}, {"http.request.header.authorization", true}, {"auth", true}, {"basic_auth", true}, {"cookie", true},
	{"Set-Cookie", true}, {"cookies", true}, {"session", true}, {"session_id", true}, {"sessionId", true}, {"sessionid", true}, {"PHPSESSID", true}, {"JSESSIONID", true},
	{"csrf", true}, {"_csrf", true}, {"csrfmiddlewaretoken", true}, {"credential", true}, {"credentials", true}, {"card_number", true}, {"cardNumber", true}, {"card[number]", true},
	{"credit_card", true}, {"cvv", true}, {"cvv2", true}, {"cvc", true}, {"pan", true}, {"ssn", true}, {"social_security_number", true}, {"iban", true}, {"pin", true}, {"user.pin", true},
	{"otp", true}, {"bearer", true}, {"signature", true}, {"X-Hub-Signature-256", true}, {"user%5Bpin%5D", true}, {"user[password]", true}, {"jwt", true}, {"sig", true}, {"userIDPin", true}, {"cc%5Bnum%5D", true}, {"XMLCookie", true},
	{"tokenizer", false}, {"tokenize", false}, {"author", false}, {"authored_by", false}, {"authority", false}, {"keyboard", false}, {"spinner", false}, {"pinned", false}, {"mapping", false},
	{"panel", false}, {"company", false}, {"passenger", false}, {"compass", false}, {"bypass", false}, {"pass_count", false}, {"test_pass", false}, {"secretary", false}, {"cookiecutter", false},
	{"sessions_total", false}, {"obsession", false}, {"monkey", false}, {"key", false}, {"primary_key", false}, {"keys", false}, {"partition_key", false}, {"token_count", false},
	{"max_tokens", false}, {"prompt_tokens", false}, {"password_length", false}, {"passwordPolicy", false}, {"auth_method", false}, {"session_duration", false}, {"signature_algorithm", false},
	{"card", false}, {"card_type", false}, {"discard_number", false}, {"number", false}, {"japan", false}, {"hotpot", false}, {"cryptopin", false}, {"assign", false}, {"design", false},
	{"significant", false}, {"queue", false}, {"host", false}, {"", false}, {"-", false}, {"%", false}, {"%5", false}, {"%5B", false}, {"7", false},
};

START_TEST(keys_by_their_words)
{
	struct scrub *s = rules("", "", "");

	ck_assert_msg(scrub_key_is_secret(s, str_from(keys[_i].key)) == keys[_i].secret, "%s", keys[_i].key);
	scrub_free(s);
}
END_TEST

/* Texts; what is between { } in the row is secret. */
static const struct {
	const char *text, *want; /* want NULL: it stays */
} texts[] = {
	{"password=hunter2", "password=[scrubbed]"},
	{"password = hunter2 x", "password = [scrubbed] x"},
	{"a=1&password=hunter2&b=2", "a=1&password=[scrubbed]&b=2"},
	{"GET /x?access_token=abc.def&z=1 HTTP/1.1", "GET /x?access_token=[scrubbed]&z=1 HTTP/1.1"},
	{"user[password]=x&user[name]=y", "user[password]=[scrubbed]&user[name]=y"},
	{"user%5Bpassword%5D=x&b=2", "user%5Bpassword%5D=[scrubbed]&b=2"},
	{"q=%22token%22%3A%22abc%22%2C%22x%22", "q=%22token%22%3A%22[scrubbed]%22%2C%22x%22"},
	{"next=%2Fa%3Ftoken%3Dabc%26x%3D1", "next=%2Fa%3Ftoken%3D[scrubbed]%26x%3D1"},
	{"{\"password\":\"a\\\"b,c\",\"user\":\"bob\"}", "{\"password\":\"[scrubbed]\",\"user\":\"bob\"}"},
	{"{\"a\":{\"pin\": 1234},\"b\":[{\"cvc\":\"123\"}]}", "{\"a\":{\"pin\": [scrubbed]},\"b\":[{\"cvc\":\"[scrubbed]\"}]}"},
	{"{\"token\":[\"a\",\"b]\"],\"x\":1}", "{\"token\":[scrubbed],\"x\":1}"},
	{"{\"credentials\":{\"user\":\"a\",\"p\":{\"q\":\"}\"}},\"x\":1}", "{\"credentials\":[scrubbed],\"x\":1}"},
	{"{\"body\":\"{\\\"password\\\":\\\"a b\\\",\\\"x\\\":1}\"}", "{\"body\":\"{\\\"password\\\":\\\"[scrubbed]\\\",\\\"x\\\":1}\"}"},
	{"{\"body\":\"{\\\"password\\\":\\\"a \\\\\\\" b\\\",\\\"x\\\":1}\"}", "{\"body\":\"{\\\"password\\\":\\\"[scrubbed]\\\",\\\"x\\\":1}\"}"},
	{"{\"password\":\"a\\\\\",\"x\":1}", "{\"password\":\"[scrubbed]\",\"x\":1}"},
	{"{\"body\":\"{\\\"password\\\":\\\"cut\",\"x\":1}", "{\"body\":\"{\\\"password\\\":\\\"[scrubbed]\",\"x\":1}"},
	{"{\"password\":\"cut of", "{\"password\":\"[scrubbed]"},
	{"{\"password\":null,\"token\":\"\",\"pin\":false}", NULL},
	{"{:password=>\"x\", :user=>\"y\"}", "{:password=>\"[scrubbed]\", :user=>\"y\"}"},
	{"{password: \"x\", user: 'y'}", "{password: \"[scrubbed]\", user: 'y'}"},
	{"{'token': 'x y', 'user': 'y'}", "{'token': '[scrubbed]', 'user': 'y'}"},
	{"User(name='a', password='b', id=3)", "User(name='a', password='[scrubbed]', id=3)"},
	{"Login(user=a, password=b,c, id=3)", "Login(user=a, password=[scrubbed], id=3)"},
	{"(password=abc)", "(password=[scrubbed])"},
	{"Authorization: Bearer abc def\nHost: x", "Authorization: [scrubbed]\nHost: x"},
	{"Cookie: a=b; c=d\r\nHost: x", "Cookie: [scrubbed]\r\nHost: x"},
	{"-H 'Set-Cookie: a=b; c=d' -v", "-H 'Set-Cookie: [scrubbed]' -v"},
	{"X-Api-Key: abc\nHost: x", "X-Api-Key: [scrubbed]\nHost: x"},
	{"login --password hunter2 --user bob", "login --password [scrubbed] --user bob"},
	{"login --password=hunter2 --user bob", "login --password=[scrubbed] --user bob"},
	{"<password>a b</password><x>y</x>", "<password>[scrubbed] b</password><x>y</x>"},
	{"your card number: 4242, api key: zzz", "your card number: [scrubbed], api key: [scrubbed]"},
	{"export DB_PASSWORD=x", "export DB_PASSWORD=[scrubbed]"},
	{"sent Bearer abcdefgh1 to it", "sent Bearer [scrubbed] to it"},
	{"sent Basic dXNlcjpwYXNz to it", "sent Basic [scrubbed] to it"},
	{"x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_d y", "x [scrubbed] y"},
	{"key AKIAIOSFODNN7EXAMPLE.", "key [scrubbed]."},
	{"ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[scrubbed]"},
	{"xoxb-1234567890-abc,sk_live_abcdef123", "[scrubbed],[scrubbed]"},
	{"-----BEGIN RSA PRIVATE KEY-----\nMIIE\nab==\n-----END RSA PRIVATE KEY----- x", "[scrubbed] x"},
	{"-----BEGIN PRIVATE KEY-----\nMIIE", "[scrubbed]"},
	{"postgres://u:p@ss@host/db?x=1", "postgres://u:[scrubbed]@host/db?x=1"},
	{"https://eyJhbGciOiJIUzI1NiJ9.a1234567890:pw@h/", "https://[scrubbed]:[scrubbed]@h/"},
	{"redis://:pw@h:6379", "redis://:[scrubbed]@h:6379"},
	{"card 4111111111111111.", "card [scrubbed]."},
	{"card 4111 1111 1111 1111 12/27", "card [scrubbed] 12/27"},
	{"2024 4111-1111-1111-1111", "2024 [scrubbed]"},
	{"3782 822463 10005", "[scrubbed]"},
	{"378282246310005", "[scrubbed]"},
	{"30569309025904", "[scrubbed]"},
	{"5555555555554444,6011111111111117;3530111333300000", "[scrubbed],[scrubbed];[scrubbed]"},
	{"6200000000000005", "[scrubbed]"},
	{"pin=1 pin=2", "pin=[scrubbed] pin=[scrubbed]"},
	{"authorization=Bearer abc x", "authorization=[scrubbed] x"},
	{"X-Auth-Token: Bearer abc, x", "X-Auth-Token: [scrubbed], x"},
	{"auth: Token abc\nx", "auth: [scrubbed]\nx"},
	{"{token: bearer  abc}", "{token: [scrubbed]}"},
	{"AccountKey=abc==;EndpointSuffix=x", "AccountKey=[scrubbed];EndpointSuffix=x"},
	{"{\"url\":\"/x?b=1\\u0026sig=abc\"}", "{\"url\":\"/x?b=1\\u0026sig=[scrubbed]\"}"},
	/* harmless */
	{"", NULL}, {"a", NULL}, {"user logged in at 12:30:15", NULL}, {"tokenizer=x author: me keyboard: y spinner=4", NULL}, {"std::session::x(Auth::Token)", NULL},
	{"token == nil", NULL}, {"token != x", NULL}, {"password >= 8", NULL}, {"if token: ", NULL}, {"max_tokens=5 token_count=7", NULL}, {"the password is wrong", NULL},
	{"basic knowledge of bearer tokens", NULL}, {"the bearer certificate is", NULL}, {"ghp_Ab1 is but a prefix", NULL}, {"Basic aGVsbG8gd29ybGQh", NULL}, {"http://h:80/a@b", NULL}, {"ssh://git@host/x", NULL}, {"a://b", NULL}, {"C:\\x", NULL},
	{"1795372012000", NULL}, {"1795372012000000", NULL}, {"1795372012000000000", NULL}, {"4111111111111112", NULL}, {"41111111111111110000", NULL}, {"x4111111111111111", NULL},
	{"4111111111111111x", NULL}, {"0.4111111111111111", NULL}, {"4111111111111111.5", NULL}, {"123e4567-e89b-12d3-4111111111111111", NULL}, {"4111 1111-1111 1111", NULL},
	{"4111  1111 1111 1111", NULL}, {"4bf92f3577b34da6a3ce929d0e0e4736", NULL}, {"-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----", NULL}, {"eyJ", NULL}, {"eyJhbGci", NULL},
	{"sk-something-with-many-words", NULL}, {"AKIA", NULL}, {"ghp_", NULL}, {"=", NULL}, {":", NULL}, {"=token", NULL}, {"token=", NULL}, {"token:", NULL}, {"token=&x=1", NULL},
	{"\"token\":\"[scrubbed]\"", NULL}, {"password=[scrubbed]&x=1", NULL}, {"a -> b => c", NULL}, {"app/models/session.rb:12:in", NULL}, {"at a.Auth.f(Auth.java:12)", NULL},
	{"#<Session:0x000055d3>", NULL}, {"user.pin:1234", "user.pin:[scrubbed]"}, {"session.rb: 12", "session.rb: [scrubbed]"}, {"<b>token</b>", NULL}, {"%%%", NULL}, {"100%", NULL}, {"--", NULL}, {"-- x", NULL},
};

START_TEST(texts_and_their_parts)
{
	struct scrub *s = rules("", "", "");
	struct arena arena = ARENA_INIT;
	struct str text = str_from(texts[_i].text);
	const char *was = text.p;

	ck_assert_int_eq(scrub_text(s, &arena, &text), 0);
	ck_assert_msg(str_eq(text, str_from(texts[_i].want ? texts[_i].want : texts[_i].text)), "%s: " STR_FMT, texts[_i].text, STR_ARG(text));
	ck_assert((text.p == was) == (texts[_i].want == NULL));
	was = text.p;
	ck_assert_int_eq(scrub_text(s, &arena, &text), 0);
	ck_assert_msg(text.p == was, "%s: again: " STR_FMT, texts[_i].text, STR_ARG(text));
	arena_fini(&arena);
	scrub_free(s);
}
END_TEST

/* A secret: letters and digits, and what passwords have besides. */
static void random_secret(struct unit_random *r, const char *alphabet, int len, char *out)
{
	for (int i = 0; i < len; i++)
		out[i] = alphabet[unit_random_below(r, strlen(alphabet))];
	out[len] = '\0';
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* %s is the secret. */
static const struct {
	const char *form, *alphabet;
} rules_of_secrets[] = {
	{"password=%s", LETTERS DIGITS "!$*+,.;:/()[]{}|~^_-"}, {"api_key: %s", LETTERS DIGITS "!$*+./_-"}, {"\"clientSecret\": \"%s\"", LETTERS DIGITS "!$*+,.;:/()[]{}|~^_- '<>&="},
	{":token=>'%s'", LETTERS DIGITS "!$*+,.;:/()[]{}|~^_- \"<>&="}, {"\\\"session_id\\\":\\\"%s\\\"", LETTERS DIGITS "!$*+,.;: ()[]{}'"}, {"--passwd %s", LETTERS DIGITS "!$*+./_-"},
	{"?x=1&otp=%s&y=2", DIGITS}, {"Authorization: Token %s", LETTERS DIGITS "!$*+,.;:/= "}, {"Cookie: sid=%s", LETTERS DIGITS "=;, ._-"}, {"<secret>%s</secret>", LETTERS DIGITS "!$*+./_-"},
	{"https://bob:%s@shop.example/x", LETTERS DIGITS "!$*+._-:@"}, {"eyJhbGciOiJIUzI1NiJ9.eyJ%s.x", LETTERS DIGITS "_-"}, {"bearer 7%s", LETTERS DIGITS "._-"}, {"AKIAX%s", DIGITS "ABCDEF"},
	{"sk_live_7%s", LETTERS DIGITS}, {"xoxp-7%s", DIGITS "-abc"}, {"-----BEGIN EC PRIVATE KEY-----\n%s\n-----END EC PRIVATE KEY-----", LETTERS DIGITS "+/"}, {"pin%%3D%s", DIGITS},
	{"seller_no=%s", LETTERS DIGITS "!$*+./_-"}, {"SHOP-%s", DIGITS},
};

static const char *const surroundings[] = {"", " ", "\n", "{", "(", ", ", "the ", "error: ", "x=1&", "[\"", "'", "user bob said ", "\t", "=> ", "; ", "caf\303\251 "};

START_TEST(a_secret_is_never_left)
{
	struct unit_random r = unit_random_new("a_secret_is_never_left");
	struct scrub *s = rules("seller_no", "SHOP-[0-9]{16,}", "");

	for (int i = 0; i < UNIT_ROUNDS(40000); i++) {
		size_t rule = unit_random_below(&r, NR(rules_of_secrets));
		struct arena arena = ARENA_INIT;
		char secret[64], text[512], placed[256];
		struct str out;
		int len = 16 + (int)unit_random_below(&r, 16);

		random_secret(&r, rules_of_secrets[rule].alphabet, len, secret);
		secret[0] = secret[len - 1] = '7'; /* of a password that ends in what also ends a sentence, that may stay */
		snprintf(placed, sizeof(placed), rules_of_secrets[rule].form, secret);
		snprintf(text, sizeof(text), "%s%s%s", surroundings[unit_random_below(&r, NR(surroundings))], placed, surroundings[unit_random_below(&r, 3)]);
		out = str_from(text);
		ck_assert_int_eq(scrub_text(s, &arena, &out), 0);
		ck_assert_msg(!memmem(out.p, out.len, secret, (size_t)len) && !memmem(out.p, out.len, secret + len - 6, 6), "%s: " STR_FMT, text, STR_ARG(out));
		ck_assert(memmem(out.p, out.len, SCRUBBED, strlen(SCRUBBED)) != NULL);
		arena_fini(&arena);
	}
	scrub_free(s);
}
END_TEST

static int luhn(const char *digits, size_t n)
{
	int sum = 0;

	for (size_t i = 0; i < n; i++) {
		int d = digits[i] - '0';

		if ((n - i) % 2 == 0)
			d = d * 2 / 10 + d * 2 % 10;
		sum += d;
	}
	return sum % 10;
}

static const struct {
	const char *prefix;
	int len;
	const char *divided; /* # is a digit */
} cards[] = {
	{"4", 16, "#### #### #### ####"}, {"4", 13, NULL}, {"4", 19, "####-####-####-####-###"}, {"51", 16, "####-####-####-####"}, {"55", 16, NULL}, {"2221", 16, NULL}, {"2720", 16, NULL},
	{"34", 15, "#### ###### #####"}, {"37", 15, "####-######-#####"}, {"36", 14, "#### ###### ####"}, {"6011", 16, "#### #### #### ####"}, {"65", 16, NULL}, {"3528", 16, NULL}, {"62", 18, NULL},
};

START_TEST(cards_of_all_issuers)
{
	struct unit_random r = unit_random_new("cards_of_all_issuers");
	struct scrub *s = rules("", "", "");

	for (int i = 0; i < UNIT_ROUNDS(2000); i++) {
		struct arena arena = ARENA_INIT;
		char digits[32], text[64] = "paid with ";
		struct str out;
		size_t at = strlen(text), k = 0, n = (size_t)cards[_i].len;

		random_secret(&r, DIGITS, cards[_i].len, digits);
		memcpy(digits, cards[_i].prefix, strlen(cards[_i].prefix));
		digits[n - 1] = '0';
		digits[n - 1] = (char)('0' + (10 - luhn(digits, n)) % 10);
		for (const char *d = cards[_i].divided; d && i % 2 && *d; d++)
			text[at++] = *d == '#' ? digits[k++] : *d;
		snprintf(text + at, sizeof(text) - at, "%s today", k ? "" : digits);
		out = str_from(text);
		ck_assert_int_eq(scrub_text(s, &arena, &out), 0);
		ck_assert_msg(str_eq(out, STR("paid with [scrubbed] today")), "%s: " STR_FMT, text, STR_ARG(out));
		arena_fini(&arena);
	}
	scrub_free(s);
}
END_TEST

/* How many of 200,000 numbers of so many digits may be taken for cards. */
static const struct {
	int len, most;
} numbers[] = {{13, 2500}, {14, 1100}, {15, 600}, {16, 5400}, {17, 350}, {18, 400}, {19, 3300}, {20, 0}, {12, 0}};

START_TEST(numbers_are_hardly_cards)
{
	struct unit_random r = unit_random_new("numbers_are_hardly_cards");
	struct scrub *s = rules("", "", "");
	int taken = 0;

	for (int i = 0; i < 200000; i++) {
		struct arena arena = ARENA_INIT;
		char digits[32];
		struct str text = {digits, (size_t)numbers[_i].len};

		random_secret(&r, DIGITS, numbers[_i].len, digits);
		ck_assert_int_eq(scrub_text(s, &arena, &text), 0);
		taken += text.p != digits;
		arena_fini(&arena);
	}
	ck_assert_msg(taken <= numbers[_i].most, "%d digits: %d of 200,000", numbers[_i].len, taken);
	scrub_free(s);
}
END_TEST

/* Times in s, ms, us and ns of these decades, and trace ids. */
START_TEST(times_and_ids_are_no_cards)
{
	struct unit_random r = unit_random_new("times_and_ids_are_no_cards");
	struct scrub *s = rules("", "", "");

	for (int i = 0; i < UNIT_ROUNDS(200000); i++) {
		struct arena arena = ARENA_INIT;
		uint64_t ns = UINT64_C(1500000000000000000) + unit_random_below(&r, UINT64_C(500000000000000000));
		char written[64];
		struct str text;

		if (i % 2)
			snprintf(written, sizeof(written), "at %llu", (unsigned long long)(ns / (uint64_t[]){1, 1000, 1000000, 1000000000}[i / 2 % 4]));
		else
			snprintf(written, sizeof(written), "%016llx%016llx", (unsigned long long)unit_random_next(&r), (unsigned long long)unit_random_next(&r) | 0xa);
		text = str_from(written);
		ck_assert_int_eq(scrub_text(s, &arena, &text), 0);
		ck_assert_msg(text.p == written, "%s", written);
		arena_fini(&arena);
	}
	scrub_free(s);
}
END_TEST

START_TEST(tags_by_key_and_content)
{
	struct tag tags[] = {{STR("queue"), STR("mail")}, {STR("api_key"), STR("x")}, {STR("note"), STR("pin=7, x")}, {STR("token"), STR("")}, {STR(""), STR("")}};
	struct scrub *s = rules("", "", "");
	struct arena arena = ARENA_INIT;

	ck_assert_int_eq(scrub_tags(s, NULL, &arena, tags, NR(tags), 255), 1);
	ck_assert(str_eq(tags[0].value, STR("mail")) && str_eq(tags[1].value, STR(SCRUBBED)) && str_eq(tags[2].value, STR("pin=[scrubbed], x")) && tags[3].value.len == 0);
	ck_assert_int_eq(scrub_tags(s, NULL, &arena, tags, 1, 255), 0);
	ck_assert_int_eq(scrub_tags(NULL, NULL, &arena, tags, NR(tags), 255), 0);
	ck_assert(!scrub_key_is_secret(NULL, STR("password")));
	arena_fini(&arena);
	scrub_free(s);
	scrub_free(NULL);
}
END_TEST

START_TEST(operators_add_and_except)
{
	struct scrub *s = rules(" Customer-No , birth_day,", "[0-9]{3}-[0-9]{2} ^start\tcaf.", "session, X-Auth");
	struct arena arena = ARENA_INIT;
	struct str text = STR("start 123-45 start caff customerNo=7 session=8 token=9 x=123-4567");

	ck_assert(scrub_key_is_secret(s, STR("customerNo")) && scrub_key_is_secret(s, STR("user.birthDay")) && !scrub_key_is_secret(s, STR("birthdays")));
	ck_assert(!scrub_key_is_secret(s, STR("SESSION")) && !scrub_key_is_secret(s, STR("x_auth")) && scrub_key_is_secret(s, STR("session_id")) && scrub_key_is_secret(s, STR("auth")));
	ck_assert_int_eq(scrub_text(s, &arena, &text), 0);
	ck_assert_msg(str_eq(text, STR("[scrubbed] [scrubbed] start [scrubbed] customerNo=[scrubbed] session=8 token=[scrubbed] x=[scrubbed]67")), STR_FMT, STR_ARG(text));
	arena_fini(&arena);
	scrub_free(s);
}
END_TEST

/* Wherever it stands in a long text, and however many there are. */
START_TEST(expressions_see_all_of_a_long_text)
{
	static char text[20000];
	struct scrub *s = rules("", "Z[0-9]{9}Z ^Q5", "");

	for (size_t at = 0; at + 12 < sizeof(text); at += 10) {
		struct arena arena = ARENA_INIT;
		struct str t = {text, sizeof(text)};

		memset(text, '.', sizeof(text));
		memcpy(text + at, "Z123456789Z", 11);
		ck_assert_int_eq(scrub_text(s, &arena, &t), 0);
		ck_assert_msg(t.len == sizeof(text) - 11 + strlen(SCRUBBED) && !memchr(t.p, 'Z', t.len), "at %zu", at);
		arena_fini(&arena);
	}
	for (size_t at = 1024; at < sizeof(text); at += 1024) /* where windows begin, the text does not */
		memcpy(text + at, "Q5", 2);
	{
		struct arena arena = ARENA_INIT;
		struct str t = {text, sizeof(text)};

		memset(text + sizeof(text) - 20, '.', 20);
		ck_assert_int_eq(scrub_text(s, &arena, &t), 0);
		ck_assert(t.p == text);
		arena_fini(&arena);
	}
	for (size_t at = 0; at + 12 < sizeof(text); at += 12)
		memcpy(text + at, "Z123456789Z.", 12);
	{
		struct arena arena = ARENA_INIT;
		struct str t = {text, sizeof(text)};

		ck_assert_int_eq(scrub_text(s, &arena, &t), 0);
		ck_assert(!memmem(t.p, t.len, "Z123", 4));
		arena_fini(&arena);
	}
	scrub_free(s);
}
END_TEST

static const struct {
	const char *keys, *values, *except, *why;
} bad[] = {
	{"", "(", "", "scrub.values: '('"}, {"", "ok x*", "", "matches an empty text"}, {"", "(a)\\1", "", "back reference"}, {"ok,--", "", "", "scrub.keys: '--'"}, {"", "", "ok,.", "scrub.except: '.'"},
	{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "", "", "scrub.keys"}, {"", "a{1", "", "scrub.values"},
};

START_TEST(a_bad_rule_is_named)
{
	struct err err = ERR_INIT;

	ck_assert_ptr_null(scrub_new(bad[_i].keys, bad[_i].values, bad[_i].except, &err));
	ck_assert_msg(err.kind == ERR_REJECT && strstr(err.msg, bad[_i].why), "%s", err.msg);
}
END_TEST

/* Each repeated until it is a megabyte: linear time is fractions of a second, quadratic time 12 s and more. */
static const char *const hostile[] = {":", "=", "token:", "\"", "\\\"", "{", "[", "token={", "token=\"\\", "://", "http://a:", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "eyJ-", "sk-",
				     "bearer ", "basic+", "4111 ", "4", "4111-", "%3D", "%22", "--", "--a ", "<a>", "a,", "token=a,b", "token=a;", "token=,", "@", "key ", "password ", "a.", "token=)]}", "\\", "'token' ",
				     "authorization:[scrubbed]", "token=\"[scrubbed]", "%5B"};

START_TEST(hostile_texts_cost_their_length)
{
	struct scrub *s = rules("", "", "");
	struct arena arena = ARENA_INIT;
	struct buf b = BUF_INIT;
	clock_t began = clock();
	struct str text;

	while (b.len < 1 << 20)
		buf_add(&b, hostile[_i], strlen(hostile[_i]));
	text = buf_str(&b);
	ck_assert_int_eq(scrub_text(s, &arena, &text), 0);
	ck_assert_int_lt((clock() - began) / CLOCKS_PER_SEC, 5);
	buf_fini(&b);
	arena_fini(&arena);
	scrub_free(s);
}
END_TEST

/* The text is filler, then the secret, then filler; of all that max_bytes are kept. */
static const struct {
	size_t before, after, max_bytes;
	const char *secret, *want_end;
	int want;
} beginnings[] = {
	{10, 0, 255, "postgres://app:hunter2hunter2@db", "postgres://app:[scrubbed]@db", 0},
	{230, 0, 255, "postgres://app:hunter2hunter2@db", "postgres://app:[scrubbed]"  , 1},
	{236, 100000, 255, "postgres://app:hunter2hunter2@db", "postgres://app:[scr", 1},
	{243, 20, 255, " 4111111111111111 ", " [scrubbed] ", 1},
	{0, 9000, 255, "", "", 1},
	{8447, 0, 255, "", "", 1},
	{255, 0, 255, "", "", 0},
};

START_TEST(secrets_across_the_cut)
{
	struct scrub *s = rules("", "", "");
	struct arena arena = ARENA_INIT;
	struct scrub_memo memo = {.read_bytes = 0};
	struct buf b = BUF_INIT;
	struct str text, again;
	const char *want = beginnings[_i].want_end;
	uint64_t read;

	for (size_t i = 0; i < beginnings[_i].before + beginnings[_i].after; i++) {
		if (i == beginnings[_i].before)
			buf_add(&b, beginnings[_i].secret, strlen(beginnings[_i].secret));
		buf_add(&b, "/", 1);
	}
	if (!beginnings[_i].after)
		buf_add(&b, beginnings[_i].secret, strlen(beginnings[_i].secret));
	text = again = buf_str(&b);
	ck_assert_int_eq(scrub_beginning(s, &memo, &arena, &text, beginnings[_i].max_bytes), beginnings[_i].want);
	ck_assert_uint_le(text.len, beginnings[_i].max_bytes);
	ck_assert_msg(text.len >= strlen(want) && memmem(text.p, text.len, want, strlen(want)) && !memmem(text.p, text.len, "hunter", 6), STR_FMT, STR_ARG(text));
	read = memo.read_bytes;
	ck_assert(read && read <= beginnings[_i].max_bytes + SCRUB_AHEAD_BYTES);
	ck_assert_int_eq(scrub_beginning(s, &memo, &arena, &again, beginnings[_i].max_bytes), beginnings[_i].want);
	ck_assert(again.p == text.p && again.len == text.len && memo.read_bytes == read);
	again = buf_str(&b);
	ck_assert_int_eq(scrub_beginning(s, &memo, &arena, &again, 20), 1);
	ck_assert(again.len <= 20 && memo.read_bytes > read);
	buf_fini(&b);
	arena_fini(&arena);
	scrub_free(s);
}
END_TEST

/* An arena that is full is an error, never a text that keeps its secret. */
START_TEST(no_room_for_the_copy)
{
	struct scrub *s = rules("", "", "");
	struct arena arena = {.limit_bytes = 64};
	struct str text = STR("a long text in which password=hunter2 is a secret, so that a copy must be made");

	ck_assert_int_eq(scrub_text(s, &arena, &text), -1);
	arena_fini(&arena);
	scrub_free(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scrub");
	TCase *tc = tcase_create("scrub");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, keys_by_their_words, 0, NR(keys));
	tcase_add_loop_test(tc, texts_and_their_parts, 0, NR(texts));
	tcase_add_test(tc, a_secret_is_never_left);
	tcase_add_loop_test(tc, cards_of_all_issuers, 0, NR(cards));
	tcase_add_loop_test(tc, numbers_are_hardly_cards, 0, NR(numbers));
	tcase_add_test(tc, times_and_ids_are_no_cards);
	tcase_add_test(tc, tags_by_key_and_content);
	tcase_add_test(tc, operators_add_and_except);
	tcase_add_test(tc, expressions_see_all_of_a_long_text);
	tcase_add_loop_test(tc, a_bad_rule_is_named, 0, NR(bad));
	tcase_add_loop_test(tc, hostile_texts_cost_their_length, 0, NR(hostile));
	tcase_add_loop_test(tc, secrets_across_the_cut, 0, NR(beginnings));
	tcase_add_test(tc, no_room_for_the_copy);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
