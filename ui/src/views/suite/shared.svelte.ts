// The one editor of the window: it outlives the screen, so that changes stay until they are saved or reverted.

import { backend, type Backend } from "../../lib/backend";
import { SuiteEditor } from "./editor.svelte";

interface Shared {
  of: Backend;
  editor: SuiteEditor;
  end: () => void;
}
let shared: Shared | null = null;

/** The editor of the page's backend. */
export function suiteEditor(): SuiteEditor {
  if (shared?.of === backend) return shared.editor;
  shared?.end();
  let editor!: SuiteEditor;
  // What is made within a component ends with it; the editor must not.
  const end = $effect.root(() => {
    editor = new SuiteEditor(backend, localStorage);
    $effect(() => editor.keep());
  });
  shared = { of: backend, editor, end };
  return editor;
}
