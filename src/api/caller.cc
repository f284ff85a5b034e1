#include "api/caller.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace skerry::api {
namespace {
constexpr std::array kRoles{
    std::pair{Role::kNobody, std::string_view("nobody")}, std::pair{Role::kViewer, std::string_view("viewer")},
    std::pair{Role::kOperator, std::string_view("operator")}, std::pair{Role::kAdmin, std::string_view("admin")}};
}  // namespace

std::string_view to_text(Role role) { return kRoles.at(static_cast<std::size_t>(role)).second; }

Result<Role> parse_role(std::string_view text) {
  for (const auto& [role, word] : kRoles) {
    if (word == text && role != Role::kNobody) return role;
  }
  return fail(ErrorCode::kInvalidArgument, cat("role: \"", text.substr(0, 64), "\""),
              "use one of: viewer, operator, admin");
}

bool Caller::may_touch_zone(std::string_view zone) const {
  return zones.empty() || std::ranges::find(zones, zone) != zones.end();
}

}  // namespace skerry::api
