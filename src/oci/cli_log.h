// Where skerry-oci's messages go: --log FILE in --log-format text or json, and errors to standard error as well.
//
// Callers (podman, containerd) read the last line with level "error" from the file and show its msg.
#pragma once

#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace skerry::oci {

class CliLog {
 public:
  enum class Format : std::uint8_t { kText, kJson };
  // An empty path: standard error only. The file is appended to, created with 0644.
  Status open(const std::string& path, Format format);
  void set_debug(bool on) { debug_ = on; }

  void error(std::string_view message) const;
  void warning(std::string_view message) const;
  void debug(std::string_view message) const;

 private:
  void write(std::string_view level, std::string_view message) const;

  Fd file_;
  Format format_ = Format::kText;
  bool debug_ = false;
};

}  // namespace skerry::oci
