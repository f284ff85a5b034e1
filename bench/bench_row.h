// Rows of build/bench.json, written by the benchmark programs. The same as rows.py.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_io.h"
#include "base/text.h"

namespace skerry::bench {

enum class Better : std::uint8_t { kLower, kHigher };

struct Row {
  std::string_view id;
  double ours;
  double peer;
  double goal;  // the ratio ours / peer to be met; 0: none is set
  std::string_view note;
  std::string_view unit = "ms";
  Better better = Better::kLower;
};

// Of at least one value.
inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

// Three decimals.
inline std::string number(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.3f", value);
  return text;
}

// Ids, units and notes are our own words: nothing in them has to be escaped.
inline Status write_rows(const std::string& path, const std::vector<Row>& rows) {
  std::string json;
  for (const auto& row : rows) {
    json += cat(json.empty() ? "[" : ",\n ", R"({"id": ")", row.id, R"(", "ours": )", number(row.ours), R"(, "peer": )",
                number(row.peer), R"(, "unit": ")", row.unit, R"(", "ratio": )", number(row.ours / row.peer),
                R"(, "goal": )", row.goal > 0 ? number(row.goal) : "null", R"(, "better": ")",
                row.better == Better::kLower ? "lower" : "higher", R"(", "note": ")", row.note, "\"}");
  }
  json += "]\n";
  std::fputs(json.c_str(), stdout);
  return write_file_atomic(path, json, 0644);
}

}  // namespace skerry::bench
