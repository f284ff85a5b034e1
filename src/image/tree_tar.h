// A merged tree as one tar (pax), in sorted order: for tools that take a tar, and for unpacking the whole into a
// directory. The same tree gives the same bytes.
#pragma once

#include <string>

#include "base/result.h"
#include "image/merged_tree.h"
#include "image/work.h"

namespace skerry {

// How exact times are. sqfstar 4.5 takes whole seconds from 1970 to 2038 and fails on others: they are clamped.
enum class TarTimes : std::uint8_t { kExact, kWholeSeconds31 };

// `content_fd`: the file that ErofsWriter wrote the content to; Inode::content is the block in it.
Status write_tree_tar(const MergedTree& tree, int content_fd, int tar_fd, TarTimes times, const Work& work);

// Calls `sink` with the content of a file of the tree, in pieces.
using TreeContentSink = std::function<Status(std::string_view bytes)>;
Status read_tree_content(const Inode& inode, int content_fd, const TreeContentSink& sink);

}  // namespace skerry
