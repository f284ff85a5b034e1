#include "api/request_id.h"

#include <sys/random.h>

#include <algorithm>

#include "base/text.h"

namespace skerry::api {
namespace {
constexpr std::size_t kMaxLength = 64;
constexpr std::size_t kRandomBytes = 4;
}  // namespace

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= kMaxLength && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == ':' || c == '-';
  });
}

RequestIds::RequestIds() {
  std::string bytes(kRandomBytes, '\0');
  // Up to 256 bytes are never cut short (getrandom(2)).
  static_cast<void>(!::getrandom(bytes.data(), bytes.size(), 0));
  prefix_ = cat(to_hex(bytes), "-");
}

std::string RequestIds::next() { return cat(prefix_, number_++); }

}  // namespace skerry::api
