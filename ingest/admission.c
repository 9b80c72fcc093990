/* admission.c - see admission.h.
 *
 * The order of the checks is part of the contract. Place, method and framing come first, as they concern nobody's data. Then whether this
 * instance serves at all, and whether the way in is closed for all: while its tables are not loaded it cannot know a key from a
 * stranger's, and must say 503 (a 401 makes an agent give up for good). Then the key, so that only those who have one can learn our
 * limits or take up room. What the body claims to be comes next, then the rates, and the budget last, when nothing else can refuse
 * any more: what is charged is let in.
 *
 * Invariants:
 *  I1  budget.held = the sum of charged_bytes over all tickets, by traffic; a tenant's is that of its own tickets.
 *  I2  No site holds more than half of the budget, shared between its live data and its backlog as the whole is: whoever has a key may
 *      send slowly, but not for all others too. */
#include "ingest/admission.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "ingest/comeback.h"

enum { STATUS_TOO_MANY = 429, STATUS_UNAVAILABLE = 503, SITE_SHARE = 2, IDEMPOTENCY_KEY_MAX = 255 };

struct admission {
	struct admission_rooms rooms;
	struct admission_limits limits;
	_Atomic bool states[NR_ADMISSION_STATES];
	pthread_mutex_t mutex; /* over what follows, rooms.sites, and every tenant */
	struct budget budget;
	struct comeback comeback;
};

struct admission *admission_new(const struct admission_rooms *rooms, const struct admission_limits *limits)
{
	struct admission *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->rooms = *rooms;
	a->limits = *limits;
	a->budget.total_bytes = limits->budget_bytes;
	pthread_mutex_init(&a->mutex, NULL);
	return a;
}

void admission_free(struct admission *a)
{
	if (!a)
		return;
	pthread_mutex_destroy(&a->mutex);
	free(a);
}

void admission_set(struct admission *a, enum admission_state state, bool value)
{
	atomic_store(&a->states[state], value);
}

static bool is(struct admission *a, enum admission_state state)
{
	return atomic_load(&a->states[state]);
}

void admission_lock(struct admission *a)
{
	pthread_mutex_lock(&a->mutex);
}

void admission_unlock(struct admission *a)
{
	pthread_mutex_unlock(&a->mutex);
}

static const struct {
	const char *path, *method;
	enum admission_door door;
} doors[] = {
	{"/v1/push", "POST", DOOR_PUSH},       {"/v1/auth", "GET", DOOR_AUTH},      {"/v1/metrics", "POST", DOOR_METRICS},
	{"/v1/traces", "POST", DOOR_TRACES}, {"/v1/logs", "POST", DOOR_LOGS},
};

static const char protobuf_type[] = "application/x-protobuf", json_type[] = "application/json";

/* Is a media type, parameters aside, this one? */
static bool is_type(const char *type, const char *wanted)
{
	size_t n = type ? strcspn(type, "; \t") : 0;

	return n == strlen(wanted) && strncasecmp(type, wanted, n) == 0;
}

static int check_place(const struct admission_head *head, struct ticket *t, struct refusal *no)
{
	for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
		if (strcmp(head->path, doors[i].path) != 0)
			continue;
		t->door = doors[i].door;
		if (strcmp(head->method, doors[i].method) != 0)
			return refuse(no, REASON_METHOD_NOT_ALLOWED, "%s takes %s", doors[i].path, doors[i].method);
		return 0;
	}
	return refuse(no, REASON_NOT_FOUND, "there is nothing at this path; payloads go to /v1/push, OTLP to /v1/metrics, /v1/logs and /v1/traces, "
					    "/v1/auth tells whether a key is good");
}

/* Two lengths are how one request is smuggled behind another (RFC 9112, 6.3): proxy and server must never see different ends. So is a length
 * that only one of them sees, for a blank before its colon (5.1). */
static int check_framing(const struct admission_head *head, struct refusal *no)
{
	if (head->blank_in_name)
		return refuse(no, REASON_BAD_FRAMING, "a header's name begins or ends with a blank");
	if (head->lengths > 1)
		return refuse(no, REASON_BAD_FRAMING, "Content-Length and Transfer-Encoding stand there %u times in all", head->lengths);
	if (head->transfer_encoding && strcasecmp(head->transfer_encoding, "chunked") != 0)
		return refuse(no, REASON_BAD_FRAMING, "Transfer-Encoding is %.80s; only chunked is taken", head->transfer_encoding);
	return 0;
}

