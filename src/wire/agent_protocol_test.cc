#include "wire/agent_protocol.h"

#include <gtest/gtest.h>

namespace skerry::wire {
namespace {

BootDocument full_document() {
  BootDocument document;
  document.hostname = "web-1";
  document.root = {RootMode::kDisk, true, true};
  document.network = GuestNetwork{"02:00:00:00:00:01", "192.168.127.100", 24, "192.168.127.1", {"9.9.9.9"}, "lan"};
  document.workload.argv = {"nginx", "-g", "daemon off;"};
  document.workload.env = {"A=1", "B=two words"};
  document.workload.cwd = "/srv";
  document.workload.user = "www-data:www-data";
  document.workload.umask = 027;
  document.workload.terminal = true;
  document.workload.size = {132, 43};
  document.workload.drop_capabilities = {"CAP_NET_RAW"};
  document.stop_signal = 3;
  document.base_url = "http://127.0.0.1:80";
  document.restart = {GuestRestart::kOnFailure, 5, 250};
  document.health_check = GuestHealthCheck{"/healthz", 500, 100, 2};
  document.mounts = {{"tmpfs", "", "/scratch", false, 16}};
  document.keep_etc = document.cloud_init = true;
  document.sysctl = {{"net.ipv4.ip_forward", "1"}};
  document.workload.additional_gids = {44, 4294967294U};
  document.workload.limits = {{7, 1024, ~std::uint64_t{0}}};
  document.wait_for_start = true;
  return document;
}

TEST(BootDocument, SurvivesTheTrip) {
  const std::string text = encode_boot_document(full_document());
  const auto back = decode_boot_document(text);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(encode_boot_document(*back), text);
  EXPECT_EQ(back->workload.argv, full_document().workload.argv);
  EXPECT_EQ(back->network->prefix, 24);
  EXPECT_EQ(back->health_check->retries, 2U);
  EXPECT_EQ(back->restart.mode, GuestRestart::kOnFailure);
  EXPECT_EQ(back->mounts.at(0).size_mib, 16U);
}

struct BadDocument {
  const char* json;
  const char* named;  // what the error must name
};
class BootDocumentErrors : public testing::TestWithParam<BadDocument> {};
TEST_P(BootDocumentErrors, NameTheField) {
  const auto result = decode_boot_document(GetParam().json);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(result.error().message().find(GetParam().named), std::string::npos) << result.error().message();
}
INSTANTIATE_TEST_SUITE_P(Cases, BootDocumentErrors,
                         testing::Values(BadDocument{"[]", "must be an object"}, BadDocument{"{", "not JSON"},
                                         BadDocument{R"({"workload":{"argv":["a",1]}})", "workload.argv[1]"},
                                         BadDocument{R"({"workload":{"cwd":"x"}})", "workload.cwd"},
                                         BadDocument{R"({"root":{"mode":"floppy"}})", "root.mode"},
                                         BadDocument{R"({"workloads":{}})", "workloads"},
                                         BadDocument{R"({"network":{"prefix":33}})", "network.prefix"},
                                         BadDocument{R"({"stop_signal":18446744073709551615})", "stop_signal"},
                                         BadDocument{R"({"mounts":[{"type":"tmpfs","target":"x"}]})",
                                                     "mounts[0].target"}));

TEST(BootDocument, RefusesDeepNesting) { EXPECT_FALSE(decode_boot_document(std::string(100'000, '['))); }

TEST(Requests, SurviveTheTrip) {
  AgentRequest request;
  request.op = AgentOp::kExec;
  request.process.argv = {"sh"};
  request.process.terminal = true;
  auto back = decode_request(encode_request(request));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->op, AgentOp::kExec);
  EXPECT_TRUE(back->process.terminal);

  request = {};
  request.op = AgentOp::kIdentity;
  request.identity.random_seed = std::string("\0\1\xff", 3);
  request.identity.hostname = "fork-7";
  request.identity.wall_clock_ns = 1'700'000'000'000'000'000;
  back = decode_request(encode_request(request));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->identity.random_seed, request.identity.random_seed);
  EXPECT_EQ(back->identity.wall_clock_ns, request.identity.wall_clock_ns);

  request = {};
  request.op = AgentOp::kStart;
  request.env = {"TOKEN=x"};
  request.files = {{"/run/secrets/key", "bytes", 0400, "1000"}};
  back = decode_request(encode_request(request));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->files.at(0).content, "bytes");
}

TEST(Requests, BootCarriesAWholeDocument) {
  AgentRequest request;
  request.op = AgentOp::kBoot;
  request.document = encode_boot_document(full_document());
  request.identity.random_seed = "seed";
  const auto back = decode_request(encode_request(request));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->identity.random_seed, "seed");
  const auto document = decode_boot_document(back->document);
  ASSERT_TRUE(document) << document.error().message();
  EXPECT_EQ(encode_boot_document(*document), request.document);
  request.op = AgentOp::kRehearse;
  const auto rehearsal = decode_request(encode_request(request));
  ASSERT_TRUE(rehearsal) << rehearsal.error().message();
  EXPECT_EQ(rehearsal->op, AgentOp::kRehearse);
  EXPECT_EQ(rehearsal->document, back->document);
}

TEST(Requests, RefuseTheUnknown) {
  EXPECT_FALSE(decode_request(R"({"op":"format"})"));
  EXPECT_FALSE(decode_request(R"({"op":"ping","extra":1})"));
  EXPECT_FALSE(decode_request(R"({})"));
}

TEST(Responses, KeepTheErrorCode) {
  AgentResponse response;
  response.error = Error{ErrorCode::kCommandNotFound, 2, "exec nosuch", "look at PATH"};
  const auto back = decode_response(encode_response(response));
  ASSERT_TRUE(back) << back.error().message();
  ASSERT_TRUE(back->error);
  EXPECT_EQ(back->error->code, ErrorCode::kCommandNotFound);
  EXPECT_EQ(back->error->message(), response.error->message());
}

TEST(Responses, CarryABody) {
  AgentResponse response;
  response.pid = 77;
  response.body = encode_stats({.memory_total_bytes = 1000, .processes = 3});
  const auto back = decode_response(encode_response(response));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->pid, 77);
  const auto stats = decode_stats(back->body);
  ASSERT_TRUE(stats);
  EXPECT_EQ(stats->memory_total_bytes, 1000U);
  EXPECT_EQ(stats->processes, 3U);
}

TEST(Events, SurviveTheTrip) {
  const AgentEvent event{AgentEvent::Type::kUnhealthy, "connection refused", 12, 3, 4, 500};
  const auto back = decode_event(encode_event(event));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->type, event.type);
  EXPECT_EQ(back->reason, event.reason);
  EXPECT_EQ(back->backoff_ms, 500U);
  EXPECT_FALSE(decode_event(R"({"event":"exploded"})"));
  EXPECT_TRUE(decode_event(R"({"event":"healthy","later":"field"})"));
}

TEST(Hello, SurvivesTheTrip) {
  const AgentHello hello{"0.1.0", "6.1.0", "abc", 900, "running", 40, std::nullopt};
  const auto back = decode_hello(encode_hello(hello));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->workload, "running");
  EXPECT_EQ(back->workload_pid, 40);
  EXPECT_FALSE(decode_hello("{}"));
}

}  // namespace
}  // namespace skerry::wire
