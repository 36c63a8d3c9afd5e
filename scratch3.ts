import { connectThroughProxy } from "./test/integration/faults.ts";
import { ExecutionContainer } from "ipybox";
import { setTimeout as delay } from "node:timers/promises";
await using container = await ExecutionContainer.create();
    await using troubled = await connectThroughProxy({ container } as any);
    const { client, proxy } = troubled;
    let calls = 0;
    await client.expose({ one: { handler: async () => (console.log("called"), calls += 1) } });
    const execution = client.submit(
      "import threading, time\nfrom host import one\nprint('on')\ntime.sleep(0.4)\nvalues = []\nthread = threading.Thread(target=lambda: values.append(one()))\nthread.start()\n" +
        "time.sleep(0.2)\nfor _ in range(40): print('x' * 1_000_000)\nthread.join()\nprint(values)",
    );
    for await (const c of execution.stream({ onExit: "detach" })) { console.log(c); break; }
    proxy.down("reset");
    await delay(2_500);
    console.log("heal", proxy.connections);
    proxy.heal();
    setTimeout(() => { void client; console.log("state", proxy.connections, proxy.open, execution.lastSequence); process.exit(1); }, 15000);
    const { text, lostBytes } = await execution.result();
    console.log(lostBytes, text?.slice(-10), calls);
