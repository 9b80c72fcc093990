#!/usr/bin/env python3
"""Writes dashboards/*.json for Grafana 10 and 11 from the tables below; with --check it exits 1 where a file is not what it would write.

Four files of a thousand lines, as Grafana writes them, cannot be reviewed; these tables can, and no panel lacks its unit or its words.
tests/deploy/test_observe.py asks every expression of a Prometheus that scrapes a running stack, and none may be empty there.
"""
import json
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "dashboards"
RUNBOOKS = "https://example.org/millrace/deploy/runbooks"  # ../prometheus/README.md says how to change it
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS, HEIGHT, STAT_HEIGHT = 24, 8, 4
PROGRAMS = 'job=~"ingest|processor|sink|notify|status"'
CELL, SITE, TOPIC = 'cell=~"$cell"', 'site=~"$site"', 'cell=~"$cell",topic=~"$topic"'
RED_ABOVE_0 = [(None, "green"), (1, "red")]
STATES = {0: ("operational", "green"), 1: ("maintenance", "blue"), 2: ("degraded", "yellow"), 3: ("partial outage", "orange"), 4: ("major outage", "red")}
GRAPH_OPTIONS = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}, "tooltip": {"mode": "multi", "sort": "desc"}}
STAT_OPTIONS = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "background",
                "graphMode": "none", "textMode": "value_and_name", "justifyMode": "auto", "orientation": "auto"}


def rate(selector):
    return f"rate({selector}[$__rate_interval])"


def per(labels, selector):
    """A counter's rate, added up by labels."""
    return f"sum by ({labels}) ({rate(selector)})"


def graph(title, unit, words, *queries, runbook=None, width=8, stack=False, top=None):
    """A panel of lines. queries: (expression, legend); top: the axis' end, as 1 for shares."""
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if stack else 5, "showPoints": "never", "spanNulls": False,
              "stacking": {"mode": "normal" if stack else "none", "group": "A"}}
    return {"type": "timeseries", "title": title, "description": words, "width": width, "height": HEIGHT, "queries": queries,
            "runbook": runbook, "options": GRAPH_OPTIONS,
            "defaults": {"unit": unit, "min": 0, **({"max": top} if top else {}), "custom": custom, "color": {"mode": "palette-classic"}}}


def stat(title, unit, words, *queries, runbook=None, width=4, steps=((None, "green"),), states=None):
    """A panel of one number a series, coloured by steps: (from, colour); or by states: {number: (what it is called, colour)}."""
    if states:
        steps = [(None, "green"), *((number, colour) for number, (_, colour) in states.items() if number)]
    steps = [{"value": value, "color": colour} for value, colour in steps]
    return {"type": "stat", "title": title, "description": words, "width": width, "height": STAT_HEIGHT, "queries": queries,
            "runbook": runbook, "options": STAT_OPTIONS,
            "defaults": {"unit": unit, "color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": steps},
                         **({"mappings": [{"type": "value", "options": {str(number): {"text": word, "index": number}
                                                                        for number, (word, _) in states.items()}}]} if states else {})}}


def table(title, words, expression, width=24, hidden=()):
    """A panel of one row a series."""
    away = {name: True for name in ("Time", "__name__", "Value", *hidden)}
    return {"type": "table", "title": title, "description": words, "width": width, "height": HEIGHT,
            "queries": [(expression, "")], "runbook": None,
            "defaults": {"unit": "none", "custom": {"filterable": True}}, "options": {"showHeader": True},
            "transformations": [{"id": "organize", "options": {"excludeByName": away, "indexByName": {}, "renameByName": {}}}]}


def row(title):
    return {"type": "row", "title": title}


