// /api/v1/operations: long work; list, show, watch, cancel.
#include "control/operations.h"

#include "api/documents.h"
#include "api/find.h"
#include "api/handlers.h"
#include "api/permit.h"
#include "base/text.h"

namespace skerry::api {
namespace {

constexpr Duration kLookAgain = std::chrono::milliseconds(100);

// The operation's document, a line for each change, until it has ended.
class OperationSource final : public BodySource {
 public:
  OperationSource(Operations& operations, std::string id) : operations_(operations), id_(std::move(id)) {}

  Result<std::optional<std::string>> next() override {
    if (ended_) return std::nullopt;
    const auto operation = TRY(operations_.find(id_));
    if (told_ && operation.version == version_) return "";
    told_ = true;
    version_ = operation.version;
    ended_ = operation.state != OperationState::kRunning;
    return operation_json(operation) + "\n";
  }
  [[nodiscard]] Duration patience() const override { return kLookAgain; }

 private:
  Operations& operations_;
  std::string id_;
  std::uint64_t version_ = 0;
  bool told_ = false;
  bool ended_ = false;
};

Result<Operation> find_operation(Context& context, const Request& request) {
  const auto& id = request.parameter("id");
  auto operation = TRY(context.ports.operations.find(id));
  if (may_see(request.caller, operation)) return operation;
  return fail(ErrorCode::kNotFound, cat("operation \"", id, "\" does not exist"));
}

}  // namespace

Result<Response> list_operations(Context& context, const Request& request) {
  auto all = context.ports.operations.list();
  std::erase_if(all, [&](const auto& each) { return !may_see(request.caller, each); });
  return list_page(request, all, write_operation);
}

Result<Response> show_operation(Context& context, const Request& request) {
  return json_response(operation_json(TRY(find_operation(context, request))));
}

Result<Response> watch_operation(Context& context, const Request& request) {
  const auto operation = TRY(find_operation(context, request));
  Response response;
  response.content_type = "application/x-ndjson";
  response.source = std::make_unique<OperationSource>(context.ports.operations, operation.id);
  return response;
}

Result<Response> cancel_operation(Context& context, const Request& request) {
  TRY(context.ports.operations.cancel(request.parameter("id")));
  return json_response(operation_json(TRY(find_operation(context, request))));
}

}  // namespace skerry::api
