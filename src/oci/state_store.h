// StateStore: the runtime's own directory, one subdirectory a container.
//
//   <root>/<id>/                 claimed by mkdir: two creators of one name cannot both win; flocked while it changes
//   <root>/<id>/state.json       ContainerRecord, replaced atomically; written before anything else is made
//   <root>/<id>/born.json        the same with the process, until the container stands: others see it as "creating", so
//                                that nobody joins one whose root is still the host's; who deletes it finds the process
//   <root>/<id>/config.json      the configuration as it was at create (later changes of the bundle have no effect)
//   <root>/<id>/restore-root     the root file system, mounted while CRIU brings the container back
//   <root>/<id>/criu             where CRIU works meanwhile
//   <root>/<id>/start.sock       the container waits here for `start`; it exists exactly while the status is "created"
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "wire/oci_spec_state.h"

namespace skerry::oci {

// One container's directory, locked for as long as this value lives.
class StateDir {
 public:
  StateDir(std::string path, Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string start_socket() const { return path_ + "/start.sock"; }
  [[nodiscard]] std::string spec_file() const;
  [[nodiscard]] std::string restore_root() const { return path_ + "/restore-root"; }

  [[nodiscard]] Status save(const ContainerRecord& record) const;
  // The record of a container that is being made, and what makes it the record: the container stands.
  [[nodiscard]] Status save_born(const ContainerRecord& record) const;
  [[nodiscard]] Status publish_born() const;
  [[nodiscard]] Status save_spec(std::string_view json) const;
  // Lets others in. A cloned process shares the lock: it has to close `lock_fd` itself.
  void unlock() { lock_.reset(); }
  [[nodiscard]] int lock_fd() const { return lock_.get(); }
  // Removes the directory. The last step of delete.
  [[nodiscard]] Status remove() const;

 private:
  std::string path_;
  Fd lock_;
};

class StateStore {
 public:
  // `root` is made (0700) when it is first needed.
  explicit StateStore(std::string root) : root_(std::move(root)) {}

  [[nodiscard]] const std::string& root() const { return root_; }
  // Claims a new name. kAlreadyExists: "container with id … already exists".
  [[nodiscard]] Result<StateDir> claim(const std::string& id) const;
  // Locks an existing one, waiting for whoever holds it. kNotFound: "container … does not exist".
  [[nodiscard]] Result<StateDir> lock(const std::string& id) const;
  // The same without waiting: kConflict when somebody holds it.
  [[nodiscard]] Result<StateDir> try_lock(const std::string& id) const;
  // Reads without a lock.
  [[nodiscard]] Result<ContainerRecord> load(const std::string& id) const;
  // For its removal: with the process of one that was being made.
  [[nodiscard]] Result<ContainerRecord> load_born(const std::string& id) const;
  [[nodiscard]] Result<std::string> load_spec(const std::string& id) const;
  [[nodiscard]] bool waits_for_start(const std::string& id) const;
  [[nodiscard]] std::string directory(const std::string& id) const { return root_ + "/" + id; }
  [[nodiscard]] Result<std::vector<std::string>> ids() const;

 private:
  [[nodiscard]] Result<StateDir> lock_existing(const std::string& id, bool wait) const;

  std::string root_;
};

}  // namespace skerry::oci
