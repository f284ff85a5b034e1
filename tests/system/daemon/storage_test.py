#!/usr/bin/env python3
"""The state directory on a disk that is full, becomes read-only, or is damaged, while guests run: who asks for a change
is refused with the reason, guests notice nothing, and all of it works again afterwards.

Usage: storage_test.py PROGRAM_DIR. Needs root."""

import errno
import os
import signal
import subprocess
import tempfile
import unittest

import reality
import skerry_host
from skerry_host import PROGRAMS, Host, busybox_image, eventually

COUNTS = "trap 'exit 0' TERM; i=0; while :; do i=$((i+1)); echo line $i; usleep 20000; done"


class Storage(unittest.TestCase):
    maxDiff = None
    file_system = ("-t", "tmpfs", "-o", "size=48m", "none")

    def setUp(self):
        self.host = Host()
        self.state = f"{self.host.place}/state"
        os.mkdir(self.state)
        subprocess.run(["mount", *self.file_system, self.state], check=True)
        self.addCleanup(self.close)
        self.host.start()
        self.image = self.host.registry.add("test/storage", busybox_image())
        self.host.skerry("images", "pull", self.image)
        for name in ("one", "two", "ends"):
            self.host.skerry("run", "-d", "--name", name, self.image, "--", "sh", "-c", COUNTS)
        self.before = {each["name"]: each["pid"] for each in self.host.document("ls")}

    def close(self):
        """Host.close() wants nothing mounted below it."""
        self.repair()
        if self.host.daemon is None or self.host.daemon.poll() is not None:
            self.host.start()
        for each in self.host.document("ls"):
            self.host.skerry("rm", "--force", each["name"])
        self.host.kill(signal.SIGTERM)
        subprocess.run(["umount", "-l", self.state], check=True)
        self.host.start()
        self.host.close()

    def fill(self):
        with open(f"{self.state}/filler", "wb", buffering=0) as file:
            size = 1 << 20
            while size:
                try:
                    file.write(bytes(size))
                except OSError as error:
                    self.assertEqual(error.errno, errno.ENOSPC)
                    size //= 2
            # What its write-ahead log has already been given may be used again: not for long.
        while self.host.ask("POST", "/api/v1/plugins", self.plugin("filler"))[0] == 201:
            pass

    def repair(self):
        if os.path.exists(f"{self.state}/filler"):
            os.unlink(f"{self.state}/filler")

    count = 0

    def plugin(self, name):
        self.count += 1
        return {"name": f"{name}-{self.count}", "version": "1", "image": self.image,
                "workload": {"entrypoint": ["/bin/true"], "env": {"PAD": "x" * 20000}}}

    def changes(self):
        return (("POST", "/api/v1/plugins", self.plugin("p")), ("POST", "/api/v1/environments", {"name": "new", "image": self.image}),
                ("POST", "/api/v1/deployments", {"name": "web", "replicas": 1, "config": {"image": self.image}}),
                ("POST", "/api/v1/environments/one/stop", {}), ("PATCH", "/api/v1/environments/one", {"memory_mb": 111}),
                ("POST", "/api/v1/zones", {"name": "fresh"}), ("POST", "/api/v1/tokens", {"name": "ci", "role": "viewer"}))

    def unharmed(self, *names):
        for name in names:
            os.kill(self.before[name], 0)
            self.assertEqual(self.host.skerry("exec", name, "--", "echo", "alive").stdout, "alive\n")
            self.assertEqual(self.host.show(name)["state"], "running")

    def refused(self, status, reason):
        for change in self.changes():
            with self.subTest(change=change[:2]):
                code, text, _ = self.host.ask(*change)
                self.assertIn(code, status, text)
                self.assertRegex(text.lower(), reason)
        self.assertEqual({each["name"] for each in self.host.document("ls")}, set(self.before), "nothing by halves")
        said = self.host.skerry("run", "-d", "--name", "new", self.image, check=False)
        self.assertNotEqual(said.returncode, 0)
        self.assertRegex(said.stderr.lower(), reason)

    def works_again(self):
        for name in ("one", "two"):
            self.assertEqual(self.host.show(name)["pid"], self.before[name])
        self.host.skerry("run", "--rm", self.image, "--", "true")
        self.host.skerry("stop", "--time", "5", "one")
        self.host.skerry("start", "one")
        found = []

        def look():
            found[:] = reality.Reality(self.host).differences
            return not found
        try:
            eventually(look, "all agrees", 20)
        except AssertionError:
            self.fail("\n".join(found))


