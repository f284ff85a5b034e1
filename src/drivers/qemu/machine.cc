#include "drivers/qemu/machine.h"

#include "base/text.h"

namespace skerry::qemu {
namespace {

// A comma ends an option's value; doubled it stands for itself (qemu(1)).
std::string escaped(std::string_view value) {
  std::string out;
  for (const char letter : value) out.append(letter == ',' ? 2 : 1, letter);
  return out;
}

class Arguments {
 public:
  explicit Arguments(const std::string& program) : list_{program} {}
  void flag(std::string name) { list_.push_back(std::move(name)); }
  void option(std::string name, std::string value) {
    list_.push_back(std::move(name));
    list_.push_back(std::move(value));
  }
  std::vector<std::string> take() { return std::move(list_); }

 private:
  std::vector<std::string> list_;
};

void add_machine(Arguments& arguments, const Machine& machine) {
  // pit and pic are not needed with tsc_early_khz on the command line; without rtc the kernel waits two seconds for
  // one, without acpi it finds no virtio-mmio device.
  std::string type = "microvm,x-option-roms=off,pit=off,pic=off,rtc=on,acpi=on,isa-serial=on";
  if (!machine.host_devices.empty()) type += ",pcie=on";
  if (machine.memory) type += ",memory-backend=memory0";
  arguments.option("-machine", type);
  arguments.option("-accel", machine.accelerator == Accelerator::kKvm ? "kvm" : "tcg,thread=multi");
  // TCG runs "rep movsb" and "rep stosb" byte by byte: without the flags that praise them the guest's kernel copies and
  // clears by words, which is a tenth of a boot. Both instructions stay, so a memory saved with the flags goes on.
  arguments.option("-cpu", machine.accelerator == Accelerator::kKvm ? "host,migratable=on" : "max,erms=off,fsrm=off");
  arguments.option("-smp", cat(machine.vcpus));
  arguments.option("-m", cat(machine.memory_mib, "M"));
  if (machine.memory) {
    arguments.option("-object",
                     cat("memory-backend-file,id=memory0,size=", machine.memory_mib, "M,mem-path=/proc/self/fd/",
                         machine.memory->fd, ",share=", machine.memory->shared ? "on" : "off"));
  }
}

void add_channels(Arguments& arguments, const Machine& machine) {
  arguments.option("-chardev", cat("socket,id=console0,fd=", machine.console_fd));
  arguments.option("-serial", "chardev:console0");
  arguments.option("-chardev", cat("socket,id=qmp0,fd=", machine.qmp_fd));
  arguments.option("-mon", "chardev=qmp0,mode=control");
  arguments.option("-device", "virtio-serial-device,id=ports0,max_ports=2");
  arguments.option("-chardev", cat("socket,id=agent0,fd=", machine.agent_fd));
  arguments.option("-device", cat("virtserialport,chardev=agent0,name=", kAgentPort));
}

void add_disk(Arguments& arguments, const Disk& disk, std::size_t index) {
  const auto read_only = disk.read_only ? "on" : "off";
  arguments.option("-add-fd", cat("fd=", disk.fd, ",set=", index + 1));
  // No locks: the files are ours alone, or read-only for everybody.
  arguments.option("-blockdev", cat("driver=file,node-name=file", index, ",filename=/dev/fdset/", index + 1,
                                    ",read-only=", read_only, ",locking=off,aio=threads,discard=unmap"));
  arguments.option("-blockdev", cat("driver=raw,node-name=disk", index, ",file=file", index, ",read-only=", read_only,
                                    ",discard=unmap,detect-zeroes=", disk.read_only ? "off" : "unmap"));
  arguments.option("-device", cat("virtio-blk-device,drive=disk", index, ",serial=", escaped(disk.serial)));
}

}  // namespace

std::vector<std::string> arguments(const Machine& machine, const std::string& program) {
  Arguments out(program);
  out.option("-name", cat("guest=", escaped(machine.name)));
  for (const auto* flag : {"-nodefaults", "-no-user-config", "-no-reboot"}) out.flag(flag);
  out.option("-display", "none");
  out.option("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
  add_machine(out, machine);
  if (machine.incoming) {
    out.option("-incoming", "defer");
  } else {
    out.option("-kernel", machine.kernel);
    if (!machine.initramfs.empty()) out.option("-initrd", machine.initramfs);
    out.option("-append", machine.command_line);
  }
  add_channels(out, machine);
  if (machine.network) {
    out.option("-netdev", cat("tap,id=net0,fd=", machine.network->tap_fd));
    out.option("-device", cat("virtio-net-device,netdev=net0,mac=", machine.network->mac));
  }
  if (machine.share) {
    // The server speaks virtio 1.0 only.
    out.option("-global", "virtio-mmio.force-legacy=false");
    out.option("-chardev", cat("socket,id=share0,fd=", machine.share->socket_fd));
    out.option("-device", cat("vhost-user-fs-device,chardev=share0,tag=", machine.share->tag));
  }
  for (std::size_t i = 0; i < machine.disks.size(); ++i) add_disk(out, machine.disks[i], i);
  for (const auto& address : machine.host_devices) out.option("-device", cat("vfio-pci,host=", address));
  return out.take();
}

}  // namespace skerry::qemu
