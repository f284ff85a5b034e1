// The schema, as the numbered steps that lead to it. Step N makes version N out of version N - 1; a step that has been
// released is never edited, a change is a new step. The version stands in `PRAGMA user_version`, and `PRAGMA
// application_id` says that the file is ours.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "store/connection.h"

namespace skerry::sql {

// "Skry"
inline constexpr std::int32_t kApplicationId = 0x536B7279;

// Every step of this build, in order; the newest version is their number.
std::span<const char* const> migrations();

// Whether this build may use the file at all; changes nothing. kUnsupported when it was written by a newer build;
// kCorrupt when it is no database, or one of somebody else.
Status check_compatible(Connection& connection, std::span<const char* const> steps = migrations());

// Brings a compatible database to version steps.size(), each step in a transaction of its own: a kill between two
// leaves a database that the next start brings on.
Status migrate(Connection& connection, std::span<const char* const> steps = migrations());

}  // namespace skerry::sql
