"""Kafka brokers in KRaft mode, each broker and controller at once, bound to 127.0.0.1.

Ready means that a broker answers and sees all brokers of the stack, asked in Kafka's own protocol: the port accepts
connections well before that.
"""
import socket
import struct

from . import paths
from .process import Failure, Process, port_is_open

START_SECONDS = 90
METADATA_KEY, METADATA_VERSION = 3, 5

LOG4J = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="warn">
  <Appenders>
    <Console name="out" target="SYSTEM_OUT"><PatternLayout pattern="%d{ISO8601} %p %c{1} %m%n"/></Console>
  </Appenders>
  <Loggers>
    <Root level="warn"><AppenderRef ref="out"/></Root>
  </Loggers>
</Configuration>
"""

PROPERTIES = """# Written by the stack at every start.
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=BROKER://127.0.0.1:{port}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs={data}

# As many copies as there are brokers; with three, writes go on while one is away.
default.replication.factor={brokers}
min.insync.replicas={insync}
offsets.topic.replication.factor={brokers}
transaction.state.log.replication.factor={brokers}
transaction.state.log.min.isr={insync}
share.coordinator.state.topic.replication.factor={brokers}
share.coordinator.state.topic.min.isr={insync}

# A killed producer's open transaction blocks its readers until this scan: 10 s by default.
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false

# A stack is small, and several share one machine.
offsets.topic.num.partitions=8
transaction.state.log.num.partitions=8
log.cleaner.dedupe.buffer.size=16777216
"""


def brokers_seen(port):
    """How many brokers the one at port knows, once the cluster has a controller; 0 while it does not answer."""
    body = struct.pack(">hhihiB", METADATA_KEY, METADATA_VERSION, 1, -1, 0, 0)  # no client id, no topics, no creation
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            size = struct.unpack(">i", _read(connection, 4))[0]
            return _parse_metadata(_read(connection, size))
    except (OSError, struct.error):
        return 0


def _read(connection, size):
    """Exactly size bytes; OSError when the peer closes before."""
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise ConnectionError("closed")
        data += chunk
    return data


def _parse_metadata(data):
    """Correlation id, throttle time, then the brokers (node, host, port, rack), cluster id, controller."""
    at = 12
    count = struct.unpack_from(">i", data, 8)[0]
    for _ in range(count):
        at = _skip_string(data, at + 4) + 4
        at = _skip_string(data, at)
    at = _skip_string(data, at)
    return count if struct.unpack_from(">i", data, at)[0] >= 0 else 0


def _skip_string(data, at):
    """The place after a string, null being length -1."""
    return at + 2 + max(0, struct.unpack_from(">h", data, at)[0])


class Broker:
    """One of the brokers of a stack; node counts from 1."""

    def __init__(self, directory, node, brokers, base_port):
        self.directory = directory
        self.node = node
        self.brokers = brokers
        self.base_port = base_port
        self.port = base_port + node
        self.process = Process(f"kafka-{node}", directory)
        self.properties = directory / f"kafka-{node}.properties"
        self.data = directory / "data" / f"kafka-{node}"
        whole = (paths.KAFKA_ARCHIVE.parent / ".stamp").exists()  # the JVM crashes on half an archive
        self.class_archive = [f"-XX:SharedArchiveFile={paths.KAFKA_ARCHIVE}"] if whole else []

    def _java(self, heap):
        """The heap is small at first: an idle stack should cost little."""
        return ["java", "-Xms64m", f"-Xmx{heap}", "-XX:+UseSerialGC", *self.class_archive, "-Djava.awt.headless=true",
                f"-Dlog4j2.configurationFile={self.directory / 'log4j2.xml'}", "-cp", f"{paths.KAFKA_JARS}/*"]

    def record_classes(self, archive):
        """Makes the next start write down, at its end, the classes it has loaded, for all later starts to map. Call
        after the formatting; the end then takes some seconds more."""
        self.class_archive = [f"-XX:ArchiveClassesAtExit={archive}"]

    def write_files(self):
        """Properties and logging; written anew each time, as they belong to the tool and not to the data."""
        (self.directory / "log4j2.xml").write_text(LOG4J)
        voters = ",".join(f"{n}@127.0.0.1:{self.base_port + 10 + n}" for n in range(1, self.brokers + 1))
        self.properties.write_text(PROPERTIES.format(
            node=self.node, port=self.port, controller_port=self.base_port + 10 + self.node, voters=voters,
            data=self.data, brokers=self.brokers, insync=max(1, self.brokers - 1)))

    def format(self, cluster_id):
        """Starts the formatting of an empty data directory; None when it has been formatted before."""
        if (self.data / "meta.properties").exists():
            return None
        return Process(f"kafka-{self.node}-format", self.directory).start(
            [*self._java("256m"), "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", self.properties],
            cwd=self.directory)

    def start(self):
        """Starts the broker unless it runs; refuses a port somebody else holds, whose answers would mislead."""
        if self.process.pid:
            return
        for port in (self.port, self.base_port + 10 + self.node):
            if port_is_open(port):
                raise Failure(f"port {port}, meant for {self.process.name}, is taken by another program; "
                              "choose another --base-port")
        self.process.start([*self._java("1g" if self.brokers == 1 else "512m"), "kafka.Kafka", self.properties],
                           cwd=self.directory)

    def wait_ready(self):
        self.process.wait_until(lambda: brokers_seen(self.port) == self.brokers, START_SECONDS,
                                f"in touch with all {self.brokers} broker(s)")

    def is_ready(self):
        return bool(self.process.pid) and brokers_seen(self.port) == self.brokers
