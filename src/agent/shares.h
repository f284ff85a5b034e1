// Directories and files of the host, as the virtio file system "skerry" shows them: /0, /1, … (drivers/qemu/shares.h).
//
// The whole of it is mounted once, in stage 1, below /dev, which moves along into the new root; what belongs somewhere
// is bound there, and at last the whole goes. Once: in Linux 6.1 a second mount of the tag gives one of the parts
// (virtio_fs_test_super() takes their superblocks for the first one).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/agent_protocol.h"

namespace skerry::agent {

bool has_shares(const wire::BootDocument& document);

Status mount_shares();
// Makes the target, a directory or a file like the share, where it is missing. Read-only here is for the programs'
// better understanding: the host enforces it. `flags`: further MS_* of the mount.
Status bind_share(std::string_view name, const std::string& target, bool read_only, std::uint64_t flags);
void unmount_shares();

}  // namespace skerry::agent
