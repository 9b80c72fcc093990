#!/usr/bin/env python3
"""The status page as the world sees it: sample pages in every state, served by the real server, looked at by a headless Chromium and read by parsers of others.

Pictures go to build/status.
"""
import html.parser
import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import datetime, timezone

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import cases  # noqa: E402
import feedparser  # noqa: E402
import lxml.etree  # noqa: E402
import lxml.html  # noqa: E402
from page_browser import CUT, Browser  # noqa: E402

TREE = os.environ.get("MILLRACE_TREE", "plain")
FIXTURE = ROOT / "build" / TREE / "tests" / "unit" / "status" / "page_fixture"
PICTURES = ROOT / "build" / "status"
SIZES = {"phone": (360, 800), "desktop": (1280, 900)}
HOSTILE = "</style><script>alert(1)</script> <!-- ]]> & \"quoted\" 'too' &lt;b&gt;"
NOW = datetime(2026, 11, 27, 14, 2, 38, tzinfo=timezone.utc)
ATOM = "{http://www.w3.org/2005/Atom}"

# State: h1, words of the page, words that are not on it.
SAYS = {
    "operational": ("All systems operational", ["As of 14:02:34 UTC, 4 s ago.", "Planned maintenance", "New machines for storage in North America", "in 31 h"],
                    ["not up to date", "Incidents"]),
    "maintenance": ("Maintenance in progress", ["Planned 25 Nov, 14:02 UTC, 2 days ago", "in 100 min"], ["Planned maintenance", "not up to date"]),
    "degraded": ("Degraded performance", ["Europe is 12 min behind", "Data is delayed, not lost", "Expected to have caught up at about 14:40 UTC, in 37 min",
                                          "Monitoring", "Identified", "Investigating", "Next update by"], ["not up to date"]),
    "partial": ("Partial outage", ["1 of 3 cells is not operational", "Alerts in Europe are 3 min late."], ["not up to date"]),
    "major": ("Major outage", ["No instance takes data.", "The Push API does not take data", "Storing data in Europe is delayed"], ["not up to date"]),
    "stale": ("Degraded performance", ["This page is not up to date.", "This is the state of 13:50:38 UTC, 12 min ago."], ["kept on disk"]),
    "from_disk": ("Degraded performance", ["This page is not up to date.", "This is the state of 11:02:38 UTC, 3 h ago.", "kept on disk"], ["caught up at about"]),
    "empty": ("Nothing is known yet", ["not known yet", "No incident has ended"], ["As of", "operational"]),
    "cells": ("Partial outage", ["2 of 40 cells are not operational.", "38 cells operational", "cell-03 is 22 min behind"], ["not up to date"]),
    "long": ("Partial outage", ["and 35 more", "W" * 200], []),
    "hostile": ("Degraded performance", [HOSTILE, "\u05e9\u05dc\u05d5\u05dd"], []),
}
VOID = {"meta", "link", "br", "path"}


