import { cleanup, render, screen, within } from "@testing-library/svelte";
import { fireEvent } from "@testing-library/dom";
import { tick } from "svelte";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { BackendError, connect, type Backend } from "../../lib/backend";
import type { Snapshot } from "../../lib/backend/bindings";
import { makeReplay } from "../../lib/backend/replay";
import { live } from "../../lib/live/live.svelte";
import { finished, model, progress, reading, snapshot } from "./fixtures";
import Popover from "./Popover.svelte";

let backend: Backend;

async function show(change: Partial<Snapshot> = {}): Promise<void> {
  live.snapshot = snapshot(change);
  render(Popover);
  await tick();
}

async function press(name: string | RegExp): Promise<void> {
  await fireEvent.click(screen.getByRole("button", { name }));
}

function text(): string {
  return (screen.getByRole("main").textContent ?? "").replace(/[\s\u00a0]+/g, " ");
}

const off = { can_run: false, blocked: "Needs the helper." };
const url = "http://localhost:1234";

beforeEach(async () => {
  backend = makeReplay(new URLSearchParams());
  for (const [name, value] of Object.entries(backend)) {
    if (typeof value === "function") vi.spyOn(backend, name as "quit");
  }
  await connect(backend);
  live.snapshot = null;
  live.samples = [];
});

describe("while nothing runs", () => {
  it("shows watts, scope, model, estimate and the last result", async () => {
    await show({
      last: { run_id: 6, started_at: "2026-11-24T14:51:00Z", model: "Qwen3 8B", net_energy_per_token_j: 0.581, tokens_per_s: 53.9, simulated: false },
    });
    expect(text()).toContain("18.4 watts, GPU + CPU + ANE");
    expect(text()).toContain("Qwen3 8B MLX 4-bit");
    expect(text()).toContain("4.62 GB context 8,192");
    expect(text()).toContain("3 prompts, 1 pass. About 2 min.");
    expect(screen.queryByText("Simulated")).toBeNull();
    await press(/^Last result/);
    expect(backend.showWindow).toHaveBeenCalledWith("run/6");
  });

  it("leaves the last result out where there is none", async () => {
    await show();
    expect(screen.queryByRole("button", { name: /^Last result/ })).toBeNull();
  });

  it("starts a run of the chosen preset, and has the focus on the button that does", async () => {
    await show();
    expect(document.activeElement).toBe(screen.getByRole("button", { name: "Run Benchmark" }));
    await press("Run Benchmark");
    expect(backend.startRun).toHaveBeenCalledWith("quick", null);
  });

  it("keeps the preset in the settings", async () => {
    await show();
    await fireEvent.click(screen.getByRole("radio", { name: "Full" }));
    await vi.waitFor(() => expect(backend.setSettings).toHaveBeenCalledWith(expect.objectContaining({ preset: "full" })));
  });

  it("says so when a command fails", async () => {
    vi.mocked(backend.startRun).mockRejectedValue(new BackendError("needs_model", "The model is gone."));
    await show();
    await press("Run Benchmark");
    expect((await screen.findByRole("alert")).textContent).toBe("The model is gone.");
  });

  it("says beforehand when a run would not be kept", async () => {
    await show({ history: { count: 3, writable: false, notice: "The history can only be read. New runs are not kept." } });
    expect(text()).toContain("New runs are not kept.");
  });

  it("marks what is simulated", async () => {
    await show({ simulated: true });
    expect(screen.getByText("Simulated")).toBeInTheDocument();
  });

  it("offers to go on with an interrupted run", async () => {
    await show({ unfinished: { run_id: 5, started_at: "2026-11-24T10:00:00Z", model: "Qwen3 8B", done: 4, planned: 9, simulated: false } });
    expect(text()).toContain("4 of 9 prompts are done and kept.");
    await press("Resume");
    expect(backend.resumeRun).toHaveBeenCalledWith(5);
    await press("Dismiss");
    expect(backend.dismissUnfinished).toHaveBeenCalledWith(5);
  });
});

describe("a reading", () => {
  it("that is held is shown with its age", async () => {
    await show({ power: { state: "held", reading, age_s: 2.9 } });
    expect(text()).toContain("18.4 watts, held, 2.9 s old");
  });
  it("that is missing is a dash with the reason, never a zero", async () => {
    await show({ ...off, power: { state: "stale", age_s: 6.2 } });
    expect(text()).toContain("—W not available, No new sample for 6 s");
    await press("Restart Helper");
    expect(backend.restartPower).toHaveBeenCalledOnce();
  });
  it("of zero is shown as measured", async () => {
    await show();
    expect(screen.getByText("ANE").closest("div")?.textContent?.replace(/\u00a0/g, " ")).toContain("0 mW");
  });
});

