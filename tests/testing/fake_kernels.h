// FakeKernels: a KernelPort with one kernel of the distribution; what is added is listed too.
#pragma once

#include <algorithm>

#include "api/kernel_port.h"

namespace skerry::testing {

class FakeKernels final : public api::KernelPort {
 public:
  FakeKernels() {
    GuestKernel kernel;
    kernel.name = kernel.release = "6.1.0-9-cloud-amd64";
    kernel.bzimage = GuestKernel::File{"/boot/vmlinuz-6.1.0-9-cloud-amd64", {}, 1000};
    kernel.chosen = true;
    kernels_.push_back(kernel);
  }
  Result<std::vector<GuestKernel>> list() override { return kernels_; }
  Status choose(const std::string& name) override {
    if (!name.empty()) TRY(find(name));
    for (auto& kernel : kernels_) kernel.chosen = kernel.name == (name.empty() ? kernels_.front().name : name);
    return {};
  }
  Status remove(const std::string& name) override {
    const auto at = TRY(find(name));
    if (at == 0) return fail(ErrorCode::kInvalidArgument, "the distribution's");
    kernels_.erase(kernels_.begin() + static_cast<std::ptrdiff_t>(at));
    return {};
  }
  Outcome add(const wire::AddKernelRequest& request, OperationProgress&) override {
    return put(request.name, GuestKernel::Origin::kAdded);
  }
  Outcome build(const wire::BuildKernelRequest& request, OperationProgress&) override {
    return put(request.name.empty() ? "6.1.1-skerry" : request.name, GuestKernel::Origin::kBuilt);
  }

 private:
  Result<std::size_t> find(const std::string& name) {
    const auto found = std::ranges::find(kernels_, name, &GuestKernel::name);
    if (found == kernels_.end()) return fail(ErrorCode::kNotFound, "kernel \"" + name + "\" is not here");
    return static_cast<std::size_t>(found - kernels_.begin());
  }
  Outcome put(const std::string& name, GuestKernel::Origin origin) {
    GuestKernel kernel;
    kernel.name = name;
    kernel.release = "6.1.1";
    kernel.origin = origin;
    kernel.vmlinux = GuestKernel::File{"/k/vmlinux", Digest::from_hex(std::string(64, 'c')).value(), 2000};
    kernels_.push_back(kernel);
    return std::map<std::string, std::string>{{"name", name}, {"release", "6.1.1"}};
  }

  std::vector<GuestKernel> kernels_;
};

}  // namespace skerry::testing
