"""Rows of build/bench.json: medians of interleaved runs, ours beside a peer's, and what is held."""
import statistics
import time


def row(name, ours, peer, unit, goal=None, better="lower", note=""):
    """`goal` is the ratio ours / peer that is to be met: at most that for `lower`, at least for `higher`."""
    made = {"id": name, "ours": round(ours, 3), "peer": round(peer, 3), "unit": unit, "ratio": round(ours / peer, 3),
            "goal": goal, "better": better}
    if note:
        made["note"] = note
    return made


def rows(name, values, unit, goals, better="lower", note=""):
    """One row for each peer in `values`, which has "ours" too. `goals`: peer to ratio; others are shown only."""
    return [row(f"{name}.{peer}", values["ours"], value, unit, goals.get(peer), better, note)
            for peer, value in values.items() if peer != "ours"]


def take_turns(actions, rounds, warm_up=2):
    """Median milliseconds of each action, taking turns."""
    times = {name: [] for name in actions}
    for turn in range(rounds + warm_up):
        for name, action in actions.items():
            begin = time.perf_counter()
            action()
            if turn >= warm_up:
                times[name].append((time.perf_counter() - begin) * 1000)
    return {name: statistics.median(values) for name, values in times.items()}
