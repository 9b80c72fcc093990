#!/usr/bin/env python3
"""docker-compose.yml is valid and keeps what its header promises; so do deploy/compose.cell.yml, the image's file, and what Prometheus is told to scrape.

Judged by the real Compose, run without an engine: `config` resolves anchors, defaults and overrides as `up` would. That it runs, tests/containers shows.
"""
import functools
import http.server
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "tests" / "e2e"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
import compose_rules as rules  # noqa: E402
from millrace_local import BINARIES, PARTS, PROMTOOL  # noqa: E402

TOOLS = PARTS / "venv" / "bin"
THIRD = ("-f", ROOT / "deploy" / "compose.cell.yml")
DEPLOY = ROOT / "deploy"
CORE = {"setup", "ingest", "status"} | {f"kafka-{n}" for n in (1, 2, 3)} | {
    name for cell in ("main", "other")
    for name in (f"processor-{cell}", f"sink-{cell}", f"notify-{cell}", f"mongo-{cell}-setup", *(f"mongo-{cell}-{n}" for n in (1, 2, 3)))}
PROFILES = {"observability": {"prometheus", "grafana"}, "load": {"agent-setup", "agent"}, "tools": {"ctl"}}
YAMLLINT = "{extends: default, rules: {line-length: {max: 160}, document-start: disable}}"


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


