// The suites and the one that is being edited. A draft stays until it is saved or reverted, whatever screen is shown.

import { SvelteMap } from "svelte/reactivity";
import type { Backend } from "../../lib/backend";
import type { Suite, SuiteEntry } from "../../lib/backend/bindings";
import { checkSuite, freeId, freeName, parseMaxTokens, type DraftPrompt, type DraftSuite } from "./check";
import { keep, kept, type Store } from "./kept";

export type Category = DraftPrompt["category"];
export const CATEGORIES: readonly { id: Category; title: string; letter: string }[] = [
  { id: "short", title: "Short", letter: "S" },
  { id: "medium", title: "Medium", letter: "M" },
  { id: "long", title: "Long", letter: "L" },
];

/** What the editor needs of the backend. */
export type SuiteBackend = Pick<
  Backend,
  "listSuites" | "saveSuite" | "deleteSuite" | "importSuite" | "exportSuite" | "estimateTokens"
>;

/** A row of the list: where the prompt stands in the draft, and how it is called in its class ("M2"). */
export interface Row {
  index: number;
  label: string;
  prompt: DraftPrompt;
  /** Estimated tokens; null while the estimate is not there yet. */
  tokens: number | null;
}

function draftOf(suite: Suite): DraftSuite {
  const prompts = suite.prompts.map((prompt) => ({
    id: prompt.id,
    category: prompt.category,
    title: prompt.title ?? "",
    prompt: prompt.prompt,
    max_tokens: String(prompt.max_tokens),
  }));
  return { name: suite.name, description: suite.description, prompts };
}

function suiteOf(draft: DraftSuite): Suite {
  const prompts = draft.prompts.map((prompt) => ({
    id: prompt.id,
    category: prompt.category,
    title: prompt.title.trim() === "" ? null : prompt.title.trim(),
    prompt: prompt.prompt,
    max_tokens: parseMaxTokens(prompt.max_tokens) ?? 0,
  }));
  return { name: draft.name.trim(), description: draft.description.trim(), prompts };
}

export class SuiteEditor {
  /** All suites, the built-in one first; null before they were read. */
  entries = $state.raw<SuiteEntry[] | null>(null);
  /** Name of the open suite as it is saved; null for one that was never saved. */
  openName = $state<string | null>(null);
  draft = $state<DraftSuite | null>(null);
  /** The draft as it was when it was opened or saved last. */
  #saved = $state.raw("");
  selected = $state(0);
  /** Estimates by text of the prompt. */
  readonly #tokens = new SvelteMap<string, number>();
  readonly #backend: SuiteBackend;
  readonly #store: Store;

  constructor(backend: SuiteBackend, store: Store) {
    this.#backend = backend;
    this.#store = store;
  }

