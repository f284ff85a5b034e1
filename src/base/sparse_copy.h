// Copies a file without filling its holes (lseek(2), SEEK_DATA; copy_file_range(2), which shares blocks where the file
// system can).
#pragma once

#include "base/result.h"

namespace skerry {

// All of `from` to the start of `to`, which must be empty and gets the same size. The offsets of both may move.
Status copy_sparse(int from, int to);

}  // namespace skerry
