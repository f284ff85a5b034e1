#!/usr/bin/env python3
"""skerryd killed by SIGKILL between any two steps of a command: afterwards what it says is what is there, nothing is
lost or there twice, and the command, when repeated, works. One suite for each command; crash_test.py has those of an
environment's life. Usage: steps_test.py PROGRAM_DIR [unittest arguments]. Needs root."""

import http.client
import json
import os
import re
import subprocess
import unittest

import crash_points
import reality
import skerry_host
from skerry_host import PROGRAMS, Host, busybox_image, eventually

# What a command says that finds its work done: by itself, before the daemon was killed.
DONE_ALREADY = re.compile(r"exists|already|does not exist|no image|not here|no token|is not installed|is running|paused|is stopped")


class Steps(unittest.TestCase):
    """`life` is led from a state that it comes back to, so that it can be led again and again."""
    maxDiff = None
    prologue = ()
    life = ()
    steps = ()  # some of those there have to be
    only = ()  # those to try; a sample of them all
    most = 14
    with_start = False  # also those of the daemon's start, which are the same for all

    def setUp(self):
        self.host = Host()
        self.addCleanup(self.clear)
        self.host.start()
        self.image = self.host.registry.add("test/steps", busybox_image())
        self.prepare()
        for command in self.prologue:
            self.host.skerry(*self.words(command))
        eventually(lambda: not self.differences(), "a state to begin with")
        self.host.kill()

    def prepare(self):
        self.host.skerry("images", "pull", self.image)

    def clear(self):
        if self.host.daemon is not None:
            self.host.kill()
        crash_points.start(self.host)
        for each in reality.listing(self.host, "deployments"):
            self.host.skerry("deployments", "rm", each["name"])
        eventually(lambda: not any(each.get("deployment") for each in reality.listing(self.host, "environments")), "no replica")
        self.host.close()

    def words(self, command):
        return [word.replace("PLACE", self.host.place).replace("IMAGE", self.image) for word in command]

    def lead(self, commands):
        """Until one fails; which that was, None for none."""
        for index, command in enumerate(commands):
            if self.host.skerry(*self.words(command), check=False).returncode != 0:
                return index
        return None

    def differences(self):
        return reality.Reality(self.host).differences

    def agrees(self, where):
        found = []

        def look():
            found[:] = self.differences()
            return not found
        try:
            eventually(look, where, 20)
        except AssertionError:
            self.fail(f"{where}:\n" + "\n".join(found) + "\n" + self.host.log())

    def before_life(self):
        pass

    def points(self):
        """Those of the life, and how many come before it when the daemon starts; these are tried in suite Pause alone."""
        begin = crash_points.log_size(self.host)
        crash_points.start(self.host, 0)
        self.at_start = 0 if self.with_start else len(crash_points.passed(self.host, begin))
        self.before_life()
        self.assertIsNone(self.lead(self.life), self.host.log())
        points = crash_points.passed(self.host, begin)
        self.agrees("undisturbed")
        self.host.kill()
        return points

    def again(self, died_in, where):
        """From the command it died in on: that one may find its work done."""
        for index in range(died_in, len(self.life)):
            done = self.host.skerry(*self.words(self.life[index]), check=False)
            if done.returncode == 0:
                continue
            self.assertEqual(index, died_in, f"{where}: {self.life[index]}: {done.stderr}")
            self.assertRegex(done.stderr, DONE_ALREADY, where)

    def choose(self, points):
        """(place, step) of those to try; the place is what crash_points.start() takes."""
        some = [(number, step) for number, step in enumerate(points, 1) if step in self.only]
        return some or crash_points.chosen(points, self.most, self.at_start)

    def die(self, where, died_in):
        crash_points.die(self.host)

    def kill_at(self, number, step):
        where = f"killed after {number}: {step}"
        died_in = 0
        if crash_points.start_up_to(self.host, number):
            self.before_life()
            died_in = self.lead(self.life)
            # After its answer, at the very end.
            died_in = len(self.life) if died_in is None else died_in
        self.die(where, died_in)
        crash_points.start(self.host)
        self.agrees(where)
        self.again(died_in, where)
        self.agrees(f"{where}, and all was done again")
        self.host.kill()

    def run_all(self):
        points = self.points()
        for step in self.steps:
            self.assertIn(step, points)
        for number, step in self.choose(points):
            self.kill_at(number, step)


