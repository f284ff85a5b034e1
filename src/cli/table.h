// Table: rows for people, columns aligned by what is seen (UTF-8 counts letters, not bytes).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace skerry::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  // As many cells as the header has. Control characters become '?': a name must not move the terminal's cursor.
  void add(std::vector<std::string> cells);
  // Header and rows, each line ended.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// "1.5 MiB".
std::string human_bytes(std::uint64_t bytes);
// "3 minutes ago", from an RFC 3339 time of the daemon; the text itself when it is none; "-" for "".
std::string human_age(std::string_view rfc3339);

}  // namespace skerry::cli
