// The user's settings as the pages show them. Every change is saved at once; what core returns is what is shown.

import type { Backend } from "../../lib/backend";
import type { SettingsView, TokenState, UserSettings } from "../../lib/backend/bindings";

export type SettingsBackend = Pick<Backend, "getSettings" | "setSettings" | "setToken">;
export type SettingKey = keyof UserSettings;

/** What was said about a setting that couldn't be saved, in words for people. */
export interface Refused {
  key: SettingKey;
  message: string;
}

export class SettingsForm {
  /** As last read or written; null before the first answer. */
  view = $state.raw<SettingsView | null>(null);
  refused = $state.raw<Refused | null>(null);
  /** Why the settings can't be read at all; null when they can. */
  failed = $state<string | null>(null);
  readonly #backend: SettingsBackend;
  #last: Promise<boolean> = Promise.resolve(true);

  constructor(backend: SettingsBackend) {
    this.#backend = backend;
  }

  settings = $derived(this.view?.settings ?? null);

  async load(): Promise<void> {
    try {
      this.view = await this.#backend.getSettings();
      this.failed = null;
    } catch (error) {
      this.failed = words(error);
    }
  }

  /** Saves one setting, after those before it. False when it was refused: the words are kept for its row, the old value stays. */
  set<K extends SettingKey>(key: K, value: UserSettings[K]): Promise<boolean> {
    return this.#queue(key, (settings) => ({ ...settings, [key]: value }));
  }

  /** Gives some settings their default values. */
  restore(keys: readonly SettingKey[]): Promise<boolean> {
    const first = keys[0];
    if (first === undefined) return Promise.resolve(true);
    return this.#queue(first, (settings, defaults) => ({
      ...settings,
      ...Object.fromEntries(keys.map((key) => [key, defaults[key]])),
    }));
  }

  /** The words that stand under a row; null when nothing is wrong with it. */
  problem(key: SettingKey): string | null {
    return this.refused?.key === key ? this.refused.message : null;
  }

  /** Stores the token, or forgets it with null; throws what the keychain said. */
  async setToken(token: string | null): Promise<TokenState> {
    const state = await this.#backend.setToken(token);
    if (this.view) this.view = { ...this.view, token: state };
    return state;
  }

  #queue(key: SettingKey, change: (settings: UserSettings, defaults: UserSettings) => UserSettings): Promise<boolean> {
    const write = async () => {
      if (!this.view) return false;
      try {
        this.view = await this.#backend.setSettings(change(this.view.settings, this.view.defaults));
        this.refused = null;
        return true;
      } catch (error) {
        this.refused = { key, message: words(error) };
        return false;
      }
    };
    this.#last = this.#last.then(write);
    return this.#last;
  }
}

/** The message of whatever was thrown. */
export function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
