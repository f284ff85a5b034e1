// skerry: the command line.
#include <cerrno>
#include <csignal>
#include <exception>

#include "base/log.h"
#include "cli/arguments.h"
#include "cli/output.h"

namespace skerry::cli {
namespace {

int run_program(int argc, const char* const* argv) {
  const Invocation invocation = parse_arguments(argc, argv);
  if (!invocation.verb) return invocation.exit_code;
  auto endpoint = resolve_endpoint(invocation.settings);
  if (!endpoint) {
    complain(endpoint.error());
    return exit_code_of(endpoint.error());
  }
  HttpClient http(std::move(*endpoint));
  const auto outcome = invocation.verb({invocation.settings, http});
  if (outcome) return *outcome;
  // The reader of our output has seen enough: end as if by SIGPIPE.
  if (outcome.error().sys_errno == EPIPE) return kExitBrokenPipe;
  complain(outcome.error());
  return exit_code_of(outcome.error());
}

}  // namespace
}  // namespace skerry::cli

int main(int argc, char** argv) {
  try {
    std::signal(SIGPIPE, SIG_IGN);
    return skerry::cli::run_program(argc, argv);
  } catch (const std::exception& problem) {
    skerry::cli::note(std::string("skerry: ") + problem.what());
    return skerry::cli::kExitFailed;
  }
}
