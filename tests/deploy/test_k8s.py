#!/usr/bin/env python3
"""deploy/k8s builds, is valid, and has the properties that its README promises.

No cluster is at hand, so others judge: kustomize builds; kubernetes-validate holds each object to Kubernetes' own schemas, strictly; kube-score
and promtool have their say; the programs themselves check the settings they would get; and k8s_judges.py what we promise beyond that. Each
judge is shown something broken, and must say no.
"""
import copy
import functools
import http.client
import importlib.machinery
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(ROOT / "tests" / "e2e")]
import cases  # noqa: E402
import k8s_judges as judges  # noqa: E402
import kubernetes_validate  # noqa: E402
import yaml  # noqa: E402
from k8s_fields import faults_of_object  # noqa: E402
from k8s_judges import component_of, environment, labels_of, of_kind, pod_of, services_of_programs, workloads  # noqa: E402
from millrace_local import BINARIES, GO_TOOLS, PARTS, PROMTOOL, free_base_port  # noqa: E402

K8S = ROOT / "deploy" / "k8s"
OVERLAYS = {"dev": {"image": "millrace:local", "pull": "IfNotPresent", "copies": 1},
            "production": {"image": "registry.example.org/millrace:0.1.0", "pull": "Always", "copies": 3}}
VERSIONS = ("1.28", "1.37")  # the lowest that deploy/k8s/README.md names, and the newest that kubernetes-validate knows
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")  # librdkafka reads what ssl.ca.location names
YAMLLINT = """{extends: default, rules: {line-length: {max: 140, ignore: [rules.yaml]}, document-start: disable, comments: {min-spaces-from-content: 1},
 braces: {max-spaces-inside: 1}, octal-values: disable, truthy: {check-keys: false}}}"""


kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)  # megabytes, read for each object anew


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


@functools.cache
def built(folder):
    """The text that kustomize makes of a folder."""
    done = run(GO_TOOLS / "kustomize", "build", folder)
    assert done.returncode == 0 and not done.stderr, done.stderr  # it warns of what it will not take for long
    return done.stdout


def parsed(text):
    return [thing for thing in yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if thing]


@functools.cache
def _objects(overlay):
    return parsed(built(K8S / "overlays" / overlay))


def objects(overlay):
    """All objects of an overlay, to do with as one likes."""
    return copy.deepcopy(_objects(overlay))


def none(found):
    assert not found, "\n" + "\n".join(found)


# What others say.

def test_kustomize_builds():
    for overlay in OVERLAYS:
        names = [(thing["apiVersion"], thing["kind"], thing["metadata"]["name"]) for thing in objects(overlay)]
        assert len(names) == len(set(names)) > 30, names
        for thing in objects(overlay):
            assert thing["kind"] in ("Namespace", "PriorityClass") or thing["metadata"].get("namespace") == "millrace", thing
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "kustomization.yaml").write_text("resources: [no-such-file.yaml]\n")
        assert run(GO_TOOLS / "kustomize", "build", folder).returncode != 0


def schema_faults(things):
    """What Kubernetes' schemas say, each supported version's; objects that have none must be those of k8s_fields.py."""
    found = []
    for version in VERSIONS:
        for thing in things:
            try:
                kubernetes_validate.validate(thing, version, strict=True)
            except kubernetes_validate.SchemaNotFoundError:
                if faults_of_object(thing) is None:
                    found.append(f"{thing['kind']}: nobody knows its fields")
            except kubernetes_validate.ValidationError as err:
                found.append(f"{version} {thing['kind']} {thing['metadata']['name']}: {err.message}")
    return found


def test_schemas():
    for overlay in OVERLAYS:
        none(schema_faults(objects(overlay)))


def score(text):
    return run(GO_TOOLS / "kube-score", "score", "--kubernetes-version", "v" + VERSIONS[0], "-o", "ci", "-", input=text)


def critical(text):
    """kube-score's critical findings, and that it has found anything to look at."""
    lines = score(text).stdout.splitlines()
    assert sum(line.startswith("[OK]") for line in lines) > 50, lines
    return [line for line in lines if line.startswith("[CRITICAL]")]


