#include "wire/hidden_texts.h"

#include <string_view>

#include "wire/spec_fields.h"

namespace skerry::wire {

namespace {

// Of the member "env", whatever it is. Whether there was something to hide.
bool hide_values(OrderedJson& holder) {
  if (!holder.is_object()) return false;
  const auto env = holder.find("env");
  if (env == holder.end() || env->empty()) return false;
  if (!env->is_object()) {
    *env = nullptr;
    return true;
  }
  for (auto& value : *env) value = nullptr;
  return true;
}

}  // namespace

std::string without_secrets(std::string document) {
  // An escaped spelling of a name is still one: only what cannot hold one is left alone.
  const auto holds = [&](std::string_view text) { return document.find(text) != std::string::npos; };
  if (!holds("cloud") && !holds("env") && !holds("\\")) return document;
  if (!check_json_bounds(document, "document", document.size())) return "{}";
  auto json = OrderedJson::parse(document, nullptr, false);
  if (!json.is_object()) return "{}";
  bool hidden = hide_values(json);
  if (const auto workload = json.find("workload"); workload != json.end()) hidden = hide_values(*workload) || hidden;
  if (json.contains("cloud_init")) {
    json["cloud_init"] = {{"hidden", true}};
    hidden = true;
  }
  if (!hidden) return document;
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace skerry::wire
