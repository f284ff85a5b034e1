#!/usr/bin/env python3
"""Services of deployments with real containers: who reaches them, and what is lost while replicas are killed.

Usage: service_test.py PROGRAM_DIR."""

import contextlib
import http.client
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time

import skerry_host
from skerry_host import eventually

# Each replica says who it is; asked to end it does so at once, as an ordinary first process would not.
SERVE = ["sh", "-c", "trap 'exit 0' TERM; hostname > /www/index.html; httpd -f -p 8080 -h /www & wait"]
CLIENTS = 8
CONNECTIONS = 16  # of wrk
CONNECT_SECONDS = 20


class Client(threading.Thread):
    """Asks again and again, each time over a connection of its own, and remembers what came of it."""

    def __init__(self, address):
        super().__init__()
        self.address = address
        self.ending = threading.Event()
        self.asked = []  # (begun, ended, who answered or None)
        self.errors = {}  # of the requests that were lost, by when they ended

    def ask(self):
        connection = http.client.HTTPConnection(self.address, 80, timeout=CONNECT_SECONDS)
        try:
            connection.request("GET", "/index.html")
            answer = connection.getresponse()
            text = answer.read().decode().strip()
            if answer.status == 200:
                return text
            self.error = f"{answer.status} {text}"
        except (OSError, http.client.HTTPException) as error:
            self.error = repr(error)
        finally:
            connection.close()

    def run(self):
        while not self.ending.is_set():
            begun = time.monotonic()
            answer = self.ask()
            self.asked.append((begun, time.monotonic(), answer))
            if answer is None:
                self.errors[self.asked[-1][1]] = self.error


def kill(pid):
    """From when to when it died; its children, which answer requests, die before it is gone."""
    handle = os.pidfd_open(pid)
    try:
        killed = time.monotonic()
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [], skerry_host.DEADLINE)
        return killed, time.monotonic()
    finally:
        os.close(handle)


