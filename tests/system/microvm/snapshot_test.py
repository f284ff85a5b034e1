#!/usr/bin/env python3
"""Suspending, snapshots and forks of microVMs, from the command line. Usage: snapshot_test.py BIN_DIR. Needs root."""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "daemon"))
import skerry_host  # noqa: E402
from skerry_host import PROGRAMS, eventually  # noqa: E402

COUNT = "n=0; while :; do n=$((n+1)); echo $n > /dev/shm/n; sleep 0.05; done"


class Saved(skerry_host.HostCase):
    def start(self, name, *options, memory=128):
        self.start_microvm(name, *options, memory=memory, command=("--", "sh", "-c", COUNT))

    def count(self, name):
        # The file is empty for a moment with each number.
        return int(self.inside(name, 'until c=$(cat /dev/shm/n) && [ -n "$c" ]; do sleep 0.02; done 2>/dev/null; echo $c'))

    def await_count(self, name, at_least):
        eventually(lambda: self.count(name) >= at_least, f"{name} counts to {at_least}")

    def kill_while_memory_is_written(self, *words):
        """kill -9 of the daemon when this command has written some of a guest's memory, and not all."""
        state = pathlib.Path(self.host.place) / "state"
        known = set(state.glob("**/memory"))
        asked = subprocess.Popen([f"{PROGRAMS}/skerry", *words], env=self.host.environment, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        begun = eventually(lambda: [path for path in state.glob("**/memory") if path not in known and path.stat().st_size],
                           f"{words}: memory is written")
        self.host.kill()
        asked.wait()
        self.assertFalse((begun[0].parent / "machine").exists(), "killed too late: it was whole")
        return begun[0].parent

    def state(self, name):
        return self.host.show(name)["state"]

    def test_suspended_through_a_killed_daemon(self):
        self.start("sleeper")
        self.inside("sleeper", "echo mine > /dev/shm/mark")
        self.host.skerry("suspend", "sleeper")
        self.assertEqual(self.state("sleeper"), "suspended")
        self.host.kill()
        self.host.start()
        self.assertEqual(self.state("sleeper"), "suspended")
        self.host.skerry("resume", "sleeper")
        self.assertEqual(self.inside("sleeper", "cat /dev/shm/mark"), "mine")
        self.host.skerry("suspend", "sleeper")
        self.host.skerry("stop", "sleeper")
        self.assertEqual(self.state("sleeper"), "stopped")
        self.host.skerry("start", "sleeper")
        self.assertEqual(self.inside("sleeper", "cat /dev/shm/mark 2>/dev/null; true"), "", "its memory was given up")

    def test_killed_while_it_saves_a_run(self):
        self.start("big", memory=256)
        # What makes writing it take its time: pages that are not zero.
        self.inside("big", "tr '\\0' x < /dev/zero | head -c 90000000 > /dev/shm/ballast")
        before = self.count("big")
        half = self.kill_while_memory_is_written("snapshot", "create", "big", "half")
        self.host.start()
        self.await_count("big", before + 5)
        self.assertEqual(self.host.document("snapshot", "ls"), [])
        self.assertFalse(half.exists())
        before = self.count("big")
        half = self.kill_while_memory_is_written("suspend", "big")
        self.host.start()
        # It goes on, and is suspended as was asked.
        eventually(lambda: self.state("big") == "suspended", "it is suspended by the next daemon")
        self.host.skerry("resume", "big")
        self.await_count("big", before + 5)
        self.assertFalse((half / "memory").exists())

    def test_what_sees_the_host_cannot_be_saved_while_it_runs(self):
        shared = pathlib.Path(self.host.place) / "shared"
        shared.mkdir()
        self.start("sharing", "-v", f"{shared}:/shared", "-v", f"{shared}:/fixed:ro")
        self.inside("sharing", "echo guest > /shared/file; ! echo x > /fixed/other")
        self.assertEqual([entry.name for entry in shared.iterdir()], ["file"])
        self.assertEqual((shared / "file").read_text(), "guest\n")
        for command in (["suspend", "sharing"], ["snapshot", "create", "sharing", "never"], ["fork", "sharing", "other"]):
            refused = self.host.skerry(*command, check=False)
            self.assertIn("directories of the host", refused.stderr, command)
        self.assertEqual(self.inside("sharing", "cat /fixed/file"), "guest")

    def test_a_snapshot_of_a_run_comes_back(self):
        self.start("db")
        self.inside("db", "echo then > /root/file; echo then > /dev/shm/file")
        self.host.skerry("snapshot", "create", "db", "before")
        self.addCleanup(self.host.skerry, "snapshot", "rm", "before", check=False)
        self.assertEqual(self.state("db"), "running")
        shown, = self.host.document("snapshot", "ls")
        self.assertEqual((shown["name"], shown["environment"], shown["memory"]), ("before", "db", True))
        self.inside("db", "echo now > /root/file; sync")
        refused = self.host.skerry("snapshot", "restore", "before", check=False)
        self.assertIn("stop it first", refused.stderr)
        refused = self.host.skerry("images", "rm", self.image, check=False)
        self.assertIn("before", refused.stderr)
        self.host.skerry("stop", "--time", "0", "db")
        self.host.skerry("snapshot", "restore", "before")
        self.assertEqual(self.state("db"), "suspended")
        self.host.skerry("resume", "db")
        self.assertEqual(self.inside("db", "cat /root/file /dev/shm/file"), "then\nthen")

    def test_forks_of_a_run_and_of_a_snapshot(self):
        self.start("web", "-p", "18080:80")
        self.inside("web", "echo inherited > /root/file")
        before = self.count("web")
        self.host.skerry("fork", "web", "web-2", "web-3")
        self.host.skerry("snapshot", "create", "web", "base")
        self.addCleanup(self.host.skerry, "snapshot", "rm", "base", check=False)
        self.host.skerry("rm", "--force", "web")
        self.host.skerry("fork", "--snapshot", "base", "web-4")
        names = ("web-2", "web-3", "web-4")
        for name in names:
            self.addCleanup(self.host.skerry, "rm", "--force", name, check=False)
        self.assertEqual({self.inside(name, "cat /root/file") for name in names}, {"inherited"})
        for name in names:
            self.assertGreaterEqual(self.count(name), before, "it went on, it did not begin")
        own = [self.inside(name, "hostname; cat /proc/sys/kernel/random/uuid; ip -o addr show eth0; cat /sys/class/net/eth0/address")
               .split("\n") for name in names]
        for each, name in zip(own, names):
            self.assertEqual(each[0], name)
            self.assertIn(self.host.show(name)["ip"], "\n".join(each))
        for line in zip(*own):
            self.assertEqual(len(set(line)), len(names), line)

    def test_what_cannot_be_is_refused_with_the_reason(self):
        self.host.skerry("run", "-d", "--name", "plain", self.image)
        self.addCleanup(self.host.skerry, "rm", "--force", "plain", check=False)
        for words in (("suspend", "plain"), ("snapshot", "create", "plain", "x"), ("fork", "plain", "plain-2")):
            refused = self.host.skerry(*words, check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("container", refused.stderr)
            self.assertIn("--isolation microvm", refused.stderr)
        self.assertEqual(self.state("plain"), "running")
        self.assertEqual(self.host.document("snapshot", "ls"), [])


if __name__ == "__main__":
    skerry_host.main()
