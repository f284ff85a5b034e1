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

  // ── zones ──
  void fail_zone(std::string name) {
    const std::lock_guard lock(mutex_);
    failing_zone_ = std::move(name);
  }
  [[nodiscard]] std::vector<Zone> zones() const {
    const std::lock_guard lock(mutex_);
    return zones_;
  }
  Result<std::map<std::string, std::string>> open(const std::vector<Zone>& zones) override {
    const std::lock_guard lock(mutex_);
    zones_ = zones;
    std::map<std::string, std::string> broken;
    if (!failing_zone_.empty()) broken[failing_zone_] = "it fails";
    return broken;
  }
  Result<std::vector<Cidr>> host_networks() override { return std::vector<Cidr>{}; }
  Status add_zone(const Zone& zone) override {
    const std::lock_guard lock(mutex_);
    if (zone.name == failing_zone_) return fail(ErrorCode::kConflict, "it fails");
    zones_.push_back(zone);
    return {};
  }
  Status remove_zone(const std::string& name) override {
    const std::lock_guard lock(mutex_);
    if (name == failing_zone_) return fail(ErrorCode::kConflict, "it fails");
    std::erase_if(zones_, [&](const Zone& each) { return each.name == name; });
    return {};
  }
  Status check_port(const PublishedPort&) override { return {}; }
  [[nodiscard]] std::vector<ServiceState> services() const {
    const std::lock_guard lock(mutex_);
    return services_;
  }
  [[nodiscard]] NetPolicy policy() const {
    const std::lock_guard lock(mutex_);
    return policy_;
  }
  void refuse_service_address(std::string address) {
    const std::lock_guard lock(mutex_);
    refused_address_ = std::move(address);
  }

  Status check_service_address(const std::string& address) override {
    const std::lock_guard lock(mutex_);
    if (address == refused_address_) return fail(ErrorCode::kConflict, "the host has it");
    return {};
  }
  Status apply(const EnvironmentViews& environments, const std::vector<ServiceState>& services,
               const NetPolicy& policy) override {
    const std::lock_guard lock(mutex_);
    if (failure_) {
      Error error = std::move(*failure_);
      failure_.reset();
      return fail(std::move(error));
    }
    applied_.clear();
    for (const auto& each : environments) applied_.push_back(*each);
    services_ = services;
    policy_ = policy;
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
  std::vector<ServiceState> services_;
  NetPolicy policy_;
  std::vector<Zone> zones_;
  std::string failing_zone_;
  std::string refused_address_;
  std::set<std::string> live_;
  std::optional<Error> failure_;
};

}  // namespace skerry::testing
