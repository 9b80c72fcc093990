/* test_sign.c - RFC 4231's vectors of HMAC-SHA256, and the header made of it. */
#include "sink/notify/sign.h"

#include <string.h>

#include "tests/unit/unit.h"

/* key and data: the text, repeated; or one byte that many times. */
static const struct {
	const char *key;
	size_t key_times;
	const char *data;
	size_t data_times;
	const char *mac;
} vectors[] = {
	{"\x0b", 20, "Hi There", 1, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{"Jefe", 1, "what do ya want for nothing?", 1, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{"\xaa", 20, "\xdd", 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	{"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19", 1, "\xcd", 50,
	 "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	{"\xaa", 131, "Test Using Larger Than Block-Size Key - Hash Key First", 1,
	 "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	{"\xaa", 131,
	 "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the "
	 "HMAC algorithm.",
	 1, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

static struct str repeated(const char *text, size_t times, char *out)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < times; i++)
		memcpy(out + i * n, text, n);
	return (struct str){out, n * times};
}

/* Wherever the message is cut in two. */
START_TEST(vectors_of_rfc_4231)
{
	char key[256], data[256], hex[2 * SIGN_MAC_BYTES + 1];
	struct str k = repeated(vectors[_i].key, vectors[_i].key_times, key), d = repeated(vectors[_i].data, vectors[_i].data_times, data);
	struct err err = ERR_INIT;
	uint8_t mac[SIGN_MAC_BYTES];

	for (size_t cut = 0; cut <= d.len; cut++) {
		ck_assert_int_eq(sign_mac(k, (struct str){d.p, cut}, (struct str){d.p + cut, d.len - cut}, mac, &err), 0);
		for (size_t i = 0; i < sizeof(mac); i++)
			snprintf(hex + 2 * i, 3, "%02x", mac[i]);
		ck_assert_str_eq(hex, vectors[_i].mac);
	}
}
END_TEST

/* The MAC is openssl(1)'s: printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret. */
START_TEST(the_header_is_of_time_and_body)
{
	char text[SIGN_TEXT_SIZE];
	struct err err = ERR_INIT;

	ck_assert_int_eq(sign_text(STR("secret"), 1700000000, STR("{\"a\":1}"), text, &err), 0);
	ck_assert_str_eq(text, "t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sign");
	TCase *tc = tcase_create("sign");

	tcase_add_loop_test(tc, vectors_of_rfc_4231, 0, NR(vectors));
	tcase_add_test(tc, the_header_is_of_time_and_body);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
