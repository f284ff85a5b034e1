// HealthMonitor: asks running environments how they are, as often as their health check says, and tells the controller
// when the answer changes: `retries` failures in a row make one unhealthy, one success makes it healthy.
//
// One thread keeps the times, a few more ask. A run that has just started is asked at once, then every interval.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "base/clock.h"
#include "control/controller.h"
#include "control/event_feed.h"
#include "control/worker_pool.h"

namespace skerry {

class HealthMonitor {
 public:
  HealthMonitor(Controller& controller, EventFeed& feed, Clock& clock);
  ~HealthMonitor();
  HealthMonitor(const HealthMonitor&) = delete;
  HealthMonitor& operator=(const HealthMonitor&) = delete;

 private:
  struct Watch {
    std::uint64_t incarnation = 0;
    MonoTime due;
    std::uint32_t failures = 0;
    bool asking = false;
  };

  void run();
  // Starts what is due; how long until something else is.
  Duration ask_due();
  void ask(const Environment& environment);
  void record(const Environment& environment, const Status& answer);
  Status probe(const Environment& environment);

  Controller& controller_;
  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, Watch> watches_;  // by id
  bool dirty_ = true;
  bool stopping_ = false;
  WorkerPool askers_;
  EventFeed::Subscription subscription_;
  std::thread thread_;
};

}  // namespace skerry
