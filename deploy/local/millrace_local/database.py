"""One database process that speaks MongoDB's protocol: mongo-java-server behind our launcher (deploy/README.md)."""
from . import paths
from .process import Failure, Process, port_is_open

START_SECONDS = 60


class Database:
    """One of the databases of a stack; number counts from 1."""

    def __init__(self, directory, number, base_port):
        self.number = number
        self.port = base_port + 20 + number
        self.process = Process(f"database-{number}", directory)
        self.data = directory / "data" / f"database-{number}"

    @property
    def uri(self):
        return f"mongodb://127.0.0.1:{self.port}/?retryWrites=false"

    def start(self):
        """Starts it unless it runs; refuses a port somebody else holds."""
        if self.process.pid:
            return
        if port_is_open(self.port):
            raise Failure(f"port {self.port}, meant for {self.process.name}, is taken by another program; "
                          "choose another --base-port")
        self.data.mkdir(parents=True, exist_ok=True)
        classpath = f"{paths.DATABASE_CLASSES}:{paths.DATABASE_JARS}/*"
        self.process.start(["java", "-Xms32m", "-Xmx512m", "-XX:+UseSerialGC",
                            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", classpath, "LocalDatabase",
                            self.data / "store.mv", self.port], cwd=self.data)

    def wait_ready(self):
        self.process.wait_until(lambda: port_is_open(self.port), START_SECONDS, "listening")

    def is_ready(self):
        return bool(self.process.pid) and port_is_open(self.port)
