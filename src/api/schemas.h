// JSON Schemas (2020-12) of the API's bodies, by the names the route table uses.
#pragma once

#include <span>
#include <string_view>

namespace skerry::api {

struct Schema {
  std::string_view name;
  std::string_view json;
};
std::span<const Schema> schemas();

}  // namespace skerry::api
