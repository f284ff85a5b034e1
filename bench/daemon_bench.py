#!/usr/bin/env python3
"""skerryd as a dense host's control plane: what it costs idle and full, how fast it makes, lists and tells.
daemon_bench.py OUT.json

Rows that have no peer are held against a limit, which stands in the peer's place (ratio 1 is the limit).
SKERRY_BENCH_SCALE scales the numbers of containers and environments (1: 500 containers, 1000 environments).
"""
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/system/daemon"))
import skerry_host  # noqa: E402
from rows import row  # noqa: E402

SCALE = float(os.environ.get("SKERRY_BENCH_SCALE", "1"))
CONTAINERS = max(20, int(500 * SCALE))
ENVIRONMENTS = max(2 * CONTAINERS, int(1000 * SCALE))
READERS = 100
EVENTS_PER_SECOND = 1000
SECONDS = 5


class Api:
    """One kept connection to the unix socket."""

    def __init__(self, path):
        self.connection = http.client.HTTPConnection("localhost")
        self.connection.sock = socket.socket(socket.AF_UNIX)
        self.connection.sock.connect(path)

    def call(self, method, path, body=None, expect=(200, 201, 204)):
        headers = {"Content-Type": "application/json"} if body else {}
        self.connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status not in expect:
            raise RuntimeError(f"{method} {path}: {answer.status} {data[:300]}")
        return data

    def timed(self, *arguments):
        begin = time.perf_counter()
        self.call(*arguments)
        return (time.perf_counter() - begin) * 1000


def limit(name, ours, most, unit, better="lower", note=""):
    return row(name, ours, most, unit, 1, better, f"peer: the limit{'; ' + note if note else ''}")


def resident_mib(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1]) / 1024


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle(pid):
    before, begin = cpu_seconds(pid), time.monotonic()
    time.sleep(SECONDS)  # this is the measurement, not a wait
    return (cpu_seconds(pid) - before) / (time.monotonic() - begin) * 100


def p99(values):
    return statistics.quantiles(values, n=100)[98]


class Fleet:
    def __init__(self, host, image):
        self.host, self.image, self.count = host, image, 0
        self.api = Api(host.environment["SKERRY_SOCKET"])

    def make(self, start, api=None):
        self.count += 1
        body = {"name": f"e{self.count}", "image": self.image, "start": start, "memory_mb": 16}
        return (api or self.api).timed("POST", "/api/v1/environments", body)

    def close(self):
        """Without the grace that Host.close() would give each."""
        names = [each["name"] for each in json.loads(self.api.call("GET", "/api/v1/environments?limit=100000"))]
        for name in names:
            self.api.call("DELETE", f"/api/v1/environments/{name}?force=1&grace_ms=0")

    def start_many(self, number, clients=4):
        """Containers a second, made by several clients at once."""
        apis = [Api(self.host.environment["SKERRY_SOCKET"]) for _ in range(clients)]
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            list(pool.map(lambda i: self.make(True, apis[i]), range(clients)))
            waiting = {pool.submit(self.make, True, api): api for api in apis}
            left = number - 2 * clients
            while waiting:
                for done in concurrent.futures.wait(waiting, return_when="FIRST_COMPLETED").done:
                    done.result()
                    api = waiting.pop(done)
                    if left > 0:
                        left -= 1
                        waiting[pool.submit(self.make, True, api)] = api
        return number / (time.monotonic() - begin)


def start_latency(fleet, turns=15):
    """Median of starting one more container, which is removed again."""
    times = []
    for _ in range(turns):
        times.append(fleet.make(True))
        fleet.api.call("DELETE", f"/api/v1/environments/e{fleet.count}?force=1&grace_ms=0")
    return statistics.median(times)


def listing(api):
    lists = [api.timed("GET", f"/api/v1/environments?limit={ENVIRONMENTS}") for _ in range(200)]
    health = [api.timed("GET", "/healthz") for _ in range(200)]
    return p99(lists), p99(health)


class Readers:
    """Event streams, read as fast as they come."""

    def __init__(self, path, after):
        self.selector = selectors.DefaultSelector()
        self.streams = []
        self.stop = False
        for _ in range(READERS):
            client = socket.socket(socket.AF_UNIX)
            client.connect(path)
            client.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
                           f"Last-Event-ID: {after}\r\n\r\n".encode())
            client.setblocking(False)
            self.streams.append([])
            self.selector.register(client, selectors.EVENT_READ, self.streams[-1])
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        while not self.stop:
            for key, _ in self.selector.select(0.1):
                key.data.append(key.fileobj.recv(1 << 20))

    def ids(self, stream):
        # Chunked: a chunk's frame may stand anywhere between events, ids are whole lines.
        return [int(each) for each in re.findall(rb"^id: ?(\d+)\r?$", b"".join(stream), re.MULTILINE)]

    def close(self):
        self.stop = True
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()


