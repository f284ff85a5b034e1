#include "oci_microvm/supervisor.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "oci/terminal.h"
#include "oci_microvm/stdio_relay.h"

namespace skerry::oci_microvm {
namespace {

constexpr int kConversationFd = 3;
constexpr int kFailed = 125;

Result<int> supervise_or_fail(const std::vector<std::string>& words) {
  if (words.size() != 2) return fail(ErrorCode::kInvalidArgument, "supervise: SESSION and tty or pipe are expected");
  const PassedSignals signals;
  Conversation conversation;
  conversation.session = TRY(parse_int<std::uint32_t>(words[0], "session"));
  TRY(sys::set_cloexec(kConversationFd, true));
  conversation.socket = Fd(kConversationFd);
  const bool terminal = words[1] == "tty";
  // Ours, so that we hear of its size.
  if (terminal && ::ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0) return fail_errno("take the terminal");
  return relay_stdio(conversation, terminal ? Terminal::kYes : Terminal::kNo, signals);
}

}  // namespace

Result<Child> spawn_supervisor(const Conversation& conversation, bool terminal,
                               const std::optional<oci::ConsoleSize>& size, const std::string& console_socket) {
  SpawnSpec spec;
  spec.program = "/proc/self/exe";
  spec.argv = {"skerry-oci-microvm", kSupervise, cat(conversation.session), terminal ? "tty" : "pipe"};
  spec.env.emplace();
  spec.working_directory = "/";
  spec.session = SpawnSpec::Session::kNew;
  oci::Terminal console;
  if (terminal) {
    const Fd root = TRY(sys::open("/", O_RDONLY | O_DIRECTORY));
    console = TRY(oci::make_terminal(root.get(), size, 0));
    for (int fd = 0; fd < 3; ++fd) spec.fds.push_back({console.slave.get(), fd});
  } else {
    for (int fd = 0; fd < 3; ++fd) spec.fds.push_back({fd, fd});
  }
  spec.fds.push_back({conversation.socket.get(), kConversationFd});
  Child child = TRY_IN("supervise", Child::spawn(spec));
  if (terminal) {
    const Fd socket = TRY_IN("console socket", unix_connect(console_socket));
    TRY(oci::send_master(socket.get(), console));
  }
  return child;
}

int supervise(const std::vector<std::string>& words) {
  const auto code = supervise_or_fail(words);
  if (code) return *code;
  std::fprintf(stderr, "skerry-oci-microvm: %s\n", code.error().message().c_str());
  return kFailed;
}

}  // namespace skerry::oci_microvm
