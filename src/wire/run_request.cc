#include "wire/run_request.h"

#include <algorithm>
#include <array>

#include "base/base64.h"
#include "wire/json_fields.h"
#include "wire/json_writer.h"

namespace skerry::wire {
namespace {

constexpr std::size_t kMaxArguments = 4U << 20U;
constexpr std::size_t kMaxPath = 4095;
// How long the environment outlives the run's time: files are written before it and read after it.
constexpr std::uint32_t kSpareSeconds = 120;

struct Language {
  std::string_view name;
  std::string_view program;
  std::string_view option;
};
constexpr std::array kLanguages{
    Language{"sh", "sh", "-c"},     Language{"bash", "bash", "-c"}, Language{"python", "python3", "-c"},
    Language{"node", "node", "-e"}, Language{"perl", "perl", "-e"}, Language{"ruby", "ruby", "-e"},
    Language{"php", "php", "-r"},   Language{"lua", "lua", "-e"},
};

void check_path(ObjectReader& fields, const char* name, const std::string& path) {
  const bool clean = path.find('\0') == std::string::npos && path.size() <= kMaxPath;
  if (!path.starts_with('/') || path.ends_with('/') || !clean)
    fields.error(name, "must be the absolute path of a file");
}

void read_file_entry(ObjectReader& fields, RunFile& into) {
  fields.text("path", into.path, kMaxPath);
  fields.text("text", into.content, kMaxArguments);
  std::string encoded;
  fields.text("base64", encoded, kMaxArguments);
  fields.required("path");
  // First, as the missing field may be there under another name.
  fields.finish(Unknown::kRefuse);
  if (fields.has("text") == fields.has("base64")) fields.error("text", "give either text or base64");
  if (!fields.has("base64")) return;
  if (auto bytes = base64_decode(encoded); bytes) {
    into.content = std::move(*bytes);
  } else {
    fields.error("base64", "is not base64");
  }
}

void read_common(ObjectReader& fields, RunRequest& into) {
  fields.text("image", into.image, 1024);
  fields.text("stdin", into.stdin_text, kMaxArguments);
  fields.pairs("env", into.env);
  fields.text("workdir", into.workdir, kMaxPath);
  fields.text("user", into.user, 256);
  fields.number("timeout_ms", into.timeout_ms, 1U, kMaxRunMs);
  fields.text("isolation", into.isolation, 16);
  fields.text("zone", into.zone, 63);
  std::uint32_t memory = 0;
  fields.number("memory_mb", memory, 1U);
  if (memory != 0) into.memory_mb = memory;
  double cores = 0;
  fields.decimal("cpu_cores", cores, 0.01, 1024);
  if (fields.has("cpu_cores")) into.cpu_cores = cores;
  fields.objects(
      "files",
      [&](ObjectReader& each) {
        RunFile file;
        read_file_entry(each, file);
        check_path(each, "path", file.path);
        into.files.push_back(std::move(file));
      },
      kMaxRunFiles);
  fields.texts("outputs", into.outputs, kMaxRunFiles);
  for (const auto& path : into.outputs) check_path(fields, "outputs", path);
  fields.required("image");
}

void read_code(ObjectReader& fields, RunRequest& into) {
  std::size_t language = 0;
  fields.word("language", language, run_languages());
  std::string code;
  fields.text("code", code, kMaxCodeBytes);
  fields.required("language");
  fields.required("code");
  if (code.find('\0') != std::string::npos) fields.error("code", "must not hold a NUL character");
  const auto& chosen = kLanguages.at(language);
  into.command = {std::string(chosen.program), std::string(chosen.option), std::move(code)};
}

template <typename Read>
Result<RunRequest> parse(std::string_view arguments, Read read) {
  const Json json = TRY(parse_json(arguments, "arguments", kMaxArguments));
  RunRequest request;
  FieldErrors errors;
  ObjectReader fields(json, {}, errors);
  read_common(fields, request);
  read(fields, request);
  fields.finish(Unknown::kRefuse);
  TRY(errors.status());
  return request;
}

// Well-formed UTF-8 without NUL: what a client can show as text (RFC 3629 section 3).
bool is_text(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const auto first = static_cast<unsigned char>(bytes[at]);
    std::size_t more = 0;
    std::uint32_t least = 1;
    std::uint32_t value = first;
    if (first >= 0xf0 && first < 0xf8) {
      more = 3, least = 0x10000, value = first & 7U;
    } else if (first >= 0xe0 && first < 0xf0) {
      more = 2, least = 0x800, value = first & 15U;
    } else if (first >= 0xc0 && first < 0xe0) {
      more = 1, least = 0x80, value = first & 31U;
    } else if (first >= 0x80) {
      return false;
    }
    if (at + more >= bytes.size()) return false;
    for (std::size_t i = 1; i <= more; ++i) {
      const auto next = static_cast<unsigned char>(bytes[at + i]);
      if ((next & 0xc0U) != 0x80U) return false;
      value = value << 6U | (next & 63U);
    }
    if (value < least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return false;
    at += more + 1;
  }
  return true;
}

void write_file(JsonWriter& json, const RunOutput::File& file) {
  json.begin_object().field("path", file.path);
  if (!file.error.empty()) {
    json.field("error", file.error);
  } else {
    const bool text = is_text(file.content);
    json.field(text ? "text" : "base64", text ? file.content : base64_encode(file.content));
    json.field("truncated", file.truncated);
  }
  json.end_object();
}

}  // namespace

std::vector<std::string_view> run_languages() {
  std::vector<std::string_view> names;
  names.reserve(kLanguages.size());
  for (const auto& language : kLanguages) names.push_back(language.name);
  return names;
}

Result<RunRequest> parse_run_command(std::string_view arguments) {
  return parse(arguments, [](ObjectReader& fields, RunRequest& into) {
    fields.texts("command", into.command);
    if (into.command.empty()) fields.error("command", "is missing: an array with the program and its arguments");
  });
}

Result<RunRequest> parse_run_code(std::string_view arguments) { return parse(arguments, read_code); }

std::string run_environment_json(const RunRequest& request, const std::string& name) {
  JsonWriter json;
  json.begin_object()
      .field("name", name)
      .field("image", request.image)
      .field("kind", "disposable")
      .field("isolation", request.isolation)
      .field("entrypoint", std::vector<std::string>{"sleep"})
      .field("command", std::vector<std::string>{cat(request.timeout_ms / 1000 + kSpareSeconds)})
      .field("auto_remove", true)
      .field("env", request.env);
  if (!request.zone.empty()) json.field("zone", request.zone);
  if (request.memory_mb) json.field("memory_mb", *request.memory_mb);
  if (request.cpu_cores) json.field("cpu_cores", *request.cpu_cores);
  json.end_object();
  return std::move(json).text();
}

std::string run_output_json(const RunOutput& output) {
  JsonWriter json;
  json.begin_object()
      .field("environment", output.environment)
      .field("exit_code", output.exit_code)
      .field("timed_out", !output.exit_code.has_value())
      .field("oom_killed", output.oom_killed);
  if (!output.reason.empty()) json.field("reason", output.reason);
  json.field("stdout", output.out)
      .field("stderr", output.err)
      .field("truncated", output.truncated)
      .key("files")
      .begin_array();
  for (const auto& file : output.files) write_file(json, file);
  json.end_array().end_object();
  return std::move(json).text();
}

}  // namespace skerry::wire
