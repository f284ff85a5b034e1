#include "agent/secrets.h"

#include "agent/accounts.h"
#include "base/file_io.h"
#include "base/sys_file.h"

namespace skerry::agent {

Status write_secret_files(const std::vector<wire::GuestFile>& files) {
  for (const auto& file : files) {
    const std::string passwd = read_file("/etc/passwd").value_or("");
    const std::string group = read_file("/etc/group").value_or("");
    const auto account = TRY(resolve_account(file.owner, passwd, group));
    TRY(sys::mkdir_all(file.path.substr(0, file.path.rfind('/')), 0755));
    // Nobody else may read it before it has its owner.
    TRY(write_file_atomic(file.path, file.content, 0600));
    TRY(sys::chown(file.path, account.uid, account.gid));
    TRY(sys::chmod(file.path, file.mode));
  }
  return {};
}

}  // namespace skerry::agent
