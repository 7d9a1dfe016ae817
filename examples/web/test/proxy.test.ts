import { expect, it } from "vitest";
import { createServer, type Plugin, type ViteDevServer } from "vite";
import config from "../vite.config";

/** Answers every request with the host that it is addressed to, as the token endpoint sees it. */
const ECHO: Plugin = {
  name: "echo",
  configureServer: (server) => {
    // Node's own types are not installed here.
    const hostOf = (request: object): string => (request as { headers: { host: string } }).headers.host;
    server.middlewares.use((request, response) => response.end(hostOf(request)));
  },
};

async function serve(server: object, plugins: Plugin[] = []): Promise<[ViteDevServer, string]> {
  const options = { host: "127.0.0.1", port: 0, hmr: false, ws: false as const, watch: null };
  const started = await createServer({ configFile: false, logLevel: "silent", plugins, server: { ...options, ...server } });
  await started.listen();
  const url = started.resolvedUrls?.local[0] ?? "";
  return [started, new URL(url).host];
}

it("passes requests for the token endpoint on under the name the browser used, as others are refused there", async () => {
  const [endpoint, target] = await serve({}, [ECHO]);
  const asked = JSON.stringify(config.server?.proxy).replace("127.0.0.1:8080", target);
  const [page, host] = await serve({ proxy: JSON.parse(asked) });
  try {
    expect(await (await fetch(`http://${host}/api/token`, { method: "POST" })).text()).toBe(host);
  } finally {
    await Promise.all([page.close(), endpoint.close()]);
  }
});
