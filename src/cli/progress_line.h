// One line of standard error, drawn over and over; wiped when it goes.
#pragma once

#include <string_view>

#include "cli/settings.h"

namespace skerry::cli {

class ProgressLine {
 public:
  // On a terminal, unless quiet; else nothing is ever drawn.
  explicit ProgressLine(const Settings& settings);
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() { wipe(); }

  [[nodiscard]] bool shown() const { return shown_; }
  // Not wider than the terminal (columns()).
  void draw(std::string_view text);
  void wipe();
  [[nodiscard]] static std::size_t columns();

 private:
  bool shown_;
  bool drawn_ = false;
};

}  // namespace skerry::cli
