// Errors as problem documents (RFC 9457), and back: what a command did not do, why, and what to do about it.
//
//   {"type":"urn:skerry:problem:not_found","title":"not found","status":404,"detail":"environment \"x\" does not
//   exist",
//    "error":"environment \"x\" does not exist (see: skerry ls)","code":"not_found","hint":"see: skerry ls"}
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry::wire {

// The HTTP status of a failure. What the request could do better is 4xx; the host's and peers' failures are 5xx.
int http_status(const Error& error);

std::string problem_json(const Error& error, int status, std::string_view request_id = {});
// From an answer of a server back to the error it stood for. Never fails: a body that is no problem document (a proxy's
// page) becomes an error that quotes its beginning.
Error parse_problem(int status, std::string_view body);

}  // namespace skerry::wire
