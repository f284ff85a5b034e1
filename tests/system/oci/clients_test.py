"""skerry-oci driven by its real callers: podman, containerd (ctr) and buildah, each in directories of its own."""

import hashlib
import json
import os
import shutil
import subprocess
import unittest

import ocitest
from ocitest import RUNTIME, wait_for


class Client(ocitest.OciTest):
    def setUp(self):
        super().setUp()
        with open(f"{self.dir}/containers.conf", "w") as file:
            # podman raises these to 2^20 by default, which takes CAP_SYS_RESOURCE.
            file.write('[containers]\ndefault_ulimits = ["nofile=1024:1024","nproc=2048:2048"]\n')
        self.environment = {**os.environ, "CONTAINERS_CONF": f"{self.dir}/containers.conf"}
        self.rootfs_tar = f"{self.dir}/rootfs.tar"
        subprocess.check_call(["tar", "-C", self.rootfs, "-cf", self.rootfs_tar, "bin", "etc", "tmp", "root"])

    def command(self, argv, check=True, timeout=60, **kwargs):
        result = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, env=self.environment, **kwargs)
        if check and result.returncode != 0:
            raise AssertionError(f"{argv} ended with {result.returncode}: {result.stderr}")
        return result


@unittest.skipUnless(shutil.which("podman"), "podman is not installed")
class Podman(Client):
    def setUp(self):
        super().setUp()
        self.base = ["podman", "--root", f"{self.dir}/storage", "--runroot", f"{self.dir}/run", "--tmpdir", f"{self.dir}/tmp",
                     "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime", RUNTIME,
                     "--runtime-flag", f"root={self.state}"]
        self.podman("import", self.rootfs_tar, "bb")
        self.addCleanup(self.command, self.base + ["rm", "-af", "-t", "0"], check=False)

    def podman(self, *args, **kwargs):
        return self.command(self.base + list(args), **kwargs)

    def run_image(self, *args, **kwargs):
        return self.podman("run", "--rm", "--network", "none", *args, **kwargs)

    def test_run_gives_output_and_exit_codes(self):
        self.assertEqual(self.run_image("bb", "sh", "-c", "echo out").stdout, "out\n")
        self.assertEqual(self.run_image("bb", "sh", "-c", "exit 7", check=False).returncode, 7)
        self.assertEqual(self.run_image("bb", "nonexistent", check=False).returncode, 127)
        self.assertEqual(self.run_image("bb", "/etc", check=False).returncode, 126)

    def test_user_readonly_volume_tmpfs_and_limits(self):
        self.assertEqual(self.run_image("--user", "1000:1000", "bb", "id", "-u").stdout, "1000\n")
        self.assertNotEqual(self.run_image("--read-only", "bb", "touch", "/x", check=False).returncode, 0)
        out = self.run_image("-v", f"{self.dir}:/mnt:ro", "bb", "sh", "-c", "ls /mnt; touch /mnt/x || echo refused").stdout
        self.assertIn("containers.conf", out)
        self.assertIn("refused", out)
        out = self.run_image("--memory", "64m", "--pids-limit", "33", "bb", "sh", "-c",
                             "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max "
                             "/sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max 2>/dev/null; true").stdout
        self.assertEqual(out.split(), ["67108864", "33"])

    def test_security_options(self):
        profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}
        with open(f"{self.dir}/profile.json", "w") as file:
            json.dump(profile, file)
        out = self.run_image("--security-opt", f"seccomp={self.dir}/profile.json", "--cap-drop", "all", "--security-opt",
                             "no-new-privileges", "bb", "sh", "-c", "mkdir /tmp/x 2>&1; cat /proc/self/status").stdout
        self.assertIn("not permitted", out)
        self.assertIn("CapEff:\t0000000000000000", out)
        self.assertIn("NoNewPrivs:\t1", out)

    def test_user_namespace(self):
        out = self.run_image("--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536", "bb", "cat", "/proc/self/uid_map").stdout
        self.assertEqual(out.split(), ["0", "100000", "65536"])

    def test_detached_exec_pause_logs_and_kill(self):
        self.podman("run", "-d", "--name", "d", "--network", "none", "bb", "sh", "-c", "echo logged; exec sleep 1000")
        self.assertEqual(self.podman("exec", "d", "sh", "-c", "exit 9", check=False).returncode, 9)
        self.assertEqual(self.podman("exec", "d", "nonexistent", check=False).returncode, 127)
        self.podman("pause", "d")
        self.assertEqual(self.podman("inspect", "-f", "{{.State.Status}}", "d").stdout, "paused\n")
        self.podman("unpause", "d")
        self.assertIn("sleep", self.podman("top", "d").stdout)
        self.assertEqual(self.podman("logs", "d").stdout, "logged\n")
        self.podman("kill", "d")
        wait_for(lambda: self.podman("inspect", "-f", "{{.State.ExitCode}} {{.State.Status}}", "d").stdout == "137 exited\n")

    def test_a_terminal(self):
        out, code = ocitest.in_terminal([*self.base, "run", "-it", "--rm", "--network", "none", "bb", "sh", "-c",
                                         "tty; exit 4"], self.environment)
        self.assertEqual(code, 4, out)
        self.assertIn("/dev/pts/0", out)

    def test_healthchecks(self):
        self.podman("run", "-d", "--name", "h", "--network", "none", "--health-cmd", "test -e /tmp/ok", "--health-interval",
                    "disable", "bb", "sleep", "1000")
        self.assertIn("unhealthy", self.podman("healthcheck", "run", "h", check=False).stdout)
        self.podman("exec", "h", "touch", "/tmp/ok")
        self.podman("healthcheck", "run", "h")
        self.assertEqual(self.podman("inspect", "-f", "{{.State.Health.Status}}", "h").stdout, "healthy\n")

    def test_user_namespaces_of_its_own_choice(self):
        with open(f"{self.dir}/subid", "w") as file:
            file.write("containers:200000:1000000\n")
        out = self.command(self.with_accounts(*self.base, "run", "--rm", "--network", "none", "--userns=auto:size=4096", "bb",
                                              "cat", "/proc/self/uid_map")).stdout
        self.assertEqual(out.split(), ["0", "200000", "4096"])

    def with_accounts(self, *argv, files=("subid:subuid", "subid:subgid")):
        """The command with files of our directory in place of those in /etc, in a mount namespace of its own."""
        binds = "; ".join(f"mount --bind {self.dir}/{name.split(':')[0]} /etc/{name.split(':')[1]}" for name in files)
        return ["unshare", "-m", "sh", "-ec", f'{binds}; exec "$@"', "sh", *argv]

    def test_a_pod_of_kubernetes(self):
        self.podman("import", "--change", 'CMD ["sleep","1000"]', self.rootfs_tar, "pause")
        with open(f"{self.dir}/containers.conf", "a") as file:
            file.write('[engine]\ninfra_image = "localhost/pause:latest"\n')
        with open(f"{self.dir}/pod.yaml", "w") as file:
            file.write("""{apiVersion: v1, kind: Pod, metadata: {name: kp}, spec: {hostNetwork: true, containers: [
                {name: a, image: "localhost/bb:latest", command: [sleep, "1000"], env: [{name: X, value: one}],
                 resources: {limits: {memory: 64Mi}}},
                {name: b, image: "localhost/bb:latest", command: [sh, -c, "hostname; exec sleep 1000"]}]}}""")
        self.podman("play", "kube", f"{self.dir}/pod.yaml")
        self.addCleanup(self.podman, "pod", "rm", "-f", "-t", "0", "kp", check=False)
        out = self.podman("exec", "kp-a", "sh", "-c", "echo $X; cat /sys/fs/cgroup/memory/memory.limit_in_bytes "
                          "/sys/fs/cgroup/memory.max 2>/dev/null; true").stdout
        self.assertEqual(out.split(), ["one", str(64 << 20)])
        ids = [self.podman("inspect", "-f", "{{.State.Pid}}", name).stdout.strip() for name in ("kp-a", "kp-b")]
        for kind in ("ipc", "uts"):
            self.assertEqual(len({os.readlink(f"/proc/{pid}/ns/{kind}") for pid in ids}), 1)
        self.assertIn("name: kp", self.podman("generate", "kube", "kp").stdout)
        self.podman("play", "kube", "--down", f"{self.dir}/pod.yaml")
        self.assertNotIn("kp-a", self.podman("ps", "-a").stdout)

    def test_an_ordinary_user(self):
        home = f"{self.dir}/user"
        os.makedirs(f"{home}/run", 0o700)
        shutil.copy(RUNTIME, f"{home}/runtime")
        for path in (home, f"{home}/run", f"{home}/runtime"):
            os.chown(path, 20001, 20001)
        os.chmod(home, 0o755)
        for name, line in (("passwd", f"skerrytest:x:20001:20001::{home}:/bin/sh\n"), ("group", "skerrytest:x:20001:\n")):
            with open(f"/etc/{name}") as old, open(f"{self.dir}/{name}", "w") as file:
                file.write(old.read() + line)
        with open(f"{self.dir}/subid", "w") as file:
            file.write("skerrytest:300000:65536\n")
        podman = ["podman", "--root", f"{home}/storage", "--runroot", f"{home}/runroot", "--tmpdir", f"{home}/tmp",
                  "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--storage-driver", "vfs",
                  "--runtime", f"{home}/runtime", "--runtime-flag", f"root={home}/state"]

        def as_user(*args, **kwargs):
            user = ["setpriv", "--reuid", "20001", "--regid", "20001", "--clear-groups", "env", "-i",
                    f"PATH={os.environ['PATH']}", f"HOME={home}", f"XDG_RUNTIME_DIR={home}/run", "USER=skerrytest",
                    f"CONTAINERS_CONF={self.dir}/containers.conf"]
            return self.command(self.with_accounts(*user, *podman, *args, files=("passwd:passwd", "group:group",
                                                                                 "subid:subuid", "subid:subgid")), **kwargs)
        as_user("import", self.rootfs_tar, "bb")
        out = as_user("run", "--rm", "--network", "none", "bb", "sh", "-c", "id -u; cat /proc/self/uid_map").stdout
        self.assertEqual(out.split(), "0 0 20001 1 1 300000 65536".split())
        as_user("run", "-d", "--name", "x", "--network", "none", "bb", "sleep", "1000")
        self.addCleanup(as_user, "rm", "-f", "-t", "0", "x", check=False)
        self.assertEqual(as_user("exec", "--user", "7", "x", "id", "-u").stdout, "7\n")

    def test_a_pod_shares_namespaces(self):
        self.podman("pod", "create", "--name", "p", "--network", "none", "--share", "pid,net,ipc,uts", "--infra-image", "bb",
                    "--infra-command", "sleep 1000")
        self.addCleanup(self.podman, "pod", "rm", "-f", "-t", "0", "p", check=False)
        self.assertIn("sleep 1000", self.podman("run", "--rm", "--pod", "p", "bb", "ps").stdout)


