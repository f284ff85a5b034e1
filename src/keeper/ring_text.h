// RingText: the last N bytes of a stream.
#pragma once

#include <string>
#include <string_view>

namespace skerry::keeper {

class RingText {
 public:
  explicit RingText(std::size_t capacity) : capacity_(capacity) {}

  void append(std::string_view bytes) {
    text_.append(bytes);
    // Cut only at twice the capacity: moving the tail for every byte would be quadratic.
    if (text_.size() > 2 * capacity_) {
      text_.erase(0, text_.size() - capacity_);
      cut_ = true;
    }
  }
  // The last bytes. With more than fits, it begins after a line end where there is one: nobody gets half a message.
  [[nodiscard]] std::string_view content() const {
    std::string_view tail = text_;
    if (tail.size() <= capacity_ && !cut_) return tail;
    if (tail.size() > capacity_) tail.remove_prefix(tail.size() - capacity_);
    const auto newline = tail.find('\n');
    return newline == std::string_view::npos ? tail : tail.substr(newline + 1);
  }
  void clear() {
    text_ = std::string();
    cut_ = false;
  }

 private:
  std::size_t capacity_;
  std::string text_;
  bool cut_ = false;
};

}  // namespace skerry::keeper
