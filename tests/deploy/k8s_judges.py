"""What deploy/k8s promises of its objects, as judges: each takes all objects of one overlay and returns what is wrong, a line each.

They are functions of parsed objects, so that test_k8s.py can show each of them something broken.
"""
import ipaddress
import json
import math
import re

import k8s_fields

PROGRAMS = {"ingest": 9101, "processor": 9102, "sink": 9103, "notify": 9104, "status": 9105}  # and their admin ports
OF_A_CELL = ("processor", "sink", "notify")
UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
COMPONENT = "app.kubernetes.io/component"
NAMESPACE = "kubernetes.io/metadata.name"
UID = 10001


def of_kind(objects, *kinds):
    return [thing for thing in objects if thing["kind"] in kinds]


def name_of(thing):
    return f"{thing['kind']} {thing['metadata']['name']}"


def workloads(objects):
    """All that makes pods."""
    return of_kind(objects, "Deployment", "StatefulSet", "Job", "CronJob")


def services_of_programs(objects):
    """What runs for ever."""
    return of_kind(objects, "Deployment", "StatefulSet")


def template_of(workload):
    spec = workload["spec"]
    return (spec["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else spec)["template"]


def pod_of(workload):
    return template_of(workload)["spec"]


def labels_of(workload):
    return template_of(workload)["metadata"]["labels"]


def component_of(workload):
    return labels_of(workload)[COMPONENT]


def containers_of(workload):
    pod = pod_of(workload)
    return [*pod.get("initContainers", []), *pod["containers"]]


def selects(selector, labels):
    """Does a label selector, of matchLabels alone, select these labels?"""
    assert set(selector) <= {"matchLabels"}, selector
    return selector.get("matchLabels", {}).items() <= labels.items()


def size(text):
    """Bytes of a quantity such as 512Mi."""
    number, unit = re.fullmatch(r"(\d+)([KMG]i)", text).groups()
    return int(number) * UNITS[unit]


def environment(container, objects, pod_name="pod-0"):
    """What the container's environment would be: its ConfigMaps, its own variables, the pod's name."""
    maps = {thing["metadata"]["name"]: thing["data"] for thing in of_kind(objects, "ConfigMap")}
    env = {}
    for source in container.get("envFrom", []):
        env.update(maps[source["configMapRef"]["name"]])
    for variable in container.get("env", []):
        if "value" in variable:
            env[variable["name"]] = variable["value"]
        else:
            assert variable["valueFrom"] == {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}} or \
                variable["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}, variable
            env[variable["name"]] = pod_name
    return env


def all_are_there(objects):
    """ingest, status, and of each cell a processor, a sink, a notifier and a job; kinds as promised."""
    found = []
    kinds = {"ingest": "Deployment", "processor": "StatefulSet", "sink": "Deployment", "notify": "Deployment", "status": "Deployment", "topics": "Job", "ctl": "CronJob"}
    names = {thing["metadata"]["name"]: thing for thing in workloads(objects)}
    cells = {labels_of(thing)["cell"] for thing in workloads(objects) if "cell" in labels_of(thing)}
    wanted = {"ingest": ("ingest", None), "status": ("status", None), "topics": ("topics", None), "ctl": ("ctl", None), **{f"cell-{cell}": ("topics", cell) for cell in cells},
              **{f"{program}-{cell}": (program, cell) for program in OF_A_CELL for cell in cells}}
    if not {"main", "other"} <= cells:
        found.append(f"cells are {sorted(cells)}")
    if set(names) != set(wanted):
        found.append(f"there are {sorted(names)}, not {sorted(wanted)}")
    for name in names.keys() & wanted.keys():
        thing, (component, cell) = names[name], wanted[name]
        if thing["kind"] != kinds[component]:
            found.append(f"{name} is a {thing['kind']}")
        if component_of(thing) != component or labels_of(thing).get("cell") != cell:
            found.append(f"{name} has labels {labels_of(thing)}")
        if not labels_of(thing).items() <= thing["metadata"]["labels"].items():  # kubectl apply -l goes by these
            found.append(f"{name} is not labelled as its pods are")
        if thing["kind"] in ("Deployment", "StatefulSet") and thing["spec"]["selector"]["matchLabels"] != labels_of(thing):
            found.append(f"{name} selects other pods than its own")
    return found


def cells_do_not_mix(objects):
    """Each object of a cell names that cell alone: settings, secrets, queries, selectors; and no placeholder is left."""
    found = []
    cells = {labels_of(thing)["cell"] for thing in workloads(objects) if "cell" in labels_of(thing)}
    for thing in objects:
        cell = next((cell for cell in cells if thing["metadata"]["name"].endswith("-" + cell)), None)
        if cell is None:
            continue
        text = json.dumps(thing)
        if re.search(r"(?<!_)\bCELL\b", text):
            found.append(f"{name_of(thing)}: a placeholder is left")
        strangers = [other for other in cells - {cell} if re.search(rf'(?<![\w-]){other}\b(?!\.)|-{other}"|\\"{other}\\"', text)]
        if strangers:
            found.append(f"{name_of(thing)}: speaks of cell {strangers}")
    for thing in services_of_programs(objects):
        cell = labels_of(thing).get("cell")
        said = environment(containers_of(thing)[0], objects).get("MILLRACE_CELL")
        if cell != said:
            found.append(f"{name_of(thing)}: MILLRACE_CELL is {said}")
    return found


def pods_are_restricted(objects):
    """The pod security standard "restricted", uid 10001, a read-only root, no token."""
    found = []
    for thing in workloads(objects):
        pod = pod_of(thing)
        if pod.get("automountServiceAccountToken") is not False:
            found.append(f"{name_of(thing)}: has a token of the API server")
        if pod.get("enableServiceLinks") is not False:  # MILLRACE_SERVICE_PORT would be an unknown setting
            found.append(f"{name_of(thing)}: enableServiceLinks")
        if any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace")):
            found.append(f"{name_of(thing)}: shares what is the host's")
        if any(set(volume) - {"name", "secret", "emptyDir", "configMap"} for volume in pod.get("volumes", [])):
            found.append(f"{name_of(thing)}: a volume of another kind")
        want = {"runAsNonRoot": True, "runAsUser": UID, "runAsGroup": UID, "fsGroup": UID, "seccompProfile": {"type": "RuntimeDefault"}}
        if pod.get("securityContext") != want:
            found.append(f"{name_of(thing)}: securityContext of the pod")
        want = {"runAsUser": UID, "runAsGroup": UID, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]}}
        for container in containers_of(thing):
            if container.get("securityContext") != want:
                found.append(f"{name_of(thing)}: securityContext of {container['name']}")
            for mount in container.get("volumeMounts", []):
                secret = any(volume["name"] == mount["name"] and "secret" in volume for volume in pod["volumes"])
                if secret and mount.get("readOnly") is not True:
                    found.append(f"{name_of(thing)}: {mount['name']} can be written")
    return found


