"""Keeps logs open, by the same door as the server, and does with them what it is asked: `python -m benchmarks.keeper`.

`job: open` names a database: where a large log is, a small one, and tables that nothing but rows go into, twice.
"""

from contextlib import AsyncExitStack

import uvloop

from audit import stores
from audit.log import Log
from benchmarks import appending, bare, million
from benchmarks.appending import ReadyMade
from benchmarks.bare import Bare
from benchmarks.processes import Answer, Request, answer_requests
from casetrail import policy_file
from domain import Rulebook
from engine.settings import DEFAULT_POLICY


async def main() -> None:
    """Answer requests until the input ends."""
    rules = Rulebook(policy_file.load(DEFAULT_POLICY))
    large: dict[str, Log] = {}
    small: dict[str, Log] = {}
    bares: dict[str, Bare] = {}
    readies: dict[str, ReadyMade] = {}

    async def handle(request: Request) -> Answer:
        if request["job"] == "fill":
            return dict(await million.fill(list(large.values()), rules, events=request["events"]))
        name = request["log"]
        match request["job"]:
            case "open":
                for kept, url in ((large, request["large"]), (small, request["small"])):
                    kept[name] = await stores.open_log(url)
                    ending.push_async_callback(kept[name].close)
                bares[name] = ending.enter_context(bare.opened(request["bare"]))
                readies[name] = ReadyMade(ending.enter_context(bare.opened(request["ready"])))
                return {}
            case "append":
                found = await appending.beside_bare(
                    small[name], bares[name], readies[name], rules, size=request["size"]
                )
                return dict(found)
            case "together":
                return dict(await appending.together(small[name], rules))
            case "page":
                return dict(await million.page(large[name]))
            case "verify":
                return dict(await million.verify(large[name]))
            case unknown:
                raise ValueError(f"there is no {unknown}")

    async with AsyncExitStack() as ending:
        await answer_requests(handle)


if __name__ == "__main__":
    uvloop.run(main())
