import { defineConfig } from "vite";

// The token endpoint (examples/roomkit, run by examples/talk.py) serves the built page; under `npm run dev` it is asked through here.
export default defineConfig({
  base: "./",
  server: { host: "127.0.0.1", proxy: { "/api": "http://127.0.0.1:8080" } },
  build: { target: "es2023", chunkSizeWarningLimit: 800 },
});
