// Work: how long operations of image/ talk to whoever waits for them: how far they are, and whether to go on.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"

namespace skerry {

struct Progress {
  std::string stage;        // for people: "downloading", "unpacking layer 2/4"
  std::uint64_t done = 0;   // bytes
  std::uint64_t total = 0;  // bytes; 0: not known
};

// Both may be empty. They are called from the thread that does the work, about ten times a second.
struct Work {
  std::function<void(const Progress&)> progress;
  std::function<bool()> cancelled;

  void report(std::string stage, std::uint64_t done = 0, std::uint64_t total = 0) const {
    if (progress) progress({std::move(stage), done, total});
  }
  [[nodiscard]] Status check() const {
    if (cancelled && cancelled()) return fail(ErrorCode::kCancelled, "cancelled");
    return {};
  }
};

}  // namespace skerry
