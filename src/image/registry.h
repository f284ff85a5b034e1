// Registry: brings manifests and blobs from a registry to a staging directory, and back, with skopeo as the transport
// (containers-transports(5)). What it brings is not trusted: the caller verifies every digest.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "core/image.h"
#include "image/work.h"

namespace skerry {

struct RegistryOptions {
  // Plain HTTP and unknown certificates are accepted from loopback registries, and from others only when this is set.
  bool insecure = false;
  std::string auth_file;                               // containers-auth.json(5); empty: skopeo's default
  Duration answer_timeout = std::chrono::seconds(60);  // for a manifest
  Duration stall_timeout = std::chrono::seconds(120);  // without a new byte
};

// The bytes of the manifest or index that the reference names, exactly as the registry serves them.
//
// Errors: kNotFound (names image and registry), kUnavailable (names the registry: refused, no such host, no answer,
// TLS), kPermissionDenied (credentials), kCancelled, kUnsupported (no skopeo).
Result<std::string> fetch_manifest(const ImageReference& reference, const RegistryOptions& options, const Work& work);

// Copies every blob of the manifest `digest` of the reference's repository below `staging`, each as
// "<staging>/<hex>". Blobs that already lie there are not fetched again when `reuse` is kPresent; that needs an OCI
// manifest. `total` is for the progress. Errors as above; also kResourceExhausted (disk full), kCorrupt (skopeo saw a
// digest that does not match, or a blob that was cut off).
enum class BlobReuse : std::uint8_t { kNone, kPresent };
Status fetch_blobs(const ImageReference& reference, const Digest& digest, BlobReuse reuse, const std::string& staging,
                   std::uint64_t total, const RegistryOptions& options, const Work& work);

// Copies an image from another transport ("oci-archive:/x.tar", "docker-archive:/x.tar", "oci:/dir:name", …) to
// `staging` in the form of containers-transports(5) "dir": manifest.json and blobs by their hex digest.
Status import_image(const std::string& source, const std::string& staging, const Work& work);

// Copies the image in `staging` (the form that import_image() makes) to the registry under the reference's tag, which
// leads to it from then on; manifest and blobs keep their bytes. What the registry has already is not sent.
//
// Errors as fetch_manifest()'s, but no kNotFound; kUnavailable too when no byte went out for `stall_timeout`, and when
// the registry refuses what it is sent. `total` is for the progress.
Status push_image(const std::string& staging, const ImageReference& reference, std::uint64_t total,
                  const RegistryOptions& options, const Work& work);

// What a failed skopeo meant, from its last words. Separate for the tests.
enum class Transfer : std::uint8_t { kPull, kPush };
Error explain_transfer_failure(std::string_view said, std::string_view subject, std::string_view registry,
                               Transfer transfer = Transfer::kPull);

}  // namespace skerry
