#!/usr/bin/env python3
"""What analysts get from deploy/analysts: both scripts as processes, on a running Millrace, against what was posted.

Transactions, failures and hosts' figures are posted over HTTP for some virtual minutes: on time, late, and while the processor is so short of memory that it
writes windows in parts (analysts_house.py, which has the oracle, too). TEST_SEED repeats a run's choices.
"""
import concurrent.futures
import json
import math
import pathlib
import re
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from datetime import datetime, timezone

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "tests" / "deploy"), str(pathlib.Path(__file__).resolve().parent)]
import cases  # noqa: E402
import confluent_kafka.admin  # noqa: E402
import duckdb  # noqa: E402
import pages  # noqa: E402
from analysts_house import ANALYSTS, CROWD, SEED, SITE, TOPIC, World  # noqa: E402
from millrace_local import Process, VENV_PYTHON, free_base_port, free_ports  # noqa: E402
from pipeline import MINUTE_MS, Pipeline  # noqa: E402

SPEED, START_MINUTE = 40, -110  # the clock begins in the past, so that, as in life, records are written after the minute that they tell of
BUDGET = "32Mi"
MINUTES, A_MINUTE = 6, 60


def iso(ms):
    return datetime.fromtimestamp(ms / 1000, timezone.utc).isoformat()


def near(got, want):
    """Rows alike: figures to some of the last bits, all else equal."""
    assert len(got) == len(want), (got, want)
    for a, b in zip(got, want):
        assert a.keys() == b.keys(), (a, b)
        for key, value in b.items():
            alike = math.isclose(a[key], value, rel_tol=1e-12, abs_tol=1e-12) if isinstance(value, float) else a[key] == value
            assert alike, (key, a, b)


def compare(world, answer, begin=0, end=2 ** 60, least=20):
    truth = world.writer.truth
    near(answer["routes"], truth.routes(begin, end, least)[:10])
    near(answer["error_rates"], truth.error_rates(begin, end, least)[:10])
    near(answer["hosts"], truth.hosts(begin, end)[:10])
    assert answer["overflowed"] == sum(begin <= minute < end for minute in truth.overflowed) and answer["site"] == SITE


