// The read_value functions of oci::Spec's parts, one overload a structure. Internal to src/wire/oci_spec_*.cc.
#pragma once

#include "wire/oci_spec.h"
#include "wire/oci_spec_reader.h"

namespace skerry::oci {

// oci_spec_parse.cc
void read_value(const reader::JsonReader& json, Spec& out);

// oci_spec_parse_process.cc
void read_value(const reader::JsonReader& json, Process& out);
void read_value(const reader::JsonReader& json, Rlimit& out);

// oci_spec_parse_linux.cc
void read_value(const reader::JsonReader& json, Mount& out);
void read_value(const reader::JsonReader& json, Hook& out);
void read_value(const reader::JsonReader& json, IdMapping& out);
void read_value(const reader::JsonReader& json, Linux& out);
void read_value(const reader::JsonReader& json, Namespace& out);
void read_value(const reader::JsonReader& json, Device& out);

// oci_spec_parse_seccomp.cc
void read_value(const reader::JsonReader& json, Seccomp& out);
void read_value(const reader::JsonReader& json, SeccompRule& out);
void read_value(const reader::JsonReader& json, SeccompArg& out);

// oci_spec_parse_resources.cc
void read_value(const reader::JsonReader& json, Resources& out);
void read_value(const reader::JsonReader& json, DeviceRule& out);
void read_value(const reader::JsonReader& json, WeightDevice& out);
void read_value(const reader::JsonReader& json, ThrottleDevice& out);
void read_value(const reader::JsonReader& json, HugepageLimit& out);
void read_value(const reader::JsonReader& json, NetworkPriority& out);
// All keys of an object of strings.
void read_strings(const reader::JsonReader& json, std::map<std::string, std::string>& out);

}  // namespace skerry::oci
