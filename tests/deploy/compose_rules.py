"""What docker-compose.yml promises, as rules: each takes the file as Compose resolves it, and gives what is wrong with it, a text a mistake.

Apart from test_compose.py so that it can hand them a file that is broken on purpose and see each of them say no.
"""
import re

JOBS = {"setup", "setup-third", "agent-setup", "ctl"}  # of our image, and end by themselves
ADMIN_PORTS = {"ingest": 9101, "processor": 9102, "sink": 9103, "notify": 9104, "status": 9105, "agent": 9106}
UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
DRAIN_S = {"agent": 20, "grafana": 30, "ingest": 53, "kafka": 60, "mongo": 60, "prometheus": 60}  # others: 40, as the processor's own limit is 36


def cells(config):
    """The cells that have a database here."""
    return sorted({found[1] for name in config["services"] if (found := re.fullmatch(r"mongo-(\w+)-1", name))})


def role(name):
    """processor of processor-main, kafka of kafka-1; a job is a role of its own."""
    return name if name in JOBS or name.endswith("-setup") else name.split("-")[0]


def programs(config):
    """Name and service of each program that runs on: ours, and no job."""
    return [(name, service) for name, service in config["services"].items() if role(name) in ADMIN_PORTS]


def is_job(name):
    return name in JOBS or name.endswith("-setup")


def seconds(text):
    """1m30s as Compose prints it."""
    return sum(int(n) * {"h": 3600, "m": 60, "s": 1}[unit] for n, unit in re.findall(r"(\d+)([hms])", text or ""))


def memory(text):
    number, unit = re.fullmatch(r"(\d+)([KMG]i)", text).groups()
    return int(number) * UNITS[unit]


def confined(config):
    """No privilege for anybody, no writable root but Kafka's."""
    for name, s in config["services"].items():
        if s.get("cap_drop") != ["ALL"] or s.get("cap_add") or s.get("privileged") or s.get("devices"):
            yield f"{name} has capabilities"
        if s.get("security_opt") != ["no-new-privileges:true"]:
            yield f"{name} may gain privileges"
        if bool(s.get("read_only")) == (role(name) == "kafka"):
            yield f"{name}: root is {'read-only' if s.get('read_only') else 'writable'}"
        if {"network_mode", "pid", "ipc", "uts", "userns_mode"} & set(s):
            yield f"{name} shares a namespace"
        if not 16 <= s.get("pids_limit", 0) <= 512:
            yield f"{name} may have any number of processes"


def non_root(config):
    """Ours by their image's USER (test_compose.py looks there), MongoDB's by the file: it begins as root else."""
    for name, s in config["services"].items():
        user = s.get("user")
        if (user is None and s["image"].startswith("mongo:")) or (user and user.split(":")[0] in ("0", "root")):
            yield f"{name} runs as root"


def budgets(config):
    """No swap; memory.budget is 80 % of the limit, and what lies on a tmpfs fits beside it."""
    for name, s in config["services"].items():
        if not s.get("mem_limit") or s.get("memswap_limit") != s["mem_limit"]:
            yield f"{name} may use any memory, or swap"
    for name, s in programs(config):
        budget, limit = memory(s["environment"]["MILLRACE_MEMORY_BUDGET"]), int(s.get("mem_limit", 0))
        held = sum(int(size) << 20 for size in re.findall(r"size=(\d+)m", " ".join(s.get("tmpfs", []))))
        if budget * 10 != limit * 8:
            yield f"{name}: budget is {budget} of {limit}"
        if budget + held > limit:
            yield f"{name}: budget and tmpfs are more than its limit"


def laptop(config):
    """All limits together, without profiles: below 12 GiB."""
    total = sum(int(s["mem_limit"]) for name, s in config["services"].items() if not s.get("profiles") and not is_job(name))
    if total > 12 << 30:
        yield f"{total >> 20} MiB"


