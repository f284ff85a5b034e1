#include "drivers/container/spare_network.h"

#include <utility>

#include "base/log.h"

namespace skerry {

SpareNetwork::SpareNetwork(Maker make) : make_(std::move(make)), maker_([this] { run(); }) {}

SpareNetwork::~SpareNetwork() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  maker_.join();
}

Result<network::NewNetns> SpareNetwork::take() {
  std::optional<network::NewNetns> taken;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(spare_);
    wanted_ = true;
  }
  wake_.notify_one();
  if (taken) return std::move(*taken);
  return make_();
}

void SpareNetwork::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return wanted_ || stopping_; });
    if (stopping_) return;
    wanted_ = false;
    if (spare_) continue;
    lock.unlock();
    auto made = make_();
    lock.lock();
    if (made) {
      spare_ = std::move(*made);
    } else {
      log::debug("no spare network namespace", {{"error", made.error().message()}});
    }
  }
}

}  // namespace skerry
