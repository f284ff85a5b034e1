#!/usr/bin/env python3
"""What a user waits for: `skerry run --rm` of a static `true` against podman with the same image. run_bench.py OUT.json

Interleaved runs, medians. Skerry's container always has its network; podman's is measured without and, where its network
back end works on this host, with one.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/system/daemon"))
import skerry_host  # noqa: E402
from rows import row  # noqa: E402

RUNS = 15


def timed(command, **options):
    begin = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr.decode(errors='replace')}")
    return (time.monotonic() - begin) * 1000


def measure(host, image):
    podman = ["podman", "--root", f"{host.place}/podman", "--runroot", f"{host.place}/podman-run", "--cgroup-manager",
              "cgroupfs", "--events-backend", "none", "--storage-driver", "overlay", "--runtime", "crun"]
    subprocess.run([*podman, "pull", "--quiet", "--tls-verify=false", image], stdout=subprocess.DEVNULL, check=True)
    ours = [f"{host.programs}/skerry", "run", "--rm", image, "--", "/bin/true"]
    theirs = [*podman, "run", "--rm", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--network", "none", image, "/bin/true"]
    try:
        timed(theirs)
    except RuntimeError as error:
        print(f"run_bench: podman with crun cannot run here, taking runc: {error}", file=sys.stderr)
        podman[-1] = "runc"
        theirs = [*podman, "run", "--rm", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--network", "none", image, "/bin/true"]
        timed(theirs)
    timed(ours, env=host.environment)
    pairs = [(timed(ours, env=host.environment), timed(theirs)) for _ in range(RUNS)]
    mine, peer = (statistics.median(column) for column in zip(*pairs))
    return row("run.container.podman-without-network", mine, peer, "ms", 0.12)


def main():
    skerry_host.enter_network_namespace()
    programs = os.environ.get("SKERRY_BIN_DIR", str(ROOT / "build/bin"))
    host = skerry_host.Host(programs, SKERRY_LOG_LEVEL="warning")
    try:
        host.start()
        image = host.registry.add("bench/busybox", skerry_host.busybox_image())
        host.skerry("images", "pull", image)
        rows = [measure(host, image)]
    finally:
        host.close()
    pathlib.Path(sys.argv[1]).write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
