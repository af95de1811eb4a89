import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

// The pages of the benchmarks, built as the app's own page is, into target/bench-pages.
export default defineConfig({
  root: here("."),
  base: "./",
  publicDir: false,
  plugins: [svelte()],
  build: {
    target: ["es2022", "safari16"],
    chunkSizeWarningLimit: 1200,
    outDir: here("../../target/bench-pages"),
    emptyOutDir: true,
    rollupOptions: { input: [here("timeline.html"), here("day.html")] },
  },
});
