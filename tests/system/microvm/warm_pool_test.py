#!/usr/bin/env python3
"""The warm pool: microVMs of a plugin that are made before anybody asks. Usage: warm_pool_test.py BIN_DIR. Needs root."""

import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "daemon"))
import skerry_host  # noqa: E402
from skerry_host import eventually  # noqa: E402



class WarmPool(skerry_host.HostCase):
    def install(self, version, warm_pool=None, name="tool"):
        manifest = {"name": name, "version": version, "image": self.image, "resources": {"memory_mb": 128}}
        if warm_pool:
            manifest["warm_pool"] = warm_pool
        path = pathlib.Path(self.host.place) / f"{name}-{version}.json"
        path.write_text(json.dumps(manifest))
        self.host.skerry("plugins", "install", "--manifest", str(path))
        self.addCleanup(self.host.skerry, "plugins", "rm", f"{name}@{version}", check=False)

    def pool(self, name="tool"):
        """What the list of plugins says; nothing when the plugin wants none."""
        found = [each for each in self.host.document("plugins", "ls") if each["name"] == name and each["default"]]
        return found[0].get("warm_pool") if found else None

    def await_ready(self, count, name="tool"):
        eventually(lambda: (self.pool(name) or {"ready": 0})["ready"] == count, f"{count} are ready: {self.pool(name)}")

    def run_one(self, name, *options):
        self.host.skerry("run", "-d", "--isolation", "microvm", "--plugin", "tool", "--name", name, *options)
        self.addCleanup(self.host.skerry, "rm", "--force", name, check=False)

    def directories(self):
        return set(os.listdir(f"{self.host.place}/run/environments"))

    def inside(self, name, command):
        return self.host.skerry("exec", name, "sh", "-c", command).stdout.strip()

    def test_taken_by_runs_and_filled_again(self):
        for mode in ("parked", "warmed"):
            self.install(mode, {"mode": mode, "size": 2})
            self.await_ready(2)
            waiting, before = self.directories(), self.pool()["taken"]
            names = [f"{mode}-{i}" for i in range(2)]
            for name in names:
                self.run_one(name)
                self.assertIn(self.host.show(name)["id"], waiting, "it was made beforehand")
            self.assertEqual(self.pool()["taken"] - before, 2)
            self.await_ready(2)
            who = [self.inside(name, "hostname; cat /proc/sys/kernel/random/boot_id;"
                               "cat /proc/sys/kernel/random/uuid; cat /sys/class/net/eth0/address; ip -o -4 addr show eth0;"
                               "head -c 16 /dev/urandom | od -An -tx1").split("\n") for name in names]
            for lines, name in zip(who, names):
                self.assertEqual(lines[0], name)
                self.assertIn(self.host.show(name)["ip"] + "/", "\n".join(lines))
            for line in zip(*who):
                self.assertEqual(len(set(line)), len(names), line)
            # Containers and other sizes have nothing to take.
            self.run_one(f"{mode}-large", "--memory", "160")
            self.assertEqual(self.pool()["ready"], 2)
            self.host.skerry("plugins", "disable", f"tool@{mode}")
            for name in (*names, f"{mode}-large"):
                self.host.skerry("rm", "--force", name)
            eventually(lambda: not self.directories(), "what nobody wants any more goes")

    def test_killed_daemon_leaves_nothing_behind(self):
        self.install("1", {"mode": "warmed", "size": 1})
        self.await_ready(1)
        before = self.directories()
        self.run_one("kept")
        self.await_ready(1)
        left = self.directories() - {self.host.show("kept")["id"]}
        self.assertTrue(left and not left & before)
        self.host.kill()
        self.host.start()
        self.assertFalse(left & self.directories(), "the next daemon keeps no machine that another made")
        self.assertEqual(self.host.show("kept")["state"], "running")
        self.await_ready(1)
        self.run_one("taken")
        self.assertEqual(self.inside("taken", "hostname"), "taken")

    def test_another_version_and_removal(self):
        self.install("1", {"mode": "parked", "size": 1})
        self.await_ready(1)
        self.assertRegex(self.host.skerry("plugins", "ls").stdout, r"tool .* 1/1 ")
        self.install("2")
        eventually(lambda: not self.directories(), "a version without a pool ends it")
        self.assertIsNone(self.pool())
        self.host.skerry("plugins", "rm", "tool@2")
        self.await_ready(1)
        self.host.skerry("plugins", "rm", "tool")
        eventually(lambda: not self.directories(), "a plugin that is gone has none")

    def test_what_cannot_be_kept_says_why(self):
        self.install("1", {"mode": "warmed", "size": 64})
        full = eventually(lambda: (self.pool() or {}).get("ready") and self.pool()["problem"] and self.pool(), "it is full")
        self.assertLess(full["ready"], 64)
        self.assertLessEqual(full["memory_bytes"], 150 << 20)
        self.assertIn("--warm-pool-mb", full["problem"])

    def test_started_again_and_again(self):
        def start(name, *options):
            self.host.skerry("run", "-d", "--isolation", "microvm", "--memory", "128", "--name", name, *options, self.image, "sleep", "1000")
            self.addCleanup(self.host.skerry, "rm", "--force", name, check=False)
            return self.host.show(name)["id"]

        def waiting():
            return self.directories() - {each["id"] for each in self.host.document("ls")}

        self.host.skerry("zones", "create", "other", "--subnet", "192.168.231.0/24")
        start("first", "-e", "OWN=first")
        start("with-directory", "-v", "/usr:/mnt")
        start("elsewhere", "--zone", "other")
        self.assertFalse(waiting())
        start("second", "-e", "OWN=second")
        spares = eventually(waiting, "one more is made of what was started twice")
        self.assertEqual(len(spares), 1)
        eventually(lambda: 'skerry_warm_pool_ready{plugin=""} 1' in self.host.ask("GET", "/metrics")[1], "it is ready")
        self.assertIn(start("third", "-e", "OWN=third"), spares)
        self.assertEqual(self.inside("third", "hostname; echo $OWN"), "third\nthird")
        # A zone that goes takes its spare along; one of the same name is another.
        start("elsewhere-2", "--zone", "other")
        eventually(lambda: len(waiting()) == 2, "one in each zone")
        self.host.skerry("rm", "--force", "elsewhere", "elsewhere-2")
        self.host.skerry("zones", "rm", "other")
        eventually(lambda: len(waiting()) == 1, "a zone's spare goes with it")
        self.host.kill()
        self.host.start()
        eventually(lambda: not waiting(), "the next daemon keeps none that another made")

    settings = {"SKERRY_WARM_POOL_MB": "150", "SKERRY_SPARES": "2"}


if __name__ == "__main__":
    skerry_host.main()
