"""Runs the demo shop and the demo mailbox, and those of drills, as one process: ``python -m embedded.services``.

Prints one JSON line with the endpoints when both answer, and ends on SIGTERM or SIGINT.
"""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from embedded.mailbox import DemoMailbox
from embedded.shop import DemoShop


def main() -> None:
    """Run until told to stop."""
    asyncio.run(_run(_arguments()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m embedded.services", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder for what is kept (default: nowhere)")
    parser.add_argument("--shop-port", type=int, default=0, help="HTTP port of the shop (default: any)")
    parser.add_argument("--mail-port", type=int, default=0, help="SMTP port of the mailbox (default: any)")
    parser.add_argument("--mail-http-port", type=int, default=0, help="HTTP port of the mailbox (default: any)")
    parser.add_argument("--drill-shop-port", type=int, default=0, help="HTTP port of the drills' shop (default: any)")
    parser.add_argument("--drill-mail-port", type=int, default=0, help="SMTP port of the drills' sink (default: any)")
    parser.add_argument("--drill-mail-http-port", type=int, default=0, help="its HTTP port (default: any)")
    parser.add_argument(
        "--scan-scale",
        type=float,
        help="let parcels travel by themselves, so many times as fast as real ones",
    )
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with (
        DemoShop.start(
            port=arguments.shop_port,
            path=_file(arguments.data, "shop.sqlite3"),
            scan_scale=arguments.scan_scale,
        ) as shop,
        DemoMailbox.start(
            port=arguments.mail_port,
            http_port=arguments.mail_http_port,
            path=_file(arguments.data, "mailbox.sqlite3"),
        ) as mailbox,
        # A drill has its own of everything: what fails there fails for nobody else.
        DemoShop.start(port=arguments.drill_shop_port) as drill_shop,
        DemoMailbox.start(
            port=arguments.drill_mail_port,
            http_port=arguments.drill_mail_http_port,
            path=_file(arguments.data, "drill_mailbox.sqlite3"),
        ) as drill_mailbox,
    ):
        endpoints = {
            "shop": shop.url,
            "smtp_host": mailbox.smtp_host,
            "smtp_port": mailbox.smtp_port,
            "mailbox": mailbox.url,
            "drill_shop": drill_shop.url,
            "drill_mailbox": drill_mailbox.url,
        }
        sys.stdout.write(json.dumps(endpoints) + "\n")
        sys.stdout.flush()
        await stopped.wait()


def _file(folder: Path | None, name: str) -> Path | None:
    if folder is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


if __name__ == "__main__":
    main()
