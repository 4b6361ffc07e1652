"""ViZDoom's `my_way_home` as a world: nine rooms and their corridors, in the textures of Freedoom.

An optional extra (`pip install 'speechvq[doom]'`), imported only here. Each game is an engine in a process of
its own, which leaves settings in the folder where it starts: that is a temporary one. When the player is
killed, the engine ends too; its 11 MB of shared memory and that folder stay. The vest that ends the scenario is
taken away, so an episode lasts as long as it is played. The map is the same in all episodes; where they begin
is drawn.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from speechvq.errors import UserError
from speechvq.video.world.child_process import die_with_parent
from speechvq.video.world.interface import ACTIONS, PIXELS, check_actions

if TYPE_CHECKING:
    from vizdoom import DoomGame

TICS = 4  # of 1/35 s an action
TURN = 10.0  # degrees an action
NUDGE = 1.0  # map units; who moved and came no further was blocked (a free step is 7 to 20)

# What each action presses: forward, backward, left, right, and degrees to the right in every tic.
_BUTTONS = ("MOVE_FORWARD", "MOVE_BACKWARD", "MOVE_LEFT", "MOVE_RIGHT", "TURN_LEFT_RIGHT_DELTA")
_PRESSED = {
    "forward": (1, 0, 0, 0, 0),
    "back": (0, 1, 0, 0, 0),
    "left": (0, 0, 0, 0, -TURN / TICS),
    "right": (0, 0, 0, 0, TURN / TICS),
    "strafe-left": (0, 0, 1, 0, 0),
    "strafe-right": (0, 0, 0, 1, 0),
}


class DoomWorld:
    """Doom, one engine an episode; episode n of a seed is the same every time, with the same ViZDoom."""

    batch_size = 1  # more would only be stepped one after the other

    def __init__(self, seed: int) -> None:
        """A world of a seed, a whole number of at least 0; `reset` begins.

        Raises:
            UserError: ViZDoom is missing or does not start.
        """
        self.seed = seed
        self._games: list[DoomGame] = []
        _vizdoom()  # told before a folder is made
        self._folder = tempfile.TemporaryDirectory(prefix="speechvq-doom-")
        self.poses, self.blocked = np.zeros((0, 3), np.float32), np.zeros(0, bool)

    def reset(self, episodes: Sequence[int]) -> np.ndarray:
        """Begin some episodes by their numbers; their first frames, (B, PIXELS, PIXELS, 3), uint8.

        Raises:
            UserError: an engine does not start or stopped.
        """
        while len(self._games) < len(episodes):
            self._games.append(self._start())
        for game, number in zip(self._games, episodes):
            with _trouble_explained():
                game.set_seed(int(np.random.default_rng((self.seed, 4, number)).integers(2**31)))
                game.new_episode()
                game.send_game_command("remove GreenArmor")
                game.make_action([0.0] * len(_BUTTONS), 1)
        self.poses, self.blocked = np.zeros((len(episodes), 3), np.float32), np.zeros(len(episodes), bool)
        return self._look()

    def step(self, actions: np.ndarray) -> np.ndarray:
        """One action each, (B,), places in ACTIONS, and what is seen then, (B, PIXELS, PIXELS, 3), uint8.

        Raises:
            ValueError: other than one known action for each episode begun.
            UserError: the engine stopped.
        """
        actions = check_actions(actions, len(self.poses))
        for game, action in zip(self._games, actions):
            with _trouble_explained():
                game.make_action([float(pressed) for pressed in _PRESSED[ACTIONS[action]]], TICS)
        before = self.poses
        frames = self._look()
        came = np.hypot(*(self.poses - before)[:, :2].T)
        turning = np.isin(actions, [ACTIONS.index("left"), ACTIONS.index("right")])
        self.blocked = (came < NUDGE) & ~turning
        return frames

    def close(self) -> None:
        """End the engines and remove their folder."""
        for game in self._games:
            game.close()
        self._games = []
        self._folder.cleanup()

    def _start(self) -> "DoomGame":
        game = _game()
        engine = Path(_vizdoom().__file__ or "").with_name(
            "vizdoom"
        )  # not told: the path is empty by default
        if engine.is_file():
            game.set_vizdoom_path(str(die_with_parent(engine, self._folder.name)))
        with _working_in(self._folder.name), _trouble_explained():
            game.init()
        return game

    def _look(self) -> np.ndarray:
        """The frames, and the poses with y downwards, so that headings grow clockwise as in every world."""
        states = [game.get_state() for game, _ in zip(self._games, self.poses)]
        places = [state.game_variables for state in states]
        self.poses = np.array([(x, -y, -angle % 360) for x, y, angle in places], np.float32).reshape(-1, 3)
        frames = [_square(state.screen_buffer) for state in states]
        return np.stack(frames) if frames else np.zeros((0, PIXELS, PIXELS, 3), np.uint8)


def _square(screen: np.ndarray) -> np.ndarray:
    """The middle square of the screen in PIXELS x PIXELS.

    Doom's 90 degrees at 4:3 leave it 2 atan(3/4) = 73.7: the field of view of the built-in world's camera.
    """
    from PIL import Image

    height, width, _ = screen.shape
    aside = (width - height) // 2
    box = (aside, 0, aside + height, height)
    size = (PIXELS, PIXELS)
    return np.asarray(Image.fromarray(screen).resize(size, Image.Resampling.BILINEAR, box=box))


def _vizdoom() -> ModuleType:
    try:
        import vizdoom
    except ImportError as error:
        raise UserError("Doom needs ViZDoom: pip install 'speechvq[doom]'") from error
    return vizdoom


def _game() -> "DoomGame":
    """An engine that is not started yet, set to the scenario without its ends and ornaments."""
    vizdoom = _vizdoom()
    game = vizdoom.DoomGame()
    game.load_config(str(Path(vizdoom.scenarios_path) / "my_way_home.cfg"))
    game.set_window_visible(False)
    game.set_screen_resolution(vizdoom.ScreenResolution.RES_320X240)
    game.set_screen_format(vizdoom.ScreenFormat.RGB24)
    game.set_render_weapon(False)
    game.set_render_crosshair(False)
    game.set_available_buttons([getattr(vizdoom.Button, name) for name in _BUTTONS])
    variables = ("POSITION_X", "POSITION_Y", "ANGLE")
    game.set_available_game_variables([getattr(vizdoom.GameVariable, name) for name in variables])
    game.set_episode_timeout(0)
    game.add_game_args("+sv_cheats 1")  # else nothing may be taken away
    return game


@contextmanager
def _working_in(folder: str) -> Iterator[None]:
    """The engine takes over the folder in which it is started."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _trouble_explained() -> Iterator[None]:
    vizdoom = _vizdoom()
    try:
        yield
    except (
        vizdoom.ViZDoomErrorException,
        vizdoom.ViZDoomIsNotRunningException,
        vizdoom.ViZDoomUnexpectedExitException,
    ) as error:
        raise UserError(f"ViZDoom stopped ({error}); call again to go on") from error
