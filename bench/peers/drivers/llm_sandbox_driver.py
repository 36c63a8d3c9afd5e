"""llm-sandbox's interactive session: one container a session, spoken to through files that both sides poll."""

import re
import sys

from driver import serve
from llm_sandbox import InteractiveSandboxSession


class Session:
    def __init__(self, session: InteractiveSandboxSession) -> None:
        self._session = session

    async def execute(self, code: str) -> tuple[str | None, int]:
        output = self._session.run(code)
        if output.exit_code != 0:
            raise RuntimeError(output.stderr)
        # It shows values as IPython's terminal does.
        return re.sub(r"^Out\[\d+\]: ", "", output.stdout.strip()), 0

    async def close(self) -> None:
        self._session.close()


class Client:
    async def start(self) -> Session:
        session = InteractiveSandboxSession(
            lang="python",
            image=sys.argv[1],
            runtime_configs={"labels": {sys.argv[2]: sys.argv[3]}, "user": "root"},
            keep_template=True,
        )
        session.open()
        return Session(session)


serve(Client())