describe("a problem has the button that fixes it", () => {
  it("when the helper is missing", async () => {
    await show({ ...off, power: { state: "none", reason: "helper_missing", message: "the helper was not found" } });
    expect(text()).toContain("The helper was not found.");
    expect(screen.getByRole("button", { name: "Run Benchmark" })).toBeDisabled();
    expect(text()).toContain("Needs the helper.");
    expect(document.activeElement).toBe(screen.getByRole("button", { name: "Try Again" }));
    await press("Try Again");
    expect(backend.restartPower).toHaveBeenCalledOnce();
    await press("Open Helper Settings");
    expect(backend.showWindow).toHaveBeenCalledWith("settings/helper");
  });
  it("when LM Studio is not running", async () => {
    await show({ ...off, server: { state: "not_running", url } });
    await press("Open LM Studio");
    expect(backend.openLmStudio).toHaveBeenCalledOnce();
    await press("Try Again");
    expect(backend.checkServer).toHaveBeenCalledOnce();
  });
  it("when a token is wanted", async () => {
    await show({ ...off, server: { state: "token_needed", url } });
    await press("Open Settings");
    expect(backend.showWindow).toHaveBeenCalledWith("settings/lm-studio");
  });
  it("when no model is loaded: the list of models, and loading one", async () => {
    await show({ ...off, server: { state: "no_model", url, models: [model({ loaded: false })] } });
    await press("Choose Model…");
    const list = screen.getByRole("list", { name: "Models" });
    expect(document.activeElement).toBe(within(list).getByRole("button", { name: /Qwen3 8B/ }));
    await fireEvent.click(within(list).getByRole("button", { name: /Qwen3 8B/ }));
    expect(backend.loadModel).toHaveBeenCalledWith("qwen3-8b");
  });
});

describe("a run", () => {
  it("shows prompt, phases, figures so far and the time left", async () => {
    await show({ run: { status: "running", progress: progress() } });
    expect(screen.getByRole("heading", { name: "Prompt 4 of 9" })).toBeInTheDocument();
    expect(text()).toContain("L1, Review a Rust module");
    expect(screen.getByRole("progressbar")).toHaveAttribute("aria-valuenow", "3");
    expect(text()).toContain("Decode 11.2 s");
    expect(text()).toContain("Cooldown next");
    expect(text()).toContain("52.9 tokens per second");
    expect(text()).toContain("499 joules");
    expect(text()).toContain("592 of 1,024");
    expect(text()).toContain("About 8 min left");
    await press("Stop");
    expect(backend.stopRun).toHaveBeenCalledOnce();
  });
  it("that is stopping can be stopped at once", async () => {
    await show({ run: { status: "running", progress: progress({ stopping: true }) } });
    await press("Stop Now");
    expect(backend.stopRun).toHaveBeenCalledOnce();
  });
  it("shows a dash for what is not known yet", async () => {
    const unknown = { tokens_per_s: null, tokens: null, gross_j: null, eta_s: null };
    await show({ run: { status: "running", progress: progress(unknown) } });
    expect(text()).toContain("— tok/s not available");
    expect(text()).toContain("Time left not known yet");
  });
  it("gives a notice the place of the advice", async () => {
    await show({ run: { status: "running", progress: progress({ notice: "the history can’t be written" }) } });
    expect(text()).toContain("The history can’t be written.");
  });
  it("that starts says what it waits for", async () => {
    await show({ run: { status: "starting", step: "Loading the model" } });
    expect(text()).toContain("Loading the model.");
  });
  it("is announced when it starts and when it ends", async () => {
    await show();
    live.snapshot = snapshot({ run: { status: "running", progress: progress() } });
    await tick();
    expect(screen.getByText("Benchmark started.")).toHaveAttribute("aria-live", "polite");
    live.snapshot = snapshot({ run: { status: "finished", result: finished() } });
    await tick();
    expect(screen.getByText("Benchmark finished, 0.581 joules per token, net.")).toBeInTheDocument();
    expect(document.activeElement).toBe(screen.getByRole("button", { name: "Export JSON…" }));
  });
});

