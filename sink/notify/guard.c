/* guard.c - see guard.h.
 *
 * Two tables, after IANA's registries of special-purpose addresses. What is in no row of the IPv4 one is public. IPv6 is the other way round: only
 * 2000::/3 is given out at all, so what has no row and is not in it is refused. Some IPv6 addresses are IPv4 in disguise: the row says where
 * the four bytes are, and they are asked about in turn. An operator who allows 10.0.0.0/8 allows ::ffff:10.0.0.1, which is the same host by the
 * same route, and no other disguise: a tunnel or a translator is another network's decision, to be listed by its own prefix. */
#include "sink/notify/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct v4_row {
	uint8_t net[4];
	unsigned bits;
	const char *what;
};

/* Longer prefixes first where one holds another. */
static const struct v4_row v4_rows[] = {
	{{255, 255, 255, 255}, 32, "broadcast"},
	{{0, 0, 0, 0}, 8, "this network"},
	{{10, 0, 0, 0}, 8, "private"},
	{{100, 64, 0, 0}, 10, "shared by a carrier"},
	{{127, 0, 0, 0}, 8, "loopback"},
	{{168, 63, 129, 16}, 32, "a cloud's metadata"}, /* a public one, and inside of Azure its platform */
	{{169, 254, 0, 0}, 16, "link-local"},
	{{172, 16, 0, 0}, 12, "private"},
	{{192, 0, 0, 0}, 24, "reserved"},
	{{192, 0, 2, 0}, 24, "documentation"},
	{{192, 88, 99, 0}, 24, "reserved"},
	{{192, 168, 0, 0}, 16, "private"},
	{{198, 18, 0, 0}, 15, "benchmarking"},
	{{198, 51, 100, 0}, 24, "documentation"},
	{{203, 0, 113, 0}, 24, "documentation"},
	{{224, 0, 0, 0}, 4, "multicast"},
	{{240, 0, 0, 0}, 4, "reserved"},
};

enum { PLAIN = -1 };

struct v6_row {
	uint8_t net[16];
	unsigned bits;
	const char *what; /* NULL: what the IPv4 in it is */
	int at;           /* of the IPv4 in it; PLAIN: there is none */
	uint8_t flip;     /* its bytes are XORed with this */
};

static const struct v6_row v6_rows[] = {
	{{0}, 128, "unspecified", PLAIN, 0},
	{{[15] = 1}, 128, "loopback", PLAIN, 0},
	{{[10] = 0xff, 0xff}, 96, NULL, 12, 0},           /* ::ffff:a.b.c.d, mapped */
	{{[8] = 0xff, 0xff}, 96, NULL, 12, 0},            /* ::ffff:0:a.b.c.d, translated */
	{{0x00, 0x64, 0xff, 0x9b}, 96, NULL, 12, 0},      /* NAT64 */
	{{0x00, 0x64, 0xff, 0x9b, 0, 1}, 48, "a translator's own", PLAIN, 0},
	{{0}, 96, "reserved", PLAIN, 0},                  /* ::a.b.c.d, compatible: nobody routes it any more */
	{{0x20, 0x01}, 32, NULL, 4, 0},                   /* Teredo: its server, */
	{{0x20, 0x01}, 32, NULL, 12, 0xff},               /* and its client */
	{{0x20, 0x01, 0x0d, 0xb8}, 32, "documentation", PLAIN, 0},
	{{0x20, 0x02}, 16, NULL, 2, 0},                   /* 6to4 */
	{{0x3f, 0xff}, 20, "documentation", PLAIN, 0},
	{{0xfc}, 7, "private", PLAIN, 0},
	{{0xfe, 0x80}, 10, "link-local", PLAIN, 0},
	{{0xfe, 0xc0}, 10, "private", PLAIN, 0},
	{{0xff}, 8, "multicast", PLAIN, 0},
};

/* The rest of 2001::/23 is for protocols; Teredo, which is inside of it, has rows above. */
static const struct v6_row protocols = {{0x20, 0x01}, 23, "reserved", PLAIN, 0};
static const struct v6_row given_out = {{0x20}, 3, NULL, PLAIN, 0};
static const struct v6_row teredo = {{0x20, 0x01}, 32, NULL, PLAIN, 0};
static const struct v6_row mapped = {{[10] = 0xff, 0xff}, 96, NULL, PLAIN, 0};

static bool is_in(const uint8_t *address, const uint8_t *net, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(address, net, whole) == 0 && (rest == 0 || ((address[whole] ^ net[whole]) >> (8 - rest)) == 0);
}

