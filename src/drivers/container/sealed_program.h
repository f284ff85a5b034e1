// A program for containers that have none of ours: a copy in memory, so that nobody in there can reach the host's file.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace skerry {

// To be executed by its descriptor; nothing can change it.
Result<Fd> sealed_program(const std::string& path);

// One copy for each container that asks, and no more: who is in there may keep what it was given open, and each copy is
// memory that is accounted to us. Two containers share none: its owner inside may change its mode, or lock it.
// Thread-safe.
class SealedPrograms {
 public:
  // `path`: of the program; empty: there is none.
  explicit SealedPrograms(std::string path) : path_(std::move(path)) {}

  // The copy of the container with this id. kUnsupported: there is no program.
  Result<Fd> open(const std::string& id);
  // Its run is over: the next one gets a new copy.
  void forget(const std::string& id);

 private:
  const std::string path_;
  std::mutex mutex_;
  std::map<std::string, Fd> copies_;
};

}  // namespace skerry
