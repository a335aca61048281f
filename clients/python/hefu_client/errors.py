"""What can go wrong, with the registry's code, the party, the cause and the next step."""


class HefuError(Exception):
    """`code` and `name` are those of spec/registry/errors.json; `cause` never holds a key or a cell."""

    def __init__(self, code, name, cause, next_step="", party="", place=""):
        where = "".join(f" [{x}]" for x in (party, place) if x)
        super().__init__(f"{code} {name}{where}: {cause} {next_step}".strip())
        self.code, self.name, self.cause, self.next = code, name, cause, next_step
        self.party, self.place = party, place


class Refused(HefuError):
    """The node refused a call."""


class Failed(HefuError):
    """A job ended without a result."""


class Unreachable(HefuError):
    """Nothing answers at the node's control address, or the node has never been started."""


def unreachable(cause):
    return Unreachable(1006, "CONTROL_UNREACHABLE", cause, "Start the node: hefu serve --config FILE.")


def from_message(kind, message):
    """`kind` of an Error or ErrorDetail message."""
    return kind(message.code, message.name, message.cause, message.next, message.party, message.place)
