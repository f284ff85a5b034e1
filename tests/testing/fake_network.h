// FakeNetwork: remembers what the controller asked of the network.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "control/network.h"

namespace skerry::testing {

class FakeNetwork final : public Network {
 public:
  void fail_next_apply(Error error) {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(error);
  }
  [[nodiscard]] std::vector<Environment> applied() const {
    const std::lock_guard lock(mutex_);
    return applied_;
  }
  [[nodiscard]] std::set<std::string> live() const {
    const std::lock_guard lock(mutex_);
    return live_;
  }

  Status open(const Zone&) override { return {}; }
  Status check_port(const PublishedPort&) override { return {}; }
  Status apply(const std::vector<Environment>& environments) override {
    const std::lock_guard lock(mutex_);
    if (failure_) {
      Error error = std::move(*failure_);
      failure_.reset();
      return fail(std::move(error));
    }
    applied_ = environments;
    return {};
  }
  Status remove_stale(const std::set<std::string>& live) override {
    const std::lock_guard lock(mutex_);
    live_ = live;
    return {};
  }
  Status close() override { return {}; }

 private:
  mutable std::mutex mutex_;
  std::vector<Environment> applied_;
  std::set<std::string> live_;
  std::optional<Error> failure_;
};

}  // namespace skerry::testing
