"""What deploy/local and the tests share: where the parts are, processes, and a stack of Kafka and databases.

    from millrace_local import Stack, Process, PARTS
    with Stack(directory, base_port=20000) as stack:   # down at the end, data kept; stack.wipe() deletes it
        stack.up()
        stack.env()["KAFKA"]

Needs nothing but the standard library, so that it runs before deploy/local/deps has installed anything.
"""
from .database import Database
from .paths import ALERTMANAGER, BINARIES, GO_TOOLS, NGINX, PARTS, PROMETHEUS, PROMTOOL, ROOT, TREE, VENV_PYTHON
from .process import Failure, Process, free_base_port, free_ports, port_is_open, tail
from .stack import Stack
from .toxiproxy import Toxiproxy

__all__ = ["ALERTMANAGER", "BINARIES", "Database", "Failure", "GO_TOOLS", "NGINX", "PARTS", "PROMETHEUS", "PROMTOOL", "Process", "ROOT", "Stack", "TREE", "Toxiproxy",
           "VENV_PYTHON", "free_base_port", "free_ports", "port_is_open", "tail"]