OVERVIEW = [
    row("Is anything wrong?"),
    stat("Alerts firing", "none",
         "Alerts of rules.yml that fire now, by severity: page, somebody is needed now; ticket, within a working day; "
         "info, to be known.", ('count by (severity) (ALERTS{alertname=~"Millrace.+",alertstate="firing"}) or on () vector(0)',
         "{{severity}}"), steps=RED_ABOVE_0),
    stat("Hours to loss, least", "h",
         "Until Kafka deletes what a processor, sink or notifier has not read, if it goes on like this. The topic's "
         "retention where all is read.", ("min(millrace:hours_to_loss)", "hours"), runbook="MillraceHoursToLossLow",
         steps=[(None, "red"), (6, "orange"), (24, "green")]),
    stat("Instances that do not answer", "none", "Scrape targets of Millrace that are down.",
         (f"count(up{{{PROGRAMS}}} == 0) or on () vector(0)", "down"), runbook="MillraceInstanceDown", steps=RED_ABOVE_0),
    stat("Instances not ready", "none", "Running, and not ready: /health/ready of each says why.",
         ("count(millrace_ready == 0) or on () vector(0)", "not ready"), runbook="MillraceNotReady", steps=RED_ABOVE_0),
    stat("Breakers not closed", "none", "Cells whose database takes nothing. Their documents wait in Kafka; no other cell notices.",
         ("count(max by (cell) (millrace_sink_breaker_state) > 0) or on () vector(0)", "cells"), runbook="MillraceBreakerOpen",
         steps=RED_ABOVE_0),
    stat("Under-replicated partitions", "none",
         "Partitions of Millrace's topics with fewer replicas in sync than replicas: a broker is away.",
         ("max(millrace_ingest_under_replicated_partitions)", "partitions"), runbook="MillraceBrokerLost", steps=RED_ABOVE_0),
    table("Firing and pending alerts", "Each has a runbook of its name. One row with nothing in it: none.",
          'sum by (alertname, alertstate, severity, job, cell, instance, site, topic, reason) '
          '(ALERTS{alertname=~"Millrace.+"}) or on () vector(0)'),
    row("What do customers see?"),
    stat("Status page", "none", "The state of each component as the status page shows it; storage by cell.",
         ("max by (kind, cell) (millrace_status_component_state)", "{{kind}} {{cell}}"), width=8, states=STATES),
    stat("Age of the page", "s", "How long ago what it shows was last known to be so. It is served without Kafka, too, with this age.",
         ("max(millrace_status_page_age_seconds)", "age"), runbook="MillraceStatusStale", steps=[(None, "green"), (120, "red")]),
    stat("Drafts waiting", "none", "Incidents that were drafted and are not public yet: by themselves they are after drafts.publish_after.",
         ("max(millrace_status_drafts)", "drafts"), steps=[(None, "green"), (1, "yellow")]),
    stat("Updates due", "none", "Incidents on the page whose last update is older than drafts.cadence.",
         ("max(millrace_status_updates_due)", "incidents"), runbook="MillraceStatusUpdateDue", steps=RED_ABOVE_0),
    stat("Not in Kafka", "none", "Lines of incidents that stand on the page's disk alone.",
         ("max(millrace_status_unwritten_entries)", "lines"), runbook="MillraceStatusUnwritten", steps=RED_ABOVE_0),
    row("How late are we?"),
    graph("Processors: lag", "s",
          "Event time between a partition's watermark and now, the worst of each cell. Alerts come that much later than " "they should.",
          ("max by (cell) (millrace_processor_lag_seconds)", "{{cell}}"), runbook="MillraceProcessorBehind"),
    graph("Sinks: age of the oldest record not stored", "s",
          "How old what readers of MongoDB do not see yet may be, the worst topic of each cell.",
          ("max by (cell) (millrace_sink_lag_seconds)", "{{cell}}"), runbook="MillraceSinkBehind"),
    graph("Notifiers: age of the oldest alert not taken", "s", "How long an alert event has been waiting for somebody who tells of it.",
          ("max by (cell) (millrace_notify_lag_seconds)", "{{cell}}"), runbook="MillraceNotifyBehind"),
    graph("Hours to loss", "h", "(retention - age of the oldest unread record) / rate at which that age grows, a second a second at least.",
          ("min by (job, cell) (millrace:hours_to_loss)", "{{job}} {{cell}}"), runbook="MillraceHoursToLossLow", width=12),
    graph("Breakers", "none", "0 closed, 1 half-open, 2 open: nothing but probes is sent to that cell's database.",
          ("max by (cell) (millrace_sink_breaker_state)", "{{cell}}"), runbook="MillraceBreakerOpen", width=12),
    row("What flows?"),
    graph("Ingest: samples accepted", "cps", "Samples a second that Kafka has acknowledged and a 2xx has answered for.",
          ("sum(rate(millrace_ingest_accepted_samples_total[$__rate_interval]))", "accepted")),
    graph("Ingest: requests by answer", "reqps",
          "Requests a second: accepted, and refused by reason. Agents repeat what was refused with 429 and 503.",
          (f"sum({rate('millrace_ingest_accepted_requests_total')})", "accepted"),
          (per("reason", "millrace_ingest_refused_requests_total"), "{{reason}}"), stack=True),
    graph("Processors: samples counted", "cps", "Samples a second that became part of a window, by cell.",
          (per("cell", "millrace_processor_samples_total"), "{{cell}}")),
    graph("Processors: fragments", "cps", "Parts of windows a second that were committed to Kafka, by cell.",
          (per("cell", "millrace_processor_fragments_total"), "{{cell}}")),
    graph("Sinks: documents stored", "cps", "Documents a second that a majority of the replica set has, by cell.",
          (per("cell", "millrace_sink_stored_total"), "{{cell}}")),
    graph("Notifications", "cps", "Notifications a second by what became of them; under_way: decided.",
          (per("kind", "millrace_notify_notifications_total"), "{{kind}}")),
    row("What is lost or put aside?"),
    graph("Agents: samples given up", "cps",
          "Samples a second that agents report as given up, by site: their spools were full, or too old.",
          ("sum by (site) (rate(millrace_ingest_truncated_samples_total[$__rate_interval])) or on () vector(0)", "{{site}}"),
          runbook="MillraceAgentsLoseData"),
    graph("Dead letters", "cps", "Records a second put into millrace.deadletter, by program and cell.",
          ("sum by (job, cell) (rate(millrace_processor_dead_letters_total[$__rate_interval]) or "
          "rate(millrace_sink_dead_lettered_total[$__rate_interval]) or " "rate(millrace_notify_dead_lettered_total[$__rate_interval]))",
          "{{job}} {{cell}}"), runbook="MillraceDeadLetters"),
    graph("Cut off by retention", "cps", "Offsets a second that Kafka deleted before they were read: lost.",
          ("sum by (job, cell) (rate(millrace_sink_cut_off_total[$__rate_interval]) or "
          "rate(millrace_processor_gap_records_total[$__rate_interval]))", "{{job}} {{cell}}"), runbook="MillraceRecordsCutOff"),
    graph("Dropped by controls", "cps", "What operators' controls throw away, a second.",
          (per("cell", "millrace_sink_dropped_total"), "sink {{cell}}"), (per("cell", "millrace_notify_dropped_total"), "notify {{cell}}"),
          runbook="MillraceSinkDropping"),
    graph("Payloads that never came", "cps", "Payloads a second that agents numbered and gave up, by site, as processors see them.",
          ("sum by (site) (rate(millrace_processor_gap_payloads_total[$__rate_interval])) or on () vector(0)", "{{site}}"),
          runbook="MillracePayloadsMissing"),
    graph("Samples in __overflow__", "cps", "Samples a second whose own series was new and over a cap. Totals of the site stay exact.",
          ("sum by (cell) (rate(millrace_processor_overflow_samples_total[$__rate_interval])) or on () vector(0)", "{{cell}}"),
          runbook="MillraceSeriesOverflow"),
    row("What does it take?"),
    graph("Memory of its budget", "percentunit", "Resident memory as a share of memory.budget, which is 80 % of a container's limit.",
          ("max by (job, cell, instance) (millrace:memory_used:ratio)", "{{job}} {{cell}} {{instance}}"),
          runbook="MillraceMemoryNearBudget", width=12),
    graph("CPU", "none", "Cores that each program takes.", (per("job, cell, instance", f"process_cpu_seconds_total{{{PROGRAMS}}}"),
          "{{job}} {{cell}} {{instance}}"), width=12),
    table("What runs", "Each instance with its build.", f"max by (job, cell, instance, build) (millrace_build_info{{{PROGRAMS}}})"),
]

