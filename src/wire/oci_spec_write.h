// The to_value functions of oci::Spec's parts. Internal to src/wire/oci_spec_*.cc.
//
// They write only what is set: a reader of the file sees what somebody chose, and parse_spec fills the rest.
#pragma once

#include <nlohmann/json.hpp>

#include "wire/oci_spec.h"

namespace skerry::oci::writer {

// Members keep the order in which they were written.
using Json = nlohmann::ordered_json;

Json process_value(const Process& process);                  // oci_spec_write.cc
Json linux_value(const Linux& linux_part);                   // oci_spec_write_linux.cc
Json resources_value(const Resources& resources);            // oci_spec_write_resources.cc
Json mappings_value(const std::vector<IdMapping>& entries);  // oci_spec_write_linux.cc

template <typename T>
void put(Json& out, const char* name, const std::optional<T>& value) {
  if (value) out[name] = *value;
}
inline void put(Json& out, const char* name, const std::string& value) {
  if (!value.empty()) out[name] = value;
}
template <typename T>
void put(Json& out, const char* name, const std::vector<T>& values) {
  if (!values.empty()) out[name] = values;
}
inline void put(Json& out, const char* name, Json value) {
  if (!value.empty()) out[name] = std::move(value);
}
// Writes `value` when it differs from the default.
inline void put_flag(Json& out, const char* name, bool value) {
  if (value) out[name] = true;
}
template <typename T, typename Convert>
Json list(const std::vector<T>& values, Convert convert) {
  Json out = Json::array();
  for (const auto& value : values) out.push_back(convert(value));
  return out;
}

}  // namespace skerry::oci::writer
