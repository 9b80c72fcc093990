"""toxiproxy: a process that stands between a client and a server and makes the way between them slow, by its HTTP API.

It and every proxy listen on 127.0.0.1. A toxic works on one connection at a time: two connections have twice the
bandwidth.
"""
import http.client
import json

from . import paths
from .process import Failure, Process, port_is_open

START_SECONDS = 20
API_SECONDS = 10


class Toxiproxy:
    """The process; its API listens on port. Proxies, by name, are made and changed while it runs."""

    def __init__(self, directory, port, name="toxiproxy"):
        self.port = port
        self.process = Process(name, directory)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts it and waits until it answers."""
        if not (paths.TOXIPROXY.parent / ".stamp").exists():
            raise Failure(f"{paths.TOXIPROXY} is missing or half made: run deploy/local/deps first")
        if port_is_open(self.port):
            raise Failure(f"port {self.port}, meant for {self.process.name}, is taken by another program")
        self.process.start([paths.TOXIPROXY, "-host", "127.0.0.1", "-port", self.port])
        self.process.wait_until(lambda: port_is_open(self.port), START_SECONDS, "listening")
        return self

    def stop(self):
        self.process.stop()

    def add(self, name, listen_port, upstream_port):
        """A way from 127.0.0.1:listen_port to 127.0.0.1:upstream_port, without toxics."""
        self._post("/proxies", {"name": name, "listen": f"127.0.0.1:{listen_port}",
                                 "upstream": f"127.0.0.1:{upstream_port}", "enabled": True})

    def enable(self, name, enabled):
        """A proxy that is not enabled refuses connections, and has cut those it had."""
        self._post(f"/proxies/{name}", {"enabled": enabled})

    def slow_down(self, name, latency_ms, kilobytes_per_s):
        """Both ways, new and open connections alike: what is sent arrives so much later, and no faster than that.

        Latency comes first in the chain: behind the other it would count the time that a chunk waited for bandwidth."""
        for stream in ("upstream", "downstream"):
            for kind, attributes in (("latency", {"latency": latency_ms, "jitter": 0}),
                                     ("bandwidth", {"rate": kilobytes_per_s})):
                self._post(f"/proxies/{name}/toxics", {"name": f"{kind}-{stream}", "type": kind, "stream": stream,
                                                            "toxicity": 1.0, "attributes": attributes})

    def cut(self, name):
        """Resets connections, open ones and new ones, as soon as something is sent."""
        self._post(f"/proxies/{name}/toxics", {"name": "reset", "type": "reset_peer", "stream": "upstream", "toxicity": 1.0,
                                               "attributes": {"timeout": 0}})

    def heal(self, name):
        """Takes away what slow_down() and cut() have done, and enables it."""
        for toxic in json.loads(self._ask("GET", f"/proxies/{name}/toxics")):
            self._ask("DELETE", f"/proxies/{name}/toxics/{toxic['name']}")
        self.enable(name, True)

    def _post(self, path, body):
        self._ask("POST", path, json.dumps(body))

    def _ask(self, method, path, body=None):
        """One request's answer; a Failure with its words when it is refused."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=API_SECONDS)
        try:
            connection.request(method, path, body=body)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"{self.process.name}: {path}: {error}") from error
        finally:
            connection.close()
        if answer.status >= 300:
            raise Failure(f"{self.process.name}: {path} was answered with {answer.status}: {text.strip()}")
        return text
