/* dispatch.c - see dispatch.h.
 *
 * A job is known by incident, receiver and sequence on its way, which the delivery hands back. The delivery forgets everything when the desk does,
 * so whatever it hands back is of the term that holds. */
#include "sink/notify/dispatch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/notify/delivery.h"
#include "sink/notify/desk.h"
#include "sink/notify/notification.h"

enum { JOBS_A_TURN = 200 };

struct dispatch {
	struct dispatch_spec spec;
	struct desk *desk;
	struct delivery *delivery;
	struct arena arena; /* of the job that is being handed over */
};

static bool in_force(struct dispatch *d, enum control_action action, struct str site)
{
	return controls_in_force(d->spec.controls, action, str_from(d->spec.program->common.cell), site, NULL);
}

static bool pauses(void *ctx, struct str site)
{
	return in_force(ctx, CONTROL_ACTION_PAUSE, site);
}

static bool drops(void *ctx, struct str site)
{
	return in_force(ctx, CONTROL_ACTION_DROP, site);
}

static bool may_send(void *ctx, struct str site)
{
	return !pauses(ctx, site) && !drops(ctx, site);
}

/* What a delivery that gave up is worth: somebody has not been told. */
static void complain(struct dispatch *d, const struct delivery_done *done)
{
	char id[NOTIFICATION_ID_SIZE], receiver[65], site[65], text[DELIVERY_ERROR_SIZE + 128];
	struct tag fields[5];

	notification_hex(done->incident, id);
	snprintf(receiver, sizeof(receiver), STR_FMT, STR_ARG(done->receiver));
	snprintf(site, sizeof(site), STR_FMT, STR_ARG(done->site));
	snprintf(text, sizeof(text), "receiver %s was not told of incident %s after %" PRId32 " attempts: %s", receiver, id, done->attempts,
		 done->error);
	fields[0] = (struct tag){STR("cell"), str_from(d->spec.program->common.cell)};
	fields[1] = (struct tag){STR("error"), str_from(done->error)};
	fields[2] = (struct tag){STR("incident"), str_from(id)};
	fields[3] = (struct tag){STR("receiver"), done->receiver};
	fields[4] = (struct tag){STR("site"), done->site};
	log_error(&d->spec.program->log, "notification_given_up", LOG_STR("site", site), LOG_STR("incident", id), LOG_STR("receiver", receiver),
		  LOG_INT("attempts", done->attempts), LOG_STR("error", done->error));
	report_notice(d->spec.report, SEVERITY_ALARM, "notification_given_up", text, fields, sizeof(fields) / sizeof(fields[0]));
}

static void on_done(void *ctx, const struct delivery_done *done)
{
	struct dispatch *d = ctx;
	enum sent_outcome outcome = SENT_OUTCOME_DROPPED; /* cancelled, or superseded by what tells more */

	if (done->outcome == DELIVERY_DELIVERED)
		outcome = SENT_OUTCOME_DELIVERED;
	else if (done->outcome == DELIVERY_GAVE_UP)
		outcome = SENT_OUTCOME_GAVE_UP;
	if (outcome == SENT_OUTCOME_GAVE_UP)
		complain(d, done);
	if (done->outcome == DELIVERY_CANCELLED && drops(d, done->site))
		drops_count(d->spec.drops, done->site, 0, 1);
	metric_add_ms(d->spec.meters->delivery_time, (uint64_t)(done->took_ms > 0 ? done->took_ms : 0));
	desk_outcome(d->desk, clock_now_ms(&d->spec.program->clock), done->incident, done->receiver, done->sequence, outcome, done->attempts,
		     str_from(done->error));
}

static struct delivery_conf delivery_settings(const struct notify_conf *conf)
{
	return (struct delivery_conf){
		.allow_http = conf->allow_http,
		.allow_networks = conf->allow_networks,
		.secrets_dir = conf->secrets_dir,
		.external_url = conf->external_url,
		.timeout_ms = conf->timeout_ms,
	};
}

