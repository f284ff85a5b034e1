// The container driver: OCI containers, by skerry-oci (or any other OCI runtime) under a keeper.
#pragma once

#include <memory>
#include <string>

#include "drivers/driver.h"
#include "drivers/jail.h"
#include "image/store.h"

namespace skerry {

// `images` outlives the driver. `agent`: path of skerry-agent, which copies files in there; empty: nothing is copied.
std::unique_ptr<Driver> make_container_driver(JailConfig jail, ImageStore& images, std::string agent = {});

}  // namespace skerry
