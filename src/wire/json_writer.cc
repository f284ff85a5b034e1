#include "wire/json_writer.h"

#include <cmath>

#include "base/log.h"

namespace skerry::wire {

void JsonWriter::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (!first_) out_ += ',';
  first_ = false;
}

JsonWriter& JsonWriter::put(std::string_view token) {
  separate();
  out_ += token;
  return *this;
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  out_ += bracket;
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  out_ += bracket;
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  value(name);
  out_ += ':';
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  separate();
  out_ += '"';
  log::append_json_escaped(out_, text);
  out_ += '"';
  return *this;
}

JsonWriter& JsonWriter::value(double number) {
  if (!std::isfinite(number) || std::fabs(number) > 1e15) return null();
  const auto thousandths = std::llround(number * 1000);
  std::string token = cat(thousandths < 0 ? "-" : "", std::llabs(thousandths) / 1000);
  if (auto rest = std::llabs(thousandths) % 1000; rest != 0) {
    std::string decimals = cat(rest);
    decimals.insert(0, 3 - decimals.size(), '0');
    while (decimals.ends_with('0')) decimals.pop_back();
    token += cat(".", decimals);
  }
  return put(token);
}

JsonWriter& JsonWriter::value(const std::vector<std::string>& texts) {
  begin_array();
  for (const auto& text : texts) value(text);
  return end_array();
}

JsonWriter& JsonWriter::value(const std::map<std::string, std::string>& pairs) {
  begin_object();
  for (const auto& [name, text] : pairs) field(name, text);
  return end_object();
}

}  // namespace skerry::wire
