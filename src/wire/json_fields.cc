#include "wire/json_fields.h"

#include <algorithm>

namespace skerry::wire {
namespace {

constexpr int kMaxDepth = 64;

// Whether brackets nest deeper than kMaxDepth; strings are skipped.
bool nests_too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char letter = text[i];
    if (in_string) {
      if (letter == '\\') ++i;
      if (letter == '"') in_string = false;
    } else if (letter == '"') {
      in_string = true;
    } else if (letter == '{' || letter == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (letter == '}' || letter == ']') {
      --depth;
    }
  }
  return false;
}

// What is wrong where the parser stopped reading.
std::string stumble(std::string_view text, std::size_t at) {
  if (at >= text.size()) return "it ends too early";
  const char letter = text[at];
  if (letter == '\n' || letter == '\r') return "the line must not end here";
  if (letter < ' ' || letter > '~') return "a byte that cannot stand here";
  return cat("unexpected '", std::string(1, letter), "'");
}

}  // namespace

Status check_json_bounds(std::string_view text, std::string_view what, std::size_t max_bytes) {
  if (text.size() > max_bytes) return fail(ErrorCode::kInvalidArgument, cat(what, ": more than ", max_bytes, " bytes"));
  if (nests_too_deep(text)) {
    return fail(ErrorCode::kInvalidArgument, cat(what, ": nested deeper than ", kMaxDepth, " levels"));
  }
  return {};
}

Result<Json> parse_json(std::string_view text, std::string_view what, std::size_t max_bytes) {
  TRY(check_json_bounds(text, what, max_bytes));
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& problem) {
    return fail(not_json(what, text, problem));
  }
}

Error not_json(std::string_view what, std::string_view text, const nlohmann::json::exception& problem) {
  const auto error = [&](std::string_view why) {
    return Error{ErrorCode::kInvalidArgument, 0, cat(what, ": not JSON: ", why), {}};
  };
  if (trim(text).empty()) return error("it is empty");
  const auto* parse = dynamic_cast<const nlohmann::json::parse_error*>(&problem);
  // A number beyond what a double holds: [json.exception.out_of_range.406].
  if (parse == nullptr) return error("a number is too large");
  // The library counts from 1 and names the byte at which it stumbled; one behind the last is the end.
  const std::size_t at = std::min(parse->byte == 0 ? 0 : parse->byte - 1, text.size());
  const auto before = text.substr(0, at);
  const auto line_begin = before.rfind('\n');
  const auto line = static_cast<std::size_t>(std::ranges::count(before, '\n')) + 1;
  const auto column = line_begin == std::string_view::npos ? at + 1 : at - line_begin;
  return error(cat("line ", line, ", column ", column, ": ", stumble(text, at)));
}

std::string dump_json(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

ObjectReader::ObjectReader(const Json& json, std::string path, FieldErrors& errors)
    : json_(&json), path_(std::move(path)), errors_(&errors) {
  if (!json.is_object()) errors.add(path_.empty() ? "document" : path_, "must be an object");
}

const Json* ObjectReader::find(const char* name) {
  known_.insert(name);
  if (!json_->is_object()) return nullptr;
  const auto found = json_->find(name);
  return found == json_->end() || found->is_null() ? nullptr : &*found;
}

void ObjectReader::text(const char* name, std::string& into, std::size_t max_bytes) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (!value->is_string()) return errors_->add(at(name), "must be a string");
  const auto& found = value->get_ref<const std::string&>();
  if (found.size() > max_bytes) return errors_->add(at(name), cat("must not be longer than ", max_bytes, " bytes"));
  into = found;
}

void ObjectReader::flag(const char* name, bool& into) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (!value->is_boolean()) return errors_->add(at(name), "must be true or false");
  into = value->get<bool>();
}

