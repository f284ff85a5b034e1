"""create, start, state, exec, kill, delete, list, pause: what each does and says."""

import json
import os
import shutil
import signal
import socket
import subprocess
import array
import time

import ocitest
from ocitest import RUNTIME, wait_for


class Lifecycle(ocitest.OciTest):
    def test_a_container_is_created_started_killed_and_deleted(self):
        pid_file = f"{self.dir}/pid"
        name = self.create("sh", "-c", "echo ran; exec sleep 1000", extra=("--pid-file", pid_file))
        state = json.loads(self.run_oci("state", name).stdout)
        self.assertEqual(state["status"], "created")
        self.assertEqual(state["bundle"], f"{self.dir}/bundle")
        self.assertEqual(state["rootfs"], self.rootfs)
        self.assertRegex(state["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")
        with open(pid_file) as file:
            self.assertEqual(int(file.read()), state["pid"])
        self.assertEqual(self.output(name), "")
        self.run_oci("start", name)
        self.assertEqual(self.status(name), "running")
        wait_for(lambda: self.output(name) == "ran\n")
        self.assertIn("running", self.run_oci("delete", name, check=False).stderr)
        self.run_oci("kill", name, "KILL")
        self.wait_stopped(name)
        self.assertIn("not running", self.run_oci("kill", name, "KILL", check=False).stderr)
        self.run_oci("delete", name)
        self.assertIn("does not exist", self.run_oci("state", name, check=False).stderr)

    def test_the_exit_code_and_signal_of_the_program_are_reported(self):
        self.sh("exit 7", code=7)
        self.sh("kill -9 $$; sleep 1", code=0)  # the first process of a PID namespace is immune to its own signals
        self.run_container("sh", "-c", "exit 255", code=255)

    def test_a_program_that_is_not_there_gives_127_and_one_that_cannot_run_126(self):
        for args, code, text in ((["nonexistent"], 127, "executable file not found"),
                                 (["/nonexistent"], 127, "executable file not found"),
                                 (["/etc"], 126, "permission denied")):
            name = self.name()
            self.configure(args, name)
            result = self.run_oci("run", "--bundle", f"{self.dir}/bundle", name, check=False)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn(text, result.stderr)

    def test_errors_go_to_the_log_as_json(self):
        log = f"{self.dir}/log"
        result = self.run_oci("--log", log, "--log-format", "json", "start", "nobody", check=False)
        self.assertEqual(result.returncode, 1)
        with open(log) as file:
            record = json.loads(file.read().splitlines()[-1])
        self.assertEqual(record["level"], "error")
        self.assertIn("does not exist", record["msg"])
        self.assertIn("time", record)

    def test_a_name_is_taken_once_and_has_a_grammar(self):
        name = self.create("sleep", "1000")
        result = self.run_oci("create", "--bundle", f"{self.dir}/bundle", name, check=False)
        self.assertIn("already exists", result.stderr)
        for bad in ("../x", "a/b", "", ".", "..", ".hidden", "a b", "ä", "x" * 300, "a\nb"):
            result = self.run_oci("create", "--bundle", f"{self.dir}/bundle", bad, check=False)
            self.assertNotEqual(result.returncode, 0, bad)
            self.assertIn("container id", result.stderr)

    def test_a_control_group_with_processes_is_not_taken_over(self):
        name = self.start("sleep", "1000")
        other = self.name()
        self.configure(["true"], other, lambda c: c["linux"].update(cgroupsPath=f"/skerry-test/{name}"))
        result = self.run_oci("run", "-b", f"{self.dir}/bundle", other, check=False)
        self.assertIn("/linux/cgroupsPath", result.stderr)
        self.assertEqual(self.status(name), "running")

    def test_start_wants_a_created_container(self):
        name = self.start("sleep", "1000")
        self.assertIn("running", self.run_oci("start", name, check=False).stderr)

    def test_start_says_when_the_container_has_gone(self):
        name = self.create("sleep", "1000")
        os.kill(self.pid(name), signal.SIGKILL)
        wait_for(lambda: self.status(name) == "stopped")
        self.assertNotEqual(self.run_oci("start", name, check=False).returncode, 0)

    def test_exec_runs_in_the_same_namespaces_and_cgroup(self):
        name = self.start("sleep", "1000")
        pid = self.pid(name)
        script = "for n in mnt pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done; cat /proc/self/cgroup"
        out = self.run_oci("exec", name, "sh", "-c", script).stdout.splitlines()
        for line, kind in zip(out, "mnt pid net ipc uts cgroup".split()):
            self.assertEqual(line, os.readlink(f"/proc/{pid}/ns/{kind}"))
        for line in out[6:]:
            self.assertTrue(line.endswith(":/"), line)

    def test_exec_passes_streams_and_codes(self):
        name = self.start("sleep", "1000")
        self.assertEqual(self.run_oci("exec", name, "cat", input="through\n").stdout, "through\n")
        self.assertEqual(self.run_oci("exec", name, "sh", "-c", "exit 9", check=False).returncode, 9)
        self.assertEqual(self.run_oci("exec", name, "sh", "-c", "kill -TERM $$", check=False).returncode, 143)
        self.assertEqual(self.run_oci("exec", name, "nonexistent", check=False).returncode, 127)
        self.assertEqual(self.run_oci("exec", name, "/etc", check=False).returncode, 126)

    def test_exec_takes_user_env_cwd_and_process_files(self):
        name = self.start("sleep", "1000")
        out = self.run_oci("exec", "--user", "1000:100", "--env", "A=b c", "--cwd", "/tmp", "-g", "7", name, "sh", "-c",
                           'id -u; id -g; id -G; echo "$A"; pwd').stdout.splitlines()
        self.assertEqual(out, ["1000", "100", "100 7", "b c", "/tmp"])
        process = {"args": ["sh", "-c", "echo $X; id -u; umask"], "env": ["PATH=/bin", "X=1"], "cwd": "/",
                   "user": {"uid": 5, "gid": 6, "umask": 0o27}}
        with open(f"{self.dir}/process.json", "w") as file:
            json.dump(process, file)
        out = self.run_oci("exec", "--process", f"{self.dir}/process.json", name).stdout.splitlines()
        self.assertEqual(out, ["1", "5", "0027"])
        for bad in ("root", "1x", "-1", "1:", "4294967296", " 1", "1:2:3"):
            result = self.run_oci("exec", "--user", bad, name, "true", check=False)
            self.assertEqual(result.returncode, 1, bad)
            self.assertIn("--user", result.stderr)

    def test_exec_detached_writes_the_pid(self):
        name = self.start("sleep", "1000")
        pid_file = f"{self.dir}/exec-pid"
        with open(os.devnull, "r+b") as null:  # a program left behind keeps the streams it was given
            subprocess.run([RUNTIME, "--root", self.state, "exec", "--detach", "--pid-file", pid_file, name, "sleep",
                            "1000"], check=True, stdin=null, stdout=null, stderr=null, timeout=30)
        with open(pid_file) as file:
            pid = int(file.read())
        with open(f"/proc/{pid}/cmdline") as file:
            self.assertEqual(file.read(), "sleep\0001000\0")
        self.assertIn(pid, json.loads(self.run_oci("ps", "--format", "json", name).stdout))

    def test_exec_has_the_filter_and_capabilities_of_the_container(self):
        name = self.start("sleep", "1000")
        wanted = "CapEff:\nCapBnd:\nCapInh:\nCapAmb:\nSeccomp:\nNoNewPrivs:".replace("\n", "|")
        with open(f"/proc/{self.pid(name)}/status") as file:
            mine = sorted(l.strip() for l in file if l.split("\t")[0] in wanted.split("|"))
        out = self.run_oci("exec", name, "cat", "/proc/self/status").stdout.splitlines()
        self.assertEqual(sorted(l for l in out if l.split("\t")[0] in wanted.split("|")), mine)

    def test_preserved_descriptors_arrive_and_no_others(self):
        read_end, write_end = os.pipe()
        os.write(write_end, b"x")
        name = self.name()
        self.configure(["sh", "-c", "ls /proc/self/fd; head -c 1 <&3"], name)
        os.dup2(read_end, 3) if read_end != 3 else None
        extra = os.open("/", os.O_RDONLY)
        result = subprocess.run([RUNTIME, "--root", self.state, "run", "--bundle", f"{self.dir}/bundle",
                                 "--preserve-fds", "1", name], capture_output=True, text=True, pass_fds=(3, extra))
        self.assertEqual(result.stdout.split()[:4] + [result.stdout.split()[-1]], ["0", "1", "2", "3", "x"], result.stderr)
        self.assertNotIn(str(extra), result.stdout.split()[4:-2])

    def test_list_and_ps_in_both_formats(self):
        name = self.start("sleep", "1000")
        table = self.run_oci("list").stdout.splitlines()
        self.assertEqual(table[0].split(), ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"])
        self.assertEqual(table[1].split()[:3], [name, str(self.pid(name)), "running"])
        listed = json.loads(self.run_oci("list", "--format", "json").stdout)
        self.assertEqual([(c["id"], c["status"], c["owner"]) for c in listed], [(name, "running", "root")])
        self.assertEqual(self.run_oci("list", "-q").stdout, name + "\n")
        self.assertEqual(json.loads(self.run_oci("ps", "--format", "json", name).stdout), [self.pid(name)])
        self.assertIn("sleep 1000", self.run_oci("ps", name).stdout)

    def test_pause_freezes_and_resume_thaws(self):
        name = self.start("sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done")
        wait_for(lambda: self.output(name))
        self.run_oci("pause", name)
        self.assertEqual(self.status(name), "paused")
        before = self.output(name)
        time.sleep(0.1)  # long enough for ten more lines, had it not been frozen
        self.assertEqual(self.output(name), before)
        self.assertIn("paused", self.run_oci("exec", name, "true", check=False).stderr)
        self.run_oci("resume", name)
        wait_for(lambda: len(self.output(name)) > len(before))
        self.run_oci("pause", name)
        self.run_oci("delete", "--force", name)

    def test_kill_all_reaches_every_process(self):
        name = self.start("sh", "-c", "sleep 1000 & sleep 1000 & wait")
        wait_for(lambda: len(json.loads(self.run_oci("ps", "--format", "json", name).stdout)) == 3)
        pids = json.loads(self.run_oci("ps", "--format", "json", name).stdout)
        self.run_oci("kill", "--all", name, "KILL")
        wait_for(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in pids))

    def test_signals_have_names_and_numbers(self):
        for word in ("USR1", "SIGUSR1", "sigusr1", "10"):
            name = self.start("sh", "-c", "trap 'echo got; exit' USR1; echo ready; while :; do sleep 0.01; done")
            wait_for(lambda: self.output(name) == "ready\n")
            self.run_oci("kill", name, word)
            wait_for(lambda: "got" in self.output(name))
        for word in ("NOPE", "", "65", "-1", "1x", "RTMAX+1"):
            self.assertEqual(self.run_oci("kill", name, word, check=False).returncode, 1, word)

    def test_delete_force_removes_whatever_there_is(self):
        self.run_oci("delete", "--force", "never-was")
        name = self.start("sh", "-c", "trap '' TERM; while :; do sleep 1; done")
        pid = self.pid(name)
        self.run_oci("delete", "--force", name)
        self.assertFalse(os.path.exists(f"/proc/{pid}/exe"))

    def test_run_detach_and_keep(self):
        name = self.name()
        self.configure(["sleep", "1000"], name)
        with open(os.devnull, "r+b") as null:
            subprocess.run([RUNTIME, "--root", self.state, "run", "-d", "-b", f"{self.dir}/bundle", name], check=True,
                           stdin=null, stdout=null, stderr=null)
        self.assertEqual(self.status(name), "running")
        kept = self.name()
        self.configure(["true"], kept)
        self.run_oci("run", "--keep", "-b", f"{self.dir}/bundle", kept)
        self.assertEqual(self.status(kept), "stopped")
        self.run_oci("delete", kept)

    def test_signals_to_a_run_in_the_foreground_reach_the_program(self):
        name = self.name()
        self.configure(["sh", "-c", "trap 'exit 42' TERM; echo ready; while :; do sleep 0.01; done"], name)
        child = subprocess.Popen([RUNTIME, "--root", self.state, "run", "-b", f"{self.dir}/bundle", name],
                                 stdout=subprocess.PIPE)
        self.assertEqual(child.stdout.readline(), b"ready\n")
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.wait(10), 42)
        child.stdout.close()

    def test_a_changed_bundle_has_no_effect_after_create(self):
        name = self.create("echo", "first")
        self.configure(["echo", "second"], name)
        self.run_oci("start", name)
        wait_for(lambda: self.output(name) == "first\n")

    def test_nobody_joins_a_container_that_is_being_made(self):
        """Until its root is switched its file system is the host's."""
        hook = {"path": "/bin/sh", "args": ["sh", "-c", f"touch {self.dir}/hangs; read line < {self.dir}/pipe"]}
        for verb in ("create", "run"):
            os.mkfifo(f"{self.dir}/pipe")
            name = self.name()
            self.configure(["sleep", "1000"], name, lambda c: c.update(hooks={"createRuntime": [hook]}))
            with open(os.devnull, "r+b") as null:
                maker = subprocess.Popen([RUNTIME, "--root", self.state, verb, "--bundle", f"{self.dir}/bundle", name],
                                         stdin=null, stdout=null, stderr=null)
            wait_for(lambda: os.path.exists(f"{self.dir}/hangs"), what="the hook")
            self.assertEqual(self.status(name), "creating")
            result = self.run_oci("exec", name, "true", check=False)
            self.assertEqual(result.returncode, 1)
            self.assertIn("creating", result.stderr)
            self.assertEqual(self.run_oci("kill", name, "KILL", check=False).returncode, 1)
            with open(f"{self.dir}/pipe", "w") as pipe:
                pipe.write("go on\n")
            wait_for(lambda: self.status(name) == ("created" if verb == "create" else "running"))
            self.run_oci("exec", name, "true")
            self.run_oci("delete", "--force", name)
            maker.wait(10)
            os.unlink(f"{self.dir}/pipe")
            os.unlink(f"{self.dir}/hangs")

    def test_the_command_line_is_read_strictly(self):
        for args in (("bogus",), ("--bogus",), ("state",), ("state", "a", "b"), ("create", "--bogus", "x"),
                     ("--log-format", "xml", "list"), ("list", "--format", "xml"), ("create", "--preserve-fds", "x", "a"),
                     ("--cgroup-manager", "other", "list"), ("create", "--no-pivot=perhaps", "a"), ("kill",),
                     ("create", "--pid-file")):
            result = self.run_oci(*args, check=False)
            self.assertEqual(result.returncode, 1, args)
            self.assertTrue(result.stderr.startswith("skerry-oci: "), result.stderr)

    def test_version_and_help(self):
        version = self.run_oci("--version").stdout
        self.assertIn("spec: 1.", version)
        self.assertIn("+seccomp", version)
        for command in ("create", "run", "exec", "checkpoint", "restore", "update", "events"):
            self.assertIn("Usage", self.run_oci(command, "--help").stdout)


