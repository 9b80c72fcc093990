#!/usr/bin/env python3
"""What a number of agents and series takes: CPU, memory, bytes of Kafka and of documents a day. README's sizing table is made of these figures.

All of Millrace at the pace of real time: ingest, processor and sink with their default budgets on one broker, and the rehearsal's crowd, which is made of
the agent's own parts: each agent posts every 30 s, half of its series are its own, half it shares with all agents of its site. What is counted is six minutes in which
one hour closes, after the programs have warmed up. Bytes of Kafka are those of the segments of one copy; documents are counted as BSON, before the
database compresses them. `bench_sizing.py 1000` measures that shape alone.
"""
import contextlib
import json
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "rehearsal"))
from bench import Bench, PeakMemory, Process, cpu_seconds, raise_open_files, setting  # noqa: E402
from bson.raw_bson import RawBSONDocument  # noqa: E402
from house import place  # noqa: E402
from millrace_local import ROOT, free_base_port  # noqa: E402
from pipeline import Pipeline  # noqa: E402

PROGRAMS = ("ingest", "processor", "sink")
SHAPES = ((100, 64), (1000, 64))  # agents, series of each
SITES = 4
START_MINUTE, WARM_UP_S, COUNTED_S = 55, 150, 360  # :55 to :57:30, then until :03:30: the hour closes at about :01:45
DAY_S, GB = 86400, 1e9
OF_A_DAY = {"samples": DAY_S, "events": DAY_S, "minutely": DAY_S, "exemplars": DAY_S, "hourly": 24 * COUNTED_S}  # of hours just one closes
SAMPLED_DOCUMENTS = 2000


def crowd(directory, pipeline, agents, series):
    """The agents' process."""
    folder, keys = directory / "crowd", directory / "keys"
    folder.mkdir()
    keys.write_text("".join(f"{site} {key}\n" for site, key in pipeline.keys.items()))
    keys.chmod(0o600)
    settings = [f"push.url=http://127.0.0.1:{pipeline.push_port}", f"crowd.dir={folder}", f"crowd.keys={keys}", f"crowd.agents={agents}", f"crowd.series={series}",
                *(f"clock.{name}={pipeline.env['CLOCK_' + name.upper()]}" for name in ("start_ms", "real_ms", "speed"))]
    command = [ROOT / "build" / "plain" / "tests" / "rehearsal" / "crowd", "--test-clock", *(word for each in settings for word in ("--set", each))]
    pipeline.processes["crowd"] = Process("crowd", directory).start(command)


def kafka_bytes(pipeline):
    """Bytes of the segments of each of the cell's topics."""
    found = dict.fromkeys(OF_A_DAY, 0)
    for log in (pipeline.directory / "stack").rglob("millrace.c.main.*/*.log"):
        topic = log.parent.name.rsplit("-", 1)[0].removeprefix("millrace.c.main.")
        with contextlib.suppress(FileNotFoundError):  # a state's segment that has been trimmed
            found[topic] = found.get(topic, 0) + log.stat().st_size
    return found


def documents(pipeline):
    """Stored since the start, as the sink counts: counting them in the local database would take it longer than a client waits."""
    return {name: pipeline.metric("sink", "millrace_sink_stored_total", topic=f"millrace.c.main.{name}") for name in ("minutely", "hourly")}


def document_bytes(pipeline, name):
    """The mean of some documents."""
    raw = pipeline.database.get_collection(name, codec_options=pipeline.database.codec_options.with_options(document_class=RawBSONDocument))
    sizes = [len(each.raw) for each in raw.find().limit(SAMPLED_DOCUMENTS)]
    return sum(sizes) / len(sizes)


def measure(directory, agents, series):
    """{figure: (value, unit)} of a shape."""
    directory, share = Path(directory), setting("BENCH_SECONDS") / 8  # a trial run is shorter, and its hours mean nothing
    with Pipeline(directory, free_base_port(), 1, START_MINUTE, {f"shop-{i}": 12 for i in range(SITES)}) as pipeline:
        crowd(directory, pipeline, agents, series)
        time.sleep(WARM_UP_S * share)
        pids = {name: pipeline.processes[name].pid for name in PROGRAMS}
        with contextlib.ExitStack() as stack:
            peaks = {name: stack.enter_context(PeakMemory(pid)) for name, pid in pids.items()}
            before = {name: cpu_seconds(pid) for name, pid in pids.items()}, kafka_bytes(pipeline), documents(pipeline)
            begun = time.monotonic()
            time.sleep(COUNTED_S * share)
            real = time.monotonic() - begun
            after = {name: cpu_seconds(pid) for name, pid in pids.items()}, kafka_bytes(pipeline), documents(pipeline)
        pipeline.check_alive()
        figures = {f"{name}.cores": ((after[0][name] - before[0][name]) / real, "cores") for name in PROGRAMS}
        figures |= {f"{name}.rss_mib": (peaks[name].peak_mib, "MiB") for name in PROGRAMS}
        grown = {topic: (after[1][topic] - before[1][topic]) * a_day / real for topic, a_day in OF_A_DAY.items()}
        figures |= {f"kafka.{topic}_gb_a_day": (value / GB, "GB") for topic, value in grown.items() if value}
        figures["kafka.state_mib"] = (sum(size for topic, size in after[1].items() if topic.endswith("-state")) / 2 ** 20, "MiB")
        stored = {name: (after[2][name] - before[2][name]) * OF_A_DAY[name] / real for name in after[2]}
        figures["series"] = (stored["minutely"] / 1440, "series")
        for name in ("minutely", "hourly"):
            if after[2][name]:
                figures[f"mongo.{name}_gb_a_day"] = (stored[name] * document_bytes(pipeline, name) / GB, "GB")
        figures["lag_records"] = (pipeline.metric("sink", "millrace_sink_lag_records"), "records")
        pipeline.processes.pop("crowd").stop(30)
        return figures


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leave no broker behind
    raise_open_files(16384)  # of the crowd: ten an agent
    bench, kept = Bench(), {}
    wanted = [int(word) for word in sys.argv[1:]] or [agents for agents, _ in SHAPES]
    for agents, series in (shape for shape in SHAPES if shape[0] in wanted):
        with place("millrace-bench-") as directory:
            kept[agents] = measure(directory, agents, series)
        for name, (value, unit) in kept[agents].items():
            bench.add(f"sizing.{agents}_agents.{name}", unit, [value])
    print(json.dumps({agents: {name: round(value, 4) for name, (value, _) in figures.items()} for agents, figures in kept.items()}, indent=1))
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
