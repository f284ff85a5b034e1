// Work that leaves its thread changed (namespaces, credentials): on a thread that ends with it.
#pragma once

#include <functional>
#include <string_view>

#include "base/result.h"

namespace skerry {

// Runs `work` on a new thread and waits for it. kResourceExhausted, or what the host answers, when no thread can be
// made (pthread_create(3)): `purpose` says for what.
Status on_own_thread(std::string_view purpose, const std::function<Status()>& work);

}  // namespace skerry
