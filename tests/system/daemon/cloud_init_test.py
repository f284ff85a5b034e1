#!/usr/bin/env python3
"""What cloud-init would find in a microVM: the NoCloud disk. Usage: cloud_init_test.py PROGRAM_DIR."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import skerry_host
from skerry_host import Host, ImageFixture, busybox_image

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

    def test_what_cloud_init_said_stays_and_what_it_did_does_not(self):
        """As its package leaves them at the end of a boot: its record of a name, and its word that it is done."""
        self.run_vm("third", "--user-data", str(self.user_data))
        self.inside("third", "hostname own; echo own >/etc/hostname; mkdir -p /run/cloud-init; echo >/run/cloud-init/result.json")
        self.host.skerry("restart", "-t", "1", "third")
        self.assertEqual(self.inside("third", "hostname; cat /etc/hostname"), "third\nthird\n", "a name of nobody's")
        self.assertEqual(self.inside("third", "ls -d /run/cloud-init 2>&1 || true").count("No such file"), 1)
        record = "mkdir -p /var/lib/cloud/data; echo '{}' >/var/lib/cloud/data/set-hostname"
        self.inside("third", f"hostname own; echo own >/etc/hostname; {record}")
        self.host.skerry("restart", "-t", "1", "third")
        self.assertEqual(self.inside("third", "hostname; cat /etc/hostname"), "own\nown\n")
        self.assertIn("own", self.inside("third", "cat /etc/hosts"))
        for wrong in ("", "two words", "n" * 65):
            self.inside("third", f"echo '{wrong}' >/etc/hostname")
            self.host.skerry("restart", "-t", "1", "third")
            self.assertEqual(self.inside("third", "hostname; cat /etc/hostname"), "third\nthird\n")

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


# As docs/OPERATIONS.md has it.
STAGES = "cloud-init init --local && cloud-init init && cloud-init modules --mode=config && cloud-init modules --mode=final"
PACKAGE_DATA = """#cloud-config
hostname: other
locale: C.UTF-8
write_files:
- path: /srv/written
  content: by cloud-init
  owner: ada
  permissions: '0640'
  defer: true
users:
- name: ada
bootcmd:
- echo boot >>/srv/boots
runcmd:
- echo ran >>/srv/ran
"""


class Package(unittest.TestCase):
    """Debian's own cloud-init in an image of Debian packages: many minutes. SKERRY_TEST_PACKAGES=1, or a mirror's URL."""

    # Emulated, it takes a minute for each boot on a quiet machine.
    LIMIT = 900

    @classmethod
    def setUpClass(cls):
        root = os.environ.get("SKERRY_TEST_ROOT")
        if not root:
            raise unittest.SkipTest("SKIP: needs a mirror of Debian (SKERRY_TEST_PACKAGES=URL, or 1)")
        cls.addClassCleanup(os.unlink, root)
        cls.host = Host()
        cls.addClassCleanup(cls.host.close)
        cls.host.start()
        config = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
        cls.image = cls.host.registry.add("test/debian", ImageFixture([pathlib.Path(root).read_bytes()], config=config))
        cls.host.skerry("images", "pull", cls.image, timeout=cls.LIMIT)

    def inside(self, command):
        return self.host.skerry("exec", "first", "sh", "-c", command, timeout=self.LIMIT).stdout.strip()

    def wait(self):
        """Until the stages of this boot are over: what cloud-init says of it."""
        told = self.inside("cloud-init status --wait --long")
        self.assertIn("status: done", told)
        self.assertIn("DataSourceNoCloud [seed=/dev/vd", told)
        self.assertEqual(json.loads(self.inside("cat /run/cloud-init/result.json"))["v1"]["errors"], [])

    def test_it_takes_its_seed(self):
        user_data = pathlib.Path(self.host.place) / "user-data"
        user_data.write_text(PACKAGE_DATA)
        self.host.skerry("run", "-d", "--isolation", "microvm", "--memory", "512", "--name", "first", "--user-data",
                         str(user_data), self.image, "--", "sh", "-c", f"{STAGES}; exec sleep 86400", timeout=self.LIMIT)
        self.addCleanup(self.host.skerry, "rm", "--force", "first", check=False)
        self.wait()
        shown = self.host.show("first")
        self.assertEqual(self.inside("hostname; cat /etc/hostname"), "other\nother")
        self.assertEqual(self.inside("cat /srv/written; stat -c ' %a %U' /srv/written"), "by cloud-init 640 ada")
        self.assertEqual(self.inside("cat /srv/boots /srv/ran"), "boot\nran")
        self.assertEqual(self.inside("cloud-init query ds.meta_data.instance-id"), shown["id"])
        self.assertEqual(self.inside("cloud-init query ds.meta_data.local-hostname"), "first")
        # How the network looks is in what it renders, and works.
        self.assertIn(f"Address={shown['ip']}/24", self.inside("cat /etc/systemd/network/*cloud-init*"))
        self.assertIn(shown["ip"], self.inside("ip -4 -o addr show eth0"))
        self.restarted(shown)

    def restarted(self, shown):
        """The same instance: named as it was, and only what is for each boot is done again."""
        self.host.skerry("restart", "-t", "1", "first", timeout=self.LIMIT)
        self.assertEqual(self.inside("hostname; cat /etc/hostname"), "other\nother")
        # What it says is not of the boot before.
        self.wait()
        self.assertEqual(self.inside("cat /srv/boots /srv/ran"), "boot\nboot\nran")
        self.assertEqual(self.inside("hostname; cat /etc/hostname"), "other\nother")
        self.assertEqual(self.inside("cloud-init query ds.meta_data.instance-id"), shown["id"])


def debian_root(mirror):
    """A tar of Debian with cloud-init."""
    handle, path = tempfile.mkstemp(prefix="skerry-test.", suffix=".tar")
    os.close(handle)
    subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--include=cloud-init,systemd-sysv,iproute2", "bookworm", path,
                    *([mirror] if "://" in mirror else [])], check=True)
    return path


if __name__ == "__main__":
    # No mirror can be reached from the network of the test.
    PACKAGES = os.environ.get("SKERRY_TEST_PACKAGES")
    if PACKAGES and "CloudInit" not in sys.argv and "SKERRY_TEST_NETNS" not in os.environ:
        os.environ["SKERRY_TEST_ROOT"] = debian_root(PACKAGES)
    skerry_host.main()
