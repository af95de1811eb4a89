// The window's keyboard: letters and digits with ⌘ (Ctrl where there is no ⌘).

export type WindowCommand = "run" | "stop" | "export" | "settings" | "runs" | "suite" | "search" | "back";

/** The part of a keyboard event that decides. */
export type Key = Pick<KeyboardEvent, "key" | "metaKey" | "ctrlKey" | "altKey" | "shiftKey">;

const KEYS: Record<string, WindowCommand> = {
  r: "run",
  ".": "stop",
  e: "export",
  ",": "settings",
  "1": "runs",
  "3": "suite",
  f: "search",
  "[": "back",
};

/** The command of a key press, or `null` when the window has none for it. */
export function windowCommand(event: Key): WindowCommand | null {
  if (!(event.metaKey || event.ctrlKey) || event.altKey || event.shiftKey) return null;
  return KEYS[event.key.toLowerCase()] ?? null;
}

/** True where a key belongs to a field that is being typed in. */
export function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}
