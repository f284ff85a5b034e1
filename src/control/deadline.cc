#include "control/deadline.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

namespace skerry {

Status Deadline::await(int fd, short events) const {
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - SystemClock().monotonic()).count();
    pollfd poll_fd{fd, events, 0};
    const int ready = left > 0 ? ::poll(&poll_fd, 1, static_cast<int>(std::min<std::int64_t>(left, 1'000'000))) : 0;
    if (ready > 0) return {};
    if (ready == 0) return fail(ErrorCode::kDeadlineExceeded, "no answer in time");
    if (errno != EINTR) return fail_errno("poll");
  }
}

}  // namespace skerry
