#include "core/digest.h"

#include <algorithm>

#include "base/text.h"

namespace skerry {
namespace {

constexpr std::string_view kPrefix = "sha256:";
constexpr std::size_t kHexDigits = 64;
constexpr std::size_t kShownInErrors = 96;

}  // namespace

Result<Digest> Digest::parse(std::string_view text) {
  if (!text.starts_with(kPrefix)) {
    return fail(ErrorCode::kInvalidArgument,
                cat("digest \"", text.substr(0, kShownInErrors), "\" does not start with sha256:"));
  }
  return from_hex(text.substr(kPrefix.size()));
}

Result<Digest> Digest::from_hex(std::string_view hex) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (hex.size() != kHexDigits || !std::ranges::all_of(hex, is_digit)) {
    return fail(ErrorCode::kInvalidArgument,
                cat("digest \"", hex.substr(0, kShownInErrors), "\" is not 64 lower-case hexadecimal digits"));
  }
  return Digest(std::string(hex));
}

}  // namespace skerry
