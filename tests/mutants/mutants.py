"""The mutants: which line, how it goes wrong, who must notice. The text to find stands exactly once in its file."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Mutant:
    name: str
    path: str
    find: str
    replace: str
    target: str  # what make must build for the test
    test: str    # a shell command, green without the mutation


def unit(name, path, find, replace, part, test):
    """A mutant that a unit test must notice."""
    binary = f"build/plain/tests/unit/{part}/{test}"
    return Mutant(name, path, find, replace, binary, "./" + binary)


def sim(name, path, find, replace, seconds=0):
    """A mutant that the simulation of the whole processor must notice; seconds: what shows it is rare, so that it takes that long."""
    mutant = unit(name, path, find, replace, "processor", "test_simulation")
    return dataclasses.replace(mutant, test=f"SIM_SECONDS={seconds} {mutant.test}") if seconds else mutant


def script(name, path, find, replace, test):
    """A mutant that only real processes show."""
    return Mutant(name, path, find, replace, "programs", f'"$MILLRACE_PARTS/venv/bin/python" tests/e2e/{test}.py')


def chaos(name, path, find, replace):
    """A mutant that instances which freeze and are replaced must bring to light."""
    return Mutant(name, path, find, replace, "programs",
                  '"$MILLRACE_PARTS/venv/bin/python" tests/chaos/run --only freeze --minutes 1 --samples 60000')


MUTANTS = [
    # merge
    unit("merge-forgets-a-bucket", "common/hist.c", "dst->buckets[k - 1].count += src->buckets[--j].count;", "j--;", "common", "test_hist"),
    unit("bucket-boundary", "common/hist.c", "if (mantissa > boundaries[below + step - 1])",
         "if (mantissa >= boundaries[below + step - 1])", "common", "test_hist"),
    unit("merge-last", "processor/window.c", "(!has || value <= w->last)", "(!has || value >= w->last)", "processor", "test_window"),
    unit("late-not-in-its-hour", "processor/window_store.c", "size_t nr = late ? 2 : 1;", "size_t nr = 1;", "processor", "test_window_store"),
    # refusals
    unit("older-snapshot-taken", "processor/snapshot_scan.c", "	s->found = FOUND_DAMAGED;\n	s->first = offset;", "	s->first = offset;", "processor", "test_snapshot_scan"),
    unit("ids-begin-anew", "processor/snapshot_scan.c", "id.snapshot_id > s->last_id)", "id.snapshot_id < 0)", "processor", "test_snapshot_scan"),
    unit("newer-state-given-up", "processor/verdict.c", "trouble == TROUBLE_NEWER || found == FOUND_NEWER", "found == FOUND_NOTHING + 9", "processor", "test_verdict"),
    unit("reset-forgets-by-itself", "processor/verdict.c", "return consent->forget ? when_forgotten[trouble] : END_REFUSED;", "return when_forgotten[trouble];",
         "processor", "test_verdict"),
    unit("damaged-is-accepted", "processor/verdict.c", "{[FOUND_NOTHING] = END_EMPTY_AT_OFFSET, [FOUND_WHOLE] = END_KEPT_AT_OFFSET}",
         "{[FOUND_NOTHING] = END_EMPTY_AT_OFFSET, [FOUND_WHOLE] = END_KEPT_AT_OFFSET, [FOUND_DAMAGED] = END_KEPT_AT_OFFSET}", "processor", "test_verdict"),
    unit("fenced-at-once-again", "processor/reopening.c", "r->pause_ms *= 2;", "r->pause_ms *= 1;", "processor", "test_reopening"),
    # decoders
    unit("pb-length-one-too-far", "ingest/pb_wire.h", "*at < end - at)", "*at <= end - at)", "ingest", "test_pb_wire"),
    unit("pb-varint-loses-bits", "ingest/pb_wire.c", "at[i] > last_max", "at[i] > last_max + 64", "ingest", "test_pb_wire"),
    unit("pb-number-wraps", "ingest/pb_reader.h", "next && *out < 0 ?", "next && *out < -1 ?", "ingest", "test_push_pb"),
    unit("pb-text-of-any-bytes", "ingest/pb_reader.h", "!str_is_ascii(*out) && !str_is_utf8(*out)", "false", "ingest", "test_push_pb"),
    unit("pb-histograms-do-not-merge", "ingest/push_pb_point.c", "!(ps->point->has & PAYLOAD_BIT(PAYLOAD_HISTOGRAM))", "true",
         "ingest", "test_push_pb_oracle"),
    unit("pb-zero-time-is-1970", "ingest/push_pb_point.c", "if (pt->t_ms)", "if (pt->t_ms || pt->has)", "ingest", "test_push_pb_oracle"),
    unit("too-many-tags-unseen", "ingest/draft.h", "d->tags_len <= SERIES_TAGS_MAX ?", "d->tags_len < SERIES_TAGS_MAX ?", "ingest", "test_push_pb"),
    unit("doubled-tag-unseen", "common/series.c", "compare_keys(tags[j - 1].key, t.key) > 0", "compare_keys(tags[j - 1].key, t.key) >= 0",
         "common", "test_series"),
    # bombs
    unit("limit-after-the-fact", "ingest/inflate.c", "*room = n > left ?", "*room = n > left + PIECE_MAX ?", "ingest", "test_inflate"),
    unit("announced-size-believed", "ingest/inflate.c", "if (announced > f->allowed - f->out->len)", "if (announced > SIZE_MAX / 2)",
         "ingest", "test_inflate"),
    unit("any-window", "ingest/inflate.c", "ZSTD_d_windowLogMax, INFLATE_WINDOW_LOG_MAX)", "ZSTD_d_windowLogMax, 27)", "ingest", "test_inflate"),
    unit("garbage-behind-gzip", "ingest/inflate.c", "if (z->avail_in == 0)", "if (!gzip || z->next_in[0] != 0x1f)", "ingest", "test_inflate"),
    # split
    unit("fingerprint-without-values", "common/series.c", "end = put_str(put_str(end, id->tags[i].key), id->tags[i].value);",
         "end = put_str(end, id->tags[i].key);", "common", "test_series"),
    unit("lightest-partitions", "common/route.c", "weights[q] > weights[p]", "weights[q] < weights[p]", "common", "test_series"),
    unit("split-keeps-old-index", "ingest/split.c", "b->values[b->values_len++].series = at->index;", "b->values_len++;", "ingest", "test_split"),
    unit("split-into-one-partition", "ingest/split.c", "sp->route->partitions[i], record_max_bytes", "sp->route->partitions[0], record_max_bytes",
         "ingest", "test_split"),
    unit("one-cell-gone-all-gone", "ingest/producer.c", "while (f && strcmp(f->topic, topic) != 0)", "while (f && f->next && strcmp(f->topic, topic) != 0)", "ingest",
         "test_producer"),
    unit("waits-for-ever-at-the-end", "ingest/server.c", "s->requests.ending = true;", "s->requests.ending = false;", "ingest", "test_server"),
    unit("two-answers-to-one", "ingest/server.c", "how == MHD_REQUEST_TERMINATED_CLIENT_ABORT ||", "how != MHD_REQUEST_TERMINATED_COMPLETED_OK ||",
         "ingest", "test_server"),
    unit("blank-before-the-colon", "ingest/admission.c", "if (head->blank_in_name)", "if (head->blank_in_name && head->lengths)", "ingest", "test_server"),
    unit("auth-takes-any-body", "ingest/admission.c", "return admission_check_body(a, t->announced_bytes, no);", "return 0;", "ingest", "test_server"),
    unit("202-whatever-kafka-says", "ingest/producer.c", "if (message->err && !d->failed)", "if (message->err && d->failed)",
         "ingest", "test_producer"),
    # tables
    unit("emptied-by-accident", "ingest/shrink.c", "after * 2 < before", "after * 4 < before", "ingest", "test_shrink"),
    unit("half-and-half", "ingest/vault.c", "v->refused_before > 0 ||", "", "ingest", "test_vault_shrink"),
    unit("removed-one-by-one", "ingest/vault.c", "v->mono_ms - v->burst_last_ms >= VAULT_QUIET_MS", "true", "ingest", "test_vault_shrink"),
    unit("deleted-while-away", "ingest/vault_rows.c", "if (!r->seen)", "if (r->seen && r->next)", "ingest", "test_vault"),
    unit("history-comes-alive", "ingest/vault.c", "if (!r || !v->loaded)", "if (!r)", "ingest", "test_vault"),
    unit("revoked-but-held", "ingest/vault.c", "return r->held ? vault_rows_hold(&v->rows, r, err) : 0;", "return 0;", "ingest", "test_vault_shrink"),
    unit("cell-under-its-sites", "ingest/vault.c", "bool holding = r->in_use && !v->accepting;", "bool holding = false;", "ingest",
         "test_vault_shrink"),
    unit("believes-any-file", "ingest/vault_file.c", "(uint32_t)crc32_z(0, file->p, file->len - 4) != get_u32(end - 4)", "end == NULL", "ingest",
         "test_vault_file"),
    unit("row-beyond-the-end", "ingest/vault_file.c", "row->key.len + (uint64_t)row->value.len > left - ROW_HEAD_BYTES",
         "row->key.len > left - ROW_HEAD_BYTES", "ingest", "test_vault_file"),
    unit("file-before-is-lost", "ingest/vault_file.c", 'asprintf(&f->temp, "%s.new", path)', 'asprintf(&f->temp, "%s", path)', "ingest",
         "test_vault_file"),
    # offsets
    unit("commit-before-stored", "sink/mongo/ledger.c", "return l->len ? span_at(l, 0)->begin : l->next;", "return l->next;", "sink", "test_ledger"),
    # _id
    unit("id-without-offset", "sink/mongo/document.c", "put_be(p, (uint64_t)origin->offset, 8);", "put_be(p, (uint64_t)origin->epoch, 8);",
         "sink", "test_document"),
    # verdict
    unit("trusts-unreplicated", "sink/mongo/verdict.c", 'bool replicated = !has_any(reply, "writeConcernErrors") && ',
         "bool replicated = ", "sink", "test_verdict"),
    # dedup
    unit("floor-is-a-duplicate", "processor/seqs.c", "if (seq < q->floor)", "if (seq <= q->floor)", "processor", "test_seqs"),
    unit("seq-not-marked", "processor/seqs.c", "words_in(q)[word_of(seq) - word_of(q->floor)] |= bit_of(seq);",
         "words_in(q)[0] |= 0;", "processor", "test_dedup"),
    unit("own-floor-first", "processor/dedup.c", "if (seqs_has(&a->seqs, batch->seq)) {",
         "if (seqs_has(&a->seqs, batch->seq) || batch->seq == batch->floor) {", "processor", "test_dedup"),
    unit("forgotten-too-early", "processor/dedup.c", "watermark_ms - d->oldest->used_ms >= DEDUP_KEEP_MS",
         "watermark_ms - d->oldest->used_ms >= DEDUP_KEEP_MS - 1", "processor", "test_dedup"),
    unit("gaps-away-from-home", "processor/dedup.c", "if (a->home && batch->home)", "if (batch->home)", "processor", "test_dedup"),
    unit("home-at-once", "processor/dedup.c", "batch->home && (a->home || (nothing_is_open(batch) && outcome->verdict == DEDUP_NEW));",
         "batch->home;", "processor", "test_dedup"),
    unit("duplicate-counted", "processor/intake.c", "if (own.dedup.verdict == DEDUP_DUPLICATE)", "if (!in->batch)",
         "processor", "test_intake"),
    unit("unremembered-dropped", "processor/intake.c", "if (own.dedup.verdict == DEDUP_DUPLICATE)", "if (own.dedup.verdict != DEDUP_NEW)",
         "processor", "test_intake"),
    unit("snapshot-forgets-agents", "processor/snapshot.c", "dedup_encode(&t->dedup, t->watermark_ms, out);",
         "dedup_encode(&(struct dedup)DEDUP_INIT, t->watermark_ms, out);", "processor", "test_snapshot"),
    # memory
    unit("flush-forgets-the-hour", "processor/window_store.c", "pane_merge(hour, minute) < 0 ||",
         "(closed_ms != INT64_MAX && pane_merge(hour, minute) < 0) ||", "processor", "test_window_store"),
    unit("flush-closes", "processor/window_store.c", "	for (size_t i = first; i < out->len; i++)\n",
         "	for (size_t i = 0; i < out->len; i++)\n		if (out->panes[i]->start_ms >= ws->closed_ms)\n"
         "			ws->closed_ms = out->panes[i]->start_ms + CLOCK_MINUTE_MS;\n	for (size_t i = first; i < out->len; i++)\n",
         "processor", "test_window_store"),
    unit("flushes-for-what-stays", "processor/budget.c", "return t->windows.series.bytes - t->baselines.series_bytes;",
         "return t->windows.series.bytes;", "processor", "test_budget"),
    unit("largest-is-last", "processor/budget.c", "min_bytes = bytes + 1;", "min_bytes = 0;", "processor", "test_budget"),
    unit("flushed-again-and-again", "processor/budget.c", "return task_is_flushed(t) ? 0 : windows_bytes(t);", "return windows_bytes(t);",
         "processor", "test_budget"),
    unit("histograms-not-counted", "processor/snapshot.c", "	pane->hist_bytes += hist_bytes(&w->hist);\n", "	(void)pane;\n", "processor", "test_budget"),
    unit("debt-is-not-due", "processor/due.c", "if (t->owed_bytes || t->outbox.len", "if (t->outbox.len", "processor", "test_due"),
    unit("freed-before-commit", "processor/task.c", "void task_aborted(struct task *t)\n{\n",
         "void task_aborted(struct task *t)\n{\n	pane_list_fini(&t->outbox, &t->windows.series);\n", "processor", "test_task"),
    # request keys
    unit("key-of-another-site", "processor/request_keys.c", "str_eq(known->bytes, batch->idempotency_key) && str_eq",
         "!str_eq(known->bytes, STR(\"\")) && str_eq", "processor", "test_request_keys"),
    unit("key-renewed-by-its-retry", "processor/request_keys.c", "outcome->verdict = DEDUP_DUPLICATE;",
         "outcome->verdict = DEDUP_DUPLICATE, ((struct request_key *)(uintptr_t)known)->came_ms = watermark_ms;", "processor", "test_request_keys"),
    unit("cap-evicts", "processor/request_keys.c", "		refuse(site, watermark_ms, outcome);\n		return 0;\n	}\n	if ((!site",
         "		drop_oldest(k);\n	}\n	if ((!site", "processor", "test_request_keys"),
    unit("snapshot-forgets-keys", "processor/snapshot.c", "request_keys_encode(&t->request_keys, t->watermark_ms, out);",
         "request_keys_encode(&(struct request_keys)REQUEST_KEYS_INIT, t->watermark_ms, out);", "processor", "test_task"),
    unit("keys-forgotten-between-closings", "processor/intake.c", "struct intake_counts own = {.site",
         "request_keys_close(in->to->request_keys, in->watermark_ms, in->to->request_keys->keys_max);\n	struct intake_counts own = {.site",
         "processor", "test_task"),
    unit("key-before-agent", "processor/request_keys.h", "batch->has_idempotency_key && !batch->has_agent_id", "batch->has_idempotency_key",
         "processor", "test_intake"),
    unit("ingests-clock-moves-the-watermark", "processor/task.c", "	t->watermark_ms = watermark;\n",
         "	t->watermark_ms = rc == 0 && batch.received_at > watermark ? batch.received_at : watermark;\n", "processor", "test_task"),
    # baselines
    unit("reset-not-seen", "processor/baseline.c", "if (p->start_ms >= base->t_ms)", "if (p->start_ms > base->t_ms)", "processor", "test_baseline"),
    unit("fall-not-seen", "processor/baseline.c", "return step->sum >= 0;", "return 1;", "processor", "test_baseline"),
    unit("older-time-counted", "processor/baseline.c", "if (p->t_ms <= base->t_ms)", "if (p->t_ms < base->t_ms)", "processor", "test_baseline"),
    unit("first-sight-counted", "processor/baseline.c", ": BASELINE_FIRST;", ": BASELINE_RESET;", "processor", "test_baseline"),
    unit("unknown-start-counted", "processor/baseline.c", "p->start_ms >= p->t_ms || p->single", "p->single", "processor", "test_baseline"),
    unit("baseline-crosses-routes", "processor/baseline.c", "if (p->routed_since_ms != base->routed_since_ms ||", "if (", "processor", "test_baseline"),
    unit("fresh-before-its-route", "processor/baseline.c", "&& p->start_ms >= p->routed_since_ms ?", "?", "processor", "test_baseline"),
    unit("route-not-told", "ingest/split.c", "	b->routed_since = sp->route->since_ms;\n", "", "ingest", "test_split"),
    unit("foreign-writer-counted", "processor/baseline.c", "return p->t_ms - base->t_ms <= BASELINE_TAKEOVER_MS ? BASELINE_FOREIGN : BASELINE_BREAK;",
         "return BASELINE_DELTA;", "processor", "test_baseline_model"),
    unit("scales-mixed", "processor/baseline.c", "	scaled_hist_coarsen(&base->hist, diff.scale);\n", "", "processor", "test_baseline_model"),
    unit("points-in-their-records-order", "processor/intake.c", "	qsort(places, nr, sizeof(*places), compare_places);\n", "	(void)compare_places;\n",
         "processor", "test_intake"),
    unit("baseline-forgotten-too-early", "processor/baseline.c", "watermark_ms - b->oldest->changed_ms >= BASELINE_KEEP_MS",
         "watermark_ms - b->oldest->changed_ms >= BASELINE_KEEP_MS - 1", "processor", "test_baseline"),
    unit("baseline-ages-by-its-point", "processor/baseline.c", "watermark_ms - b->oldest->changed_ms >= BASELINE_KEEP_MS",
         "watermark_ms - b->oldest->t_ms >= BASELINE_KEEP_MS", "processor", "test_baseline"),
    unit("snapshot-forgets-baselines", "processor/snapshot.c", "baselines_encode(&t->baselines, t->watermark_ms, out);",
         "baselines_encode(&(struct baselines)BASELINES_INIT, t->watermark_ms, out);", "processor", "test_task"),
    unit("series-of-a-baseline-not-in-the-snapshot", "processor/snapshot.c", "	baselines_mark(&t->baselines, 1);\n", "", "processor", "test_snapshot"),
    # controls
    unit("control-outlives-itself", "common/controls.c", "now_ms < w->expires_ms;", "now_ms <= w->expires_ms;", "common", "test_controls"),
    unit("control-of-a-site-for-all", "common/controls.c", "return !named[0] || str_eq(str_from(named), asked);",
         "return !named[0] || asked.p;", "common", "test_controls"),
    unit("earlier-word-holds", "common/controls.c", "topic->at_ms > port->at_ms ? SIDE_TOPIC", "topic->at_ms < port->at_ms ? SIDE_TOPIC",
         "common", "test_controls_model"),
    unit("control-is-never-counted", "common/controls.c", "n += in_force(c->entries[i], now_ms);",
         "n += i && in_force(c->entries[i], now_ms);", "common", "test_controls"),
    unit("last-byte-of-the-token", "common/token.c", "difference |= (unsigned char)", "difference = (unsigned char)", "common", "test_token"),
    unit("anybody-at-the-port", "common/admin.c", "else if (!token_matches(&a->token, bearer_of(connection)))",
         "else if (!bearer_of(connection))", "common", "test_admin_controls"),
    unit("acknowledged-in-a-minute", "common/report.c", "	r->next_beat_mono_ms = 0;\n", "", "common", "test_report"),
    unit("obeyed-before-it-was-said", "deploy/ctl/obeyed.c", "b->item->offset > since &&", "b->item->offset >= since &&",
         "ctl", "test_obeyed"),
    # routes and committed offsets
    unit("route-in-fourteen-minutes", "deploy/ctl/diff.h", "DIFF_ROUTE_NOTICE_MS = 15 * 60 * 1000", "DIFF_ROUTE_NOTICE_MS = 14 * 60 * 1000",
         "ctl", "test_routing"),
    unit("route-early-by-hand", "deploy/ctl/routing.c", "if (at_ms < earliest_ms)", "if (at_ms < earliest_ms - CLOCK_MINUTE_MS)", "ctl", "test_routing"),
    unit("route-within-a-minute", "deploy/ctl/routing.c", "if (at_ms % CLOCK_MINUTE_MS)", "if (at_ms < 0)", "ctl", "test_routing"),
    unit("route-before-the-last", "deploy/ctl/routing.c", "	routes[live->routes_len] = wanted;",
         "	routes[live->routes_len] = routes[0];\n	routes[0] = wanted;", "ctl", "test_routing"),
    unit("route-beside-an-announced-one", "deploy/ctl/routing.c", "if (wanted.effective_from <= last->effective_from)",
         "if (wanted.effective_from < last->effective_from)", "ctl", "test_routing"),
    unit("route-taken-back-late", "deploy/ctl/routing.c", "if (last->effective_from >= now_ms + DIFF_ROUTE_NOTICE_MS)",
         "if (last->effective_from > now_ms)", "ctl", "test_routing"),
    unit("time-zone-the-wrong-way", "deploy/ctl/moment.c", "(c->minute - c->offset_minutes)", "(c->minute + c->offset_minutes)", "ctl", "test_moment"),
    unit("minute-rounded-down", "deploy/ctl/moment.c", "(t_ms + CLOCK_MINUTE_MS - 1) /", "t_ms /", "ctl", "test_moment"),
    unit("another-epoch-is-sound", "deploy/ctl/committed.c", "if (m->epoch != epoch)", "if (m->epoch > epoch)", "ctl", "test_committed"),
    script("confirm-forgets", "deploy/ctl/control.c", "forget ? CONTROL_ACTION_FORGET_STATE : CONTROL_ACTION_ACCEPT_OFFSETS",
           "forget ? CONTROL_ACTION_ACCEPT_OFFSETS : CONTROL_ACTION_FORGET_STATE", "test_ctl_routes"),
    # ingest's doors
    unit("backlog-first", "ingest/budget.c", "if (kind == TRAFFIC_LIVE)", "if (kind == TRAFFIC_BACKLOG)", "ingest", "test_budget"),
    unit("no-tenth-for-backlog", "ingest/budget.c", "return half > tenth ? half : tenth;", "return half;", "ingest", "test_budget"),
    unit("one-site-takes-all", "ingest/admission.c", "own->total_bytes = a->budget.total_bytes / SITE_SHARE;",
         "own->total_bytes = a->budget.total_bytes;", "ingest", "test_admission"),
    unit("401-from-an-old-table", "ingest/admission.c", "if (!is(a, ADMISSION_TABLES_FRESH) || sites_count(a->rooms.sites) == 0)",
         "if (sites_count(a->rooms.sites) == 0)", "ingest", "test_admission"),
    unit("two-lengths", "ingest/admission.c", "if (head->lengths > 1)", "if (head->lengths > 2)", "ingest", "test_admission"),
    unit("debt-forgiven", "ingest/rate.c", "r->used += n;", "r->used += n > 1 ? 1 : n;", "ingest", "test_rate"),
    unit("all-come-back-at-once", "ingest/comeback.c", "random % spread_s(c);", "random % (spread_s(c) > 5 ? 5 : spread_s(c));", "ingest", "test_comeback"),
    unit("backlog-by-our-clock", "ingest/sender.c", "sent_at_ms - out->created_at_ms > SENDER_BACKLOG_MS",
         "received_at_ms - out->created_at_ms > SENDER_BACKLOG_MS", "ingest", "test_sender"),
    unit("deadline-put-off", "ingest/connections.c", "mono_ms + all->timeout_ms[phase] : INT64_MAX;",
         "mono_ms + 2 * all->timeout_ms[phase] : INT64_MAX;", "ingest", "test_connections"),
    unit("youngest-makes-room", "ingest/connections.c", "struct connection *c = all->lists[CONNECTION_IDLE].head;",
         "struct connection *c = all->lists[CONNECTION_IDLE].tail;", "ingest", "test_connections"),
    unit("gone-for-good", "ingest/producer.c", "		d->flow->gone = false;\n", "", "ingest", "test_producer"),
    unit("abandoned-and-accepted", "ingest/push.c", "	job->done = NULL;\n}", "}", "ingest", "test_push"),
    unit("clock-left-wrong", "ingest/check.c", "? pt->t_ms + p->shift_ms : p->received_at_ms;", "? pt->t_ms : p->received_at_ms;",
         "ingest", "test_push_json"),
    unit("not-at-home", "ingest/split.c", "if (sp->batches[i].series_len == 0 && !home)", "if (sp->batches[i].series_len == 0)",
         "ingest", "test_split"),
    unit("header-not-repeated", "ingest/push.c", "payload->created_at_ms != t->sender.created_at_ms))", "false))", "ingest", "test_push"),
    # transactions and old snapshots
    unit("commits-late", "processor/txn.c", "	if (too_late(t, COMMIT_MARGIN_MS, \"commit\", err)) { /* (I2) */",
         "	if (too_late(t, 0, \"commit\", err)) {", "processor", "test_txn_errors"),
    unit("stall-unseen-by-records", "processor/txn.c", "if (t->produced++ % LOOK_EVERY == 0 && too_late", "if (t->produced++ > LOOK_EVERY && too_late",
         "processor", "test_txn_errors"),
    unit("flush-after-a-stall", "processor/txn.c", "	if (too_late(t, 0, \"flush\", err))\n		return -1;\n", "", "processor", "test_txn_errors"),
    unit("failed-commit-is-an-abort", "processor/txn.c", "	return TXN_UNKNOWN; /* (I3) */",
         "	return t->state == STATE_IDLE ? TXN_ABORTED : TXN_UNKNOWN;", "processor", "test_txn_errors"),
    unit("present-snapshot-trimmed", "processor/marks.c", "mark->before = former->snapshot;", "mark->before = present->snapshot + 1;",
         "processor", "test_trim"),
    unit("last-but-one-trimmed", "processor/marks.c", "mark->before = former->snapshot;", "mark->before = present->snapshot;", "processor", "test_trim"),
    unit("trimmed-for-a-former-owner", "processor/marks.c", "		*mark = (struct mark){0};", "		mark->low = 0;", "processor", "test_trim"),
    unit("trims-across-epochs", "processor/marks.c", "former->id && former->epoch == present->epoch &&", "former->id &&", "processor", "test_trim"),
    unit("refused-trim-not-repeated", "processor/trim.c", "		tr->waiting = false;\n", "", "processor", "test_trim"),
    # exactly once: the consumer and its fake
    unit("member-who-has-changed", "processor/consumer.c", "	if (stale && nr_revoked < c->owned)", "	if (stale && nr_revoked < 0)", "processor", "test_consumer"),
    unit("metadata-of-a-broken-consumer", "processor/consumer.c", "	if (c->broken)\n		drop_group(c);\n", "", "processor", "test_consumer"),
    sim("broken-consumer-goes-on", "tests/unit/processor/fake_consumer.c",
        "	c->broken |= stale && !c->lost && (call == CALL_ASSIGN || c->mine & ~mask);\n", "	stale = false;\n", seconds=60),
    # exactly once: the simulation
    sim("aborted-and-freed", "processor/checkpoint.c", "		else if (outcome == TXN_ABORTED)\n			task_aborted(t);",
        "		else if (outcome == TXN_ABORTED) {\n			struct offset_meta saved = t->saved;\n			settle_committed(cp, t);\n"
        "			t->saved = saved;\n		}"),
    sim("unknown-is-aborted", "processor/checkpoint.c", "t->attempt.in_doubt = cp->in_doubt = true;", "task_aborted(t);"),
    sim("anothers-checkpoint-is-ours", "processor/checkpoint.c", "meta.id == a->meta.id &&\n	       meta.snapshot == a->meta.snapshot;",
        "meta.id == a->meta.id;"),
    sim("unknown-is-committed", "processor/checkpoint.c", "t->attempt.in_doubt = cp->in_doubt = true;", "settle_committed(cp, t);"),
    sim("offset-without-emission", "processor/emission.c", "		if (emit_pane(e, t, t->outbox.panes[i], err) < 0)",
        "		if (i && emit_pane(e, t, t->outbox.panes[i], err) < 0)"),
    sim("emission-without-offset", "processor/emission.c", "	return txn_send_offsets(e->txn, offsets, group, err);",
        "	return offsets && group ? 0 : -1;"),
    sim("transaction-split", "processor/emission.c", "	return txn_send_offsets(e->txn, offsets, group, err);",
        "	return txn_commit(e->txn, err) != TXN_COMMITTED || txn_begin(e->txn, err) < 0 ? -1 : txn_send_offsets(e->txn, offsets, group, err);"),
    sim("letters-that-joined-late", "processor/task.c", "	letters_drop(&t->letters, t->attempt.nr_letters);", "	letters_drop(&t->letters, t->letters.nr);"),
    sim("dedup-bit-not-in-the-snapshot", "processor/seqs.c", "bytes[i] = (uint8_t)(bits >> (8 * i));",
        "bytes[i] = (uint8_t)((bits & (bits - 1)) >> (8 * i));"),
    sim("position-not-guarded", "processor/feed.c", "switch (task_guard(t, offset)) {", "switch (offset < 0 ? task_guard(t, offset) : GUARD_TAKE) {"),
    sim("gap-believed-at-once", "processor/task.c", "if (t->refetched_at != t->position) {", "if (t->refetched_at == -2) {"),
    sim("lost-and-committed", "processor/partitions.c", "	if (!lost && checkpoint_now(", "	if (checkpoint_now("),
    sim("metadata-asked-afresh", "tests/unit/processor/fake_consumer.c", "(const rd_kafka_consumer_group_metadata_t *)&c->held : NULL;",
        "(const rd_kafka_consumer_group_metadata_t *)&c->member : NULL;"),  # consumer.c is not there; without its rule D the fake must punish
    sim("revoked-and-kept", "processor/partitions.c", "		if (task_of(ps, partitions[i]))\n			drop_task(ps, partitions[i]);",
        "		if (task_of(ps, partitions[i]) && lost)\n			drop_task(ps, partitions[i]);"),
    sim("read-before-the-first-checkpoint", "processor/restore.c", "	t->position = r->begin;\n	t->phase = TASK_NEW;",
        "	t->position = r->begin;\n	t->saved.id = 1;\n	t->phase = TASK_READY;"),
    sim("restored-at-the-committed-offset", "processor/restore.c", "	t->committed = r->committed;", "	t->committed = t->position = r->committed;"),
    sim("refused-by-an-outdated-answer", "processor/restore.c", "	if (c.offset != r->committed || !str_eq(c.metadata, buf_str(&r->metadata))) {",
        "	if (c.offset < -1) {"),
    sim("refused-for-our-own-silence", "processor/restore.c", "		r->deadline_mono_ms += pause_ms;\n", "", seconds=60),
    sim("silence-is-none", "processor/restore.c", "		return err->kind == ERR_FATAL ? RESTORE_FAILED : RESTORE_WAITING;\n	r->committed", "		c.offset = -1;\n	r->committed"),
    sim("held-is-passed", "processor/feed.c", "	hold_task(f, t, f->with.conf->schema_retry_ms);", "	hold_task(f, t, f->with.conf->schema_retry_ms);\n	t->position++;"),
    sim("closed-after-the-snapshot", "processor/snapshot.c", "	codec_write_long(out, t->windows.closed_ms);", "	codec_write_long(out, 0);"),
    unit("metadata-asked-when-committing", "processor/consumer.c", "	return c->group;\n", "	return rd_kafka_consumer_group_metadata(c->rk);\n",
         "processor", "test_consumer"),
    unit("metadata-of-the-first-assignment", "processor/consumer.c", "	hold_group(c);\n", "	if (!c->group)\n		hold_group(c);\n", "processor", "test_consumer"),
    # whole programs
    script("nothing-left-to-restore", "processor/marks.c", "mark->before = former->snapshot;", "mark->before = present->snapshot + 1;",
           "test_transactions"),
    script("kept-at-its-own-position", "processor/restore.c", "	t->position = position;\n	t->saved = (struct", "	t->saved = (struct", "test_offsets"),
    script("open-transaction-unseen", "processor/restore.c", "return end >= 0 && end <= r->eof;", "return r->eof >= 0 || end > 0;", "test_offsets"),
    script("epoch-unnoticed", "processor/serving.c", "s->cell->epoch != s->epoch ||", "", "test_offsets"),
    script("fenced-is-the-end", "processor/serving.c", "if (why.kind == ERR_RETRY)", "if (why.kind == ERR_RETRY && !service_is_fenced(s->service))", "test_offsets"),
    script("position-off-by-one", "processor/task.c", "t->position = record->offset + 1;", "t->position = record->offset + 2;", "test_processor"),
    chaos("dedup-bits-not-in-snapshot", "processor/seqs.c", "uint64_t bits = bits_from(q, q->floor + at) &", "uint64_t bits = bits_from(q, q->floor + at) & 0 &"),
    chaos("transaction-split-under-real-freezes", "processor/emission.c", "return txn_send_offsets(e->txn, offsets, group, err);",
          "return txn_commit(e->txn, err) == TXN_COMMITTED && txn_begin(e->txn, err) == 0 ? txn_send_offsets(e->txn, offsets, group, err) : -1;"),
]