def compose(*words, **env):
    """Runs docker-compose on the project's file with an environment that has nothing of Millrace's but env."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MILLRACE_", "COMPOSE_"))}
    return run(TOOLS / "docker-compose", "-f", ROOT / "docker-compose.yml", *words, env={**clean, **env})


@functools.lru_cache(maxsize=None)
def config_text(files, profile, env):
    done = compose(*files, *(("--profile", profile) if profile else ()), "config", "--format", "json", **dict(env))
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


def config(*files, profile="*", **env):
    """The file as Compose understands it, all profiles included; '': none."""
    return json.loads(config_text(files, profile, tuple(sorted(env.items()))))


def test_is_valid():
    for profile in ("", *PROFILES):
        done = compose(*(("--profile", profile) if profile else ()), "config", "-q")
        assert done.returncode == 0 and not done.stderr, (profile, done.stderr)
    done = run(TOOLS / "docker-compose", "-f", "-", "config", "-q", input="services: {ingest: {imagee: x}}")
    assert done.returncode != 0, "the judge cannot say no"


def test_profiles_choose():
    assert set(config(profile="")["services"]) == CORE
    for profile, more in PROFILES.items():
        assert set(config(profile=profile)["services"]) == CORE | more, profile


def test_keeps_its_promises():
    """Every rule, on the file and with a third cell beside."""
    for files in ((), THIRD):
        found = [f"{rule.__name__}: {wrong}" for rule in rules.RULES for wrong in rule(config(*files)) if not files or rule != rules.laptop]
        assert not found, "\n".join(found)


BROKEN = [
    ("confined", "sink-main/cap_drop", None), ("confined", "grafana/security_opt", []), ("confined", "mongo-main-1/read_only", False),
    ("confined", "ingest/privileged", True), ("confined", "agent/pids_limit", None), ("confined", "notify-main/network_mode", "host"),
    ("confined", "processor-main/cap_add", ["SYS_PTRACE"]), ("non_root", "mongo-main-2/user", None), ("non_root", "ingest/user", "0:0"),
    ("budgets", "mongo-other-3/memswap_limit", "1073741824"), ("budgets", "setup/mem_limit", None),
    ("budgets", "processor-main/environment/MILLRACE_MEMORY_BUDGET", "500Mi"), ("budgets", "agent/tmpfs", ["/x:size=17m"]),
    ("laptop", "kafka-1/mem_limit", str(6 << 30)),
    ("networks", "notify-main/networks", {"stream": None, "observe": None, "store-main": None}), ("networks", "mongo-main-1/networks", {"stream": None}),
    ("networks", "sink-other/networks", {"stream": None, "observe": None, "store-main": None}),
    ("networks", "agent/networks", {"stream": None}), ("networks", "status/networks", {"stream": None, "observe": None, "store-main": None}), ("networks", "prometheus/networks", {"observe": None, "stream": None}),
    ("health", "sink-main/healthcheck", None), ("health", "processor-other/healthcheck/test", ["CMD", "millrace-healthcheck", "9103"]),
    ("health", "notify-main/environment/MILLRACE_ADMIN_LISTEN", "127.0.0.1:9104"), ("health", "prometheus/healthcheck", None),
    ("secrets_are_files", "sink-main/environment/MILLRACE_MONGO_URI", "mongodb://mongo-main-1"),
    ("secrets_are_files", "grafana/environment/GF_SECURITY_ADMIN_PASSWORD", "admin"), ("secrets_are_files", "agent/environment/MILLRACE_KEY", "mr_x"),
    ("secrets_are_files", "sink-other/secrets", [{"source": "mongo-main-uri"}]), ("secrets_are_files", "sink-main/secrets", None),
    ("secrets_are_files", "ingest/secrets", [{"source": "mongo-main-uri"}]),
    ("volumes", "ingest/volumes/0/read_only", False), ("volumes", "mongo-main-2/volumes/0/source", "mongo-main-1"),
    ("volumes", "agent/volumes/0/read_only", None), ("volumes", "prometheus/volumes/0/read_only", None),
    ("volumes", "ingest/volumes/0/target", "/run/millrace-notify"),
    ("ports", "ingest/ports/0/host_ip", "0.0.0.0"), ("ports", "ingest/ports/0/published", "4318"), ("ports", "grafana/ports/0/host_ip", None),
    ("ports", "status/ports/0/published", "8081"), ("ports", "status/ports/0/host_ip", None), ("ports", "status/environment/MILLRACE_STATUS_LISTEN", "127.0.0.1:8080"),
    ("volumes", "status/volumes/0/read_only", None), ("volumes", "sink-main/volumes/0/target", "/var/lib/millrace-status"),
    ("ports", "kafka-1/ports", [{"host_ip": "127.0.0.1", "published": "9092"}]),
    ("scales", "processor-main/container_name", "p"), ("scales", "sink-main/hostname", "s"), ("scales", "notify-main/ports", [{}]),
    ("scales", "processor-main/environment/MILLRACE_INSTANCE_ID", "p1"), ("scales", "processor-main/command", ["millrace-sink"]),
    ("stops", "processor-main/stop_grace_period", "10s"), ("stops", "ingest/init", True), ("stops", "kafka-2/stop_grace_period", None),
    ("stops", "ingest/stop_grace_period", "40s"), ("tmpfs", "agent/tmpfs", ["/x:size=16m"]), ("tmpfs", "mongo-main-setup/tmpfs", ["/tmp", "/data/db"]),
    ("restarts", "setup/restart", "unless-stopped"), ("restarts", "kafka-3/restart", None), ("logs", "agent/logging", None),
    ("logs", "kafka-1/logging/options/max-size", None), ("images", "grafana/image", "grafana/grafana:latest"), ("images", "mongo-main-1/image", "mongo"),
    ("images", "ingest/image", "mongo:7"), ("images", "ingest/build", {"context": "."}), ("images", "setup/build/args", {}),
    ("order", "ingest/depends_on", None), ("order", "setup/depends_on/kafka-3", None), ("order", "sink-main/depends_on/mongo-main-setup", None),
    ("order", "mongo-main-setup/depends_on/mongo-main-3/condition", "service_started"), ("order", "agent/depends_on", None),
    ("order", "agent/depends_on/ingest", None),
    ("kafka", "kafka-2/environment/KAFKA_MIN_INSYNC_REPLICAS", "1"), ("kafka", "kafka-3/environment/KAFKA_NODE_ID", "2"),
    ("kafka", "agent/environment/MILLRACE_KAFKA_BOOTSTRAP_SERVERS", "kafka-1:9092"), ("kafka", "ctl/environment", None),
    ("members", "mongo-other-1/command", ["mongod", "--replSet", "cell-main", "--wiredTigerCacheSizeGB", "0.25"]),
    ("members", "sink-other/environment/MILLRACE_CELL", "main"), ("members", "mongo-other-setup/environment/CELL", "main"),
    ("members", "mongo-main-1/mem_limit", str(400 << 20)), ("profiles", "grafana/profiles", None), ("profiles", "notify-main/profiles", ["load"]),
]


def test_each_rule_can_say_no():
    whole = config()
    for name, path, value in BROKEN:
        way = [int(word) if word.isdigit() else word for word in path.split("/")]
        copy = json.loads(json.dumps(whole))
        at = copy["services"]
        for word in way[:-1]:
            at = at[word]
        if value is None:
            at.pop(way[-1])
        else:
            at[way[-1]] = value
        assert list(getattr(rules, name)(copy)), f"{name} does not see {path} = {value}"
    assert {name for name, _, _ in BROKEN} == {rule.__name__ for rule in rules.RULES}


def test_third_cell_stands_apart():
    """It adds what a cell has, changes nothing that is there, and meets it at Kafka alone (L5)."""
    without, with_third = config()["services"], config(*THIRD)["services"]
    added = set(with_third) - set(without)
    assert {name: with_third[name] for name in without} == without
    assert added == {"setup-third"} | {name.replace("other", "third") for name in without if "other" in name}, added
    for name in added - {"setup-third"}:
        model = json.dumps(without[name.replace("third", "other")]).replace("other", "third").replace('"setup"', '"setup-third"')
        assert json.dumps(with_third[name]) == model, f"{name} is not as its model"
    assert with_third["setup-third"]["command"] == ["millrace-ctl", "cell", "add", "third"]


def test_addresses_of_databases_are_files():
    """Those committed name a cell's three members, and hold no password; the environment names others, cell by cell."""
    for cell, variable in (("main", "MILLRACE_MONGO_MAIN_URI_FILE"), ("other", "MILLRACE_MONGO_OTHER_URI_FILE"), ("third", "MILLRACE_MONGO_THIRD_URI_FILE")):
        at = Path(config(*THIRD)["secrets"][f"mongo-{cell}-uri"]["file"])
        hosts = ",".join(f"mongo-{cell}-{n}:27017" for n in (1, 2, 3))
        assert at.read_text() == f"mongodb://{hosts}/?replicaSet=cell-{cell}\n", at
        assert at.stat().st_mode & stat.S_IROTH, f"{at}: uid 10001 cannot read it"
        moved = config(*THIRD, **{variable: "/srv/uri"})["secrets"]
        assert {name for name, secret in moved.items() if secret["file"] == "/srv/uri"} == {f"mongo-{cell}-uri"}


