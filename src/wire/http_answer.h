// HttpAnswer: what came back for one HTTP request, read as hostile input. Pure: whoever has a socket brings the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace skerry {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpAnswer {
  int status = 0;
  std::string content_type;
  HttpHeaders headers;                // all, as they came
  std::optional<std::size_t> length;  // of its body, as its head says
  std::string body;
};

// What was asked for: HEAD's answer has no body, whatever its head says of one (RFC 9110 section 9.3.2).
enum class HttpAsked : std::uint8_t { kWhole, kHead };

// The status code of "HTTP/1.1 200 OK"; kCorrupt when the answer is not HTTP.
Result<int> parse_status_line(std::string_view answer);

// The parts of a whole answer. kCorrupt also for what two readers could understand differently (RFC 9112 section 6.3):
// lengths that disagree with each other or with what came, a transfer coding, which we never ask for, a broken header
// line.
Result<HttpAnswer> parse_http_answer(std::string_view bytes, HttpAsked asked = HttpAsked::kWhole);

// How many bytes the answer has that `bytes` begin with, on a connection that stays open: by its Content-Length,
// without one it has no body. Unset: its head is not whole yet. The errors of parse_http_answer().
Result<std::optional<std::size_t>> http_answer_size(std::string_view bytes);

}  // namespace skerry
