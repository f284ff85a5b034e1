// AskedLately: which microVMs are started again and again, so that one more of each can be made before the next is
// asked for. A shape (core/warm_pool.h) belongs to it that was asked for twice, the second time within kAskedWithin of
// the first, and lately. Of who asked, and what for, nothing is kept. Thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "control/warm_pool.h"
#include "core/environment.h"

namespace skerry {

// For so long after the last one was asked for, another is expected.
inline constexpr Duration kAskedWithin = std::chrono::minutes(10);

class AskedLately {
 public:
  // At most `most` shapes are told; 0: none ever.
  explicit AskedLately(std::size_t most) : most_(most) {}

  // What cannot be made beforehand, or is no microVM, is passed over.
  void note(const EnvironmentSpec& spec, const std::string& image_digest, MonoTime now);
  // The one asked for last comes first. Each wishes for one that is warmed; zone is left to the caller.
  std::vector<WarmShape> shapes(MonoTime now);

 private:
  struct Asked {
    EnvironmentSpec shape;  // nothing but what makes the shape
    std::string image_digest;
    unsigned times = 0;  // in a row, none longer than kAskedWithin after the one before
    MonoTime last;
  };

  const std::size_t most_;
  std::mutex mutex_;
  std::vector<Asked> asked_;  // the newest first
};

}  // namespace skerry