describe("a result", () => {
  it("carries scope, n, and what can be done with it", async () => {
    await show({ run: { status: "finished", result: finished() } });
    expect(text()).toContain("0.581 joules per token");
    expect(text()).toContain("Net of idle, GPU + CPU + ANE, n = 1");
    expect(text()).toContain("1,283 milliseconds");
    expect(text()).toContain("4.21 watt-hours");
    expect(text()).toContain("One pass, no interval.");
    await press("Export JSON…");
    expect(backend.exportRun).toHaveBeenCalledWith(7, "json");
    await press("Open Run");
    expect(backend.showWindow).toHaveBeenCalledWith("run/7");
    await press("Run Again");
    expect(backend.startRun).toHaveBeenCalledWith("full", null);
    await press("Done");
    expect(backend.dismissResult).toHaveBeenCalledOnce();
  });
  it("without a figure is a dash with the reason", async () => {
    await show({ run: { status: "finished", result: finished({ net_energy_per_token_j: null, null_reason: "too few prompts were left to average" }) } });
    expect(text()).toContain("— J/token not available");
    expect(text()).toContain("No figure: too few prompts were left to average.");
  });
  it("of a simulator says so", async () => {
    await show({ run: { status: "finished", result: finished({ simulated: true }) } });
    expect(screen.getByText("Simulated")).toBeInTheDocument();
  });
  it("of a stopped run can be resumed where the run is unfinished", async () => {
    await show({
      run: { status: "finished", result: finished({ end_reason: "server_lost", done: 4, net_energy_per_token_j: null }) },
      unfinished: { run_id: 7, started_at: "2026-11-24T14:51:00Z", model: "Qwen3 8B", done: 4, planned: 9, simulated: false },
    });
    expect(text()).toContain("Stopped after 4 of 9 prompts. Samples are kept, no figure is given.");
    await press("Resume");
    expect(backend.resumeRun).toHaveBeenCalledWith(7);
  });
  it("that is not in the history can’t be opened", async () => {
    await show({ run: { status: "finished", result: finished({ run_id: null }) } });
    expect(screen.getByRole("button", { name: "Open Run" })).toBeDisabled();
    expect(text()).toContain("The history doesn’t hold this whole run. Export it to keep it.");
  });
  it("of a run that failed is its message, with Run Benchmark below", async () => {
    await show({ run: { status: "failed", code: "not_running", message: "Stopped before a prompt was finished." } });
    expect(screen.getByRole("heading", { name: "Stopped" })).toBeInTheDocument();
    cleanup();
    await show({ run: { status: "failed", code: "disk_full", message: "The disk is full." } });
    expect(text()).toContain("The disk is full.");
    await press("Dismiss");
    expect(backend.dismissResult).toHaveBeenCalledOnce();
    expect(screen.getByRole("button", { name: "Run Benchmark" })).toBeEnabled();
  });
});

describe("the keyboard", () => {
  it("closes on Esc, opens window and settings, runs", async () => {
    await show();
    await fireEvent.keyDown(window, { key: "Escape" });
    expect(backend.hidePopover).toHaveBeenCalledOnce();
    await fireEvent.keyDown(window, { key: "o", metaKey: true });
    await fireEvent.keyDown(window, { key: ",", ctrlKey: true });
    expect(vi.mocked(backend.showWindow).mock.calls).toEqual([["runs"], ["settings/general"]]);
    await fireEvent.keyDown(window, { key: "r", metaKey: true });
    expect(backend.startRun).toHaveBeenCalledOnce();
    await fireEvent.keyDown(window, { key: ".", metaKey: true });
    expect(backend.stopRun).not.toHaveBeenCalled();
  });
  it("stops a run that goes on, and starts no second one", async () => {
    await show({ run: { status: "running", progress: progress() } });
    await fireEvent.keyDown(window, { key: "r", metaKey: true });
    expect(backend.startRun).not.toHaveBeenCalled();
    await fireEvent.keyDown(window, { key: ".", metaKey: true });
    expect(backend.stopRun).toHaveBeenCalledOnce();
  });
  it("exports the run that is shown", async () => {
    await show({ run: { status: "finished", result: finished() } });
    await fireEvent.keyDown(window, { key: "e", ctrlKey: true });
    expect(backend.exportRun).toHaveBeenCalledWith(7, "json");
  });
  it("exports the last run where it is in no history", async () => {
    await show({ run: { status: "finished", result: finished({ run_id: null }) } });
    await fireEvent.click(screen.getByRole("button", { name: "Export JSON…" }));
    await fireEvent.keyDown(window, { key: "e", ctrlKey: true });
    expect(backend.exportLast).toHaveBeenCalledTimes(2);
    expect(backend.exportRun).not.toHaveBeenCalled();
  });
});
