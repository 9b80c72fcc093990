"""The images that the test runs, each named by the content it is made of, so that a second run builds nothing.

Ours is built by deploy/Dockerfile as it is: `debian:bookworm` and `debian:bookworm-slim` are, in the test's own storage, what debootstrap makes. Kafka and
the database, whose images cannot be had everywhere, are made of the parts that deploy/local/deps fetches.
"""
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from millrace_local import Failure, ROOT, paths
from millrace_local.kafka import LOG4J

HERE = Path(__file__).resolve().parent / "images"
RELEASE = "bookworm"
LIBRARY = "docker.io/library"
BUILD_S = 1500
SOURCES = ("Makefile", ".dockerignore", "common", "deploy", "ingest", "processor", "schemas", "sink")  # of what COPY takes, what a program can depend on


def digest(*inputs):
    """One hash over names and contents of files, and over plain words."""
    found = hashlib.sha256()
    for item in inputs:
        found.update((item.name + "\0").encode() + item.read_bytes() if isinstance(item, Path) else item.encode())
        found.update(b"\0")
    return found.hexdigest()[:16]


class Images:
    """Builds what is missing; kept: {name: its key}. Older versions of an image are removed."""

    def __init__(self, engine):
        self.engine = engine
        self.built = []

    def make(self):
        base = self._kept(f"{LIBRARY}/debian", digest(RELEASE, self._apt()), self._base)
        self.engine.podman("tag", base, f"{LIBRARY}/debian:bookworm", f"{LIBRARY}/debian:bookworm-slim")
        self._programs(base)
        java = self._kept("localhost/millrace-test/java", digest(base, HERE / "Containerfile.java"), self._build("java", {}))
        self.engine.podman("tag", java, f"{LIBRARY}/millrace-test/java:latest", "docker.io/millrace-test/java:latest")
        own = {"start-kafka": HERE / "start-kafka", "log4j2.xml": LOG4J, "kafka": paths.KAFKA_JARS}
        kafka = self._kept("localhost/millrace-test/kafka", digest(java, HERE / "Containerfile.kafka", HERE / "start-kafka", LOG4J,
                                                                   paths.KAFKA_JARS / ".stamp"), self._build("kafka", own))
        self.engine.podman("tag", kafka, "docker.io/millrace-test/kafka:latest")
        stamps = [paths.DATABASE_JARS / ".stamp", paths.DATABASE_CLASSES / ".stamp"]
        database = self._kept("localhost/millrace-test/database", digest(java, *stamps, *sorted(HERE.glob("*database")), *HERE.glob("*.java")),
                              self._build("database", {"database": self._fill_database}))
        self.engine.podman("tag", database, "docker.io/millrace-test/database:latest")

    def _kept(self, name, key, build):
        """NAME:KEY, made by build(tag) unless it is there."""
        tag = f"{name}:{key}"
        if subprocess_ok(self.engine, "image", "exists", tag):
            return tag
        for old in self.engine.podman("images", "--quiet", "--filter", f"reference={name}").split():
            self.engine.podman("rmi", "--force", old, check=False)
        self.engine.log(f"making {tag}")
        build(tag)
        self.built.append(tag)
        return tag

    @staticmethod
    def _apt():
        """How this machine's apt fetches, as settings for that in the image: a proxy, or a mirror whose lists are old."""
        lines = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True, timeout=30).stdout.splitlines()
        wanted = ("Acquire::http", "Acquire::https", "Acquire::Check", "Acquire::Retries", "Acquire::ForceIPv4")
        return "".join(line + "\n" for line in lines if line.startswith(wanted))

    def _base(self, tag):
        """Debian's smallest, without what apt fetched for it."""
        with tempfile.TemporaryDirectory(prefix="millrace-base-") as folder:
            root = Path(folder) / "root"
            mirror = [os.environ["MILLRACE_DEBIAN_MIRROR"]] if os.environ.get("MILLRACE_DEBIAN_MIRROR") else []
            self._run(["debootstrap", "--variant=minbase", RELEASE, root, *mirror], "no base system")
            (root / "etc/apt/apt.conf.d/90host").write_text(self._apt())
            for place in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
                shutil.rmtree(root / place, ignore_errors=True)
            (root / "var/cache/apt/archives/partial").mkdir(parents=True)
            (root / "var/lib/apt/lists/partial").mkdir(parents=True)
            with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
                self.engine.podman("import", "-", tag, seconds=300, stdin=tar.stdout)

    def _programs(self, base):
        """millrace:local, by the project's own Dockerfile in the project's own folder."""
        files = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z", "--", *SOURCES],
                               cwd=ROOT, capture_output=True, check=True, timeout=60).stdout.decode().split("\0")
        there = [ROOT / name for name in sorted(files) if name and (ROOT / name).is_file()]
        tag = self._kept(f"{LIBRARY}/millrace", digest(base, *there), self._build_programs)
        self.engine.podman("tag", tag, f"{LIBRARY}/millrace:local")

    def _build_programs(self, tag):
        self.engine.podman("build", "--network", "host", "--pull=never", "--build-arg", "COMMIT=containers",
                           "-f", ROOT / "deploy" / "Dockerfile", "-t", tag, ROOT, seconds=BUILD_S)
        self.engine.podman("image", "prune", "--force")  # the stage that compiled

    def _build(self, name, files):
        """How to build HERE/Containerfile.NAME, with files: {name in the context: text, path, or what fills a folder}."""
        def build(tag):
            with tempfile.TemporaryDirectory(prefix="millrace-image-") as folder:
                for target, source in files.items():
                    self._put(Path(folder) / target, source)
                self.engine.podman("build", "--network", "host", "--pull=never", "-f", HERE / f"Containerfile.{name}", "-t", tag, folder, seconds=BUILD_S)
        return build

    @staticmethod
    def _put(target, source):
        if callable(source):
            source(target)
        elif isinstance(source, str):
            target.write_text(source)
        elif source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)

    def _fill_database(self, target):
        """Jars, the launcher's backend, and a launcher for containers, compiled here: the image has no compiler."""
        shutil.copytree(paths.DATABASE_JARS, target)
        shutil.copytree(paths.DATABASE_CLASSES, target, dirs_exist_ok=True)
        self._run(["javac", "--release", "17", "-Xlint:all", "-Werror", "-cp", f"{paths.DATABASE_CLASSES}:{paths.DATABASE_JARS}/*", "-d", target,
                   HERE / "ContainerDatabase.java"], "the database's launcher cannot be compiled")

    @staticmethod
    def _run(command, what):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=BUILD_S)
        if done.returncode:
            raise Failure(f"{what}: {command[0]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")


def subprocess_ok(engine, *words):
    """Whether podman says yes."""
    try:
        engine.podman(*words)
    except Failure:
        return False
    return True