class FullDisk(Storage):
    def test_a_full_disk_is_said_and_harms_no_guest(self):
        self.fill()
        self.unharmed("one", "two", "ends")
        self.refused((507,), "space|full")
        self.unharmed("one", "two", "ends")
        # One ends while nothing can be written: nothing is made up, and it is told once there is room.
        os.kill(self.before["ends"], signal.SIGKILL)
        self.repair()
        ended = eventually(lambda: (now := self.host.show("ends"))["state"] == "failed" and now, "the end is recorded")
        self.assertEqual(ended["exit_code"], 137, ended)
        self.works_again()

    def test_a_daemon_that_dies_on_a_full_disk_finds_its_guests_again(self):
        self.fill()
        self.host.kill()
        self.start_on_a_full_disk()
        for name in ("one", "two", "ends"):
            os.kill(self.before[name], 0)
        if self.host.daemon is not None:
            self.host.kill()
        self.repair()
        self.host.start()
        self.unharmed("one", "two", "ends")
        self.works_again()

    def start_on_a_full_disk(self):
        """It serves, or says what it lacks; nothing in between."""
        try:
            self.host.start()
        except AssertionError as error:
            self.assertIn("space", str(error).lower())
            self.host.daemon = None
            return
        self.unharmed("one", "two", "ends")


class ReadOnly(Storage):
    """As ext4 makes itself after an error; what is mounted like that stays so until nobody uses it any more."""

    def setUp(self):
        with tempfile.NamedTemporaryFile(prefix="skerry-disk.", delete=False) as disk:
            disk.truncate(96 << 20)
        self.addCleanup(os.unlink, disk.name)
        subprocess.run(["mkfs.ext4", "-q", disk.name], check=True)
        self.file_system = ("-o", "loop", disk.name)
        probe = tempfile.mkdtemp(prefix="skerry-probe.")
        self.addCleanup(os.rmdir, probe)
        if subprocess.run(["mount", *self.file_system, probe], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            self.skipTest("this host has no loop devices")
        subprocess.run(["umount", probe], check=True)
        super().setUp()

    def close(self):
        for pid in self.before.values():
            os.kill(pid, signal.SIGKILL)
        if self.host.daemon is not None:
            self.host.kill()
        subprocess.run(["umount", "-l", self.state], check=True)
        self.host.start()
        self.host.close()

    def test_a_disk_that_becomes_read_only(self):
        subprocess.run(["mount", "-o", "remount,abort", self.state], check=False, stderr=subprocess.DEVNULL)
        with self.assertRaises(OSError):
            os.mkdir(f"{self.state}/probe")
        self.refused((500, 503), "read-only|i/o error")
        self.unharmed("one", "two", "ends")
        self.host.kill()
        done = subprocess.run([f"{PROGRAMS}/skerryd"], env=self.host.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stdout.lower(), "read-only|i/o error|input/output error")
        for pid in self.before.values():
            os.kill(pid, 0)


class Damaged(Storage):
    def test_a_database_that_is_damaged_while_guests_run(self):
        """The middle of it is overwritten: it says so at its next start, and the guests live on."""
        self.host.kill(signal.SIGTERM)
        path = f"{self.state}/skerry.db"
        with open(path, "rb") as file:
            good = file.read()
        with open(path, "r+b") as file:
            file.seek(4096)
            file.write(os.urandom(len(good) - 4096))
        done = subprocess.run([f"{PROGRAMS}/skerryd"], env=self.host.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("skerry.db", done.stdout)
        for name in ("one", "two", "ends"):
            os.kill(self.before[name], 0)
        with open(path, "wb") as file:
            file.write(good)
        self.host.start()
        self.unharmed("one", "two", "ends")
        self.works_again()


if __name__ == "__main__":
    skerry_host.main()
