// A connection to a message bus: authenticated, calls one at a time, and the signals that arrive meanwhile.
//
// Source: D-Bus Specification, "Authentication Protocol" (EXTERNAL: the kernel tells the bus who we are). Every wait
// has a deadline: a service manager that hangs must not hang the runtime.
#pragma once

#include <chrono>
#include <deque>
#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "oci/dbus_message.h"

namespace skerry::oci {

class DbusConnection {
 public:
  // The bus of the system for root, that of the user's session for anybody else (DBUS_SYSTEM_BUS_ADDRESS,
  // DBUS_SESSION_BUS_ADDRESS, or where they stand by default). kUnavailable when nobody answers.
  static Result<DbusConnection> open();

  // Calls and waits for the answer's body. A D-Bus error becomes kNotFound ("…NoSuchUnit"), kAlreadyExists
  // ("…UnitExists"), kPermissionDenied or kRefused, with its text.
  Result<DbusMessage> call(const DbusCall& call);

  // The next signal of that name, also one that arrived while a call was waited for.
  Result<DbusMessage> wait_for_signal(std::string_view member);

 private:
  explicit DbusConnection(Fd socket) : socket_(std::move(socket)) {}
  Status authenticate();
  Status send(std::string_view bytes);
  Result<std::string> receive(std::size_t size);
  Result<DbusMessage> next_message();

  Fd socket_;
  std::uint32_t serial_ = 0;
  MonoTime deadline_{};
  std::deque<DbusMessage> signals_;
};

// The socket of a bus address list ("unix:path=/run/x;unix:abstract=…"): the first entry with a path. Escapes (%xx) are
// undone.
Result<std::string> dbus_socket_path(std::string_view address);

}  // namespace skerry::oci
