#include "agent/dial_session.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <tuple>
#include <utility>

#include "base/sys_file.h"
#include "base/text.h"
#include "wire/agent_protocol.h"

namespace skerry::agent {
namespace {

Result<Fd> connect_to(int family, const sockaddr* address, socklen_t size) {
  Fd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("socket");
  if (::connect(socket.get(), address, size) < 0 && errno != EINPROGRESS) return fail_errno("connect");
  return socket;
}

}  // namespace

Result<DialAddress> parse_dial_address(std::string_view text) {
  DialAddress address;
  if (text.starts_with("unix:/")) {
    address.path = text.substr(5);
    if (address.path.size() >= sizeof sockaddr_un{}.sun_path) {
      return fail(ErrorCode::kInvalidArgument, cat("dial ", text.substr(0, 128), ": the path is too long"));
    }
    return address;
  }
  const auto colon = text.rfind(':');
  if (!text.starts_with("tcp:") || colon <= 4) {
    return fail(ErrorCode::kInvalidArgument, cat("dial \"", text.substr(0, 128), "\""),
                "tcp:ADDRESS:PORT or unix:/PATH");
  }
  address.host = text.substr(4, colon - 4);
  in_addr parsed{};
  if (::inet_pton(AF_INET, address.host.c_str(), &parsed) != 1) {
    return fail(ErrorCode::kInvalidArgument, cat("dial: \"", address.host.substr(0, 64), "\" is not an IPv4 address"));
  }
  address.port = TRY(parse_int<std::uint16_t>(text.substr(colon + 1), "dial: port"));
  return address;
}

Result<Fd> start_connect(const DialAddress& address) {
  if (!address.path.empty()) {
    sockaddr_un peer{};
    peer.sun_family = AF_UNIX;
    std::memcpy(peer.sun_path, address.path.c_str(), address.path.size() + 1);
    return connect_to(AF_UNIX, reinterpret_cast<const sockaddr*>(&peer), sizeof peer);
  }
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(address.port);
  ::inet_pton(AF_INET, address.host.c_str(), &peer.sin_addr);
  return connect_to(AF_INET, reinterpret_cast<const sockaddr*>(&peer), sizeof peer);
}

Result<std::unique_ptr<DialSession>> DialSession::open(EventLoop& loop, Channel& channel, std::uint32_t number,
                                                       const std::string& address, std::function<void(int)> ended) {
  const DialAddress parsed = TRY(parse_dial_address(address));
  Fd connecting = TRY_IN(cat("dial ", address), start_connect(parsed));
  std::unique_ptr<DialSession> session(new DialSession(loop, channel, number, std::move(connecting), std::move(ended)));
  TRY(loop.watch(session->connecting_.get(), EPOLLOUT, [raw = session.get()](std::uint32_t) { raw->connected(); }));
  return session;
}

DialSession::DialSession(EventLoop& loop, Channel& channel, std::uint32_t number, Fd connecting,
                         std::function<void(int)> ended)
    : loop_(loop), channel_(channel), number_(number), connecting_(std::move(connecting)), ended_(std::move(ended)) {}

DialSession::~DialSession() {
  if (connecting_) loop_.forget(connecting_.get());
}

void DialSession::connected() {
  loop_.forget(connecting_.get());
  wire::AgentResponse response;
  int err = 0;
  socklen_t size = sizeof err;
  ::getsockopt(connecting_.get(), SOL_SOCKET, SO_ERROR, &err, &size);
  auto other = err == 0 ? sys::dup(connecting_.get()) : fail(Error::from_errno(err, "dial"));
  if (!other) {
    response.error = other.error();
    response.error->code = ErrorCode::kUnavailable;
    connecting_.reset();
  }
  channel_.send(FrameKind::kResponse, number_, wire::encode_response(response));
  if (!other) return end(1);
  input_ = std::make_unique<InputPump>(loop_, channel_, std::move(*other), number_);
  output_ = std::make_unique<OutputPump>(loop_, channel_, std::exchange(connecting_, Fd()), FrameKind::kStdout, number_,
                                         [this] { end(0); });
}

void DialSession::end(int code) {
  if (const auto ended = std::exchange(ended_, nullptr)) ended(code);
}

void DialSession::on_frame(const Frame& frame) {
  if (!input_) {
    if (frame.kind == FrameKind::kClose) end(1);
    return;  // nothing may be sent before the response
  }
  switch (frame.kind) {
    case FrameKind::kStdin:
      if (!input_->write(frame.payload)) end(1);
      break;
    case FrameKind::kStdinEof: input_->finish([](int fd) { ::shutdown(fd, SHUT_WR); }); break;
    case FrameKind::kPause:
    case FrameKind::kResume: output_->pause(frame.kind == FrameKind::kPause); break;
    case FrameKind::kClose: end(0); break;
    default: break;
  }
}

void DialSession::on_room() {
  if (output_) output_->on_room();
}

}  // namespace skerry::agent