void ObjectReader::texts(const char* name, std::vector<std::string>& into, std::size_t max_count) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (!value->is_array()) return errors_->add(at(name), "must be an array of strings");
  if (value->size() > max_count) return errors_->add(at(name), cat("must not have more than ", max_count, " items"));
  std::vector<std::string> found;
  for (const auto& item : *value) {
    if (!item.is_string()) return errors_->add(cat(at(name), "[", found.size(), "]"), "must be a string");
    found.push_back(item.get<std::string>());
  }
  into = std::move(found);
}

void ObjectReader::word(const char* name, std::size_t& into, const std::vector<std::string_view>& words) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (value->is_string()) {
    const auto found = std::ranges::find(words, std::string_view(value->get_ref<const std::string&>()));
    if (found != words.end()) {
      into = static_cast<std::size_t>(found - words.begin());
      return;
    }
  }
  std::string choice;
  for (const auto& item : words) choice += cat(choice.empty() ? "" : ", ", item);
  errors_->add(at(name), cat("must be one of ", choice));
}

void ObjectReader::object(const char* name, const std::function<void(ObjectReader&)>& read) {
  const Json* value = find(name);
  if (value == nullptr) return;
  ObjectReader inner(*value, at(name), *errors_);
  read(inner);
}

void ObjectReader::objects(const char* name, const std::function<void(ObjectReader&)>& read, std::size_t max_count) {
  const Json* value = find(name);
  if (value == nullptr) return;
  if (!value->is_array()) return errors_->add(at(name), "must be an array of objects");
  if (value->size() > max_count) return errors_->add(at(name), cat("must not have more than ", max_count, " items"));
  std::size_t index = 0;
  for (const auto& item : *value) {
    ObjectReader inner(item, cat(at(name), "[", index++, "]"), *errors_);
    read(inner);
  }
}

void ObjectReader::pairs(const char* name, std::map<std::string, std::string>& into, std::size_t max_count) {
  const Json* found = find(name);
  if (found == nullptr) return;
  if (!found->is_object()) return errors_->add(at(name), "must be an object of strings");
  if (found->size() > max_count) return errors_->add(at(name), cat("must not have more than ", max_count, " fields"));
  std::map<std::string, std::string> pairs;
  for (const auto& [key, item] : found->items()) {
    if (!item.is_string()) return errors_->add(cat(at(name), ".", key), "must be a string");
    pairs[key] = item.get<std::string>();
  }
  into = std::move(pairs);
}

void ObjectReader::decimal(const char* name, double& into, double low, double high) {
  const Json* found = find(name);
  if (found == nullptr) return;
  if (!found->is_number()) return errors_->add(at(name), "must be a number");
  const double number = found->get<double>();
  if (number < low || number > high) return errors_->add(at(name), "is out of range");
  into = number;
}

void ObjectReader::items(const char* name, const std::function<void(const Json&, const std::string&)>& read,
                         std::size_t max_count) {
  const Json* found = find(name);
  if (found == nullptr) return;
  if (!found->is_array()) return errors_->add(at(name), "must be an array");
  if (found->size() > max_count) return errors_->add(at(name), cat("must not have more than ", max_count, " items"));
  std::size_t index = 0;
  for (const auto& item : *found) read(item, cat(at(name), "[", index++, "]"));
}

void ObjectReader::value(const char* name, const std::function<void(const Json&, const std::string&)>& read) {
  const Json* found = find(name);
  if (found != nullptr) read(*found, at(name));
}

void ObjectReader::raw(const char* name, std::string& into) {
  const Json* value = find(name);
  if (value != nullptr) into = dump_json(*value);
}

void ObjectReader::required(const char* name) {
  if (find(name) == nullptr) errors_->add(at(name), "is missing");
}

void ObjectReader::finish(Unknown unknown) {
  if (unknown == Unknown::kIgnore || !json_->is_object()) return;
  for (const auto& [name, value] : json_->items()) {
    if (!known_.contains(name)) return errors_->add(at(name), "is not a known field");
  }
}

}  // namespace skerry::wire