int dispatch_check(const struct notify_conf *conf, struct err *err)
{
	const struct delivery_conf settings = delivery_settings(conf);

	return delivery_check(&settings, err);
}

struct dispatch *dispatch_new(const struct dispatch_spec *spec, struct err *err)
{
	struct dispatch *d = calloc(1, sizeof(*d));
	const struct delivery_conf settings = delivery_settings(spec->conf);

	if (!d) {
		err_nomem(err, "the desk");
		return NULL;
	}
	d->spec = *spec;
	d->desk = desk_new(&(struct desk_conf){.site_rate = spec->conf->site_rate,
					       .memory_max_bytes = (size_t)spec->program->common.memory_budget_bytes / 2,
					       .controls = {pauses, drops, d}}, err);
	if (d->desk)
		d->delivery = delivery_new(&settings, on_done, may_send, d, &spec->program->log, err);
	if (d->delivery)
		return d;
	dispatch_free(d);
	return NULL;
}

void dispatch_free(struct dispatch *d)
{
	if (!d)
		return;
	delivery_free(d->delivery);
	desk_free(d->desk);
	arena_fini(&d->arena);
	free(d);
}

struct desk *dispatch_desk(struct dispatch *d)
{
	return d->desk;
}

struct delivery *dispatch_delivery(struct dispatch *d)
{
	return d->delivery;
}

static bool is_receivers(void *ctx, struct str site, struct str receiver, const uint8_t incident[16])
{
	(void)site;
	(void)incident;
	return str_eq(receiver, *(const struct str *)ctx);
}

int dispatch_take_receiver(void *ctx, const struct table_row *row, struct err *err)
{
	struct dispatch *d = ctx;
	struct arena arena = ARENA_INIT;
	struct receiver receiver;
	int rc = desk_take_receiver(d->desk, row, err);

	if (rc == 0 && !row->value.p) {
		struct str key = row->key;

		delivery_cancel(d->delivery, is_receivers, &key);
	} else if (rc == 0 && (rc = receiver_decode(row->value, &arena, &receiver, err)) == 0) {
		rc = delivery_take_receiver(d->delivery, &receiver, err);
	}
	arena_fini(&arena);
	return rc;
}

/* The delivery copies what it takes. A job that it has no room for goes back to the desk: 1. */
static int submit(struct dispatch *d, const struct desk_job *job, struct err *err)
{
	const struct delivery_job delivery = {.incident = job->incident, .receiver = job->receiver, .sequence = job->sequence,
					      .state = job->state, .alerts = job->alerts, .alerts_len = job->alerts_len};
	int rc = delivery_submit(d->delivery, &delivery, err);

	if (rc != 0)
		desk_job_back(d->desk, job->incident_id, job->receiver_id, job->sequence);
	return rc;
}

int dispatch_turn(struct dispatch *d, struct err *err)
{
	struct desk_job job;
	int rc = 0;

	for (int i = 0; rc == 0 && i < JOBS_A_TURN; i++) {
		arena_clear(&d->arena);
		rc = desk_next_job(d->desk, clock_now_ms(&d->spec.program->clock), &d->arena, &job, err);
		if (rc <= 0)
			break;
		rc = submit(d, &job, err);
	}
	delivery_turn(d->delivery, clock_mono_ms());
	return rc < 0 ? -1 : 0;
}

static bool is_dropped(void *ctx, struct str site, struct str receiver, const uint8_t incident[16])
{
	(void)receiver;
	(void)incident;
	return drops(ctx, site);
}

void dispatch_follow_controls(struct dispatch *d)
{
	delivery_cancel(d->delivery, is_dropped, d);
}

void dispatch_reset(struct dispatch *d)
{
	delivery_clear(d->delivery);
	desk_reset(d->desk);
}

void dispatch_stop(struct dispatch *d, int64_t within_ms)
{
	delivery_stop(d->delivery, within_ms);
}
