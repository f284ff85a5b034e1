// Documents of the API that are not environments or events.
#pragma once

#include <string>

#include "api/http.h"
#include "control/operations.h"
#include "core/image.h"
#include "wire/json_writer.h"

namespace skerry::api {

void write_operation(wire::JsonWriter& json, const Operation& operation);
std::string operation_json(const Operation& operation);
// 202: it is under way.
Response accepted(const Operation& operation);

// As in a list: what it is, not how it runs.
void write_image(wire::JsonWriter& json, const Image& image);

}  // namespace skerry::api
