"""A run that is stopped by a signal and continued ends like an unbroken one, to the bit."""

import signal
from collections.abc import Iterator

from faults.case import Case, Setting
from faults.child import check_done, last_line
from faults.runs import KINDS, STEPS, Runs, Stop, check_same_end

TRIED = (
    "SIGTERM while the codebook is initialized, in a pre-training stage, after steps 1, 5, 7 and 11, at "
    "an epoch's end, in evaluation, and several in a row; speech, images, priors and video; 0 and 2 "
    "workers; 1 and 2 processes (the signal reaches one of them). Weights, averages, optimizer, "
    "codebook, exported model and metrics are compared with those of an unbroken run."
)
MAIN_STAGE = {"speech": 2, "speech loss": 1, "video motion": 1}  # index; 0 for the others
DISTRIBUTED = ("speech", "image vqvae", "prior", "video motion")  # kinds also tried with two processes
# Of "speech loss": the first epoch ends within step 7 (crops of 4,800 samples, two a step).


def cases(setting: Setting) -> Iterator[Case]:
    """Every kind of run, stopped at each place."""
    runs = Runs(setting.folder)
    for kind in KINDS if not setting.short else ("speech loss", "prior"):
        for processes in (1, 2) if kind in DISTRIBUTED and not setting.short else (1,):
            for workers in (0, 2) if kind.startswith("speech") and not setting.short else (0,):
                for stops in stops_of(kind, setting):
                    yield Case(
                        f"{kind}, {workers} workers, {processes} processes, {' then '.join(map(str, stops))}",
                        lambda kind=kind, processes=processes, workers=workers, stops=stops: check(  # type: ignore
                            runs, kind, processes, workers, stops
                        ),
                    )


def stops_of(kind: str, setting: Setting) -> list[list[Stop]]:
    """Where runs of a kind are stopped."""
    main = MAIN_STAGE.get(kind, 0)
    stops = [[Stop(main, step)] for step in (1, 5, 7, STEPS - 1)]
    stops += [[Stop(evaluation=number)] for number in (1, 2)]
    if kind.startswith("speech"):
        stops.insert(0, [Stop(initialization=True)])
    if kind in ("speech", "video motion"):  # pre-training
        stops += [[Stop(main - 1, step)] for step in (1, 7, 8)]
        stops.append([Stop(main - 1, 3), Stop(main - 1, 4), Stop(main, 1), Stop(main, 2)])
    else:
        stops.append([Stop(main, 1), Stop(main, 2), Stop(evaluation=1), Stop(main, STEPS - 1)])
    return setting.some(stops, 2)


def check(runs: Runs, kind: str, processes: int, workers: int, stops: list[Stop]) -> None:
    """Stop a run at each place in turn, continue it, and compare its end."""
    settings = [f"data.workers={workers}"] if kind.startswith("speech") else []
    unbroken = f"unbroken {kind} {processes}"
    if not (runs.folder / unbroken / "model").exists():
        check_done(runs.train(kind, unbroken, processes=processes))
    name = f"{kind} {processes} {workers} {abs(hash(tuple(stops)))}"
    for stop in stops:
        ending = runs.train(kind, name, *settings, stop=stop, processes=processes)
        expected = 128 + signal.SIGTERM
        assert ending.code == expected, f"exit code {ending.code} at {stop}: {last_line(ending.err)}"
    check_done(runs.train(kind, name, *settings, processes=processes))
    check_same_end(runs.folder / unbroken, runs.folder / name)
