"""A decoder of one pass over frames, and the networks and losses of its adversarial training."""
