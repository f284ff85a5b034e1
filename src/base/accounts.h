// Users and groups from an environment's own /etc/passwd and /etc/group (passwd(5), group(5)). Pure: the texts are
// given.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skerry {

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary, without gid, sorted
  std::string home = "/";
};

// `user` is "", "name", "uid", "name:group", "uid:gid" and the mixtures, as in an OCI image configuration. Empty is
// root. A number need not be in the files; a name must be (kNotFound). With an explicit group there are no
// supplementary groups, as the image specification asks. Malformed lines of the files are skipped.
Result<Account> resolve_account(std::string_view user, std::string_view passwd, std::string_view group);

}  // namespace skerry
