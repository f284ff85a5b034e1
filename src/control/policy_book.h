// PolicyBook: the rules that hold, as they were read from their directory last. Changing a file changes nothing until
// reload(): who edits several of them is not met half-way.
//
// Read are the files whose names end in ".policy"; others are left alone. A file that others than root may change is
// malformed, and so is one that cannot be read. A directory that is not there holds no rules, unless somebody counted
// on it: then it is malformed, for what it denied would be open. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "core/policy.h"

namespace skerry {

class Store;

// What it means that there is no directory.
enum class NoDirectory : std::uint8_t { kNoRules, kMalformed };
// What stands in the directory now.
Policy read_policy(const std::string& directory, NoDirectory meaning = NoDirectory::kNoRules);

struct PolicyEdition {
  std::shared_ptr<const Policy> policy = std::make_shared<const Policy>();
  WallTime read_at;
};

class PolicyBook {
 public:
  // Reads it the first time; what is malformed is told in the log. Everything outlives it. `missing`: what it means at
  // the start; later it is malformed, too, when there were rules before.
  PolicyBook(std::string directory, Store& store, Clock& clock, NoDirectory missing = NoDirectory::kNoRules);

  [[nodiscard]] PolicyEdition edition() const;
  [[nodiscard]] const std::string& directory() const { return directory_; }
  // What reload() would let hold.
  [[nodiscard]] Policy look() const;
  // Reads it again, with the event "policy.reloaded", and tells who listens. A malformed one holds too: then nothing is
  // allowed. Fails when the event cannot be stored (then the rules are as before), or as the listener does.
  Status reload();
  // Called at each reload, when the new rules hold already: whoever enforces them. One, set before use.
  void on_reload(std::function<Status()> enforce) { enforce_ = std::move(enforce); }

 private:
  const std::string directory_;
  const NoDirectory missing_;
  Store& store_;
  Clock& clock_;
  std::function<Status()> enforce_;
  std::mutex reload_mutex_;  // one at a time
  mutable std::mutex mutex_;
  PolicyEdition edition_;
};

}  // namespace skerry
