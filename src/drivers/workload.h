// What an environment runs, whatever isolates it: the request on top of the image's configuration. Pure.
//
// Source: OCI image specification, "Image Configuration" (config.Entrypoint, Cmd, Env, WorkingDir, User, StopSignal):
// a new entrypoint drops the image's command, a new command keeps the image's entrypoint.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "core/environment.h"
#include "core/image.h"

namespace skerry {

struct Workload {
  std::vector<std::string> argv;
  std::vector<std::string> env;  // "NAME=value", one of each name: the image's, then the request's
  std::string workdir = "/";
  std::string user;  // as in EnvironmentSpec; empty: root
  int stop_signal = 15;
};

// kInvalidArgument when neither says what to run, or the image names a signal that does not exist. `image` may be null.
Result<Workload> resolve_workload(const EnvironmentSpec& spec, const ImageConfig* image);

}  // namespace skerry
