import { defineConfig } from "vite";

// The token endpoint (examples/roomkit, run by examples/talk.py) serves the built page; under `npm run dev` it is asked
// through here, by the name that the browser asks for: it refuses pages of other hosts and ports than its own.
export default defineConfig({
  base: "./",
  server: { host: "127.0.0.1", proxy: { "/api": { target: "http://127.0.0.1:8080", changeOrigin: false } } },
  build: { target: "es2023", chunkSizeWarningLimit: 800, license: { fileName: "assets/licences.md" } },
});
