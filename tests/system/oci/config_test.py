"""Every field of config.json has its effect, read from inside the container or from the kernel."""

import ctypes
import json
import os
import subprocess
import unittest

import ocitest
from ocitest import has_capability, wait_for

CAP_SYS_RESOURCE = 24


def add_mount(destination, type, source, *options, **more):
    return lambda c: c["mounts"].append(
        dict(destination=destination, type=type, source=source, options=list(options), **more))


class Process(ocitest.OciTest):
    def test_user_groups_umask_and_home(self):
        with open(f"{self.rootfs}/etc/passwd", "w") as file:
            file.write("root:x:0:0:root:/root:/bin/sh\nann:x:1000:100::/home/ann:/bin/sh\n")

        def change(c):
            c["process"]["user"] = {"uid": 1000, "gid": 100, "umask": 0o77, "additionalGids": [5, 6]}
        out = self.sh('id -u; id -g; id -G; umask; echo "$HOME"; grep -h ^Cap /proc/self/status', change).splitlines()
        self.assertEqual(out[:5], ["1000", "100", "100 5 6", "0077", "/home/ann"])
        self.assertIn("CapEff:\t0000000000000000", out)

    def test_env_cwd_and_args(self):
        def change(c):
            c["process"]["env"] += ["A=1=2", "EMPTY="]
            c["process"]["cwd"] = "/tmp"
        self.assertEqual(self.sh('echo "$A" "[$EMPTY]"; pwd', change), "1=2 []\n/tmp\n")

    def test_a_missing_cwd_is_made(self):
        def change(c):
            c["process"]["cwd"] = "/new/place"
            c["root"]["readonly"] = False
        self.assertEqual(self.sh("pwd", change), "/new/place\n")

    def test_rlimits(self):
        def change(c):
            c["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 88},
                                       {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
        out = self.sh("ulimit -Sn; ulimit -Hn; ulimit -c", change)
        self.assertEqual(out, "77\n88\n0\n")

    def test_capabilities_are_those_named(self):
        names = ["CAP_CHOWN", "CAP_NET_RAW"]

        def change(c):
            c["process"]["capabilities"] = dict(bounding=names, permitted=names, effective=names[:1],
                                                inheritable=names[1:], ambient=names[1:])
        out = self.sh("grep Cap /proc/1/status", change).split()
        # Root gains the whole bounding set at its exec; the inheritable and ambient sets are as asked.
        self.assertEqual(out[out.index("CapBnd:") + 1], "0000000000002001")
        self.assertEqual(out[out.index("CapInh:") + 1], "0000000000002000")
        self.assertEqual(out[out.index("CapAmb:") + 1], "0000000000002000")

    def test_ambient_capabilities_reach_an_ordinary_user(self):
        names = ["CAP_NET_RAW"]

        def change(c):
            c["process"]["user"] = {"uid": 1000, "gid": 1000}
            c["process"]["capabilities"] = dict(bounding=names, permitted=names, effective=names, inheritable=names,
                                                ambient=names)
        self.assertIn("CapEff:\t0000000000002000", self.sh("grep CapEff /proc/self/status", change))

    def test_no_capabilities_named_is_none(self):
        def change(c):
            del c["process"]["capabilities"]
        self.assertNotIn("1", self.sh("grep -h -E 'Cap(Eff|Prm|Bnd)' /proc/1/status | cut -f2", change))

    def test_an_unknown_or_ungrantable_capability_is_a_warning(self):
        def change(c):
            c["process"]["capabilities"]["bounding"] += ["CAP_BOGUS", "CAP_SYS_RESOURCE"]
        name = self.name()
        self.configure(["true"], name, change)
        result = self.run_oci("run", "-b", f"{self.dir}/bundle", name)
        self.assertIn("CAP_BOGUS", result.stderr)
        if not has_capability(CAP_SYS_RESOURCE):
            self.assertIn("CAP_SYS_RESOURCE", result.stderr)

    def test_no_new_privileges_on_and_off(self):
        for value in (True, False):
            out = self.sh("grep NoNewPrivs /proc/self/status", lambda c: c["process"].update(noNewPrivileges=value))
            self.assertEqual(out, f"NoNewPrivs:\t{int(value)}\n")

    def test_oom_score(self):
        self.assertEqual(self.sh("cat /proc/self/oom_score_adj", lambda c: c["process"].update(oomScoreAdj=321)), "321\n")

    def test_scheduler_and_io_priority(self):
        def change(c):
            c["process"]["scheduler"] = {"policy": "SCHED_BATCH", "nice": 7}
            c["process"]["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 6}
        name = self.start("sleep", "1000", change=change)
        wait_for(lambda: self.status(name) == "running")
        pid = self.pid(name)
        self.assertEqual(os.sched_getscheduler(pid), os.SCHED_BATCH)
        self.assertEqual(os.getpriority(os.PRIO_PROCESS, pid), 7)
        out = subprocess.check_output(["ionice", "-p", str(pid)], text=True)
        self.assertIn("best-effort: prio 6", out)

    def test_cpu_affinity_and_personality(self):
        def change(c):
            c["process"]["execCPUAffinity"] = {"initial": "0", "final": "0"}
            c["linux"]["personality"] = {"domain": "LINUX32"}
        name = self.start("sleep", "1000", change=change)
        self.assertEqual(os.sched_getaffinity(self.pid(name)), {0})
        with open(f"/proc/{self.pid(name)}/personality") as file:
            self.assertEqual(int(file.read(), 16), 8)

    def test_a_session_keyring_of_its_own(self):
        def with_a_key():
            libc = ctypes.CDLL(None, use_errno=True)
            add_key, keyctl = (248, 250) if os.uname().machine == "x86_64" else (217, 219)
            libc.syscall(keyctl, 1, None)  # a session of our own, with a key that only its possessors see
            key = libc.syscall(add_key, b"user", b"skerry-secret", b"x", ctypes.c_size_t(1), ctypes.c_int(-3))
            libc.syscall(keyctl, 5, key, ctypes.c_uint(0x3F000000))

        def unmasked(config):
            config["linux"]["maskedPaths"] = []
        look = "grep -c skerry-secret /proc/keys || true"
        self.assertEqual(self.sh(look, unmasked, preexec_fn=with_a_key), "0\n")
        self.assertEqual(self.sh(look, unmasked, extra=("--no-new-keyring",), preexec_fn=with_a_key), "1\n")

    def test_memory_policy(self):
        out = self.sh("cat /proc/1/numa_maps | head -1",
                      lambda c: c["linux"].update(memoryPolicy={"mode": "MPOL_BIND", "nodes": "0"}), code=0)
        if out:
            self.assertIn("bind:0", out)


class Namespaces(ocitest.OciTest):
    def test_each_is_new_when_named_and_the_hosts_when_not(self):
        kinds = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt", "cgroup": "cgroup"}
        out = self.sh("; ".join(f"readlink /proc/self/ns/{k}" for k in kinds.values())).splitlines()
        for line, kind in zip(out, kinds.values()):
            self.assertNotEqual(line, os.readlink(f"/proc/self/ns/{kind}"))

        def change(c):
            c["linux"]["namespaces"] = [{"type": "mount"}, {"type": "pid"}]
            c["hostname"] = ""
        out = self.sh("for n in net ipc uts; do readlink /proc/self/ns/$n; done", change).splitlines()
        self.assertEqual(out, [os.readlink(f"/proc/self/ns/{k}") for k in ("net", "ipc", "uts")])

    def test_existing_ones_are_joined_by_path(self):
        first = self.start("sleep", "1000")
        pid = self.pid(first)

        def change(c):
            c["hostname"] = ""
            c["linux"]["namespaces"] = [{"type": "mount"}, {"type": "cgroup"}] + [
                {"type": t, "path": f"/proc/{pid}/ns/{k}"}
                for t, k in (("pid", "pid"), ("network", "net"), ("ipc", "ipc"), ("uts", "uts"))]
        out = self.sh("for n in pid net ipc uts; do readlink /proc/self/ns/$n; done; hostname; ls -d /proc/1", change)
        expected = [os.readlink(f"/proc/{pid}/ns/{k}") for k in ("pid", "net", "ipc", "uts")] + ["skerry", "/proc/1"]
        self.assertEqual(out.splitlines(), expected)

    def test_a_path_of_another_type_is_refused(self):
        error = self.refused(lambda c: c["linux"]["namespaces"].__setitem__(0, {"type": "pid", "path": "/proc/self/ns/net"}))
        self.assertIn("/linux/namespaces/0/path", error)

    def test_time_offsets(self):
        def change(c):
            c["linux"]["namespaces"].append({"type": "time"})
            c["linux"]["timeOffsets"] = {"boottime": {"secs": 1000000, "nanosecs": 0}}
        uptime = float(self.sh("cut -d' ' -f1 /proc/uptime", change))
        self.assertGreater(uptime, 1000000)

    def test_host_and_domain_name(self):
        out = self.sh("hostname; cat /proc/sys/kernel/domainname",
                      lambda c: c.update(hostname="box", domainname="example.org"))
        self.assertEqual(out, "box\nexample.org\n")

    def test_loopback_is_up(self):
        self.assertIn("127.0.0.1", self.sh("ip -4 addr show lo"))

    def test_user_namespace(self):
        def change(c):
            c["linux"]["namespaces"].append({"type": "user"})
            c["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
            c["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 200000, "size": 65536}]
        os.chmod(self.dir, 0o755)
        out = self.sh("cat /proc/self/uid_map /proc/self/gid_map; id -u; echo x > /dev/null; cat /dev/zero | head -c 1 | "
                      "wc -c; ls /sys/class/net", change)
        self.assertEqual(out.split(), "0 100000 65536 0 200000 65536 0 1 lo".split())

    def test_exec_into_a_user_namespace(self):
        def change(c):
            c["linux"]["namespaces"].append({"type": "user"})
            c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        name = self.start("sleep", "1000", change=change)
        self.assertEqual(self.run_oci("exec", name, "cat", "/proc/self/uid_map").stdout.split(), ["0", "100000", "65536"])
        with open(f"/proc/{self.pid(name)}/status") as file:
            self.assertIn("Uid:\t100000\t100000", file.read())

    def test_sysctl_of_its_namespaces_only(self):
        out = self.sh("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax",
                      lambda c: c["linux"].update(sysctl={"net.ipv4.ip_forward": "1", "kernel.msgmax": "9999"}))
        self.assertEqual(out, "1\n9999\n")
        for key in ("kernel.panic", "vm.swappiness", "fs.file-max", "net/../kernel/panic", "net.ipv4/../../kernel/panic"):
            self.assertIn("/linux/sysctl", self.refused(lambda c: c["linux"].update(sysctl={key: "1"})), key)


class Mounts(ocitest.OciTest):
    def setUp(self):
        super().setUp()
        self.source = f"{self.dir}/source"
        os.makedirs(f"{self.source}/sub")
        with open(f"{self.source}/file", "w") as file:
            file.write("content\n")

    def options_of(self, destination, change):
        out = self.sh(f"grep ' {destination} ' /proc/self/mountinfo | tail -1", change)
        return out.split(" - ")[0].split()[5].split(",")

    def test_binds_of_directories_and_files(self):
        def change(c):
            add_mount("/a/b", "bind", self.source, "bind")(c)
            add_mount("/etc/one", "bind", f"{self.source}/file", "bind", "ro")(c)
            c["root"]["readonly"] = False
        out = self.sh("cat /a/b/file /etc/one; echo x > /a/b/new; echo x > /etc/one || echo refused", change)
        self.assertEqual(out, "content\ncontent\nrefused\n")
        self.assertTrue(os.path.exists(f"{self.source}/new"))

    def test_attributes(self):
        for word in ("ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow"):
            options = self.options_of("/tmp", add_mount("/tmp", "bind", self.source, "bind", word))
            self.assertIn(word, options)
        options = self.options_of("/tmp", add_mount("/tmp", "tmpfs", "tmpfs", "ro", "rw", "noexec", "exec", "strictatime"))
        self.assertEqual(options, ["rw"])

    def test_recursive_attributes(self):
        subprocess.check_call(["mount", "-t", "tmpfs", "tmpfs", f"{self.source}/sub"])
        self.addCleanup(subprocess.call, ["umount", f"{self.source}/sub"])
        self.assertIn("rw", self.options_of("/tmp/sub", add_mount("/tmp", "bind", self.source, "rbind", "ro")))
        self.assertIn("ro", self.options_of("/tmp/sub", add_mount("/tmp", "bind", self.source, "rbind", "rro")))
        out = self.sh("ls /proc/self/mountinfo; grep -c ' /tmp/sub ' /proc/self/mountinfo || true",
                      add_mount("/tmp", "bind", self.source, "bind"))
        self.assertTrue(out.endswith("\n0\n"), out)

    def test_file_system_options(self):
        out = self.sh("df -k /tmp | tail -1; stat -c %a /tmp",
                      add_mount("/tmp", "tmpfs", "mine", "size=1024k", "mode=711")).split()
        self.assertEqual((out[0], out[1], out[-1]), ("mine", "1024", "711"))
        self.assertIn("/mounts/7", self.refused(add_mount("/tmp", "tmpfs", "x", "bogus=1")))
        self.assertIn("/mounts/7", self.refused(add_mount("/tmp", "nosuchfs", "x")))
        self.assertIn("/mounts/7", self.refused(add_mount("/tmp", "bind", "/no/such/source", "bind")))

    def test_copy_up(self):
        os.makedirs(f"{self.rootfs}/data/deep")
        with open(f"{self.rootfs}/data/deep/file", "w") as file:
            file.write("kept\n")
        os.symlink("deep/file", f"{self.rootfs}/data/link")
        os.chmod(f"{self.rootfs}/data", 0o750)
        out = self.sh("cat /data/link; stat -c %a /data; echo y > /data/new && echo writable; mount | grep ' /data '",
                      add_mount("/data", "tmpfs", "tmpfs", "tmpcopyup"))
        self.assertTrue(out.startswith("kept\n750\nwritable\ntmpfs on /data type tmpfs"), out)
        self.assertFalse(os.path.exists(f"{self.rootfs}/data/new"))

    def test_propagation(self):
        def change(c):
            add_mount("/tmp", "bind", self.source, "rbind", "rslave")(c)
        self.sh("true", change)
        self.assertIn("shared:", self.sh("grep ' / ' /proc/self/mountinfo",
                                         lambda c: c["linux"].update(rootfsPropagation="shared")))
        self.assertNotIn("shared:", self.sh("grep ' / ' /proc/self/mountinfo"))

    def test_idmapped_mounts(self):
        os.chown(f"{self.source}/file", 0, 0)
        mapping = [{"containerID": 0, "hostID": 5000, "size": 1000}]
        change = add_mount("/tmp", "bind", self.source, "bind", "idmap", uidMappings=mapping, gidMappings=mapping)
        self.assertEqual(self.sh("stat -c %u:%g /tmp/file", change), "5000:5000\n")

    def test_masked_and_readonly_paths(self):
        def change(c):
            c["linux"]["maskedPaths"] = ["/proc/keys", "/etc", "/nonexistent", "/proc/acpi"]
            c["linux"]["readonlyPaths"] = ["/proc/sys", "/nonexistent", "/tmp"]
            c["root"]["readonly"] = False
        os.mkdir(f"{self.rootfs}/etc/secret")
        out = self.sh("cat /proc/keys | wc -c; ls /etc | wc -l; echo x > /tmp/y || echo ro; touch /etc/x || echo ro; "
                      "echo 1 > /proc/sys/net/ipv4/ip_forward || echo ro", change)
        self.assertEqual(out.split(), ["0", "0", "ro", "ro", "ro"])

    def test_read_only_root(self):
        self.assertEqual(self.sh("echo x > /x || echo refused"), "refused\n")
        self.assertEqual(self.sh("echo x > /x && cat /x", lambda c: c["root"].update(readonly=False)), "x\n")

    def test_no_pivot(self):
        self.assertEqual(self.sh("ls -d /bin /proc/1", extra=("--no-pivot",)), "/bin\n/proc/1\n")

    def test_the_root_can_be_a_mount_that_nobody_else_sees(self):
        open_tree, clone, cloexec = 428, 1, os.O_CLOEXEC
        os.mkdir(f"{self.dir}/place")
        for user_namespace in (False, True):
            def change(c):
                c["root"]["path"] = f"{self.dir}/place"
                if user_namespace:
                    c["linux"]["namespaces"].append({"type": "user"})
                    c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]
            # Attached once, it belongs to that container.
            detached = ctypes.CDLL(None, use_errno=True).syscall(open_tree, -100, self.rootfs.encode(), clone | cloexec)
            self.assertGreaterEqual(detached, 3, os.strerror(ctypes.get_errno()))
            out = self.sh("ls -d /bin; ls /proc/self/fd | wc -l; ls -di /", change, extra=("--root-fd", str(detached)),
                          pass_fds=(detached,))
            os.close(detached)
            # The fourth descriptor is of ls itself.
            self.assertEqual(out.split(), ["/bin", "4", str(os.stat(self.rootfs).st_ino), "/"])
            self.assertEqual(os.listdir(f"{self.dir}/place"), [])
        for extra, reason in ((("--root-fd", "99"), "is not open"), (("--root-fd", "2"), "--root-fd"), (("--root-fd", "x"), "root-fd")):
            name = self.name()
            self.configure(["true"], name)
            result = self.run_oci("run", "--bundle", f"{self.dir}/bundle", *extra, name, check=False)
            self.assertIn(reason, result.stderr)
            self.assertNotEqual(result.returncode, 0)

    def test_relative_root_and_dotdot_destinations(self):
        out = self.sh("cat /tmp/file", add_mount("/x/../../../tmp", "bind", self.source, "bind"))
        self.assertEqual(out, "content\n")

    def test_devices(self):
        def change(c):
            c["linux"]["devices"] = [
                {"type": "c", "path": "/dev/fuse", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 7, "gid": 8},
                {"type": "p", "path": "/dev/pipe", "fileMode": 0o600},
                {"type": "b", "path": "/dev/sub/block", "major": 7, "minor": 3}]
        out = self.sh("stat -c '%F %t:%T %a %u:%g' /dev/fuse; stat -c '%F %a' /dev/pipe; stat -c '%F %t:%T' /dev/sub/block;"
                      "for d in null zero full random urandom tty; do stat -c %t:%T /dev/$d; done; readlink /dev/fd; readlink /dev/ptmx",
                      change)
        self.assertEqual(out.splitlines(), ["character special file a:e5 640 7:8", "fifo 600", "block special file 7:3",
                                            "1:3", "1:5", "1:7", "1:8", "1:9", "5:0", "/proc/self/fd", "pts/ptmx"])


class HooksAndSeccomp(ocitest.OciTest):
    def hook(self, name, script, **more):
        path = f"{self.dir}/{name}"
        with open(path, "w") as file:
            file.write(f"#!/bin/sh\n{script}\n")
        os.chmod(path, 0o755)
        return dict(path=path, args=[name, "argument"], **more)

    def test_hooks_run_in_order_and_place(self):
        log = f"{self.dir}/log"
        open(log, "w").close()
        outside = ["prestart", "createRuntime", "poststart", "poststop"]

        def change(c):
            c["root"]["readonly"] = False
            c["hooks"] = {kind: [self.hook(kind, f'read -r -d "" s; cat > {self.dir}/{kind}.json; echo {kind} $1 $E >> {log}',
                                           env=["E=env", "PATH=/bin:/usr/bin"])] for kind in outside}
            # The path belongs to the runtime's file system, the namespaces to the container.
            c["hooks"]["createContainer"] = [self.hook(
                "createContainer", f"readlink /proc/self/ns/uts > {self.dir}/uts; echo createContainer >> {log}",
                env=["PATH=/bin:/usr/bin"])]
            # Both belong to the container.
            c["hooks"]["startContainer"] = [{"path": "/bin/sh", "args": ["sh", "-c", "echo started > /mark"]}]
        for kind in outside:
            pass

        def fixed(c):
            change(c)
            for kind in outside:
                c["hooks"][kind] = [self.hook(kind, f"cat > {self.dir}/{kind}.json; echo {kind} $1 $E >> {log}",
                                              env=["E=env", "PATH=/bin:/usr/bin"])]
        out = self.sh("cat /mark; readlink /proc/self/ns/uts", fixed).splitlines()
        self.assertEqual(out[0], "started")
        with open(f"{self.dir}/uts") as file:
            self.assertEqual(file.read().strip(), out[1])
        with open(log) as file:
            self.assertEqual(file.read().splitlines(), ["prestart argument env", "createRuntime argument env",
                                                        "createContainer", "poststart argument env",
                                                        "poststop argument env"])
        states = {}
        for kind in outside:
            with open(f"{self.dir}/{kind}.json") as file:
                states[kind] = json.load(file)
        self.assertEqual([states[k]["status"] for k in outside], ["creating", "creating", "running", "stopped"])
        self.assertGreater(states["prestart"]["pid"], 0)

    def test_hooks_with_separate_create_and_start(self):
        def change(c):
            c["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "exit 0"]}]}
        name = self.start("echo", "ran", change=change)
        wait_for(lambda: self.output(name) == "ran\n")
        failing = self.create("echo", "ran", change=lambda c: c.update(
            hooks={"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]}]}))
        result = self.run_oci("start", failing, check=False)
        self.assertIn("/hooks/startContainer/0", result.stderr)
        self.assertEqual(self.output(failing), "")

    def test_a_failing_or_slow_hook_stops_the_creation(self):
        for kind in ("prestart", "createRuntime", "createContainer"):
            error = self.refused(lambda c: c.update(hooks={kind: [self.hook("bad", "echo why; exit 3")]}))
            self.assertIn(f"/hooks/{kind}/0", error)
            self.assertIn("why", error)
        error = self.refused(lambda c: c.update(hooks={"prestart": [self.hook("slow", "sleep 100", timeout=1)]}))
        self.assertIn("not done after 1 s", error)
        self.assertEqual(self.sh("echo ran", lambda c: c.update(hooks={"poststart": [self.hook("bad", "exit 1")]})), "ran\n")

    def seccomp(self, *rules, default="SCMP_ACT_ALLOW", **more):
        def change(c):
            c["linux"]["seccomp"] = dict(defaultAction=default, architectures=["SCMP_ARCH_X86_64"], syscalls=list(rules),
                                         **more)
        return change

    def test_seccomp_actions(self):
        rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}
        out = self.sh("mkdir /tmp/x 2>&1; grep Seccomp: /proc/self/status", self.seccomp(rule))
        self.assertIn("not supported", out)
        self.assertIn("Seccomp:\t2", out)
        rule = {"names": ["mkdir", "mkdirat", "no_such_call_on_any_kernel"], "action": "SCMP_ACT_KILL_PROCESS"}
        self.assertEqual(self.sh("mkdir /tmp/x; echo $?", self.seccomp(rule)).splitlines()[-1], "159")

    def test_seccomp_arguments(self):
        rule = {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
                "args": [{"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}]}
        self.assertEqual(self.sh("kill -USR1 $$ 2>/dev/null || echo refused; kill -CONT $$ && echo allowed",
                                 self.seccomp(rule)), "refused\nallowed\n")

    def test_seccomp_without_no_new_privileges(self):
        def change(c):
            self.seccomp({"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"})(c)
            c["process"]["noNewPrivileges"] = False
            c["process"]["user"] = {"uid": 1000, "gid": 1000}
        out = self.sh("mkdir /tmp/x 2>&1; grep -E 'NoNew|Seccomp:' /proc/self/status", change)
        self.assertIn("Operation not permitted", out)
        self.assertIn("NoNewPrivs:\t0\nSeccomp:\t2", out)

    def test_the_default_profile_refuses_what_it_should(self):
        out = self.sh("unshare -m true 2>&1 || echo no; mount -t tmpfs x /tmp 2>&1 || echo no; chroot / true && echo yes",
                      lambda c: [c["process"]["capabilities"][k].append("CAP_SYS_ADMIN")
                                 for k in ("bounding", "effective", "permitted")] and None)
        self.assertIn("no", out)
        self.assertIn("yes", out)

    def test_seccomp_errors_name_the_place(self):
        self.assertIn("/linux/seccomp/syscalls/0/action", self.refused(self.seccomp({"names": ["x"], "action": "BOGUS"})))
        self.assertIn("/linux/seccomp/architectures/1", self.refused(
            lambda c: c["linux"].update(seccomp={"defaultAction": "SCMP_ACT_ALLOW",
                                                 "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_BOGUS"]})))
        self.assertIn("/linux/seccomp/flags/0", self.refused(self.seccomp(flags=["BOGUS"])))
        self.assertIn("listenerPath", self.refused(self.seccomp({"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"})))


class Invalid(ocitest.OciTest):
    CASES = [
        ("/ociVersion", lambda c: c.pop("ociVersion")),
        ("/ociVersion", lambda c: c.update(ociVersion="7.0")),
        ("/root", lambda c: c.pop("root")),
        ("/root/path", lambda c: c["root"].update(path="nowhere")),
        ("/process", lambda c: c.pop("process")),
        ("/process/args", lambda c: c["process"].update(args=[])),
        ("/process/args/0", lambda c: c["process"].update(args=[7])),
        ("/process/cwd", lambda c: c["process"].update(cwd="relative")),
        ("/process/user/uid", lambda c: c["process"]["user"].update(uid=-1)),
        ("/process/user/umask", lambda c: c["process"]["user"].update(umask=0o7777)),
        ("/process/env", lambda c: c["process"].update(env=["NOEQUALS"])),
        ("/process/rlimits/0/type", lambda c: c["process"].update(rlimits=[{"type": "X", "soft": 1, "hard": 1}])),
        ("/process/rlimits/0/soft", lambda c: c["process"].update(rlimits=[{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}])),
        ("/process/rlimits/1/type", lambda c: c["process"].update(rlimits=[{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}] * 2)),
        ("/process/oomScoreAdj", lambda c: c["process"].update(oomScoreAdj=2000)),
        ("/process/scheduler/policy", lambda c: c["process"].update(scheduler={"policy": "X"})),
        ("/process/scheduler/flags/0", lambda c: c["process"].update(scheduler={"policy": "SCHED_OTHER", "flags": ["X"]})),
        ("/process/ioPriority/priority", lambda c: c["process"].update(ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 8})),
        ("/process/execCPUAffinity", lambda c: c["process"].update(execCPUAffinity={"initial": "3-1"})),
        ("/mounts/0/destination", lambda c: c["mounts"][0].pop("destination")),
        ("/mounts", lambda c: c.update(mounts={})),
        ("/hooks/prestart/0/path", lambda c: c.update(hooks={"prestart": [{"path": "relative"}]})),
        ("/hooks/poststop/0/timeout", lambda c: c.update(hooks={"poststop": [{"path": "/x", "timeout": 0}]})),
        ("/linux/namespaces/6/type", lambda c: c["linux"]["namespaces"].append({"type": "bogus"})),
        ("/linux/namespaces", lambda c: c["linux"]["namespaces"].append({"type": "pid"})),
        ("/linux/uidMappings", lambda c: c["linux"].update(uidMappings=[{"containerID": 0, "hostID": 1, "size": 1}])),
        ("/linux/timeOffsets", lambda c: c["linux"].update(timeOffsets={"monotonic": {"secs": 1}})),
        ("/linux/timeOffsets/real", lambda c: c["linux"].update(timeOffsets={"real": {"secs": 1}})),
        ("/linux/devices/0/type", lambda c: c["linux"].update(devices=[{"type": "x", "path": "/dev/x"}])),
        ("/linux/resources/pids/limit", lambda c: c["linux"]["resources"].update(pids={"limit": "many"})),
        ("/linux/resources/memory/swappiness", lambda c: c["linux"]["resources"].update(memory={"swappiness": 101})),
        ("/linux/resources/devices/0/access", lambda c: c["linux"]["resources"].update(devices=[{"allow": True, "access": "x"}])),
        ("/linux/resources/unified", lambda c: c["linux"]["resources"].update(unified={"../memory.max": "1"})),
        ("/linux/cgroupsPath", lambda c: c["linux"].update(cgroupsPath="/a/../../b")),
        ("/linux/cgroupsPath", lambda c: c["linux"].update(cgroupsPath="/")),
        ("/linux/rootfsPropagation", lambda c: c["linux"].update(rootfsPropagation="x")),
        ("/linux/personality/domain", lambda c: c["linux"].update(personality={"domain": "X"})),
        ("/linux/memoryPolicy/mode", lambda c: c["linux"].update(memoryPolicy={"mode": "X"})),
        ("/linux/intelRdt/closID", lambda c: c["linux"].update(intelRdt={"closID": "../x"})),
        ("/linux/netDevices", lambda c: c["linux"].update(netDevices={"a-name-that-is-too-long": {}})),
        ("NUL", lambda c: c["process"].update(cwd="/tmp\0/x")),
    ]

    def test_an_invalid_value_names_its_place(self):
        for place, change in self.CASES:
            with self.subTest(place=place):
                self.assertIn(place, self.refused(change))

    def test_broken_documents(self):
        for text in ("", "{", "[]", "null", "[" * 100000, '{"ociVersion":"1.0"} trailing', "\xff"):
            with open(f"{self.dir}/bundle/config.json", "w", encoding="latin-1") as file:
                file.write(text)
            result = self.run_oci("run", "-b", f"{self.dir}/bundle", self.name(), check=False)
            self.assertEqual(result.returncode, 1)
            self.assertIn("config.json", result.stderr)

    def test_a_64_mib_document(self):
        with open(f"{self.dir}/bundle/config.json", "w") as file:
            file.write('{"annotations":{"a":"' + "x" * (64 << 20) + '"}}')
        result = self.run_oci("run", "-b", f"{self.dir}/bundle", self.name(), check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("bytes", result.stderr)

    def test_unknown_fields_and_annotations_are_ignored(self):
        def change(c):
            c["future"] = {"x": 1}
            c["process"]["future"] = []
            c["linux"]["future"] = 7
            c["annotations"] = {"org.example.a": "b"}
        name = self.start("sleep", "1000", change=change)
        self.assertEqual(json.loads(self.run_oci("state", name).stdout)["annotations"], {"org.example.a": "b"})


if __name__ == "__main__":
    ocitest.main()