def test_keys_may_come_from_folders():
    """Of receivers, and the admin ports' token: in a volume, or in the folder that the environment names."""
    for variable, target in (("MILLRACE_NOTIFY_SECRETS", "/run/millrace-notify"), ("MILLRACE_ADMIN_TOKEN_DIR", "/run/millrace-admin")):
        services = config(**{variable: "/srv/keys"})["services"]
        found = {(v["type"], v["source"]) for s in services.values() for v in s.get("volumes", []) if v["target"] == target}
        assert found == {("bind", "/srv/keys")}, found
    notify = config()["services"]["notify-main"]
    assert notify["environment"]["MILLRACE_NOTIFY_SECRETS_DIR"] == "/run/millrace-notify"


def environment_here(service, folder):
    """What Compose gives a program, with the files that stand in containers only replaced by some in folder."""
    env = {"PATH": os.environ["PATH"], **service["environment"]}
    for key, value in env.items():
        if key.endswith("_FILE"):
            env[key] = str(folder / Path(value).name)
            Path(env[key]).write_text("mongodb://a/" if "URI" in key else "mr_" + 43 * "k")
            Path(env[key]).chmod(0o600)
    return env


def test_programs_know_their_settings():
    """--check-config with the environment that Compose gives: an unknown or wrong setting is refused."""
    with tempfile.TemporaryDirectory() as folder:
        for name, service in rules.programs(config()):
            env = environment_here(service, Path(folder))
            command = [BINARIES / service["command"][0], "--check-config"]
            done = run(*command, env=env)
            assert done.returncode == 0, f"{name}: {done.stderr}"
            done = run(*command, env={**env, "MILLRACE_NO_SUCH_THING": "1"})
            assert done.returncode != 0, f"{name} takes settings it does not know"
            default = run(command[0], "--print-config", env={"PATH": env["PATH"]}).stdout
            assert f"admin.listen = 127.0.0.1:{rules.ADMIN_PORTS[rules.role(name)]}  # default\n" in default, default
            shown = run(command[0], "--print-config", env=env).stdout
            assert ("mongo.uri = (set)  # MILLRACE_MONGO_URI_FILE\n" in shown) == (rules.role(name) == "sink"), shown
            assert re.search(r"^instance\.id = +# default$", shown, re.M), f"{name} is a static member"


