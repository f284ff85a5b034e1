#include "api/mcp_tools.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "api/authorise.h"
#include "api/route.h"
#include "api/schemas.h"
#include "base/text.h"
#include "wire/json_writer.h"

namespace skerry::api {
namespace {

using wire::JsonNode;
using wire::JsonWriter;

constexpr std::string_view kReference = "#/components/schemas/";
constexpr std::string_view kDefinition = "#/$defs/";

const Route* route_of(const Tool& tool) {
  const auto all = routes();
  const auto found = std::ranges::find_if(
      all, [&](const Route& each) { return each.method == tool.method && each.path == tool.path; });
  return found == all.end() ? nullptr : &*found;
}

std::string_view schema_text(std::string_view name) {
  const auto all = schemas();
  const auto found = std::ranges::find(all, name, &Schema::name);
  return found == all.end() ? std::string_view("{}") : found->json;
}

// The schema with its references led to "$defs", and the names they lead to.
std::string local_schema(std::string_view text, std::set<std::string>& named) {
  std::string out;
  while (true) {
    const auto at = text.find(kReference);
    out += text.substr(0, at);
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + kReference.size());
    out += kDefinition;
    named.emplace(text.substr(0, text.find('"')));
  }
}

// A schema that stands for itself: all that it refers to is within.
std::string whole_schema(std::string_view text) {
  std::set<std::string> open;
  std::string root = local_schema(text, open);
  std::map<std::string, std::string> definitions;
  while (!open.empty()) {
    const auto name = open.extract(open.begin()).value();
    if (definitions.contains(name)) continue;
    definitions[name] = local_schema(schema_text(name), open);
  }
  if (definitions.empty()) return root;
  std::string members;
  for (const auto& [name, schema] : definitions) members += cat(members.empty() ? "" : ",", '"', name, "\":", schema);
  return cat("{\"$defs\":{", members, "},", std::string_view(root).substr(1));
}

std::string output_schema(std::string_view name) {
  if (name.starts_with('{')) return std::string(name);
  if (!name.starts_with("[]")) return whole_schema(schema_text(name));
  return whole_schema(
      cat(R"({"type":"object","required":["items"],"properties":{"items":{"type":"array","items":{"$ref":")",
          kReference, name.substr(2), R"("}},"total":{"type":"integer"}}})"));
}

std::vector<std::string_view> words(std::string_view text) {
  if (text.empty()) return {};
  return split(text, ' ');
}

void write_input_schema(JsonWriter& json, const Tool& tool) {
  json.begin_object().field("type", "object").key("properties").raw(cat("{", tool.properties, "}"));
  json.key("required").begin_array();
  for (const auto name : words(tool.required)) json.value(name);
  json.end_array().field("additionalProperties", false).end_object();
}

std::string description_of(const Tool& tool) {
  JsonWriter json;
  json.begin_object().field("name", tool.name).field("title", tool.title).field("description", tool.description);
  json.key("inputSchema");
  write_input_schema(json, tool);
  json.key("outputSchema").raw(output_schema(tool.output));
  json.key("annotations")
      .begin_object()
      .field("title", tool.title)
      .field("readOnlyHint", tool.effect == ToolEffect::kReads)
      .field("destructiveHint", tool.effect == ToolEffect::kDestroys)
      .field("idempotentHint", tool.effect == ToolEffect::kReads || tool.effect == ToolEffect::kAddsOnce)
      .field("openWorldHint", tool.reach == ToolReach::kWorld)
      .end_object()
      .end_object();
  return std::move(json).text();
}

// Each tool's description, made once.
const std::string& described(const Tool& tool) {
  static const auto descriptions = [] {
    std::map<std::string_view, std::string> all;
    for (const auto& each : tools()) all.emplace(each.name, description_of(each));
    return all;
  }();
  return descriptions.at(tool.name);
}

bool is_known(std::string_view list, std::string_view name) {
  const auto all = words(list);
  return std::ranges::find(all, name) != all.end();
}

// Arguments have the names of the input schema, and all that are required are there.
Status check_names(const Tool& tool, const JsonNode& arguments) {
  const auto known = TRY(JsonNode::parse(cat("{", tool.properties, "}")));
  for (const auto& [name, value] : arguments.members()) {
    if (!known.member(name).is_null()) continue;
    std::vector<std::string> names;
    for (const auto& each : known.members()) names.push_back(each.first);
    return fail(ErrorCode::kInvalidArgument, cat("argument \"", name.substr(0, 64), "\" is not known"),
                names.empty() ? "there are none" : cat("there are: ", join(names, ", ")));
  }
  for (const auto name : words(tool.required)) {
    if (arguments.member(name).is_null())
      return fail(ErrorCode::kInvalidArgument, cat("argument \"", name, "\" is missing"));
  }
  return {};
}

