"""Checkpoint and restore by CRIU: what was in memory goes on where it was, in a container that is as closed as before.

Debian's criu 3.17 cannot start on every kernel (vDSO of Linux 6.11 and later): there only the refusals are tested, and
the rest runs in the test host (tests/testhost)."""

import json
import os
import shutil
import socket
import subprocess
import threading
import unittest

import ocitest
from ocitest import RUNTIME, wait_for


def criu_works():
    return shutil.which("criu") is not None and subprocess.run(["criu", "check"], capture_output=True).returncode == 0


COUNT = "i=0; while :; do i=$((i+1)); echo $i > /tmp/n; sleep 0.05; done"


def documents(text):
    """JSON documents one behind the other."""
    decoder = json.JSONDecoder()
    while text := text.strip():
        document, end = decoder.raw_decode(text)
        yield document
        text = text[end:]


class Refusals(ocitest.OciTest):
    """Without a criu that works nothing changes and nothing is left."""

    def refusal(self, path):
        name = self.start("sh", "-c", COUNT)
        environment = {**os.environ, "PATH": path}
        images = f"{self.dir}/images"
        result = self.run_oci("checkpoint", "--image-path", images, name, check=False, env=environment)
        self.assertEqual(result.returncode, 1)
        self.assertFalse(os.path.exists(images))
        self.assertEqual(self.status(name), "running")
        before = self.read_count()
        wait_for(lambda: self.read_count() > before, what="the container going on")
        self.run_oci("delete", "--force", name)
        # A restore as well; the images are from nowhere.
        os.mkdir(images)
        with open(f"{images}/skerry.json", "w") as file:
            file.write('{"descriptors": [], "mounts": []}')
        other = self.run_oci("restore", "--detach", "--image-path", images, "--bundle", f"{self.dir}/bundle", name,
                             check=False, env=environment)
        self.assertEqual(other.returncode, 1)
        self.assertEqual(self.run_oci("list", "-q").stdout, "")
        self.assertEqual(ocitest.cgroup_directories(name), [])
        return result.stderr, other.stderr

    def read_count(self):
        with open(f"{self.rootfs}/tmp/n") as file:
            return int(file.read().strip() or 0)

    def start(self, *args, **kwargs):
        kwargs["change"] = lambda c: c["root"].update(readonly=False)
        name = super().start(*args, **kwargs)
        wait_for(lambda: os.path.exists(f"{self.rootfs}/tmp/n"), what="the first count")
        return name

    def test_without_criu(self):
        for error in self.refusal(f"{self.dir}/nowhere"):
            self.assertIn("CRIU is not installed", error)

    def test_with_a_criu_that_cannot_work_here(self):
        os.mkdir(f"{self.dir}/tools")
        with open(f"{self.dir}/tools/criu", "w") as file:
            file.write("#!/bin/sh\necho 'Error (criu/vdso.c:613): vdso: no symbols' >&2\nexit 1\n")
        os.chmod(f"{self.dir}/tools/criu", 0o755)
        for error in self.refusal(f"{self.dir}/tools:/bin"):
            self.assertIn("CRIU ended without an answer", error)
            self.assertIn("vdso: no symbols", error)

    def test_what_cannot_be_asked(self):
        name = self.start("sh", "-c", COUNT)
        for words in (("--manage-cgroups-mode", "bogus"), ("--parent-path", "/absolute"), ("--parent-path", "missing")):
            result = self.run_oci("checkpoint", "--image-path", f"{self.dir}/images", *words, name, check=False)
            self.assertEqual(result.returncode, 1)
            self.assertIn(words[0], result.stderr)
        created = self.create("sleep", "1000")
        self.assertIn("created", self.run_oci("checkpoint", "--image-path", f"{self.dir}/images", created, check=False).stderr)
        self.run_oci("pause", name)
        self.assertIn("paused", self.run_oci("checkpoint", "--image-path", f"{self.dir}/images", name, check=False).stderr)
        self.run_oci("resume", name)
        self.assertIn("exists", self.run_oci("restore", "--image-path", f"{self.dir}/images", "--bundle",
                                             f"{self.dir}/bundle", "--detach", name, check=False).stderr)
        other = self.name()
        self.configure(["true"], other)
        self.assertIn("skerry.json", self.run_oci("restore", "--image-path", f"{self.dir}", "--bundle",
                                                  f"{self.dir}/bundle", "--detach", other, check=False).stderr)
        self.assertFalse(os.path.exists(f"{self.dir}/images"))