def probes_ask_the_admin_port(objects):
    """Liveness asks what depends on nothing outside, readiness what does; the port is the program's own."""
    found = []
    for thing in services_of_programs(objects):
        container, port = pod_of(thing)["containers"][0], PROGRAMS[component_of(thing)]
        if environment(container, objects)["MILLRACE_ADMIN_LISTEN"] != f"0.0.0.0:{port}":
            found.append(f"{name_of(thing)}: listens elsewhere")
        ports = {one["name"]: one["containerPort"] for one in container["ports"]}
        for probe, path in (("startupProbe", "/health/live"), ("livenessProbe", "/health/live"), ("readinessProbe", "/health/ready")):
            get = container.get(probe, {}).get("httpGet", {})
            if get.get("path") != path or ports.get(get.get("port"), get.get("port")) != port:
                found.append(f"{name_of(thing)}: {probe} asks {get}")
        if container["livenessProbe"]["periodSeconds"] * container["livenessProbe"]["failureThreshold"] < 30:
            found.append(f"{name_of(thing)}: livenessProbe has no patience")
    return found


def memory_is_a_budget(objects):
    """Requests and limits of all; what is asked for of memory is what is given, and memory.budget is 80 % of it."""
    found = []
    for thing in workloads(objects):
        for container in containers_of(thing):
            resources = container.get("resources", {})
            requests, limits = resources.get("requests", {}), resources.get("limits", {})
            if not {"cpu", "memory", "ephemeral-storage"} <= requests.keys() & limits.keys():
                found.append(f"{name_of(thing)}: {container['name']} lacks a request or limit")
                continue
            budget = size(environment(container, objects)["MILLRACE_MEMORY_BUDGET"])
            if requests["memory"] != limits["memory"]:
                found.append(f"{name_of(thing)}: asks for another memory than its limit")
            if budget * 10 != size(limits["memory"]) * 8:
                found.append(f"{name_of(thing)}: memory.budget is not 80 % of {limits['memory']}")
    return found


