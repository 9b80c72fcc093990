/* sign.c - see sign.h.
 *
 * The time is signed with the body, so that nobody can send an old notification again with a new time. EVP_MAC takes the two as they
 * are; HMAC() would want them in one piece. */
#include "sink/notify/sign.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>

int sign_mac(struct str key, struct str first, struct str second, uint8_t out[SIGN_MAC_BYTES], struct err *err)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
	size_t len = 0;
	int rc = 0;

	if (!ctx || !EVP_MAC_init(ctx, (const uint8_t *)key.p, key.len, params) || !EVP_MAC_update(ctx, (const uint8_t *)first.p, first.len) ||
	    !EVP_MAC_update(ctx, (const uint8_t *)second.p, second.len) || !EVP_MAC_final(ctx, out, &len, SIGN_MAC_BYTES) || len != SIGN_MAC_BYTES)
		rc = err_set(err, ERR_FATAL, "libcrypto cannot sign");
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return rc;
}

int sign_text(struct str key, int64_t unix_s, struct str body, char out[SIGN_TEXT_SIZE], struct err *err)
{
	uint8_t mac[SIGN_MAC_BYTES];
	char first[24];
	int n = snprintf(first, sizeof(first), "%lld.", (long long)unix_s), at;

	if (sign_mac(key, (struct str){first, (size_t)n}, body, mac, err) < 0)
		return -1;
	at = snprintf(out, SIGN_TEXT_SIZE, "t=%lld,v1=", (long long)unix_s);
	str_hex(mac, sizeof(mac), out + at);
	return 0;
}