def networks(config):
    """Who reaches whom: a database only its sink, Kafka neither agent nor Prometheus."""
    members = {}
    for name, s in config["services"].items():
        for network in s.get("networks", {}):
            members.setdefault(network, set()).add(name)
    for cell in cells(config):
        of_cell = {f"mongo-{cell}-{n}" for n in (1, 2, 3)} | {f"mongo-{cell}-setup", f"sink-{cell}"}
        if members.get(f"store-{cell}") != of_cell:
            yield f"store-{cell} has {members.get(f'store-{cell}')}"
    wanted = {"kafka": {"stream"}, "prometheus": {"observe"}, "grafana": {"observe"}, "agent": {"edge", "observe"},
              "ingest": {"stream", "observe", "edge"}, "processor": {"stream", "observe"}, "notify": {"stream", "observe"},
              "status": {"stream", "observe"}}
    for name, s in config["services"].items():
        found, cell = set(s.get("networks", {})), name.split("-")[1] if "-" in name else ""
        if role(name) in wanted and found != wanted[role(name)]:
            yield f"{name} is on {sorted(found)}"
        if role(name) == "sink" and found != {"stream", "observe", f"store-{cell}"}:
            yield f"{name} is on {sorted(found)}"
        if name.startswith("mongo-") and found != {f"store-{cell}"}:
            yield f"{name} is on {sorted(found)}"


def health(config):
    """A program is asked at its admin port, which is that of its kind; nobody runs on unasked."""
    for name, s in config["services"].items():
        test = s.get("healthcheck", {}).get("test")
        if not is_job(name) and not test:
            yield f"{name} has no health check"
    for name, s in programs(config):
        port = ADMIN_PORTS[role(name)]
        if s["environment"]["MILLRACE_ADMIN_LISTEN"] != f"0.0.0.0:{port}":
            yield f"{name} does not listen on {port}"
        if s.get("healthcheck", {}).get("test") != ["CMD", "millrace-healthcheck", str(port)]:
            yield f"{name} is not asked at {port}"


def secrets_are_files(config):
    """No environment holds one; the databases' addresses go to their sinks alone, as files."""
    for name, s in config["services"].items():
        for key, value in (s.get("environment") or {}).items():
            if re.search(r"(PASSWORD|PASSWD|SECRET|TOKEN|KEY|URI|CREDENTIALS?)S?$", key) or "mongodb" in str(value) or "@" in re.sub(
                    r"\d@kafka-\d", "", str(value)):
                yield f"{name}: {key} is in the environment"
        given = [entry["source"] for entry in s.get("secrets", [])]
        own = [f"mongo-{name[5:]}-uri"] if role(name) == "sink" else []
        if given != own:
            yield f"{name} gets {given}"
        if own and s["environment"].get("MILLRACE_MONGO_URI_FILE") != f"/run/secrets/{own[0]}":
            yield f"{name} does not read its secret"
    for name, secret in config["secrets"].items():
        if not secret.get("file") or secret.get("environment"):
            yield f"{name} is no file"


def volumes(config):
    """What holds keys is writable for him alone who makes them; data are nobody else's."""
    owner = {"/run/millrace-admin": {"setup", "setup-third"}, "/run/millrace-agent": {"agent-setup"}, "/run/millrace-notify": set()}
    readers = {"/run/millrace-agent": {"agent"}, "/run/millrace-notify": {"notify"}}
    seen = {}
    for name, s in config["services"].items():
        for v in s.get("volumes", []):
            target = v["target"]
            if target in owner and name not in owner[target] and not v.get("read_only"):
                yield f"{name} may write to {target}"
            if target in readers and name not in owner[target] and role(name) not in readers[target]:
                yield f"{name} sees {target}"
            if v["type"] == "bind" and not v.get("read_only") and target not in owner:
                yield f"{name} may write to {v['source']}"
            if target == "/var/lib/millrace-status" and name != "status":
                yield f"{name} sees {target}"
            if target not in owner and v["type"] == "volume" and seen.setdefault(v["source"], name) != name:
                yield f"{name} and {seen[v['source']]} share {v['source']}"


