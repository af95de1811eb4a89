import { svelte } from "@sveltejs/vite-plugin-svelte";
import { svelteTesting } from "@testing-library/svelte/vite";
import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "./",
  clearScreen: false,
  plugins: [svelte(), svelteTesting()],
  server: { port: 1420, strictPort: true },
  build: { target: ["es2022", "safari16"], outDir: "dist", chunkSizeWarningLimit: 1200 },
  test: { environment: "jsdom", include: ["src/**/*.test.ts"], setupFiles: ["src/test-setup.ts"] },
});
