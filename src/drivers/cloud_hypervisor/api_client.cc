#include "drivers/cloud_hypervisor/api_client.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"

namespace skerry::cloud_hypervisor {

Result<ApiClient> ApiClient::connect(const std::string& socket_path) {
  return ApiClient(TRY_IN("reach Cloud Hypervisor", unix_connect(socket_path)));
}

Status ApiClient::receive_some(MonoTime deadline) {
  std::array<char, 16384> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
  while (true) {
    const auto left_ms = (deadline - SystemClock().monotonic()).count() / 1'000'000;
    if (left_ms <= 0) return fail(ErrorCode::kDeadlineExceeded, "no answer in time");
    pollfd ready{socket_.get(), POLLIN, 0};
    const int count = ::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left_ms, 1'000'000)));
    if (count < 0 && errno != EINTR) return fail_errno("poll");
    if (count <= 0) continue;
    const auto got = ::recv(socket_.get(), chunk.data(), chunk.size(), 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) return fail(ErrorCode::kUnavailable, "the VMM is gone");
    buffer_.append(chunk.data(), static_cast<std::size_t>(got));
    return {};
  }
}

Result<HttpAnswer> ApiClient::receive(MonoTime deadline) {
  while (true) {
    const auto size = TRY(http_answer_size(buffer_));
    if (size.value_or(buffer_.size()) > kMostAnswerBytes) {
      return fail(ErrorCode::kResourceExhausted, cat("the answer is longer than ", kMostAnswerBytes, " bytes"));
    }
    if (size && buffer_.size() >= *size) {
      auto answer = parse_http_answer(std::string_view(buffer_).substr(0, *size));
      buffer_.erase(0, *size);
      return answer;
    }
    TRY(receive_some(deadline));
  }
}

Result<std::string> ApiClient::call(const ApiRequest& request, Duration timeout, const std::vector<int>& fds) {
  const MonoTime deadline = SystemClock().monotonic() + timeout;
  const std::string text = http_text(request);
  if (fds.empty()) {
    TRY_IN(request.endpoint, sys::write_all(socket_.get(), text));
  } else {
    TRY_IN(request.endpoint, send_with_fds(socket_.get(), text, fds));
  }
  return check_answer(request, TRY_IN(request.endpoint, receive(deadline)));
}

}  // namespace skerry::cloud_hypervisor
