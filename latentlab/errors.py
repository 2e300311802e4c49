"""The one error a person can mend."""


class UserError(Exception):
    """A mistake of the person who asks: one line that says what is wrong, what is allowed and what to do."""
