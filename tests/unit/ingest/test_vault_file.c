/* test_vault_file.c - what was written comes back; what was damaged does not; what cannot be written leaves the file before.
 *
 * The layout is written out here a second time, by hand. */
#include "ingest/vault_file.h"

#include <signal.h>
#include <sys/resource.h>
#include <zlib.h>

#include "tests/unit/ingest/folder.h"

enum { ROWS_MAX = 400, HEAD = 12, TAIL = 20 };

/* What a reading handed over, as text. */
struct seen {
	struct buf text;
	int rows, stop_at; /* 0: take all */
};

static int on_row(void *ctx, enum vault_table table, struct str key, struct str value, struct err *err)
{
	struct seen *s = ctx;

	buf_printf(&s->text, "%d %zu " STR_FMT " %zu " STR_FMT "\n", (int)table, key.len, STR_ARG(key), value.len, STR_ARG(value));
	return ++s->rows == s->stop_at ? err_set(err, ERR_FATAL, "enough") : 0;
}

/* Reads the folder's file; err's kind is 0 when it was taken. */
static struct seen read_file(const struct folder *folder, uint64_t *before, struct err *err)
{
	struct vault_file *f = vault_file_new(folder->file);
	struct seen s = {.text = BUF_INIT};
	int rc;

	ck_assert_ptr_nonnull(f);
	*err = (struct err)ERR_INIT;
	rc = vault_file_read(f, on_row, &s, before, err);
	ck_assert_int_eq(rc, err->kind ? -1 : 0);
	vault_file_free(f);
	return s;
}

static void write_three(const struct folder *folder)
{
	struct vault_file *f = vault_file_new(folder->file);
	struct err err = ERR_INIT;

	ck_assert(!vault_file_pending(f));
	ck_assert_int_eq(vault_file_begin(f, &err), 0);
	ck_assert(vault_file_pending(f) && !folder_has(folder->file));
	vault_file_add(f, VAULT_SITES, STR("shop"), STR("abc"));
	vault_file_add(f, VAULT_CELLS, STR("main"), STR(""));
	vault_file_add(f, VAULT_SITES, STR(""), STR("\0\xff"));
	ck_assert_int_eq(vault_file_end(f, 258, &err), 0);
	ck_assert_int_eq(vault_file_commit(f, &err), 0);
	ck_assert(!vault_file_pending(f) && !folder_has(folder->temp));
	vault_file_free(f);
}

static const uint8_t three[] = "MRtables\1\0\0\0"
			       "\1\4\0\3\0\0\0shopabc"
			       "\0\4\0\0\0\0\0main"
			       "\1\0\0\2\0\0\0\0\xff"
			       "\2\1\0\0\0\0\0\0"
			       "\1\0\0\0"
			       "\2\0\0\0";

