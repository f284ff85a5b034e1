#include "daemon/kernel_service.h"

#include "base/text.h"
#include "daemon/work_of.h"

namespace skerry {
namespace {

using Outcome = api::KernelPort::Outcome;

Outcome described(const Result<GuestKernel>& kernel) {
  if (!kernel) return fail(kernel.error());
  std::map<std::string, std::string> out{{"name", kernel->name}, {"release", kernel->release}};
  if (kernel->vmlinux) out["vmlinux"] = kernel->vmlinux->digest.text();
  if (kernel->bzimage) out["bzImage"] = kernel->bzimage->digest.text();
  return out;
}

class KernelService final : public api::KernelPort {
 public:
  KernelService(KernelStore& kernels, std::string agent, std::string fixed)
      : kernels_(kernels), agent_(std::move(agent)), fixed_(std::move(fixed)) {}

  Result<std::vector<GuestKernel>> list() override {
    auto all = TRY(kernels_.list());
    if (fixed_.empty()) return all;
    for (auto& kernel : all) kernel.chosen = false;
    all.insert(all.begin(), kernel_of_file(fixed_));
    all.front().chosen = true;
    return all;
  }
  Status choose(const std::string& name) override {
    if (fixed_.empty()) return kernels_.choose(name);
    return fail(ErrorCode::kConflict, cat("skerryd was started with --kernel ", fixed_),
                "start it without, then choose");
  }
  Status remove(const std::string& name) override { return kernels_.remove(name); }
  Outcome add(const wire::AddKernelRequest& request, OperationProgress& progress) override {
    return described(kernels_.add(request.name, request.path, work_of(progress)));
  }
  Outcome build(const wire::BuildKernelRequest& request, OperationProgress& progress) override {
    return described(kernels_.build({request.name, request.source, request.config, agent_}, work_of(progress)));
  }

 private:
  KernelStore& kernels_;
  std::string agent_;
  std::string fixed_;
};

}  // namespace

std::unique_ptr<api::KernelPort> make_kernel_service(KernelStore& kernels, std::string agent, std::string fixed) {
  return std::make_unique<KernelService>(kernels, std::move(agent), std::move(fixed));
}

}  // namespace skerry
