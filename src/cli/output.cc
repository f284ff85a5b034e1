#include "cli/output.h"

#include <unistd.h>

#include <string>

#include "base/sys_file.h"
#include "base/terminal_text.h"
#include "base/text.h"
#include "wire/json_writer.h"

namespace skerry::cli {

Status print(std::string_view text) { return annotate(sys::write_all(STDOUT_FILENO, text), "standard output"); }

Status print_json(const wire::JsonNode& node) { return print(node.dump(wire::JsonNode::Style::kIndented) + "\n"); }

Status print_done(const Session& session, std::string_view name) {
  if (session.settings.output == OutputForm::kJson) {
    wire::JsonWriter json;
    json.begin_object().field("name", name).end_object();
    return print(std::move(json).text() + "\n");
  }
  return session.settings.quiet ? Status{} : print(cat(name, "\n"));
}

// What an image or a guest wrote may stand in an error.
void complain(const Error& error) { note(cat("skerry: ", without_controls(error.message()))); }

void note(std::string_view text) {
  // Nowhere to tell that this failed.
  static_cast<void>(sys::write_all(STDERR_FILENO, cat(text, "\n")));
}

}  // namespace skerry::cli
