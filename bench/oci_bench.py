#!/usr/bin/env python3
"""skerry-oci beside crun, runc and bubblewrap: starting, joining, memory, throughput, many living containers.

oci_bench.py OUT.json. Needs root. All runtimes get the same bundle (five new namespaces, a small static program) and a
state directory on tmpfs, and take turns within one run, so that what else the machine does hits them alike; a row shows
the medians. crun 1.8.1 does not run on hybrid cgroup hosts, so everything runs in a mount namespace of its own
where /sys/fs/cgroup is the unified hierarchy alone.
"""
import concurrent.futures
import json
import os
import resource
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import time

from rows import row, rows, take_turns

ROUNDS = int(os.environ.get("SKERRY_BENCH_RUNS", "60"))
OURS = os.path.join(os.environ.get("SKERRY_BIN_DIR", "build/bin"), "skerry-oci")
PROGRAM = """
#include <unistd.h>
int main(int argc, char **argv) { if (argc > 1) pause(); return 0; }
"""


def enter_unified():
    """Starts this script again in a mount namespace with a pure v2 /sys/fs/cgroup, unless it has one."""
    if os.path.exists("/sys/fs/cgroup/cgroup.controllers") or os.environ.get("SKERRY_BENCH_V2"):
        return
    script = "umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && exec \"$@\""
    os.environ["SKERRY_BENCH_V2"] = "1"
    os.execvp("unshare", ["unshare", "-m", "sh", "-c", script, "sh", sys.executable] + sys.argv)


