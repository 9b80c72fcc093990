/* test_halves.c - halves hold what the whole held, once, and always are the same two. */
#include "ingest/agent/halves.h"

#include "tests/unit/agent/payload_maker.h"

enum { CREATED_MS = 77000, LISTS_MAX = 12 };

/* A payload of lists of given lengths; each entry says its number in a time. */
static struct envelope make(const size_t lens[5], size_t points, size_t truncated, struct buf *body)
{
	Millrace__Push__Payload p = MILLRACE__PUSH__PAYLOAD__INIT;
	Millrace__Push__Metric metrics[LISTS_MAX], *metric_list[LISTS_MAX];
	Millrace__Push__Point all[LISTS_MAX], *point_list[LISTS_MAX];
	Millrace__Push__Error errors[LISTS_MAX], *error_list[LISTS_MAX];
	Millrace__Push__Transaction transactions[LISTS_MAX], *transaction_list[LISTS_MAX];
	Millrace__Push__Marker markers[LISTS_MAX], *marker_list[LISTS_MAX];
	Millrace__Push__CheckIn check_ins[LISTS_MAX], *check_in_list[LISTS_MAX];
	Millrace__Push__Truncation truncations[LISTS_MAX], *truncation_list[LISTS_MAX];
	struct envelope e = {.agent_id = {1, 2, 3}, .seq = 40, .floor = 38, .created_at_ms = CREATED_MS};
	uint8_t packed[8192];
	size_t n;

	for (size_t i = 0; i < LISTS_MAX; i++) {
		all[i] = (Millrace__Push__Point)MILLRACE__PUSH__POINT__INIT;
		all[i].t = (int64_t)i + 1;
		point_list[i] = &all[i];
		metrics[i] = (Millrace__Push__Metric)MILLRACE__PUSH__METRIC__INIT;
		metrics[i].name = (char *)(uintptr_t)"m";
		metrics[i].points = lens[0] > 1 ? &point_list[i] : point_list;
		metrics[i].n_points = lens[0] > 1 ? 1 : points;
		metric_list[i] = &metrics[i];
		errors[i] = (Millrace__Push__Error)MILLRACE__PUSH__ERROR__INIT;
		transactions[i] = (Millrace__Push__Transaction)MILLRACE__PUSH__TRANSACTION__INIT;
		markers[i] = (Millrace__Push__Marker)MILLRACE__PUSH__MARKER__INIT;
		check_ins[i] = (Millrace__Push__CheckIn)MILLRACE__PUSH__CHECK_IN__INIT;
		truncations[i] = (Millrace__Push__Truncation)MILLRACE__PUSH__TRUNCATION__INIT;
		errors[i].t = transactions[i].t = markers[i].t = check_ins[i].t = (int64_t)i + 1;
		truncations[i].from_seq = i + 1;
		error_list[i] = &errors[i];
		transaction_list[i] = &transactions[i];
		marker_list[i] = &markers[i];
		check_in_list[i] = &check_ins[i];
		truncation_list[i] = &truncations[i];
	}
	p.metrics = metric_list;
	p.errors = error_list;
	p.transactions = transaction_list;
	p.markers = marker_list;
	p.check_ins = check_in_list;
	p.truncated = truncation_list;
	p.n_metrics = lens[0];
	p.n_errors = lens[1];
	p.n_transactions = lens[2];
	p.n_markers = lens[3];
	p.n_check_ins = lens[4];
	p.n_truncated = truncated;
	p.agent_id = (ProtobufCBinaryData){16, e.agent_id};
	p.seq = e.seq;
	p.floor = e.floor;
	p.created_at = CREATED_MS;
	p.host = (char *)(uintptr_t)"web-7";
	ck_assert_uint_le(millrace__push__payload__get_packed_size(&p), sizeof(packed));
	n = millrace__push__payload__pack(&p, packed);
	ck_assert_ptr_nonnull(buf_reserve(body, ZSTD_compressBound(n)));
	body->len = ZSTD_compress(body->p, ZSTD_compressBound(n), packed, n, 1);
	e.body = buf_str(body);
	return e;
}

/* Entries seen, by list and number. */
struct seen {
	int entries[5][LISTS_MAX + 1];
};

static void look(struct seen *s, const Millrace__Push__Payload *p)
{
	for (size_t i = 0; i < p->n_metrics; i++)
		for (size_t k = 0; k < p->metrics[i]->n_points; k++)
			s->entries[0][p->metrics[i]->points[k]->t]++;
	for (size_t i = 0; i < p->n_errors; i++)
		s->entries[1][p->errors[i]->t]++;
	for (size_t i = 0; i < p->n_transactions; i++)
		s->entries[2][p->transactions[i]->t]++;
	for (size_t i = 0; i < p->n_markers; i++)
		s->entries[3][p->markers[i]->t]++;
	for (size_t i = 0; i < p->n_check_ins; i++)
		s->entries[4][p->check_ins[i]->t]++;
}