class Services(skerry_host.HostCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.config = f"{cls.host.place}/web.json"
        with open(cls.config, "w") as file:
            json.dump({"image": cls.image, "memory_mb": 64, "command": SERVE, "health_check": {
                "probe": "http", "endpoint": "http://127.0.0.1:8080/index.html", "interval_ms": 200,
                "timeout_ms": 1000, "retries": 2}}, file)

    def setUp(self):
        self.addCleanup(self.delete)

    def delete(self):
        for each in self.host.document("deployments", "list"):
            self.host.skerry("deployments", "delete", each["name"])
        for each in self.host.document("ls"):
            self.host.skerry("rm", "--force", each["name"], check=False)
        eventually(lambda: self.host.document("ls") == [], "all are gone")

    def create(self, replicas):
        made = self.host.document("deployments", "create", "web", "--config", self.config, "--replicas", str(replicas),
                                  "--service-port", "80:8080")
        self.assertEqual(made["service"], {"address": "192.168.229.2", "ports": ["80:8080"]})
        self.settled(replicas)
        # The kernel follows what the control plane knows within milliseconds, not before it.
        address, names = made["service"]["address"], {f"web-{i + 1}" for i in range(replicas)}
        eventually(lambda: set(self.answers(address, 20)) == names, "all serve")
        return address

    def settled(self, replicas):
        try:
            eventually(lambda: self.host.document("deployments", "show", "web")["ready"] == replicas, f"{replicas} are ready")
        except AssertionError as error:
            told = self.host.skerry("deployments", "show", "web").stdout + self.host.skerry("ls").stdout
            raise AssertionError(f"{error}\n{told}\n{self.host.log()}") from error

    def answers(self, address, count=60):
        client = Client(address)
        return [client.ask() for _ in range(count)]

    def addresses(self):
        device = self.host.environment["SKERRY_BRIDGE"]
        shown = subprocess.run(["ip", "-j", "address", "show", device], stdout=subprocess.PIPE, text=True, check=True)
        return {each["local"] for each in json.loads(shown.stdout)[0]["addr_info"] if each["family"] == "inet"}

    def test_reached_by_all_and_spread(self):
        address = self.create(3)
        everybody = {"web-1", "web-2", "web-3"}
        self.assertEqual(set(self.answers(address)), everybody, "from the host")
        loop = f"for i in $(seq 40); do wget -q -O - http://{address}/index.html; done"
        self.host.skerry("run", "-d", "--name", "client", self.image, "--", "sleep", "1000")
        for name in ("client", "web-1"):
            said = self.host.skerry("exec", name, "--", "sh", "-c", loop).stdout.split()
            self.assertEqual((len(said), set(said)), (40, everybody), f"from {name}")
        listed = self.host.skerry("deployments", "list").stdout
        self.assertIn("192.168.229.2 80:8080", listed)
        self.host.skerry("deployments", "scale", "web", "--replicas", "1")
        eventually(lambda: set(self.answers(address, 10)) == {"web-1"}, "only one is left")

    def test_killed_replicas_lose_only_what_they_had_begun(self):
        address = self.create(4)
        clients = [Client(address) for _ in range(CLIENTS)]
        for each in clients:
            each.start()
        kills = []
        try:
            for turn in range(6):
                name = f"web-{turn % 4 + 1}"
                victim = eventually(lambda: next((each for each in self.host.document("ls") if each["name"] == name
                                                  and each["state"] == "running"), None), f"{name} runs")
                kills.append(kill(victim["pid"]))
                before = victim["id"]
                eventually(lambda: any(each["name"] == name and each["id"] != before for each in self.host.document("ls")),
                           f"{name} is replaced")
                self.settled(4)
        finally:
            for each in clients:
                each.ending.set()
            for each in clients:
                each.join()
        asked = [each for client in clients for each in client.asked]
        lost = [(begun, ended) for begun, ended, answer in asked if answer is None]
        slowest = max(ended - begun for begun, ended, answer in asked if answer)
        errors = {ended: error for client in clients for ended, error in client.errors.items()}
        unexplained = [(begun, ended, errors[ended]) for begun, ended in lost
                       if not any(begun <= died and killed <= ended for killed, died in kills)]
        print(f"{len(asked)} requests, {len(kills)} replicas killed, {len(lost)} lost ({len(unexplained)} without a death), "
              f"slowest answer {slowest:.2f} s", file=sys.stderr)
        # Of a cause that was not found, a few in ten thousand were once refused about a second after a death on a loaded
        # machine (docs/PROGRESS.md); a rule that sent anybody to the dead would lose hundreds.
        self.assertLessEqual(len(unexplained), max(3, len(asked) // 1000), f"lost without a death: {unexplained}, {kills}")
        self.assertLessEqual(len(lost), CLIENTS * len(kills))
        self.assertEqual({answer for _, _, answer in asked if answer}, {f"web-{i}" for i in (1, 2, 3, 4)})

    def test_a_load_tool_sees_replicas_die(self):
        """wrk loads; who lost what and why is for Client to tell, which knows of each request when it began and ended."""
        address = self.create(4)
        wrk = subprocess.Popen(["wrk", "-t2", f"-c{CONNECTIONS}", "-d8s", "--timeout", f"{CONNECT_SECONDS}s",
                                f"http://{address}/index.html"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(wrk.wait)
        self.addCleanup(wrk.kill)
        deaths = 0
        while deaths < 4 and wrk.poll() is None:
            name = f"web-{deaths + 1}"
            victim = next((each for each in self.host.document("ls") if each["name"] == name), None)
            if victim and victim["state"] == "running":
                kill(victim["pid"])
                deaths += 1
                eventually(lambda: any(each["name"] == name and each["id"] != victim["id"]
                                       for each in self.host.document("ls")), f"{name} is replaced")
                self.settled(4)
        said = wrk.communicate(timeout=60)[0]
        requests = int(re.search(r"(\d+) requests in", said)[1])
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
        lost = sum(int(each) for each in errors.groups()) if errors else 0
        print(f"wrk: {requests} requests over {CONNECTIONS} connections, {deaths} replicas killed, {lost} lost",
              file=sys.stderr)
        self.assertGreaterEqual(deaths, 2, said)
        self.assertGreater(requests, 1000, said)
        self.assertNotIn("Non-2xx", said)
        # At most what each connection had begun at the moment of a death.
        self.assertLessEqual(lost, CONNECTIONS * deaths, said)

    def test_scaling_and_updating_loses_nothing(self):
        address = self.create(3)
        client = Client(address)
        client.start()
        try:
            self.host.skerry("deployments", "scale", "web", "--replicas", "1")
            eventually(lambda: len(self.host.document("ls")) == 1, "two are gone")
            self.host.skerry("deployments", "scale", "web", "--replicas", "3")
            self.settled(3)
            with open(self.config) as file:
                newer = {**json.load(file), "env": {"NEW": "yes"}}
            with open(f"{self.host.place}/newer.json", "w") as file:
                json.dump(newer, file)
            self.host.skerry("deployments", "update", "web", "--config", f"{self.host.place}/newer.json")
            eventually(lambda: not self.host.document("deployments", "show", "web")["rolling"], "it is rolled out")
        finally:
            client.ending.set()
            client.join()
        lost = [each for each in client.asked if each[2] is None]
        # httpd's children are killed with it: a request that one was answering is lost, as the program has it.
        self.assertLessEqual(len(lost), 5, f"of {len(client.asked)}: one for each replica that ended")

    def test_sick_replicas_get_no_connections(self):
        address = self.create(2)
        self.host.skerry("exec", "web-2", "--", "sh", "-c", "echo lost > /www/index.html; rm /www/index.html")
        eventually(lambda: set(self.answers(address, 10)) == {"web-1"}, "the sick one is out")
        self.settled(2)

    def test_kept_over_a_restart_and_given_back(self):
        address = self.create(2)
        self.host.kill(signal.SIGKILL)
        self.assertEqual(set(self.answers(address)), {"web-1", "web-2"}, "nobody needs the daemon for it")
        self.host.start()
        self.assertEqual(set(self.answers(address)), {"web-1", "web-2"})
        self.settled(2)
        shown = self.host.document("deployments", "show", "web")
        self.assertEqual(shown["service"]["address"], address)
        refused = self.host.skerry("deployments", "create", "other", "--config", self.config, "--replicas", "0",
                                   "--service-port", "81", "--service-address", address, check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("another deployment", refused.stderr)
        self.host.skerry("deployments", "update", "web", "--service-port", "81:8080")
        self.assertRaises(ConnectionRefusedError, http.client.HTTPConnection(address, 80, timeout=5).connect)
        with contextlib.closing(http.client.HTTPConnection(address, 81, timeout=5)) as connection:
            connection.connect()
        self.host.skerry("deployments", "update", "web", "--no-service")
        self.assertNotIn(address, self.addresses())
        self.assertIsNone(self.host.document("deployments", "show", "web")["service"])
        self.host.skerry("deployments", "delete", "web")
        made = self.host.document("deployments", "create", "other", "--config", self.config, "--replicas", "0",
                                  "--service-port", "80")
        self.assertEqual(made["service"]["address"], address, "it was free again")
        self.assertIn(address, self.addresses())
        self.assertRaises(ConnectionRefusedError, http.client.HTTPConnection(address, 80, timeout=5).connect)

    def test_several_come_and_go_together(self):
        names = ["a1", "a2", "a3"]
        for turn in range(2):
            found = [self.host.document("deployments", "create", each, "--config", self.config, "--replicas", "1",
                                        "--service-port", "80:8080")["service"]["address"] for each in names]
            self.assertEqual(set(found), {f"192.168.229.{2 + i}" for i in range(len(names))}, f"turn {turn}")
            self.host.skerry("deployments", "rm", *names)
            eventually(lambda: not set(found) & self.addresses(), "their addresses are given back")
            self.host.skerry("run", "--rm", self.image, "true")
        self.assertNotIn("firewall: ", self.host.log())

    def test_an_address_that_the_host_has_is_not_chosen(self):
        device = self.host.environment["SKERRY_BRIDGE"]
        subprocess.run(["ip", "address", "add", "192.168.229.2/32", "dev", device], check=True)
        self.addCleanup(subprocess.run, ["ip", "address", "del", "192.168.229.2/32", "dev", device], check=True)
        made = self.host.document("deployments", "create", "web", "--config", self.config, "--replicas", "0",
                                  "--service-port", "80")
        self.assertEqual(made["service"]["address"], "192.168.229.3")


if __name__ == "__main__":
    skerry_host.main()
