// `skerry-keeper run`: one environment's main process, from its creation to its end.
//
//   open log, stdio, channels, sockets ─▶ RUNTIME create ─▶ pid file, report ─▶ event loop
//        main process ends ─▶ drain its output (until EOF, kDrainTime at most) ─▶ exit file ─▶ kExit to clients ─▶ end
#pragma once

#include "base/keeper_protocol.h"

namespace skerry::keeper {

// How long output that somebody else may still hold open is waited for after the main process has ended.
inline constexpr Duration kDrainTime = std::chrono::seconds(2);
// How long clients may take to fetch the last output.
inline constexpr Duration kFarewellTime = std::chrono::seconds(2);

// Runs to the end. An error means that the main process was not made; it has been reported on the sync descriptor.
Status run_keeper(const KeeperRunSpec& spec);

}  // namespace skerry::keeper