@unittest.skipUnless(criu_works(), "criu does not work on this kernel (criu check)")
class Checkpoint(Refusals):
    """Also the refusals, where criu itself works."""

    def checkpoint(self, name, *words, images="images"):
        result = self.run_oci("checkpoint", "--image-path", f"{self.dir}/{images}", "--work-path", f"{self.dir}/work",
                              *words, name, check=False, timeout=120)
        if result.returncode != 0:
            with open(f"{self.dir}/work/dump.log") as log:
                raise AssertionError(result.stderr + log.read()[-3000:])

    def restore(self, name, *words, images="images"):
        with open(f"{self.dir}/{name}.out", "ab") as out:
            result = subprocess.run([RUNTIME, "--root", self.state, "restore", "--detach", "--image-path",
                                     f"{self.dir}/{images}", "--work-path", f"{self.dir}/work", "--bundle",
                                     f"{self.dir}/bundle", *words, name], stdin=subprocess.DEVNULL, stdout=out,
                                    stderr=out, timeout=120)
        if result.returncode != 0:
            with open(f"{self.dir}/work/restore.log") as log:
                raise AssertionError(self.output(name) + log.read()[-3000:])

    def start_with(self, change):
        def both(config):
            config["root"]["readonly"] = False
            change(config)
        name = ocitest.OciTest.start(self, "sh", "-c", COUNT, change=both)
        wait_for(lambda: os.path.exists(f"{self.rootfs}/tmp/n"), what="the first count")
        return name

    def goes_on_from(self, before):
        wait_for(lambda: self.read_count() > before, what="the count going on")
        # From where it was: a program that began anew would have counted from one.
        self.assertLess(self.read_count() - before, 2000)

    def test_what_was_in_memory_goes_on_with_the_same_walls(self):
        os.mkdir(f"{self.dir}/volume")
        with open(f"{self.dir}/volume/file", "w") as file:
            file.write("of the host")
        ran = f"{self.dir}/hooks"
        hook = {"path": "/bin/sh", "args": ["sh", "-c", f"cat >> {ran}; echo >> {ran}"]}

        def change(config):
            config["mounts"].append({"destination": "/mnt/volume", "type": "bind", "source": f"{self.dir}/volume",
                                     "options": ["bind", "ro", "nosuid"]})
            config["linux"]["resources"] = {"pids": {"limit": 77}}
            config["hooks"] = {"prestart": [hook], "poststart": [hook], "poststop": [hook]}
        name = self.start_with(change)
        look = "mount | sort; grep -E 'Cap|NoNew|Seccomp:' /proc/self/status; cat /mnt/volume/file; hostname; id"
        before_look = self.run_oci("exec", name, "/bin/sh", "-c", look).stdout
        with open(ran, "w"):
            pass
        self.checkpoint(name)
        self.assertEqual(self.status(name), "stopped")
        count = self.read_count()
        self.run_oci("delete", name)
        self.restore(name, "--pid-file", f"{self.dir}/pid")
        self.assertEqual(self.status(name), "running")
        with open(f"{self.dir}/pid") as file:
            self.assertEqual(int(file.read()), self.pid(name))
        self.goes_on_from(count)
        self.assertEqual(self.run_oci("exec", name, "/bin/sh", "-c", look).stdout.replace("seclabel,", ""), before_look)
        with open(f"/proc/{self.pid(name)}/status") as file:
            status = file.read()
        self.assertIn("Seccomp:\t2", status)
        self.assertIn("NoNewPrivs:\t1", status)
        self.assertEqual(ocitest.cgroup_file(name, "pids", "pids.max", "pids.max"), "77")
        # Nobody inside can change the host's own /dev/null behind a mask.
        mode = os.stat("/dev/null").st_mode
        self.run_oci("exec", name, "/bin/chmod", "000", "/proc/keys", check=False)
        self.assertEqual(os.stat("/dev/null").st_mode, mode)
        self.run_oci("kill", name, "KILL")
        self.wait_stopped(name)
        self.run_oci("delete", name)
        with open(ran) as file:
            states = list(documents(file.read()))
        # poststop at the first delete; prestart and poststart of the restore; poststop.
        self.assertEqual([state["status"] for state in states], ["stopped", "creating", "running", "stopped"])
        self.assertEqual({state["id"] for state in states}, {name})

    def test_it_runs_on_when_asked_and_can_be_brought_back_under_another_name(self):
        name = self.start_with(lambda c: None)
        self.checkpoint(name, "--leave-running")
        self.assertEqual(self.status(name), "running")
        self.goes_on_from(self.read_count())
        self.run_oci("kill", name, "KILL")
        self.wait_stopped(name)
        self.run_oci("delete", name)
        other = self.name()
        self.configure(["sh", "-c", COUNT], other, lambda c: c["root"].update(readonly=False))
        self.restore(other)
        with open(f"/proc/{self.pid(other)}/cgroup") as file:
            self.assertIn(other, file.read())
        self.run_oci("delete", "--force", other)

    def test_after_a_pre_dump_only_the_rest_is_written(self):
        name = self.start_with(lambda c: None)
        self.checkpoint(name, "--pre-dump", images="first")
        self.assertEqual(self.status(name), "running")
        self.checkpoint(name, "--parent-path", "../first")
        count = self.read_count()
        self.assertTrue(os.path.islink(f"{self.dir}/images/parent"))
        self.run_oci("delete", name)
        self.restore(name)
        self.goes_on_from(count)

    def test_in_the_foreground_it_gives_the_programs_exit_code(self):
        name = self.start_with(lambda c: c["process"].update(
            args=["sh", "-c", "while [ ! -e /tmp/end ]; do echo 1 > /tmp/n; sleep 0.05; done; exit 42"]))
        self.checkpoint(name)
        self.run_oci("delete", name)
        threading.Timer(3, lambda: open(f"{self.rootfs}/tmp/end", "w").close()).start()
        # What was a file goes on as a file.
        with open(f"{self.dir}/{name}.out", "ab") as out:
            code = subprocess.call([RUNTIME, "--root", self.state, "restore", "--image-path", f"{self.dir}/images",
                                    "--bundle", f"{self.dir}/bundle", name], stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=out, timeout=120)
        self.assertEqual(code, 42, self.output(name))
        self.assertEqual(self.run_oci("list", "-q").stdout, "")

    def test_a_terminal_is_handed_over_again(self):
        name = self.name()
        self.configure(["sh", "-c", "while read line; do echo got $line; done"], name,
                       lambda c: c["process"].update(terminal=True))
        with self.console() as (path, taken):
            self.run_oci("create", "--bundle", f"{self.dir}/bundle", "--console-socket", path, name)
            self.run_oci("start", name)
            master = taken()
            os.write(master, b"one\n")
            self.reads(master, b"got one")
            self.checkpoint(name)
            os.close(master)
        self.run_oci("delete", name)
        with self.console() as (path, taken):
            self.restore(name, "--console-socket", path)
            master = taken()
            os.write(master, b"two\n")
            self.reads(master, b"got two")
            os.close(master)

    def console(self):
        return Console(f"{self.dir}/console-{len(os.listdir(self.dir))}")

    @staticmethod
    def reads(master, wanted):
        seen = b""
        while wanted not in seen:
            seen += os.read(master, 4096)

    def test_killed_while_it_restores_delete_cleans_up(self):
        name = self.start_with(lambda c: c.update(hooks={"prestart": []}))
        self.checkpoint(name)
        self.run_oci("delete", name)
        with open(f"{self.dir}/bundle/config.json") as file:
            config = json.load(file)
        # The restore hangs in its hook, with half of the container there.
        config["hooks"] = {"prestart": [{"path": "/bin/sh", "args": ["sh", "-c", f"touch {self.dir}/hangs; sleep 1000"]}]}
        self.write_config(config)
        restoring = subprocess.Popen([RUNTIME, "--root", self.state, "restore", "--detach", "--image-path",
                                      f"{self.dir}/images", "--bundle", f"{self.dir}/bundle", name])
        wait_for(lambda: os.path.exists(f"{self.dir}/hangs"), 60, "the hook")
        restoring.kill()
        restoring.wait()
        self.run_oci("delete", "--force", name)
        self.assertEqual(self.run_oci("list", "-q").stdout, "")
        self.assertEqual(ocitest.cgroup_directories(name), [])
        with open("/proc/self/mounts") as mounts:
            self.assertNotIn("restore-root", mounts.read())


