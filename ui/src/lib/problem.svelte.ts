// One line for what went wrong outside of any form: commands that failed, promises nobody waited for.

class Problem {
  text = $state<string | null>(null);

  /** Shows an error; the next one takes its place. */
  show(error: unknown): void {
    this.text = error instanceof Error ? error.message : String(error);
  }

  /** Runs something whose failure has no better place to be shown. */
  async attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await work();
      return result;
    } catch (error) {
      this.show(error);
      return undefined;
    }
  }
}

export const problem = new Problem();
