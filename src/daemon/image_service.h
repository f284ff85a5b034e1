// ImageService: what the API asks of images, over the image store.
#pragma once

#include "api/image_port.h"
#include "image/store.h"

namespace skerry {

// `images` outlives it.
std::unique_ptr<api::ImagePort> make_image_service(ImageStore& images);

}  // namespace skerry