@unittest.skipUnless(shutil.which("containerd") and shutil.which("ctr"), "containerd is not installed")
class Containerd(Client):
    DISABLED = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
    NAMESPACE = "default"
    IMAGE = "local/bb:1"

    def more_settings(self):
        return ""

    def setUp(self):
        super().setUp()
        place = f"{self.dir}/c"
        os.mkdir(place)
        with open(f"{place}/config.toml", "w") as file:
            file.write(f'version = 2\nroot = "{place}/root"\nstate = "{place}/state"\n'
                       f'disabled_plugins = {json.dumps(self.DISABLED)}\n'
                       f'[grpc]\n  address = "{place}/c.sock"\n[ttrpc]\n  address = "{place}/t.sock"\n' + self.more_settings())
        self.log = open(f"{place}/log", "w")
        self.addCleanup(self.log.close)
        self.daemon = subprocess.Popen(["containerd", "-c", f"{place}/config.toml"], stdout=self.log, stderr=self.log)
        self.addCleanup(self.stop)
        self.base = ["ctr", "-a", f"{place}/c.sock", "-n", self.NAMESPACE]
        wait_for(lambda: self.ctr("version", check=False).returncode == 0, 20, "containerd")
        self.import_image(place)

    def stop(self):
        self.daemon.terminate()
        self.daemon.wait(20)
        with open("/proc/self/mounts") as mounts:
            left = [line.split()[1] for line in mounts if f"{self.dir}/c" in line]
        for mount in left:
            subprocess.call(["umount", "-l", mount])

    def ctr(self, *args, **kwargs):
        return self.command(self.base + list(args), **kwargs)

    def import_image(self, place):
        """An OCI layout of one layer, made by hand: there is no registry here."""
        blobs = f"{place}/layout/blobs/sha256"
        os.makedirs(blobs)

        def put(data):
            digest = hashlib.sha256(data).hexdigest()
            with open(f"{blobs}/{digest}", "wb") as file:
                file.write(data)
            return {"digest": f"sha256:{digest}", "size": len(data)}
        with open(self.rootfs_tar, "rb") as file:
            layer = put(file.read())
        config = put(json.dumps({"architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine], "os": "linux",
                                 "config": {"Cmd": ["sleep", "1000"], "Env": ["PATH=/bin"]},
                                 "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode())
        kind = "application/vnd.oci.image"
        manifest = put(json.dumps({"schemaVersion": 2, "mediaType": f"{kind}.manifest.v1+json",
                                   "config": {"mediaType": f"{kind}.config.v1+json", **config},
                                   "layers": [{"mediaType": f"{kind}.layer.v1.tar", **layer}]}).encode())
        with open(f"{place}/layout/index.json", "w") as file:
            json.dump({"schemaVersion": 2, "manifests": [{"mediaType": f"{kind}.manifest.v1+json", **manifest, "annotations":
                       {"io.containerd.image.name": self.IMAGE}}]}, file)
        with open(f"{place}/layout/oci-layout", "w") as file:
            file.write('{"imageLayoutVersion":"1.0.0"}')
        subprocess.check_call(["tar", "-C", f"{place}/layout", "-cf", f"{place}/image.tar", "."])
        self.ctr("images", "import", f"{place}/image.tar")


class ContainerdTasks(Containerd):
    def test_run_exec_metrics_pause_kill_and_delete(self):
        binary = ["--runc-binary", RUNTIME]
        self.assertEqual(self.ctr("run", "--rm", *binary, "local/bb:1", "one", "sh", "-c", "exit 3", check=False).returncode, 3)
        self.ctr("run", "-d", *binary, "local/bb:1", "two", "sleep", "1000")
        result = self.ctr("task", "exec", "--exec-id", "e", "two", "sh", "-c", "echo inside; exit 5", check=False)
        self.assertEqual((result.returncode, result.stdout), (5, "inside\n"))
        self.assertRegex(self.ctr("task", "metrics", "two").stdout, r"memory\.usage")
        self.ctr("task", "pause", "two")
        self.assertIn("PAUSED", self.ctr("task", "ls").stdout)
        self.ctr("task", "resume", "two")
        self.assertRegex(self.ctr("task", "ps", "two").stdout, r"\d+")
        self.ctr("task", "kill", "-s", "KILL", "two")
        wait_for(lambda: "STOPPED" in self.ctr("task", "ls").stdout)
        self.ctr("task", "rm", "two", check=False)  # reports the task's own code, 137
        self.ctr("containers", "rm", "two")
        self.assertNotIn("two", self.ctr("containers", "ls").stdout)


def has_grpc():
    """Of Debian's own Python: another one that comes first in PATH need not have it."""
    return subprocess.run(["/usr/bin/python3", "-c", "import grpc"], capture_output=True).returncode == 0


@unittest.skipUnless(has_grpc(), "SKIP: python3-grpcio is not installed")
class Kubernetes(Containerd):
    """Kubernetes' way in: the CRI plugin with our runtime as the handler of a RuntimeClass (docs/OPERATIONS.md)."""
    DISABLED = ["io.containerd.internal.v1.opt"]
    NAMESPACE = "k8s.io"
    IMAGE = "docker.io/local/bb:1"

    def more_settings(self):
        cri = 'plugins."io.containerd.grpc.v1.cri"'
        return (f'[{cri}]\n  sandbox_image = "{self.IMAGE}"\n  disable_apparmor = true\n  restrict_oom_score_adj = true\n'
                f'  stream_server_port = "0"\n[{cri}.containerd]\n  snapshotter = "native"\n  default_runtime_name = "skerry"\n'
                f'[{cri}.containerd.runtimes.skerry]\n  runtime_type = "io.containerd.runc.v2"\n'
                f'[{cri}.containerd.runtimes.skerry.options]\n  BinaryName = "{RUNTIME}"\n  Root = "{self.state}"\n'
                f'[{cri}.cni]\n  bin_dir = "{self.dir}/none"\n  conf_dir = "{self.dir}/none"\n')

    def test_a_pod_with_a_container(self):
        client = subprocess.Popen(["/usr/bin/python3", "-B", "cri_client.py", f"{self.dir}/c/c.sock", "skerry", self.IMAGE],
                                  cwd=os.path.dirname(os.path.abspath(__file__)), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = client.stdout.readline()
        if not line:
            self.fail(client.communicate()[1])
        seen = json.loads(line)
        self.assertEqual((seen["output"], seen["code"], seen["state"]), (["one", str(64 << 20)], 5, 1))
        # Both are ours.
        ids = subprocess.check_output([RUNTIME, "--root", f"{self.state}/k8s.io", "list", "-q"], text=True).split()
        self.assertEqual(sorted(ids), sorted([seen["sandbox"], seen["container"]]))
        _, errors = client.communicate("go on\n", timeout=60)
        self.assertEqual(client.returncode, 0, errors)
        self.assertEqual(subprocess.check_output([RUNTIME, "--root", f"{self.state}/k8s.io", "list", "-q"]), b"")


@unittest.skipUnless(shutil.which("dockerd") and shutil.which("docker"), "SKIP: docker.io is not installed")
class Docker(Client):
    """Docker's daemon in directories and a network namespace of its own, with our runtime beside its own."""

    def setUp(self):
        super().setUp()
        place = f"{self.dir}/d"
        os.mkdir(place)
        with open(f"{place}/daemon.json", "w") as file:
            json.dump({"runtimes": {"skerry": {"path": RUNTIME}}, "storage-driver": "vfs"}, file)
        self.log = open(f"{place}/log", "w")
        self.addCleanup(self.log.close)
        self.daemon = subprocess.Popen(
            ["unshare", "-n", "dockerd", "--config-file", f"{place}/daemon.json", "--data-root", f"{place}/data",
             "--exec-root", f"{place}/exec", "--host", f"unix://{place}/d.sock", "--pidfile", f"{place}/pid",
             "--iptables=false", "--ip6tables=false", "--bridge=none"], stdout=self.log, stderr=self.log)
        self.addCleanup(self.stop)
        self.base = ["docker", "--host", f"unix://{place}/d.sock"]
        wait_for(lambda: self.docker("version", check=False).returncode == 0, 30, "dockerd")
        self.docker("import", self.rootfs_tar, "bb")

    def stop(self):
        self.daemon.terminate()
        self.daemon.wait(30)
        with open("/proc/self/mounts") as mounts:
            left = [line.split()[1] for line in mounts if f"{self.dir}/d/" in line]
        for mount in left:
            subprocess.call(["umount", "-l", mount])

    def docker(self, *args, **kwargs):
        return self.command(self.base + list(args), **kwargs)

    def test_run_exec_update_pause_and_remove(self):
        run = ["run", "--runtime", "skerry", "--network", "none"]
        result = self.docker(*run, "--rm", "bb", "sh", "-c", "id -u; exit 3", check=False)
        self.assertEqual((result.returncode, result.stdout), (3, "0\n"))
        self.assertEqual(self.docker(*run, "--rm", "bb", "nonexistent", check=False).returncode, 127)
        self.docker(*run, "-d", "--name", "one", "--memory", "64m", "bb", "sleep", "1000")
        limit = ["exec", "one", "sh", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max "
                 "2>/dev/null; true"]
        self.assertEqual(self.docker(*limit).stdout, f"{64 << 20}\n")
        self.docker("update", "--memory", "32m", "--memory-swap", "32m", "one")
        self.assertEqual(self.docker(*limit).stdout, f"{32 << 20}\n")
        # An update of one thing leaves the others alone.
        self.docker("update", "--cpu-shares", "300", "one")
        self.assertEqual(self.docker(*limit).stdout, f"{32 << 20}\n")
        self.docker("pause", "one")
        self.assertEqual(self.docker("inspect", "-f", "{{.State.Status}}", "one").stdout, "paused\n")
        self.docker("unpause", "one")
        self.assertIn("sleep", self.docker("top", "one").stdout)
        self.docker("rm", "-f", "one")
        self.assertEqual(self.docker("ps", "-aq").stdout, "")


@unittest.skipUnless(shutil.which("buildah"), "buildah is not installed")
class Buildah(Client):
    def test_a_dockerfile_is_built_with_it(self):
        base = ["buildah", "--root", f"{self.dir}/storage", "--runroot", f"{self.dir}/run"]
        os.mkdir(f"{self.dir}/context")
        shutil.copy(self.rootfs_tar, f"{self.dir}/context/rootfs.tar")
        with open(f"{self.dir}/context/Dockerfile", "w") as file:
            file.write("FROM scratch\nADD rootfs.tar /\nENV PATH=/bin\nRUN echo built by $(id -u) > /result\nRUN cat /result\n")
        out = self.command(base + ["build", "--runtime", RUNTIME, "--runtime-flag", f"root={self.state}", "--isolation", "oci",
                                   "--network", "none", "--ulimit", "nofile=1024:1024", "-t", "made", f"{self.dir}/context"],
                           timeout=120).stdout
        self.assertIn("built by 0", out)


if __name__ == "__main__":
    ocitest.main()
