// A copy of files between a client and an environment, and how skerry-agent is told to do its end of it.
//
//   client ── POST …/copy, a conversation ──▶ daemon ── driver ──▶ `skerry-agent copy-in|copy-out …` INSIDE it
//      ◀═════════════ a tar, as the standard input or output of that command ═════════════▶
//
// The path is resolved by that command, inside: no link and no race in there can lead a copy to a file of the host.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace skerry::wire {

enum class CopyDirection : std::uint8_t { kIn, kOut };

struct CopyRequest {
  CopyDirection direction = CopyDirection::kOut;
  std::string path;         // inside; absolute
  std::string top;          // kIn: what the top of the tar is called; empty: any tar, into the directory `path`
  bool follow = false;      // kOut: a symbolic link as the top stands for what it leads to
  bool keep_owners = true;  // kIn
  bool xattrs = false;      // kOut: with extended attributes, user.* of them. kIn takes what the tar has
  bool sparse = false;      // kOut: holes are told as such (GNU.sparse 1.0), which not every reader of tars knows
  bool operator==(const CopyRequest&) const = default;
};

// The words behind the program's name, and back. kInvalidArgument.
std::vector<std::string> copier_arguments(const CopyRequest& request);
Result<CopyRequest> parse_copier_arguments(const std::vector<std::string>& words);

// Its exit code when the path leads to nothing.
inline constexpr int kCopierFoundNothing = 3;
// A line of the command's standard error that is no failure begins with this.
inline constexpr const char* kCopierNote = "note: ";

}  // namespace skerry::wire
