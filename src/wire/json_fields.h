// ObjectReader: takes a JSON object apart field by field, strictly, collecting the first error with its JSON path.
//
//   ObjectReader fields(json, "workload", reader_errors);
//   fields.text("cwd", process.cwd);          // missing: keeps the default
//   fields.number("umask", process.umask, 0U, 0777U);
//   fields.finish(Unknown::kRefuse);
//
// For the .cc files of wire/ only: it includes the heavy JSON header.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/text.h"

namespace skerry::wire {

using Json = nlohmann::json;

// Parses without exceptions; kInvalidArgument with the place. `what` names the document. The nesting is bounded, so
// that a hostile text cannot exhaust the stack.
Result<Json> parse_json(std::string_view text, std::string_view what, std::size_t max_bytes);
// "document: not JSON: line 3, column 7: …", of what the library said of `text`.
Error not_json(std::string_view what, std::string_view text, const nlohmann::json::exception& problem);
// The bounds alone: size and nesting.
Status check_json_bounds(std::string_view text, std::string_view what, std::size_t max_bytes);
// One line; bytes that are not UTF-8 become U+FFFD.
std::string dump_json(const Json& json);

enum class Unknown : std::uint8_t { kRefuse, kIgnore };

// The first error of a whole document, shared by all readers of it.
class FieldErrors {
 public:
  void add(std::string_view path, std::string_view problem) {
    if (!first_) first_ = Error{ErrorCode::kInvalidArgument, 0, cat(path, ": ", problem), {}};
  }
  [[nodiscard]] bool any() const { return first_.has_value(); }
  [[nodiscard]] Status status() const {
    if (first_) return std::unexpected<Error>(*first_);
    return {};
  }

 private:
  std::optional<Error> first_;
};

class ObjectReader {
 public:
  ObjectReader(const Json& json, std::string path, FieldErrors& errors);

  // Each: missing or null leaves `into` as it is; a wrong type or range is an error.
  void text(const char* name, std::string& into, std::size_t max_bytes = 65536);
  void flag(const char* name, bool& into);
  template <std::integral T>
  void number(const char* name, T& into, T low = std::numeric_limits<T>::min(),
              T high = std::numeric_limits<T>::max()) {
    const Json* value = find(name);
    if (value == nullptr) return;
    // Unsigned values above the signed range do not fit get<int64_t>.
    const bool fits = value->is_number_integer() &&
                      (!value->is_number_unsigned() || value->get<std::uint64_t>() <= std::uint64_t{INT64_MAX});
    const bool large = value->is_number_unsigned() && std::cmp_less_equal(value->get<std::uint64_t>(), high) &&
                       std::cmp_greater_equal(value->get<std::uint64_t>(), low);
    if (large || (fits && std::cmp_greater_equal(value->get<std::int64_t>(), low) &&
                  std::cmp_less_equal(value->get<std::int64_t>(), high))) {
      into = value->get<T>();
      return;
    }
    errors_->add(at(name), cat("must be a whole number from ", low, " to ", high));
  }
  void texts(const char* name, std::vector<std::string>& into, std::size_t max_count = 4096);
  // One of the words, by position.
  void word(const char* name, std::size_t& into, const std::vector<std::string_view>& words);
  void object(const char* name, const std::function<void(ObjectReader&)>& read);
  void objects(const char* name, const std::function<void(ObjectReader&)>& read, std::size_t max_count = 1024);
  // Whether it says something: null stands for a field that is missing, as clients write what they leave open.
  [[nodiscard]] bool has(const char* name) const { return mentions(name) && !json_->at(name).is_null(); }
  // Also as null.
  [[nodiscard]] bool mentions(const char* name) const { return json_->is_object() && json_->contains(name); }
  // An object whose values are all strings.
  void pairs(const char* name, std::map<std::string, std::string>& into, std::size_t max_count = 4096);
  // A number that may have a fraction.
  void decimal(const char* name, double& into, double low, double high);
  // Every item of an array, of any type, with its path.
  void items(const char* name, const std::function<void(const Json& item, const std::string& path)>& read,
             std::size_t max_count = 1024);
  // The value itself, of any type, with its path.
  void value(const char* name, const std::function<void(const Json& value, const std::string& path)>& read);
  [[nodiscard]] FieldErrors& errors() const { return *errors_; }
  // Any value, as JSON text.
  void raw(const char* name, std::string& into);
  void required(const char* name);
  void error(const char* name, std::string_view problem) { errors_->add(at(name), problem); }
  void finish(Unknown unknown);

 private:
  const Json* find(const char* name);
  [[nodiscard]] std::string at(std::string_view name) const {
    return path_.empty() ? std::string(name) : cat(path_, ".", name);
  }

  const Json* json_;
  std::string path_;
  FieldErrors* errors_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace skerry::wire
