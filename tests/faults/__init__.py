"""The fault matrix: inputs and events that must end in a result or in one clear line."""
