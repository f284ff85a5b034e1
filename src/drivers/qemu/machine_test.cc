#include "drivers/qemu/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"

namespace skerry::qemu {
namespace {

Machine sample() {
  Machine machine;
  machine.name = "web-1";
  machine.vcpus = 2;
  machine.memory_mib = 256;
  machine.kernel = "/vm/kernel";
  machine.initramfs = "/vm/initramfs";
  machine.command_line = "console=ttyS0 quiet";
  machine.agent_fd = 3;
  machine.qmp_fd = 4;
  machine.console_fd = 5;
  return machine;
}

TEST(Machine, GoldenCommandLine) {
  Machine machine = sample();
  machine.network = NetworkCard{6, "02:53:c0:a8:7f:64"};
  machine.disks = {{"root", 7, true}, {"overlay", 8, false}};
  const std::string expected =
      "qemu-system-x86_64 -name guest=web-1 -nodefaults -no-user-config -no-reboot -display none "
      "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny "
      "-machine microvm,x-option-roms=off,pit=off,pic=off,rtc=on,acpi=on,isa-serial=on "
      "-accel tcg,thread=multi -cpu max,erms=off,fsrm=off -smp 2 -m 256M "
      "-kernel /vm/kernel -initrd /vm/initramfs -append console=ttyS0 quiet "
      "-chardev socket,id=console0,fd=5 -serial chardev:console0 "
      "-chardev socket,id=qmp0,fd=4 -mon chardev=qmp0,mode=control "
      "-device virtio-serial-device,id=ports0,max_ports=2 "
      "-chardev socket,id=agent0,fd=3 -device virtserialport,chardev=agent0,name=skerry.agent "
      "-netdev tap,id=net0,fd=6 -device virtio-net-device,netdev=net0,mac=02:53:c0:a8:7f:64 "
      "-add-fd fd=7,set=1 "
      "-blockdev driver=file,node-name=file0,filename=/dev/fdset/1,read-only=on,locking=off,aio=threads,discard=unmap "
      "-blockdev driver=raw,node-name=disk0,file=file0,read-only=on,discard=unmap,detect-zeroes=off "
      "-device virtio-blk-device,drive=disk0,serial=root "
      "-add-fd fd=8,set=2 "
      "-blockdev driver=file,node-name=file1,filename=/dev/fdset/2,read-only=off,locking=off,aio=threads,discard=unmap "
      "-blockdev driver=raw,node-name=disk1,file=file1,read-only=off,discard=unmap,detect-zeroes=unmap "
      "-device virtio-blk-device,drive=disk1,serial=overlay";
  EXPECT_EQ(join(arguments(machine, "qemu-system-x86_64"), " "), expected);
}

TEST(Machine, KvmUsesTheHostsProcessor) {
  Machine machine = sample();
  machine.accelerator = Accelerator::kKvm;
  const auto list = arguments(machine, "qemu");
  EXPECT_THAT(list, testing::Contains("kvm"));
  EXPECT_THAT(list, testing::Contains("host,migratable=on"));
}

TEST(Machine, AForkHasPrivateMemoryAndWaits) {
  Machine machine = sample();
  machine.memory = MemoryFile{9, false};
  machine.incoming = true;
  const auto list = arguments(machine, "qemu");
  EXPECT_THAT(list, testing::Contains("memory-backend-file,id=memory0,size=256M,mem-path=/proc/self/fd/9,share=off"));
  EXPECT_THAT(list, testing::Contains("microvm,x-option-roms=off,pit=off,pic=off,rtc=on,acpi=on,isa-serial=on,"
                                      "memory-backend=memory0"));
  EXPECT_THAT(list, testing::Contains("-incoming"));
  EXPECT_THAT(list, testing::Not(testing::Contains("-kernel")));
}

TEST(Machine, NamesCannotAddOptions) {
  Machine machine = sample();
  machine.name = "a,process=b";
  EXPECT_THAT(arguments(machine, "qemu"), testing::Contains("guest=a,,process=b"));
}

TEST(Machine, DevicesOfTheHostNeedABus) {
  Machine machine = sample();
  EXPECT_THAT(join(arguments(machine, "qemu"), " "), testing::Not(testing::HasSubstr("pcie")));
  machine.host_devices = {"0000:01:00.0", "0000:01:00.1"};
  const auto line = join(arguments(machine, "qemu"), " ");
  EXPECT_THAT(line, testing::HasSubstr("isa-serial=on,pcie=on"));
  EXPECT_THAT(line, testing::HasSubstr("-device vfio-pci,host=0000:01:00.0 -device vfio-pci,host=0000:01:00.1"));
}

TEST(Machine, ASharedFileSystemNeedsModernVirtioAndItsSocket) {
  Machine machine = sample();
  EXPECT_THAT(join(arguments(machine, "qemu"), " "), testing::Not(testing::HasSubstr("vhost-user")));
  machine.memory = MemoryFile{7, true};
  machine.share = Share{8, "skerry"};
  const auto line = join(arguments(machine, "qemu"), " ");
  EXPECT_THAT(line, testing::HasSubstr("-global virtio-mmio.force-legacy=false -chardev socket,id=share0,fd=8 "
                                       "-device vhost-user-fs-device,chardev=share0,tag=skerry"));
  EXPECT_THAT(line, testing::HasSubstr("mem-path=/proc/self/fd/7,share=on"));
}

}  // namespace
}  // namespace skerry::qemu
