// What `checkpoint` and `restore` ask CRIU for alike: directories and the options of their command lines.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "base/rollback.h"
#include "oci/criu_messages.h"
#include "oci/runtime.h"
#include "oci/state_store.h"

namespace skerry::oci {

// Beside CRIU's images: see CheckpointRecord.
inline constexpr const char* kCheckpointRecord = "skerry.json";

struct ImageDirectories {
  std::string images_path;
  std::string work_path;  // of logs; the images' own without --work-path
  std::string
      own_work_path;  // where CRIU works: in the state directory, so that delete finds its mounts if it is killed
  Fd images;
  Fd work;  // of own_work_path
};
// Makes them where they are missing. `rollback` takes away what was made, as long as CRIU has written nothing.
Result<ImageDirectories> open_image_directories(const CheckpointRequest& request, const StateDir& dir,
                                                Rollback& rollback);
// When CRIU is done: its log and its statistics to where the caller wants them. Best effort; what CRIU worked in is
// removed.
void keep_logs(const ImageDirectories& places, const std::string& log);

// kInvalidArgument for an unknown --manage-cgroups-mode. The annotation "org.criu.config" names a configuration file
// of CRIU, as for other runtimes.
Result<CriuOptions> criu_options(const CheckpointRequest& request, const ImageDirectories& places, const Spec& spec);

}  // namespace skerry::oci
