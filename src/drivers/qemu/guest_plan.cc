#include "drivers/qemu/guest_plan.h"

#include <algorithm>
#include <vector>

#include "base/frame.h"
#include "base/text.h"
#include "core/guest_probe.h"
#include "drivers/qemu/share_jail.h"
#include "drivers/workload.h"
#include "wire/manifest_codec.h"

namespace skerry::qemu {
namespace {

// One size for nearly all: a snapshot's disks must have the size of those of its copies.
constexpr std::size_t kManifestDiskStep = 64U << 10U;

std::unexpected<Error> unsupported(const Launch& launch, std::string_view what, std::string hint) {
  return fail(ErrorCode::kUnsupported, cat(launch.spec.name, ": a microVM ", what), std::move(hint));
}

Status refuse_what_cannot_be(const Launch& launch) {
  if (!launch.image && launch.root_disk.empty() && launch.initramfs.empty() && launch.spec.rootfs_path.empty()) {
    return unsupported(launch, "needs an image, a root disk, an initramfs or a root directory", {});
  }
  if (launch.spec.security.user_namespace) {
    return unsupported(launch, "has users of its own already", "leave user_namespace away");
  }
  if (!launch.spec.security.seccomp_profile.empty() && launch.spec.security.seccomp_profile != "unconfined") {
    return unsupported(launch, "takes no seccomp profile", "its workload has a kernel of its own");
  }
  return {};
}

wire::GuestProcess workload_process(const Launch& launch, Workload workload) {
  wire::GuestProcess process;
  process.argv = std::move(workload.argv);
  process.env = std::move(workload.env);
  process.cwd = std::move(workload.workdir);
  process.user = std::move(workload.user);
  process.terminal = launch.spec.terminal;
  process.stdin_open = launch.spec.stdin_open || launch.spec.terminal;
  process.drop_capabilities = launch.spec.security.cap_drop;
  process.keep_capabilities = launch.spec.security.cap_add;
  return process;
}

wire::GuestRestartPolicy guest_restart(const RestartPolicy& policy) {
  wire::GuestRestartPolicy guest{wire::GuestRestart::kNo, policy.max, policy.backoff_ms};
  switch (policy.mode) {
    case RestartMode::kNo: break;
    case RestartMode::kOnFailure: guest.mode = wire::GuestRestart::kOnFailure; break;
    case RestartMode::kAlways:
    case RestartMode::kUnlessStopped: guest.mode = wire::GuestRestart::kAlways; break;
  }
  return guest;
}

wire::GuestHealthCheck guest_health_check(const HealthCheck& check) {
  return {check.endpoint, check.interval_ms, check.timeout_ms, check.retries};
}

wire::GuestNetwork guest_network(const NetworkAttachment& network) {
  wire::GuestNetwork guest;
  guest.mac = network.mac;
  guest.address = network.ip;
  guest.prefix = network.prefix;
  guest.gateway = network.gateway;
  guest.dns = network.dns;
  return guest;
}

wire::GuestRoot guest_root(const Launch& launch) {
  wire::GuestRoot root;
  root.read_only = launch.spec.security.read_only_root;
  if (launch.image || !launch.root_disk.empty()) {
    root.mode = wire::RootMode::kDisk;
  } else if (!launch.spec.rootfs_path.empty()) {
    root.mode = wire::RootMode::kShare;
    // The host lets nothing be written, not even mount points be made.
    root.overlay = root.read_only;
  } else {
    root.overlay = false;
  }
  return root;
}

// A word of the kernel's command line: quoted where it has white space (kernel-parameters.rst). A quote cannot be said.
Result<std::string> word_of(std::string_view key, std::string_view value) {
  const auto is_plain = [](unsigned char letter) { return letter >= ' ' && letter != 0x7f && letter != '"'; };
  if (!std::ranges::all_of(value, is_plain)) {
    return fail(ErrorCode::kInvalidArgument,
                cat(key, ": \"", value, "\" cannot stand on a kernel's command line (quotes, control characters)"));
  }
  if (value.find(' ') != std::string_view::npos) return cat(" \"skerry.", key, "=", value, "\"");
  return cat(" skerry.", key, "=", value);
}

// The command line can be read by everybody, on the host (/proc/PID/cmdline) and in the guest; what a user gave, above
// all the environment, is for neither.
bool may_be_public(const wire::BootDocument& document) {
  return document.workload.argv.empty() && document.workload.env.empty();
}

bool may_be_secret(const std::string& variable) { return !variable.starts_with("PATH="); }

}  // namespace

Result<std::vector<std::string>> secrets_of(const wire::BootDocument& document) {
  std::vector<std::string> secrets;
  std::size_t size = 0;
  for (const auto& variable : document.workload.env) {
    if (!may_be_secret(variable)) continue;
    size += variable.size();
    secrets.push_back(variable);
  }
  // Half a frame: JSON writes some letters as several.
  constexpr std::size_t kMost = kMaxFramePayload / 2;
  if (size <= kMost) return secrets;
  return fail(ErrorCode::kInvalidArgument,
              cat("the environment variables are ", size, " bytes, more than the ", kMost, " that a microVM takes"),
              "put what is large into a file (skerry cp, -v)");
}

wire::BootDocument without_secrets(wire::BootDocument document) {
  document.wait_for_start = std::erase_if(document.workload.env, may_be_secret) > 0;
  return document;
}

Result<wire::BootDocument> boot_document(const Launch& launch) {
  TRY(refuse_what_cannot_be(launch));
  auto workload = TRY(resolve_workload(launch.spec, launch.image ? &launch.image->config : nullptr));
  wire::BootDocument document;
  document.hostname = launch.spec.hostname.empty() ? launch.spec.name : launch.spec.hostname;
  document.root = guest_root(launch);
  document.base_url = launch.spec.base_url;
  document.restart = guest_restart(launch.spec.restart);
  if (guest_probes(launch.spec)) document.health_check = guest_health_check(*launch.spec.health_check);
  if (launch.network) document.network = guest_network(*launch.network);
  document.stop_signal = workload.stop_signal;
  document.workload = workload_process(launch, std::move(workload));
  document.pids_max = launch.spec.resources.pids;
  document.cloud_init = launch.spec.cloud_init.has_value();
  for (const auto& tmpfs : launch.spec.tmpfs) {
    document.mounts.push_back({"tmpfs", "", tmpfs.target, false, tmpfs.size_mib});
  }
  const auto shares = guest_shares(launch.spec);
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (shares[i].target == "/") continue;
    document.mounts.push_back({"share", share_name(i), shares[i].target, shares[i].read_only});
  }
  return document;
}

