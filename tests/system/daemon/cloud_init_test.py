#!/usr/bin/env python3
"""What cloud-init would find in a microVM: the NoCloud disk. Usage: cloud_init_test.py PROGRAM_DIR."""

import json
import os
import pathlib
import unittest

import skerry_host
from skerry_host import Host, busybox_image

SECRET = "pass-a1b2c3d4"
USER_DATA = f"#cloud-config\nhostname: other\npassword: {SECRET}\n"


class CloudInit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.host.start()
        cls.addClassCleanup(cls.host.close)
        cls.image = cls.host.registry.add("test/base", busybox_image())
        cls.host.skerry("images", "pull", cls.image)
        cls.user_data = pathlib.Path(cls.host.place) / "user-data"
        cls.user_data.write_text(USER_DATA)

    def run_vm(self, name, *options):
        self.host.skerry("run", "-d", "--isolation", "microvm", "--memory", "128", "--name", name, *options, self.image)
        self.addCleanup(self.host.skerry, "rm", "--force", name, check=False)

    def inside(self, name, command):
        return self.host.skerry("exec", name, "sh", "-c", command).stdout

    def seed(self, name):
        """The files of the disk that has the label, as a guest mounts it."""
        device = self.inside(name, "cd /sys/block; for d in *; do grep -q cidata $d/serial 2>/dev/null && echo /dev/$d; done")
        device = device.split()
        self.assertEqual(len(device), 1, device)
        # Where blkid(8) finds the label (ECMA-119 section 8.4); cloud-init takes both spellings.
        label = self.inside(name, f"dd if={device[0]} bs=1 skip={16 * 2048 + 40} count=6 2>/dev/null")
        self.assertEqual(label.lower(), "cidata")
        self.inside(name, f"mkdir -p /tmp/seed && mount -t iso9660 -o ro {device[0]} /tmp/seed")
        files = {}
        for each in self.inside(name, "ls /tmp/seed").split():
            files[each] = self.inside(name, f"cat /tmp/seed/{each}")
            self.assertEqual(self.inside(name, f"stat -c '%a %u' /tmp/seed/{each}"), "400 0\n")
        refused = self.host.skerry("exec", name, "sh", "-c", f"echo x > {device[0]}", check=False)
        self.assertNotEqual(refused.returncode, 0, "the disk is read-only")
        self.inside(name, "umount /tmp/seed")
        return files

    def test_a_guest_finds_its_seed(self):
        self.run_vm("first", "--user-data", str(self.user_data))
        files = self.seed("first")
        shown = self.host.show("first")
        self.assertEqual(files["user-data"], USER_DATA)
        self.assertIn(f'instance-id: "{shown["id"]}"', files["meta-data"])
        self.assertIn('local-hostname: "first"', files["meta-data"])
        self.assertIn(f'["{shown["ip"]}/24"]', files["network-config"])
        mac = self.inside("first", "cat /sys/class/net/eth0/address").strip()
        self.assertIn(mac, files["network-config"])
        # Started anew it is the same instance.
        self.host.skerry("restart", "-t", "1", "first")
        self.assertEqual(self.seed("first"), files)
        # What it was told is told to nobody else.
        self.assertNotIn(SECRET, pathlib.Path(f"{self.host.place}/skerryd.log").read_text())
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                self.assertNotIn(SECRET.encode(), pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())
            except OSError:
                continue
        self.assertNotIn(SECRET, self.inside("first", "cat /proc/cmdline; dmesg"))

    def test_from_a_configuration(self):
        config = pathlib.Path(self.host.place) / "vm.json"
        config.write_text(json.dumps({"cloud_init": {"user_data": "#!/bin/sh\necho hi\n", "vendor_data": "#cloud-config\n",
                                                     "network_config": "version: 2\n"}}))
        self.run_vm("second", "--config", str(config))
        files = self.seed("second")
        self.assertEqual((files["user-data"], files["vendor-data"], files["network-config"]),
                         ("#!/bin/sh\necho hi\n", "#cloud-config\n", "version: 2\n"))

    def test_what_cannot_be(self):
        def refused(*words):
            done = self.host.skerry("run", "-d", "--name", "bad", *words, self.image, check=False)
            self.assertNotEqual(done.returncode, 0)
            return done.stderr
        self.assertIn("--isolation microvm", refused("--user-data", str(self.user_data)))
        plain = pathlib.Path(self.host.place) / "plain"
        plain.write_text("users: []\n")
        self.assertIn("#cloud-config", refused("--isolation", "microvm", "--user-data", str(plain)))
        plain.write_bytes(b"#" * (300 << 10))
        self.assertIn("--user-data", refused("--isolation", "microvm", "--user-data", str(plain)))


if __name__ == "__main__":
    skerry_host.main()
