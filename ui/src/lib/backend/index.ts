// The one backend of a page: the shell's commands inside the app, recorded simulator sessions in a browser.

import type { Backend } from "./backend";

export type { Backend } from "./backend";
export { BackendError } from "./backend";

async function load(): Promise<Backend> {
  if ("__TAURI_INTERNALS__" in window) return (await import("./tauri")).backend;
  return (await import("./replay")).makeReplay(new URLSearchParams(location.search));
}

/** Filled before the first view is mounted; see main.ts. */
export let backend: Backend;

/** Chooses the backend; must be awaited before anything uses it. */
export async function connect(chosen?: Backend): Promise<void> {
  backend = chosen ?? (await load());
}