A_CELL = [
    row("Is anything wrong in $cell?"),
    stat("Hours to loss", "h", "By program, the least over its topics, until Kafka deletes what is not read, if it goes on like this.",
         (f"min by (job) (millrace:hours_to_loss{{{CELL}}})", "{{job}}"), runbook="MillraceHoursToLossLow", width=6,
         steps=[(None, "red"), (6, "orange"), (24, "green")]),
    stat("Breaker", "none", "0 closed, 1 half-open, 2 open.", (f"max by (cell) (millrace_sink_breaker_state{{{CELL}}})", "{{cell}}"),
         runbook="MillraceBreakerOpen", steps=RED_ABOVE_0),
    stat("Partitions refused", "none", "Partitions whose state must not be used until an operator confirms.",
         (f"sum by (cell) (millrace_processor_partitions_refused{{{CELL}}})", "{{cell}}"), runbook="MillracePartitionsRefused",
         steps=RED_ABOVE_0),
    stat("Partitions waiting", "none", "Partitions of sink and notifier that wait: unknown schema, or another epoch.",
         (f"sum by (job) (millrace_sink_waiting_partitions{{{CELL}}} or millrace_notify_waiting_partitions{{{CELL}}})", "{{job}}"),
         runbook="MillracePartitionsWaiting", steps=RED_ABOVE_0),
    stat("Notifiers that tell", "none", "One of a cell's notifiers tells, the others stand by: 1 is right.",
         (f"sum by (cell) (millrace_notify_active{{{CELL}}})", "{{cell}}"), runbook="MillraceNotifyNoOwner", width=6,
         steps=[(None, "red"), (1, "green"), (2, "orange")]),
    row("Processor: samples to windows and alerts"),
    graph("Lag in seconds", "s", "The worst partition, by topic.",
          (f"max by (cell, topic) (millrace_processor_lag_seconds{{{CELL}}})", "{{cell}} {{topic}}"), runbook="MillraceProcessorBehind"),
    graph("Lag in records", "short", "Records between position and end, added up.",
          (f"sum by (cell, topic) (millrace_processor_lag_records{{{CELL}}})", "{{cell}} {{topic}}"), runbook="MillraceProcessorBehind"),
    graph("Partitions", "none", "Assigned to an instance; of them those that read. The two should be equal.",
          (f"sum by (cell) (millrace_processor_partitions_assigned{{{CELL}}})", "{{cell}} assigned"),
          (f"sum by (cell) (millrace_processor_partitions_running{{{CELL}}})", "{{cell}} running"), runbook="MillracePartitionsNotRunning"),
    graph("Samples counted", "cps", "A second, by instance.",
          (per("instance", f"millrace_processor_samples_total{{{CELL}}}"), "{{instance}}"), stack=True),
    graph("Fragments", "cps", "Parts of windows a second, by topic and why they went out: due, late, or as memory was short (budget).",
          (per("topic, reason", f"millrace_processor_fragments_total{{{CELL}}}"), "{{topic}} {{reason}}"), stack=True),
    graph("Alerts", "none", "Alerts that are open, and triggers that minutes are judged by.",
          (f"sum by (cell) (millrace_processor_alerts_open{{{CELL}}})", "{{cell}} open"),
          (f"max by (cell) (millrace_processor_triggers{{{CELL}}})", "{{cell}} triggers")),
    row("Sink: to MongoDB"),
    graph("Age of the oldest record not stored", "s", "By topic, the worst partition.",
          (f"max by (cell, topic) (millrace_sink_lag_seconds{{{CELL}}})", "{{topic}}"), runbook="MillraceSinkBehind"),
    graph("Lag in records", "short",
          "Not settled, by topic; and what more sinks could do something about (0 while the breaker is not closed or the "
          "cell is paused).", (f"sum by (topic) (millrace_sink_lag_records{{{CELL}}})", "{{topic}}"),
          (f"sum by (cell) (millrace_sink_drainable_lag_records{{{CELL}}})", "{{cell}} drainable"), runbook="MillraceSinkBehind"),
    graph("What became of records", "cps",
          "A second: stored, there already, put aside, dropped by a control. With nothing in flight they add up to what " "was consumed.",
          (f"sum({rate(f'millrace_sink_stored_total{{{CELL}}}')})", "stored"),
          (f"sum({rate(f'millrace_sink_already_stored_total{{{CELL}}}')})", "already stored"),
          (f"sum({rate(f'millrace_sink_dead_lettered_total{{{CELL}}}')})", "dead letters"),
          (f"sum({rate(f'millrace_sink_dropped_total{{{CELL}}}')})", "dropped"), runbook="MillraceLedgerMismatch", stack=True),
    graph("Breaker by reason", "none", "1: the breaker is not closed, for this reason.",
          (f"max by (cell, reason) (millrace_sink_breaker_open{{{CELL}}})", "{{cell}} {{reason}}"), runbook="MillraceBreakerOpen"),
    graph("Latency of inserts", "s", "Moving average, and what it is compared with: a lone small insert.",
          (f"max by (instance) (millrace_sink_insert_latency_seconds{{{CELL}}})", "{{instance}}"),
          (f"max by (instance) (millrace_sink_reference_latency_seconds{{{CELL}}})", "{{instance}} reference"),
          runbook="MillraceDatabaseSlow"),
    graph("How much the database is asked: batch", "bytes",
          "Bytes that an insert may carry now. It shrinks first when the database is late.",
          (f"max by (instance) (millrace_sink_batch_limit_bytes{{{CELL}}})", "{{instance}}"), runbook="MillraceDatabaseSlow"),
    graph("How much the database is asked: writers", "none", "Inserts that may be under way at once now.",
          (f"max by (instance) (millrace_sink_concurrency_limit{{{CELL}}})", "{{instance}}"), runbook="MillraceDatabaseSlow"),
    graph("In flight", "bytes", "Memory of records and documents that are not stored yet.",
          (f"max by (instance) (millrace_sink_inflight_bytes{{{CELL}}})", "{{instance}}")),
    graph("Inserts repeated", "cps", "A second, by reason.", (per("reason", f"millrace_sink_retries_total{{{CELL}}}"), "{{reason}}"),
          runbook="MillraceBreakerOpen"),
    row("Notify: to people"),
    graph("Age of the oldest alert not taken", "s", "Nobody has been told of it.",
          (f"max by (cell) (millrace_notify_lag_seconds{{{CELL}}})", "{{cell}}"), runbook="MillraceNotifyBehind"),
    graph("Incidents and notifications", "none",
          "Incidents that are open; notifications that have no outcome yet; those held back by a pause, a rate or a busy "
          "receiver; those in receivers' queues.", (f"sum by (cell) (millrace_notify_incidents_open{{{CELL}}})", "{{cell}} incidents"),
          (f"sum by (cell) (millrace_notify_under_way{{{CELL}}})", "{{cell}} under way"),
          (f"sum by (cell) (millrace_notify_waiting{{{CELL}}})", "{{cell}} held back"),
          (f"sum by (cell) (millrace_notify_queue{{{CELL}}})", "{{cell}} queued")),
    graph("Oldest notification in a queue", "s", "Its receiver is away, slow, or refuses.",
          (f"max by (cell) (millrace_notify_queue_oldest_seconds{{{CELL}}})", "{{cell}}"), runbook="MillraceNotificationsStuck"),
    graph("Alert events taken", "cps", "A second, by kind.", (per("kind", f"millrace_notify_events_total{{{CELL}}}"), "{{kind}}")),
    graph("Notifications by outcome", "cps", "A second.", (per("kind", f"millrace_notify_notifications_total{{{CELL}}}"), "{{kind}}"),
          runbook="MillraceNotificationsGivenUp"),
    graph("Attempts", "cps", "Attempts at deliveries that ended, a second, and those that failed.",
          (per("cell", f"millrace_notify_attempts_total{{{CELL}}}"), "{{cell}} all"),
          (per("cell", f"millrace_notify_failed_attempts_total{{{CELL}}}"), "{{cell}} failed"), runbook="MillraceNotificationsFail"),
    row("What does it take?"),
    graph("Memory of its budget", "percentunit", "Resident memory as a share of memory.budget.",
          (f"max by (job, instance) (millrace:memory_used:ratio{{{CELL}}})", "{{job}} {{instance}}"), runbook="MillraceMemoryNearBudget",
          width=12),
    graph("CPU", "none", "Cores.", (per("job, instance", f"process_cpu_seconds_total{{{CELL}}}"), "{{job}} {{instance}}"), width=12),
]

