"""A prior over the next frame's codes, given the past and the action."""