Result<std::string> words_of(const GuestKeys& keys) {
  std::string text = TRY(word_of("runtime", keys.runtime.empty() ? "microvm" : keys.runtime));
  if (!keys.plugin.empty()) text += TRY(word_of("plugin", keys.plugin));
  if (!keys.api_host.empty()) text += TRY(word_of("api_host", keys.api_host));
  if (keys.api_port != 0) text += TRY(word_of("api_port", cat(keys.api_port)));
  return text;
}

GuestKeys guest_keys(const Launch& launch, std::uint16_t api_port) {
  GuestKeys keys{launch.spec.plugin, launch.runtime, {}, 0};
  if (launch.network && api_port != 0) {
    keys.api_host = launch.network->gateway;
    keys.api_port = api_port;
  }
  return keys;
}

std::vector<BindMount> guest_shares(const EnvironmentSpec& spec) {
  auto shares = spec.mounts;
  if (!spec.rootfs_path.empty()) shares.insert(shares.begin(), {spec.rootfs_path, "/", spec.security.read_only_root});
  return shares;
}

Result<CommandLine> command_line(const wire::BootDocument& document, const GuestKeys& keys, std::uint64_t tsc_khz,
                                 std::string_view more) {
  // Crypto self-tests cost a third of a second, probing serial ports that do not exist a tenth. A panic ends the
  // machine at once: with -no-reboot a restart ends QEMU.
  std::string text = cat("console=ttyS0 quiet reboot=t panic=-1 8250.nr_uarts=1 cryptomgr.notests random.trust_cpu=on ",
                         "tsc=reliable tsc_early_khz=", tsc_khz, TRY(words_of(keys)));
  if (!more.empty()) text += cat(" ", more);
  const std::string packed = TRY(wire::encode_manifest(wire::encode_boot_document(document)));
  CommandLine line;
  const std::string whole = cat(text, " skerry.manifest=", packed);
  if (may_be_public(document) && whole.size() <= kMaxCommandLine) {
    line.text = whole;
    return line;
  }
  line.text = cat(text, " skerry.manifest_disk=manifest");
  line.manifest_disk = cat("skerry-manifest 1\n", packed, "\n");
  const std::size_t steps = (line.manifest_disk.size() + kManifestDiskStep - 1) / kManifestDiskStep;
  line.manifest_disk.resize(steps * kManifestDiskStep, '\0');
  return line;
}

}  // namespace skerry::qemu
