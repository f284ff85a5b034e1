// Image: what an OCI image is to the rest of Skerry, and how people name one. Pure values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"

namespace skerry {

// The name of an image: registry/repository[:tag][@digest], in the grammar of the OCI distribution specification
// ("Pulling manifests") with the defaults docker and podman use:
//
//   debian                         → docker.io/library/debian:latest
//   me/app:1                       → docker.io/me/app:1
//   localhost:5000/web             → localhost:5000/web:latest
//   localhost/x@sha256:…           → no tag
//
// The first component is a registry when it holds a '.' or a ':' or is "localhost", and more follows.
struct ImageReference {
  std::string registry;    // host[:port] or [v6]:port
  std::string repository;  // lower case, components joined by '/'
  std::string tag;         // "latest" when neither tag nor digest was given; empty when only a digest was
  std::optional<Digest> digest;

  // kInvalidArgument names the part that is wrong.
  static Result<ImageReference> parse(std::string_view text);

  // The full form, with the defaults filled in. parse(text()) gives the same value back.
  [[nodiscard]] std::string text() const;
  // registry/repository, without tag and digest.
  [[nodiscard]] std::string name() const;
  // Whether the registry is this machine's loopback: localhost, 127.0.0.0/8 or [::1].
  [[nodiscard]] bool is_loopback() const;

  auto operator<=>(const ImageReference&) const = default;
};

// OCI image specification, "Image Configuration": how to run what is in the layers.
struct ImageConfig {
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::vector<std::string> env;            // "NAME=value"
  std::string workdir;                     // empty: "/"
  std::string user;                        // "", "uid", "user", "uid:gid", "user:group"
  std::vector<std::string> exposed_ports;  // "80/tcp", sorted
  std::vector<std::string> volumes;        // paths, sorted
  std::map<std::string, std::string> labels;
  std::string stop_signal;   // empty: SIGTERM
  std::string architecture;  // Go's names: "amd64"
  std::string os;
  std::string created;  // RFC 3339 as the builder wrote it; may be empty

  bool operator==(const ImageConfig&) const = default;
};

enum class LayerCompression : std::uint8_t { kNone, kGzip, kZstd };

struct ImageLayer {
  Digest digest;           // of the blob as it was transported
  Digest diff_id;          // of the uncompressed tar
  std::uint64_t size = 0;  // of the blob, bytes
  LayerCompression compression = LayerCompression::kNone;

  bool operator==(const ImageLayer&) const = default;
};

struct Image {
  std::string name;  // full reference text; empty when the image has no name left
  Digest manifest_digest;
  Digest config_digest;  // what docker and podman call the image id
  ImageConfig config;
  std::vector<ImageLayer> layers;  // bottom first
  std::uint64_t size = 0;          // bytes of manifest, config and layer blobs

  bool operator==(const Image&) const = default;
};

}  // namespace skerry
