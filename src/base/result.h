// Result and Error: how every fallible function in Skerry answers.
//
// A function that can fail returns Result<T> (or Status when there is no value). It never throws. An Error says
// which step failed, with which errno, what class of failure that is, and what the reader can do about it.
//
//   Result<Fd> open_log(const std::string& path) {
//     Fd dir = TRY(sys::open_directory(path));
//     ...
//   }
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace skerry {

// What kind of failure it is; decides the exit code (cli/) and the HTTP status (api/).
enum class ErrorCode : std::uint8_t {
  kInvalidArgument,    // the caller's input is wrong, whatever the state of the system
  kNotFound,           // the named thing does not exist
  kAlreadyExists,      // the name is taken
  kConflict,           // the thing is in a state that does not allow this now
  kRefused,            // policy says no
  kPermissionDenied,   // the kernel, or the caller's role, does not allow it
  kResourceExhausted,  // disk, memory, addresses, descriptors, a limit
  kUnavailable,        // a peer (daemon, registry, guest) does not answer
  kDeadlineExceeded,   // it did not happen in time
  kCorrupt,            // data does not match its digest, checksum or format
  kUnsupported,        // this host or build lacks what is needed
  kCancelled,          // the caller gave up
  kNotExecutable,      // the command exists but cannot be run (exit 126)
  kCommandNotFound,    // the command does not exist in the image (exit 127)
  kIo,                 // the kernel answered with an errno that fits none of the above
  kInternal,           // a bug in Skerry
};

// Stable lower-case name of a code ("not_found"), used in logs and problem documents.
std::string_view error_code_name(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  int sys_errno = 0;  // 0 when no system call was involved
  std::string step;   // what was being done, with the names involved: "open /var/lib/skerry/db"
  std::string hint;   // what to do about it; may be empty

  // An error from a failed system call; the code is derived from `err` (errno(3)).
  static Error from_errno(int err, std::string step);
  // The same from the current errno.
  static Error last(std::string step);

  // "<step>: <strerror> (<hint>)", on one line.
  [[nodiscard]] std::string message() const;

  // Adds what the outer layer was doing: "pull image x: open /a: No such file or directory".
  Error&& in(std::string_view outer) &&;
  Error&& with_hint(std::string text) &&;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = std::expected<void, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string step, std::string hint = {}) {
  return std::unexpected<Error>(Error{code, 0, std::move(step), std::move(hint)});
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }
// Fails with the current errno. Call it at once after the system call.
inline std::unexpected<Error> fail_errno(std::string step) {
  return std::unexpected<Error>(Error::last(std::move(step)));
}

// Prefixes the error, if there is one, with what the caller was doing.
template <typename T>
Result<T> annotate(Result<T> result, std::string_view outer) {
  if (!result) return std::unexpected<Error>(std::move(std::move(result).error()).in(outer));
  return result;
}

}  // namespace skerry

// A name of its own for each use, so that a TRY may stand inside another one.
#define SKERRY_JOIN_INNER(a, b) a##b
#define SKERRY_JOIN(a, b) SKERRY_JOIN_INNER(a, b)

#define SKERRY_TRY_AS(name, expression, mend)                                           \
  __extension__({                                                                       \
    auto&& name = (expression);                                                         \
    if (!name) [[unlikely]]                                                             \
      return std::unexpected<::skerry::Error>(std::move(std::move(name).error()) mend); \
    std::move(name).value();                                                            \
  })

// Yields the value of a Result, or returns its error from the enclosing function.
#define TRY(expression) SKERRY_TRY_AS(SKERRY_JOIN(skerry_try_, __COUNTER__), expression, )

// TRY that also says what was being done.
#define TRY_IN(outer, expression) SKERRY_TRY_AS(SKERRY_JOIN(skerry_try_, __COUNTER__), expression, .in(outer))
