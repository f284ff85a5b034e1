// The container driver: OCI containers, by skerry-oci (or any other OCI runtime) under a keeper.
#pragma once

#include <memory>

#include "drivers/driver.h"
#include "drivers/jail.h"
#include "image/store.h"

namespace skerry {

// `images` outlives the driver.
std::unique_ptr<Driver> make_container_driver(JailConfig jail, ImageStore& images);

}  // namespace skerry
