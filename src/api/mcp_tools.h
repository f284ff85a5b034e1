// The tools that skerryd offers to AI agents over the Model Context Protocol: one table that lists, documents and
// leads to what serves.
//
// A tool is a route of the REST interface under another name. Its arguments become that request's path parameters,
// query and body, its role is the route's, its answer the route's document: nothing is checked, decided or done here in
// a second way. The tools that run something (run_command, run_code) are a chain of such requests (mcp_run.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "api/caller.h"
#include "api/http.h"
#include "wire/json_node.h"

namespace skerry::api {

struct Context;

// Given to work that takes its time. Thread-safe.
struct ToolProgress {
  std::function<void(std::string_view stage, std::uint64_t done, std::uint64_t total)> report;
  std::function<bool()> cancelled;
  // For what nobody follows and nobody can cancel.
  static const ToolProgress& none();
};

// What a tool answers: a JSON object, which is the structured content, or plain text.
struct ToolAnswer {
  std::string json;
  std::string text;  // shown instead of the JSON when not empty
};
using ToolRunner = Result<ToolAnswer> (*)(Context& context, const Request& from, const std::string& arguments,
                                          const ToolProgress& progress);

// What a client may expect of it (the protocol's annotations).
enum class ToolEffect : std::uint8_t {
  kReads,     // changes nothing
  kAdds,      // changes something, destroys nothing
  kAddsOnce,  // the same, and a second call changes nothing more
  kDestroys,  // may end or delete something
};

// Whether what it does stays on this host, or goes wherever the network leads.
enum class ToolReach : std::uint8_t { kHost, kWorld };

struct Tool {
  std::string_view name;
  std::string_view title;
  std::string_view description;
  ToolEffect effect;
  ToolReach reach;
  std::string_view properties;  // members of the input schema's "properties"
  std::string_view required;    // names, separated by spaces
  std::string_view method;      // the route that serves it, or whose role it takes
  std::string_view path;
  std::string_view output;   // schema of the answer: by name in schemas.cc, "[]X" for {"items":[X…],"total":N}; or JSON
  ToolRunner run = nullptr;  // unset: the route itself is called
  std::string_view place = "name";  // the argument that the route's {name} is, where its body has a name as well
};

std::span<const Tool> tools();
const Tool* find_tool(std::string_view name);
// The least role that may call it.
Role role_of(const Tool& tool);

// A page of the tools that the caller may call, in the table's order, which is the same for the same caller.
struct ToolPage {
  std::string tools;                // a JSON array
  std::optional<std::string> next;  // the cursor of the next page; unset: this was the last
};
// nullopt: no such cursor.
std::optional<ToolPage> tools_page(const Caller& caller, const std::optional<std::string>& cursor,
                                   std::size_t page_size);

// The request of the REST interface that a call of the tool stands for, on behalf of the sender of `from`.
// kInvalidArgument: an argument is missing, unknown or of the wrong type.
Result<Request> request_of(const Tool& tool, const wire::JsonNode& arguments, const Request& from);

// What the route answered, as the tool answers it.
ToolAnswer answer_of(const Response& response);

// The same error for a client that has no command line: a hint such as "skerry images pull …" names the tool instead,
// where there is one.
Error said_with_tools(Error error);

}  // namespace skerry::api
