#!/usr/bin/env python3
"""Writes rules_test.yml, which `promtool test rules` runs, from the table below; with --check it exits 1 where that is stale.

For each alert two worlds: one in which it must fire, and one that is as near to it as a healthy one comes, in which it never may. A rule
with a wrong label, a threshold that was turned round or a `for` that is too long looks like any other until the night it is needed.
"""
import re
import sys
from pathlib import Path

FILE = Path(__file__).resolve().parent / "rules_test.yml"
RULES = FILE.with_name("rules.yml").read_text()
HEAD = """# Written by make_tests.py: change it there. `promtool test rules rules_test.yml`.
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
"""
INGEST = 'job="ingest",instance="i:1"'
PROCESSOR = 'job="processor",cell="main",instance="p:1"'
SINK = 'job="sink",cell="main",instance="s:1"'
NOTIFY = 'job="notify",cell="main",instance="n:1"'
STATUS = 'job="status",instance="t:1"'
AGENT = 'job="agent",instance="a:1"'
OF = {"ingest": INGEST, "processor": PROCESSOR, "sink": SINK, "notify": NOTIFY, "status": STATUS, "agent": AGENT}
FOREVER = 420  # minutes: longer than any rule looks back


def one(name, values, **labels):
    """A series of the program that its name says, with its scrape labels and others."""
    more = "".join(f',{key}="{value}"' for key, value in labels.items())
    return f"{name}{{{OF[name.split('_')[1]]}{more}}}", values


def ups(job, values, instance=None):
    labels = OF[job] if instance is None else OF[job].replace(OF[job].split('instance="')[1].rstrip('"'), instance)
    return f"up{{{labels}}}", values


def common(job, name, values, **labels):
    """A series that every program has, of one of them."""
    more = "".join(f',{key}="{value}"' for key, value in labels.items())
    return f"{name}{{{OF[job]}{more}}}", values


def steady(value, minutes=FOREVER):
    return f"{value}x{minutes}"


def rising(step, minutes=FOREVER, start=0):
    return f"{start}{step:+}x{minutes}"


def then(before, minutes, after):
    """One value for so many minutes, then another."""
    return f"{before}x{minutes - 1} {after}x{FOREVER}"


def appears(minutes, value):
    return f"_x{minutes} {value}x{FOREVER}"


ALL_UP = [ups("ingest", steady(1)), ups("processor", steady(1)), ups("sink", steady(1)), ups("notify", steady(1))]
REQUESTS = one("millrace_ingest_accepted_requests_total", rising(600), site="shop")
HOUR = 3600


def known(*series):
    """Of a program that was there before; without it Prometheus has just begun."""
    return [*series, *ALL_UP]


MISSED = "{0}x9 stale {0}x300"  # a scrape that failed


def missed(series):
    """Of a program that did not answer one scrape."""
    job = series[0].split("_")[1]
    return [series, ups(job, "1x9 0 1x300"), common(job, "process_start_time_seconds", "-7200x9 stale -7200x300"),
            *(ups(other, steady(1)) for other in ("ingest", "processor", "sink", "notify") if other != job)]


def begun(minutes, series):
    """Of a program that began just before it is scraped first, beside others that were there."""
    job = series[0].split("_")[1]
    return [series, ups(job, appears(minutes, 1)), common(job, "process_start_time_seconds", appears(minutes, minutes * 60 - 10)),
            ups("agent", steady(1))]


def ledger(stored):
    """A sink with nothing in flight that consumed 100."""
    return [one("millrace_sink_consumed_total", steady(100), topic="t"), one("millrace_sink_stored_total", steady(stored), topic="t"),
            one("millrace_sink_already_stored_total", steady(1), topic="t"), one("millrace_sink_dead_lettered_total", steady(2), topic="t"),
            one("millrace_sink_dropped_total", steady(3), topic="t"), one("millrace_sink_inflight_bytes", steady(0))]


def lag(job, age_h, retention_h, **labels):
    """Age of the oldest unread record, and retention, in hours; age_h a pair: from, and growth in seconds a minute."""
    start, growth = age_h
    more = {} if job == "notify" else {"partition": "0"}
    return [one(f"millrace_{job}_lag_seconds", rising(growth, start=start * HOUR), **labels, **more),
            one(f"millrace_{job}_retention_seconds", steady(retention_h * HOUR), topic=labels.get("topic", "millrace.c.main.alerts"))]


