// Installing plugins: what is fetched, what is refused, and the schema that is published.
#include <future>
#include <set>
#include <thread>

#include "api/api_testing.h"
#include "api/manifest_schema.h"
#include "base/text.h"
#include "wire/plugin_manifest.h"

namespace skerry::api::testing {
namespace {

class PluginsTest : public ApiTest {
 protected:
  static std::string manifest(std::string_view more) {
    const std::string sum = cat("sha256:", std::string(64, 'a'));
    return cat(R"({"name":"p","version":"1","rootfs":{"url":"https://x.test/disk","checksum":")", sum, R"("})", more,
               "}");
  }
};

TEST_F(PluginsTest, ArtifactsAreFetchedWhenItIsInstalled) {
  std::vector<std::string> fetched;
  images_.on_fetch = [&](const Artifact& artifact, OperationProgress&) -> Status {
    fetched.push_back(artifact.url);
    return {};
  };
  serve();
  const std::string sum = cat("sha256:", std::string(64, 'b'));
  const auto more = cat(R"(,"initramfs":{"url":"file:///boot/x","checksum":")", sum, R"("})");
  EXPECT_EQ(client().call("POST", "/api/v1/plugins", manifest(more))->status, 201);
  EXPECT_EQ(fetched, (std::vector<std::string>{"https://x.test/disk", "file:///boot/x"}));
  EXPECT_EQ(client().call("POST", "/api/v1/plugins", manifest(""))->status, 409);
  EXPECT_EQ(fetched.size(), 2U) << "what is refused anyway is not fetched";
}

TEST_F(PluginsTest, WhatCannotBeFetchedIsNotInstalled) {
  images_.on_fetch = [](const Artifact&, OperationProgress&) -> Status {
    return fail(ErrorCode::kCorrupt, "https://x.test/disk has the checksum sha256:other");
  };
  serve();
  const auto answer = client().call("POST", "/api/v1/plugins", manifest(""));
  EXPECT_GE(answer->status, 400);
  EXPECT_NE(json(answer).text("error").find("rootfs: https://x.test/disk has the checksum"), std::string::npos);
  EXPECT_TRUE(store_->plugins()->empty());
  EXPECT_TRUE(store_->events({})->empty());
}

// Others see how far it is, and can put an end to it; who asked is answered then.
TEST_F(PluginsTest, AnInstallationIsAnOperation) {
  std::promise<void> began;
  images_.on_fetch = [&](const Artifact& artifact, OperationProgress& progress) -> Status {
    progress.report(cat("fetching ", artifact.url), 5, 0);
    began.set_value();
    const auto deadline = clock_.monotonic() + std::chrono::seconds(10);
    while (!progress.cancelled() && clock_.monotonic() < deadline) std::this_thread::yield();
    return {};  // all of it was there already
  };
  serve();
  auto install = std::async(std::launch::async, [&] { return client().call("POST", "/api/v1/plugins", manifest("")); });
  began.get_future().wait();
  const auto list = json(client().call("GET", "/api/v1/operations?kind=plugin.install&state=running")).items();
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].text("subject"), "p@1");
  EXPECT_EQ(list[0].text("stage"), "fetching https://x.test/disk");
  EXPECT_EQ(client().call("DELETE", cat("/api/v1/operations/", list[0].text("id")))->status, 200);
  const auto answer = install.get();
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->status, 409) << answer->body;
  EXPECT_TRUE(store_->plugins()->empty());
}

TEST_F(PluginsTest, ListsAreSortedByTheFieldsTheyHave) {
  serve();
  auto http = client();
  EXPECT_EQ(http.call("GET", "/api/v1/plugins?sort=colour")->status, 200) << "nothing to sort";
  for (const auto* each : {"b\",\"version\":\"1", "a\",\"version\":\"3", "c\",\"version\":\"2"}) {
    ASSERT_EQ(http.call("POST", "/api/v1/plugins", cat(R"({"image":"localhost/x:1","name":")", each, R"("})"))->status,
              201);
  }
  const auto names = [&](const std::string& query) {
    std::string out;
    for (const auto& each : json(http.call("GET", "/api/v1/plugins?" + query)).items()) out += each.text("name");
    return out;
  };
  EXPECT_EQ(names("sort=name"), "abc");
  EXPECT_EQ(names("sort=name&order=desc&limit=2"), "cb");
  EXPECT_EQ(names("sort=version"), "bca");
  EXPECT_EQ(names("sort=created_at"), "bac");
  const auto refused = http.call("GET", "/api/v1/plugins?sort=colour");
  EXPECT_EQ(refused->status, 400);
  EXPECT_NE(refused->body.find("version"), std::string::npos) << refused->body;
}