ACCEPTED = per("site", f"millrace_ingest_accepted_requests_total{{{SITE}}}")
REFUSED = per("site", f"millrace_ingest_refused_requests_total{{{SITE}}}")
INGEST = [
    row("What do sites get?"),
    graph("Requests accepted", "reqps", "Answered with 2xx, a second, by site.",
          (per("site", f"millrace_ingest_accepted_requests_total{{{SITE}}}"), "{{site}}"), stack=True),
    graph("Requests refused", "reqps", "A second, by site and reason; __none__: no site was known.",
          (per("site, reason", f"millrace_ingest_refused_requests_total{{{SITE}}}"), "{{site}} {{reason}}"),
          runbook="MillraceIngestOverBudget", stack=True),
    graph("Share refused", "percentunit", "Of each site's requests.", (f"{REFUSED} / ({REFUSED} + {ACCEPTED})", "{{site}}"),
          runbook="MillraceIngestOverBudget", top=1),
    graph("Samples accepted", "cps", "Acknowledged by Kafka, a second.",
          (per("site", f"millrace_ingest_accepted_samples_total{{{SITE}}}"), "{{site}}"), stack=True),
    graph("Samples rejected by name", "cps", "Bad on their own, a second; the rest of their payload went on. Senders are told which.",
          (per("site, reason", f"millrace_ingest_rejected_samples_total{{{SITE}}}"), "{{site}} {{reason}}"),
          runbook="MillraceSamplesRejected"),
    graph("Samples given up by agents", "cps", "As they report it, a second.",
          (per("site", f"millrace_ingest_truncated_samples_total{{{SITE}}}") + " or on () vector(0)", "{{site}}"),
          runbook="MillraceAgentsLoseData"),
    graph("Events", "cps", "Accepted, a second, by kind.",
          (per("site, kind", f"millrace_ingest_events_total{{{SITE}}}"), "{{site}} {{kind}}")),
    graph("Spans and records of no use", "cps", "Of OTLP: accepted and ignored, a second, by reason.",
          (per("site, reason", f"millrace_ingest_ignored_records_total{{{SITE}}}") + " or on () vector(0)", "{{site}} {{reason}}")),
    graph("Samples of refused payloads", "cps", "Decoded and then refused, a second.",
          (per("site, reason", f"millrace_ingest_refused_samples_total{{{SITE}}}") + " or on () vector(0)", "{{site}} {{reason}}"),
          runbook="MillraceSiteOverRate"),
    row("Is there room?"),
    graph("Bytes in flight", "bytes", "Bodies and records that Kafka has not acknowledged: live data, and backlog.",
          ("sum by (instance) (millrace_ingest_inflight_live_bytes)", "{{instance}} live"),
          ("sum by (instance) (millrace_ingest_inflight_backlog_bytes)", "{{instance}} backlog"), runbook="MillraceIngestOverBudget",
          stack=True),
    graph("Backlog", "reqps",
          "Requests a second whose payload was made more than 2 minutes before it was sent; and refused senders that are " "expected back.",
          (per("instance", "millrace_ingest_backlog_requests_total"), "{{instance}} backlog"),
          ("sum by (instance) (millrace_ingest_expected_agents)", "{{instance}} expected"), runbook="MillraceBacklogWave"),
    graph("Connections", "none", "Open; of them those that wait for Kafka.",
          ("sum by (instance) (millrace_ingest_connections)", "{{instance}} open"),
          ("sum by (instance) (millrace_ingest_waiting_connections)", "{{instance}} waiting")),
    graph("Connections closed by us", "cps", "A second: at a deadline, or to make room.",
          (per("instance", "millrace_ingest_connections_expired_total"), "{{instance}} deadline"),
          (per("instance", "millrace_ingest_connections_evicted_total"), "{{instance}} room")),
    graph("Bytes", "Bps", "Bodies as they came, what compressed ones inflated to, and records to Kafka before compression.",
          (f"sum({rate('millrace_ingest_body_bytes_total')})", "bodies"),
          (f"sum({rate('millrace_ingest_inflated_bytes_total')})", "inflated"),
          (f"sum({rate('millrace_ingest_record_bytes_total')})", "records")),
    graph("Memory of its budget", "percentunit", "Resident memory as a share of memory.budget.",
          ('max by (instance) (millrace:memory_used:ratio{job="ingest"})', "{{instance}}"), runbook="MillraceMemoryNearBudget"),
    row("Is Kafka there, and are clocks and tables right?"),
    graph("Kafka: records acknowledged", "cps", "A second.", (per("instance", "millrace_ingest_records_total"), "{{instance}}"),
          runbook="MillraceKafkaUnreachable"),
    graph("Kafka taken for gone", "cps", "How often a second an instance saw nothing acknowledged for push.stall_timeout.",
          (per("instance", "millrace_ingest_kafka_stalls_total"), "{{instance}}"), runbook="MillraceKafkaUnreachable"),
    graph("Under-replicated partitions", "none", "As each instance sees it.",
          ("max by (instance) (millrace_ingest_under_replicated_partitions)", "{{instance}}"), runbook="MillraceBrokerLost"),
    graph("Clocks", "cps", "Payloads a second that were shifted, as their sender's clock is wrong by 30 s or more.",
          (per("instance", "millrace_ingest_skewed_payloads_total"), "{{instance}}"), runbook="MillraceClockSkew"),
    graph("Tables", "none", "Sites in the table; removals that are held back until an operator confirms them.",
          ("max by (instance) (millrace_ingest_sites)", "{{instance}} sites"),
          ("max by (instance) (millrace_ingest_tables_held_rows)", "{{instance}} held back"), runbook="MillraceTablesHeld"),
]

