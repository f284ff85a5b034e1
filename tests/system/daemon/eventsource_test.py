#!/usr/bin/env python3
"""A real browser's EventSource on the event stream: it loses its connection again and again, takes it up by Last-Event-ID,
and sees every event once, in order. A page of another origin sees none.

EventSource sends no Authorization header, so the page and the API come from one origin through a reverse proxy that adds
the token, as they would in front of a user interface.
Usage: eventsource_test.py PROGRAM_DIR [unittest arguments]. Needs root and Debian's chromium."""

import http.client
import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import skerry_host  # noqa: E402
from skerry_host import Host, eventually  # noqa: E402

PORT = 18444
CHROMIUM = "/usr/bin/chromium"
# Of the stream, before a connection is cut: in the middle of an event.
CUT = 777
PAGE = """<!doctype html><title>events</title><script>
const events = new EventSource("%s/api/v1/events?after=0");
const seen = [];
let sending = false;
async function tell() {
  if (sending || !seen.length) return;
  sending = true;
  await fetch("/report", {method: "POST", body: JSON.stringify(seen.splice(0))});
  sending = false;
  tell();
}
for (const type of ["plugin.installed", "plugin.enabled", "plugin.disabled"])
  events.addEventListener(type, event => { seen.push(Number(event.lastEventId)); tell(); });
events.onerror = () => fetch("/error", {method: "POST", body: String(events.readyState)});
</script>"""


class Proxy(http.server.ThreadingHTTPServer):
    """Serves the page and passes /api on, with a token; cuts streams. What it saw is in its lists."""

    daemon_threads = True

    def __init__(self, token, api=""):
        super().__init__(("127.0.0.1", 0), Passage)
        self.token, self.page = token, PAGE % api
        self.reported, self.errors, self.taken_up, self.statuses = [], [], [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def origin(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Passage(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", kind="text/html"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/report":
            self.server.reported += json.loads(body)
        else:
            self.server.errors.append(body.decode())
        self.answer(204)

    def do_GET(self):
        if not self.path.startswith("/api/"):
            self.answer(200 if self.path == "/" else 404, self.server.page.encode())
            return
        self.server.taken_up.append(self.headers.get("Last-Event-ID"))
        headers = {name: self.headers[name] for name in ("Host", "Origin", "Accept", "Last-Event-ID") if name in self.headers}
        daemon = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
        daemon.request("GET", self.path, headers=headers | {"Authorization": f"Bearer {self.server.token}"})
        stream = daemon.getresponse()
        self.server.statuses.append(stream.status)
        self.send_response(stream.status)
        self.send_header("Content-Type", stream.getheader("Content-Type"))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        left = CUT
        try:
            while left > 0 and (piece := stream.read1(left)):
                self.wfile.write(piece)
                left -= len(piece)
        except (OSError, http.client.HTTPException):
            pass  # the browser has gone, or the daemon
        daemon.close()


class BrowserTest(unittest.TestCase):
    def setUp(self):
        self.host = Host(SKERRY_LISTEN=f"127.0.0.1:{PORT}")
        self.addCleanup(self.host.close)
        self.host.start()
        self.token = self.host.document("token", "create", "browser", "--role", "viewer")["token"]
        manifest = pathlib.Path(self.host.place) / "p.json"
        manifest.write_text(json.dumps({"name": "p", "version": "1", "image": "localhost/x:1"}))
        self.host.skerry("plugins", "install", "--manifest", str(manifest))

    def proxy(self, api=""):
        proxy = Proxy(self.token, api)
        self.addCleanup(proxy.server_close)
        self.addCleanup(proxy.shutdown)
        return proxy

    def browse(self, url):
        home = tempfile.mkdtemp(prefix="skerry-browser.")
        browser = subprocess.Popen(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-dev-shm-usage", f"--user-data-dir={home}", url],
            env={**os.environ, "HOME": home}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

        def end():
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait(30)
            shutil.rmtree(home, ignore_errors=True)
        self.addCleanup(end)

    def events(self, *options):
        lines = self.host.skerry("events", *options, "--output", "json").stdout.splitlines()
        return [json.loads(line) for line in lines]

    def change(self, times):
        for number in range(times):
            self.host.skerry("plugins", "enable" if number % 2 else "disable", "p")

    def test_drops_and_misses_nothing(self):
        self.change(40)
        proxy = self.proxy()
        self.browse(proxy.origin())
        eventually(lambda: proxy.reported, "the first events are in the browser", 120)
        self.change(60)
        last = self.events("--limit", "1")[0]["id"]
        eventually(lambda: last in proxy.reported, f"event {last} is in the browser: {proxy.reported[-3:]}", 120)
        wanted = [event["id"] for event in self.events("--after", "0") if event["type"].startswith("plugin.")]
        self.assertEqual(len(wanted), 101)
        self.assertEqual(proxy.reported, wanted, "each once, in order")
        self.assertIsNone(proxy.taken_up[0])
        self.assertGreater(len(proxy.taken_up), 5, "it was cut off and came again")
        for taken_up in proxy.taken_up[1:]:
            self.assertIn(int(taken_up), wanted)
        self.assertEqual(set(proxy.statuses), {200})

    def test_another_origin_is_refused(self):
        api = self.proxy()
        page = self.proxy(api.origin())
        self.browse(page.origin())
        eventually(lambda: page.errors, "the browser is refused", 120)
        self.assertEqual(page.reported, [])
        self.assertEqual(set(api.statuses), {403})


if __name__ == "__main__":
    skerry_host.main()