def ports(config):
    """On loopback only; ingest's from a range, as a fixed one lets only one start; the status page's where its address is written down."""
    for name, s in config["services"].items():
        for port in s.get("ports", []):
            if name not in ("ingest", "status", "prometheus", "grafana"):
                yield f"{name} is published"
            if port.get("host_ip") != "127.0.0.1":
                yield f"{name} is published on {port.get('host_ip')}"
    for port in config["services"]["ingest"].get("ports", [{"published": "none"}]):
        first, _, last = port["published"].partition("-")
        if not last or int(last) <= int(first):
            yield f"ingest has port {port['published']}"
    page = [(port["published"], port["target"]) for port in config["services"]["status"].get("ports", [])]
    if page != [("8080", 8080)] or config["services"]["status"]["environment"]["MILLRACE_STATUS_LISTEN"] != "0.0.0.0:8080":
        yield f"the status page is at {page}"


def scales(config):
    """Nothing of a program's container is there once only, but of status, which is alone; and membership is dynamic."""
    for name, s in programs(config):
        if {"container_name", "hostname"} & set(s):
            yield f"{name} has a name"
        if role(name) not in ("ingest", "status") and s.get("ports"):
            yield f"{name} has a port"
        if "MILLRACE_INSTANCE_ID" in s["environment"] or any("INSTANCE" in key for key in s["environment"]):
            yield f"{name} is a static member"
        if s["command"] != [f"millrace-{role(name)}"]:
            yield f"{name} runs {s['command']}"


def stops(config):
    """With time to drain, told by SIGTERM itself, not by an init."""
    for name, s in config["services"].items():
        if not is_job(name) and seconds(s.get("stop_grace_period")) < DRAIN_S.get(role(name), 40):
            yield f"{name} has {s.get('stop_grace_period')}"
        if s.get("init") is not False:
            yield f"{name} has an init"


def tmpfs(config):
    """With a mode that lets users in: it is root's, and has the mode of the folder that it hides, which in images is mostly its owner's to write."""
    for name, s in config["services"].items():
        for mount in s.get("tmpfs", []):
            path, _, options = mount.partition(":")
            if path != "/tmp" and "mode=1777" not in options.split(","):
                yield f"{name} cannot write to {path}"


def restarts(config):
    for name, s in config["services"].items():
        if s.get("restart") != ("no" if is_job(name) else "unless-stopped"):
            yield f"{name}: restart is {s.get('restart')}"


def logs(config):
    """Rotated: a disk full of logs is an outage."""
    for name, s in config["services"].items():
        log = s.get("logging", {})
        if log.get("driver") != "json-file" or not {"max-size", "max-file"} <= set(log.get("options", {})):
            yield f"{name} logs without end"


def images(config):
    """Of a version; ours is built once, with context and file alone."""
    built = [name for name, s in config["services"].items() if s.get("build")]
    for name, s in config["services"].items():
        tag = s["image"].rpartition(":")[2]
        if s["image"] != "millrace:local" and not re.fullmatch(r"v?\d[\w.-]*", tag):
            yield f"{name}: image {s['image']}"
        if (role(name) in ADMIN_PORTS or name in JOBS) and s["image"] != "millrace:local":
            yield f"{name}: image {s['image']} is not ours"
    if built != ["setup"] or set(config["services"]["setup"]["build"]) != {"context", "dockerfile"}:
        yield f"{built} build"