PROCESSOR = [
    row("Where do partitions stand?"),
    graph("Lag by partition", "s", "Event time between the watermark and now; 0 at the partition's end.",
          (f"max by (cell, topic, partition) (millrace_processor_lag_seconds{{{TOPIC}}})", "{{cell}} {{topic}} {{partition}}"),
          runbook="MillraceProcessorBehind"),
    graph("Lag in records by partition", "short", "Between position and end.",
          (f"max by (cell, topic, partition) (millrace_processor_lag_records{{{TOPIC}}})", "{{cell}} {{topic}} {{partition}}"),
          runbook="MillraceProcessorBehind"),
    graph("Partitions by instance", "none", "Assigned, running, refused.",
          (f"sum by (instance) (millrace_processor_partitions_assigned{{{CELL}}})", "{{instance}} assigned"),
          (f"sum by (instance) (millrace_processor_partitions_running{{{CELL}}})", "{{instance}} running"),
          (f"sum by (instance) (millrace_processor_partitions_refused{{{CELL}}})", "{{instance}} refused"),
          runbook="MillracePartitionsNotRunning"),
    graph("Rebalances", "cps", "Callbacks of the group a second.",
          (per("instance", f"millrace_processor_rebalances_total{{{CELL}}}"), "{{instance}}")),
    graph("Restore", "s", "From assignment to the first record, of the last partition restored.",
          (f"max by (instance) (millrace_processor_restore_seconds{{{CELL}}})", "{{instance}}")),
    graph("Records fetched again", "cps", "As one was missing; what stays missing is a gap.",
          (per("instance", f"millrace_processor_refetches_total{{{CELL}}}"), "{{instance}}"), runbook="MillraceRecordsCutOff"),
    row("Checkpoints"),
    graph("Checkpoints", "cps", "Committed, a second, by topic.",
          (per("cell, topic", f"millrace_processor_checkpoints_total{{{TOPIC}}}"), "{{cell}} {{topic}}")),
    graph("Duration", "s", "Of the last transaction. At 8 s one is given up.",
          (f"max by (instance) (millrace_processor_checkpoint_seconds{{{CELL}}})", "{{instance}}"), runbook="MillraceCheckpointSlow"),
    graph("Transactions that came to nothing", "cps", "A second, by reason; and those whose outcome had to be asked for.",
          (per("reason", f"millrace_processor_aborts_total{{{CELL}}}") + " or on () vector(0)", "{{reason}}"),
          (per("instance", f"millrace_processor_unknown_outcomes_total{{{CELL}}}"), "{{instance}} asked for"),
          runbook="MillraceTransactionsAbort"),
    graph("Snapshots", "bytes", "Size of the last one, by partition.",
          (f"max by (cell, topic, partition) (millrace_processor_snapshot_bytes{{{TOPIC}}})", "{{cell}} {{topic}} {{partition}}")),
    graph("Deletions of old snapshots", "cps", "Offsets a second by which state topics' beginnings move on; and deletions that failed.",
          (per("cell", f"millrace_processor_trimmed_records_total{{{CELL}}}") + " or on () vector(0)", "{{cell}} offsets"),
          (per("cell", f"millrace_processor_trims_failed_total{{{CELL}}}"), "{{cell}} failed"), runbook="MillraceTrimsFail"),
    graph("Fragments by reason", "cps", "due, late, or as memory was short (budget).",
          (per("topic, reason", f"millrace_processor_fragments_total{{{CELL}}}"), "{{topic}} {{reason}}"), runbook="MillraceStateCrowded"),
    row("Memory"),
    graph("By kind", "bytes", "What each kind takes now; kinds overlap.",
          (f"max by (instance, kind) (millrace_processor_memory_bytes{{{CELL}}})", "{{instance}} {{kind}}"),
          runbook="MillraceMemoryNearBudget"),
    graph("Budget by kind", "bytes", "What of memory.budget each kind may take.",
          (f"max by (instance, kind) (millrace_processor_memory_budget_bytes{{{CELL}}})", "{{instance}} {{kind}}"),
          runbook="MillraceMemoryNearBudget", stack=True),
    graph("State by partition", "bytes", "What the state of each takes.",
          (f"max by (cell, topic, partition) (millrace_processor_state_bytes{{{TOPIC}}})", "{{cell}} {{topic}} {{partition}}"), stack=True),
    graph("Held or crowded", "none",
          "1 while nothing is read as what would make room cannot be committed; 1 while what no flush frees is more than "
          "half of the state's share.", (f"max by (instance) (millrace_processor_reading_held{{{CELL}}})", "{{instance}} held"),
          (f"max by (instance) (millrace_processor_state_crowded{{{CELL}}})", "{{instance}} crowded"), runbook="MillraceReadingHeld"),
    graph("Series and windows", "short", "In memory, those on their way out included.",
          (f"sum by (cell, topic) (millrace_processor_series{{{TOPIC}}})", "{{cell}} {{topic}} series"),
          (f"sum by (cell, topic) (millrace_processor_windows{{{TOPIC}}})", "{{cell}} {{topic}} windows"),
          runbook="MillraceSeriesOverflow"),
    graph("Samples in __overflow__", "cps", "A second.",
          (per("cell, topic", f"millrace_processor_overflow_samples_total{{{TOPIC}}}") + " or on () vector(0)", "{{cell}} {{topic}}"),
          runbook="MillraceSeriesOverflow"),
    row("Exactly once"),
    graph("Records counted before", "cps", "Retries that were recognised and dropped, a second.",
          (per("cell, topic", f"millrace_processor_duplicates_total{{{TOPIC}}}") + " or on () vector(0)", "{{cell}} {{topic}}")),
    graph("Identities remembered", "short", "Agents, and Idempotency-Keys.",
          (f"sum by (cell, topic) (millrace_processor_dedup_agents{{{TOPIC}}})", "{{cell}} {{topic}} agents"),
          (f"sum by (cell, topic) (millrace_processor_request_keys{{{TOPIC}}})", "{{cell}} {{topic}} keys"),
          runbook="MillraceRetriesNotRecognised"),
    graph("Counted without being remembered", "cps",
          "Records a second whose site has too many agents or keys: a retry of one counts again.",
          (per("cell", f"millrace_processor_unremembered_agents_total{{{TOPIC}}}") + " or on () vector(0)", "{{cell}} agents"),
          (per("cell", f"millrace_processor_unremembered_keys_total{{{TOPIC}}}") + " or on () vector(0)", "{{cell}} keys"),
          runbook="MillraceRetriesNotRecognised"),
    graph("Late samples", "cps", "Samples or events a second whose minute had been closed. They are counted all the same.",
          (per("cell, topic", f"millrace_processor_late_samples_total{{{TOPIC}}}") + " or on () vector(0)", "{{cell}} {{topic}}")),
    graph("Cumulative points", "cps", "A second, by what they came to against the last one of their series.",
          (per("cell, reason", f"millrace_processor_cumulative_points_total{{{TOPIC}}}") + " or on () vector(0)", "{{cell}} {{reason}}")),
    graph("Dead letters and gaps", "cps", "Records a second that could not be processed; that the broker did not have any more.",
          (per("cell, topic", f"millrace_processor_dead_letters_total{{{TOPIC}}}") + " or on () vector(0)",
          "{{cell}} {{topic}} dead letters"),
          (per("cell, topic", f"millrace_processor_gap_records_total{{{TOPIC}}}") + " or on () vector(0)", "{{cell}} {{topic}} gaps"),
          runbook="MillraceDeadLetters"),
    row("Events and alerts"),
    graph("Events", "cps", "Taken, a second.", (per("cell", f"millrace_processor_events_total{{{CELL}}}"), "{{cell}}")),
    graph("Exemplars", "cps", "Events kept as specimens, a second, by kind; and those beyond.",
          (per("kind", f"millrace_processor_exemplars_total{{{CELL}}}"), "{{kind}}"),
          (per("kind", f"millrace_processor_exemplars_dropped_total{{{CELL}}}") + " or on () vector(0)", "{{kind}} beyond")),
    graph("Alert events", "cps", "What was told of alerts, a second, by kind.",
          (per("cell, kind", f"millrace_processor_alert_events_total{{{CELL}}}"), "{{cell}} {{kind}}")),
    graph("Alerts", "none", "Open; series watched for their absence; jobs whose check-ins are remembered.",
          (f"sum by (cell) (millrace_processor_alerts_open{{{CELL}}})", "{{cell}} open"),
          (f"sum by (cell) (millrace_processor_alerts_held_series{{{CELL}}})", "{{cell}} watched"),
          (f"sum by (cell) (millrace_processor_check_ins{{{CELL}}})", "{{cell}} jobs")),
    graph("Minutes not judged", "cps",
          "Minutes of alerts a second that could not be judged: a route changed, ingest was closed, data waited at "
          "agents, memory was short, or the trigger was muted.",
          (per("cell", f"millrace_processor_alerts_unknown_windows_total{{{CELL}}}") + " or on () vector(0)", "{{cell}}")),
]


