#include "cli/settings.h"

namespace skerry::cli {

int exit_code_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNotFound: return kExitNotFound;
    case ErrorCode::kRefused: return kExitRefused;
    case ErrorCode::kInvalidArgument: return kExitUsage;
    default: return kExitFailed;
  }
}

int start_exit_code_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::kNotExecutable: return kExitNotExecutable;
    case ErrorCode::kCommandNotFound: return kExitCommandNotFound;
    default: return kExitNotStarted;
  }
}

}  // namespace skerry::cli
