#include "cli/settings.h"

#include <cstdlib>

namespace skerry::cli {
namespace {

Status check_files(const Endpoint& endpoint) {
  const bool files = !endpoint.ca_file.empty() || !endpoint.certificate_file.empty() || !endpoint.key_file.empty();
  if (files && !endpoint.tcp->tls) {
    return fail(ErrorCode::kInvalidArgument, "--cacert, --cert and --key are for --host https://…");
  }
  if (endpoint.certificate_file.empty() != endpoint.key_file.empty()) {
    return fail(ErrorCode::kInvalidArgument, "--cert and --key go together");
  }
  return {};
}

}  // namespace

Result<Endpoint> resolve_endpoint(const Settings& settings) {
  Endpoint endpoint = settings.daemon;
  if (!settings.host.empty() && settings.socket_named) {
    return fail(ErrorCode::kInvalidArgument, "--host and --socket: it is the one or the other");
  }
  const std::string& host = settings.host.empty() ? settings.host_of_environment : settings.host;
  if (host.empty() || settings.socket_named) return endpoint;
  endpoint.tcp = TRY(parse_host_url(host));
  TRY(check_files(endpoint));
  const char* token = std::getenv("SKERRY_TOKEN");
  if (!settings.token_file.empty()) {
    endpoint.token = TRY(read_token(settings.token_file));
  } else if (token != nullptr) {
    endpoint.token = token;
  }
  for (const char letter : endpoint.token) {
    if (letter <= ' ' || letter > '~')
      return fail(ErrorCode::kInvalidArgument, "the token is none: it holds blanks or worse");
  }
  return endpoint;
}

int exit_code_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNotFound: return kExitNotFound;
    case ErrorCode::kRefused: return kExitRefused;
    case ErrorCode::kInvalidArgument: return kExitUsage;
    default: return kExitFailed;
  }
}

int start_exit_code_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNotExecutable: return kExitNotExecutable;
    case ErrorCode::kCommandNotFound: return kExitCommandNotFound;
    default: return kExitNotStarted;
  }
}

}  // namespace skerry::cli
