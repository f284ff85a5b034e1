#!/usr/bin/env python3
"""Zones with real environments: who reaches whom, also when skerryd was killed; what is refused; and that a killed
creation or removal leaves nothing. Usage: zone_test.py PROGRAM_DIR. Needs root."""

import json
import re
import signal
import subprocess
import unittest

import crash_points
import skerry_host
from outside import BEYOND, HOST, PAGE, Outside
from skerry_host import Host, eventually

SERVE = ("sh", "-c", "hostname > /www/index.html; httpd -p 8080 -h /www; exec sleep 86400")


def bridges():
    shown = subprocess.run(["ip", "-j", "link", "show", "type", "bridge"], stdout=subprocess.PIPE, text=True, check=True)
    return {each["ifname"] for each in json.loads(shown.stdout or "[]")}


def told(host, name):
    """The types of the events about this zone."""
    lines = host.skerry("events", "--resource", name, "--output", "json").stdout.splitlines()
    return [json.loads(line)["type"] for line in lines]


class Crossing(skerry_host.HostCase):
    """work: a, b. vault (no egress): c. hidden (isolated): e, f. default: d."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.outside = Outside(80)
        cls.addClassCleanup(cls.outside.close)
        cls.host.skerry("zones", "create", "work", "--colour", "blue")
        cls.host.skerry("zones", "create", "vault", "--egress", "none", "--subnet", "192.168.77.0/24")
        cls.host.skerry("zones", "create", "hidden", "--isolated")
        cls.addClassCleanup(cls.clear)
        cls.ips, cls.pids = {}, {}
        for name, zone in (("a", "work"), ("b", "work"), ("c", "vault"), ("e", "hidden"), ("f", "hidden"), ("d", "default")):
            published = ("-p", "8089:8080") if name == "c" else ()
            cls.host.skerry("run", "-d", "--name", name, "--zone", zone, "--cap-add", "NET_ADMIN", "--cap-add", "NET_RAW", *published, cls.image, "--",
                            *SERVE)
            shown = cls.host.show(name)
            cls.ips[name], cls.pids[name] = shown["ip"], shown["pid"]
        for name in cls.ips:
            eventually(lambda name=name: cls.fetch(name, "127.0.0.1") == f"{name}\n", f"{name} serves")

    @classmethod
    def clear(cls):
        for each in cls.host.document("ls"):
            cls.host.skerry("rm", "--force", each["name"])
        cls.host.skerry("zones", "rm", "work", "vault", "hidden")

    @classmethod
    def fetch(cls, name, address, port=8080):
        return cls.host.skerry("exec", name, "--", "timeout", "3", "wget", "-q", "-O", "-", f"http://{address}:{port}/index.html",
                               check=False).stdout

    def reaches(self, source, target):
        return self.fetch(source, self.ips[target]) == f"{target}\n"

    def pings(self, source, address):
        return self.host.skerry("exec", source, "--", "ping", "-c", "1", "-W", "2", address, check=False).returncode == 0

    def check(self, when):
        for source, target in (("a", "b"), ("b", "a"), ("a", "a"), ("d", "d")):
            self.assertTrue(self.reaches(source, target), f"{when}: {source} reaches {target} of its zone")
        for source, target in (("a", "c"), ("c", "a"), ("a", "d"), ("d", "a"), ("d", "c"), ("e", "f"), ("f", "e"), ("e", "a")):
            self.assertFalse(self.reaches(source, target), f"{when}: {source} does not reach {target}")
        self.assertFalse(self.pings("a", self.ips["c"]), when)
        self.assertTrue(self.pings("a", self.ips["b"]), when)
        for name, out in (("a", PAGE), ("d", PAGE), ("e", PAGE), ("c", "")):
            self.assertEqual(self.fetch(name, BEYOND, 80), out, f"{when}: {name} and what lies beyond the host")
        self.assertFalse(self.pings("c", BEYOND), f"{when}: not by ping either")
        self.assertEqual(self.outside.fetches(HOST, 8089), "c\n", f"{when}: what was published is reached from outside")
        for name in ("a", "d"):
            self.assertEqual(self.fetch(name, HOST, 8089), "", f"{when}: but not from {name} of another zone")
        self.assertEqual(self.outside.fetches(self.ips["c"], 8080), "", f"{when}: nor without being published")

    def test_1_zones_hold_over_the_daemons_death(self):
        self.assertEqual(self.ips["a"], "192.168.128.100")
        self.assertEqual(self.ips["c"], "192.168.77.100")
        self.check("at first")
        rules = self.rules()
        self.host.kill(signal.SIGKILL)
        self.check_dead()
        self.host.start()
        self.check("after a restart")
        self.assertEqual(self.rules(), rules, "the same rules, from the store")

    def rules(self):
        text = subprocess.run(["nft", "list", "ruleset"], stdout=subprocess.PIPE, text=True, check=True).stdout
        return sorted(re.sub(r"\s+", " ", text).split(" "))

    def check_dead(self):
        """Without a daemon, from within the namespaces of what runs."""
        def ask(source, target):
            return subprocess.run(["nsenter", "-t", str(self.pids[source]), "-n", "busybox", "timeout", "3", "busybox", "wget", "-q", "-O", "-",
                                   f"http://{self.ips[target]}:8080/index.html"], stdout=subprocess.PIPE, text=True,
                                  check=False).stdout
        self.assertEqual(ask("a", "b"), "b\n", "nobody needs the daemon for it")
        self.assertEqual(ask("a", "c"), "")

    def test_2_no_address_but_its_own(self):
        """A root inside that may change its own network gets nowhere with other addresses, nor by IPv6."""
        run = lambda name, *words: self.host.skerry("exec", name, "--", *words, check=False)  # noqa: E731
        neighbour = "192.168.77.222"
        run("a", "ip", "address", "add", f"{neighbour}/24", "dev", "eth0")
        self.assertFalse(self.reaches("a", "c"), "not as one of the other zone")
        run("a", "ip", "address", "del", f"{neighbour}/24", "dev", "eth0")
        for name, address in (("a", "fd00::a"), ("b", "fd00::b")):
            run(name, "sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6")
            run(name, "ip", "-6", "address", "add", f"{address}/64", "dev", "eth0")
        self.assertNotEqual(run("a", "ping6", "-c", "1", "-W", "2", "fd00::b").returncode, 0, "no IPv6")
        self.assertTrue(self.reaches("a", "b"), "IPv4 as before")

    def test_3_a_microvm_is_of_its_zone_too(self):
        self.host.skerry("run", "-d", "--name", "m", "--zone", "work", "--isolation", "microvm", "--memory", "192", self.image,
                         "--", *SERVE)
        self.ips["m"] = self.host.show("m")["ip"]
        self.assertTrue(self.ips["m"].startswith("192.168.128."))
        eventually(lambda: self.reaches("a", "m"), "a container of its zone reaches it")
        self.assertTrue(self.reaches("m", "b"))
        self.assertEqual(self.fetch("m", BEYOND, 80), PAGE)
        for source, target in (("m", "c"), ("c", "m"), ("d", "m")):
            self.assertFalse(self.reaches(source, target), f"{source} does not reach {target}")
        self.host.skerry("rm", "--force", "m")

    def refused(self, *words):
        done = self.host.skerry("zones", *words, check=False)
        self.assertIn(done.returncode, (1, 2), done.stdout)
        return done.stderr

    def test_4_what_is_refused(self):
        self.assertIn('overlaps with 192.168.77.0/24 of zone "vault"', self.refused("create", "x", "--subnet", "192.168.76.0/23"))
        self.assertIn("which this host already has", self.refused("create", "x", "--subnet", "10.99.0.128/25"))
        self.assertIn("colour", self.refused("create", "x", "--colour", "pinkish"))
        self.assertIn("through a router VM is not there yet", self.refused("create", "x", "--egress", "via:router"))
        self.assertIn("named out0 is there", self.refused("create", "x", "--bridge", "out0"))
        self.assertIn("environment a, environment b", self.refused("rm", "work"))
        self.assertIn("stays", self.refused("rm", "default"))
        self.host.skerry("zones", "create", "short")
        self.host.skerry("token", "create", "ci", "--zone", "short")
        self.assertIn("used by token ci", self.refused("rm", "short"))
        self.host.skerry("token", "revoke", "ci")
        self.host.skerry("zones", "rm", "short")
        self.assertNotIn("vbr-short", bridges())
        self.assertEqual(self.host.skerry("zones", "show", "short", check=False).returncode, 3)
        missing = self.host.skerry("run", "--zone", "short", self.image, check=False)
        self.assertIn('zone "short" does not exist', missing.stderr)
        self.assertEqual(told(self.host, "short"), ["zone.created", "zone.removed"])


class Killed(unittest.TestCase):
    """skerryd killed between any two steps of a zone's life: after the restart what is stored and what stands agree."""

    LIFE = (("zones", "create", "work"), ("zones", "rm", "work"))

    def setUp(self):
        self.host = Host()
        self.addCleanup(self.host.close)

    def points(self):
        """How many there are when the daemon starts, and all. Its very first start has some of its own."""
        crash_points.start(self.host)
        self.host.kill(signal.SIGTERM)
        begin = crash_points.log_size(self.host)
        crash_points.start(self.host, 0)
        before = len(crash_points.passed(self.host, begin))
        for words in self.LIFE:
            self.host.skerry(*words)
        points = crash_points.passed(self.host, begin)
        self.host.kill(signal.SIGTERM)
        return before, points

    def test_leaves_nothing_by_halves(self):
        before, points = self.points()
        life = points[before:]
        for step in ("a zone's bridge is noted", "a new zone's rules stand", "a zone's bridge is there", "store zone work",
                     "a zone's bridge is gone", "remove zone work"):
            self.assertIn(step, life)
        ours = self.host.environment["SKERRY_BRIDGE"]
        for number, step in enumerate(life, before + 1):
            with self.subTest(number=number, step=step):
                crash_points.start(self.host, number)
                for words in self.LIFE:
                    if self.host.skerry(*words, check=False).returncode != 0:
                        break
                self.assertEqual(self.host.daemon.wait(skerry_host.DEADLINE), -signal.SIGKILL, "it reached the point")
                crash_points.start(self.host)
                stored = [each["name"] for each in self.host.document("zones", "ls")]
                self.assertEqual(bridges(), {ours} | ({"vbr-work"} if "work" in stored else set()))
                ruled = subprocess.run(["nft", "list", "ruleset"], stdout=subprocess.PIPE, text=True, check=True).stdout
                self.assertEqual('"vbr-work"' in ruled, "work" in stored)
                events = told(self.host, "work")
                self.assertEqual(events.count("zone.created") - events.count("zone.removed"), len(stored) - 1)
                if "work" in stored:
                    self.host.skerry("zones", "rm", "work")
                self.host.kill(signal.SIGTERM)
                self.assertEqual(self.host.residue(), [])


if __name__ == "__main__":
    skerry_host.main()
