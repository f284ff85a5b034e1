// GET /openapi.json: the OpenAPI 3.1 document, made from the route table and the schemas.
#include <algorithm>

#include "api/handlers.h"
#include "api/route.h"
#include "api/schemas.h"
#include "base/text.h"
#include "wire/json_writer.h"

namespace skerry::api {
namespace {

using wire::JsonWriter;

void write_schema(JsonWriter& json, std::string_view name) {
  const bool list = name.starts_with("[]");
  if (list) name.remove_prefix(2);
  json.begin_object();
  if (list) json.field("type", "array").key("items").begin_object();
  json.field("$ref", cat("#/components/schemas/", name));
  if (list) json.end_object();
  json.end_object();
}

// `media`: one or several, separated by spaces.
void write_content(JsonWriter& json, std::string_view media, std::string_view schema) {
  json.key("content").begin_object();
  for (const auto each : split(media, ' ')) {
    json.key(each).begin_object();
    if (!schema.empty() && each.ends_with("json")) {
      json.key("schema");
      write_schema(json, schema);
    }
    json.end_object();
  }
  json.end_object();
}

void write_parameter(JsonWriter& json, std::string_view name, std::string_view where) {
  json.begin_object().field("name", name).field("in", where);
  if (where == "path") json.field("required", true);
  json.key("schema").begin_object().field("type", "string").end_object().end_object();
}

// "{reference*}" is written as {reference}.
std::string documented_path(std::string_view path) {
  std::string out;
  for (const char letter : path) {
    if (letter != '*') out += letter;
  }
  return out;
}

void write_parameters(JsonWriter& json, const Route& route) {
  json.key("parameters").begin_array();
  const std::string path = documented_path(route.path);
  for (const auto part : split(path, '/')) {
    if (part.starts_with('{')) write_parameter(json, part.substr(1, part.size() - 2), "path");
  }
  if (!route.query.empty()) {
    for (const auto name : split(route.query, ' ')) write_parameter(json, name, "query");
  }
  json.end_array();
}

bool has_option(const Route& route, std::string_view name) {
  const auto options = split(route.query, ' ');
  return std::find(options.begin(), options.end(), name) != options.end();
}

// "POST /api/v1/environments/{name}/stop" → "post_environments_name_stop"
std::string operation_id(const Route& route) {
  std::string id(route.method);
  for (const auto part : split(route.path, '/')) {
    if (part.empty() || part == "api" || part == "v1") continue;
    id += '_';
    for (const char letter : part) {
      if (letter != '{' && letter != '}' && letter != '*') id += letter == '.' ? '_' : letter;
    }
  }
  for (char& letter : id) letter = static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
  return id;
}

void write_operation_of(JsonWriter& json, const Route& route) {
  std::string method(route.method);
  for (char& letter : method) letter = static_cast<char>(letter - 'A' + 'a');
  json.key(method).begin_object();
  json.field("operationId", operation_id(route)).field("summary", route.summary);
  json.field("x-role", to_text(route.role));
  write_parameters(json, route);
  if (!route.request.empty()) {
    json.key("requestBody").begin_object();
    write_content(json, "application/json", route.request);
    json.end_object();
  }
  json.key("responses").begin_object().key(cat(route.status)).begin_object().field("description", "success");
  if (route.status != 204 && route.status != 101) write_content(json, route.media, route.response);
  json.end_object();
  if (has_option(route, "background")) {
    json.key("202").begin_object().field("description", "with background: it is under way");
    write_content(json, "application/json", "Operation");
    json.end_object();
  }
  json.key("default").begin_object().field("description", "what failed, why, and what to do");
  write_content(json, "application/problem+json", "Problem");
  json.end_object().end_object().end_object();
}

std::string document() {
  JsonWriter json;
  json.begin_object().field("openapi", "3.1.0").key("info").begin_object();
  json.field("title", "Skerry").field("version", SKERRY_VERSION).end_object();
  json.key("paths").begin_object();
  std::vector<std::string_view> written;
  for (const auto& first : routes()) {
    if (std::find(written.begin(), written.end(), first.path) != written.end()) continue;
    written.push_back(first.path);
    json.key(documented_path(first.path)).begin_object();
    for (const auto& route : routes()) {
      if (route.path == first.path) write_operation_of(json, route);
    }
    json.end_object();
  }
  json.end_object().key("components").begin_object().key("schemas").begin_object();
  for (const auto& schema : schemas()) json.key(schema.name).raw(schema.json);
  json.end_object().key("securitySchemes").begin_object().key("bearer").begin_object();
  json.field("type", "http").field("scheme", "bearer").end_object().end_object().end_object();
  json.key("security").begin_array().begin_object().key("bearer").begin_array().end_array().end_object().end_array();
  json.end_object();
  return std::move(json).text();
}

}  // namespace

Result<Response> show_openapi(Context&, const Request&) {
  static const std::string served = document();
  return json_response(served);
}

}  // namespace skerry::api
