/* test_spool_file.c - a payload's file is whole or is not believed; its name says one thing only. */
#include "ingest/agent/spool_file.h"

#include <errno.h>

#include "tests/unit/agent/spool_house.h"

static const struct spool_label label = {.created_at_ms = 1795372012000, .agent_id = "0123456789abcdef", .seq = 7};
static const char name[] = "0001795372012000-30313233343536373839616263646566-00000000000000000007.payload";

static const struct envelope payload = {
	.agent_id = "0123456789abcdef", .seq = 7, .floor = 5, .created_at_ms = 1795372012000, .samples = 812, .body = {"some bytes", 10}};

struct desk {
	struct house house;
	int fd;
	char path[400];
};

static void desk_init(struct desk *d)
{
	house_init(&d->house);
	ck_assert_int_eq(mkdir(d->house.dir, 0700), 0);
	d->fd = open(d->house.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(d->path, sizeof(d->path), "%s/%s", d->house.dir, name);
	ck_assert_int_eq(spool_file_write(NULL, d->fd, &label, &payload), 0);
}

static void desk_fini(struct desk *d)
{
	close(d->fd);
	house_fini(&d->house);
}

static enum spool_file_found found(const struct desk *d, struct envelope *out)
{
	struct buf body = BUF_INIT;
	enum spool_file_found f = spool_file_read(NULL, d->fd, &label, out, &body);

	if (f == SPOOL_FILE_WHOLE)
		ck_assert(str_eq(out->body, payload.body));
	buf_fini(&body);
	return f;
}

START_TEST(what_was_written_is_read)
{
	struct desk d;
	struct envelope e;
	uint64_t bytes;
	int64_t mtime_ms;

	desk_init(&d);
	ck_assert_int_eq(found(&d, &e), SPOOL_FILE_WHOLE);
	ck_assert(e.seq == 7 && e.floor == 5 && e.created_at_ms == 1795372012000 && e.samples == 812 && !e.attempted);
	ck_assert_int_eq(memcmp(e.agent_id, payload.agent_id, 16), 0);
	ck_assert_int_eq(spool_file_look(NULL, d.fd, &label, &e, &bytes, &mtime_ms), SPOOL_FILE_WHOLE);
	ck_assert_uint_eq(bytes, SPOOL_HEAD_BYTES + 10);
	ck_assert_int_eq(house_count(d.house.dir, NULL), 1);
	desk_fini(&d);
}
END_TEST

START_TEST(no_torn_file_is_believed)
{
	struct desk d;
	struct envelope e;
	uint64_t bytes;
	int64_t mtime_ms;

	desk_init(&d);
	for (off_t len = SPOOL_HEAD_BYTES + 9; len >= 0; len--) {
		ck_assert_int_eq(truncate(d.path, len), 0);
		ck_assert_int_eq(found(&d, &e), SPOOL_FILE_TORN);
		ck_assert_int_eq(spool_file_look(NULL, d.fd, &label, &e, &bytes, &mtime_ms), SPOOL_FILE_TORN);
		ck_assert_uint_eq(e.samples, len >= SPOOL_HEAD_BYTES ? 812 : 0); /* what a whole head says is known */
	}
	ck_assert_int_eq(unlink(d.path), 0);
	ck_assert_int_eq(found(&d, &e), SPOOL_FILE_GONE);
	ck_assert_int_eq(mkdir(d.path, 0700), 0);
	ck_assert_int_eq(found(&d, &e), SPOOL_FILE_TORN);
	desk_fini(&d);
}
END_TEST

START_TEST(no_changed_file_is_believed)
{
	struct desk d;
	struct envelope e;
	int fd;

	desk_init(&d);
	fd = open(d.path, O_RDWR | O_CLOEXEC);
	for (off_t bit = 0; bit < 8 * (SPOOL_HEAD_BYTES + 10); bit++) {
		uint8_t byte, bad;

		ck_assert_int_eq(pread(fd, &byte, 1, bit / 8), 1);
		bad = byte ^ (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(pwrite(fd, &bad, 1, bit / 8), 1);
		ck_assert_int_eq(found(&d, &e), SPOOL_FILE_TORN);
		ck_assert_int_eq(pwrite(fd, &byte, 1, bit / 8), 1);
	}
	ck_assert_int_eq(found(&d, &e), SPOOL_FILE_WHOLE);
	ck_assert_int_eq(pwrite(fd, "x", 1, SPOOL_HEAD_BYTES + 10), 1);
	ck_assert_int_eq(found(&d, &e), SPOOL_FILE_TORN); /* something behind it */
	close(fd);
	desk_fini(&d);
}
END_TEST

static const char *const no_names[] = {
	"",
	"lock",
	"losses",
	"0001795372012000-30313233343536373839616263646566-00000000000000000007",
	"0001795372012000-30313233343536373839616263646566-00000000000000000007.",
	"0001795372012000-30313233343536373839616263646566-00000000000000000007.payloads",
	"0001795372012000-30313233343536373839616263646566-00000000000000000007.payload.foreign",
	"0001795372012000-30313233343536373839616263646566-00000000000000000007.Payload",
	"0001795372012000-30313233343536373839616263646566-00000000000000000000.payload",
	"0000000000000000-30313233343536373839616263646566-00000000000000000007.payload",
	"1795372012000-30313233343536373839616263646566-00000000000000000007.payload",
	"-001795372012000-30313233343536373839616263646566-00000000000000000007.payload",
	"0001795372012000-3031323334353637383961626364656-00000000000000000007.payload",
	"0001795372012000-3031323334353637383961626364656F-00000000000000000007.payload",
	"0001795372012000-30313233343536373839616263646566-7.payload",
	"0001795372012000-30313233343536373839616263646566-99999999999999999999.payload",
	" 001795372012000-30313233343536373839616263646566-00000000000000000007.payload",
};

START_TEST(names_are_made_and_parsed)
{
	struct spool_label l = label, back;
	char out[SPOOL_NAME_SIZE];

	ck_assert_str_eq(spool_file_name(&l, out), name);
	l.created_at_ms = SPOOL_CREATED_AT_MAX;
	l.seq = UINT64_MAX;
	for (l.stage = 0; l.stage < NR_SPOOL_STAGES; l.stage++) {
		ck_assert(spool_file_parse(spool_file_name(&l, out), &back));
		ck_assert(spool_label_cmp(&l, &back) == 0 && back.stage == l.stage);
	}
	for (size_t i = 0; i < NR(no_names); i++)
		ck_assert_msg(!spool_file_parse(no_names[i], &back), "%s", no_names[i]);
}
END_TEST

START_TEST(names_are_in_order_as_text)
{
	struct spool_label a = label, b = label;
	char one[SPOOL_NAME_SIZE], two[SPOOL_NAME_SIZE];

	a.created_at_ms = 999;
	a.seq = 100;
	ck_assert(spool_label_cmp(&a, &b) < 0 && strcmp(spool_file_name(&a, one), spool_file_name(&b, two)) < 0);
	a.created_at_ms = b.created_at_ms;
	ck_assert(spool_label_cmp(&a, &b) > 0 && strcmp(spool_file_name(&a, one), spool_file_name(&b, two)) > 0);
}
END_TEST

START_TEST(nothing_is_there_by_its_name_before_it_is_synced)
{
	struct desk d;
	struct spool_label other = label;
	struct envelope e = payload;

	desk_init(&d);
	other.seq = e.seq = 8;
	house_fail(&d.house, 1, 1UL << 40, EIO);
	d.house.faults.which = 1U << SPOOL_CALL_SYNC | 1U << SPOOL_CALL_UNLINK;
	ck_assert_int_eq(spool_file_write(&d.house.io, d.fd, &other, &e), -1);
	ck_assert_int_eq(house_count(d.house.dir, ".payload"), 1);
	ck_assert_int_eq(house_count(d.house.dir, ".tmp"), 1);
	desk_fini(&d);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spool_file");
	TCase *tc = tcase_create("file");

	tcase_add_test(tc, what_was_written_is_read);
	tcase_add_test(tc, no_torn_file_is_believed);
	tcase_add_test(tc, no_changed_file_is_believed);
	tcase_add_test(tc, names_are_made_and_parsed);
	tcase_add_test(tc, names_are_in_order_as_text);
	tcase_add_test(tc, nothing_is_there_by_its_name_before_it_is_synced);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
