// WarmPool: keeps machines ready that are made before anybody asks for them (Driver::prepare()), as many as plugins'
// manifests wish, one more of what is started again and again (AskedLately), and as the memory allows.
//
//   manifests, AskedLately ──▶ wanted shapes ──▶ one thread: prepare under a fresh id, one at a time ──▶ ready ──
//   take() ──▶ the id of
//                       ▲                                                                     │            a new
//                       environment └──────────── taken, ended, in the way, or no longer wanted ◀─────────┘
//
// A prepared machine lies in the directories of an environment that does not exist yet; whoever is created next of its
// shape gets that id, so nothing has to be moved and each has a jail, a user, a cgroup and a network card of its own
// from the beginning. There is no record of it: what a killed daemon leaves is what no stored environment explains, and
// goes as all such remains do (Controller::create). Machines of different zones come from different templates.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "core/environment.h"
#include "core/warm_pool.h"
#include "core/zone.h"
#include "drivers/driver.h"

namespace skerry {

// What is wanted to be kept ready.
struct WarmShape {
  EnvironmentSpec spec;      // as a creation that asks for nothing but the plugin would have it
  std::string image_digest;  // of spec.image
  Zone zone;                 // spec.zone as it stands: a new one of the same name is another
  WarmPoolWish wish;
  std::string problem;  // why it cannot be now; empty: it can
  bool spare = false;   // no plugin wishes for it: it was asked for lately. It takes what the wishes leave

  // Among all that are wanted.
  [[nodiscard]] std::string key() const;
};

struct WarmPoolPorts {
  Driver& driver;
  // These are asked by the pool's thread only.
  std::function<Result<std::vector<WarmShape>>()> wanted;
  std::function<Result<Launch>(const WarmShape& shape)> launch;  // with a place of its own, which nobody else has
  std::function<std::uint64_t()> spare_mib;                      // memory of the host that is promised to nobody
  Duration look_again = std::chrono::seconds(2);                 // plugins come and go seldom
};

class WarmPool {
 public:
  // `budget_mib`: most memory of the host that all of it may take, as counted for its jails. The ports outlive the
  // pool.
  WarmPool(WarmPoolPorts ports, std::uint64_t budget_mib);
  ~WarmPool() { close(); }
  WarmPool(const WarmPool&) = delete;
  WarmPool& operator=(const WarmPool&) = delete;

  // The id of a machine that can become this environment; it is no longer the pool's. Cheap.
  std::optional<std::string> take(const EnvironmentSpec& spec, const std::string& image_digest, const Zone& zone);
  // One that was taken is not used after all: it is removed, in the background.
  void give_back(const std::string& id);
  // Somebody else is about to be promised memory, and this is what is left: what takes more than that goes first.
  // BLOCKING when there is something to remove.
  void make_room(std::uint64_t spare_mib);
  // Ends the thread, then everything that was prepared. Nothing can be taken any more.
  void close();

  // By plugin, also of those that could not be prepared; all spares together have no plugin.
  std::vector<WarmPoolStatus> status();

 private:
  struct Ready {
    EnvironmentPlace place;
    WarmShape shape;
    std::uint64_t memory_bytes = 0;
  };
  using Places = std::vector<EnvironmentPlace>;
  using Time = std::chrono::steady_clock::time_point;

  void work();
  void look();
  void measure();
  void note_wishes(const std::vector<WarmShape>& wanted);
  Places unwanted(const std::vector<WarmShape>& wanted);
  Places too_much(std::uint64_t limit_bytes);
  void keep_spares_small(std::vector<WarmShape>& wanted, std::uint64_t limit_bytes);
  void fill(const std::vector<WarmShape>& wanted, std::uint64_t limit_bytes);
  bool fill_one(const WarmShape& shape, std::uint64_t limit_bytes);
  [[nodiscard]] std::string obstacle(const WarmShape& shape, std::uint64_t limit_bytes) const;
  [[nodiscard]] std::uint64_t cost_of(WarmMode mode) const;
  [[nodiscard]] std::uint64_t used_bytes() const;
  [[nodiscard]] std::uint32_t count(const WarmShape& shape) const;
  Status prepare(const WarmShape& shape);
  void tell(const WarmShape& shape, const std::string& problem);
  void remove(const Places& places);

  const WarmPoolPorts ports_;
  const std::uint64_t budget_bytes_;
  std::mutex mutex_;  // guards everything below
  std::condition_variable wake_;
  bool stopping_ = false;
  bool asked_ = true;  // to look again
  Time quiet_until_;   // nothing is prepared before
  std::vector<Ready> ready_;
  std::vector<EnvironmentPlace> taken_;  // lately: for give_back()
  Places returned_;
  std::map<std::string, WarmPoolStatus> status_;  // by key of the shape, of what is wanted
  std::map<std::string, Time> retry_at_;          // likewise, after a failure
  std::uint64_t spares_taken_ = 0;
  std::map<WarmMode, std::uint64_t> cost_bytes_;  // of one, as last measured
  std::mutex close_mutex_;
  std::thread thread_;
};

}  // namespace skerry
