// TokenStore: the bearer tokens that TCP clients show.
//
// A token is "skt_" and 43 letters (256 random bits, base64url). Only its SHA-256 is kept: the random part is too long
// to be guessed, so a slow hash would add nothing. The file is replaced as a whole and is 0600.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/caller.h"
#include "base/clock.h"
#include "base/result.h"

namespace skerry::api {

struct Token {
  std::string name;  // DNS label, unique
  Role role = Role::kViewer;
  std::vector<std::string> zones;  // empty: all
  std::string hash;                // SHA-256, hex
  WallTime created_at;
};

class TokenStore {
 public:
  // A missing file means no tokens. kCorrupt when it cannot be read as one: then nobody is let in.
  static Result<std::unique_ptr<TokenStore>> open(std::string path);

  // The secret: told once, here.
  Result<std::string> create(const std::string& name, Role role, std::vector<std::string> zones, WallTime now);
  Status revoke(const std::string& name);
  std::vector<Token> list();
  // Who shows this secret; nullopt: nobody we know. Takes the same time for every wrong secret of the same length.
  std::optional<Caller> find(std::string_view secret);

 private:
  explicit TokenStore(std::string path) : path_(std::move(path)) {}
  Status save();
  std::string path_;
  std::mutex mutex_;
  std::vector<Token> tokens_;
};

}  // namespace skerry::api
