"""What works without aiohttp, and what is said where it does not."""

import subprocess
import sys

WITHOUT_AIOHTTP = """
import sys
sys.modules["aiohttp"] = None
import asyncio
from gwproactor import Proactor
from gwproactor.errors import MissingExtraError

async def handler(request): ...

async def main():
    proactor = Proactor("d1.a")
    proactor.add_web_route("state", "GET", "/", handler)
    try:
        proactor.add_web_server_config("state", "127.0.0.1", 0)
    except MissingExtraError as error:
        print(error)
    async with proactor:
        print("runs")

asyncio.run(main())
"""

WHO_IMPORTS = """
import sys
import gwproactor, gwproactor.web.servers, gwproactor.runtime.proactor
print(sorted(name for name in sys.modules if name.partition(".")[0] == "aiohttp"))
"""


def output_of(program: str) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    return run.stdout.splitlines()


def test_a_node_without_web_servers_needs_no_aiohttp_and_one_with_them_says_so() -> None:
    refused, runs = output_of(WITHOUT_AIOHTTP)
    assert refused == (
        "web server 'state' needs aiohttp, which is not installed: pip install 'gwproactor[web]'"
    )
    assert runs == "runs"


def test_importing_the_library_imports_no_aiohttp() -> None:
    assert output_of(WHO_IMPORTS) == ["[]"]
