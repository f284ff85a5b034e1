#include "keeper/runtime_log.h"

#include <charconv>
#include <optional>

#include "base/text.h"

namespace skerry::keeper {
namespace {

// Appends a code point as UTF-8. Halves of surrogate pairs (which messages do not hold) become '?'.
void append_utf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0U | (code >> 6U));
    out += static_cast<char>(0x80U | (code & 0x3FU));
  } else if (code >= 0xD800 && code < 0xE000) {
    out += '?';
  } else {
    out += static_cast<char>(0xE0U | (code >> 12U));
    out += static_cast<char>(0x80U | ((code >> 6U) & 0x3FU));
    out += static_cast<char>(0x80U | (code & 0x3FU));
  }
}

// Takes one escape sequence, behind its backslash, off `rest`; false when it is malformed.
bool take_escape(std::string_view& rest, std::string& out) {
  if (rest.empty()) return false;
  const char kind = rest.front();
  rest.remove_prefix(1);
  switch (kind) {
    case 'n': out += '\n'; return true;
    case 't': out += '\t'; return true;
    case 'r': out += '\r'; return true;
    case 'b': out += '\b'; return true;
    case 'f': out += '\f'; return true;
    case '"':
    case '\\':
    case '/': out += kind; return true;
    case 'u': break;
    default: return false;
  }
  unsigned code = 0;
  if (rest.size() < 4) return false;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + 4, code, 16);
  if (error != std::errc{} || end != rest.data() + 4) return false;
  rest.remove_prefix(4);
  append_utf8(out, code);
  return true;
}

// Takes a JSON string, at its opening quote, off `rest`.
std::optional<std::string> take_string(std::string_view& rest) {
  if (!rest.starts_with('"')) return std::nullopt;
  rest.remove_prefix(1);
  std::string out;
  while (!rest.empty()) {
    const char next = rest.front();
    rest.remove_prefix(1);
    if (next == '"') return out;
    if (next != '\\') {
      out += next;
    } else if (!take_escape(rest, out)) {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

void skip(std::string_view& rest, std::string_view characters) {
  rest.remove_prefix(std::min(rest.find_first_not_of(characters), rest.size()));
}

// The message of one line, when its level is an error's. Flat objects only: that is what runtimes write.
std::optional<std::string> error_of_line(std::string_view rest) {
  std::string level;
  std::optional<std::string> message;
  skip(rest, " {");
  while (!rest.empty() && rest.front() != '}') {
    const auto key = take_string(rest);
    if (!key) return std::nullopt;
    skip(rest, " :");
    std::string value;
    if (rest.starts_with('"')) {
      auto text = take_string(rest);
      if (!text) return std::nullopt;
      value = std::move(*text);
    } else {
      rest.remove_prefix(std::min(rest.find_first_of(",}"), rest.size()));
    }
    if (*key == "level") level = value;
    if (*key == "msg") message = std::move(value);
    skip(rest, " ,");
  }
  return level == "error" || level == "fatal" ? message : std::nullopt;
}

}  // namespace

std::string last_error(std::string_view log) {
  std::string last;
  for (const auto line : split(log, '\n')) {
    if (auto message = error_of_line(line)) last = std::move(*message);
  }
  return last;
}

}  // namespace skerry::keeper
