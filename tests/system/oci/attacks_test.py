"""The attack table of the contract, row by row: an attacker inside a real container, racing where a race is the attack."""

import ctypes
import errno
import hashlib
import json
import os
import signal
import struct
import subprocess
import threading
import time

import ocitest
from ocitest import RUNTIME, busybox, cgroup_directories, wait_for

RACE_SECONDS = 3


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Attacks(ocitest.OciTest):
    def setUp(self):
        super().setUp()
        self.runtime_digest = digest(RUNTIME)
        self.addCleanup(lambda: self.assertEqual(digest(RUNTIME), self.runtime_digest))

    def swap(self, first, second, seconds=RACE_SECONDS):
        """Exchanges two names as fast as it can, from another thread (renameat2 RENAME_EXCHANGE)."""
        libc = ctypes.CDLL(None, use_errno=True)
        stop = threading.Event()

        def exchange():
            while not stop.is_set():
                libc.renameat2(-100, first.encode(), -100, second.encode(), 2)
        thread = threading.Thread(target=exchange)
        thread.start()
        self.addCleanup(lambda: (stop.set(), thread.join()))
        return stop

    def race(self, change, check, args=("true",), seconds=RACE_SECONDS):
        end = time.monotonic() + seconds
        runs = 0
        while time.monotonic() < end:
            name = self.name()
            self.configure(args, name, change)
            result = self.run_oci("run", "-b", f"{self.dir}/bundle", name, check=False)
            check(result)
            runs += 1
        self.assertGreater(runs, 3)

    # CVE-2019-5736
    def test_proc_self_exe_is_never_the_runtime(self):
        with open(f"{self.rootfs}/evil", "w") as file:
            file.write("#!/proc/self/exe\n")
        os.chmod(f"{self.rootfs}/evil", 0o755)
        os.symlink("/proc/self/exe", f"{self.rootfs}/exe-link")
        for program in ("/evil", "/exe-link", "/proc/self/exe"):
            name = self.name()
            self.configure([program], name, lambda c: c["root"].update(readonly=False))
            result = self.run_oci("run", "-b", f"{self.dir}/bundle", name, check=False)
            self.assertIn(result.returncode, (126, 127), program)
            self.assertNotIn("Usage", result.stdout + result.stderr)

    def test_exec_of_proc_self_exe_and_a_watcher_with_ptrace(self):
        with open(f"{self.rootfs}/evil", "w") as file:
            file.write("#!/proc/self/exe\n")
        os.chmod(f"{self.rootfs}/evil", 0o755)
        # The watcher tries to open for writing the program of every process that appears, with CAP_SYS_PTRACE.
        script = ("echo ready; while :; do for p in /proc/[0-9]*; do case $p in /proc/1) ;; *) "
                  "l=$(readlink $p/exe 2>/dev/null); case \"$l\" in *skerry-oci*) case \"$l\" in /memfd*) ;; "
                  "*) echo SEEN $l ;; esac ;; esac ;; esac; done; done")

        def change(c):
            for kind in ("bounding", "effective", "permitted"):
                c["process"]["capabilities"][kind].append("CAP_SYS_PTRACE")
        name = self.start("sh", "-c", script, change=change)
        wait_for(lambda: "ready" in self.output(name))
        end = time.monotonic() + RACE_SECONDS
        while time.monotonic() < end:
            result = self.run_oci("exec", name, "/evil", check=False)
            self.assertIn(result.returncode, (126, 127), result.stderr)
            self.run_oci("exec", name, "true")
        self.assertNotIn("SEEN", self.output(name))

    def test_where_the_kernel_cannot_hide_the_program_a_sealed_copy_runs(self):
        """PR_SET_MM_MAP refused, as by a kernel without CONFIG_CHECKPOINT_RESTORE."""
        def without_it():
            # Load the number; prctl? load the first argument; PR_SET_MM? EINVAL, else allow.
            code = [(0x20, 0, 0, 0), (0x15, 0, 3, 157 if os.uname().machine == "x86_64" else 167), (0x20, 0, 0, 16),
                    (0x15, 0, 1, 35), (0x06, 0, 0, 0x00050000 | errno.EINVAL), (0x06, 0, 0, 0x7FFF0000)]
            program = b"".join(struct.pack("=HBBI", *one) for one in code)
            buffer = ctypes.create_string_buffer(program)
            fprog = struct.pack("@HxxxxxxP", len(code), ctypes.addressof(buffer))
            if ctypes.CDLL(None, use_errno=True).prctl(22, 2, fprog, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "seccomp")

        with open(RUNTIME, "rb") as file:
            before = hashlib.sha256(file.read()).hexdigest()
        with open(f"{self.rootfs}/evil", "w") as file:
            file.write("#!/proc/self/exe\n")
        os.chmod(f"{self.rootfs}/evil", 0o755)
        self.assertEqual(self.sh("echo works", preexec_fn=without_it), "works\n")
        # What it can run is a copy of ours; it cannot be changed.
        self.run_container("/evil", change=lambda c: c["root"].update(readonly=False), code=1, preexec_fn=without_it)
        name = self.name()
        self.configure(["sleep", "1000"], name)
        with open(os.devnull, "r+b") as null:
            subprocess.run([RUNTIME, "--root", self.state, "create", "-b", f"{self.dir}/bundle", name], check=True,
                           preexec_fn=without_it, stdin=null, stdout=null, stderr=null)
        exe = f"/proc/{self.pid(name)}/exe"
        self.assertTrue(os.readlink(exe).startswith("/memfd:skerry-oci"))
        held = os.open(exe, os.O_RDONLY)
        self.run_oci("start", name)
        wait_for(lambda: "busybox" in os.readlink(exe), what="the program")
        self.assertEqual(self.run_oci("exec", name, "echo", "joined", preexec_fn=without_it).stdout, "joined\n")
        writable = os.open(f"/proc/self/fd/{held}", os.O_WRONLY)
        with self.assertRaises(PermissionError):
            os.write(writable, b"overwritten")
        os.close(writable)
        os.close(held)
        with open(RUNTIME, "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).hexdigest(), before)

    # CVE-2024-21626
    def test_no_descriptor_of_the_host_leaks(self):
        out = self.sh("ls -l /proc/1/fd").strip().splitlines()
        self.assertEqual(sorted(line.split()[8] for line in out if "->" in line), ["0", "1", "2"])
        for fd in range(3, 24):
            for verb in ("run", "exec"):
                cwd = f"/proc/self/fd/{fd}"
                if verb == "run":
                    name = self.name()
                    self.configure(["pwd"], name, lambda c: c["process"].update(cwd=cwd))
                    result = self.run_oci("run", "-b", f"{self.dir}/bundle", name, check=False)
                else:
                    break
                self.assertNotEqual(result.returncode, 0, (fd, result.stdout))
        name = self.start("sleep", "1000")
        for fd in range(3, 24):
            result = self.run_oci("exec", "--cwd", f"/proc/self/fd/{fd}", name, "pwd", check=False)
            self.assertNotEqual(result.returncode, 0, (fd, result.stdout))

    def with_ptrace(self, c):
        c["root"]["readonly"] = False
        for kind in ("bounding", "effective", "permitted"):
            c["process"]["capabilities"][kind].append("CAP_SYS_PTRACE")

    def test_a_hook_inside_finds_no_more_than_the_program_would(self):
        with open(f"{self.rootfs}/hook", "w") as file:
            file.write("#!/bin/sh\nexec >/out 2>&1\ngrep -E '^(Cap(Eff|Prm|Bnd)|Seccomp|NoNewPrivs):' /proc/self/status\n"
                       "grep -E '^(Cap(Eff|Prm|Bnd)|Seccomp|NoNewPrivs):' /proc/1/status | sed 's/^/waiting /'\n"
                       "ls -l /proc/1/exe /proc/1/fd | sed -n 's/.*-> /leads to /p'\n"
                       "for n in /proc/1/fd/*; do for up in ../../.. ../../../.. ../../../../..; do\n"
                       f"[ -e $n/$up{self.dir} ] && echo ESCAPED $n/$up; done; done\n"
                       "(echo x >/proc/1/exe) && echo WRITTEN\n"
                       "mount -t tmpfs x /tmp && echo MOUNTED\nexit 0\n")
        os.chmod(f"{self.rootfs}/hook", 0o755)
        for no_new_privileges in (True, False):
            def change(c):
                self.with_ptrace(c)
                c["process"]["noNewPrivileges"] = no_new_privileges
                c["hooks"] = {"startContainer": [{"path": "/hook", "args": ["hook"]}]}
            program = self.sh("grep -E '^(Cap(Eff|Prm|Bnd)|Seccomp|NoNewPrivs):' /proc/self/status; cat /out", change)
            lines = program.splitlines()
            mine, hook, waiting = lines[:5], lines[5:10], lines[10:15]
            self.assertEqual(mine, hook)
            self.assertEqual([f"waiting {line}" for line in mine], waiting)
            self.assertIn("Seccomp:\t2", mine)
            found = [line for line in lines[15:] if line.startswith("leads to")]
            self.assertTrue(found)
            for line in found:
                self.assertRegex(line, r"^leads to (/memfd:|/dev/null$|pipe:|socket:|anon_inode:.pidfd.)", program)
            for word in ("ESCAPED", "WRITTEN", "MOUNTED", "skerry-test"):
                self.assertNotIn(word, program)

    def test_a_hook_inside_runs_as_the_programs_user_and_in_its_time(self):
        def change(c):
            c["process"]["user"] = {"uid": 1000, "gid": 1000}
            c["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "id -u; cat; exit 3"]}]}
        error = self.refused_when_started(change)
        self.assertIn("/hooks/startContainer/0: exit code 3, output: 1000", error)
        self.assertIn('"status":"created"', error.replace(" ", ""))
        error = self.refused_when_started(lambda c: c.update(
            hooks={"startContainer": [{"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}]}))
        self.assertIn("not done in its time", error)
        error = self.refused_when_started(lambda c: c.update(
            hooks={"startContainer": [{"path": "/bin/true"}, {"path": "/nowhere"}]}))
        self.assertIn("/hooks/startContainer/1: exit code 127", error)

    def refused_when_started(self, change):
        name = self.create("true", change=change)
        result = self.run_oci("start", name, check=False)
        self.assertNotEqual(result.returncode, 0)
        return result.stderr

    def stop_a_joiner(self, name, *options):
        """Runs `exec` until one of its processes was seen inside of the container before its program ran, and stopped
        there, as somebody inside with the right timing does. Answers with the runtime and what /proc said."""
        groups = cgroup_directories(name)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            runtime = subprocess.Popen([RUNTIME, "--root", self.state, "exec", *options, name, "true"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                       text=True)
            while runtime.poll() is None:
                with open(f"{groups[0]}/cgroup.procs") as file:
                    pids = file.read().split()
                for pid in pids[1:]:
                    try:
                        with open(f"/proc/{pid}/status") as file:
                            status = dict(line.split(":", 1) for line in file.read().splitlines())
                        if len(status["NSpid"].split()) < 2:
                            continue  # still outside of the PID namespace
                        os.kill(int(pid), signal.SIGSTOP)
                        # It may be in the middle of its exec, and stops when that has been done: as the program.
                        while status["State"].split()[0] not in "TXZ":
                            with open(f"/proc/{pid}/status") as file:
                                status = dict(line.split(":", 1) for line in file.read().splitlines())
                        with open(f"/proc/{pid}/cmdline") as file:
                            if file.read().startswith("skerry-oci exec"):
                                return runtime, int(pid), status
                        os.kill(int(pid), signal.SIGKILL)
                    except (FileNotFoundError, ProcessLookupError):
                        pass
            runtime.communicate()
        self.fail("no exec could be caught on its way")

    def test_a_joiner_seen_from_inside_has_nothing_to_take_and_cannot_be_held_for_ever(self):
        for no_new_privileges in (True, False):
            name = self.start("sleep", "1000", change=lambda c: (
                self.with_ptrace(c), c["process"].update(noNewPrivileges=no_new_privileges)))
            with open(f"/proc/{self.pid(name)}/status") as file:
                main = dict(line.split(":", 1) for line in file.read().splitlines())
            runtime, pid, status = self.stop_a_joiner(name)
            for key in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb", "Seccomp", "NoNewPrivs"):
                self.assertEqual(status[key], main[key], key)
            self.assertEqual(status["Seccomp"].strip(), "2")
            if no_new_privileges:
                os.kill(pid, signal.SIGCONT)
                self.assertEqual(runtime.wait(20), 0, runtime.communicate()[1])
            else:
                self.assertNotEqual(runtime.wait(40), 0)
                self.assertIn("in time", runtime.communicate()[1])
                self.assertFalse(os.path.exists(f"/proc/{pid}"))
            runtime.stderr.close()

    def test_a_filter_that_forbids_the_last_steps_comes_behind_them(self):
        forbidden = ["accept4", "clone", "setsid", "write"]

        def change(c):
            c["process"]["noNewPrivileges"] = False
            c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                {"names": forbidden, "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}
        name = self.start("sleep", "1000", change=change)
        self.assertEqual(self.run_oci("exec", name, "true").returncode, 0)
        self.assertEqual(self.run_oci("exec", name, "false", check=False).returncode, 1)
        runtime, pid, status = self.stop_a_joiner(name)
        for capability in ("Eff", "Prm"):
            with open(f"/proc/{self.pid(name)}/status") as file:
                main = dict(line.split(":", 1) for line in file.read().splitlines())
            own = int(main[f"Cap{capability}"], 16)
            # CAP_SYS_ADMIN to load the filter; whoever was caught late has given it up.
            self.assertIn(int(status[f"Cap{capability}"], 16), (own | 1 << 21, own))
        os.kill(pid, signal.SIGKILL)
        runtime.communicate()

    # CVE-2021-30465, CVE-2024-45310
    def test_a_mount_target_swapped_for_a_link_stays_inside(self):
        victim = f"{self.dir}/victim"
        os.mkdir(victim)
        os.mkdir(f"{self.dir}/source")
        os.mkdir(f"{self.rootfs}/data")
        os.symlink(victim, f"{self.rootfs}/data-link")
        self.swap(f"{self.rootfs}/data", f"{self.rootfs}/data-link")

        def change(c):
            c["root"]["readonly"] = False
            c["mounts"].append({"destination": "/data/deep/er", "type": "bind", "source": f"{self.dir}/source",
                                "options": ["bind"]})
        self.race(change, lambda result: self.assertEqual(os.listdir(victim), []))

    def test_links_out_of_the_root_resolve_inside(self):
        os.symlink("/etc", f"{self.rootfs}/abs")
        os.symlink("../../../../../../etc", f"{self.rootfs}/rel")
        os.symlink("/proc/1/root/etc", f"{self.rootfs}/magic")
        mark = f"{self.dir}/mark"
        with open(mark, "w") as file:
            file.write("mine\n")
        for link in ("abs", "rel"):
            def change(c):
                c["root"]["readonly"] = False
                c["mounts"].append({"destination": f"/{link}/one", "type": "bind", "source": mark, "options": ["bind"]})
            self.assertEqual(self.sh(f"cat /etc/one", change), "mine\n")
        self.assertFalse(os.path.exists("/etc/one"))

    # CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2023-28642
    def test_linked_proc_and_sys_are_refused(self):
        for directory in ("proc", "sys"):
            os.rmdir(f"{self.rootfs}/{directory}")
            os.mkdir(f"{self.rootfs}/real")
            os.symlink("real", f"{self.rootfs}/{directory}")
            self.assertIn(f"/{directory}", self.refused(lambda c: None))
            os.unlink(f"{self.rootfs}/{directory}")
            os.rmdir(f"{self.rootfs}/real")
            os.mkdir(f"{self.rootfs}/{directory}")

    # CVE-2025-52881
    def test_sysctl_writes_ignore_what_is_mounted_on_proc(self):
        os.mkdir(f"{self.dir}/fake")
        os.makedirs(f"{self.dir}/fake/sys/net/ipv4")
        with open(f"{self.dir}/fake/sys/net/ipv4/ip_forward", "w") as file:
            file.write("untouched")

        def change(c):
            c["mounts"].append({"destination": "/proc", "type": "bind", "source": f"{self.dir}/fake", "options": ["bind"]})
            c["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
            c["linux"]["maskedPaths"] = c["linux"]["readonlyPaths"] = []
        self.sh("true", change)
        with open(f"{self.dir}/fake/sys/net/ipv4/ip_forward") as file:
            self.assertEqual(file.read(), "untouched")

    # CVE-2025-31133
    def test_a_swapped_dev_null_does_not_unmask(self):
        os.mkdir(f"{self.dir}/dev")
        os.symlink("/proc/sys/kernel/core_pattern", f"{self.dir}/dev/null")

        def change(c):
            c["mounts"] = [m for m in c["mounts"] if not m["destination"].startswith("/dev")]
            c["mounts"].append({"destination": "/dev", "type": "bind", "source": f"{self.dir}/dev", "options": ["rbind"]})
            c["linux"]["maskedPaths"] = ["/proc/keys"]
        out = self.sh("stat -c %t:%T /proc/keys; cat /proc/keys | wc -c", change)
        self.assertEqual(out, "1:3\n0\n")

    def on_a_host_with_its_own_null(self, *args, stdin="/dev/null"):
        """The runtime in a mount namespace where /dev/null is a node of this test: what an attack would change."""
        node = f"{self.dir}/null"
        if not os.path.exists(node):
            os.mknod(node, 0o020666, os.makedev(1, 3))
            os.chmod(node, 0o666)
        script = f"mount --make-rprivate / && mount --bind {node} /dev/null && exec \"$@\" <{stdin}"
        result = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", RUNTIME, "--root", self.state, *args],
                                capture_output=True, text=True, timeout=60)
        info = os.stat(node)
        self.assertEqual((oct(info.st_mode), info.st_uid, info.st_gid), ("0o20666", 0, 0), (args, result))
        return result

    def test_the_hosts_dev_null_cannot_be_changed_from_inside(self):
        attack = ("for n in /proc/keys /proc/timer_list /proc/self/fd/0 /proc/self/fd/1 /dev/null; do chmod 711 $n; "
                  "chown 4:4 $n; done 2>&1; echo hello >/proc/keys && echo done; cat /proc/keys")
        name = self.name()

        def change(c):
            self.assertIn("/proc/keys", c["linux"]["maskedPaths"])
            for kind in ("bounding", "effective", "permitted"):
                c["process"]["capabilities"][kind] += ["CAP_CHOWN", "CAP_FOWNER", "CAP_DAC_OVERRIDE", "CAP_FSETID"]
        self.configure(["sh", "-c", attack], name, change)
        out = self.on_a_host_with_its_own_null("run", "-b", f"{self.dir}/bundle", name).stdout
        self.assertIn("/proc/keys: Read-only file system", out)
        self.assertTrue(out.endswith("done\n"), out)  # still a null device for who writes and reads

    def test_the_hosts_dev_null_as_standard_input_of_another_user(self):
        # The container's own node is gone, is another device, or is a directory: the runtime must not be misled.
        for change in ("true", "rm /dev/null; mknod /dev/null c 1 5", "rm /dev/null", "rm /dev/null; mkdir /dev/null"):
            name = self.start("sh", "-c", f"{change}; echo ready; sleep 1000",
                              change=lambda c: [c["process"]["capabilities"][kind].append("CAP_MKNOD")
                                                for kind in ("bounding", "effective", "permitted")])
            wait_for(lambda: "ready" in self.output(name))
            for user in ("1000", "0"):
                result = self.on_a_host_with_its_own_null(
                    "exec", "--user", user, name, "sh", "-c",
                    "chmod 711 /proc/self/fd/0; chown 4 /proc/self/fd/0; stat -Lc %t:%T /proc/self/fd/0; wc -c")
                self.assertEqual(result.stdout, "1:3\n0\n", (change, result.stderr))

    def test_devices_bound_in_a_user_namespace_cannot_be_changed(self):
        def change(c):
            c["linux"]["namespaces"].append({"type": "user"})
            # Even with the host's root mapped in.
            c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]
            for kind in ("bounding", "effective", "permitted"):
                c["process"]["capabilities"][kind] += ["CAP_CHOWN", "CAP_FOWNER"]
        name = self.name()
        self.configure(["sh", "-c", "chmod 711 /dev/null; chown 4 /dev/null; chmod 711 /proc/self/fd/0; echo x >/dev/null"],
                       name, change)
        result = self.on_a_host_with_its_own_null("run", "-b", f"{self.dir}/bundle", name)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr.count("Read-only file system"), 3, result.stderr)

    # CVE-2026-41579
    def test_an_image_whose_dev_is_a_link_is_refused(self):
        outside = f"{self.dir}/outside"
        os.mkdir(outside)
        os.rmdir(f"{self.rootfs}/dev")
        for target in (outside, "/etc", "../../../../outside"):
            os.symlink(target, f"{self.rootfs}/dev")
            error = self.refused(lambda c: c.update(mounts=[m for m in c["mounts"] if not m["destination"].startswith("/dev")]))
            self.assertIn("dev", error)
            self.assertEqual(os.listdir(outside), [])
            os.unlink(f"{self.rootfs}/dev")
        os.mkdir(f"{self.rootfs}/dev")

    # CVE-2025-52565
    def test_a_swapped_terminal_device_is_refused(self):
        os.makedirs(f"{self.dir}/pts")
        os.mknod(f"{self.dir}/pts/ptmx", 0o020666, os.makedev(1, 3))
        import socket
        path = f"{self.dir}/console"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        self.addCleanup(listener.close)
        name = self.name()

        def change(c):
            c["process"]["terminal"] = True
            c["mounts"] = [m if m["destination"] != "/dev/pts" else
                           {"destination": "/dev/pts", "type": "bind", "source": f"{self.dir}/pts", "options": ["bind"]}
                           for m in c["mounts"]]
        self.configure(["true"], name, change)
        result = self.run_oci("create", "-b", f"{self.dir}/bundle", "--console-socket", path, name, check=False)
        self.assertIn("not a terminal multiplexer", result.stderr)

    # CVE-2022-29162
    def test_inheritable_capabilities_are_empty(self):
        self.assertIn("CapInh:\t0000000000000000", self.sh("cat /proc/1/status"))
        name = self.start("sleep", "1000")
        self.assertIn("CapInh:\t0000000000000000", self.run_oci("exec", name, "cat", "/proc/self/status").stdout)

    # CVE-2016-9962
    def test_a_waiting_container_cannot_be_inspected_by_its_neighbour(self):
        first = self.start("sleep", "1000")
        pid = self.pid(first)

        def change(c):
            c["linux"]["namespaces"] = [n if n["type"] != "pid" else {"type": "pid", "path": f"/proc/{pid}/ns/pid"}
                                        for n in c["linux"]["namespaces"]]
        second = self.create("true", change=change)
        out = self.run_oci("exec", first, "sh", "-c", "for p in /proc/[2-9]*; do ls -l $p/fd $p/exe $p/root 2>&1; done").stdout
        self.assertNotIn(self.dir, out)
        self.assertNotIn("state", out)
        self.run_oci("delete", "--force", second)

    # CVE-2023-25809
    def test_the_cgroup_file_system_of_a_user_namespace_is_not_writable(self):
        def change(c):
            c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "cgroup"] + [{"type": "user"}]
            c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
            for mount in c["mounts"]:
                if mount["type"] == "cgroup":
                    mount["options"] = [o for o in mount["options"] if o != "ro"]
        out = self.sh("for d in /sys/fs/cgroup/*/; do mkdir $d/x 2>/dev/null && echo made; done; true", change)
        self.assertNotIn("made", out)

    def test_as_many_mounts_as_the_kernel_takes(self):
        """Doubled by recursive binds until fs.mount-max (10^5) stops it; exec and delete still do their work."""
        def change(c):
            for kind in ("bounding", "effective", "permitted"):
                c["process"]["capabilities"][kind].append("CAP_SYS_ADMIN")
            del c["linux"]["seccomp"]
            c["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "t", "options": []})
        name = self.start("sh", "-c", "mkdir /tmp/d; i=0; while mkdir /tmp/d/$i && mount -o rbind /tmp /tmp/d/$i; do "
                          "i=$((i+1)); done 2>/dev/null; echo stopped $i; exec sleep 1000", change=change)
        wait_for(lambda: "stopped" in self.output(name), 30, "the end of the mounts")
        self.assertGreater(int(self.output(name).split()[1]), 10)
        self.assertEqual(self.run_oci("exec", name, "echo", "inside").stdout, "inside\n")
        self.run_oci("delete", "--force", name)
        self.assertEqual(self.sh("echo usable"), "usable\n")

    def test_a_creator_that_hangs_in_a_hook_can_be_deleted(self):
        name = self.name()
        self.configure(["true"], name, lambda c: c.update(hooks={"startContainer": [
            {"path": "/bin/sleep", "args": ["sleep", "1000"]}]}))
        with open(os.devnull, "r+b") as null:
            subprocess.run([RUNTIME, "--root", self.state, "create", "-b", f"{self.dir}/bundle", name], check=True,
                           stdin=null, stdout=null, stderr=null)
            starter = subprocess.Popen([RUNTIME, "--root", self.state, "start", name], stderr=null)
        wait_for(lambda: not os.path.exists(f"{self.state}/{name}/start.sock"))
        self.run_oci("delete", "--force", name, timeout=20)
        self.assertNotEqual(starter.wait(20), 0)


if __name__ == "__main__":
    ocitest.main()
