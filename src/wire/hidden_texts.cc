#include "wire/hidden_texts.h"

#include "wire/spec_fields.h"

namespace skerry::wire {

std::string without_cloud_init(std::string document) {
  // An escaped spelling of the name is still one: only what cannot hold it is left alone.
  if (document.find("cloud") == std::string::npos && document.find('\\') == std::string::npos) return document;
  if (!check_json_bounds(document, "document", document.size())) return "{}";
  auto json = OrderedJson::parse(document, nullptr, false);
  if (!json.is_object()) return "{}";
  if (!json.contains("cloud_init")) return document;
  json["cloud_init"] = {{"hidden", true}};
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace skerry::wire
