"""ipybox, the Python project: its own client, connected to a kernel gateway."""

import sys

from driver import serve
from ipybox import ExecutionClient


class Session:
    def __init__(self, client: ExecutionClient) -> None:
        self._client = client

    async def execute(self, code: str) -> tuple[str | None, int]:
        result = await self._client.execute(code)
        return result.text, len(result.images)

    async def stream(self, code: str):
        async for chunk in (await self._client.submit(code)).stream():
            yield chunk

    async def close(self) -> None:
        await self._client.disconnect()


class Client:
    def __init__(self, port: int) -> None:
        self._port = port

    async def start(self) -> Session:
        client = ExecutionClient(port=self._port, host="127.0.0.1")
        await client.connect()
        return Session(client)


serve(Client(int(sys.argv[1])))
