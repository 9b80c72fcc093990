"""Where things are: the project, and the parts that deploy/local/deps has fetched (MILLRACE_PARTS moves them)."""
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LOCAL = ROOT / "deploy" / "local"
PARTS = Path(os.environ.get("MILLRACE_PARTS") or ROOT / "build" / "parts").absolute()
VENV_PYTHON = PARTS / "venv" / "bin" / "python"
KAFKA_JARS = PARTS / "kafka"
KAFKA_ARCHIVE = PARTS / "kafka-archive" / "kafka.jsa"
DATABASE_JARS = PARTS / "database"
DATABASE_CLASSES = PARTS / "database-classes"
TOXIPROXY = PARTS / "toxiproxy" / "toxiproxy"
