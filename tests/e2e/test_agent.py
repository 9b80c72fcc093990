#!/usr/bin/env python3
"""millrace-agent with real clients, in front of a real ingest and Kafka: what an application tells is in the samples topic; README's snippets work as they
stand there; the key is shown to nobody; 401, TLS, diagnose, --once, a stop."""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
import datadog.dogstatsd  # noqa: E402
import statsd  # noqa: E402
from agent_house import Agent, Clock, merged  # noqa: E402
from ingest_house import House  # noqa: E402
from millrace_local import free_base_port  # noqa: E402
from test_ingest_tls import Tls  # noqa: E402

SPEED = 20  # a slot is 1.5 s
KEY, REVOKED = House.new_key(), House.new_key()
SITE = "shop"


def secret(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text + "\n")
    return path


def wait_for(fits, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not (found := fits()):
        assert time.monotonic() < deadline, f"not {what} within {seconds} s"
        time.sleep(0.05)
    return found


def agent(house, name, *settings, url=None, key_file=None, env=None):
    own = Agent(name, house.directory, url or f"http://127.0.0.1:{house.main.push_port}", key_file or house.key_file, *settings, clock=house.clock, env=env)
    house.programs.append(own)
    return own


def stored(house):
    return merged(house.records(site=SITE))


def test_a_clock_a_site_and_an_agent(house):
    house.create_topics("main")
    house.put_cell("main")
    house.put_site(SITE, [KEY])
    house.clock = Clock(SPEED)
    house.main = house.ingest("ingest", *house.clock.settings(), test_clock=True).wait_ready()
    house.key_file = secret(house.directory / "key", KEY)
    house.agent = agent(house, "first", "environment=test", "revision=abc").start()
    wait_for(lambda: house.agent.admin("/health/ready")[0] == 200, "ready")


def test_statsd_package(house):
    client = statsd.StatsClient("127.0.0.1", house.agent.statsd_port, prefix="py")
    before = house.agent.status()["statsd"]["values"]
    for _ in range(10):
        client.incr("orders")
    client.incr("orders", 5)
    client.gauge("level", 40)
    client.gauge("level", 2, delta=True)
    client.timing("took", 12.5)
    client.timing("took", 100)
    client.set("visitors", "kim")
    client.set("visitors", "kim")
    client.set("visitors", "lee")
    with client.pipeline() as pipe:
        pipe.incr("batched")
        pipe.incr("batched", 2)
    house.agent.told(before + 20)
    house.agent.delivered()
    found = stored(house)
    assert found["counter py.orders"]["sum"] == 15, found
    assert found["counter py.batched"]["sum"] == 3, found
    assert found["gauge py.level"]["max"] == 42, found
    assert found["distribution py.took"] == {"count": 2, "sum": 112.5, "min": 12.5, "max": 100}, found
    assert found["gauge py.visitors"]["max"] == 2, found


def test_datadog_package(house):
    client = datadog.dogstatsd.DogStatsd(socket_path=house.agent.statsd_socket, constant_tags=["team:web"], disable_telemetry=True)
    before = house.agent.status()["statsd"]
    client.increment("dd.orders", 3, tags=["payment:card"])
    client.decrement("dd.refused")
    client.gauge("dd.level", 7.25)
    client.histogram("dd.size", 1000)
    client.distribution("dd.size", 3000)
    client.timing("dd.took", 20)
    client.set("dd.visitors", "kim")
    client.event("deployed", "all is well")
    client.service_check("db", 0)
    client.flush()
    status = house.agent.wait_status(lambda s: s["statsd"]["values"] >= before["values"] + 6 and s["statsd"]["service_checks"] > 0, "told all")
    assert status["statsd"]["refused"] == before["refused"] + 1, "a counter went below zero"
    assert status["statsd"]["events"] == 1 and status["statsd"]["service_checks"] == 1, status["statsd"]
    house.agent.delivered()
    found = stored(house)
    assert found["counter dd.orders payment=card team=web"]["sum"] == 3, found
    assert found["gauge dd.level team=web"]["sum"] == 7.25, found
    assert found["distribution dd.size team=web"] == {"count": 2, "sum": 4000, "min": 1000, "max": 3000}, found
    assert found["gauge dd.visitors team=web"]["sum"] == 1, found


def test_the_machine_is_measured_and_tagged(house):
    house.agent.delivered()
    host = socket.gethostname()
    own = {series for series in stored(house) if f"host={host}" in series}
    assert any(series.startswith("gauge") for series in own) and any(series.startswith("counter") for series in own), own
    assert not any(f"host={host}" in series for series in stored(house) if " py." in series or " dd." in series)


def snippets():
    """[(language, text)] of README's clients."""
    text = (ROOT / "ingest" / "agent" / "README.md").read_text()
    text = text.split("## Clients in five lines")[1].split("\n## ")[0]
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)
    assert len(found) == 4 and all(len(body.splitlines()) <= 5 for _, body in found), found
    return found


