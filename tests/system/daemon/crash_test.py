#!/usr/bin/env python3
"""skerryd killed by SIGKILL between any two steps of its commands: after the restart, state equals reality.

skerryd counts its crash points (src/base/crash_point.h) and ends itself at the one that SKERRY_CRASH_AT names. One life
of a container (run, exec, stop, start, rm) is led once to learn how many there are, then once for each of them.
Usage: crash_test.py PROGRAM_DIR. Needs root."""

import json
import os
import sqlite3
import subprocess
import unittest

import crash_points
import skerry_host
from skerry_host import PROGRAMS, Host, busybox_image, eventually

# The remains of the first, which nobody waits for, are cleaned up beside the second: then steps change places.
LIFE = (("run", "--rm", "--name", "short", "IMAGE", "true"), ("run", "-d", "--name", "c", "IMAGE"), ("exec", "c", "--", "true"), ("stop", "--time", "0", "c"), ("start", "c"),
        ("rm", "--force", "c"))
AT_REST = {"running", "stopped", "failed", "created", "suspended"}


class Crash(unittest.TestCase):
    maxDiff = None
    life = LIFE

    def setUp(self):
        self.host = Host()
        self.addCleanup(self.host.close)
        self.host.start()
        self.image = self.host.registry.add("test/crash", busybox_image())
        self.host.skerry("images", "pull", self.image)
        # In order, as it is ended before each of the lives: all of them begin with the same steps.
        self.host.kill(skerry_host.signal.SIGTERM)

    def lead_life(self):
        """Runs the commands until the daemon dies; which one it was, None for none."""
        for command in self.life:
            words = [self.image if word == "IMAGE" else word for word in command]
            done = self.host.skerry(*words, check=False)
            if done.returncode != 0:
                self.host.daemon.wait(skerry_host.DEADLINE)
                return command[0]
        return None

    def points(self):
        """The steps of one life, in order: as the log of a whole one tells them."""
        begin = crash_points.log_size(self.host)
        crash_points.start(self.host, 0)
        self.assertIsNone(self.lead_life())
        told = crash_points.passed(self.host, begin)
        self.host.kill(skerry_host.signal.SIGTERM)
        return told

    def keepers(self):
        return sum(os.path.basename(words[0]) == "skerry-keeper" for _, words in skerry_host.processes(self.host.place))

    def rest(self):
        """The environments, in a list, when they are at rest: the short-lived one is gone with its remains."""
        documents = self.host.document("ls")
        with sqlite3.connect(f"file:{self.host.place}/state/skerry.db?mode=ro", uri=True) as database:
            self.leases = [row[0] for row in database.execute("SELECT ip FROM ip_leases")]
        ended = all(each["state"] in AT_REST and (each["name"] != "short" or each["state"] == "created")
                    and (each["state"] != "running" or each["goal"] == "running") for each in documents)
        return [documents] if ended and len(self.leases) == len(documents) else None

    def check(self, where):
        """What is said, what is stored and what is there are the same."""
        (documents,) = eventually(self.rest, f"{where}: all comes to rest")
        self.assertLessEqual(len(documents), 1, where)
        running = [each for each in documents if each["state"] == "running"]
        self.assertEqual(self.leases, [each["ip"] for each in documents], where)
        self.assertEqual(eventually(lambda: [self.keepers()] if self.keepers() == len(running) else None,
                                    f"{where}: a keeper for each that runs, {self.keepers()} for {documents}"),
                         [len(running)])
        with open("/proc/self/mounts") as mounts:
            mounted = [line.split()[1] for line in mounts if f"{self.host.place}/run" in line]
        if not running:
            self.assertEqual(mounted, [], where)
        for each in running:
            os.kill(each["pid"], 0)
            self.assertEqual(self.host.skerry("exec", each["name"], "--", "echo", "alive").stdout, "alive\n", where)
        for each in documents:
            self.host.skerry("rm", "--force", each["name"])
        self.assertEqual(os.listdir(f"{self.host.place}/state/environments"), [], where)
        self.assertEqual(os.listdir(f"{self.host.place}/run/environments"), [], where)

    def kill_at(self, number, step):
        """One life up to that point, and all there is after it; in which command it ended, None before the first."""
        died_in = self.lead_life() if crash_points.start_up_to(self.host, number) else None
        self.assertIsNotNone(self.host.daemon.poll(), "it reached the point")
        self.host.daemon.wait()
        crash_points.start(self.host)
        self.check(f"killed after {number}: {step}")
        self.host.kill(skerry_host.signal.SIGTERM)
        self.assertEqual(self.host.residue(), [])
        return died_in


class Containers(Crash):
    def test_killed_between_any_two_steps(self):
        points = self.points()
        self.assertGreater(len(points), 25, points)
        for step in ("create environment c", "its network is there", "its jail is made", "a command runs inside",
                     "the driver has stopped it", "the remains of what was retired are gone", "release an address",
                     "the driver has destroyed it"):
            self.assertIn(step, points)
        died_in = set()
        for number, step in crash_points.chosen(points, 36):
            with self.subTest(number=number, step=step):
                died_in.add(self.kill_at(number, step))
        self.assertEqual(died_in, {None, "run", "exec", "stop", "start", "rm"})


