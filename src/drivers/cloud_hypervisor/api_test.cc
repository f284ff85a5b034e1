#include "drivers/cloud_hypervisor/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace skerry::cloud_hypervisor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Machine machine() {
  Machine machine;
  machine.vcpus = 2;
  machine.memory_mib = 256;
  machine.kernel = "/vm/kernel";
  machine.initramfs = "/vm/initramfs";
  machine.command_line = "console=ttyS0 skerry.channel=vsock:1024";
  machine.disks = {{"root", "/vm/disk0", true}, {"overlay", "/vm/disk1", false}};
  machine.vsock = "/run/vm/vsock";
  machine.network = NetworkCard{"02:00:00:00:00:01", 5};
  return machine;
}

TEST(CloudHypervisorMachine, ProcessListensOnTheSocketItInherits) {
  EXPECT_THAT(process_arguments("/usr/bin/cloud-hypervisor", 3),
              ElementsAre("/usr/bin/cloud-hypervisor", "--api-socket", "fd=3", "--seccomp", "true"));
}

TEST(CloudHypervisorMachine, Configuration) {
  EXPECT_EQ(vm_config(machine()),
            R"({"payload":{"kernel":"/vm/kernel","cmdline":"console=ttyS0 skerry.channel=vsock:1024",)"
            R"("initramfs":"/vm/initramfs"},"cpus":{"boot_vcpus":2,"max_vcpus":2},"memory":{"size":268435456},)"
            R"("disks":[{"path":"/vm/disk0","readonly":true,"serial":"root","image_type":"Raw"},)"
            R"({"path":"/vm/disk1","readonly":false,"serial":"overlay","image_type":"Raw"}],)"
            R"("rng":{"src":"/dev/urandom"},"vsock":{"cid":3,"socket":"/run/vm/vsock"},)"
            R"("serial":{"mode":"Tty"},"console":{"mode":"Off"}})");
  Machine bare;
  bare.kernel = "/k";
  EXPECT_EQ(vm_config(bare), R"({"payload":{"kernel":"/k","cmdline":""},"cpus":{"boot_vcpus":1,"max_vcpus":1},)"
                             R"("memory":{"size":134217728},"rng":{"src":"/dev/urandom"},)"
                             R"("serial":{"mode":"Tty"},"console":{"mode":"Off"}})");
}

TEST(CloudHypervisorMachine, CommandLineHasOneDiskOptionWithAllDisks) {
  EXPECT_THAT(command_line(machine(), "cloud-hypervisor"),
              ElementsAre("cloud-hypervisor", "--kernel", "/vm/kernel", "--initramfs", "/vm/initramfs", "--cmdline",
                          "console=ttyS0 skerry.channel=vsock:1024", "--cpus", "boot=2,max=2", "--memory", "size=256M",
                          "--disk", "path=/vm/disk0,readonly=on,serial=root,image_type=raw",
                          "path=/vm/disk1,readonly=off,serial=overlay,image_type=raw", "--net",
                          "fd=5,mac=02:00:00:00:00:01", "--rng", "src=/dev/urandom", "--vsock",
                          "cid=3,socket=/run/vm/vsock", "--serial", "tty", "--console", "off"));
}

TEST(CloudHypervisorApi, Requests) {
  EXPECT_EQ(http_text(ping()), "GET /api/v1/vmm.ping HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n");
  EXPECT_EQ(http_text(add_net(*machine().network)),
            "PUT /api/v1/vm.add-net HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
            "Content-Type: application/json\r\nContent-Length: 39\r\n\r\n"
            R"({"id":"net0","mac":"02:00:00:00:00:01"})");
  EXPECT_EQ(create(machine()).body, vm_config(machine()));
  EXPECT_EQ(snapshot("/run/saved").body, R"({"destination_url":"file:///run/saved"})");
  EXPECT_EQ(restore("/run/saved").body, R"({"source_url":"file:///run/saved"})");
  for (const auto& [request, endpoint] :
       {std::pair(create(machine()), "vm.create"), std::pair(boot(), "vm.boot"), std::pair(pause(), "vm.pause"),
        std::pair(resume(), "vm.resume"), std::pair(shut_down(), "vm.shutdown"),
        std::pair(shut_down_vmm(), "vmm.shutdown"), std::pair(snapshot("/x"), "vm.snapshot"),
        std::pair(restore("/x"), "vm.restore")}) {
    EXPECT_EQ(request.method, "PUT") << endpoint;
    EXPECT_EQ(request.endpoint, endpoint);
  }
  EXPECT_EQ(info().method, "GET");
}

HttpAnswer answer(int status, std::string body = {}) {
  HttpAnswer out;
  out.status = status;
  out.body = std::move(body);
  return out;
}

TEST(CloudHypervisorApi, ARefusalIsToldInTheVmmsWords_FitForATerminal) {
  const auto refused = check_answer(create(machine()), answer(500, "Error from API\n\x1b[31mno such disk"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInternal);
  EXPECT_THAT(refused.error().message(), HasSubstr("refuses vm.create (500): Error from API  [31mno such disk"));
  EXPECT_EQ(check_answer(boot(), answer(404)).error().code, ErrorCode::kConflict);
  EXPECT_EQ(check_answer(boot(), answer(400)).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(check_answer(boot(), answer(204)).value(), "");
}

TEST(CloudHypervisorApi, StateOfTheMachine) {
  EXPECT_EQ(machine_state(R"({"config":{},"state":"Running","memory_actual_size":1})").value(), MachineState::kRunning);
  EXPECT_EQ(machine_state(R"({"state":"Paused"})").value(), MachineState::kPaused);
  for (const auto* body : {"", "{}", "[]", R"({"state":7})", R"({"state":"Dancing"})", "{\"state\":\"Run"}) {
    const auto state = machine_state(body);
    ASSERT_FALSE(state) << body;
    EXPECT_EQ(state.error().code, ErrorCode::kCorrupt) << body;
  }
}

TEST(CloudHypervisorApi, Version) {
  EXPECT_EQ(version(R"({"build_version":"v43.0-dirty","version":"v43.0","pid":1})").value(), "v43.0");
  for (const auto& body : {std::string("{}"), std::string("x"), std::string(R"({"version":"\u001b[2J"})"),
                           cat(R"({"version":")", std::string(65, 'v'), R"("})")}) {
    EXPECT_FALSE(version(body)) << body;
  }
}

}  // namespace
}  // namespace skerry::cloud_hypervisor
