// skerry-agent: PID 1 of a microVM (see agent/boot.h for its two stages).
#include <fcntl.h>
#include <sys/reboot.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <string_view>
#include <tuple>
#include <vector>

#include "agent/agent.h"
#include "agent/boot.h"
#include "agent/copier.h"
#include "agent/modules.h"
#include "agent/power.h"
#include "agent/shares.h"
#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::agent {
namespace {

constexpr const char* kModules = "/lib/skerry/modules";

void say(std::string_view text) {
  // The serial console; a broken one must not stop the guest.
  std::ignore = sys::write_all(2, cat("skerry-agent: ", text, "\n"));
}

// The kernel opens /dev/console for PID 1 when the initramfs has one; else descriptors 0 to 2 are closed, and the next
// files opened would become our stdio.
void provide_stdio() {
  int fd = ::open("/dev/console", O_RDWR | O_NOCTTY);
  if (fd < 0) fd = ::open("/dev/null", O_RDWR);
  for (int target = 0; fd >= 0 && target < 3; ++target) ::dup2(fd, target);
  if (fd > 2) ::close(fd);
}

// Without the kernel's own limit on what dies first: the agent last.
void protect_from_oom() { std::ignore = write_existing("/proc/self/oom_score_adj", "-1000"); }

Status serve(const wire::BootDocument& document, std::vector<std::string> warnings, Fd port) {
  const auto more = TRY_IN("prepare the guest", prepare_guest(document));
  warnings.insert(warnings.end(), more.begin(), more.end());
  protect_from_oom();
  for (const auto& warning : warnings) say(warning);
  auto loop = TRY(EventLoop::create());
  if (!port) port = TRY(open_agent_port());
  Agent agent(loop, std::move(port), document);
  return agent.run(warnings);
}

// `layer`: what power_off() shall make clean.
Status stage_one(Fd& layer) {
  TRY(mount_kernel_filesystems());
  provide_stdio();
  std::vector<std::string> warnings;
  if (auto failed = load_modules(kModules); !failed.empty()) warnings.push_back(cat("modules: ", failed));
  auto document = TRY(read_boot_document());
  if (document.park) {
    auto unparked = TRY_IN("parked", await_document(document.root));
    layer = unparked.layer ? std::move(*unparked.layer) : TRY(enter_root_disk(unparked.document.root));
    warnings.insert(warnings.end(), unparked.warnings.begin(), unparked.warnings.end());
    return serve(unparked.document, std::move(warnings), std::move(unparked.port));
  }
  if (has_shares(document)) TRY(mount_shares());
  if (document.root.mode == wire::RootMode::kInitramfs) {
    const auto more = prepare_shared();
    warnings.insert(warnings.end(), more.begin(), more.end());
    return serve(document, std::move(warnings), {});
  }
  for (const auto& warning : warnings) say(warning);
  layer = TRY(enter_root_disk(document.root));
  return fail(re_execute(layer));
}

Status stage_two(Fd& layer, std::string_view layer_number) {
  const int number = TRY(parse_int<int>(layer_number, "stage 2: descriptor"));
  if (number >= 0) {
    TRY(sys::set_cloexec(number, true));
    layer = Fd(number);
  }
  TRY(mount_kernel_filesystems());
  return serve(TRY(read_boot_document()), prepare_shared(), {});
}

}  // namespace
}  // namespace skerry::agent

int main(int argc, char** argv) {
  using namespace skerry;
  if (argc > 1 && std::strcmp(argv[1], "--version") == 0) {
    std::puts("skerry-agent " SKERRY_VERSION);
    return 0;
  }
  if (argc > 1 && agent::is_copier_word(argv[1])) {
    try {
      return agent::run_copier({argv + 1, argv + argc});
    } catch (const std::exception& problem) {
      agent::say(problem.what());
      return 1;
    }
  }
  if (::getpid() != 1) {
    std::fputs("skerry-agent: runs as PID 1 of a microVM, not here\n", stderr);
    return 2;
  }
  Fd layer;
  try {
    ::reboot(RB_DISABLE_CAD);  // Ctrl-Alt-Del comes as SIGINT
    const bool second = argc > 2 && std::strcmp(argv[1], agent::kStageTwo) == 0;
    const auto served = second ? agent::stage_two(layer, argv[2]) : agent::stage_one(layer);
    if (!served) agent::say(served.error().message());
  } catch (const std::exception& problem) {
    agent::say(problem.what());
  }
  agent::power_off(layer.get());
}