def test_answers_are_those_of_what_was_posted(world):
    """While it is posted they are asked, too: what they said then does not matter, but the file goes on."""
    writer, pipeline = world.writer, world.pipeline
    stop, seen = threading.Event(), []

    def read_beside():
        while not stop.is_set():
            seen.append(look(world))

    reader = threading.Thread(target=read_beside)
    reader.start()
    try:
        for n in range(MINUTES):
            minute = pipeline.now_ms() // MINUTE_MS * MINUTE_MS
            writer.batch(minute, A_MINUTE)
            if n == 2:
                writer.press()
                writer.rare(minute)
                writer.overflow(minute)
            pipeline.wait_until_virtual(minute + MINUTE_MS)
        writer.batch(pipeline.now_ms() // MINUTE_MS * MINUTE_MS - 6 * MINUTE_MS, 40)  # late
        pipeline.wait_until_virtual(pipeline.now_ms() + 7 * MINUTE_MS)
        writer.batch(pipeline.now_ms() // MINUTE_MS * MINUTE_MS - 14 * MINUTE_MS, 40)
    finally:
        stop.set()
        reader.join()
    world.wait_stored()
    by_topic = world.ask("read_topic")
    compare(world, by_topic)
    assert by_topic["undecodable"] == 0
    with duckdb.connect(str(world.directory / "all.duckdb"), read_only=True) as db:
        (late,), = db.execute("SELECT count(*) FROM fragments WHERE late").fetchall()
        (parted,), = db.execute("SELECT count(*) FROM minutely WHERE fragments > 1 AND NOT late AND site = ?", [SITE]).fetchall()
    print(f"     {by_topic['fragments']} fragments of {by_topic['windows']} windows, {by_topic['windows_of_several']} merged, {late} late, "
          f"{parted} written in parts for want of memory beside {writer.crowd} series; {len(seen)} reads while writing; TEST_SEED={SEED}")
    assert late and parted and len(seen) >= 2 and not any(seen), [told for told in seen if told]


def look(world):
    """What is wrong with a look while things are written; the site may have nothing yet."""
    done = subprocess.run(world.command("read_topic", "--json"), capture_output=True, text=True, timeout=90)
    return None if done.returncode == 0 or "nothing is known of a site" in done.stderr else done.stderr


def test_the_database_answers_the_same(world):
    ever = ("--from", "1970-01-02", "--to", "2100-01-01")
    by_mongo = world.ask("read_mongo", *ever)
    compare(world, by_mongo)
    by_topic = world.ask("read_topic", *ever)
    for question in ("routes", "error_rates", "hosts"):
        near(by_mongo[question], by_topic[question])


def test_a_range_and_a_limit(world):
    minutes = sorted({minute for posted in world.writer.truth.transactions.values() for minute, _, _ in posted})
    begin, end = minutes[1], minutes[-2]
    for least in (1, 30):
        for script in ("read_topic", "read_mongo"):
            compare(world, world.ask(script, "--from", iso(begin), "--to", iso(end), "--least", str(least)), begin, end, least)
    for script in ("read_topic", "read_mongo"):
        near(world.ask(script, "--from", iso(begin), "--to", iso(end), "--limit", "2")["routes"], world.writer.truth.routes(begin, end, 20)[:2])


def tables(path):
    with duckdb.connect(str(path), read_only=True) as db:
        return [db.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in ("fragments", "minutely", "progress")]


def test_run_again_and_from_the_beginning_it_is_the_same(world):
    """To the last bit: again, into another file at once, and with the progress forgotten, so that all is read twice."""
    world.ask("read_topic", db="once.duckdb")
    first = tables(world.directory / "once.duckdb")
    assert world.ask("read_topic", db="once.duckdb")["read"] == 0
    assert tables(world.directory / "once.duckdb") == first
    with duckdb.connect(str(world.directory / "once.duckdb")) as db:
        db.execute("DELETE FROM progress")
    again = world.ask("read_topic", db="once.duckdb")
    assert again["read"] > 0 and again["new"] == 0 and tables(world.directory / "once.duckdb") == first
    assert tables(world.directory / "all.duckdb") == first, "what was read while it was written differs"
    fragments, windows, _ = first
    assert len(fragments) == len(world.fragments()) and len(windows) == len({(row[3], row[8]) for row in fragments})


def test_what_is_sent_again_from_the_dead_letters_counts_once(world):
    message = next(m for m in world.fragments() if m.value())
    (fields,) = [row for row in tables(world.directory / "all.duckdb")[0] if row[1:3] == (message.partition(), message.offset())]
    origin = f"v1 topic={TOPIC} epoch={fields[0]} partition={message.partition()} offset={message.offset()}"
    produce(world, message.value(), message.partition(), message.key(), [("millrace-origin", origin.encode())])
    answer = world.ask("read_topic")
    compare(world, answer)
    assert (answer["read"], answer["new"]) == (1, 0), answer


def produce(world, value, partition, key=None, headers=None, topic=TOPIC):
    producer = confluent_kafka.Producer({"bootstrap.servers": world.pipeline.env["KAFKA"]})
    producer.produce(topic, value, key, partition, headers=headers or [])
    assert producer.flush(30) == 0


def test_since(world):
    """Windows before are not asked for, as they may not be whole; and what was written since is all that is read."""
    minutes = sorted({minute for posted in world.writer.truth.transactions.values() for minute, _, _ in posted})
    compare(world, world.ask("read_topic", "--since", iso(minutes[2]), db="since.duckdb"), begin=minutes[2])
    out, told = world.run("read_topic", "--since", "2100-01-01", db="later.duckdb", code=1)
    assert told.startswith("0 records read") and "nothing is known of a site" in told, told


def test_tables_and_chart(world):
    for script in ("read_topic", "read_mongo"):
        out, _ = world.run(script, "--from", "1970-01-02", "--chart", world.directory / f"{script}.png", "--to", "2100-01-01")
        slowest = world.writer.truth.routes(0, 2 ** 60, 20)[0]
        assert re.search(rf"Mailer#perform \[background\] +{slowest['transactions']} ", out) and "Error rate by action" in out and "web-1" in out, out
        assert "2 values were beyond the site's cap of series" in out, out
        picture = (world.directory / f"{script}.png").read_bytes()
        width, height = struct.unpack(">II", picture[16:24])
        assert picture.startswith(b"\x89PNG") and width > 1000 and height > 600, (width, height)


def test_follow_until_ctrl_c(world):
    """It answers then; meanwhile nobody else gets the file."""
    total = len(world.fragments())
    follower = Process("follower", world.directory).start(world.command("read_topic", "--follow", "--json", db="follow.duckdb"))
    try:
        follower.wait_until(lambda: f"read {total:,} records" in follower.log_file.read_text(), 60, "following")
        _, told = world.run("read_topic", db="follow.duckdb", code=1)
        assert "lock" in told, told
        follower.signal(signal.SIGINT)
        assert follower.wait_end(30) and follower.exit_code == 0, follower.log_file.read_text()
    finally:
        follower.stop(5)
    text = follower.log_file.read_text()
    compare(world, json.loads(text[text.index("{\n"):text.rindex("}") + 1]))


def test_ctrl_c_while_it_reads(world):
    """What was read is kept, and the next run has the rest."""
    db = world.directory / "stopped.duckdb"
    reader = Process("stopped", world.directory).start(world.command("read_topic", db=db))
    try:
        reader.wait_until(db.exists, 30, "reading")
        reader.signal(signal.SIGINT)
        assert reader.wait_end(30) and reader.exit_code == 130, reader.log_file.read_text()
        assert "Traceback" not in reader.log_file.read_text()
    finally:
        reader.stop(5)
    compare(world, world.ask("read_topic", db=db))


def test_a_topic_that_was_made_again_and_one_that_was_cut(world):
    """Another topic's id: all of it is read, beside what is there. Records that went before they were read are told."""
    with duckdb.connect(str(world.directory / "once.duckdb")) as db:
        db.execute("UPDATE source SET topic_id = 'another'")
    out, told = world.run("read_topic", "--json", db="once.duckdb")
    assert "was made again" in told and json.loads(out)["new"] == 0, told
    compare(world, json.loads(out))
    world.pipeline.ctl("cell", "add", "other", "--replication-factor", "1", "--partitions", "1")
    other = "millrace.c.other.minutely"
    for number, until in ((1, 0), (3, 3)):
        for _ in range(number):
            produce(world, b"nonsense", 0, topic=other)
        if until:
            admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": world.pipeline.env["KAFKA"]})
            for future in admin.delete_records([confluent_kafka.TopicPartition(other, 0, until)]).values():
                future.result(30)
        _, told = world.run("read_topic", cell="other", db="other.duckdb", code=1)
    assert "offsets 1 to 2 went by the topic's retention" in told and "offset 3: no Aggregate" in told, told


def test_errors_say_what_is_wrong(world):
    nobody = f"127.0.0.1:{free_ports(1)[0]}"
    config = world.directory / "kafka.conf"
    config.write_text("# nothing\nsocket.timeout.ms=4000\n")

    def check(script, words, places, said):
        _, told = world.run(script, *words, code=1, **places)
        assert said in told and "secret" not in told, (said, told)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:  # they wait until their patience ends
        waiting = [pool.submit(check, *case) for case in (
            ("read_topic", (), {"kafka": nobody}, f"no answer from Kafka at {nobody}"),
            ("read_mongo", ("--uri", f"mongodb://{nobody}"), {}, "no answer from the database"))]
        for case in (
                ("read_topic", (), {"registry": f"http://{nobody}"}, f"no schema registry at http://{nobody}"),
                ("read_topic", (), {"cell": "nowhere"}, "there is no topic millrace.c.nowhere.minutely; cells here: main, other"),
                ("read_topic", (), {"cell": "other"}, f"the file is of {TOPIC}: take another one for millrace.c.other.minutely"),
                ("read_topic", (), {"site": "nobody"}, f"nothing is known of a site nobody; sites here: {CROWD}, {SITE}"),
                ("read_topic", ("--kafka-config", config), {"site": "nobody"}, "nothing is known of a site nobody"),
                ("read_topic", ("--kafka-config", "/nowhere"), {}, "/nowhere: No such file"),
                ("read_topic", ("--chart", "/nowhere/a.png"), {}, "/nowhere/a.png: No such file"),
                ("read_mongo", (), {"site": "nobody"}, "millrace.minutely has nothing of a site nobody"),
                ("read_mongo", ("--uri", "mongodb://me:secret@127.0.0.1"), {}, "a password has no place on a command line"),
                ("read_mongo", ("--uri", "http://127.0.0.1"), {}, "the URI: "),
                ("read_mongo", ("--uri-file", "/nowhere"), {}, "/nowhere: No such file")):
            check(*case)
        for case in waiting:
            case.result()
    for script in ("read_topic", "read_mongo"):
        assert "--site" in world.run(script, "--help")[0]
        _, told = world.run(script, "--from", "yesterday", code=2)
        assert "--from" in told, told


def test_the_readmes_commands(world):
    """Each as it stands there, but for where things are; and what it says in Python and SQL."""
    text = (ANALYSTS / "README.md").read_text()
    here = f"--site {SITE} --kafka {world.pipeline.env['KAFKA']} --registry {world.registry.url}"
    places = {"read_topic.py --site shop": f"read_topic.py {here}", "deploy/analysts/": f"{ANALYSTS}/", "python ": f"{VENV_PYTHON} ",
              "http://127.0.0.1:8080": world.registry.url, "mongodb://127.0.0.1:27017": world.pipeline.env["MONGO_1"],
              '"millrace.duckdb"': f'"{world.directory}/millrace.duckdb"',
              "2026-11-27T06:00": iso(world.pipeline.now_ms() - 12 * 60 * MINUTE_MS), "2026-11-27T19:00+01:00": iso(world.pipeline.now_ms())}
    commands = [command for kind, command in pages.read(text) if kind == "command"]
    assert len(commands) >= 6, commands
    for command in commands:
        if command.startswith("pip install"):
            continue  # of the same versions as ours: test_versions_are_ours
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", placed(command, places)], cwd=world.directory, capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)
    assert len(blocks) == 2
    for block in blocks:
        done = subprocess.run([VENV_PYTHON, "-c", placed(block, places)], cwd=ANALYSTS, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and done.stdout.strip(), f"{block}\n{done.stdout}{done.stderr}"


def test_the_readmes_sql(world):
    """It says what the page says it does, within the error that the page names."""
    query = re.search(r'\.sql\("""\n(.*?)"""\)', (ANALYSTS / "README.md").read_text(), re.S)[1]
    with duckdb.connect(str(world.directory / "all.duckdb"), read_only=True) as db:
        got = {action: (p95, n) for action, p95, n in db.execute(query).fetchall()}
    truth = {row["action"]: (row["p95"], row["transactions"]) for row in world.writer.truth.routes(0, 2 ** 60, 1)}
    assert got.keys() == truth.keys()
    for action, (p95, n) in truth.items():
        assert got[action][1] == n and abs(got[action][0] - p95) <= 0.0109 * p95, (action, got[action], truth[action])


def placed(text, places):
    for before, after in places.items():
        text = text.replace(before, after)
    return text


def test_bytes_of_others(world):
    """What is no Aggregate is passed over and counted; of a schema that nobody knows reading ends, by name, and goes on when it is known."""
    produce(world, b"\0\0\0\0\x04\xff", 0)
    produce(world, None, 0)
    answer = world.ask("read_topic")
    assert answer["undecodable"] == 2, answer
    compare(world, answer)
    produce(world, struct.pack(">bI", 0, 4711) + b"from the future", 3)
    for _ in range(2):
        _, told = world.run("read_topic", code=1)
        assert "schema id 4711: the registry does not know it" in told and "partition 3" in told, told


def test_versions_are_ours(_):
    lines = {line for line in (ANALYSTS / "requirements.txt").read_text().splitlines() if not line.startswith("#")}
    assert lines <= set((ROOT / "deploy" / "local" / "requirements.txt").read_text().splitlines()), lines


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-analysts-") as directory:
        with Pipeline(directory, free_base_port(), SPEED, START_MINUTE, {SITE: 1, CROWD: 1}, processor_settings=[f"memory.budget={BUDGET}"]) as pipeline:
            world = World(pipeline)
            only = sys.argv[1:]
            try:
                cases.run({name: case for name, case in globals().items() if not only or name in only}, world)
            finally:
                world.registry.stop()


if __name__ == "__main__":
    main()
