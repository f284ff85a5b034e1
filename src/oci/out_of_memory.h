// Memory that cannot be had, as an Error like any other.
//
// Used where a process begins to be on its own: the command line, and each process cloned from it. There an exception
// must not travel on, since the frames above belong to the parent's business (its Rollback, for one).
#pragma once

#include <new>

#include "base/result.h"

namespace skerry::oci {

// `work` returns a Result.
template <typename Work>
auto or_out_of_memory(Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kResourceExhausted, "out of memory");
  }
}

}  // namespace skerry::oci
