/* tls.c - see tls.h. */
#include "ingest/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 1 << 20, PIECE_BYTES = 4096 };

bool tls_wanted(const struct ingest_conf *conf)
{
	return conf->tls_cert_file[0] != '\0';
}

static void wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_fini(b);
}

void tls_fini(struct tls *t)
{
	buf_fini(&t->cert);
	wipe(&t->key);
	buf_fini(&t->client_ca);
}

static int read_all(int fd, const char *path, struct buf *out, struct err *err)
{
	ssize_t n;

	do {
		uint8_t *piece = buf_reserve(out, PIECE_BYTES);

		if (!piece)
			return err_nomem(err, path);
		n = read(fd, piece, PIECE_BYTES);
		if (n < 0)
			return err_set(err, ERR_REJECT, "cannot read %s: %s", path, strerror(errno));
		out->len += (size_t)n;
		if (out->len > FILE_BYTES_MAX)
			return err_set(err, ERR_REJECT, "%s is longer than any certificate", path);
	} while (n > 0);
	buf_add(out, "", 1);
	return buf_failed(out) ? err_nomem(err, path) : 0;
}

static int read_file(const char *path, struct buf *out, struct err *err)
{
	int fd, rc;

	if (!path[0])
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, ERR_REJECT, "cannot open %s: %s", path, strerror(errno));
	rc = read_all(fd, path, out, err);
	close(fd);
	return rc;
}

static gnutls_datum_t datum(const struct buf *b)
{
	return (gnutls_datum_t){b->p, (unsigned)(b->len - 1)};
}

/* GnuTLS's own judgement, as libmicrohttpd's failure would not say why. */
static int check(const struct tls *t, const struct ingest_conf *conf, struct err *err)
{
	gnutls_certificate_credentials_t credentials;
	gnutls_datum_t cert = datum(&t->cert), key = datum(&t->key), ca = datum(&t->client_ca);
	int rc = gnutls_certificate_allocate_credentials(&credentials);

	if (rc < 0)
		return err_nomem(err, "a certificate");
	rc = gnutls_certificate_set_x509_key_mem(credentials, &cert, &key, GNUTLS_X509_FMT_PEM);
	if (rc < 0) {
		err_set(err, ERR_REJECT, "%s with %s: %s", conf->tls_cert_file, conf->tls_key_file, gnutls_strerror(rc));
	} else if (t->client_ca.len) {
		rc = gnutls_certificate_set_x509_trust_mem(credentials, &ca, GNUTLS_X509_FMT_PEM);
		if (rc <= 0) {
			err_set(err, ERR_REJECT, "%s: %s", conf->tls_client_ca_file, rc ? gnutls_strerror(rc) : "it holds no certificate");
			rc = -1;
		}
	}
	gnutls_certificate_free_credentials(credentials);
	return rc < 0 ? -1 : 0;
}

int tls_load(struct tls *t, const struct ingest_conf *conf, struct err *err)
{
	*t = (struct tls)TLS_INIT;
	if (!tls_wanted(conf))
		return 0;
	if (read_file(conf->tls_cert_file, &t->cert, err) == 0 && read_file(conf->tls_key_file, &t->key, err) == 0 &&
	    read_file(conf->tls_client_ca_file, &t->client_ca, err) == 0 && check(t, conf, err) == 0)
		return 0;
	tls_fini(t);
	return -1;
}

bool tls_client_trusted(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	unsigned status = 0;

	return info && gnutls_certificate_verify_peers2(info->tls_session, &status) == 0 && status == 0;
}
