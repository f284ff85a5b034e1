#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace skerry {

std::string_view error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return "invalid_argument";
    case ErrorCode::kNotFound: return "not_found";
    case ErrorCode::kAlreadyExists: return "already_exists";
    case ErrorCode::kConflict: return "conflict";
    case ErrorCode::kRefused: return "refused";
    case ErrorCode::kPermissionDenied: return "permission_denied";
    case ErrorCode::kResourceExhausted: return "resource_exhausted";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kDeadlineExceeded: return "deadline_exceeded";
    case ErrorCode::kCorrupt: return "corrupt";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kCancelled: return "cancelled";
    case ErrorCode::kNotExecutable: return "not_executable";
    case ErrorCode::kCommandNotFound: return "command_not_found";
    case ErrorCode::kIo: return "io";
    case ErrorCode::kInternal: return "internal";
  }
  return "internal";
}

namespace {

ErrorCode code_of_errno(int err) {
  switch (err) {
    case EINVAL:
    case ENAMETOOLONG: return ErrorCode::kInvalidArgument;
    case ENOENT:
    case ESRCH:
    case ENOTDIR: return ErrorCode::kNotFound;
    case EEXIST: return ErrorCode::kAlreadyExists;
    case EBUSY: return ErrorCode::kConflict;
    case EACCES:
    case EPERM:
    case EROFS: return ErrorCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN: return ErrorCode::kResourceExhausted;
    case ECONNREFUSED:
    case ECONNRESET:
    case ENOTCONN:
    case EPIPE:
    case EHOSTUNREACH:
    case ENETUNREACH: return ErrorCode::kUnavailable;
    case ETIMEDOUT: return ErrorCode::kDeadlineExceeded;
    case ENOSYS:
    case EOPNOTSUPP: return ErrorCode::kUnsupported;
    case ECANCELED: return ErrorCode::kCancelled;
    default: return ErrorCode::kIo;
  }
}

}  // namespace

Error Error::from_errno(int err, std::string step) { return Error{code_of_errno(err), err, std::move(step), {}}; }

Error Error::last(std::string step) { return from_errno(errno, std::move(step)); }

std::string Error::message() const {
  std::string text = step;
  if (sys_errno != 0) {
    if (!text.empty()) text += ": ";
    text += ::strerrordesc_np(sys_errno) != nullptr ? ::strerrordesc_np(sys_errno) : "unknown error";
  }
  if (!hint.empty()) {
    text += " (";
    text += hint;
    text += ')';
  }
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

Error&& Error::in(std::string_view outer) && {
  std::string text(outer);
  if (!step.empty()) {
    text += ": ";
    text += step;
  }
  step = std::move(text);
  return std::move(*this);
}

Error&& Error::with_hint(std::string text) && {
  hint = std::move(text);
  return std::move(*this);
}

}  // namespace skerry
