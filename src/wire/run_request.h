// RunRequest: one command or piece of code for a disposable environment, and what came of it. The arguments and the
// result of the MCP tools run_command and run_code.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skerry::wire {

// Most bytes of a piece of code: it becomes one argument of a program, of which Linux takes 128 KiB (execve(2)).
inline constexpr std::size_t kMaxCodeBytes = 96U << 10U;
inline constexpr std::size_t kMaxRunFiles = 64;
inline constexpr std::uint32_t kMaxRunMs = 600'000;

struct RunFile {
  std::string path;  // absolute, inside
  std::string content;
};

struct RunRequest {
  std::string image;
  std::vector<std::string> command;  // of run_code: interpreter, option, code
  std::string stdin_text;
  std::map<std::string, std::string> env;
  std::string workdir;
  std::string user;
  std::vector<RunFile> files;        // written before the command starts
  std::vector<std::string> outputs;  // files to be read back: absolute paths
  std::uint32_t timeout_ms = 60'000;
  std::string isolation = "container";
  std::string zone;  // empty: the default one
  std::optional<std::uint32_t> memory_mb;
  std::optional<double> cpu_cores;
};

// Strict: unknown fields, wrong types, relative paths and too large values are kInvalidArgument naming the field.
Result<RunRequest> parse_run_command(std::string_view arguments);
Result<RunRequest> parse_run_code(std::string_view arguments);
// The languages of run_code, in order.
std::vector<std::string_view> run_languages();

// The body of POST /api/v1/environments for it: an environment of that name which only waits, and ends by itself some
// time after the run's time is up, whatever becomes of the daemon.
std::string run_environment_json(const RunRequest& request, const std::string& name);

struct RunOutput {
  struct File {
    std::string path;
    std::string content;
    bool truncated = false;
    std::string error;  // not empty: it could not be read, and why
  };
  std::string environment;
  std::optional<std::int32_t> exit_code;  // unset: the time was up
  bool oom_killed = false;                // the kernel ended it for want of memory
  std::string reason;                     // why it ended, where the exit code alone does not tell; may be empty
  std::string out;
  std::string err;
  bool truncated = false;  // of either stream
  std::vector<File> files;
};
// {"environment","exit_code","timed_out","oom_killed","reason","stdout","stderr","truncated","files":[{"path","text"|"base64",…}]}
std::string run_output_json(const RunOutput& output);

}  // namespace skerry::wire