TEST_F(PluginsTest, WhatIsNotSignedIsNotEvenFetched) {
  bool fetched = false;
  images_.on_fetch = [&](const Artifact&, OperationProgress&) -> Status {
    fetched = true;
    return {};
  };
  config_.check_plugin = [](const std::string& text) -> Status {
    if (wire::parse_plugin_manifest(text).value().signature == "good") return {};
    return fail(ErrorCode::kRefused, "it is not signed");
  };
  serve();
  const auto answer = client().call("POST", "/api/v1/plugins", manifest(""));
  EXPECT_EQ(answer->status, 403);
  EXPECT_NE(json(answer).text("error").find("plugin \"p\": it is not signed"), std::string::npos);
  EXPECT_FALSE(fetched);
  EXPECT_TRUE(store_->plugins()->empty());
  EXPECT_EQ(client().call("POST", "/api/v1/plugins", manifest(R"(,"signature":"good")"))->status, 201);
  EXPECT_TRUE(fetched);
}

// Every field that the schema names is one that the parser takes, and the other way round.
TEST(ManifestSchema, NamesWhatTheParserTakes) {
  const std::string sum = cat("sha256:", std::string(64, 'a'));
  const std::string artifact = cat(R"({"url":"https://x/y","checksum":")", sum, R"(","format":"raw"})");
  const std::string full = cat(
      R"({"schema_version":"1","name":"p","version":"1","runtime":"r","enabled":true,"image":"localhost/x:1",)",
      R"("image_digest":")", sum, R"(","labels":{"a":"b"},"resources":{"cpu_cores":1.5,"memory_mb":64},"rootfs":)",
      artifact, R"(,"initramfs":)", artifact, R"(,"disks":[{"name":"d","source":"https://x/d","checksum":")", sum,
      R"(","format":"raw","readonly":true,"target":"/d"}],"workload":{"type":"http","entrypoint":["/x"],"env":{"A":"b"},)",
      R"("workdir":"/","base_url":"http://127.0.0.1:80","user":"1"},"health_check":{"probe":"http","endpoint":"/",)",
      R"("command":[],"interval_ms":1000,"timeout_ms":100,"retries":3},"restart":{"policy":"always","max":1,)",
      R"("backoff_ms":10},"actions":{"go":{"description":"d","method":"POST","path":"/go","timeout_ms":10}},)",
      R"("network":{"mode":"bridge","ports":["8080:80"]},"devices":{"pci_passthrough":[],"allowlist":[]},)",
      R"("cloud_init":{},"warm_pool":{"mode":"off","size":1},"signature":"s"})");
  const auto parsed = wire::parse_plugin_manifest(full);
  // Each field is read; only then is the whole looked at, which nobody could run.
  ASSERT_FALSE(parsed);
  EXPECT_NE(parsed.error().message().find("not together with image"), std::string::npos) << parsed.error().message();
  const auto document = wire::JsonNode::parse(full).value();
  const auto schema = wire::JsonNode::parse(manifest_schema()).value();
  const auto names = [](const wire::JsonNode& object) {
    std::set<std::string> out;
    for (const auto& [name, value] : object.members()) out.insert(name);
    return out;
  };
  EXPECT_EQ(names(schema.at("properties")), names(document));
  for (const auto* inner :
       {"resources", "rootfs", "initramfs", "workload", "health_check", "network", "devices", "warm_pool"}) {
    EXPECT_EQ(names(schema.at(cat("properties.", inner, ".properties"))), names(document.at(inner))) << inner;
  }
}

TEST(ManifestSchema, NamesTheMethodsThatActionsTake) {
  const auto takes = [](std::string_view method) {
    return wire::parse_plugin_manifest(cat(R"({"name":"p","version":"1","image":"a","actions":{"go":{"method":")",
                                           method, R"(","path":"/go"}}})"))
        .has_value();
  };
  const auto action = wire::JsonNode::parse(manifest_schema())->at("properties.actions.additionalProperties");
  std::set<std::string> named;
  for (const auto& each : action.at("properties.method.enum").items()) named.insert(each.text());
  for (const auto* method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    EXPECT_EQ(takes(method), named.contains(method)) << method;
  }
}

TEST_F(PluginsTest, TheSchemaIsPublished) {
  serve();
  const auto answer = client().call("GET", "/schemas/plugin-manifest.json");
  ASSERT_EQ(answer->status, 200);
  EXPECT_EQ(answer->headers.at("content-type"), "application/schema+json");
  EXPECT_EQ(json(answer).text("$schema"), "https://json-schema.org/draft/2020-12/schema");
  EXPECT_TRUE(json(answer).at("properties").at("rootfs").is_object());
}

TEST(SignedText, IsTheDocumentWithoutItsSignatureInOneForm) {
  EXPECT_EQ(
      wire::signed_text("{ \"version\": \"1\",\n\"signature\":\"x\", \"name\":\"\\u00e4\", \"a\":[1, 2] }").value(),
      "{\"a\":[1,2],\"name\":\"ä\",\"version\":\"1\"}");
  EXPECT_FALSE(wire::signed_text("[]"));
}

}  // namespace
}  // namespace skerry::api::testing
