import { describe, expect, it } from "vitest";
import { announcement } from "./announce";
import { finished, model, progress } from "./fixtures";
import { keyCommand, type Key } from "./keys";
import { modelChip, modelName } from "./model";
import { endText, notes } from "./outcome";
import { split, spoken } from "./spoken";

describe("what is spoken by itself", () => {
  const running = { status: "running", progress: progress() } as const;
  it("is nothing when the popover opens during a run", () => {
    expect(announcement(null, running)).toBeNull();
  });
  it("is the start, once", () => {
    expect(announcement({ status: "idle" }, { status: "starting", step: "Loading the model" })).toBe("Benchmark started.");
    expect(announcement({ status: "starting", step: "" }, running)).toBeNull();
    expect(announcement(running, running)).toBeNull();
  });
  it("is the end with its figure", () => {
    expect(announcement(running, { status: "finished", result: finished() })).toBe(
      "Benchmark finished, 0.581 joules per token, net.",
    );
  });
  it("is the end without a figure where there is none", () => {
    expect(announcement(running, { status: "finished", result: finished({ net_energy_per_token_j: null }) })).toBe(
      "Benchmark finished, no figure available.",
    );
  });
  it("is where it stopped", () => {
    const result = finished({ end_reason: "interrupted", done: 4 });
    expect(announcement(running, { status: "finished", result })).toBe("Benchmark stopped after 4 of 9 prompts.");
  });
});

describe("keys", () => {
  const key = (name: string, held: Partial<Key> = {}): Key => ({
    key: name,
    metaKey: false,
    ctrlKey: false,
    altKey: false,
    shiftKey: false,
    ...held,
  });
  it("close on Esc", () => expect(keyCommand(key("Escape"))).toBe("close"));
  it("take Command and Control alike", () => {
    expect(keyCommand(key("r", { metaKey: true }))).toBe("run");
    expect(keyCommand(key(".", { ctrlKey: true }))).toBe("stop");
    expect(keyCommand(key("e", { metaKey: true }))).toBe("export");
    expect(keyCommand(key("o", { metaKey: true }))).toBe("window");
    expect(keyCommand(key(",", { metaKey: true }))).toBe("settings");
  });
  it("leave plain letters and other chords alone", () => {
    expect(keyCommand(key("r"))).toBeNull();
    expect(keyCommand(key("r", { metaKey: true, shiftKey: true }))).toBeNull();
    expect(keyCommand(key("x", { metaKey: true }))).toBeNull();
  });
});

describe("the words of an outcome", () => {
  const warning = (message: string) => ({ code: message, message });
  it("show three notes and count the rest", () => {
    const result = finished({ warnings: ["a", "b", "c", "d"].map(warning) });
    expect(notes(result)).toEqual({ shown: ["One pass, no interval.", "A.", "B."], more: 2 });
  });
  it("don't speak of an interval where there is no figure", () => {
    expect(notes(finished({ net_energy_per_token_j: null, warnings: [] }))).toEqual({ shown: [], more: 0 });
  });
  it("say a note that several prompts share only once", () => {
    expect(notes(finished({ warnings: ["a", "a"].map(warning) })).shown).toEqual(["One pass, no interval.", "A."]);
  });
  it("say how far a stopped run came and that nothing is claimed", () => {
    const result = finished({ end_reason: "interrupted", done: 4, net_energy_per_token_j: null });
    expect(endText(result)).toBe("Stopped after 4 of 9 prompts. Samples are kept, no figure is given.");
  });
  it("are the run's own where it has some", () => {
    const message = "The server stopped answering. Stopped after 2 of 9 prompts.";
    expect(endText(finished({ end_reason: "server_lost", done: 2, message }))).toBe(message);
  });
  it("say nothing more of a run that reached its end", () => expect(endText(finished())).toBeNull());
});

describe("figures read aloud", () => {
  it("have their units in full", () => {
    expect(spoken("18.4\u00a0W")).toBe("18.4 watts");
    expect(spoken("0.581\u00a0J/token")).toBe("0.581 joules per token");
    expect(spoken("53.9\u00a0tok/s")).toBe("53.9 tokens per second");
    expect(spoken("−0.8\u00a0J")).toBe("minus 0.8 joules");
  });
  it("say that a dash is not available", () => expect(spoken("—")).toBe("not available"));
  it("split into value and unit", () => {
    expect(split("1,283\u00a0ms")).toEqual({ value: "1,283", unit: "ms" });
    expect(split("—")).toEqual({ value: "—", unit: "" });
  });
});

describe("a model's name", () => {
  it("is the key where the server gives none", () => expect(modelName(model({ display_name: null }))).toBe("qwen3-8b"));
  it("carries format and quantization where known", () => {
    expect(modelChip(model())).toBe("MLX 4-bit");
    expect(modelChip(model({ quantization: null, bits_per_weight: 8 }))).toBe("MLX 8-bit");
    expect(modelChip(model({ quantization: null, format: null }))).toBeNull();
  });
});
