// The shell's commands. Errors are coded; whatever else comes back is a failure of the shell itself.

import { Channel, invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import type { Backend } from "./backend";
import { BackendError } from "./backend";
import type { CommandError, LiveMessage } from "./bindings";

function isCommandError(error: unknown): error is CommandError {
  return typeof error === "object" && error !== null && "code" in error && "message" in error;
}

async function call<T>(command: string, args: Record<string, unknown> = {}): Promise<T> {
  try {
    return await invoke<T>(command, args);
  } catch (error) {
    if (isCommandError(error)) throw new BackendError(error.code, error.message);
    throw new BackendError("failed", String(error));
  }
}

export const backend: Backend = {
  replay: false,
  async watch(on) {
    const channel = new Channel<LiveMessage>();
    channel.onmessage = on;
    const id = await call<number>("watch", { channel });
    return () => {
      channel.onmessage = () => {};
      void call<null>("unwatch", { id }).catch(() => {});
    };
  },
  startRun: (preset, model) => call("start_run", { preset, model }),
  stopRun: () => call("stop_run"),
  resumeRun: (id) => call("resume_run", { id }),
  dismissUnfinished: (id) => call("dismiss_unfinished", { id }),
  dismissResult: () => call("dismiss_result"),
  checkServer: () => call("check_server"),
  restartPower: () => call("restart_power"),
  loadModel: (key) => call("load_model", { key }),
  openLmStudio: () => call("open_lm_studio"),
  setDemo: (on) => call("set_demo", { on }),
  listRuns: (query) => call("list_runs", { query }),
  runDetail: (id) => call("run_detail", { id }),
  runSamples: (id) => call("run_samples", { id }),
  renameRun: (id, name) => call("rename_run", { id, name }),
  deleteRuns: (ids) => call("delete_runs", { ids }),
  exportRun: (id, format) => call("export_run", { id, format }),
  exportLast: () => call("export_last"),
  copyMarkdown: (id) => call("copy_markdown", { id }),
  listSuites: () => call("list_suites"),
  saveSuite: (previous, suite) => call("save_suite", { previous, suite }),
  deleteSuite: (name) => call("delete_suite", { name }),
  importSuite: () => call("import_suite"),
  exportSuite: (name) => call("export_suite", { name }),
  estimateTokens: (text) => call("estimate_tokens", { text }),
  getSettings: () => call("get_settings"),
  setSettings: (settings) => call("set_settings", { settings }),
  setToken: (token) => call("set_token", { token }),
  testConnection: (url) => call("test_connection", { url }),
  helperView: () => call("helper_view"),
  wantHelper: (wish) => call("want_helper", { wish }),
  authorizePower: () => call("authorize_power"),
  diagnostics: () => call("diagnostics"),
  showWindow: (route) => call("show_window", { route }),
  hidePopover: () => call("hide_popover"),
  resizePopover: (height) => call("resize_popover", { height }),
  quit: () => call("quit"),
  onRoute: (go) => listen<string>("route", (event) => go(event.payload)),
  onCommand: (run) => listen<"run" | "stop" | "export">("command", (event) => run(event.payload)),
};