START_TEST(the_layout_is_as_described)
{
	struct folder folder = folder_new();
	struct buf got;
	struct stat st;
	uint32_t crc = (uint32_t)crc32(0, three, sizeof(three) - 1);
	uint8_t crc_bytes[] = {(uint8_t)crc, (uint8_t)(crc >> 8), (uint8_t)(crc >> 16), (uint8_t)(crc >> 24)};

	umask(0);
	write_three(&folder);
	got = folder_read(&folder);
	ck_assert_uint_eq(got.len, sizeof(three) - 1 + sizeof(crc_bytes));
	ck_assert_mem_eq(got.p, three, sizeof(three) - 1);
	ck_assert_mem_eq(got.p + sizeof(three) - 1, crc_bytes, sizeof(crc_bytes));
	ck_assert_int_eq(stat(folder.file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600); /* hashes of keys are nobody else's */
	buf_fini(&got);
	folder_remove(&folder);
}
END_TEST

START_TEST(rows_come_back_in_order)
{
	struct folder folder = folder_new();
	struct unit_random r = unit_random_new("rows_come_back_in_order");
	struct vault_file *f = vault_file_new(folder.file);
	struct seen wanted = {.text = BUF_INIT}, got;
	struct err err = ERR_INIT;
	uint64_t before = 0;

	ck_assert_int_eq(vault_file_begin(f, &err), 0);
	for (int i = 0; i < ROWS_MAX; i++) {
		char key[40], value[3000];
		struct str k = {key, unit_random_below(&r, sizeof(key))}, v = {value, unit_random_below(&r, sizeof(value))};
		enum vault_table table = (enum vault_table)unit_random_below(&r, VAULT_TABLES);

		memset(key, 'a' + i % 26, sizeof(key));
		memset(value, 'A' + i % 26, sizeof(value));
		vault_file_add(f, table, k, v);
		on_row(&wanted, table, k, v, &err);
	}
	ck_assert_int_eq(vault_file_end(f, UINT64_MAX - 1, &err), 0);
	ck_assert_int_eq(vault_file_commit(f, &err), 0);
	vault_file_free(f);
	got = read_file(&folder, &before, &err);
	ck_assert_uint_eq(before, UINT64_MAX - 1);
	ck_assert_int_eq(got.rows, ROWS_MAX);
	ck_assert(str_eq(buf_str(&got.text), buf_str(&wanted.text)));
	buf_fini(&got.text);
	buf_fini(&wanted.text);
	folder_remove(&folder);
}
END_TEST

START_TEST(no_file_is_no_error)
{
	struct folder folder = folder_new();
	struct err err;
	uint64_t before = 77;
	struct seen s = read_file(&folder, &before, &err);

	ck_assert(s.rows == 0 && before == 77 && err.kind == 0);
	ck_assert_int_eq(mkdir(folder.file, 0700), 0); /* what is no file, however, is one */
	s = read_file(&folder, &before, &err);
	ck_assert(s.rows == 0 && err.kind == ERR_REJECT);
	rmdir(folder.file);
	ck_assert_int_eq(mkfifo(folder.file, 0600), 0);
	s = read_file(&folder, &before, &err); /* does not wait for a writer */
	ck_assert(s.rows == 0 && err.kind == ERR_REJECT);
	folder_remove(&folder);
}
END_TEST

START_TEST(a_taker_can_stop_the_reading)
{
	struct folder folder = folder_new();
	struct vault_file *f = vault_file_new(folder.file);
	struct seen s = {.text = BUF_INIT, .stop_at = 2};
	struct err err = ERR_INIT;
	uint64_t before;

	write_three(&folder);
	ck_assert_int_eq(vault_file_read(f, on_row, &s, &before, &err), -1);
	ck_assert(s.rows == 2 && err.kind == ERR_FATAL);
	vault_file_free(f);
	buf_fini(&s.text);
	folder_remove(&folder);
}
END_TEST

/* Damaged bytes must be refused, and not a row handed over. */
static void must_refuse(const struct folder *folder, const uint8_t *bytes, size_t n)
{
	struct err err;
	uint64_t before = 0;
	struct seen s;

	folder_write(folder, bytes, n);
	s = read_file(folder, &before, &err);
	ck_assert_msg(err.kind == ERR_REJECT && s.rows == 0, "%d rows, %s: %s", s.rows, err_kind_name(err.kind), err.msg);
	buf_fini(&s.text);
}

static void put_crc(uint8_t *bytes, size_t n)
{
	uint32_t crc = (uint32_t)crc32(0, bytes, (uInt)(n - 4));

	for (int i = 0; i < 4; i++)
		bytes[n - 4 + (size_t)i] = (uint8_t)(crc >> (8 * i));
}

START_TEST(a_damaged_file_is_refused)
{
	struct folder folder = folder_new();
	struct buf good;

	write_three(&folder);
	good = folder_read(&folder);
	for (size_t n = 0; n < good.len; n++) /* cut off */
		must_refuse(&folder, good.p, n);
	for (size_t bit = 0; bit < good.len * 8; bit++) { /* one bit flipped */
		good.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		must_refuse(&folder, good.p, good.len);
		good.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_add(&good, "x", 1);
	must_refuse(&folder, good.p, good.len);
	buf_fini(&good);
	folder_remove(&folder);
}
END_TEST

/* Bytes with a CRC that fits: nothing but bounds and counts stand between them and the heap. What is read at all must have as many
 * rows as it says. */
START_TEST(hostile_bytes_stay_in_bounds)
{
	struct folder folder = folder_new();
	struct unit_random r = unit_random_new("hostile_bytes_stay_in_bounds");
	struct buf good;
	int taken = 0;

	write_three(&folder);
	good = folder_read(&folder);
	for (int i = 0; i < 4000; i++) {
		size_t n = unit_random_below(&r, 3) ? good.len : HEAD + TAIL + unit_random_below(&r, good.len - HEAD - TAIL);
		uint8_t *bytes = malloc(n); /* of its own size, so that a sanitizer sees its end */
		struct err err;
		uint64_t before;
		struct seen s;

		memcpy(bytes, good.p, n - TAIL);
		memcpy(bytes + n - TAIL, good.p + good.len - TAIL, TAIL);
		for (uint64_t flips = unit_random_below(&r, 4); flips > 0; flips--)
			bytes[HEAD + unit_random_below(&r, n - HEAD)] = (uint8_t)(unit_random_below(&r, 4) ? unit_random_below(&r, 5) : 0xff);
		put_crc(bytes, n);
		folder_write(&folder, bytes, n);
		s = read_file(&folder, &before, &err);
		ck_assert(err.kind == 0 || (err.kind == ERR_REJECT && s.rows == 0));
		if (err.kind == 0)
			ck_assert_int_eq(s.rows, bytes[n - 12] + bytes[n - 8]);
		taken += err.kind == 0;
		buf_fini(&s.text);
		free(bytes);
	}
	ck_assert_int_gt(taken, 100); /* the others were not all refused by one check */
	buf_fini(&good);
	folder_remove(&folder);
}
END_TEST

/* With a fitting CRC: each of these is caught by its own check. */
static const struct {
	size_t at;
	uint8_t byte;
} faults[] = {
	{0, 'm'}, {8, 2}, {11, 1},           /* magic, version */
	{12, 2}, {12, 255},                  /* table */
	{13, 5}, {14, 255}, {15, 4}, {18, 255}, /* lengths */
	{sizeof(three) - 1 - 8, 2}, {sizeof(three) - 1 - 4, 1}, {sizeof(three) - 2, 1}, /* counts */
};

START_TEST(each_field_is_checked)
{
	struct folder folder = folder_new();
	struct buf b;

	write_three(&folder);
	b = folder_read(&folder);
	b.p[faults[_i].at] = faults[_i].byte;
	put_crc(b.p, b.len);
	must_refuse(&folder, b.p, b.len);
	buf_fini(&b);
	folder_remove(&folder);
}
END_TEST

static void must_fail(struct vault_file *f, size_t rows)
{
	struct err err = ERR_INIT;
	int rc = vault_file_begin(f, &err);
	char big[1000];

	memset(big, 'x', sizeof(big));
	for (size_t i = 0; rc == 0 && i < rows; i++)
		vault_file_add(f, VAULT_SITES, STR("shop"), (struct str){big, sizeof(big)});
	if (rc == 0)
		rc = vault_file_end(f, 0, &err);
	ck_assert_int_eq(rc, -1);
	ck_assert_msg(err.kind == ERR_RETRY && strstr(err.msg, "tables"), "%s", err.msg);
	ck_assert(!vault_file_pending(f));
}

START_TEST(a_full_disk_leaves_the_file_before)
{
	struct folder folder = folder_new();
	struct vault_file *f = vault_file_new(folder.file);
	struct rlimit old, tight;
	struct err err;
	uint64_t before = 0;
	struct seen s;

	write_three(&folder);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = (struct rlimit){.rlim_cur = 100 << 10, .rlim_max = old.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
	must_fail(f, 1000); /* in the midst of it */
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	ck_assert(!folder_has(folder.temp));
	s = read_file(&folder, &before, &err);
	ck_assert(s.rows == 3 && err.kind == 0);
	buf_fini(&s.text);
	vault_file_free(f);
	folder_remove(&folder);
}
END_TEST

START_TEST(a_missing_folder_is_tried_again)
{
	struct folder folder = folder_new();
	struct vault_file *f = vault_file_new(folder.file);

	ck_assert_int_eq(rmdir(folder.path), 0);
	must_fail(f, 1);
	ck_assert_int_eq(mkdir(folder.path, 0700), 0);
	write_three(&folder);
	vault_file_free(f);
	folder_remove(&folder);
}
END_TEST

START_TEST(what_is_not_committed_is_nothing)
{
	struct folder folder = folder_new();
	struct vault_file *f = vault_file_new(folder.file);
	struct err err;
	uint64_t before = 0;
	struct seen s;

	write_three(&folder);
	ck_assert_int_eq(vault_file_begin(f, &err), 0);
	vault_file_add(f, VAULT_CELLS, STR("other"), STR("x"));
	ck_assert_int_eq(vault_file_end(f, 0, &err), 0);
	s = read_file(&folder, &before, &err);
	ck_assert(s.rows == 3 && before == 258);
	buf_fini(&s.text);
	ck_assert_int_eq(vault_file_begin(f, &err), 0); /* instead of it */
	vault_file_add(f, VAULT_CELLS, STR("third"), STR("y"));
	ck_assert_int_eq(vault_file_end(f, 0, &err), 0);
	ck_assert_int_eq(vault_file_commit(f, &err), 0);
	s = read_file(&folder, &before, &err);
	ck_assert_msg(str_eq(buf_str(&s.text), STR("0 5 third 1 y\n")) && before == 0, STR_FMT, STR_ARG(buf_str(&s.text)));
	buf_fini(&s.text);
	ck_assert_int_eq(vault_file_begin(f, &err), 0);
	vault_file_free(f);
	ck_assert(!folder_has(folder.temp));
	folder_remove(&folder);
}
END_TEST

/* A path without a folder is one in the folder where the program runs. */
START_TEST(a_bare_name_is_a_path)
{
	struct folder folder = folder_new();
	struct vault_file *f = vault_file_new("tables");
	struct err err = ERR_INIT;

	ck_assert_int_eq(chdir(folder.path), 0);
	ck_assert_int_eq(vault_file_begin(f, &err), 0);
	ck_assert_int_eq(vault_file_end(f, 0, &err), 0);
	ck_assert_int_eq(vault_file_commit(f, &err), 0);
	ck_assert(folder_has(folder.file));
	vault_file_free(f);
	folder_remove(&folder);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vault_file");
	TCase *tc = tcase_create("vault_file");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_layout_is_as_described);
	tcase_add_test(tc, rows_come_back_in_order);
	tcase_add_test(tc, no_file_is_no_error);
	tcase_add_test(tc, a_taker_can_stop_the_reading);
	tcase_add_test(tc, a_damaged_file_is_refused);
	tcase_add_test(tc, hostile_bytes_stay_in_bounds);
	tcase_add_loop_test(tc, each_field_is_checked, 0, (int)NR(faults));
	tcase_add_test(tc, a_full_disk_leaves_the_file_before);
	tcase_add_test(tc, a_missing_folder_is_tried_again);
	tcase_add_test(tc, what_is_not_committed_is_nothing);
	tcase_add_test(tc, a_bare_name_is_a_path);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
