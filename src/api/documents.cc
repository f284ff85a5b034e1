#include "api/documents.h"

#include "wire/problem.h"

namespace skerry::api {

void write_operation(wire::JsonWriter& json, const Operation& operation) {
  json.begin_object()
      .field("id", operation.id)
      .field("kind", operation.kind)
      .field("subject", operation.subject)
      .field("state", to_text(operation.state))
      .field("stage", operation.stage)
      .field("done", operation.done)
      .field("total", operation.total)
      .field("version", operation.version)
      .field("result", operation.result);
  const bool failed = operation.state == OperationState::kFailed || operation.state == OperationState::kCancelled;
  json.key("error");
  if (failed) {
    json.raw(wire::problem_json(operation.error, wire::http_status(operation.error)));
  } else {
    json.null();
  }
  json.field("started_at", to_rfc3339(operation.started_at)).key("finished_at");
  if (operation.finished_at.ns == 0) {
    json.null();
  } else {
    json.value(to_rfc3339(operation.finished_at));
  }
  json.end_object();
}

std::string operation_json(const Operation& operation) {
  wire::JsonWriter json;
  write_operation(json, operation);
  return std::move(json).text();
}

Response accepted(const Operation& operation) {
  Response response = json_response(operation_json(operation), 202);
  response.headers.emplace_back("Location", cat("/api/v1/operations/", operation.id));
  return response;
}

void write_image(wire::JsonWriter& json, const Image& image) {
  json.begin_object()
      .field("name", image.name)
      .field("id", image.config_digest.text())
      .field("digest", image.manifest_digest.text())
      .field("size", image.size)
      .field("layers", image.layers.size())
      .field("created", image.config.created)
      .field("os", image.config.os)
      .field("architecture", image.config.architecture)
      .end_object();
}

}  // namespace skerry::api