STUB = """#!/bin/bash
# millrace-ctl: writes its words down, fails as often as there are files fail-*, and makes keys.
echo "$@" >> "$STUB_DIR/calls"
for file in "$STUB_DIR"/fail-*; do
  [ -e "$file" ] && rm "$file" && exit 1
done
case "$*" in
  "key create demo") printf 'mr_%043d\\n' "$(date +%s%N)" ;;
  "site list") cat "$STUB_DIR/sites" 2> /dev/null ;;
  "site show demo") [ -e "$STUB_DIR/sites" ] ;;
esac
"""


class Job:
    """The script of a one-shot service, run by the bash of this machine in a folder instead of the container's, against a millrace-ctl that is a stub."""

    def __init__(self, service, folder):
        words = config()["services"][service]["command"]
        self.folder, self.stub = folder / "volume", folder / "stub"
        for made in (self.folder, self.stub):
            made.mkdir()
        script, nr = re.subn(r"^cd \S+$", f"cd {self.folder}", words[-1].replace("$$", "$"), flags=re.M)
        assert nr == 1 and words[:-1] == ["bash", "-euc"], words
        self.command = [*words[:-1], script]
        for name, text in (("millrace-ctl", STUB), ("sleep", "#!/bin/bash\n")):
            (self.stub / name).write_text(text)
            (self.stub / name).chmod(0o755)

    def run(self, fail=0):
        """The exit code, and what millrace-ctl was told."""
        for n in range(fail):
            (self.stub / f"fail-{n}").touch()
        calls = self.stub / "calls"
        calls.unlink(missing_ok=True)
        done = run(*self.command, env={"PATH": f"{self.stub}:{os.environ['PATH']}", "STUB_DIR": str(self.stub)})
        for left in self.stub.glob("fail-*"):
            left.unlink()
        return done.returncode, calls.read_text().splitlines() if calls.exists() else []


def test_setup_may_be_repeated():
    """A token that only its owner reads is drawn once; topics are tried again while brokers are still coming, and given up at last."""
    whole = ["topics apply", "cell add main", "cell add other"]
    with tempfile.TemporaryDirectory() as folder:
        job = Job("setup", Path(folder))
        assert job.run() == (0, whole)
        token = job.folder / "token"
        first = token.read_text()
        assert re.fullmatch(r"[0-9a-f]{48}", first) and stat.S_IMODE(token.stat().st_mode) == 0o600, first
        assert job.run(fail=3) == (0, 3 * ["topics apply"] + whole) and token.read_text() == first
        code, calls = job.run(fail=100)
        assert code != 0 and calls == 15 * ["topics apply"], (code, calls)
        token.write_text("")  # what a crash may leave
        assert job.run()[0] == 0 and token.read_text() not in ("", first)


def test_agents_key_is_made_once():
    with tempfile.TemporaryDirectory() as folder:
        job = Job("agent-setup", Path(folder))
        code, calls = job.run()
        assert code == 0 and calls == ["site show demo", "site add demo --cell main", "key create demo"], calls
        key = job.folder / "key"
        first = key.read_text()
        assert first.startswith("mr_") and stat.S_IMODE(key.stat().st_mode) == 0o600
        (job.stub / "sites").write_text(f"demo  main  live  {first[:11]}\n")
        assert job.run() == (0, ["site show demo", "site list"]) and key.read_text() == first
        (job.stub / "sites").write_text("demo  main  live  mr_another1\n")  # the volume outlived Kafka's
        code, calls = job.run()
        assert code == 0 and calls[-1] == "key create demo" and key.read_text() != first
        assert job.run(fail=2)[0] != 0, "goes on though site add failed"


MONGOSH = """
const state = JSON.parse(process.env.STATE), told = []
globalThis.print = text => told.push(text)
globalThis.quit = code => { console.log(JSON.stringify({code, told, slept: state.slept || 0})); process.exit(code) }
globalThis.sleep = () => { state.slept = (state.slept || 0) + 1 }
globalThis.connect = url => { told.push(url); return {getSiblingDB: name => ({adminCommand: command => {
  const [what] = Object.keys(command)
  if (what === "hello") return {primary: state.made && (state.slept || 0) >= state.primary_after ? "somebody" : undefined}
  if (what === "replSetGetStatus" && !state.made) throw Object.assign(new Error("no"), {codeName: state.error || "NotYetInitialized"})
  if (what === "replSetInitiate") { told.push(command.replSetInitiate); state.made = true }
  return {ok: 1}
}})} }
require("vm").runInThisContext(process.env.SCRIPT)
quit(0)
"""


