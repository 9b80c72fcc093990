/* test_listen.c - what push.listen takes, and that the socket is where it says. */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ingest/listen.h"
#include "tests/unit/unit.h"

static const char *const bad[] = {"", ":", "4318", ":4318", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:99999999",
				  "127.0.0.1:65536", "127.0.0.1:99999", "127.0.0.1:-1", "foo",
				  "localhost:4318", "[::1:4318", "::1]:4318", "[]:4318", "127.0.0.1.1:4318",
				  "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:1"};

START_TEST(refuses_what_is_no_address)
{
	char address[LISTEN_ADDRESS_SIZE];
	struct err err = ERR_INIT;

	ck_assert_int_eq(listen_check(bad[_i], NULL), -1);
	ck_assert_int_eq(listen_open(bad[_i], address, &err), -1);
	ck_assert_msg(err.kind == ERR_REJECT && strstr(err.msg, "push.listen"), "%s: %s", bad[_i], err.msg);
}
END_TEST

START_TEST(listens_where_it_says)
{
	char address[LISTEN_ADDRESS_SIZE], again[LISTEN_ADDRESS_SIZE];
	struct err err = ERR_INIT;
	int port = 0, fd = listen_open("127.0.0.1:0", address, &err), client = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	ck_assert_msg(fd >= 0, "%s", err.msg);
	ck_assert_int_eq(sscanf(address, "127.0.0.1:%d", &port), 1);
	to.sin_port = htons((uint16_t)port);
	ck_assert_int_eq(listen_check(address, &err), 0); /* also while it is taken: nothing is opened */
	ck_assert_int_eq(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(listen_open(address, again, &err), -1);
	ck_assert_msg(err.kind == ERR_FATAL && strstr(err.msg, address), "%s", err.msg);
	close(client);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listen");
	TCase *tc = tcase_create("listen");

	tcase_add_loop_test(tc, refuses_what_is_no_address, 0, (int)NR(bad));
	tcase_add_test(tc, listens_where_it_says);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
