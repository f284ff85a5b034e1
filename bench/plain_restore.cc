#include "plain_restore.h"

#include <fcntl.h>

#include <csignal>

#include "base/clock.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "drivers/qemu/guest_plan.h"
#include "drivers/qemu/memory_template.h"
#include "drivers/qemu/tsc.h"
#include "wire/agent_protocol.h"

namespace skerry::bench {
namespace {

constexpr const char* kQemu = "/usr/bin/qemu-system-x86_64";
constexpr Duration kTimeout = std::chrono::seconds(60);
constexpr std::uint64_t kLayerMib = 8192;
constexpr std::uint64_t kManifestBytes = 64U << 10U;
// Numbers inside, in the order of spawn().
constexpr int kAgentFd = 3;
constexpr int kQmpFd = 4;
constexpr int kConsoleFd = 5;
constexpr int kStateFd = 6;
constexpr int kMemoryFd = 7;
constexpr int kFirstDiskFd = 8;

double ms_since(MonoTime begin) { return static_cast<double>((SystemClock().monotonic() - begin).count()) / 1e6; }

Status ping(qemu::AgentClient& agent) {
  TRY(agent.request({}, kTimeout));
  return {};
}

}  // namespace

Result<PlainRestore> PlainRestore::make(const qemu::BootFiles& files, const std::string& base_disk,
                                        const std::string& dir, std::uint32_t memory_mib) {
  PlainRestore made;
  made.dir_ = dir;
  made.base_disk_ = base_disk;
  TRY(sys::mkdir_all(dir, 0700));
  made.memory_ = TRY(qemu::memory_file(memory_mib));
  qemu::BootCache cache(dir);
  TRY(qemu::make_overlay_disk(dir + "/overlay", kLayerMib, cache));
  const Fd manifest = TRY(sys::open(dir + "/manifest", O_RDWR | O_CREAT, 0600));
  TRY(sys::ftruncate(manifest.get(), kManifestBytes));
  auto& machine = made.machine_;
  machine.name = "plain";
  machine.memory_mib = memory_mib;
  machine.kernel = files.kernel;
  machine.initramfs = files.initramfs;
  wire::BootDocument document;
  document.root.mode = wire::RootMode::kDisk;
  document.park = true;
  machine.command_line = TRY(qemu::command_line(document, {}, qemu::host_tsc_khz())).text;
  machine.agent_fd = kAgentFd;
  machine.qmp_fd = kQmpFd;
  machine.console_fd = kConsoleFd;
  machine.disks = {
      {"root", kFirstDiskFd, true}, {"overlay", kFirstDiskFd + 1, false}, {"manifest", kFirstDiskFd + 2, true}};
  auto running = TRY(made.spawn(false));
  TRY(running.agent.await_ready(kTimeout));
  TRY(running.qmp.execute("stop"));
  TRY(running.qmp.set_shared_memory(qemu::QmpClient::SharedMemory::kIgnored));
  const Fd state = TRY(sys::open(dir + "/state", O_RDWR));
  TRY(running.qmp.execute("getfd", R"({"fdname":"state"})", {state.get()}));
  TRY(running.qmp.execute("migrate", R"({"uri":"fd:state"})"));
  TRY(running.qmp.await_migration(kTimeout));
  TRY(running.child.signal(SIGKILL));
  TRY(running.child.wait());
  return made;
}

Result<PlainRestore::Running> PlainRestore::spawn(bool incoming) const {
  auto agent = TRY(unix_pair());
  auto qmp = TRY(unix_pair());
  auto console = TRY(unix_pair());
  const std::string state_path = dir_ + "/state";
  const Fd state = TRY(sys::open(state_path, incoming ? O_RDONLY : O_RDWR | O_CREAT | O_TRUNC, 0600));
  const Fd root = TRY(sys::open(base_disk_, O_RDONLY));
  const Fd overlay = TRY(sys::open(dir_ + "/overlay", O_RDWR));
  const Fd manifest = TRY(sys::open(dir_ + "/manifest", O_RDONLY));
  auto machine = machine_;
  machine.incoming = incoming;
  machine.memory = qemu::MemoryFile{kMemoryFd, !incoming};
  SpawnSpec spec;
  spec.argv = qemu::arguments(machine, kQemu);
  spec.fds = {{agent.second.get(), kAgentFd},    {qmp.second.get(), kQmpFd},        {console.second.get(), kConsoleFd},
              {state.get(), kStateFd},           {memory_.get(), kMemoryFd},        {root.get(), kFirstDiskFd},
              {overlay.get(), kFirstDiskFd + 1}, {manifest.get(), kFirstDiskFd + 2}};
  auto child = TRY(Child::spawn(spec));
  for (auto* pair : {&agent, &qmp, &console}) pair->second.reset();
  return Running{std::move(child), std::move(console.first), qemu::AgentClient::over(std::move(agent.first)),
                 TRY(qemu::QmpClient::over(std::move(qmp.first)))};
}

Result<PlainRestore::Times> PlainRestore::restore() {
  Times times;
  const MonoTime begin = SystemClock().monotonic();
  auto running = TRY(spawn(true));
  TRY(running.qmp.set_shared_memory(qemu::QmpClient::SharedMemory::kIgnored));
  TRY(running.qmp.execute("migrate-incoming", cat(R"({"uri":"fd:)", kStateFd, R"("})")));
  TRY(running.qmp.await_migration(kTimeout));
  TRY(running.qmp.execute("cont"));
  TRY(ping(running.agent));
  times.answer_ms = ms_since(begin);
  TRY(running.qmp.execute("stop"));
  const MonoTime stopped = SystemClock().monotonic();
  TRY(running.qmp.execute("cont"));
  TRY(ping(running.agent));
  times.cont_ms = ms_since(stopped);
  TRY(running.child.signal(SIGKILL));
  TRY(running.child.wait());
  return times;
}

}  // namespace skerry::bench
