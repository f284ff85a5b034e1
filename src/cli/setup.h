// skerry setup: what a host needs so that skerryd runs as its service, as steps that can be shown, done and undone.
//
// Each step looks at the host before it acts, so that setup can be repeated, and what it made is kept in a record, so
// that --undo takes away exactly that and nothing that was there before.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace skerry::cli {

struct SetupOptions {
  std::string state_dir = "/var/lib/skerry";
  std::string bridge = "vbr0";
  std::string subnet = "192.168.127.1/24";
  std::string listen = "127.0.0.1:8080";
  std::string group = "skerry";
  std::string program_dir;  // where skerryd is; empty: beside this program
  bool dry_run = false;
  bool undo = false;
};

struct SetupStep {
  std::string title;  // "group skerry"; the record's key
  std::string shown;  // what --dry-run shows: a command, or a file with its content
  std::function<bool()> is_done;
  std::function<Status()> apply;
  std::function<Status()> undo;
  std::string skipped;  // why it cannot be done on this host; empty: it can
};

// In the order in which they are done.
Result<std::vector<SetupStep>> setup_steps(const SetupOptions& options);

// The service of systemd.service(5); every option stands in it as one word, whatever it holds. Pure.
// kInvalidArgument: one holds a control character, which no line of a unit can.
Result<std::string> systemd_unit(const SetupOptions& options);

// Root will run this program at every start: only root may be able to change it. kPermissionDenied names the part of
// its path that somebody else may write to or replace.
Status check_only_root_writes(const std::string& program);

}  // namespace skerry::cli
