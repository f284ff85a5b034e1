// What a VMM that was taken over would try, run in its place or beside it in its jail. Each attempt is one line,
// "name result": "done", or the error's name. The arguments are what it attacks.
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

void tell(const char* name, bool succeeded) {
  std::printf("%s %s\n", name, succeeded ? "done" : strerrorname_np(errno));
}

void try_call(const char* name, long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
  tell(name, ::syscall(number, a, b, c, d, e) >= 0);
}

long as_long(const void* pointer) { return reinterpret_cast<long>(pointer); }

void try_open(const char* name, const char* path, int flags) {
  const int fd = ::open(path, flags | O_CLOEXEC, 0600);
  tell(name, fd >= 0);
  if (fd >= 0) ::close(fd);
}

void try_connect(const char* name, int family, const void* address, socklen_t size) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  tell(name, fd >= 0 && ::connect(fd, static_cast<const sockaddr*>(address), size) == 0);
  if (fd >= 0) ::close(fd);
}

void try_unix(const char* name, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // "@name" is in the abstract namespace.
  path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  if (path.front() == '@') address.sun_path[0] = '\0';
  try_connect(name, AF_UNIX, &address,
              static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (path.front() == '@' ? 0 : 1)));
}

void other_vms(const char* disk, const char* socket, const char* abstract_socket) {
  try_open("open-disk", disk, O_RDONLY);
  try_unix("connect-socket", socket);
  try_unix("connect-abstract", abstract_socket);
}

// Whatever other process could be meant by a number: of the host, or of this jail.
void processes(const char* host_pid) {
  const auto other = static_cast<pid_t>(std::atol(host_pid));
  tell("signal", ::kill(other, 0) == 0);
  tell("ptrace", ::ptrace(PTRACE_SEIZE, other, nullptr, nullptr) == 0);
  char byte = 0;
  iovec here{&byte, 1};
  iovec there{&byte, 1};
  tell("read-memory", ::process_vm_readv(other, &here, 1, &there, 1, 0) >= 0);
  int seen = 0;
  for (pid_t pid = 1; pid < 100'000; ++pid) seen += ::kill(pid, 0) == 0 || (errno == EPERM && pid > 64) ? 1 : 0;
  // With an allow-list that has no kill(2) every answer is EPERM.
  const bool refused = ::kill(::getpid(), 0) < 0;
  std::printf("processes %d\n", refused ? 0 : seen);
}

void network() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(80);
  address.sin_addr.s_addr = htonl(0xC0A87F01);  // the bridge of the default zone
  try_connect("internet", AF_INET, &address, sizeof address);
  tell("packet", ::socket(AF_PACKET, SOCK_RAW, 0) >= 0);
  tell("netlink", ::socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
  tell("vsock", ::socket(AF_VSOCK, SOCK_STREAM, 0) >= 0);
}

void writes() {
  try_open("write-root", "/probe-was-here", O_WRONLY | O_CREAT);
  try_open("write-usr", "/usr/probe-was-here", O_WRONLY | O_CREAT);
  try_open("write-dev", "/dev/probe-was-here", O_WRONLY | O_CREAT);
  try_open("write-kernel", "/vm/kernel", O_WRONLY);
  try_open("write-proc", "/proc/sys/kernel/core_pattern", O_WRONLY);
  try_open("read-kallsyms", "/proc/kcore", O_RDONLY);
  try_open("leave-by-cwd", "../../../../../../etc/shadow", O_RDONLY);
  try_call("mknod", SYS_mknod, as_long("/dev/disk"), S_IFBLK | 0600, 0x800);
}

void privileges() {
  try_call("setuid", SYS_setuid, 0);
  try_call("mount", SYS_mount, as_long("none"), as_long("/vm"), as_long("tmpfs"), 0, 0);
  try_call("chroot", SYS_chroot, as_long("/vm"));
  try_call("bpf", SYS_bpf, 0, 0, 0);
  try_call("perf", SYS_perf_event_open, 0, 0, -1, -1, 0);
  try_call("keyring", SYS_keyctl, 0, -3, 1);
  try_call("module", SYS_init_module, 0, 0, as_long(""));
  try_call("kexec", SYS_kexec_load, 0, 0, 0, 0);
  try_call("userfaultfd", SYS_userfaultfd, 0);
  try_call("io_uring", SYS_io_uring_setup, 0, 0);
  try_call("reboot", SYS_reboot, 0, 0, 0);
  // Last: in a namespace of its own it has capabilities, over nothing.
  try_call("user-namespace", SYS_unshare, CLONE_NEWUSER);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  other_vms(argv[1], argv[2], argv[3]);
  processes(argv[4]);
  network();
  writes();
  privileges();
  std::printf("end\n");
  return 0;
}
