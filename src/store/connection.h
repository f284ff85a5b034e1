// Connection: one SQLite connection with its prepared statements, and the place where SQLite's exceptions end.
//
// Aggregates (environments.h, events.h, …) use Query inside guard() or transaction() and may let SQLite::Exception fly;
// these two turn it into an Error. Not thread-safe: its owner holds a mutex around every use.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/clock.h"
#include "base/result.h"

namespace skerry::sql {

// One run of a prepared statement. Parameters are bound in order, columns read by index. Resets the statement when it
// goes, so that no read transaction stays open behind it.
// An empty text is stored as NULL where a column refers to another table.
inline std::optional<std::string> null_if_empty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

class Query {
 public:
  explicit Query(SQLite::Statement& statement) : statement_(statement) {
    statement_.reset();
    statement_.clearBindings();
  }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query() { statement_.tryReset(); }

  template <typename... Values>
  Query& bind(const Values&... values) {
    (bind_one(values), ...);
    return *this;
  }
  // Steps to the next row; false after the last.
  bool next() { return statement_.executeStep(); }
  // Runs a statement that gives no rows; how many rows it changed.
  int run() { return statement_.exec(); }

  [[nodiscard]] std::string text(int column) const { return statement_.getColumn(column).getString(); }
  [[nodiscard]] std::int64_t number(int column) const { return statement_.getColumn(column).getInt64(); }
  [[nodiscard]] bool is_null(int column) const { return statement_.isColumnNull(column); }
  // Zero for NULL.
  [[nodiscard]] WallTime time(int column) const { return {number(column)}; }

 private:
  void bind_one(const std::string& value) { statement_.bind(++bound_, value); }
  void bind_one(std::string_view value) { statement_.bind(++bound_, std::string(value)); }
  void bind_one(const char* value) { statement_.bind(++bound_, std::string(value)); }
  void bind_one(double value) { statement_.bind(++bound_, value); }
  void bind_one(std::nullopt_t) { statement_.bind(++bound_); }
  void bind_one(WallTime value) { bind_one(value.ns); }
  template <std::integral T>
  void bind_one(T value) {
    statement_.bind(++bound_, static_cast<std::int64_t>(value));
  }
  template <typename T>
  void bind_one(const std::optional<T>& value) {
    if (value) {
      bind_one(*value);
    } else {
      bind_one(std::nullopt);
    }
  }

  SQLite::Statement& statement_;
  int bound_ = 0;
};

enum class Access : std::uint8_t { kReadWrite /* created when missing */, kReadOnly };

// The Error for what SQLite threw: its code decides ours, its words are the hint.
Error error_of(const SQLite::Exception& exception, std::string_view step, int system_errno);

class Connection {
 public:
  // Waits up to this long for another process that holds the database's lock.
  static constexpr int kBusyTimeoutMs = 5000;

  static Result<std::unique_ptr<Connection>> open(const std::string& path, Access access);

  // Prepared at its first use, then kept.
  Query query(const char* sql);
  // One or more statements without parameters and rows.
  void execute(const std::string& sql) { database_.exec(sql); }

  // Runs `work`, which answers a Result; what SQLite throws meanwhile becomes its error.
  template <typename Work>
  std::invoke_result_t<Work> guard(std::string_view step, Work work) {
    try {
      return work();
    } catch (const SQLite::Exception& exception) {
      return fail(error_of(exception, step, system_errno()));
    }
  }

  // Runs `work` within one transaction: committed when it answers a value, rolled back when it answers an error.
  template <typename Work>
  std::invoke_result_t<Work> transaction(std::string_view step, Work work) {
    return guard(step, [&]() -> std::invoke_result_t<Work> {
      execute("BEGIN IMMEDIATE");
      Undo undo(*this);
      auto result = work();
      if (!result) return result;
      execute("COMMIT");
      undo.disarm();
      return result;
    });
  }

 private:
  // Rolls back when it goes; SQLite may have done so itself (disk full), which is fine.
  class Undo {
   public:
    explicit Undo(Connection& connection) : connection_(&connection) {}
    Undo(const Undo&) = delete;
    Undo& operator=(const Undo&) = delete;
    ~Undo() {
      if (connection_ != nullptr) static_cast<void>(connection_->database_.tryExec("ROLLBACK"));
    }
    void disarm() { connection_ = nullptr; }

   private:
    Connection* connection_;
  };

  Connection(const std::string& path, int flags) : database_(path, flags, kBusyTimeoutMs) {}
  [[nodiscard]] int system_errno();

  SQLite::Database database_;
  std::map<const char*, SQLite::Statement> statements_;  // by address: every statement is a literal of ours
};

}  // namespace skerry::sql