def test_snippets_of_the_readme_run_as_they_stand(house):
    home = house.directory / "home"
    home.mkdir()
    secret(home / ".millrace-header", f"Authorization: Bearer {KEY}")
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "STATSD_PORT": str(house.agent.statsd_port),
                   "LINES_SOCKET": house.agent.lines_socket, "PUSH_URL": f"http://127.0.0.1:{house.main.push_port}"}
    programs = {"bash": ["bash", "-euc"], "python": [sys.executable, "-c"]}
    before = house.agent.status()
    for language, body in snippets():
        done = subprocess.run([*programs[language], body], env=environment, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, (body, done.stdout, done.stderr)
    house.agent.told(before["statsd"]["values"] + 3)
    house.agent.wait_status(lambda s: s["lines"]["accepted"] == before["lines"]["accepted"] + 1, "taking the line")
    status = house.agent.delivered()
    assert status["push"]["rejected_samples"] == 0, status["push"]
    found = stored(house)
    assert found["counter shop.orders payment=card"]["sum"] == 1, found
    assert found["distribution shop.checkout payment=card"]["sum"] == 12.5, found
    assert found["gauge shop.carts"]["sum"] == 3, found
    assert found["counter shop.refunds"]["sum"] == 1, found


def test_once_prints_what_ingest_takes(house):
    """Beside the agent that runs: what that one has is left out. An agent of its own listens."""
    own = agent(house, "once")
    told = threading.Event()

    def tell():
        wait_for(lambda: os.path.exists(own.lines_socket), "listening")
        own.tell("once.orders:2|c\nonce.took:5|ms")
        with socket.socket(socket.AF_UNIX) as lines:
            lines.connect(own.lines_socket)
            lines.sendall(b'{"check_in": {"name": "nightly", "kind": "cron", "event": "start"}}\n')
        told.set()
    teller = threading.Thread(target=tell)
    teller.start()
    code, out, err = own.run("--once")
    teller.join()
    assert code == 0 and told.is_set(), err
    payload = json.loads(out)
    metrics = {metric["name"]: metric for metric in payload["metrics"]}
    assert metrics["once.orders"]["points"][0]["v"] == 2 and metrics["once.took"]["kind"] == "distribution", out
    assert [c["name"] for c in payload["check_ins"]] == ["nightly"], out
    assert any("host" in metric.get("tags", {}) for metric in payload["metrics"])
    answer = house.main.push(KEY, payload)
    assert answer.status == 202 and answer.body["rejected"] == [], answer
    assert not (own.spool / "rejected").exists() and stored(house)["counter once.orders"]["sum"] == 2
    code, out, err = house.agent.run("--once")
    assert code == 0 and err.count("inlet_left_out") == 3 and json.loads(out)["metrics"], err
    assert house.agent.status(), "it still answers"


def test_the_key_is_nowhere(house):
    own = agent(house, "environment", env={"MILLRACE_KEY": KEY})
    own.settings = [word for word in own.settings if not word.startswith("key.file")]
    own.settings = [w for i, w in enumerate(own.settings) if not (w == "--set" and (i + 1 == len(own.settings) or own.settings[i + 1] == "--set"))]
    own.start()
    own.tell("environment.orders:1|c")
    own.told(1)
    own.delivered()
    for each in (own, house.agent):
        folder = Path(f"/proc/{each.process.pid}")
        shown = [(folder / name).read_bytes() for name in ("cmdline", "environ")]
        shown += [each.log().encode(), json.dumps(each.status()).encode(), each.admin("/metrics")[1].encode()]
        shown += [text.encode() for word in ("diagnose", "status", "--print-config", "--once") for text in each.run(word)[1:]]
        shown += [path.read_bytes() for path in each.spool.rglob("*") if path.is_file()]
        assert not any(KEY.encode() in text for text in shown), each.directory
    own.stop()
    code, _, err = house.agent.run("--set", f"key={KEY}")
    assert code != 0 and "process list" in err and KEY not in err, err


def test_401_keeps_and_a_good_key_goes_on(house):
    key_file = secret(house.directory / "second-key", REVOKED)
    own = agent(house, "refused", "host.metrics=false", key_file=key_file).start()
    own.tell("refused.orders:4|c")
    status = own.wait_status(lambda s: s["push"]["key_refused"] and s["spool"]["payloads"] > 0, "refused")
    assert status["push"]["last_status"] == 401 and "key" in status["state"], status
    wait_for(lambda: own.admin("/health/ready")[0] == 503, "not ready")
    own.tell("refused.orders:3|c")
    own.wait_status(lambda s: s["spool"]["payloads"] == 2, "spooling on")
    assert own.status()["push"]["posts"] <= 2, "a refused key is not tried again and again"
    secret(key_file, KEY)
    status = own.delivered()
    assert not status["push"]["key_refused"] and status["spool"]["dropped_payloads"] == 0, status
    own.stop()
    assert stored(house)["counter refused.orders"]["sum"] == 7


def test_tls_is_verified(house):
    tls = Tls(house.directory)
    secure = house.ingest("tls", f"push.tls_cert_file={tls.cert}", f"push.tls_key_file={tls.key}", *house.clock.settings(), test_clock=True).wait_ready()
    url = f"https://127.0.0.1:{secure.push_port}"
    own = agent(house, "tls-wrong", f"push.ca_file={tls.second[0]}", "host.metrics=false", url=url).start()
    own.tell("tls.orders:1|c")
    status = own.wait_status(lambda s: s["push"]["last_error"] and s["spool"]["payloads"] == 1, "refusing the certificate")
    assert "certificate" in status["push"]["last_error"], status["push"]
    code, out, _ = own.run("diagnose")
    assert code == 1 and re.search(r"FAIL tls .*certificate", out) and "push.ca_file" in out, out
    own.stop()
    own.settings = [word.replace(str(tls.second[0]), str(tls.first[0])) for word in own.settings]
    own.start()  # with what the first one has spooled
    own.wait_status(lambda s: s["spool"]["payloads"] == 0 and s["push"]["accepted_payloads"] == 1, "sending it")
    code, out, _ = own.run("diagnose")
    assert code == 0 and "the certificate is good" in out, out
    own.stop()
    assert stored(house)["counter tls.orders"]["sum"] == 1


def test_the_proxy_of_the_environment_is_used(house):
    heard = []

    def serve(listener):
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            heard.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        own = agent(house, "proxied", "host.metrics=false", "stop.timeout=0", url="http://push.example",
                    env={"http_proxy": f"http://127.0.0.1:{listener.getsockname()[1]}"}).start()
        own.tell("proxied.orders:1|c")
        thread.join(30)
    own.wait_status(lambda s: s["push"]["failed_posts"] > 0 and s["spool"]["payloads"] == 1, "keeping what the proxy refused")
    own.process.kill()
    assert heard and heard[0].startswith(b"POST http://push.example/v1/push"), heard


def test_diagnose_names_what_is_wrong(house):
    code, out, _ = house.agent.run("diagnose")
    assert code == 0 and "FAIL" not in out and "an agent is using it" in out and "in use, as an agent runs" in out, out
    bad = agent(house, "bad", f"spool.dir={house.directory}/none/spool", key_file=secret(house.directory / "bad-key", REVOKED))
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", bad.statsd_port))
        code, out, _ = bad.run("diagnose")
    assert code == 1 and [line.split()[1] for line in out.splitlines() if line.startswith("FAIL")] == ["key", "spool", "statsd"], out
    nowhere = agent(house, "nowhere", url="http://127.0.0.1:9")
    nowhere.spool.mkdir()
    code, out, _ = nowhere.run("diagnose")
    assert code == 1 and [line.split()[1] for line in out.splitlines() if line.startswith("FAIL")] == ["connection"], out
    unknown = agent(house, "unknown", url="http://no-such-name.invalid")
    unknown.spool.mkdir()
    code, out, _ = unknown.run("diagnose")
    assert code == 1 and [line.split()[1] for line in out.splitlines() if line.startswith("FAIL")] == ["name"], out


def test_diagnose_shows_no_more_than_it_should(house):
    """A server that repeats the key, and one that would command the terminal; both years off."""
    def serve(listener):
        for text in (KEY, "\x1b[2Jgone"):
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                connection.recv(65536)
                connection.sendall(f"HTTP/1.1 418 no\r\nDate: Thu, 01 Jan 2015 00:00:00 GMT\r\nConnection: close\r\n\r\nsee {text}\nmore".encode())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        own = agent(house, "echo", url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        own.spool.mkdir()
        for shown in ("(an answer that repeats the key)", "see ?[2Jgone"):
            code, out, err = own.run("diagnose")
            assert code == 1 and KEY not in out + err and "\x1b" not in out and f"answer 418: {shown}" in out and "more" not in out, out
            assert re.search(r"FAIL clock +\d+ s ahead of the server's", out), out


def test_a_second_agent_does_not_take_the_spool(house):
    code, _, err = house.agent.run("--set", "admin.listen=")
    assert code == 1 and "spool" in err, err
    assert house.agent.status()


def test_a_stop_tells_what_was_collected(house):
    before = house.agent.status()["statsd"]["values"]
    house.agent.tell(f"last.orders:9|c\nplanned.orders:5|c|T{house.clock.now_ms() // 1000 + 300}")  # the second, for a slot that is not open yet
    house.agent.told(before + 2)
    house.agent.stop()
    found = stored(house)
    if "counter last.orders" not in found:  # the post of a flush before was under way: a stop begins no other, and the next start must send it
        house.agent.start()
        house.agent.wait_status(lambda s: s["spool"]["payloads"] == 0, "sending what the stop has left")
        house.agent.stop()
        found = stored(house)
    assert found["counter last.orders"]["sum"] == 9 and found["counter planned.orders"]["sum"] == 5, found
    assert not os.path.exists(house.agent.status_socket) and not os.path.exists(house.agent.statsd_socket)
    own = agent(house, "unreachable", "stop.timeout=500ms", "host.metrics=false", url="http://127.0.0.1:9").start()
    own.tell("later.orders:9|c")
    own.told(1)
    own.stop()
    own.settings = [word.replace("http://127.0.0.1:9", f"http://127.0.0.1:{house.main.push_port}") for word in own.settings]
    own.start()
    own.wait_status(lambda s: s["push"]["accepted_payloads"] == 1, "sending what was spooled")
    own.stop()
    assert stored(house)["counter later.orders"]["sum"] == 9


def test_it_links_no_kafka(house):
    linked = subprocess.run(["ldd", house.agent.command()[0]], capture_output=True, text=True, check=True, timeout=30).stdout
    assert "curl" in linked and "rdkafka" not in linked, linked


def main():
    with tempfile.TemporaryDirectory(prefix="millrace-agent-") as directory, House(directory, free_base_port()) as house:
        cases.run(globals(), house)


if __name__ == "__main__":
    main()
