"""A headless Chromium that looks at the status page: at a size, in light or dark, and tells what it has seen, heard and asked for."""
import base64
import json
import pathlib
import sys

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy" / "local"))
from millrace_local.paths import NODE_MODULES  # noqa: E402

AXE = NODE_MODULES / "axe-core" / "axe.min.js"

# Text that a reader would not see whole: it reaches beyond the window, or its box hides what is too long for it.
CUT = """(() => {
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest('.hidden, .skip') || !element.checkVisibility()) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects())
      if (box.width && (box.left < -0.5 || box.right > document.documentElement.clientWidth + 0.5)) found.push(node.data.slice(0, 60));
    for (let up = element; up; up = up.parentElement) {
      const how = getComputedStyle(up);
      if (how.overflowX !== 'visible' && up.scrollWidth > up.clientWidth + 1 && up !== document.documentElement) found.push('hidden: ' + node.data.slice(0, 60));
      if (how.textOverflow !== 'clip') found.push('ellipsis: ' + node.data.slice(0, 60));
    }
  }
  return found;
})()"""

# What it cannot decide counts like what it finds: a contrast that nobody has measured is not known to be enough.
AXE_RUN = "axe.run(document, {resultTypes: ['violations', 'incomplete']}).then(r => r.violations.concat(r.incomplete).map(v => ({id: v.id, impact: v.impact, nodes: v.nodes.map(n => n.html.slice(0, 160))})))"


class Browser:
    """One Chromium, used again and again."""

    def __init__(self):
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1", "--no-proxy-server",
                         "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--no-first-run"):
            options.add_argument(argument)
        options.binary_location = "/usr/bin/chromium"
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.driver.set_page_load_timeout(20)

    def end(self):
        self.driver.quit()

    def cdp(self, command, **arguments):
        return self.driver.execute_cdp_cmd(command, arguments)

    def value(self, expression):
        """Of an expression, or of what it promises. It is not subject to the page's policy, as it comes from outside of it."""
        result = self.cdp("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def look(self, url, width=1280, height=900, scheme="light", media="screen"):
        """Opens a page; returns (what the console said, the addresses that were asked for)."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 700)
        self.cdp("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.driver.get_log("browser"), self.driver.get_log("performance")
        self.driver.get(url)
        return self.heard(), self.asked()

    def heard(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def asked(self):
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def shoot(self, path):
        """The whole page, also what is below the window."""
        size = self.cdp("Page.getLayoutMetrics")["cssContentSize"]
        picture = self.cdp("Page.captureScreenshot", captureBeyondViewport=True, clip={"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6000), "scale": 1})
        path.write_bytes(base64.b64decode(picture["data"]))

    def axe(self):
        """Findings of serious or critical impact."""
        if not self.value("typeof axe === 'object'"):
            self.cdp("Runtime.evaluate", expression=AXE.read_text())
        return [v for v in self.value(AXE_RUN) if v["impact"] in ("serious", "critical")]