def secrets_are_files(objects):
    """Nothing secret in an object or an environment; each file of a setting lies in a mounted Secret."""
    found = [f"{name_of(thing)}: secrets are the operator's to make" for thing in of_kind(objects, "Secret")]
    for thing in workloads(objects):
        mounts = {mount["mountPath"]: mount["name"] for c in containers_of(thing) for mount in c.get("volumeMounts", [])}
        secrets = {volume["name"] for volume in pod_of(thing).get("volumes", []) if "secret" in volume}
        for container in containers_of(thing):
            if any("secretRef" in source for source in container.get("envFrom", [])) or "secretKeyRef" in json.dumps(container):
                found.append(f"{name_of(thing)}: a secret in the environment")
                continue
            for key, value in environment(container, objects).items():
                if re.search(r"(PASSWORD|URI|TOKEN|SECRET|KEY)$", key) or re.search(r"://[^/]*@", value):
                    found.append(f"{name_of(thing)}: {key} is given as it is")
                if value.startswith("/run/secrets/") and mounts.get("/".join(value.split("/")[:4])) not in secrets:
                    found.append(f"{name_of(thing)}: {key} is a file of no mounted Secret")
    return found


def _peer(rule_peer):
    """A peer of a NetworkPolicy as a word."""
    if "ipBlock" in rule_peer:
        return rule_peer["ipBlock"]["cidr"]
    pods = rule_peer.get("podSelector", {}).get("matchLabels", {})
    return "/".join([rule_peer["namespaceSelector"]["matchLabels"][NAMESPACE], *pods.values()])


def ways_of(objects, labels, direction):
    """The set of (peer, port) that policies open for pods with these labels, or None when no policy of this direction selects them: all is open."""
    key, peers = {"Egress": ("egress", "to"), "Ingress": ("ingress", "from")}[direction]
    policies = [thing["spec"] for thing in of_kind(objects, "NetworkPolicy") if selects(thing["spec"]["podSelector"], labels)
                and direction in thing["spec"]["policyTypes"]]
    rules = [rule for policy in policies for rule in policy.get(key) or []]
    ways = {(_peer(peer) if peer else "anybody", port and port["port"]) for rule in rules
            for peer in rule.get(peers) or [None] for port in rule.get("ports") or [None]}
    return ways if policies else None


