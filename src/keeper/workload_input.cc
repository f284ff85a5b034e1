#include "keeper/workload_input.h"

#include <csignal>

namespace skerry::keeper {
namespace {

bool apply_resize(WorkloadInput& input, std::string_view payload) {
  const auto size = decode_size(payload);
  if (size) input.resize(*size);
  return size.has_value();
}

bool apply_signal(WorkloadInput& input, std::string_view payload) {
  const auto number = decode_u32(payload);
  if (!number || *number == 0 || *number >= NSIG) return false;
  input.signal(static_cast<int>(*number));
  return true;
}

}  // namespace

bool apply_input(WorkloadInput& input, const Frame& frame) {
  switch (frame.kind) {
    case FrameKind::kStdin: input.write_stdin(frame.payload); return true;
    case FrameKind::kStdinEof: input.end_stdin(); return true;
    case FrameKind::kResize: return apply_resize(input, frame.payload);
    case FrameKind::kSignal: return apply_signal(input, frame.payload);
    default: return false;
  }
}

}  // namespace skerry::keeper
