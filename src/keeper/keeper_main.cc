// skerry-keeper: the process behind a running environment. See base/keeper_protocol.h for its command line.
#include <malloc.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "base/sys_file.h"
#include "base/text.h"
#include "keeper/daemonize.h"
#include "keeper/exec_session.h"
#include "keeper/keeper_run.h"
#include "keeper/options.h"

namespace skerry::keeper {
namespace {

constexpr int kUsage = 2;
constexpr int kMallocThreshold = 32 << 10;

// Buffers of a busy minute go back to the kernel: a keeper lives as long as its environment and is mostly idle.
void keep_memory_small() {
  ::mallopt(M_MMAP_THRESHOLD, kMallocThreshold);
  ::mallopt(M_TRIM_THRESHOLD, kMallocThreshold);
}

// A peer that went or a file size limit must come as an error, not as the end of the keeper.
void ignore_signals() {
  for (const int number : {SIGPIPE, SIGXFSZ, SIGHUP, SIGINT}) std::signal(number, SIG_IGN);
}

Status run(const KeeperRunSpec& spec) {
  TRY(daemonize());
  return run_keeper(spec);
}

Status dispatch(const Invocation& invocation) {
  if (const auto* spec = std::get_if<KeeperRunSpec>(&invocation)) return run(*spec);
  if (const auto* spec = std::get_if<KeeperExecSpec>(&invocation)) return run_exec_session(*spec);
  return sys::write_all(1, "skerry-keeper " SKERRY_VERSION "\n");
}

int complain(const Error& error, int exit_code) {
  static_cast<void>(sys::write_all(2, cat("skerry-keeper: ", error.message(), "\n")));
  return exit_code;
}

int keeper_main(const std::vector<std::string>& args) {
  keep_memory_small();
  ignore_signals();
  const auto invocation = parse_options(args);
  if (!invocation) return complain(invocation.error(), kUsage);
  const auto done = dispatch(*invocation);
  return done ? 0 : complain(done.error(), 1);
}

}  // namespace
}  // namespace skerry::keeper

int main(int argc, char** argv) { return skerry::keeper::keeper_main({argv + 1, argv + argc}); }
