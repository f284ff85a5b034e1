#include "wire/json_node.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "wire/json_fields.h"

namespace skerry::wire {

using Ordered = nlohmann::ordered_json;

struct JsonNode::Tree {
  Ordered root;
};

namespace {
const Ordered& value_of(const void* value) {
  static const Ordered kNull;
  return value == nullptr ? kNull : *static_cast<const Ordered*>(value);
}
}  // namespace

Result<JsonNode> JsonNode::parse(std::string_view text, std::string_view what, std::size_t max_bytes) {
  TRY(check_json_bounds(text, what, max_bytes));
  auto tree = std::make_shared<Tree>();
  try {
    tree->root = Ordered::parse(text);
  } catch (const nlohmann::json::exception& problem) {
    return fail(not_json(what, text, problem));
  }
  const void* root = &tree->root;
  return JsonNode(std::move(tree), root);
}

JsonNode JsonNode::at(std::string_view path) const {
  const Ordered* here = &value_of(value_);
  for (const auto part : split(path, '.')) {
    if (!here->is_object()) return {};
    const auto found = here->find(std::string(part));
    if (found == here->end()) return {};
    here = &*found;
  }
  return JsonNode(tree_, here);
}

JsonNode JsonNode::member(std::string_view name) const {
  const auto& here = value_of(value_);
  if (!here.is_object()) return {};
  const auto found = here.find(std::string(name));
  return found == here.end() ? JsonNode() : JsonNode(tree_, &*found);
}

std::vector<JsonNode> JsonNode::items() const {
  std::vector<JsonNode> out;
  const auto& here = value_of(value_);
  if (!here.is_array()) return out;
  for (const auto& item : here) out.push_back(JsonNode(tree_, &item));
  return out;
}

std::vector<std::pair<std::string, JsonNode>> JsonNode::members() const {
  std::vector<std::pair<std::string, JsonNode>> out;
  const auto& here = value_of(value_);
  if (!here.is_object()) return out;
  for (const auto& [name, item] : here.items()) out.emplace_back(name, JsonNode(tree_, &item));
  return out;
}

std::string JsonNode::text() const {
  const auto& here = value_of(value_);
  if (here.is_string()) return here.get<std::string>();
  if (here.is_number() || here.is_boolean()) return here.dump();
  return {};
}

std::int64_t JsonNode::integer() const {
  const auto& here = value_of(value_);
  return here.is_number() ? here.get<std::int64_t>() : 0;
}

double JsonNode::decimal() const {
  const auto& here = value_of(value_);
  return here.is_number() ? here.get<double>() : 0;
}

bool JsonNode::flag() const {
  const auto& here = value_of(value_);
  return here.is_boolean() && here.get<bool>();
}

bool JsonNode::is_null() const { return value_of(value_).is_null(); }
bool JsonNode::is_object() const { return value_of(value_).is_object(); }
bool JsonNode::is_array() const { return value_of(value_).is_array(); }
bool JsonNode::is_string() const { return value_of(value_).is_string(); }
bool JsonNode::is_integer() const { return value_of(value_).is_number_integer(); }

std::string JsonNode::dump(Style style) const {
  return value_of(value_).dump(style == Style::kIndented ? 2 : -1, ' ', false, Ordered::error_handler_t::replace);
}

}  // namespace skerry::wire
