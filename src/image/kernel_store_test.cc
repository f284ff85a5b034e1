#include "image/kernel_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "image/kernel_steps.h"

namespace skerry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string elf_kernel(const std::string& release) {
  return "\x7f"
         "ELF Linux version " +
         release + " (builder)";
}

class KernelStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(sys::mkdir_all(boot_, 0755));
    reopen();
  }
  void reopen() { store_ = KernelStore::open({dir_ / "kernels", boot_, dir_ / "src"}, clock_).value(); }
  void put(const std::string& path, const std::string& bytes) { ASSERT_TRUE(write_file_atomic(path, bytes, 0644)); }
  std::string chosen() { return store_->chosen().value().name; }
  std::vector<std::string> names() {
    std::vector<std::string> out;
    const auto kernels = store_->list().value();
    for (const auto& kernel : kernels) out.push_back(kernel.name);
    return out;
  }

  TempDir dir_ = TempDir::create("kernels").value();
  std::string boot_ = dir_ / "boot";
  ManualClock clock_;
  std::unique_ptr<KernelStore> store_;
};

TEST_F(KernelStoreTest, ADistributionsNewestCloudKernelIsTheDefault) {
  EXPECT_EQ(store_->chosen().error().code, ErrorCode::kNotFound);
  EXPECT_THAT(store_->chosen().error().hint, HasSubstr("linux-image-cloud-amd64"));
  for (const char* release : {"6.1.0-9-cloud-amd64", "6.1.0-30-cloud-amd64", "6.12.0-1-amd64"}) {
    put(boot_ + "/vmlinuz-" + release, "x");
  }
  put(boot_ + "/initrd.img-6.1.0-9-cloud-amd64", "x");
  EXPECT_THAT(names(), ElementsAre("6.1.0-30-cloud-amd64", "6.1.0-9-cloud-amd64", "6.12.0-1-amd64"));
  EXPECT_EQ(chosen(), "6.1.0-30-cloud-amd64");
  ASSERT_TRUE(store_->choose("6.12.0-1-amd64"));
  EXPECT_EQ(chosen(), "6.12.0-1-amd64");
  ASSERT_TRUE(store_->choose(""));
  EXPECT_EQ(chosen(), "6.1.0-30-cloud-amd64");
  EXPECT_EQ(store_->remove("6.1.0-30-cloud-amd64").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(KernelStoreTest, AnAddedKernelIsACopyThatIsVerified) {
  put(boot_ + "/vmlinuz-6.1.0-9-cloud-amd64", "x");
  put(dir_ / "mine", elf_kernel("6.6.6-mine"));
  const auto added = store_->add("mine", dir_ / "mine", {}).value();
  EXPECT_EQ(added.release, "6.6.6-mine");
  EXPECT_EQ(added.origin, GuestKernel::Origin::kAdded);
  EXPECT_FALSE(added.bzimage);
  EXPECT_EQ(read_file(added.vmlinux->path).value(), elf_kernel("6.6.6-mine"));
  EXPECT_EQ(chosen(), "6.1.0-9-cloud-amd64");
  ASSERT_TRUE(store_->choose("mine"));
  EXPECT_EQ(chosen(), "mine");
  EXPECT_EQ(store_->remove("mine").error().code, ErrorCode::kConflict);

  reopen();
  EXPECT_EQ(store_->find("mine")->created, clock_.now());
  EXPECT_EQ(chosen(), "mine");
  ASSERT_TRUE(write_file_atomic(added.vmlinux->path, elf_kernel("6.6.6-evil"), 0444));
  EXPECT_EQ(store_->chosen().error().code, ErrorCode::kCorrupt);

  ASSERT_TRUE(store_->choose(""));
  ASSERT_TRUE(store_->remove("mine"));
  EXPECT_THAT(names(), ElementsAre("6.1.0-9-cloud-amd64"));
  EXPECT_EQ(store_->find("mine").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->choose("mine").error().code, ErrorCode::kNotFound);
}

TEST_F(KernelStoreTest, RefusesWhatIsNoKernelAndNamesThatAreNone) {
  put(dir_ / "text", "#!/bin/sh\n");
  put(dir_ / "good", elf_kernel("1.2.3"));
  EXPECT_EQ(store_->add("text", dir_ / "text", {}).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(store_->add("none", dir_ / "missing", {}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->add("dir", dir_.path(), {}).error().code, ErrorCode::kInvalidArgument);
  for (const char* name : {"", ".", "..", "../x", "a/b", "-x", "tmp-x", "chosen", "a\nb"}) {
    EXPECT_EQ(store_->add(name, dir_ / "good", {}).error().code, ErrorCode::kInvalidArgument) << name;
  }
  ASSERT_TRUE(store_->add("good", dir_ / "good", {}));
  EXPECT_EQ(store_->add("good", dir_ / "good", {}).error().code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(sys::list_directory(dir_ / "kernels").value(), ElementsAre("good"));
}

TEST_F(KernelStoreTest, WhatACrashLeftIsRemovedAtOpen) {
  ASSERT_TRUE(sys::mkdir_all(dir_ / "kernels/tmp-abc/source/linux", 0755));
  reopen();
  EXPECT_TRUE(sys::list_directory(dir_ / "kernels")->empty());
}

TEST_F(KernelStoreTest, ABuildWithoutSourceSaysWhereToGetIt) {
  const auto built = store_->build({}, {});
  ASSERT_FALSE(built);
  EXPECT_THAT(built.error().hint, HasSubstr("apt install"));
  EXPECT_TRUE(sys::list_directory(dir_ / "kernels")->empty());
}

TEST(KernelOfFile, TellsTheReleaseByTheName) {
  EXPECT_EQ(kernel_of_file("/boot/vmlinuz-6.1.0-9-cloud-amd64").release, "6.1.0-9-cloud-amd64");
  EXPECT_EQ(kernel_of_file("/srv/vmlinux-5.4").release, "5.4");
  EXPECT_EQ(kernel_of_file("/srv/kernel").release, "");
}

TEST(KernelConfig, SaysWhatWasNotTaken) {
  EXPECT_THAT(settings_not_taken("# a comment\nCONFIG_A=y\nCONFIG_B=\"x\"\n# CONFIG_C is not set\nCONFIG_D=y\n"
                                 "# CONFIG_E is not set\n",
                                 "CONFIG_A=y\nCONFIG_B=\"y\"\nCONFIG_C=y\n# CONFIG_D is not set\n"),
              ElementsAre("CONFIG_B=\"x\"", "CONFIG_C", "CONFIG_D=y"));
  EXPECT_THAT(std::string(kernel_config()), HasSubstr("\nCONFIG_VIRTIO_MMIO=y\n"));
}

}  // namespace
}  // namespace skerry