def variable(name, words, query):
    """A choice of one or more of a label's values."""
    return {"name": name, "label": words, "type": "query", "datasource": SOURCE, "definition": query,
            "query": {"query": query, "refId": name}, "regex": "", "refresh": 2, "includeAll": True, "allValue": ".*", "multi": True,
            "sort": 1, "current": {"selected": True, "text": ["All"], "value": ["$__all"]}, "hide": 0, "options": []}


DATASOURCE = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "regex": "", "hide": 0,
              "includeAll": False, "multi": False, "refresh": 1, "options": [], "current": {}}
CELL_OF = variable("cell", "Cell", "label_values(millrace_processor_partitions_assigned, cell)")
SITE_OF = variable("site", "Site", "label_values(millrace_ingest_received_samples_total, site)")
TOPIC_OF = variable("topic", "Input", "label_values(millrace_processor_lag_seconds, topic)")

DASHBOARDS = {
    "overview": ("Millrace: overview", "Is anything wrong, how late are we, what flows, what is lost, what does it take.", [], OVERVIEW),
    "cell": ("Millrace: a cell", "One cell's processors, sink and notifier.", [CELL_OF], A_CELL),
    "ingest": ("Millrace: ingest by site", "What sites send and what they are answered.", [SITE_OF], INGEST),
    "processor": ("Millrace: processor internals", "Partitions, checkpoints, memory, identities, alerts.", [CELL_OF, TOPIC_OF], PROCESSOR),
}


