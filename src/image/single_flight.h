// SingleFlight: the same piece of work is done by one thread at a time; others that want it wait.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>

namespace skerry {

class SingleFlight {
 public:
  // Holds a key until it goes.
  class Turn {
   public:
    Turn(SingleFlight& owner, std::string key) : owner_(&owner), key_(std::move(key)) {
      std::unique_lock lock(owner_->mutex_);
      owner_->changed_.wait(lock, [&] { return !owner_->busy_.contains(key_); });
      owner_->busy_.insert(key_);
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      const std::scoped_lock lock(owner_->mutex_);
      owner_->busy_.erase(key_);
      owner_->changed_.notify_all();
    }

   private:
    SingleFlight* owner_;
    std::string key_;
  };

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> busy_;
};

}  // namespace skerry
