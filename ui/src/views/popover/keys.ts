// The popover's keyboard: Esc, and the letters with ⌘ (Ctrl where there is no ⌘).

export type KeyCommand = "close" | "run" | "stop" | "export" | "window" | "settings";

/** The part of a keyboard event that decides. */
export interface Key {
  key: string;
  metaKey: boolean;
  ctrlKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

const LETTERS: Record<string, KeyCommand> = {
  r: "run",
  ".": "stop",
  e: "export",
  o: "window",
  ",": "settings",
};

/** The command of a key press, or `null` when the popover has none for it. */
export function keyCommand(event: Key): KeyCommand | null {
  if (event.key === "Escape") return "close";
  if (!(event.metaKey || event.ctrlKey) || event.altKey || event.shiftKey) return null;
  return LETTERS[event.key.toLowerCase()] ?? null;
}
