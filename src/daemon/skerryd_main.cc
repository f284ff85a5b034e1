// skerryd: the control plane.
#include <pthread.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <thread>

#include "base/log.h"
#include "daemon/composition.h"
#include "daemon/host_setup.h"
#include "daemon/notify.h"
#include "daemon/options.h"

namespace skerry {
namespace {

// Signals that end us are taken by one thread with sigwait(3); every other thread has them blocked.
sigset_t ending_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  return set;
}

int serve(const DaemonOptions& options, const sigset_t& signals) {
  auto composition = Composition::create(options);
  if (!composition) {
    log::error("cannot start", {{"error", composition.error().message()}});
    return 1;
  }
  std::thread waiter([&] {
    int number = 0;
    ::sigwait(&signals, &number);
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
    const sigset_t signals = skerry::ending_signals();
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    return skerry::serve(parsed.options, signals);
  } catch (const std::exception& error) {
    skerry::log::error("uncaught", {{"what", error.what()}});
    return 1;
  }
}
