#include "wire/oci_spec_state.h"

#include "wire/oci_spec.h"
#include "wire/oci_spec_read.h"
#include "wire/oci_spec_write.h"

namespace skerry::oci {
namespace {

using writer::Json;

std::string text(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

void read_cgroup(const reader::JsonReader& json, CgroupRecord& out) {
  json.get("manager", out.manager);
  json.get("slice", out.slice);
  json.get("scope", out.scope);
  if (const auto directories = json.member("directories")) {
    directories->each([&](const reader::JsonReader& item) {
      auto& directory = out.directories.emplace_back();
      item.get("controllers", directory.controllers);
      item.require("path", directory.path);
    });
  }
}

Json state_value(const ContainerRecord& record, ContainerStatus status) {
  Json out = Json::object();
  out["ociVersion"] = record.oci_version;
  out["id"] = record.id;
  out["status"] = status_name(status);
  // "REQUIRED when status is created or running": a stopped container has no process to name.
  out["pid"] = status == ContainerStatus::kStopped ? 0 : record.pid;
  out["bundle"] = record.bundle;
  out["rootfs"] = record.rootfs;
  out["created"] = record.created;
  if (!record.annotations.empty()) out["annotations"] = record.annotations;
  return out;
}

}  // namespace

std::string_view status_name(ContainerStatus status) {
  switch (status) {
    case ContainerStatus::kCreating: return "creating";
    case ContainerStatus::kCreated: return "created";
    case ContainerStatus::kRunning: return "running";
    case ContainerStatus::kPaused: return "paused";
    case ContainerStatus::kStopped: return "stopped";
  }
  return "stopped";
}

std::string to_json(const ContainerRecord& record) {
  Json out = Json::object();
  out["id"] = record.id;
  out["ociVersion"] = record.oci_version;
  out["bundle"] = record.bundle;
  out["rootfs"] = record.rootfs;
  out["created"] = record.created;
  out["specFile"] = record.spec_file;
  out["ownerUid"] = record.owner_uid;
  out["pid"] = record.pid;
  out["pidStartTime"] = record.pid_start_time;
  if (!record.intel_rdt_group.empty()) out["intelRdtGroup"] = record.intel_rdt_group;
  auto& cgroup = out["cgroup"] = Json{{"manager", record.cgroup.manager}};
  writer::put(cgroup, "slice", record.cgroup.slice);
  writer::put(cgroup, "scope", record.cgroup.scope);
  writer::put(cgroup, "directories", writer::list(record.cgroup.directories, [](const auto& directory) {
                Json value{{"path", directory.path}};
                writer::put(value, "controllers", directory.controllers);
                return value;
              }));
  if (!record.annotations.empty()) out["annotations"] = record.annotations;
  return text(out);
}

Result<ContainerRecord> parse_record(std::string_view json) {
  return reader::parse_document<ContainerRecord>(json, [](const reader::JsonReader& root, ContainerRecord& out) {
    root.require("id", out.id);
    root.get("ociVersion", out.oci_version);
    root.get("bundle", out.bundle);
    root.get("rootfs", out.rootfs);
    root.get("created", out.created);
    root.get("specFile", out.spec_file);
    root.get("ownerUid", out.owner_uid);
    root.get("pid", out.pid);
    root.get("pidStartTime", out.pid_start_time);
    root.get("intelRdtGroup", out.intel_rdt_group);
    if (const auto cgroup = root.member("cgroup")) read_cgroup(*cgroup, out.cgroup);
    if (const auto annotations = root.member("annotations")) read_strings(*annotations, out.annotations);
  });
}

std::string state_document(const ContainerRecord& record, ContainerStatus status) {
  return state_value(record, status).dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string list_document(const std::vector<ListedContainer>& containers) {
  return text(writer::list(containers, [](const ListedContainer& container) {
    Json value = state_value(container.record, container.status);
    value["owner"] = container.owner;
    return value;
  }));
}

std::string pids_document(const std::vector<int>& pids) { return text(Json(pids)); }

std::string seccomp_state_document(const ContainerRecord& record, ContainerStatus status, int process_pid,
                                   std::string_view listener_metadata) {
  Json out = Json::object();
  out["ociVersion"] = record.oci_version;
  out["fds"] = Json::array({"seccompFd"});
  out["pid"] = process_pid;
  if (!listener_metadata.empty()) out["metadata"] = listener_metadata;
  out["state"] = state_value(record, status);
  return text(out);
}

}  // namespace skerry::oci
