#include "cli/doctor.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "wire/json_node.h"
#include "wire/json_writer.h"

namespace skerry::cli {
namespace {

constexpr std::string_view verdict_word(Verdict verdict) {
  switch (verdict) {
    case Verdict::kGood: return "ok";
    case Verdict::kWeak: return "weak";
    case Verdict::kBroken: return "broken";
  }
  return "?";
}

Finding examine_user() {
  if (::geteuid() == 0) return {"user", Verdict::kGood, "root", {}};
  return {"user", Verdict::kWeak, cat("uid ", ::geteuid(), ": skerryd itself needs root"), "run skerryd as root"};
}

Finding examine_kernel() {
  utsname host{};
  ::uname(&host);
  const std::string_view release = host.release;
  const auto dot = release.find('.');
  const auto minor_end = release.find_first_not_of("0123456789", dot + 1);
  const int major = parse_int<int>(release.substr(0, dot), "major").value_or(0);
  const int minor = parse_int<int>(release.substr(dot + 1, minor_end - dot - 1), "minor").value_or(0);
  if (major * 100 + minor >= 510) return {"kernel", Verdict::kGood, std::string(release), {}};
  return {"kernel", Verdict::kBroken, cat(release, " is too old"), "Linux 5.10 or later is needed"};
}

Finding examine_cgroups() {
  struct statfs root{};
  if (::statfs("/sys/fs/cgroup", &root) != 0) {
    return {"control groups", Verdict::kBroken, "/sys/fs/cgroup is not there", "mount the cgroup2 file system"};
  }
  if (root.f_type == CGROUP2_SUPER_MAGIC) return {"control groups", Verdict::kGood, "version 2", {}};
  std::string found;
  std::string missing;
  for (const auto* controller : {"memory", "cpu", "pids", "freezer"}) {
    auto& list = sys::exists(cat("/sys/fs/cgroup/", controller)) ? found : missing;
    list += cat(list.empty() ? "" : ", ", controller);
  }
  if (!missing.empty()) {
    return {"control groups", Verdict::kBroken, cat("version 1 without ", missing),
            "enable them on the kernel's command line"};
  }
  return {"control groups", Verdict::kWeak, cat("version 1 (", found, ")"), "version 2 gives cleaner limits"};
}

Finding examine_file(std::string subject, const std::string& path, Verdict otherwise, std::string_view why,
                     std::string remedy) {
  if (sys::exists(path)) return {std::move(subject), Verdict::kGood, path, {}};
  return {std::move(subject), otherwise, cat(path, " is missing: ", why), std::move(remedy)};
}

bool on_path(std::string_view program) {
  const char* path = ::getenv("PATH");
  const auto directories = split(path != nullptr ? path : "/usr/bin:/bin", ':');
  return std::ranges::any_of(directories,
                             [&](auto each) { return ::access(cat(each, "/", program).c_str(), X_OK) == 0; });
}

Finding examine_program(std::string_view program, std::string_view why) {
  if (on_path(program)) return {std::string(program), Verdict::kGood, "found", {}};
  return {std::string(program), Verdict::kWeak, cat("not found: ", why), cat("install the package of ", program)};
}

// Nobody needs it who has not asked for it.
Finding examine_cloud_hypervisor() {
  const std::string subject = "cloud-hypervisor";
  if (!on_path(subject)) {
    return {subject, Verdict::kGood, "not installed; only skerryd --microvm-driver cloud-hypervisor needs it", {}};
  }
  if (sys::exists("/dev/kvm")) return {subject, Verdict::kGood, "found", {}};
  return {subject, Verdict::kWeak, "found, but it needs hardware virtualisation", "use --microvm-driver qemu"};
}

Finding examine_filesystem(std::string_view name, Verdict otherwise, std::string_view why) {
  const auto list = read_file("/proc/filesystems", 1U << 16U);
  if (list && list->find(cat("\t", name, "\n")) != std::string::npos) {
    return {cat("file system ", name), Verdict::kGood, "known to the kernel", {}};
  }
  return {cat("file system ", name), otherwise, cat("not known to the kernel: ", why), cat("modprobe ", name)};
}

Finding examine_capabilities() {
  // CAP_SYS_ADMIN, CAP_NET_ADMIN: nothing works without. CAP_SYS_RESOURCE: some limits cannot be raised.
  constexpr int kNetAdmin = 12;
  constexpr int kSysAdmin = 21;
  constexpr int kSysResource = 24;
  if (::geteuid() != 0) return {"capabilities", Verdict::kWeak, "cannot be judged without root", {}};
  for (const auto& [number, name] : {std::pair{kSysAdmin, "CAP_SYS_ADMIN"}, std::pair{kNetAdmin, "CAP_NET_ADMIN"}}) {
    if (::prctl(PR_CAPBSET_READ, number) != 1) {
      return {"capabilities", Verdict::kBroken, cat(name, " is missing"),
              "run on the host, or in a privileged container"};
    }
  }
  if (::prctl(PR_CAPBSET_READ, kSysResource) != 1) {
    return {"capabilities", Verdict::kWeak, "CAP_SYS_RESOURCE is missing: limits above ours cannot be given", {}};
  }
  return {"capabilities", Verdict::kGood, "all that is needed", {}};
}

// Documentation/ABI/testing/sysfs-kernel-iommu_groups: a directory each.
Finding examine_iommu() {
  std::error_code none;
  const bool groups = !std::filesystem::is_empty("/sys/kernel/iommu_groups", none) && !none;
  if (groups) return {"IOMMU", Verdict::kGood, "microVMs can have PCI devices of the host", {}};
  return {"IOMMU", Verdict::kWeak, "there is none: microVMs cannot have PCI devices of the host",
          "enable VT-d or AMD-Vi in the firmware, and on the kernel's command line (intel_iommu=on)"};
}

}  // namespace

std::vector<Finding> examine_host() {
  std::vector<Finding> findings;
  findings.push_back(examine_user());
  findings.push_back(examine_kernel());
  findings.push_back(examine_cgroups());
  findings.push_back(examine_capabilities());
  findings.push_back(examine_filesystem("overlay", Verdict::kBroken, "containers need it"));
  findings.push_back(examine_filesystem("erofs", Verdict::kWeak, "the host need not mount it; guests bring their own"));
  findings.push_back(examine_file("network devices", "/dev/net/tun", Verdict::kBroken, "VMs need it", "modprobe tun"));
  // That the device is there proves nothing: whether it works only skerryd knows, who has tried ("isolation microvm").
  auto kvm = examine_file("hardware virtualisation", "/dev/kvm", Verdict::kWeak, "VMs run in software, slowly",
                          "enable it in the firmware or in the outer hypervisor");
  if (kvm.verdict == Verdict::kGood) kvm.detail += " is there; whether it works: see \"isolation microvm\"";
  findings.push_back(std::move(kvm));
  findings.push_back(examine_iommu());
  findings.push_back(examine_program("qemu-system-x86_64", "no microVMs and VMs"));
  findings.push_back(examine_cloud_hypervisor());
  findings.push_back(examine_program("skopeo", "images cannot be pulled"));
  findings.push_back(examine_program("mkfs.erofs", "no disks for microVMs can be made"));
  return findings;
}

namespace {

// The rules that hold, and those of the files where they differ: a mistake there closes everything.
void examine_policy(HttpClient& http, std::vector<Finding>& findings) {
  for (const auto& [path, subject] :
       {std::pair{"/api/v1/policy", "policy"}, std::pair{"/api/v1/policy/check", "policy files"}}) {
    const auto answer = http.expect("GET", path);
    if (!answer) return;
    const auto policy = wire::JsonNode::parse(answer->body);
    if (!policy) return;
    if (policy->at("malformed").flag()) {
      findings.push_back({subject, Verdict::kBroken,
                          cat("malformed, so that nothing is allowed: ", policy->text("directory"), "/",
                              policy->at("problems").items().front().text("text")),
                          "mend it, then: skerry policy reload"});
      return;
    }
    if (std::string_view(subject) == "policy") {
      findings.push_back({subject, Verdict::kGood, cat(policy->at("rules").items().size(), " rules"), {}});
    }
  }
}

}  // namespace

void examine_daemon(HttpClient& http, std::vector<Finding>& findings) {
  const auto answer = http.expect("GET", "/api/v1/system");
  if (!answer) {
    findings.push_back({"skerryd", Verdict::kBroken, answer.error().step, answer.error().hint});
    return;
  }
  const auto json = wire::JsonNode::parse(answer->body);
  if (!json) {
    findings.push_back({"skerryd", Verdict::kBroken, json.error().message(), {}});
    return;
  }
  findings.push_back(
      {"skerryd", Verdict::kGood, cat("version ", json->text("version"), ", pid ", json->text("pid")), {}});
  if (const auto state = json->at("state"); !state.is_null()) {
    auto told = examine_space(state.text("directory"), static_cast<std::uint64_t>(state.integer("free_bytes")));
    const auto guessed = std::ranges::find(findings, told.subject, &Finding::subject);
    if (guessed == findings.end()) {
      findings.push_back(std::move(told));
    } else {
      *guessed = std::move(told);
    }
  }
  for (const auto& [name, each] : json->at("isolations").members()) {
    const bool works = each.at("available").flag();
    findings.push_back({cat("isolation ", name), works ? Verdict::kGood : Verdict::kWeak, each.text("reason"), {}});
  }
  examine_policy(http, findings);
}

std::string findings_text(const std::vector<Finding>& findings) {
  std::string out;
  for (const auto& each : findings) {
    std::string word(verdict_word(each.verdict));
    word.resize(8, ' ');
    out += cat(word, each.subject, ": ", each.detail);
    if (!each.remedy.empty()) out += cat(" → ", each.remedy);
    out += '\n';
  }
  return out;
}

std::string findings_json(const std::vector<Finding>& findings) {
  wire::JsonWriter json;
  json.begin_array();
  for (const auto& each : findings) {
    json.begin_object()
        .field("subject", each.subject)
        .field("verdict", verdict_word(each.verdict))
        .field("detail", each.detail)
        .field("remedy", each.remedy)
        .end_object();
  }
  json.end_array();
  return std::move(json).text();
}

}  // namespace skerry::cli