def placed(panels):
    """The panels with ids, places and everything Grafana wants to stand there."""
    found, x, y, height = [], 0, 0, 0
    for number, panel in enumerate(panels, 1):
        if panel["type"] == "row" or x + panel["width"] > COLUMNS:
            x, y, height = 0, y + height, 0
        if panel["type"] == "row":
            found.append({"id": number, "type": "row", "title": panel["title"], "collapsed": False, "panels": [],
                          "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y}})
            y += 1
            continue
        found.append(filled(panel, number, {"h": panel["height"], "w": panel["width"], "x": x, "y": y}))
        x, height = x + panel["width"], max(height, panel["height"])
    return found


def filled(panel, number, place):
    instant = panel["type"] != "timeseries"
    targets = [{"refId": chr(ord("A") + i), "datasource": SOURCE, "editorMode": "code", "expr": expression,
                "legendFormat": legend or "__auto", "instant": instant, "range": not instant,
                **({"format": "table"} if panel["type"] == "table" else {})} for i, (expression, legend) in enumerate(panel["queries"])]
    runbook = panel["runbook"]
    links = [{"title": f"Runbook: {runbook}", "url": f"{RUNBOOKS}/{runbook}.md", "targetBlank": True}] if runbook else []
    return {"id": number, "type": panel["type"], "title": panel["title"], "description": panel["description"], "datasource": SOURCE,
            "gridPos": place, "fieldConfig": {"defaults": panel["defaults"], "overrides": []}, "options": panel["options"],
            "targets": targets, "links": links,
            **({"transformations": panel["transformations"]} if "transformations" in panel else {})}


def link(kind, title, **more):
    return {"type": kind, "title": title, "tags": [], "asDropdown": False, "includeVars": False, "keepTime": False, "targetBlank": False,
            "icon": "external link", "tooltip": "", "url": "", **more}


def dashboard(name):
    title, words, variables, panels = DASHBOARDS[name]
    links = [link("dashboards", "Millrace", tags=["millrace"], includeVars=True, keepTime=True),
             link("link", "Runbooks", url=RUNBOOKS, icon="doc", tooltip="What each alert means and what to do", targetBlank=True)]
    return {"uid": f"millrace-{name}", "title": title, "description": words, "tags": ["millrace"], "schemaVersion": 39, "version": 1,
            "editable": True, "graphTooltip": 1, "timezone": "utc", "refresh": "30s", "time": {"from": "now-3h", "to": "now"},
            "timepicker": {}, "fiscalYearStartMonth": 0, "liveNow": False, "weekStart": "", "annotations": {"list": []}, "links": links,
            "templating": {"list": [DATASOURCE, *variables]}, "panels": placed(panels)}


def main():
    stale = []
    for name in DASHBOARDS:
        file, text = FOLDER / f"{name}.json", json.dumps(dashboard(name), indent=1) + "\n"
        if "--check" in sys.argv[1:]:
            stale += [file.name] if not file.exists() or file.read_text() != text else []
        else:
            FOLDER.mkdir(exist_ok=True)
            file.write_text(text)
    if stale:
        sys.exit(f"stale: {', '.join(stale)}: run deploy/grafana/make.py")


if __name__ == "__main__":
    main()
