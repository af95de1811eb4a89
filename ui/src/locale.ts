// A desktop without a language calls it "C", which is no language tag: uPlot asks for its numbers with it when it is
// loaded, and would take the whole page down. Imported before anything else.

/** The tag itself where it is one, else English. */
export function usable(tag: string): string {
  try {
    new Intl.NumberFormat(tag);
    return tag;
  } catch {
    return "en-US";
  }
}

const tag = usable(navigator.language);
if (tag !== navigator.language) Object.defineProperty(navigator, "language", { value: tag, configurable: true });
