#!/usr/bin/env python3
"""Guests that are not what they should be, from the command line: a clear error or event each, and an unharmed host.

Usage: hostile_test.py BIN_DIR [unittest arguments]. Needs root. Each guest is a plugin with an initramfs of its own,
so that its first process is not our agent.
"""

import hashlib
import json
import os
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "daemon"))
import skerry_host  # noqa: E402
from cpio import cpio  # noqa: E402
from skerry_host import eventually  # noqa: E402

SILENT = "while :; do sleep 1000; done\n"
# Loads the drivers that come with every initramfs, as our agent would.
PORT = """
for module in $(cat /lib/skerry/modules/order); do insmod /lib/skerry/modules/$module; done
mount -t devtmpfs dev /dev
until [ -c /dev/vport0p1 ]; do sleep 0.05; done
"""
EVENT, STDOUT, READY = 10, 5, 12
HELLO = json.dumps({"agent_version": "9", "kernel_release": "9", "boot_id": "x", "uptime_ms": 1, "workload": "running",
                    "workload_pid": 2})


def frame(kind, payload, length=None):
    return struct.pack("<IBBBBI", len(payload) if length is None else length, kind, 0, 0, 0, 0) + payload


class Hostile(skerry_host.HostCase):
    settings = {"SKERRY_BOOT_TIMEOUT": "12"}

    def manifest(self, name, initramfs, **more):
        path = f"{self.host.place}/{name}.cpio.gz"
        pathlib.Path(path).write_bytes(initramfs)
        return {"version": "1", "name": name, "resources": {"memory_mb": 128},
                "initramfs": {"url": f"file://{path}", "checksum": f"sha256:{hashlib.sha256(initramfs).hexdigest()}"},
                "workload": {"entrypoint": ["/bin/busybox", "sleep", "1000"]}, **more}

    def install(self, manifest):
        path = f"{self.host.place}/{manifest['name']}.json"
        pathlib.Path(path).write_text(json.dumps(manifest))
        done = self.host.skerry("plugins", "install", "--manifest", path, check=False)
        if done.returncode == 0:
            self.addCleanup(self.host.skerry, "plugins", "remove", "--force", manifest["name"])
        return done

    def guest(self, name, init, **files):
        """A plugin whose guest runs this script as its first process."""
        with open(skerry_host.BUSYBOX, "rb") as program:
            content = {"bin": None, "dev": None, "bin/busybox": program.read()}
        script = "#!/bin/busybox sh\n/bin/busybox --install -s /bin\nexport PATH=/bin\n" + init
        content |= {"init": script.encode()} | files
        done = self.install(self.manifest(name, cpio(content)))
        self.assertEqual(done.returncode, 0, done.stderr)

    def refused(self, plugin, *said):
        done = self.host.skerry("run", "-d", "--name", "bad", "--plugin", plugin, check=False)
        self.assertNotEqual(done.returncode, 0)
        for each in said:
            self.assertIn(each, done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.nothing_runs()

    def nothing_runs(self):
        self.assertEqual(self.host.document("ls"), [])
        # What stays is the daemon's own for as long as it runs.
        own = (f"process {self.host.daemon.pid} ", "cgroup ", "device ", "table ", "file ")
        self.assertEqual([each for each in self.host.residue() if not each.startswith(own)], [])

    def types(self, name):
        return [each["type"] for each in self.events(name)]

    def events(self, name):
        return [json.loads(line) for line in self.host.skerry("events", "--resource", name, "--output", "json").stdout.splitlines()]

    def test_an_image_without_init(self):
        done = self.install(self.manifest("empty", cpio({"bin": None, "readme": b"no init\n"})))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.refused("empty", "Kernel panic")

    def test_one_that_panics_at_boot(self):
        self.guest("panics", "echo goodbye > /dev/console\nexit 3\n")
        self.refused("panics", "Attempted to kill init")

    def test_one_that_never_reports(self):
        self.guest("silent", SILENT)
        self.refused("silent", "did not answer in time")

    def test_one_that_switches_itself_off(self):
        self.guest("off", "poweroff -f\n")
        self.refused("off", "ended before it was ready")

    def test_frames_that_are_none(self):
        self.guest("noise", PORT + "cat /dev/urandom > /dev/vport0p1\n" + SILENT)
        self.refused("noise", "agent does not speak as one")

    def test_a_frame_that_is_too_large(self):
        self.guest("large", PORT + "cat /large > /dev/vport0p1\n" + SILENT, large=frame(READY, b"{}", 0xFFFFFFF0))
        self.refused("large", "agent does not speak as one")

    def test_a_hello_that_is_none(self):
        self.guest("liar", PORT + "cat /hello > /dev/vport0p1\n" + SILENT, hello=frame(READY, b'{"workload": {}}'))
        self.refused("liar", "hello")

    def test_one_that_floods_its_channel(self):
        """It says that it runs, and then everything that an agent can say, as fast as it can."""
        said = [frame(STDOUT, os.urandom(60_000))]
        for kind in ("healthy", "unhealthy", "nonsense"):
            said.append(frame(EVENT, json.dumps({"type": kind, "reason": "x" * 200}).encode()))
        said.append(frame(EVENT, json.dumps({"type": "workload_exited", "exit_code": 1, "restarts": 1}).encode()))
        self.guest("flood", PORT + "(cat /hello; while :; do cat /flood; done) > /dev/vport0p1\n" + SILENT,
                   hello=frame(READY, HELLO.encode()), flood=b"".join(said * 4))
        self.host.skerry("run", "-d", "--name", "flood", "--plugin", "flood")
        self.addCleanup(self.host.skerry, "rm", "--force", "flood", check=False)
        eventually(lambda: "vm.unhealthy" in self.types("flood"), "it is told that it is not as it should be")
        place = pathlib.Path(f"{self.host.place}/state/environments/{self.host.show('flood')['id']}")
        logs = lambda: sum(path.stat().st_size for path in place.glob("*log*"))  # noqa: E731
        eventually(lambda: logs() > 4 << 20, "it has written more than one log")
        self.assertEqual(self.host.skerry("run", "--rm", self.image, "echo", "well").stdout, "well\n")
        self.assertLess(len(self.types("flood")), 300)
        self.assertIn("tells more", " ".join(each.get("data", {}).get("reason", "") for each in self.events("flood")))
        self.assertLess(logs(), 64 << 20)
        self.assertLess(os.path.getsize(f"{self.host.place}/skerryd.log"), 4 << 20)
        self.host.skerry("rm", "--force", "flood")
        self.nothing_runs()

    def test_one_that_fills_its_console(self):
        self.guest("chatty", PORT + "cat /hello > /dev/vport0p1\nwhile :; do cat /bin/busybox; done > /dev/console\n",
                   hello=frame(READY, HELLO.encode()))
        self.host.skerry("run", "-d", "--name", "chatty", "--plugin", "chatty")
        self.addCleanup(self.host.skerry, "rm", "--force", "chatty", check=False)
        place = pathlib.Path(f"{self.host.place}/state/environments/{self.host.show('chatty')['id']}")
        eventually(lambda: sum(path.stat().st_size for path in place.glob("*console*")) > 1 << 20, "it has said much")
        self.assertEqual(self.host.show("chatty")["state"], "running")
        self.host.skerry("rm", "--force", "chatty")
        self.nothing_runs()

    def test_manifests_that_say_too_much(self):
        good = self.manifest("ok", cpio({"init": b"#!"}))
        for wrong, said in (({"colour": "red"}, "colour"), ({"resources": {"memory_mb": 1 << 40}}, "memory_mb"),
                            ({"workload": {"entrypoint": ["x"], "env": {"A": "x" * (5 << 20)}}}, ""),
                            ({"initramfs": good["initramfs"] | {"size": 3}}, "initramfs.size"),
                            ({"name": "a" * 100}, "name"), ({"workload": {"entrypoint": ["x"] * 100_000}}, "entrypoint")):
            done = self.install(good | wrong | ({} if "name" in wrong else {"name": "wrong"}))
            self.assertNotEqual(done.returncode, 0, said)
            self.assertIn(said, done.stderr)
            self.assertLess(len(done.stderr), 2000)
        self.assertEqual(self.host.document("plugins", "list"), [])


if __name__ == "__main__":
    skerry_host.main()
