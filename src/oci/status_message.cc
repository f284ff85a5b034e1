#include "oci/status_message.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/process.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "oci/final_exec.h"

namespace skerry::oci {
namespace {

constexpr std::size_t kMaxText = 4096;

Status send_message(int socket, const StatusHeader& header, std::string_view text) {
  std::string message(reinterpret_cast<const char*>(&header), sizeof header);
  message += text.substr(0, kMaxText);
  // No SIGPIPE: a runtime that is gone is noticed by the caller.
  if (::send(socket, message.data(), message.size(), MSG_NOSIGNAL) < 0) return fail_errno("send status");
  return {};
}

Error hook_failure(const StatusMessage& message) {
  HookReport report;
  std::memcpy(&report, message.text.data(), std::min(sizeof report, message.text.size()));
  const auto output = trim(std::string_view(message.text).substr(std::min(sizeof report, message.text.size())));
  const std::string place = cat("/hooks/startContainer/", report.index);
  Error error;
  if (message.header.value == ETIMEDOUT) {
    error.code = ErrorCode::kDeadlineExceeded;
    error.step = cat(place, ": not done in its time");
  } else if (message.header.value != 0) {
    error = Error::from_errno(message.header.value, place);
  } else {
    ExitStatus ended;
    if (WIFEXITED(report.wait_status)) {
      ended.code = WEXITSTATUS(report.wait_status);
    } else {
      ended.signal = WTERMSIG(report.wait_status);
    }
    error.code = ErrorCode::kIo;
    error.step = cat(place, ": ", ended.describe(), ", output: ", output);
  }
  return error;
}

}  // namespace

Status send_status(int socket, StatusKind kind, std::int32_t value) {
  return send_message(socket, {kind, value, 0}, {});
}

void send_failure(int socket, const Error& error) {
  std::string text(1, static_cast<char>(error.code));
  text += error.step;
  text += '\0';
  text += error.hint;
  (void)send_message(socket, {StatusKind::kFailed, error.sys_errno, 0}, text);
}

Result<std::optional<StatusMessage>> receive_status(int socket) {
  auto got = receive_with_fds(socket, sizeof(StatusHeader) + kMaxText);
  // A process that ends before it has read our byte resets the connection; that is told first, and once. What it said
  // before is still there.
  if (!got && got.error().sys_errno == ECONNRESET) {
    got = receive_with_fds(socket, sizeof(StatusHeader) + kMaxText);
    if (got && got->data.empty())
      return fail(ErrorCode::kIo, "the container's first process ended before it was started");
  }
  if (!got) return fail(std::move(std::move(got).error()).in("receive status"));
  if (got->data.empty()) return std::nullopt;
  if (got->data.size() < sizeof(StatusHeader)) return fail(ErrorCode::kInternal, "short status message");
  StatusMessage out;
  std::memcpy(&out.header, got->data.data(), sizeof out.header);
  out.text = got->data.substr(sizeof out.header);
  if (!got->fds.empty()) out.listener = std::move(got->fds.front());
  return out;
}

Status await_status(int socket, MonoTime deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SystemClock().monotonic());
    if (left.count() <= 0) return fail(ErrorCode::kDeadlineExceeded, "the process did not begin in time");
    pollfd ready{socket, POLLIN, 0};
    const int found = ::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    if (found > 0) return {};
    if (found < 0 && errno != EINTR) return fail_errno("poll");
  }
}

Error failure_of(const StatusMessage& message, const std::string& program) {
  if (static_cast<FinalStep>(message.header.step) == FinalStep::kHook) return hook_failure(message);
  if (message.text.empty()) {
    const auto step = static_cast<FinalStep>(message.header.step);
    const bool exec = step == FinalStep::kExec;
    Error error = Error::from_errno(message.header.value,
                                    exec ? cat("exec \"", program, "\"") : std::string(final_step_name(step)));
    if (exec) {
      error.code = message.header.value == ENOENT ? ErrorCode::kCommandNotFound : ErrorCode::kNotExecutable;
      if (message.header.value == ENOENT) error.step += ": executable file not found (or its interpreter)";
      if (message.header.value == EACCES) error.step += ": permission denied";
    }
    return error;
  }
  const auto zero = message.text.find('\0', 1);
  Error error;
  error.code = static_cast<ErrorCode>(message.text.front());
  error.sys_errno = message.header.value;
  error.step = message.text.substr(1, zero == std::string::npos ? zero : zero - 1);
  if (zero != std::string::npos) error.hint = message.text.substr(zero + 1);
  return error;
}

bool is_abandoned(int socket) {
  pollfd end{socket, 0, 0};
  return ::poll(&end, 1, 0) > 0 && (end.revents & (POLLHUP | POLLERR)) != 0;
}

Status send_go(int socket, std::string_view text) {
  const std::string message = cat("g", text.substr(0, kMaxText));
  if (::send(socket, message.data(), message.size(), MSG_NOSIGNAL) < 0) return fail_errno("let the container go on");
  return {};
}

Result<std::string> await_go(int socket) {
  std::array<char, kMaxText + 1> buffer{};
  ssize_t got = 0;
  do {
    got = ::recv(socket, buffer.data(), buffer.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return fail_errno("wait for the runtime");
  if (got == 0) return fail(ErrorCode::kCancelled, "the runtime went away");
  return std::string(buffer.data() + 1, static_cast<std::size_t>(got) - 1);
}

}  // namespace skerry::oci
