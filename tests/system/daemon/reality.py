"""What skerryd says and stores, beside what is really there: processes, mounts, control groups, network, rules, files."""

import collections
import hashlib
import json
import os
import re
import sqlite3
import subprocess

import skerry_host

ALIVE = ("running", "paused")
AT_REST = {"running", "paused", "stopped", "failed", "created", "suspended"}
# What exists, by the events that make it and take it away.
EVENTS = {"environments": (("container.created", "vm.created"), ("container.deleted", "vm.deleted")),
          "deployments": (("deployment.created",), ("deployment.deleted",)),
          "plugins": (("plugin.installed",), ("plugin.removed",)),
          "snapshots": (("snapshot.created",), ("snapshot.removed",))}


def lines_of(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()


def listed(path):
    return sorted(os.listdir(path)) if os.path.isdir(path) else []


def listing(host, what):
    status, text, _ = host.ask("GET", f"/api/v1/{what}?limit=1000")
    assert status == 200, text
    return json.loads(text)


class Reality:
    """One look; `differences` is empty when all of it agrees."""

    def __init__(self, host):
        self.host = host
        self.differences = []
        self.documents = listing(host, "environments")
        self.ids = {each["id"] for each in self.documents}
        self.alive = {each["id"] for each in self.documents if each["state"] in ALIVE}
        for each in self.documents:
            if each["state"] not in AT_REST or each["goal"] == "deleted":
                self.differences.append(f"{each['name']} is {each['state']}, wanted {each['goal']}")
        for look in (self.database, self.processes, self.mounts, self.control_groups, self.network, self.services,
                     self.directories, self.images, self.events):
            look()

    def listing(self, what):
        return listing(self.host, what)

    def same(self, what, said, there):
        if said != there:
            self.differences.append(f"{what}: said {said}, there {there}")

    def database(self):
        with sqlite3.connect(f"file:{self.host.place}/state/skerry.db?mode=ro", uri=True) as database:
            def rows(query):
                return sorted(database.execute(query).fetchall())
            self.same("addresses", sorted((each["ip"], each["id"]) for each in self.documents),
                      rows("SELECT ip, vm_id FROM ip_leases"))
            self.same("stored", sorted((each["id"], each["state"]) for each in self.documents),
                      rows("SELECT id, state FROM environments"))
            self.told = collections.Counter(row[0] for row in rows("SELECT type FROM events"))
        database.close()

    def processes(self):
        keepers = collections.Counter()
        for _, words in skerry_host.processes(self.host.place):
            name = os.path.basename(words[0])
            if name == "skerry-keeper":
                found = re.search(r"/run/environments/([0-9a-f]+)", " ".join(words))
                keepers[found.group(1) if found else "?"] += 1
            elif not name.startswith("qemu-system"):
                self.differences.append(f"a process {' '.join(words)}")
        self.same("keepers", dict.fromkeys(sorted(self.alive), 1), dict(sorted(keepers.items())))
        for each in self.documents:
            if each["state"] in ALIVE and not os.path.exists(f"/proc/{each['pid']}"):
                self.differences.append(f"{each['name']} is {each['state']}, its process {each['pid']} is not there")

    def mounts(self):
        with open("/proc/self/mounts") as mounts:
            places = [line.split()[1] for line in mounts]
        found = {match.group(1) for place in places
                 if (match := re.match(re.escape(self.host.place) + r"/run/environments/([0-9a-f]+)/", place))}
        self.same("mounts of", [], sorted(found - self.alive))

    def control_groups(self):
        found = set()
        for folder, names, _ in os.walk("/sys/fs/cgroup"):
            if os.path.basename(folder) == self.host.environment["SKERRY_CGROUP_PARENT"]:
                found.update(names)
                names.clear()
        self.same("control groups", sorted(self.alive), sorted(found))

    def network(self):
        """A port on a bridge for each that runs."""
        links = json.loads("".join(lines_of("ip", "-j", "link")))
        ports = [each["ifname"] for each in links if "master" in each]
        self.same("ports", len(self.alive), len(ports))

    def services(self):
        wanted = {each["service"]["address"] for each in self.listing("deployments") if each.get("service")}
        rules = "\n".join(lines_of("nft", "list", "ruleset"))
        for address in re.findall(r"192\.168\.229\.(?:[2-9]|[1-9]\d)\b(?!\d)", rules):
            if address not in wanted:
                self.differences.append(f"a rule for {address}, which is no service's")
        for address in wanted:
            if address not in rules:
                self.differences.append(f"no rule for the service {address}")

    def directories(self):
        state, run = f"{self.host.place}/state", f"{self.host.place}/run"
        self.same("state directories of nobody", [], sorted(set(listed(f"{state}/environments")) - self.ids))
        self.same("run directories", sorted(self.alive), listed(f"{run}/environments"))
        saved = {each for each in self.ids if os.path.exists(f"{state}/environments/{each}/suspended/machine")}
        self.same("with their memory on disk", sorted(each["id"] for each in self.documents if each["state"] == "suspended"),
                  sorted(saved))
        self.same("snapshots", sorted(each["name"] for each in self.listing("snapshots")),
                  listed(f"{state}/snapshots"))
        self.same("work in progress", [], listed(f"{state}/images/staging"))
        for folder, names, files in os.walk(state):
            if folder.endswith(("/rootfs", "/layers", "/upper")):
                names.clear()
                files = []
            for name in names + files:
                if name.startswith("tmp-") or ".tmp" in name:
                    self.differences.append(f"unfinished: {folder}/{name}")

    def images(self):
        """Every blob is of an image, and every image has its blobs, unharmed."""
        place = f"{self.host.place}/state/images"
        reached = set()

        def read(digest):
            reached.add(digest.removeprefix("sha256:"))
            with open(f"{place}/blobs/sha256/{digest.removeprefix('sha256:')}", "rb") as file:
                data = file.read()
            self.same("digest", digest, "sha256:" + hashlib.sha256(data).hexdigest())
            return data

        with open(f"{place}/index.json") as index:
            manifests = [each["digest"] for each in json.load(index)["manifests"]]
        for digest in manifests:
            manifest = json.loads(read(digest))
            for blob in (manifest["config"], *manifest["layers"]):
                read(blob["digest"])
        self.same("blobs", sorted(reached), listed(f"{place}/blobs/sha256"))
        self.same("images", sorted(set(manifests)), sorted({each["digest"] for each in self.listing("images")}))

    def events(self):
        there = {"environments": len(self.documents), "deployments": len(self.listing("deployments")),
                 "plugins": len(self.listing("plugins")),
                 "snapshots": len(self.listing("snapshots"))}
        for what, (made, gone) in EVENTS.items():
            told = sum(self.told[each] for each in made) - sum(self.told[each] for each in gone)
            self.same(f"events of {what}", there[what], told)
