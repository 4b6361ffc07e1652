"""The actions of all worlds, and parsing them."""

import numpy as np
import pytest

from speechvq.errors import UserError
from speechvq.video.world.interface import ACTIONS, PIXELS, check_actions, parse_actions


def test_the_actions_are_pinned() -> None:
    """Recordings and models refer to actions by their order."""
    assert ACTIONS == ("forward", "back", "left", "right", "strafe-left", "strafe-right")
    assert PIXELS == 84


@pytest.mark.parametrize(
    ("text", "actions"),
    [
        ("forward", [0]),
        ("forward*10", [0] * 10),
        ("right*3,back", [3, 3, 3, 1]),
        (" left * 2 , strafe-left ,strafe-right*1", [2, 2, 4, 5]),
    ],
)
def test_parsing_actions(text: str, actions: list[int]) -> None:
    assert parse_actions(text) == actions


@pytest.mark.parametrize(
    "text", ["", "jump", "forward*", "forward*0", "forward*-1", "forward*1.5", "forward,,back", "for\nward",
             "forward 10", "FORWARD", "forward*9999999", "forward*२"]
)  # fmt: skip
def test_unknown_actions_are_named(text: str) -> None:
    with pytest.raises(UserError, match="is not an action; write forward, back, left, .* or forward\\*10"):
        parse_actions(text)


@pytest.mark.parametrize("actions", [[0], [0, 1, 2], [0, 6], [-1, 0], [0.5, 1], [[0, 1]], [], [np.nan, 0]])
def test_wrong_actions_are_refused(actions: list[int]) -> None:
    with pytest.raises(ValueError, match="for 2 episodes; one of 0 to 5 each"):
        check_actions(np.array(actions), 2)
    assert check_actions(np.array([5, 0], np.uint8), 2).tolist() == [5, 0]