class Bench:
    def __init__(self, place):
        self.place = place
        self.bundle = f"{place}/bundle"
        os.makedirs(f"{self.bundle}/rootfs/bin")
        for directory in ("proc", "sys", "dev", "tmp"):
            os.mkdir(f"{self.bundle}/rootfs/{directory}")
        with open(f"{place}/program.c", "w") as file:
            file.write(PROGRAM)
        subprocess.check_call(["gcc", "-O2", "-static", "-o", f"{self.bundle}/rootfs/bin/true", f"{place}/program.c"])
        self.plain = json.loads(subprocess.check_output([OURS, "spec"]))
        self.plain["process"].update(terminal=False, args=["/bin/true"])
        # The spec version crun 1.8 and runc 1.1 know; no device list: crun wants CAP_SYS_RESOURCE for its filter.
        self.plain["ociVersion"] = "1.0.2"
        self.plain["linux"]["resources"] = {}
        self.plain["linux"]["namespaces"] = [n for n in self.plain["linux"]["namespaces"] if n["type"] != "cgroup"]
        self.plain["mounts"] = [m for m in self.plain["mounts"] if m["type"] != "cgroup"]
        self.filter = self.plain["linux"].pop("seccomp")
        self.runtimes = {name: path for name, path in
                         (("ours", OURS), ("crun", shutil.which("crun")), ("runc", shutil.which("runc"))) if path}
        self.bwrap = shutil.which("bwrap")
        self.count = 0

    def configure(self, seccomp=False, args=("/bin/true",)):
        config = json.loads(json.dumps(self.plain))
        config["process"]["args"] = list(args)
        if seccomp:
            config["linux"]["seccomp"] = self.filter
        with open(f"{self.bundle}/config.json", "w") as file:
            json.dump(config, file)

    def command(self, runtime, *args):
        return [self.runtimes[runtime], "--root", f"{self.place}/{runtime}", *args]

    def name(self):
        self.count += 1
        return f"bench-{os.getpid()}-{self.count}"

    def run_once(self, runtime):
        subprocess.run(self.command(runtime, "run", "--bundle", self.bundle, self.name()), check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def run_bwrap(self, options=(), fds=()):
        subprocess.run([self.bwrap, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--bind",
                        f"{self.bundle}/rootfs", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/dev/shm",
                        *options, "/bin/true"], check=True, pass_fds=fds, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)

    def same_as_ours(self):
        """What bubblewrap needs to be told to confine as the configuration does: mounts, masks, capabilities."""
        linux = self.plain["linux"]
        options = ["--mqueue", "/dev/mqueue", "--ro-bind", "/sys", "/sys", "--hostname", "bench", "--cap-drop", "ALL"]
        for capability in self.plain["process"]["capabilities"]["effective"]:
            options += ["--cap-add", capability]
        for path in filter(os.path.exists, linux["readonlyPaths"]):
            options += ["--ro-bind", path, path]
        for path in filter(os.path.exists, linux["maskedPaths"]):
            options += ["--tmpfs", path, "--remount-ro", path] if os.path.isdir(path) else ["--ro-bind", "/dev/null", path]
        return [*options, "--remount-ro", "/"]

    def compiled_filter(self):
        """The filter our runtime has compiled and kept, as the bare program bubblewrap takes."""
        self.run_once("ours")
        cache = f"{self.place}/ours/.seccomp"
        with open(f"{cache}/{os.listdir(cache)[0]}", "rb") as file:
            content = file.read()
        key_bytes = struct.unpack_from("=III", content)[1]
        return content[12 + key_bytes:]

    def create(self, runtime):
        name = self.name()
        with open(os.devnull, "r+b") as null:
            for verb in (["create", "--bundle", self.bundle], ["start"]):
                subprocess.run(self.command(runtime, *verb, name), check=True, stdin=null, stdout=null)
        return name

    def live(self, runtime):
        name = self.create(runtime)
        # The process is not our child: its end shows as the end of its pidfd.
        state = json.loads(subprocess.check_output(self.command(runtime, "state", name)))
        if state["status"] != "stopped":
            try:
                pidfd = os.pidfd_open(state["pid"])
                select.select([pidfd], [], [])
                os.close(pidfd)
            except ProcessLookupError:
                pass
        subprocess.run(self.command(runtime, "delete", name), check=True)

    def delete(self, runtime, name):
        subprocess.run(self.command(runtime, "delete", "--force", name), check=True)


def start_rows(bench):
    actions = {name: (lambda name=name: bench.run_once(name)) for name in bench.runtimes}
    made = []
    for seccomp in (False, True):
        bench.configure(seccomp=seccomp)
        peers = dict(actions)
        program = b""
        if bench.bwrap:
            same = bench.same_as_ours()
            program = bench.compiled_filter() if seccomp else b""
            # "bwrap": as few mounts as it runs with; "bwrap-same": confined as our container is.
            peers["bwrap"] = bench.run_bwrap
            peers["bwrap-same"] = lambda same=same, program=program: run_filtered(bench, same, program)
        label = "" if seccomp else ".no-seccomp"
        made += rows(f"oci.run{label}", take_turns(peers, ROUNDS), "ms", {"crun": 0.6, "bwrap": 1.2, "bwrap-same": 1.2})
    return made


def run_filtered(bench, options, program):
    if not program:
        bench.run_bwrap(options)
        return
    with tempfile.TemporaryFile(dir=bench.place) as file:
        file.write(program)
        file.flush()
        file.seek(0)
        bench.run_bwrap([*options, "--seccomp", str(file.fileno())], (file.fileno(),))


def life_rows(bench):
    """The four commands an engine gives one after the other: create, start, (wait), delete."""
    bench.configure(seccomp=True)
    actions = {name: (lambda name=name: bench.live(name)) for name in bench.runtimes}
    return rows("oci.life", take_turns(actions, ROUNDS // 2), "ms", {"crun": 0.6}, note="create, start, wait, delete")


def cpu_rows(bench, rounds=40):
    """What a run costs the machine: user and system time of the runtime and all it started. Hardly changed by other load."""
    bench.configure(seccomp=False)
    actions = {name: (lambda name=name: bench.run_once(name)) for name in bench.runtimes}
    if bench.bwrap:
        actions["bwrap"] = bench.run_bwrap
    return rows("oci.processor-time", processor_times(actions, rounds), "ms", {})


def processor_times(actions, rounds):
    spent = dict.fromkeys(actions, 0.0)
    for _ in range(rounds):
        for name, action in actions.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            action()
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent[name] += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {name: each * 1000 / rounds for name, each in spent.items()}


def exec_rows(bench):
    bench.configure(seccomp=True, args=("/bin/true", "wait"))
    names = {runtime: bench.create(runtime) for runtime in bench.runtimes}
    actions = {runtime: (lambda r=runtime, n=name: subprocess.run(bench.command(r, "exec", n, "/bin/true"), check=True))
               for runtime, name in names.items()}
    try:
        return rows("oci.exec", take_turns(actions, 40), "ms", {"crun": 0.6})
    finally:
        for runtime, name in names.items():
            bench.delete(runtime, name)


def memory_rows(bench):
    bench.configure(seccomp=True)
    peaks = {}
    for runtime in bench.runtimes:
        # The first run with a profile compiles its filter, which ours keeps: 3.1 MiB once.
        bench.run_once(runtime)
        # A small parent of its own: the peak a child starts with is that of the process it was forked from.
        script = 'import resource,subprocess,sys; subprocess.run(sys.argv[1:], check=True); ' \
                 'print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)'
        out = subprocess.check_output(["/usr/bin/time", "-f", "%M", *bench.command(
            runtime, "run", "--bundle", bench.bundle, bench.name())], stderr=subprocess.STDOUT) \
            if os.path.exists("/usr/bin/time") else subprocess.check_output(
                [sys.executable, "-S", "-c", script, *bench.command(runtime, "run", "--bundle", bench.bundle, bench.name())])
        peaks[runtime] = int(out.split()[-1]) / 1024
    limit = row("oci.memory.limit", peaks["ours"], 2.0, "MiB", 1.0, note="peak resident set of a run; at most 2 MiB")
    return [*rows("oci.memory", peaks, "MiB", {"crun": 0.6}), limit]


def throughput_rows(bench, total=int(os.environ.get("SKERRY_BENCH_TOTAL", "1000")), parallel=8):
    bench.configure(seccomp=True)
    seconds = {}
    for runtime in bench.runtimes:
        begin = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
            list(pool.map(lambda _, r=runtime: bench.run_once(r), range(total)))
        seconds[runtime] = total / (time.perf_counter() - begin)
    return rows("oci.throughput", seconds, "1/s", {"crun": 1.5}, "higher", f"{total} containers, {parallel} at a time")


def many_rows(bench, living=int(os.environ.get("SKERRY_BENCH_LIVING", "1000"))):
    """Starting one while none, and while many, live."""
    bench.configure(seccomp=True)
    action = {"ours": lambda: bench.run_once("ours")}
    few, few_cpu = take_turns(action, 30)["ours"], processor_times(action, 30)["ours"]
    bench.configure(seccomp=True, args=("/bin/true", "wait"))
    names = []
    try:
        for _ in range(living):
            names.append(bench.create("ours"))
        bench.configure(seccomp=True)
        many, many_cpu = take_turns(action, 30)["ours"], processor_times(action, 30)["ours"]
    finally:
        for name in names:
            bench.delete("ours", name)
    note = f"beside {living} living containers, against alone"
    return [row("oci.run.beside-many", many, few, "ms", 1.2, note=note),
            row("oci.run.beside-many.processor-time", many_cpu, few_cpu, "ms", 1.2, note=note)]


def syscall_rows(bench):
    bench.configure(seccomp=True)
    counts = {}
    for runtime in bench.runtimes:
        log = f"{bench.place}/trace"
        if shutil.which("strace") is None:
            return []
        subprocess.run(["strace", "-f", "-o", log, *bench.command(runtime, "run", "--bundle", bench.bundle, bench.name())],
                       check=True, stderr=subprocess.DEVNULL)
        with open(log, errors="replace") as file:
            counts[runtime] = sum(1 for line in file if "(" in line and "resumed>" not in line)
    return rows("oci.system-calls", counts, "calls", {})


def main():
    enter_unified()
    place = tempfile.mkdtemp(prefix="skerry-oci-bench-", dir="/dev/shm")
    try:
        bench = Bench(place)
        parts = (start_rows, life_rows, cpu_rows, exec_rows, memory_rows, throughput_rows, many_rows, syscall_rows)
        with open(sys.argv[1], "w") as file:
            json.dump([each for part in parts for each in part(bench)], file, indent=1)
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
