#include "oci/device_filter.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>

#include "base/fd.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "oci/device_rules.h"

namespace skerry::oci {
namespace {

// The instruction set (Documentation/bpf/instruction-set.rst), as far as it is needed here.
constexpr std::uint8_t kContext = 1;  // the registers r1 … r5
constexpr std::uint8_t kType = 2;
constexpr std::uint8_t kAccess = 3;
constexpr std::uint8_t kMajor = 4;
constexpr std::uint8_t kMinor = 5;
constexpr std::uint8_t kScratch = 1;  // r1 is free once the context was read

bpf_insn instruction(unsigned code, std::uint8_t dst, std::uint8_t src, std::int16_t offset, std::int32_t imm) {
  bpf_insn out{};
  out.code = static_cast<std::uint8_t>(code);
  out.dst_reg = dst & 0xFU;
  out.src_reg = src & 0xFU;
  out.off = offset;
  out.imm = imm;
  return out;
}
bpf_insn load_word(std::uint8_t dst, std::size_t offset) {
  return instruction(BPF_LDX | BPF_MEM | BPF_W, dst, kContext, static_cast<std::int16_t>(offset), 0);
}
bpf_insn alu(unsigned operation, std::uint8_t dst, std::int32_t imm) {
  return instruction(BPF_ALU | operation | BPF_K, dst, 0, 0, imm);
}
bpf_insn copy(std::uint8_t dst, std::uint8_t src) { return instruction(BPF_ALU | BPF_MOV | BPF_X, dst, src, 0, 0); }
// Jumps when `reg` differs from `imm`; the distance is filled in when the rule is complete.
bpf_insn unless_equal(std::uint8_t reg, std::int32_t imm) {
  return instruction(BPF_JMP | BPF_JNE | BPF_K, reg, 0, 0, imm);
}

void answer(std::vector<bpf_insn>& out, bool allow) {
  out.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, allow ? 1 : 0));
  out.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

int access_mask(const std::string& access) {
  if (access.empty()) return BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD;
  int mask = 0;
  for (const char c : access) {
    if (c == 'r') mask |= BPF_DEVCG_ACC_READ;
    if (c == 'w') mask |= BPF_DEVCG_ACC_WRITE;
    if (c == 'm') mask |= BPF_DEVCG_ACC_MKNOD;
  }
  return mask;
}

// One rule: jump over the answer when type, access, major or minor do not match.
void add_rule(std::vector<bpf_insn>& out, const DeviceRule& rule) {
  std::vector<std::size_t> jumps;
  const auto leave_unless = [&](std::uint8_t reg, std::int64_t value) {
    jumps.push_back(out.size());
    out.push_back(unless_equal(reg, static_cast<std::int32_t>(value)));
  };
  if (rule.type == "b") leave_unless(kType, BPF_DEVCG_DEV_BLOCK);
  if (rule.type == "c") leave_unless(kType, BPF_DEVCG_DEV_CHAR);
  const int mask = access_mask(rule.access);
  if (mask != (BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD)) {
    // An allow must cover every asked right; a deny bites when it covers one of them.
    out.push_back(copy(kScratch, kAccess));
    out.push_back(alu(BPF_AND, kScratch, rule.allow ? ~mask : mask));
    jumps.push_back(out.size());
    out.push_back(
        instruction(static_cast<unsigned>(BPF_JMP | (rule.allow ? BPF_JNE : BPF_JEQ) | BPF_K), kScratch, 0, 0, 0));
  }
  if (rule.major.value_or(-1) >= 0) leave_unless(kMajor, *rule.major);
  if (rule.minor.value_or(-1) >= 0) leave_unless(kMinor, *rule.minor);
  answer(out, rule.allow);
  for (const auto jump : jumps) out[jump].off = static_cast<std::int16_t>(out.size() - jump - 1);
}

long bpf(int command, bpf_attr& attr) { return ::syscall(SYS_bpf, command, &attr, sizeof attr); }

Result<Fd> load_program(const std::vector<bpf_insn>& program) {
  bpf_attr attr{};
  attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attr.insns = reinterpret_cast<std::uint64_t>(program.data());
  attr.insn_cnt = static_cast<std::uint32_t>(program.size());
  static constexpr char kLicense[] = "Apache-2.0";
  attr.license = reinterpret_cast<std::uint64_t>(kLicense);
  std::strncpy(attr.prog_name, "skerry_devices", sizeof attr.prog_name - 1);
  const long fd = bpf(BPF_PROG_LOAD, attr);
  if (fd < 0) return fail_errno("load the device filter");
  return Fd(static_cast<int>(fd));
}

// The programs attached to this very group.
std::vector<Fd> attached_programs(int cgroup_fd) {
  std::array<std::uint32_t, 64> ids{};
  bpf_attr query{};
  query.query.target_fd = static_cast<std::uint32_t>(cgroup_fd);
  query.query.attach_type = BPF_CGROUP_DEVICE;
  query.query.prog_ids = reinterpret_cast<std::uint64_t>(ids.data());
  query.query.prog_cnt = ids.size();
  std::vector<Fd> out;
  if (bpf(BPF_PROG_QUERY, query) < 0) return out;
  for (std::uint32_t i = 0; i < query.query.prog_cnt; ++i) {
    bpf_attr attr{};
    attr.prog_id = ids[i];
    const long fd = bpf(BPF_PROG_GET_FD_BY_ID, attr);
    if (fd >= 0) out.emplace_back(static_cast<int>(fd));
  }
  return out;
}

}  // namespace

