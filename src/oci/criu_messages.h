// The messages of CRIU's service protocol (criu/rpc.proto, protocol buffers 2): requests as bytes, answers from bytes.
// Only the fields that checkpoint and restore use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace skerry::oci {

enum class CriuRequest : std::uint8_t { kDump = 1, kRestore = 2, kPreDump = 4, kNotify = 6 };

// How control groups are treated (criu(8), --manage-cgroups).
enum class CriuCgroupMode : std::uint8_t { kIgnore = 0, kSoft = 3, kFull = 4, kStrict = 5 };

struct CriuOptions {
  int images_fd = -1;  // directories, as numbers of the process that made the connection
  int work_fd = -1;
  int pid = 0;  // of dump: the first process
  std::string root;
  std::string log_file;
  std::string parent_images;  // of an earlier pre-dump, relative to the images
  std::string freeze_cgroup;
  std::string config_file;
  bool leave_running = false;
  bool tcp_established = false;
  bool ext_unix_sk = false;
  bool shell_job = false;
  bool file_locks = false;
  bool track_memory = false;
  bool restore_sibling = false;  // the restored process becomes a child of who started criu
  CriuCgroupMode cgroup_mode = CriuCgroupMode::kSoft;
  std::vector<std::string> external;                              // "mnt[/etc/hosts]:/etc/hosts", "net[123]:name"
  std::vector<std::pair<std::string, int>> inherit;               // name of a descriptor in the images, number in criu
  std::vector<std::pair<std::string, std::string>> cgroup_roots;  // controller ("" for all), path
};

std::string encode_criu_request(CriuRequest type, const CriuOptions& options);
// The answer to a notification: go on, or give up.
std::string encode_criu_notified(bool success);

struct CriuAnswer {
  CriuRequest type{};
  bool success = false;
  int restored_pid = 0;
  std::string notify_script;  // "setup-namespaces", "orphan-pts-master", …
  int notify_pid = 0;
  int error_number = 0;
  std::string error_text;
};
// kCorrupt when it is cut short or not one; unknown fields are skipped, as the protocol wants it.
Result<CriuAnswer> decode_criu_answer(std::string_view bytes);

}  // namespace skerry::oci
