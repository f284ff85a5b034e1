#include "wire/oci_spec_reader.h"

#include "wire/oci_spec.h"

namespace skerry::oci::reader {
namespace {

// The specification nests about eight deep; the JSON library recurses when it destroys a value.
constexpr int kMaxDepth = 64;

// How deep arrays and objects nest, brackets inside strings not counted.
int nesting_depth(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
    if (c == '}' || c == ']') --depth;
  }
  return deepest;
}

}  // namespace

Result<Json> parse_json(std::string_view text) {
  if (text.size() > kMaxConfigBytes) {
    return fail(ErrorCode::kResourceExhausted,
                cat("the document has ", text.size(), " bytes; at most ", kMaxConfigBytes, " are read"));
  }
  if (nesting_depth(text) > kMaxDepth) {
    return fail(ErrorCode::kInvalidArgument, cat("JSON nested deeper than ", kMaxDepth, " levels"));
  }
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    return fail(ErrorCode::kInvalidArgument, cat("invalid JSON at byte ", error.byte));
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInvalidArgument, cat("invalid JSON: ", error.what()));
  }
}

}  // namespace skerry::oci::reader
