#!/usr/bin/env python3
"""The systemd units are what systemd takes, as hardened as they say, and fit the programs: their settings exist, budgets and time-outs agree.

Judged by systemd-analyze on copies whose programs are those that were built, and by the programs themselves, started as a unit would start them
with the example files, but for --check-config.
"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "tests" / "e2e")]
import cases  # noqa: E402
from millrace_local import BINARIES  # noqa: E402

UNITS = ROOT / "deploy" / "systemd"
SERVICES = {"ingest": "millrace-ingest.service", "processor": "millrace-processor@.service", "sink": "millrace-sink@.service",
            "notify": "millrace-notify@.service", "status": "millrace-status.service", "agent": "millrace-agent.service"}
INSTANCES = {"ingest": [""], "processor": ["main-1", "main-2"], "sink": ["main-1"], "notify": ["main-1"], "status": [""], "agent": [""]}
MAINS = {"ingest": "ingest", "processor": "processor", "sink": "sink/mongo", "notify": "sink/notify", "status": "sink/status", "agent": "ingest/agent"}
EXPOSURE = 15  # tenths; of 100, as `systemd-analyze security --threshold` counts
HARDENED = """NoNewPrivileges=yes CapabilityBoundingSet= AmbientCapabilities= ProtectSystem=strict PrivateTmp=yes PrivateDevices=yes ProtectKernelTunables=yes
ProtectKernelModules=yes ProtectKernelLogs=yes ProtectControlGroups=yes ProtectClock=yes ProtectHostname=yes ProtectProc=invisible RestrictNamespaces=yes
RestrictRealtime=yes RestrictSUIDSGID=yes LockPersonality=yes MemoryDenyWriteExecute=yes RemoveIPC=yes SystemCallArchitectures=native DynamicUser=yes
MemorySwapMax=0 LimitCORE=0 UMask=0077 Restart=always""".split()
BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
SECRET = {"mongo-uri": "mongodb://user:hunter2@db.example/?replicaSet=rs0", "agent.key": "mr_0123456789abcdef", "kafka-password": "hunter2"}


def lines(text):
    """(key, value) of each line of a unit or a drop-in."""
    return re.findall(r"^(\w+)=(.*)$", text, re.M)


def unit(program):
    return lines((UNITS / SERVICES[program]).read_text())


def value(pairs, key):
    """The last one, which is the one that counts; None: it is not there."""
    return next((v for k, v in reversed(pairs) if k == key), None)


def settings(pairs):
    """The environment that the unit gives."""
    return dict(v.split("=", 1) for k, v in pairs if k == "Environment")


def analyze(*words):
    return subprocess.run(["systemd-analyze", *map(str, words)], capture_output=True, text=True, timeout=60)


def installed(directory, name, change=lambda text: text):
    """A unit as it would be installed with the programs that were built."""
    path = Path(directory) / name
    path.write_text(change((UNITS / name).read_text()).replace("/usr/local/bin/", f"{BINARIES}/"))
    return path


def complaints(directory, name, change=lambda text: text):
    done = analyze("verify", installed(directory, name, change))
    own = [line for line in done.stderr.splitlines() if "millrace" in line]  # not what it says of the machine's own units
    return own or ([f"exit {done.returncode}"] if done.returncode else [])


def expand(text, instance, directory):
    """systemd.unit(5)'s specifiers, as far as the units use them."""
    found = set(re.findall("%(.)", text))
    assert found <= set("iHdSt"), found
    for letter, meaning in (("i", instance), ("H", "a-host.example"), ("d", f"{directory}/credentials"), ("S", f"{directory}/state"), ("t", f"{directory}/run")):
        text = text.replace("%" + letter, meaning)
    return text


def checked(program, instance, more=()):
    """The program, started as its unit would, with the example file in its place and what LoadCredential= promises, but only to check its settings."""
    pairs = unit(program) + list(more)
    with tempfile.TemporaryDirectory(prefix="millrace-unit-") as directory:
        for folder in ("credentials", "state", "run"):
            (Path(directory) / folder).mkdir()
        for key, given in pairs:
            if key == "LoadCredential":
                name, source = given.split(":", 1)
                assert source.startswith("/etc/millrace/"), source
                (Path(directory) / "credentials" / name).touch(0o600)
                (Path(directory) / "credentials" / name).write_text(SECRET.get(name, "0123456789abcdef") + "\n")
        command, option, path = expand(value(pairs, "ExecStart"), instance, directory).split()
        assert command == f"/usr/local/bin/millrace-{program}" and option == "--config", command
        example = UNITS / (Path(path).name + ".example")
        environment = {key: expand(text, instance, directory) for key, text in settings(pairs).items()}
        return subprocess.run([BINARIES / f"millrace-{program}", "--config", example, "--print-config", "--check-config"], capture_output=True, text=True,
                              timeout=30, env={"PATH": os.environ["PATH"], **environment})


def test_systemd_takes_them():
    with tempfile.TemporaryDirectory(prefix="millrace-units-") as directory:
        for name in (*SERVICES.values(), "millrace.target"):
            assert not complaints(directory, name), complaints(directory, name)
        for wrong in (lambda text: text.replace("MemoryMax", "MemoryMost"), lambda text: text.replace("Restart=always", "Restart=sometimes"),
                      lambda text: text.replace("/usr/local/bin/", "/nowhere/")):
            assert complaints(directory, SERVICES["sink"], wrong), "the judge cannot say no"


