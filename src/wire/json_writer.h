// JsonWriter: puts a JSON text together, field by field, without a tree in memory. For documents that are only written
// (API answers, log lines): light to include, and as fast as appending to a string.
//
//   JsonWriter json;
//   json.begin_object().field("id", id).key("layers").begin_array();
//   for (...) json.value(digest);
//   json.end_array().end_object();
//   return std::move(json).text();
//
// The caller keeps begin and end in step. Bytes that are not UTF-8 become U+FFFD.
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace skerry::wire {

class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);

  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag) { return put(flag ? "true" : "false"); }
  template <std::integral T>
    requires(!std::same_as<T, bool> && !std::same_as<T, char>)
  JsonWriter& value(T number) {
    return put(cat(number));
  }
  // At most three decimals.
  JsonWriter& value(double number);
  JsonWriter& value(const std::vector<std::string>& texts);
  JsonWriter& value(const std::map<std::string, std::string>& pairs);
  template <typename T>
  JsonWriter& value(const std::optional<T>& maybe) {
    return maybe ? value(*maybe) : null();
  }
  JsonWriter& null() { return put("null"); }
  // A value that is JSON already.
  JsonWriter& raw(std::string_view json) { return put(json); }

  template <typename T>
  JsonWriter& field(std::string_view name, const T& content) {
    return key(name).value(content);
  }

  [[nodiscard]] std::string text() && { return std::move(out_); }
  [[nodiscard]] std::string_view text_so_far() const { return out_; }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  JsonWriter& put(std::string_view token);
  void separate();

  std::string out_;
  bool first_ = true;  // nothing stands before in this object or array
  bool after_key_ = false;
};

}  // namespace skerry::wire
