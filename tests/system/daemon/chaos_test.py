#!/usr/bin/env python3
"""Deployments of real containers under a real skerryd while whatever can happen happens at random, several things at
once: then all comes to rest at what is wanted, and what is said is what is there.

SKERRY_TEST_SECONDS says for how long (15), SKERRY_TEST_SEED with which numbers (told at the begin).
Usage: chaos_test.py PROGRAM_DIR. Needs root."""

import json
import os
import random
import signal
import threading
import time

import reality
import skerry_host
from skerry_host import eventually

SECONDS = float(os.environ.get("SKERRY_TEST_SECONDS", "15"))
SEED = int(os.environ.get("SKERRY_TEST_SEED", str(time.time_ns() % 1_000_000)))
NAMES = ("web", "db", "queue")
# Half of them end when they are asked to, the others have to be killed.
COMMANDS = (["sleep", "86400"], ["sh", "-c", "trap 'exit 0' TERM; sleep 86400 & wait"], ["sh", "-c", "sleep 1; exit 3"])


class Meddler(threading.Thread):
    """Does one thing after the other; what is refused, or finds no daemon, is none of its business."""

    def __init__(self, host, image, seed, until):
        super().__init__()
        self.host, self.image, self.until = host, image, until
        self.random = random.Random(seed)
        self.done = 0

    def run(self):
        acts = (self.create, self.scale, self.scale, self.update, self.delete, self.remove, self.stop, self.kill_main,
                self.kill_main, self.kill_keeper, self.pause, self.short, self.restart)
        while time.monotonic() < self.until:
            self.random.choice(acts)()
            self.done += 1

    def skerry(self, *words):
        return self.host.skerry(*words, check=False)

    def config(self):
        path = f"{self.host.place}/config-{threading.get_ident()}.json"
        # The last one ends again and again: seldom.
        command = self.random.choices(COMMANDS, (4, 4, 1))[0]
        with open(path, "w") as file:
            json.dump({"image": self.image, "memory_mb": self.random.choice((48, 64)), "command": command}, file)
        return path

    def create(self):
        self.skerry("deployments", "create", self.random.choice(NAMES), "--config", self.config(), "--replicas",
                    str(self.random.randrange(4)))

    def scale(self):
        self.skerry("deployments", "scale", self.random.choice(NAMES), "--replicas", str(self.random.randrange(5)))

    def update(self):
        self.skerry("deployments", "update", self.random.choice(NAMES), "--config", self.config())

    def delete(self):
        if self.random.random() < 0.3:
            self.skerry("deployments", "delete", self.random.choice(NAMES))

    def some(self):
        done = self.skerry("ls", "--output", "json")
        found = json.loads(done.stdout) if done.returncode == 0 else []
        return self.random.choice(found) if found else None

    def by_hand(self, *words):
        if victim := self.some():
            self.skerry(*words, victim["name"])

    def remove(self):
        self.by_hand("rm", "--force")

    def stop(self):
        self.by_hand("stop", "--time", "0")

    def restart(self):
        self.by_hand("restart", "--time", "0")

    def pause(self):
        self.by_hand("pause")

    def short(self):
        self.skerry("run", "--rm", self.image, "--", "true")

    def kill_main(self):
        victim = self.some()
        if victim and victim["pid"]:
            self.end(victim["pid"])

    def kill_keeper(self):
        victim = self.some()
        if not victim or not victim["pid"]:
            return
        try:
            with open(f"/proc/{victim['pid']}/stat") as stat:
                keeper = int(stat.read().rsplit(")", 1)[1].split()[1])
            with open(f"/proc/{keeper}/cmdline") as words:
                if self.host.place in words.read():
                    self.end(keeper)
        except (OSError, ValueError):
            pass

    def end(self, pid):
        try:
            with open(f"/proc/{pid}/cgroup") as groups:
                ours = self.host.environment["SKERRY_CGROUP_PARENT"] in groups.read()
            with open(f"/proc/{pid}/cmdline") as words:
                ours = ours or self.host.place in words.read()
            if ours:
                os.kill(pid, signal.SIGKILL)
        except (OSError, ValueError):
            pass


class Chaos(skerry_host.HostCase):
    def test_whatever_happens_it_comes_to_what_is_wanted(self):
        print(f"seed {SEED}, {SECONDS} s", flush=True)
        until = time.monotonic() + SECONDS
        meddlers = [Meddler(self.host, self.image, SEED + number, until) for number in range(3)]
        for each in meddlers:
            each.start()
        killer = random.Random(SEED)
        deaths = 0
        while time.monotonic() < until:
            time.sleep(killer.uniform(0.05, 2))  # a moment nobody chose
            self.host.kill()
            deaths += 1
            self.host.start()
        for each in meddlers:
            each.join()
        print(f"{sum(each.done for each in meddlers)} acts, {deaths} deaths of skerryd", flush=True)
        self.comes_to_rest()
        for each in self.host.document("deployments", "list"):
            self.host.skerry("deployments", "delete", each["name"])
        for each in self.host.document("ls"):
            if not each.get("deployment"):
                self.host.skerry("rm", "--force", each["name"], check=False)
        eventually(lambda: self.host.document("ls") == [], "all are gone")
        self.agrees()

    def comes_to_rest(self):
        for each in self.host.document("deployments", "list"):
            # What ends again and again never comes to rest.
            with open(f"{self.host.place}/last.json", "w") as file:
                json.dump({"image": self.image, "memory_mb": 48, "command": COMMANDS[0]}, file)
            self.host.skerry("deployments", "update", each["name"], "--config", f"{self.host.place}/last.json")
        eventually(self.is_as_wanted, f"the replicas that are wanted (seed {SEED}): {self.host.document('ls')}", 90)
        self.agrees()

    def is_as_wanted(self):
        wanted = self.host.document("deployments", "list")
        shown = self.host.document("ls")
        for each in shown:
            # What somebody paused stays so until somebody resumes it.
            if each["state"] == "paused":
                self.host.skerry("resume", each["name"], check=False)
        owned = [each for each in shown if each.get("deployment")]
        count = {each["name"]: sum(other["deployment"] == each["name"] for other in owned) for each in wanted}
        return (all(count[each["name"]] == each["replicas"] == each["ready"] and not each["rolling"] for each in wanted)
                and len(owned) == sum(count.values()) and all(each["state"] == "running" for each in owned))

    def agrees(self):
        found = []

        def look():
            found[:] = reality.Reality(self.host).differences
            return not found
        try:
            eventually(look, "all agrees", 30)
        except AssertionError:
            self.fail(f"seed {SEED}:\n" + "\n".join(found) + "\n" + self.host.log())


if __name__ == "__main__":
    skerry_host.main()
