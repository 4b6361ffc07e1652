"""The one exception that means: the user can mend this."""


class UserError(ValueError):
    """A mistake in a file, a flag or a configuration.

    The message is one line that names the file or value and the remedy; a command prints it and exits with
    code 2.
    """
