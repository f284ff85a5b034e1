#include "core/plugin_version.h"

#include <algorithm>

#include "base/text.h"

namespace skerry {
namespace {

int sign_of(std::string_view left, std::string_view right) {
  const int order = left.compare(right);
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char letter) { return letter >= '0' && letter <= '9'; });
}

// Of any length: as texts without leading zeros, the longer one is larger.
int compare_numbers(std::string_view left, std::string_view right) {
  left.remove_prefix(std::min(left.find_first_not_of('0'), left.size()));
  right.remove_prefix(std::min(right.find_first_not_of('0'), right.size()));
  if (left.size() != right.size()) return left.size() < right.size() ? -1 : 1;
  return sign_of(left, right);
}

int compare_parts(std::string_view left, std::string_view right) {
  if (is_number(left) && is_number(right)) return compare_numbers(left, right);
  if (is_number(left) != is_number(right)) return is_number(left) ? -1 : 1;
  return sign_of(left, right);
}

int compare_dotted(std::string_view left, std::string_view right) {
  const auto ours = split(left, '.');
  const auto theirs = split(right, '.');
  for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i) {
    if (const int order = compare_parts(ours[i], theirs[i]); order != 0) return order;
  }
  return ours.size() == theirs.size() ? 0 : ours.size() < theirs.size() ? -1 : 1;
}

struct Parts {
  std::string_view release;
  std::string_view before_it;  // behind '-'
};

Parts parts_of(std::string_view version) {
  if (version.size() > 1 && version[0] == 'v' && is_number(version.substr(1, 1))) version.remove_prefix(1);
  version = version.substr(0, version.find('+'));
  const auto dash = version.find('-');
  if (dash == std::string_view::npos) return {version, {}};
  return {version.substr(0, dash), version.substr(dash + 1)};
}

}  // namespace

PluginRef parse_plugin_ref(std::string_view text) {
  const auto at = text.find('@');
  if (at == std::string_view::npos) return {std::string(text), {}};
  return {std::string(text.substr(0, at)), std::string(text.substr(at + 1))};
}

std::string to_text(const PluginRef& reference) {
  return reference.version.empty() ? reference.name : cat(reference.name, "@", reference.version);
}

int compare_versions(std::string_view left, std::string_view right) {
  const Parts ours = parts_of(left);
  const Parts theirs = parts_of(right);
  if (const int order = compare_dotted(ours.release, theirs.release); order != 0) return order;
  if (ours.before_it.empty() != theirs.before_it.empty()) return ours.before_it.empty() ? 1 : -1;
  if (const int order = compare_dotted(ours.before_it, theirs.before_it); order != 0) return order;
  return sign_of(left, right);
}

}  // namespace skerry
