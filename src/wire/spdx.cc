#include "wire/spdx.h"

#include "wire/json_writer.h"

namespace skerry::wire {
namespace {

constexpr const char* kNoAssertion = "NOASSERTION";

void write_package(JsonWriter& json, const std::string& id, const SpdxPackage& package) {
  json.begin_object().field("SPDXID", id).field("name", package.name);
  if (!package.version.empty()) json.field("versionInfo", package.version);
  json.field("downloadLocation", kNoAssertion)
      .field("filesAnalyzed", false)
      .field("licenseConcluded", kNoAssertion)
      .field("licenseDeclared", kNoAssertion)
      .field("copyrightText", kNoAssertion);
  if (!package.purl.empty()) {
    json.key("externalRefs").begin_array().begin_object();
    json.field("referenceCategory", "PACKAGE-MANAGER")
        .field("referenceType", "purl")
        .field("referenceLocator", package.purl);
    json.end_object().end_array();
  }
  json.end_object();
}

void write_relationship(JsonWriter& json, std::string_view from, std::string_view type, const std::string& to) {
  json.begin_object()
      .field("spdxElementId", from)
      .field("relationshipType", type)
      .field("relatedSpdxElement", to)
      .end_object();
}

}  // namespace

std::string format_spdx(std::string_view name, const Digest& artifact, const std::vector<SpdxPackage>& packages) {
  const std::string artifact_id = "SPDXRef-Artifact";
  const auto package_id = [](std::size_t number) { return cat("SPDXRef-Package-", number + 1); };
  JsonWriter json;
  json.begin_object()
      .field("spdxVersion", "SPDX-2.3")
      .field("dataLicense", "CC0-1.0")
      .field("SPDXID", "SPDXRef-DOCUMENT")
      .field("name", name)
      .field("documentNamespace", cat("urn:skerry:sbom:", artifact.text()));
  json.key("creationInfo")
      .begin_object()
      .field("created", "1970-01-01T00:00:00Z")
      .field("creators", std::vector<std::string>{"Tool: skerry-" SKERRY_VERSION})
      .end_object();
  json.key("packages").begin_array();
  json.begin_object()
      .field("SPDXID", artifact_id)
      .field("name", name)
      .field("downloadLocation", kNoAssertion)
      .field("filesAnalyzed", false)
      .field("licenseConcluded", kNoAssertion)
      .field("licenseDeclared", kNoAssertion)
      .field("copyrightText", kNoAssertion);
  json.key("checksums")
      .begin_array()
      .begin_object()
      .field("algorithm", "SHA256")
      .field("checksumValue", artifact.hex())
      .end_object()
      .end_array()
      .end_object();
  for (std::size_t i = 0; i < packages.size(); ++i) write_package(json, package_id(i), packages[i]);
  json.end_array();
  json.key("relationships").begin_array();
  write_relationship(json, "SPDXRef-DOCUMENT", "DESCRIBES", artifact_id);
  for (std::size_t i = 0; i < packages.size(); ++i) write_relationship(json, artifact_id, "CONTAINS", package_id(i));
  json.end_array().end_object();
  return std::move(json).text() + "\n";
}

}  // namespace skerry::wire
