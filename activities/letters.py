"""Letters sent for an effect, and what is said of them where Temporal or the log keeps it: never to whom they went."""

import re
from collections.abc import Callable, Iterable
from typing import Final

from temporalio.exceptions import ApplicationError

from activities.directory import Person
from activities.mail import Mailer, MailRefusedError, MailUnavailableError, Message

_LINE_BREAKS: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


async def write_to_each(mailer: Mailer, people: Iterable[Person], letter: Callable[[Person], Message]) -> list[str]:
    """Write to each, and return the names of those whose letter was taken.

    Raises:
        ApplicationError: No mail can be sent now.
    """
    reached = []
    for person in people:
        try:
            await mailer.send(letter(person))
        except MailRefusedError:
            continue
        except MailUnavailableError as error:
            raise mail_unavailable(error, person.email) from None
        reached.append(person.name)
    return reached


def mail_unavailable(error: MailUnavailableError, address: str) -> ApplicationError:
    """A failure that is tried again; Temporal keeps its message, so that it must not name the recipient."""
    return ApplicationError(without_address(error, address), type="MAIL_UNAVAILABLE")


def without_address(error: Exception, address: str) -> str:
    """What a mail server said, without the recipient."""
    return re.sub(re.escape(address), "the recipient", str(error), flags=re.IGNORECASE)


def on_one_line(text: str) -> str:
    """A text as a header can hold it."""
    return _LINE_BREAKS.sub(" ", text)
