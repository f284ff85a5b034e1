// Which version of a plugin is meant, and which of two is the newer.
#pragma once

#include <string>
#include <string_view>

namespace skerry {

// "nginx" or "nginx@1.22". A name holds no '@' (it is a DNS label), a version may.
struct PluginRef {
  std::string name;
  std::string version;  // empty: not said
  bool operator==(const PluginRef&) const = default;
};
PluginRef parse_plugin_ref(std::string_view text);
std::string to_text(const PluginRef& reference);

// Below 0: `left` is the older one; 0 only when the texts are equal. By the precedence of semantic versions
// (semver.org, section 11), for versions that need not be such: parts between dots as numbers where both are, else as
// texts; what stands behind '-' comes before the release itself ("1.2-rc1" < "1.2"); more parts are newer ("1.2" <
// "1.2.0"); a leading 'v' and what stands behind '+' decide only between versions that are otherwise equal.
int compare_versions(std::string_view left, std::string_view right);

}  // namespace skerry
