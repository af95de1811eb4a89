import { describe, expect, it } from "vitest";
import type { HelperView } from "../../lib/backend/bindings";
import { helperCard } from "./helperState";
import { pageOf, PAGES } from "./pages";
import { modelsOf, urlProblem } from "./server";
import { snapshot } from "./testing";

describe("pages", () => {
  it("are found by the name that the route has", () => {
    for (const page of PAGES) expect(pageOf(page.id)).toBe(page);
    expect(pageOf("lmstudio").title).toBe("LM Studio");
    expect(pageOf("").id).toBe("general");
    expect(pageOf("nonsense").id).toBe("general");
  });
});

describe("addresses", () => {
  it("may be written as people write them", () => {
    for (const good of ["", "localhost:1234", "http://127.0.0.1:1234/", "http://mac.lan:1234/v1", "[::1]:1234"]) {
      expect(urlProblem(good), good).toBeNull();
    }
  });
  it("are refused with one line", () => {
    expect(urlProblem("https://x")).toContain("Only http");
    expect(urlProblem("http://user:pass@x")).toContain("Without a name or password");
    for (const wrong of ["http://", "a b", "http://x:99999"])
      expect(urlProblem(wrong), wrong).toContain("http://localhost:1234");
  });
});

describe("models", () => {
  it("are those that the server named", () => {
    expect(modelsOf(snapshot.server).map((model) => model.line)).toEqual(["4-bit, MLX, loaded"]);
    expect(modelsOf({ state: "not_running", url: "" })).toEqual([]);
  });
});

describe("the helper's card", () => {
  const facts: HelperView = {
    name: "joulebar-helper-simulated",
    version: "0.1.0",
    protocol: 1,
    interval_ms: null,
    achieved_ms: null,
    samplers: [],
    samples: 0,
    simulated: true,
    path: null,
    can_authorize: false,
  };
  it("says when a simulator stands in for powermetrics", () => {
    const reading = {
      end_ns: 1,
      soc_mw: 1,
      cpu_mw: 1,
      gpu_mw: 0,
      ane_mw: 0,
      dram_mw: null,
      system_mw: null,
      scope: "SoC",
    };
    expect(helperCard({ state: "live", reading }, facts)).toEqual({
      tone: "good",
      title: "Running, simulated",
      line: "Version 0.1.0, protocol 1. It runs a simulator in place of powermetrics.",
    });
    expect(helperCard({ state: "held", reading, age_s: 2.94 }, null).line).toBe("Last sample 2.9\u00a0s ago.");
  });
  it("says for how long there was no sample", () => {
    expect(helperCard({ state: "stale", age_s: 6.7 }, facts)).toEqual({
      tone: "bad",
      title: "No samples",
      line: "No new sample for 6\u00a0s.",
    });
    expect(helperCard({ state: "starting" }, null).line).toBe("Waiting for the first sample.");
  });
});
