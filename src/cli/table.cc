#include "cli/table.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/clock.h"
#include "base/text.h"

namespace skerry::cli {
namespace {

constexpr std::size_t kGap = 3;

std::size_t width_of(std::string_view text) {
  // Continuation bytes of UTF-8 begin with 10.
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string count_of(std::int64_t count, std::string_view noun) { return cat(count, " ", noun, count == 1 ? "" : "s"); }

}  // namespace

void Table::add(std::vector<std::string> cells) {
  for (auto& cell : cells) {
    for (char& letter : cell) {
      if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F) letter = '?';
    }
  }
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] - width_of(row[i]) + kGap, ' ');
    }
    out += '\n';
  }
  return out;
}

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  std::uint64_t tenths = bytes * 10;
  if (bytes > UINT64_MAX / 10) return cat(bytes, " B");
  while (tenths >= 10240 && unit + 1 < kUnits.size()) {
    tenths /= 1024;
    ++unit;
  }
  if (unit == 0) return cat(bytes, " B");
  return cat(tenths / 10, ".", tenths % 10, " ", kUnits.at(unit));
}

std::string human_age(std::string_view rfc3339) {
  if (rfc3339.empty()) return "-";
  const auto time = parse_rfc3339(rfc3339);
  if (!time) return std::string(rfc3339);
  const std::int64_t seconds = (SystemClock().now().ns - time->ns) / 1'000'000'000;
  if (seconds < 1) return "just now";
  if (seconds < 60) return count_of(seconds, "second") + " ago";
  if (seconds < 3600) return count_of(seconds / 60, "minute") + " ago";
  if (seconds < 86400) return count_of(seconds / 3600, "hour") + " ago";
  return count_of(seconds / 86400, "day") + " ago";
}

}  // namespace skerry::cli