  entry = $derived(this.entries?.find((entry) => entry.suite.name === this.openName) ?? null);
  readOnly = $derived(this.entry?.builtin ?? false);
  dirty = $derived(this.draft !== null && JSON.stringify(this.draft) !== this.#saved);
  taken = $derived((this.entries ?? []).map((entry) => entry.suite.name).filter((name) => name !== this.openName));
  problems = $derived(this.draft ? checkSuite(this.draft, this.taken) : null);
  rows = $derived.by(() => {
    const counts = { short: 0, medium: 0, long: 0 };
    return (this.draft?.prompts ?? []).map((prompt, index): Row => {
      const letter = CATEGORIES.find(({ id }) => id === prompt.category)?.letter ?? "";
      counts[prompt.category] += 1;
      return {
        index,
        label: `${letter}${counts[prompt.category]}`,
        prompt,
        tokens: this.#tokens.get(prompt.prompt) ?? null,
      };
    });
  });

  /** Reads the suites; goes on with a draft that has changes, opens `prefer` or the built-in one otherwise. */
  async load(prefer: string | null): Promise<void> {
    this.entries = await this.#backend.listSuites();
    this.#learn(this.entries);
    if (this.dirty) return;
    const name = this.openName ?? prefer;
    const entry =
      this.entries.find((candidate) => candidate.suite.name === name) ?? this.entries.find(({ builtin }) => builtin);
    if (entry) this.open(entry);
    this.#goOn(this.entries);
  }

  /** Keeps what is unsaved for the next window; to be called when the draft changed. */
  keep(): void {
    if (this.draft === null) return;
    keep(this.#store, this.dirty ? { openName: this.openName, draft: $state.snapshot(this.draft) } : null);
  }

  open(entry: SuiteEntry): void {
    this.openName = entry.suite.name;
    this.#start(draftOf(entry.suite));
  }

  /** Throws the changes away. */
  revert(): void {
    if (this.entry) return this.open(this.entry);
    const first = this.entries?.[0];
    if (first) this.open(first);
  }

  /** Saves the draft; false, and nothing done, while a rule is broken. */
  async save(): Promise<boolean> {
    if (!this.draft || this.readOnly || this.problems?.count !== 0) return false;
    const selected = this.selected;
    const saved = await this.#backend.saveSuite(this.openName, suiteOf(this.draft));
    this.entries = await this.#backend.listSuites();
    this.#learn([saved, ...this.entries]);
    this.open(saved);
    this.selected = selected;
    return true;
  }

  /** A new suite without prompts; not saved before Save. */
  create(): void {
    this.#fresh({ name: freeName("New suite", this.#names()), description: "", prompts: [] });
  }

  /** A copy of what is shown, as a suite of its own; not saved before Save. */
  duplicate(): void {
    if (!this.draft) return;
    const copy = $state.snapshot(this.draft);
    const selected = this.selected;
    this.#fresh({ ...copy, name: freeName(`${copy.name} copy`, this.#names()) });
    this.selected = selected;
  }

  async remove(): Promise<void> {
    if (this.openName !== null) await this.#backend.deleteSuite(this.openName);
    this.openName = null;
    this.#saved = JSON.stringify(this.draft);
    await this.load(null);
  }

  /** True when a suite was imported; it is open then. */
  async import(): Promise<boolean> {
    const entry = await this.#backend.importSuite();
    if (!entry) return false;
    this.entries = await this.#backend.listSuites();
    this.#learn([entry, ...this.entries]);
    this.open(entry);
    return true;
  }

  async export(): Promise<void> {
    if (this.openName !== null) await this.#backend.exportSuite(this.openName);
  }

  addPrompt(): void {
    if (!this.draft) return;
    const category = this.draft.prompts[this.selected]?.category ?? "short";
    this.#insert({ id: freeId(category, this.draft.prompts), category, title: "", prompt: "", max_tokens: "128" });
  }

  duplicatePrompt(): void {
    const prompt = this.draft?.prompts[this.selected];
    if (!this.draft || !prompt) return;
    this.#insert({ ...$state.snapshot(prompt), id: freeId(prompt.category, this.draft.prompts) });
  }

  removePrompt(): void {
    if (!this.draft) return;
    this.draft.prompts.splice(this.selected, 1);
    this.selected = Math.max(0, Math.min(this.selected, this.draft.prompts.length - 1));
  }

  /** Asks for the estimate of a text that has none yet. */
  async estimate(text: string): Promise<void> {
    if (this.#tokens.has(text) || text === "") return;
    this.#tokens.set(text, await this.#backend.estimateTokens(text));
  }

  /** Takes up a draft that an earlier window left, if what it changes is still there. */
  #goOn(entries: readonly SuiteEntry[]): void {
    const left = kept(this.#store);
    if (!left) return;
    if (left.openName === null) return this.#fresh(left.draft);
    const entry = entries.find(({ suite, builtin }) => suite.name === left.openName && !builtin);
    if (!entry) return this.#fresh({ ...left.draft, name: freeName(left.draft.name, this.#names()) });
    this.open(entry);
    this.draft = left.draft;
  }

  #insert(prompt: DraftPrompt): void {
    if (!this.draft) return;
    const at = Math.min(this.selected + 1, this.draft.prompts.length);
    this.draft.prompts.splice(at, 0, prompt);
    this.selected = at;
  }

  #names(): string[] {
    return (this.entries ?? []).map((entry) => entry.suite.name);
  }

  #fresh(draft: DraftSuite): void {
    this.openName = null;
    this.#start(draft);
    this.#saved = "";
  }

  #start(draft: DraftSuite): void {
    this.draft = draft;
    this.#saved = JSON.stringify(draft);
    this.selected = 0;
  }

  #learn(entries: readonly SuiteEntry[]): void {
    for (const { suite, tokens } of entries) {
      suite.prompts.forEach((prompt, index) => {
        const known = tokens[index];
        if (known !== undefined) this.#tokens.set(prompt.prompt, known);
      });
    }
  }
}
