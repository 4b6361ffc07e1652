"""A prior over the next frame's codes, given past frames and the action."""