def test_kube_score():
    """Exceptions are the image in dev alone, which is loaded into the node."""
    for overlay in OVERLAYS:
        none(critical(built(K8S / "overlays" / overlay)))
        ignored = {(thing["kind"], value) for thing in workloads(objects(overlay))
                   for key, value in judges.template_of(thing)["metadata"].get("annotations", {}).items() if key == "kube-score/ignore"}
        assert {value for _, value in ignored} == ({"container-image-pull-policy"} if overlay == "dev" else set()), ignored
        assert "kube-score/ignore" not in str([thing["metadata"] for thing in objects(overlay)])


def rule_faults(groups):
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump({"groups": groups}, file)
        file.flush()
        done = run(PROMTOOL, "check", "rules", file.name)
        return [] if done.returncode == 0 and "SUCCESS" in done.stdout else [done.stdout + done.stderr]


def test_rules_are_those_of_prometheus():
    """deploy/k8s/monitoring/renew has been run since deploy/prometheus/rules.yml was changed, and promtool takes the rules."""
    renew = importlib.machinery.SourceFileLoader("renew", str(K8S / "monitoring" / "renew")).load_module()
    assert (K8S / "monitoring" / "rules.yaml").read_text() == renew.rendered(renew.RULES.read_text()), "run deploy/k8s/monitoring/renew"
    rule, = of_kind(objects("production"), "PrometheusRule")
    assert rule["spec"] == yaml.safe_load(renew.RULES.read_text())
    none(rule_faults(rule["spec"]["groups"]))


def test_runbooks_can_be_moved_everywhere():
    """By the commands of deploy/prometheus/README.md: no dashboard and no rule goes on naming the example's address."""
    page = (ROOT / "deploy" / "prometheus" / "README.md").read_text()
    commands = re.search(r"^    sed -i .*\n(?:    .*\n)+", page, re.M)[0]
    with tempfile.TemporaryDirectory() as folder:
        for part in ("prometheus", "grafana", "k8s"):
            shutil.copytree(ROOT / "deploy" / part, Path(folder) / "deploy" / part)
        done = run("bash", "-euc", commands, cwd=folder)
        assert done.returncode == 0, done.stderr
        none([str(path) for path in Path(folder).rglob("*") if path.suffix in (".yml", ".yaml", ".json", ".py")
              and "https://example.org/millrace" in path.read_text()])
        assert "git.example.com" in (Path(folder) / "deploy" / "k8s" / "monitoring" / "rules.yaml").read_text()


def lint(*paths):
    return run(PARTS / "venv" / "bin" / "yamllint", "-d", YAMLLINT, *paths)


def test_yamllint():
    done = lint(K8S)
    assert done.returncode == 0 and not done.stdout, done.stdout


# What the programs say.

def settings_faults(things, extra=None):
    """--check-config of each program with the environment that its pod would have, secrets as files in a folder of ours."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for thing in workloads(things):
            container = pod_of(thing)["containers"][0]
            env = {**environment(container, things, thing["metadata"]["name"] + "-0"), **(extra or {})}
            for key, value in env.items():
                if value.startswith("/run/secrets/"):
                    path = Path(folder + value)
                    env[key] = str(path)
                    (path if key.endswith("_DIR") else path.parent).mkdir(parents=True, exist_ok=True)
                    if not path.is_dir():
                        path.touch(mode=0o440)  # as the volume has it
                        path.write_text(secret(key))
            program, *words = ["millrace-ctl", "status"] if component_of(thing) == "ctl" else [*container["command"], *container.get("args", [])]
            done = run(BINARIES / program, *words, "--check-config", env=env)
            if done.returncode != 0:
                found.append(f"{judges.name_of(thing)}: {done.stderr}")
    return found


def secret(setting):
    """What the file of a setting might hold."""
    if setting.endswith("CA_LOCATION"):
        return CERTIFICATES.read_text()
    return "mongodb://u:p@mongo-0.mongo/?replicaSet=x" if "MONGO" in setting else "0123456789abcdef0123456789abcdef\n"


def test_programs_know_their_settings():
    for overlay in OVERLAYS:
        none(settings_faults(objects(overlay)))
        assert len(settings_faults(objects(overlay), {"MILLRACE_NO_SUCH_THING": "1"})) == len(workloads(objects(overlay)))


def test_commands_of_the_readme_are_known():
    """Those of millrace-ctl: no program is started here that could do them."""
    commands = re.findall(r"-- (millrace-ctl [^`\n]*?)(?= *#|$)", (K8S / "README.md").read_text(), re.M)
    assert len(commands) >= 2, commands
    env = {"MILLRACE_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}
    for command in commands:
        program, *words = command.split()
        done = run(BINARIES / program, *words, "--check-config", env=env)
        assert done.returncode == 0, (command, done.stderr)
    assert run(BINARIES / "millrace-ctl", "site", "make", "demo", "--check-config", env=env).returncode != 0


def updates(page):
    """The components that the page's loop of updates goes through."""
    return re.search(r"^ +for part in (.*); do$", page, re.M)[1].split()


