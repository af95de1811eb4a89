import { beforeEach, describe, expect, it } from "vitest";
import type { Suite, SuiteEntry } from "../../lib/backend/bindings";
import { SuiteEditor, type SuiteBackend } from "./editor.svelte";

const suite = (name: string, ...ids: string[]): Suite => ({
  name,
  description: "",
  prompts: ids.map((id) => ({ id, category: "short", title: null, prompt: `Text of ${id}`, max_tokens: 64 })),
});
const entry = (value: Suite, builtin = false): SuiteEntry => ({
  suite: value,
  builtin,
  tokens: value.prompts.map(() => 12),
});

class Fake implements SuiteBackend {
  entries = [entry(suite("standard", "a", "b"), true), entry(suite("Mine", "c"))];
  listSuites = async () => this.entries;
  saveSuite = async (previous: string | null, value: Suite) => {
    const saved = entry(value);
    this.entries = [...this.entries.filter((other) => other.suite.name !== previous), saved];
    return saved;
  };
  deleteSuite = async (name: string) => void (this.entries = this.entries.filter((other) => other.suite.name !== name));
  importSuite = async () => null;
  exportSuite = async () => true;
  estimateTokens = async (text: string) => text.length;
}

const store = new Map<string, string>();
const storage = {
  getItem: (key: string) => store.get(key) ?? null,
  setItem: (key: string, value: string) => void store.set(key, value),
  removeItem: (key: string) => void store.delete(key),
};
let fake: Fake;
let editor: SuiteEditor;
beforeEach(async () => {
  fake = new Fake();
  store.clear();
  editor = new SuiteEditor(fake, storage);
  await editor.load(null);
});

function open(name: string): void {
  const found = fake.entries.find((candidate) => candidate.suite.name === name);
  if (found) editor.open(found);
}

describe("suite editor", () => {
  it("opens the built-in suite first, which can't be changed", async () => {
    expect(editor.openName).toBe("standard");
    expect(editor.readOnly).toBe(true);
    expect(editor.dirty).toBe(false);
    expect(await editor.save()).toBe(false);
  });
  it("names prompts by class and place, with their estimates", () => {
    expect(editor.rows.map((row) => [row.label, row.tokens])).toEqual([
      ["S1", 12],
      ["S2", 12],
    ]);
    expect(editor.rows[1]?.label).toBe("S2");
  });
  it("makes a copy of the built-in suite that is unsaved until Save", async () => {
    editor.duplicate();
    expect(editor.draft?.name).toBe("standard copy");
    expect([editor.readOnly, editor.dirty, editor.openName]).toEqual([false, true, null]);
    expect(await editor.save()).toBe(true);
    expect([editor.dirty, editor.openName]).toEqual([false, "standard copy"]);
    expect(fake.entries).toHaveLength(3);
  });
  it("keeps changes until they are saved or reverted", async () => {
    open("Mine");
    if (editor.draft?.prompts[0]) editor.draft.prompts[0].title = "New title";
    expect(editor.dirty).toBe(true);
    await editor.load(null);
    expect(editor.draft?.prompts[0]?.title, "reading the suites again keeps them").toBe("New title");
    editor.revert();
    expect([editor.dirty, editor.draft?.prompts[0]?.title]).toEqual([false, ""]);
  });
  it("does not save while a rule is broken", async () => {
    open("Mine");
    editor.addPrompt();
    expect(editor.problems?.prompts[1]?.prompt).toContain("empty");
    expect(await editor.save()).toBe(false);
    if (editor.draft?.prompts[1]) editor.draft.prompts[1].prompt = "Now there is one";
    expect(await editor.save()).toBe(true);
    expect(fake.entries.find((other) => other.suite.name === "Mine")?.suite.prompts).toHaveLength(2);
  });
  it("gives new and copied prompts ids of their own", () => {
    open("Mine");
    editor.duplicatePrompt();
    editor.addPrompt();
    const ids = editor.draft?.prompts.map((prompt) => prompt.id) ?? [];
    expect(new Set(ids).size).toBe(3);
    editor.removePrompt();
    expect(editor.draft?.prompts).toHaveLength(2);
  });
  it("estimates a text once", async () => {
    open("Mine");
    if (editor.draft?.prompts[0]) editor.draft.prompts[0].prompt = "constructor";
    expect(editor.rows[0]?.tokens).toBeNull();
    await editor.estimate("constructor");
    expect(editor.rows[0]?.tokens).toBe(11);
  });
  it("goes back to the built-in suite when the open one is deleted", async () => {
    open("Mine");
    await editor.remove();
    expect([editor.openName, fake.entries.length]).toEqual(["standard", 1]);
  });
  it("goes on with what an earlier window left unsaved", async () => {
    open("Mine");
    if (editor.draft?.prompts[0]) editor.draft.prompts[0].title = "Half done";
    editor.keep();
    const next = new SuiteEditor(fake, storage);
    await next.load(null);
    expect([next.openName, next.dirty, next.draft?.prompts[0]?.title]).toEqual(["Mine", true, "Half done"]);
    next.revert();
    next.keep();
    expect(store.size, "nothing is kept once nothing is unsaved").toBe(0);
  });
  it("keeps the draft of a suite that is gone as a new one", async () => {
    open("Mine");
    editor.addPrompt();
    editor.keep();
    await fake.deleteSuite("Mine");
    const next = new SuiteEditor(fake, storage);
    await next.load(null);
    expect([next.openName, next.draft?.name, next.dirty]).toEqual([null, "Mine", true]);
  });
  it("ignores a kept draft that is not of its form", async () => {
    for (const wrong of ["", "{", "3", '{"openName":null,"draft":{"name":"x","description":"","prompts":[{}]}}']) {
      store.set("joulebar.suite-draft", wrong);
      const next = new SuiteEditor(fake, storage);
      await next.load(null);
      expect([next.openName, next.dirty]).toEqual(["standard", false]);
    }
  });
  it("drops a suite that was never saved", () => {
    editor.create();
    expect(editor.problems?.whole).toContain("at least one");
    editor.revert();
    expect(editor.openName).toBe("standard");
  });
});
