// skerryd: the control plane.
#include <grp.h>
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <thread>

#include "base/log.h"
#include "base/text.h"
#include "daemon/composition.h"
#include "daemon/host_setup.h"
#include "daemon/notify.h"
#include "daemon/options.h"

namespace skerry {
namespace {

// Signals are taken by one thread with sigwait(3); every other thread has them blocked.
sigset_t signals_taken() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGHUP);  // does not end us: reload
  return set;
}

// What will be missed later is better told now. The daemon serves all the same: it may be for another isolation.
void tell_what_is_missing(const DaemonOptions& options) {
  for (const auto* name : {"skerry-oci", "skerry-keeper", "skerry-agent"}) {
    const std::string path = cat(options.program_dir, "/", name);
    if (::access(path.c_str(), X_OK) == 0) continue;
    log::warning("a program is missing", {{"path", path}, {"hint", "install it beside skerryd, or set --program-dir"}});
  }
  if (!options.kernel.empty() && ::access(options.kernel.c_str(), R_OK) != 0) {
    log::warning("the kernel for microVMs cannot be read", {{"path", options.kernel}});
  }
  if (::getgrnam(options.group.c_str()) == nullptr) {
    log::warning("no such group: only root may use the socket",
                 {{"group", options.group}, {"hint", "skerry setup makes it"}});
  }
}

int serve(const DaemonOptions& options, const sigset_t& signals) {
  if (::geteuid() != 0) {
    log::error("cannot start", {{"error", "skerryd needs root: it makes namespaces, mounts and network devices"}});
    return 1;
  }
  tell_what_is_missing(options);
  auto composition = Composition::create(options);
  if (!composition) {
    log::error("cannot start", {{"error", composition.error().message()}});
    return 1;
  }
  std::thread waiter([&] {
    int number = 0;
    while (::sigwait(&signals, &number) == 0 && number == SIGHUP) (*composition)->reload();
    log::info("ending; environments live on", {{"signal", ::sigabbrev_np(number)}});
    static_cast<void>(notify_service_manager("STOPPING=1"));
    (*composition)->stop();
  });
  if (auto told = notify_service_manager("READY=1"); !told) {
    log::warning("cannot tell the service manager", {{"error", told.error().message()}});
  }
  log::info("ready", {{"socket", options.socket_path}, {"version", SKERRY_VERSION}});
  (*composition)->run();
  waiter.join();
  (*composition)->release_host();
  return 0;
}

// For `skerry setup`; the exit code.
int change_network(const DaemonOptions& options) {
  const auto changed = options.network_action == "up" ? set_up_network(options) : take_down_network(options);
  if (changed) return 0;
  log::error("network", {{"error", changed.error().message()}});
  return 1;
}

}  // namespace
}  // namespace skerry

int main(int argc, char** argv) {
  try {
    const auto parsed = skerry::parse_daemon_options(argc, argv);
    if (parsed.outcome == skerry::OptionsOutcome::kExit) return parsed.exit_code;
    skerry::log::configure(parsed.options.log_level, parsed.options.log_format);
    if (!parsed.options.network_action.empty()) return skerry::change_network(parsed.options);
    const sigset_t signals = skerry::signals_taken();
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    return skerry::serve(parsed.options, signals);
  } catch (const std::exception& error) {
    skerry::log::error("uncaught", {{"what", error.what()}});
    return 1;
  }
}
