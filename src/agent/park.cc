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
#include "base/clock.h"
#include "base/file_io.h"
#include "base/frame.h"
#include "base/sys_file.h"

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
Result<std::string> accept_document(const wire::AgentRequest& request) {
  if (request.op != wire::AgentOp::kBoot) {
    return fail(ErrorCode::kConflict, "the guest is parked: it only takes \"boot\" and \"ping\"");
  }
  const auto document = TRY(wire::decode_boot_document(request.document));
  if (document.park || document.root.mode != wire::RootMode::kDisk || !document.root.overlay) {
    return fail(ErrorCode::kInvalidArgument, "a parked guest boots from its disk, with a writable layer");
  }
  TRY(reseed_random(request.identity.random_seed));
  TRY(set_wall_clock(request.identity.wall_clock_ns));
  if (!request.identity.new_mac.empty()) TRY(change_mac({}, request.identity.new_mac));
  return request.document;
}

Result<Fd> document_file(const std::string& json) {
  Fd file = TRY(sys::memfd("boot-document"));
  TRY(sys::write_all(file.get(), json));
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno("lseek");
  return file;
}

}  // namespace

Status await_document(Handover& handover) {
  TRY(mount_root_disk());
  handover.port = TRY(open_agent_port());
  ParkedPort port(handover.port.get());
  TRY(port.send(FrameKind::kReady, 0, wire::encode_hello(parked_hello())));
  while (true) {
    const Frame frame = TRY(port.receive());
    if (frame.kind != FrameKind::kRequest) continue;
    const auto request = wire::decode_request(frame.payload);
    const bool ping = request && request->op == wire::AgentOp::kPing;
    const auto document = !request ? Result<std::string>(fail(Error(request.error())))
                          : ping   ? Result<std::string>("")
                                   : accept_document(*request);
    wire::AgentResponse response;
    if (!document) response.error = document.error();
    TRY(port.send(FrameKind::kResponse, frame.session, wire::encode_response(response)));
    if (!document || ping) continue;
    handover.document = TRY(document_file(*document));
    return {};
  }
}

Result<wire::BootDocument> read_document_file(const Handover& handover) {
  const std::string json = TRY(sys::read_to_end(handover.document.get(), wire::kMaxAgentJson));
  return wire::decode_boot_document(json);
}

}  // namespace skerry::agent
