import { describe, expect, it } from "vitest";
import { RECORDINGS, rowOf } from "../../lib/backend/recording";
import { windowCommand } from "./keys";
import { chipOf, figureAxis, noBar, shortModel, stateWords } from "./runs/words";
import { helperStatus, serverStatus } from "./status";

const row = rowOf(RECORDINGS.full, 1, RECORDINGS.full.benchmark_id);
const key = (name: string, more: Partial<KeyboardEvent> = {}) => ({ key: name, metaKey: true, ctrlKey: false, altKey: false, shiftKey: false, ...more });

describe("the foot of the sidebar", () => {
  it("says what the helper does", () => {
    expect(helperStatus({ state: "stale", age_s: 6.4 }, false)).toEqual({ dot: "bad", words: "No new sample for 6\u00a0s" });
    expect(helperStatus({ state: "none", reason: "helper_missing", message: "" }, false).words).toBe("Helper not installed");
    expect(helperStatus({ state: "starting" }, true).words).toBe("Simulated helper starting");
  });
  it("says what LM Studio does", () => {
    expect(serverStatus({ state: "not_running", url: "" })).toEqual({ dot: "none", words: "LM Studio not running" });
    expect(serverStatus({ state: "token_needed", url: "" }).words).toBe("LM Studio wants a token");
    expect(serverStatus({ state: "no_model", url: "", models: [] }).words).toBe("LM Studio, no model");
  });
});

describe("keys of the window", () => {
  it("need a command key and nothing else", () => {
    expect(windowCommand(key("f"))).toBe("search");
    expect(windowCommand(key("R"))).toBe("run");
    expect(windowCommand(key("r", { metaKey: false, ctrlKey: true }))).toBe("run");
    expect(windowCommand(key("r", { metaKey: false }))).toBeNull();
    expect(windowCommand(key("r", { shiftKey: true }))).toBeNull();
    expect(windowCommand(key("q"))).toBeNull();
  });
});

describe("a row of the history", () => {
  it("says how it ended", () => {
    expect(stateWords(row)).toBe("Completed");
    expect(stateWords({ ...row, state: "interrupted" })).toBe("Interrupted");
    expect(stateWords({ ...row, state: "running" })).toBe("Running");
    expect(shortModel("qwen/qwen3-8b")).toBe("qwen3-8b");
  });
  it("has no bar without a figure, below idle or from another chip", () => {
    expect(noBar(row, row.chip)).toBeNull();
    expect(noBar({ ...row, net_energy_per_token_j: null }, row.chip)).toBe("no figure");
    expect(noBar({ ...row, net_energy_per_token_j: -0.1 }, row.chip)).toBe("below idle");
    expect(noBar({ ...row, chip: "M1" }, "M4 Pro")).toBe("other chip (M1)");
  });
  it("shares an axis with the newest run's chip", () => {
    expect(chipOf([{ ...row, chip: "M1", started_at: "2026-01-01" }, { ...row, chip: "M4", started_at: "2026-02-01" }])).toBe("M4");
    expect(chipOf([])).toBeNull();
  });
  it("has an axis from zero in plain steps", () => {
    expect(figureAxis([{ ...row, net_energy_per_token_j: 1.14 }])).toEqual([0, 0.4, 0.8, 1.2]);
    expect(figureAxis([])).toEqual([0, 0.5, 1]);
    for (let value = 0.01; value < 30; value *= 1.3) {
      const axis = figureAxis([{ ...row, net_energy_per_token_j: value }]);
      expect(axis[0]).toBe(0);
      expect(axis.at(-1)).toBeGreaterThanOrEqual(value - 1e-9);
      expect(axis.length).toBeLessThanOrEqual(5);
    }
  });
});
