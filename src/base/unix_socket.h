// AF_UNIX stream sockets (unix(7)): listening, connecting, passing descriptors, knowing the peer.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace skerry {

// Creates the socket file with `mode`. A stale file (nobody listens) is replaced; a live one fails with kAlreadyExists.
// Paths longer than sun_path (107 bytes) work: they are reached through /proc/self/fd of their directory.
Result<Fd> unix_listen(const std::string& path, mode_t mode, int backlog = 128);
// kNotFound when there is no socket, kUnavailable when nobody listens, kPermissionDenied when we may not.
// kDeadlineExceeded when who listens lets nobody in: its queue stayed full for so long.
inline constexpr Duration kConnectPatience = std::chrono::seconds(20);
Result<Fd> unix_connect(const std::string& path, Duration at_most = kConnectPatience);
// accept4(2) with SOCK_CLOEXEC.
Result<Fd> unix_accept(int listener);

struct SocketPair {
  Fd first;
  Fd second;
};
Result<SocketPair> unix_pair();

struct PeerCredentials {
  pid_t pid = -1;
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
};
// SO_PEERCRED: who connected, as of the connect(2).
Result<PeerCredentials> peer_credentials(int socket);

// Sends `data` (at least one byte) with descriptors (SCM_RIGHTS); at most 16.
Status send_with_fds(int socket, std::string_view data, const std::vector<int>& fds);
struct ReceivedMessage {
  std::string data;
  std::vector<Fd> fds;
};
// Receives up to `limit` bytes and the descriptors that came with them; empty data at end of file.
Result<ReceivedMessage> receive_with_fds(int socket, std::size_t limit);

}  // namespace skerry
