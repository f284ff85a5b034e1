#include "base/unix_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {
namespace {

constexpr std::size_t kMaxFds = 16;

// A socket address, and the directory descriptor that keeps a shortened path alive.
struct Address {
  sockaddr_un address{};
  Fd directory;
};

Result<Address> make_address(const std::string& path) {
  Address out;
  out.address.sun_family = AF_UNIX;
  std::string name = path;
  if (name.size() >= sizeof out.address.sun_path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return fail(ErrorCode::kInvalidArgument, cat("socket name too long: ", path));
    out.directory = TRY(sys::open(path.substr(0, slash), O_PATH | O_DIRECTORY));
    name = cat("/proc/self/fd/", out.directory.get(), path.substr(slash));
    if (name.size() >= sizeof out.address.sun_path) {
      return fail(ErrorCode::kInvalidArgument, cat("socket name too long: ", path));
    }
  }
  std::memcpy(out.address.sun_path, name.c_str(), name.size() + 1);
  return out;
}

Result<Fd> new_socket() {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail_errno("socket AF_UNIX");
  return Fd(fd);
}

// How long a blocking connect waits for a place in the listener's queue, and a write for one in its buffer (socket(7)).
Status set_send_timeout(int socket, Duration at_most) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(at_most).count();
  const timeval time{us / 1'000'000, us % 1'000'000};
  if (::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) < 0) return fail_errno("SO_SNDTIMEO");
  return {};
}

const sockaddr* generic(const Address& address) { return reinterpret_cast<const sockaddr*>(&address.address); }

}  // namespace

Result<Fd> unix_listen(const std::string& path, mode_t mode, int backlog) {
  const Address address = TRY(make_address(path));
  if (sys::exists(path)) {
    if (unix_connect(path))
      return fail(ErrorCode::kAlreadyExists, cat("listen on ", path), "another process listens there");
    TRY(sys::unlink(path));
  }
  Fd fd = TRY(new_socket());
  // The mode must be right from the first moment: nobody may connect in between.
  if (::fchmod(fd.get(), mode) < 0) return fail_errno(cat("chmod ", path));
  if (::bind(fd.get(), generic(address), sizeof address.address) < 0) return fail_errno(cat("bind ", path));
  if (::chmod(path.c_str(), mode) < 0) return fail_errno(cat("chmod ", path));
  if (::listen(fd.get(), backlog) < 0) return fail_errno(cat("listen ", path));
  return fd;
}

Result<Fd> unix_connect(const std::string& path, Duration at_most) {
  const Address address = TRY(make_address(path));
  Fd fd = TRY(new_socket());
  TRY(set_send_timeout(fd.get(), at_most));
  int answer = 0;
  do {
    answer = ::connect(fd.get(), generic(address), sizeof address.address);
  } while (answer < 0 && errno == EINTR);
  if (answer < 0 && errno == EAGAIN) {
    return fail(ErrorCode::kDeadlineExceeded, cat("connect to ", path, ": nobody is let in there"));
  }
  if (answer < 0) return fail_errno(cat("connect to ", path));
  TRY(set_send_timeout(fd.get(), Duration::zero()));
  return fd;
}

Result<Fd> unix_accept(int listener) {
  int fd = -1;
  do {
    fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
  if (fd < 0) return fail_errno("accept");
  return Fd(fd);
}

Result<SocketPair> unix_pair() {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) < 0) return fail_errno("socketpair");
  return SocketPair{Fd(ends[0]), Fd(ends[1])};
}

Result<PeerCredentials> peer_credentials(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) return fail_errno("SO_PEERCRED");
  return PeerCredentials{credentials.pid, credentials.uid, credentials.gid};
}

Status send_with_fds(int socket, std::string_view data, const std::vector<int>& fds) {
  if (data.empty() || fds.size() > kMaxFds) return fail(ErrorCode::kInvalidArgument, "send descriptors");
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxFds)> control{};
  iovec part{const_cast<char*>(data.data()), data.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return fail_errno("sendmsg");
  return sys::write_all(socket, data.substr(static_cast<std::size_t>(sent)));
}

Result<ReceivedMessage> receive_with_fds(int socket, std::size_t limit) {
  ReceivedMessage out;
  out.data.resize(limit);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxFds)> control{};
  iovec part{out.data.data(), out.data.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return fail_errno("recvmsg");
  out.data.resize(static_cast<std::size_t>(got));
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      out.fds.emplace_back(fd);
    }
  }
  if ((message.msg_flags & MSG_CTRUNC) != 0)
    return fail(ErrorCode::kResourceExhausted, "too many descriptors in a message");
  return out;
}

}  // namespace skerry
