import { describe, expect, it, vi } from "vitest";
import type { SettingsView, UserSettings } from "../../lib/backend/bindings";
import { SettingsForm, type SettingsBackend } from "./form.svelte";
import { defaults } from "./testing";

function backend(change: Partial<SettingsBackend> = {}): SettingsBackend {
  let view: SettingsView = {
    settings: { ...defaults },
    defaults,
    wrong: [],
    path: "/home/x/settings.toml",
    problem: null,
    token: "none",
  };
  return {
    getSettings: async () => view,
    setSettings: async (settings: UserSettings) => (view = { ...view, settings }),
    setToken: async (token) => (token === null ? "none" : "in_memory"),
    ...change,
  };
}

describe("settings form", () => {
  it("saves one setting and shows what core returned", async () => {
    const set = vi.fn(backend().setSettings);
    const form = new SettingsForm(backend({ setSettings: set }));
    await form.load();
    expect(await form.set("smoothing_s", 5)).toBe(true);
    expect(set).toHaveBeenCalledWith({ ...defaults, smoothing_s: 5 });
    expect(form.settings?.smoothing_s).toBe(5);
  });
  it("keeps two quick changes, each on top of the other", async () => {
    const form = new SettingsForm(backend());
    await form.load();
    await Promise.all([form.set("nonce", false), form.set("baseline_s", 5)]);
    expect(form.settings).toMatchObject({ nonce: false, baseline_s: 5 });
  });
  it("keeps the old value and the words of a refusal until the next change works", async () => {
    let refuse = true;
    const good = backend();
    const form = new SettingsForm(
      backend({
        setSettings: (settings) =>
          refuse ? Promise.reject(new Error("It can’t be written.")) : good.setSettings(settings),
      }),
    );
    await form.load();
    expect(await form.set("launch_at_login", true)).toBe(false);
    expect(form.settings?.launch_at_login).toBe(false);
    expect(form.problem("launch_at_login")).toBe("It can’t be written.");
    expect(form.problem("nonce")).toBeNull();
    refuse = false;
    expect(await form.set("launch_at_login", true)).toBe(true);
    expect(form.problem("launch_at_login")).toBeNull();
  });
  it("restores only what it is told to", async () => {
    const form = new SettingsForm(backend());
    await form.load();
    await form.set("baseline_s", 3);
    await form.set("smoothing_s", 5);
    await form.restore(["baseline_s"]);
    expect(form.settings).toMatchObject({ baseline_s: defaults.baseline_s, smoothing_s: 5 });
  });
  it("says why settings can't be read", async () => {
    const form = new SettingsForm(backend({ getSettings: () => Promise.reject(new Error("No.")) }));
    await form.load();
    expect(form.failed).toBe("No.");
    expect(await form.set("nonce", false)).toBe(false);
  });
  it("tells where the token is", async () => {
    const form = new SettingsForm(backend());
    await form.load();
    await form.setToken("secret");
    expect(form.view?.token).toBe("in_memory");
  });
});
