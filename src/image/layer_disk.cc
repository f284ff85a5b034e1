#include "image/layer_disk.h"

#include <unordered_map>

#include "base/text.h"
#include "image/chain_id.h"
#include "image/erofs_writer.h"
#include "image/merged_tree.h"

namespace skerry {
namespace {

Status store_content(LayerReader& reader, ErofsWriter& writer, Inode& inode) {
  if (inode.size == 0) return {};
  inode.content = TRY(writer.begin_file());
  TRY(reader.read_content([&](std::uint64_t offset, std::string_view bytes) { return writer.write(offset, bytes); }));
  return writer.end_file(inode.size);
}

// Content that went by while it looked hidden: the layer is read a second time for it.
Status store_unmet(const ImageLayer& layer, const BlobStore& blobs, const LayerLimits& limits,
                   const std::unordered_map<std::string, Inode*>& unmet, ErofsWriter& writer) {
  Fd blob = TRY(blobs.open_blob(layer.digest));
  LayerReader reader = TRY(LayerReader::open(std::move(blob), limits));
  while (const auto entry = TRY(reader.next())) {
    const auto wanted = unmet.find(entry->path);
    if (wanted == unmet.end() || entry->kind == LayerEntry::Kind::kWhiteout) continue;
    MergedTree::describe(*wanted->second, *entry);
    if (entry->kind == LayerEntry::Kind::kFile) TRY(store_content(reader, writer, *wanted->second));
  }
  return {};
}

Status add_layer(const ImageLayer& layer, const BlobStore& blobs, const LayerLimits& limits, const Work& work,
                 MergedTree& tree, ErofsWriter& writer) {
  Fd blob = TRY(blobs.open_blob(layer.digest));
  LayerReader reader = TRY(LayerReader::open(std::move(blob), limits));
  tree.begin_layer();
  while (const auto entry = TRY(reader.next())) {
    TRY(work.check());
    Inode* const inode = TRY(tree.add(*entry));
    if (inode != nullptr) TRY(store_content(reader, writer, *inode));
  }
  const Digest diff_id = TRY(reader.finish());
  if (diff_id != layer.diff_id) {
    return fail(ErrorCode::kCorrupt, cat("its content has the diff_id ", diff_id.text(),
                                         "; the image configuration says ", layer.diff_id.text()));
  }
  const auto unmet = tree.end_layer();
  return unmet.empty() ? Status() : store_unmet(layer, blobs, limits, unmet, writer);
}

}  // namespace

Status merge_layers(const std::vector<ImageLayer>& layers, const BlobStore& blobs, const LayerLimits& limits,
                    const Work& work, MergedTree& tree, ErofsWriter& writer) {
  for (std::size_t i = layers.size(); i-- > 0;) {
    work.report(cat("reading layer ", i + 1, "/", layers.size()));
    TRY_IN(cat("layer ", layers[i].digest.text()), add_layer(layers[i], blobs, limits, work, tree, writer));
  }
  return {};
}

Status write_layer_disk(const std::vector<ImageLayer>& layers, const BlobStore& blobs, int disk_fd,
                        const LayerLimits& limits, const Work& work) {
  MergedTree tree;
  ErofsWriter writer(disk_fd);
  TRY(merge_layers(layers, blobs, limits, work, tree, writer));
  tree.finish();
  return writer.finish(tree, uuid_of(chain_id(layers)));
}

}  // namespace skerry
