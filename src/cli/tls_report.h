// What skerry-tls tells the command line that started it, over a pipe: a line for "connected", three for an error.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/text.h"

namespace skerry::cli {

inline constexpr std::string_view kConnected = "connected\n";
// The errors it can have, as words of the pipe.
inline constexpr std::array kReported{ErrorCode::kUnavailable, ErrorCode::kPermissionDenied,
                                      ErrorCode::kInvalidArgument, ErrorCode::kDeadlineExceeded, ErrorCode::kNotFound};

inline std::string write_report(const Error& error) {
  const auto line = [](std::string text) {
    for (char& letter : text) letter = letter == '\n' ? ' ' : letter;
    return text + "\n";
  };
  return cat("error ", error_code_name(error.code), "\n",
             line(Error{error.code, error.sys_errno, error.step, {}}.message()), line(error.hint));
}

// Whether a whole report has come.
inline bool ends_report(std::string_view text) {
  if (text.starts_with(kConnected)) return true;
  return split(text, '\n').size() >= 4;
}

// nullopt: no error.
inline std::optional<Error> read_report(std::string_view text) {
  if (text.starts_with(kConnected)) text.remove_prefix(kConnected.size());
  const auto lines = split(text, '\n');
  if (lines.size() < 4 || !lines[0].starts_with("error ")) return std::nullopt;
  Error error{ErrorCode::kUnavailable, 0, std::string(lines[1]), std::string(lines[2])};
  for (const auto code : kReported) {
    if (error_code_name(code) == lines[0].substr(6)) error.code = code;
  }
  return error;
}

}  // namespace skerry::cli
