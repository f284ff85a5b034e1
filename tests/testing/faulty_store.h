// FaultyStore: a real store that a test can cut off, as a daemon is that was killed, and whose news it can lose.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "store/store.h"

namespace skerry::testing {

class FaultyStore final : public Store {
 public:
  explicit FaultyStore(std::unique_ptr<Store> real) : real_(std::move(real)) {}

  // From now on every call fails and changes nothing.
  void kill() { dead_ = true; }
  // As a full disk on which somebody has made room.
  void revive() { dead_ = false; }
  // Events are stored, and nobody is told until tell_news().
  void lose_news() { deaf_ = true; }
  void tell_news() { deaf_ = false; }

  // The next who reads the deployments has them, and does not go on with them until let_go(), ten seconds at most.
  void hold_next_reader() {
    const std::lock_guard lock(mutex_);
    hold_ = Hold::kNext;
  }
  // Waits until it has arrived; false when nobody has within ten seconds.
  bool await_held() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kHoldLimit, [this] { return hold_ == Hold::kHeld; });
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    hold_ = Hold::kNone;
    changed_.notify_all();
  }

  // Whoever waits for news looks again, as it would when it has waited long enough.
  void wake() { listener_(real_->last_event_id().value()); }

  void on_events(std::function<void(std::uint64_t)> listener) override {
    listener_ = std::move(listener);
    real_->on_events([this](std::uint64_t last_id) {
      if (!deaf_) listener_(last_id);
    });
  }
  Result<Environment> create_environment(Environment environment, const std::optional<Zone>& zone) override {
    TRY(living());
    return real_->create_environment(std::move(environment), zone);
  }
  Status update_environment(const Environment& environment, const std::vector<Event>& events) override {
    TRY(living());
    return real_->update_environment(environment, events);
  }
  Status delete_environment(const std::string& id, const std::vector<Event>& events) override {
    TRY(living());
    return real_->delete_environment(id, events);
  }
  Status retire_environment(const std::string& id, const std::vector<Event>& events) override {
    TRY(living());
    return real_->retire_environment(id, events);
  }
  Status release_address(const std::string& ip, WallTime now) override {
    TRY(living());
    return real_->release_address(ip, now);
  }
  Result<std::vector<Environment>> environments() override {
    TRY(living());
    return real_->environments();
  }
  Result<std::vector<Lease>> leases() override {
    TRY(living());
    return real_->leases();
  }
  Status append_events(const std::vector<Event>& events) override {
    TRY(living());
    return real_->append_events(events);
  }
  Result<std::vector<Event>> events(const EventFilter& filter) override {
    TRY(living());
    return real_->events(filter);
  }
  Result<std::uint64_t> last_event_id() override {
    TRY(living());
    return real_->last_event_id();
  }
  Status prune_events(std::uint64_t keep) override {
    TRY(living());
    return real_->prune_events(keep);
  }
  Status install_plugin(const Plugin& plugin, const std::vector<Event>& events) override {
    TRY(living());
    return real_->install_plugin(plugin, events);
  }
  Status set_plugin_enabled(const PluginRef& plugin, bool enabled, const std::vector<Event>& events) override {
    TRY(living());
    return real_->set_plugin_enabled(plugin, enabled, events);
  }
  Status remove_plugin(const PluginRef& plugin, const std::vector<Event>& events, PluginUsers users) override {
    TRY(living());
    return real_->remove_plugin(plugin, events, users);
  }
  Result<std::vector<Plugin>> plugins() override {
    TRY(living());
    return real_->plugins();
  }
  Result<std::optional<Plugin>> find_plugin(const PluginRef& plugin) override {
    TRY(living());
    return real_->find_plugin(plugin);
  }
  Status put_deployment(const Deployment& deployment, const std::vector<Event>& events) override {
    TRY(living());
    return real_->put_deployment(deployment, events);
  }
  Status remove_deployment(const std::string& name, const std::vector<Event>& events) override {
    TRY(living());
    return real_->remove_deployment(name, events);
  }
  Result<std::vector<Deployment>> deployments() override {
    TRY(living());
    auto read = real_->deployments();
    stop_if_held();
    return read;
  }
  Status add_zone(const Zone& zone, const std::vector<Event>& events) override {
    TRY(living());
    return real_->add_zone(zone, events);
  }
  Status remove_zone(const std::string& name, const std::vector<Event>& events) override {
    TRY(living());
    return real_->remove_zone(name, events);
  }
  Result<std::vector<Zone>> zones() override {
    TRY(living());
    return real_->zones();
  }
  Result<std::vector<std::string>> zone_users(const std::string& name) override {
    TRY(living());
    return real_->zone_users(name);
  }
  Status add_snapshot(const Snapshot& snapshot, const std::vector<Event>& events) override {
    TRY(living());
    return real_->add_snapshot(snapshot, events);
  }
  Status remove_snapshot(const std::string& name, const std::vector<Event>& events) override {
    TRY(living());
    return real_->remove_snapshot(name, events);
  }
  Result<std::vector<Snapshot>> snapshots() override {
    TRY(living());
    return real_->snapshots();
  }

 private:
  static constexpr auto kHoldLimit = std::chrono::seconds(10);
  enum class Hold : std::uint8_t { kNone, kNext, kHeld };
  void stop_if_held() {
    std::unique_lock lock(mutex_);
    if (hold_ != Hold::kNext) return;
    hold_ = Hold::kHeld;
    changed_.notify_all();
    changed_.wait_for(lock, kHoldLimit, [this] { return hold_ == Hold::kNone; });
    hold_ = Hold::kNone;
  }
  [[nodiscard]] Status living() const {
    if (!dead_) return {};
    return fail(ErrorCode::kUnavailable, "the daemon of this store was killed");
  }

  std::atomic<bool> dead_ = false;
  std::atomic<bool> deaf_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  Hold hold_ = Hold::kNone;
  std::function<void(std::uint64_t)> listener_;
  std::unique_ptr<Store> real_;
};

}  // namespace skerry::testing
