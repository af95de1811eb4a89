// What the screens can ask for. The shell's commands (tauri.ts) and recorded sessions (replay.ts) both give it.

import type {
  ErrorCode,
  CheckRow,
  ConnectionTest,
  HelperView,
  LiveMessage,
  Preset,
  RunDetail,
  RunList,
  RunQuery,
  SettingsView,
  Suite,
  SuiteEntry,
  TokenState,
  UserSettings,
} from "./bindings";

export interface Backend {
  /** True where nothing is asked of a shell: recorded sessions of the simulator. */
  readonly replay: boolean;
  resizePopover(height: number): Promise<void>;
  watch(on: (message: LiveMessage) => void): Promise<() => void>;
  startRun(preset: Preset, model: string | null): Promise<void>;
  stopRun(): Promise<void>;                       // first call: after this prompt; second: at once
  resumeRun(id: number): Promise<void>; dismissUnfinished(id: number): Promise<void>; dismissResult(): Promise<void>;
  checkServer(): Promise<void>; restartPower(): Promise<void>; loadModel(key: string): Promise<void>; openLmStudio(): Promise<void>;
  setDemo(on: boolean): Promise<void>;
  listRuns(query: RunQuery): Promise<RunList>; runDetail(id: number): Promise<RunDetail>; runSamples(id: number): Promise<ArrayBuffer>;
  renameRun(id: number, name: string): Promise<void>; deleteRuns(ids: number[]): Promise<void>;
  exportRun(id: number, format: "json" | "csv"): Promise<boolean>;  // native save dialog in the shell; false = cancelled
  copyMarkdown(id: number): Promise<void>;
  listSuites(): Promise<SuiteEntry[]>; saveSuite(previous: string | null, suite: Suite): Promise<SuiteEntry>; deleteSuite(name: string): Promise<void>;
  importSuite(): Promise<SuiteEntry | null>; exportSuite(name: string): Promise<boolean>; estimateTokens(text: string): Promise<number>;
  getSettings(): Promise<SettingsView>; setSettings(settings: UserSettings): Promise<SettingsView>; setToken(token: string | null): Promise<TokenState>;
  testConnection(url: string | null): Promise<ConnectionTest>; helperView(): Promise<HelperView>; diagnostics(): Promise<CheckRow[]>;
  showWindow(route: string): Promise<void>;        // "runs", "run/12", "suite", "settings/general", …: opens the main window there
  hidePopover(): Promise<void>; resizePopover(height: number): Promise<void>; quit(): Promise<void>; // height: content height of the popover, CSS px, whole number
  onRoute(go: (route: string) => void): Promise<() => void>; // the shell asks the open main window to go there
  onCommand(run: (command: "run" | "stop" | "export") => void): Promise<() => void>;
}

/** A command that did not do what was asked. */
export class BackendError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
  ) {
    super(message);
    this.name = "BackendError";
  }
}
