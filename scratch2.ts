import { ExecutionClient, ExecutionContainer } from "ipybox";
import { z } from "zod";
await using container = await ExecutionContainer.create();
await using client = await ExecutionClient.connect({ port: container.port, ...(container as any).direct });
await client.expose({ add: { input: z.object({ a: z.number(), b: z.number().default(2) }), handler: ({ a, b }) => a + b }, nop: { handler: () => 1 } });
const run = async (code: string) => { try { const r = await client.execute(code); console.log("=>", r.text); } catch (e) { console.log(String(e), (e as any).traceback); } };
await run(`
from host import add, nop
import time, statistics, host.aio as aio, asyncio
def lap(f, n=500):
    laps = []
    for i in range(n):
        t = time.perf_counter(); f(i); laps.append((time.perf_counter() - t) * 1000)
    return f"{statistics.median(laps):.2f} p95 {sorted(laps)[int(n*.95)]:.2f}"
lap(add)
print('add', lap(add)); print('nop', lap(lambda i: nop()))
t = time.perf_counter(); _ = await asyncio.gather(*(aio.add(i) for i in range(3000))); print('parallel/s', 3000 / (time.perf_counter() - t))
from concurrent.futures import ThreadPoolExecutor
t = time.perf_counter()
with ThreadPoolExecutor(20) as p: list(p.map(add, range(2000)))
print('threads/s', 2000 / (time.perf_counter() - t))
`);
