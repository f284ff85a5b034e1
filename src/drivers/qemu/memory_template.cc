#include "drivers/qemu/memory_template.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstring>

#include "base/crash_point.h"
#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "drivers/qemu/agent_client.h"
#include "drivers/qemu/boot_files.h"
#include "drivers/qemu/guest_plan.h"
#include "drivers/qemu/qmp_client.h"
#include "drivers/qemu/tsc.h"

namespace skerry::qemu {
namespace {

constexpr Duration kSaveTimeout = std::chrono::seconds(30);
constexpr std::uint64_t kMib = 1U << 20U;
// The template's own address, before a fork gets its real one.
constexpr const char* kTemplateMac = "02:53:00:00:00:00";

// A tap that leads nowhere: only so that the template's network card has the features of the forks' ones.
Result<Fd> unattached_tap() {
  Fd tap = TRY(sys::open("/dev/net/tun", O_RDWR | O_NONBLOCK));
  ifreq request{};
  std::strncpy(request.ifr_name, "sktpl%d", IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (::ioctl(tap.get(), TUNSETIFF, &request) < 0) return fail_errno("make a tap for a template");
  return tap;
}

wire::BootDocument parked_document(const VmmSpec& like) {
  wire::BootDocument document;
  document.root.mode = wire::RootMode::kDisk;
  document.root.overlay = like.blank_layer;
  document.park = true;
  return document;
}

// Of the same kind and size, with nothing of the environment's own in it.
Result<VmmDisk> template_disk(const VmmDisk& like, const VmmSpec& spec, const TemplateInputs& inputs) {
  if (like.serial == "root") return open_disk(like.serial, inputs.base_disk, true);
  const std::string path = cat(inputs.place.run_dir, "/", like.serial);
  if (like.serial == "overlay" && spec.blank_layer) {
    TRY(make_overlay_disk(path, like.size / kMib, *inputs.cache));
  } else {
    // Empty: the driver reads it once, when it finds the disk.
    const Fd empty = TRY(sys::open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));
    TRY(sys::ftruncate(empty.get(), like.size));
  }
  return open_disk(like.serial, path, like.read_only);
}

// The same kinds of devices as the environment's, with nothing of its own behind them.
Result<VmmSpec> template_spec(const VmmSpec& like, const TemplateInputs& inputs, const Fd& memory, Fd qmp) {
  VmmSpec spec;
  spec.program = like.program;
  spec.boot = like.boot;
  spec.accelerator = like.accelerator;
  spec.cpu_milli = like.cpu_milli;
  spec.memory_mib = like.memory_mib;
  spec.command_line = TRY(command_line(parked_document(like), inputs.keys, host_tsc_khz())).text;
  if (!like.mac.empty()) {
    spec.tap = TRY(unattached_tap());
    spec.mac = kTemplateMac;
  }
  for (const auto& disk : like.disks) spec.disks.push_back(TRY(template_disk(disk, like, inputs)));
  spec.memory = VmmMemory{memory.get(), true};
  spec.qmp = std::move(qmp);
  return spec;
}

// It is running while it is saved, so that whoever loads the state runs at once. The end of a migration stops the
// machine and writes out its disks.
Result<Fd> save(QmpClient& qmp) {
  Fd state = TRY(sys::memfd("skerry-template-state"));
  TRY(qmp.set_shared_memory(QmpClient::SharedMemory::kIgnored));
  TRY(qmp.execute("getfd", R"({"fdname":"state"})", {state.get()}));
  TRY(qmp.execute("migrate", R"({"uri":"fd:state"})"));
  TRY(qmp.await_migration(kSaveTimeout));
  return state;
}

// No write by anybody, ever again; only possible once the template's own mapping is gone.
Status seal(const Fd& file) {
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
    return fail_errno("seal the template");
  }
  return {};
}

}  // namespace

Status clear_template(const Jail& jail, const EnvironmentPlace& place) {
  if (!sys::exists(place.run_dir) && !sys::exists(place.state_dir)) return {};
  TRY(jail.remove(place));
  TRY(sys::remove_tree(place.run_dir));
  return sys::remove_tree(place.state_dir);
}

Result<Fd> memory_file(std::uint32_t memory_mib) {
  Fd memory = TRY(sys::memfd("skerry-guest"));
  TRY(sys::ftruncate(memory.get(), memory_mib * kMib));
  return memory;
}

Result<std::string> template_key(const VmmSpec& spec, const std::string& base_disk, const std::string& host_key) {
  std::string key =
      cat(host_key, "|", spec.boot.key, "|", base_disk, "|", spec.accelerator == Accelerator::kKvm ? "kvm" : "tcg", "|",
          vcpus_of(spec), "|", spec.memory_mib, "|", spec.mac.empty() ? "none" : "net", spec.share ? "|share" : "");
  for (const auto& disk : spec.disks) key += cat("|", disk.serial, disk.read_only ? ":ro:" : ":rw:", disk.size);
  return key;
}

Result<MemoryTemplate> make_template(Jail& jail, const VmmSpec& spec, TemplateInputs inputs) {
  const auto& place = inputs.place;
  MemoryTemplate made;
  made.memory_mib = spec.memory_mib;
  made.memory = TRY(memory_file(spec.memory_mib));
  TRY_IN("what a killed daemon left", clear_template(jail, place));
  Rollback remove;
  remove.add([&] { static_cast<void>(clear_template(jail, place)); });
  TRY(sys::mkdir_all(place.state_dir, 0700));
  TRY(sys::mkdir_all(place.run_dir, 0700));
  auto control = TRY(unix_pair());
  {
    const VmmSpec own = TRY(template_spec(spec, inputs, made.memory, std::move(control.second)));
    TRY(create_vmm(jail, place, own));
  }
  auto agent = TRY(AgentClient::connect(place.run_dir));
  TRY(jail.start(place));
  crash_point("a template boots");
  const auto hello = TRY_IN("boot a template", agent.await_ready(inputs.boot_timeout));
  if (hello.workload != "parked") return fail(ErrorCode::kInternal, "the template did not park");
  auto qmp = TRY(QmpClient::over(std::move(control.first)));
  made.state = TRY_IN("save a template", save(qmp));
  TRY(jail.kill(place));
  TRY(seal(made.memory));
  TRY(seal(made.state));
  // Its name goes with the directory; nobody else has it.
  if (spec.blank_layer) made.layer = TRY(sys::open(cat(place.run_dir, "/overlay"), O_RDONLY));
  made.key = std::move(inputs.key);
  return made;
}

Result<std::shared_ptr<const MemoryTemplate>> TemplatePool::get(const std::string& key, const Make& make) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(recent_first_, key, [](const auto& item) { return item->key; });
  if (found != recent_first_.end()) {
    recent_first_.splice(recent_first_.begin(), recent_first_, found);
    return recent_first_.front();
  }
  recent_first_.push_front(std::make_shared<const MemoryTemplate>(TRY(make())));
  if (recent_first_.size() > most_) recent_first_.pop_back();
  return recent_first_.front();
}

void TemplatePool::drop(const std::string& key) {
  const std::lock_guard lock(mutex_);
  std::erase_if(recent_first_, [&](const auto& item) { return item->key == key; });
}

}  // namespace skerry::qemu
