#include "image/seed_disk.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <map>

namespace skerry {
namespace {

struct Found {
  std::string content;
  unsigned mode = 0;
  std::int64_t uid = -1;
  bool operator==(const Found&) const = default;
};

std::map<std::string, Found> read_back(const std::string& bytes) {
  std::map<std::string, Found> found;
  archive* disk = ::archive_read_new();
  ::archive_read_support_format_iso9660(disk);
  EXPECT_EQ(::archive_read_open_memory(disk, bytes.data(), bytes.size()), ARCHIVE_OK);
  archive_entry* entry = nullptr;
  while (::archive_read_next_header(disk, &entry) == ARCHIVE_OK) {
    if (::archive_entry_filetype(entry) != AE_IFREG) continue;
    Found file{std::string(static_cast<std::size_t>(::archive_entry_size(entry)), '\0'), ::archive_entry_perm(entry),
               ::archive_entry_uid(entry)};
    EXPECT_EQ(::archive_read_data(disk, file.content.data(), file.content.size()),
              static_cast<la_ssize_t>(file.content.size()));
    found[::archive_entry_pathname(entry)] = std::move(file);
  }
  ::archive_read_free(disk);
  return found;
}

TEST(SeedDisk, HoldsItsFilesUnderTheLabelCloudInitLooksFor) {
  const std::string much(300'000, 'x');
  const auto disk = make_seed_disk({{"meta-data", "instance-id: a\n"}, {"user-data", much}, {"network-config", ""}});
  ASSERT_TRUE(disk) << disk.error().message();
  const auto found = read_back(*disk);
  EXPECT_EQ(found.size(), 3U);
  EXPECT_EQ(found.at("meta-data"), (Found{"instance-id: a\n", 0400, 0}));
  EXPECT_EQ(found.at("user-data").content, much);
  EXPECT_EQ(found.at("network-config").content, "");
  // ECMA-119 section 8.4: the primary volume descriptor stands in sector 16, the volume identifier at its byte 40.
  EXPECT_EQ(disk->substr(16 * 2048 + 1, 5), "CD001");
  // cloud-init takes both spellings.
  EXPECT_EQ(disk->substr(16 * 2048 + 40, 7), "CIDATA ");
  EXPECT_EQ(disk->size() % 512, 0U);
}

}  // namespace
}  // namespace skerry