class Running(Steps):
    """A container that runs all the time, as `state` says."""
    prologue = (("run", "-d", "--name", "c", "IMAGE"),)

    def agrees(self, where):
        super().agrees(where)
        for each in reality.listing(self.host, "environments"):
            if each["state"] == "running":
                self.assertEqual(self.host.skerry("exec", each["name"], "--", "echo", "alive").stdout, "alive\n", where)


class Pause(Running):
    with_start = True
    life = (("pause", "c"), ("resume", "c"))
    steps = ("the driver has frozen it", "the driver has thawed it")

    def test_steps(self):
        self.run_all()
        # It was never lost.
        crash_points.start(self.host)
        self.assertEqual(self.host.show("c")["incarnation"] if "incarnation" in self.host.show("c") else 1, 1)


class Restart(Running):
    life = (("restart", "--time", "0", "c"),)
    steps = ("the driver has stopped it", "the driver has collected the run", "the driver has started it")

    def agrees(self, where):
        super().agrees(where)
        self.assertEqual(self.host.show("c")["state"], "running", f"{where}: who asks for a restart wants it to run")

    def test_steps(self):
        self.run_all()


class Update(Running):
    life = (("update", "--memory", "100", "--pids", "70", "c"), ("update", "--memory", "200", "--pids", "90", "c"))
    steps = ("the run has new limits",)

    def agrees(self, where):
        super().agrees(where)
        document = self.host.show("c")
        with open(f"/proc/{document['pid']}/cgroup") as file:
            groups = dict(line.strip().split(":")[1:] for line in file if ":pids:" in line or ":memory:" in line)
        for controller, file, value in (("pids", "pids.max", document["resources"]["pids"]),
                                        ("memory", "memory.limit_in_bytes", document["resources"]["memory_mb"] << 20)):
            if controller not in groups:
                continue
            with open(f"/sys/fs/cgroup/{controller}{groups[controller]}/{file}") as limit:
                self.assertEqual(limit.read().strip(), str(value), where)

    def test_steps(self):
        self.run_all()


class Snapshots(Running):
    """Of a microVM; only the steps of their own: each life stops and starts a guest."""
    prologue = (("run", "-d", "--name", "m", "--isolation", "microvm", "--memory", "128", "IMAGE"),)
    life = (("snapshot", "create", "m", "s"), ("suspend", "m"), ("snapshot", "restore", "s"), ("start", "m"),
            ("snapshot", "rm", "s"))
    steps = only = ("a saved guest stands still", "the driver has saved it", "store snapshot s",
                    "what was to be restored over has no memory", "what is restored has its disk", "the driver has restored it",
                    "remove snapshot s", "a snapshot's files are gone")

    def test_steps(self):
        self.run_all()


