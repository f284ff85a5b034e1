#include "base/own_thread.h"

#include <system_error>
#include <thread>

#include "base/text.h"

namespace skerry {

Status on_own_thread(std::string_view purpose, const std::function<Status()>& work) {
  Status status;
  try {
    std::thread([&] { status = work(); }).join();
  } catch (const std::system_error& error) {
    return fail(Error::from_errno(error.code().value(), cat("start a thread ", purpose)));
  }
  return status;
}

}  // namespace skerry
