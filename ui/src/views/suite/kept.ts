// A draft with unsaved changes, kept by the page's own storage so that it outlives a closed window.

import type { DraftPrompt, DraftSuite } from "./check";

const KEY = "joulebar.suite-draft";

/** The draft, and the name of the saved suite that it changes; null for one that was never saved. */
export interface Kept {
  openName: string | null;
  draft: DraftSuite;
}

/** Part of `Storage` that is needed. */
export type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** Keeps the draft; null forgets it. A storage that is full or off keeps nothing. */
export function keep(store: Store, kept: Kept | null): void {
  try {
    if (kept === null) store.removeItem(KEY);
    else store.setItem(KEY, JSON.stringify(kept));
  } catch {
    // the draft still stands in the window
  }
}

/** The kept draft; null without one, or when it is not of the form that is written today. */
export function kept(store: Store): Kept | null {
  try {
    const value: unknown = JSON.parse(store.getItem(KEY) ?? "null");
    return isKept(value) ? value : null;
  } catch {
    return null;
  }
}

function isKept(value: unknown): value is Kept {
  if (!isRecord(value) || !isRecord(value.draft)) return false;
  const { openName, draft } = value;
  if (openName !== null && typeof openName !== "string") return false;
  if (typeof draft.name !== "string" || typeof draft.description !== "string") return false;
  return Array.isArray(draft.prompts) && draft.prompts.every(isPrompt);
}

function isPrompt(value: unknown): value is DraftPrompt {
  if (!isRecord(value)) return false;
  const texts = [value.id, value.title, value.prompt, value.max_tokens];
  return (
    texts.every((text) => typeof text === "string") && ["short", "medium", "long"].includes(String(value.category))
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
