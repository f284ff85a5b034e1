#include "wire/oci_spec_read.h"

namespace skerry::oci {
namespace {

// Versions 1.0 and later of the 1.x series; anything after the third number ("-rc.2", "+dev") is accepted.
bool is_known_version(std::string_view version) { return version.starts_with("1."); }

void read_hooks(const reader::JsonReader& json, Hooks& out) {
  json.get("prestart", out.prestart);
  json.get("createRuntime", out.create_runtime);
  json.get("createContainer", out.create_container);
  json.get("startContainer", out.start_container);
  json.get("poststart", out.poststart);
  json.get("poststop", out.poststop);
}

}  // namespace

void read_strings(const reader::JsonReader& json, std::map<std::string, std::string>& out) {
  json.each_member([&](const std::string& name, const reader::JsonReader& value) { value.read(out[name]); });
}

void read_value(const reader::JsonReader& json, Hook& out) {
  json.require("path", out.path);
  if (!json.failed() && out.path.front() != '/') json.complain_at("path", "must be absolute");
  json.get("args", out.args);
  json.get("env", out.env);
  json.get("timeout", out.timeout_s);
  if (out.timeout_s && *out.timeout_s <= 0) json.complain_at("timeout", "must be greater than zero");
}

void read_value(const reader::JsonReader& json, Spec& out) {
  json.require("ociVersion", out.oci_version);
  if (!json.failed() && !is_known_version(out.oci_version)) {
    json.complain_at("ociVersion", cat("version \"", out.oci_version.substr(0, 32), "\" is not supported (1.x is)"));
  }
  if (const auto root = json.member("root")) {
    root->require("path", out.root.path);
    root->get("readonly", out.root.readonly);
  } else {
    json.complain_at("root", "is required");
  }
  json.get("hostname", out.hostname);
  json.get("domainname", out.domainname);
  json.get("mounts", out.mounts);
  json.get("process", out.process);
  if (const auto hooks = json.member("hooks")) read_hooks(*hooks, out.hooks);
  if (const auto annotations = json.member("annotations")) read_strings(*annotations, out.annotations);
  json.get("linux", out.linux_part);
}

Result<Spec> parse_spec(std::string_view json) {
  return reader::parse_document<Spec>(json, [](const reader::JsonReader& root, Spec& out) { read_value(root, out); });
}

Result<Process> parse_process(std::string_view json) {
  return reader::parse_document<Process>(json,
                                         [](const reader::JsonReader& root, Process& out) { read_value(root, out); });
}

Result<Resources> parse_resources(std::string_view json) {
  return reader::parse_document<Resources>(
      json, [](const reader::JsonReader& root, Resources& out) { read_value(root, out); });
}

}  // namespace skerry::oci