class Terminals(ocitest.OciTest):
    def test_run_passes_the_terminal_through(self):
        name = self.name()
        self.configure(["sh", "-c", "tty; test -t 0 && test -t 1 && test -c /dev/console && echo yes; exit 3"], name,
                       lambda c: c["process"].update(terminal=True, consoleSize={"height": 11, "width": 22}))
        out, code = ocitest.in_terminal([RUNTIME, "--root", self.state, "run", "-b", f"{self.dir}/bundle", name])
        self.assertEqual((out, code), ("/dev/pts/0\r\nyes\r\n", 3))

    def test_exec_with_a_terminal(self):
        name = self.start("sleep", "1000")
        out, code = ocitest.in_terminal([RUNTIME, "--root", self.state, "exec", "-t", name, "sh", "-c", "tty; exit 4"])
        self.assertEqual((out, code), ("/dev/pts/0\r\n", 4))

    def test_the_console_socket_gets_the_master(self):
        path = f"{self.dir}/console.sock"
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(path)
        listener.listen()
        name = self.create("sh", "-c", "stty size; read x; echo got $x",
                           change=lambda c: c["process"].update(terminal=True, consoleSize={"height": 33, "width": 44}),
                           extra=("--console-socket", path))
        connection, _ = listener.accept()
        message, ancillary, _, _ = connection.recvmsg(4096, 1024)
        connection.close()
        descriptors = array.array("i", ancillary[0][2])
        master = descriptors[0]
        self.assertTrue(message.startswith(b"/dev/pts/"), message)
        self.run_oci("start", name)
        os.write(master, b"word\n")
        out = b""
        while b"got word" not in out:
            out += os.read(master, 4096)
        os.close(master)
        self.assertIn(b"33 44", out)

    def test_a_detached_terminal_without_a_socket_is_refused(self):
        name = self.name()
        self.configure(["true"], name, lambda c: c["process"].update(terminal=True))
        result = self.run_oci("create", "-b", f"{self.dir}/bundle", name, check=False)
        self.assertIn("console-socket", result.stderr)


