// What the API asks of the guest kernels. Implemented over image/kernel_store.h by the daemon; faked in tests.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "control/operations.h"
#include "core/kernel.h"
#include "wire/requests.h"

namespace skerry::api {

class KernelPort {
 public:
  using Outcome = Result<std::map<std::string, std::string>>;
  virtual ~KernelPort() = default;

  virtual Result<std::vector<GuestKernel>> list() = 0;
  // What microVMs boot from their next start on; an empty name: the distribution's newest.
  virtual Status choose(const std::string& name) = 0;
  virtual Status remove(const std::string& name) = 0;
  // Long work. Answers {"name", "release", "vmlinux", "bzImage"}: the files' digests where there is one.
  virtual Outcome add(const wire::AddKernelRequest& request, OperationProgress& progress) = 0;
  virtual Outcome build(const wire::BuildKernelRequest& request, OperationProgress& progress) = 0;
};

}  // namespace skerry::api
