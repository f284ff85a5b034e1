// DirectoryWatch: learns that something in one directory changed (inotify(7)): a file was written, made, renamed or
// removed. It tells that, not what: look yourself. Changes that come together are told once. Where the kernel has no
// watch left to give (inotify(7), max_user_instances and max_user_watches) it tells so again and again, whether or not
// something changed.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace skerry {

class DirectoryWatch {
 public:
  // kNotFound when there is no such directory.
  static Result<DirectoryWatch> create(const std::string& directory);

  // Polls readable (level-triggered) when something changed since the last clear(). Borrowed.
  [[nodiscard]] int fd() const { return source_.get(); }
  // Forgets the changes so far. Clear first, then look: what changes in between is told again.
  Status clear();
  // Waits for a change. False: none came within `timeout`.
  Result<bool> wait(Duration timeout) const;

 private:
  explicit DirectoryWatch(Fd source) : source_(std::move(source)) {}
  Fd source_;  // an inotify, or a timer
};

}  // namespace skerry
