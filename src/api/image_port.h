// What the API asks of the image store. Implemented over image/ by the daemon; faked in tests.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "control/operations.h"
#include "core/artifact.h"
#include "core/image.h"
#include "wire/requests.h"

namespace skerry::api {

class ImagePort {
 public:
  using Outcome = Result<std::map<std::string, std::string>>;
  virtual ~ImagePort() = default;

  virtual std::vector<Image> list() = 0;  // by name; one entry for each name
  // By name or id. kNotFound says how to pull.
  virtual Result<Image> find(const std::string& name_or_id) = 0;
  // The configuration document as its builder wrote it (JSON).
  virtual Result<std::string> raw_config(const Image& image) = 0;
  virtual Status tag(const std::string& name_or_id, const std::string& name) = 0;
  // Takes the name away, and what no other name needs. The caller has made sure that nobody uses it. Answers
  // {"names", "freed_bytes"}.
  virtual Outcome remove(const std::string& name_or_id) = 0;
  // Fetches a file that a plugin names and checks it (image/artifact_store.h); it is not fetched again. Long work.
  virtual Status fetch(const Artifact& artifact, OperationProgress& progress) = 0;
  // Removes nameless images but those whose manifest digest is in `in_use`.
  virtual Outcome prune(const std::vector<std::string>& in_use) = 0;

  // Long work. Answers {"name", "digest"}.
  enum class Transport : bool { kVerified, kInsecure };
  virtual Outcome pull(const std::string& reference, Transport transport, OperationProgress& progress) = 0;
  // Sends it under another name, whose registry it goes to. Answers {"name", "digest"}.
  virtual Outcome push(const std::string& name_or_id, const std::string& target, Transport transport,
                       OperationProgress& progress) = 0;
  // From and to archives of the daemon's host, by absolute path.
  virtual Outcome load(const std::string& path, const std::string& name, OperationProgress& progress) = 0;
  // A tar of a root file system becomes an image.
  virtual Outcome import(const wire::ImportRequest& request, OperationProgress& progress) = 0;
  virtual Outcome save(const std::string& name_or_id, const std::string& path, OperationProgress& progress) = 0;
  // Makes a disk or an initramfs from a build file. Answers {"name", "digest", "artifact", "size", "manifest", "sbom"},
  // and "varies" with the reason when the same build file may give other bytes the next time.
  virtual Outcome build(const wire::BuildImageRequest& request, OperationProgress& progress) = 0;
};

}  // namespace skerry::api