def replica_set(**state):
    """What mongosh's script does, told by Node with a stub of mongosh: the exit code, what it said and did, and how long it waited."""
    words = config()["services"]["mongo-other-setup"]["command"]
    assert words[:-1] == ["mongosh", "--nodb", "--quiet", "--eval"], words
    env = {"PATH": os.environ["PATH"], "CELL": "other", "SCRIPT": words[-1].replace("$$", "$"), "STATE": json.dumps(state)}
    done = run("node", "-e", MONGOSH, env=env)
    return json.loads(done.stdout) if done.stdout else {"code": done.returncode, "told": [done.stderr]}


def test_replica_set_is_made_once():
    made = {"_id": "cell-other", "members": [{"_id": n, "host": f"mongo-other-{n}:27017"} for n in (1, 2, 3)]}
    done = replica_set(primary_after=5)
    assert (done["code"], done["slept"], done["told"][1:]) == (0, 5, [made]), done
    assert done["told"][0] == "mongodb://mongo-other-1:27017/?directConnection=true"
    done = replica_set(primary_after=0, made=True)
    assert (done["code"], done["slept"], len(done["told"])) == (0, 0, 1), done
    assert replica_set(primary_after=0, error="Unauthorized")["code"] != 0
    done = replica_set(primary_after=1000)
    assert done["code"] == 1 and "no primary" in done["told"][-1], done


def test_upgrades_keep_what_is_scaled():
    """`up` without --scale goes back to one: where a page makes services anew, it says how many."""
    page = (DEPLOY / "UPGRADE.md").read_text()
    assert "docker compose up -d" in page and "--scale" in page


