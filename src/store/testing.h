// Values for the tests of this folder.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <functional>
#include <string>

#include "base/text.h"
#include "core/environment.h"
#include "core/event.h"

namespace skerry::store_testing {

inline constexpr WallTime kThen{1'700'000'000'000'000'000};  // 2023-11-14T22:13:20Z

// A small valid one; its id follows from its name.
inline Environment environment(const std::string& name) {
  Environment out;
  std::uint64_t hash = std::hash<std::string>{}(name);
  for (int i = 0; i < 16; ++i, hash >>= 4U) out.id += "0123456789abcdef"[hash & 15U];
  out.spec.name = name;
  out.spec.image = "localhost/x:1";
  out.status.created_at = kThen;
  return out;
}

inline Event event(const std::string& type, const std::string& resource) {
  return {0, type, resource, {{"name", resource}}, kThen};
}

// What sqlite3(1) would print: columns with '|' between, rows with line ends between.
inline std::string query(const std::string& path, const std::string& sql) {
  SQLite::Database database(path, SQLite::OPEN_READWRITE, 5000);
  SQLite::Statement statement(database, sql);
  std::string out;
  while (statement.executeStep()) {
    if (!out.empty()) out += '\n';
    for (int i = 0; i < statement.getColumnCount(); ++i) {
      if (i > 0) out += '|';
      out += statement.getColumn(i).getString();
    }
  }
  return out;
}

}  // namespace skerry::store_testing
