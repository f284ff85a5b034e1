// ImageStore::Scratch: a directory outside of the store that a killed process does not leave behind. A note in the
// store's staging directory names it before it is made.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"
#include "base/temp_dir.h"
#include "image/store.h"

namespace skerry {

class ImageStore::Scratch {
 public:
  Scratch(std::string path, TempDir note) : path_(std::move(path)), note_(std::move(note)) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  TempDir note_;  // goes last
};

// What killed processes have left, by the notes in this staging directory.
Status remove_noted_scratches(const std::string& staging_dir);

}  // namespace skerry
