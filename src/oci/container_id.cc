#include "oci/container_id.h"

#include <algorithm>

#include "base/text.h"

namespace skerry::oci {
namespace {

constexpr std::size_t kMaxLength = 255;  // NAME_MAX: it names a directory

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-';
}

}  // namespace

Status check_container_id(std::string_view id) {
  if (id.empty()) return fail(ErrorCode::kInvalidArgument, "container id cannot be empty");
  if (id.size() > kMaxLength) {
    return fail(ErrorCode::kInvalidArgument, cat("container id is longer than ", kMaxLength, " characters"));
  }
  if (!is_plain(id.front()) || !std::ranges::all_of(id, [](char c) { return is_plain(c) || c == '.'; })) {
    return fail(ErrorCode::kInvalidArgument, cat("invalid container id format: \"", id.substr(0, 64), "\""),
                "letters, digits, '_', '+', '-' and, not first, '.'");
  }
  return {};
}

}  // namespace skerry::oci
