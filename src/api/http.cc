#include "api/http.h"

#include "base/text.h"

namespace skerry::api {
namespace {

int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

}  // namespace

const std::string& Request::parameter(const std::string& name) const {
  static const std::string none;
  const auto found = parameters.find(name);
  return found == parameters.end() ? none : found->second;
}

std::optional<std::string> Request::option(const std::string& name) const {
  const auto found = query.find(name);
  if (found == query.end()) return std::nullopt;
  return found->second;
}

Result<bool> Request::flag(const std::string& name, bool otherwise) const {
  const auto value = option(name);
  if (!value) return otherwise;
  if (value->empty() || *value == "1" || *value == "true") return true;
  if (*value == "0" || *value == "false") return false;
  return fail(ErrorCode::kInvalidArgument, cat("query ", name, ": must be true or false"));
}

Result<std::uint64_t> Request::number(const std::string& name, std::uint64_t otherwise, std::uint64_t most) const {
  const auto value = option(name);
  if (!value) return otherwise;
  const auto number = TRY(parse_int<std::uint64_t>(*value, cat("query ", name)));
  if (number > most) return fail(ErrorCode::kInvalidArgument, cat("query ", name, ": at most ", most));
  return number;
}

Response json_response(std::string body, int status) {
  Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

Response no_content() {
  Response response;
  response.status = 204;
  response.content_type.clear();
  return response;
}

Response text_response(std::string body, std::string content_type) {
  Response response;
  response.content_type = std::move(content_type);
  response.body = std::move(body);
  return response;
}

Result<std::string> percent_decode(std::string_view text, Plus plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char letter = text[i];
    if (letter == '+' && plus == Plus::kSpace) letter = ' ';
    if (letter == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return fail(ErrorCode::kInvalidArgument, cat("broken percent escape in \"", text.substr(0, 64), "\""));
      }
      letter = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (letter == '\0') return fail(ErrorCode::kInvalidArgument, "a NUL byte in the URL");
    out += letter;
  }
  return out;
}

Result<std::map<std::string, std::string>> parse_query(std::string_view text) {
  std::map<std::string, std::string> out;
  if (text.empty()) return out;
  for (const auto part : split(text, '&')) {
    if (part.empty()) continue;
    const auto equals = part.find('=');
    auto name = TRY(percent_decode(part.substr(0, equals), Plus::kSpace));
    std::string value;
    if (equals != std::string_view::npos) value = TRY(percent_decode(part.substr(equals + 1), Plus::kSpace));
    out[std::move(name)] = std::move(value);
  }
  return out;
}

}  // namespace skerry::api