# (alert, minutes, series with which it fires then, series with which it does not)
TABLE = [
    ("MillraceNoInstance", 10, [*ALL_UP[:2], ups("sink", then(1, 5, 0)), ALL_UP[3]], [*ALL_UP, ups("sink", then(1, 5, 0), "s:2")]),
    ("MillraceNoInstance", 15, [*ALL_UP[:2], ups("sink", "1x5"), ALL_UP[3]], ALL_UP),  # its target is gone
    # A cell that never had a sink; one without a notifier is as it may be.
    ("MillraceNoInstance", 10, [ALL_UP[0], ALL_UP[1], ALL_UP[3]], [ALL_UP[0], ALL_UP[2], ALL_UP[1]]),
    # They answer, and none can work; one of two can.
    ("MillraceNoInstance", 20, [*ALL_UP, common("sink", "millrace_ready", then(1, 5, 0))],
     [*ALL_UP, common("sink", "millrace_ready", then(1, 5, 0)), ups("sink", steady(1), "s:2"),
      ('millrace_ready{job="sink",cell="main",instance="s:2"}', "0x4 1x3 0x4 1x300")]),
    ("MillraceInstanceDown", 15, [ups("processor", then(1, 5, 0))], [ups("processor", "1x5 0x3 1x100")]),
    ("MillraceNotReady", 15, [common("sink", "millrace_ready", then(1, 5, 0))], [common("sink", "millrace_ready", "1x5 0x3 1x100")]),
    ("MillraceRestarts", 60, [common("sink", "process_start_time_seconds", "0x10 600x10 1200x10 1800x10 2400x60")],
     [common("sink", "process_start_time_seconds", "0x10 600x10 1200x10 1800x60")]),
    ("MillraceMemoryNearBudget", 30, [common("sink", "process_resident_memory_bytes", steady(96)),
     one("millrace_sink_memory_budget_bytes", steady(100))], [common("sink", "process_resident_memory_bytes", steady(94)),
     one("millrace_sink_memory_budget_bytes", steady(100))]),
    ("MillraceMemoryNearBudget", 30, [common("processor", "process_resident_memory_bytes", steady(96)),
     one("millrace_processor_memory_budget_bytes", steady(60), kind="state"),
     one("millrace_processor_memory_budget_bytes", steady(40), kind="fetched")],
     [common("processor", "process_resident_memory_bytes", steady(94)),
     one("millrace_processor_memory_budget_bytes", steady(60), kind="state"),
     one("millrace_processor_memory_budget_bytes", steady(40), kind="fetched")]),
    ("MillraceBuildsMixed", 245, [common("sink", "millrace_build_info", steady(1), build="1"),
     common("ingest", "millrace_build_info", steady(1), build="2")], [common("sink", "millrace_build_info", steady(1), build="1"),
     common("ingest", "millrace_build_info", "1x100", build="2"),
     common("ingest", "millrace_build_info", f"_x100 1x{FOREVER}", build="1")]),
    ("MillraceLogSuppressed", 45, [common("sink", "millrace_log_suppressed_lines_total", rising(10))],
     [common("sink", "millrace_log_suppressed_lines_total", "0x20 5x400")]),
    ("MillraceHoursToLossLow", 25, lag("processor", (48, 60), 72, topic="samples"), lag("processor", (46, 60), 72, topic="samples")),
    ("MillraceHoursToLossLow", 25, [*lag("sink", (145, 60), 168, topic="t"), one("millrace_sink_paused", steady(1))],
     lag("sink", (142, 60), 168, topic="t")),
    ("MillraceHoursToLossLow", 25, lag("notify", (145, 60), 168), lag("notify", (142, 60), 168)),
    # Five seconds a second.
    ("MillraceHoursToLossLow", 25, lag("processor", (10, 300), 110, topic="samples"),
     lag("processor", (60, -60), 110, topic="samples")),
    ("MillraceHoursToLossCritical", 25, lag("processor", (66, 60), 72, topic="samples"), lag("processor", (64, 60), 72, topic="samples")),
    ("MillraceHoursToLossCritical", 25, lag("sink", (168, 60), 168, topic="t"), lag("sink", (160, 60), 168, topic="t")),
    ("MillraceHoursToLossCritical", 25, lag("notify", (166, 0), 168), lag("notify", (160, 60), 168)),
    # What is a leap of the figure is no rate: a sink that comes back from a day's pause learns with its first record how old that is.
    ("MillraceHoursToLossLow", 25, lag("sink", (145, 60), 168, topic="t"),
     [one("millrace_sink_lag_seconds", f"5x19 {20 * HOUR}+60x400", topic="t", partition="0"),
      one("millrace_sink_retention_seconds", steady(168 * HOUR), topic="t")]),
    ("MillraceHoursToLossCritical", 25, lag("sink", (166, 60), 168, topic="t"),
     [one("millrace_sink_lag_seconds", f"5x19 {20 * HOUR}+60x400", topic="t", partition="0"),
      one("millrace_sink_retention_seconds", steady(168 * HOUR), topic="t")]),
    ("MillraceHoursToLossCritical", 25, lag("notify", (166, 60), 168),
     [one("millrace_notify_lag_seconds", f"0x19 {20 * HOUR}+60x400"),
      one("millrace_notify_retention_seconds", steady(168 * HOUR), topic="millrace.c.main.alerts")]),
    ("MillraceRecordsCutOff", 30, [one("millrace_sink_cut_off_total", then(0, 20, 7), topic="t")],
     [one("millrace_sink_cut_off_total", steady(7), topic="t")]),
    ("MillraceRecordsCutOff", 30, known(one("millrace_processor_gap_records_total", appears(20, 7), topic="samples", partition="0")),
     [one("millrace_processor_gap_records_total", steady(7), topic="samples", partition="0")]),
    ("MillraceDeadLetters", 30, known(one("millrace_processor_dead_letters_total", appears(20, 1), topic="samples", partition="0")),
     [one("millrace_processor_dead_letters_total", steady(1), topic="samples", partition="0")]),
    # A sink that comes back after days has counted before it is scraped first; one that is asked again after an hour without an answer has
    # nothing new to tell, and neither has one that missed a scrape.
    ("MillraceRecordsCutOff", 30, begun(20, one("millrace_sink_cut_off_total", appears(20, 7), topic="t")),
     [one("millrace_sink_cut_off_total", "7x3 stale _x19 7x300", topic="t"), ups("sink", "1x3 0x20 1x300"), ups("ingest", steady(1)),
      common("sink", "process_start_time_seconds", "-7200x3 stale _x19 -7200x300")]),
    ("MillraceRecordsCutOff", 30, begun(20, one("millrace_processor_gap_records_total", appears(20, 7), topic="samples", partition="0")),
     missed(one("millrace_processor_gap_records_total", MISSED.format(7), topic="samples", partition="0"))),
    ("MillraceDeadLetters", 30, begun(20, one("millrace_sink_dead_lettered_total", appears(20, 1), topic="t")),
     missed(one("millrace_processor_dead_letters_total", MISSED.format(1), topic="samples", partition="0"))),
    ("MillraceDeadLetters", 30, begun(20, one("millrace_notify_dead_lettered_total", appears(20, 1))),
     missed(one("millrace_sink_dead_lettered_total", MISSED.format(1), topic="t"))),
    ("MillraceDeadLetters", 30, [one("millrace_sink_dead_lettered_total", then(0, 20, 1), topic="t")],
     [one("millrace_sink_dead_lettered_total", steady(1), topic="t")]),
    ("MillraceDeadLetters", 30, [one("millrace_notify_dead_lettered_total", then(0, 20, 1))],
     [one("millrace_notify_dead_lettered_total", steady(0))]),
    ("MillracePartitionsWaiting", 10, [one("millrace_sink_waiting_partitions", then(0, 5, 1))],
     [one("millrace_sink_waiting_partitions", "0x5 1x0 0x100")]),
    ("MillracePartitionsWaiting", 10, [one("millrace_notify_waiting_partitions", then(0, 5, 1))],
     [one("millrace_notify_waiting_partitions", steady(0))]),
    ("MillraceKafkaUnreachable", 20, [one("millrace_ingest_refused_requests_total", rising(1), site="shop", reason="kafka_unavailable")],
     [one("millrace_ingest_refused_requests_total", rising(1), site="shop", reason="closed"),
     one("millrace_ingest_refused_requests_total", steady(5), site="shop", reason="kafka_unavailable"),
     one("millrace_ingest_kafka_stalls_total", steady(3))]),
    ("MillraceKafkaUnreachable", 20, [one("millrace_ingest_kafka_stalls_total", rising(1))],
     [one("millrace_ingest_kafka_stalls_total", steady(1))]),
    # A broker that dies takes ten seconds to be replaced: nobody has to get up for that.
    ("MillraceKafkaUnreachable", 20, [one("millrace_ingest_refused_requests_total", "0x9 20+20x300", site="shop", reason="kafka_unavailable")],
     [one("millrace_ingest_refused_requests_total", "0x9 20x300", site="shop", reason="kafka_unavailable"),
      one("millrace_ingest_kafka_stalls_total", "0x9 1x300")]),
    ("MillraceBrokerLost", 20, [one("millrace_ingest_under_replicated_partitions", then(0, 10, 4))],
     [one("millrace_ingest_under_replicated_partitions", "0x10 4x3 0x100")]),
    ("MillraceIngestOverBudget", 30, [REQUESTS,
     one("millrace_ingest_refused_requests_total", rising(60), site="shop", reason="over_budget")], [REQUESTS,
     one("millrace_ingest_refused_requests_total", rising(20), site="shop", reason="over_budget")]),
    ("MillraceIngestOverBudget", 30, [one("millrace_ingest_connections", steady(9)),
     one("millrace_ingest_refused_requests_total", rising(60), site="shop", reason="over_budget")],
     [one("millrace_ingest_connections", steady(9)),
     one("millrace_ingest_refused_requests_total", rising(60), site="shop", reason="closed")]),
    ("MillraceBacklogWave", 20, [REQUESTS, one("millrace_ingest_backlog_requests_total", rising(200))],
     [REQUESTS, one("millrace_ingest_backlog_requests_total", rising(60))]),
    ("MillraceValveClosed", 20, [one("millrace_ingest_refused_requests_total", rising(60), site="shop", reason="closed")],
     [one("millrace_ingest_refused_requests_total", rising(60), site="shop", reason="draining"),
     one("millrace_ingest_refused_requests_total", steady(60), site="shop", reason="closed")]),
    ("MillraceAgentsLoseData", 30, known(one("millrace_ingest_truncated_samples_total", appears(20, 812), site="shop")),
     [one("millrace_ingest_truncated_samples_total", steady(812), site="shop")]),
    ("MillraceAgentsLoseData", 30, known(one("millrace_ingest_truncated_samples_total", appears(20, 1), site="shop")),
     [one("millrace_ingest_truncated_samples_total", appears(20, 812), site="shop"), ups("ingest", appears(20, 1))]),  # it has begun
    ("MillraceAgentsLoseData", 30, [one("millrace_ingest_truncated_samples_total", then(100, 20, 812), site="shop")],
     [one("millrace_ingest_truncated_samples_total", steady(812), site="shop")]),
    ("MillraceAgentsLoseData", 30, begun(20, one("millrace_ingest_truncated_samples_total", appears(20, 812), site="shop")),
     missed(one("millrace_ingest_truncated_samples_total", MISSED.format(812), site="shop"))),
    ("MillraceClockSkew", 60, [REQUESTS, one("millrace_ingest_skewed_payloads_total", rising(60))],
     [REQUESTS, one("millrace_ingest_skewed_payloads_total", rising(20))]),
    ("MillraceTablesHeld", 10, [one("millrace_ingest_tables_held_rows", then(0, 5, 12))],
     [one("millrace_ingest_tables_held_rows", steady(0))]),
    ("MillraceSiteOverRate", 30, [one("millrace_ingest_refused_requests_total", rising(60), site="shop", reason="sample_rate")],
     [one("millrace_ingest_refused_requests_total", "0x5 60x400", site="shop", reason="payload_rate")]),
    ("MillraceSamplesRejected", 40, [one("millrace_ingest_received_samples_total", rising(100), site="shop"),
     one("millrace_ingest_rejected_samples_total", rising(11), site="shop", reason="name_invalid")],
     [one("millrace_ingest_received_samples_total", rising(100), site="shop"),
     one("millrace_ingest_rejected_samples_total", rising(9), site="shop", reason="name_invalid")]),
    ("MillraceProcessorBehind", 20, [one("millrace_processor_lag_seconds", then(0, 10, 130), topic="samples", partition="0")],
     [one("millrace_processor_lag_seconds", steady(110), topic="samples", partition="0")]),
    ("MillraceAlertsLate", 20, [one("millrace_processor_lag_seconds", then(0, 10, 601), topic="samples", partition="0")],
     [one("millrace_processor_lag_seconds", steady(599), topic="samples", partition="0")]),
    ("MillracePartitionsUnassigned", 70, [one("millrace_processor_partitions_assigned", then(24, 60, 12))],
     [one("millrace_processor_partitions_assigned", "24x30 36x0 24x20 12x0 24x300")]),  # two owners for a moment, none for a moment
    ("MillracePartitionsNotRunning", 20, [one("millrace_processor_partitions_assigned", steady(24)),
     one("millrace_processor_partitions_running", then(24, 10, 20)), one("millrace_processor_partitions_refused", steady(1))],
     [one("millrace_processor_partitions_assigned", steady(24)), one("millrace_processor_partitions_running", steady(20)),
     one("millrace_processor_partitions_refused", steady(4))]),
    ("MillracePartitionsRefused", 20, [one("millrace_processor_partitions_refused", then(0, 10, 4))],
     [one("millrace_processor_partitions_refused", steady(0))]),
    ("MillraceReadingHeld", 20, [one("millrace_processor_reading_held", then(0, 10, 1))],
     [one("millrace_processor_reading_held", "0x10 1x0 0x100")]),
    ("MillraceStateCrowded", 30, [one("millrace_processor_state_crowded", then(0, 10, 1))],
     [one("millrace_processor_state_crowded", "0x10 1x8 0x100")]),
    ("MillraceSeriesOverflow", 30, known(one("millrace_processor_overflow_samples_total", appears(20, 9), topic="samples", partition="0")),
     [one("millrace_processor_overflow_samples_total", steady(9), topic="samples", partition="0")]),
    ("MillraceRetriesNotRecognised", 30,
     known(one("millrace_processor_unremembered_agents_total", appears(20, 9), topic="samples", partition="0")),
     [one("millrace_processor_unremembered_agents_total", steady(9), topic="samples", partition="0")]),
    ("MillraceRetriesNotRecognised", 30,
     [one("millrace_processor_unremembered_keys_total", then(1, 20, 9), topic="samples", partition="0")],
     [one("millrace_processor_unremembered_keys_total", steady(9), topic="samples", partition="0")]),
    ("MillracePayloadsMissing", 30, known(one("millrace_processor_gap_payloads_total", appears(20, 9), site="shop")),
     [one("millrace_processor_gap_payloads_total", steady(9), site="shop")]),
    ("MillraceTransactionsAbort", 40, [one("millrace_processor_aborts_total", rising(1), reason="STALLED")],
     [one("millrace_processor_aborts_total", "0x10 1x400", reason="STALLED")]),
    ("MillraceCheckpointSlow", 30, [one("millrace_processor_checkpoint_seconds", then(0.1, 10, 5)),
     one("millrace_processor_checkpoints_total", rising(10), topic="samples", partition="0")],
     [one("millrace_processor_checkpoint_seconds", steady(3.9)),
      one("millrace_processor_checkpoints_total", rising(10), topic="samples", partition="0")]),
    # The last one before its partitions went elsewhere.
    ("MillraceCheckpointSlow", 30, [one("millrace_processor_checkpoint_seconds", then(0.1, 10, 5)),
     one("millrace_processor_checkpoints_total", rising(1), topic="samples", partition="0")],
     [one("millrace_processor_checkpoint_seconds", then(0.1, 10, 5)),
      one("millrace_processor_checkpoints_total", "0+10x9 100x400", topic="samples", partition="0")]),
    ("MillraceTrimsFail", 190, [one("millrace_processor_trims_failed_total", rising(1))],
     [one("millrace_processor_trims_failed_total", "0x10 1x400")]),
    ("MillraceBreakerOpen", 20, [one("millrace_sink_breaker_open", then(0, 10, 1), reason="network")],
     [one("millrace_sink_breaker_open", "0x10 1x0 0x100", reason="network")]),
    # Its reason changes from probe to probe.
    ("MillraceBreakerOpen", 20, [one("millrace_sink_breaker_open", "0x9 " + "1 0 " * 200, reason="network"),
     one("millrace_sink_breaker_open", "0x9 " + "0 1 " * 200, reason="not_primary")],
     [one("millrace_sink_breaker_open", "0x10 1x0 0x100", reason="network"),
      one("millrace_sink_breaker_open", "0x20 1x0 0x100", reason="not_primary")]),
    ("MillraceSinkBehind", 30, [one("millrace_sink_lag_seconds", then(0, 10, 700), topic="t", partition="0"),
     one("millrace_sink_paused", steady(0))], [one("millrace_sink_lag_seconds", then(0, 10, 700), topic="t", partition="0"),
     one("millrace_sink_paused", steady(1))]),
    ("MillraceSinkBehind", 30, [one("millrace_sink_lag_seconds", rising(60), topic="t", partition="0")],
     [one("millrace_sink_lag_seconds", steady(599), topic="t", partition="0")]),
    ("MillraceSinkPaused", 40, [one("millrace_sink_paused", then(0, 10, 1))], [one("millrace_sink_paused", "0x10 1x10 0x100")]),
    ("MillraceSinkDropping", 20, [one("millrace_sink_dropped_total", rising(5), topic="t")],
     [one("millrace_sink_dropped_total", steady(5), topic="t")]),
    ("MillraceDatabaseSlow", 40, [one("millrace_sink_braked", then(0, 10, 1)),
     one("millrace_sink_breaker_open", steady(0), reason="network")], [one("millrace_sink_braked", then(0, 10, 1)),
     one("millrace_sink_breaker_open", steady(1), reason="network")]),
    # A sink that is at its limits fetches for a moment whenever half of it is through.
    ("MillraceDatabaseSlow", 40, [one("millrace_sink_braked", "0x10 " + "1 1 0 " * 100)], [one("millrace_sink_braked", "0x10 1x4 0x300")]),
    ("MillraceLedgerMismatch", 30, ledger(93), ledger(94)),
    ("MillraceLedgerMismatch", 30, ledger(95), [*ledger(93)[:-1], one("millrace_sink_inflight_bytes", steady(1000))]),
    ("MillraceNotifyNoOwner", 20, [one("millrace_notify_active", then(1, 10, 0))], [one("millrace_notify_active", "1x10 0x0 1x100")]),
    ("MillraceNotifyTwoOwners", 20, [one("millrace_notify_active", steady(1)),
     ('millrace_notify_active{job="notify",cell="main",instance="n:2"}', then(0, 10, 1))], [one("millrace_notify_active", steady(1)),
     ('millrace_notify_active{job="notify",cell="other",instance="n:2"}', steady(1))]),
    ("MillraceNotifyBehind", 20, [one("millrace_notify_lag_seconds", then(0, 10, 130))], [one("millrace_notify_lag_seconds", steady(110))]),
    ("MillraceNotificationsFail", 40, [one("millrace_notify_attempts_total", rising(10)),
     one("millrace_notify_failed_attempts_total", rising(6))], [one("millrace_notify_attempts_total", rising(10)),
     one("millrace_notify_failed_attempts_total", rising(4))]),
    ("MillraceNotificationsStuck", 30, [one("millrace_notify_queue_oldest_seconds", then(0, 10, 700))],
     [one("millrace_notify_queue_oldest_seconds", steady(590))]),
    ("MillraceNotificationsGivenUp", 30, [one("millrace_notify_notifications_total", then(0, 20, 1), kind="gave_up")],
     [one("millrace_notify_notifications_total", steady(1), kind="gave_up"),
     one("millrace_notify_notifications_total", rising(9), kind="delivered")]),
    ("MillraceNotifyDropping", 20, [one("millrace_notify_dropped_total", rising(3))], [one("millrace_notify_dropped_total", steady(3))]),
    ("MillraceNotifyRefusesEvents", 30, [one("millrace_notify_events_refused_total", then(0, 20, 3))],
     [one("millrace_notify_events_refused_total", steady(3))]),
    # Kafka is asked every 5 s; who has not been answered for a minute is not yet late.
    ("MillraceStatusStale", 20, [one("millrace_status_page_age_seconds", "5x10 60+60x300")],
     [one("millrace_status_page_age_seconds", "5x10 65 125 5x300")]),
    ("MillraceStatusUpdateDue", 20, [one("millrace_status_updates_due", then(0, 10, 1))], [one("millrace_status_updates_due", "0x10 1 1 0x300")]),
    ("MillraceStatusUnwritten", 30, [one("millrace_status_unwritten_entries", then(0, 10, 2))],
     [one("millrace_status_unwritten_entries", "0x10 2x8 0x300")]),
    ("MillraceNoInstance", 10, [*ALL_UP, ups("status", then(1, 5, 0))], [*ALL_UP, ups("status", then(1, 5, 0)), ups("status", steady(1), "t:2")]),
    ("MillraceMemoryNearBudget", 30, [common("status", "process_resident_memory_bytes", steady(96)), one("millrace_status_memory_budget_bytes", steady(100))],
     [common("status", "process_resident_memory_bytes", steady(94)), one("millrace_status_memory_budget_bytes", steady(100))]),
    ("MillraceAgentCannotSend", 20, [one("millrace_agent_push_key_refused", then(0, 10, 1))],
     [one("millrace_agent_push_key_refused", "0x10 1x3 0x100")]),
    ("MillraceAgentCannotSend", 20, [one("millrace_agent_spool_oldest_age_seconds", rising(120))],
     [one("millrace_agent_spool_oldest_age_seconds", steady(890))]),
    ("MillraceNotifyUnstable", 70, [one("millrace_notify_terms_lost_total", "0x10 1x10 2x10 3x10 4x10 5x60")],
     [one("millrace_notify_terms_lost_total", "0x10 1x60")]),
]


