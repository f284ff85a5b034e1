#!/usr/bin/env python3
"""What a user waits for: `skerry run --rm` of a static `true` against podman with the same image. run_bench.py OUT.json

Interleaved runs, medians. Both keep what belongs to a run on tmpfs, as /run is. Skerry's container always has its
network; podman's is measured without and, where its network back end works on this host, with one. What Skerry cleans up
after its answer is over before podman's turn begins: it costs Skerry's next run, not podman's.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/system/daemon"))
import skerry_host  # noqa: E402
from rows import row, take_turns  # noqa: E402

RUNS = int(os.environ.get("SKERRY_BENCH_RUNS", "21"))
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]


def succeed(command, **options):
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr.decode(errors='replace')}")


class Podman:
    def __init__(self, place, tmpfs, image):
        self.image = image
        self.runtime = "crun"
        self.base = ["podman", "--root", f"{place}/podman", "--runroot", f"{tmpfs}/podman", "--cgroup-manager", "cgroupfs",
                     "--events-backend", "none", "--storage-driver", "overlay"]
        succeed([*self.base, "pull", "--quiet", "--tls-verify=false", image])
        if not self.works("none"):
            self.runtime = "runc"  # crun 1.8 refuses hybrid cgroup hosts

    def run(self, network):
        succeed([*self.base, "--runtime", self.runtime, "run", "--rm", *LIMITS, "--network", network, self.image, "/bin/true"])

    def works(self, network):
        try:
            self.run(network)
            return True
        except RuntimeError as error:
            print(f"run_bench: podman with {self.runtime}, network {network}: {error}", file=sys.stderr)
            return False


def measure(host, image, tmpfs):
    podman = Podman(host.place, tmpfs, image)
    networks = [name for name in ("none", "bridge") if podman.works(name)]
    ours = [f"{host.programs}/skerry", "run", "--rm", image, "--", "/bin/true"]
    settled = lambda: skerry_host.eventually(lambda: not os.listdir(f"{tmpfs}/run/environments"), "all cleaned up")

    # The first action of a turn is preceded by nothing of Skerry's that still goes on.
    actions = {"ours": lambda: succeed(ours, env=host.environment), "settled": settled,
               **{name: (lambda name=name: podman.run(name)) for name in networks}}
    medians = take_turns(actions, RUNS)
    note = f"podman with {podman.runtime}; Skerry's remains are gone {medians['settled']:.1f} ms after its answer"
    words = {"none": "without", "bridge": "with"}
    return [row(f"run.container.podman-{words[name]}-network", medians["ours"], medians[name], "ms", 0.12, note=note)
            for name in networks]


def main():
    skerry_host.enter_network_namespace()
    programs = os.environ.get("SKERRY_BIN_DIR", str(ROOT / "build/bin"))
    tmpfs = tempfile.mkdtemp(prefix="skerry-bench.", dir="/dev/shm")
    host = skerry_host.Host(programs, SKERRY_LOG_LEVEL="warning", SKERRY_RUN_DIR=f"{tmpfs}/run")
    try:
        host.start()
        image = host.registry.add("bench/busybox", skerry_host.busybox_image())
        host.skerry("images", "pull", image)
        rows = measure(host, image, tmpfs)
        # Podman's bridge and tables are in this network namespace and go with it.
        subprocess.run(["ip", "link", "del", "cni-podman0"], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["nft", "flush", "ruleset"], check=True)
    finally:
        host.close()
        shutil.rmtree(tmpfs, ignore_errors=True)
    pathlib.Path(sys.argv[1]).write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