static int check_serving(struct admission *a, struct refusal *no)
{
	if (is(a, ADMISSION_DRAINING))
		return refuse(no, REASON_DRAINING, "%s", "");
	if (controls_in_force(a->rooms.controls, CONTROL_ACTION_CLOSE, STR(""), STR(""), NULL))
		return refuse(no, REASON_CLOSED, "%s", ""); /* the reason is for operators, not for clients */
	/* Before even the missing key, so that no answer depends on who asks. */
	return is(a, ADMISSION_TABLES_LOADED) ? 0 : refuse(no, REASON_TABLES_NOT_LOADED, "%s", "");
}

/* The key a client sends: of several, the first in this order. Empty: none. An Authorization of another scheme is some proxy's, not
 * ours, and does not hide a key beside it. */
static struct str find_key(const struct admission_head *head)
{
	static const char scheme[] = "Bearer ";
	const char *bearer = head->authorization;

	if (bearer && strncasecmp(bearer, scheme, strlen(scheme)) == 0)
		return str_from(bearer + strlen(scheme) + strspn(bearer + strlen(scheme), " "));
	return str_from(head->x_api_key ? head->x_api_key : head->api_key);
}

/* The tenant of a ticket's key. A table that is empty or old says nothing about who is missing from it. */
static struct tenant *find_tenant(struct admission *a, const struct ticket *t, struct refusal *no)
{
	struct tenant *tenant = sites_find(a->rooms.sites, t->key_sha256);

	if (tenant)
		return tenant;
	if (!is(a, ADMISSION_TABLES_FRESH) || sites_count(a->rooms.sites) == 0)
		refuse(no, REASON_TABLES_NOT_LOADED, "this key is not in the table, which may be out of date");
	else
		refuse(no, REASON_UNAUTHORIZED, "the key is unknown, revoked, or its site is disabled");
	return NULL;
}

/* Is this the same site still, and the way open for it? */
static int check_tenant(struct admission *a, struct ticket *t, int64_t created_at_ms, struct refusal *no)
{
	struct tenant *tenant = find_tenant(a, t, no);
	if (!tenant)
		return -1;
	if (t->tenant && tenant != t->tenant) /* a good key, so no 401: the next attempt is the new site's */
		return refuse(no, REASON_TABLES_NOT_LOADED, "the key has changed hands while the payload was under way: send it again");
	if (controls_in_force(a->rooms.controls, CONTROL_ACTION_CLOSE, sites_cell(tenant, created_at_ms), sites_id(tenant), NULL))
		return refuse(no, REASON_CLOSED, "%s", "");
	if (t->tenant)
		return 0;
	sites_hold(tenant);
	t->tenant = tenant;
	return 0;
}

static int check_rates(struct ticket *t, struct refusal *no)
{
	struct tenant_limits limits = sites_limits(t->tenant);
	struct tenant_use *use = sites_use(t->tenant);
	int64_t mono_ms = clock_mono_ms(), wait_ms = 0;

	if (!rate_ready(&use->payloads, limits.payloads_per_s, mono_ms, &wait_ms))
		refuse(no, REASON_PAYLOAD_RATE, "this site may send %g payloads a second", limits.payloads_per_s);
	else if (!rate_ready(&use->samples, limits.samples_per_s, mono_ms, &wait_ms))
		refuse(no, REASON_SAMPLE_RATE, "this site may send %g samples a second", limits.samples_per_s);
	else
		return 0;
	no->wait_ms = wait_ms;
	return -1;
}

static int check_kind(const struct admission_head *head, struct ticket *t, struct refusal *no)
{
	if (!is_type(head->content_type, protobuf_type) && !is_type(head->content_type, json_type))
		return refuse(no, REASON_UNSUPPORTED_TYPE, "Content-Type is %.80s; application/x-protobuf or application/json is expected",
			      head->content_type ? head->content_type : "missing");
	if (inflate_encoding_of(head->content_encoding, &t->encoding) < 0)
		return refuse(no, REASON_UNSUPPORTED_ENCODING, "Content-Encoding is %.80s; gzip, deflate, zstd or identity is expected",
			      head->content_encoding);
	return 0;
}

int admission_check_body(const struct admission *a, int64_t bytes, struct refusal *no)
{
	if (bytes > a->limits.max_body_bytes)
		return refuse(no, REASON_BODY_TOO_LARGE, "the body is longer than %lld bytes", (long long)a->limits.max_body_bytes);
	return 0;
}

static int refuse_room(const struct budget *b, const char *whose, int64_t bytes, struct refusal *no)
{
	return refuse(no, REASON_OVER_BUDGET, "of %lld bytes for %s %lld are in flight and %lld are backlog; %lld more have no room",
		      (long long)b->total_bytes, whose, (long long)(b->held_bytes[TRAFFIC_LIVE] + b->held_bytes[TRAFFIC_BACKLOG]),
		      (long long)b->held_bytes[TRAFFIC_BACKLOG], (long long)bytes);
}