class Copy(Running):
    """Not at points but in the midst of the bytes: half of them have passed."""

    SIZE = 16 << 20

    def inside(self, command):
        return self.host.skerry("exec", "c", "--", "sh", "-c", command).stdout.strip()

    def leaves_nothing(self, where):
        eventually(lambda: self.inside("ls -A /tmp") == "", f"{where}: no half of it inside")
        eventually(lambda: self.inside("ls -d /proc/[0-9]*/exe | wc -l") == self.processes, f"{where}: no copier inside")
        self.assertEqual([name for name in os.listdir(self.host.place) if name.startswith((".skerry-copy", "out"))], [], where)
        self.agrees(where)

    def start_copy(self, *words, **streams):
        return subprocess.Popen([f"{PROGRAMS}/skerry", "cp", *words], env=self.host.environment, stderr=subprocess.PIPE, **streams)

    def die_and_return(self, copy):
        self.host.kill()
        said = copy.communicate(timeout=skerry_host.DEADLINE)[1].decode()
        self.assertNotEqual(copy.returncode, 0, "half a copy is none")
        self.assertTrue(said)
        crash_points.start(self.host)

    def test_half_a_copy(self):
        crash_points.start(self.host)
        self.processes = self.inside("ls -d /proc/[0-9]*/exe | wc -l")
        archive = skerry_host.tar(skerry_host.entry("big", data=os.urandom(self.SIZE)))
        with self.subTest("in"):
            copy = self.start_copy("-", "c:/tmp", stdin=subprocess.PIPE)
            copy.stdin.write(archive[:self.SIZE // 2])
            copy.stdin.flush()
            eventually(lambda: self.inside("ls -A /tmp") != "", "it has begun")
            self.die_and_return(copy)
            self.leaves_nothing("in")
        self.host.skerry("cp", "-", "c:/tmp", input=archive, text=False)
        self.assertEqual(self.inside("wc -c < /tmp/big"), str(self.SIZE))
        self.inside("mv /tmp/big /big")
        with self.subTest("out to a stream"):
            copy = self.start_copy("c:/big", "-", stdout=subprocess.PIPE)
            self.assertEqual(len(copy.stdout.read(1 << 20)), 1 << 20)
            self.die_and_return(copy)
            self.leaves_nothing("out to a stream")
        with self.subTest("out to a file"):
            # The pipe of a program that stands still: what goes through skerryd is what it has taken so far.
            copy = self.start_copy("c:/big", f"{self.host.place}/out")
            os.kill(copy.pid, skerry_host.signal.SIGSTOP)
            self.host.kill()
            os.kill(copy.pid, skerry_host.signal.SIGCONT)
            copy.communicate(timeout=skerry_host.DEADLINE)
            self.assertNotEqual(copy.returncode, 0)
            crash_points.start(self.host)
            self.leaves_nothing("out to a file")
        self.host.skerry("cp", "c:/big", f"{self.host.place}/out")
        self.assertEqual(os.path.getsize(f"{self.host.place}/out"), self.SIZE)
        os.unlink(f"{self.host.place}/out")


class Plugins(Steps):
    life = (("plugins", "install", "--manifest", "PLACE/plugin.json"), ("plugins", "disable", "p"), ("plugins", "enable", "p"),
            ("plugins", "rm", "p"), ("images", "prune"))
    steps = ("an artifact is fetched", "install plugin p", "remove plugin p", "an artifact is removed")

    def prepare(self):
        disk = f"{self.host.place}/disk.img"
        with open(disk, "wb") as file:
            file.write(bytes(1 << 20))
        digest = reality.hashlib.sha256(bytes(1 << 20)).hexdigest()
        with open(f"{self.host.place}/plugin.json", "w") as file:
            json.dump({"name": "p", "version": "1.0.0", "runtime": "microvm",
                       "rootfs": {"url": f"file://{disk}", "checksum": f"sha256:{digest}", "format": "raw"},
                       "workload": {"entrypoint": ["/bin/true"]}}, file)

    def test_steps(self):
        self.run_all()


class Images(Steps):
    life = (("images", "pull", "IMAGE"), ("images", "tag", "IMAGE", "own:1"), ("images", "rm", "IMAGE"), ("images", "rm", "own:1"))
    steps = ("an image's blobs are fetched", "a blob is adopted", "the index of images is written", "a layer is unpacked",
             "a layer is out of sight", "a blob is removed")

    def prepare(self):
        pass

    def test_steps(self):
        self.run_all()


class Prune(Steps):
    """An image loses its name to another one, and goes when nobody uses it."""
    life = (("images", "import", "PLACE/rootfs.tar", "own:2"), ("images", "save", "own:2", "-f", "PLACE/own.tar"),
            ("images", "tag", "IMAGE", "own:2"), ("images", "prune"), ("images", "load", "-i", "PLACE/own.tar"),
            ("images", "rm", "own:2"))
    steps = ("a blob is adopted", "the index of images is written", "a blob is removed")

    def prepare(self):
        super().prepare()
        with open(f"{self.host.place}/rootfs.tar", "wb") as file:
            file.write(skerry_host.tar(skerry_host.entry("bin", "dir"), skerry_host.entry("a", data=b"content\n")))

    def test_steps(self):
        self.run_all()


class Build(Steps):
    life = (("images", "build", "-f", "PLACE/skerry.toml", "--output-dir", "PLACE/dist"),)
    steps = ("a build has its scratch directory", "an artifact is built", "a result of a build is there")

    def prepare(self):
        super().prepare()
        with open(f"{self.host.place}/skerry.toml", "w") as file:
            file.write(f"""version = "1"
strategy = "oci_rootfs"
[source]
image = "{self.image}"
[manifest]
name = "p"
version = "1.0"
[manifest.workload]
entrypoint = ["/bin/true"]
""")

    def agrees(self, where):
        super().agrees(where)
        there = reality.listed(f"{self.host.place}/dist")
        self.assertEqual([name for name in there if name.startswith(".")], [], where)
        if "manifest.json" in there:
            self.assertLessEqual({"rootfs.erofs", "sbom.spdx.json"}, set(there), where)

    def before_life(self):
        reality.lines_of("rm", "-rf", f"{self.host.place}/dist")

    def test_steps(self):
        self.run_all()


class Kernels(Steps):
    life = (("kernels", "add", "mine", "PLACE/vmlinux"), ("kernels", "use", "mine"), ("kernels", "use", "--default"),
            ("kernels", "rm", "mine"))
    steps = ("a kernel is there", "a kernel is chosen", "a kernel is out of sight")

    def prepare(self):
        """The smallest that passes for one: the header of an ELF program for x86-64."""
        header = bytearray(64)
        header[:20] = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00"
        with open(f"{self.host.place}/vmlinux", "wb") as file:
            file.write(bytes(header) + b"Linux version 6.1.0-test (a@b) \0" + bytes(4096))

    def test_steps(self):
        self.run_all()

    def test_a_choice_that_was_cut_short_harms_nothing(self):
        """Killed within the one step that has no point: beside the file lies what was to become it."""
        for name in ("chosen.tmp.a1B2c3", "../tokens.json.tmp.a1B2c3", "../images/index.json.tmp.a1B2c3"):
            with open(f"{self.host.place}/state/kernels/{name}", "w") as file:
                file.write("half")
        crash_points.start(self.host)
        self.assertEqual(self.differences(), [])
        self.assertGreaterEqual(len(self.host.document("kernels", "ls")), 1)


class Deployments(Steps):
    """Its replicas come and go beside the commands, so in another order each time: a point is how often its step came.
    A life may come to its end without that one; then it is killed there."""
    life = (("deployments", "create", "web", "--config", "PLACE/old.json", "--replicas", "2", "--service-port", "80:8080"),
            ("deployments", "scale", "web", "--replicas", "1"), ("deployments", "update", "web", "--config", "PLACE/new.json"),
            ("deployments", "rm", "web"))
    steps = ("store deployment web", "the services stand", "create environment web-1", "create environment web-2",
             "remove deployment web")
    most = 4

    def prepare(self):
        super().prepare()
        for name in ("old", "new"):
            with open(f"{self.host.place}/{name}.json", "w") as file:
                json.dump({"image": self.image, "memory_mb": 64, "env": {"WORD": name}}, file)

    def is_settled(self):
        """As many as are wanted run, of the newest configuration."""
        wanted = reality.listing(self.host, "deployments")
        shown = reality.listing(self.host, "environments")
        names = [f"{each['name']}-{number + 1}" for each in wanted for number in range(each["replicas"])]
        return (sorted(each["name"] for each in shown) == names and all(each["state"] == "running" for each in shown)
                and not any(each["rolling"] for each in wanted))

    def has_died(self):
        return self.host.daemon.poll() is not None

    def lead(self, commands):
        """One command after the other has had its effect, or the daemon has died of it."""
        def has_come_to_an_end():
            try:
                return self.is_settled() or self.has_died()
            except (OSError, http.client.HTTPException):
                return self.has_died()

        self.ends = [len(crash_points.passed(self.host, 0))]  # of the start and of each command: points up to there
        for index, command in enumerate(commands):
            if self.host.skerry(*self.words(command), check=False).returncode != 0:
                return index
            eventually(has_come_to_an_end, f"{command}: the replicas that are wanted")
            if self.has_died():
                return index
            self.ends.append(len(crash_points.passed(self.host, 0)))
        return None

    def agrees(self, where):
        eventually(self.is_settled, f"{where}: the replicas that are wanted")
        super().agrees(where)

    def choose(self, points):
        """Of each command the first of each step."""
        firsts, places = {}, []
        for number, step in enumerate(points):
            beginning = re.sub("[0-9a-f]{16}.*", "", step)
            count = sum(each.startswith(beginning) for each in points[:number + 1])
            places.append((f"{count} {beginning}", step))
            firsts.setdefault((sum(number >= end for end in self.ends), beginning), places[-1])
        if os.environ.get(crash_points.EVERY_STEP):
            return places[self.at_start:]
        some = list(firsts.values())[self.at_start:]
        return [some[index * len(some) // self.most] for index in range(self.most)]

    def die(self, where, died_in):
        if died_in < len(self.life) or self.has_died():
            super().die(where, died_in)
        else:
            self.host.kill()
            self.missed.append(where)

    def test_steps(self):
        self.missed = []
        self.run_all()
        self.assertLessEqual(len(self.missed), self.most // 2, self.missed)


class Tokens(Steps):
    life = (("token", "create", "ci", "--role", "operator"), ("token", "revoke", "ci"))
    steps = ("the tokens are written",)

    def prepare(self):
        pass

    def test_steps(self):
        self.run_all()


class Policy(Steps):
    life = (("policy", "reload"),)
    steps = ("store events", "the policy is enforced")

    def prepare(self):
        with open(f"{self.host.place}/policy/50-test.policy", "w") as file:
            file.write("net.egress * @zone:default @any allow\n")

    def test_steps(self):
        self.run_all()


if __name__ == "__main__":
    skerry_host.main()
