#!/usr/bin/env python3
"""Guest kernels: the distribution's, added and built ones. Usage: kernels_test.py BIN_DIR [unittest arguments]. Needs root.

Building one takes minutes of compiling: suite Own is for `make kerneltest`, not for every run.
"""

import os
import pathlib
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "daemon"))
import skerry_host  # noqa: E402

PLUGIN = os.path.join(os.path.dirname(__file__), "../../../examples/plugin")


class KernelCase(skerry_host.HostCase):
    def release_of_a_guest(self):
        return self.host.skerry("run", "--rm", "--isolation", "microvm", "--memory", "192", self.image, "uname",
                                "-r").stdout.strip()

    def chosen(self):
        return [each["name"] for each in self.host.document("kernels", "ls") if each["chosen"]]

    def fails(self, code, *arguments, holding):
        done = self.host.skerry(*arguments, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(holding, done.stderr)


class Kernels(KernelCase):
    def test_an_added_kernel_is_booted_once_it_is_chosen(self):
        distribution, = self.chosen()
        file = f"/boot/vmlinuz-{distribution}"
        self.host.skerry("kernels", "add", "mine", file)
        mine = next(each for each in self.host.document("kernels", "ls") if each["name"] == "mine")
        self.assertEqual((mine["origin"], mine["release"]), ("added", distribution))
        self.assertEqual(os.path.getsize(file), mine["bzImage"]["size"])
        self.assertGreater(mine["vmlinux"]["size"], mine["bzImage"]["size"])
        self.host.skerry("kernels", "use", "mine")
        self.assertEqual(self.chosen(), ["mine"])
        self.assertEqual(self.release_of_a_guest(), distribution)

        # What it boots is what was added.
        with open(mine["vmlinux"]["path"], "r+b") as vmlinux:
            vmlinux.seek(1 << 20)
            vmlinux.write(b"tampered")
        done = self.host.skerry("run", "--rm", "--isolation", "microvm", self.image, "true", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("checksum", done.stderr)
        self.assertEqual(self.host.document("ls"), [])

        self.fails(1, "kernels", "rm", "mine", holding="is what microVMs boot")
        self.host.skerry("kernels", "use", "--default")
        self.host.skerry("kernels", "rm", "mine")
        self.assertEqual(self.chosen(), [distribution])
        self.assertEqual(os.listdir(f"{self.host.place}/state/kernels"), [])

    def test_what_is_no_kernel_is_refused(self):
        self.fails(1, "kernels", "add", "text", __file__, holding="is not a Linux kernel")
        self.fails(3, "kernels", "add", "text", "/nonexistent", holding="/nonexistent")
        self.fails(2, "kernels", "add", "../x", "/boot", holding="cannot name a kernel")
        self.fails(3, "kernels", "use", "nobody", holding="there are: ")
        self.fails(3, "kernels", "build", "--source", "/nonexistent.tar.xz", holding="/nonexistent.tar.xz")
        self.assertEqual(os.listdir(f"{self.host.place}/state/kernels"), [])


class Own(KernelCase):
    def test_an_own_kernel_boots_both_flows_and_is_the_same_each_time(self):
        begin = time.monotonic()
        self.host.skerry("kernels", "build", "one", timeout=3600)
        print(f"built in {time.monotonic() - begin:.0f} s")
        one = next(each for each in self.host.document("kernels", "ls") if each["name"] == "one")
        self.assertTrue(one["has_boot_initramfs"])
        distribution = self.release_of_a_guest()
        self.host.skerry("kernels", "use", "one")
        own = self.release_of_a_guest()
        self.assertEqual(own, one["release"])
        self.assertNotEqual(own, distribution)

        # The other flow: a plugin that is an initramfs boots the plain kernel.
        folder = f"{self.host.place}/plugin"
        shutil.copytree(PLUGIN, folder)
        self.host.skerry("images", "build", "-f", f"{folder}/skerry.toml", "--output-dir", f"{folder}/dist")
        self.host.skerry("plugins", "install", "--manifest", f"{folder}/dist/manifest.json")
        name = self.host.document("plugins", "list")[0]["name"]
        self.host.skerry("run", "-d", "--name", "i", "--plugin", name)
        self.assertEqual(self.host.skerry("exec", "i", "uname", "-r").stdout.strip(), own)
        self.host.skerry("rm", "--force", "i")

        self.host.skerry("kernels", "build", "two", timeout=3600)
        two = next(each for each in self.host.document("kernels", "ls") if each["name"] == "two")
        self.assertEqual([two[file]["digest"] for file in ("vmlinux", "bzImage")],
                         [one[file]["digest"] for file in ("vmlinux", "bzImage")])


if __name__ == "__main__":
    skerry_host.main()
