#include "oci/dbus_connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/text.h"
#include "base/unix_socket.h"
#include "oci/outer_user.h"

namespace skerry::oci {
namespace {

constexpr std::chrono::seconds kAnswerTimeout{20};
constexpr const char* kSystemBus = "unix:path=/run/dbus/system_bus_socket";

std::string bus_address() {
  const bool root = !is_ordinary_user();
  const char* named = std::getenv(root ? "DBUS_SYSTEM_BUS_ADDRESS" : "DBUS_SESSION_BUS_ADDRESS");
  if (named != nullptr && *named != '\0') return named;
  if (root) return kSystemBus;
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  return cat("unix:path=", runtime != nullptr && *runtime != '\0' ? runtime : cat("/run/user/", outer_uid()), "/bus");
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

Result<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return fail(ErrorCode::kInvalidArgument, "bus address: a broken escape");
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// "org.freedesktop.systemd1.NoSuchUnit" and the text in the body.
Error error_of(const DbusMessage& message, const DbusCall& call) {
  Error error;
  error.code = ErrorCode::kRefused;
  if (message.error_name.ends_with(".NoSuchUnit")) error.code = ErrorCode::kNotFound;
  if (message.error_name.ends_with(".UnitExists")) error.code = ErrorCode::kAlreadyExists;
  if (message.error_name.ends_with(".AccessDenied") || message.error_name.ends_with("AuthorizationRequired")) {
    error.code = ErrorCode::kPermissionDenied;
  }
  if (message.error_name.ends_with(".ServiceUnknown")) error.code = ErrorCode::kUnavailable;
  const auto text = message.signature.starts_with('s') ? DbusReader(message.body).string() : Result<std::string>("");
  error.step = cat(call.member, ": ", text ? *text : "", " (", message.error_name, ")");
  return error;
}

}  // namespace

Result<std::string> dbus_socket_path(std::string_view address) {
  for (const auto entry : split(address, ';')) {
    if (!entry.starts_with("unix:")) continue;
    for (const auto pair : split(entry.substr(5), ',')) {
      if (pair.starts_with("path=")) return unescape(pair.substr(5));
    }
  }
  return fail(ErrorCode::kUnsupported, cat("bus address \"", address.substr(0, 128), "\": no unix socket with a path"));
}

Result<DbusConnection> DbusConnection::open() {
  const std::string path = TRY(dbus_socket_path(bus_address()));
  DbusConnection connection(TRY_IN("message bus", unix_connect(path)));
  connection.deadline_ = SystemClock().monotonic() + kAnswerTimeout;
  TRY_IN("message bus", connection.authenticate());
  TRY(connection.call({"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", "", ""}));
  return connection;
}

Status DbusConnection::authenticate() {
  // A zero byte with our credentials, the uid as hexadecimal digits of its decimal ones; "OK <guid>" is the answer.
  std::string line(1, '\0');
  line += cat("AUTH EXTERNAL ", to_hex(cat(outer_uid())), "\r\n");
  TRY(send(line));
  std::string answer;
  constexpr std::size_t kLongestAnswer = 512;
  while (!answer.ends_with("\r\n")) {
    answer += TRY(receive(1));
    if (answer.size() > kLongestAnswer) return fail(ErrorCode::kCorrupt, "no end to the answer to AUTH");
  }
  if (!answer.starts_with("OK ")) return fail(ErrorCode::kPermissionDenied, cat("refuses us: ", trim(answer)));
  return send("BEGIN\r\n");
}

Status DbusConnection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto put = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno("send to the message bus");
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Result<std::string> DbusConnection::receive(std::size_t size) {
  std::string out(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - SystemClock().monotonic());
    pollfd wait{socket_.get(), POLLIN, 0};
    const int ready = left.count() <= 0 ? 0 : ::poll(&wait, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return fail_errno("wait for the message bus");
    if (ready == 0) return fail(ErrorCode::kDeadlineExceeded, "the message bus does not answer");
    const auto got = ::recv(socket_.get(), out.data() + have, size - have, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("receive from the message bus");
    if (got == 0) return fail(ErrorCode::kUnavailable, "the message bus closed the connection");
    have += static_cast<std::size_t>(got);
  }
  return out;
}

Result<DbusMessage> DbusConnection::next_message() {
  std::string text = TRY(receive(kDbusFixedHeader));
  const std::size_t size = TRY(dbus_message_size(text));
  text += TRY(receive(size - kDbusFixedHeader));
  return parse_dbus_message(text);
}

Result<DbusMessage> DbusConnection::call(const DbusCall& call) {
  deadline_ = SystemClock().monotonic() + kAnswerTimeout;
  TRY_IN(call.member, send(encode_call(call, ++serial_)));
  for (;;) {
    auto message = TRY_IN(call.member, next_message());
    if (message.type == DbusType::kSignal) {
      signals_.push_back(std::move(message));
    } else if (message.reply_serial == serial_) {
      if (message.type == DbusType::kError) return fail(error_of(message, call));
      return message;
    }
  }
}

Result<DbusMessage> DbusConnection::wait_for_signal(std::string_view member) {
  deadline_ = SystemClock().monotonic() + kAnswerTimeout;
  for (;;) {
    while (!signals_.empty()) {
      auto message = std::move(signals_.front());
      signals_.pop_front();
      if (message.member == member) return message;
    }
    auto message = TRY_IN(member, next_message());
    if (message.type == DbusType::kSignal) signals_.push_back(std::move(message));
  }
}

}  // namespace skerry::oci
