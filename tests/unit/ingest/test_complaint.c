/* test_complaint.c - a payload that was not taken is told with its ids, as far as they can be known, and without a word of what it holds. */
#include "ingest/complaint.h"

#include <string.h>
#include <unistd.h>

#include "ingest/push_json.h"
#include "ingest/push_pb.h"
#include "tests/unit/unit.h"

#define AGENT "00112233445566778899aabbccddeeff"

/* The log's lines since the last call, behind the event. */
static const char *lines(int fd, char *out, size_t size)
{
	ssize_t n = read(fd, out, size - 1);

	out[n > 0 ? n : 0] = '\0';
	return strstr(out, "event=") ? strstr(out, "event=") : "";
}

struct house {
	struct log log;
	int read_fd;
	char text[4096];
};

static void house_init(struct house *h)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	*h = (struct house){.log = {.fd = fds[1], .level = LOG_LEVEL_INFO, .program = "p"}, .read_fd = fds[0]};
}

static void house_fini(struct house *h)
{
	close(h->read_fd);
	close(h->log.fd);
}

START_TEST(lines_have_ids)
{
	struct complaint_about about = {.has_agent_id = true, .has_seq = true, .agent_id = {0xab, 1}, .seq = 7};
	struct tally t = {.accepted = 3, .rejected = 5, .rejected_by = {[REASON_NAME_EMPTY] = 2, [REASON_TIME_TOO_OLD] = 3}};
	struct house h;

	house_init(&h);
	complaint_refused(&h.log, STR("shop"), &about, REASON_BAD_IDENTITY, &t);
	ck_assert_str_eq(lines(h.read_fd, h.text, sizeof(h.text)),
			 "event=payload_refused site=shop agent_id=ab010000000000000000000000000000 seq=7 reason=bad_identity samples=8\n");
	complaint_unsent(&h.log, STR("shop"), &about, "millrace.c.main.samples", "Local: Message timed out");
	ck_assert_str_eq(lines(h.read_fd, h.text, sizeof(h.text)),
			 "event=payload_unsent site=shop agent_id=ab010000000000000000000000000000 seq=7 topic=millrace.c.main.samples "
			 "error=\"Local: Message timed out\"\n");
	complaint_rejected(&h.log, STR("shop"), &about, &t);
	ck_assert_str_eq(lines(h.read_fd, h.text, sizeof(h.text)),
			 "event=samples_rejected site=shop agent_id=ab010000000000000000000000000000 seq=7 reason=time_too_old samples=5 accepted=3\n");
	about = (struct complaint_about){0};
	complaint_refused(&h.log, STR("shop"), &about, REASON_BAD_JSON, NULL);
	ck_assert_str_eq(lines(h.read_fd, h.text, sizeof(h.text)),
			 "event=payload_refused site=shop reason=bad_json samples=0\n");
	t.rejected = 0;
	complaint_rejected(&h.log, STR("shop"), &about, &t); /* nothing, nor any of these: */
	complaint_rejected(NULL, STR("shop"), &about, &t);
	complaint_refused(NULL, STR("shop"), &about, REASON_BAD_JSON, NULL);
	complaint_unsent(NULL, STR("shop"), &about, "t", "e");
	log_info(&h.log, "end", LOG_INT("n", 1));
	ck_assert_str_eq(lines(h.read_fd, h.text, sizeof(h.text)), "event=end n=1\n");
	house_fini(&h);
}
END_TEST

static const struct { const char *body; bool agent_id; int64_t seq; } broken[] = {
	{"{\"agent_id\":\"" AGENT "\",\"seq\":12,\"metrics\":[{\"name\":7}]}", true, 12},
	{"{\"seq\":12,\"agent_id\":\"" AGENT "\",\"metrics\":[", true, 12},
	{"{\"agent_id\":\"" AGENT "\",\"metrics\":7,\"seq\":12}", true, 0}, /* not yet read */
	{"{\"agent_id\":\"" AGENT "\",\"seq\":\"x\"}", true, 0},
	{"{\"agent_id\":\"" AGENT "\",\"seq\":-4,\"host\":1}", true, 0},
	{"{\"agent_id\":\"0011\",\"seq\":3}", false, 3},
	{"{\"agent_id\":9,\"seq\":3}", false, 0},
	{"{\"agent_id\":null,\"seq\":3,\"host\":1}", false, 3},
	{"[1]", false, 0},
	{"", false, 0},
	{"{\"metrics\":[{\"agent_id\":\"" AGENT "\",\"seq\":12,\"name\":7}]}", false, 0}, /* not the payload's */
};

static void check_about(const struct complaint_about *about, bool agent_id, int64_t seq)
{
	char hex[2 * PAYLOAD_AGENT_ID_BYTES + 1];

	ck_assert_int_eq(about->has_agent_id, agent_id);
	if (agent_id)
		ck_assert_str_eq(str_hex(about->agent_id, sizeof(about->agent_id), hex), AGENT);
	ck_assert_int_eq(about->has_seq, seq != 0);
	if (seq)
		ck_assert_int_eq(about->seq, seq);
}

START_TEST(json_that_breaks)
{
	struct arena arena = {.limit_bytes = 1 << 20};
	struct complaint_about about;
	struct payload p;
	struct refusal no;

	payload_init(&p, &arena, 1000);
	ck_assert_int_eq(push_json_parse(str_from(broken[_i].body), &p, &no), -1);
	about = complaint_about(&p);
	check_about(&about, broken[_i].agent_id, broken[_i].seq);
	arena_fini(&arena);
}
END_TEST

/* Fields 2 and 3, and then a field that breaks off. */
START_TEST(protobuf_that_breaks)
{
	static const char body[] = "\x12\x10\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff\x18\x0c\x32\x50" "ab";
	struct arena arena = {.limit_bytes = 1 << 20};
	struct complaint_about about;
	struct payload p;
	struct refusal no;

	payload_init(&p, &arena, 1000);
	ck_assert_int_eq(push_pb_parse((struct str){body, sizeof(body) - 1}, &p, &no), -1);
	about = complaint_about(&p);
	check_about(&about, true, 12);
	arena_fini(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("complaint");
	TCase *tc = tcase_create("complaint");

	tcase_add_test(tc, lines_have_ids);
	tcase_add_loop_test(tc, json_that_breaks, 0, NR(broken));
	tcase_add_test(tc, protobuf_that_breaks);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
