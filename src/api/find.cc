#include "api/find.h"

#include "base/text.h"

namespace skerry::api {
namespace {
constexpr std::uint64_t kMaxPage = 1'000'000;
}

bool is_visible(const Request& request, const Environment& environment) {
  if (request.vms_only && environment.spec.isolation == Isolation::kContainer) return false;
  return request.caller.may_touch_zone(environment.spec.zone);
}

Result<Environment> find_environment(Context& context, const Request& request) {
  const auto& name = request.parameter("name");
  auto environment = TRY(context.ports.controller.find(name));
  if (!is_visible(request, environment)) {
    return fail(ErrorCode::kNotFound, cat(request.vms_only ? "VM \"" : "environment \"", name, "\" does not exist"),
                request.vms_only ? "see: skerry vms list" : "see: skerry ls");
  }
  return environment;
}

Result<Page> read_page(const Request& request) {
  Page page;
  page.offset = TRY(request.number("offset", 0, kMaxPage));
  page.limit = TRY(request.number("limit", 0, kMaxPage));
  page.sort = request.option("sort").value_or("");
  const auto order = request.option("order").value_or("asc");
  if (order != "asc" && order != "desc") return fail(ErrorCode::kInvalidArgument, "query order: must be asc or desc");
  page.descending = order == "desc";
  return page;
}

Response list_response(std::string json, std::size_t total) {
  Response response = json_response(std::move(json));
  response.headers.emplace_back("X-Total-Count", cat(total));
  return response;
}

}  // namespace skerry::api