std::vector<bpf_insn> compile_device_filter(const std::vector<DeviceRule>& rules) {
  std::vector<bpf_insn> out;
  // access_type holds the type in its low, the access in its high half (struct bpf_cgroup_dev_ctx).
  out.push_back(load_word(kType, offsetof(bpf_cgroup_dev_ctx, access_type)));
  out.push_back(copy(kAccess, kType));
  out.push_back(alu(BPF_AND, kType, 0xFFFF));
  out.push_back(alu(BPF_RSH, kAccess, 16));
  out.push_back(load_word(kMajor, offsetof(bpf_cgroup_dev_ctx, major)));
  out.push_back(load_word(kMinor, offsetof(bpf_cgroup_dev_ctx, minor)));
  const auto all = effective_device_rules(rules);
  // The last rule wins, so the program asks them from the last to the first; behind a rule for everything nothing
  // counts.
  for (auto rule = all.rbegin(); rule != all.rend(); ++rule) {
    add_rule(out, *rule);
    const bool everything = (rule->type.empty() || rule->type == "a") && rule->major.value_or(-1) < 0 &&
                            rule->minor.value_or(-1) < 0 && (rule->access.empty() || rule->access.size() == 3);
    if (everything) return out;
  }
  answer(out, false);
  return out;
}

Status attach_device_filter(const std::string& cgroup_directory, const std::vector<DeviceRule>& rules) {
  const Fd cgroup = TRY(sys::open(cgroup_directory, O_RDONLY | O_DIRECTORY));
  auto program = load_program(compile_device_filter(rules));
  if (!program) {
    if (program.error().sys_errno == EPERM) return {};
    return fail(std::move(program).error());
  }
  const auto old = attached_programs(cgroup.get());
  bpf_attr attr{};
  attr.target_fd = static_cast<std::uint32_t>(cgroup.get());
  attr.attach_bpf_fd = static_cast<std::uint32_t>(program->get());
  attr.attach_type = BPF_CGROUP_DEVICE;
  attr.attach_flags = BPF_F_ALLOW_MULTI;
  if (bpf(BPF_PROG_ATTACH, attr) < 0) return fail_errno("attach the device filter");
  // The new one is in force before the old ones go: never a moment without a filter.
  for (const auto& fd : old) {
    bpf_attr detach{};
    detach.target_fd = static_cast<std::uint32_t>(cgroup.get());
    detach.attach_bpf_fd = static_cast<std::uint32_t>(fd.get());
    detach.attach_type = BPF_CGROUP_DEVICE;
    (void)bpf(BPF_PROG_DETACH, detach);
  }
  return {};
}

}  // namespace skerry::oci
