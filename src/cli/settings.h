// What every verb of the command line works with.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "cli/endpoint.h"
#include "cli/http_client.h"

namespace skerry::cli {

enum class OutputForm : std::uint8_t { kTable, kJson };

struct Settings {
  Endpoint daemon;  // its TCP side and token: resolve_endpoint()
  std::string host, host_of_environment, token_file;
  bool socket_named = false;  // by a flag
  OutputForm output = OutputForm::kTable;
  bool quiet = false;
};

// Where the daemon is, from the settings and the environment (SKERRY_TOKEN). kInvalidArgument: what does not go
// together.
Result<Endpoint> resolve_endpoint(const Settings& settings);

struct Session {
  const Settings& settings;
  HttpClient& http;
};

// Exit codes of the program. A command run inside (run, exec) ends with its own code, or one of these from 125 on.
enum ExitCode : int {
  kExitSuccess = 0,
  kExitFailed = 1,
  kExitUsage = 2,
  kExitNotFound = 3,
  kExitRefused = 4,
  kExitNotStarted = 125,
  kExitNotExecutable = 126,
  kExitCommandNotFound = 127,
  kExitInterrupted = 130,  // 128 + SIGINT
  kExitBrokenPipe = 141,   // 128 + SIGPIPE, as a shell tells it
};
int exit_code_of(const Error& error);
// For run and exec.
int start_exit_code_of(const Error& error);

// How a verb ends: its exit code, or what went wrong.
using Outcome = Result<int>;

}  // namespace skerry::cli
