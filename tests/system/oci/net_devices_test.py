"""linux.netDevices: interfaces of the host become the container's. The "host" is a network namespace of the test."""

import json
import os
import re
import subprocess
import uuid

import ocitest
from ocitest import RUNTIME


class NetDevices(ocitest.OciTest):
    def setUp(self):
        super().setUp()
        self.host = self.netns()
        for number in range(3):
            # One end of a pair each: the other ends stay.
            self.ip(self.host, "link", "add", f"v{number}", "type", "veth", "peer", "name", f"w{number}")
        self.ip(self.host, "link", "set", "v0", "mtu", "1400", "address", "02:00:00:00:00:07")
        self.ip(self.host, "addr", "add", "10.9.8.7/24", "brd", "+", "dev", "v0")
        self.ip(self.host, "-6", "addr", "add", "fd00::7/64", "dev", "v0", "nodad")
        # Runs out: not one of those that are kept.
        self.ip(self.host, "addr", "add", "10.9.9.9/24", "dev", "v0", "valid_lft", "1000", "preferred_lft", "1000")
        self.ip(self.host, "link", "set", "v0", "up")
        self.ip(self.host, "link", "set", "w0", "up")

    def netns(self):
        name = "skt-" + uuid.uuid4().hex[:8]
        subprocess.check_call(["ip", "netns", "add", name])
        self.addCleanup(subprocess.call, ["ip", "netns", "del", name])
        return f"/run/netns/{name}"

    @staticmethod
    def ip(netns, *words):
        # Not "ip netns exec": that hides /sys/fs/cgroup.
        return subprocess.check_output(["nsenter", f"--net={netns}", "ip", *words], text=True)

    def links(self, netns):
        return {link["ifname"] for link in json.loads(self.ip(netns, "-j", "link"))}

    def addresses(self, netns, link):
        found = json.loads(self.ip(netns, "-j", "addr", "show", "dev", link))[0]["addr_info"]
        return {address["local"] for address in found if address["scope"] == "global"}

    def run_in_host(self, args, devices, change=lambda c: None, verb="run"):
        def all_changes(config):
            config["linux"]["netDevices"] = devices
            change(config)
        name = self.name()
        self.configure(args, name, all_changes)
        with open(f"{self.dir}/out", "w+") as out:
            code = subprocess.call(["nsenter", f"--net={self.host}", RUNTIME, "--root", self.state, verb, "--bundle",
                                    f"{self.dir}/bundle", name], stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=subprocess.STDOUT, timeout=30)
            out.seek(0)
            return code, out.read(), name

    def test_a_device_comes_with_its_name_addresses_and_attributes_and_is_up(self):
        code, out, _ = self.run_in_host(["ip", "addr"], {"v0": {"name": "net0"}, "v1": {}, "v2": {"name": "eth%d"}})
        self.assertEqual(code, 0, out)
        parts = {part.split(":")[0].split("@")[0]: part for part in re.split(r"^\d+: ", out, flags=re.M) if part}
        self.assertEqual(set(parts), {"lo", "net0", "v1", "eth0"})
        net0 = parts["net0"]
        for expected in ("mtu 1400", "02:00:00:00:00:07", "inet 10.9.8.7/24", "brd 10.9.8.255", "inet6 fd00::7/64", ",UP"):
            self.assertIn(expected, net0)
        self.assertNotIn("10.9.9.9", net0)
        self.assertIn("UP", parts["v1"])
        self.assertIn("UP", parts["eth0"])
        # With the container's namespace the kernel ends a virtual device, and so its other end.
        ocitest.wait_for(lambda: self.links(self.host) == {"lo"}, what="the end of the devices")

    def test_traffic_passes(self):
        self.ip(self.host, "addr", "add", "10.9.8.1/24", "dev", "w0")
        code, out, name = self.run_in_host(["sleep", "1000"], {"v0": {}}, verb="create")
        self.assertEqual(code, 0, out)
        self.assertNotIn("v0", self.links(self.host))
        self.run_oci("start", name)
        subprocess.check_output(["nsenter", f"--net={self.host}", ocitest.busybox(), "ping", "-c", "1", "-W", "5", "10.9.8.7"])

    def test_in_a_namespace_that_stays_the_device_stays(self):
        shared = self.netns()

        def join(config):
            for entry in config["linux"]["namespaces"]:
                if entry["type"] == "network":
                    entry["path"] = shared
        code, out, _ = self.run_in_host(["ip", "link", "show", "moved"], {"v0": {"name": "moved"}}, join)
        self.assertEqual(code, 0, out)
        self.assertIn("moved", self.links(shared))
        self.assertEqual(self.addresses(shared, "moved"), {"10.9.8.7", "fd00::7"})

    def test_in_a_user_namespace(self):
        def user(config):
            config["linux"]["namespaces"].append({"type": "user"})
            config["linux"]["uidMappings"] = config["linux"]["gidMappings"] = [
                {"containerID": 0, "hostID": 100000, "size": 65536}]
        os.chmod(f"{self.dir}/bundle", 0o755)
        code, out, _ = self.run_in_host(["ip", "addr", "show", "dev", "net0"], {"v0": {"name": "net0"}}, user)
        self.assertEqual(code, 0, out)
        self.assertIn("10.9.8.7/24", out)

    def refused_here(self, devices, change=lambda c: None, args=("true",)):
        code, out, _ = self.run_in_host(list(args), devices, change)
        self.assertNotEqual(code, 0)
        self.assertEqual(self.run_oci("list", "-q").stdout, "")
        # Everything is back where it was, as it was.
        self.assertEqual(self.links(self.host), {"lo", *(f"{end}{n}" for end in "vw" for n in range(3))})
        self.assertLessEqual({"10.9.8.7", "fd00::7"}, self.addresses(self.host, "v0"))
        self.assertIn("UP", json.loads(self.ip(self.host, "-j", "link", "show", "v0"))[0]["flags"])
        return out

    def test_what_cannot_be_is_refused_and_nothing_is_lost(self):
        self.assertIn("/linux/netDevices/v0: the container has an interface lo", self.refused_here({"v0": {"name": "lo"}}))
        self.assertIn("/linux/netDevices/zz: the host has no such interface", self.refused_here({"v0": {}, "zz": {}}))
        self.assertIn("/linux/netDevices", self.refused_here({"v0": {}}, lambda c: c["linux"].update(
            namespaces=[n for n in c["linux"]["namespaces"] if n["type"] != "network"])))
        for bad in ("a/b", "a b", "..", "%x", "a%d%d", "sixteen-letters-"):
            self.assertIn("/linux/netDevices/v0/name", self.refused_here({"v0": {"name": bad}}))
        # Moved already when the creation fails: given back.
        self.assertIn("nonexistent", self.refused_here({"v0": {"name": "net0"}}, args=("/nonexistent",)))
        self.assertIn("hooks", self.refused_here({"v0": {}}, lambda c: c.update(
            hooks={"createRuntime": [{"path": "/bin/false"}]})))


if __name__ == "__main__":
    ocitest.main()
