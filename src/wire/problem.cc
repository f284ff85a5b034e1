#include "wire/problem.h"

#include <cerrno>

#include "base/text.h"
#include "wire/json_node.h"
#include "wire/json_writer.h"

namespace skerry::wire {
namespace {

constexpr std::size_t kQuotedBody = 200;

std::string title_of(ErrorCode code) {
  std::string title(error_code_name(code));
  for (char& letter : title) {
    if (letter == '_') letter = ' ';
  }
  return title;
}

ErrorCode code_of_name(std::string_view name) {
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    if (error_code_name(static_cast<ErrorCode>(code)) == name) return static_cast<ErrorCode>(code);
  }
  return ErrorCode::kInternal;
}

ErrorCode code_of_status(int status) {
  switch (status) {
    case 400: return ErrorCode::kInvalidArgument;
    case 401:
    case 403: return ErrorCode::kPermissionDenied;
    case 404: return ErrorCode::kNotFound;
    case 409: return ErrorCode::kConflict;
    case 413:
    case 429:
    case 507: return ErrorCode::kResourceExhausted;
    case 502:
    case 503: return ErrorCode::kUnavailable;
    case 504: return ErrorCode::kDeadlineExceeded;
    default: return ErrorCode::kInternal;
  }
}

}  // namespace

int http_status(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalidArgument: return 400;
    case ErrorCode::kNotFound: return 404;
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kConflict:
    case ErrorCode::kCancelled: return 409;
    case ErrorCode::kRefused: return 403;
    // A file system that became read-only is nobody's lack of a right.
    case ErrorCode::kPermissionDenied: return error.sys_errno == EROFS ? 503 : 403;
    // No address, too little memory: the caller can ask for less. A full disk it cannot help.
    case ErrorCode::kResourceExhausted: return error.sys_errno == 0 ? 409 : 507;
    case ErrorCode::kNotExecutable:
    case ErrorCode::kCommandNotFound: return 422;
    case ErrorCode::kUnsupported: return 501;
    case ErrorCode::kCorrupt: return 502;
    case ErrorCode::kUnavailable: return 503;
    case ErrorCode::kDeadlineExceeded: return 504;
    case ErrorCode::kIo:
    case ErrorCode::kInternal: return 500;
  }
  return 500;
}

std::string problem_json(const Error& error, int status, std::string_view request_id) {
  Error detail = error;
  detail.hint.clear();
  JsonWriter json;
  json.begin_object()
      .field("type", cat("urn:skerry:problem:", error_code_name(error.code)))
      .field("title", title_of(error.code))
      .field("status", status)
      .field("detail", detail.message())
      .field("error", error.message())
      .field("code", error_code_name(error.code));
  if (!error.hint.empty()) json.field("hint", error.hint);
  if (!request_id.empty()) json.field("instance", cat("urn:skerry:request:", request_id));
  json.end_object();
  return std::move(json).text();
}

Error parse_problem(int status, std::string_view body) {
  const auto json = JsonNode::parse(body);
  if (!json || json->text("error").empty()) {
    const auto quoted = trim(body.substr(0, kQuotedBody));
    return Error{
        code_of_status(status), 0, cat("the server answered ", status, quoted.empty() ? "" : ": ", quoted), {}};
  }
  const auto code = json->text("code");
  const auto detail = json->text("detail");
  return Error{code.empty() ? code_of_status(status) : code_of_name(code), 0,
               detail.empty() ? json->text("error") : detail, json->text("hint")};
}

}  // namespace skerry::wire
