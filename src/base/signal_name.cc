#include "base/signal_name.h"

#include <csignal>
#include <cstring>

#include "base/text.h"

namespace skerry {

Result<int> parse_signal(std::string_view text) {
  std::string upper;
  for (const char letter : text.substr(0, 32)) {
    upper += static_cast<char>(letter >= 'a' && letter <= 'z' ? letter - 'a' + 'A' : letter);
  }
  if (upper.starts_with("SIG")) upper.erase(0, 3);
  for (int number = 1; number < NSIG; ++number) {
    const char* name = ::sigabbrev_np(number);
    if (name != nullptr && upper == name) return number;
  }
  const auto number = parse_int<int>(text, "signal");
  if (number && *number >= 1 && *number <= SIGRTMAX) return *number;
  return fail(ErrorCode::kInvalidArgument, cat("\"", text.substr(0, 32), "\" is not a signal"),
              "for example TERM, HUP or 9");
}

std::string signal_name(int number) {
  const char* name = ::sigabbrev_np(number);
  return name != nullptr ? name : cat(number);
}

}  // namespace skerry