Result<std::string> scalar(std::string_view name, const JsonNode& value) {
  if (value.is_object() || value.is_array() || value.is_null()) {
    return fail(ErrorCode::kInvalidArgument, cat("argument \"", name, "\" must be a single value"));
  }
  return value.text();
}

Result<std::string> path_for(const Tool& tool, const JsonNode& arguments, std::set<std::string>& used) {
  std::string path;
  for (const auto part : split(tool.path, '/')) {
    if (part.empty()) continue;
    path += '/';
    if (!part.starts_with('{')) {
      path += part;
      continue;
    }
    auto name = part.substr(1, part.size() - 2);
    if (name.ends_with('*')) name.remove_suffix(1);
    if (name == "name") name = tool.place;
    const auto value = TRY(scalar(name, arguments.member(name)));
    if (value.empty()) return fail(ErrorCode::kInvalidArgument, cat("argument \"", name, "\" is empty"));
    path += percent_encode(value);
    used.emplace(name);
  }
  return path;
}

}  // namespace

const ToolProgress& ToolProgress::none() {
  static const ToolProgress none{[](std::string_view, std::uint64_t, std::uint64_t) {}, [] { return false; }};
  return none;
}

const Tool* find_tool(std::string_view name) {
  const auto all = tools();
  const auto found = std::ranges::find(all, name, &Tool::name);
  return found == all.end() ? nullptr : &*found;
}

Role role_of(const Tool& tool) {
  const Route* route = route_of(tool);
  return route == nullptr ? Role::kAdmin : route->role;
}

std::optional<ToolPage> tools_page(const Caller& caller, const std::optional<std::string>& cursor,
                                   std::size_t page_size) {
  std::vector<const Tool*> allowed;
  for (const auto& tool : tools()) {
    if (const Route* route = route_of(tool); route != nullptr && may_call(caller, *route)) allowed.push_back(&tool);
  }
  auto begin = allowed.begin();
  if (cursor) {  // the name of the last tool of the page before
    begin = std::ranges::find(allowed, *cursor, &Tool::name);
    if (begin == allowed.end()) return std::nullopt;
    ++begin;
  }
  ToolPage page;
  JsonWriter json;
  json.begin_array();
  std::size_t count = 0;
  for (; begin != allowed.end() && count < page_size; ++begin, ++count) json.raw(described(**begin));
  json.end_array();
  page.tools = std::move(json).text();
  if (begin != allowed.end()) page.next = std::string((*std::prev(begin))->name);
  return page;
}

Result<Request> request_of(const Tool& tool, const JsonNode& arguments, const Request& from) {
  const Route* route = route_of(tool);
  if (route == nullptr) return fail(ErrorCode::kInternal, cat("tool ", tool.name, " leads nowhere"));
  TRY(check_names(tool, arguments));
  std::set<std::string> used;
  Request request;
  request.id = from.id;
  request.caller = from.caller;
  request.method = route->method;
  request.accept = "application/json";  // no tool follows a stream
  request.path = TRY(path_for(tool, arguments, used));
  JsonWriter body;
  body.begin_object();
  for (const auto& [name, value] : arguments.members()) {
    if (used.contains(name) || value.is_null()) continue;
    if (is_known(route->query, name)) {
      request.query[name] = TRY(scalar(name, value));
    } else {
      body.key(name).raw(value.dump());
    }
  }
  body.end_object();
  if (!route->request.empty()) request.body = std::move(body).text();
  return request;
}

Error said_with_tools(Error error) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kCommands{{
      {"skerry snapshot ls", "list_snapshots"},
      {"skerry images pull", "pull_image"},
      {"skerry plugins list", "list_plugins"},
      {"skerry deployments list", "list_deployments"},
      {"skerry deployments scale", "scale_deployment"},
      {"skerry vms list", "list_environments"},
      {"skerry ls", "list_environments"},
      {"skerry rm", "delete_environment"},
      {"skerry logs", "environment_logs"},
  }};
  for (const auto& [command, tool] : kCommands) {
    const auto at = error.hint.find(command);
    if (at == std::string::npos) continue;
    error.hint.resize(at);  // what follows are arguments of the command line
    error.hint += cat("the tool ", tool);
    break;
  }
  return error;
}

ToolAnswer answer_of(const Response& response) {
  JsonWriter json;
  if (response.body.empty() && response.status == 204) {
    json.begin_object().field("done", true).end_object();
    return {std::move(json).text(), {}};
  }
  if (!response.content_type.starts_with("application/json")) {
    json.begin_object().field("text", response.body).end_object();
    return {std::move(json).text(), response.body.empty() ? "(nothing)" : response.body};
  }
  if (!response.body.starts_with('[')) return {response.body, {}};
  json.begin_object().key("items").raw(response.body);
  for (const auto& [name, value] : response.headers) {
    if (name == "X-Total-Count") json.key("total").raw(value);
  }
  json.end_object();
  return {std::move(json).text(), {}};
}

}  // namespace skerry::api
