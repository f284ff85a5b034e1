#include "api/find.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"
#include "wire/environment_json.h"
#include "wire/hidden_texts.h"
#include "wire/json_node.h"

namespace skerry::api {
namespace {
constexpr std::uint64_t kMaxPage = 1'000'000;
}

bool is_visible(const Request& request, const Environment& environment) {
  if (request.vms_only && environment.spec.isolation == Isolation::kContainer) return false;
  return request.caller.may_touch_zone(environment.spec.zone);
}

Result<Environment> find_environment(Context& context, const Request& request) {
  const auto& name = request.parameter("name");
  auto environment = TRY(context.ports.controller.find(name));
  if (!is_visible(request, environment)) {
    return fail(ErrorCode::kNotFound, cat(request.vms_only ? "VM \"" : "environment \"", name, "\" does not exist"),
                request.vms_only ? "see: skerry vms list" : "see: skerry ls");
  }
  return environment;
}

Response environment_response(const Caller& caller, const Environment& environment, int status) {
  auto document = wire::environment_json(environment);
  return json_response(caller.may_read_secrets() ? std::move(document) : wire::without_secrets(std::move(document)),
                       status);
}

Response made_response(const Request& request, const Environment& environment) {
  Response response = environment_response(request.caller, environment, 201);
  response.headers.emplace_back(
      "Location", cat(request.vms_only ? "/api/v1/vms/" : "/api/v1/environments/", environment.spec.name));
  return response;
}

Result<Page> read_page(const Request& request) {
  Page page;
  page.offset = TRY(request.number("offset", 0, kMaxPage));
  page.limit = TRY(request.number("limit", 0, kMaxPage));
  page.sort = request.option("sort").value_or("");
  const auto order = request.option("order").value_or("asc");
  if (order != "asc" && order != "desc") return fail(ErrorCode::kInvalidArgument, "query order: must be asc or desc");
  page.descending = order == "desc";
  return page;
}

namespace {

// Before it: null; a number by its value; a text or a flag as it is written.
using SortKey = std::tuple<bool, double, std::string>;
SortKey sort_key(const wire::JsonNode& value) {
  if (value.is_null()) return {false, 0, {}};
  return {true, value.decimal(), value.text()};
}

bool is_one_value(const wire::JsonNode& document, const std::string& key) {
  const auto members = document.members();
  return std::ranges::any_of(members, [&](const auto& each) {
    return each.first == key && !each.second.is_object() && !each.second.is_array();
  });
}

bool has_value(const wire::JsonNode& field, const std::string& value) {
  if (!field.is_array()) return field.text() == value;
  const auto items = field.items();
  return std::ranges::any_of(items, [&](const auto& each) { return each.text() == value; });
}

std::string field_names(const wire::JsonNode& document) {
  std::string names;
  for (const auto& [name, value] : document.members()) {
    if (!value.is_object() && !value.is_array()) names += cat(names.empty() ? "" : ", ", name);
  }
  return names;
}

}  // namespace

Status sort_documents(std::vector<std::string>& documents, const std::string& key) {
  if (key.empty() || documents.empty()) return {};
  // With its place: equal ones stay as they come. (std::stable_sort calls what its own library calls deprecated.)
  std::vector<std::tuple<SortKey, std::size_t, std::string>> keyed;
  keyed.reserve(documents.size());
  bool known = false;
  std::string fields;
  for (auto& text : documents) {
    const auto document = TRY(wire::JsonNode::parse(text));
    if (fields.empty()) fields = field_names(document);
    const auto value = document.member(key);
    known = known || is_one_value(document, key);
    keyed.emplace_back(sort_key(value), keyed.size(), std::move(text));
  }
  if (!known) {
    return fail(ErrorCode::kInvalidArgument, cat("query sort: \"", key.substr(0, 64), "\" is no field to sort by"),
                cat("there are ", fields));
  }
  std::ranges::sort(keyed);
  std::ranges::transform(keyed, documents.begin(), [](auto& each) { return std::move(std::get<2>(each)); });
  return {};
}

Status filter_documents(std::vector<std::string>& documents, const std::map<std::string, std::string>& query) {
  auto wanted = query;
  for (const auto* name : {"limit", "offset", "sort", "order"}) wanted.erase(name);
  if (wanted.empty()) return {};
  std::vector<std::string> kept;
  for (auto& text : documents) {
    const auto document = TRY(wire::JsonNode::parse(text));
    const bool fits = std::ranges::all_of(
        wanted, [&](const auto& each) { return has_value(document.member(each.first), each.second); });
    if (fits) kept.push_back(std::move(text));
  }
  documents = std::move(kept);
  return {};
}

Response list_response(std::string json, std::size_t total) {
  Response response = json_response(std::move(json));
  response.headers.emplace_back("X-Total-Count", cat(total));
  return response;
}

}  // namespace skerry::api
