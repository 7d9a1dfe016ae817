import { defineConfig } from "vite";

// The token endpoint (python -m examples.room) serves the built page; under `npm run dev` it is asked through here.
export default defineConfig({
  base: "./",
  server: { host: "127.0.0.1", proxy: { "/api": "http://127.0.0.1:8080" } },
  build: { target: "es2023", chunkSizeWarningLimit: 800 },
});
