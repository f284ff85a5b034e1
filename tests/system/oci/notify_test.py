"""SCMP_ACT_NOTIFY: an agent gets the listener with the state of the container and decides about system calls."""

import errno
import fcntl
import json
import os
import select
import socket
import struct
import threading

import ocitest
from ocitest import wait_for

RECEIVE = 0xC0502100  # SECCOMP_IOCTL_NOTIF_RECV, struct seccomp_notif of 80 bytes
SEND = 0xC0182101     # SECCOMP_IOCTL_NOTIF_SEND, struct seccomp_notif_resp of 24 bytes


class Agent:
    """Answers every notification of every listener it is given with an error number, and remembers what it was told."""

    def __init__(self, path, answer):
        self.answer = answer
        self.states = []
        self.callers = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.end, self.ended = os.pipe()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        filters = []
        while True:
            ready, _, _ = select.select([self.listener, self.end, *filters], [], [])
            if self.end in ready:
                break
            for fd in ready:
                if fd is self.listener:
                    connection, _ = self.listener.accept()
                    with connection:
                        data, fds, _, _ = socket.recv_fds(connection, 65536, 4)
                    filters += fds
                    self.states.append(json.loads(data))
                elif not self.decide(fd):
                    filters.remove(fd)
                    os.close(fd)
        for fd in filters:
            os.close(fd)

    def decide(self, fd):
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        # Only the end of the last process with the filter: before Linux 6.11 RECEIVE would wait for ever then.
        if not any(events & select.POLLIN for _, events in poll.poll(0)):
            return False
        notification = bytearray(80)
        try:
            fcntl.ioctl(fd, RECEIVE, notification)
            call, caller = struct.unpack_from("QI", notification)
            self.callers.append(caller)
            fcntl.ioctl(fd, SEND, struct.pack("QqiI", call, 0, -self.answer, 0))
        except OSError as error:
            return error.errno in (errno.EINTR, errno.ENOENT)  # the caller was ended meanwhile
        return True

    def close(self):
        os.write(self.ended, b"x")
        self.thread.join()
        for fd in (self.end, self.ended):
            os.close(fd)
        self.listener.close()


class Notify(ocitest.OciTest):
    def setUp(self):
        super().setUp()
        self.path = f"{self.dir}/agent.sock"

    def agent(self, answer=errno.ENOSPC):
        agent = Agent(self.path, answer)
        self.addCleanup(agent.close)
        return agent

    def notifying(self, names=("mkdir", "mkdirat"), **more):
        def change(c):
            c["root"]["readonly"] = False
            c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": self.path,
                                     "listenerMetadata": "from the test",
                                     "syscalls": [{"names": list(names), "action": "SCMP_ACT_NOTIFY"}], **more}
        return change

    def test_run(self):
        agent = self.agent()
        out = self.sh("mkdir /tmp/x 2>&1; echo after", self.notifying())
        self.assertEqual(out, "mkdir: can't create directory '/tmp/x': No space left on device\nafter\n")
        state = agent.states[0]
        self.assertEqual((state["fds"], state["metadata"]), (["seccompFd"], "from the test"))
        self.assertEqual(state["state"]["id"], self.ids[-1])
        self.assertEqual(state["state"]["bundle"], f"{self.dir}/bundle")
        self.assertEqual(state["pid"], state["state"]["pid"])
        self.assertGreater(state["pid"], 0)

    def test_create_start_and_exec(self):
        agent = self.agent(errno.EDQUOT)
        name = self.create("sh", "-c", "mkdir /tmp/x 2>/dev/null || echo refused; exec sleep 1000", change=self.notifying())
        self.assertEqual(agent.states, [])
        self.run_oci("start", name)
        wait_for(lambda: self.output(name) == "refused\n")
        self.assertEqual(agent.states[0]["pid"], self.pid(name))
        self.assertEqual(agent.states[0]["state"]["status"], "created")
        out = self.run_oci("exec", name, "sh", "-c", "mkdir /tmp/y 2>/dev/null || echo refused").stdout
        self.assertEqual(out, "refused\n")
        self.assertEqual(agent.states[1]["state"]["status"], "running")
        self.assertNotEqual(agent.states[1]["pid"], self.pid(name))
        self.assertEqual(len(agent.callers), 2)

    def test_without_no_new_privileges(self):
        self.agent()

        def change(c):
            self.notifying()(c)
            c["process"]["noNewPrivileges"] = False
        self.assertIn("No space left", self.sh("mkdir /tmp/x 2>&1; true", change))

    def test_the_program_itself_can_be_judged(self):
        self.agent(errno.EPERM)
        name = self.name()
        self.configure(["true"], name, self.notifying(["execve"]))
        result = self.run_oci("run", "-b", f"{self.dir}/bundle", name, check=False)
        self.assertIn("Operation not permitted", result.stderr)

    def test_an_agent_that_is_not_there_is_an_error(self):
        self.assertIn("/linux/seccomp/listenerPath", self.refused(self.notifying()))
        name = self.create("sleep", "1000", change=self.notifying())
        self.assertIn("/linux/seccomp/listenerPath", self.run_oci("start", name, check=False).stderr)
        self.wait_stopped(name)
        keeper = self.start("sleep", "1000")
        self.assertEqual(self.run_oci("exec", keeper, "true").returncode, 0)

    def test_what_would_wait_for_itself_is_refused(self):
        self.agent()
        self.assertIn("/linux/seccomp/syscalls/0", self.refused(self.notifying(["sendmsg"])))
        self.assertIn("/linux/seccomp/defaultAction", self.refused(self.notifying(defaultAction="SCMP_ACT_NOTIFY")))
        self.assertIn("/linux/seccomp/listenerPath", self.refused(self.notifying(listenerPath="")))


if __name__ == "__main__":
    ocitest.main()