def waits(alert):
    """How many minutes an alert is pending before it fires."""
    for_ = re.search(rf"- alert: {alert}\n(?:(?!\n      - alert)[\s\S])*?labels:", RULES)[0]
    found = re.search(r"for: (\d+)([mh])", for_)
    return int(found[1]) * {"m": 1, "h": 60}[found[2]] if found else 0


def test(alert, minutes, series, fires):
    lines = [f"  - name: {alert} {'fires' if fires else 'does not fire'}", "    interval: 1m", "    input_series:"]
    for name, values in series:
        lines += [f"      - series: '{name}'", f"        values: '{values}'"]
    firing = f'ALERTS{{alertname="{alert}",alertstate="firing"}}'
    lines += ["    promql_expr_test:", f"      - expr: count({firing if fires else f'count_over_time({firing}[1d])'}) or vector(0)",
              f"        eval_time: {minutes}m", f"        exp_samples: [{{labels: '{{}}', value: {int(fires)}}}]"]
    if fires:
        pending = firing.replace('"firing"', '"pending"')
        lines += [f"      - expr: max(count_over_time({pending}[1d])) or vector(0)", f"        eval_time: {minutes}m",
                  f"        exp_samples: [{{labels: '{{}}', value: {waits(alert)}}}]"]
    return "\n".join(lines) + "\n"


def text():
    return HEAD + "".join(test(alert, minutes, series, fires) for alert, minutes, *worlds in TABLE
                          for series, fires in zip(worlds, (True, False)))


def main():
    if "--check" not in sys.argv[1:]:
        FILE.write_text(text())
    elif not FILE.exists() or FILE.read_text() != text():
        sys.exit(f"{FILE.name} is stale: run deploy/prometheus/make_tests.py")


if __name__ == "__main__":
    main()