static const struct {
	size_t lens[5], points, truncated;
	uint64_t samples[2];
} cases[] = {
	{{4}, 1, 2, {2, 2}},
	{{5}, 1, 0, {2, 3}},
	{{1}, 2, 1, {1, 1}},
	{{1}, 7, 3, {3, 4}},
	{{1, 1}, 3, 0, {3, 1}},
	{{0, 2}, 1, 0, {1, 1}},
	{{2, 2, 2, 2, 2}, 1, 1, {5, 5}},
	{{0, 0, 0, 0, 12}, 1, 0, {6, 6}},
	{{1, 0, 0, 0, 10}, 9, 0, {13, 6}},
};

START_TEST(halves_hold_what_the_whole_held)
{
	struct buf whole = BUF_INIT, body[2] = {BUF_INIT, BUF_INIT};
	struct envelope e = make(cases[_i].lens, cases[_i].points, cases[_i].truncated, &whole), half[2];
	struct err err = ERR_INIT;
	struct seen seen = {0};

	ck_assert_msg(halves_make(&e, half, body, &err) == 0, "%s", err.msg);
	for (size_t i = 0; i < 2; i++) {
		Millrace__Push__Payload *p = maker_unpack(half[i].body);

		ck_assert_uint_eq(half[i].samples, cases[_i].samples[i]);
		ck_assert(half[i].seq == i + 1 && half[i].floor == 1 && half[i].created_at_ms == CREATED_MS && !half[i].attempted);
		ck_assert(memcmp(p->agent_id.data, half[i].agent_id, 16) == 0 && p->seq == half[i].seq && p->floor == 1);
		ck_assert(memcmp(half[i].agent_id, e.agent_id, 16) != 0 && memcmp(half[i].agent_id, half[0].agent_id, 16) == 0);
		ck_assert(p->created_at == CREATED_MS && strcmp(p->host, "web-7") == 0);
		ck_assert_uint_eq(p->n_truncated, i == 0 ? cases[_i].truncated : 0);
		look(&seen, p);
		millrace__push__payload__free_unpacked(p, NULL);
		buf_fini(&body[i]);
	}
	for (size_t list = 0; list < 5; list++)
		for (size_t i = 1; i <= LISTS_MAX; i++) {
			size_t points = cases[_i].lens[0] == 1 ? cases[_i].points : cases[_i].lens[0];

			ck_assert_int_eq(seen.entries[list][i], i <= (list ? cases[_i].lens[list] : points));
		}
	buf_fini(&whole);
}
END_TEST

START_TEST(halves_are_always_the_same)
{
	static const size_t lens[5] = {3, 1};
	struct buf whole = BUF_INIT, body[4] = {BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT};
	struct envelope e = make(lens, 1, 1, &whole), half[4], copy = e;
	struct err err = ERR_INIT;

	copy.attempted = true; /* another machine's copy, which was posted */
	ck_assert(halves_make(&e, half, body, &err) == 0 && halves_make(&copy, half + 2, body + 2, &err) == 0);
	for (size_t i = 0; i < 2; i++)
		ck_assert(memcmp(half[i].agent_id, half[i + 2].agent_id, 16) == 0 && half[i].seq == half[i + 2].seq &&
			  str_eq(half[i].body, half[i + 2].body));
	copy.seq++; /* another payload's are others */
	ck_assert_int_eq(halves_make(&copy, half + 2, body + 2, &err), 0);
	ck_assert(memcmp(half[0].agent_id, half[2].agent_id, 16) != 0);
	for (size_t i = 0; i < 4; i++)
		buf_fini(&body[i]);
	buf_fini(&whole);
}
END_TEST

START_TEST(what_cannot_be_halved_is_refused)
{
	static const size_t single[][5] = {{1}, {0, 1}, {0, 0, 0, 0, 1}, {0}};
	struct buf whole = BUF_INIT, body[2] = {BUF_INIT, BUF_INIT};
	struct envelope e = make(single[_i], 1, 1, &whole), half[2];
	struct err err = ERR_INIT;

	ck_assert(halves_make(&e, half, body, &err) < 0 && err.kind == ERR_REJECT);
	for (size_t n = 0; n < e.body.len; n++) { /* bytes from a disk: whatever they are, it ends */
		struct buf torn = BUF_INIT;

		buf_add(&torn, e.body.p, n);
		e.body = buf_str(&torn);
		ck_assert(halves_make(&e, half, body, &err) < 0);
		e.body = buf_str(&whole);
		buf_fini(&torn);
	}
	buf_fini(&body[0]);
	buf_fini(&body[1]);
	buf_fini(&whole);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("halves");
	TCase *tc = tcase_create("halves");

	tcase_add_loop_test(tc, halves_hold_what_the_whole_held, 0, NR(cases));
	tcase_add_test(tc, halves_are_always_the_same);
	tcase_add_loop_test(tc, what_cannot_be_halved_is_refused, 0, 4);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