def order(config):
    """Topics after Kafka, programs after topics, sinks after their databases."""
    services = config["services"]

    def waits(name, other, condition="service_completed_successfully"):
        return services[name].get("depends_on", {}).get(other, {}).get("condition") == condition

    for name, s in programs(config):
        if not any(waits(name, job) for job in ("agent-setup" if name == "agent" else "setup", "setup-" + name.split("-")[-1])):
            yield f"{name} does not wait for setup"
    for n in (1, 2, 3):
        if not waits("setup", f"kafka-{n}", "service_healthy"):
            yield f"setup does not wait for kafka-{n}"
    for cell in cells(config):
        if not waits(f"sink-{cell}", f"mongo-{cell}-setup"):
            yield f"sink-{cell} does not wait for its database"
        for n in (1, 2, 3):
            if not waits(f"mongo-{cell}-setup", f"mongo-{cell}-{n}", "service_healthy"):
                yield f"mongo-{cell}-setup does not wait for member {n}"
    if "agent-setup" in services and not waits("agent-setup", "setup"):
        yield "agent-setup does not wait for setup"
    if "agent" in services and not waits("agent", "ingest", "service_healthy"):
        yield "agent would not stop before ingest"


def kafka(config):
    """Three of them, three copies, two of which acknowledge; transactions as in local stacks."""
    voters = ",".join(f"{n}@kafka-{n}:9093" for n in (1, 2, 3))
    wanted = {"KAFKA_PROCESS_ROLES": "broker,controller", "KAFKA_CONTROLLER_QUORUM_VOTERS": voters, "KAFKA_DEFAULT_REPLICATION_FACTOR": "3",
              "KAFKA_MIN_INSYNC_REPLICAS": "2", "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "3", "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
              "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "3", "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "2",
              "KAFKA_TRANSACTION_ABORT_TIMED_OUT_TRANSACTION_CLEANUP_INTERVAL_MS": "1000"}
    for n in (1, 2, 3):
        s = config["services"][f"kafka-{n}"]
        own = {**wanted, "KAFKA_NODE_ID": str(n), "KAFKA_ADVERTISED_LISTENERS": f"BROKER://kafka-{n}:9092"}
        for key, value in own.items():
            if s["environment"].get(key) != value:
                yield f"kafka-{n}: {key} is {s['environment'].get(key)}"
        if s.get("hostname") != f"kafka-{n}":
            yield f"kafka-{n} has another name"
    for name, s in config["services"].items():
        brokers = (s.get("environment") or {}).get("MILLRACE_KAFKA_BOOTSTRAP_SERVERS", "")
        knows = role(name) in ("ingest", "processor", "sink", "notify", "status") or name in JOBS
        if brokers != ("kafka-1:9092,kafka-2:9092,kafka-3:9092" if knows else ""):
            yield f"{name} looks for Kafka at {brokers}"


def members(config):
    """A replica set's three name themselves by its cell, and so do its programs."""
    for cell in cells(config):
        for n in (1, 2, 3):
            s = config["services"][f"mongo-{cell}-{n}"]
            words = s["command"]
            if s.get("hostname") != f"mongo-{cell}-{n}" or words[words.index("--replSet") + 1] != f"cell-{cell}":
                yield f"mongo-{cell}-{n} is another one's"
            if float(words[words.index("--wiredTigerCacheSizeGB") + 1]) * (1 << 30) > int(s["mem_limit"]) / 2:
                yield f"mongo-{cell}-{n}: its cache leaves nothing"
        if config["services"][f"mongo-{cell}-setup"]["environment"] != {"CELL": cell}:
            yield f"mongo-{cell}-setup makes another one's"
        for kind in ("processor", "sink", "notify"):
            if config["services"][f"{kind}-{cell}"]["environment"]["MILLRACE_CELL"] != cell:
                yield f"{kind}-{cell} serves another cell"


def profiles(config):
    """What runs only when asked for; all else is the core."""
    wanted = {"ctl": ["tools"], "prometheus": ["observability"], "grafana": ["observability"], "agent": ["load"], "agent-setup": ["load"]}
    for name, s in config["services"].items():
        if s.get("profiles", []) != wanted.get(name, []):
            yield f"{name} is in {s.get('profiles', [])}"


RULES = [confined, non_root, budgets, laptop, networks, health, secrets_are_files, volumes, ports, scales, stops, tmpfs, restarts, logs, images, order, kafka,
         members, profiles]
