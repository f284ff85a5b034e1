#include "oci_microvm/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/sys_namespace.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "oci/terminal.h"
#include "oci_microvm/stdio_relay.h"

namespace skerry::oci_microvm {
namespace {

constexpr int kConversationFd = 3;
constexpr int kReadyFd = 4;
constexpr int kFailed = 125;
constexpr int kReadyTimeoutMs = 10'000;
constexpr const char* kHold = "hold";

// The namespaces are there already (SpawnSpec::namespaces), but for the network's.
Status take_place(const Surroundings& surroundings) {
  if (!surroundings.network_namespace.empty()) {
    const Fd netns = TRY_IN("network namespace", sys::open(surroundings.network_namespace, O_RDONLY));
    TRY_IN("network namespace", sys::setns(netns.get(), CLONE_NEWNET));
  }
  const std::string& root = surroundings.rootfs;
  TRY(sys::mount("", "/", "", MS_REC | MS_PRIVATE));
  TRY(sys::mount(root, root, "", MS_BIND | MS_REC));
  if (::chdir(root.c_str()) < 0) return fail_errno(cat("chdir ", root));
  TRY(sys::pivot_root_here());
  TRY(sys::umount(".", MNT_DETACH));
  if (::chdir("/") < 0) return fail_errno("chdir /");
  TRY(sys::write_all(kReadyFd, "+"));
  ::close(kReadyFd);
  return {};
}

// Until the other end is closed.
Result<int> hold() {
  char byte = 0;
  while (TRY(sys::read(kConversationFd, &byte, 1)) > 0) {
  }
  return 0;
}

Result<int> supervise_or_fail(const std::vector<std::string>& words) {
  if (words.size() != 4) {
    return fail(ErrorCode::kInvalidArgument, "supervise: tty, pipe or hold, SESSION, ROOTFS and NETNS are expected");
  }
  const PassedSignals signals;
  const std::string& mode = words[0];
  Conversation conversation;
  conversation.session = TRY(parse_int<std::uint32_t>(words[1], "session"));
  TRY(sys::set_cloexec(kConversationFd, true));
  TRY(take_place({words[2], words[3]}));
  if (mode == kHold) return hold();
  conversation.socket = Fd(kConversationFd);
  const bool terminal = mode == "tty";
  // Ours, so that we hear of its size.
  if (terminal && ::ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0) return fail_errno("take the terminal");
  return relay_stdio(conversation, terminal ? Terminal::kYes : Terminal::kNo, signals);
}

SpawnSpec spec_of(const char* mode, std::uint32_t session, const Surroundings& surroundings) {
  SpawnSpec spec;
  spec.program = "/proc/self/exe";
  spec.argv = {"skerry-oci-microvm", kSupervise,          mode,
               cat(session),         surroundings.rootfs, surroundings.network_namespace};
  spec.env.emplace();
  spec.working_directory = "/";
  spec.session = SpawnSpec::Session::kNew;
  spec.namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
  if (surroundings.network_namespace.empty()) spec.namespaces |= CLONE_NEWNET;
  return spec;
}

// The child, once it stands in its surroundings: before that nobody may hear of its pid.
Result<Child> spawn_in_place(SpawnSpec spec) {
  auto ready = TRY(sys::pipe());
  spec.fds.push_back({ready.write_end.get(), kReadyFd});
  Child child = TRY_IN("supervise", Child::spawn(spec));
  ready.write_end.reset();
  pollfd watched{ready.read_end.get(), POLLIN, 0};
  const int seen = ::poll(&watched, 1, kReadyTimeoutMs);
  char byte = 0;
  if (seen == 1 && TRY(sys::read(ready.read_end.get(), &byte, 1)) == 1) return child;
  static_cast<void>(child.signal(SIGKILL));
  static_cast<void>(child.wait());
  return fail(ErrorCode::kInternal, "supervise: the supervisor did not get to its place");
}

}  // namespace

Surroundings surroundings_of(const oci::Spec& spec, const std::string& rootfs) {
  const auto& all = spec.linux_part.namespaces;
  const auto network = std::ranges::find(all, "network", &oci::Namespace::type);
  return {rootfs, network == all.end() ? std::string() : network->path};
}

Result<Child> spawn_supervisor(const Conversation& conversation, bool terminal,
                               const std::optional<oci::ConsoleSize>& size, const std::string& console_socket,
                               const Surroundings& surroundings) {
  SpawnSpec spec = spec_of(terminal ? "tty" : "pipe", conversation.session, surroundings);
  oci::Terminal console;
  if (terminal) {
    const Fd root = TRY(sys::open("/", O_RDONLY | O_DIRECTORY));
    console = TRY(oci::make_terminal(root.get(), size, 0));
    for (int fd = 0; fd < 3; ++fd) spec.fds.push_back({console.slave.get(), fd});
  } else {
    for (int fd = 0; fd < 3; ++fd) spec.fds.push_back({fd, fd});
  }
  spec.fds.push_back({conversation.socket.get(), kConversationFd});
  Child child = TRY(spawn_in_place(std::move(spec)));
  if (terminal) {
    const Fd socket = TRY_IN("console socket", unix_connect(console_socket));
    TRY(oci::send_master(socket.get(), console));
  }
  return child;
}

Result<Holder> spawn_holder(const Surroundings& surroundings) {
  SpawnSpec spec = spec_of(kHold, 0, surroundings);
  auto line = TRY(sys::pipe());
  spec.fds.push_back({line.read_end.get(), kConversationFd});
  spec.fds.push_back({STDERR_FILENO, STDERR_FILENO});
  return Holder{TRY(spawn_in_place(std::move(spec))), std::move(line.write_end)};
}

int supervise(const std::vector<std::string>& words) {
  const auto code = supervise_or_fail(words);
  if (code) return *code;
  std::fprintf(stderr, "skerry-oci-microvm: %s\n", code.error().message().c_str());
  return kFailed;
}

}  // namespace skerry::oci_microvm
