// The peer of forks: what a short script around QEMU would do. A guest of the same kernel, agent and devices is saved
// once with its memory in a file; each restore is a new QEMU over a private mapping of that file, without jail, keeper
// or daemon, told by QMP, command by command, to load and to go on; it ends at the guest's first answer.
#pragma once

#include <memory>
#include <string>

#include "base/process.h"
#include "base/result.h"
#include "drivers/qemu/agent_client.h"
#include "drivers/qemu/boot_files.h"
#include "drivers/qemu/machine.h"
#include "drivers/qemu/qmp_client.h"

namespace skerry::bench {

class PlainRestore {
 public:
  // Boots and saves. `dir` is its own; `base_disk` the guest's root file system.
  static Result<PlainRestore> make(const qemu::BootFiles& files, const std::string& base_disk, const std::string& dir,
                                   std::uint32_t memory_mib);

  struct Times {
    double answer_ms = 0;  // process start to the first answer
    double cont_ms = 0;    // of a guest that has answered and was stopped: "cont" to the next answer
  };
  Result<Times> restore();

 private:
  struct Running {
    Child child;
    Fd console;
    qemu::AgentClient agent;
    qemu::QmpClient qmp;
  };
  Result<Running> spawn(bool incoming) const;

  qemu::Machine machine_;
  std::string base_disk_;
  std::string dir_;
  Fd memory_;
};

}  // namespace skerry::bench
