// The data and the entry of the copied code; internal to final_exec*.cc.
#pragma once

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <sys/socket.h>

#include <cstdint>

namespace skerry::oci {

// One startContainer hook, made ready: all that is left is to run it.
struct FinalHook {
  const char* path = nullptr;
  char* const* argv = nullptr;
  char* const* envp = nullptr;
  int state_fd = -1;     // its standard input
  int output_read = -1;  // ends of a non-blocking pipe: its standard output and error
  int output_write = -1;
  std::uint32_t timeout_s = 0;  // 0: none
};

// Everything the code needs, as plain data in memory that stays mapped.
struct FinalPlan {
  std::uintptr_t image_begin = 0;  // the runtime's program, to be unmapped
  std::size_t image_size = 0;
  bool hide_program = true;
  prctl_mm_map memory_map;  // with exe_fd: the disguise
  int status_fd = -1;
  int start_listener = -1;
  bool report_ready = true;
  bool fork_last = false;
  bool has_terminal = false;
  bool set_capabilities = false;
  bool seccomp_first = false;  // without no_new_privs loading needs CAP_SYS_ADMIN: before it is given up
  bool seccomp_early = false;  // before the process can be seen or waits: the filter allows what comes after that
  bool no_new_privileges = false;
  unsigned seccomp_flags = 0;
  sock_fprog seccomp;  // len 0: none
  // With SECCOMP_FILTER_FLAG_NEW_LISTENER: the message that carries the listener, and where in it the number goes.
  const msghdr* listener_message = nullptr;
  int* listener_slot = nullptr;
  __user_cap_header_struct capability_header;
  __user_cap_data_struct capability_data[2];
  std::uint64_t ambient = 0;
  const char* path = nullptr;
  char* const* argv = nullptr;
  char* const* envp = nullptr;
  const FinalHook* hooks = nullptr;
  std::uint32_t hook_count = 0;
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
