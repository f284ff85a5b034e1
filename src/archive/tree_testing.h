// Tree: a directory of a test, packed into tars and unpacked from them.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "archive/tree_pack.h"
#include "archive/tree_unpack.h"
#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"

namespace skerry {

class Tree : public ::testing::Test {
 protected:
  std::string path(std::string_view name) const { return cat(dir_.path(), "/", name); }

  std::string packed(const std::string& from, PackOptions options = {}) {
    options.note = [this](const std::string& text) { notes_.push_back(text); };
    std::string tar;
    const auto done = pack_tree(from, options, [&](std::string_view bytes) -> Status {
      tar += bytes;
      return {};
    });
    EXPECT_TRUE(done) << done.error().message();
    return tar;
  }

  // In small pieces, as from a socket.
  static Result<TarReader> reader_of(const std::string& tar, TarRules rules = {}) {
    return TarReader::open(
        [&tar, at = std::size_t{0}]() mutable -> Result<std::string_view> {
          const auto piece = std::string_view(tar).substr(at, 700);
          at += piece.size();
          return piece;
        },
        std::move(rules));
  }

  Result<Unpacked> unpack(const std::string& tar, const std::string& into, UnpackOptions options = {},
                          TarRules rules = {}) {
    auto reader = reader_of(tar, std::move(rules));
    if (!reader) return fail(reader.error());
    const Fd directory = TRY(sys::open(into, O_PATH | O_DIRECTORY));
    options.note = [this](const std::string& text) { notes_.push_back(text); };
    return unpack_tree(*reader, directory.get(), options);
  }

  static std::string tar_of(const std::vector<TarEntry>& entries, std::string_view content = {}) {
    std::string tar;
    auto writer = TarWriter::open([&](std::string_view bytes) -> Status {
      tar += bytes;
      return {};
    });
    for (auto entry : entries) {
      if (entry.kind == TarEntry::Kind::kFile) entry.size = content.size();
      entry.uid = ::getuid();
      entry.gid = ::getgid();
      EXPECT_TRUE(writer->add(entry));
      if (entry.kind != TarEntry::Kind::kFile) continue;
      EXPECT_TRUE(writer->write(content));
    }
    EXPECT_TRUE(writer->finish());
    return tar;
  }

  static TarEntry entry(TarEntry::Kind kind, std::string name, std::string target = {}) {
    TarEntry out;
    out.kind = kind;
    out.path = std::move(name);
    out.mode = kind == TarEntry::Kind::kDirectory ? 0755 : 0644;
    out.link_target = std::move(target);
    return out;
  }

  void make(std::string_view name, std::string_view content) {
    ASSERT_TRUE(write_file_atomic(path(name), content, 0644));
  }
  std::string content(std::string_view name) const { return read_file(path(name)).value_or("(none)"); }

  TempDir dir_ = TempDir::create("tree").value();
  std::vector<std::string> notes_;
};

}  // namespace skerry
