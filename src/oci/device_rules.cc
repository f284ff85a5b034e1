#include "oci/device_rules.h"

#include "base/text.h"

namespace skerry::oci {
namespace {

DeviceRule allow(const char* type, std::optional<std::int64_t> major, std::optional<std::int64_t> minor,
                 const char* access) {
  return {true, type, major, minor, access};
}

std::string number(const std::optional<std::int64_t>& value) { return value && *value >= 0 ? cat(*value) : "*"; }

}  // namespace

std::vector<DeviceRule> effective_device_rules(const std::vector<DeviceRule>& rules) {
  auto out = rules;
  out.push_back(allow("c", std::nullopt, std::nullopt, "m"));
  out.push_back(allow("b", std::nullopt, std::nullopt, "m"));
  constexpr std::int64_t kMemory = 1;
  for (const std::int64_t minor : {3, 5, 7, 8, 9}) {  // null, zero, full, random, urandom
    out.push_back(allow("c", kMemory, minor, "rwm"));
  }
  out.push_back(allow("c", 5, 0, "rwm"));               // tty
  out.push_back(allow("c", 5, 2, "rwm"));               // ptmx
  out.push_back(allow("c", 136, std::nullopt, "rwm"));  // pts/*
  return out;
}

std::string device_rule_line(const DeviceRule& rule) {
  const std::string type = rule.type.empty() ? "a" : rule.type;
  const std::string access = rule.access.empty() ? "rwm" : rule.access;
  return cat(type, " ", number(rule.major), ":", number(rule.minor), " ", access);
}

}  // namespace skerry::oci
