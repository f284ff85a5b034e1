// JsonReader: a JSON value together with its place in the document, so that every complaint can name the place.
//
// Internal to src/wire/oci_spec_*.cc. Reading stops at the first error: a Reader remembers it in the shared Trouble and
// every later read is a no-op that returns the default. The caller looks once, at the end.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/text.h"

namespace skerry::oci::reader {

using Json = nlohmann::json;

class JsonReader {
 public:
  // The root of a document. `error` outlives every reader made from this one.
  JsonReader(const Json& value, std::optional<Error>& error) : value_(&value), error_(&error) {}

  [[nodiscard]] bool failed() const { return error_->has_value(); }
  void complain(std::string_view what) const {
    if (failed()) return;
    *error_ = Error{ErrorCode::kInvalidArgument, 0, cat(path(), ": ", what), {}};
  }

  // The member, when it is there and not null. An object is expected.
  [[nodiscard]] std::optional<JsonReader> member(const char* name) const {
    if (failed()) return std::nullopt;
    if (!value_->is_object()) {
      complain(cat("expected an object, found ", value_->type_name()));
      return std::nullopt;
    }
    const auto found = value_->find(name);
    if (found == value_->end() || found->is_null()) return std::nullopt;
    return JsonReader(*found, *this, name, 0);
  }

  void read(std::string& out) const {
    if (failed()) return;
    const auto* text = value_->get_ptr<const std::string*>();
    if (text == nullptr) return complain(cat("expected a string, found ", value_->type_name()));
    // Every string ends up in a system call: a NUL inside would silently cut it there.
    if (text->find('\0') != std::string::npos) return complain("a NUL character is not allowed");
    out = *text;
  }
  void read(bool& out) const {
    if (failed()) return;
    if (!value_->is_boolean()) return complain(cat("expected true or false, found ", value_->type_name()));
    out = value_->get<bool>();
  }
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  void read(T& out) const {
    if (failed()) return;
    if (!value_->is_number_integer()) return complain(cat("expected an integer, found ", value_->type_name()));
    if (value_->is_number_unsigned()) return store(value_->get<std::uint64_t>(), out);
    store(value_->get<std::int64_t>(), out);
  }
  template <typename T>
  void read(std::optional<T>& out) const {
    T value{};
    read(value);
    if (!failed()) out = std::move(value);
  }
  template <typename T>
  void read(std::vector<T>& out) const {
    each([&](const JsonReader& item) {
      T value{};
      item.read_any(value);
      out.push_back(std::move(value));
    });
  }

  // Calls `visit(item)` for every element of an array.
  template <typename Visit>
  void each(Visit visit) const {
    if (failed()) return;
    if (!value_->is_array()) return complain(cat("expected an array, found ", value_->type_name()));
    for (std::size_t index = 0; index < value_->size() && !failed(); ++index) {
      visit(JsonReader((*value_)[index], *this, {}, index));
    }
  }
  // Calls `visit(name, value)` for every member of an object.
  template <typename Visit>
  void each_member(Visit visit) const {
    if (failed()) return;
    if (!value_->is_object()) return complain(cat("expected an object, found ", value_->type_name()));
    for (const auto& [name, value] : value_->items()) {
      if (failed()) return;
      if (name.find('\0') != std::string::npos) return complain("a NUL character is not allowed in a name");
      visit(name, JsonReader(value, *this, name, 0));
    }
  }

  // Reads member `name` into `out` when it is there.
  template <typename T>
  void get(const char* name, T& out) const {
    if (const auto found = member(name)) found->read_any(out);
  }
  // The same, and complains when it is not there or is empty.
  void require(const char* name, std::string& out) const {
    get(name, out);
    if (out.empty()) complain_at(name, "is required and must not be empty");
  }
  void complain_at(const char* name, std::string_view what) const {
    if (!failed()) JsonReader(*value_, *this, name, 0).complain(what);
  }
  // Complains unless `value` is one of `allowed`.
  void expect_one_of(const char* name, const std::string& value,
                     std::initializer_list<std::string_view> allowed) const {
    expect_one_of(name, value, std::span(allowed.begin(), allowed.size()));
  }
  void expect_one_of(const char* name, const std::string& value, std::span<const std::string_view> allowed) const {
    for (const auto candidate : allowed) {
      if (value == candidate) return;
    }
    std::string list;
    for (const auto candidate : allowed) list += cat(list.empty() ? "" : ", ", candidate);
    complain_at(name, cat("\"", value.substr(0, 64), "\" is not one of: ", list));
  }

  // Strings, numbers and lists by read(); structures by their own `read_value(reader, out)`, found by its argument.
  template <typename T>
  void read_any(T& out) const {
    if constexpr (requires { read_value(*this, out); }) {
      read_value(*this, out);
    } else {
      read(out);
    }
  }
  template <typename T>
    requires requires(const JsonReader& self, T& value) { read_value(self, value); }
  void read(std::optional<T>& out) const {
    T value{};
    read_value(*this, value);
    if (!failed()) out = std::move(value);
  }

 private:
  // A child of `parent`, which must live as long: readers nest like the calls that use them, so the path needs no copy.
  JsonReader(const Json& value, const JsonReader& parent, std::string_view name, std::size_t index)
      : value_(&value), parent_(&parent), name_(name), index_(index), error_(parent.error_) {}

  // RFC 6901, "/" for the root itself.
  [[nodiscard]] std::string path() const {
    if (parent_ == nullptr) return "/";
    const std::string above = parent_->parent_ == nullptr ? std::string() : parent_->path();
    return name_.empty() ? cat(above, "/", index_) : cat(above, "/", name_);
  }

  template <typename Wide, typename T>
  void store(Wide wide, T& out) const {
    if (!std::in_range<T>(wide)) {
      return complain(
          cat(wide, " is out of range (", std::numeric_limits<T>::min(), " to ", std::numeric_limits<T>::max(), ")"));
    }
    out = static_cast<T>(wide);
  }

  const Json* value_;
  const JsonReader* parent_ = nullptr;
  std::string_view name_;  // of the member; empty for an element
  std::size_t index_ = 0;  // of the element
  std::optional<Error>* error_;
};

// The document, or an error with the byte position. Bounded in size and depth.
Result<Json> parse_json(std::string_view text);

// Parses the text, hands the root to `read_root`, and answers with what it filled or the first complaint.
template <typename T, typename ReadRoot>
Result<T> parse_document(std::string_view json, ReadRoot read_root) {
  const Json document = TRY(parse_json(json));
  std::optional<Error> error;
  T out{};
  read_root(JsonReader(document, error), out);
  if (error) return fail(std::move(*error));
  return out;
}

}  // namespace skerry::oci::reader