def test_they_are_hardened():
    with tempfile.TemporaryDirectory(prefix="millrace-units-") as directory:
        def exposed(name, change=lambda text: text):
            return analyze("security", "--offline=true", f"--threshold={EXPOSURE}", installed(directory, name, change)).returncode != 0
        for program, name in SERVICES.items():
            assert not exposed(name), analyze("security", "--offline=true", installed(directory, name)).stdout[-3000:]
            missing = set(HARDENED) - {f"{key}={text}" for key, text in unit(program)}
            assert not missing, (program, missing)
            assert "User" not in dict(unit(program)) and "%" not in value(unit(program), "SystemCallFilter")
        assert exposed(SERVICES["sink"], lambda text: re.sub("^(SystemCallFilter|CapabilityBoundingSet|Restrict.*|Protect.*)=.*$", "", text, flags=re.M))


def test_programs_know_their_settings():
    for program, instances in INSTANCES.items():
        for instance in instances:
            done = checked(program, instance)
            assert done.returncode == 0, (program, done.stderr)
            assert "log.format = json" in done.stdout and not any(secret in done.stdout for secret in SECRET.values()), done.stdout
    wrong = checked("ingest", "", [("Environment", "MILLRACE_PUSH_LISTENS=127.0.0.1:1")])
    assert wrong.returncode != 0 and "MILLRACE_PUSH_LISTENS" in wrong.stderr, wrong.stderr


def test_drop_ins_are_settings_too():
    secrets = lines((UNITS / "notify-secrets.conf.example").read_text())
    password = lines((UNITS / "kafka-password.conf.example").read_text())
    token = checked("status", "", lines((UNITS / "status-token.conf.example").read_text()))
    assert token.returncode == 0 and re.search(r"^admin.token_file = \S*/credentials/admin-token ", token.stdout, re.M), (token.stdout, token.stderr)
    assert checked("notify", "main-1", secrets).returncode == 0, checked("notify", "main-1", secrets).stderr
    for program in ("ingest", "processor", "sink", "notify", "status"):
        done = checked(program, INSTANCES[program][0], password)
        assert done.returncode == 0 and "kafka.sasl.password = (set)" in done.stdout, (program, done.stdout, done.stderr)


def test_two_of_a_cell_live_on_one_machine():
    """Another port, another name in the group, the same cell: no word else differs."""
    first, second = (re.sub("  # .*", "", checked("processor", instance).stdout).splitlines() for instance in INSTANCES["processor"])
    differ = {line.split(" = ")[0] for line in set(first) ^ set(second)}
    assert differ == {"admin.listen", "instance.id"}, differ
    ports = [re.search(r"admin.listen = \S+:(\d+)", checked(program, instance).stdout).group(1) for program in INSTANCES for instance in INSTANCES[program]]
    assert len(set(ports)) == len(ports) == 7, ports


def budget_is_right(pairs):
    def number(text):
        digits, suffix = re.fullmatch(r"(\d+)(\w*)", text).groups()
        return int(digits) * BYTES[suffix]
    return number(settings(pairs)["MILLRACE_MEMORY_BUDGET"]) * 10 == number(value(pairs, "MemoryMax")) * 8


def test_budget_is_four_fifths_of_the_limit():
    for program in SERVICES:
        assert budget_is_right(unit(program)), program
    assert not budget_is_right(unit("sink") + [("MemoryMax", "319M")])
    readme = (UNITS / "README.md").read_text()
    assert budget_is_right([(key, text) for key, text in lines(re.sub("^    ", "", readme, flags=re.M)) if key in ("MemoryMax", "Environment")])


def own_limit_s(program):
    """After how many seconds the program ends itself, once it was told to stop."""
    text = (ROOT / MAINS[program] / "main.c").read_text()
    limits = {name: int(ms) for name, ms in re.findall(r"\b(STOP_LIMIT_MS|STOP_SPARE_MS) = (\d+)", text)}
    assert len(limits) == 1, (program, limits)
    known = checked(program, INSTANCES[program][0]).stdout
    waits = re.search(r"^(?:push.drain_timeout|stop.timeout) = (\d+)s", known, re.M)
    return (sum(limits.values()) / 1000) + (int(waits.group(1)) if waits else 0)


def test_they_have_time_to_drain():
    for program in SERVICES:
        limit, given = own_limit_s(program), int(value(unit(program), "TimeoutStopSec"))
        assert limit < given < limit + 30, (program, limit, given)


def test_secrets_are_in_no_environment():
    """A value in a unit, or in a file that everybody may read, is no secret."""
    for path in UNITS.iterdir():
        if path.suffix != ".md":
            assert not re.search(r"mongodb://|password\s*=\s*\S|MILLRACE_KEY=", path.read_text(), re.I), path
    for program in SERVICES:
        for name, text in settings(unit(program)).items():
            assert not name.endswith("_FILE") or text.startswith(("%d/", "%S/")), (program, name)


def strange_instances(text):
    """Units that a page names and that no example file is for."""
    named = re.findall(r"millrace-(processor|sink|notify)@([\w-]+)", text)
    return [f"{program}@{instance}" for program, instance in named if not (UNITS / f"{program}-{instance}.conf.example").exists()]


def test_documents_name_instances_that_are_there():
    """A unit without its file is one that is started for ever."""
    for page in (ROOT / "deploy").rglob("*.md"):
        assert not strange_instances(page.read_text()), (page, strange_instances(page.read_text()))
    assert strange_instances("systemctl restart millrace-sink@main") == ["sink@main"]


def test_documents_name_every_file():
    readme = (UNITS / "README.md").read_text()
    for path in UNITS.iterdir():
        assert path.name == "README.md" or f"({path.name})" in readme, path.name
    for program in ("ingest", "processor", "sink", "notify", "status"):
        assert value(unit(program), "WantedBy") == value(unit(program), "PartOf") == "millrace.target", program


if __name__ == "__main__":
    cases.run(globals())
