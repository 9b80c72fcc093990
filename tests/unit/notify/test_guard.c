/* test_guard.c - which addresses deliveries may go to, which spellings of the list there are, and which URLs. */
#include "sink/notify/guard.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* The address as the kernel takes it; returns its length. */
static size_t address_of(const char *text, struct sockaddr_storage *out)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(443)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		memcpy(out, &v4, sizeof(v4));
		return sizeof(v4);
	}
	ck_assert_msg(inet_pton(AF_INET6, text, &v6.sin6_addr) == 1, "%s", text);
	memcpy(out, &v6, sizeof(v6));
	return sizeof(v6);
}

static const char *asked(const char *networks, const char *address)
{
	struct sockaddr_storage at;
	struct err err = ERR_INIT;
	struct guard g;
	const char *what;
	size_t len = address_of(address, &at);

	ck_assert_msg(guard_init(&g, false, networks, &err) == 0, "%s: %s", networks, err.msg);
	what = guard_refuses(&g, (const struct sockaddr *)&at, len);
	guard_fini(&g);
	return what;
}

/* what NULL: public. Each range by its first and last address, and by their neighbours outside. */
static const struct {
	const char *address, *what;
} addresses[] = {
	{"0.0.0.0", "this network"},
	{"0.255.255.255", "this network"},
	{"1.0.0.0", NULL},
	{"8.8.8.8", NULL},
	{"9.255.255.255", NULL},
	{"10.0.0.0", "private"},
	{"10.255.255.255", "private"},
	{"11.0.0.0", NULL},
	{"100.63.255.255", NULL},
	{"100.64.0.0", "shared by a carrier"},
	{"100.100.100.200", "shared by a carrier"}, /* a cloud's metadata */
	{"100.127.255.255", "shared by a carrier"},
	{"100.128.0.0", NULL},
	{"126.255.255.255", NULL},
	{"127.0.0.0", "loopback"},
	{"127.0.0.1", "loopback"},
	{"127.255.255.255", "loopback"},
	{"128.0.0.0", NULL},
	{"168.63.129.15", NULL},
	{"168.63.129.16", "a cloud's metadata"},
	{"168.63.129.17", NULL},
	{"169.253.255.255", NULL},
	{"169.254.0.0", "link-local"},
	{"169.254.169.254", "link-local"},
	{"169.254.255.255", "link-local"},
	{"169.255.0.0", NULL},
	{"172.15.255.255", NULL},
	{"172.16.0.0", "private"},
	{"172.31.255.255", "private"},
	{"172.32.0.0", NULL},
	{"191.255.255.255", NULL},
	{"192.0.0.0", "reserved"},
	{"192.0.0.192", "reserved"}, /* another cloud's metadata */
	{"192.0.0.255", "reserved"},
	{"192.0.1.0", NULL},
	{"192.0.2.0", "documentation"},
	{"192.0.2.255", "documentation"},
	{"192.0.3.0", NULL},
	{"192.88.99.1", "reserved"},
	{"192.88.100.0", NULL},
	{"192.167.255.255", NULL},
	{"192.168.0.0", "private"},
	{"192.168.255.255", "private"},
	{"192.169.0.0", NULL},
	{"198.17.255.255", NULL},
	{"198.18.0.0", "benchmarking"},
	{"198.19.255.255", "benchmarking"},
	{"198.20.0.0", NULL},
	{"198.51.100.7", "documentation"},
	{"198.51.101.0", NULL},
	{"203.0.113.255", "documentation"},
	{"203.0.114.0", NULL},
	{"223.255.255.255", NULL},
	{"224.0.0.0", "multicast"},
	{"239.255.255.255", "multicast"},
	{"240.0.0.0", "reserved"},
	{"255.255.255.254", "reserved"},
	{"255.255.255.255", "broadcast"},
	{"::", "unspecified"},
	{"::1", "loopback"},
	{"::2", "reserved"},
	{"::127.0.0.1", "reserved"}, /* compatible */
	{"::8.8.8.8", "reserved"},
	{"::ffff:127.0.0.1", "loopback"}, /* mapped */
	{"::ffff:10.1.2.3", "private"},
	{"::ffff:169.254.169.254", "link-local"},
	{"::ffff:8.8.8.8", NULL},
	{"::ffff:0:10.1.2.3", "private"}, /* translated */
	{"::ffff:0:8.8.8.8", NULL},
	{"::fffe:8.8.8.8", "reserved"},
	{"64:ff9b::127.0.0.1", "loopback"}, /* NAT64 */
	{"64:ff9b::169.254.169.254", "link-local"},
	{"64:ff9b::192.168.1.1", "private"},
	{"64:ff9b::8.8.8.8", NULL},
	{"64:ff9b::1:8.8.8.8", "reserved"},
	{"64:ff9b:1::8.8.8.8", "a translator's own"},
	{"64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "a translator's own"},
	{"64:ff9b:2::8.8.8.8", "reserved"},
	{"100::1", "reserved"},
	{"1fff:ffff::1", "reserved"},
	{"2001:0:808:808:0:0:f7f7:f7f7", NULL}, /* Teredo: server 8.8.8.8, client 8.8.8.8 flipped */
	{"2001:0:a01:203:0:0:f7f7:f7f7", "private"},
	{"2001:0:808:808:0:0:80ff:fffe", "loopback"},
	{"2001:0:808:808:0:0:5601:5601", "link-local"},
	{"2001:1::1", "reserved"},
	{"2001:2::1", "reserved"},
	{"2001:10::1", "reserved"},
	{"2001:1ff:ffff::1", "reserved"},
	{"2001:200::1", NULL},
	{"2001:4860:4860::8888", NULL},
	{"2001:db7:ffff::1", NULL},
	{"2001:db8::1", "documentation"},
	{"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
	{"2001:db9::1", NULL},
	{"2002:7f00:1::1", "loopback"}, /* 6to4 */
	{"2002:c0a8:101::1", "private"},
	{"2002:a9fe:a9fe::", "link-local"},
	{"2002:808:808::1", NULL},
	{"2a00:1450:4001:800::200e", NULL},
	{"2a00:1450:4001:800:0:5efe:10.0.0.1", "private"}, /* ISATAP */
	{"2a00:1450:4001:800:200:5efe:127.0.0.1", "loopback"},
	{"2a00:1450:4001:800:0:5efe:8.8.8.8", NULL},
	{"2a00:1450:4001:800:400:5efe:10.0.0.1", NULL},
	{"3ffe:ffff::1", NULL},
	{"3fff::1", "documentation"},
	{"3fff:fff:ffff::1", "documentation"},
	{"3fff:1000::1", NULL},
	{"4000::1", "reserved"},
	{"5f00::1", "reserved"},
	{"fbff::1", "reserved"},
	{"fc00::1", "private"},
	{"fd00:ec2::254", "private"}, /* a cloud's metadata */
	{"fdff:ffff::1", "private"},
	{"fe00::1", "reserved"},
	{"fe80::1", "link-local"},
	{"febf:ffff::1", "link-local"},
	{"fec0::1", "private"},
	{"feff::1", "private"},
	{"ff00::1", "multicast"},
	{"ff02::1", "multicast"},
	{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"},
};

START_TEST(addresses_are_what_they_are)
{
	const char *what = asked("", addresses[_i].address), *wanted = addresses[_i].what;

	ck_assert_msg(what == wanted || (what && wanted && strcmp(what, wanted) == 0), "%s: %s", addresses[_i].address, what ? what : "public");
}
END_TEST

/* An IPv4 address is never more welcome for being written as IPv6. */
START_TEST(no_disguise_opens_a_door)
{
	static const char *const forms[] = {"::ffff:%u.%u.%u.%u", "::ffff:0:%u.%u.%u.%u", "64:ff9b::%u.%u.%u.%u", "2002:%02x%02x:%02x%02x::1",
					    "2001:0:%02x%02x:%02x%02x::f7f7:f7f7", "2a00::5efe:%u.%u.%u.%u", "::%u.%u.%u.%u"};
	struct unit_random r = unit_random_new("disguises");

	for (int i = 0; i < 3000; i++) {
		static const uint8_t first[] = {0, 10, 100, 127, 168, 169, 172, 192, 198, 203, 224, 255};
		static const uint8_t second[] = {0, 18, 51, 63, 64, 88, 168, 254, 255, 16, 31};
		uint64_t bits = unit_random_next(&r);
		unsigned a = bits & 1 ? first[bits / 2 % NR(first)] : bits >> 8 & 255, b = bits & 2 ? second[bits / 64 % NR(second)] : bits >> 16 & 255;
		unsigned c = bits >> 24 & 255, d = bits >> 32 & 255;
		char plain[32], disguised[64];

		snprintf(plain, sizeof(plain), "%u.%u.%u.%u", a, b, c, d);
		if (!asked("", plain))
			continue;
		for (size_t f = 0; f < NR(forms); f++) {
			snprintf(disguised, sizeof(disguised), forms[f], a, b, c, d);
			ck_assert_msg(asked("", disguised) != NULL, "%s as %s", plain, disguised);
		}
	}
}
END_TEST

static const struct {
	const char *networks, *address;
	bool allowed;
} lists[] = {
	{"127.0.0.0/8", "127.0.0.1", true},
	{"127.0.0.0/8", "127.255.255.255", true},
	{"127.0.0.0/8", "10.0.0.1", false},
	{"127.0.0.0/8", "::1", false},
	{"127.0.0.0/8,::1", "::1", true},
	{" 10.0.0.0/8 ,\t::1/128\n", "::1", true},
	{"10.0.0.0/8", "::ffff:10.0.0.1", true},
	{"::ffff:10.0.0.0/104", "10.0.0.1", true},
	{"::ffff:0:0/96", "10.0.0.1", true},
	{"10.0.0.0/8", "64:ff9b::10.0.0.1", false},
	{"10.0.0.0/8", "2002:a00:1::1", false},
	{"64:ff9b::a00:0/104", "64:ff9b::10.0.0.1", true},
	{"10.1.2.3", "10.1.2.3", true},
	{"10.1.2.3", "10.1.2.2", false},
	{"10.1.2.2/31", "10.1.2.3", true},
	{"10.1.2.2/31", "10.1.2.1", false},
	{"10.1.2.2/31", "10.1.2.4", false},
	{"0.0.0.0/0", "10.1.2.3", true},
	{"0.0.0.0/0", "::ffff:127.0.0.1", true},
	{"0.0.0.0/0", "::1", false},
	{"::/0", "fe80::1", true},
	{"::/0", "127.0.0.1", false}, /* the list of one family says nothing of the other */
	{"::/0", "::ffff:127.0.0.1", false},
	{"fd00::/8", "fd12::1", true},
	{"fd00::/8", "fc12::1", false},
	{"", "8.8.8.8", true},
	{"10.0.0.0/8", "8.8.8.8", true},
};

START_TEST(lists_allow_what_they_name)
{
	ck_assert_msg((asked(lists[_i].networks, lists[_i].address) == NULL) == lists[_i].allowed, "%s: %s", lists[_i].networks, lists[_i].address);
}
END_TEST

static const char *const not_networks[] = {
	"10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/8x", "10.0.0.0/ 8", "10.0.0.1/8", "10.0.0/8", "010.0.0.0/8", "::/129", "fd00::1/8", "example.com",
	"fe80::1%eth0", "10.0.0.0/8;::1", "/8", "::ffff:10.0.0.1/104", "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111", "10.0.0.0/0008",
};

START_TEST(what_is_no_network_is_refused)
{
	struct err err = ERR_INIT;
	struct guard g;

	ck_assert_msg(guard_init(&g, false, not_networks[_i], &err) == -1, "%s", not_networks[_i]);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_ptr_nonnull(strstr(err.msg, "notify.allow_networks"));
}
END_TEST

START_TEST(a_list_is_bounded)
{
	char text[(GUARD_NETWORKS_MAX + 1) * 10 + 2] = "";
	struct err err = ERR_INIT;
	struct guard g;

	for (int i = 0; i < GUARD_NETWORKS_MAX; i++)
		memcpy(text + i * 10, "10.1.2.3, ", 11);
	ck_assert_int_eq(guard_init(&g, false, text, &err), 0);
	guard_fini(&g);
	memcpy(text + GUARD_NETWORKS_MAX * 10, "10.1.2.3", 9);
	ck_assert_int_eq(guard_init(&g, false, text, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
}
END_TEST

START_TEST(other_families_are_refused)
{
	struct sockaddr at = {.sa_family = AF_UNIX};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x08080808)};
	struct guard g = {0};

	ck_assert_str_eq(guard_refuses(&g, &at, sizeof(at)), "not of the Internet");
	ck_assert_str_eq(guard_refuses(&g, (struct sockaddr *)&v4, 4), "not of the Internet");
	ck_assert_ptr_null(guard_refuses(&g, (struct sockaddr *)&v4, sizeof(v4)));
}
END_TEST

static const struct {
	const char *url;
	bool http; /* is it allowed? */
	enum guard_use use;
	const char *fault; /* part of the message; NULL: it is fine */
} urls[] = {
	{"https://hooks.example/x?y=1", false, GUARD_WEBHOOK, NULL},
	{"HTTPS://hooks.example", false, GUARD_WEBHOOK, NULL},
	{"http://hooks.example/x", false, GUARD_WEBHOOK, "notify.allow_http"},
	{"http://hooks.example/x", true, GUARD_WEBHOOK, NULL},
	{"https://me@hooks.example/x", false, GUARD_WEBHOOK, "a user"},
	{"https://me:secret@hooks.example/x", true, GUARD_WEBHOOK, "a user"},
	{"hooks.example/x", true, GUARD_WEBHOOK, "none"},
	{"file:///etc/passwd", true, GUARD_WEBHOOK, "not https"},
	{"gopher://hooks.example", true, GUARD_WEBHOOK, "not https"},
	{"smtp://hooks.example", true, GUARD_WEBHOOK, "not https"},
	{"https://", true, GUARD_WEBHOOK, "none"},
	{"https://hooks.example:99999/", true, GUARD_WEBHOOK, "none"},
	{"https://hooks.example/\r\nX: y", true, GUARD_WEBHOOK, "none"},
	{"", true, GUARD_WEBHOOK, "none"},
	{"smtp://mail.example:587", false, GUARD_MAIL, NULL},
	{"smtps://mail.example", false, GUARD_MAIL, NULL},
	{"smtp://mail.example/", false, GUARD_MAIL, NULL},
	{"smtp://mail.example/me", false, GUARD_MAIL, "more than a host"},
	{"smtp://mail.example/?x", false, GUARD_MAIL, "more than a host"},
	{"smtp://u:p@mail.example", false, GUARD_MAIL, "a user"},
	{"https://mail.example", false, GUARD_MAIL, "not smtp"},
};

START_TEST(urls_are_checked)
{
	struct guard g = {.allow_http = urls[_i].http};
	struct err err = ERR_INIT;
	CURLU *u = guard_parse_url(&g, urls[_i].url, urls[_i].use, &err);

	ck_assert_msg((u != NULL) == (urls[_i].fault == NULL), "%s: %s", urls[_i].url, err.msg);
	ck_assert_msg(u || strstr(err.msg, urls[_i].fault), "%s: %s", urls[_i].url, err.msg);
	ck_assert_msg(!strstr(err.msg, "example"), "%s", err.msg);
	curl_url_cleanup(u);
}
END_TEST

START_TEST(a_url_is_bounded)
{
	char url[GUARD_URL_MAX + 2] = "https://a/";
	struct guard g = {0};
	struct err err = ERR_INIT;
	CURLU *u;

	memset(url + 10, 'x', GUARD_URL_MAX - 10);
	u = guard_parse_url(&g, url, GUARD_WEBHOOK, &err);
	ck_assert_ptr_nonnull(u);
	curl_url_cleanup(u);
	url[GUARD_URL_MAX] = 'x';
	ck_assert_ptr_null(guard_parse_url(&g, url, GUARD_WEBHOOK, &err));
}
END_TEST

START_TEST(sockets_are_made_or_not)
{
	struct guard g = {0};
	struct guard_visit v = {.guard = &g};
	struct sockaddr_in at = {.sin_family = AF_INET};
	struct curl_sockaddr a = {.family = AF_INET, .socktype = SOCK_STREAM, .addrlen = sizeof(at)};
	curl_socket_t fd;

	at.sin_addr.s_addr = htonl(0x7f000001);
	memcpy(&a.addr, &at, sizeof(at));
	ck_assert_int_eq(guard_open_socket(&v, CURLSOCKTYPE_IPCXN, &a), CURL_SOCKET_BAD);
	ck_assert_str_eq(v.refused, "127.0.0.1 is refused (loopback; notify.allow_networks)");
	at.sin_addr.s_addr = htonl(0x08080808);
	memcpy(&a.addr, &at, sizeof(at));
	fd = guard_open_socket(&v, CURLSOCKTYPE_IPCXN, &a);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(guard_open_socket(&v, CURLSOCKTYPE_ACCEPT, &a), CURL_SOCKET_BAD);
}
END_TEST

/* libcurl's memory: short from so many allocations on. */
static int left; /* style: libcurl's hooks have no context */

static void *short_malloc(size_t size)
{
	return left-- > 0 ? malloc(size) : NULL;
}

static void *short_calloc(size_t nr, size_t size)
{
	return left-- > 0 ? calloc(nr, size) : NULL;
}

static void *short_realloc(void *p, size_t size)
{
	return left-- > 0 ? realloc(p, size) : NULL;
}

static char *short_strdup(const char *text)
{
	return left-- > 0 ? strdup(text) : NULL;
}

/* Else a notification would be given up for what is over in a moment. */
START_TEST(short_memory_is_no_fault_of_the_address)
{
	struct guard g;
	CURLU *u = NULL;
	int room = 0;

	ck_assert_int_eq(guard_init(&g, false, "", NULL), 0);
	left = INT_MAX;
	ck_assert_int_eq(curl_global_init_mem(CURL_GLOBAL_DEFAULT, short_malloc, free, short_realloc, short_strdup, short_calloc), 0);
	for (; !u; room++) {
		struct err err = ERR_INIT;

		left = room;
		u = guard_parse_url(&g, _i ? "smtp://mail.example:587" : "https://a.example/x?y=z", _i ? GUARD_MAIL : GUARD_WEBHOOK, &err);
		ck_assert_msg(u || err.kind == ERR_FATAL, "room for %d: %s", room, err.msg);
	}
	ck_assert_int_gt(room, 5); /* the hooks were asked */
	left = INT_MAX;
	curl_url_cleanup(u);
	curl_global_cleanup();
	guard_fini(&g);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guard");
	TCase *tc = tcase_create("guard");

	tcase_add_loop_test(tc, addresses_are_what_they_are, 0, NR(addresses));
	tcase_add_test(tc, no_disguise_opens_a_door);
	tcase_add_loop_test(tc, lists_allow_what_they_name, 0, NR(lists));
	tcase_add_loop_test(tc, what_is_no_network_is_refused, 0, NR(not_networks));
	tcase_add_test(tc, a_list_is_bounded);
	tcase_add_test(tc, other_families_are_refused);
	tcase_add_loop_test(tc, urls_are_checked, 0, NR(urls));
	tcase_add_test(tc, a_url_is_bounded);
	tcase_add_loop_test(tc, short_memory_is_no_fault_of_the_address, 0, 2);
	tcase_add_test(tc, sockets_are_made_or_not);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