/* With the mutex held. */
static int charge(struct admission *a, struct ticket *t, int64_t bytes, struct refusal *no)
{
	struct budget *own = &sites_use(t->tenant)->inflight;

	own->total_bytes = a->budget.total_bytes / SITE_SHARE;
	if (!budget_take(own, t->sender.traffic, bytes))
		return refuse_room(own, "this site", bytes, no);
	if (!budget_take(&a->budget, t->sender.traffic, bytes)) {
		budget_give(own, t->sender.traffic, bytes);
		return refuse_room(&a->budget, "all sites", bytes, no);
	}
	t->charged_bytes += bytes;
	return 0;
}

/* The announced length; -1 without one. The server has refused what is no number; one too large for strtoll is its maximum. */
static int64_t announced(const struct admission_head *head)
{
	return head->content_length ? strtoll(head->content_length, NULL, 10) : -1;
}

/* Is it of no use to take what goes where this payload goes? Of a payload without a route later rooms speak. */
static bool is_kafka_gone(struct admission *a, const struct admission_head *head, const struct ticket *t, int64_t created_at_ms)
{
	const char *topic = head->kafka_gone ? sites_topic(a->rooms.sites, t->tenant, created_at_ms) : NULL;

	return topic && head->kafka_gone(head->kafka, topic);
}

/* All that looks at what is shared, with the mutex held. A payload's place is taken once nothing else can refuse. */
static int enter_shared(struct admission *a, const struct admission_head *head, struct ticket *t, struct refusal *no)
{
	int64_t created_at_ms = t->sender.has_created_at ? t->sender.created_at_ms : t->received_at_ms;

	if (check_tenant(a, t, created_at_ms, no) < 0)
		return -1;
	if (t->door == DOOR_AUTH)
		return admission_check_body(a, t->announced_bytes, no);
	if (check_kind(head, t, no) < 0 || admission_check_body(a, t->announced_bytes, no) < 0)
		return -1;
	if (is_kafka_gone(a, head, t, created_at_ms))
		return refuse(no, REASON_KAFKA_UNAVAILABLE, "Kafka has not answered for a while");
	if (check_rates(t, no) < 0 || charge(a, t, t->announced_bytes > 0 ? t->announced_bytes : 0, no) < 0)
		return -1;
	rate_charge(&sites_use(t->tenant)->payloads, sites_limits(t->tenant).payloads_per_s, 1, clock_mono_ms());
	return 0;
}

/* The processor remembers so long a one, and no longer. */
static int check_idempotency_key(const struct admission_head *head, struct ticket *t, struct refusal *no)
{
	size_t len = head->idempotency_key ? strlen(head->idempotency_key) : 0;

	if (!head->idempotency_key)
		return 0;
	if (len < 1 || len > IDEMPOTENCY_KEY_MAX)
		return refuse(no, REASON_BAD_IDEMPOTENCY_KEY, "Idempotency-Key has %zu bytes; 1 to %d are expected", len, IDEMPOTENCY_KEY_MAX);
	t->idempotency_key = (struct str){head->idempotency_key, len};
	return 0;
}

int admission_enter(struct admission *a, const struct admission_head *head, struct ticket *t, struct refusal *no)
{
	struct str key = find_key(head);
	bool otlp;
	int rc;

	t->announced_bytes = announced(head);
	t->form = is_type(head->content_type, protobuf_type) ? BODY_PROTOBUF : BODY_JSON;
	if (check_place(head, t, no) < 0 || check_framing(head, no) < 0 || check_serving(a, no) < 0)
		return -1;
	if (key.len == 0)
		return refuse(no, REASON_UNAUTHORIZED, "no key: send Authorization: Bearer KEY, X-Api-Key: KEY or ?api_key=KEY");
	sites_hash_key(key, t->key_sha256);
	t->received_at_ms = clock_now_ms(a->rooms.clock);
	otlp = admission_is_otlp(t->door);
	if (otlp && check_idempotency_key(head, t, no) < 0)
		return -1;
	if (sender_read(otlp ? NULL : head->sent_at, otlp ? NULL : head->created_at, t->received_at_ms, sender_skew_step_ms(a->rooms.clock), &t->sender, no) < 0)
		return -1;
	admission_lock(a);
	rc = enter_shared(a, head, t, no);
	admission_unlock(a);
	if (rc == 0 && t->sender.traffic == TRAFFIC_BACKLOG)
		account_add(a->rooms.account, ACCOUNT_BACKLOG_PAYLOADS, 1);
	return rc;
}

int admission_charge(struct admission *a, struct ticket *t, int64_t bytes, struct refusal *no)
{
	int rc;

	admission_lock(a);
	rc = charge(a, t, bytes, no);
	admission_unlock(a);
	return rc;
}

