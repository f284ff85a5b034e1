#include "wire/oci_checkpoint.h"

#include "wire/oci_spec_read.h"
#include "wire/oci_spec_write.h"

namespace skerry::oci {

std::string to_json(const CheckpointRecord& record) {
  using writer::Json;
  Json out = Json::object();
  out["descriptors"] = record.descriptors;
  out["mounts"] = writer::list(record.mounts, [](const CheckpointRecord::OutsideMount& mount) {
    Json value{{"mountPoint", mount.mount_point}};
    writer::put(value, "destination", mount.destination);
    writer::put(value, "device", mount.device);
    writer::put(value, "options", mount.options);
    return value;
  });
  return out.dump(2, ' ', false, Json::error_handler_t::replace);
}

Result<CheckpointRecord> parse_checkpoint_record(std::string_view json) {
  return reader::parse_document<CheckpointRecord>(json, [](const reader::JsonReader& root, CheckpointRecord& out) {
    root.get("descriptors", out.descriptors);
    const auto mounts = root.member("mounts");
    if (!mounts) return;
    mounts->each([&](const reader::JsonReader& item) {
      auto& mount = out.mounts.emplace_back();
      item.require("mountPoint", mount.mount_point);
      item.get("destination", mount.destination);
      item.get("device", mount.device);
      item.get("options", mount.options);
    });
  });
}

}  // namespace skerry::oci