class Console:
    """Where the runtime sends the terminal's master end."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(1)
        self.listener.settimeout(60)
        return self.path, self.take

    def take(self):
        connection, _ = self.listener.accept()
        _, fds, _, _ = socket.recv_fds(connection, 4096, 1)
        connection.close()
        return fds[0]

    def __exit__(self, *args):
        self.listener.close()


@unittest.skipUnless(criu_works() and shutil.which("podman"), "criu does not work on this kernel, or no podman")
class Podman(ocitest.OciTest):
    def podman(self, *args, check=True):
        result = subprocess.run(["podman", "--root", f"{self.dir}/storage", "--runroot", f"{self.dir}/run", "--tmpdir",
                                 f"{self.dir}/tmp", "--cgroup-manager", "cgroupfs", "--events-backend", "file",
                                 "--runtime", RUNTIME, "--runtime-flag", f"root={self.state}", *args],
                                capture_output=True, text=True, timeout=300)
        if check and result.returncode != 0:
            raise AssertionError(f"podman {args} ended with {result.returncode}: {result.stderr}")
        return result

    def test_container_checkpoint_and_restore(self):
        tar = f"{self.dir}/rootfs.tar"
        subprocess.check_call(["tar", "-C", self.rootfs, "-cf", tar, "bin", "etc", "tmp", "root"])
        self.podman("import", tar, "bb")
        self.addCleanup(self.podman, "rm", "-af", "-t", "0", check=False)
        self.podman("run", "-d", "--name", "counts", "--network", "none", "bb", "sh", "-c",
                    "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done")
        wait_for(lambda: self.counts() > 3, 60, "counting")
        self.podman("container", "checkpoint", "counts")
        self.assertIn("Exited", self.podman("ps", "-a", "--format", "{{.Status}}").stdout)
        before = self.counts()
        self.podman("container", "restore", "counts")
        wait_for(lambda: self.counts() > before, 60, "counting on")
        lines = [int(line) for line in self.podman("logs", "counts").stdout.split()]
        self.assertEqual(lines, list(range(1, len(lines) + 1)))

    def counts(self):
        lines = self.podman("logs", "counts").stdout.split()
        return int(lines[-1]) if lines else 0


if __name__ == "__main__":
    ocitest.main()