void admission_release(struct admission *a, struct ticket *t)
{
	if (!t->tenant)
		return;
	admission_lock(a);
	budget_give(&a->budget, t->sender.traffic, t->charged_bytes);
	budget_give(&sites_use(t->tenant)->inflight, t->sender.traffic, t->charged_bytes);
	sites_release(t->tenant);
	admission_unlock(a);
	t->charged_bytes = 0;
	t->tenant = NULL;
}

/* The tables' own pointers hold only until the next row. */
static int copy_route(const struct split_route *from, struct arena *arena, struct split_route *out, struct refusal *no)
{
	size_t bytes = from->partitions_len * sizeof(*from->partitions);
	int32_t *partitions = arena_alloc(arena, bytes);

	out->site = arena_str(arena, from->site);
	out->topic = arena_str(arena, str_from(from->topic)).p;
	out->events_topic = arena_str(arena, str_from(from->events_topic)).p;
	out->partitions_len = from->partitions_len;
	if (arena->starved)
		return refuse(no, REASON_OVER_BUDGET, "out of memory for a route");
	if (!partitions || !out->site.p || !out->topic || !out->events_topic)
		return refuse(no, REASON_BODY_TOO_LARGE, "the payload leaves no room for its route; send less at once");
	memcpy(partitions, from->partitions, bytes);
	out->partitions = partitions;
	return 0;
}

int admission_route(struct admission *a, struct ticket *t, int64_t created_at_ms, uint64_t samples, struct arena *arena,
		    struct split_route *out, struct refusal *no)
{
	struct split_route found;
	int rc;

	admission_lock(a);
	rc = check_tenant(a, t, created_at_ms, no);
	if (rc == 0)
		rc = sites_route(a->rooms.sites, t->tenant, created_at_ms, &found, no);
	if (rc == 0)
		rc = copy_route(&found, arena, out, no);
	if (rc == 0)
		rate_charge(&sites_use(t->tenant)->samples, sites_limits(t->tenant).samples_per_s, (double)samples, clock_mono_ms());
	admission_unlock(a);
	return rc;
}

/* A tenant's id never changes: no lock is needed to read it while it is held. */
struct str admission_site(const struct ticket *t)
{
	return t->tenant ? sites_id(t->tenant) : STR("");
}

unsigned admission_refuse(struct admission *a, const struct ticket *t, const struct refusal *no, const struct tally *samples)
{
	int status = reason_status(no->reason);
	uint32_t random = 0;
	unsigned seconds;
	ssize_t n;

	account_refuse(a->rooms.account, admission_site(t), no->reason, samples);
	if (status != STATUS_TOO_MANY && status != STATUS_UNAVAILABLE)
		return 0;
	n = getrandom(&random, sizeof(random), GRND_NONBLOCK);
	(void)n; /* without randomness all are told the earliest second */
	admission_lock(a);
	seconds = comeback_tell(&a->comeback, clock_mono_ms(), no->wait_ms, random);
	admission_unlock(a);
	return seconds;
}

void admission_accept(struct admission *a, const struct ticket *t, const struct tally *samples)
{
	account_accept(a->rooms.account, admission_site(t), samples);
	admission_lock(a);
	comeback_taken(&a->comeback, clock_mono_ms());
	admission_unlock(a);
}

bool admission_topics(struct admission *a, unsigned *version, struct buf *out)
{
	bool changed;

	admission_lock(a);
	changed = *version != sites_cells_version(a->rooms.sites);
	if (changed)
		sites_topics(a->rooms.sites, out);
	*version = sites_cells_version(a->rooms.sites);
	admission_unlock(a);
	return changed;
}

int64_t admission_inflight_bytes(struct admission *a)
{
	int64_t bytes;

	admission_lock(a);
	bytes = a->budget.held_bytes[TRAFFIC_LIVE] + a->budget.held_bytes[TRAFFIC_BACKLOG];
	admission_unlock(a);
	return bytes;
}

void admission_gauge(struct admission *a)
{
	int64_t live, backlog;
	uint32_t expected;

	admission_lock(a);
	live = a->budget.held_bytes[TRAFFIC_LIVE];
	backlog = a->budget.held_bytes[TRAFFIC_BACKLOG];
	expected = comeback_expected(&a->comeback, clock_mono_ms());
	admission_unlock(a);
	account_set(a->rooms.account, ACCOUNT_INFLIGHT_BYTES, (double)(live + backlog));
	account_set(a->rooms.account, ACCOUNT_INFLIGHT_LIVE_BYTES, (double)live);
	account_set(a->rooms.account, ACCOUNT_INFLIGHT_BACKLOG_BYTES, (double)backlog);
	account_set(a->rooms.account, ACCOUNT_EXPECTED_BACK, expected);
}
