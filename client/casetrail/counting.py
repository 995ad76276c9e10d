"""Numbers in sentences."""


def counted(number: int, what: str, many: str = "") -> str:
    """A number and what it counts: `1 case`, `1,024 cases`.

    Args:
        number: How many.
        what: One of them.
        many: Several of them, where that is not `what` with an s.
    """
    return f"{number:,} {what if number == 1 else many or f'{what}s'}"
