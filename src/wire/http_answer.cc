#include "wire/http_answer.h"

#include <algorithm>

#include "base/text.h"

namespace skerry {
namespace {

constexpr std::size_t kMaxAnswerHeaders = 128;
// Of what is only announced; whoever reads it has a smaller limit.
constexpr std::size_t kMostBodyBytes = std::size_t{1} << 40U;

struct Parts {
  std::string_view head;
  std::size_t body_at = 0;
};
// A line may end in a bare line feed (RFC 9112 section 2.2): scripts behind small servers (busybox httpd) write them.
std::optional<Parts> parts_of(std::string_view bytes) {
  for (auto at = bytes.find('\n'); at != std::string_view::npos; at = bytes.find('\n', at + 1)) {
    std::size_t next = at + 1;
    if (next < bytes.size() && bytes[next] == '\r') ++next;
    if (next < bytes.size() && bytes[next] == '\n') return Parts{bytes.substr(0, at), next + 1};
  }
  return std::nullopt;
}

bool is_header(std::string_view line, std::string_view name) {
  if (line.size() <= name.size() || line[name.size()] != ':') return false;
  return std::ranges::equal(line.substr(0, name.size()), name, [](char left, char right) {
    return (left >= 'A' && left <= 'Z' ? left - 'A' + 'a' : left) == right;
  });
}

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char letter) {
    return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(letter) != std::string_view::npos;
  });
}

// One line of the head, behind the first.
Status take_header(std::string_view line, HttpAnswer& answer) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const auto colon = line.find(':');
  const auto name = line.substr(0, colon);
  if (colon == std::string_view::npos || !is_token(name))
    return fail(ErrorCode::kCorrupt, "the answer's head is broken");
  const std::string value(trim(line.substr(colon + 1)));
  for (const char letter : value) {
    if ((static_cast<unsigned char>(letter) < 0x20 && letter != '\t') || letter == 0x7f) {
      return fail(ErrorCode::kCorrupt, cat("the answer's header ", name, " holds control characters"));
    }
  }
  if (answer.headers.size() == kMaxAnswerHeaders) return fail(ErrorCode::kCorrupt, "the answer has too many headers");
  if (is_header(line, "content-type")) answer.content_type = value;
  if (is_header(line, "transfer-encoding")) {
    return fail(ErrorCode::kCorrupt, "the answer has a transfer coding");
  }
  if (is_header(line, "content-length")) {
    const auto said = parse_int<std::size_t>(value, "content-length");
    if (!said || answer.length.value_or(*said) != *said)
      return fail(ErrorCode::kCorrupt, "the answer's length is none");
    answer.length = *said;
  }
  answer.headers.emplace_back(name, value);
  return {};
}

Result<HttpAnswer> take_head(std::string_view head) {
  HttpAnswer answer;
  answer.status = TRY(parse_status_line(head));
  const auto lines = split(head, '\n');
  for (std::size_t i = 1; i < lines.size(); ++i) TRY(take_header(lines[i], answer));
  return answer;
}

bool has_no_body(const HttpAnswer& answer) { return answer.status == 204 || answer.status == 304; }

}  // namespace

Result<int> parse_status_line(std::string_view answer) {
  const auto line = answer.substr(0, answer.find('\n'));
  const auto space = line.find(' ');
  if (!line.starts_with("HTTP/1.") || space == std::string_view::npos)
    return fail(ErrorCode::kCorrupt, "the answer is not HTTP");
  return parse_int<int>(line.substr(space + 1, 3), "HTTP status");
}

Result<HttpAnswer> parse_http_answer(std::string_view bytes, HttpAsked asked) {
  if (bytes.empty()) return fail(ErrorCode::kCorrupt, "the connection was closed without an answer");
  const auto parts = parts_of(bytes);
  if (!parts) {
    TRY(parse_status_line(bytes));
    return fail(ErrorCode::kCorrupt, "the answer was cut off within its head");
  }
  HttpAnswer answer = TRY(take_head(parts->head));
  if (asked == HttpAsked::kHead) return answer;
  answer.body = bytes.substr(parts->body_at);
  if (answer.length && !has_no_body(answer) && *answer.length != answer.body.size()) {
    return fail(ErrorCode::kCorrupt, cat("the answer has ", answer.body.size(), " bytes and says ", *answer.length));
  }
  return answer;
}

Result<std::optional<std::size_t>> http_answer_size(std::string_view bytes) {
  const auto parts = parts_of(bytes);
  if (!parts) return std::nullopt;
  const HttpAnswer answer = TRY(take_head(parts->head));
  const std::size_t head = parts->body_at;
  if (!answer.length || has_no_body(answer)) return head;
  if (*answer.length > kMostBodyBytes) {
    return fail(ErrorCode::kCorrupt, cat("the answer says it has ", *answer.length, " bytes"));
  }
  return head + *answer.length;
}

}  // namespace skerry
