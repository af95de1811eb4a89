import { fireEvent, render, screen } from "@testing-library/svelte";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { connect, type Backend } from "../../lib/backend";
import type { ServerState, SettingsView, UserSettings } from "../../lib/backend/bindings";
import { live } from "../../lib/live/live.svelte";
import { router } from "../../lib/router.svelte";
import { snapshot, view } from "../settings/testing";
import Welcome from "./Welcome.svelte";
import { found } from "./found";

let now: SettingsView;
const calls = {
  getSettings: async () => now,
  setSettings: vi.fn(async (settings: UserSettings) => (now = { ...now, settings })),
  setDemo: vi.fn(async () => undefined),
  checkServer: vi.fn(async () => undefined),
  openLmStudio: vi.fn(async () => undefined),
};

beforeEach(async () => {
  vi.clearAllMocks();
  now = view;
  live.snapshot = snapshot;
  router.go("welcome");
  await connect(calls as Partial<Backend> as Backend);
});

describe("the first page", () => {
  it("finds LM Studio and names the model", () => {
    render(Welcome);
    expect(screen.getByText("LM Studio found")).toBeInTheDocument();
    expect(screen.getByText("LM Studio 0.4.25 answers at localhost:1234. Qwen3 8B is loaded.")).toBeInTheDocument();
    expect(screen.queryByRole("button", { name: "Try Again" })).toBeNull();
  });
  it("offers what helps when LM Studio isn't running", async () => {
    live.snapshot = { ...snapshot, server: { state: "not_running", url: "http://localhost:1234" } };
    render(Welcome);
    expect(screen.getByText("LM Studio isn’t running")).toBeInTheDocument();
    await fireEvent.click(screen.getByRole("button", { name: "Open LM Studio" }));
    await fireEvent.click(screen.getByRole("button", { name: "Try Again" }));
    expect([calls.openLmStudio.mock.calls.length, calls.checkServer.mock.calls.length]).toEqual([1, 1]);
  });
  it("offers the demo and says so while it is on", async () => {
    const { unmount } = render(Welcome);
    await fireEvent.click(screen.getByRole("button", { name: "Try the Demo" }));
    expect(calls.setDemo).toHaveBeenCalledWith(true);
    unmount();
    live.snapshot = { ...snapshot, demo: true };
    render(Welcome);
    await fireEvent.click(screen.getByRole("button", { name: "Turn Off the Demo" }));
    expect(calls.setDemo).toHaveBeenLastCalledWith(false);
  });
  it("offers no demo where the programs that simulate are missing", () => {
    live.snapshot = { ...snapshot, has_demo: false };
    render(Welcome);
    expect(screen.queryByRole("button", { name: "Try the Demo" })).toBeNull();
  });
  it("remembers that it was seen", async () => {
    render(Welcome);
    await vi.waitFor(async () => {
      await fireEvent.click(screen.getByRole("button", { name: "Done" }));
      expect(now.settings.welcomed).toBe(true);
    });
    await vi.waitFor(() => expect(router.route).toBe("runs"));
  });
  it("stays and says why when that can't be saved", async () => {
    calls.setSettings.mockRejectedValue(new Error("The settings can’t be written."));
    render(Welcome);
    await new Promise((done) => setTimeout(done, 0));
    await fireEvent.click(screen.getByRole("button", { name: "Done" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("The settings can’t be written.");
    expect(router.route).toBe("welcome");
    calls.setSettings.mockImplementation(async (settings: UserSettings) => (now = { ...now, settings }));
  });
});

describe("every state of the server", () => {
  it.each<[ServerState, string]>([
    [{ state: "checking", url: "http://a:1" }, "Checking…"],
    [{ state: "no_model", url: "http://a:1", models: [] }, "LM Studio found"],
    [{ state: "token_needed", url: "http://a:1" }, "LM Studio asks for a token"],
    [{ state: "token_refused", url: "http://a:1" }, "LM Studio refused the token"],
    [{ state: "failed", url: "http://a:1", message: "Broken answer." }, "LM Studio can’t be asked"],
  ])("has its words: %o", (server, title) => {
    expect(found(server).title).toBe(title);
  });
});
