"""What lies beyond the test's host: another network namespace with a web server, which knows the way back to every
environment, so that whatever is let out can be answered."""

import os
import subprocess
import tempfile

HOST, BEYOND = "10.99.0.1", "10.99.0.2"
PAGE = "from outside\n"


class Outside:
    """Serves PAGE on these ports of BEYOND until close()."""

    def __init__(self, *ports):
        self.place = tempfile.mkdtemp(prefix="skerry-outside.")
        with open(f"{self.place}/index.html", "w", encoding="utf-8") as page:
            page.write(PAGE)
        self.processes = [subprocess.Popen(["unshare", "--net", "sleep", "86400"])]
        self.wait_for_namespace()
        pid = str(self.processes[0].pid)
        self.run("ip", "link", "add", "out0", "type", "veth", "peer", "name", "out1", "netns", pid)
        self.run("ip", "address", "add", f"{HOST}/24", "dev", "out0")
        self.run("ip", "link", "set", "out0", "up")
        self.inside("ip", "link", "set", "lo", "up")
        self.inside("ip", "address", "add", f"{BEYOND}/24", "dev", "out1")
        self.inside("ip", "link", "set", "out1", "up")
        self.inside("ip", "route", "add", "192.168.0.0/16", "via", HOST)
        for port in ports:
            self.processes.append(subprocess.Popen(["nsenter", "-t", pid, "-n", "busybox", "httpd", "-f", "-p", str(port),
                                                    "-h", self.place]))

    def wait_for_namespace(self):
        ours = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.processes[0].pid}/ns/net") == ours:
            pass

    @staticmethod
    def run(*words):
        return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout

    def inside(self, *words):
        return self.run("nsenter", "-t", str(self.processes[0].pid), "-n", *words)

    def fetches(self, address, port):
        done = subprocess.run(["nsenter", "-t", str(self.processes[0].pid), "-n", "busybox", "timeout", "3", "busybox", "wget", "-q", "-O", "-",
                               f"http://{address}:{port}/index.html"], stdout=subprocess.PIPE, text=True, check=False)
        return done.stdout

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        subprocess.run(["ip", "link", "delete", "out0"], check=False, stderr=subprocess.DEVNULL)
        os.unlink(f"{self.place}/index.html")
        os.rmdir(self.place)
