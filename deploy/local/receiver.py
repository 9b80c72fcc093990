#!/usr/bin/env python3
"""receiver: what a webhook of alerts looks like from the other end, in a page of Python: prints each notification in a line or two.

The body is that of Alertmanager's webhooks, version 4; any program that takes those takes Millrace's. What the lines say is Millrace's own.
"""
import argparse
import http.server
import json
import signal
import sys
import time

BODY_BYTES = 4 << 20
PATIENCE_SECONDS = 10
SHOWN = 3  # alerts of a notification
NO_TIME = "0001-01-01T00:00:00Z"


def plain(text):
    """Text of strangers, for a terminal."""
    return "".join(c if c.isprintable() else "?" for c in str(text))


def span(alert):
    """"since 12:04", or "12:04 to 12:06"; UTC."""
    start, end = (str(alert.get(key) or NO_TIME) for key in ("startsAt", "endsAt"))
    return f"since {start[11:16]}" if end == NO_TIME else f"{start[11:16]} to {end[11:16]}"


def lines(body, now):
    """A notification as a person reads it: the incident, then its alerts. now: seconds."""
    labels, notes, alerts = (body.get(key) or {} for key in ("commonLabels", "commonAnnotations", "alerts"))
    left_out = max(0, len(alerts) - SHOWN) + int(body.get("truncatedAlerts") or 0)
    yield (f"{time.strftime('%H:%M:%S', time.gmtime(now))} {body['status'].upper()} {labels.get('alertname', '?')}, {labels.get('severity', '?')}, "
           f"site {labels.get('site', '?')}: {notes.get('summary') or 'no description'}")
    for alert in list(alerts)[:SHOWN]:
        own = alert.get("labels", {})
        tags = ", ".join(f"{key}={value}" for key, value in own.items() if key not in ("alertname", "site", "severity", "metric", "cell"))
        condition = alert.get("annotations", {}).get("description") or own.get("metric", "?")
        yield f"  {span(alert)} UTC: {condition}{f' ({tags})' if tags else ''}"
    if left_out:
        yield f"  and {left_out} more"


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = PATIENCE_SECONDS

    def do_POST(self):
        try:
            length = int(self.headers.get("Content-Length", ""))
            if not 0 < length <= BODY_BYTES:
                raise ValueError(f"{length} bytes")
            told = [plain(line) for line in lines(json.loads(self.rfile.read(length)), time.time())]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.send_error(400, "not a notification")
            print(plain(f"not a notification: {error!r}"), flush=True)
            return
        print("\n".join(told), flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        """One line a request would be one too many."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    http.server.ThreadingHTTPServer(("127.0.0.1", args.port), Handler).serve_forever()


main()
