#include "store/connection.h"

#include <sqlite3.h>

#include <cerrno>

#include "base/text.h"

namespace skerry::sql {
namespace {

ErrorCode code_of(const SQLite::Exception& exception, int system_errno) {
  switch (exception.getErrorCode()) {
    case SQLITE_FULL:
    case SQLITE_NOMEM: return ErrorCode::kResourceExhausted;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: return ErrorCode::kPermissionDenied;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT: return ErrorCode::kCorrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ErrorCode::kUnavailable;
    case SQLITE_CONSTRAINT: {
      const int detail = exception.getExtendedErrorCode();
      const bool taken = detail == SQLITE_CONSTRAINT_UNIQUE || detail == SQLITE_CONSTRAINT_PRIMARYKEY;
      return taken ? ErrorCode::kAlreadyExists : ErrorCode::kConflict;
    }
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR: return system_errno == 0 ? ErrorCode::kIo : Error::from_errno(system_errno, {}).code;
    default: return ErrorCode::kInternal;
  }
}

}  // namespace

Error error_of(const SQLite::Exception& exception, std::string_view step, int system_errno) {
  Error error{code_of(exception, system_errno), 0, std::string(step), exception.getErrorStr()};
  const int code = exception.getErrorCode();
  if (code == SQLITE_CANTOPEN || code == SQLITE_IOERR) error.sys_errno = system_errno;
  // Whoever asked is told that it is the disk, and not he who lacks a right.
  if (code == SQLITE_FULL) error.sys_errno = ENOSPC;
  if (code == SQLITE_READONLY) error.sys_errno = EROFS;
  if (code == SQLITE_CONSTRAINT || code == SQLITE_ERROR) error.hint = exception.what();
  return error;
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, Access access) {
  const int flags = SQLITE_OPEN_NOMUTEX |
                    (access == Access::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  const std::string step = cat("open database ", path);
  errno = 0;
  try {
    std::unique_ptr<Connection> connection(new Connection(path, flags));
    return connection;
  } catch (const SQLite::Exception& exception) {
    return fail(error_of(exception, step, errno));
  }
}

Query Connection::query(const char* sql) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) found = statements_.try_emplace(sql, database_, sql).first;
  return Query(found->second);
}

int Connection::system_errno() { return sqlite3_system_errno(database_.getHandle()); }

}  // namespace skerry::sql