class Rootless(ocitest.OciTest):
    """An ordinary user, with nothing but its own id mapped."""

    def test_run_exec_and_delete(self):
        place = f"{self.dir}/user"
        shutil.copytree(f"{self.dir}/bundle", f"{place}/bundle", symlinks=True)
        binary = f"{place}/runtime"
        shutil.copy(RUNTIME, binary)
        self.config = json.loads(subprocess.check_output([RUNTIME, "spec", "--rootless"]))
        self.config["process"]["terminal"] = False
        for kind in ("uidMappings", "gidMappings"):
            self.config["linux"][kind] = [{"containerID": 0, "hostID": 12345, "size": 1}]
        subprocess.check_call(["chown", "-R", "12345:12345", place])

        def as_user(*args):
            return subprocess.run([binary, "--root", f"{place}/state", *args], capture_output=True, text=True, timeout=30,
                                  user=12345, group=12345, extra_groups=[])
        self.configure(["sh", "-c", "id -u; cat /proc/self/uid_map; p=$(ps); echo \"$p\" | wc -l; echo x > /dev/null && echo null"], "r",
                       bundle=f"{place}/bundle")
        result = as_user("run", "-b", f"{place}/bundle", "r")
        self.assertEqual(result.stdout.split(), "0 0 12345 1 3 null".split(), result.stderr)
        self.configure(["sleep", "1000"], "s", bundle=f"{place}/bundle")
        with open(os.devnull, "r+b") as null:
            subprocess.run([binary, "--root", f"{place}/state", "run", "-d", "-b", f"{place}/bundle", "s"], check=True,
                           stdin=null, stdout=null, stderr=null, user=12345, group=12345, extra_groups=[], timeout=30)
        self.assertEqual(as_user("exec", "s", "id", "-u").stdout, "0\n")
        self.assertEqual(as_user("delete", "--force", "s").returncode, 0)
        self.configure(["true"], "t", lambda c: c["linux"].update(resources={"pids": {"limit": 5}}), f"{place}/bundle")
        self.assertIn("/linux/resources/pids/limit", as_user("run", "-b", f"{place}/bundle", "t").stderr)


if __name__ == "__main__":
    ocitest.main()