static const char *v4_kind(const uint8_t address[4])
{
	for (size_t i = 0; i < sizeof(v4_rows) / sizeof(v4_rows[0]); i++)
		if (is_in(address, v4_rows[i].net, v4_rows[i].bits))
			return v4_rows[i].what;
	return NULL;
}

static const char *v4_kind_at(const uint8_t *at, uint8_t flip)
{
	uint8_t inner[4];

	for (size_t i = 0; i < sizeof(inner); i++)
		inner[i] = at[i] ^ flip;
	return v4_kind(inner);
}

/* ISATAP: any network's prefix, then 0000:5efe or 0200:5efe and the IPv4 address. */
static bool is_isatap(const uint8_t address[16])
{
	return (address[8] & ~2) == 0 && address[9] == 0 && address[10] == 0x5e && address[11] == 0xfe;
}

/* What an address is, if it is not public. */
static const char *v6_kind(const uint8_t address[16])
{
	bool disguised = false;

	for (size_t i = 0; i < sizeof(v6_rows) / sizeof(v6_rows[0]); i++) {
		const struct v6_row *r = &v6_rows[i];
		const char *what = r->what;

		if (!is_in(address, r->net, r->bits))
			continue;
		if (r->at != PLAIN)
			what = v4_kind_at(address + r->at, r->flip);
		if (what)
			return what;
		disguised = true;
	}
	if (disguised)
		return NULL;
	if (!is_in(address, given_out.net, given_out.bits) || (is_in(address, protocols.net, protocols.bits) && !is_in(address, teredo.net, teredo.bits)))
		return "reserved";
	return is_isatap(address) ? v4_kind_at(address + 12, 0) : NULL;
}

/* A list entry of IPv6 never means IPv4, however short its prefix: "::/0" is said of the one family. */
static bool is_allowed(const struct guard *g, const uint8_t address[16])
{
	bool is_v4 = is_in(address, mapped.net, mapped.bits);

	for (size_t i = 0; i < g->nr; i++)
		if ((!is_v4 || g->networks[i].bits >= mapped.bits) && is_in(address, g->networks[i].address, g->networks[i].bits))
			return true;
	return false;
}

static void map_v4(uint8_t out[16], const void *v4)
{
	memcpy(out, mapped.net, 12);
	memcpy(out + 12, v4, 4);
}

/* False: it is of another family. */
static bool read_sockaddr(const struct sockaddr *address, size_t len, uint8_t out[16])
{
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	if (address->sa_family == AF_INET && len >= sizeof(v4)) {
		memcpy(&v4, address, sizeof(v4));
		map_v4(out, &v4.sin_addr);
		return true;
	}
	if (address->sa_family == AF_INET6 && len >= sizeof(v6)) {
		memcpy(&v6, address, sizeof(v6));
		memcpy(out, &v6.sin6_addr, 16);
		return true;
	}
	return false;
}

const char *guard_refuses(const struct guard *g, const struct sockaddr *address, size_t len)
{
	uint8_t bytes[16];

	if (!read_sockaddr(address, len, bytes))
		return "not of the Internet";
	return is_allowed(g, bytes) ? NULL : v6_kind(bytes);
}

/* ADDRESS or ADDRESS/BITS. */
static bool read_network(const char *text, struct guard_network *out)
{
	char address[INET6_ADDRSTRLEN + 1] = "";
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	unsigned most = 128, less = 0;
	uint8_t v4[4];
	char *end = NULL;

	if (n >= sizeof(address))
		return false;
	memcpy(address, text, n);
	if (inet_pton(AF_INET, address, v4) == 1) {
		map_v4(out->address, v4);
		most = 32;
		less = 96;
	} else if (inet_pton(AF_INET6, address, out->address) != 1) {
		return false;
	}
	out->bits = most;
	if (slash) {
		if (slash[1] < '0' || slash[1] > '9' || strlen(slash + 1) > 3)
			return false;
		out->bits = (unsigned)strtoul(slash + 1, &end, 10);
		if (*end != '\0' || out->bits > most)
			return false;
	}
	out->bits += less;
	for (unsigned bit = out->bits; bit < 128; bit++)
		if (out->address[bit / 8] & 0x80 >> bit % 8)
			return false; /* a host's address with a network's prefix: which of them was meant? */
	return true;
}

