"""jupyter_client with ipykernel: the kernel is a child process, spoken to over ZeroMQ."""

from driver import serve
from jupyter_client.manager import start_new_async_kernel


class Session:
    def __init__(self, manager, client) -> None:
        self._manager = manager
        self._client = client

    async def execute(self, code: str) -> tuple[str | None, int]:
        texts, images = [], 0
        async for kind, content in self._outputs(code):
            if kind == "stream":
                texts.append(content["text"])
            elif kind in ("execute_result", "display_data"):
                texts.append(content["data"].get("text/plain", ""))
                images += "image/png" in content["data"]
        return "".join(texts).strip() if texts else None, images

    async def stream(self, code: str):
        async for kind, content in self._outputs(code):
            if kind == "stream":
                yield content["text"]

    async def _outputs(self, code: str):
        """All that a cell gives; it is done when the kernel is idle and has replied."""
        request = self._client.execute(code)
        while True:
            message = await self._client.get_iopub_msg()
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "error":
                raise RuntimeError(f"{content['ename']}: {content['evalue']}")
            if kind == "status" and content["execution_state"] == "idle":
                break
            yield kind, content
        while (await self._client.get_shell_msg())["parent_header"].get("msg_id") != request:
            pass

    async def close(self) -> None:
        self._client.stop_channels()
        await self._manager.shutdown_kernel(now=True)


class Client:
    async def start(self) -> Session:
        return Session(*await start_new_async_kernel(kernel_name="python3"))


serve(Client())
