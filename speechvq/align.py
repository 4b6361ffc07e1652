"""`python -m speechvq.align`: phone alignments of recordings with known texts, by PocketSphinx."""

import argparse
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from speechvq.alignment.forced_aligner import (
    AlignmentTask,
    Outcome,
    align_recording,
    is_newer,
    pronunciations_of,
)
from speechvq.alignment.g2p import read_dictionary
from speechvq.alignment.intervals import is_transcript
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.sources import Source, find_sources
from speechvq.cli.tables import speed
from speechvq.cli.tally import tally_line
from speechvq.errors import UserError, printable
from speechvq.io.atomic import remove_file, write_bytes
from speechvq.io.folder_lock import folder_lock
from speechvq.io.folders import files_below
from speechvq.io.journal import Journal, settings_digest
from speechvq.io.names import check_case, check_length
from speechvq.io.utterance_files import find_matches, relative_name
from speechvq.runtime.logging import logger
from speechvq.runtime.progress import progress
from speechvq.runtime.worker_pool import map_in_order

PROBLEMS, UNKNOWN = "problems.txt", "unknown.dict"
PROBLEMS_SHOWN = 10
_REMARK = """\
;;; Words that are not in the dictionary, with guessed phones. Correct wrong entries and align again with
;;; --dictionary: the sentences with these words are aligned again.
"""


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("align", __doc__)
    parser.add_argument(
        "--audio", type=Path, required=True, help="audio file, folder of audio files, or manifest"
    )
    flags.add_split(parser)
    parser.add_argument(
        "--text",
        type=Path,
        required=True,
        help="folder of transcripts UTT.txt, or UTT.lab without times as for MFA; searched recursively",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for UTT.lab; unchanged alignments are kept"
    )
    flags.add_jobs(parser)
    parser.add_argument(
        "--dictionary", type=Path, help="more pronunciations, lines of 'word PH PH' as in CMUdict"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command: exit code 0, 2 for a user's mistake, 130 after Ctrl-C (a second call resumes)."""
    return run(build_parser(), _work, argv, resumes=True)


def _work(arguments: argparse.Namespace) -> None:
    if find_spec("pocketsphinx") is None:
        raise UserError("alignment needs PocketSphinx: pip install 'speechvq[align]'")
    dictionary = read_dictionary(arguments.dictionary) if arguments.dictionary else {}
    sources = find_sources(arguments.audio, split=arguments.split)
    tasks, problems = match_texts(sources, arguments.text, arguments.out)
    if not tasks:
        raise UserError(f"{arguments.text}: no UTT.txt for any of {len(sources)} recordings; {problems[0]}")
    without = len(problems)
    started = time.monotonic()
    journal = Journal(arguments.out, {})
    tasks = _with_kept(tasks, journal, dictionary)
    work = partial(align_recording, dictionary=dictionary, journal=journal)
    with folder_lock(arguments.out, "align"):
        check_case((task.lab for task in tasks), arguments.out)
        done = map_in_order(work, tasks, arguments.jobs)
        outcomes = list(progress(done, total=len(tasks), label="align", unit="recordings"))
        problems += [outcome.problem for outcome in outcomes if outcome.problem]
        unknown = _list_unknown(arguments.out / UNKNOWN, outcomes)
        _list_problems(arguments.out / PROBLEMS, problems)
    _report(arguments.out, outcomes, without=without, seconds=time.monotonic() - started)
    kept = sum(outcome.attempt == "kept" for outcome in outcomes)
    made = sum(outcome.attempt not in ("kept", "") for outcome in outcomes)
    print(tally_line(made, kept, len(problems)))
    if unknown:
        print(f"words not in the dictionary, with guessed phones: {unknown}, see {arguments.out / UNKNOWN}")
    if not any(outcome.attempt for outcome in outcomes):
        raise UserError(f"{arguments.out}: none of {len(tasks)} recordings could be aligned; {problems[-1]}")


def _with_kept(
    tasks: Sequence[AlignmentTask], journal: Journal, dictionary: Mapping[str, str]
) -> list[AlignmentTask]:
    """The tasks, with what the journal says of each.

    A label file that is not in the journal, for example of another aligner, is kept if it is newer than its
    recording and text.
    """
    finished, result = journal.read(), []
    for task in tasks:
        settings = settings_digest(pronunciations_of(task.text, dictionary))
        entry = finished.find(task.name, [task.audio, task.text], settings=settings)
        may_be_kept = entry is not None or (task.name not in finished and is_newer(task))
        result.append(replace(task, settings=settings, may_be_kept=may_be_kept))
    return result


def match_texts(sources: Sequence[Source], folder: Path, out: Path) -> tuple[list[AlignmentTask], list[str]]:
    """Alignment tasks for the recordings that have a text, and a line for each recording that has none.

    A text has the same relative path below `folder` as the recording below its folder, or any path and the
    same name. It ends in .txt, or in .lab if it is a transcript without times, as MFA takes it.

    Raises:
        UserError: no such folder, or the alignment would replace its text.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of the texts, UTT.txt for UTT.wav")
    texts = _texts(folder)
    names = {each.name: f"{each.speaker}/{each.name}" if each.speaker else each.name for each in sources}
    text_of, unclear = find_matches(names, texts, shared=True)
    tasks, problems = [], []
    for source in sources:
        place = Path(source.name)
        if source.name not in text_of:
            fault = "several texts could be" if source.name in unclear else "there is no"
            problems.append(f"{source.path}: {fault} {place.name}.txt; write {folder / place}.txt")
            continue
        text = Path(text_of[source.name])
        tasks.append(AlignmentTask(source.path, text, out / f"{source.name}.lab", source.name))
        check_length(tasks[-1].lab)
        if tasks[-1].lab.resolve() == text.resolve():
            raise UserError(f"{text}: the alignment would replace this text; choose another --out")
    return tasks, problems


def _texts(folder: Path) -> dict[str, str]:
    """Names of the texts below the folder, by path; a .lab file is one if it has no times."""
    texts = {str(path): relative_name(path, folder) for path in files_below(folder, {".txt"})}
    known = set(texts.values())
    transcripts = {
        str(path): name
        for path in files_below(folder, {".lab"})
        if (name := relative_name(path, folder)) not in known and is_transcript(path)
    }
    return texts | transcripts


def _list_problems(path: Path, problems: Sequence[str]) -> None:
    """Write all problems to a file, and print the first ones."""
    remove_file(path)
    if problems:
        write_bytes(path, "".join(f"{printable(line)}\n" for line in problems).encode(errors="replace"))
    for line in problems[:PROBLEMS_SHOWN]:
        logger.warning("%s", line)
    if len(problems) > PROBLEMS_SHOWN:
        logger.warning("and %d more in %s", len(problems) - PROBLEMS_SHOWN, path)


def _list_unknown(path: Path, outcomes: Sequence[Outcome]) -> int:
    """Write the unknown words of this and earlier calls; returns their number."""
    words: Mapping[str, str] = read_dictionary(path) if path.is_file() else {}
    words = {**words, **{word: phones for each in outcomes for word, phones in each.unknown.items()}}
    if words:
        lines = [f"{word} {phones}\n" for word, phones in sorted(words.items())]
        write_bytes(path, (_REMARK + "".join(lines)).encode())
    return len(words)


def _report(out: Path, outcomes: Sequence[Outcome], *, without: int, seconds: float) -> None:
    count = Counter(outcome.attempt for outcome in outcomes)
    made = len(outcomes) - count["kept"] - count[""]
    aligned = sum(outcome.seconds for outcome in outcomes if outcome.attempt != "kept")
    print(
        f"{out}: {made} recordings aligned ({count['softer']} at a lower level, {count['wider']} in a wider "
        f"search, {count['phones']} phone by phone), {count['kept']} kept, {count['']} failed, "
        f"{without} without text"
    )
    if doubtful := sum(outcome.is_doubtful for outcome in outcomes):
        print(f"doubtful: {doubtful}, whose texts may be those of other recordings; see {out / PROBLEMS}")
    if aligned:
        print(f"{aligned:.0f} s of audio in {seconds:.0f} s, {speed(aligned / seconds)}")


if __name__ == "__main__":
    raise SystemExit(main())