def produce(path, name, count):
    api = Api(path)
    for i in range(int(count)):
        api.call("PATCH", f"/api/v1/environments/{name}", {"pids": 1000 + i % 1000})


def tell(path):
    """Events a second that arrive complete at every one of the readers."""
    wanted = EVENTS_PER_SECOND * SECONDS
    names = [f"e{ENVIRONMENTS - i}" for i in range(4)]  # these do not run: each change is an event, and no more
    after = last_event(path)
    readers = Readers(path, after)

    begin = time.monotonic()
    # Processes: beside the reading thread of this one, threads would wait for each other.
    makers = [subprocess.Popen([sys.executable, __file__, "--produce", path, name, str(wanted // len(names))]) for name in names]
    if any(maker.wait() for maker in makers):
        raise RuntimeError("a producer of events failed")
    stored = time.monotonic() - begin
    last = last_event(path)
    complete = list(range(after + 1, last + 1))
    skerry_host.eventually(lambda: all(readers.ids(each[-3:])[-1:] == [last] for each in readers.streams), "the last event")
    seconds = time.monotonic() - begin
    readers.close()
    wrong = [number for number, each in enumerate(readers.streams) if readers.ids(each) != complete]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {READERS} readers lost, repeated or reordered events")
    return len(complete) / seconds, len(complete) / stored


def events(host):
    told, stored = tell(host.environment["SKERRY_SOCKET"])
    return limit(f"daemon.events.{READERS}-readers", told, EVENTS_PER_SECOND, "events/s", "higher",
                 f"complete and in order at each; stored at {stored:.0f}/s")


def last_event(path):
    """The newest id."""
    text = Api(path).call("GET", "/metrics").decode()
    return int(re.search(r"^skerry_last_event_id (\d+)", text, re.MULTILINE)[1])


def measure(host, fleet):
    made, pid = [], host.daemon.pid
    made.append(limit("daemon.idle.memory", resident_mib(pid), 20, "MiB"))
    made.append(limit("daemon.idle.cpu", idle(pid), 0.5, "%"))
    for _ in range(10):
        fleet.make(True)
    beside_ten = start_latency(fleet)
    rate = fleet.start_many(CONTAINERS - 10)
    made.append(row("daemon.start.rate", rate, 1 / (beside_ten / 1000), "containers/s", None, "higher",
                    "4 clients at once; peer: one after the other"))
    made.append(limit(f"daemon.{CONTAINERS}-containers.memory", resident_mib(pid), 60, "MiB"))
    made.append(limit(f"daemon.{CONTAINERS}-containers.cpu", idle(pid), 0.5, "%"))
    for _ in range(ENVIRONMENTS - CONTAINERS):
        fleet.make(False)
    made.append(row("daemon.start.flat", start_latency(fleet), beside_ten, "ms", 1.5,
                    note=f"beside {ENVIRONMENTS} environments, {CONTAINERS} of them running; peer: beside 10"))
    lists, health = listing(fleet.api)
    made.append(limit(f"daemon.list-{ENVIRONMENTS}.p99", lists - health, 5, "ms", note="over that of /healthz"))
    made.append(limit(f"daemon.healthz.p99-beside-{ENVIRONMENTS}", health, 5, "ms"))
    return made


def main():
    skerry_host.enter_network_namespace()
    programs = os.environ.get("SKERRY_BIN_DIR", str(ROOT / "build/bin"))
    tmpfs = tempfile.mkdtemp(prefix="skerry-bench.", dir="/dev/shm")
    host = skerry_host.Host(programs, SKERRY_LOG_LEVEL="warning", SKERRY_RUN_DIR=f"{tmpfs}/run",
                            SKERRY_SUBNET="10.213.0.1/20")
    try:
        host.start()
        image = host.registry.add("bench/busybox", skerry_host.busybox_image())
        host.skerry("images", "pull", image)
        host.kill(skerry_host.signal.SIGTERM)
        host.start()  # the pull's buffers are no part of the idle daemon
        fleet = Fleet(host, image)
        try:
            rows = measure(host, fleet) + [events(host)]
        finally:
            fleet.close()
    finally:
        host.close()
        shutil.rmtree(tmpfs, ignore_errors=True)
    pathlib.Path(sys.argv[1]).write_text(json.dumps(rows))


if __name__ == "__main__":
    if sys.argv[1] == "--produce":
        produce(*sys.argv[2:])
    else:
        main()
