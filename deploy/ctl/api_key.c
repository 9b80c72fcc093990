/* api_key.c - see api_key.h.
 *
 * The kernel's generator, not libcrypto's: nothing to seed, nothing to fork wrongly, and no state of ours.
 * What the bytes were is wiped as soon as the key's text exists; the text is wiped by who printed it. */
#include "deploy/ctl/api_key.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

void api_key_format(const uint8_t bytes[API_KEY_RANDOM_BYTES], char key[API_KEY_CHARS + 1])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	int held = 0;
	char *p = key;

	memcpy(p, "mr_", 3);
	p += 3;
	for (int i = 0; i < API_KEY_RANDOM_BYTES; i++) {
		bits = bits << 8 | bytes[i];
		for (held += 8; held >= 6; held -= 6)
			*p++ = alphabet[bits >> (held - 6) & 63];
	}
	*p++ = alphabet[bits << (6 - held) & 63]; /* 256 bits: four are left, two are zeros (RFC 4648, section 5) */
	*p = '\0';
}

int api_key_draw(char key[API_KEY_CHARS + 1], struct err *err)
{
	uint8_t bytes[API_KEY_RANDOM_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_set(err, ERR_FATAL, "no random bytes: %s", strerror(errno));
	api_key_format(bytes, key);
	explicit_bzero(bytes, sizeof(bytes));
	return 0;
}

int api_key_hash(struct str key, uint8_t out[API_KEY_HASH_BYTES], struct err *err)
{
	unsigned int len = 0;

	if (EVP_Digest(key.p, key.len, out, &len, EVP_sha256(), NULL) != 1 || len != API_KEY_HASH_BYTES)
		return err_set(err, ERR_FATAL, "libcrypto cannot make a SHA-256");
	return 0;
}