class Answer(http.server.BaseHTTPRequestHandler):
    code = 200

    def do_GET(self):
        self.send_response(self.code if self.path == "/health/ready" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_healthcheck_believes_200_alone():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = str(server.server_address[1])
        for Answer.code, good in ((200, True), (503, False), (500, False), (200, True)):
            assert (run(DEPLOY / "healthcheck", port).returncode == 0) == good, Answer.code
        server.shutdown()
    assert run(DEPLOY / "healthcheck", port).returncode != 0, "nobody is there"
    assert run(DEPLOY / "healthcheck").returncode != 0


def test_image_is_small_and_without_root():
    """By the Dockerfile's text, as no engine is at hand here; and by hadolint."""
    text = (DEPLOY / "Dockerfile").read_text()
    stages = re.findall(r"^FROM (\S+)", text, re.M)
    last = text[text.rindex("FROM "):]
    assert stages == ["debian:bookworm", "debian:bookworm-slim"], stages
    assert re.findall(r"^USER (.*)$", text, re.M) == ["10001"] and "-dev" not in last and not re.search(r"\b(gcc|make)\b", last)
    assert set(re.search(r"^EXPOSE (.*)$", last, re.M)[1].split()) == {"4318", "8080", *map(str, rules.ADMIN_PORTS.values())}
    mounted = {v["target"] for name, s in rules.programs(config()) for v in s.get("volumes", [])}
    for folder in mounted:
        assert f" {folder}" in re.search(r"install -d -o millrace (.*)", last)[0], f"a new volume at {folder} would be root's"
    done = run(TOOLS / "hadolint", DEPLOY / "Dockerfile")
    assert done.returncode == 0, done.stdout
    assert run(TOOLS / "hadolint", "-", input="FROM debian:latest\nRUN cd /x\n").returncode != 0


def packages(stage):
    """What a stage of the Dockerfile installs."""
    text = (DEPLOY / "Dockerfile").read_text().split("\nFROM ")[stage]
    return set(re.search(r"install --no-install-recommends -y ((?:\\\n|.)*?)&&", text)[1].replace("\\", " ").split())


def test_image_has_the_libraries():
    """The packages of every library that a program names are installed, and none besides, but certificates."""
    names = set()
    for binary in {service["command"][0] for _, service in rules.programs(config())} | {"millrace-ctl"}:
        names |= set(re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", BINARIES / binary).stdout))
    cache = run("/sbin/ldconfig", "-p").stdout
    paths = {os.path.realpath(re.search(rf"^\s{re.escape(name)} .* => (.*)$", cache, re.M)[1]).removeprefix("/usr") for name in names}
    found = run("dpkg", "-S", *paths, *(f"/usr{path}" for path in paths)).stdout  # /lib is /usr/lib, and dpkg knows one of the names
    owners = {line.split(":")[0] for line in found.splitlines()} - {"libc6", "libasan8", "libubsan1", "libtsan2", "libgcc-s1"}
    assert owners == packages(2) - {"ca-certificates"}, owners ^ packages(2)
    listed = {line.split()[0] for line in (DEPLOY / "local" / "packages.txt").read_text().splitlines() if line.strip() and line[0] != "#"}
    other = packages(1) - listed - {"python3", "libc6-dev"}  # which every machine with gcc has
    assert not other, f"built with what tests are not: {other}"


def test_yaml_is_tidy():
    files = [ROOT / "docker-compose.yml", DEPLOY / "compose.cell.yml", DEPLOY / "prometheus" / "prometheus.compose.yml",
             *(DEPLOY / "grafana" / "provisioning").rglob("*.yml")]
    assert len(files) == 5
    done = run(TOOLS / "yamllint", "-s", "-d", YAMLLINT, *files)
    assert done.returncode == 0, done.stdout
    assert run(TOOLS / "yamllint", "-s", "-d", YAMLLINT, "-", input="a: 1\na: 2\n").returncode != 0


def scraped(text):
    """Of each scrape job: service and port, and the labels job and cell that its figures get."""
    found = {}
    for job in yaml.safe_load(text)["scrape_configs"]:
        entry, = job["dns_sd_configs"]
        service, = entry["names"]
        labels = {"job": job["job_name"], **{rule["target_label"]: rule["replacement"] for rule in job.get("relabel_configs", [])}}
        found[service] = (entry["type"], entry["port"], labels)
    return found


def test_prometheus_finds_every_program():
    """By the service's name, so that scaled ones are found; with the labels of the rules and dashboards; and nobody else."""
    text = (DEPLOY / "prometheus" / "prometheus.compose.yml").read_text()
    wanted = {}
    for name, service in rules.programs(config()):
        cell = {"cell": service["environment"]["MILLRACE_CELL"]} if "MILLRACE_CELL" in service["environment"] else {}
        wanted[name] = ("A", rules.ADMIN_PORTS[rules.role(name)], {"job": rules.role(name), **cell})
    assert scraped(text) == wanted
    assert scraped(text.replace("port: 9103", "port: 9102")) != wanted and scraped(text.replace("replacement: sink", "replacement: x")) != wanted
    done = run(PROMTOOL, "check", "config", DEPLOY / "prometheus" / "prometheus.compose.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as bad:
        bad.write(text.replace("type: A", "type: Z"))
        bad.flush()
        assert run(PROMTOOL, "check", "config", "--syntax-only", bad.name).returncode != 0


def test_prometheus_and_grafana_find_their_files():
    """What the containers' settings name is mounted there, and is in the tree."""
    services = config("-f", ROOT / "docker-compose.yml")["services"]
    mounts = {(name, v["target"]): v["source"] for name in ("prometheus", "grafana") for v in services[name]["volumes"] if v["type"] == "bind"}
    own, = [word.split("=")[1] for word in services["prometheus"]["command"] if word.startswith("--config.file=")]
    assert (Path(mounts["prometheus", str(Path(own).parent)]) / Path(own).name).is_file()
    provisioning = Path(mounts["grafana", "/etc/grafana/provisioning"])
    source, = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090" and source["type"] == "prometheus" and source["isDefault"], source
    provider, = yaml.safe_load((provisioning / "dashboards" / "millrace.yml").read_text())["providers"]
    assert list(Path(mounts["grafana", provider["options"]["path"]]).glob("*.json")), "no dashboard"


def test_documents_name_services_that_are_there():
    """In what is told to type: docker compose .. with services, profiles and scales."""
    names, said = set(config(*THIRD)["services"]), 0
    for path in (ROOT / "README.md", DEPLOY / "README.md", ROOT / "docker-compose.yml", DEPLOY / "compose.cell.yml"):
        for line in re.findall(r"docker compose [^`#\n]*", path.read_text()):
            for name in re.findall(r"--scale (\S+?)=", line) + re.findall(r" run --rm (\S+)", line) + re.findall(r" port (?:--index \d+ )?(\S+)", line):
                said += 1
                assert name in names, f"{path.name}: {line}"
            for profile in re.findall(r"--profile (\S+)", line):
                assert profile in PROFILES, f"{path.name}: {line}"
    assert said > 5


cases.run(globals())
