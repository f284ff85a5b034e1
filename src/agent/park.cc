// Parked: between the parts of a boot that every environment of an image shares and those that are its own.
#include <poll.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>

#include "agent/boot.h"
#include "agent/guest_network.h"
#include "agent/identity.h"
#include "agent/rehearse.h"
#include "base/clock.h"
#include "base/file_io.h"
#include "base/frame.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::agent {
namespace {

// Blocking reads and writes on the non-blocking port.
class ParkedPort {
 public:
  explicit ParkedPort(int fd) : fd_(fd) {}

  Result<Frame> receive() {
    std::array<char, 16384> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    while (true) {
      if (auto frame = TRY(parser_.next())) return std::move(*frame);
      await(POLLIN);
      const ssize_t got = ::read(fd_, buffer.data(), buffer.size());
      if (got > 0) parser_.feed({buffer.data(), static_cast<std::size_t>(got)});
      if (got < 0 && errno != EAGAIN && errno != EINTR) return fail_errno("read the agent's port");
      if (got == 0) rest();  // the host is not connected
    }
  }

  Status send(FrameKind kind, std::uint32_t session, std::string_view payload) {
    const std::string frame = encode_frame(kind, session, payload);
    std::size_t sent = 0;
    while (sent < frame.size()) {
      const ssize_t put = ::write(fd_, frame.data() + sent, frame.size() - sent);
      if (put > 0) sent += static_cast<std::size_t>(put);
      if (put < 0 && errno != EAGAIN && errno != EINTR) return fail_errno("write the agent's port");
      if (put <= 0) await(POLLOUT);
    }
    return {};
  }

 private:
  void await(short events) const {
    pollfd ready{fd_, events, 0};
    // A hang-up comes at once, again and again, until the host connects.
    if (::poll(&ready, 1, -1) > 0 && (ready.revents & events) == 0) rest();
  }
  static void rest() {
    const timespec pause{0, 1'000'000};
    ::nanosleep(&pause, nullptr);
  }

  int fd_;
  FrameParser parser_;
};

// Nothing here may be one guest's own: no boot id (it is drawn when first read), no host name.
wire::AgentHello parked_hello() {
  wire::AgentHello hello;
  utsname names{};
  ::uname(&names);
  hello.agent_version = SKERRY_VERSION;
  hello.kernel_release = names.release;
  hello.uptime_ms = SystemClock().monotonic().ns / 1'000'000;
  hello.workload = "parked";
  return hello;
}

// Accepts the document, or says what is wrong with it.
Result<wire::BootDocument> accept_document(const wire::AgentRequest& request) {
  auto document = TRY(wire::decode_boot_document(request.document));
  if (document.park || document.root.mode != wire::RootMode::kDisk || !document.root.overlay) {
    return fail(ErrorCode::kInvalidArgument, "a parked guest boots from its disk, with a writable layer");
  }
  TRY(reseed_random(request.identity.random_seed));
  TRY(set_wall_clock(request.identity.wall_clock_ns));
  if (!request.identity.new_mac.empty()) TRY(change_mac({}, request.identity.new_mac));
  return document;
}

// What else a parked guest does. It can rehearse when it has entered its root.
Status before_boot(const wire::AgentRequest& request, bool entered) {
  if (request.op == wire::AgentOp::kPing) return {};
  if (request.op == wire::AgentOp::kRehearse && entered) return rehearse(request);
  return fail(ErrorCode::kConflict, cat("the guest is parked: it does not take \"", wire::to_text(request.op), "\""));
}

}  // namespace

Result<Unparked> await_document(const wire::GuestRoot& root) {
  Unparked unparked;
  if (root.overlay) {
    unparked.layer = TRY(enter_root_disk(root));
  } else {
    TRY(mount_root_disk());
  }
  unparked.warnings = prepare_shared();
  unparked.port = TRY(open_agent_port());
  ::sync();  // a fork has nothing to write that is not its own
  ParkedPort port(unparked.port.get());
  TRY(port.send(FrameKind::kReady, 0, wire::encode_hello(parked_hello())));
  while (true) {
    const Frame frame = TRY(port.receive());
    if (frame.kind != FrameKind::kRequest) continue;
    wire::AgentResponse response;
    const auto request = wire::decode_request(frame.payload);
    if (request && request->op != wire::AgentOp::kBoot) {
      if (const auto done = before_boot(*request, root.overlay); !done) response.error = done.error();
      TRY(port.send(FrameKind::kResponse, frame.session, wire::encode_response(response)));
      continue;
    }
    auto document = request ? accept_document(*request) : fail(Error(request.error()));
    if (!document) response.error = document.error();
    TRY(port.send(FrameKind::kResponse, frame.session, wire::encode_response(response)));
    if (!document) continue;
    unparked.document = std::move(*document);
    return unparked;
  }
}

}  // namespace skerry::agent
