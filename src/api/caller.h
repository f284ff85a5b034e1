// Who asks, and what that one may do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skerry::api {

// Each may what the ones before it may.
enum class Role : std::uint8_t {
  kNobody,    // no credentials: only what is public
  kViewer,    // reads
  kOperator,  // runs environments
  kAdmin,     // images, plugins, tokens, everything
};
std::string_view to_text(Role role);
Result<Role> parse_role(std::string_view text);

struct Caller {
  std::string name = "nobody";  // "uid 0", "token ci"
  Role role = Role::kNobody;
  std::vector<std::string> zones;  // which it is limited to; empty: every zone

  [[nodiscard]] bool may_touch_zone(std::string_view zone) const;
  // Whether it is told what only those need who may be in an environment: the texts of its cloud-init, the values of
  // its environment variables.
  [[nodiscard]] bool may_read_secrets() const { return role >= Role::kOperator; }
  // An admin of the whole host. One of some zones has every right in them, and none over what is outside.
  [[nodiscard]] bool owns_host() const { return role >= Role::kAdmin && zones.empty(); }
};

}  // namespace skerry::api
