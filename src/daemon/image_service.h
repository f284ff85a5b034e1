// ImageService: what the API asks of images, over the image store.
#pragma once

#include "api/image_port.h"
#include "image/store.h"

namespace skerry {

// What built images get when their build file names nothing else.
struct BuildPrograms {
  std::string agent;  // paths
  std::string init;
  std::string runtime;
};

// `images` outlives it.
std::unique_ptr<api::ImagePort> make_image_service(ImageStore& images, BuildPrograms programs);

}  // namespace skerry