int guard_init(struct guard *g, bool allow_http, const char *networks, struct err *err)
{
	char *copy = strdup(networks ? networks : ""), *rest = NULL;

	*g = (struct guard){.allow_http = allow_http, .networks = calloc(GUARD_NETWORKS_MAX, sizeof(*g->networks))};
	if (!copy || !g->networks) {
		err_nomem(err, "notify.allow_networks");
		goto fail;
	}
	for (char *word = strtok_r(copy, ", \t\n", &rest); word; word = strtok_r(NULL, ", \t\n", &rest)) {
		if (g->nr == GUARD_NETWORKS_MAX) {
			err_set(err, ERR_REJECT, "notify.allow_networks has more than %d networks", GUARD_NETWORKS_MAX);
			goto fail;
		}
		if (!read_network(word, &g->networks[g->nr++])) {
			err_set(err, ERR_REJECT, "notify.allow_networks: %.60s is no network like 10.0.0.0/8 or fd00::/8", word);
			goto fail;
		}
	}
	free(copy);
	return 0;
fail:
	free(copy);
	guard_fini(g);
	return -1;
}

void guard_fini(struct guard *g)
{
	free(g->networks);
	*g = (struct guard){0};
}

static bool is_scheme_allowed(const struct guard *g, const char *scheme, enum guard_use use)
{
	if (use == GUARD_MAIL)
		return strcmp(scheme, "smtp") == 0 || strcmp(scheme, "smtps") == 0;
	return strcmp(scheme, "https") == 0 || (g->allow_http && strcmp(scheme, "http") == 0);
}

/* Part of an address that libcurl has taken. 1: it has none; -1: memory is short, which all else comes to that can go wrong here. */
static int part_of(CURLU *url, CURLUPart part, CURLUcode none, char **out)
{
	CURLUcode code = curl_url_get(url, part, out, 0);

	return code == CURLUE_OK ? 0 : code == none ? 1 : -1;
}

/* *fault: a literal, or NULL. -1: memory is short. */
static int find_fault(const struct guard *g, CURLU *url, enum guard_use use, const char **fault)
{
	char *scheme = NULL, *path = NULL, *query = NULL;
	int rc = -1, queries = 1;

	*fault = NULL;
	if (part_of(url, CURLUPART_SCHEME, CURLUE_NO_SCHEME, &scheme) != 0 || part_of(url, CURLUPART_PATH, CURLUE_OK, &path) != 0)
		goto out;
	if (use == GUARD_MAIL && (queries = part_of(url, CURLUPART_QUERY, CURLUE_NO_QUERY, &query)) < 0)
		goto out;
	rc = 0;
	if (!is_scheme_allowed(g, scheme, use))
		*fault = use == GUARD_MAIL ? "it is not smtp: or smtps:" : g->allow_http ? "it is not https: or http:" : "it is not https: (notify.allow_http)";
	else if (use == GUARD_MAIL && (strcmp(path, "/") != 0 || queries == 0))
		*fault = "there is more than a host and a port";
out:
	curl_free(scheme);
	curl_free(path);
	curl_free(query);
	return rc;
}

CURLU *guard_parse_url(const struct guard *g, const char *url, enum guard_use use, struct err *err)
{
	CURLU *u = curl_url();
	const char *fault = NULL;
	CURLUcode code = CURLUE_OUT_OF_MEMORY;

	if (u)
		code = strlen(url) > GUARD_URL_MAX ? CURLUE_MALFORMED_INPUT : curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER);
	if (code == CURLUE_OK && find_fault(g, u, use, &fault) < 0)
		code = CURLUE_OUT_OF_MEMORY;
	if (code == CURLUE_OK && !fault)
		return u;
	if (code == CURLUE_OUT_OF_MEMORY) /* which passes: no reason to give a notification up */
		err_nomem(err, "an address");
	else
		err_set(err, ERR_REJECT, "the receiver's address cannot be used: %s",
			fault ? fault : code == CURLUE_USER_NOT_ALLOWED ? "there is a user in it" : "it is none");
	curl_url_cleanup(u);
	return NULL;
}

static void note_refused(struct guard_visit *v, const struct sockaddr *address, const char *what)
{
	char text[INET6_ADDRSTRLEN] = "?";
	const void *bytes = address->sa_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr :
							     (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;

	if (address->sa_family == AF_INET || address->sa_family == AF_INET6)
		inet_ntop(address->sa_family, bytes, text, sizeof(text));
	snprintf(v->refused, sizeof(v->refused), "%s is refused (%s; notify.allow_networks)", text, what);
}

curl_socket_t guard_open_socket(void *visit, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct guard_visit *v = visit;
	const char *what = purpose == CURLSOCKTYPE_IPCXN ? guard_refuses(v->guard, &address->addr, address->addrlen) : "not of the Internet";

	if (what) {
		note_refused(v, &address->addr, what);
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}
