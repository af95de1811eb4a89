import { defineConfig } from "@playwright/test";

// The built screens in a real browser, over recorded sessions of the simulator.
export default defineConfig({
  testDir: "tests",
  outputDir: "../target/playwright",
  workers: 2,
  timeout: 60_000,
  reporter: [["list"]],
  use: {
    baseURL: "http://127.0.0.1:4173",
    launchOptions: {
      executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
    },
  },
  webServer: { command: "npm run preview -- --host 127.0.0.1", url: "http://127.0.0.1:4173", reuseExistingServer: false },
});
