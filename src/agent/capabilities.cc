#include <string>
#include <string_view>

#include "agent/launch.h"
#include "base/capability_names.h"
#include "base/text.h"

namespace skerry::agent {
namespace {

constexpr std::uint64_t kAll = ~std::uint64_t{0};

Result<std::uint64_t> bits_of(const std::vector<std::string>& names) {
  std::uint64_t bits = 0;
  for (const std::string_view name : names) {
    if (name == "ALL") {
      bits = kAll;
      continue;
    }
    const int number = capability_number(name.starts_with("CAP_") ? std::string(name) : cat("CAP_", name));
    if (number < 0) return fail(ErrorCode::kInvalidArgument, cat("unknown capability \"", name, "\""));
    bits |= std::uint64_t{1} << static_cast<unsigned>(number);
  }
  return bits;
}

}  // namespace

Result<std::uint64_t> dropped_capabilities(const std::vector<std::string>& drop, const std::vector<std::string>& keep) {
  const std::uint64_t dropped = TRY(bits_of(drop));
  const std::uint64_t kept = TRY(bits_of(keep));
  return dropped & ~kept;
}

}  // namespace skerry::agent
