// ContainerRecord: what skerry-oci remembers about a container between two of its calls, and the `state` document it
// shows (runtime-spec, runtime.md "State").
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skerry::oci {

// Where the container's control groups are: one directory a hierarchy, as seen by the runtime.
struct CgroupRecord {
  struct Directory {
    std::vector<std::string> controllers;  // v1; empty for the unified hierarchy
    std::string path;
    bool operator==(const Directory&) const = default;
  };
  std::string manager;  // "cgroupfs", "systemd" or "disabled"
  std::string slice;    // systemd: the unit it lies in
  std::string scope;    // systemd: its own unit, "" otherwise
  std::vector<Directory> directories;
};

struct ContainerRecord {
  std::string id;
  std::string oci_version;
  std::string bundle;
  std::string rootfs;
  std::string created;    // RFC 3339
  std::string spec_file;  // the configuration the container was made from, inside the state directory
  std::uint32_t owner_uid = 0;
  int pid = 0;                       // 0: not made yet
  std::uint64_t pid_start_time = 0;  // clock ticks since boot; with the pid it names one process
  CgroupRecord cgroup;
  std::string intel_rdt_group;  // the resctrl directory that delete removes, "" for none
  std::map<std::string, std::string> annotations;
};

enum class ContainerStatus : std::uint8_t { kCreating, kCreated, kRunning, kPaused, kStopped };
std::string_view status_name(ContainerStatus status);

// The file state.json of the runtime's own directory.
std::string to_json(const ContainerRecord& record);
Result<ContainerRecord> parse_record(std::string_view json);

// The document of `state`, which is also what hooks read on their standard input.
std::string state_document(const ContainerRecord& record, ContainerStatus status);
// `list --format json`: an array of {ociVersion, id, pid, status, bundle, rootfs, created, owner}.
struct ListedContainer {
  ContainerRecord record;
  ContainerStatus status{};
  std::string owner;  // login name, or the number
};
std::string list_document(const std::vector<ListedContainer>& containers);
// `ps --format json`: an array of pids.
std::string pids_document(const std::vector<int>& pids);

// What a seccomp agent receives with the listener (config-linux.md "The Container Process State").
std::string seccomp_state_document(const ContainerRecord& record, ContainerStatus status, int process_pid,
                                   std::string_view listener_metadata);

}  // namespace skerry::oci
