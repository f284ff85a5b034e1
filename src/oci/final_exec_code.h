// The data and the entry of the copied code; internal to final_exec*.cc.
#pragma once

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/prctl.h>

#include <cstdint>

namespace skerry::oci {

// Everything the code needs, as plain data in memory that stays mapped.
struct FinalPlan {
  std::uintptr_t image_begin = 0;  // the runtime's program, to be unmapped
  std::size_t image_size = 0;
  prctl_mm_map memory_map;  // with exe_fd: the disguise
  int status_fd = -1;
  int start_listener = -1;
  bool started = false;
  bool fork_last = false;
  bool has_terminal = false;
  bool set_capabilities = false;
  bool seccomp_first = false;  // without no_new_privs loading needs CAP_SYS_ADMIN: before it is given up
  bool no_new_privileges = false;
  unsigned seccomp_flags = 0;
  sock_fprog seccomp;  // len 0: none
  __user_cap_header_struct capability_header;
  __user_cap_data_struct capability_data[2];
  std::uint64_t ambient = 0;
  const char* path = nullptr;
  char* const* argv = nullptr;
  char* const* envp = nullptr;
};

using FinalEntry = void (*)(const FinalPlan*);

// The code to copy: position independent, without any reference outside of itself.
extern "C" void skerry_final_code(const FinalPlan* plan);
// Where its section begins and ends: names made by the linker.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" const char __start_skerry_final[];
extern "C" const char __stop_skerry_final[];
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

}  // namespace skerry::oci