class Ends(Crash):
    """A run that ends by itself: whatever of its end was done when the daemon was killed, it is told as it was, and once."""
    life = (("run", "-d", "--name", "c", "IMAGE", "--", "sh", "-c", "exit 7"),)

    def ended(self):
        (documents,) = self.rest() or ([],)
        return [each for each in documents if each["state"] == "failed" and not os.listdir(f"{self.host.place}/run/environments")]

    def lead_life(self):
        died_in = super().lead_life()
        # Its end follows by itself, and the daemon's with it where it is to be killed.
        if self.host.environment["SKERRY_CRASH_AT"] == "0":
            eventually(self.ended, "it has ended")
        else:
            self.host.daemon.wait(skerry_host.DEADLINE)
        return died_in

    def check(self, where):
        (ended,) = eventually(self.ended, f"{where}: it has ended, and nothing is left of it")
        self.assertEqual((ended["exit_code"], ended.get("reason", "")), (7, ""), where)
        events = [json.loads(line) for line in self.host.skerry("events", "--output", "json").stdout.splitlines()]
        crashes = [each for each in events if each["type"] == "container.crashed"]
        self.assertEqual([each["data"]["exit_code"] for each in crashes[self.told:]], ["7"], where)
        self.told = len(crashes)
        super().check(where)

    def test_the_exit_code_outlives_a_daemon_that_is_killed(self):
        points = self.points()
        first = points.index("its jail is made")
        self.told = 1
        crash_points.start(self.host)
        self.host.skerry("rm", "c")
        self.host.kill(skerry_host.signal.SIGTERM)
        steps = points[first:]
        for step in ("its jail is removed", "its network is removed", "the driver has collected the run"):
            self.assertIn(step, steps)
        for number, step in enumerate(steps, first + 1):
            with self.subTest(number=number, step=step):
                self.kill_at(number, step)


class Microvms(Crash):
    """Only the steps that containers do not have: each life boots a template first."""
    life = (("run", "-d", "--name", "m", "--isolation", "microvm", "--memory", "128", "--kind", "disposable", "IMAGE"),
            ("suspend", "m"), ("start", "m"), ("rm", "--force", "m"))
    own_steps = {"a template boots", "a fork's machine waits in its jail", "a fork loads its memory",
                 "a fork has been told who it is", "the driver has suspended it", "a saved run has its memory",
                 "a saved run has been told who it is"}

    def test_killed_between_the_steps_of_a_fork_and_of_a_resumption(self):
        points = self.points()
        self.assertLessEqual(self.own_steps, set(points))
        died_in = set()
        for number, step in enumerate(points, 1):
            if step not in self.own_steps:
                continue
            with self.subTest(number=number, step=step):
                died_in.add(self.kill_at(number, step))
        self.assertEqual(died_in, {"run", "suspend", "start"})


class DamagedDatabase(unittest.TestCase):
    """skerryd refuses what it cannot use and says why; what runs goes on, and is adopted once the database is well."""

    def setUp(self):
        self.host = Host()
        self.addCleanup(self.host.close)
        self.host.start()
        image = self.host.registry.add("test/damage", busybox_image())
        self.host.skerry("images", "pull", image)
        self.host.skerry("run", "-d", "--name", "guest", image)
        self.before = self.host.show("guest")
        self.host.kill(skerry_host.signal.SIGTERM)
        self.database = f"{self.host.place}/state/skerry.db"
        with open(self.database, "rb") as file:
            self.good = file.read()

    def refused(self, *words):
        done = subprocess.run([f"{PROGRAMS}/skerryd"], env=self.host.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        for word in words:
            self.assertIn(word, done.stdout)
        os.kill(self.before["pid"], 0)

    def adopted(self):
        self.host.start()
        after = self.host.show("guest")
        self.assertEqual((after["pid"], after["state"]), (self.before["pid"], "running"))
        self.assertEqual(self.host.skerry("exec", "guest", "--", "echo", "well").stdout, "well\n")

    def test_a_newer_schema_is_refused_and_an_older_skerry_leaves_it_as_it_is(self):
        with sqlite3.connect(self.database) as database:
            (known,) = database.execute("PRAGMA user_version").fetchone()
            database.execute(f"PRAGMA user_version = {known + 1}")
        database.close()
        self.refused(f"schema version {known + 1}", "newer Skerry")
        with sqlite3.connect(self.database) as database:
            self.assertEqual(database.execute("PRAGMA user_version").fetchone(), (known + 1,))
            self.assertEqual(database.execute("SELECT name FROM environments").fetchall(), [("guest",)])
            database.execute(f"PRAGMA user_version = {known}")
        database.close()
        self.adopted()

    def test_a_corrupted_file_is_refused(self):
        with open(self.database, "wb") as file:
            file.write(b"not a database at all" * 1000)
        self.refused("skerry.db")
        with open(self.database, "wb") as file:
            file.write(self.good)
        self.adopted()

    def test_a_read_only_state_directory_is_refused(self):
        state = f"{self.host.place}/state"
        subprocess.run(["mount", "--bind", state, state], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", state], check=True)
        try:
            self.refused("ead-only")
        finally:
            subprocess.run(["umount", "-l", state], check=True)
        self.adopted()


if __name__ == "__main__":
    skerry_host.main()
