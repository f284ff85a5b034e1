#include <algorithm>
#include <filesystem>

#include "base/accounts.h"
#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "cli/setup.h"

namespace skerry::cli {
namespace {

constexpr std::string_view kSysctl =
    "# Made by skerry setup: environments reach the outside through this host.\n"
    "net.ipv4.ip_forward = 1\n";
constexpr std::string_view kModules =
    "# Made by skerry setup: what environments need of the kernel.\n"
    "overlay\nbridge\nveth\ntun\n";

Status run(const std::vector<std::string>& argv) {
  SpawnSpec spec;
  spec.argv = argv;
  const auto done = TRY_IN(join(argv, " "), run_command(spec, std::chrono::seconds(60)));
  if (done.status.success()) return {};
  const auto said = trim(done.err.empty() ? done.out : done.err);
  return fail(ErrorCode::kIo, cat(join(argv, " "), ": ", done.status.describe(), said.empty() ? "" : ": ", said));
}

bool group_exists(const std::string& name) {
  return resolve_account("0:" + name, "", read_file("/etc/group").value_or("")).has_value();
}

SetupStep group_step(const std::string& name) {
  return {cat("group ", name),
          cat("groupadd --system ", name),
          [name] { return group_exists(name); },
          [name] { return run({"groupadd", "--system", name}); },
          [name] { return group_exists(name) ? run({"groupdel", name}) : Status{}; },
          {}};
}

SetupStep directory_step(const std::string& path) {
  return {cat("directory ", path),
          cat("mkdir -p -m 0711 ", path),
          [path] { return sys::exists(path); },
          [path] { return sys::mkdir_all(path, 0711); },
          [path]() -> Status {
            if (!sys::exists(path)) return {};
            const auto names = TRY(sys::list_directory(path));
            if (names.empty()) return sys::rmdir(path);
            return fail(ErrorCode::kConflict, cat(path, " is not empty: images and disks are yours to remove"));
          },
          {}};
}

SetupStep file_step(const std::string& path, const std::string& content) {
  return {cat("file ", path),
          cat("write ", path, ":\n", content),
          [path, content] { return read_file(path).value_or("") == content; },
          [path, content]() -> Status {
            TRY(sys::mkdir_all(path.substr(0, path.rfind('/')), 0755));
            return write_file_atomic(path, content, 0644, Durability::kPowerLoss);
          },
          [path] { return sys::exists(path) ? sys::unlink(path) : Status{}; },
          {}};
}

// proc(5) tells of our own network namespace, /sys of the one it was mounted in.
bool has_interface(const std::string& name) {
  const auto list = read_file("/proc/self/net/dev").value_or("");
  return std::ranges::any_of(split(list, '\n'), [&](auto line) { return trim(line).starts_with(cat(name, ":")); });
}

SetupStep network_step(const SetupOptions& options) {
  const auto command = [&options](const char* direction) {
    return std::vector<std::string>{cat(options.program_dir, "/skerryd"),
                                    "--network",
                                    direction,
                                    "--bridge",
                                    options.bridge,
                                    "--subnet",
                                    options.subnet};
  };
  const auto up = command("up");
  const auto down = command("down");
  return {cat("bridge ", options.bridge),
          join(up, " "),
          [name = options.bridge] { return has_interface(name); },
          [up] { return run(up); },
          [down] { return run(down); },
          {}};
}

// The directory of a path; "/" for what stands there.
std::string directory_of(const std::string& path) { return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1)); }

Status check_owner(const std::string& path) {
  const auto status = TRY(sys::stat(path));
  const bool sticky = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;  // only the owner may rename in it
  const bool others =
      ((status.st_mode & S_IWOTH) != 0 || ((status.st_mode & S_IWGRP) != 0 && status.st_gid != 0)) && !sticky;
  if (status.st_uid == 0 && !others) return {};
  return fail(ErrorCode::kPermissionDenied,
              cat(path, " can be changed by others than root, who runs what is in it at every start"),
              "make install puts the programs where only root writes; then run that setup");
}

// sd_booted(3).
bool runs_systemd() { return sys::exists("/run/systemd/system"); }

SetupStep service_step() {
  SetupStep step;
  step.title = "service skerryd";
  step.shown = "systemctl daemon-reload && systemctl enable --now skerryd.service";
  if (!runs_systemd()) step.skipped = "this host does not run systemd: start skerryd by other means";
  step.is_done = [] { return run({"systemctl", "is-enabled", "--quiet", "skerryd.service"}).has_value(); };
  step.apply = []() -> Status {
    TRY(run({"systemctl", "daemon-reload"}));
    return run({"systemctl", "enable", "--now", "skerryd.service"});
  };
  step.undo = [] { return run({"systemctl", "disable", "--now", "skerryd.service"}); };
  return step;
}

}  // namespace

Status check_only_root_writes(const std::string& program) {
  std::error_code wrong;
  const auto real = std::filesystem::canonical(program, wrong);
  if (wrong) return fail(ErrorCode::kNotFound, cat(program, ": ", wrong.message()));
  for (std::string path = real;; path = directory_of(path)) {
    TRY(check_owner(path));
    if (path == "/") return {};
  }
}

Result<std::vector<SetupStep>> setup_steps(const SetupOptions& options) {
  SetupOptions complete = options;
  if (complete.program_dir.empty()) {
    const std::string self = TRY(sys::readlink("/proc/self/exe"));
    complete.program_dir = self.substr(0, self.rfind('/'));
  }
  if (!options.undo && runs_systemd()) TRY(check_only_root_writes(cat(complete.program_dir, "/skerryd")));
  const auto unit = TRY(systemd_unit(complete));
  std::vector<SetupStep> steps;
  steps.push_back(group_step(complete.group));
  steps.push_back(directory_step(complete.state_dir));
  steps.push_back(file_step("/etc/sysctl.d/60-skerry.conf", std::string(kSysctl)));
  steps.push_back(file_step("/etc/modules-load.d/skerry.conf", std::string(kModules)));
  steps.push_back(network_step(complete));
  steps.push_back(file_step("/etc/systemd/system/skerryd.service", unit));
  steps.push_back(service_step());
  return steps;
}

}  // namespace skerry::cli
