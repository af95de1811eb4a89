// What the screens can ask for. The shell's commands (tauri.ts) and recorded sessions (replay.ts) both give it.

import type {
  ErrorCode,
  CheckRow,
  ConnectionTest,
  HelperView,
  HelperWish,
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
  /** Tells the height of the popover's content, in whole CSS pixels. */
  resizePopover(height: number): Promise<void>;
  /** Follows what is so: first a whole message, then what changed, at most once a frame. Ends by the returned function. */
  watch(on: (message: LiveMessage) => void): Promise<() => void>;
  /** Starts a run of the suite chosen in the settings; without a model, of the one that is loaded. */
  startRun(preset: Preset, model: string | null): Promise<void>;
  /** The first call stops after this prompt, the second at once. */
  stopRun(): Promise<void>;
  /** Goes on with the prompts that a run has not done. */
  resumeRun(id: number): Promise<void>;
  /** Offers that run no more; it stays in the history. */
  dismissUnfinished(id: number): Promise<void>;
  /** Leaves the result of the last run. */
  dismissResult(): Promise<void>;
  checkServer(): Promise<void>;
  restartPower(): Promise<void>;
  loadModel(key: string): Promise<void>;
  openLmStudio(): Promise<void>;
  setDemo(on: boolean): Promise<void>;
  listRuns(query: RunQuery): Promise<RunList>;
  runDetail(id: number): Promise<RunDetail>;
  /** The samples as binary columns; see `chart/columns.ts`. */
  runSamples(id: number): Promise<ArrayBuffer>;
  /** An empty name takes the name away. */
  renameRun(id: number, name: string): Promise<void>;
  /** Deletes runs with their samples. */
  deleteRuns(ids: number[]): Promise<void>;
  /** Asks where, in the system's own panel; false when cancelled. */
  exportRun(id: number, format: "json" | "csv"): Promise<boolean>;
  /** Exports the report of the last run, which need not be in the history. */
  exportLast(): Promise<boolean>;
  copyMarkdown(id: number): Promise<void>;
  listSuites(): Promise<SuiteEntry[]>;
  saveSuite(previous: string | null, suite: Suite): Promise<SuiteEntry>;
  deleteSuite(name: string): Promise<void>;
  /** Asks which file, in the system's own panel; null when cancelled. */
  importSuite(): Promise<SuiteEntry | null>;
  /** Asks where, in the system's own panel; false when cancelled. */
  exportSuite(name: string): Promise<boolean>;
  /** About how many tokens a text has. */
  estimateTokens(text: string): Promise<number>;
  getSettings(): Promise<SettingsView>;
  setSettings(settings: UserSettings): Promise<SettingsView>;
  /** Keeps the API token, or with null forgets it. It is never given back. */
  setToken(token: string | null): Promise<TokenState>;
  /** Asks the server at that address; null is the one in the settings. */
  testConnection(url: string | null): Promise<ConnectionTest>;
  helperView(): Promise<HelperView>;
  /** Sets the helper up as a service of macOS, or removes it; what comes of it stands in `helperView`. */
  wantHelper(wish: HelperWish): Promise<void>;
  /** Reads power with an administrator's password, for this once. */
  authorizePower(): Promise<void>;
  diagnostics(): Promise<CheckRow[]>;
  /** Opens the main window at `runs`, `run/12`, `suite`, `settings/general`, …. */
  showWindow(route: string): Promise<void>;
  hidePopover(): Promise<void>;
  quit(): Promise<void>;
  /** The shell asks the open main window to go there. */
  onRoute(go: (route: string) => void): Promise<() => void>;
  /** A menu of the shell was used. */
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
