/* test_api_key.c - keys against vectors that were not made by this code: SHA-256 of FIPS 180-4, the rest of Python's library. */
#include "deploy/ctl/api_key.h"

#include <string.h>

#include "tests/unit/unit.h"

static const struct { const char *text, *sha256; } hashes[] = {
	{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	{"mr_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "6b4e09a2d936eb9d7bfd271d65f8dae962b2f9c5730514aef0082a2696a04938"},
};

START_TEST(hash_vectors)
{
	struct err err = ERR_INIT;
	uint8_t hash[API_KEY_HASH_BYTES];
	char hex[2 * API_KEY_HASH_BYTES + 1];

	ck_assert_int_eq(api_key_hash(str_from(hashes[_i].text), hash, &err), 0);
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	ck_assert_str_eq(hex, hashes[_i].sha256);
}
END_TEST

START_TEST(format_vectors)
{
	uint8_t bytes[API_KEY_RANDOM_BYTES];
	char key[API_KEY_CHARS + 1];

	memset(bytes, 0, sizeof(bytes));
	api_key_format(bytes, key);
	ck_assert_str_eq(key, "mr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	memset(bytes, 0xff, sizeof(bytes));
	api_key_format(bytes, key);
	ck_assert_str_eq(key, "mr___________________________________________8");
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	api_key_format(bytes, key);
	ck_assert_str_eq(key, "mr_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(0xfb - 7 * i);
	api_key_format(bytes, key);
	ck_assert_str_eq(key, "mr_-_Tt5t_Y0crDvLWup6CZkouEfXZvaGFaU0xFPjcwKSI");
}
END_TEST

START_TEST(drawn_keys_differ)
{
	enum { KEYS = 500 };
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char keys[KEYS][API_KEY_CHARS + 1];
	struct err err = ERR_INIT;
	int seen[256] = {0}, kinds = 0;

	for (int i = 0; i < KEYS; i++) {
		ck_assert_int_eq(api_key_draw(keys[i], &err), 0);
		ck_assert_uint_eq(strlen(keys[i]), API_KEY_CHARS);
		ck_assert_int_eq(strncmp(keys[i], "mr_", 3), 0);
		ck_assert_uint_eq(strspn(keys[i] + 3, allowed), API_KEY_CHARS - 3);
		for (int j = 0; j < i; j++)
			ck_assert_int_ne(strncmp(keys[i], keys[j], API_KEY_ID_CHARS), 0);
		for (const char *p = keys[i] + 3; *p; p++)
			seen[(unsigned char)*p] = 1;
	}
	for (size_t i = 0; i < NR(seen); i++)
		kinds += seen[i];
	ck_assert_int_eq(kinds, 64);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/api_key");
	TCase *t = tcase_create("api_key");

	tcase_add_loop_test(t, hash_vectors, 0, NR(hashes));
	tcase_add_test(t, format_vectors);
	tcase_add_test(t, drawn_keys_differ);
	suite_add_tcase(s, t);
	return unit_main(s);
}
