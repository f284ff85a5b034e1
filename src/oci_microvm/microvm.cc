#include "oci_microvm/microvm.h"

#include <fcntl.h>

#include "base/cgroup_paths.h"
#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "drivers/qemu/accelerator.h"
#include "drivers/qemu/accelerator_probe.h"
#include "drivers/qemu/agent_client.h"
#include "drivers/qemu/guest_plan.h"
#include "drivers/qemu/memory_template.h"
#include "drivers/qemu/shares.h"
#include "drivers/qemu/tsc.h"
#include "drivers/qemu/vmm.h"
#include "image/kernel_store.h"
#include "network/netns.h"
#include "network/tap_mirror.h"

namespace skerry::oci_microvm {
namespace {

constexpr Duration kBootTimeout = std::chrono::seconds(60);
constexpr Duration kAgentTimeout = std::chrono::seconds(10);
constexpr std::size_t kMostPath = 4096;

// Which network namespace has to get its interface back.
std::string netns_record(const EnvironmentPlace& place) { return place.run_dir + "/netns"; }

// The container's control group, to be removed with it.
std::string group_record(const EnvironmentPlace& place) { return place.run_dir + "/group"; }

Status add_network(const EnvironmentPlace& place, const std::string& path, qemu::VmmSpec& spec,
                   wire::BootDocument& document) {
  if (path.empty()) return {};
  const Fd netns = TRY_IN("network namespace", sys::open(path, O_RDONLY));
  const auto ours = TRY(sys::stat("/proc/self/ns/net"));
  const auto theirs = TRY(sys::fstat(netns.get()));
  if (ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino) {
    return fail(ErrorCode::kUnsupported, "the network namespace is the host's",
                "a microVM would take its interface away");
  }
  TRY(write_file_atomic(netns_record(place), path, 0600));
  auto interface = TRY_IN("take over the network", network::mirror_interface(netns.get()));
  if (!interface) return {};
  spec.tap = std::move(interface->tap);
  spec.mac = interface->mac.text();
  wire::GuestNetwork guest;
  guest.mac = spec.mac;
  guest.address = interface->address.address.text();
  guest.prefix = interface->address.prefix;
  if (interface->gateway) guest.gateway = interface->gateway->text();
  document.network = guest;
  return {};
}

Status add_shares(Jail& jail, const Programs& programs, const EnvironmentPlace& place, const GuestOfSpec& guest,
                  qemu::VmmSpec& spec) {
  qemu::ShareJailInputs inputs;
  inputs.program = programs.share_server;
  inputs.memory_mib = guest.memory_mib;
  inputs.cpu_milli = guest.cpu_milli;
  for (const auto& mount : guest.shares) {
    inputs.shares.push_back(TRY_IN(cat("mount ", mount.target), qemu::share_of(mount)));
  }
  spec.share = TRY(qemu::start_shares(jail, place, std::move(inputs)));
  spec.own_memory = TRY(qemu::memory_file(guest.memory_mib));
  spec.memory = qemu::VmmMemory{spec.own_memory.get(), true};
  return {};
}

Result<qemu::Accelerator> choose_accelerator(Jail& jail, const Programs& programs, const qemu::BootFiles& boot) {
  const auto key = TRY(qemu::accelerator_key(programs.qemu));
  const auto verdict = TRY(qemu::probe_accelerator(programs.cache + "/accelerator", key, [&] {
    return qemu::boot_under_kvm(jail, programs.qemu, boot, programs.cache + "/probe");
  }));
  return verdict.accelerator;
}

// What the VMM, the server or the guest's console said last.
Error why_not(const EnvironmentPlace& place, Error error) {
  for (const auto& path :
       {place.log_path() + ".vmm", qemu::shares_place(place).log_path(), place.log_path() + ".console"}) {
    const std::string text = read_file(path, 1U << 20U).value_or("");
    const auto line = trim(text);
    if (!line.empty()) error.step += cat(": ", line.substr(line.rfind('\n') + 1));
  }
  return error;
}

}  // namespace

EnvironmentPlace microvm_place(const std::string& container_directory, const std::string& id) {
  const std::string directory = container_directory + "/vm";
  return {id, id, directory, directory};
}

JailConfig jail_config(const Programs& programs, const std::string& root, const std::string& control_group) {
  JailConfig config;
  config.runtime = programs.directory + "/skerry-oci";
  config.keeper = programs.directory + "/skerry-keeper";
  config.runtime_root = root + "/.jails";
  config.cgroup_parent = control_group.empty() ? "/skerry-oci-microvm" : control_group;
  return config;
}

Result<Conversation> boot_microvm(Jail& jail, const Programs& programs, const EnvironmentPlace& place,
                                  const GuestOfSpec& guest) {
  TRY(sys::mkdir_all(place.run_dir, 0700));
  TRY(write_file_atomic(group_record(place), guest.control_group, 0600));
  TRY(sys::mkdir_all(programs.cache, 0755));
  qemu::VmmSpec spec;
  spec.program = programs.qemu;
  const auto kernel = TRY(host_kernel());
  qemu::BootCache cache(programs.cache);
  spec.boot = TRY(qemu::prepare_boot_files({kernel, programs.directory + "/skerry-agent", &cache, "erofs", true}));
  spec.accelerator = TRY(choose_accelerator(jail, programs, spec.boot));
  spec.cpu_milli = guest.cpu_milli;
  spec.memory_mib = guest.memory_mib;
  wire::BootDocument document = guest.document;
  TRY(add_network(place, guest.network_namespace, spec, document));
  const auto line = TRY(qemu::command_line(document, {}, qemu::host_tsc_khz()));
  spec.command_line = line.text;
  if (!line.manifest_disk.empty()) {
    const std::string path = place.run_dir + "/manifest.img";
    TRY(write_file_atomic(path, line.manifest_disk, 0600));
    spec.disks.push_back({"manifest", TRY(sys::open(path, O_RDONLY)), true});
  }
  TRY(add_shares(jail, programs, place, guest, spec));
  TRY(qemu::create_vmm(jail, place, spec));
  auto stdio = TRY(jail.attach(place));
  auto agent = TRY(qemu::AgentClient::connect(place.run_dir));
  TRY(jail.start(place));
  auto hello = agent.await_ready(kBootTimeout);
  if (!hello) return fail(why_not(place, std::move(hello).error().in("boot the guest")));
  if (hello->error) return fail(std::move(*hello->error));
  return stdio;
}

Status start_workload(const EnvironmentPlace& place) {
  auto agent = TRY(qemu::AgentClient::connect(place.run_dir));
  wire::AgentRequest request;
  request.op = wire::AgentOp::kStart;
  TRY(agent.request(request, kAgentTimeout));
  return {};
}

Status signal_workload(const EnvironmentPlace& place, int signal_number) {
  auto agent = TRY(qemu::AgentClient::connect(place.run_dir));
  wire::AgentRequest request;
  request.op = wire::AgentOp::kSignal;
  request.signal = signal_number;
  TRY(agent.request(request, kAgentTimeout));
  return {};
}

Result<Conversation> exec_in_microvm(const EnvironmentPlace& place, wire::GuestProcess process) {
  auto agent = TRY(qemu::AgentClient::connect(place.run_dir));
  wire::AgentRequest request;
  request.op = wire::AgentOp::kExec;
  request.process = std::move(process);
  return std::move(agent).open(request, kAgentTimeout);
}

Status remove_microvm(const Jail& jail, const EnvironmentPlace& place) {
  TRY(jail.remove(place));
  TRY(qemu::stop_shares(jail, place));
  if (const auto path = read_file(netns_record(place), kMostPath)) {
    // The namespace may be gone already, or be on its way.
    if (const auto netns = sys::open(*path, O_RDONLY)) static_cast<void>(network::unmirror_interface(netns->get()));
  }
  if (const auto group = read_file(group_record(place), kMostPath); group && !group->empty()) {
    for (const auto& [controller, directory] : CgroupHierarchies::read().directories_of(*group)) {
      // Not there, or still somebody else's.
      static_cast<void>(sys::rmdir(directory));
    }
  }
  return sys::remove_tree(place.run_dir);
}

}  // namespace skerry::oci_microvm
