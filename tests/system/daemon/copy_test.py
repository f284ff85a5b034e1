#!/usr/bin/env python3
"""skerry cp: files between the host and containers and microVMs, also hostile ones. Usage: copy_test.py PROGRAM_DIR."""

import io
import os
import pathlib
import shutil
import subprocess
import tarfile
import time
import unittest

import skerry_host
from skerry_host import PROGRAMS, Host, busybox_image, eventually, processes

BIG = 20 << 20
# cap_chown=ep (struct vfs_cap_data of linux/capability.h)
CAP_CHOWN = bytes([1, 0, 0, 2, 1, *[0] * 15])


def facts(path):
    """What a copy keeps, of a tree: for each path its kind, mode, owner, time, and content."""
    found = {}
    for folder, names, files in os.walk(path):
        for name in [".", *names, *files]:
            each = os.path.normpath(os.path.join(folder, name))
            info = os.lstat(each)
            content = os.readlink(each) if os.path.islink(each) else \
                pathlib.Path(each).read_bytes() if os.path.isfile(each) else None
            found[os.path.relpath(each, path)] = (oct(info.st_mode), info.st_uid, info.st_gid, int(info.st_mtime), content)
    return found


class Copies:
    """The same for a container and for a microVM."""

    isolation = ""

    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.host.start()
        cls.addClassCleanup(cls.host.close)
        cls.image = cls.host.registry.add("test/base", busybox_image())
        cls.host.skerry("images", "pull", cls.image)
        cls.host.skerry("run", "-d", "--isolation", cls.isolation, "--memory", "256", "--name", "box", cls.image)
        cls.place = pathlib.Path(cls.host.place)

    def inside(self, command):
        return self.host.skerry("exec", "box", "sh", "-c", command).stdout.strip()

    def cp(self, *words, **options):
        return self.host.skerry("cp", *map(str, words), **options)

    def refused(self, *words, code=1, **options):
        done = self.cp(*words, check=False, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def tree(self, name):
        top = self.place / name
        (top / "sub/empty").mkdir(parents=True)
        (top / "a").write_text("content of a\n")
        (top / "sub/big").write_bytes(os.urandom(300_000))
        (top / "sub/link").symlink_to("../a")
        os.link(top / "a", top / "sub/a-again")
        os.chown(top / "a", 1234, 4321)
        os.chmod(top / "a", 0o640)
        os.chmod(top / "sub", 0o2750)
        for each in ("a", "sub"):
            os.utime(top / each, (1_000_000_000, 1_234_567_890))
        return top

    def test_a_tree_there_and_back(self):
        source = self.tree("tree")
        self.cp(source, "box:/srv-new")
        self.assertEqual(self.inside("cat /srv-new/a; stat -c '%u %g %a %Y' /srv-new/a; readlink /srv-new/sub/link"),
                         "content of a\n1234 4321 640 1234567890\n../a")
        self.assertEqual(self.inside("stat -c %i /srv-new/a"), self.inside("stat -c %i /srv-new/sub/a-again"))
        self.cp("box:/srv-new/.", self.place / "back")
        there, back = facts(source), facts(self.place / "back")
        # What comes out of an environment sets no ids.
        there["sub"] = (oct(int(there["sub"][0], 8) & ~0o6000), *there["sub"][1:])
        there.pop("."), back.pop(".")
        self.assertEqual(there, back)

    def test_into_directories_and_to_names(self):
        source = self.place / "page"
        source.write_text("one\n")
        self.cp(source, "box:/tmp")
        self.cp(source, "box:/tmp/other")
        self.cp(source, "box:tmp/third")
        self.assertEqual(self.inside("cat /tmp/page /tmp/other /tmp/third"), "one\none\none")
        source.write_text("two\n")
        self.cp(source, "box:/tmp/page")
        self.assertEqual(self.inside("cat /tmp/page"), "two")
        self.cp("box:/etc/passwd", self.place)
        self.assertIn("root:", (self.place / "passwd").read_text())
        self.cp("box:/etc/passwd", self.place / "users")
        self.assertIn("root:", (self.place / "users").read_text())
        self.cp("--no-owners", self.tree("other-tree"), "box:/tmp/mine")
        self.assertEqual(self.inside("stat -c %u /tmp/mine/a"), "0")
        answer = self.host.document("cp", "box:/etc/passwd", str(self.place / "again"))
        self.assertEqual((answer["name"], answer["direction"]), ("box", "out"))

    def test_the_whole_of_it(self):
        said = self.cp("box:/", self.place / "root").stderr
        self.assertTrue((self.place / "root/bin/busybox").exists())
        for each in ("proc", "sys"):
            self.assertFalse((self.place / "root" / each / "self").exists())
        self.assertIn("left out", said)

    def test_streams(self):
        self.inside("mkdir -p /tmp/streams")
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as tar:
            member = tarfile.TarInfo("d/f")
            member.size = 5
            tar.addfile(member, io.BytesIO(b"hello"))
        self.cp("-", "box:/tmp/streams", input=made.getvalue(), text=False)
        self.assertEqual(self.inside("cat /tmp/streams/d/f"), "hello")
        tar = self.cp("box:/tmp/streams", "-", text=False).stdout
        with tarfile.open(fileobj=io.BytesIO(tar)) as back:
            self.assertEqual(back.extractfile("streams/d/f").read(), b"hello")
        self.refused("-", "box:/tmp/streams", input="this is no tar" * 100)
        self.refused("-", "box:/tmp/nowhere", input="", code=3)

    def test_more_than_any_buffer_to_a_slow_reader(self):
        self.inside(f"head -c {BIG} /dev/urandom >/tmp/big")
        want = self.inside("sha256sum /tmp/big").split()[0]
        self.cp("box:/tmp/big", self.place / "big")
        self.assertEqual(subprocess.run(["sha256sum", self.place / "big"], stdout=subprocess.PIPE, text=True,
                                        check=True).stdout.split()[0], want)
        reader = subprocess.Popen([f"{PROGRAMS}/skerry", "cp", "box:/tmp/big", "-"], stdout=subprocess.PIPE,
                                  env=self.host.environment)
        time.sleep(3)  # it is slow: nothing of what the copier had written when it ended may be lost by that
        tar = reader.stdout.read()
        self.assertEqual(reader.wait(), 0)
        with tarfile.open(fileobj=io.BytesIO(tar)) as back:
            self.assertEqual(len(back.extractfile("big").read()), BIG)
        self.cp(self.place / "big", "box:/tmp/big-again")
        self.assertEqual(self.inside("sha256sum /tmp/big-again").split()[0], want)

    def check_inside(self, path):
        """Of a file with attributes, where they can be seen."""

    def test_attributes(self):
        source = self.place / "attributes"
        (source / "sub").mkdir(parents=True)
        shutil.copy("/bin/busybox", source)
        for each in (source / "busybox", source / "sub"):
            os.setxattr(each, "user.origin", b"here\n=\0")
        os.setxattr(source / "busybox", "security.capability", CAP_CHOWN)
        self.cp(source, "box:/srv-attributes")
        self.check_inside("/srv-attributes/busybox")
        self.cp("box:/srv-attributes", self.place / "none")
        self.cp("--xattrs", "box:/srv-attributes", self.place / "asked")
        for name in ("busybox", "sub"):
            self.assertEqual(os.listxattr(self.place / "none" / name), [])
            self.assertEqual(os.listxattr(self.place / "asked" / name), ["user.origin"])
            self.assertEqual(os.getxattr(self.place / "asked" / name, "user.origin"), b"here\n=\0")

    def test_holes(self):
        size, at = 300 << 20, 200 << 20
        with open(self.place / "holes", "wb") as file:
            file.truncate(size)
            os.pwrite(file.fileno(), b"in the middle", at)
        answer = self.host.document("cp", str(self.place / "holes"), "box:/tmp/holes")
        self.assertLess(answer["archive_bytes"], 1 << 20)
        found, blocks = self.inside("stat -c '%s %b' /tmp/holes").split()
        self.assertEqual(int(found), size)
        self.assertLess(int(blocks), 2048)
        self.assertEqual(self.inside(f"dd if=/tmp/holes bs=1 skip={at} count=13 2>/dev/null"), "in the middle")
        answer = self.host.document("cp", "box:/tmp/holes", str(self.place / "holes-back"))
        self.assertLess(answer["archive_bytes"], 1 << 20)
        self.assertLess((self.place / "holes-back").stat().st_blocks, 2048)
        self.assertEqual(subprocess.run(["cmp", self.place / "holes", self.place / "holes-back"], check=False).returncode, 0)
        # Whoever reads a stream need not know of holes.
        self.inside("truncate -s 3145728 /tmp/zeros")
        with tarfile.open(fileobj=io.BytesIO(self.cp("box:/tmp/zeros", "-", text=False).stdout)) as tar:
            self.assertFalse(tar.getmember("zeros").issparse())
            self.assertEqual(tar.extractfile("zeros").read(), bytes(3 << 20))
        # A hole costs an environment nothing, and nobody else either.
        self.addCleanup(self.inside, "rm /tmp/huge")
        self.inside("truncate -s 8796093022208 /tmp/huge")
        self.assertIn("more than", self.refused("box:/tmp/huge", self.place / "huge"))
        self.assertFalse((self.place / "huge").exists())

    def test_what_cannot_be(self):
        self.assertIn("/nowhere", self.refused("box:/nowhere", self.place, code=3))
        self.assertFalse((self.place / "nowhere").exists())
        self.assertIn("no directory", self.refused("box:/etc/passwd", self.place / "no/such", code=3))
        self.assertIn("no directory", self.refused(self.place / "skerryd.log", "box:/no/such", code=3))
        self.refused(self.place / "nothing-here", "box:/tmp", code=3)
        self.refused("nobody:/etc", self.place, code=3)
        self.assertIn("NAME:PATH", self.refused("/etc/hosts", "/tmp/x", code=2))
        self.assertIn("- |", self.refused("box:/etc", "box:/tmp", code=2))
        self.assertIn("more than", self.refused("--max-size", "1m", "box:/bin/busybox", self.place / "bb"))
        self.assertFalse((self.place / "bb").exists())

    def test_links_lead_nowhere_on_the_host(self):
        mark = self.place / "mark"
        mark.write_text("the host's\n")
        self.inside(f"mkdir -p /tmp/evil && ln -sfn {self.place} /tmp/evil/way && ln -sfn /etc/passwd /tmp/evil/users")
        # Inside, a path is what the environment makes of it: it leads to nothing of the host.
        self.refused("box:/tmp/evil/way/mark", self.place / "stolen", code=3)
        self.cp("box:/tmp/evil", self.place / "evil")
        self.assertTrue((self.place / "evil/way").is_symlink())
        # A tree that is already there is not written through, whoever made the links in it.
        self.inside("rm -r /tmp/evil && mkdir -p /tmp/evil/way && echo mine >/tmp/evil/way/mark")
        self.refused("box:/tmp/evil/.", self.place / "evil")
        self.assertEqual(mark.read_text(), "the host's\n")

    def test_an_archive_of_lies(self):
        """Whatever sends the archive from in there, it is somebody else's: here the whole of it is made up."""
        # The copier is a process of the environment; who is root in there can put words into its mouth.
        self.inside("mkdir -p /tmp/race && : >/tmp/race/f")
        racer = subprocess.Popen(
            [f"{PROGRAMS}/skerry", "exec", "box", "sh", "-c",
             f"end=$(($(date +%s)+6)); while [ $(date +%s) -lt $end ]; do rm -rf /tmp/race/d; mkdir /tmp/race/d; "
             f"echo x >/tmp/race/d/mark; rm -rf /tmp/race/d; ln -s {self.place} /tmp/race/d; done"],
            env=self.host.environment)
        (self.place / "mark").write_text("the host's\n")
        (self.place / "racing/d").mkdir(parents=True)
        (self.place / "racing/d/mark").write_text("ours\n")
        while racer.poll() is None:
            self.cp("box:/tmp/race", self.place / "raced", check=False)
            self.cp(self.place / "racing/.", "box:/tmp/race", check=False)
        self.assertEqual((self.place / "mark").read_text(), "the host's\n")

    def test_a_client_that_goes_leaves_no_half_file(self):
        self.inside("rm -rf /tmp/half; mkdir /tmp/half")
        sender = subprocess.Popen([f"{PROGRAMS}/skerry", "cp", "-", "box:/tmp/half"], stdin=subprocess.PIPE,
                                  env=self.host.environment)
        head = io.BytesIO()
        with tarfile.open(fileobj=head, mode="w") as tar:
            member = tarfile.TarInfo("f")
            member.size = 1 << 20
            tar.addfile(member, io.BytesIO(bytes(1 << 20)))
        sender.stdin.write(head.getvalue()[:300_000])
        sender.stdin.flush()
        eventually(lambda: self.inside("ls -A /tmp/half"), "the copy has begun")
        sender.kill()
        sender.wait()
        sender.stdin.close()
        eventually(lambda: not self.inside("ls -A /tmp/half"), "what was half there is removed")


class Container(Copies, unittest.TestCase):
    isolation = "container"

    def run_box(self, name, *options):
        self.host.skerry("run", "-d", "--name", name, *options, self.image)
        self.addCleanup(self.host.skerry, "rm", "--force", name, check=False)

    def check_inside(self, path):
        for pid, words in processes("86400"):
            with open(f"/proc/{pid}/cgroup") as file:
                if words[0] == "sleep" and f"/{self.host.environment['SKERRY_CGROUP_PARENT']}/" in file.read():
                    break
        else:
            self.fail("there is no such container")
        seen = f"/proc/{pid}/root{path}"
        self.assertEqual(sorted(os.listxattr(seen)), ["security.capability", "user.origin"])
        self.assertEqual(os.getxattr(seen, "security.capability"), CAP_CHOWN)

    def test_restricted_containers(self):
        source = self.tree("restricted")
        self.run_box("bare", "--cap-drop", "ALL", "--user", "1000")
        os.setxattr(source / "a", "security.capability", CAP_CHOWN)
        said = self.cp(source, "bare:/tmp/in").stderr
        self.assertIn("owners are not kept", said)
        self.assertIn("not all extended attributes are kept", said)
        self.assertEqual(self.host.skerry("exec", "-u", "0", "bare", "cat", "/tmp/in/a").stdout, "content of a\n")
        self.run_box("fixed", "--read-only")
        self.assertIn("Read-only", self.refused(source, "fixed:/srv"))
        os.chmod(self.host.place, 0o711)  # a user namespace has to reach its root file system
        self.run_box("users", "--config", self.config())
        self.cp(source, "users:/tmp/in")
        self.assertEqual(self.host.skerry("exec", "users", "stat", "-c", "%u", "/tmp/in/a").stdout, "1234\n")
        self.cp("users:/tmp/in/a", self.place / "a-of-users")
        self.assertEqual(os.stat(self.place / "a-of-users").st_uid, 1234)

    def config(self):
        path = self.place / "users.json"
        path.write_text('{"security": {"user_namespace": true}}')
        return str(path)

    def test_nothing_of_the_image_is_needed(self):
        self.inside("mkdir /tmp/bin && cp /bin/busybox /tmp/bin/ && for f in /bin/*; do [ -L $f ] && rm $f; done; true")
        self.addCleanup(self.host.skerry, "exec", "box", "/tmp/bin/busybox", "--install", "-s", "/bin")
        self.cp("box:/etc/passwd", self.place / "p")
        self.assertTrue((self.place / "p").exists())

    def test_only_while_it_runs(self):
        self.run_box("stopped")
        self.host.skerry("stop", "-t", "0", "stopped")
        self.assertIn("start it first", self.refused("stopped:/etc", self.place))


class Microvm(Copies, unittest.TestCase):
    isolation = "microvm"


if __name__ == "__main__":
    skerry_host.main()
