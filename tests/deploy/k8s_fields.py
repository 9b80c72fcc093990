"""Which fields a custom resource may have, since no schema of it is at hand offline: by the documented CRDs, no more of them than we use.

A field that an operator does not know is dropped by the API server without a word, and what it was for does not happen.

A shape is a type, a compiled pattern of a string, a list of one shape (of any length but 0), a dict of fields ("name" must be there, "name?" may),
or a dict with the one key ANY: names are free.
"""
import re

ANY = object()
DURATION = re.compile(r"(\d+(ms|[smhdwy]))+")
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
NUMBER = re.compile(r"\d+(\.\d+)?")  # as a string: metadata of a trigger holds nothing else
METADATA = {"name": NAME, "namespace?": NAME, "labels?": {ANY: str}, "annotations?": {ANY: str}}

POLICIES = [{"type": re.compile("Pods|Percent"), "value": int, "periodSeconds": int}]
RULES = {"stabilizationWindowSeconds?": int, "selectPolicy?": re.compile("Max|Min|Disabled"), "policies?": POLICIES}

TRIGGERS = {  # by type: their metadata
    "prometheus": {"serverAddress": re.compile(r"https?://\S+"), "query": str, "threshold": NUMBER, "activationThreshold?": NUMBER,
                   "ignoreNullValues?": re.compile("true|false"), "timeout?": NUMBER, "queryParameters?": str, "customHeaders?": str,
                   "namespace?": NAME, "unsafeSsl?": re.compile("true|false")},
    "cpu": {"value": NUMBER, "containerName?": NAME},
}

SHAPES = {
    ("keda.sh/v1alpha1", "ScaledObject"): {
        "scaleTargetRef": {"apiVersion?": str, "kind?": str, "name": NAME},
        "pollingInterval?": int, "cooldownPeriod?": int, "minReplicaCount": int, "maxReplicaCount": int,
        "advanced?": {"restoreToOriginalReplicaCount?": bool,
                      "horizontalPodAutoscalerConfig?": {"name?": NAME, "behavior?": {"scaleUp?": RULES, "scaleDown?": RULES}}},
        "triggers": [{"type": str, "name?": str, "metricType?": re.compile("AverageValue|Value|Utilization"), "metadata": {ANY: str}}],
    },
    ("monitoring.coreos.com/v1", "ServiceMonitor"): {
        "selector": {"matchLabels": {ANY: str}}, "jobLabel?": str, "targetLabels?": [str],
        "endpoints": [{"port": str, "path?": str, "interval?": DURATION, "scrapeTimeout?": DURATION, "honorLabels?": bool}],
    },
    ("monitoring.coreos.com/v1", "PrometheusRule"): {
        "groups": [{"name": str, "interval?": DURATION, "limit?": int, "labels?": {ANY: str},
                    "rules": [{"record?": str, "alert?": str, "expr": str, "for?": DURATION, "keep_firing_for?": DURATION,
                               "labels?": {ANY: str}, "annotations?": {ANY: str}}]}],
    },
}


def faults(value, shape, where):
    """What is wrong with value, as lines that say where."""
    if isinstance(shape, dict):
        return _faults_of_fields(value, shape, where) if isinstance(value, dict) else [f"{where}: {value!r} is not an object"]
    if isinstance(shape, list):
        if not isinstance(value, list) or not value:
            return [f"{where}: {value!r} is not a list of something"]
        return [line for at, one in enumerate(value) for line in faults(one, shape[0], f"{where}[{at}]")]
    if isinstance(shape, re.Pattern):
        return [] if isinstance(value, str) and shape.fullmatch(value) else [f"{where}: {value!r} is not like {shape.pattern}"]
    right = isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
    return [] if right else [f"{where}: {value!r} is no {shape.__name__}"]


def _faults_of_fields(value, shape, where):
    if ANY in shape:
        return [line for key, one in value.items() for line in faults(one, shape[ANY], f"{where}.{key}")]
    known = {key.rstrip("?"): one for key, one in shape.items()}
    found = [f"{where}: unknown field {key}" for key in value if key not in known]
    found += [f"{where}: no field {key}" for key in shape if not key.endswith("?") and key not in value]
    return found + [line for key, one in value.items() if key in known for line in faults(one, known[key], f"{where}.{key}")]


def faults_of_object(thing):
    """Likewise, of a whole object; None when its kind has no shape here."""
    shape = SHAPES.get((thing["apiVersion"], thing["kind"]))
    if shape is None:
        return None
    where = f"{thing['kind']} {thing['metadata']['name']}"
    found = faults(thing, {"apiVersion": str, "kind": str, "metadata": METADATA, "spec": shape}, where)
    if found or thing["kind"] != "ScaledObject":
        return found
    for trigger in thing["spec"]["triggers"]:
        found += faults(trigger["metadata"], TRIGGERS[trigger["type"]], f"{where}, {trigger['type']}") if trigger["type"] in TRIGGERS else \
            [f"{where}: unknown type of trigger {trigger['type']}"]
    return found