class Strict(html.parser.HTMLParser):
    """Each element closed in its order, ids unique, headings without a step left out; keeps what matters of the document."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.ids, self.headings, self.tags, self.words = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.stack, self.stack

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        assert len(dict(attributes)) == len(attributes), (tag, attributes)
        self.ids += [value for name, value in attributes if name == "id"]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.stack and self.stack.pop() == tag, (tag, self.stack)

    def handle_data(self, data):
        self.words.append(data)

    def check(self):
        assert len(set(self.ids)) == len(self.ids), self.ids
        assert self.headings.count(1) == 1 and self.headings[0] == 1, self.headings
        assert all(b <= a + 1 for a, b in zip(self.headings, self.headings[1:])), self.headings


class World:
    """The fixture's servers, and a browser."""

    def __init__(self):
        if TREE == "plain":  # the others are built by whoever asks for them
            subprocess.run(["make", "-s", "--no-print-directory", str(FIXTURE.relative_to(ROOT))], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen([FIXTURE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addresses = {}
        while (line := self.process.stdout.readline().split()) != ["ready"]:
            self.addresses[line[0]] = f"http://{line[1]}"
        self.browser = Browser()
        PICTURES.mkdir(parents=True, exist_ok=True)

    def end(self):
        self.browser.end()
        self.process.stdin.close()
        assert self.process.wait(10) == 0

    def url(self, state, path="/"):
        return self.addresses[state] + path

    def get(self, state, path="/", **headers):
        with urllib.request.urlopen(urllib.request.Request(self.url(state, path), headers=headers), timeout=10) as answer:
            return answer.read(), answer.headers

    def pages(self, state):
        """Paths of all HTML pages that there are: those that are linked from the page or the history."""
        found = {"/", "/still", "/history"}
        for path in ("/", "/history"):
            for link in lxml.html.fromstring(self.get(state, path)[0]).iter("a"):
                if link.get("href").startswith("./incidents/"):
                    found.add(link.get("href")[1:])
        return sorted(found)


def text_of(document):
    """As a reader has it: words of the body, white space as one blank."""
    return re.sub(r"\s+", " ", lxml.html.fromstring(document).find("body").text_content())


def test_every_state_has_its_words(world):
    assert set(world.addresses) == set(SAYS)
    for state, (heading, words, absent) in SAYS.items():
        document = world.get(state)[0].decode()
        tree, text = lxml.html.fromstring(document), text_of(document)
        assert [h.text_content() for h in tree.iter("h1")] == [heading], state
        title = tree.find(".//title").text
        assert (f"Not up to date: {heading}" if state in ("stale", "from_disk") else heading) == title.split(" \u00b7 ")[0], title
        for word in words:
            assert word in text, (state, word)
        for word in absent:
            assert word not in text, (state, word)


def test_every_document_is_well_formed_html(world):
    for state in SAYS:
        for path in world.pages(state):
            document = world.get(state, path)[0].decode()
            strict = Strict(document)
            strict.check()
            assert document.startswith("<!doctype html>\n") and ("html", {"lang": "en"}) in strict.tags
            names = [tag for tag, _ in strict.tags]
            assert "script" not in names and "style" not in names and "form" not in names and "iframe" not in names, (state, path)
            assert not [a for _, a in strict.tags for name in a if name == "style" or name.startswith("on")], (state, path)
            for landmark in ("header", "nav", "main", "footer"):
                assert names.count(landmark) == 1, (state, path, landmark)
            for tag, attributes in strict.tags:
                if tag == "time":
                    datetime.strptime(attributes["datetime"], "%Y-%m-%dT%H:%M:%SZ")
                if tag == "a":
                    assert re.fullmatch(r"#main|\.\.?/|(\.\.?/)?(incidents/[a-z0-9-]+|history|still|feed\.atom|status\.json)", attributes["href"]), attributes


def test_every_link_leads_somewhere(world):
    for state in ("major", "hostile", "operational"):
        for path in world.pages(state):
            tree = lxml.html.fromstring(world.get(state, path)[0], base_url=world.url(state, path))
            tree.make_links_absolute()
            for link in {l for _, a, l, _ in tree.iterlinks() if a == "href" and l.startswith(world.url(state, "/"))}:
                with urllib.request.urlopen(link.split("#")[0], timeout=10) as answer:
                    assert answer.status == 200, link


def test_nobody_sees_what_is_not_for_them(world):
    for state in SAYS:
        for path in [*world.pages(state), "/status.json", "/feed.atom"]:
            body = world.get(state, path)[0].decode()
            assert "SECRET" not in body and "secret" not in body, (state, path)
        for hidden in ("secret-draft", "secret-vetoed"):
            try:
                world.get(state, f"/incidents/{hidden}")
                raise AssertionError(f"{hidden} can be seen")
            except urllib.error.HTTPError as error:
                assert error.code == 404


def test_it_is_seen_whole_at_each_size_and_scheme(world):
    for state in SAYS:
        for name, (width, height) in SIZES.items():
            for scheme in ("light", "dark"):
                said, asked = world.browser.look(world.url(state), width, height, scheme)
                where = (state, name, scheme)
                assert said == [], (where, said)
                assert asked and all(a.startswith((world.url(state, "/"), "data:")) for a in asked), (where, asked)
                assert world.browser.value("document.documentElement.scrollWidth") <= width, where
                assert world.browser.value(CUT) == [], where
                world.browser.shoot(PICTURES / f"{state}-{name}-{scheme}.png")
    for state, path in (("operational", "/history"), ("operational", "/incidents/past-3"), ("long", world.pages("long")[2]), ("hostile", "/incidents/hostile-over")):
        for name, (width, height) in SIZES.items():
            assert world.browser.look(world.url(state, path), width, height)[0] == []
            assert world.browser.value(CUT) == [] and world.browser.value("document.documentElement.scrollWidth") <= width, (state, path)
            world.browser.shoot(PICTURES / f"{state}{path.replace('/', '-')[:24]}-{name}.png")


def test_light_and_dark_differ(world):
    colours = []
    for scheme in ("light", "dark"):
        world.browser.look(world.url("major"), scheme=scheme)
        colours.append(world.browser.value("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(250, 250, 248)", "rgb(20, 23, 26)"], colours


def test_it_is_seen_whole_in_small_windows_and_with_large_letters(world):
    for state in SAYS:
        world.browser.look(world.url(state), 320, 640)
        assert world.browser.value("document.documentElement.scrollWidth") <= 320 and world.browser.value(CUT) == [], state
        world.browser.look(world.url(state), 640, 450)
        world.browser.value("document.documentElement.style.fontSize = '200%'")
        assert world.browser.value("document.documentElement.scrollWidth") <= 640 and world.browser.value(CUT) == [], (state, world.browser.value(CUT))


def test_axe_finds_nothing_serious(world):
    for state in SAYS:
        for scheme in ("light", "dark"):
            world.browser.look(world.url(state), *SIZES["phone"], scheme)
            found = world.browser.axe()
            assert found == [], (state, scheme, found)
    for path in ("/history", "/incidents/past-3"):
        world.browser.look(world.url("operational", path), *SIZES["desktop"], "dark")
        assert world.browser.axe() == [], path


def test_axe_can_find_something(world):
    world.browser.look(world.url("operational"))
    world.browser.value("document.documentElement.removeAttribute('lang')")
    assert [v["id"] for v in world.browser.axe()] == ["html-has-lang"]


def test_a_hostile_title_stays_text(world):
    world.browser.look(world.url("hostile"))
    assert world.browser.value("document.querySelector('.incident h3').textContent").startswith(HOSTILE)
    assert world.browser.value("document.scripts.length") == 0
    assert world.browser.value("document.querySelector('.brand').textContent") == HOSTILE


def test_the_policy_would_stop_a_script(world):
    inject = "(() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s); return window.ran === 1; })()"
    world.browser.look("about:blank")
    assert world.browser.value(inject) is True
    for path in ("/", "/history", "/incidents/hostile"):
        world.browser.look(world.url("hostile", path))
        assert world.browser.value(inject) is False, path
        assert any("Content Security Policy" in line for line in world.browser.heard()), path


def test_the_page_refreshes_itself_but_for_whoever_wants_it_still(world):
    assert world.get("major", "/")[1]["Refresh"] == "60"
    assert world.get("major", "/still")[1]["Refresh"] is None and world.get("major", "/history")[1]["Refresh"] is None


def test_states_are_told_by_shape_and_word(world):
    document = lxml.html.fromstring(world.get("major")[0])
    shapes = {}
    for state in document.iter("span"):
        if "state" in state.get("class", "").split():
            shapes.setdefault(state.text_content().strip().removesuffix(":"), set()).add(state.find(".//path").get("d"))
    assert {"Operational", "Degraded", "Major outage"} <= set(shapes) and all(len(s) == 1 for s in shapes.values()), shapes
    assert len(set.union(*shapes.values())) == len(shapes)


def test_json(world):
    page = json.loads(world.get("degraded", "/status.json")[0])
    assert set(page) == {"page", "state", "summary", "components", "incidents", "maintenance"}
    assert page["page"] == {"title": "Example Monitoring", "url": "https://status.example.com", "build": "1.4.0+0123abc", "as_of": "2026-11-27T14:02:34Z",
                            "age_seconds": 4, "stale": False, "from_disk": False}
    assert page["state"] == "degraded" and [c["id"] for c in page["components"]][:3] == ["push", "processing", "storage/amber"]
    storage = page["components"][2]
    assert storage["expected_recovery_at"] == "2026-11-27T14:40:34Z" and storage["behind_ms"] == 720000 and storage["accepted_share"] is None
    first = page["incidents"][0]
    assert [u["phase"] for u in first["updates"]] == ["monitoring", "identified", "investigating"] and first["ended_at"] is None
    assert first["url"] == "https://status.example.com/incidents/20261127-1322-storage-amber"
    assert [i["id"] for i in page["incidents"]] == ["20261127-1322-storage-amber", "past-3"]
    assert [len(i["timeline"]) for i in page["incidents"]] == [0, 3]
    for state in SAYS:
        whole = json.loads(world.get(state, "/status.json")[0])
        for time in re.findall(r'"(\d{4}-[^"]*Z)"', json.dumps(whole)):
            datetime.strptime(time, "%Y-%m-%dT%H:%M:%SZ")
    stale, empty, hostile = (json.loads(world.get(s, "/status.json")[0]) for s in ("from_disk", "empty", "hostile"))
    assert stale["page"]["stale"] and stale["page"]["from_disk"] and stale["page"]["age_seconds"] == 10800
    assert empty["page"]["as_of"] is None and empty["page"]["age_seconds"] is None and empty["state"] is None and empty["components"] == []
    assert hostile["page"]["title"] == HOSTILE and hostile["incidents"][0]["title"].startswith(HOSTILE)
    plan = json.loads(world.get("operational", "/status.json")[0])["maintenance"]
    assert [(m["id"], m["impact"], m["opened_at"]) for m in plan] == [("replica-set-birch", "maintenance", "2026-11-28T21:02:38Z")]


def check_feed(body, has_url):
    """Every MUST of RFC 4287 that a feed of this kind can break."""
    root = lxml.etree.fromstring(body)
    stamp = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
    assert root.tag == ATOM + "feed" and {child.tag.removeprefix(ATOM) for child in root} <= {"id", "title", "updated", "author", "link", "generator", "entry"}
    for element in [root, *root.findall(ATOM + "entry")]:
        for name in ("id", "title", "updated"):
            assert len(element.findall(ATOM + name)) == 1, name
        assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", element.findtext(ATOM + "id"))
        assert all(stamp.fullmatch(time.text) for name in ("updated", "published") for time in element.findall(ATOM + name))
        kinds = [(link.get("rel"), link.get("type"), link.get("hreflang")) for link in element.findall(ATOM + "link")]
        assert len(set(kinds)) == len(kinds) and all(link.get("href") for link in element.findall(ATOM + "link"))
    assert [a.findtext(ATOM + "name") for a in root.findall(ATOM + "author")]  # so no entry needs one
    assert all(link.get("href").startswith("https://") == has_url for link in root.iter(ATOM + "link"))
    ids = [e.findtext(ATOM + "id") for e in root.iter(ATOM + "entry")] + [root.findtext(ATOM + "id")]
    assert len(set(ids)) == len(ids)
    updated = [e.findtext(ATOM + "updated") for e in root.iter(ATOM + "entry")]
    assert updated == sorted(updated, reverse=True) and root.findtext(ATOM + "updated") == (updated or ["1970-01-01T00:00:00Z"])[0]
    assert all(len(e.findall(ATOM + "content")) == 1 and e.find(ATOM + "content").get("type") == "html" for e in root.iter(ATOM + "entry"))
    assert all(c.get("term") for c in root.iter(ATOM + "category"))
    return root


def test_atom(world):
    for state in SAYS:
        body, headers = world.get(state, "/feed.atom")
        assert headers["Content-Type"] == "application/atom+xml; charset=utf-8"
        check_feed(body, state != "empty")
        feed = feedparser.parse(body)
        assert not feed.bozo and feed.version == "atom10", (state, feed.get("bozo_exception"))
    first = feedparser.parse(world.get("degraded", "/feed.atom")[0]).entries[0]
    assert first.title == "Storing data in Europe is delayed" and first.updated == "2026-11-27T13:57:38Z" and first.published == "2026-11-27T13:32:38Z"
    for words in ("It is becoming less.", "A storage server stopped answering", "Europe: what is stored is 12 min behind."):
        assert words in first.content[0].value, words
    same, other = (feedparser.parse(world.get(s, "/feed.atom")[0]) for s in ("partial", "hostile"))
    assert {e.title: e.id for e in same.entries}[first.title] == first.id  # stable
    content = lxml.etree.fromstring(world.get("hostile", "/feed.atom")[0]).findtext(f"{ATOM}entry/{ATOM}content")
    assert "<script" not in content and "&lt;script&gt;" in content
    assert any(e.title_detail.type == "text/plain" and e.title.startswith("</style><script>") for e in other.entries)


def test_it_is_not_sent_again_to_whoever_has_it(world):
    for path in ("/", "/status.json", "/feed.atom", "/style.css"):
        _, headers = world.get("major", path)
        try:
            world.get("major", path, **{"If-None-Match": f'"x", W/{headers["ETag"]}'})
            raise AssertionError("sent again")
        except urllib.error.HTTPError as error:
            assert error.code == 304 and error.read() == b"" and error.headers["ETag"] == headers["ETag"]


def test_it_can_be_printed(world):
    world.browser.look(world.url("major"), media="print")
    assert world.browser.value("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert world.browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


if __name__ == "__main__":
    its_world = World()
    try:
        cases.run(globals(), its_world)
    finally:
        its_world.end()
