// Every press in the popover, as calls of the backend. A call that fails leaves its sentence in `report`.
import type { Backend } from "../../lib/backend";
import type { Preset, Snapshot } from "../../lib/backend/bindings";
import type { KeyCommand } from "./keys";
import type { Action } from "./problems";

/** The sentence of a failed command. Commands fail with `{ code, message }`. */
export function failure(error: unknown): string {
  return error instanceof Error && error.message !== "" ? error.message : "The command failed.";
}

/** The run that is shown or was last: the one Export and Open Run mean. `null` when there is none in the history. */
export function shownRun(snapshot: Snapshot): number | null {
  if (snapshot.run.status === "finished") return snapshot.run.result.run_id;
  return snapshot.last?.run_id ?? null;
}

export class Actions {
  readonly #backend: Backend;
  readonly #report: (message: string | null) => void;

  /** `report` gets `null` when a command begins and a sentence when one fails. */
  constructor(backend: Backend, report: (message: string | null) => void) {
    this.#backend = backend;
    this.#report = report;
  }

  async #call(command: () => Promise<unknown>): Promise<void> {
    this.#report(null);
    try {
      await command();
    } catch (error) {
      this.#report(failure(error));
    }
  }

  run = (preset: Preset): Promise<void> => this.#call(() => this.#backend.startRun(preset, null));
  stop = (): Promise<void> => this.#call(() => this.#backend.stopRun());
  resume = (id: number): Promise<void> => this.#call(() => this.#backend.resumeRun(id));
  dismissUnfinished = (id: number): Promise<void> => this.#call(() => this.#backend.dismissUnfinished(id));
  dismissResult = (): Promise<void> => this.#call(() => this.#backend.dismissResult());
  /** Exports a run of the history; without a number the last one, wherever it is kept. */
  exportJson = (id: number | null): Promise<void> =>
    this.#call(() => (id === null ? this.#backend.exportLast() : this.#backend.exportRun(id, "json")));
  load = (key: string): Promise<void> => this.#call(() => this.#backend.loadModel(key));
  close = (): Promise<void> => this.#call(() => this.#backend.hidePopover());
  show = (route: string): Promise<void> => this.#call(() => this.#backend.showWindow(route));
  /** Tells the shell how high the content is, in whole CSS pixels. Keeps what an earlier command reported. */
  resize = async (height: number): Promise<void> => {
    try {
      await this.#backend.resizePopover(height);
    } catch (error) {
      this.#report(failure(error));
    }
  };
  openRun = (id: number): Promise<void> => this.show(`run/${id}`);

  /** The preset is a setting: the next run, from wherever it is started, takes it. */
  choosePreset = (preset: Preset): Promise<void> =>
    this.#call(async () => {
      const { settings } = await this.#backend.getSettings();
      await this.#backend.setSettings({ ...settings, preset });
    });

  fix = (action: Exclude<Action, "choose_model">): Promise<void> => {
    switch (action) {
      case "restart_power":
        return this.#call(() => this.#backend.restartPower());
      case "check_server":
        return this.#call(() => this.#backend.checkServer());
      case "open_lm_studio":
        return this.#call(() => this.#backend.openLmStudio());
      case "helper_settings":
        return this.show("settings/helper");
      case "server_settings":
        return this.show("settings/lm-studio");
    }
  };

  /** A key command; nothing happens when it has no meaning in this state. */
  key = (command: KeyCommand, snapshot: Snapshot): Promise<void> => {
    const going = snapshot.run.status === "running" || snapshot.run.status === "starting";
    const id = shownRun(snapshot);
    switch (command) {
      case "close":
        return this.close();
      case "run":
        return snapshot.can_run && !going ? this.run(snapshot.preset) : Promise.resolve();
      case "stop":
        return going ? this.stop() : Promise.resolve();
      case "export":
        return id === null && snapshot.run.status !== "finished" ? Promise.resolve() : this.exportJson(id);
      case "window":
        return this.show("runs");
      case "settings":
        return this.show("settings/general");
    }
  };
}
