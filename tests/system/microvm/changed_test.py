#!/usr/bin/env python3
"""What guests are made of is changed under them: disks, snapshots, memory. Usage: changed_test.py BIN_DIR. Needs root.

Who runs goes on; who comes next gets what was meant, or a clear error; nothing of the attempt is left.
"""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "daemon"))
import skerry_host  # noqa: E402


class Changed(skerry_host.HostCase):
    @classmethod
    def make_image(cls):
        # Some of it is read only later.
        return skerry_host.busybox_image(extra=[skerry_host.entry("late", data=b"late\n" * 1000)])

    def fails(self, *words, said):
        done = self.host.skerry(*words, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(said, done.stderr)

    def file(self, pattern):
        found, = pathlib.Path(f"{self.host.place}/state").glob(pattern)
        return found

    @staticmethod
    def replace(path, content):
        other = path.with_name(".other")
        other.write_bytes(content)
        other.rename(path)

    def vmm_count(self):
        """Of this host, not of another test beside it."""
        found = 0
        for place in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                ours = self.host.environment["SKERRY_CGROUP_PARENT"] in (place / "cgroup").read_text()
                found += ours and b"qemu-system" in (place / "cmdline").read_bytes()
            except OSError:
                continue
        return found

    def test_the_images_disk_under_its_forks(self):
        self.start_microvm("one")
        disk = self.file("images/disks/*.erofs")
        good = disk.read_bytes()
        self.replace(disk, b"another file system")
        self.start_microvm("two")
        self.assertEqual(disk.read_bytes(), good)
        self.assertIn("not what it was", pathlib.Path(f"{self.host.place}/skerryd.log").read_text())
        # Both have all of it, also what they had not read before.
        for name in ("one", "two"):
            self.assertEqual(self.inside(name, "wc -l < /late"), "1000")
        os.truncate(disk, 4096)
        self.start_microvm("three")
        self.assertEqual(disk.read_bytes(), good)
        self.assertEqual(self.inside("three", "wc -l < /late"), "1000")
        # With the layers gone too there is nothing to make it from.
        self.replace(disk, b"another file system")
        for blob in pathlib.Path(f"{self.host.place}/state/images/blobs/sha256").iterdir():
            if blob.stat().st_size > 4096:
                kept = blob.read_bytes()
                self.addCleanup(self.replace, blob, kept)
                self.replace(blob, kept[:-1000])
        before = self.vmm_count()
        self.fails("run", "-d", "--isolation", "microvm", "--memory", "128", "--name", "four", self.image, said="disk of image")
        self.assertEqual(self.vmm_count(), before)
        self.assertEqual({each["name"] for each in self.host.document("ls")}, {"one", "two", "three"})
        self.assertEqual(self.inside("one", "echo well"), "well")

    def test_what_all_guests_boot_with(self):
        """Kernel, initramfs and empty layer of the state directory: tampered while skerryd runs, torn while it does not."""
        self.start_microvm("before")
        folder = pathlib.Path(f"{self.host.place}/state/boot")
        paths = [path for path in folder.iterdir() if path.is_file() and folder.joinpath(f"{path.name}.sha256").exists()]
        self.assertEqual(sorted(path.name.split("-")[0] for path in paths), ["initramfs", "layer", "vmlinux"])
        for memory, spoil in ((144, self.overwrite_in_place), (160, self.cut_short)):
            # Not of the empty layer: it is long, and each of them has an identity of its own.
            good = {path: path.read_bytes() for path in paths if not path.name.startswith("layer")}
            if spoil == self.cut_short:
                self.host.kill()
            for path in paths:
                spoil(path)
            if spoil == self.cut_short:
                self.host.start()
            # Of a size that no other has: nothing is left in memory that it could start from.
            self.start_microvm(f"after-{memory}", memory=memory)
            self.assertEqual(self.inside(f"after-{memory}", "wc -l < /late; touch /root/mine; sync"), "1000")
            told = pathlib.Path(f"{self.host.place}/skerryd.log").read_text().splitlines()
            for path in paths:
                self.assertEqual(sum("not what it was" in line and str(path) in line for line in told), 1 if memory == 144 else 2)
            self.assertEqual({path: path.read_bytes() for path in good}, good)
            self.assertEqual(self.inside("before", "echo well"), "well")

    @staticmethod
    def overwrite_in_place(path):
        """A byte, with the length and the times it had."""
        info = path.stat()
        with open(path, "r+b") as file:
            file.seek(info.st_size // 2)
            file.write(b"tampered")
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))

    @staticmethod
    def cut_short(path):
        os.truncate(path, path.stat().st_size // 3)

    def test_a_snapshot_under_its_forks(self):
        self.start_microvm("base")
        self.inside("base", "echo mine > /root/file; sync")
        self.host.skerry("snapshot", "create", "base", "then")
        self.addCleanup(self.host.skerry, "snapshot", "rm", "then", check=False)
        self.host.skerry("fork", "--snapshot", "then", "fork-1")
        self.addCleanup(self.host.skerry, "rm", "--force", "fork-1", check=False)
        for name in ("memory", "overlay.img"):
            path = self.file(f"snapshots/then/{name}")
            good = path.with_name("good")
            os.rename(path, good)
            before = self.vmm_count()
            with open(good, "rb") as file:
                beginning = file.read(100_000)
            for content in (beginning, b""):
                path.write_bytes(content)
                self.fails("fork", "--snapshot", "then", "fork-2", said="was changed since it was saved")
            path.unlink()
            self.fails("fork", "--snapshot", "then", "fork-2", said=name)
            os.rename(good, path)
            self.assertEqual(self.vmm_count(), before)
            self.assertNotIn("fork-2", [each["name"] for each in self.host.document("ls")])
            self.assertEqual(self.inside("fork-1", "cat /root/file"), "mine", "who runs goes on")
        # As it was it serves again.
        self.host.skerry("fork", "--snapshot", "then", "fork-3")
        self.addCleanup(self.host.skerry, "rm", "--force", "fork-3", check=False)
        self.assertEqual(self.inside("fork-3", "cat /root/file"), "mine")
        with open(self.file("snapshots/then/overlay.img"), "r+b") as disk:
            disk.seek(100_000)
            disk.write(b"tampered")
        self.host.skerry("stop", "--time", "0", "base")
        self.fails("snapshot", "restore", "then", said="was changed since it was saved")
        self.host.skerry("start", "base")
        self.assertEqual(self.inside("base", "cat /root/file"), "mine", "its own disk is what it was")

    def test_what_a_suspended_run_left(self):
        self.start_microvm("sleeper")
        self.inside("sleeper", "echo kept > /root/file; echo lost > /dev/shm/mark; sync")
        for name in ("suspended/memory", "overlay.img"):
            self.host.skerry("suspend", "sleeper")
            path = self.file(f"environments/{self.host.show('sleeper')['id']}/{name}")
            with open(path, "r+b") as file:
                file.seek(0, os.SEEK_END)
                file.write(b"more")
            self.fails("resume", "sleeper", said="was changed since it was saved")
            self.assertEqual(self.host.show("sleeper")["state"], "failed")
            self.assertIn("was changed since it was saved", self.host.show("sleeper")["reason"])
            if path.exists():
                os.truncate(path, path.stat().st_size - 4)
            self.host.skerry("start", "sleeper")
            self.assertEqual(self.inside("sleeper", "cat /root/file; ls /dev/shm"), "kept")

    def test_the_disk_of_a_stopped_one_cut_off(self):
        self.start_microvm("cut")
        self.host.skerry("stop", "--time", "1", "cut")
        os.truncate(self.file(f"environments/{self.host.show('cut')['id']}/overlay.img"), 1 << 20)
        before = self.vmm_count()
        self.fails("start", "cut", said="overlay")
        self.assertEqual(self.host.show("cut")["state"], "failed")
        self.assertEqual(self.vmm_count(), before)


if __name__ == "__main__":
    skerry_host.main()
