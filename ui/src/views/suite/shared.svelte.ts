// The one editor of the window: it outlives the screen, so that changes stay until they are saved or reverted.

import { backend, type Backend } from "../../lib/backend";
import { SuiteEditor } from "./editor.svelte";

let shared: { of: Backend; editor: SuiteEditor } | null = null;

/** The editor of the page's backend. */
export function suiteEditor(): SuiteEditor {
  if (shared?.of !== backend) shared = { of: backend, editor: new SuiteEditor(backend) };
  return shared.editor;
}
