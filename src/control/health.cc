#include "control/health.h"

#include <poll.h>

#include <algorithm>
#include <array>

#include "base/frame.h"
#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "control/deadline.h"
#include "control/probe.h"
#include "core/guest_probe.h"

namespace skerry {
namespace {

constexpr unsigned kAskers = 4;
constexpr Duration kLookAnyway = std::chrono::seconds(5);

Duration ms(std::uint32_t value) { return std::chrono::milliseconds(value); }

// The next frame, as read_frame() gives it, but not later than `deadline`.
Result<std::optional<Frame>> next_frame(int socket, FrameParser& parser, const Deadline& deadline) {
  while (true) {
    if (deadline.passed()) return fail(ErrorCode::kDeadlineExceeded, "no answer in time");  // also of one that babbles
    if (auto frame = TRY(parser.next())) return frame;
    TRY(deadline.await(socket, POLLIN));
    std::array<char, 4096> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    const auto got = TRY(sys::read(socket, buffer.data(), buffer.size()));
    if (got == 0) return std::nullopt;
    parser.feed(std::string_view(buffer.data(), got));
  }
}

// Runs the check's command inside; its exit code is the answer. One that takes too long is hung up on: the end of the
// conversation ends its process.
Status probe_exec(Controller& controller, const Environment& environment) {
  const auto& check = *environment.spec.health_check;
  const Deadline deadline(ms(check.timeout_ms));
  ExecSpec exec;
  exec.argv = check.command;
  const auto conversation = TRY(controller.exec(environment.spec.name, exec));
  FrameParser parser;
  while (true) {
    const auto frame = TRY(next_frame(conversation.socket.get(), parser, deadline));
    if (!frame) return fail(ErrorCode::kUnavailable, "the check was cut off");
    if (frame->session != conversation.session || frame->kind != FrameKind::kExit) continue;
    const auto code = TRY(decode_u32(frame->payload));
    if (code != 0) return fail(ErrorCode::kUnavailable, cat("exit code ", code));
    return {};
  }
}

}  // namespace

HealthMonitor::HealthMonitor(Controller& controller, EventFeed& feed, Clock& clock)
    : controller_(controller), clock_(clock), askers_(kAskers) {
  subscription_ = feed.subscribe([this](std::uint64_t) {
    {
      const std::lock_guard lock(mutex_);
      dirty_ = true;
    }
    wake_.notify_one();
  });
  thread_ = std::thread([this] { run(); });
}

HealthMonitor::~HealthMonitor() {
  subscription_ = {};
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  askers_.stop();
}

void HealthMonitor::run() {
  while (true) {
    const Duration patience = ask_due();
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, patience, [this] { return dirty_ || stopping_; });
    if (stopping_) return;
    dirty_ = false;
  }
}

Duration HealthMonitor::ask_due() {
  std::set<std::string> living;
  Duration patience = kLookAnyway;
  const MonoTime now = clock_.monotonic();
  for (const auto& view : controller_.views()) {
    const Environment& environment = *view;
    if (!environment.spec.health_check || environment.status.state != State::kRunning) continue;
    if (guest_probes(environment.spec)) continue;  // guest_events.h hears of it
    living.insert(environment.id);
    const std::lock_guard lock(mutex_);
    auto& watch = watches_[environment.id];
    if (watch.incarnation != environment.status.incarnation) watch = {environment.status.incarnation, now, 0, false};
    if (watch.asking) continue;
    if (watch.due <= now) {
      watch.asking = true;
      askers_.post([this, view] { ask(*view); });
    } else {
      patience = std::min(patience, watch.due - now);
    }
  }
  const std::lock_guard lock(mutex_);
  std::erase_if(watches_, [&](const auto& each) { return !living.contains(each.first) && !each.second.asking; });
  return patience;
}

Status HealthMonitor::probe(const Environment& environment) {
  const auto& check = *environment.spec.health_check;
  if (check.probe == HealthCheck::Probe::kExec) return probe_exec(controller_, environment);
  // A path is below where the workload serves.
  const bool is_path = check.endpoint.starts_with('/');
  std::string base = is_path ? environment.spec.base_url : std::string();
  while (base.ends_with('/')) base.pop_back();
  const auto target = TRY(parse_probe_endpoint(environment.ip, base + check.endpoint));
  return check.probe == HealthCheck::Probe::kHttp ? probe_http(target, ms(check.timeout_ms))
                                                  : probe_tcp(target, ms(check.timeout_ms));
}

void HealthMonitor::ask(const Environment& environment) {
  record(environment, probe(environment));
  {
    const std::lock_guard lock(mutex_);
    dirty_ = true;
  }
  wake_.notify_one();
}

void HealthMonitor::record(const Environment& environment, const Status& answer) {
  const auto& check = *environment.spec.health_check;
  Health health = Health::kUnknown;
  {
    const std::lock_guard lock(mutex_);
    auto& watch = watches_[environment.id];
    watch.asking = false;
    // Until it has answered once it may just be starting: ask sooner, but let failures count as they are.
    watch.due = clock_.monotonic() + (answer || watch.failures >= check.retries
                                          ? ms(check.interval_ms)
                                          : std::min(ms(check.interval_ms), Duration(std::chrono::seconds(1))));
    watch.failures = answer ? 0 : watch.failures + 1;
    if (answer) health = Health::kHealthy;
    if (watch.failures >= check.retries) health = Health::kUnhealthy;
  }
  if (health == Health::kUnknown || health == environment.status.health) return;
  controller_.report_health(environment.id, environment.status.incarnation, health,
                            answer ? std::string() : answer.error().message());
}

}  // namespace skerry