def network_is_closed(objects):
    """Nothing but what each program needs, in both directions; so the sink of a cell alone reaches that cell's MongoDB."""
    if not any(thing["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} for thing in of_kind(objects, "NetworkPolicy")):
        return ["there is no default deny"]
    found = []
    kafka = {int(thing["data"]["MILLRACE_KAFKA_BOOTSTRAP_SERVERS"].split(":")[1]) for thing in of_kind(objects, "ConfigMap")}
    for thing in workloads(objects):
        labels, component = labels_of(thing), component_of(thing)
        out = {("kube-system/kube-dns", 53), *(("kafka", port) for port in kafka)}
        if component == "sink":
            out.add((f"mongo-{labels['cell']}", 27017))
        if component == "notify":
            out |= {(cidr, port) for cidr in ("0.0.0.0/0", "::/0") for port in (443, 465, 587)}
        into = {("monitoring/prometheus", "admin"), *(("ingress-nginx", port) for port in {"ingest": ["push"], "status": ["page"]}.get(component, []))}
        for direction, want in (("Egress", out), ("Ingress", into)):
            ways = ways_of(objects, labels, direction)
            if ways != want:
                found.append(f"{name_of(thing)}: {direction} is {sorted(map(str, ways ^ want)) if ways is not None else 'open'}")
    return found


INSIDE = ("10.1.2.3", "172.20.0.1", "192.168.1.1", "100.64.3.4", "169.254.169.254", "127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255",
          "::1", "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd12::1", "fe80::1", "ff02::1")
OUTSIDE = ("93.184.215.14", "172.32.0.1", "11.0.0.1", "2606:2800:21f::1")


def notify_stays_outside(objects):
    """A receiver's address is a customer's wish: it opens the world, and nothing that is inside."""
    found = []
    policies = [thing for thing in of_kind(objects, "NetworkPolicy") if thing["spec"]["podSelector"].get("matchLabels", {}).get(COMPONENT) == "notify"]
    for policy in policies:
        blocks = [(ipaddress.ip_network(peer["ipBlock"]["cidr"]), [ipaddress.ip_network(net) for net in peer["ipBlock"].get("except", [])])
                  for rule in policy["spec"]["egress"] for peer in rule["to"]]
        for address in map(ipaddress.ip_address, INSIDE + OUTSIDE):
            open_to = any(address in net and not any(address in hole for hole in holes) for net, holes in blocks)
            if open_to != (str(address) in OUTSIDE):
                found.append(f"{name_of(policy)}: {address} is {'reached' if open_to else 'not reached'}")
    return found or ([] if policies else ["notify has no policy"])


def disruptions_are_bounded(objects):
    """One budget for each program, and pods apart by zone and by node, counted among their own; but for status, which is alone."""
    found = []
    for thing in services_of_programs(objects):
        if component_of(thing) == "status":
            continue
        budgets = [one["spec"] for one in of_kind(objects, "PodDisruptionBudget") if selects(one["spec"]["selector"], labels_of(thing))]
        if [one.get("maxUnavailable") for one in budgets] != [1]:
            found.append(f"{name_of(thing)}: has {len(budgets)} budgets for disruptions")
        spread = pod_of(thing).get("topologySpreadConstraints", [])
        if [one["topologyKey"] for one in spread] != ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]:
            found.append(f"{name_of(thing)}: is spread by {[one['topologyKey'] for one in spread]}")
        if any(one["labelSelector"] != {"matchLabels": labels_of(thing)} or one["maxSkew"] != 1 for one in spread):
            found.append(f"{name_of(thing)}: is spread among others")
    return found


def status_is_alone(objects):
    """One that drafts, never two at a time, and nothing that holds its node or ties it to a place; its page is reached while it is not ready."""
    found = []
    thing, = [one for one in services_of_programs(objects) if component_of(one) == "status"]
    if thing["spec"].get("replicas") != 1 or thing["spec"]["strategy"] != {"type": "Recreate"}:
        found.append(f"{name_of(thing)}: two may run")
    if any(scaler["spec"]["scaleTargetRef"]["name"] == thing["metadata"]["name"] for scaler in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject")):
        found.append(f"{name_of(thing)}: is scaled")
    if any(selects(one["spec"]["selector"], labels_of(thing)) for one in of_kind(objects, "PodDisruptionBudget")):
        found.append(f"{name_of(thing)}: a budget of one holds its node or bounds nothing")
    if pod_of(thing).get("topologySpreadConstraints") or any("persistentVolumeClaim" in volume for volume in pod_of(thing)["volumes"]):
        found.append(f"{name_of(thing)}: is tied to a place")
    kept = environment(containers_of(thing)[0], objects).get("MILLRACE_STATUS_DIR")
    if [mount.get("readOnly", False) for mount in containers_of(thing)[0]["volumeMounts"] if mount["mountPath"] == kept] != [False]:
        found.append(f"{name_of(thing)}: cannot keep its state")
    for one in of_kind(objects, "Service"):
        if one["spec"]["selector"].items() <= labels_of(thing).items() and not one["spec"].get("publishNotReadyAddresses"):
            found.append(f"{name_of(one)}: without Kafka nobody reaches it")
    return found


def processors_keep_their_names(objects):
    """instance.id is the pod's name where names are stable, and nowhere else: a Deployment's pods would leave names behind."""
    found = []
    headless = {thing["metadata"]["name"] for thing in of_kind(objects, "Service") if thing["spec"].get("clusterIP") == "None"}
    for thing in services_of_programs(objects):
        named = [variable for variable in pod_of(thing)["containers"][0]["env"] if variable["name"] == "MILLRACE_INSTANCE_ID"]
        if thing["kind"] == "Deployment":
            found += [f"{name_of(thing)}: has a fixed name"] if named else []
            continue
        if [variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath") for variable in named] != ["metadata.name"]:
            found.append(f"{name_of(thing)}: instance.id is not the pod's name")
        if thing["spec"].get("podManagementPolicy") != "Parallel" or thing["spec"]["serviceName"] not in headless:
            found.append(f"{name_of(thing)}: podManagementPolicy or serviceName")
    return found


def stops_have_time(objects, needs):
    """needs: seconds that each program may take to end."""
    found = []
    for thing in services_of_programs(objects):
        grace, need = pod_of(thing)["terminationGracePeriodSeconds"], needs[component_of(thing)]
        if not need <= grace <= need + 30:
            found.append(f"{name_of(thing)}: {grace} s to end, and it may take {need:.0f}")
    return found


def jobs_can_be_repeated(objects, copies):
    """They name commands that find made what they would make; a job that has ended goes away, as it cannot be changed."""
    found = []
    for job in of_kind(objects, "Job"):
        container, cell = pod_of(job)["containers"][0], labels_of(job).get("cell")
        want = ["millrace-ctl", "--author", "kubernetes", *(["cell", "add", cell] if cell else ["topics", "apply"])]
        if container["command"] != want:
            found.append(f"{name_of(job)}: {container['command']}")
        if container["args"][:2] != ["--replication-factor", str(copies)]:
            found.append(f"{name_of(job)}: makes topics with {container['args']}")
        if pod_of(job)["restartPolicy"] != "OnFailure" or not job["spec"].get("ttlSecondsAfterFinished") or not job["spec"].get("backoffLimit"):
            found.append(f"{name_of(job)}: is not tried again, or stays")
    ctl, = of_kind(objects, "CronJob")
    if ctl["spec"].get("suspend") is not True or not ctl["spec"]["jobTemplate"]["spec"].get("activeDeadlineSeconds"):
        found.append(f"{name_of(ctl)}: runs by itself, or for ever")
    return found


def partitions_of(objects, cell):
    args = next(pod_of(job)["containers"][0]["args"] for job in of_kind(objects, "Job") if labels_of(job).get("cell") == cell)
    return int(args[args.index("--partitions") + 1])


METRIC = {"processor": r'max\(millrace_processor_lag_seconds\{job="processor",cell="(.*)"\}\)',
          "sink": r'sum\(millrace_sink_drainable_lag_records\{job="sink",cell="(.*)"\}\)'}


def scaling_follows_lag(objects):
    """Processors by seconds of lag, sinks by drainable lag, of their cell; never to none, never more than partitions; down slowly; and no
    data is no reason to go down."""
    found = []
    scaled = {name_of({"kind": s["spec"]["scaleTargetRef"]["kind"], "metadata": s["spec"]["scaleTargetRef"]}): s for s in of_kind(objects, "ScaledObject")}
    for thing in services_of_programs(objects):
        component = component_of(thing)
        one = scaled.pop(name_of(thing), None)
        if component not in METRIC:
            found += [f"{name_of(thing)}: is scaled by lag"] if one else []
            continue
        if one is None:
            found.append(f"{name_of(thing)}: is not scaled")
            continue
        spec, cell = one["spec"], labels_of(thing)["cell"]
        lag = next(trigger for trigger in spec["triggers"] if trigger["type"] == "prometheus")
        match = re.fullmatch(METRIC[component], lag["metadata"]["query"])
        if not match or match[1] != cell:
            found.append(f"{name_of(one)}: asks {lag['metadata']['query']}")
        if component == "sink" and len(spec["triggers"]) != 1:
            found.append(f"{name_of(one)}: something else than drainable lag makes writers")
        if not 1 <= spec["minReplicaCount"] <= spec["maxReplicaCount"] <= partitions_of(objects, cell):
            found.append(f"{name_of(one)}: {spec['minReplicaCount']} to {spec['maxReplicaCount']} replicas")
        if lag["metadata"].get("ignoreNullValues") != "false" or lag["metricType"] != "AverageValue":
            found.append(f"{name_of(one)}: takes no data for no lag")
        down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
        if down["stabilizationWindowSeconds"] < 600 or down["policies"] != [{**down["policies"][0], "type": "Pods", "value": 1}]:
            found.append(f"{name_of(one)}: goes down in a hurry")
        if "replicas" in thing["spec"]:
            found.append(f"{name_of(thing)}: each apply would undo its scaling")
    return found + [f"{name}: scaled, and not there" for name in scaled]


def queries_of(objects):
    return [trigger["metadata"]["query"] for thing in of_kind(objects, "ScaledObject") for trigger in thing["spec"]["triggers"]
            if "query" in trigger["metadata"]]


def metrics_are_exported(objects, exported):
    """exported: the names of all metrics that the programs have."""
    named = {name for query in queries_of(objects) for name in re.findall(r"millrace_\w+", query)}
    return [f"nothing exports {name}" for name in sorted(named - exported)]


def prometheus_finds_all(objects):
    """Each program's admin port stands behind one service that the ServiceMonitor selects, whose labels become job and cell."""
    monitor, = of_kind(objects, "ServiceMonitor")
    spec, endpoint = monitor["spec"], monitor["spec"]["endpoints"][0]
    found = []
    if endpoint["path"] != "/metrics" or len(spec["endpoints"]) != 1:
        found.append(f"{name_of(monitor)}: asks {spec['endpoints']}")
    for thing in services_of_programs(objects):
        services = [one for one in of_kind(objects, "Service") if one["spec"]["selector"].items() <= labels_of(thing).items()
                    and selects(spec["selector"], one["metadata"]["labels"]) and any(p["name"] == endpoint["port"] for p in one["spec"]["ports"])]
        if len(services) != 1:
            found.append(f"{name_of(thing)}: stands behind {len(services)} services with a port {endpoint['port']}")
            continue
        labels = services[0]["metadata"]["labels"]
        got = labels.get(spec.get("jobLabel")), labels.get("cell") if "cell" in spec.get("targetLabels", []) else None
        if got != (component_of(thing), labels_of(thing).get("cell")):
            found.append(f"{name_of(thing)}: is scraped with job, cell {got}")
        if [p["port"] for p in services[0]["spec"]["ports"]] != [PROGRAMS[component_of(thing)]] or services[0]["spec"].get("clusterIP") != "None":
            found.append(f"{name_of(services[0])}: is not just its admin port")
    return found


def images_are_one(objects, image, pull):
    return [f"{name_of(thing)}: {container['image']}, {container['imagePullPolicy']}" for thing in workloads(objects)
            for container in containers_of(thing) if (container["image"], container["imagePullPolicy"]) != (image, pull)]


def replicas_are_several(objects):
    """Of a production overlay: two of each at least, but of status; ingest in every zone of three, and apart for certain."""
    found = []
    least = {scaler["spec"]["scaleTargetRef"]["name"]: scaler["spec"].get("minReplicas") or scaler["spec"].get("minReplicaCount")
             for scaler in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject")}
    ranks = {thing["metadata"]["name"]: thing["value"] for thing in of_kind(objects, "PriorityClass")}
    for thing in services_of_programs(objects):
        ingest, alone = component_of(thing) == "ingest", component_of(thing) == "status"
        if not alone and least.get(thing["metadata"]["name"], thing["spec"].get("replicas", 1)) < (3 if ingest else 2):
            found.append(f"{name_of(thing)}: is alone")
        if not alone and pod_of(thing)["topologySpreadConstraints"][0]["whenUnsatisfiable"] != "DoNotSchedule":
            found.append(f"{name_of(thing)}: zones are a wish")
        rank = ranks.get(pod_of(thing).get("priorityClassName"), -math.inf)
        if rank != max(ranks.values()) if ingest else not -math.inf < rank < max(ranks.values()):
            found.append(f"{name_of(thing)}: has priority {rank}")
    return found


def custom_fields_are_known(objects):
    """Of the kinds that no schema is at hand for."""
    return [line for thing in objects for line in k8s_fields.faults_of_object(thing) or []]
