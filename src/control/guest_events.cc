#include "control/guest_events.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <set>

#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "wire/agent_protocol.h"

namespace skerry {
namespace {

// A guest that could not be reached, or a feed that was missed.
constexpr Duration kLookAgain = std::chrono::seconds(2);
// What one guest is believed within kSpan: crashes of its workload, and everything else.
constexpr Duration kSpan = std::chrono::seconds(10);
constexpr std::uint32_t kMostCrashes = 20;
constexpr std::uint32_t kMostOthers = 100;

// Also those that do not probe: an agent that is lost is worth telling.
bool has_agent(const EnvironmentSpec& spec) { return spec.isolation == Isolation::kMicrovm; }

void raise(int event) {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(event, &one, sizeof one));
}

}  // namespace

Result<std::unique_ptr<GuestEvents>> GuestEvents::create(Controller& controller, EventFeed& feed) {
  Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail_errno("eventfd");
  std::unique_ptr<GuestEvents> made(new GuestEvents(controller, TRY(EventLoop::create()), std::move(wake)));
  auto* const self = made.get();
  TRY(self->loop_.watch(self->wake_.get(), EPOLLIN, [self](std::uint32_t) { self->look(); }));
  self->subscription_ = feed.subscribe([self](std::uint64_t) { raise(self->wake_.get()); });
  raise(self->wake_.get());
  self->thread_ = std::thread([self] {
    if (auto ran = self->loop_.run(); !ran) log::error("guest events", {{"error", ran.error().message()}});
  });
  return made;
}

GuestEvents::~GuestEvents() {
  subscription_ = {};
  stopping_ = true;
  raise(wake_.get());
  if (thread_.joinable()) thread_.join();
}

void GuestEvents::look() {
  std::uint64_t count = 0;
  static_cast<void>(!::read(wake_.get(), &count, sizeof count));
  if (stopping_) return loop_.stop();
  std::set<std::string> living;
  bool missing = false;
  for (const auto& view : controller_.views()) {
    const Environment& environment = *view;
    if (!has_agent(environment.spec) || environment.status.state != State::kRunning) continue;
    living.insert(environment.id);
    const auto lost = lost_.find(environment.id);
    if (lost != lost_.end() && lost->second == environment.status.incarnation) continue;
    const auto known = guests_.find(environment.id);
    if (known != guests_.end() && known->second.incarnation == environment.status.incarnation) continue;
    drop(environment.id);
    listen(environment);
    missing = missing || (!guests_.contains(environment.id) && !lost_.contains(environment.id));
  }
  std::set<std::string> gone;
  for (const auto& [id, guest] : guests_) {
    if (!living.contains(id)) gone.insert(id);
  }
  for (const auto& id : gone) drop(id);
  std::erase_if(lost_, [&](const auto& entry) { return !living.contains(entry.first); });
  if (missing) look_again_later();
}

void GuestEvents::look_again_later() {
  loop_.cancel(timer_);
  timer_ = loop_.after(kLookAgain, [this] { look(); });
}

void GuestEvents::listen(const Environment& environment) {
  lost_.erase(environment.id);
  auto socket = controller_.guest_events(environment.spec.name);
  if (!socket && socket.error().code == ErrorCode::kCorrupt) return give_up(environment, socket.error());
  if (!socket)
    return log::warning("guest events", {{"name", environment.spec.name}, {"error", socket.error().message()}});
  Guest guest{environment.spec.name, environment.status.incarnation, std::move(*socket), {}};
  if (!sys::set_nonblocking(guest.socket.get())) return;
  const int fd = guest.socket.get();
  guests_[environment.id] = std::move(guest);
  if (!loop_.watch(fd, EPOLLIN, [this, id = environment.id](std::uint32_t) { on_readable(id); })) drop(environment.id);
}

void GuestEvents::give_up(const Environment& environment, const Error& why) {
  lost_[environment.id] = environment.status.incarnation;
  controller_.report_health(environment.id, environment.status.incarnation, Health::kUnhealthy,
                            why.message().substr(0, 500));
}

void GuestEvents::on_readable(const std::string& id) {
  const auto found = guests_.find(id);
  if (found == guests_.end()) return;
  if (auto went = read_some(id, found->second); !went) {
    // The run ended, or nothing that comes from there can be trusted.
    if (went.error().code == ErrorCode::kCorrupt) {
      log::warning("guest events", {{"name", found->second.name}, {"error", went.error().message()}});
    }
    drop(id);
    look_again_later();
  }
}

Status GuestEvents::read_some(const std::string& id, Guest& guest) {
  std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  const ssize_t got = ::read(guest.socket.get(), buffer.data(), buffer.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (got <= 0) return fail(ErrorCode::kUnavailable, "the guest's channel ended");
  guest.parser.feed({buffer.data(), static_cast<std::size_t>(got)});
  while (auto frame = TRY(guest.parser.next())) take(id, guest, *frame);
  return {};
}

void GuestEvents::count_anew(Guest& guest) {
  const MonoTime now = SystemClock().monotonic();
  if (now - guest.counted_from < kSpan) return;
  guest.counted_from = now;
  guest.crashes = 0;
  guest.others = 0;
}

bool GuestEvents::heard(const std::string& id, Guest& guest) {
  ++guest.others;
  if (guest.others == kMostOthers + 1) {
    log::warning("a guest tells more than any agent does", {{"name", guest.name}});
    controller_.report_health(id, guest.incarnation, Health::kUnhealthy, "its agent tells more than any agent does");
  }
  return guest.others <= kMostOthers;
}

// A guest that tells of more crashes than any back-off lets happen fills no log.
void GuestEvents::tell_restart(const std::string& id, Guest& guest, const wire::AgentEvent& event) {
  if (++guest.crashes > kMostCrashes) return;
  controller_.report_guest_restart(id, {guest.incarnation, event.exit_code, event.restarts + 1, event.backoff_ms});
}

void GuestEvents::take(const std::string& id, Guest& guest, const Frame& frame) {
  if (frame.kind != FrameKind::kEvent || frame.session != 0) return;
  const auto event = wire::decode_event(frame.payload);
  count_anew(guest);
  const bool crash = event && event->type == wire::AgentEvent::Type::kWorkloadExited;
  if (!crash && !heard(id, guest)) return;
  if (!event) return log::warning("guest event", {{"name", guest.name}, {"error", event.error().message()}});
  using Type = wire::AgentEvent::Type;
  switch (event->type) {
    case Type::kHealthy: return controller_.report_health(id, guest.incarnation, Health::kHealthy, {});
    case Type::kUnhealthy:
      return controller_.report_health(id, guest.incarnation, Health::kUnhealthy, event->reason.substr(0, 500));
    case Type::kWorkloadStarted: return log::debug("workload started", {{"name", guest.name}});
    case Type::kWorkloadExited: return tell_restart(id, guest, *event);
    case Type::kWarning: return log::warning("guest", {{"name", guest.name}, {"says", event->reason.substr(0, 500)}});
  }
}

void GuestEvents::drop(const std::string& id) {
  const auto found = guests_.find(id);
  if (found == guests_.end()) return;
  loop_.forget(found->second.socket.get());
  guests_.erase(found);
}

}  // namespace skerry
