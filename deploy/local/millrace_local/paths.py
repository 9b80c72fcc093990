"""Where things are: the project, the parts that deploy/local/deps has fetched (MILLRACE_PARTS moves them), and the programs: those of
the object tree build/MILLRACE_TREE (such as address-undefined or coverage), of build/plain by default."""
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LOCAL = ROOT / "deploy" / "local"
PARTS = Path(os.environ.get("MILLRACE_PARTS") or ROOT / "build" / "parts").absolute()
TREE = os.environ.get("MILLRACE_TREE") or "plain"
BINARIES = ROOT / "build" / TREE / "bin"
VENV_PYTHON = PARTS / "venv" / "bin" / "python"
KAFKA_JARS = PARTS / "kafka"
KAFKA_ARCHIVE = PARTS / "kafka-archive" / "kafka.jsa"
DATABASE_JARS = PARTS / "database"
DATABASE_CLASSES = PARTS / "database-classes"
TOXIPROXY = PARTS / "toxiproxy" / "toxiproxy"
NODE_MODULES = PARTS / "node" / "node_modules"
GO_TOOLS = PARTS / "go-tools"
UNPACKED = PARTS / "unpacked"  # root of packages that are not installed
PROMETHEUS, PROMTOOL = UNPACKED / "usr" / "bin" / "prometheus", UNPACKED / "usr" / "bin" / "promtool"
ALERTMANAGER = UNPACKED / "usr" / "bin" / "prometheus-alertmanager"
NGINX = UNPACKED / "usr" / "sbin" / "nginx"
