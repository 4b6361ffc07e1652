"""A run that is stopped by a signal and continued ends like an unbroken one, to the bit."""

import shutil
import signal
from collections.abc import Iterator

from faults.case import Case, Setting
from faults.child import check_done, last_line
from faults.runs import KINDS, STEPS, TRAIN_SECONDS, Runs, Stop, check_same_end

TRIED = (
    "SIGTERM while the codebook is initialized, in a pre-training stage, after steps 1, 5, 7 and 11, at "
    "an epoch's end, in evaluation, and several in a row; speech, images, priors and video; 0 and 2 "
    "workers; 1 and 2 processes (the signal reaches one of them). Weights, averages, optimizer, "
    "codebook, exported model and metrics are compared with those of an unbroken run."
)
MAIN_STAGE = {"speech": 2, "speech loss": 1, "video motion": 1}  # index; 0 for the others
WITH_WORKERS, WITH_PROCESSES = ("speech",), ("speech", "image vqvae", "prior", "video motion")
# Of "speech loss": the first epoch ends within step 7 (crops of 4,800 samples, two a step).


def cases(setting: Setting) -> Iterator[Case]:
    """Every kind of run, stopped at each place; some of them with two workers or two processes."""
    runs = Runs(setting.folder)
    for kind in KINDS if not setting.short else ("speech loss",):
        stops = setting.some(stops_of(kind), 2)
        chosen = [(0, 1, each) for each in stops]
        if not setting.short:
            few = [stops[1], stops[len(stops) // 2], stops[-1]]
            chosen += [(2, 1, each) for each in few if kind in WITH_WORKERS]
            chosen += [(0, 2, each) for each in few if kind in WITH_PROCESSES]
        for number, (workers, processes, places) in enumerate(chosen):
            yield Case(
                f"{kind}, {workers} workers, {processes} processes, {' then '.join(map(str, places))}",
                lambda name=f"{kind} {number}", workers=workers, processes=processes, places=places: check(  # type: ignore
                    runs, name, workers, processes, places
                ),
            )


def stops_of(kind: str) -> list[list[Stop]]:
    """Where runs of a kind are stopped."""
    main = MAIN_STAGE.get(kind, 0)
    if kind in ("speech", "video motion"):
        stops = [[Stop(main - 1, step)] for step in (1, 7, 8)]  # pre-training
        stops += [[Stop(main, step)] for step in (1, 5, 7, STEPS - 1)]
        stops.append([Stop(main - 1, 3), Stop(main - 1, 4), Stop(main, 1), Stop(main, 2)])
    else:
        stops = [[Stop(main, step)] for step in ((1, 5, 7, STEPS - 1) if kind != "second stage" else (1, 7))]
        stops.append([Stop(main, 1), Stop(main, 2), Stop(evaluation=1), Stop(main, STEPS - 1)])
    stops.insert(0, [Stop(evaluation=1)])
    return stops + ([[Stop(initialization=True)]] if kind.startswith("speech") else [])


def check(runs: Runs, name: str, workers: int, processes: int, stops: list[Stop]) -> None:
    """Stop a run at each place in turn, continue it, and compare its end."""
    kind = name.rpartition(" ")[0]
    settings = [f"data.workers={workers}"] if kind.startswith("speech") else []
    unbroken = f"unbroken {kind} {processes}"
    if not (runs.folder / unbroken / "model").exists():
        check_done(runs.train(kind, unbroken, processes=processes), seconds=TRAIN_SECONDS)
    for stop in stops:
        ending = runs.train(kind, name, *settings, stop=stop, processes=processes)
        expected = 128 + signal.SIGTERM
        assert ending.code == expected, f"exit code {ending.code} at {stop}: {last_line(ending.err)}"
    check_done(runs.train(kind, name, *settings, processes=processes), seconds=TRAIN_SECONDS)
    check_same_end(runs.folder / unbroken, runs.folder / name)
    shutil.rmtree(runs.folder / name)
