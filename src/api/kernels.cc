// /api/v1/kernels: list, choose, remove; add and build are operations.
#include "api/documents.h"
#include "api/find.h"
#include "api/handlers.h"
#include "base/text.h"
#include "wire/requests.h"

namespace skerry::api {
namespace {

void write_file(wire::JsonWriter& json, std::string_view name, const std::optional<GuestKernel::File>& file) {
  if (!file) return;
  json.key(name).begin_object().field("path", file->path).field("size", file->size);
  if (!file->digest.empty()) json.field("digest", file->digest.text());
  json.end_object();
}

void write_kernel(wire::JsonWriter& json, const GuestKernel& kernel) {
  json.begin_object()
      .field("name", kernel.name)
      .field("release", kernel.release)
      .field("origin", to_text(kernel.origin))
      .field("chosen", kernel.chosen)
      .field("created_at", to_rfc3339(kernel.created))
      .field("has_boot_initramfs", !kernel.boot_initramfs.empty());
  write_file(json, "vmlinux", kernel.vmlinux);
  write_file(json, "bzImage", kernel.bzimage);
  json.end_object();
}

Status tell(Store& store, Clock& clock, std::string_view what, const std::string& name,
            std::map<std::string, std::string> data) {
  Event event;
  event.type = cat("kernel.", what);
  event.resource = name;
  event.data = std::move(data);
  event.time = clock.now();
  return store.append_events({event});
}

Result<Response> start_work(Context& context, std::string_view verb, std::string_view done, const std::string& subject,
                            const std::function<KernelPort::Outcome(OperationProgress&)>& work) {
  // An operation may outlive the server, and with it `context`, not what its ports refer to.
  auto& store = context.ports.store;
  auto& clock = context.ports.clock;
  const auto operation = TRY(context.ports.operations.start(
      cat("kernel.", verb), subject, [&store, &clock, done, work](OperationProgress& progress) -> KernelPort::Outcome {
        auto result = TRY(work(progress));
        TRY(tell(store, clock, done, result["name"], result));
        return result;
      }));
  return accepted(operation);
}

}  // namespace

Result<Response> list_kernels(Context& context, const Request& request) {
  return list_page(request, TRY(context.ports.kernels.list()), write_kernel);
}

Result<Response> add_kernel(Context& context, const Request& request) {
  const auto add = TRY(wire::parse_add_kernel_request(request.body));
  auto& kernels = context.ports.kernels;
  return start_work(context, "add", "added", add.name,
                    [&kernels, add](OperationProgress& progress) { return kernels.add(add, progress); });
}

Result<Response> build_kernel(Context& context, const Request& request) {
  const auto build = TRY(wire::parse_build_kernel_request(request.body));
  auto& kernels = context.ports.kernels;
  return start_work(context, "build", "built", build.name,
                    [&kernels, build](OperationProgress& progress) { return kernels.build(build, progress); });
}

Result<Response> choose_kernel(Context& context, const Request& request) {
  const auto name = TRY(wire::parse_choose_kernel_request(request.body));
  TRY(context.ports.kernels.choose(name));
  TRY(tell(context.ports.store, context.ports.clock, "chosen", name, {}));
  return no_content();
}

Result<Response> remove_kernel(Context& context, const Request& request) {
  const auto& name = request.parameter("name");
  TRY(context.ports.kernels.remove(name));
  TRY(tell(context.ports.store, context.ports.clock, "removed", name, {}));
  return no_content();
}

}  // namespace skerry::api
