// The history as a list that is read where it is looked at: pages of rows, a query, what is selected.

import type { Backend } from "../../../lib/backend";
import type { RunQuery, RunRow, SortBy } from "../../../lib/backend/bindings";

/** Rows that are asked for at once. */
export const PAGE = 100;
/** Rows that are asked for at once when all are wanted. */
const ALL = 1000;

/** Which kinds of runs are listed. */
export type Kind = "all" | "measured" | "simulated";

export class RunList {
  text = $state("");
  kind = $state<Kind>("all");
  by = $state<SortBy>("started");
  ascending = $state(false);
  /** How many match; null until the first answer. */
  total = $state<number | null>(null);
  /** Rows by their page; a page that was not asked for is absent. */
  pages = $state.raw<ReadonlyMap<number, readonly RunRow[]>>(new Map());
  selected = $state.raw<ReadonlySet<number>>(new Set());
  /** Place of the row that has the keyboard; null with no rows. */
  cursor = $state<number | null>(null);
  /** Why the history can't be read; null when it can. */
  problem = $state<string | null>(null);

  readonly #backend: Backend;
  #anchor: number | null = null;
  #generation = 0;
  #asked = new Set<number>();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  get filtered(): boolean {
    return this.text.trim() !== "" || this.kind !== "all";
  }

  /** The row at a place; undefined while its page is not there. */
  at(index: number): RunRow | undefined {
    return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** Reads from the start, keeping what is shown until the answer is there. */
  async reload(): Promise<void> {
    const generation = ++this.#generation;
    this.#asked = new Set([0]);
    try {
      const { rows, total } = await this.#backend.listRuns(this.#query(PAGE, 0));
      if (generation !== this.#generation) return;
      this.pages = new Map([[0, rows]]);
      this.total = total;
      this.problem = null;
      this.cursor = total === 0 ? null : Math.min(this.cursor ?? 0, total - 1);
    } catch (error) {
      if (generation === this.#generation) this.problem = error instanceof Error ? error.message : String(error);
    }
  }

  /** Sees to it that the rows from `first` to `last` are there. */
  async ensure(first: number, last: number): Promise<void> {
    if (this.total === null || this.total === 0) return;
    const generation = this.#generation;
    const to = Math.min(last, this.total - 1);
    for (let page = Math.floor(Math.max(0, first) / PAGE); page <= Math.floor(to / PAGE); page++) {
      if (this.pages.has(page) || this.#asked.has(page)) continue;
      this.#asked.add(page);
      try {
        const { rows, total } = await this.#backend.listRuns(this.#query(PAGE, page * PAGE));
        if (generation !== this.#generation) return;
        this.pages = new Map(this.pages).set(page, rows);
        this.total = total;
      } catch (error) {
        this.#asked.delete(page);
        this.problem = error instanceof Error ? error.message : String(error);
        return;
      }
    }
  }

  /** Sorts by a column; the same column again turns the order round. */
  sort(by: SortBy): void {
    this.ascending = this.by === by ? !this.ascending : by === "name" || by === "model" || by === "net_energy_per_token";
    this.by = by;
    this.cursor = 0;
    void this.reload();
  }

  clearFilter(): void {
    this.text = "";
    this.kind = "all";
    void this.reload();
  }

  /** Moves the keyboard to a row and selects it alone, or what lies between it and the last choice. */
  async choose(index: number, extend: "only" | "toggle" | "range"): Promise<void> {
    this.cursor = index;
    const row = this.at(index);
    if (extend === "range" && this.#anchor !== null) {
      const [first, last] = [Math.min(this.#anchor, index), Math.max(this.#anchor, index)];
      await this.ensure(first, last);
      const ids = new Set<number>();
      for (let i = first; i <= last; i++) {
        const one = this.at(i);
        if (one) ids.add(one.id);
      }
      this.selected = ids;
      return;
    }
    this.#anchor = index;
    if (!row) return;
    if (extend === "toggle") {
      const ids = new Set(this.selected);
      if (!ids.delete(row.id)) ids.add(row.id);
      this.selected = ids;
    } else this.selected = new Set([row.id]);
  }

  /** Selects all that match, also those not read yet. */
  async selectAll(): Promise<void> {
    const ids = new Set<number>();
    const generation = this.#generation;
    for (let offset = 0; offset < (this.total ?? 0); offset += ALL) {
      const { rows } = await this.#backend.listRuns(this.#query(ALL, offset));
      if (generation !== this.#generation) return;
      for (const row of rows) ids.add(row.id);
    }
    this.selected = ids;
  }

  async delete(ids: readonly number[]): Promise<void> {
    await this.#backend.deleteRuns([...ids]);
    this.selected = new Set();
    this.#anchor = null;
    await this.reload();
  }

  async rename(id: number, name: string): Promise<void> {
    await this.#backend.renameRun(id, name);
    const trimmed = name.trim();
    this.pages = new Map(
      [...this.pages].map(([page, rows]) => [page, rows.map((row) => (row.id === id ? { ...row, name: trimmed === "" ? null : trimmed } : row))]),
    );
  }

  #query(limit: number, offset: number): RunQuery {
    const text = this.text.trim();
    return {
      text: text === "" ? null : text,
      simulated: this.kind === "all" ? null : this.kind === "simulated",
      by: this.by,
      ascending: this.ascending,
      limit,
      offset,
    };
  }
}
