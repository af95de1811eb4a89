// What is so now: the snapshot, the last minute of samples, the phases of a run. Nothing is asked for while hidden.

import { backend } from "../backend";
import { columnsOf } from "../chart/columns";
import type { LiveMessage, LiveSample, PhaseSpan, Snapshot } from "../backend/bindings";

/** How much of the past the live chart shows, in nanoseconds. */
const WINDOW_NS = 60e9;

class Live {
  snapshot = $state.raw<Snapshot | null>(null);
  /** Samples of the last minute, oldest first. */
  samples = $state.raw<readonly LiveSample[]>([]);
  phases = $state.raw<readonly PhaseSpan[]>([]);
  /** The session clock's present instant, as far as the page knows, in nanoseconds. */
  nowNs = $state.raw(0);
  /** The same samples as columns, for charts. */
  readonly columns = $derived(columnsOf(this.samples));
  /** The last minute, in milliseconds on the session's clock. */
  readonly to = $derived(this.nowNs / 1e6);
  readonly from = $derived((this.nowNs - WINDOW_NS) / 1e6);
  /** Why nothing can be shown at all; null while it can. */
  problem = $state<string | null>(null);

  #stop: (() => void) | null = null;
  #starting = false;
  #wanted = false;

  /** Begins to follow; the returned function ends it. */
  follow(): () => void {
    this.#wanted = true;
    const onVisibility = (): void => {
      if (document.hidden) this.#end();
      else void this.#begin();
    };
    document.addEventListener("visibilitychange", onVisibility);
    onVisibility();
    return () => {
      this.#wanted = false;
      document.removeEventListener("visibilitychange", onVisibility);
      this.#end();
    };
  }

  /** Takes one message in. */
  take(message: LiveMessage): void {
    if (message.snapshot) this.snapshot = message.snapshot;
    if (message.phases) this.phases = message.phases;
    this.nowNs = message.now_ns;
    if (message.samples.length > 0) {
      const from = message.now_ns - WINDOW_NS;
      const newest = this.samples.at(-1)?.end_ns ?? -Infinity;
      const first = message.samples[0]?.end_ns ?? 0;
      // a message that begins in the past is a fresh minute, not an addition
      const kept = first > newest ? this.samples : [];
      this.samples = [...kept, ...message.samples].filter((sample) => sample.end_ns > from);
    }
  }

  async #begin(): Promise<void> {
    if (this.#stop || this.#starting) return;
    this.#starting = true;
    try {
      const stop = await backend.watch((message) => this.take(message));
      this.problem = null;
      if (!this.#wanted || document.hidden) stop();
      else this.#stop = stop;
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    } finally {
      this.#starting = false;
    }
  }

  #end(): void {
    this.#stop?.();
    this.#stop = null;
  }
}

export const live = new Live();
