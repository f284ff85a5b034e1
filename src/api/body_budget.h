// BodyBudget: how many bytes of request bodies may be in memory at once, of all connections. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

namespace skerry::api {

class BodyBudget {
 public:
  explicit BodyBudget(std::uint64_t bytes) : left_(bytes) {}

  // Gives its bytes back when it goes.
  class Share {
   public:
    Share(BodyBudget& budget, std::uint64_t bytes) : budget_(&budget), bytes_(bytes) {}
    Share(Share&& other) noexcept : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share() {
      if (budget_ != nullptr) budget_->left_ += bytes_;
    }

   private:
    BodyBudget* budget_;
    std::uint64_t bytes_;
  };

  // nullopt when that much is not left.
  std::optional<Share> take(std::uint64_t bytes) {
    std::uint64_t left = left_;
    while (left >= bytes) {
      if (left_.compare_exchange_weak(left, left - bytes)) return Share(*this, bytes);
    }
    return std::nullopt;
  }

 private:
  std::atomic<std::uint64_t> left_;
};

}  // namespace skerry::api
