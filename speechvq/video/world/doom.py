"""ViZDoom's `my_way_home` as a world: nine rooms and their corridors, in the textures of Freedoom.

ViZDoom is an optional dependency (`pip install 'speechvq[doom]'`), imported only here. Each game is an engine
in its own process, which writes settings into its working directory; that is a temporary folder. If this
process is killed, the engine ends too, but its 11 MB of shared memory and the folder remain. The item that
ends the scenario is removed, so episodes have any length. All episodes have the same map and random start
positions.
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

TICS = 4  # of 1/35 s per action
TURN = 10.0  # degrees per action
NUDGE = 1.0  # map units; a shorter step counts as blocked (a free step is 7 to 20)

# The buttons of each action: forward, backward, left, right, and degrees to the right per tic.
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
    """Doom, one engine per episode. Episode n of a seed is reproducible with one version of ViZDoom."""

    batch_size = 1  # engines are stepped one after the other

    def __init__(self, seed: int) -> None:
        """
        Args:
            seed: at least 0.

        Raises:
            UserError: ViZDoom is missing or does not start.
        """
        self.seed = seed
        self._games: list[DoomGame] = []
        _vizdoom()  # raises before the folder is created
        self._folder = tempfile.TemporaryDirectory(prefix="speechvq-doom-")
        self.poses, self.blocked = np.zeros((0, 3), np.float32), np.zeros(0, bool)

    def reset(self, episodes: Sequence[int]) -> np.ndarray:
        """Start episodes by number; returns their first frames, (B, PIXELS, PIXELS, 3), uint8.

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
        """Take one action in each episode, (B,), indices into ACTIONS; returns the next frames as of `reset`.

        Raises:
            ValueError: an action is unknown, or their number is not that of the episodes.
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
        """Stop the engines and remove their folder."""
        for game in self._games:
            game.close()
        self._games = []
        self._folder.cleanup()

    def _start(self) -> "DoomGame":
        game = _game()
        # The game does not report its default path.
        engine = Path(_vizdoom().__file__ or "").with_name("vizdoom")
        if engine.is_file():
            game.set_vizdoom_path(str(die_with_parent(engine, self._folder.name)))
        with _working_in(self._folder.name), _trouble_explained():
            game.init()
        return game

    def _look(self) -> np.ndarray:
        """The current frames; updates the poses, with y downwards so that headings grow clockwise."""
        states = [game.get_state() for game, _ in zip(self._games, self.poses)]
        places = [state.game_variables for state in states]
        self.poses = np.array([(x, -y, -angle % 360) for x, y, angle in places], np.float32).reshape(-1, 3)
        frames = [_square(state.screen_buffer) for state in states]
        return np.stack(frames) if frames else np.zeros((0, PIXELS, PIXELS, 3), np.uint8)


def _square(screen: np.ndarray) -> np.ndarray:
    """The center square of the screen, scaled to PIXELS x PIXELS.

    Doom's field of view is 90 degrees at 4:3; the square's is 2 atan(3/4) = 73.7, as of the built-in maze.
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
    """A configured engine that is not started: the scenario without time limit and decorations."""
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
    game.add_game_args("+sv_cheats 1")  # allows removing items
    return game


@contextmanager
def _working_in(folder: str) -> Iterator[None]:
    """Change the working directory, which the engine inherits."""
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
