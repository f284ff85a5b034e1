// What a workload or a VMM answers, before anything of it is passed on: a whole answer, or an error; headers hold
// nothing that could end a line, and an answer on an open connection ends where it says.
// Links: wire
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/http_answer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto measured = http_answer_size(text);
  if (measured && *measured && **measured <= size && !parse_http_answer(text.substr(0, **measured))) std::abort();
  const auto answer = parse_http_answer(text);
  if (!answer) return 0;
  if (answer->body.size() > size) std::abort();
  if (!parse_http_answer(text, HttpAsked::kHead)) std::abort();
  for (const auto& [name, value] : answer->headers) {
    if (name.empty() || name.find_first_of(": \t\r\n") != std::string_view::npos) std::abort();
    if (value.find_first_of("\r\n") != std::string_view::npos) std::abort();
  }
  return 0;
}
