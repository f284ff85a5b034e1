// JsonNode: a parsed JSON document for readers that only want to look something up (clients, tests), without the heavy
// header. Missing fields and wrong types read as empty: for documents that were checked elsewhere. Whoever must refuse
// bad input uses ObjectReader (json_fields.h) instead.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace skerry::wire {

class JsonNode {
 public:
  // An empty node: null.
  JsonNode() = default;
  // kInvalidArgument names the place. At most `max_bytes`.
  static Result<JsonNode> parse(std::string_view text, std::string_view what = "JSON",
                                std::size_t max_bytes = 64U << 20U);

  // The member with this name, by a path: "resources.memory_mb". Null when there is none.
  [[nodiscard]] JsonNode at(std::string_view path) const;
  // The member with exactly this name, dots and all.
  [[nodiscard]] JsonNode member(std::string_view name) const;
  // Of an array; empty for anything else.
  [[nodiscard]] std::vector<JsonNode> items() const;
  // Of an object, in the order of the text; empty for anything else.
  [[nodiscard]] std::vector<std::pair<std::string, JsonNode>> members() const;

  // Text of a string; numbers and booleans as they are written; "" for null, arrays and objects.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::int64_t integer() const;  // 0 when it is none
  [[nodiscard]] double decimal() const;        // 0 when it is none
  [[nodiscard]] bool flag() const;             // false when it is none
  [[nodiscard]] bool is_null() const;
  [[nodiscard]] bool is_object() const;
  [[nodiscard]] bool is_array() const;
  [[nodiscard]] bool is_string() const;
  [[nodiscard]] bool is_integer() const;  // a whole number that fits 64 bits
  // Back to JSON: one line, or indented by two spaces.
  enum class Style : std::uint8_t { kOneLine, kIndented };
  [[nodiscard]] std::string dump(Style style = Style::kOneLine) const;

  // Shorthands: at(path).text() and so on.
  [[nodiscard]] std::string text(std::string_view path) const { return at(path).text(); }
  [[nodiscard]] std::int64_t integer(std::string_view path) const { return at(path).integer(); }

 private:
  struct Tree;
  JsonNode(std::shared_ptr<const Tree> tree, const void* value) : tree_(std::move(tree)), value_(value) {}
  std::shared_ptr<const Tree> tree_;  // keeps the whole document alive
  const void* value_ = nullptr;
};

}  // namespace skerry::wire