def test_updates_leave_nothing_out():
    """All that has a component is in one of the steps; the rest is in the first."""
    page = (K8S / "README.md").read_text()
    found = {thing["metadata"]["labels"].get("app.kubernetes.io/component") for thing in objects("production") if "labels" in thing["metadata"]} - {None}
    assert "-l '!app.kubernetes.io/component'" in page and sorted(updates(page)) == sorted(found), found
    assert updates("    for part in sink; do") != sorted(found)


def test_instances_have_names_that_programs_take():
    """The longest name of a cell, and the highest pod of it."""
    pod = f"processor-{'c' * 32}-999"
    assert len(pod) < 63
    env = {"MILLRACE_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "MILLRACE_INSTANCE_ID": pod}
    assert run(BINARIES / "millrace-processor", "--check-config", env=env).returncode == 0
    assert run(BINARIES / "millrace-processor", "--check-config", env={**env, "MILLRACE_INSTANCE_ID": "c" * 64}).returncode != 0


def asked(port, path):
    """The status of an answer of an admin port; 0 when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def until(what, seconds):
    """Waits for what() to be true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "not within its time"
        time.sleep(0.05)


def test_without_kafka_programs_live_and_are_not_ready():
    """Nor is there a database: kubelet would restart none of them. Told to end, they do within what their pods are given."""
    base, own = free_base_port(), {"ingest": "PUSH", "status": "STATUS"}
    running = {}
    try:
        for at, program in enumerate(judges.PROGRAMS):
            env = {"MILLRACE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{base + 25}", "MILLRACE_ADMIN_LISTEN": f"127.0.0.1:{base + at}",
                   **({f"MILLRACE_{own[program]}_LISTEN": f"127.0.0.1:{base + 10 + at}"} if program in own else {})}
            running[program] = base + at, subprocess.Popen([BINARIES / f"millrace-{program}"], env=env, stdin=subprocess.DEVNULL,
                                                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for thing in services_of_programs(objects("dev")):
            probe, (port, _) = pod_of(thing)["containers"][0]["startupProbe"], running[component_of(thing)]
            until(lambda: asked(port, probe["httpGet"]["path"]) == 200, probe["periodSeconds"] * probe["failureThreshold"])
            assert asked(port, pod_of(thing)["containers"][0]["readinessProbe"]["httpGet"]["path"]) == 503, component_of(thing)
        for _, process in running.values():
            process.terminate()
        for program, (_, process) in running.items():
            assert process.wait(needs()[program]) == 0, program
    finally:
        for _, process in running.values():
            process.kill()
            process.wait()


def printed(program, setting):
    """A setting's default, of the program itself."""
    done = run(BINARIES / f"millrace-{program}", "--print-config", env={"MILLRACE_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"})
    return re.search(rf"^{re.escape(setting)} = (.*?)  #", done.stdout, re.M)[1]


def constant(path, name):
    return int(re.search(rf"\b{name} = (\d+)", (ROOT / path).read_text())[1])


def needs():
    """Seconds that each program may take to end, by its source: what it waits for and, where a library hangs, its watchdog."""
    drain = int(printed("ingest", "push.drain_timeout").removesuffix("s"))
    ingest = of_kind(objects("production"), "Deployment")[0]
    sleep = pod_of(ingest)["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    assert component_of(ingest) == "ingest" and sleep[0] == "sleep", sleep
    return {"ingest": int(sleep[1]) + drain + constant("ingest/main.c", "STOP_LIMIT_MS") / 1000,
            **{program: constant(f"{path}/main.c", "STOP_LIMIT_MS") / 1000
               for program, path in (("processor", "processor"), ("sink", "sink/mongo"), ("notify", "sink/notify"), ("status", "sink/status"))}}


def test_admin_ports_are_the_programs():
    for program, port in judges.PROGRAMS.items():
        assert printed(program, "admin.listen").endswith(f":{port}"), program


def exported():
    """All metrics that the programs have, by the list of them, or, while there is none, by their source."""
    listed = ROOT / "schemas" / "metrics.txt"
    texts = [listed.read_text()] if listed.exists() else [path.read_text() for folder in ("common", "ingest", "processor", "sink")
                                                          for path in (ROOT / folder).rglob("*.c")]
    return {name for text in texts for name in re.findall(r"\bmillrace_[a-z_]+", text)}


def test_the_group_settles_between_two_pods():
    """A pod is followed when it has been ready for longer than a session: who is gone has been missed by then."""
    session = int(re.search(r'"session.timeout.ms", "(\d+)"', (ROOT / "processor" / "consumer.c").read_text())[1]) / 1000
    for thing in of_kind(objects("production"), "StatefulSet"):
        assert thing["spec"]["minReadySeconds"] > session


# What we promise.

def judges_of(overlay):
    """All judges of one overlay's objects, by name."""
    facts = OVERLAYS[overlay]
    every = [judges.all_are_there, judges.cells_do_not_mix, judges.pods_are_restricted, judges.probes_ask_the_admin_port,
             judges.memory_is_a_budget, judges.secrets_are_files, judges.network_is_closed, judges.notify_stays_outside,
             judges.disruptions_are_bounded, judges.status_is_alone, judges.processors_keep_their_names, judges.custom_fields_are_known]
    if overlay == "production":
        every += [judges.scaling_follows_lag, judges.prometheus_finds_all, judges.replicas_are_several]
    return {**{judge.__name__: judge for judge in every},
            "stops_have_time": lambda things: judges.stops_have_time(things, needs()),
            "jobs_can_be_repeated": lambda things: judges.jobs_can_be_repeated(things, facts["copies"]),
            "images_are_one": lambda things: judges.images_are_one(things, facts["image"], facts["pull"]),
            "metrics_are_exported": lambda things: judges.metrics_are_exported(things, exported())}


def verdicts(things, overlay):
    """What they say, a line each."""
    return [f"{overlay}, {name}: {line}" for name, judge in judges_of(overlay).items() for line in judge(things)]


def test_promises():
    for overlay in OVERLAYS:
        none(verdicts(objects(overlay), overlay))


def test_dev_needs_no_operators():
    """One of each, and no kind that an operator would have to bring."""
    things = objects("dev")
    assert not any(faults_of_object(thing) is not None for thing in things)
    assert all(thing["spec"]["replicas"] == 1 for thing in services_of_programs(things))
    assert sum(judges.size(pod_of(thing)["containers"][0]["resources"]["limits"]["memory"]) for thing in services_of_programs(things)) < 3 << 30


def test_third_cell():
    """As the README says: a folder copied, its name put in at two places, a line in the overlay. All that holds for two holds for three."""
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(shutil.copytree(K8S, Path(folder) / "k8s"))
        shutil.copytree(copied / "cells" / "other", copied / "cells" / "far-north")
        for path, old, new in ((copied / "cells" / "far-north" / "kustomization.yaml", "other", "far-north"),
                               (copied / "overlays" / "production" / "kustomization.yaml", "../../cells/other", "../../cells/other, ../../cells/far-north")):
            assert old in path.read_text()
            path.write_text(path.read_text().replace(old, new))
        things = parsed(built(copied / "overlays" / "production"))
        assert {labels_of(thing).get("cell") for thing in workloads(things)} == {None, "main", "other", "far-north"}
        none(verdicts(things, "production"))
        news = [thing for thing in things if thing["metadata"]["name"].endswith("-far-north")]
        assert len(news) == len(things) - len(objects("production")) > 12
        none(schema_faults(news))


def test_readme_names_what_must_be_there():
    """Each Secret that pods mount, each namespace that policies open, the versions that are validated."""
    text = (K8S / "README.md").read_text()
    for thing in workloads(objects("production")):
        for volume in pod_of(thing).get("volumes", []):
            name = volume.get("secret", {}).get("secretName", "kafka").replace("mongo-main", "mongo-CELL").replace("mongo-other", "mongo-CELL")
            assert f"`{name}`" in text, name
    for name in ("kafka", "mongo-CELL", "monitoring", "ingress-nginx", *VERSIONS):
        assert name in text, name
    for selector in ("serviceMonitorSelector", "serviceMonitorNamespaceSelector", "ruleSelector", "ruleNamespaceSelector"):  # none selects its own namespace alone
        assert selector in text, selector
    assert "never deployed" in text


# Judges can say no.

def only(things, kind, name):
    thing, = [thing for thing in of_kind(things, kind) if thing["metadata"]["name"] == name]
    return thing


def container(things, kind, name):
    return pod_of(only(things, kind, name))["containers"][0]


def variable(things, kind, name, key):
    found, = [one for one in container(things, kind, name)["env"] if one["name"] == key]
    return found


def drop(things, kind, name):
    things.remove(only(things, kind, name))


def lag(things, name):
    return only(things, "ScaledObject", name)["spec"]["triggers"][0]["metadata"]


def spec(things, kind, name):
    return only(things, kind, name)["spec"]


# judge, what is done to the objects of production, a word of what it must say
BROKEN = [
    ("all_are_there", lambda o: drop(o, "Deployment", "sink-other"), "sink-other"),
    ("all_are_there", lambda o: only(o, "StatefulSet", "processor-main").update(kind="Deployment"), "is a Deployment"),
    ("all_are_there", lambda o: spec(o, "Deployment", "sink-main")["selector"]["matchLabels"].pop("cell"), "selects other pods"),
    ("all_are_there", lambda o: only(o, "Deployment", "ingest")["metadata"]["labels"].pop("app.kubernetes.io/component"), "not labelled"),
    ("cells_do_not_mix", lambda o: variable(o, "Deployment", "sink-main", "MILLRACE_CELL").update(value="other"), "MILLRACE_CELL"),
    ("cells_do_not_mix", lambda o: pod_of(only(o, "Deployment", "sink-main"))["volumes"][1]["secret"].update(secretName="mongo-other"), "speaks of"),
    ("cells_do_not_mix", lambda o: lag(o, "sink-main").update(query=lag(o, "sink-other")["query"]), "speaks of"),
    ("cells_do_not_mix", lambda o: lag(o, "sink-main").update(query='x{cell="CELL"}'), "placeholder"),
    ("pods_are_restricted", lambda o: container(o, "Deployment", "ingest")["securityContext"].pop("readOnlyRootFilesystem"), "of ingest"),
    ("pods_are_restricted", lambda o: container(o, "Job", "topics")["securityContext"]["capabilities"].update(add=["NET_RAW"]), "Job topics"),
    ("pods_are_restricted", lambda o: pod_of(only(o, "Deployment", "ingest"))["securityContext"].update(runAsUser=0), "of the pod"),
    ("pods_are_restricted", lambda o: pod_of(only(o, "Deployment", "ingest")).pop("automountServiceAccountToken"), "token"),
    ("pods_are_restricted", lambda o: pod_of(only(o, "Deployment", "ingest")).pop("enableServiceLinks"), "enableServiceLinks"),
    ("pods_are_restricted", lambda o: pod_of(only(o, "Deployment", "ingest")).update(hostNetwork=True), "host's"),
    ("pods_are_restricted", lambda o: pod_of(only(o, "Deployment", "ingest"))["volumes"].append({"name": "x", "hostPath": {}}), "volume"),
    ("pods_are_restricted", lambda o: container(o, "Deployment", "sink-main")["volumeMounts"][1].pop("readOnly"), "written"),
    ("probes_ask_the_admin_port", lambda o: container(o, "Deployment", "ingest")["livenessProbe"]["httpGet"].update(path="/health/ready"), "liveness"),
    ("probes_ask_the_admin_port", lambda o: container(o, "Deployment", "sink-main")["ports"][0].update(containerPort=9101), "asks"),
    ("probes_ask_the_admin_port", lambda o: container(o, "StatefulSet", "processor-main").pop("startupProbe"), "startupProbe"),
    ("probes_ask_the_admin_port", lambda o: variable(o, "Deployment", "ingest", "MILLRACE_ADMIN_LISTEN").update(value="0.0.0.0:9109"), "elsewhere"),
    ("probes_ask_the_admin_port", lambda o: container(o, "Deployment", "ingest")["livenessProbe"].update(failureThreshold=1), "patience"),
    ("memory_is_a_budget", lambda o: variable(o, "Deployment", "ingest", "MILLRACE_MEMORY_BUDGET").update(value="513Mi"), "80 %"),
    ("memory_is_a_budget", lambda o: container(o, "Deployment", "ingest")["resources"]["requests"].update(memory="1Mi"), "another memory"),
    ("memory_is_a_budget", lambda o: container(o, "Job", "topics")["resources"]["limits"].pop("cpu"), "lacks"),
    ("secrets_are_files", lambda o: o.append({"kind": "Secret", "metadata": {"name": "x"}}), "operator's"),
    ("secrets_are_files", lambda o: container(o, "Deployment", "ingest")["envFrom"].append({"secretRef": {"name": "kafka"}}), "in the environment"),
    ("secrets_are_files", lambda o: container(o, "Deployment", "sink-main")["env"].append({"name": "MILLRACE_MONGO_URI", "value": "mongodb://x"}), "as it is"),
    ("secrets_are_files", lambda o: container(o, "Deployment", "sink-main")["volumeMounts"].pop(1), "no mounted Secret"),
    ("network_is_closed", lambda o: drop(o, "NetworkPolicy", "default-deny"), "default deny"),
    ("network_is_closed", lambda o: drop(o, "NetworkPolicy", "dns"), "kube-dns"),
    ("network_is_closed", lambda o: drop(o, "NetworkPolicy", "scrape"), "prometheus"),
    ("network_is_closed", lambda o: spec(o, "NetworkPolicy", "sink-main")["podSelector"]["matchLabels"].pop("app.kubernetes.io/component"),
     "processor-main: Egress is [\"('mongo-main', 27017)\"]"),
    ("network_is_closed", lambda o: spec(o, "NetworkPolicy", "sink-main")["podSelector"]["matchLabels"].pop("cell"), "sink-other: Egress"),
    ("network_is_closed", lambda o: spec(o, "NetworkPolicy", "kafka")["egress"][0].pop("to"), "anybody"),
    ("network_is_closed", lambda o: spec(o, "NetworkPolicy", "kafka")["egress"][0].pop("ports"), "None"),
    ("network_is_closed", lambda o: spec(o, "NetworkPolicy", "ingest")["ingress"].append({}), "anybody"),
    ("notify_stays_outside", lambda o: spec(o, "NetworkPolicy", "notify-main")["egress"][0]["to"][0]["ipBlock"]["except"].remove("10.0.0.0/8"), "10.1.2.3 is reached"),
    ("notify_stays_outside", lambda o: spec(o, "NetworkPolicy", "notify-main")["egress"][0]["to"].pop(), "not reached"),
    ("disruptions_are_bounded", lambda o: drop(o, "PodDisruptionBudget", "sink-main"), "0 budgets"),
    ("disruptions_are_bounded", lambda o: spec(o, "PodDisruptionBudget", "sink-main").update(maxUnavailable=2), "budgets"),
    ("disruptions_are_bounded", lambda o: pod_of(only(o, "Deployment", "ingest"))["topologySpreadConstraints"].pop(0), "spread by"),
    ("disruptions_are_bounded", lambda o: pod_of(only(o, "Deployment", "sink-main"))["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"].pop("cell"), "among others"),
    ("status_is_alone", lambda o: spec(o, "Deployment", "status").update(replicas=2), "two may run"),
    ("status_is_alone", lambda o: spec(o, "Deployment", "status").update(strategy={"type": "RollingUpdate"}), "two may run"),
    ("status_is_alone", lambda o: spec(o, "HorizontalPodAutoscaler", "ingest")["scaleTargetRef"].update(name="status"), "is scaled"),
    ("status_is_alone", lambda o: spec(o, "PodDisruptionBudget", "ingest").update(selector={"matchLabels": {"app.kubernetes.io/name": "millrace"}}), "a budget"),
    ("status_is_alone", lambda o: pod_of(only(o, "Deployment", "status"))["volumes"][2].update(persistentVolumeClaim={}), "tied"),
    ("status_is_alone", lambda o: variable(o, "Deployment", "status", "MILLRACE_STATUS_DIR").update(value="/tmp"), "keep its state"),
    ("status_is_alone", lambda o: spec(o, "Service", "status").pop("publishNotReadyAddresses"), "nobody reaches"),
    ("network_is_closed", lambda o: spec(o, "NetworkPolicy", "status")["ingress"].clear(), "status: Ingress"),
    ("processors_keep_their_names", lambda o: container(o, "StatefulSet", "processor-main")["env"].remove(variable(o, "StatefulSet", "processor-main", "MILLRACE_INSTANCE_ID")), "instance.id"),
    ("processors_keep_their_names", lambda o: spec(o, "StatefulSet", "processor-main").pop("podManagementPolicy"), "podManagementPolicy"),
    ("processors_keep_their_names", lambda o: drop(o, "Service", "processor-main"), "serviceName"),
    ("processors_keep_their_names", lambda o: container(o, "Deployment", "sink-main")["env"].append({"name": "MILLRACE_INSTANCE_ID", "value": "x"}), "fixed name"),
    ("custom_fields_are_known", lambda o: spec(o, "ScaledObject", "sink-main").update(minReplicas=1), "unknown field minReplicas"),
    ("custom_fields_are_known", lambda o: lag(o, "sink-main").update(treshold="1"), "unknown field treshold"),
    ("custom_fields_are_known", lambda o: lag(o, "sink-main").update(threshold=1), "1"),
    ("custom_fields_are_known", lambda o: spec(o, "ServiceMonitor", "millrace")["endpoints"][0].update(interval="15"), "15"),
    ("custom_fields_are_known", lambda o: spec(o, "PrometheusRule", "millrace")["groups"][0]["rules"][0].update(description="x"), "description"),
    ("stops_have_time", lambda o: pod_of(only(o, "StatefulSet", "processor-main")).update(terminationGracePeriodSeconds=30), "30 s"),
    ("jobs_can_be_repeated", lambda o: container(o, "Job", "cell-main").update(command=["millrace-ctl", "cell", "add", "other"]), "cell-main"),
    ("jobs_can_be_repeated", lambda o: container(o, "Job", "topics").update(args=["--replication-factor", "1"]), "makes topics"),
    ("jobs_can_be_repeated", lambda o: spec(o, "Job", "topics").pop("ttlSecondsAfterFinished"), "stays"),
    ("jobs_can_be_repeated", lambda o: spec(o, "CronJob", "ctl").pop("suspend"), "by itself"),
    ("images_are_one", lambda o: container(o, "Job", "topics").update(image="millrace:latest"), "latest"),
    ("scaling_follows_lag", lambda o: drop(o, "ScaledObject", "processor-main"), "not scaled"),
    ("scaling_follows_lag", lambda o: spec(o, "ScaledObject", "processor-main")["scaleTargetRef"].update(name="processor"), "not there"),
    ("scaling_follows_lag", lambda o: spec(o, "ScaledObject", "processor-main").update(minReplicaCount=0), "0 to"),
    ("scaling_follows_lag", lambda o: spec(o, "ScaledObject", "processor-main").update(maxReplicaCount=13), "to 13"),
    ("scaling_follows_lag", lambda o: lag(o, "sink-main").update(query='sum(millrace_sink_lag_records{job="sink",cell="main"})'), "asks"),
    ("scaling_follows_lag", lambda o: lag(o, "sink-main").pop("ignoreNullValues"), "no lag"),
    ("scaling_follows_lag", lambda o: spec(o, "ScaledObject", "sink-main")["triggers"].append({"type": "cpu"}), "something else"),
    ("scaling_follows_lag", lambda o: spec(o, "ScaledObject", "sink-main")["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"].update(
        stabilizationWindowSeconds=0), "hurry"),
    ("scaling_follows_lag", lambda o: spec(o, "Deployment", "sink-main").update(replicas=2), "undo"),
    ("metrics_are_exported", lambda o: lag(o, "sink-main").update(query="sum(millrace_sink_drainable_lag_seconds)"), "drainable_lag_seconds"),
    ("prometheus_finds_all", lambda o: spec(o, "Service", "ingest-admin")["ports"][0].update(name="metrics"), "ingest: stands behind 0"),
    ("prometheus_finds_all", lambda o: only(o, "Service", "sink-main")["metadata"]["labels"].pop("cell"), "job, cell"),
    ("prometheus_finds_all", lambda o: spec(o, "ServiceMonitor", "millrace").pop("targetLabels"), "job, cell"),
    ("prometheus_finds_all", lambda o: spec(o, "Service", "ingest-admin").update(clusterIP=""), "admin port"),
    ("replicas_are_several", lambda o: spec(o, "Deployment", "notify-main").pop("replicas"), "alone"),
    ("replicas_are_several", lambda o: drop(o, "HorizontalPodAutoscaler", "ingest"), "alone"),
    ("replicas_are_several", lambda o: pod_of(only(o, "Deployment", "ingest"))["topologySpreadConstraints"][0].update(whenUnsatisfiable="ScheduleAnyway"), "wish"),
    ("replicas_are_several", lambda o: pod_of(only(o, "Deployment", "ingest")).update(priorityClassName="millrace-cell"), "priority"),
]


def test_judges_can_say_no():
    """And no judge is without something that it refuses."""
    whole, missed, all_judges = objects("production"), [], judges_of("production")
    for judge, breaks, word in BROKEN:
        things = copy.deepcopy(whole)
        breaks(things)
        said = all_judges[judge](things)
        if not any(word in line for line in said):
            missed.append(f"{judge} does not say {word!r}, but {said}")
    none(missed)
    assert {judge for judge, _, _ in BROKEN} == set(all_judges)


def test_others_can_say_no():
    whole = objects("production")
    ingest = only(whole, "Deployment", "ingest")
    for broken, word in (({**ingest, "spec": {**ingest["spec"], "replica": 2}}, "replica"),
                         ({**ingest, "spec": {**ingest["spec"], "minReadySeconds": "soon"}}, "soon"),
                         ({"apiVersion": "keda.sh/v1", "kind": "ScaledThing", "metadata": {"name": "x"}}, "nobody knows")):
        said = schema_faults([broken])
        assert len(said) == len(VERSIONS) and all(word in line for line in said), (word, said)
    things = copy.deepcopy(whole)
    container(things, "Deployment", "ingest").pop("readinessProbe")
    assert any("readinessProbe" in line for line in critical(yaml.safe_dump_all(things)))
    rule, = of_kind(things, "PrometheusRule")
    rule["spec"]["groups"][0]["rules"][0]["expr"] = "sum("
    assert rule_faults(rule["spec"]["groups"])
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write("a:\n   - b\n  -  c\n")
        file.flush()
        assert lint(file.name).returncode != 0


cases.run(globals())
