/* payload_maker.h - payloads for the agent's tests, packed by protobuf-c and compressed, and what is read out of them again. */
#ifndef MILLRACE_TESTS_AGENT_PAYLOAD_MAKER_H
#define MILLRACE_TESTS_AGENT_PAYLOAD_MAKER_H

#include <zstd.h>

#include "ingest/agent/envelope.h"
#include "pb/push.pb-c.h"
#include "tests/unit/unit.h"

enum { MAKER_SAMPLES_MAX = 64 };

/* A payload of counters named "p<number>.<i>", as many as samples; body is filled and borrowed. */
static inline struct envelope maker_payload(const uint8_t agent_id[16], uint64_t seq, uint64_t number, size_t samples,
					    int64_t created_at_ms, struct buf *body)
{
	Millrace__Push__Payload p = MILLRACE__PUSH__PAYLOAD__INIT;
	Millrace__Push__Metric metrics[MAKER_SAMPLES_MAX], *metric_list[MAKER_SAMPLES_MAX];
	Millrace__Push__Point points[MAKER_SAMPLES_MAX], *point_list[MAKER_SAMPLES_MAX];
	char names[MAKER_SAMPLES_MAX][48];
	struct envelope e = {.seq = seq, .floor = 1, .created_at_ms = created_at_ms, .samples = samples};
	uint8_t packed[16384];
	size_t n;

	ck_assert_uint_le(samples, MAKER_SAMPLES_MAX);
	memcpy(e.agent_id, agent_id, 16);
	for (size_t i = 0; i < samples; i++) {
		snprintf(names[i], sizeof(names[i]), "p%llu.%zu", (unsigned long long)number, i);
		points[i] = (Millrace__Push__Point)MILLRACE__PUSH__POINT__INIT;
		points[i].t = created_at_ms;
		points[i].has_v_case = MILLRACE__PUSH__POINT__HAS_V_V;
		points[i].v = 1;
		point_list[i] = &points[i];
		metrics[i] = (Millrace__Push__Metric)MILLRACE__PUSH__METRIC__INIT;
		metrics[i].name = names[i];
		metrics[i].kind = MILLRACE__PUSH__METRIC__KIND__counter;
		metrics[i].points = &point_list[i];
		metrics[i].n_points = 1;
		metric_list[i] = &metrics[i];
	}
	p.metrics = metric_list;
	p.n_metrics = samples;
	p.agent_id = (ProtobufCBinaryData){16, e.agent_id};
	p.seq = seq;
	p.floor = 1;
	p.created_at = created_at_ms;
	ck_assert_uint_le(millrace__push__payload__get_packed_size(&p), sizeof(packed));
	n = millrace__push__payload__pack(&p, packed);
	buf_clear(body);
	ck_assert_ptr_nonnull(buf_reserve(body, ZSTD_compressBound(n)));
	body->len = ZSTD_compress(body->p, ZSTD_compressBound(n), packed, n, 1);
	e.body = buf_str(body);
	return e;
}

/* What a body says; free with millrace__push__payload__free_unpacked(). */
static inline Millrace__Push__Payload *maker_unpack(struct str body)
{
	unsigned long long size = ZSTD_getFrameContentSize(body.p, body.len);
	Millrace__Push__Payload *p;
	uint8_t *packed;
	size_t n;

	ck_assert(size < 64 << 20);
	packed = malloc(size + 1);
	ck_assert_ptr_nonnull(packed);
	n = ZSTD_decompress(packed, size, body.p, body.len);
	ck_assert(!ZSTD_isError(n) && n == size);
	p = millrace__push__payload__unpack(NULL, n, packed);
	free(packed);
	ck_assert_ptr_nonnull(p);
	return p;
}

#endif
