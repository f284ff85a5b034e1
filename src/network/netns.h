// Network namespaces.
//
// The control plane makes one per container before the runtime's create, so that the network stands when the first
// process starts, and hands its descriptor to the runtime, which puts that process in. With the last process,
// descriptor and connection in it the kernel destroys the namespace with its devices, and with a veth end goes its peer
// on the bridge: whoever is killed leaves nothing. One can also be bound to a path (ip-netns(8) does the same): it
// lasts until that is removed.
#pragma once

#include <functional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "network/netlink.h"

namespace skerry::network {

// Makes a new namespace with loopback up and binds it to `path` (a file that must not exist yet: kAlreadyExists; its
// directory must). Leaves nothing behind when it fails.
Status create_netns(const std::string& path);

// A new namespace with loopback up that is bound to no path, with what is needed to go on in it: an rtnetlink
// conversation inside. `prepare` runs inside first, on a thread that ends with it.
struct NewNetns {
  Fd netns;
  Netlink inside;
};
Result<NewNetns> create_netns(const std::function<Status()>& prepare);
// Unmounts and removes the file. Missing, or a file that was never mounted on (a create that was killed), is success.
Status remove_netns(const std::string& path);
// A descriptor that keeps the namespace alive. kNotFound when there is none; kCorrupt when the file is no namespace.
Result<Fd> open_netns(const std::string& path);
// The calling thread's own.
Result<Fd> current_netns();

// Runs `work` inside the namespace, on a thread of its own that ends with it: no thread of the caller can be left in
// the wrong namespace by a failure half-way.
Status run_in_netns(int netns_fd, const std::function<Status()>& work);

}  // namespace skerry::network
