// GuestEvents: hears what the agents of running microVMs tell over their channels (C40): the health they found, which
// goes to the controller, and workloads they restarted, which goes to the log.
//
// One thread listens to all of them. Which ones there are it learns from the event feed, and by looking again now and
// then. What comes is untrusted: frames are bounded, one that cannot be read ends the listening to that guest.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/frame.h"
#include "control/controller.h"
#include "control/event_feed.h"
#include "wire/agent_protocol.h"

namespace skerry {

class GuestEvents {
 public:
  static Result<std::unique_ptr<GuestEvents>> create(Controller& controller, EventFeed& feed);
  ~GuestEvents();
  GuestEvents(const GuestEvents&) = delete;
  GuestEvents& operator=(const GuestEvents&) = delete;

 private:
  struct Guest {
    std::string name;
    std::uint64_t incarnation = 0;
    Fd socket;
    FrameParser parser;
    MonoTime counted_from = {};  // what was told since then
    std::uint32_t crashes = 0;
    std::uint32_t others = 0;
  };
  GuestEvents(Controller& controller, EventLoop loop, Fd wake)
      : controller_(controller), loop_(std::move(loop)), wake_(std::move(wake)) {}

  void look();
  void look_again_later();
  void listen(const Environment& environment);
  // The guest runs and will never be heard of again: unhealthy, with the reason.
  void give_up(const Environment& environment, const Error& why);
  void on_readable(const std::string& id);
  Status read_some(const std::string& id, Guest& guest);
  void take(const std::string& id, Guest& guest, const Frame& frame);
  // What a guest says that can be said often is heard so often only: no guest fills a log or the store of events.
  static void count_anew(Guest& guest);
  bool heard(const std::string& id, Guest& guest);
  void tell_restart(const std::string& id, Guest& guest, const wire::AgentEvent& event);
  void drop(const std::string& id);

  Controller& controller_;
  EventLoop loop_;
  Fd wake_;  // eventfd(2): something changed, or stopping_
  std::atomic<bool> stopping_ = false;
  std::map<std::string, Guest> guests_;        // by id; the loop's thread only
  std::map<std::string, std::uint64_t> lost_;  // by id: the run whose agent was given up
  EventLoop::TimerId timer_ = 0;
  EventFeed::Subscription subscription_;
  std::thread thread_;
};

}  // namespace skerry
