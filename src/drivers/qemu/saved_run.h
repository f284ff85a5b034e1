// SavedRun: a microVM on disk, its memory and devices, and with a snapshot its disk, all of one moment.
//
//   overlay.img   the writable layer; not of a suspended run, whose disk stays where it is
//   memory        QEMU's migration stream (qemu docs/devel/migration.rst); not when nothing ran
//   machine       the machine it was (template_key() and the form of its memory): only the same one can go on with it.
//                 Written last: a memory file without it is half a save
//   *.was         what memory and disk (of a suspended run: the disk that stayed) were when they were written: size,
//                 inode, time. A guest never goes on from what somebody has changed since
//
// The stream leaves the VMM by a socket in its jail, made for that moment: the VMM needs no right to write files.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "drivers/driver.h"
#include "drivers/qemu/qmp_client.h"

namespace skerry::qemu {

struct SavedRun {
  std::string directory;
  [[nodiscard]] std::string overlay() const { return directory + "/overlay.img"; }
  [[nodiscard]] std::string memory() const { return directory + "/memory"; }
  [[nodiscard]] std::string machine() const { return directory + "/machine"; }
  [[nodiscard]] std::string memory_was() const { return directory + "/memory.was"; }
  [[nodiscard]] std::string overlay_was() const { return directory + "/overlay.was"; }
};

// Notes in `was` what `file` is now.
Status note_file(const std::string& file, const std::string& was);
// kCorrupt when the file is not what was noted, or gone. Without a note, by an older version, nothing is known.
Status check_file(const std::string& file, const std::string& was);

// Whether a whole save with memory lies there.
bool has_memory(const SavedRun& saved);
// Gives `to` the memory of `from`, if there is one; the files are shared, for nobody changes them.
Status share_memory(const SavedRun& from, const SavedRun& to);
// Removes memory and machine; what is not there is fine.
Status forget_memory(const SavedRun& saved);

// Writes the memory of the stopped machine behind `qmp` to `saved`. `machine` is what has to match later; `memory_mib`
// what the guest was given (kResourceExhausted when the VMM sends more than that and its devices can need). After a
// failure nothing is left.
Status save_memory(QmpClient& qmp, const EnvironmentPlace& place, const SavedRun& saved, const std::string& machine,
                   std::uint32_t memory_mib);
// Everything that comes from the socket until its end, at most `most_bytes`: a VMM that its guest has taken over could
// fill the host's disk. kResourceExhausted: it wanted to send more.
Status receive_stream(int socket, int file, std::uint64_t most_bytes);

// The machine behind `qmp` runs, whatever it was stopped for: a migration that is under way is given up first.
Status carry_on(QmpClient& qmp);

// A sparse copy that appears by rename.
Status copy_disk(const std::string& from, const std::string& to);

}  // namespace skerry::qemu
